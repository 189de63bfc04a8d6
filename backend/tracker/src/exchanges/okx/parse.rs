//! What OKX's messages mean.

use chrono::{DateTime, Utc};
use domain::{ExchangeMinute, Instrument, InstrumentStatus, Steps, Tick};
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::messages::{Any, Candle, Listed, Push, Ticker, Trade};
use crate::{
    exchange::{Found, Frame, UnreadableFrame},
    wire,
};

/// Channels that OKX documents and that are not followed here.
const OTHER_CHANNELS: [&str; 27] = [
    "bbo-tbt",
    "block-tickers",
    "books",
    "books-elp",
    "books-l2-tbt",
    "books-rpi",
    "books5",
    "books50-l2-tbt",
    "call-auction-details",
    "economic-calendar",
    "estimated-price",
    "funding-rate",
    "index-tickers",
    "instruments",
    "liquidation-orders",
    "adl-warning",
    "mark-price",
    "open-interest",
    "opt-summary",
    "option-trades",
    "price-limit",
    "public-block-trades",
    "public-struc-block-trades",
    "sprd-public-trades",
    "sprd-tickers",
    "status",
    "tickers",
];

/// Reads one message.
pub(super) fn frame(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    // Nearly every message is of trades: read it in one go. What cannot be is looked at piece by piece below.
    if text.starts_with(r#"{"arg":{"channel":"trades"#)
        && let Ok(push) = serde_json::from_str::<Push<'_, Trade<'_>>>(text)
    {
        return each(push.data, found, |trade| tick(&trade, received_at));
    }
    if text.trim() == "pong" {
        return Ok(Frame::Other("pong"));
    }
    let any: Any<'_> = serde_json::from_str(text)?;
    if any.event.is_some() {
        return event(&any);
    }
    let (Some(arg), Some(data)) = (any.arg, any.data) else {
        return Err(UnreadableFrame::new("neither an event nor what a channel brings"));
    };
    match arg.channel.as_ref() {
        "trades" | "trades-all" => {
            let trades: Vec<&RawValue> = serde_json::from_str(data.get())?;
            each(trades, found, |trade| tick(&serde_json::from_str(trade.get())?, received_at))
        }
        candle if candle.contains("candle") => Ok(Frame::Other("candle")),
        other => match OTHER_CHANNELS.iter().find(|known| **known == other) {
            Some(known) => Ok(Frame::Other(known)),
            None => Err(UnreadableFrame::new(format!("channel {other:?} is not documented"))),
        },
    }
}

/// Of several trades, one that cannot be read costs none of the others.
fn each<T>(
    trades: Vec<T>,
    found: &mut Found,
    read: impl Fn(T) -> Result<Tick, UnreadableFrame>,
) -> Result<Frame, UnreadableFrame> {
    let mut unreadable = None;
    let known = found.ticks.len();
    for trade in trades {
        match read(trade) {
            Ok(tick) => found.ticks.push(tick),
            Err(error) => unreadable = Some(error),
        }
    }
    let frame = if found.ticks.len() > known { Frame::Trades } else { Frame::Other("no trades") };
    unreadable.map_or(Ok(frame), Err)
}

fn event(any: &Any<'_>) -> Result<Frame, UnreadableFrame> {
    let code = any.code.as_deref().unwrap_or_default();
    match any.event.as_deref().unwrap_or_default() {
        "subscribe" => Ok(Frame::Acknowledged),
        "unsubscribe" => Ok(Frame::Other("unsubscribe")),
        "error" => {
            // The words name the pair; what was asked for is told beside them by some versions.
            let ticker = any.arg.as_ref().and_then(|arg| arg.inst_id.as_deref());
            let about = ticker.map(|ticker| format!("{ticker}: ")).unwrap_or_default();
            Ok(Frame::Refused(format!("{about}{} (code {code})", any.msg.as_deref().unwrap_or_default())))
        }
        // The service is renewed in about half a minute.
        "notice" if code == "64008" => Ok(Frame::Closing),
        "notice" => Ok(Frame::Other("notice")),
        "login" => Ok(Frame::Other("login")),
        "channel-conn-count" | "channel-conn-count-error" => Ok(Frame::Other("channel-conn-count")),
        other => Err(UnreadableFrame::new(format!("event {other:?} is not documented"))),
    }
}

/// A trade of any source. Where several fills of one order at one price are told as one (`count` above 1, on the channel
/// `trades`), it is one tick, whose quantity is their sum: volumes and prices are right, the number of trades is too small.
pub(super) fn tick(trade: &Trade<'_>, received_at: DateTime<Utc>) -> Result<Tick, UnreadableFrame> {
    Ok(Tick {
        ticker: trade.inst_id.as_ref().into(),
        trade_id: Some(trade.trade_id.0),
        price: trade.px.0,
        quantity: Some(trade.sz.0),
        taker_side: Some(wire::side(&trade.side)?),
        exchange_time: Some(wire::from_ms("ts", trade.ts.0)?),
        received_at,
    })
}

/// A spot pair; `None` for anything else.
pub(super) fn instrument(listed: Listed) -> Option<Instrument> {
    // The other states: suspend, preopen, test, rebase.
    let status = if listed.state == "live" { InstrumentStatus::Trading } else { InstrumentStatus::Halted };
    let is_pair = listed.inst_type == "SPOT" && !listed.base_ccy.is_empty() && !listed.quote_ccy.is_empty();
    let steps = Steps { price: listed.tick_sz.0, quantity: listed.lot_sz.0 };
    is_pair.then_some(Instrument {
        ticker: listed.inst_id,
        base: listed.base_ccy,
        quote: listed.quote_ccy,
        status,
        steps,
    })
}

/// The last price of a pair; `None` where it has none.
pub(super) fn polled(ticker: Ticker, received_at: DateTime<Utc>) -> Option<Tick> {
    Some(Tick {
        ticker: ticker.inst_id,
        trade_id: None,
        price: ticker.last.positive()?,
        quantity: None,
        taker_side: None,
        exchange_time: None,
        received_at,
    })
}

/// When a candle opens.
pub(super) fn open_time(candle: &Candle) -> Result<DateTime<Utc>, UnreadableFrame> {
    let text = candle.first().map_or("", String::as_str);
    let ms = text.parse().map_err(|_| UnreadableFrame::new(format!("{text:?} is no time of a candle")))?;
    wire::from_ms("the open time", ms)
}

/// Whether a candle is not over yet.
pub(super) fn is_running(candle: &Candle) -> bool {
    candle.get(8).is_some_and(|confirm| confirm == "0")
}

/// A minute in which something was traded; `None` for any other.
pub(super) fn minute(candle: &Candle) -> Result<Option<ExchangeMinute>, UnreadableFrame> {
    let number = |place: usize| -> Result<Decimal, UnreadableFrame> {
        let text = candle.get(place).map_or("", String::as_str);
        domain::decimal_text::parse_number(text)
            .map_err(|_| UnreadableFrame::new(format!("{text:?} in place {place} of a candle is no number")))
    };
    // Candles of earlier days have no volume in the quote of their own; on spot the one before is the same.
    let quote_volume = number(7).or_else(|_| number(6))?;
    let minute = ExchangeMinute {
        open_time: open_time(candle)?,
        open: number(1)?,
        high: number(2)?,
        low: number(3)?,
        close: number(4)?,
        volume: number(5)?,
        quote_volume,
        // It does not tell how many.
        trades: 0,
    };
    Ok((!minute.volume.is_zero()).then_some(minute))
}

#[cfg(test)]
mod tests {
    use domain::Side;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::Step;

    const TRADE: &str = r#"{"instId":"BTC-USDT","tradeId":"981273","px":"64250.010","sz":"0.00120000","side":"sell","ts":"1795176000123"}"#;

    fn push(channel: &str, trades: &str) -> String {
        format!(r#"{{"arg":{{"channel":"{channel}","instId":"BTC-USDT"}},"data":[{trades}]}}"#)
    }

    fn read(text: &str) -> (Result<Frame, UnreadableFrame>, Vec<Tick>) {
        let mut found = Found::default();
        (frame(text, "2026-11-20T12:00:00.200Z".parse().unwrap(), &mut found), found.ticks)
    }

    fn expected() -> Tick {
        Tick {
            ticker: "BTC-USDT".into(),
            trade_id: Some(981_273),
            price: "64250.01".parse().unwrap(),
            quantity: Some("0.0012".parse().unwrap()),
            taker_side: Some(Side::Sell),
            exchange_time: Some("2026-11-20T12:00:00.123Z".parse().unwrap()),
            received_at: "2026-11-20T12:00:00.200Z".parse().unwrap(),
        }
    }

    #[test]
    fn trades_are_read_exactly_on_either_channel() {
        let merged = TRADE.replace(r#""ts""#, r#""count":"3","source":"0","seqId":1234,"ts""#);
        for text in [
            push("trades-all", TRADE),
            push("trades", &merged),
            format!(r#" {{ "data": [{TRADE}], "arg": {{ "channel": "trades-all", "instId": "BTC-USDT" }} }}"#),
        ] {
            assert_eq!(read(&text), (Ok(Frame::Trades), vec![expected()]), "{text}");
        }
        let tiny = TRADE.replace("64250.010", "1e-7").replace("sell", "buy");
        let (frame, ticks) = read(&push("trades-all", &format!("{TRADE},{tiny}")));
        assert_eq!((frame, ticks.len()), (Ok(Frame::Trades), 2));
        assert_eq!((ticks[1].price.to_string().as_str(), ticks[1].taker_side), ("0.0000001", Some(Side::Buy)));
    }

    #[test]
    fn one_trade_that_cannot_be_read_costs_none_of_the_others() {
        for (broken, said) in [
            (TRADE.replace("sell", "hold"), "neither buy nor sell"),
            (TRADE.replace("64250.010", "many"), "a decimal number"),
            (TRADE.replace("981273", "x"), "a whole number"),
            (TRADE.replace("1795176000123", "9223372036854775807"), "no time"),
            (TRADE.replace(r#""px""#, r#""py""#), "missing field `px`"),
        ] {
            let (frame, ticks) = read(&push("trades-all", &format!("{broken},{TRADE}")));
            let error = frame.unwrap_err().to_string();
            assert!(error.contains(said), "{broken}: {error}");
            assert_eq!(ticks, [expected()]);
        }
    }

    #[test]
    fn answers_and_notices_are_told_apart() {
        for (text, expected) in [
            ("pong", Frame::Other("pong")),
            (
                r#"{"event":"subscribe","arg":{"channel":"trades-all","instId":"BTC-USDT"},"connId":"a4d3ae55"}"#,
                Frame::Acknowledged,
            ),
            (r#"{"event":"unsubscribe","arg":{"channel":"trades-all"}}"#, Frame::Other("unsubscribe")),
            (
                r#"{"event":"error","code":"60018","msg":"channel:trades-all,instId:XX-YY doesn't exist","connId":"a"}"#,
                Frame::Refused("channel:trades-all,instId:XX-YY doesn't exist (code 60018)".into()),
            ),
            (
                r#"{"event":"error","arg":{"channel":"trades-all","instId":"XX-YY"},"code":"60018","msg":"wrong"}"#,
                Frame::Refused("XX-YY: wrong (code 60018)".into()),
            ),
            (
                r#"{"event":"notice","code":"64008","msg":"The connection will soon be closed.","connId":"a"}"#,
                Frame::Closing,
            ),
            (r#"{"event":"notice","code":"64009","msg":"x"}"#, Frame::Other("notice")),
            (r#"{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1"]]}"#, Frame::Other("candle")),
            (r#"{"arg":{"channel":"books"},"action":"update","data":[{"asks":[]}]}"#, Frame::Other("books")),
            (r#"{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{}]}"#, Frame::Other("tickers")),
        ] {
            assert_eq!(read(text), (Ok(expected), Vec::new()), "{text}");
        }
    }

    #[test]
    fn garbage_is_an_error_that_says_what_is_wrong() {
        for (text, said) in [
            ("", "EOF"),
            ("ping", "expected"),
            ("{}", "neither an event nor"),
            (r#"{"event":"moonPhase"}"#, "moonPhase"),
            (r#"{"arg":{"channel":"moon"},"data":[]}"#, "moon"),
            (r#"{"arg":{"channel":"trades-all"},"data":{}}"#, "expected a sequence"),
        ] {
            let (frame, ticks) = read(text);
            let error = frame.unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
            assert_eq!(ticks, []);
        }
    }

    #[test]
    fn pairs_are_listed_in_their_own_spelling_and_derivatives_are_not() {
        let listed = |inst_type: &str, state: &str| Listed {
            inst_type: inst_type.into(),
            inst_id: "BTC-USDT".into(),
            base_ccy: "BTC".into(),
            quote_ccy: "USDT".into(),
            state: state.into(),
            tick_sz: Step(Some(Decimal::new(1, 1))),
            lot_sz: Step(Some(Decimal::new(1, 8))),
        };
        let pair = instrument(listed("SPOT", "live")).unwrap();
        assert_eq!((pair.ticker.as_str(), pair.base.as_str(), pair.quote.as_str()), ("BTC-USDT", "BTC", "USDT"));
        assert_eq!(pair.status, InstrumentStatus::Trading);
        assert_eq!((pair.steps.price, pair.steps.quantity), (Some(Decimal::new(1, 1)), Some(Decimal::new(1, 8))));
        for state in ["suspend", "preopen"] {
            assert_eq!(instrument(listed("SPOT", state)).unwrap().status, InstrumentStatus::Halted);
        }
        assert_eq!(instrument(listed("SWAP", "live")), None);
    }

    #[test]
    fn a_candle_is_read_exactly_with_or_without_a_volume_in_the_quote() {
        let candle = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Candle>();
        let whole = ["1795176000000", "64250", "64260.5", "64240.1", "64251", "1.5", "96376.5", "96376.6", "1"];
        let read = minute(&candle(&whole)).unwrap().unwrap();
        assert_eq!(read.open_time, "2026-11-20T12:00:00Z".parse::<DateTime<Utc>>().unwrap());
        let told = [read.open, read.high, read.low, read.close, read.volume, read.quote_volume];
        assert_eq!(told.map(|part| part.to_string()), ["64250", "64260.5", "64240.1", "64251", "1.5", "96376.6"]);
        assert_eq!(minute(&candle(&whole[..7])).unwrap().unwrap().quote_volume.to_string(), "96376.5");
        assert!(is_running(&candle(&["1", "1", "1", "1", "1", "1", "1", "1", "0"])) && !is_running(&candle(&whole)));
        let quiet = ["1795176000000", "64250", "64250", "64250", "64250", "0", "0", "0", "1"];
        assert_eq!(minute(&candle(&quiet)).unwrap(), None);
        assert!(minute(&candle(&["1795176000000", "x"])).unwrap_err().to_string().contains("of a candle is no number"));
        assert!(minute(&candle(&[])).is_err());
    }

    proptest! {
        #[test]
        fn no_mutation_of_a_message_makes_the_parser_panic(
            which in 0usize..3, end in 0usize..300, flips in prop::collection::vec((0usize..300, any::<u8>()), 0..4),
        ) {
            let texts = [
                push("trades-all", TRADE),
                push("candle1m", r#"["1","2"]"#),
                r#"{"event":"error","code":"60018","msg":"wrong","connId":"a"}"#.to_owned(),
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
