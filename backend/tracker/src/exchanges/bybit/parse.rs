//! What Bybit's messages mean.

use chrono::{DateTime, Utc};
use domain::{ExchangeMinute, Instrument, InstrumentStatus, Steps, Tick};
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::messages::{Any, Kline, Listed, PastTrade, Push, Ticker, Trade};
use crate::{
    exchange::{Found, Frame, UnreadableFrame},
    wire,
};

/// The topic of trades, before the pair.
pub(super) const TRADES: &str = "publicTrade";

/// Topics that Bybit documents and that are not followed here.
const OTHER_TOPICS: [&str; 12] = [
    "adlAlert",
    "allLiquidation",
    "insurance",
    "kline",
    "kline_lt",
    "liquidation",
    "lt",
    "orderbook",
    "priceLimit",
    "system",
    "tickers",
    "tickers_lt",
];

/// Reads one message.
pub(super) fn frame(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    // Nearly every message is of trades: read it in one go. What cannot be is looked at piece by piece below.
    if text.starts_with(r#"{"topic":"publicTrade."#)
        && let Ok(push) = serde_json::from_str::<Push<'_, Trade<'_>>>(text)
    {
        return each(push.data, found, |trade| tick(&trade, received_at));
    }
    let any: Any<'_> = serde_json::from_str(text)?;
    let Some(topic) = any.topic.as_deref() else { return answer(&any) };
    let kind = topic.split('.').next().unwrap_or_default();
    if kind == TRADES {
        let data = any.data.ok_or_else(|| UnreadableFrame::new("trades without data"))?;
        let trades: Vec<&RawValue> = serde_json::from_str(data.get())?;
        return each(trades, found, |trade| tick(&serde_json::from_str(trade.get())?, received_at));
    }
    match OTHER_TOPICS.iter().find(|known| **known == kind) {
        Some(known) => Ok(Frame::Other(known)),
        None => Err(UnreadableFrame::new(format!("topic {topic:?} is not documented"))),
    }
}

/// Of several trades, one that cannot be read costs none of the others.
fn each<T>(
    trades: Vec<T>,
    found: &mut Found,
    read: impl Fn(T) -> Result<Option<Tick>, UnreadableFrame>,
) -> Result<Frame, UnreadableFrame> {
    let mut unreadable = None;
    let known = found.ticks.len();
    for trade in trades {
        match read(trade) {
            Ok(tick) => found.ticks.extend(tick),
            Err(error) => unreadable = Some(error),
        }
    }
    let frame = if found.ticks.len() > known { Frame::Trades } else { Frame::Other("no trades") };
    unreadable.map_or(Ok(frame), Err)
}

/// An answer to a message, which has one for all that it asks for.
fn answer(any: &Any<'_>) -> Result<Frame, UnreadableFrame> {
    let message = any.ret_msg.as_deref().unwrap_or_default();
    match any.op.as_deref() {
        // A ping is answered by one or the other, depending on the market.
        Some("ping" | "pong") => Ok(Frame::Other("pong")),
        Some("subscribe") if any.success == Some(false) => Ok(Frame::Refused(message.to_owned())),
        Some("subscribe") => Ok(Frame::Acknowledged),
        Some("unsubscribe") => Ok(Frame::Other("unsubscribe")),
        Some("auth") => Ok(Frame::Other("auth")),
        // What is no JSON it can read is refused without saying what was asked.
        None | Some("") if any.success == Some(false) => Ok(Frame::Refused(message.to_owned())),
        Some(other) => Err(UnreadableFrame::new(format!("answer to {other:?} is not documented"))),
        None => Err(UnreadableFrame::new("neither a topic nor an answer")),
    }
}

/// A trade; `None` for one that was agreed on elsewhere and only booked here: its price is not the market's.
fn tick(trade: &Trade<'_>, received_at: DateTime<Utc>) -> Result<Option<Tick>, UnreadableFrame> {
    Ok((!trade.is_block_trade).then_some(Tick {
        ticker: trade.symbol.as_ref().into(),
        trade_id: Some(number(&trade.id)),
        price: trade.price.0,
        quantity: Some(trade.volume.0),
        taker_side: Some(wire::side(&trade.side)?),
        exchange_time: Some(wire::from_ms("T", trade.time.0)?),
        received_at,
    }))
}

/// A trade as the stream would have brought it; `None` for one that it would not.
pub(super) fn past(
    ticker: &SmolStr,
    trade: &PastTrade,
    received_at: DateTime<Utc>,
) -> Result<Option<Tick>, UnreadableFrame> {
    Ok((!trade.is_block_trade).then_some(Tick {
        ticker: ticker.clone(),
        trade_id: Some(number(&trade.exec_id)),
        price: trade.price.0,
        quantity: Some(trade.size.0),
        taker_side: Some(wire::side(&trade.side)?),
        exchange_time: Some(wire::from_ms("time", trade.time.0)?),
        received_at,
    }))
}

/// The number of a trade. Digits are used as they are. Anything else (a UUID in places, or more digits than fit) becomes the
/// 64-bit FNV-1a hash of the text without its highest bit: always the same for the same trade, never negative, and for
/// a million trades of a pair the odds that two have the same are one to ten million.
pub(super) fn number(id: &str) -> i64 {
    if id.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(number) = id.parse()
    {
        return number;
    }
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash & (u64::MAX >> 1)).cast_signed()
}

