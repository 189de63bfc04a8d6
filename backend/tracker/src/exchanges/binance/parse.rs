//! What Binance's messages mean.

use chrono::{DateTime, Utc};
use domain::{ExchangeMinute, Instrument, InstrumentStatus, Side, Steps, Tick};
use smol_str::SmolStr;

use super::messages::{Any, Combined, HistoricalTrade, Kline, SymbolInfo, TickerPrice, Trade};
use crate::exchange::{Found, Frame, UnreadableFrame};

/// Events that Binance documents and that are not followed here.
const OTHER_EVENTS: [&str; 19] = [
    "24hrMiniTicker",
    "24hrTicker",
    "1hTicker",
    "4hTicker",
    "1dTicker",
    "aggTrade",
    "avgPrice",
    "blockTrade",
    "bookTicker",
    "compositeIndex",
    "continuous_kline",
    "contractInfo",
    "depthUpdate",
    "forceOrder",
    "indexPriceUpdate",
    "kline",
    "markPriceUpdate",
    "referencePrice",
    "assetIndexUpdate",
];

/// Reads one message.
pub(super) fn frame(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    // Nearly every message is a trade in a combined stream: read it in one go.
    if text.starts_with(r#"{"stream":""#) && text.get(..80).is_some_and(|start| start.contains("@trade\"")) {
        let combined: Combined<'_, Trade<'_>> = serde_json::from_str(text)?;
        return trade(combined.data, received_at, found);
    }
    any(text, received_at, found)
}

fn any(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    if text.trim_start().starts_with('[') {
        return array(text, received_at, found);
    }
    let any: Any<'_> = serde_json::from_str(text)?;
    if let (Some(_), Some(data)) = (&any.stream, any.data) {
        return self::any(data.get(), received_at, found);
    }
    if let Some(event) = any.event.as_deref() {
        return match event {
            "trade" => trade(serde_json::from_str(text)?, received_at, found),
            "serverShutdown" => Ok(Frame::Closing),
            other => match OTHER_EVENTS.iter().find(|known| **known == other) {
                Some(known) => Ok(Frame::Other(known)),
                None => Err(UnreadableFrame::new(format!("event {other:?} is not documented"))),
            },
        };
    }
    if let Some(error) = any.error {
        return Ok(Frame::Refused(error.get().to_owned()));
    }
    if let (Some(code), Some(message)) = (any.code, &any.msg) {
        return Ok(Frame::Refused(format!("{message} (code {code})")));
    }
    if any.update_id.is_some() || any.last_update_id.is_some() {
        return Ok(Frame::Other("book"));
    }
    if any.id.is_some() {
        return Ok(Frame::Acknowledged);
    }
    Err(UnreadableFrame { reason: "neither an event nor an answer".to_owned() })
}

/// Streams of the whole market send lists of events.
fn array(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    let events: Vec<&serde_json::value::RawValue> = serde_json::from_str(text)?;
    let mut frame = Frame::Other("empty");
    for event in events {
        let one = any(event.get(), received_at, found)?;
        if frame != Frame::Trades {
            frame = one;
        }
    }
    Ok(frame)
}

fn trade(trade: Trade<'_>, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    if trade.event != "trade" {
        return Err(UnreadableFrame { reason: format!("event {:?} on a stream of trades", trade.event) });
    }
    if trade.origin.is_some_and(|origin| origin != "MARKET") {
        return Ok(Frame::Other("trade of the insurance fund"));
    }
    let exchange_time = DateTime::from_timestamp_millis(trade.time_ms)
        .ok_or_else(|| UnreadableFrame { reason: format!("T {} is no time", trade.time_ms) })?;
    found.ticks.push(Tick {
        ticker: trade.symbol.into(),
        trade_id: Some(trade.id),
        price: trade.price,
        quantity: Some(trade.quantity),
        taker_side: Some(if trade.buyer_is_maker { Side::Sell } else { Side::Buy }),
        exchange_time: Some(exchange_time),
        received_at,
    });
    Ok(Frame::Trades)
}

pub(super) fn instrument(symbol: SymbolInfo) -> Instrument {
    let status = if symbol.status == "TRADING" { InstrumentStatus::Trading } else { InstrumentStatus::Halted };
    let filter = |kind: &str| symbol.filters.iter().find(|filter| filter.filter_type == kind);
    let steps = Steps {
        price: filter("PRICE_FILTER").and_then(|filter| filter.tick_size.0),
        quantity: filter("LOT_SIZE").and_then(|filter| filter.step_size.0),
    };
    Instrument { ticker: symbol.symbol, base: symbol.base_asset, quote: symbol.quote_asset, status, steps }
}

