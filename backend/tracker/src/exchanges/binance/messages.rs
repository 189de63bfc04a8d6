//! What Binance sends, field by field, with nothing interpreted.

use std::borrow::Cow;

use serde::{Deserialize, de};
use serde_json::value::RawValue;
use smol_str::SmolStr;

use crate::wire::Step;

/// `GET /api/v3/exchangeInfo`
#[derive(Debug, Deserialize)]
pub(super) struct ExchangeInfo {
    #[serde(default, rename = "rateLimits")]
    pub(super) rate_limits: Vec<RateLimit>,
    pub(super) symbols: Vec<SymbolInfo>,
}

/// `{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000}`
#[derive(Debug, Deserialize)]
pub(super) struct RateLimit {
    #[serde(rename = "rateLimitType")]
    pub(super) kind: String,
    pub(super) interval: String,
    pub(super) limit: u64,
}

/// `{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT",…}`
#[derive(Debug, Deserialize)]
pub(super) struct SymbolInfo {
    pub(super) symbol: SmolStr,
    pub(super) status: String,
    #[serde(rename = "baseAsset")]
    pub(super) base_asset: SmolStr,
    #[serde(rename = "quoteAsset")]
    pub(super) quote_asset: SmolStr,
    #[serde(default)]
    pub(super) filters: Vec<Filter>,
}

/// A rule for orders: `{"filterType":"PRICE_FILTER","tickSize":"0.01"}`, `{"filterType":"LOT_SIZE","stepSize":"0.00001"}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    pub(super) filter_type: String,
    #[serde(default)]
    pub(super) tick_size: Step,
    #[serde(default)]
    pub(super) step_size: Step,
}

/// `GET /api/v3/ticker/price`: `[{"symbol":"BTCUSDT","price":"64250.01000000"}]`
#[derive(Debug, Deserialize)]
pub(super) struct TickerPrice {
    pub(super) symbol: SmolStr,
    #[serde(with = "domain::decimal_text")]
    pub(super) price: rust_decimal::Decimal,
}

/// `GET /api/v3/historicalTrades`:
/// `[{"id":28457,"price":"4.00000100","qty":"12.00000000","time":1499865549590,"isBuyerMaker":true,…}]`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistoricalTrade {
    pub(super) id: i64,
    #[serde(with = "domain::decimal_text")]
    pub(super) price: rust_decimal::Decimal,
    #[serde(rename = "qty", with = "domain::decimal_text")]
    pub(super) quantity: rust_decimal::Decimal,
    #[serde(rename = "time")]
    pub(super) time_ms: i64,
    pub(super) is_buyer_maker: bool,
}

/// `GET /api/v3/time`: `{"serverTime":1499827319559}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerTime {
    pub(super) server_time: i64,
}

/// `GET /api/v3/ticker/24hr`: `[{"symbol":"BTCUSDT",…,"firstId":28385,"lastId":28460,"count":76}]`; without a trade the
/// ids are −1.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Day {
    pub(super) symbol: SmolStr,
    pub(super) last_id: i64,
}

/// The same, as far as it tells of the market; without a trade everything is zero.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DayStatistics {
    pub(super) symbol: SmolStr,
    #[serde(with = "domain::decimal_text")]
    pub(super) last_price: rust_decimal::Decimal,
    #[serde(with = "domain::decimal_text")]
    pub(super) open_price: rust_decimal::Decimal,
    #[serde(with = "domain::decimal_text")]
    pub(super) high_price: rust_decimal::Decimal,
    #[serde(with = "domain::decimal_text")]
    pub(super) low_price: rust_decimal::Decimal,
    #[serde(with = "domain::decimal_text")]
    pub(super) volume: rust_decimal::Decimal,
    #[serde(with = "domain::decimal_text")]
    pub(super) quote_volume: rust_decimal::Decimal,
    /// When the 24 hours end, in milliseconds.
    pub(super) close_time: i64,
}

