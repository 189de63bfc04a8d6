//! What is known in memory: which messages wait, which are out, how full the queue is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::{
    Entry, LocalQueueError,
    store::{Found, Store},
};

/// How many bytes of waiting messages are kept in memory; the rest is read from the file when its turn comes.
const MEMORY_BYTES: usize = 4 << 20;
/// How many messages are read from the file at once.
const READ_AHEAD: usize = 32;

pub(super) struct Window {
    state: Mutex<State>,
    /// One consumer at a time looks for the next message, so that the file is not read twice.
    turn: tokio::sync::Mutex<()>,
    arrived: Notify,
    room: Notify,
    max_bytes: u64,
    /// When publishers last had to wait, since it was full or the disk refused, in microseconds since 1970; 0 for never.
    full_at_us: AtomicI64,
    /// What the disk said, as long as it refuses.
    failure: Mutex<Option<String>>,
}

struct State {
    /// Number of the next message that was not delivered since the queue was opened.
    next: u64,
    /// One more than the number of the newest message on disk.
    end: u64,
    /// Messages below were there when the queue was opened, and may have been delivered before.
    opened_at: u64,
    /// Messages that were given back.
    again: BTreeSet<u64>,
    /// Waiting messages in memory.
    memory: BTreeMap<u64, Entry>,
    memory_bytes: usize,
    messages: u64,
    bytes: u64,
}

/// Where the next message is.
enum Place {
    Here(Entry, bool),
    /// At or after `from`, below `end`.
    OnDisk {
        from: u64,
        end: u64,
        again: bool,
    },
    Nowhere,
}

impl Window {
    pub(super) fn new(found: &Found, max_bytes: u64) -> Self {
        let state = State {
            next: found.first,
            end: found.end,
            opened_at: found.end,
            again: BTreeSet::new(),
            memory: BTreeMap::new(),
            memory_bytes: 0,
            messages: found.messages,
            bytes: found.bytes,
        };
        let (turn, arrived, room) = Default::default();
        Self {
            state: Mutex::new(state),
            turn,
            arrived,
            room,
            max_bytes,
            full_at_us: AtomicI64::new(0),
            failure: Mutex::default(),
        }
    }

    /// The next message, and whether it may have been delivered before.
    pub(super) async fn next(&self, store: &Arc<Store>) -> Result<(Entry, bool), LocalQueueError> {
        let _turn = self.turn.lock().await;
        loop {
            let arrived = self.arrived.notified();
            let place = self.lock().next_place();
            match place {
                Place::Here(entry, redelivered) => return Ok((entry, redelivered)),
                Place::Nowhere => arrived.await,
                Place::OnDisk { from, end, again } => {
                    let store = store.clone();
                    let most = if again { 1 } else { READ_AHEAD };
                    let read = tokio::task::spawn_blocking(move || store.read(from, most)).await;
                    self.lock().keep(from, end, again, read.map_err(|_| LocalQueueError::Closed)??);
                }
            }
        }
    }

    /// The disk refuses, or works again.
    pub(super) fn failed(&self, failure: Option<String>) {
        self.full_at_us.store(Utc::now().timestamp_micros(), Ordering::Relaxed);
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// What keeps publishers waiting now.
    pub(super) fn trouble(&self) -> Option<String> {
        if let Some(failure) = &*self.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            return Some(format!("the queue on disk cannot be written: {failure}"));
        }
        let (bytes, most) = (self.lock().bytes, self.max_bytes);
        (bytes >= most).then(|| format!("the queue on disk is full: {bytes} of {most} bytes wait for the broker"))
    }

    /// A message's receiver is gone.
    pub(super) fn give_back(&self, number: u64) {
        self.lock().again.insert(number);
        self.arrived.notify_waiters();
    }

    /// Messages are on disk.
    pub(super) fn appended(&self, entries: Vec<Entry>, end: u64) {
        let mut state = self.lock();
        state.end = end;
        for entry in entries {
            state.messages += 1;
            state.bytes += entry.payload.len() as u64;
            if state.memory_bytes < MEMORY_BYTES {
                state.memory_bytes += entry.payload.len();
                state.memory.insert(entry.number, entry);
            }
        }
        state.publish_gauges();
        drop(state);
        self.arrived.notify_waiters();
    }

    /// Messages are off the queue.
    pub(super) fn removed(&self, messages: u64, bytes: u64) {
        let mut state = self.lock();
        state.messages = state.messages.saturating_sub(messages);
        state.bytes = state.bytes.saturating_sub(bytes);
        state.publish_gauges();
        drop(state);
        self.room.notify_waiters();
    }

    pub(super) async fn wait_for_room(&self) {
        let mut told = false;
        loop {
            let room = self.room.notified();
            if self.lock().bytes < self.max_bytes {
                return;
            }
            self.full_at_us.store(Utc::now().timestamp_micros(), Ordering::Relaxed);
            if !told {
                tracing::warn!(max_bytes = self.max_bytes, "the local queue is full; publishing waits");
                told = true;
            }
            room.await;
            self.full_at_us.store(Utc::now().timestamp_micros(), Ordering::Relaxed);
        }
    }

    pub(super) fn full_at(&self) -> Option<DateTime<Utc>> {
        let full_at_us = self.full_at_us.load(Ordering::Relaxed);
        (full_at_us > 0).then(|| DateTime::from_timestamp_micros(full_at_us)).flatten()
    }

    pub(super) fn len(&self) -> u64 {
        self.lock().messages
    }

    pub(super) fn fill(&self) -> f64 {
        self.lock().bytes as f64 / self.max_bytes as f64
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_place(&mut self) -> Place {
        if let Some(number) = self.again.first().copied() {
            return match self.take(number) {
                Some(entry) => {
                    self.again.remove(&number);
                    Place::Here(entry, true)
                }
                None => Place::OnDisk { from: number, end: self.end, again: true },
            };
        }
        if self.next >= self.end {
            return Place::Nowhere;
        }
        match self.take(self.next) {
            Some(entry) => {
                self.next = entry.number + 1;
                let redelivered = entry.number < self.opened_at;
                Place::Here(entry, redelivered)
            }
            None => Place::OnDisk { from: self.next, end: self.end, again: false },
        }
    }

    fn take(&mut self, number: u64) -> Option<Entry> {
        let entry = self.memory.remove(&number)?;
        self.memory_bytes = self.memory_bytes.saturating_sub(entry.payload.len());
        Some(entry)
    }

    /// Keeps what was read from the file. Where numbers are missing, those messages were taken off the queue earlier.
    ///
    /// `end` is where the queue ended when it was read: what came since is not missing.
    fn keep(&mut self, from: u64, end: u64, again: bool, entries: Vec<Entry>) {
        let first = entries.first().map(|entry| entry.number);
        if again && first != Some(from) {
            self.again.remove(&from);
            return;
        }
        if !again {
            self.next = first.unwrap_or(end).min(end);
        }
        let mut expected = first.unwrap_or(from);
        for entry in entries.into_iter().take_while(|entry| entry.number < end) {
            if !again && entry.number != expected {
                // A hole: stop here, so that the next read starts behind it.
                break;
            }
            expected = entry.number + 1;
            self.memory_bytes += entry.payload.len();
            if let Some(known) = self.memory.insert(entry.number, entry) {
                self.memory_bytes = self.memory_bytes.saturating_sub(known.payload.len());
            }
        }
    }

    fn publish_gauges(&self) {
        metrics::gauge!("local_queue_messages").set(self.messages as f64);
        metrics::gauge!("local_queue_bytes").set(self.bytes as f64);
    }
}
