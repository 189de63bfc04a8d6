//! What Coinbase's messages mean.
//!
//! It tells the side of the maker's order. Ours is the taker's, which is the other one.

use chrono::{DateTime, Utc};
use domain::{ExchangeMinute, Instrument, InstrumentStatus, Steps, Tick};
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::messages::{Any, Candle, Heartbeat, Match, PastTrade, Product};
use crate::{
    exchange::{Found, Frame, UnreadableFrame},
    wire,
};

/// Messages that Coinbase documents and that are not followed here.
const OTHERS: [&str; 19] = [
    "activate",
    "auction",
    "balance",
    "change",
    "done",
    "l2update",
    "level3",
    "margin_profile_update",
    "noop",
    "open",
    "profile",
    "received",
    "rfq_match",
    "rfq_matches",
    "snapshot",
    "status",
    "ticker",
    "ticker_1000",
    "schema",
];

/// Reads one message.
pub(super) fn frame(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    // Nearly every message is one of these two, and begins with what it is.
    if text.starts_with(r#"{"type":"match""#) {
        return trade(text, received_at, found);
    }
    if text.starts_with(r#"{"type":"heartbeat""#) {
        return heartbeat(text, found);
    }
    let any: Any<'_> = serde_json::from_str(text)?;
    match any.kind.as_ref() {
        // The last one is sent when subscribing: where it is not the last that is known, some are missing.
        "match" | "last_match" => trade(text, received_at, found),
        "heartbeat" => heartbeat(text, found),
        // It lists all that is subscribed, and comes once for each message that subscribes.
        "subscriptions" => Ok(Frame::Acknowledged),
        "error" => {
            let words: Vec<&str> =
                [&any.message, &any.reason].into_iter().filter_map(|words| words.as_deref()).collect();
            Ok(Frame::Refused(words.join(": ")))
        }
        other => match OTHERS.iter().find(|known| **known == other) {
            Some(known) => Ok(Frame::Other(known)),
            None => Err(UnreadableFrame::new(format!("type {other:?} is not documented"))),
        },
    }
}

fn trade(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    let trade: Match<'_> = serde_json::from_str(text)?;
    found.ticks.push(Tick {
        ticker: trade.product_id.into(),
        trade_id: Some(trade.trade_id.0),
        price: trade.price.0,
        quantity: Some(trade.size.0),
        taker_side: Some(wire::opposite(wire::side(&trade.side)?)),
        exchange_time: Some(wire::from_rfc3339("time", &trade.time)?),
        received_at,
    });
    Ok(Frame::Trades)
}

fn heartbeat(text: &str, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    let heartbeat: Heartbeat<'_> = serde_json::from_str(text)?;
    // Of a product that was never traded it is zero, or absent.
    if let Some(newest) = heartbeat.last_trade_id.filter(|newest| newest.0 > 0) {
        found.newest.push((heartbeat.product_id.into(), newest.0));
    }
    Ok(Frame::Other("heartbeat"))
}

pub(super) fn instrument(product: Product) -> Instrument {
    let trades = product.status == "online" && product.trading_disabled != Some(true);
    let status = if trades { InstrumentStatus::Trading } else { InstrumentStatus::Halted };
    let steps = Steps { price: product.quote_increment.0, quantity: product.base_increment.0 };
    Instrument { ticker: product.id, base: product.base_currency, quote: product.quote_currency, status, steps }
}

/// A trade as the stream would have brought it.
pub(super) fn past(ticker: &SmolStr, trade: &PastTrade, received_at: DateTime<Utc>) -> Result<Tick, UnreadableFrame> {
    Ok(Tick {
        ticker: ticker.clone(),
        trade_id: Some(trade.trade_id.0),
        price: trade.price.0,
        quantity: Some(trade.size.0),
        taker_side: Some(wire::opposite(wire::side(&trade.side)?)),
        exchange_time: Some(wire::from_rfc3339("time", &trade.time)?),
        received_at,
    })
}

/// A minute in which something was traded; `None` for any other, and when its time is none. Neither the number of trades nor the quote
/// volume is told.
pub(super) fn minute(candle: &Candle) -> Option<ExchangeMinute> {
    let open_time = DateTime::from_timestamp(candle.0.0, 0)?;
    (candle.5.0 > Decimal::ZERO).then_some(ExchangeMinute {
        open_time,
        open: candle.3.0,
        high: candle.2.0,
        low: candle.1.0,
        close: candle.4.0,
        volume: candle.5.0,
        quote_volume: Decimal::ZERO,
        trades: 0,
    })
}

pub(super) fn polled(ticker: SmolStr, price: Decimal, received_at: DateTime<Utc>) -> Tick {
    Tick { ticker, trade_id: None, price, quantity: None, taker_side: None, exchange_time: None, received_at }
}

#[cfg(test)]
mod tests {
    use domain::Side;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::Step;

    const TRADE: &str = r#"{"type":"match","trade_id":981273,"maker_order_id":"ac928c66-ca53-498f-9c13-a110027a60e8","taker_order_id":"132fb6ae-456b-4654-b4e0-d681ac05cea1","side":"buy","size":"0.00120000","price":"64250.010","product_id":"BTC-USD","sequence":50,"time":"2026-11-20T12:00:00.123456Z"}"#;
    const HEARTBEAT: &str = r#"{"type":"heartbeat","last_trade_id":981273,"product_id":"BTC-USD","sequence":90,"time":"2026-11-20T12:00:00.464459Z"}"#;

