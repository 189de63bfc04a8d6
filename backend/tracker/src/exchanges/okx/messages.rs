//! What OKX sends, field by field, with nothing interpreted. Nearly everything is a string, and may be the empty one.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use crate::wire::{Number, Perhaps, Step, Whole};

/// Any answer by REST: `{"code":"0","msg":"","data":[…]}`
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) code: SmolStr,
    #[serde(default)]
    pub(super) msg: String,
    #[serde(default)]
    pub(super) data: Option<Box<RawValue>>,
}

/// `public/instruments`: `{"instType":"SPOT","instId":"BTC-USDT","baseCcy":"BTC","quoteCcy":"USDT","state":"live",…}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    pub(super) inst_type: SmolStr,
    pub(super) inst_id: SmolStr,
    pub(super) base_ccy: SmolStr,
    pub(super) quote_ccy: SmolStr,
    pub(super) state: SmolStr,
    #[serde(default)]
    pub(super) tick_sz: Step,
    #[serde(default)]
    pub(super) lot_sz: Step,
}

/// `public/time`: `{"ts":"1597026383085"}`
#[derive(Debug, Deserialize)]
pub(super) struct ServerTime {
    pub(super) ts: Whole,
}

/// `market/tickers`, and the channel `tickers`:
/// `{"instType":"SPOT","instId":"BTC-USDT","last":"9999.99","open24h":"9000","high24h":"10000","low24h":"8888.88","volCcy24h":"2222","vol24h":"0.2","ts":"1597026383085",…}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ticker {
    pub(super) inst_id: SmolStr,
    pub(super) last: Perhaps,
    #[serde(default, rename = "open24h")]
    pub(super) open_24h: Perhaps,
    #[serde(default, rename = "high24h")]
    pub(super) high_24h: Perhaps,
    #[serde(default, rename = "low24h")]
    pub(super) low_24h: Perhaps,
    /// On spot, units of the base.
    #[serde(default, rename = "vol24h")]
    pub(super) volume_24h: Perhaps,
    /// On spot, units of the quote.
    #[serde(default, rename = "volCcy24h")]
    pub(super) quote_volume_24h: Perhaps,
    pub(super) ts: Whole,
}

/// A trade, of the channels `trades-all` and `trades` and of `market/history-trades`:
/// `{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3"}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trade<'a> {
    #[serde(borrow)]
    pub(super) inst_id: Cow<'a, str>,
    pub(super) trade_id: Whole,
    pub(super) px: Number,
    pub(super) sz: Number,
    #[serde(borrow)]
    pub(super) side: Cow<'a, str>,
    pub(super) ts: Whole,
}

/// `["1747094040000","102806.1","102820.4","102806.1","102820.4","1040.37","10.4037","1069603.34883","1"]`: open time, open,
/// high, low, close, volume, volume in the other currency, volume in the quote, and whether the minute is over.
pub(super) type Candle = Vec<String>;

/// `{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[…]}`
#[derive(Debug, Deserialize)]
pub(super) struct Push<'a, T> {
    #[serde(borrow, rename = "arg")]
    pub(super) _arg: Arg<'a>,
    pub(super) data: Vec<T>,
}

/// What was subscribed to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Arg<'a> {
    #[serde(borrow)]
    pub(super) channel: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) inst_id: Option<Cow<'a, str>>,
}

/// Any message, as far as it must be known to tell what it is.
#[derive(Debug, Deserialize)]
pub(super) struct Any<'a> {
    /// `subscribe`, `error`, `notice`; absent in what a channel brings.
    #[serde(borrow, default)]
    pub(super) event: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) arg: Option<Arg<'a>>,
    #[serde(borrow, default)]
    pub(super) code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) msg: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
}
