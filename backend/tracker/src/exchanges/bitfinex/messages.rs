//! What Bitfinex sends, with nothing interpreted.
//!
//! Events are objects. Everything else is a list whose elements are known by their place; lists may grow at their end.

use std::borrow::Cow;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    exchange::UnreadableFrame,
    wire::{Number, Whole},
};

/// `{"event":"subscribed","channel":"trades","chanId":19111,"symbol":"tBTCUSD","pair":"BTCUSD"}`,
/// `{"event":"info","version":2,"serverId":"…","platform":{"status":1}}`, `{"event":"info","code":20051,"msg":"…"}`,
/// `{"event":"conf","status":"OK","flags":98304}`, `{"event":"error","msg":"symbol: invalid","code":10300,"symbol":"tX"}`
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    pub(super) event: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) channel: Option<Cow<'a, str>>,
    #[serde(rename = "chanId")]
    pub(super) channel_id: Option<i64>,
    #[serde(borrow)]
    pub(super) symbol: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) msg: Option<Cow<'a, str>>,
    pub(super) code: Option<i64>,
    #[serde(borrow)]
    pub(super) status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) version: Option<&'a RawValue>,
    pub(super) platform: Option<Platform>,
}

/// `{"status":1}`: at work; 0: in maintenance.
#[derive(Debug, Deserialize)]
pub(super) struct Platform {
    pub(super) status: i64,
}

/// A list, of which elements are asked for by their place.
pub(super) struct List<'a>(Vec<&'a RawValue>);

impl<'a> List<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, UnreadableFrame> {
        Ok(Self(serde_json::from_str(text)?))
    }

    /// What stands at a place, as JSON.
    pub(super) fn raw(&self, place: usize) -> Option<&'a str> {
        self.0.get(place).map(|raw| raw.get())
    }

    /// What stands at a place, which has a name.
    pub(super) fn get<T: DeserializeOwned>(&self, place: usize, name: &str) -> Result<T, UnreadableFrame> {
        let raw = self.raw(place).ok_or_else(|| UnreadableFrame::new(format!("{name} is missing")))?;
        serde_json::from_str(raw).map_err(|error| UnreadableFrame::new(format!("{name}: {error}")))
    }

    /// What stands from a place on.
    pub(super) fn behind(&self, place: usize) -> impl Iterator<Item = &'a str> {
        self.0.iter().skip(place).map(|raw| raw.get())
    }
}

/// `[ID, MTS, AMOUNT, PRICE]`, of a stream and of `GET /trades/t…/hist`
pub(super) struct Trade {
    pub(super) id: i64,
    pub(super) time_ms: i64,
    pub(super) amount: Number,
    pub(super) price: Number,
}

impl Trade {
    pub(super) fn parse(text: &str) -> Result<Self, UnreadableFrame> {
        let list = List::parse(text)?;
        let Whole(id) = list.get(0, "ID")?;
        let Whole(time_ms) = list.get(1, "MTS")?;
        Ok(Self { id, time_ms, amount: list.get(2, "AMOUNT")?, price: list.get(3, "PRICE")? })
    }
}

/// `[MTS, OPEN, CLOSE, HIGH, LOW, VOLUME]`, of `GET /candles/trade:1m:t…/hist`
pub(super) struct Candle {
    pub(super) time_ms: i64,
    pub(super) open: Number,
    pub(super) close: Number,
    pub(super) high: Number,
    pub(super) low: Number,
    pub(super) volume: Number,
}

impl Candle {
    pub(super) fn parse(text: &str) -> Result<Self, UnreadableFrame> {
        let list = List::parse(text)?;
        let Whole(time_ms) = list.get(0, "MTS")?;
        Ok(Self {
            time_ms,
            open: list.get(1, "OPEN")?,
            close: list.get(2, "CLOSE")?,
            high: list.get(3, "HIGH")?,
            low: list.get(4, "LOW")?,
            volume: list.get(5, "VOLUME")?,
        })
    }
}