/// An event of `!miniTicker@arr`, where a message is an array of them:
/// `{"e":"24hrMiniTicker","E":1672515782136,"s":"BNBBTC","c":"0.0025","o":"0.0010","h":"0.0025","l":"0.0010","v":"10000","q":"18"}`
#[derive(Debug, Deserialize)]
pub(super) struct MiniTicker<'a> {
    #[serde(rename = "e")]
    pub(super) event: &'a str,
    /// When the 24 hours end, in milliseconds.
    #[serde(rename = "E")]
    pub(super) time_ms: i64,
    #[serde(rename = "s")]
    pub(super) symbol: Cow<'a, str>,
    #[serde(rename = "c", with = "domain::decimal_text")]
    pub(super) last_price: rust_decimal::Decimal,
    #[serde(rename = "o", with = "domain::decimal_text")]
    pub(super) open_price: rust_decimal::Decimal,
    #[serde(rename = "h", with = "domain::decimal_text")]
    pub(super) high_price: rust_decimal::Decimal,
    #[serde(rename = "l", with = "domain::decimal_text")]
    pub(super) low_price: rust_decimal::Decimal,
    #[serde(rename = "v", with = "domain::decimal_text")]
    pub(super) volume: rust_decimal::Decimal,
    #[serde(rename = "q", with = "domain::decimal_text")]
    pub(super) quote_volume: rust_decimal::Decimal,
}

/// `[1499040000000,"0.0163","0.8","0.0157","0.0158","148.9",1499644799999,"2434.1",308,"1756.8","28.4","0"]`: open time,
/// open, high, low, close, volume, close time, quote volume, trades, and what takers bought.
#[derive(Debug, Deserialize)]
pub(super) struct Kline(
    pub(super) i64,
    #[serde(with = "domain::decimal_text")] pub(super) rust_decimal::Decimal,
    #[serde(with = "domain::decimal_text")] pub(super) rust_decimal::Decimal,
    #[serde(with = "domain::decimal_text")] pub(super) rust_decimal::Decimal,
    #[serde(with = "domain::decimal_text")] pub(super) rust_decimal::Decimal,
    #[serde(with = "domain::decimal_text")] pub(super) rust_decimal::Decimal,
    de::IgnoredAny,
    #[serde(with = "domain::decimal_text")] pub(super) rust_decimal::Decimal,
    pub(super) i64,
    de::IgnoredAny,
    de::IgnoredAny,
    de::IgnoredAny,
);

/// A message of a combined stream: `{"stream":"btcusdt@trade","data":{…}}`.
#[derive(Debug, Deserialize)]
pub(super) struct Combined<'a, T> {
    #[serde(borrow, rename = "stream")]
    pub(super) _stream: Cow<'a, str>,
    pub(super) data: T,
}

/// `{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}`
#[derive(Debug, Deserialize)]
pub(super) struct Trade<'a> {
    #[serde(rename = "e")]
    pub(super) event: &'a str,
    #[serde(rename = "s")]
    pub(super) symbol: Cow<'a, str>,
    #[serde(rename = "t")]
    pub(super) id: i64,
    #[serde(rename = "p", with = "domain::decimal_text")]
    pub(super) price: rust_decimal::Decimal,
    #[serde(rename = "q", with = "domain::decimal_text")]
    pub(super) quantity: rust_decimal::Decimal,
    /// When the trade was made, in milliseconds.
    #[serde(rename = "T")]
    pub(super) time_ms: i64,
    #[serde(rename = "m")]
    pub(super) buyer_is_maker: bool,
    /// What made the trade. Absent on spot; on futures, trades with the insurance fund are no market trades.
    #[serde(rename = "X", default)]
    pub(super) origin: Option<&'a str>,
}

/// Any message, as far as it must be known to tell what it is.
#[derive(Debug, Deserialize)]
pub(super) struct Any<'a> {
    /// The payload of a combined message.
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) stream: Option<Cow<'a, str>>,
    /// The event's name.
    #[serde(borrow, default, rename = "e")]
    pub(super) event: Option<Cow<'a, str>>,
    /// The answer to a request; null when it was a subscription.
    #[serde(borrow, default)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) code: Option<i64>,
    #[serde(borrow, default)]
    pub(super) msg: Option<Cow<'a, str>>,
    /// Update id: the mark of bookTicker and partial depth, which have no event's name.
    #[serde(default, rename = "u")]
    pub(super) update_id: Option<u64>,
    #[serde(default, rename = "lastUpdateId")]
    pub(super) last_update_id: Option<u64>,
}
