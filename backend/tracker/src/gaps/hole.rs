//! A hole that is being filled, and the arithmetic of ranges of numbers.

use chrono::{DateTime, Utc};
use domain::{Gap, GapState};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A hole that is not closed, and what is left of it: ranges of numbers, both ends included, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hole {
    pub(crate) gap: Gap,
    pub(crate) left: Vec<(i64, i64)>,
    /// Numbers for which the exchange has no trade.
    pub(crate) absent: i64,
    /// Trades that it has and that are not credible.
    pub(crate) refused: i64,
}

impl Hole {
    /// What names it.
    pub(crate) fn name(&self) -> (SmolStr, i64) {
        (self.gap.ticker.clone(), self.gap.first_trade_id)
    }

    /// The exchange was asked for a range: these trades of it are in the queue; so many it gave that are not credible; the
    /// others it does not have.
    pub(crate) fn asked(&mut self, range: (i64, i64), fetched: &[i64], refused: i64) {
        self.left = self.left.iter().flat_map(|left| without(*left, &runs(fetched))).collect();
        let arrived = self.count_left();
        self.left = self.left.iter().flat_map(|left| without(*left, &[range])).collect();
        let unfetched = arrived - self.count_left();
        let refused = refused.min(unfetched);
        self.refused += refused;
        self.absent += unfetched - refused;
        self.gap.missing = self.count_left().saturating_add(self.absent).saturating_add(self.refused);
    }

    /// The exchange told all that there was in a span of time, which holes by time have in the place of numbers.
    pub(crate) fn covered(&mut self, span: (i64, i64)) {
        self.left = self.left.iter().flat_map(|left| without(*left, &[span])).collect();
    }

    fn count_left(&self) -> i64 {
        self.left.iter().fold(0, |sum: i64, (first, last)| sum.saturating_add((last - first).saturating_add(1)))
    }

    /// What is to be told of it now. Where nothing is left to be asked for, it is closed, whatever was to be said.
    pub(crate) fn say(&mut self, state: GapState, detail: Option<&str>, now: DateTime<Utc>) {
        let (state, detail) = match (self.left.is_empty(), self.absent, self.refused) {
            (false, ..) => (state, detail.map(str::to_owned)),
            (true, 0, 0) => (GapState::Filled, None),
            (true, absent, 0) => (GapState::ConfirmedEmpty, Some(format!("the exchange has none of {absent} numbers"))),
            (true, absent, refused) => (
                GapState::Unfillable,
                Some(format!("{refused} trades are not credible, and the exchange has none of {absent} numbers")),
            ),
        };
        (self.gap.state, self.gap.detail, self.gap.updated_at) = (state, detail, now);
        self.gap.revision = self.gap.revision.saturating_add(1);
    }
}

/// What is left of a range without others, which are in order.
pub(super) fn without(range: (i64, i64), taken: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let (mut first, last) = range;
    let mut left = Vec::new();
    for (taken_first, taken_last) in taken.iter().copied() {
        if taken_last < first || taken_first > last {
            continue;
        }
        if taken_first > first {
            left.push((first, taken_first - 1));
        }
        if taken_last >= last {
            return left;
        }
        first = taken_last + 1;
    }
    left.push((first, last));
    left
}

/// Ranges of neighbouring numbers.
pub(super) fn runs(ids: &[i64]) -> Vec<(i64, i64)> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for id in ids {
        match runs.last_mut() {
            Some((_, last)) if id <= last.saturating_add(1) => *last = id,
            _ => runs.push((id, id)),
        }
    }
    runs
}
