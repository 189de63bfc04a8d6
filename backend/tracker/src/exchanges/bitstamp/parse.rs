//! What Bitstamp's messages mean.
//!
//! A ticker is spelled as in the names of channels and in addresses: `btcusd`.

use chrono::{DateTime, Utc};
use domain::{Instrument, InstrumentStatus, Side, Steps, Tick};
use smol_str::SmolStr;

use super::messages::{Message, Mistake, Pair, TradeMessage};
use crate::{
    exchange::{Found, Frame, UnreadableFrame},
    wire,
};

/// The beginning of the names of the channels that carry trades.
pub(super) const TRADES: &str = "live_trades_";
/// The end of a derivative's names: `btcusd-perp`, `BTC/USD-PERP`.
const DERIVATIVE: &str = "-perp";

/// Reads one message.
pub(super) fn frame(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    // Nearly every message is a trade: read it in one go.
    if text.contains("\"microtimestamp\"") && text.contains("\"live_trades_") {
        let message: TradeMessage<'_> = serde_json::from_str(text)?;
        found.ticks.push(tick(&message, received_at)?);
        return Ok(Frame::Trades);
    }
    let message: Message<'_> = serde_json::from_str(text)?;
    let channel = message.channel.as_deref().unwrap_or_default();
    match &*message.event {
        "bts:subscription_succeeded" => Ok(Frame::Acknowledged),
        "bts:error" => Ok(Frame::Refused(refusal(&message))),
        "bts:request_reconnect" => Ok(Frame::Closing),
        "bts:heartbeat" => Ok(Frame::Other("heartbeat")),
        "bts:unsubscription_succeeded" => Ok(Frame::Other("unsubscribed")),
        "data" if channel.contains("order_book_") => Ok(Frame::Other("book")),
        "order_created" | "order_changed" | "order_deleted" => Ok(Frame::Other("order")),
        "funding_rate_saved" => Ok(Frame::Other("funding rate")),
        other => Err(UnreadableFrame::new(format!("event {other:?} on channel {channel:?} is not documented"))),
    }
}

/// A refusal in its own words, with the channel that it is about where that is told.
fn refusal(message: &Message<'_>) -> String {
    let told = message.data.map_or("no word", |data| data.get());
    let mistake: Mistake<'_> = serde_json::from_str(told).unwrap_or_default();
    let said = mistake.message.as_deref().unwrap_or(told);
    let code = mistake.code.map(|code| code.get()).filter(|code| *code != "null");
    let code = code.map(|code| format!(" (code {code})")).unwrap_or_default();
    let channel = message.channel.as_deref().filter(|channel| !channel.is_empty());
    format!("{said}{code}{}", channel.map(|channel| format!(", of {channel}")).unwrap_or_default())
}

fn tick(message: &TradeMessage<'_>, received_at: DateTime<Utc>) -> Result<Tick, UnreadableFrame> {
    let TradeMessage { event, channel, data: trade } = message;
    let ticker = channel.strip_prefix(TRADES).filter(|_| event == "trade");
    let ticker = ticker.ok_or_else(|| UnreadableFrame::new(format!("event {event:?} on channel {channel:?}")))?;
    Ok(Tick {
        ticker: ticker.into(),
        trade_id: Some(trade.id.0),
        price: trade.price.0,
        quantity: Some(trade.amount.0),
        taker_side: Some(side(trade.kind.0)?),
        exchange_time: Some(wire::from_us("microtimestamp", trade.time_us.0)?),
        received_at,
    })
}

/// The side of the taker.
pub(super) fn side(kind: i64) -> Result<Side, UnreadableFrame> {
    match kind {
        0 => Ok(Side::Buy),
        1 => Ok(Side::Sell),
        other => Err(UnreadableFrame::new(format!("type {other} is neither 0, bought, nor 1, sold"))),
    }
}

/// A spot pair; `None` for anything else.
pub(super) fn instrument(pair: Pair) -> Option<Instrument> {
    let is_spot = pair.market_type.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("SPOT"));
    if !is_spot || pair.url_symbol.ends_with(DERIVATIVE) {
        return None;
    }
    let (base, quote) = pair.name.split_once('/')?;
    let status = if pair.trading == "Enabled" { InstrumentStatus::Trading } else { InstrumentStatus::Halted };
    let name = |code: &str| SmolStr::from(code.to_uppercase());
    let steps = Steps {
        price: wire::step_of_decimals(pair.counter_decimals),
        quantity: wire::step_of_decimals(pair.base_decimals),
    };
    Some(Instrument { ticker: pair.url_symbol, base: name(base), quote: name(quote), status, steps })
}

