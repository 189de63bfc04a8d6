//! What the exchange lists, and how that changes while it runs: a pair is listed, delisted, or goes on under another name.
//!
//! A pair keeps its place among the symbols for ever, delisted or renamed, and a renamed one its trades and their numbers: who
//! asks under the new name finds the whole past, under the old one nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use rust_decimal::Decimal;
use serde::Deserialize;

use crate::{coinbase, kraken, ledger::Ledger, settings::SimulatedSymbol};

/// One listed symbol, with the names of its streams at hand.
pub(crate) struct Listed {
    pub(crate) symbol: SimulatedSymbol,
    /// The ticker as streams spell it.
    pub(crate) lower: String,
    pub(crate) trade_stream: String,
    pub(crate) agg_trade_stream: String,
    pub(crate) coinbase: coinbase::Names,
    pub(crate) kraken: kraken::Names,
    ledger: Arc<Mutex<Ledger>>,
}

impl Listed {
    pub(crate) fn new(symbol: SimulatedSymbol, ledger: Ledger) -> Self {
        Self::with(symbol, Arc::new(Mutex::new(ledger)))
    }

    fn with(symbol: SimulatedSymbol, ledger: Arc<Mutex<Ledger>>) -> Self {
        let lower = symbol.ticker.to_lowercase();
        let SimulatedSymbol { ticker, base, quote, .. } = &symbol;
        Self {
            trade_stream: format!("{lower}@trade"),
            agg_trade_stream: format!("{lower}@aggTrade"),
            coinbase: coinbase::Names::new(ticker, base, quote),
            kraken: kraken::Names::new(ticker, base, quote),
            lower,
            symbol,
            ledger,
        }
    }

    /// What it has published. Whoever reads it sees a past that will not change.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that is listed.
pub(crate) struct Listings(RwLock<State>);

struct State {
    /// Everything that was ever listed.
    places: Vec<Arc<Listed>>,
    /// Where those are that are listed now.
    by_ticker: HashMap<String, usize>,
}

/// Why the list cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// There is no such pair.
    #[error("{0:?} is not listed")]
    Unknown(String),
    /// There is one of that name.
    #[error("{0:?} is listed already")]
    Known(String),
    /// It makes no sense as a pair.
    #[error("{0}")]
    Senseless(String),
    /// Nothing would be left that trades.
    #[error("{0:?} is the last that trades, and cannot go")]
    Last(String),
    /// A replay lists what its recording holds.
    #[error("the market is a recording; what it lists cannot be changed")]
    Replay,
}

impl Listings {
    pub(crate) fn new(listed: impl Iterator<Item = Listed>) -> Self {
        let places: Vec<Arc<Listed>> = listed.map(Arc::new).collect();
        let named = |(place, listed): (usize, &Arc<Listed>)| (listed.symbol.ticker.clone(), place);
        let by_ticker = places.iter().enumerate().map(named).collect();
        Self(RwLock::new(State { places, by_ticker }))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a listed pair is.
    pub(crate) fn find(&self, ticker: &str) -> Option<usize> {
        self.read().by_ticker.get(ticker).copied()
    }

    /// What is at a place that [`find`](Self::find) or [`all`](Self::all) told.
    pub(crate) fn at(&self, place: usize) -> Arc<Listed> {
        self.read().places[place].clone()
    }

    /// Everything that is listed now, with its place, in the order of listing.
    pub(crate) fn all(&self) -> Vec<(usize, Arc<Listed>)> {
        let state = self.read();
        let mut all: Vec<_> = state.by_ticker.values().map(|place| (*place, state.places[*place].clone())).collect();
        all.sort_unstable_by_key(|(place, _)| *place);
        all
    }

    /// The first that is listed and is the one meant.
    pub(crate) fn find_by(&self, meant: impl Fn(&Listed) -> bool) -> Option<Arc<Listed>> {
        let state = self.read();
        let mut listed = state.by_ticker.values().filter(|place| meant(&state.places[**place]));
        listed.next().map(|place| state.places[*place].clone())
    }

    /// How many places there are.
    pub(crate) fn places(&self) -> usize {
        self.read().places.len()
    }

    pub(crate) fn add(&self, symbol: SimulatedSymbol, ledger: Ledger) -> Result<(), ListingError> {
        let mut state = self.write();
        if state.by_ticker.contains_key(&symbol.ticker) {
            return Err(ListingError::Known(symbol.ticker));
        }
        let place = state.places.len();
        state.by_ticker.insert(symbol.ticker.clone(), place);
        state.places.push(Arc::new(Listed::new(symbol, ledger)));
        Ok(())
    }

    /// Returns where it was.
    pub(crate) fn remove(&self, ticker: &str) -> Result<usize, ListingError> {
        let mut state = self.write();
        let place = state.by_ticker.get(ticker).copied().ok_or_else(|| ListingError::Unknown(ticker.to_owned()))?;
        let trading = state.by_ticker.values().filter(|place| state.places[**place].symbol.trading).count();
        if trading <= 1 && state.places[place].symbol.trading {
            return Err(ListingError::Last(ticker.to_owned()));
        }
        state.by_ticker.remove(ticker);
        Ok(place)
    }

    pub(crate) fn rename(&self, ticker: &str, to: &str) -> Result<(), ListingError> {
        let mut state = self.write();
        if state.by_ticker.contains_key(to) {
            return Err(ListingError::Known(to.to_owned()));
        }
        let place = state.by_ticker.remove(ticker).ok_or_else(|| ListingError::Unknown(ticker.to_owned()))?;
        state.by_ticker.insert(to.to_owned(), place);
        let old = state.places[place].clone();
        let symbol = SimulatedSymbol { ticker: to.to_owned(), ..old.symbol.clone() };
        state.places[place] = Arc::new(Listed::with(symbol, old.ledger.clone()));
        Ok(())
    }
}

/// A change as it is commanded by HTTP.
#[derive(Debug, Deserialize)]
#[serde(tag = "listing", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Command {
    Add { ticker: String, base: String, quote: String, price: Decimal },
    Remove { ticker: String },
    Rename { ticker: String, to: String },
}

