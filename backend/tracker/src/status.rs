//! How one exchange's feed does: gathered from its connections, told to whoever listens.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use broker::{Message, Publisher};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{FeedState, FeedStatus};
use process::{Check, Shutdown};
use smol_str::SmolStr;
use tokio::sync::Notify;

/// How often the state is told when it does not change.
const TELL_EVERY: Duration = Duration::from_secs(3);
/// The time of which ticks are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// So many counts are remembered; a feed that changes its state all the time tells of a shorter time.
const MOST_COUNTS: usize = 256;
/// How long the exchange's clock is waited for.
const CLOCK_PATIENCE: Duration = Duration::from_secs(60);

/// The state of one feed. Clones are the same board.
#[derive(Clone)]
pub struct Board(Arc<Inner>);

struct Inner {
    exchange: SmolStr,
    states: Mutex<States>,
    ticks: AtomicU64,
    rejected: AtomicU64,
    reconnects: AtomicU64,
    last_tick_us: AtomicI64,
    changed: Notify,
}

struct States {
    /// The stream's connections, by number.
    connections: BTreeMap<usize, Said>,
    /// When prices were last had by REST.
    polled_at: Option<DateTime<Utc>>,
    /// How far the exchange's clock is ahead of ours.
    clock_ahead_ms: Option<i64>,
    /// How many ticks had come at moments of the last minute, the oldest first.
    counts: VecDeque<(Instant, u64)>,
    /// What was last told, and since when it has been so.
    told: FeedState,
    since: DateTime<Utc>,
}

/// What one connection said of itself.
#[derive(Clone)]
struct Said {
    state: FeedState,
    detail: Option<String>,
    next_try_at: Option<DateTime<Utc>>,
}

impl Board {
    /// A feed that is connecting.
    pub fn new(exchange: SmolStr) -> Self {
        let states = States {
            connections: BTreeMap::new(),
            polled_at: None,
            clock_ahead_ms: None,
            counts: VecDeque::new(),
            told: FeedState::Connecting,
            since: Utc::now(),
        };
        Self(Arc::new(Inner {
            exchange,
            states: Mutex::new(states),
            ticks: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            last_tick_us: AtomicI64::new(0),
            changed: Notify::new(),
        }))
    }

    /// A connection is being made. Why the last one ended is said until this one delivers.
    pub fn connecting(&self, connection: usize) {
        let detail = self.lock().connections.get(&connection).and_then(|said| said.detail.clone());
        self.say(connection, FeedState::Connecting, detail, None);
    }

    /// A connection delivers.
    pub fn streaming(&self, connection: usize) {
        self.say(connection, FeedState::Streaming, None, None);
    }

    /// A connection that was not lost before is acknowledged: of quiet pairs nothing more may come for long. One that was has to show
    /// that it delivers.
    pub fn acknowledged(&self, connection: usize) {
        let was_lost = self.lock().connections.get(&connection).is_some_and(|said| said.detail.is_some());
        if !was_lost {
            self.streaming(connection);
        }
    }

    /// A connection does not deliver, and is tried again after `delay`.
    pub fn waiting(&self, connection: usize, detail: String, delay: Duration) {
        let next_try_at = TimeDelta::from_std(delay).ok().map(|delay| Utc::now() + delay);
        self.say(connection, FeedState::Waiting, Some(detail), next_try_at);
    }

    /// A connection was lost.
    pub fn reconnects(&self) {
        self.0.reconnects.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("feed_reconnects_total", "exchange" => self.0.exchange.to_string()).increment(1);
    }

    /// The exchange's clock was compared with ours.
    pub fn clock(&self, ahead_ms: i64) {
        self.lock().clock_ahead_ms = Some(ahead_ms);
        metrics::gauge!("feed_clock_ahead_seconds", "exchange" => self.0.exchange.to_string())
            .set(ahead_ms as f64 / 1_000.0);
    }

    /// How far the exchange's clock is ahead of ours, once that is known.
    pub fn clock_ahead(&self) -> Option<TimeDelta> {
        self.lock().clock_ahead_ms.and_then(TimeDelta::try_milliseconds)
    }

    /// What time it is here and there alike, as far as that is known: what is over then is over by both clocks.
    pub fn both_clocks(&self) -> DateTime<Utc> {
        let here = Utc::now();
        let there = self.clock_ahead().and_then(|ahead| here.checked_add_signed(ahead));
        there.map_or(here, |there| here.min(there))
    }

