//! How much comes in per second.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

/// What the rate is the mean of.
const WINDOW: TimeDelta = TimeDelta::seconds(5);

/// Messages of the last few seconds. Holds one entry a batch, and batches come at most ten times a second.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    counts: VecDeque<(DateTime<Utc>, u64)>,
}

impl Rate {
    /// So many came at `now`.
    pub(crate) fn add(&mut self, count: u64, now: DateTime<Utc>) {
        while self.counts.front().is_some_and(|(at, _)| *at <= now - WINDOW) {
            self.counts.pop_front();
        }
        self.counts.push_back((now, count));
    }

    /// Mean of the last few seconds.
    pub(crate) fn per_second(&self, now: DateTime<Utc>) -> f64 {
        let recent = self.counts.iter().filter(|(at, _)| *at > now - WINDOW);
        let total: u64 = recent.map(|(_, count)| count).sum();
        total as f64 / WINDOW.num_seconds() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_messages_no_longer_count() {
        let start = DateTime::UNIX_EPOCH;
        let mut rate = Rate::default();
        rate.add(100, start);
        rate.add(10, start + TimeDelta::seconds(3));
        assert!((rate.per_second(start + TimeDelta::seconds(3)) - 22.0).abs() < 1e-9);
        assert!((rate.per_second(start + TimeDelta::seconds(6)) - 2.0).abs() < 1e-9);
        assert!(rate.per_second(start + TimeDelta::seconds(60)).abs() < 1e-9);
    }
}
