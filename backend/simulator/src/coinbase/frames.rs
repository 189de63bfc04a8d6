//! The JSON of what is streamed, as Coinbase Exchange writes it: prices as strings with as many decimals as they have,
//! times with microseconds.

use std::collections::BTreeMap;

use chrono::DateTime;
use rust_decimal::Decimal;
use serde_json::json;

use crate::{
    frames::rfc3339,
    kline::Kline,
    ledger::PublishedTrade,
    listings::Listed,
    tickers::{best_ask, best_bid},
};

/// The number of a product's event that this trade was. Orders, of which nothing is told, are events too.
fn sequence(trade: &PublishedTrade) -> i64 {
    trade.id.saturating_mul(10)
}

/// The side of the order that waited in the book.
pub(super) fn maker_side(trade: &PublishedTrade) -> &'static str {
    if trade.buyer_is_maker { "buy" } else { "sell" }
}

fn taker_side(trade: &PublishedTrade) -> &'static str {
    if trade.buyer_is_maker { "sell" } else { "buy" }
}

/// The number of an order, of the `kind`-th of the two that met in this trade.
fn order_id(trade: &PublishedTrade, kind: u8) -> String {
    let (high, low) = (trade.id >> 48, trade.id & 0xffff_ffff_ffff);
    format!("{high:08x}-0000-4000-8{kind:03x}-{low:012x}")
}

/// A trade, of type `match` or `last_match`.
pub(super) fn matched(kind: &str, product: &str, trade: &PublishedTrade) -> String {
    format!(
        r#"{{"type":"{kind}","trade_id":{},"maker_order_id":"{}","taker_order_id":"{}","side":"{}","size":"{}","price":"{}","product_id":"{product}","sequence":{},"time":"{}"}}"#,
        trade.id,
        order_id(trade, 0),
        order_id(trade, 1),
        maker_side(trade),
        trade.quantity.normalize(),
        trade.price,
        sequence(trade),
        rfc3339(trade.time)
    )
}

/// Of `ticker` and `ticker_batch` alike.
pub(super) fn ticker(listed: &Listed, trade: &PublishedTrade, day: &Kline, month_volume: Decimal) -> String {
    let symbol = &listed.symbol;
    json!({
        "type": "ticker",
        "sequence": sequence(trade),
        "product_id": listed.coinbase.product,
        "price": trade.price.to_string(),
        "open_24h": day.open.to_string(),
        "volume_24h": day.volume.to_string(),
        "low_24h": day.low.to_string(),
        "high_24h": day.high.to_string(),
        "volume_30d": month_volume.to_string(),
        "best_bid": best_bid(symbol, trade.price).to_string(),
        "best_bid_size": symbol.lot_size.to_string(),
        "best_ask": best_ask(symbol, trade.price).to_string(),
        "best_ask_size": symbol.lot_size.to_string(),
        "side": taker_side(trade),
        "time": rfc3339(trade.time),
        "trade_id": trade.id,
        "last_size": trade.quantity.normalize().to_string(),
    })
    .to_string()
}

/// Names the last trade there was; zero before the first.
pub(super) fn heartbeat(product: &str, last: Option<&PublishedTrade>, now_ms: i64) -> String {
    json!({
        "type": "heartbeat",
        "sequence": last.map_or(0, sequence),
        "last_trade_id": last.map_or(0, |trade| trade.id),
        "product_id": product,
        "time": rfc3339(DateTime::from_timestamp_millis(now_ms).unwrap_or_default()),
    })
    .to_string()
}

/// Everything that a client listens to: the products of each channel.
pub(super) fn subscriptions(channels: &BTreeMap<&str, Vec<&str>>) -> String {
    let channels: Vec<_> =
        channels.iter().map(|(name, products)| json!({"name": name, "product_ids": products})).collect();
    json!({"type": "subscriptions", "channels": channels}).to_string()
}

pub(super) fn error(message: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => json!({"type": "error", "message": message, "reason": reason}),
        None => json!({"type": "error", "message": message}),
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_is_written_as_coinbase_writes_it_and_names_the_makers_side() {
        let trade = PublishedTrade {
            id: 1_795_176_000_123_000,
            price: "64250.10".parse().unwrap(),
            quantity: "0.50000".parse().unwrap(),
            time: "2026-11-20T12:00:00.123Z".parse().unwrap(),
            buyer_is_maker: true,
        };
        assert_eq!(
            matched("match", "BTC-USDT", &trade),
            r#"{"type":"match","trade_id":1795176000123000,"maker_order_id":"00000006-0000-4000-8000-60b3fbcbf078","taker_order_id":"00000006-0000-4000-8001-60b3fbcbf078","side":"buy","size":"0.5","price":"64250.10","product_id":"BTC-USDT","sequence":17951760001230000,"time":"2026-11-20T12:00:00.123000Z"}"#
        );
        assert_eq!(taker_side(&trade), "sell");
    }
}
