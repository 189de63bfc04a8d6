//! Named lists of tickers. The favourites are the first of them and always there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::state::TickerKey;

/// The list that is always there.
pub(crate) const FAVOURITES: &str = "Favourites";

/// All lists, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Lists(BTreeMap<String, Vec<TickerKey>>);

impl Lists {
    /// Their names, the favourites first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(FAVOURITES).chain(self.0.keys().map(String::as_str).filter(|name| *name != FAVOURITES))
    }

    /// What is in the list.
    pub(crate) fn tickers(&self, name: &str) -> BTreeSet<TickerKey> {
        self.0.get(name).into_iter().flatten().cloned().collect()
    }

    /// Whether the list has the ticker.
    pub(crate) fn has(&self, name: &str, ticker: &TickerKey) -> bool {
        self.0.get(name).is_some_and(|list| list.contains(ticker))
    }

    /// Puts the ticker into the list, or takes it out; a list that is not there begins with it.
    pub(crate) fn turn(&mut self, name: &str, ticker: &TickerKey) {
        let list = self.0.entry(name.to_owned()).or_default();
        match list.iter().position(|known| known == ticker) {
            Some(place) => {
                list.remove(place);
            }
            None => list.push(ticker.clone()),
        }
    }

    /// Takes the list away; the favourites only become empty.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticker_is_put_in_and_taken_out_and_the_favourites_come_first() {
        let mut lists = Lists::default();
        let (btc, eth) = (TickerKey::new("binance", "BTCUSDT"), TickerKey::new("binance", "ETHUSDT"));
        lists.turn("A list", &btc);
        lists.turn(FAVOURITES, &btc);
        lists.turn(FAVOURITES, &eth);
        assert_eq!(lists.names().collect::<Vec<_>>(), [FAVOURITES, "A list"]);
        assert_eq!(lists.tickers(FAVOURITES).len(), 2);
        lists.turn(FAVOURITES, &btc);
        assert!(!lists.has(FAVOURITES, &btc) && lists.has("A list", &btc));
        lists.remove("A list");
        lists.remove(FAVOURITES);
        assert_eq!(lists.names().collect::<Vec<_>>(), [FAVOURITES]);
        assert!(lists.tickers(FAVOURITES).is_empty());
    }
}
