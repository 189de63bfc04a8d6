//! What Bybit sends, field by field, with nothing interpreted.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use crate::wire::{Number, Perhaps, Step, Whole};

/// Any answer by REST: `{"retCode":0,"retMsg":"OK","result":{…},"retExtInfo":{},"time":1709891679050}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    pub(super) ret_code: i64,
    #[serde(default)]
    pub(super) ret_msg: String,
    #[serde(default)]
    pub(super) result: Option<Box<RawValue>>,
    /// When it was given, in milliseconds.
    #[serde(default)]
    pub(super) time: Option<i64>,
}

/// The result of most questions: `{"category":"spot","list":[…],"nextPageCursor":""}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listing {
    pub(super) list: Vec<Box<RawValue>>,
    #[serde(default)]
    pub(super) next_page_cursor: String,
}

/// `instruments-info`: `{"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT","status":"Trading",…}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    pub(super) symbol: SmolStr,
    pub(super) base_coin: SmolStr,
    pub(super) quote_coin: SmolStr,
    pub(super) status: SmolStr,
    #[serde(default)]
    pub(super) price_filter: PriceFilter,
    #[serde(default)]
    pub(super) lot_size_filter: LotSizeFilter,
}

/// `{"tickSize":"0.01"}`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PriceFilter {
    pub(super) tick_size: Step,
}

/// `{"basePrecision":"0.000001","quotePrecision":"0.00000001",…}`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LotSizeFilter {
    pub(super) base_precision: Step,
}

/// `tickers`, of which a stream has the same:
/// `{"symbol":"BTCUSDT","lastPrice":"20533.13","prevPrice24h":"20393.48","highPrice24h":"21128.12","lowPrice24h":"20318.89","turnover24h":"243765620.65","volume24h":"11801.27",…}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ticker {
    pub(super) symbol: SmolStr,
    pub(super) last_price: Perhaps,
    #[serde(default)]
    pub(super) prev_price24h: Perhaps,
    #[serde(default)]
    pub(super) high_price24h: Perhaps,
    #[serde(default)]
    pub(super) low_price24h: Perhaps,
    /// Units of the base.
    #[serde(default)]
    pub(super) volume24h: Perhaps,
    /// Units of the quote.
    #[serde(default)]
    pub(super) turnover24h: Perhaps,
}

/// `recent-trade`:
/// `{"execId":"2100000000007764263","symbol":"BTCUSDT","price":"16618.49","size":"0.00012","side":"Buy","time":"1672052955758","isBlockTrade":false}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PastTrade {
    pub(super) exec_id: SmolStr,
    pub(super) price: Number,
    pub(super) size: Number,
    pub(super) side: SmolStr,
    pub(super) time: Whole,
    #[serde(default)]
    pub(super) is_block_trade: bool,
}

/// `["1670608800000","17071","17073","17027","17055.5","268.611","4582000.5"]`: open time, open, high, low, close, volume, and
/// volume in the quote.
#[derive(Debug, Deserialize)]
pub(super) struct Kline(
    pub(super) Whole,
    pub(super) Number,
    pub(super) Number,
    pub(super) Number,
    pub(super) Number,
    pub(super) Number,
    pub(super) Number,
);

/// `{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[…]}`
#[derive(Debug, Deserialize)]
pub(super) struct Push<'a, T> {
    #[serde(borrow, rename = "topic")]
    pub(super) _topic: Cow<'a, str>,
    pub(super) data: Vec<T>,
}

/// `{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","i":"2290000000061666327","BT":false,"RPI":false,"seq":1}`
#[derive(Debug, Deserialize)]
pub(super) struct Trade<'a> {
    #[serde(rename = "T")]
    pub(super) time: Whole,
    #[serde(borrow, rename = "s")]
    pub(super) symbol: Cow<'a, str>,
    #[serde(borrow, rename = "S")]
    pub(super) side: Cow<'a, str>,
    #[serde(rename = "v")]
    pub(super) volume: Number,
    #[serde(rename = "p")]
    pub(super) price: Number,
    #[serde(borrow, rename = "i")]
    pub(super) id: Cow<'a, str>,
    #[serde(default, rename = "BT")]
    pub(super) is_block_trade: bool,
}

/// Any message, as far as it must be known to tell what it is.
#[derive(Debug, Deserialize)]
pub(super) struct Any<'a> {
    /// Absent in answers.
    #[serde(borrow, default)]
    pub(super) topic: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
    /// What is answered: `subscribe`, `ping`.
    #[serde(borrow, default)]
    pub(super) op: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) success: Option<bool>,
    #[serde(borrow, default)]
    pub(super) ret_msg: Option<Cow<'a, str>>,
}
