//! The one task that changes the file.
//!
//! It collects requests for a moment, writes them in one transaction, and answers. When the disk fails it tries again
//! until it works: publishers wait meanwhile, and nothing is lost.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use chrono::Utc;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    Entry, Shared,
    store::{Change, Note, Store},
};

/// What publishers and consumers ask for.
pub(super) enum Request {
    Append { topic: String, payload: Bytes, notes: Vec<Note>, done: oneshot::Sender<()> },
    Note { notes: Vec<Note>, done: oneshot::Sender<()> },
    Remove { number: u64, bytes: usize },
    SetAside { entry: Entry, reason: String, done: oneshot::Sender<()> },
    ForgetSetAside { number: u64, done: oneshot::Sender<()> },
    Close { done: oneshot::Sender<()> },
}

/// How many bytes one transaction may write; more wait for the next.
const TRANSACTION_BYTES: usize = 8 << 20;
/// How many requests one transaction may hold.
const TRANSACTION_REQUESTS: usize = 1_024;
/// When nothing else happens, acknowledgements are made durable this long after the last.
const IDLE: Duration = Duration::from_millis(500);
/// How long the disk is left alone after it failed.
const RETRY: Duration = Duration::from_secs(1);

/// Changes to be written in one transaction, and who waits for them.
#[derive(Default)]
struct Transaction {
    changes: Vec<Change>,
    /// Only the last note under a key counts.
    notes: HashMap<String, Note>,
    waiting: Vec<oneshot::Sender<()>>,
    appended: Vec<Entry>,
    removed: u64,
    removed_bytes: u64,
    written_bytes: usize,
    closing: Option<oneshot::Sender<()>>,
}

impl Transaction {
    fn add(&mut self, request: Request, end: &mut u64) {
        match request {
            Request::Append { topic, payload, notes, done } => {
                let entry = Entry { number: *end, topic, payload };
                *end += 1;
                self.written_bytes += entry.payload.len();
                self.appended.push(entry.clone());
                self.changes.push(Change::Append(entry));
                self.notes.extend(notes.into_iter().map(|note| (note.key.clone(), note)));
                self.waiting.push(done);
            }
            Request::Note { notes, done } => {
                self.notes.extend(notes.into_iter().map(|note| (note.key.clone(), note)));
                self.waiting.push(done);
            }
            Request::Remove { number, bytes } => {
                self.count_removed(bytes);
                self.changes.push(Change::Remove(number));
            }
            Request::SetAside { entry, reason, done } => {
                self.changes.push(Change::SetAside(entry, reason, Utc::now()));
                self.waiting.push(done);
            }
            Request::ForgetSetAside { number, done } => {
                self.changes.push(Change::ForgetSetAside(number));
                self.waiting.push(done);
            }
            Request::Close { done } => self.closing = Some(done),
        }
    }

    fn count_removed(&mut self, bytes: usize) {
        self.removed += 1;
        self.removed_bytes += bytes as u64;
    }

    fn is_full(&self) -> bool {
        self.closing.is_some() || self.written_bytes >= TRANSACTION_BYTES || self.changes.len() >= TRANSACTION_REQUESTS
    }
}

pub(super) async fn run(
    shared: Weak<Shared>,
    store: Arc<Store>,
    mut requests: mpsc::Receiver<Request>,
    linger: Duration,
    mut end: u64,
) {
    let mut undurable = false;
    loop {
        let first = match tokio::time::timeout(IDLE, requests.recv()).await {
            Ok(Some(request)) => Some(request),
            Ok(None) => break,
            Err(_) if undurable => None,
            Err(_) => continue,
        };
        let mut transaction = Transaction::default();
        if let Some(request) = first {
            transaction.add(request, &mut end);
            collect(&mut transaction, &mut requests, linger, &mut end).await;
        }
        let durable = !transaction.waiting.is_empty() || transaction.changes.is_empty();
        if !write_until_it_works(&shared, &store, &mut transaction, end, durable).await {
            return;
        }
        undurable = !durable;
        let closing = transaction.closing.take();
        if let Some(shared) = shared.upgrade() {
            shared.window.appended(transaction.appended, end);
            shared.window.removed(transaction.removed, transaction.removed_bytes);
        }
        for done in transaction.waiting {
            // An error means that the publisher gave up waiting; its message is in the queue all the same.
            let _ = done.send(());
        }
        if let Some(done) = closing {
            write_until_it_works(&shared, &store, &mut Transaction::default(), end, true).await;
            store.close();
            let _ = done.send(());
            return;
        }
    }
    if undurable {
        write_until_it_works(&shared, &store, &mut Transaction::default(), end, true).await;
    }
    store.close();
}

/// Waits a moment for company: what comes within it shares the transaction and its cost.
async fn collect(
    transaction: &mut Transaction,
    requests: &mut mpsc::Receiver<Request>,
    linger: Duration,
    end: &mut u64,
) {
    let deadline = Instant::now() + linger;
    while !transaction.is_full() {
        match timeout_at(deadline, requests.recv()).await {
            Ok(Some(request)) => transaction.add(request, end),
            Ok(None) | Err(_) => return,
        }
    }
}

/// `false` when it never will.
async fn write_until_it_works(
    shared: &Weak<Shared>,
    store: &Arc<Store>,
    transaction: &mut Transaction,
    end: u64,
    durable: bool,
) -> bool {
    let tell = |failure: Option<String>| shared.upgrade().map(|shared| shared.window.failed(failure));
    let mut failed = false;
    transaction.changes.extend(transaction.notes.drain().map(|(_, note)| Change::Note(note)));
    loop {
        let changes = std::mem::take(&mut transaction.changes);
        let store = store.clone();
        let written = tokio::task::spawn_blocking(move || {
            let outcome = store.apply(&changes, end, durable);
            (changes, outcome)
        })
        .await;
        match written {
            Ok((_, Ok(()))) => {
                if failed {
                    tell(None);
                }
                return true;
            }
            Ok((changes, Err(error))) => {
                metrics::counter!("local_queue_write_failures_total").increment(1);
                tracing::error!(%error, "the local queue cannot be written; publishing waits until it can");
                tell(Some(error));
                failed = true;
                transaction.changes = changes;
                tokio::time::sleep(RETRY).await;
            }
            // The runtime is going down, or the store broke: nobody is answered, so nobody believes the messages written.
            Err(error) => {
                tracing::error!(%error, "the local queue broke");
                return false;
            }
        }
    }
}