/// A pair.
pub(super) fn instrument(listed: Listed) -> Instrument {
    // The other states: PreLaunch, Settling, Delivering, Closed.
    let status = if listed.status == "Trading" { InstrumentStatus::Trading } else { InstrumentStatus::Halted };
    let steps = Steps { price: listed.price_filter.tick_size.0, quantity: listed.lot_size_filter.base_precision.0 };
    Instrument { ticker: listed.symbol, base: listed.base_coin, quote: listed.quote_coin, status, steps }
}

/// The last price of a pair; `None` where it has none.
pub(super) fn polled(ticker: Ticker, received_at: DateTime<Utc>) -> Option<Tick> {
    Some(Tick {
        ticker: ticker.symbol,
        trade_id: None,
        price: ticker.last_price.positive()?,
        quantity: None,
        taker_side: None,
        exchange_time: None,
        received_at,
    })
}

/// A minute in which something was traded; `None` for any other, and when its time is none.
pub(super) fn minute(kline: &Kline) -> Option<ExchangeMinute> {
    let open_time = DateTime::from_timestamp_millis(kline.0.0)?;
    (!kline.5.0.is_zero()).then_some(ExchangeMinute {
        open_time,
        open: kline.1.0,
        high: kline.2.0,
        low: kline.3.0,
        close: kline.4.0,
        volume: kline.5.0,
        quote_volume: kline.6.0,
        // It does not tell how many.
        trades: 0,
    })
}

#[cfg(test)]
mod tests {
    use domain::Side;
    use proptest::prelude::*;

    use super::*;

    const TRADE: &str = r#"{"i":"2290000000061666327","T":1795176000123,"p":"64250.010","v":"0.00120000","S":"Sell","s":"BTCUSDT","BT":false,"RPI":false,"seq":44}"#;

