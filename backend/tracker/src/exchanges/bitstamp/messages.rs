//! What Bitstamp sends, field by field, with nothing interpreted.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use crate::wire::{Number, Perhaps, Whole};

/// `{"event":"bts:subscription_succeeded","channel":"live_trades_btcusd","data":{}}`,
/// `{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad subscription string."}}`,
/// `{"event":"bts:request_reconnect","channel":"","data":""}`
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) event: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) channel: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
}

/// What is said of an error. Which of these fields there are is not certain.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Mistake<'a> {
    #[serde(borrow)]
    pub(super) code: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) message: Option<Cow<'a, str>>,
}

/// A trade and where it came from, to be read in one go.
#[derive(Debug, Deserialize)]
pub(super) struct TradeMessage<'a> {
    #[serde(borrow)]
    pub(super) event: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) channel: Cow<'a, str>,
    pub(super) data: Trade,
}

/// `{"id":158457579,"timestamp":"1616297318","amount":1e-08,"amount_str":"1E-8","price":57748.8,"price_str":"57748.80","type":0,
/// "microtimestamp":"1616297318187000","buy_order_id":…,"sell_order_id":…}`
#[derive(Debug, Deserialize)]
pub(super) struct Trade {
    pub(super) id: Whole,
    #[serde(rename = "amount_str")]
    pub(super) amount: Number,
    #[serde(rename = "price_str")]
    pub(super) price: Number,
    /// 0: the taker bought; 1: the taker sold.
    #[serde(rename = "type")]
    pub(super) kind: Whole,
    #[serde(rename = "microtimestamp")]
    pub(super) time_us: Whole,
}

/// `GET /trading-pairs-info/`: `[{"name":"BTC/USD","url_symbol":"btcusd","trading":"Enabled",…}]`
#[derive(Debug, Deserialize)]
pub(super) struct Pair {
    pub(super) name: SmolStr,
    pub(super) url_symbol: SmolStr,
    pub(super) trading: String,
    /// `SPOT` or `PERPETUAL`, where it is told.
    #[serde(default)]
    pub(super) market_type: Option<String>,
    /// Decimals of a quantity.
    #[serde(default)]
    pub(super) base_decimals: Option<i64>,
    /// Decimals of a price.
    #[serde(default)]
    pub(super) counter_decimals: Option<i64>,
}

/// `GET /transactions/btcusd/?time=hour`: `[{"date":"1560481868","tid":"90574283","price":"8194.79","type":"1","amount":"0.0028"}]`
#[derive(Debug, Deserialize)]
pub(super) struct Transaction {
    pub(super) date: Whole,
    pub(super) tid: Whole,
    pub(super) price: Number,
    #[serde(rename = "type")]
    pub(super) kind: Whole,
    pub(super) amount: Number,
}

/// `GET /ohlc/btcusd/?step=60&limit=1000`: `{"data":{"pair":"BTC/USD","ohlc":[…]}}`
#[derive(Debug, Deserialize)]
pub(super) struct Candles {
    pub(super) data: CandlesOfPair,
}

#[derive(Debug, Deserialize)]
pub(super) struct CandlesOfPair {
    pub(super) ohlc: Vec<Candle>,
}

/// `{"timestamp":"1577836200","open":"7164.21","high":"7170.66","low":"7164.21","close":"7170.66","volume":"0.08549090"}`
#[derive(Debug, Deserialize)]
pub(super) struct Candle {
    pub(super) timestamp: Whole,
    pub(super) open: Number,
    pub(super) high: Number,
    pub(super) low: Number,
    pub(super) close: Number,
    pub(super) volume: Number,
}

/// `GET /ticker/`: `[{"pair":"BTC/USD","timestamp":"1643640186","open":"2211.00","high":"2811.00","low":"2188.97","last":"2211.00",
/// "volume":"213.26801100","vwap":"2189.80","bid":"2188.97","ask":"2211.00","side":"0","open_24":"2211.00",
/// "percent_change_24":"13.57"}]`
#[derive(Debug, Deserialize)]
pub(super) struct Day {
    pub(super) pair: String,
    pub(super) timestamp: Whole,
    pub(super) last: Perhaps,
    #[serde(default)]
    pub(super) open_24: Perhaps,
    #[serde(default)]
    pub(super) high: Perhaps,
    #[serde(default)]
    pub(super) low: Perhaps,
    #[serde(default)]
    pub(super) volume: Perhaps,
    #[serde(default)]
    pub(super) vwap: Perhaps,
}
