//! What Kraken's messages mean.

use chrono::{DateTime, Utc};
use domain::Tick;
use serde_json::value::RawValue;

use super::messages::{Any, Data, Trade};
use crate::{
    exchange::{Found, Frame, UnreadableFrame},
    wire,
};

/// Channels that Kraken documents and that are not followed here.
const OTHERS: [&str; 9] =
    ["heartbeat", "status", "ticker", "ohlc", "book", "level3", "instrument", "executions", "balances"];

/// Reads one message.
pub(super) fn frame(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    // Nearly every message that holds something begins so.
    if text.starts_with(r#"{"channel":"trade","#) {
        return trades(text, received_at, found);
    }
    let any: Any<'_> = serde_json::from_str(text)?;
    match any.channel.as_deref() {
        Some("trade") => return trades(text, received_at, found),
        Some(other) => {
            return match OTHERS.iter().find(|known| **known == other) {
                Some(known) => Ok(Frame::Other(known)),
                None => Err(UnreadableFrame::new(format!("channel {other:?} is not documented"))),
            };
        }
        None => {}
    }
    match (any.method.as_deref(), any.success) {
        (_, Some(false)) => {
            let error = any.error.as_deref().unwrap_or("no reason is given");
            // Its words name the symbol at times.
            let symbol = any.symbol.as_deref().filter(|symbol| !error.contains(symbol));
            Ok(Frame::Refused(symbol.map_or_else(|| error.to_owned(), |symbol| format!("{symbol}: {error}"))))
        }
        // One for each symbol that was asked for.
        (Some("subscribe"), Some(true)) => Ok(Frame::Acknowledged),
        (Some("unsubscribe"), Some(true)) => Ok(Frame::Other("unsubscribed")),
        (Some("pong"), _) => Ok(Frame::Other("pong")),
        (Some(other), _) => Err(UnreadableFrame::new(format!("an answer to {other:?}, which was not asked"))),
        (None, _) if any.error.is_some() => Ok(Frame::Refused(any.error.unwrap_or_default().into_owned())),
        (None, _) => Err(UnreadableFrame::new("neither of a channel nor an answer")),
    }
}

fn trades(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    let first = found.ticks.len();
    let read = each(text, |one| {
        found.ticks.push(trade(one, received_at)?);
        Ok(())
    });
    // When it is subscribed the newest trades are told, and not in which order. Each must find those before it there.
    if let Some(new) = found.ticks.get_mut(first..) {
        new.sort_by_key(|tick| tick.trade_id);
    }
    read.map(|()| Frame::Trades)
}

/// Reads each part of what a channel tells. One that cannot be read costs none of the others.
pub(super) fn each<'a>(
    text: &'a str,
    mut read: impl FnMut(&'a RawValue) -> Result<(), UnreadableFrame>,
) -> Result<(), UnreadableFrame> {
    let data: Data<'_> = serde_json::from_str(text)?;
    let mut unreadable = Ok(());
    for one in data.data {
        if let Err(error) = read(one) {
            unreadable = Err(error);
        }
    }
    unreadable
}

fn trade(trade: &RawValue, received_at: DateTime<Utc>) -> Result<Tick, UnreadableFrame> {
    let trade: Trade<'_> = serde_json::from_str(trade.get())?;
    Ok(Tick {
        ticker: trade.symbol.into(),
        trade_id: Some(trade.trade_id.0),
        price: trade.price.0,
        quantity: Some(trade.qty.0),
        taker_side: Some(wire::side(&trade.side)?),
        exchange_time: Some(wire::from_rfc3339("timestamp", &trade.timestamp)?),
        received_at,
    })
}

#[cfg(test)]
mod tests {
    use domain::Side;
    use proptest::prelude::*;

    use super::*;

    const TRADES: &str = r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":64250.010,"qty":0.00120000,"ord_type":"market","trade_id":981273,"timestamp":"2026-11-20T12:00:00.123456Z"},{"symbol":"DOGE/USD","side":"buy","price":1e-7,"qty":5E2,"ord_type":"limit","trade_id":17,"timestamp":"2026-11-20T12:00:00.123456789Z"}]}"#;

    fn read(text: &str) -> (Result<Frame, UnreadableFrame>, Vec<Tick>) {
        let mut found = Found::default();
        (frame(text, "2026-11-20T12:00:00.200Z".parse().unwrap(), &mut found), found.ticks)
    }

    fn bitcoin() -> Tick {
        Tick {
            ticker: "BTC/USD".into(),
            trade_id: Some(981_273),
            price: "64250.01".parse().unwrap(),
            quantity: Some("0.0012".parse().unwrap()),
            taker_side: Some(Side::Sell),
            exchange_time: Some("2026-11-20T12:00:00.123456Z".parse().unwrap()),
            received_at: "2026-11-20T12:00:00.200Z".parse().unwrap(),
        }
    }

