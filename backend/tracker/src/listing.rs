//! Which pairs an exchange lists, as of its last catalogue; and the wish for a newer one when it trades a pair that is not there.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

use domain::Instrument;
use smol_str::SmolStr;
use tokio::sync::Notify;

/// So many pairs that no catalogue lists are remembered.
const MOST_STRANGERS: usize = 1_000;
/// So often is a catalogue asked for because of one of them. A new pair may trade before it is listed; one that never will be
/// must not have the catalogue fetched for ever.
const MOST_ASKS: u8 = 5;

/// What one exchange lists. Clones are the same listing.
#[derive(Clone, Default)]
pub struct Listing(Arc<Inner>);

#[derive(Default)]
struct Inner {
    known: RwLock<Known>,
    wanted: Notify,
}

#[derive(Default)]
struct Known {
    listed: HashSet<SmolStr>,
    /// Pairs that were met and that no catalogue lists, and how many catalogues have come since.
    strangers: HashMap<SmolStr, u8>,
}

impl Listing {
    /// A catalogue has come.
    pub fn renew(&self, instruments: &[Instrument]) {
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        known.listed = instruments.iter().map(|instrument| instrument.ticker.clone()).collect();
        let Known { listed, strangers } = &mut *known;
        strangers.retain(|ticker, _| !listed.contains(ticker));
        strangers.values_mut().for_each(|asks| *asks = asks.saturating_add(1));
    }

    /// One more is listed.
    pub fn add(&self, ticker: SmolStr) {
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        known.strangers.remove(&ticker);
        known.listed.insert(ticker);
    }

    /// Whether a pair is listed. If not, a newer catalogue is wished for.
    pub fn lists(&self, ticker: &SmolStr) -> bool {
        {
            let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
            if known.listed.contains(ticker) {
                return true;
            }
            let asks = known.strangers.get(ticker);
            if asks.is_some_and(|asks| *asks >= MOST_ASKS) || asks.is_none() && known.strangers.len() >= MOST_STRANGERS
            {
                return false;
            }
        }
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        known.strangers.entry(ticker.clone()).or_default();
        self.0.wanted.notify_one();
        false
    }

    /// Waits until a newer catalogue is wished for.
    pub async fn wanted(&self) {
        self.0.wanted.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use domain::InstrumentStatus;
    use futures_util::FutureExt as _;

    use super::*;

    fn instruments(tickers: &[&str]) -> Vec<Instrument> {
        let instrument = |ticker: &&str| Instrument {
            ticker: (*ticker).into(),
            base: "A".into(),
            quote: "B".into(),
            status: InstrumentStatus::Trading,
            steps: domain::Steps::default(),
        };
        tickers.iter().map(instrument).collect()
    }

    fn is_wanted(listing: &Listing) -> bool {
        listing.wanted().now_or_never().is_some()
    }

    #[test]
    fn a_stranger_has_the_catalogue_asked_for_but_not_for_ever() {
        let listing = Listing::default();
        listing.renew(&instruments(&["BTCUSDT"]));
        assert!(listing.lists(&"BTCUSDT".into()) && !is_wanted(&listing));
        for _ in 0..MOST_ASKS {
            assert!(!listing.lists(&"NEWUSDT".into()) && is_wanted(&listing));
            listing.renew(&instruments(&["BTCUSDT"]));
        }
        assert!(!listing.lists(&"NEWUSDT".into()) && !is_wanted(&listing));
        listing.renew(&instruments(&["BTCUSDT", "NEWUSDT"]));
        assert!(listing.lists(&"NEWUSDT".into()));
        listing.renew(&instruments(&["BTCUSDT"]));
        assert!(!listing.lists(&"NEWUSDT".into()) && is_wanted(&listing), "delisted, it may be listed again");
    }

    #[test]
    fn strangers_are_bounded() {
        let listing = Listing::default();
        for number in 0..MOST_STRANGERS {
            listing.lists(&format!("X{number}").into());
        }
        assert!(is_wanted(&listing));
        assert!(!listing.lists(&"ONEMORE".into()) && !is_wanted(&listing));
    }
}
