//! What Kraken sends, field by field, with nothing interpreted.

use std::{borrow::Cow, collections::HashMap};

use serde::{Deserialize, de};
use serde_json::value::RawValue;
use smol_str::SmolStr;

use crate::wire::{Number, Perhaps, Step, Whole};

/// Every answer by REST, whose HTTP status is 200 whatever happened: `{"error":[],"result":{…}}`,
/// `{"error":["EQuery:Unknown asset pair"]}`
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    /// A list of texts; a single text was seen too. Those that begin with `W` are warnings.
    #[serde(default)]
    pub(super) error: serde_json::Value,
    #[serde(default)]
    pub(super) result: Option<Box<RawValue>>,
}

/// What is told of one pair, under its name, beside where to go on: `{"XXBTZUSD":[…],"last":"1762820035982277754"}`
pub(super) type OfOnePair = HashMap<String, Box<RawValue>>;

/// `GET /0/public/AssetPairs`, by their names in REST: `{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","status":"online",…}}`
pub(super) type AssetPairs = HashMap<SmolStr, AssetPair>;

/// One of them.
#[derive(Debug, Deserialize)]
pub(super) struct AssetPair {
    pub(super) altname: SmolStr,
    /// Its name in the first version of the streams, which spells bitcoin XBT. Pairs without one are not streamed.
    #[serde(default)]
    pub(super) wsname: Option<String>,
    /// Absent in answers of early years.
    #[serde(default)]
    pub(super) status: Option<String>,
    /// The step of prices; absent in answers of early years, which tell the decimals alone.
    #[serde(default)]
    pub(super) tick_size: Step,
    #[serde(default)]
    pub(super) pair_decimals: Option<i64>,
    /// Decimals of a quantity.
    #[serde(default)]
    pub(super) lot_decimals: Option<i64>,
}

/// `GET /0/public/Ticker`, by their names in REST:
/// `{"XXBTZUSD":{"c":["64250.1","0.01"],"v":["1.5","12.5"],"p":["64100.1","64250.01"],"t":[10,76],"l":["1","1"],"h":["1","1"],"o":"1"}}`:
/// of today and of 24 hours; what it opened at, of today alone.
pub(super) type Tickers = HashMap<SmolStr, TickerInfo>;

/// One of them.
#[derive(Debug, Deserialize)]
pub(super) struct TickerInfo {
    #[serde(rename = "c")]
    pub(super) last: (Number, de::IgnoredAny),
    #[serde(rename = "v")]
    pub(super) volume: (de::IgnoredAny, Number),
    #[serde(rename = "p")]
    pub(super) average_price: (de::IgnoredAny, Number),
    #[serde(rename = "t")]
    pub(super) trades: (de::IgnoredAny, Whole),
    #[serde(rename = "l")]
    pub(super) low: (de::IgnoredAny, Perhaps),
    #[serde(rename = "h")]
    pub(super) high: (de::IgnoredAny, Perhaps),
}

/// A trade of `GET /0/public/Trades`: `["64250.10000","0.00027625",1762795433.9717445,"b","l","",10218208]`: price, volume,
/// seconds since 1970, taker's side, kind of order, remarks, number.
#[derive(Debug, Deserialize)]
pub(super) struct PastTrade(
    pub(super) Number,
    pub(super) Number,
    pub(super) Number,
    pub(super) String,
    pub(super) de::IgnoredAny,
    pub(super) de::IgnoredAny,
    pub(super) Whole,
);

/// A minute of `GET /0/public/OHLC`: `[1762777140,"106038.3","106038.3","106038.3","106038.3","106038.3","0.00032101",1]`: when it
/// opens in seconds, open, high, low, close, average price, volume, number of trades.
#[derive(Debug, Deserialize)]
pub(super) struct Candle(
    pub(super) Whole,
    pub(super) Number,
    pub(super) Number,
    pub(super) Number,
    pub(super) Number,
    pub(super) Number,
    pub(super) Number,
    pub(super) Whole,
);

/// `GET /0/public/Time`: `{"unixtime":1762820224,"rfc1123":"Tue, 11 Nov 25 00:17:04 +0000"}`
#[derive(Debug, Deserialize)]
pub(super) struct ServerTime {
    pub(super) unixtime: i64,
}

/// `{"channel":"trade","type":"update","data":[{…}]}`
#[derive(Debug, Deserialize)]
pub(super) struct Data<'a> {
    #[serde(borrow)]
    pub(super) data: Vec<&'a RawValue>,
}

/// `{"symbol":"BTC/USD","side":"buy","price":64250.1,"qty":0.0012,"ord_type":"market","trade_id":981273,"timestamp":"2026-11-20T12:00:00.123456Z"}`
#[derive(Debug, Deserialize)]
pub(super) struct Trade<'a> {
    #[serde(borrow)]
    pub(super) symbol: Cow<'a, str>,
    /// Of the taker.
    #[serde(borrow)]
    pub(super) side: Cow<'a, str>,
    pub(super) price: Number,
    pub(super) qty: Number,
    pub(super) trade_id: Whole,
    #[serde(borrow)]
    pub(super) timestamp: Cow<'a, str>,
}

/// `{"symbol":"BTC/USD","bid":64250,"bid_qty":2.5,"ask":64250.1,"ask_qty":3.2,"last":64250.01,"volume":12.5,"vwap":64250.01,
/// "low":63000,"high":65000.5,"change":250.01,"change_pct":0.39,"timestamp":"2026-11-20T12:00:00.123456Z"}`, all of 24 hours
#[derive(Debug, Deserialize)]
pub(super) struct Ticker<'a> {
    #[serde(borrow)]
    pub(super) symbol: Cow<'a, str>,
    pub(super) last: Number,
    #[serde(default)]
    pub(super) volume: Perhaps,
    #[serde(default)]
    pub(super) vwap: Perhaps,
    #[serde(default)]
    pub(super) low: Perhaps,
    #[serde(default)]
    pub(super) high: Perhaps,
    /// Of the price, in units of the quote.
    #[serde(default)]
    pub(super) change: Perhaps,
    /// Absent before 2025.
    #[serde(borrow, default)]
    pub(super) timestamp: Option<Cow<'a, str>>,
}

/// Any message, as far as it must be known to tell what it is.
#[derive(Debug, Deserialize)]
pub(super) struct Any<'a> {
    /// Where the message comes from a channel.
    #[serde(borrow, default)]
    pub(super) channel: Option<Cow<'a, str>>,
    /// Where it answers one of ours.
    #[serde(borrow, default)]
    pub(super) method: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) success: Option<bool>,
    #[serde(borrow, default)]
    pub(super) error: Option<Cow<'a, str>>,
    /// What a refused request was about.
    #[serde(borrow, default)]
    pub(super) symbol: Option<Cow<'a, str>>,
}