/// One example of every command.
pub(crate) const EXAMPLES: [&str; 3] = [
    r#"{"listing":"add","ticker":"NEWUSDT","base":"NEW","quote":"USDT","price":"1.25"}"#,
    r#"{"listing":"remove","ticker":"NEWUSDT"}"#,
    r#"{"listing":"rename","ticker":"NEWUSDT","to":"NEWERUSDT"}"#,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::default_symbols;

    fn ledger() -> Ledger {
        Ledger::new(1, 10)
    }

    #[test]
    fn a_renamed_pair_keeps_its_place_and_its_past_and_mistakes_are_named() {
        let listings = Listings::new(default_symbols().into_iter().take(2).map(|symbol| Listed::new(symbol, ledger())));
        let step = crate::market::Step { price: Decimal::ONE, quantity: Decimal::ONE, buyer_is_maker: true };
        listings.at(1).ledger().append(step, 5);
        listings.rename("ETHUSDT", "ETH2USDT").unwrap();
        assert_eq!((listings.find("ETHUSDT"), listings.find("ETH2USDT")), (None, Some(1)));
        let renamed = listings.at(1);
        assert_eq!((renamed.trade_stream.as_str(), renamed.ledger().all().len()), ("eth2usdt@trade", 1));
        let unknown = |ticker: &str| ListingError::Unknown(ticker.to_owned());
        assert_eq!(listings.rename("ETHUSDT", "X"), Err(unknown("ETHUSDT")));
        assert_eq!(listings.rename("BTCUSDT", "ETH2USDT"), Err(ListingError::Known("ETH2USDT".to_owned())));
        assert_eq!(listings.remove("ETHUSDT"), Err(unknown("ETHUSDT")));
        assert_eq!(listings.remove("ETH2USDT"), Ok(1));
        assert_eq!(listings.remove("BTCUSDT"), Err(ListingError::Last("BTCUSDT".to_owned())));
        let again = SimulatedSymbol { ticker: "ETHUSDT".to_owned(), ..default_symbols()[1].clone() };
        listings.add(again.clone(), ledger()).unwrap();
        assert_eq!(listings.add(again, ledger()), Err(ListingError::Known("ETHUSDT".to_owned())));
        let all: Vec<_> = listings.all().into_iter().map(|(place, one)| (place, one.symbol.ticker.clone())).collect();
        assert_eq!(all, [(0, "BTCUSDT".to_owned()), (2, "ETHUSDT".to_owned())]);
    }

    #[test]
    fn every_example_is_a_command() {
        for example in EXAMPLES {
            serde_json::from_str::<Command>(example).unwrap();
        }
    }
}
