//! The ledger of gaps: which trades of a pair have come, and which have not.
//!
//! An exchange that numbers a pair's trades without leaving numbers out tells by a jump exactly which of them are
//! missing. Of others it is only known when trades may be missing (`by_time.rs`). What is known is noted beside the queue: the number of a tick, and the hole before it, in the same transaction
//! as the tick; that a hole is filled, behind the ticks that fill it. A late tick does not make its hole smaller, since it
//! may not be on disk yet: it is asked for too, and stored once. So whatever is killed whenever, a trade is in the
//! queue, or in the ledger, or above the number from which the next start goes on.

mod by_time;
mod hole;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use broker::Note;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Gap, GapCause, GapState, Tick};
use smol_str::SmolStr;

use by_time::Seen;
pub(crate) use hole::Hole;
use hole::without;

/// So many holes are followed up at the same time; more are written down and closed as unfillable.
const MOST_HOLES: usize = 10_000;

/// A lower number this much later is no repetition.
const RENUMBERED: TimeDelta = TimeDelta::seconds(60);

/// No exchange makes so many trades of a pair between two that reach us: a number so much higher is a mistake, unless another
/// follows it.
const FARTHEST: i64 = 1_000_000_000;

/// So many holes that were closed unfilled are remembered, in case that one of their trades comes all the same.
const UNFILLED_KEPT: usize = 1_000;

/// The ledger of one exchange. Clones are the same ledger.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    exchange: SmolStr,
    /// Whether numbers do not tell what is missing, so that holes are spans of time.
    by_time: bool,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    lines: HashMap<SmolStr, Line>,
    holes: BTreeMap<(SmolStr, i64), Hole>,
    /// Holes that are perhaps not on disk yet, although their line has gone on.
    unwritten: HashSet<(SmolStr, i64)>,
    /// The newest trades of each pair, where numbers do not tell which came before.
    seen: HashMap<SmolStr, Seen>,
    /// Numbers that the exchange told of beside the trades, and when.
    heard_of: HashMap<SmolStr, (i64, DateTime<Utc>)>,
    /// The newest holes that were closed although trades were missing: pair, first and last number.
    unfilled: VecDeque<(SmolStr, i64, i64)>,
}

/// How far the numbering of one pair has come.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// Nothing is known of what was before.
    first_id: i64,
    last_id: i64,
    last_time: DateTime<Utc>,
    /// When its last trade reached us; none came since the tracker was started.
    last_received: Option<DateTime<Utc>>,
    /// Connections of its stream that were lost when the last trade came.
    losses: Option<u64>,
    /// A number that did not follow the others, and that others may follow.
    candidate: Option<i64>,
}

impl Line {
    /// Why trades before one that came now may be missing; `None` where nothing happened meanwhile.
    fn interruption(&self, losses: Option<u64>, queue_full_at: Option<DateTime<Utc>>) -> Option<GapCause> {
        match self.last_received {
            None => Some(GapCause::TrackerStopped),
            last_received if queue_full_at > last_received => Some(GapCause::QueueFull),
            Some(_) => self.losses.zip(losses).is_some_and(|(then, now)| then != now).then_some(GapCause::Disconnected),
        }
    }
}

/// A range of numbers that are missing, or of microseconds.
struct Found<'a> {
    ticker: &'a SmolStr,
    range: (i64, i64),
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
    cause: GapCause,
}

/// What ticks taught.
#[derive(Debug, Default)]
pub struct Learned {
    /// Holes that were found.
    pub found: Vec<Gap>,
    /// How far the numbering has come, and what holes were found: goes with the ticks.
    pub notes: Vec<Note>,
    /// Ticks that came before, by their places: they are not worth publishing again.
    pub repeated: Vec<usize>,
}

impl Ledger {
    /// The ledger of `exchange` as it was noted; `by_time` where numbers do not tell what is missing.
    pub fn new(exchange: SmolStr, by_time: bool, notes: &[(String, String)]) -> Self {
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
        let ledger = Self(Arc::new(Inner { exchange, by_time, book: Mutex::new(book) }));
        ledger.measure(&ledger.lock());
        ledger
    }

