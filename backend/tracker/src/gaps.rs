//! The ledger of gaps: which trades of a pair have come, and which have not.
//!
//! An exchange that numbers a pair's trades without leaving numbers out tells by a jump exactly which of them are
//! missing. What is known is noted beside the queue: the number of a tick, and the hole before it, in the same transaction
//! as the tick; that a hole is filled, behind the ticks that fill it. So whatever is killed whenever, a trade is in the
//! queue, or in the ledger, or above the number from which the next start goes on.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use broker::Note;
use chrono::{DateTime, Utc};
use domain::{Gap, GapCause, GapState, Tick};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// So many holes are followed up at the same time; more are written down and closed as unfillable.
const MOST_HOLES: usize = 10_000;

/// The ledger of one exchange. Clones are the same ledger.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    exchange: SmolStr,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    lines: HashMap<SmolStr, Line>,
    holes: BTreeMap<(SmolStr, i64), Hole>,
}

/// How far the numbering of one pair has come.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    last_id: i64,
    last_time: DateTime<Utc>,
    /// When its last trade reached us; none came since the tracker was started.
    last_received: Option<DateTime<Utc>>,
    /// Connections lost when the last trade came.
    reconnects: u64,
}

/// A hole that is not closed, and what is left of it: ranges of numbers, both ends included, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hole {
    pub(crate) gap: Gap,
    pub(crate) left: Vec<(i64, i64)>,
}

/// A range of numbers that are missing.
struct Found<'a> {
    ticker: &'a SmolStr,
    range: (i64, i64),
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
    cause: GapCause,
}

/// What a batch of ticks taught.
#[derive(Debug, Default)]
pub struct Learned {
    /// Holes that were found.
    pub found: Vec<Gap>,
    /// How far the numbering has come, and what holes were found: goes with the ticks.
    pub notes: Vec<Note>,
    /// Holes into which late ticks fell: to be published behind the ticks.
    pub changed: Vec<Gap>,
    /// Their notes.
    pub changed_notes: Vec<Note>,
}

impl Ledger {
    /// The ledger of `exchange` as it was noted.
    pub fn new(exchange: SmolStr, notes: &[(String, String)]) -> Self {
        let mut book = Book::default();
        let (marks, holes) = (format!("mark/{exchange}/"), format!("gap/{exchange}/"));
        for (key, text) in notes {
            if let Some(ticker) = key.strip_prefix(&marks) {
                match read_mark(text) {
                    Some(line) => drop(book.lines.insert(ticker.into(), line)),
                    None => {
                        tracing::error!(key, text, "a note cannot be read; trades missing before now are not found");
                    }
                }
            } else if key.starts_with(&holes) {
                match serde_json::from_str::<Hole>(text) {
                    Ok(hole) => drop(book.holes.insert((hole.gap.ticker.clone(), hole.gap.first_trade_id), hole)),
                    Err(error) => tracing::error!(key, text, %error, "a note cannot be read; that gap is not filled"),
                }
            }
        }
        let ledger = Self(Arc::new(Inner { exchange, book: Mutex::new(book) }));
        ledger.measure(&ledger.lock());
        ledger
    }

