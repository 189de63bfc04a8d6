//! Binance: spot and, since their frames have the same shape, USD-M futures.

use tracker::exchanges::{Connect as _, binance::Binance};

use crate::Venue;

pub(crate) const VENUE: Venue = Venue {
    name: "binance",
    readers: || crate::readers_of(&Binance::connect(&crate::settings().addresses.binance).unwrap()),
    is_recorded_in: |name| {
        let file = name.rsplit('/').next().unwrap_or(name);
        file.contains("binance") && (file.contains(".ws.") || file.ends_with(".jsonl"))
            || (file.starts_with("btcusdt_") || file.starts_with("ethusdt_")) && file.ends_with(".gz")
    },
    is_foreign: |frame| {
        // Answers of REST and options, which the streams of spot and futures do not carry.
        let is_foreign = frame.contains("openInterest") || frame.contains("_all\"");
        is_foreign.then_some("REST and options")
    },
    least_trades: 10_000,
};
