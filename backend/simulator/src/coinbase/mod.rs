//! The market as Coinbase Exchange tells it, below `/coinbase`.
//!
//! What is particular about it: the side of a trade is the maker's, `sequence` rises by more than one from match to match
//! because orders count too, and the heartbeat names the last trade there was, streamed or not.

pub(crate) mod control;
pub(crate) mod frames;
mod pulse;
pub(crate) mod rest;

use std::sync::Arc;

pub(crate) use pulse::Pulse;

use crate::{kline::Kline, ledger::PublishedTrade, listings::Listed, spelling, venue::Venue};

pub(crate) const TICKER: &str = "ticker";
pub(crate) const TICKER_BATCH: &str = "ticker_batch";
pub(crate) const MATCHES: &str = "matches";
pub(crate) const HEARTBEAT: &str = "heartbeat";
/// Every channel that there is.
pub(crate) const CHANNELS: [&str; 4] = [HEARTBEAT, MATCHES, TICKER, TICKER_BATCH];

const PREFIX: &str = "coinbase";

/// The stream of a channel of a product, as the hub knows it.
pub(crate) fn stream_name(channel: &str, product: &str) -> String {
    format!("{PREFIX}/{channel}/{product}")
}

/// The channel and the product of a stream of this protocol.
fn channel_and_product(stream: &str) -> Option<(&str, &str)> {
    stream.strip_prefix(PREFIX)?.strip_prefix('/')?.split_once('/')
}

/// How a pair and its busiest streams are called.
pub(crate) struct Names {
    /// `BTC-USDT`
    pub(crate) product: String,
    matches: String,
    ticker: String,
}

impl Names {
    pub(crate) fn new(ticker: &str, base: &str, quote: &str) -> Self {
        let (base, quote) = spelling::coins(ticker, base, quote);
        let product = format!("{base}-{quote}");
        Self { matches: stream_name(MATCHES, &product), ticker: stream_name(TICKER, &product), product }
    }
}

/// The listed pair of this name.
fn find(venue: &Venue, product: &str) -> Option<Arc<Listed>> {
    venue.listings.find_by(|listed| listed.coinbase.product == product)
}

/// Streams a trade.
pub(crate) fn stream(venue: &Venue, listed: &Listed, trade: &PublishedTrade) {
    let names = &listed.coinbase;
    venue.hub.publish(&names.matches, |_| frames::matched("match", &names.product, trade));
    if venue.hub.listeners(&names.ticker) > 0 {
        let frame = ticker(venue, listed, trade);
        venue.hub.publish(&names.ticker, |_| frame.clone());
    }
}

/// The ticker as it is after this trade.
fn ticker(venue: &Venue, listed: &Listed, trade: &PublishedTrade) -> String {
    let now = venue.now_ms();
    let (day, month) = {
        let ledger = listed.ledger();
        (ledger.day(now), ledger.month(now))
    };
    // A recording may be older than a day.
    let or_trade = |kline: Option<Kline>| kline.unwrap_or_else(|| Kline::of(now, trade));
    frames::ticker(listed, trade, &or_trade(day), or_trade(month).volume)
}