/// The ticker of a pair that is named `BTC/USD`; `None` for derivatives.
pub(super) fn ticker(name: &str) -> Option<SmolStr> {
    let ticker = name.replace('/', "").to_lowercase();
    (!ticker.ends_with(DERIVATIVE)).then(|| ticker.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRADE: &str = r#"{"channel": "live_trades_btcusd", "data": {"amount": 1e-08, "amount_str": "1E-8", "buy_order_id": 2054201, "id": 158457579, "microtimestamp": "1795176000123456", "price": 57748.8, "price_str": "57748.80", "sell_order_id": 2054202, "timestamp": "1795176000", "type": 1}, "event": "trade"}"#;

    fn received_at() -> DateTime<Utc> {
        "2026-11-20T12:00:00.200Z".parse().unwrap()
    }

    fn read(text: &str) -> (Result<Frame, UnreadableFrame>, Vec<Tick>) {
        let mut found = Found::default();
        (frame(text, received_at(), &mut found), found.ticks)
    }

    #[test]
    fn a_trade_is_read_exactly() {
        let (frame, ticks) = read(TRADE);
        assert_eq!(frame, Ok(Frame::Trades));
        assert_eq!(
            ticks,
            [Tick {
                ticker: "btcusd".into(),
                trade_id: Some(158_457_579),
                price: "57748.8".parse().unwrap(),
                quantity: Some("0.00000001".parse().unwrap()),
                taker_side: Some(Side::Sell),
                exchange_time: Some("2026-11-20T12:00:00.123456Z".parse().unwrap()),
                received_at: received_at(),
            }]
        );
        let other = TRADE.replace("\"type\": 1", "\"type\": \"0\"").replace("\"1795176000123456\"", "1795176000123456");
        assert_eq!(read(&other).1[0].taker_side, Some(Side::Buy));
    }

    #[test]
    fn answers_and_notices_are_told_apart() {
        for (text, expected) in [
            (r#"{"event":"bts:subscription_succeeded","channel":"live_trades_btcusd","data":{}}"#, Frame::Acknowledged),
            (
                r#"{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad subscription string."}}"#,
                Frame::Refused("Bad subscription string.".into()),
            ),
            (
                r#"{"event":"bts:error","channel":"live_trades_x","data":{"code":4009,"message":"Connection is unauthorized."}}"#,
                Frame::Refused("Connection is unauthorized. (code 4009), of live_trades_x".into()),
            ),
            (r#"{"event":"bts:error","data":"why"}"#, Frame::Refused(r#""why""#.into())),
            (r#"{"event":"bts:error"}"#, Frame::Refused("no word".into())),
            (r#"{"event":"bts:request_reconnect","channel":"","data":""}"#, Frame::Closing),
            (r#"{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}"#, Frame::Other("heartbeat")),
            (r#"{"event":"bts:unsubscription_succeeded","channel":"x","data":{}}"#, Frame::Other("unsubscribed")),
            (
                r#"{"data":{"microtimestamp":"1","bids":[],"asks":[]},"channel":"diff_order_book_btcusd","event":"data"}"#,
                Frame::Other("book"),
            ),
            (r#"{"data":{},"channel":"live_orders_btcusd","event":"order_created"}"#, Frame::Other("order")),
            (r#"{"data":{},"channel":"funding_rate_x","event":"funding_rate_saved"}"#, Frame::Other("funding rate")),
        ] {
            assert_eq!(read(text), (Ok(expected), Vec::new()), "{text}");
        }
    }

    #[test]
    fn garbage_is_an_error_that_says_what_is_wrong() {
        for (text, said) in [
            ("", "EOF"),
            ("[]", "invalid length"),
            ("{}", "missing field `event`"),
            (r#"{"event":"moonPhase","channel":"sky"}"#, "moonPhase"),
            (r#"{"event":"data","channel":"sky"}"#, "sky"),
            (&TRADE.replace("\"trade\"", "\"moonPhase\""), "moonPhase"),
            (&TRADE.replace("\"type\": 1", "\"type\": 2"), "type 2"),
            (&TRADE.replace("\"1E-8\"", "\"much\""), "a decimal number"),
            (&TRADE.replace("_str", ""), "missing field"),
            (&TRADE.replace("1795176000123456", "9223372036854775807"), "no time"),
        ] {
            let (frame, ticks) = read(text);
            let error = frame.unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
            assert_eq!(ticks, []);
        }
    }

    #[test]
    fn pairs_of_the_list_that_are_spot_are_instruments() {
        let list = r#"[{"name":"BTC/USD","url_symbol":"btcusd","trading":"Enabled","base_decimals":8,"counter_decimals":0},
            {"name":"PAX/USD","url_symbol":"paxusd","trading":"Disabled","market_type":"SPOT"},
            {"name":"BTC/USD-PERP","url_symbol":"btcusd-perp","trading":"Enabled"},
            {"name":"ETH/USD","url_symbol":"ethusdx","trading":"Enabled","market_type":"PERPETUAL"}]"#;
        let pairs: Vec<Pair> = serde_json::from_str(list).unwrap();
        let listed: Vec<Instrument> = pairs.into_iter().filter_map(instrument).collect();
        let told: Vec<_> = listed.iter().map(|one| (&*one.ticker, &*one.base, &*one.quote, one.status)).collect();
        assert_eq!(
            told,
            [("btcusd", "BTC", "USD", InstrumentStatus::Trading), ("paxusd", "PAX", "USD", InstrumentStatus::Halted)]
        );
        let steps = [listed[0].steps.price, listed[0].steps.quantity].map(|step| step.unwrap().to_string());
        assert_eq!((steps, listed[1].steps), (["1".to_owned(), "0.00000001".to_owned()], Steps::default()));
        assert_eq!((ticker("BTC/USD"), ticker("BTC/USD-PERP")), (Some("btcusd".into()), None));
    }

    proptest! {
        #[test]
        fn no_mutation_of_a_message_is_a_panic(which in 0usize..3, cut in 0usize..400, at in 0usize..400, byte in any::<u8>()) {
            let messages = [
                TRADE,
                r#"{"event":"bts:error","channel":"live_trades_x","data":{"code":4009,"message":"no"}}"#,
                r#"{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}"#,
            ];
            let mut bytes = messages[which].as_bytes().to_vec();
            if let Some(changed) = bytes.get_mut(at) {
                *changed = byte;
            }
            bytes.truncate(cut);
            let _ = read(&String::from_utf8_lossy(&bytes));
        }
    }
}