    /// Takes note of ticks on their way to the queue, which must take them in this order. `losses` has for each how many
    /// connections of its stream had been lost; `queue_full_at` is when the queue was last full.
    pub fn observe(&self, ticks: &[Tick], losses: &[Option<u64>], queue_full_at: Option<DateTime<Utc>>) -> Learned {
        let mut learned = Learned::default();
        let mut touched: HashSet<&SmolStr> = HashSet::new();
        let mut book = self.lock();
        for (place, tick) in ticks.iter().enumerate() {
            let losses = losses.get(place).copied().flatten();
            let Some(id) = tick.trade_id else { continue };
            if self.0.by_time {
                self.observe_by_time(&mut book, &mut learned, (place, tick, id), losses, queue_full_at);
                touched.insert(&tick.ticker);
                continue;
            }
            let (time, received) = (tick.time(), tick.received_at);
            let Some(known) = book.lines.get(&tick.ticker).copied() else {
                let line = Line {
                    first_id: id,
                    last_id: id,
                    last_time: time,
                    last_received: Some(received),
                    losses,
                    candidate: None,
                };
                book.lines.insert(tick.ticker.clone(), line);
                touched.insert(&tick.ticker);
                continue;
            };
            let received_now = Some(received);
            let line =
                Line { last_id: id, last_time: time, last_received: received_now, losses, candidate: None, ..known };
            if id > known.last_id && id - known.last_id <= FARTHEST {
                if id > known.last_id + 1 {
                    let cause = known.interruption(losses, queue_full_at).unwrap_or(GapCause::Skipped);
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
                touched.insert(&tick.ticker);
            } else if id > known.last_id || time > known.last_time + RENUMBERED {
                // Much too high a number, or a lower one that is no repetition: a mistake, or the exchange numbers anew. The
                // next one tells.
                let follows =
                    known.candidate.filter(|candidate| (1..=FARTHEST).contains(&id.saturating_sub(*candidate)));
                let Some(first_id) = follows else {
                    tracing::warn!(exchange = %self.0.exchange, ticker = %tick.ticker, id, after = known.last_id,
                        "a trade's number does not follow the others; it is not counted on unless more follow it");
                    book.lines.insert(tick.ticker.clone(), Line { candidate: Some(id), ..known });
                    continue;
                };
                tracing::warn!(exchange = %self.0.exchange, ticker = %tick.ticker, first_id, after = known.last_id,
                    "the exchange numbers trades anew; what is missing before this is not known");
                metrics::counter!("gap_numberings_restarted_total", "exchange" => self.0.exchange.to_string())
                    .increment(1);
                if id > first_id + 1 {
                    let found = Found {
                        ticker: &tick.ticker,
                        range: (first_id + 1, id - 1),
                        from: known.last_time,
                        to: Some(time),
                        at: received,
                        cause: GapCause::Skipped,
                    };
                    self.open(&mut book, &mut learned, &found);
                }
                book.lines.insert(tick.ticker.clone(), Line { first_id, candidate: None, ..line });
                touched.insert(&tick.ticker);
            } else if id >= known.first_id && time <= known.last_time && !may_be_missing(&book, &tick.ticker, id) {
                learned.repeated.push(place);
            }
        }
        for ticker in touched {
            if let Some(line) = book.lines.get(ticker).copied() {
                learned.notes.push(self.mark(ticker, line));
                // Another task has found them and is not through with telling them; neither the number nor what was traded behind
                // them must be in the queue first.
                let unwritten = book.unwritten.iter().filter(|(of, _)| of == ticker);
                for hole in unwritten.filter_map(|name| book.holes.get(name)) {
                    learned.notes.push(self.note(hole));
                    learned.found.push(hole.gap.clone());
                }
            }
        }
        if !learned.found.is_empty() {
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
                // Nobody knows how many there are in a span of time.
                missing: if self.0.by_time { 0 } else { (last - first).saturating_add(1) },
                by_time: self.0.by_time,
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
                let hole = Hole { gap: gap.clone(), left: vec![(first, last)], absent: 0, refused: 0 };
                learned.notes.push(self.note(&hole));
                book.holes.insert((gap.ticker.clone(), first), hole);
            } else {
                book.remember_unfilled(&gap);
            }
            learned.found.push(gap);
        }
    }

