//! The JSON of what is streamed, as Kraken writes it: numbers with all their decimals, times with microseconds.
//!
//! Formatted by hand: a float would not keep the decimals.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    frames::rfc3339,
    kline::Kline,
    ledger::PublishedTrade,
    listings::Listed,
    settings::DECIMALS,
    tickers::{best_ask, best_bid},
};

/// Sent each second to who listens to something and hears nothing.
pub(crate) const HEARTBEAT: &str = r#"{"channel":"heartbeat"}"#;

/// How the exchange is. The number of the connection does not fit a signed integer.
pub(crate) fn status(system: &str, client: u64) -> String {
    let connection = (1 << 63) + client;
    json!({
        "channel": "status",
        "type": "update",
        "data": [{"version": "2.0.0", "system": system, "api_version": "v2", "connection_id": connection}],
    })
    .to_string()
}

/// Trades of a pair, of type `update` or `snapshot`.
pub(super) fn trades(kind: &str, symbol: &str, trades: &[PublishedTrade]) -> String {
    let rows: Vec<String> = trades.iter().map(|trade| trade_row(symbol, trade)).collect();
    format!(r#"{{"channel":"trade","type":"{kind}","data":[{}]}}"#, rows.join(","))
}

fn trade_row(symbol: &str, trade: &PublishedTrade) -> String {
    format!(
        r#"{{"symbol":"{symbol}","side":"{}","price":{},"qty":{},"ord_type":"{}","trade_id":{},"timestamp":"{}"}}"#,
        if trade.buyer_is_maker { "sell" } else { "buy" },
        trade.price,
        trade.quantity,
        order_type(trade),
        trade.id,
        rfc3339(trade.time)
    )
}

/// What kind of order the taker's was.
pub(super) fn order_type(trade: &PublishedTrade) -> &'static str {
    if trade.id % 3 == 0 { "limit" } else { "market" }
}

/// The average price, weighted by volume.
pub(super) fn vwap(kline: &Kline) -> Decimal {
    kline.quote_volume.checked_div(kline.volume).unwrap_or_default().round_dp(DECIMALS)
}

pub(super) fn ticker(kind: &str, listed: &Listed, last: &PublishedTrade, day: &Kline) -> String {
    let symbol = &listed.symbol;
    let change = last.price - day.open;
    let percent = (change.checked_div(day.open).unwrap_or_default() * Decimal::ONE_HUNDRED).round_dp(2);
    format!(
        r#"{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{}","bid":{},"bid_qty":{lot},"ask":{},"ask_qty":{lot},"last":{},"volume":{},"vwap":{},"low":{},"high":{},"change":{change},"change_pct":{percent},"timestamp":"{}"}}]}}"#,
        listed.kraken.symbol,
        best_bid(symbol, last.price),
        best_ask(symbol, last.price),
        last.price,
        day.volume,
        vwap(day),
        day.low,
        day.high,
        rfc3339(last.time),
        lot = symbol.lot_size
    )
}

/// The answer to a request that was carried out, with what is particular to it.
pub(super) fn done(method: &str, result: &Value, request: &Value, time: &str) -> String {
    answer(json!({"method": method, "result": result, "success": true}), request, time)
}

/// The answer to a request that was not; `symbol` where it was about one.
pub(super) fn refused(method: &str, error: &str, symbol: Option<&str>, request: &Value, time: &str) -> String {
    let mut body = json!({"method": method, "error": error, "success": false});
    if let Some(symbol) = symbol {
        body["symbol"] = json!(symbol);
    }
    answer(body, request, time)
}

pub(super) fn pong(request: &Value, time: &str) -> String {
    answer(json!({"method": "pong"}), request, time)
}

fn answer(mut body: Value, request: &Value, time: &str) -> String {
    body["time_in"] = json!(time);
    body["time_out"] = json!(time);
    if let Some(id) = request.get("req_id") {
        body["req_id"] = id.clone();
    }
    body.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trade_is_written_in_numbers_and_names_the_takers_side() {
        let trade = PublishedTrade {
            id: 7,
            price: "0.00001230".parse().unwrap(),
            quantity: "5".parse().unwrap(),
            time: "2026-11-20T12:00:00.123Z".parse().unwrap(),
            buyer_is_maker: true,
        };
        assert_eq!(
            trades("update", "SHIB/USDT", &[trade]),
            r#"{"channel":"trade","type":"update","data":[{"symbol":"SHIB/USDT","side":"sell","price":0.00001230,"qty":5,"ord_type":"market","trade_id":7,"timestamp":"2026-11-20T12:00:00.123000Z"}]}"#
        );
    }
}
