//! `/api/v3/ticker/24hr` and `/api/v3/exchangeInfo`: long JSON, no rules.

use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    frames::text,
    kline::Kline,
    listings::Listed,
    settings::{DECIMALS, SimulatedSymbol},
    venue::Venue,
};

/// The last price; before the first trade, the price from which the walk starts.
pub(crate) fn price(venue: &Venue, index: usize) -> Decimal {
    let listed = venue.at(index);
    listed.ledger().last().map_or(listed.symbol.start_price, |trade| trade.price)
}

/// What is bid where this is the last price: a tick less.
pub(crate) fn best_bid(symbol: &SimulatedSymbol, price: Decimal) -> Decimal {
    (price - symbol.tick_size).max(Decimal::ZERO)
}

/// What is asked where this is the last price: a tick more.
pub(crate) fn best_ask(symbol: &SimulatedSymbol, price: Decimal) -> Decimal {
    price + symbol.tick_size
}

/// Statistics of the last 24 hours; all zero where nothing was traded.
pub(crate) fn day(venue: &Venue, index: usize) -> Value {
    let now = venue.now_ms();
    let listed = venue.at(index);
    let symbol = &listed.symbol;
    let (day, last) = {
        let mut ledger = listed.ledger();
        ledger.seal(now);
        (ledger.day(now).unwrap_or_else(|| Kline::flat(now, Decimal::ZERO)), ledger.last().cloned())
    };
    let change = day.close - day.open;
    let percent = change.checked_div(day.open).unwrap_or_default() * Decimal::ONE_HUNDRED;
    let average = day.quote_volume.checked_div(day.volume).unwrap_or_default();
    let last_quantity = last.map(|trade| trade.quantity).unwrap_or_default();
    json!({
        "symbol": symbol.ticker,
        "priceChange": text(change),
        "priceChangePercent": format!("{:.3}", percent.round_dp(3)),
        "weightedAvgPrice": text(average.round_dp(DECIMALS)),
        "prevClosePrice": text(day.open),
        "lastPrice": text(day.close),
        "lastQty": text(last_quantity),
        "bidPrice": text(best_bid(symbol, day.close)),
        "bidQty": text(symbol.lot_size),
        "askPrice": text(best_ask(symbol, day.close)),
        "askQty": text(symbol.lot_size),
        "openPrice": text(day.open),
        "highPrice": text(day.high),
        "lowPrice": text(day.low),
        "volume": text(day.volume),
        "quoteVolume": text(day.quote_volume),
        "openTime": now - 86_400_000,
        "closeTime": now,
        "firstId": day.first_id,
        "lastId": day.last_id,
        "count": day.trades,
    })
}

/// What the exchange lists and how much one may ask.
pub(crate) fn exchange_info(now_ms: i64, listed: impl Iterator<Item = Arc<Listed>>, weight_limit: u32) -> Value {
    let limit = |kind, interval, count, limit: u32| json!({"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit});
    json!({
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            limit("REQUEST_WEIGHT", "MINUTE", 1, weight_limit),
            limit("ORDERS", "SECOND", 10, 100),
            limit("ORDERS", "DAY", 1, 200_000),
            limit("RAW_REQUESTS", "MINUTE", 5, 300_000),
        ],
        "exchangeFilters": [],
        "symbols": listed.map(|listed| listing(&listed.symbol)).collect::<Vec<_>>(),
    })
}

fn listing(symbol: &SimulatedSymbol) -> Value {
    json!({
        "symbol": symbol.ticker,
        "status": if symbol.trading { "TRADING" } else { "BREAK" },
        "baseAsset": symbol.base,
        "baseAssetPrecision": DECIMALS,
        "quoteAsset": symbol.quote,
        "quotePrecision": DECIMALS,
        "quoteAssetPrecision": DECIMALS,
        "baseCommissionPrecision": DECIMALS,
        "quoteCommissionPrecision": DECIMALS,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": false,
        "ocoAllowed": false,
        "quoteOrderQtyMarketAllowed": true,
        "isSpotTradingAllowed": true,
        "isMarginTradingAllowed": false,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": text(symbol.tick_size),
                "maxPrice": "1000000000.00000000",
                "tickSize": text(symbol.tick_size),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": text(symbol.lot_size),
                "maxQty": "9000000000.00000000",
                "stepSize": text(symbol.lot_size),
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    })
}