    /// Whether something is over there is not known before the exchange's clock was read; one that is not told is not waited for.
    pub async fn wait_for_the_clock(&self) {
        let told = async {
            while self.clock_ahead().is_none() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        // Either way it goes on.
        let _ = tokio::time::timeout(CLOCK_PATIENCE, told).await;
    }

    /// Connections lost so far.
    pub fn lost(&self) -> u64 {
        self.0.reconnects.load(Ordering::Relaxed)
    }

    /// Prices were had by REST. Without a stream, that is all there is to say.
    pub fn polled(&self, without_stream: bool) {
        let mut states = self.lock();
        states.polled_at = Some(Utc::now());
        if without_stream {
            states.connections.clear();
        }
        drop(states);
        self.0.changed.notify_one();
    }

    /// The feed has ended.
    pub fn stopped(&self) {
        let mut states = self.lock();
        states.connections.clear();
        states.polled_at = None;
        states.connections.insert(0, Said { state: FeedState::Stopped, detail: None, next_try_at: None });
    }

    /// Valid and refused ticks have come.
    pub fn count(&self, valid: u64, rejected: u64) {
        self.0.rejected.fetch_add(rejected, Ordering::Relaxed);
        if valid > 0 {
            self.0.ticks.fetch_add(valid, Ordering::Relaxed);
            self.0.last_tick_us.store(Utc::now().timestamp_micros(), Ordering::Relaxed);
            metrics::counter!("ticks_received_total", "exchange" => self.0.exchange.to_string()).increment(valid);
        }
    }

    /// There are only so many connections from now on.
    pub fn keep(&self, count: usize) {
        self.lock().connections.retain(|number, _| *number < count);
    }

    /// Whether every connection of the stream delivers.
    pub fn is_streaming(&self) -> bool {
        let states = self.lock();
        !states.connections.is_empty() && states.connections.values().all(|said| said.state == FeedState::Streaming)
    }

    /// The feed as a whole: as its worst connection, unless prices come by REST instead.
    pub fn status(&self, polling_is_fresh_for: TimeDelta) -> FeedStatus {
        let now = Utc::now();
        let mut states = self.lock();
        let worst = states.connections.values().max_by_key(|said| rank(said.state)).cloned();
        let mut said = worst.unwrap_or(Said { state: FeedState::Connecting, detail: None, next_try_at: None });
        let polls = states.polled_at.is_some_and(|at| now - at < polling_is_fresh_for);
        if polls && matches!(said.state, FeedState::Waiting | FeedState::Connecting) {
            said.state = FeedState::Polling;
        }
        if said.state != states.told {
            states.told = said.state;
            states.since = now;
        }
        let ticks = self.0.ticks.load(Ordering::Relaxed);
        let before = states.count(ticks);
        let last_tick_us = self.0.last_tick_us.load(Ordering::Relaxed);
        FeedStatus {
            exchange: self.0.exchange.clone(),
            state: said.state,
            since: states.since,
            reported_at: now,
            detail: said.detail,
            next_try_at: said.next_try_at,
            last_tick_at: (last_tick_us > 0).then(|| DateTime::from_timestamp_micros(last_tick_us)).flatten(),
            reconnects: self.0.reconnects.load(Ordering::Relaxed),
            ticks,
            ticks_last_minute: ticks - before,
            rejected: self.0.rejected.load(Ordering::Relaxed),
            clock_ahead_ms: states.clock_ahead_ms,
            queued: None,
        }
    }

    /// Tells the state at every change and every few seconds, until asked to stop.
    pub async fn tell(self, publisher: Publisher, check: Check, polling_is_fresh_for: TimeDelta, shutdown: Shutdown) {
        loop {
            let status = self.status(polling_is_fresh_for);
            match status.state {
                FeedState::Streaming | FeedState::Polling => check.ok(),
                state => check.failed(status.detail.as_deref().unwrap_or(state.as_str())),
            }
            publisher.announce(Message::Feed(FeedStatus { queued: Some(publisher.queue().len()), ..status }));
            tokio::select! {
                () = self.0.changed.notified() => {}
                () = tokio::time::sleep(TELL_EVERY) => {}
                () = shutdown.cancelled() => break,
            }
        }
        self.stopped();
        publisher.announce(Message::Feed(self.status(polling_is_fresh_for)));
    }

    fn say(&self, connection: usize, state: FeedState, detail: Option<String>, next_try_at: Option<DateTime<Utc>>) {
        self.lock().connections.insert(connection, Said { state, detail, next_try_at });
        self.0.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, States> {
        self.0.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl States {
    /// Takes note that so many ticks have come. Returns how many had a minute ago, or as long ago as is known.
    fn count(&mut self, ticks: u64) -> u64 {
        let now = Instant::now();
        self.counts.push_back((now, ticks));
        // One from before the minute stays in front; told so often, there are not many.
        while self.counts.get(1).is_some_and(|(at, _)| now - *at >= MINUTE) {
            self.counts.pop_front();
        }
        if self.counts.len() > MOST_COUNTS {
            self.counts.pop_front();
        }
        self.counts.front().map_or(0, |(_, count)| *count)
    }
}

/// The worse, the higher.
fn rank(state: FeedState) -> u8 {
    match state {
        FeedState::Streaming | FeedState::Polling => 0,
        FeedState::Connecting => 1,
        FeedState::Waiting => 2,
        FeedState::Stopped => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feed_is_as_its_worst_connection_unless_prices_come_by_rest() {
        let board = Board::new("binance".into());
        let fresh = TimeDelta::seconds(30);
        assert!(!board.is_streaming());
        assert_eq!(board.status(fresh).state, FeedState::Connecting);
        board.streaming(0);
        board.waiting(1, "connection refused".to_owned(), Duration::from_secs(5));
        assert!(!board.is_streaming());
        let status = board.status(fresh);
        assert_eq!((status.state, status.detail.as_deref()), (FeedState::Waiting, Some("connection refused")));
        assert!(status.next_try_at.is_some());
        board.polled(false);
        let status = board.status(fresh);
        assert_eq!((status.state, status.detail.as_deref()), (FeedState::Polling, Some("connection refused")));
        board.streaming(1);
        assert!(board.is_streaming());
        let status = board.status(fresh);
        assert_eq!((status.state, status.detail), (FeedState::Streaming, None));
    }
}