    fn push(trades: &str) -> String {
        format!(r#"{{"topic":"publicTrade.BTCUSDT","ts":1795176000140,"type":"snapshot","data":[{trades}]}}"#)
    }

    fn read(text: &str) -> (Result<Frame, UnreadableFrame>, Vec<Tick>) {
        let mut found = Found::default();
        (frame(text, "2026-11-20T12:00:00.200Z".parse().unwrap(), &mut found), found.ticks)
    }

    fn expected() -> Tick {
        Tick {
            ticker: "BTCUSDT".into(),
            trade_id: Some(2_290_000_000_061_666_327),
            price: "64250.01".parse().unwrap(),
            quantity: Some("0.0012".parse().unwrap()),
            taker_side: Some(Side::Sell),
            exchange_time: Some("2026-11-20T12:00:00.123Z".parse().unwrap()),
            received_at: "2026-11-20T12:00:00.200Z".parse().unwrap(),
        }
    }

    #[test]
    fn trades_are_read_exactly_and_block_trades_are_none_of_the_market() {
        let block = TRADE.replace(r#""BT":false"#, r#""BT":true"#);
        for text in [
            push(TRADE),
            push(&format!("{block},{TRADE}")),
            format!(r#"{{ "type": "snapshot", "data": [ {TRADE} ], "topic": "publicTrade.BTCUSDT" }}"#),
        ] {
            assert_eq!(read(&text), (Ok(Frame::Trades), vec![expected()]), "{text}");
        }
        let tiny = TRADE.replace("64250.010", "1e-7").replace("Sell", "Buy");
        let (frame, ticks) = read(&push(&format!("{TRADE},{tiny}")));
        assert_eq!((frame, ticks.len()), (Ok(Frame::Trades), 2));
        assert_eq!((ticks[1].price.to_string().as_str(), ticks[1].taker_side), ("0.0000001", Some(Side::Buy)));
    }

    #[test]
    fn numbers_of_trades_are_used_as_they_are_and_anything_else_becomes_one() {
        assert_eq!(number("2290000000061666327"), 2_290_000_000_061_666_327);
        assert_eq!(number("0"), 0);
        // The published values of FNV-1a, without their highest bit.
        assert_eq!(number(""), 0x4bf2_9ce4_8422_2325);
        assert_eq!(number("a"), 0x2f63_dc4c_8601_ec8c);
        let ids = [
            "a905d5c3-1ed0-4f37-83e4-9c73a2fe2f01",
            "a905d5c3-1ed0-4f37-83e4-9c73a2fe2f02",
            "-7",
            "9223372036854775808",
        ];
        let mut numbers = ids.map(number).to_vec();
        assert!(numbers.iter().all(|number| *number > 1_000), "{numbers:?}");
        numbers.dedup();
        assert_eq!(numbers.len(), ids.len());
    }

    #[test]
    fn one_trade_that_cannot_be_read_costs_none_of_the_others() {
        for (broken, said) in [
            (TRADE.replace("Sell", "hold"), "neither buy nor sell"),
            (TRADE.replace("64250.010", "many"), "a decimal number"),
            (TRADE.replace("1795176000123", "9223372036854775807"), "no time"),
            (TRADE.replace(r#""p""#, r#""q""#), "missing field `p`"),
        ] {
            let (frame, ticks) = read(&push(&format!("{broken},{TRADE}")));
            let error = frame.unwrap_err().to_string();
            assert!(error.contains(said), "{broken}: {error}");
            assert_eq!(ticks, [expected()]);
        }
    }

    #[test]
    fn answers_and_notices_are_told_apart() {
        for (text, expected) in [
            (
                r#"{"success":true,"ret_msg":"subscribe","conn_id":"c","req_id":"1","op":"subscribe"}"#,
                Frame::Acknowledged,
            ),
            (r#"{"success":true,"ret_msg":"","conn_id":"c","op":"subscribe"}"#, Frame::Acknowledged),
            (
                r#"{"success":false,"ret_msg":"Invalid symbol :[publicTrade.XX]","conn_id":"c","op":"subscribe"}"#,
                Frame::Refused("Invalid symbol :[publicTrade.XX]".into()),
            ),
            (
                r#"{"success":false,"ret_msg":"Invalid request","conn_id":"c"}"#,
                Frame::Refused("Invalid request".into()),
            ),
            (r#"{"success":true,"ret_msg":"pong","conn_id":"c","op":"ping"}"#, Frame::Other("pong")),
            (r#"{"op":"pong","args":["1753340040127"],"conn_id":"c"}"#, Frame::Other("pong")),
            (r#"{"success":true,"ret_msg":"","op":"unsubscribe"}"#, Frame::Other("unsubscribe")),
            (r#"{"topic":"orderbook.1.BTCUSDT","type":"delta","data":{"s":"BTCUSDT"}}"#, Frame::Other("orderbook")),
            (r#"{"topic":"kline.1.BTCUSDT","data":[{}]}"#, Frame::Other("kline")),
            (r#"{"topic":"tickers.BTCUSDT","data":{}}"#, Frame::Other("tickers")),
            (&push(&TRADE.replace(r#""BT":false"#, r#""BT":true"#)), Frame::Other("no trades")),
        ] {
            assert_eq!(read(text), (Ok(expected), Vec::new()), "{text}");
        }
    }

    #[test]
    fn garbage_is_an_error_that_says_what_is_wrong() {
        for (text, said) in [
            ("", "EOF"),
            ("pong", "expected"),
            ("{}", "neither a topic nor"),
            (r#"{"op":"moonPhase"}"#, "moonPhase"),
            (r#"{"topic":"moon.BTCUSDT"}"#, "moon.BTCUSDT"),
            (r#"{"topic":"publicTrade.BTCUSDT"}"#, "without data"),
            (r#"{"topic":"publicTrade.BTCUSDT","data":{}}"#, "expected a sequence"),
        ] {
            let (frame, ticks) = read(text);
            let error = frame.unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
            assert_eq!(ticks, []);
        }
    }

    proptest! {
        #[test]
        fn no_mutation_of_a_message_makes_the_parser_panic(
            which in 0usize..3, end in 0usize..300, flips in prop::collection::vec((0usize..300, any::<u8>()), 0..4),
        ) {
            let texts = [
                push(TRADE),
                r#"{"success":false,"ret_msg":"wrong","conn_id":"c","op":"subscribe"}"#.to_owned(),
                r#"{"topic":"kline.1.BTCUSDT","data":[{}]}"#.to_owned(),
            ];
            let mut bytes = texts[which].clone().into_bytes();
            for (place, byte) in flips {
                if let Some(at) = bytes.get_mut(place) {
                    *at = byte;
                }
            }
            bytes.truncate(end);
            let _ = read(&String::from_utf8_lossy(&bytes));
        }
    }
}
