//! What Coinbase sends, field by field, with nothing interpreted.

use std::{borrow::Cow, collections::HashMap};

use serde::Deserialize;
use smol_str::SmolStr;

use crate::wire::{Number, Perhaps, Step, Whole};

/// `GET /products`:
/// `[{"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","status":"online","trading_disabled":false,…}]`
#[derive(Debug, Deserialize)]
pub(super) struct Product {
    pub(super) id: SmolStr,
    pub(super) base_currency: SmolStr,
    pub(super) quote_currency: SmolStr,
    pub(super) status: String,
    #[serde(default)]
    pub(super) trading_disabled: Option<bool>,
    #[serde(default)]
    pub(super) base_increment: Step,
    #[serde(default)]
    pub(super) quote_increment: Step,
}

/// `GET /products/BTC-USD/trades`, newest first:
/// `[{"trade_id":74,"side":"buy","size":"0.01000000","price":"10.00000000","time":"2014-11-07T22:19:28.578544Z"}]`
#[derive(Debug, Deserialize)]
pub(super) struct PastTrade {
    pub(super) trade_id: Whole,
    /// Of the maker's order.
    pub(super) side: String,
    pub(super) size: Number,
    pub(super) price: Number,
    pub(super) time: String,
}

/// `GET /products/BTC-USD/ticker`: `{"trade_id":86326522,"price":"6268.48","size":"0.00698254","time":"2020-03-20T00:22:57Z",…}`
#[derive(Debug, Deserialize)]
pub(super) struct LastTrade {
    pub(super) price: Number,
}

/// `GET /products/stats`, which is not documented:
/// `{"ETH-BTC":{"stats_30day":{"volume":"311024.5"},"stats_24hour":{"open":"0.0723","high":"0.07455","low":"0.07163","volume":"62.4","last":"0.0726"}}}`
pub(super) type AllStatistics = HashMap<SmolStr, Statistics>;

/// Of one product.
#[derive(Debug, Deserialize)]
pub(super) struct Statistics {
    #[serde(default, rename = "stats_24hour")]
    pub(super) day: Option<Day>,
}

/// Of 24 hours. Products that were not traded have none, or zeros.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Day {
    pub(super) open: Perhaps,
    pub(super) high: Perhaps,
    pub(super) low: Perhaps,
    pub(super) last: Perhaps,
    pub(super) volume: Perhaps,
}

/// `GET /products/BTC-USD/candles`, newest first: `[1415398768,0.32,4.2,0.35,4.2,12.3]`: when it opens in seconds, low, high, open,
/// close, volume.
#[derive(Debug, Deserialize)]
pub(super) struct Candle(
    pub(super) Whole,
    pub(super) Number,
    pub(super) Number,
    pub(super) Number,
    pub(super) Number,
    pub(super) Number,
);

/// `GET /time`: `{"iso":"2015-01-07T23:47:25.201Z","epoch":1420674445.201}`
#[derive(Debug, Deserialize)]
pub(super) struct ServerTime {
    pub(super) iso: String,
}

/// `{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"ac92…","taker_order_id":"132f…",
/// "time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}`
#[derive(Debug, Deserialize)]
pub(super) struct Match<'a> {
    pub(super) trade_id: Whole,
    /// Of the maker's order.
    #[serde(borrow)]
    pub(super) side: Cow<'a, str>,
    pub(super) size: Number,
    pub(super) price: Number,
    #[serde(borrow)]
    pub(super) product_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) time: Cow<'a, str>,
}

/// `{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD","time":"2014-11-07T08:19:28.464459Z"}`
#[derive(Debug, Deserialize)]
pub(super) struct Heartbeat<'a> {
    #[serde(default)]
    pub(super) last_trade_id: Option<Whole>,
    #[serde(borrow)]
    pub(super) product_id: Cow<'a, str>,
}

/// `{"type":"ticker","sequence":37475248783,"product_id":"ETH-USD","price":"1285.22","open_24h":"1310.79",
/// "volume_24h":"245532.79269678","low_24h":"1280.52","high_24h":"1313.8","volume_30d":"9788783.60117027",
/// "best_bid":"1285.04","best_ask":"1285.27","side":"buy","time":"2022-10-19T23:28:22.061769Z","trade_id":370843401,"last_size":"11.4396987"}`
#[derive(Debug, Deserialize)]
pub(super) struct Ticker<'a> {
    #[serde(borrow)]
    pub(super) product_id: Cow<'a, str>,
    pub(super) price: Number,
    #[serde(default)]
    pub(super) open_24h: Perhaps,
    #[serde(default)]
    pub(super) high_24h: Perhaps,
    #[serde(default)]
    pub(super) low_24h: Perhaps,
    #[serde(default)]
    pub(super) volume_24h: Perhaps,
    /// Of the last trade.
    #[serde(borrow, default)]
    pub(super) time: Option<Cow<'a, str>>,
}

/// Any message, as far as it must be known to tell what it is.
#[derive(Debug, Deserialize)]
pub(super) struct Any<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    /// Of an error: `"Failed to subscribe"`.
    #[serde(borrow, default)]
    pub(super) message: Option<Cow<'a, str>>,
    /// Of an error: `"XYZ-USD is not a valid product"`.
    #[serde(borrow, default)]
    pub(super) reason: Option<Cow<'a, str>>,
}