    /// Takes note of ticks on their way to the queue. `reconnects` counts the connections lost so far; `queue_full_at` is
    /// when the queue was last full.
    pub fn observe(&self, ticks: &[Tick], reconnects: u64, queue_full_at: Option<DateTime<Utc>>) -> Learned {
        let mut learned = Learned::default();
        let mut touched: HashSet<&SmolStr> = HashSet::new();
        let mut book = self.lock();
        for tick in ticks {
            let Some(id) = tick.trade_id else { continue };
            touched.insert(&tick.ticker);
            let (time, received) = (tick.time(), tick.received_at);
            let line = Line { last_id: id, last_time: time, last_received: Some(received), reconnects };
            let Some(known) = book.lines.get(&tick.ticker).copied() else {
                book.lines.insert(tick.ticker.clone(), line);
                continue;
            };
            if id > known.last_id {
                if id > known.last_id + 1 {
                    let cause = match known.last_received {
                        None => GapCause::TrackerStopped,
                        last_received if queue_full_at > last_received => GapCause::QueueFull,
                        Some(_) if reconnects != known.reconnects => GapCause::Disconnected,
                        Some(_) => GapCause::Skipped,
                    };
                    let found = Found {
                        ticker: &tick.ticker,
                        range: (known.last_id + 1, id - 1),
                        from: known.last_time,
                        to: Some(time),
                        at: received,
                        cause,
                    };
                    self.open(&mut book, &mut learned, &found);
                }
                book.lines.insert(tick.ticker.clone(), line);
            } else if !self.arrived_late(&mut book, &mut learned, tick, id) && time > known.last_time {
                // Not a repetition: newer, with a lower number.
                tracing::warn!(exchange = %self.0.exchange, ticker = %tick.ticker, id, after = known.last_id,
                    "the exchange numbers trades anew; what is missing before this one is not known");
                metrics::counter!("gap_numberings_restarted_total", "exchange" => self.0.exchange.to_string())
                    .increment(1);
                book.lines.insert(tick.ticker.clone(), line);
            }
        }
        for ticker in touched {
            if let Some(line) = book.lines.get(ticker) {
                learned.notes.push(self.mark(ticker, *line));
            }
        }
        if !learned.found.is_empty() || !learned.changed.is_empty() {
            self.measure(&book);
        }
        learned
    }

    /// Opens what was found, as far as it is not a hole already.
    fn open(&self, book: &mut Book, learned: &mut Learned, found: &Found<'_>) {
        let Found { ticker, range, from, to, at, cause } = *found;
        let known_holes = book.holes.range((ticker.clone(), i64::MIN)..=(ticker.clone(), range.1));
        let taken: Vec<(i64, i64)> =
            known_holes.map(|(_, hole)| (hole.gap.first_trade_id, hole.gap.last_trade_id)).collect();
        for (first, last) in without(range, &taken) {
            let crowded = book.holes.len() >= MOST_HOLES;
            let gap = Gap {
                ticker: ticker.clone(),
                first_trade_id: first,
                last_trade_id: last,
                from: Some(from),
                to,
                cause,
                state: if crowded { GapState::Unfillable } else { GapState::Open },
                missing: last - first + 1,
                attempts: 0,
                detail: crowded.then(|| format!("more than {MOST_HOLES} gaps are open at the same time")),
                found_at: at,
                updated_at: at,
                revision: 1,
            };
            tracing::warn!(exchange = %self.0.exchange, ticker = %gap.ticker, first, last, missing = gap.missing,
                cause = cause.as_str(), "trades are missing");
            metrics::counter!("gaps_found_total", "exchange" => self.0.exchange.to_string(), "cause" => cause.as_str())
                .increment(1);
            if !crowded {
                let hole = Hole { gap: gap.clone(), left: vec![(first, last)] };
                learned.notes.push(self.note(&hole));
                book.holes.insert((gap.ticker.clone(), first), hole);
            }
            learned.found.push(gap);
        }
    }

    /// Whether the tick belongs into a hole. If so, the hole is smaller now.
    fn arrived_late(&self, book: &mut Book, learned: &mut Learned, tick: &Tick, id: i64) -> bool {
        let Some(key) = hole_around(book, &tick.ticker, id) else { return false };
        let Some(hole) = book.holes.get_mut(&key) else { return false };
        let before = hole.gap.missing;
        hole.fill(&[id]);
        if hole.gap.missing < before {
            hole.say(GapState::Filling, Some("came late"), tick.received_at);
            learned.changed.push(hole.gap.clone());
            learned.changed_notes.push(self.note(hole));
            if hole.gap.state.is_closed() {
                book.holes.remove(&key);
            }
        }
        // A trade of the hole that came before is a repetition, whatever its time.
        true
    }

