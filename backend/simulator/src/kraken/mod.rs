//! The market as Kraken spot tells it, below `/kraken`: version 2 of its WebSocket, and its REST.
//!
//! What is particular about it: numbers are JSON numbers, REST and WebSocket spell the same pair differently (`XBTUSDT` and
//! `BTC/USDT`), every symbol of a subscription is acknowledged for itself, and an error by REST has the status 200.

mod assets;
pub(crate) mod control;
pub(crate) mod frames;
pub(crate) mod rest;

use std::sync::Arc;

use crate::{kline::Kline, ledger::PublishedTrade, listings::Listed, spelling, venue::Venue};

pub(crate) const TRADE: &str = "trade";
pub(crate) const TICKER: &str = "ticker";

const PREFIX: &str = "kraken";

/// The stream of a channel of a pair, as the hub knows it.
pub(crate) fn stream_name(channel: &str, symbol: &str) -> String {
    format!("{PREFIX}/{channel}/{symbol}")
}

/// A coin as REST and the old names of pairs spell it.
pub(crate) fn old_name(coin: &str) -> &str {
    match coin {
        "BTC" => "XBT",
        "DOGE" => "XDG",
        other => other,
    }
}

/// How a pair and its streams are called.
pub(crate) struct Names {
    /// What WebSockets call it: `BTC/USDT`.
    pub(crate) symbol: String,
    /// What REST calls it: `XBTUSDT`.
    pub(crate) altname: String,
    /// What WebSockets called it before version 2: `XBT/USDT`.
    pub(crate) wsname: String,
    trade: String,
    ticker: String,
}

impl Names {
    pub(crate) fn new(ticker: &str, base: &str, quote: &str) -> Self {
        let (base, quote) = spelling::coins(ticker, base, quote);
        let symbol = format!("{base}/{quote}");
        let (old_base, old_quote) = (old_name(&base), old_name(&quote));
        Self {
            altname: format!("{old_base}{old_quote}"),
            wsname: format!("{old_base}/{old_quote}"),
            trade: stream_name(TRADE, &symbol),
            ticker: stream_name(TICKER, &symbol),
            symbol,
        }
    }
}

/// The listed pair that streams know by this name.
fn find(venue: &Venue, symbol: &str) -> Option<Arc<Listed>> {
    venue.listings.find_by(|listed| listed.kraken.symbol == symbol)
}

/// Streams a trade.
pub(crate) fn stream(venue: &Venue, listed: &Listed, trade: &PublishedTrade) {
    let names = &listed.kraken;
    venue.hub.publish(&names.trade, |_| frames::trades("update", &names.symbol, std::slice::from_ref(trade)));
    if venue.hub.listeners(&names.ticker) > 0 {
        let frame = ticker("update", venue, listed, trade);
        venue.hub.publish(&names.ticker, |_| frame.clone());
    }
}

/// The ticker as it is after this trade.
fn ticker(kind: &str, venue: &Venue, listed: &Listed, trade: &PublishedTrade) -> String {
    let now = venue.now_ms();
    let day = listed.ledger().day(now);
    // A recording may be older than a day.
    frames::ticker(kind, listed, trade, &day.unwrap_or_else(|| Kline::of(now, trade)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitcoin_and_dogecoin_have_old_names() {
        for (ticker, base, symbol, altname, wsname) in [
            ("BTCUSDT", "BTC", "BTC/USDT", "XBTUSDT", "XBT/USDT"),
            ("DOGEUSDT", "DOGE", "DOGE/USDT", "XDGUSDT", "XDG/USDT"),
            ("SOLUSDT", "SOL", "SOL/USDT", "SOLUSDT", "SOL/USDT"),
        ] {
            let names = Names::new(ticker, base, "USDT");
            assert_eq!(
                (names.symbol.as_str(), names.altname.as_str(), names.wsname.as_str()),
                (symbol, altname, wsname)
            );
        }
        assert_eq!(Names::new("ETHBTC", "ETH", "BTC").wsname, "ETH/XBT");
    }
}
