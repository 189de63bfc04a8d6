//! Answers kept for a moment, so that a hundred people who ask the same cost one query.
//!
//! What holds: an answer is served again while it is younger than `API_CACHE_MS` and nothing was stored since it was read.
//! For [`STEADY`] after it was made it is served even so: otherwise hundreds of commits a second would undo the cache. Where
//! the live feed is down one would not hear of commits, and an answer serves for [`UNHEARD`] at most. Those who ask for
//! what is being made wait for it, as far as it would be fresh for them. Failures are never kept. Memory is bounded; what
//! is used least goes first.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use metrics::Counter;
use quick_cache::{Equivalent, Weighter, sync};
use tokio::sync::watch;

use crate::{
    Settings,
    encoding::Encoding,
    format::Format,
    kept::{Kept, Reading},
    news::News,
};

/// How long an answer serves although something was stored.
const STEADY: Duration = Duration::from_millis(50);

/// How long an answer serves where the live feed is down.
const UNHEARD: Duration = Duration::from_millis(250);

/// Answers that there is room for at first.
const EXPECTED: usize = 1_000;

/// What was asked for.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question<'a> {
    /// Path and parameters.
    pub(crate) target: Cow<'a, str>,
    pub(crate) format: Format,
    pub(crate) encoding: Encoding,
}

/// The same, as a key that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key(Question<'static>);

impl Equivalent<Key> for Question<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self == &key.0
    }
}

impl Clone for Question<'static> {
    fn clone(&self) -> Self {
        Self { target: self.target.clone(), format: self.format, encoding: self.encoding }
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Kept>> for Bytes {
    fn weight(&self, key: &Key, kept: &Arc<Kept>) -> u64 {
        (key.0.target.len() + kept.size()) as u64
    }
}

/// An answer that is being made.
struct Making {
    reading: Reading,
    outcome: watch::Receiver<Outcome>,
}

/// What became of an answer that was being made.
#[derive(Clone)]
enum Outcome {
    Unknown,
    Made(Arc<Kept>),
    Failed,
}

/// The answers.
pub(crate) struct Cache {
    kept: sync::Cache<Key, Arc<Kept>, Bytes>,
    making: Mutex<HashMap<Key, Making>>,
    fresh_for: Duration,
    news: Arc<News>,
    hits: Counter,
    misses: Counter,
    coalesced: Counter,
}

/// How a question is answered.
pub(crate) enum Turn<'a> {
    /// By this.
    Have(Arc<Kept>),
    /// The answer is to be made, and then told to the maker.
    Make(Maker<'a>),
    /// Somebody else's try has failed: each asks for himself now.
    Alone,
}

/// Whoever makes an answer for all who ask for it. Dropping it without a word lets the next one make it.
pub(crate) struct Maker<'a> {
    cache: &'a Cache,
    key: Key,
    /// What was known when it began.
    pub(crate) reading: Reading,
    tell: watch::Sender<Outcome>,
}

impl Cache {
    pub(crate) fn new(settings: &Settings, news: Arc<News>) -> Self {
        Self {
            kept: sync::Cache::with_weighter(EXPECTED, settings.api_cache_bytes, Bytes),
            making: Mutex::default(),
            fresh_for: Duration::from_millis(settings.api_cache_ms),
            news,
            hits: metrics::counter!("api_cache_hits_total"),
            misses: metrics::counter!("api_cache_misses_total"),
            coalesced: metrics::counter!("api_cache_coalesced_total"),
        }
    }

    /// Whether answers are kept at all.
    pub(crate) fn is_on(&self) -> bool {
        !self.fresh_for.is_zero()
    }

    /// What is known now, for an answer that is going to be read.
    pub(crate) fn reading(&self) -> Reading {
        Reading { began: Instant::now(), changes: self.news.changes() }
    }

    /// A fresh answer, if there is one.
    pub(crate) fn find(&self, question: &Question<'_>) -> Option<Arc<Kept>> {
        let kept = self.kept.get(question).filter(|kept| self.is_fresh(kept.reading, kept.made));
        if kept.is_some() {
            self.hits.increment(1);
        }
        kept
    }

    /// Waits for the answer if it is being made already; otherwise gives it out to be made.
    pub(crate) async fn turn(&self, question: Question<'_>) -> Turn<'_> {
        let question = Question { target: question.target.into_owned().into(), ..question };
        let key = Key(question);
        loop {
            let mut outcome = match self.begin(&key) {
                Ok(turn) => return turn,
                Err(outcome) => outcome,
            };
            // An error means that the maker gave up, and this one may become it.
            if let Ok(outcome) = outcome.wait_for(|outcome| !matches!(outcome, Outcome::Unknown)).await {
                match &*outcome {
                    Outcome::Made(kept) => {
                        self.coalesced.increment(1);
                        return Turn::Have(kept.clone());
                    }
                    Outcome::Failed => return Turn::Alone,
                    Outcome::Unknown => {}
                }
            }
        }
    }

    fn begin(&self, key: &Key) -> Result<Turn<'_>, watch::Receiver<Outcome>> {
        let mut making = self.making();
        if let Some(making) = making.get(key).filter(|making| self.is_fresh(making.reading, making.reading.began)) {
            return Err(making.outcome.clone());
        }
        // It may have been made since this one looked.
        if let Some(kept) = self.find(&key.0) {
            return Ok(Turn::Have(kept));
        }
        let (tell, outcome) = watch::channel(Outcome::Unknown);
        let reading = self.reading();
        making.insert(key.clone(), Making { reading, outcome });
        self.misses.increment(1);
        Ok(Turn::Make(Maker { cache: self, key: key.clone(), reading, tell }))
    }

    fn is_fresh(&self, reading: Reading, made: Instant) -> bool {
        let fresh_for = if self.news.connected() { self.fresh_for } else { self.fresh_for.min(UNHEARD) };
        reading.began.elapsed() < fresh_for
            && (reading.changes == self.news.changes() || made.elapsed() < STEADY.min(fresh_for))
    }

    /// How many answers are kept, and how many bytes they take.
    pub(crate) fn content(&self) -> (usize, u64) {
        (self.kept.len(), self.kept.weight())
    }

    fn making(&self) -> MutexGuard<'_, HashMap<Key, Making>> {
        // What is behind the lock is whole after every statement.
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maker<'_> {
    /// Keeps the answer and hands it to those who wait.
    pub(crate) fn made(self, kept: Arc<Kept>) {
        self.cache.kept.insert(self.key.clone(), kept.clone());
        self.tell.send_replace(Outcome::Made(kept));
    }

    /// Says that there is nothing to keep.
    pub(crate) fn failed(self) {
        self.tell.send_replace(Outcome::Failed);
    }
}

impl Drop for Maker<'_> {
    fn drop(&mut self) {
        let mut making = self.cache.making();
        // Another may have begun behind this one, when something was stored.
        if making.get(&self.key).is_some_and(|making| making.outcome.same_channel(&self.tell.subscribe())) {
            making.remove(&self.key);
        }
    }
}