    /// The exchange that had the missing trades is gone, and its numbers mean nothing any more. Returns the last word on
    /// every open hole, and the notes that forget everything.
    pub(crate) fn give_up(self, now: DateTime<Utc>) -> (Vec<Gap>, Vec<Note>) {
        let mut book = self.lock();
        let marks = book.lines.keys().map(|ticker| Note { text: None, ..self.mark(ticker, Line::default()) });
        let mut notes: Vec<Note> = marks.collect();
        let mut gaps = Vec::new();
        for hole in book.holes.values_mut() {
            hole.say(GapState::Unfillable, Some("the exchange that had them is gone"), now);
            notes.push(self.note(hole));
            gaps.push(hole.gap.clone());
        }
        (gaps, notes)
    }

    /// The holes that are open, newest first.
    pub(crate) fn open_holes(&self) -> Vec<Hole> {
        let mut holes: Vec<Hole> = self.lock().holes.values().cloned().collect();
        holes.sort_by_key(|hole| std::cmp::Reverse((hole.gap.found_at, hole.gap.first_trade_id)));
        holes
    }

    /// Something happened to a hole: these trades of it are in the queue, and it is said of it what `say` says. Returns
    /// what is to be published; `None` when it was closed meanwhile.
    pub(crate) fn change(&self, named: &Gap, fetched: &[i64], say: impl FnOnce(&mut Hole)) -> Option<(Gap, Note)> {
        let mut book = self.lock();
        let key = (named.ticker.clone(), named.first_trade_id);
        let hole = book.holes.get_mut(&key)?;
        hole.fill(fetched);
        say(hole);
        let told = (hole.gap.clone(), self.note(hole));
        if hole.gap.state.is_closed() {
            book.holes.remove(&key);
        }
        self.measure(&book);
        Some(told)
    }

    /// The pairs of which nothing came since `before`, with the number of their last trade. Pairs of which nothing ever
    /// came are none of them.
    pub(crate) fn silent_since(&self, before: DateTime<Utc>) -> Vec<(SmolStr, i64)> {
        let book = self.lock();
        let silent = book.lines.iter().filter(|(_, line)| line.last_received.is_none_or(|at| at < before));
        silent.map(|(ticker, line)| (ticker.clone(), line.last_id)).collect()
    }

    /// The exchange has a newer trade than the stream brought. Returns the hole, of which that trade is the last one;
    /// none when the stream has brought it meanwhile.
    pub(crate) fn is_behind(&self, ticker: &SmolStr, newest_id: i64, now: DateTime<Utc>) -> Learned {
        let mut learned = Learned::default();
        let mut book = self.lock();
        let Some(known) = book.lines.get(ticker).copied().filter(|known| newest_id > known.last_id) else {
            return learned;
        };
        let cause = if known.last_received.is_none() { GapCause::TrackerStopped } else { GapCause::Silence };
        let found =
            Found { ticker, range: (known.last_id + 1, newest_id), from: known.last_time, to: None, at: now, cause };
        self.open(&mut book, &mut learned, &found);
        let line = Line { last_id: newest_id, ..known };
        book.lines.insert(ticker.clone(), line);
        learned.notes.push(self.mark(ticker, line));
        self.measure(&book);
        learned
    }

    fn mark(&self, ticker: &SmolStr, line: Line) -> Note {
        let key = format!("mark/{}/{ticker}", self.0.exchange);
        Note { key, text: Some(format!("{} {}", line.last_id, line.last_time.timestamp_micros())) }
    }

    fn note(&self, hole: &Hole) -> Note {
        let key = format!("gap/{}/{}/{}", self.0.exchange, hole.gap.ticker, hole.gap.first_trade_id);
        let text = (!hole.gap.state.is_closed()).then(|| serde_json::to_string(hole).unwrap_or_default());
        Note { key, text }
    }

