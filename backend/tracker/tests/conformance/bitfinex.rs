//! Bitfinex, version 2.

use chrono::{DateTime, Utc};
use tracker::{
    exchange::{Found, Frame, Reader, UnreadableFrame},
    exchanges::{Connect as _, bitfinex::Bitfinex},
};

use crate::Venue;

/// When its streams were recorded: trades that are a day older than their receipt are left out.
const RECORDED_AT: &str = "2021-04-17T16:39:05Z";

/// Reads as it would have been read then.
struct Then(Box<dyn Reader>);

impl Reader for Then {
    fn read(&mut self, text: &str, _: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
        self.0.read(text, RECORDED_AT.parse().unwrap(), found)
    }
}

pub(crate) const VENUE: Venue = Venue {
    name: "bitfinex",
    readers: || {
        let bitfinex = Bitfinex::connect(&crate::settings().addresses.bitfinex).unwrap();
        crate::readers_of(&bitfinex).map(|reader| Box::new(Then(reader)) as Box<dyn Reader>)
    },
    is_recorded_in: |name| {
        let file = name.rsplit('/').next().unwrap_or(name);
        file.contains("bitfinex") && (file.contains(".ws.") || file.ends_with(".jsonl"))
    },
    is_foreign: |frame| {
        let is_foreign = frame.starts_with("[{") || frame.starts_with("[[");
        is_foreign.then_some("a crawler's own form, without channel numbers")
    },
    least_trades: 50,
};