    fn dogecoin() -> Tick {
        Tick {
            ticker: "DOGE/USD".into(),
            trade_id: Some(17),
            price: "0.0000001".parse().unwrap(),
            quantity: Some("500".parse().unwrap()),
            taker_side: Some(Side::Buy),
            ..bitcoin()
        }
    }

    #[test]
    fn trades_are_read_exactly_and_those_of_a_pair_in_order() {
        for text in [TRADES.to_owned(), TRADES.replace("\":", "\": ").replace("update", "snapshot")] {
            assert_eq!(read(&text), (Ok(Frame::Trades), vec![dogecoin(), bitcoin()]));
        }
        let backwards = TRADES.replace("DOGE/USD", "BTC/USD");
        let ids: Vec<_> = read(&backwards).1.into_iter().map(|tick| (tick.ticker, tick.trade_id)).collect();
        assert_eq!(ids, [("BTC/USD".into(), Some(17)), ("BTC/USD".into(), Some(981_273))]);
    }

    #[test]
    fn one_trade_that_cannot_be_read_costs_none_of_the_others() {
        for (broken, said) in [
            (TRADES.replace("64250.010", "true"), "a decimal number"),
            (TRADES.replace(r#""trade_id":981273,"#, ""), "missing field `trade_id`"),
            (TRADES.replace("\"sell\"", "\"both\""), "neither buy nor sell"),
            (TRADES.replace("00.123456Z", "noon"), "no time"),
        ] {
            let (frame, ticks) = read(&broken);
            assert!(frame.as_ref().unwrap_err().to_string().contains(said), "{broken}: {frame:?}");
            assert_eq!(ticks, [dogecoin()]);
        }
    }

    #[test]
    fn answers_and_notices_are_told_apart() {
        for (text, expected) in [
            (
                r#"{"method":"subscribe","req_id":1,"result":{"channel":"trade","snapshot":true,"symbol":"BTC/USD"},"success":true,"time_in":"2026-11-20T12:00:00.1Z","time_out":"2026-11-20T12:00:00.2Z"}"#,
                Frame::Acknowledged,
            ),
            (
                r#"{"error":"Currency pair not supported XYZ/USD","method":"subscribe","success":false,"symbol":"XYZ/USD"}"#,
                Frame::Refused("Currency pair not supported XYZ/USD".into()),
            ),
            (
                r#"{"error":"Already subscribed","method":"subscribe","success":false,"symbol":"BTC/USD"}"#,
                Frame::Refused("BTC/USD: Already subscribed".into()),
            ),
            (r#"{"error":"Exceeded msg rate","success":false}"#, Frame::Refused("Exceeded msg rate".into())),
            (r#"{"error":"Malformed request"}"#, Frame::Refused("Malformed request".into())),
            (r#"{"method":"pong","req_id":42,"time_in":"x","time_out":"y"}"#, Frame::Other("pong")),
            (r#"{"method":"unsubscribe","success":true,"result":{}}"#, Frame::Other("unsubscribed")),
            (r#"{"channel":"heartbeat"}"#, Frame::Other("heartbeat")),
            (
                r#"{"channel":"status","type":"update","data":[{"version":"2.0.0","system":"online","api_version":"v2","connection_id":18239578009413566319}]}"#,
                Frame::Other("status"),
            ),
            (r#"{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD"}]}"#, Frame::Other("book")),
        ] {
            assert_eq!(read(text), (Ok(expected), vec![]), "{text}");
        }
    }

    #[test]
    fn garbage_is_an_error_that_says_what_is_wrong() {
        for (text, said) in [
            ("", "EOF"),
            ("not json", "expected"),
            ("{}", "neither of a channel nor an answer"),
            ("[321,[],\"trade\",\"XBT/USD\"]", "expected"),
            (r#"{"channel":"moonPhase"}"#, "moonPhase"),
            (r#"{"method":"add_order","success":true}"#, "add_order"),
            (r#"{"channel":"trade","type":"update"}"#, "missing field `data`"),
        ] {
            let (frame, ticks) = read(text);
            let error = frame.unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
            assert_eq!(ticks, []);
        }
    }

    proptest! {
        #[test]
        fn no_mutation_of_a_message_is_more_than_unreadable(
            cut in 0usize..500, at in 0usize..500, byte in any::<u8>(),
        ) {
            let mut bytes = TRADES.as_bytes().to_vec();
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(cut.max(1));
            let _ = read(&String::from_utf8_lossy(&bytes));
        }
    }
}