    fn read(text: &str) -> (Result<Frame, UnreadableFrame>, Found) {
        let mut found = Found::default();
        (frame(text, "2026-11-20T12:00:00.200Z".parse().unwrap(), &mut found), found)
    }

    #[test]
    fn a_trade_is_read_exactly_and_the_taker_is_not_the_maker() {
        let last = TRADE.replace("\"match\"", "\"last_match\"");
        let spaced = TRADE.replace("\":", "\": ").replace(",\"", ", \"");
        for text in [TRADE, &last, &spaced] {
            let (frame, found) = read(text);
            assert_eq!(frame, Ok(Frame::Trades));
            assert_eq!(
                found.ticks,
                [Tick {
                    ticker: "BTC-USD".into(),
                    trade_id: Some(981_273),
                    price: "64250.01".parse().unwrap(),
                    quantity: Some("0.0012".parse().unwrap()),
                    taker_side: Some(Side::Sell),
                    exchange_time: Some("2026-11-20T12:00:00.123456Z".parse().unwrap()),
                    received_at: "2026-11-20T12:00:00.200Z".parse().unwrap(),
                }]
            );
        }
        let (_, found) = read(&TRADE.replace("\"buy\"", "\"sell\"").replace("\"64250.010\"", "1e-7"));
        assert_eq!(found.ticks[0].taker_side, Some(Side::Buy));
        assert_eq!(found.ticks[0].price.to_string(), "0.0000001");
    }

    #[test]
    fn a_heartbeat_tells_of_the_newest_trade() {
        let (frame, found) = read(HEARTBEAT);
        assert_eq!(frame, Ok(Frame::Other("heartbeat")));
        assert_eq!(found.newest, [("BTC-USD".into(), 981_273)]);
        let (frame, found) = read(&HEARTBEAT.replace("981273", "0"));
        assert_eq!((frame, found), (Ok(Frame::Other("heartbeat")), Found::default()));
    }

    #[test]
    fn answers_and_notices_are_told_apart() {
        for (text, expected) in [
            (
                r#"{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"],"account_ids":null}]}"#,
                Frame::Acknowledged,
            ),
            (
                r#"{"type":"error","message":"Failed to subscribe","reason":"XYZ-USD is not a valid product"}"#,
                Frame::Refused("Failed to subscribe: XYZ-USD is not a valid product".into()),
            ),
            (r#"{"type":"error","message":"slow down"}"#, Frame::Refused("slow down".into())),
            (r#"{"type":"ticker","product_id":"BTC-USD","price":"1"}"#, Frame::Other("ticker")),
            (r#"{"type":"l2update","product_id":"BTC-USD","changes":[]}"#, Frame::Other("l2update")),
            (r#"{"type":"status","products":[],"currencies":[]}"#, Frame::Other("status")),
        ] {
            let (frame, found) = read(text);
            assert_eq!(frame, Ok(expected), "{text}");
            assert_eq!(found, Found::default());
        }
    }

    #[test]
    fn garbage_is_an_error_that_says_what_is_wrong() {
        for (text, said) in [
            ("", "EOF"),
            ("not json", "expected"),
            ("{}", "missing field `type`"),
            (r#"{"type":"moonPhase"}"#, "moonPhase"),
            (&TRADE.replace(r#""64250.010""#, r#""much""#), "a decimal number"),
            (&TRADE.replace(r#""trade_id":981273,"#, ""), "missing field `trade_id`"),
            (&TRADE.replace(r#""buy""#, r#""both""#), "neither buy nor sell"),
            (&TRADE.replace("2026-11-20T12:00:00.123456Z", "noon"), "no time"),
            (&HEARTBEAT.replace("981273", "1.5"), "a whole number"),
        ] {
            let (frame, found) = read(text);
            let error = frame.unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
            assert_eq!(found, Found::default());
        }
    }

    #[test]
    fn what_cannot_be_traded_is_halted() {
        let product = |status: &str, trading_disabled| Product {
            id: "BTC-USD".into(),
            base_currency: "BTC".into(),
            quote_currency: "USD".into(),
            status: status.to_owned(),
            trading_disabled,
            base_increment: Step(Some(Decimal::new(1, 8))),
            quote_increment: Step(None),
        };
        let steps = instrument(product("online", None)).steps;
        assert_eq!((steps.price, steps.quantity), (None, Some(Decimal::new(1, 8))));
        let status = |status, disabled| instrument(product(status, disabled)).status;
        assert_eq!(status("online", Some(false)), InstrumentStatus::Trading);
        assert_eq!(status("online", None), InstrumentStatus::Trading);
        for (word, disabled) in
            [("online", Some(true)), ("offline", None), ("delisted", Some(false)), ("internal", None)]
        {
            assert_eq!(status(word, disabled), InstrumentStatus::Halted, "{word}");
        }
    }

    proptest! {
        #[test]
        fn no_mutation_of_a_message_is_more_than_unreadable(
            message in prop::sample::select(vec![TRADE, HEARTBEAT]), cut in 0usize..400, at in 0usize..400, byte in any::<u8>(),
        ) {
            let mut bytes = message.as_bytes().to_vec();
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(cut.max(1));
            let _ = read(&String::from_utf8_lossy(&bytes));
        }
    }
}