    /// Forgets the pairs that are not to be kept. Returns the last word on their holes, for which `reason` is given, and
    /// the notes that forget them.
    pub(crate) fn give_up(
        &self,
        keep: impl Fn(&SmolStr) -> bool,
        reason: &str,
        now: DateTime<Utc>,
    ) -> (Vec<Gap>, Vec<Note>) {
        let mut book = self.lock();
        let gone: Vec<SmolStr> = book.lines.keys().filter(|ticker| !keep(ticker)).cloned().collect();
        let mut notes: Vec<Note> = gone.iter().map(|ticker| Note { key: self.mark_key(ticker), text: None }).collect();
        book.lines.retain(|ticker, _| keep(ticker));
        let mut gaps = Vec::new();
        for hole in book.holes.values_mut().filter(|hole| !keep(&hole.gap.ticker)) {
            hole.say(GapState::Unfillable, Some(reason), now);
            notes.push(self.note(hole));
            gaps.push(hole.gap.clone());
        }
        book.holes.retain(|(ticker, _), _| keep(ticker));
        self.measure(&book);
        (gaps, notes)
    }

    /// The holes that are open, newest first.
    pub(crate) fn open_holes(&self) -> Vec<Hole> {
        let mut holes: Vec<Hole> = self.lock().holes.values().cloned().collect();
        holes.sort_by_key(|hole| std::cmp::Reverse((hole.gap.found_at, hole.gap.first_trade_id)));
        holes
    }