    fn measure(&self, book: &Book) {
        let exchange = self.0.exchange.to_string();
        let missing: i64 = book.holes.values().map(|hole| hole.gap.missing).sum();
        let oldest = book.holes.values().map(|hole| hole.gap.found_at).min();
        let age = oldest.map_or(0.0, |found_at| (Utc::now() - found_at).as_seconds_f64().max(0.0));
        metrics::gauge!("gaps_open", "exchange" => exchange.clone()).set(book.holes.len() as f64);
        metrics::gauge!("gaps_missing_trades", "exchange" => exchange.clone()).set(missing as f64);
        metrics::gauge!("gaps_oldest_age_seconds", "exchange" => exchange).set(age);
    }

    /// Brings the metrics up to date: the oldest hole grows older.
    pub(crate) fn measure_again(&self) {
        self.measure(&self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hole {
    /// These trades are no longer missing.
    fn fill(&mut self, ids: &[i64]) {
        let arrived: Vec<(i64, i64)> = runs(ids);
        self.left = self.left.iter().flat_map(|range| without(*range, &arrived)).collect();
        self.gap.missing = self.left.iter().map(|(first, last)| last - first + 1).sum();
    }

    /// What is to be told of it now. A hole of which nothing is left is filled, whatever was to be said.
    pub(crate) fn say(&mut self, state: GapState, detail: Option<&str>, now: DateTime<Utc>) {
        self.gap.state = if self.gap.missing == 0 { GapState::Filled } else { state };
        self.gap.detail = detail.map(str::to_owned);
        self.gap.updated_at = now;
        self.gap.revision += 1;
    }
}

fn hole_around(book: &Book, ticker: &SmolStr, id: i64) -> Option<(SmolStr, i64)> {
    let (key, hole) = book.holes.range(..=(ticker.clone(), id)).next_back()?;
    (key.0 == *ticker && id <= hole.gap.last_trade_id).then(|| key.clone())
}

/// What is left of a range without others, which are in order.
fn without(range: (i64, i64), taken: &[(i64, i64)]) -> Vec<(i64, i64)> {
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
fn runs(ids: &[i64]) -> Vec<(i64, i64)> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for id in ids {
        match runs.last_mut() {
            Some((_, last)) if id <= *last + 1 => *last = id,
            _ => runs.push((id, id)),
        }
    }
    runs
}

fn read_mark(text: &str) -> Option<Line> {
    let (id, time_us) = text.split_once(' ')?;
    let last_time = DateTime::from_timestamp_micros(time_us.parse().ok()?)?;
    Some(Line { last_id: id.parse().ok()?, last_time, last_received: None, reconnects: 0 })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    fn tick(id: i64) -> Tick {
        let time = noon() + TimeDelta::milliseconds(id);
        Tick {
            ticker: "BTCUSDT".into(),
            trade_id: Some(id),
            price: "64250.01".parse().unwrap(),
            quantity: Some("0.5".parse().unwrap()),
            taker_side: None,
            exchange_time: Some(time),
            received_at: time,
        }
    }

    fn ledger(notes: &[(String, String)]) -> Ledger {
        Ledger::new("binance".into(), notes)
    }

    /// What the notes say in the end.
    fn noted(notes: impl IntoIterator<Item = Note>, before: &[(String, String)]) -> Vec<(String, String)> {
        let mut file: BTreeMap<String, String> = before.iter().cloned().collect();
        for note in notes {
            match note.text {
                Some(text) => drop(file.insert(note.key, text)),
                None => drop(file.remove(&note.key)),
            }
        }
        file.into_iter().collect()
    }

    fn missing(ledger: &Ledger) -> BTreeSet<i64> {
        ledger.open_holes().iter().flat_map(|hole| &hole.left).flat_map(|(first, last)| *first..=*last).collect()
    }

    #[test]
    fn a_jump_names_its_cause() {
        let cause = |ledger: &Ledger, id, reconnects, full_at| {
            ledger.observe(&[tick(id)], reconnects, full_at).found.pop().map(|gap| gap.cause)
        };
        let first = ledger(&[]);
        let notes = noted(first.observe(&[tick(1)], 0, None).notes, &[]);
        assert_eq!(cause(&first, 3, 0, None), Some(GapCause::Skipped));
        assert_eq!(cause(&first, 4, 0, None), None);
        assert_eq!(cause(&first, 6, 1, None), Some(GapCause::Disconnected));
        assert_eq!(cause(&first, 8, 2, Some(tick(7).received_at)), Some(GapCause::QueueFull));
        assert_eq!(cause(&first, 10, 2, Some(tick(7).received_at)), Some(GapCause::Skipped));
        assert_eq!(cause(&ledger(&notes), 5, 0, None), Some(GapCause::TrackerStopped));
    }

    #[test]
    fn numbers_that_begin_anew_are_no_gap_and_a_repetition_is_none_either() {
        let ledger = ledger(&[]);
        ledger.observe(&[tick(1_000)], 0, None);
        assert!(ledger.observe(&[tick(1_000), tick(999)], 0, None).found.is_empty());
        let renumbered = |id| Tick { trade_id: Some(id), ..tick(2_000 + id) };
        assert!(ledger.observe(&[renumbered(1)], 0, None).found.is_empty());
        assert_eq!(ledger.observe(&[renumbered(3)], 0, None).found[0].first_trade_id, 2);
    }

    #[test]
    fn a_word_on_a_hole_that_is_closed_meanwhile_is_not_said() {
        let ledger = ledger(&[]);
        let found = ledger.observe(&[tick(1), tick(3)], 0, None).found;
        let late = ledger.observe(&[tick(2)], 0, None);
        assert_eq!((late.changed[0].state, late.changed[0].revision), (GapState::Filled, 2));
        assert_eq!(late.changed_notes[0].text, None, "a closed hole is not noted");
        assert_eq!(ledger.change(&found[0], &[2], |_| ()), None);
    }

    #[test]
    fn what_is_left_of_a_range() {
        assert_eq!(without((1, 9), &[]), [(1, 9)]);
        assert_eq!(without((1, 9), &[(3, 4), (6, 6), (9, 12)]), [(1, 2), (5, 5), (7, 8)]);
        assert_eq!(without((1, 9), &[(-5, 1), (20, 30)]), [(2, 9)]);
        assert_eq!(without((1, 9), &[(1, 9)]), []);
        assert_eq!(runs(&[3, 1, 2, 2, 7]), [(1, 3), (7, 7)]);
    }

    proptest! {
        /// Whatever is lost, doubled, late or repeated, and whenever the tracker is killed and started again with what it
        /// had noted: every number between the first and the newest was seen, or is known to be missing, and not both.
        #[test]
        fn every_number_was_seen_or_is_missing(
            arrivals in prop::collection::vec((0i64..60, prop::bool::weighted(0.1)), 1..80),
            sizes in prop::collection::vec(1usize..6, 1..80),
        ) {
            let mut ledger_now = ledger(&[]);
            let (mut file, mut seen) = (Vec::new(), BTreeSet::new());
            let mut arrivals = arrivals.as_slice();
            let start = arrivals[0].0;
            for size in sizes.into_iter().cycle() {
                if arrivals.is_empty() {
                    break;
                }
                let (batch, rest) = arrivals.split_at(size.min(arrivals.len()));
                arrivals = rest;
                let ticks: Vec<Tick> = batch.iter().map(|(id, _)| tick(*id)).collect();
                let learned = ledger_now.observe(&ticks, 0, None);
                file = noted(learned.notes.into_iter().chain(learned.changed_notes), &file);
                seen.extend(batch.iter().map(|(id, _)| *id).filter(|id| *id >= start));
                if batch.iter().any(|(_, killed)| *killed) {
                    ledger_now = ledger(&file);
                }
                let newest = seen.last().copied().unwrap_or(start);
                let missing = missing(&ledger_now);
                let expected: BTreeSet<i64> = (start..=newest).filter(|id| !seen.contains(id)).collect();
                prop_assert_eq!(missing, expected);
            }
        }
    }
}
