//! The protocols in which the market is told, and what differs between them as connections.
//!
//! There is one market, one ledger, one hub and one set of faults. A protocol is only how a connection is written to and
//! what it may ask, so that a trade has the same number, price and time in all of them. Binance is written by this
//! crate's own `frames`, `control` and `rest`, the others by the modules of their names.
//!
//! Streams of all protocols are in one hub. Those of Coinbase and Kraken begin with the protocol's name and a slash,
//! which no name of Binance can hold: nobody listens to a stream of another protocol.

use std::time::Duration;

use crate::{
    coinbase, control,
    frames::{self, TimeUnit},
    kraken,
    ledger::PublishedTrade,
    listings::Listed,
    venue::Venue,
};

/// How one connection is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Wrapped with the name of the stream or not, in the unit that was asked for.
    Binance { combined: bool, unit: TimeUnit },
    /// Coinbase Exchange.
    Coinbase,
    /// Kraken spot, version 2.
    Kraken,
}

impl Protocol {
    /// Binance's, as it is spoken where nothing else is asked for.
    #[cfg(test)]
    pub(crate) const RAW: Self = Self::Binance { combined: false, unit: TimeUnit::Millisecond };

    /// In how many ways the event of one stream can be written.
    pub(crate) const WAYS: usize = 4;

    /// Which of the ways of its stream this is.
    pub(crate) fn way(self) -> usize {
        match self {
            Self::Binance { combined, unit } => usize::from(combined) * 2 + usize::from(unit == TimeUnit::Microsecond),
            Self::Coinbase | Self::Kraken => 0,
        }
    }

    pub(crate) fn is_binance(self) -> bool {
        matches!(self, Self::Binance { .. })
    }

    /// Messages that a client may send in a second: requests, pings and pongs alike. Kraken tells no number.
    pub(crate) fn messages_per_second(self) -> Option<usize> {
        match self {
            Self::Binance { .. } => Some(5),
            Self::Coinbase => Some(100),
            Self::Kraken => None,
        }
    }

    /// How soon a client must have subscribed to something.
    pub(crate) fn patience(self) -> Option<Duration> {
        (self == Self::Coinbase).then_some(Duration::from_secs(5))
    }

    /// Says what is said to who has just connected.
    pub(crate) fn greet(self, venue: &Venue, client: u64) {
        if self == Self::Kraken {
            venue.hub.reply(client, kraken::frames::status("online", client));
        }
    }

    /// Carries out what a client asks and sends it the answers.
    pub(crate) fn answer(self, venue: &Venue, client: u64, text: &str) {
        match self {
            Self::Binance { .. } => venue.hub.reply(client, control::answer(&venue.hub, &venue.faults, client, text)),
            Self::Coinbase => coinbase::control::answer(venue, client, text),
            Self::Kraken => kraken::control::answer(venue, client, text),
        }
    }
}

/// Streams a trade in every protocol.
pub(crate) fn stream(venue: &Venue, listed: &Listed, trade: &PublishedTrade) {
    let ticker = &listed.symbol.ticker;
    venue.hub.publish(&listed.trade_stream, |unit| frames::trade(ticker, trade, unit));
    venue.hub.publish(&listed.agg_trade_stream, |unit| frames::agg_trade(ticker, trade, unit));
    coinbase::stream(venue, listed, trade);
    kraken::stream(venue, listed, trade);
}

/// Announces in every protocol that the server is going away. Kraken tells so by its status; Coinbase has no word for it and
/// closes its connections.
pub(crate) fn announce_shutdown(venue: &Venue) {
    let now = venue.now_ms();
    venue.hub.broadcast("!serverShutdown", |unit| frames::server_shutdown(now, unit));
    venue.hub.tell_all(Protocol::Kraken, |client| kraken::frames::status("maintenance", client));
    venue.hub.dismiss(Protocol::Coinbase);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_listens_to_a_stream_of_another_protocol() {
        for stream in [coinbase::stream_name("matches", "BTC-USDT"), kraken::stream_name("trade", "BTC/USDT")] {
            assert!(!control::is_stream_name(&stream), "{stream}");
        }
    }
}