    /// Something happened to a hole, which `say` says of it. Returns what is to be published; `None` when it is closed.
    pub(crate) fn change(&self, name: &(SmolStr, i64), say: impl FnOnce(&mut Hole)) -> Option<(Gap, Note)> {
        let mut book = self.lock();
        let hole = book.holes.get_mut(name)?;
        say(hole);
        let told = (hole.gap.clone(), self.note(hole));
        if hole.gap.state.is_closed() {
            book.holes.remove(name);
            if told.0.missing > 0 {
                book.remember_unfilled(&told.0);
            }
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

    /// Those of the pairs of which nothing is known.
    pub(crate) fn unknown<'a>(&self, tickers: impl Iterator<Item = &'a SmolStr>) -> Vec<SmolStr> {
        let book = self.lock();
        tickers.filter(|ticker| !book.lines.contains_key(*ticker)).cloned().collect()
    }

    /// A pair of which nothing came yet: what is newer than this trade is to come. Returns what is to be noted; nothing when
    /// something has come meanwhile.
    pub(crate) fn begin(&self, ticker: &SmolStr, newest_id: i64, now: DateTime<Utc>) -> Option<Note> {
        let mut book = self.lock();
        if book.lines.contains_key(ticker) {
            return None;
        }
        let first_id = newest_id.saturating_add(1);
        let line = Line {
            first_id,
            last_id: newest_id,
            last_time: now,
            last_received: Some(now),
            losses: None,
            candidate: None,
        };
        book.lines.insert(ticker.clone(), line);
        Some(self.mark(ticker, line))
    }

    /// The exchange tells, beside the trades, of the number of a pair's newest one.
    pub(crate) fn hear_of(&self, ticker: &SmolStr, newest_id: i64, now: DateTime<Utc>) {
        let mut book = self.lock();
        let is_news = book.lines.get(ticker).is_some_and(|line| newest_id > line.last_id);
        if !is_news {
            book.heard_of.remove(ticker);
        } else if !book.heard_of.contains_key(ticker) {
            book.heard_of.insert(ticker.clone(), (newest_id, now));
        }
    }

    /// The pairs of which the exchange told before `before` that there is a trade which has not come yet, and its number.
    pub(crate) fn awaited_since(&self, before: DateTime<Utc>) -> Vec<(SmolStr, i64)> {
        let mut book = self.lock();
        let Book { lines, heard_of, .. } = &mut *book;
        heard_of.retain(|ticker, (id, _)| lines.get(ticker).is_some_and(|line| *id > line.last_id));
        let overdue = heard_of.iter().filter(|(_, (_, at))| *at < before);
        overdue.map(|(ticker, (id, _))| (ticker.clone(), *id)).collect()
    }

    /// The exchange has a newer trade than the stream brought. Returns the hole, of which that trade is the last one;
    /// none when the stream has brought it meanwhile.
    pub(crate) fn is_behind(&self, ticker: &SmolStr, newest_id: i64, now: DateTime<Utc>) -> Learned {
        let mut learned = Learned::default();
        let mut book = self.lock();
        let ahead = |known: &Line| (1..=FARTHEST).contains(&newest_id.saturating_sub(known.last_id));
        let Some(known) = book.lines.get(ticker).copied().filter(ahead) else {
            return learned;
        };
        let cause = if known.last_received.is_none() { GapCause::TrackerStopped } else { GapCause::Silence };
        let found =
            Found { ticker, range: (known.last_id + 1, newest_id), from: known.last_time, to: None, at: now, cause };
        self.open(&mut book, &mut learned, &found);
        book.unwritten.extend(learned.found.iter().map(|gap| (gap.ticker.clone(), gap.first_trade_id)));
        let line = Line { last_id: newest_id, ..known };
        book.lines.insert(ticker.clone(), line);
        learned.notes.push(self.mark(ticker, line));
        self.measure(&book);
        learned
    }

    /// What [`is_behind`](Self::is_behind) found is on disk.
    pub(crate) fn written(&self, gaps: &[Gap]) {
        let mut book = self.lock();
        for gap in gaps {
            book.unwritten.remove(&(gap.ticker.clone(), gap.first_trade_id));
        }
    }

    fn mark(&self, ticker: &SmolStr, line: Line) -> Note {
        let Line { first_id, last_id, last_time, .. } = line;
        let text = Some(format!("{first_id} {last_id} {}", last_time.timestamp_micros()));
        Note { key: self.mark_key(ticker), text }
    }

    fn mark_key(&self, ticker: &SmolStr) -> String {
        format!("mark/{}/{ticker}", self.0.exchange)
    }

    fn note(&self, hole: &Hole) -> Note {
        let key = format!("gap/{}/{}/{}", self.0.exchange, hole.gap.ticker, hole.gap.first_trade_id);
        let text = (!hole.gap.state.is_closed()).then(|| serde_json::to_string(hole).unwrap_or_default());
        Note { key, text }
    }

    fn measure(&self, book: &Book) {
        let exchange = self.0.exchange.to_string();
        let missing = book.holes.values().fold(0i64, |sum, hole| sum.saturating_add(hole.gap.missing));
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

impl Book {
    fn remember_unfilled(&mut self, gap: &Gap) {
        self.unfilled.push_back((gap.ticker.clone(), gap.first_trade_id, gap.last_trade_id));
        if self.unfilled.len() > UNFILLED_KEPT {
            self.unfilled.pop_front();
        }
    }
}

/// Whether a trade may be one that never came: it is in a hole. That the exchange was asked for it proves nothing, since what
/// it told may have been older than the trade.
fn may_be_missing(book: &Book, ticker: &SmolStr, id: i64) -> bool {
    let hole = book.holes.range(..=(ticker.clone(), id)).next_back();
    hole.is_some_and(|(name, hole)| name.0 == *ticker && id <= hole.gap.last_trade_id)
        || book.unfilled.iter().any(|(of, first, last)| of == ticker && (*first..=*last).contains(&id))
}

fn read_mark(text: &str) -> Option<Line> {
    let mut numbers = text.split(' ').map(|number| number.parse().ok());
    let (first_id, last_id, time_us) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let last_time = DateTime::from_timestamp_micros(time_us)?;
    Some(Line { first_id, last_id, last_time, last_received: None, losses: None, candidate: None })
}

#[cfg(test)]
mod tests;
