//! Holes of exchanges whose numbers do not tell what is missing: spans of time in which trades may be.
//!
//! Numbers that skip, that are shared by all pairs, or that are none: then a hole is the time from the last trade before an
//! interruption to the first behind it. It bears the moments in microseconds since 1970 in the place of numbers, and how many
//! trades are missing is not known. The newest trades of each pair are remembered, so that what two connections bring, or the
//! stream and a question for a hole, is published once.

use std::collections::{HashSet, VecDeque};

use super::*;

/// So many trades of a pair are remembered.
const MOST_SEEN: usize = 1_000;

/// The newest trades of a pair.
#[derive(Default)]
pub(super) struct Seen {
    ids: HashSet<i64>,
    order: VecDeque<i64>,
}

impl Seen {
    /// Whether a trade comes for the first time, as far as is remembered.
    fn is_new(&mut self, id: i64) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > MOST_SEEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

impl Ledger {
    /// One tick of those that [`observe`](Self::observe) takes note of.
    pub(super) fn observe_by_time(
        &self,
        book: &mut Book,
        learned: &mut Learned,
        (place, tick, id): (usize, &Tick, i64),
        losses: Option<u64>,
        queue_full_at: Option<DateTime<Utc>>,
    ) {
        let (time, received) = (tick.time(), tick.received_at);
        if !book.seen.entry(tick.ticker.clone()).or_default().is_new(id) {
            learned.repeated.push(place);
            return;
        }
        let Some(known) = book.lines.get(&tick.ticker).copied() else {
            let line = Line {
                first_id: 0,
                last_id: id,
                last_time: time.min(received),
                last_received: Some(received),
                losses,
                candidate: None,
            };
            book.lines.insert(tick.ticker.clone(), line);
            return;
        };
        // A queue that was full lost nothing by itself: it only tells why, where something may be missing.
        let is_interrupted = known.interruption(losses, None).is_some();
        if is_interrupted && time <= known.last_time {
            // It was before the interruption, which the next one shows.
            return;
        }
        if is_interrupted && let Some(cause) = known.interruption(losses, queue_full_at) {
            let range = (known.last_time.timestamp_micros(), time.timestamp_micros());
            let (from, to) = (known.last_time, Some(time));
            self.open(book, learned, &Found { ticker: &tick.ticker, range, from, to, at: received, cause });
        }
        // A time in the future would hide every interruption until then.
        let last_time = known.last_time.max(time.min(received));
        let last_received = Some(received);
        let line = Line { first_id: 0, last_id: id, last_time, last_received, losses, candidate: None };
        book.lines.insert(tick.ticker.clone(), line);
    }

    /// Pairs of which nothing came yet: what is traded from now on is to come.
    pub(crate) fn begin_by_time(&self, tickers: &[SmolStr], now: DateTime<Utc>) {
        let mut book = self.lock();
        for ticker in tickers {
            book.lines.entry(ticker.clone()).or_insert(Line {
                first_id: 0,
                last_id: 0,
                last_time: now,
                last_received: Some(now),
                losses: None,
                candidate: None,
            });
        }
    }

    /// Leaves those of the trades that came before, as far as is remembered, and remembers the others.
    pub(crate) fn keep_unseen(&self, ticks: &mut Vec<Tick>) {
        let mut book = self.lock();
        ticks
            .retain(|tick| tick.trade_id.is_none_or(|id| book.seen.entry(tick.ticker.clone()).or_default().is_new(id)));
    }

    /// The pairs of which nothing came since `before`, and when their last trade happened.
    pub(crate) fn quiet_since(&self, before: DateTime<Utc>) -> Vec<(SmolStr, DateTime<Utc>)> {
        let book = self.lock();
        let silent = book.lines.iter().filter(|(_, line)| line.last_received.is_none_or(|at| at < before));
        silent.map(|(ticker, line)| (ticker.clone(), line.last_time)).collect()
    }

    /// The exchange has trades up to this moment that the stream did not bring. Returns the hole; none when it has brought them
    /// meanwhile.
    pub(crate) fn is_behind_by_time(&self, ticker: &SmolStr, newest: DateTime<Utc>, now: DateTime<Utc>) -> Learned {
        let mut learned = Learned::default();
        let mut book = self.lock();
        let Some(known) = book.lines.get(ticker).copied().filter(|known| known.last_time < newest) else {
            return learned;
        };
        let cause = if known.last_received.is_none() { GapCause::TrackerStopped } else { GapCause::Silence };
        let range = (known.last_time.timestamp_micros(), newest.timestamp_micros());
        self.open(&mut book, &mut learned, &Found { ticker, range, from: known.last_time, to: None, at: now, cause });
        book.unwritten.extend(learned.found.iter().map(|gap| (gap.ticker.clone(), gap.first_trade_id)));
        let line = Line { last_time: newest, ..known };
        book.lines.insert(ticker.clone(), line);
        learned.notes.push(self.mark(ticker, line));
        self.measure(&book);
        learned
    }
}
