//! When the trades of the stream happened, to the microsecond.
//!
//! By REST the same trades are told to the second. Under another time a trade would be another trade, so what the stream has
//! brought is remembered for when it is asked for.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use smol_str::SmolStr;

use super::parse;
use crate::exchange::{Found, Frame, Reader, UnreadableFrame};

/// So many trades of a pair are remembered: those of an hour of the pair that is traded most.
const MOST: usize = 5_000;

/// The newest trades of each pair.
#[derive(Debug)]
pub(super) struct Known {
    /// What came before is not remembered.
    pub(super) since: DateTime<Utc>,
    trades: Mutex<HashMap<SmolStr, Newest>>,
}

/// Numbers and times, in the order in which they came.
type Newest = VecDeque<(i64, DateTime<Utc>)>;

impl Known {
    /// Nothing yet.
    pub(super) fn since(since: DateTime<Utc>) -> Self {
        Self { since, trades: Mutex::default() }
    }

    fn remember(&self, ticker: &SmolStr, id: i64, time: DateTime<Utc>) {
        let mut trades = self.trades.lock().unwrap_or_else(PoisonError::into_inner);
        let of_pair = trades.entry(ticker.clone()).or_default();
        if of_pair.len() >= MOST {
            of_pair.pop_front();
        }
        of_pair.push_back((id, time));
    }

    /// When the trades of a pair happened, by their numbers.
    pub(super) fn times(&self, ticker: &SmolStr) -> HashMap<i64, DateTime<Utc>> {
        let trades = self.trades.lock().unwrap_or_else(PoisonError::into_inner);
        trades.get(ticker).map(|of_pair| of_pair.iter().copied().collect()).unwrap_or_default()
    }
}

/// Reads a connection, and remembers its trades.
pub(super) struct Remembering(Arc<Known>);

impl Remembering {
    pub(super) fn new(known: Arc<Known>) -> Self {
        Self(known)
    }
}

impl Reader for Remembering {
    fn read(&mut self, text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
        let before = found.ticks.len();
        let frame = parse::frame(text, received_at, found);
        for tick in found.ticks.iter().skip(before) {
            if let (Some(id), Some(time)) = (tick.trade_id, tick.exchange_time) {
                self.0.remember(&tick.ticker, id, time);
            }
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_trades_of_each_pair_are_remembered() {
        let start: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let known = Known::since(start);
        for id in 0..=5_000 {
            known.remember(&"btcusd".into(), id, start + chrono::TimeDelta::microseconds(id));
        }
        known.remember(&"ethusd".into(), 5, start);
        let times = known.times(&"btcusd".into());
        assert_eq!((times.len(), times.get(&0)), (MOST, None));
        assert_eq!(times.get(&7), Some(&(start + chrono::TimeDelta::microseconds(7))));
        assert_eq!(known.times(&"ethusd".into()).len(), 1);
        assert!(known.times(&"ltcusd".into()).is_empty());
    }
}