/// A trade as the stream would have brought it; `None` when its time is none.
pub(super) fn historical(ticker: &SmolStr, trade: &HistoricalTrade, received_at: DateTime<Utc>) -> Option<Tick> {
    Some(Tick {
        ticker: ticker.clone(),
        trade_id: Some(trade.id),
        price: trade.price,
        quantity: Some(trade.quantity),
        taker_side: Some(if trade.is_buyer_maker { Side::Sell } else { Side::Buy }),
        exchange_time: Some(DateTime::from_timestamp_millis(trade.time_ms)?),
        received_at,
    })
}

/// A minute in which something was traded; `None` for any other, and when its time is none.
pub(super) fn minute(kline: &Kline) -> Option<ExchangeMinute> {
    let open_time = DateTime::from_timestamp_millis(kline.0)?;
    (kline.8 > 0).then_some(ExchangeMinute {
        open_time,
        open: kline.1,
        high: kline.2,
        low: kline.3,
        close: kline.4,
        volume: kline.5,
        quote_volume: kline.7,
        trades: kline.8,
    })
}

pub(super) fn polled(price: TickerPrice, received_at: DateTime<Utc>) -> Tick {
    Tick {
        ticker: price.symbol,
        trade_id: None,
        price: price.price,
        quantity: None,
        taker_side: None,
        exchange_time: None,
        received_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRADE: &str = r#"{"e":"trade","E":1795176000140,"s":"BTCUSDT","t":981273,"p":"64250.01000000","q":"0.00120000","T":1795176000123,"m":true,"M":true}"#;

    fn read(text: &str) -> (Result<Frame, UnreadableFrame>, Vec<Tick>) {
        let mut found = Found::default();
        (frame(text, "2026-11-20T12:00:00.200Z".parse().unwrap(), &mut found), found.ticks)
    }

    #[test]
    fn a_trade_is_read_exactly_alone_and_combined() {
        for text in [TRADE.to_owned(), format!(r#"{{"stream":"btcusdt@trade","data":{TRADE}}}"#)] {
            let (frame, ticks) = read(&text);
            assert_eq!(frame, Ok(Frame::Trades));
            assert_eq!(
                ticks,
                [Tick {
                    ticker: "BTCUSDT".into(),
                    trade_id: Some(981_273),
                    price: "64250.01".parse().unwrap(),
                    quantity: Some("0.0012".parse().unwrap()),
                    taker_side: Some(Side::Sell),
                    exchange_time: Some("2026-11-20T12:00:00.123Z".parse().unwrap()),
                    received_at: "2026-11-20T12:00:00.200Z".parse().unwrap(),
                }]
            );
        }
    }

    #[test]
    fn answers_and_notices_are_told_apart() {
        for (text, expected) in [
            (r#"{"result":null,"id":1}"#, Frame::Acknowledged),
            (r#"{"result":null,"id":"abc"}"#, Frame::Acknowledged),
            (
                r#"{"error":{"code":2,"msg":"Invalid request"},"id":1}"#,
                Frame::Refused(r#"{"code":2,"msg":"Invalid request"}"#.into()),
            ),
            (r#"{"code":-1121,"msg":"Invalid symbol."}"#, Frame::Refused("Invalid symbol. (code -1121)".into())),
            (r#"{"e":"serverShutdown","E":1795176000140}"#, Frame::Closing),
            (r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1795176000140}}"#, Frame::Closing),
            (r#"{"u":400900217,"s":"BNBUSDT","b":"25.35","B":"31.2","a":"25.36","A":"40.6"}"#, Frame::Other("book")),
            (r#"[{"e":"24hrMiniTicker","E":1,"s":"BNBBTC"}]"#, Frame::Other("24hrMiniTicker")),
            (&TRADE.replace(r#""M":true"#, r#""X":"INSURANCE_FUND""#), Frame::Other("trade of the insurance fund")),
        ] {
            let (frame, ticks) = read(text);
            assert_eq!(frame, Ok(expected), "{text}");
            assert_eq!(ticks, []);
        }
    }

    #[test]
    fn garbage_is_an_error_that_says_what_is_wrong() {
        for (text, said) in [
            ("", "EOF"),
            ("not json", "expected"),
            ("{}", "neither an event nor an answer"),
            (r#"{"e":"moonPhase"}"#, "moonPhase"),
            (&TRADE.replace(r#""64250.01000000""#, "64250.01"), "a decimal number as a string"),
            (&TRADE.replace("64250.01000000", "1e9"), "a decimal number as a string"),
            (&TRADE.replace(r#""t":981273,"#, ""), "missing field"),
            (&TRADE.replace("1795176000123", "9223372036854775807"), "no time"),
        ] {
            let (frame, ticks) = read(text);
            let error = frame.unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
            assert_eq!(ticks, []);
        }
    }

    #[test]
    fn a_symbol_outside_ascii_is_kept() {
        let (frame, ticks) = read(&TRADE.replace("BTCUSDT", "币安人生USDT"));
        assert_eq!(frame, Ok(Frame::Trades));
        assert_eq!(ticks[0].ticker, "币安人生USDT");
    }
}
