//! What a client may ask over its WebSocket: `subscribe`, `unsubscribe`, `ping`.
//!
//! Every symbol is answered for itself, so that one of several can be refused. Who subscribes with a snapshot is told it
//! after the answer; since it listens already, a trade that happens meanwhile may come twice and is never missed.

use serde_json::{Value, json};

use crate::{frames::rfc3339, listings::Listed, venue::Venue};

use super::{TICKER, TRADE, find, frames, stream_name, ticker};

const SNAPSHOT_TRADES: usize = 50;

/// Carries out a request of this client and sends the answers.
pub(crate) fn answer(venue: &Venue, client: u64, text: &str) {
    let time = rfc3339(chrono::DateTime::from_timestamp_millis(venue.now_ms()).unwrap_or_default());
    let request: Value = serde_json::from_str(text).unwrap_or_default();
    let method = request["method"].as_str().unwrap_or_default();
    let refuse = |error| venue.hub.reply(client, frames::refused(method, error, None, &request, &time));
    let (params, subscribes) = (&request["params"], method == "subscribe");
    match method {
        "ping" => return venue.hub.reply(client, frames::pong(&request, &time)),
        "subscribe" | "unsubscribe" => {}
        "" => return refuse("Malformed request"),
        _ => return refuse("Unsupported method"),
    }
    let channel = match params["channel"].as_str() {
        Some(TRADE) => TRADE,
        Some(TICKER) => TICKER,
        _ => return refuse("Channel not supported"),
    };
    let Some(symbols) = params["symbol"].as_array().filter(|symbols| !symbols.is_empty()) else {
        return refuse("Field 'symbol' must be a list of pairs");
    };
    // Trades of the past are told only to who asks for them.
    let snapshot = params["snapshot"].as_bool().unwrap_or(channel == TICKER);
    for symbol in symbols {
        let symbol = symbol.as_str().unwrap_or_default();
        let answer = frames::done(method, &result(channel, symbol, snapshot, params, subscribes), &request, &time);
        let done = if subscribes {
            subscribe(venue, client, channel, symbol, snapshot, answer)
        } else {
            unsubscribe(venue, client, channel, symbol, answer)
        };
        if let Err(error) = done {
            venue.hub.reply(client, frames::refused(method, &error, Some(symbol), &request, &time));
        }
    }
}

/// What was done for one symbol.
fn result(channel: &str, symbol: &str, snapshot: bool, params: &Value, subscribes: bool) -> Value {
    let mut result = json!({"channel": channel, "symbol": symbol});
    if subscribes {
        result["snapshot"] = json!(snapshot);
    }
    if channel == TICKER {
        result["event_trigger"] = json!(params["event_trigger"].as_str().unwrap_or("trades"));
    }
    result
}

/// Sends the answer, and what is told at once; or returns why not.
fn subscribe(
    venue: &Venue,
    client: u64,
    channel: &str,
    symbol: &str,
    snapshot: bool,
    answer: String,
) -> Result<(), String> {
    let listed = find(venue, symbol).ok_or_else(|| format!("Currency pair not supported {symbol}"))?;
    if venue.faults.refuses_subscription() {
        return Err("Subscription refused".to_owned());
    }
    let stream = stream_name(channel, symbol);
    if venue.hub.subscriptions(client).contains(&stream) {
        return Err("Already subscribed".to_owned());
    }
    let done = venue.hub.subscribe_acknowledged(client, &[stream], |_| answer);
    done.map_err(|_| "Too many subscriptions".to_owned())?;
    if let Some(frame) = first_frame(venue, channel, &listed).filter(|_| snapshot) {
        venue.hub.reply(client, frame);
    }
    Ok(())
}

fn unsubscribe(venue: &Venue, client: u64, channel: &str, symbol: &str, answer: String) -> Result<(), String> {
    let stream = stream_name(channel, symbol);
    if !venue.hub.subscriptions(client).contains(&stream) {
        return Err("Subscription Not Found".to_owned());
    }
    venue.hub.unsubscribe(client, &[stream]);
    venue.hub.reply(client, answer);
    Ok(())
}

/// What a new listener is told at once: nothing before the first trade, or while nothing may be sent.
fn first_frame(venue: &Venue, channel: &str, listed: &Listed) -> Option<String> {
    if venue.faults.silent() {
        return None;
    }
    let latest = listed.ledger().latest(SNAPSHOT_TRADES);
    let last = latest.last()?;
    Some(match channel {
        TRADE => frames::trades("snapshot", &listed.kraken.symbol, &latest),
        _ => ticker("snapshot", venue, listed, last),
    })
}
