//! The newest word about each pair, until it goes out.
//!
//! Bounded by what the exchange lists: a pair that no catalogue lists is left out, since it could not be stored.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{MarketRow, market::MOST_ROWS};
use rust_decimal::Decimal;
use smol_str::SmolStr;
use tokio::{sync::Notify, time::Instant};

use crate::{inspect::Inspector, listing::Listing};

/// What was told last of one exchange's pairs. Clones are the same.
#[derive(Clone)]
pub struct Latest(Arc<Inner>);

struct Inner {
    exchange: SmolStr,
    listing: Listing,
    inspector: Inspector,
    state: Mutex<State>,
    arrived: Notify,
}

struct State {
    /// What was not yet sent.
    waiting: BTreeMap<SmolStr, MarketRow>,
    /// The last price of every pair that was told of.
    prices: HashMap<SmolStr, Decimal>,
    /// When the stream last brought something.
    heard_at: Instant,
}

impl Latest {
    /// Takes in what the listing lists.
    pub fn new(exchange: SmolStr, listing: Listing) -> Self {
        let state = State { waiting: BTreeMap::new(), prices: HashMap::new(), heard_at: Instant::now() };
        Self(Arc::new(Inner {
            inspector: Inspector::of_market(exchange.clone()),
            exchange,
            listing,
            state: Mutex::new(state),
            arrived: Notify::new(),
        }))
    }

    /// Takes in what is credible and listed, and of each pair the newest. The rest is counted.
    pub fn take_in(&self, rows: Vec<MarketRow>) {
        let Inner { exchange, listing, inspector, .. } = &*self.0;
        let (mut unlisted, mut replaced) = (0, 0);
        let mut state = self.lock();
        for row in rows {
            if !inspector.passes_row(&row) {
                continue;
            }
            if !listing.lists(&row.ticker) {
                unlisted += 1;
                continue;
            }
            // Who asks may be told less than the stream told of the same price.
            if row.open_24h.is_none() && state.prices.get(&row.ticker) == Some(&row.price) {
                continue;
            }
            let waiting = state.waiting.get(&row.ticker);
            replaced += u64::from(waiting.is_some());
            if waiting.is_none_or(|waiting| waiting.time() <= row.time()) {
                state.prices.insert(row.ticker.clone(), row.price);
                state.waiting.insert(row.ticker.clone(), row);
            }
        }
        drop(state);
        let count =
            |name: &'static str, count| metrics::counter!(name, "exchange" => exchange.to_string()).increment(count);
        count("market_rows_unlisted_total", unlisted);
        count("market_rows_replaced_total", replaced);
        self.0.arrived.notify_one();
    }

    /// Waits until something was taken in.
    pub async fn is_new(&self) {
        self.0.arrived.notified().await;
    }

    /// What was not yet sent, in the order of tickers; not more than a message holds.
    pub fn take(&self) -> Vec<MarketRow> {
        let mut state = self.lock();
        let rest = state.waiting.keys().nth(MOST_ROWS).cloned().map(|first| state.waiting.split_off(&first));
        let taken = std::mem::replace(&mut state.waiting, rest.unwrap_or_default());
        if !state.waiting.is_empty() {
            self.0.arrived.notify_one();
        }
        taken.into_values().collect()
    }

    /// Every pair that was ever told of, with something traded in the last 24 hours then.
    pub fn met(&self) -> Vec<SmolStr> {
        self.lock().prices.keys().cloned().collect()
    }

    /// How many these are.
    pub fn met_count(&self) -> usize {
        self.lock().prices.len()
    }

    /// The stream has brought something.
    pub fn heard(&self) {
        self.lock().heard_at = Instant::now();
    }

    /// How long the stream has brought nothing.
    pub fn quiet_for(&self) -> Duration {
        self.lock().heard_at.elapsed()
    }

    /// Whether these tell a price of a pair that is none that was told before: then it was traded, and nobody said so.
    pub fn contradicts(&self, rows: &[MarketRow]) -> bool {
        let state = self.lock();
        rows.iter().any(|row| state.prices.get(&row.ticker).is_some_and(|price| *price != row.price))
    }

    /// A message was unreadable.
    pub(super) fn unreadable(&self, reason: &dyn std::fmt::Display, text: &str) {
        self.0.inspector.unreadable(reason, text);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use domain::{Instrument, InstrumentStatus};
    use proptest::prelude::*;

    use super::*;

    fn latest(tickers: &[&str]) -> Latest {
        let instrument = |ticker: &&str| Instrument {
            ticker: (*ticker).into(),
            base: "A".into(),
            quote: "B".into(),
            status: InstrumentStatus::Trading,
            steps: domain::Steps::default(),
        };
        let listing = Listing::default();
        listing.renew(&tickers.iter().map(instrument).collect::<Vec<_>>());
        Latest::new("binance".into(), listing)
    }

    fn row(ticker: &str, price: i64, age_ms: i64) -> MarketRow {
        let now = Utc::now();
        let (open_24h, high_24h, low_24h, volume_24h, quote_volume_24h) = Default::default();
        let (price, exchange_time) = (Decimal::from(price), Some(now - TimeDelta::milliseconds(age_ms)));
        let ticker = ticker.into();
        MarketRow {
            ticker,
            price,
            open_24h,
            high_24h,
            low_24h,
            volume_24h,
            quote_volume_24h,
            exchange_time,
            received_at: now,
        }
    }

    #[test]
    fn only_listed_and_credible_pairs_are_taken_in_and_each_goes_out_once() {
        let latest = latest(&["A", "B"]);
        latest.take_in(vec![row("B", 2, 0), row("A", 0, 0), row("C", 3, 0), row("A", 1, 0)]);
        let taken = latest.take();
        assert_eq!(taken.iter().map(|row| row.ticker.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(latest.take(), []);
        let same = [row("A", 1, 0), row("C", 9, 0)];
        assert!(!latest.contradicts(&same) && latest.contradicts(&[row("B", 3, 0)]));
        let mut met = latest.met();
        met.sort();
        assert_eq!(met, ["A", "B"]);
    }

    #[test]
    fn a_message_holds_a_bounded_number_of_pairs_and_the_next_one_the_rest() {
        let tickers: Vec<String> = (0..MOST_ROWS + 2).map(|number| format!("C{number}")).collect();
        let latest = latest(&tickers.iter().map(String::as_str).collect::<Vec<_>>());
        latest.take_in(tickers.iter().map(|ticker| row(ticker, 1, 0)).collect());
        assert_eq!([latest.take().len(), latest.take().len(), latest.take().len()], [MOST_ROWS, 2, 0]);
    }

    proptest! {
        #[test]
        fn whatever_order_it_comes_in_the_newest_word_about_each_pair_goes_out(
            words in prop::collection::vec((0usize..3, 1i64..1_000_000), 1..60),
        ) {
            let latest = latest(&["A", "B", "C"]);
            let words: Vec<MarketRow> = words.iter().map(|(pair, age_ms)| row(["A", "B", "C"][*pair], *age_ms, *age_ms)).collect();
            latest.take_in(words.clone());
            let taken = latest.take();
            for pair in ["A", "B", "C"] {
                let newest = words.iter().filter(|word| word.ticker == pair).map(MarketRow::time).max();
                prop_assert_eq!(taken.iter().find(|row| row.ticker == pair).map(MarketRow::time), newest);
            }
        }
    }
}
