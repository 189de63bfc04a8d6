//! A durable queue on disk.
//!
//! # Design
//! Three parts. [`store`] is the file: an embedded database of numbered messages, touched by one thread at a time.
//! [`writer`] is the one task that changes it: it collects what publishers and consumers ask for over a moment, writes
//! it in one transaction, and answers. [`window`] is what is known in memory: which messages wait, which are out.
//!
//! # What always holds
//! - `publish` returns when the message is on disk. A kill of the process, or of the machine where the disk keeps its
//!   promises, loses nothing after that.
//! - Messages are delivered in the order of their numbers. One that its receiver drops without acknowledging is
//!   delivered again, before later ones. After a crash everything not acknowledged is delivered again.
//! - A note is written in the transaction of the message that it came with, so that what is remembered of a message and
//!   the message are on disk together or not at all.
//! - Acknowledging need not be on disk at once: forgotten in a crash, it costs one more delivery.
//! - At the size limit publishers wait. Nothing is overwritten. When the disk fails, publishers wait and the file is
//!   opened again until it works.

mod store;
mod window;
mod writer;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{DeadLetter, LocalQueueSettings, Message};
pub use store::Note;
use store::Store;
use window::Window;
use writer::Request;

/// The queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocalQueueError {
    /// Its file cannot be opened, at the start.
    #[error("the local queue {} cannot be opened: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do about it.
        reason: String,
    },
    /// Its file cannot be read.
    #[error("the local queue cannot be read: {0}")]
    Read(String),
    /// It was closed.
    #[error("the local queue is closed")]
    Closed,
    /// Too many messages are set aside already.
    #[error("the local queue holds as many dead letters as it may")]
    DeadLettersFull,
}

/// One message, numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
}

/// A durable queue on disk. Clones are the same queue.
#[derive(Clone)]
pub struct LocalQueue {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<Store>,
    window: Window,
    requests: mpsc::Sender<Request>,
    name: String,
    live: broadcast::Sender<Arc<Message>>,
}

/// How far a live listener in this process may fall behind before it loses the oldest.
const LIVE_MESSAGES: usize = 1_024;

/// Requests that may wait for the writer.
const REQUESTS: usize = 1_024;

impl LocalQueue {
    /// Opens the queue, and makes it where it is missing.
    ///
    /// # Errors
    /// When the file cannot be opened: not ours, damaged, in use by another process, or the disk refuses.
    pub async fn open(settings: LocalQueueSettings) -> Result<Self, LocalQueueError> {
        let path = settings.path.clone();
        let opened = tokio::task::spawn_blocking(move || Store::open(path)).await;
        let (store, found) = opened.map_err(|_| LocalQueueError::Closed)??;
        let store = Arc::new(store);
        let (requests, received) = mpsc::channel(REQUESTS);
        let name = found.name.clone();
        let window = Window::new(&found, settings.max_bytes);
        let shared = Arc::new(Shared {
            store: store.clone(),
            window,
            requests,
            name,
            live: broadcast::channel(LIVE_MESSAGES).0,
        });
        tokio::spawn(writer::run(Arc::downgrade(&shared), store, received, settings.linger, found.end));
        Ok(Self { shared })
    }

    /// Puts a message in the queue, and notes beside it; returns when they are on disk. Waits while the queue is full or the disk fails.
    ///
    /// # Errors
    /// When the queue was closed.
    pub async fn publish(&self, topic: String, payload: Bytes, notes: Vec<Note>) -> Result<(), LocalQueueError> {
        self.shared.window.wait_for_room().await;
        let (done, written) = oneshot::channel();
        self.request(Request::Append { topic, payload, notes, done }).await?;
        written.await.map_err(|_| LocalQueueError::Closed)
    }

    /// Writes notes without a message; returns when they are on disk.
    ///
    /// # Errors
    /// When the queue was closed.
    pub async fn note(&self, notes: Vec<Note>) -> Result<(), LocalQueueError> {
        let (done, written) = oneshot::channel();
        self.request(Request::Note { notes, done }).await?;
        written.await.map_err(|_| LocalQueueError::Closed)
    }

    /// The next message. Several may ask at once; each message goes to one of them. Safe to give up waiting for.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn receive(&self) -> Result<LocalDelivery, LocalQueueError> {
        let (entry, redelivered) = self.shared.window.next(&self.shared.store).await?;
        let id = format!("{}-{}", self.shared.name, entry.number);
        Ok(LocalDelivery { queue: self.clone(), entry, redelivered, id, settled: false })
    }

    /// Where those of this process are told what is passing, beside the queue.
    pub(crate) fn live(&self) -> broadcast::Sender<Arc<Message>> {
        self.shared.live.clone()
    }

    /// Messages in the queue, delivered or not.
    pub fn len(&self) -> u64 {
        self.shared.window.len()
    }

    /// Whether nothing waits and nothing is out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How full the queue is, from 0 to 1.
    pub fn fill(&self) -> f64 {
        self.shared.window.fill()
    }

    /// What keeps publishers waiting now, in words: it is full, or the disk fails.
    pub fn trouble(&self) -> Option<String> {
        self.shared.window.trouble()
    }

    /// Tells every second whether something keeps publishers waiting, until the queue is closed.
    pub async fn tell_trouble(self, tell: impl Fn(Result<(), String>)) {
        const EVERY: Duration = Duration::from_secs(1);
        while !self.shared.requests.is_closed() {
            tell(self.trouble().map_or(Ok(()), Err));
            tokio::time::sleep(EVERY).await;
        }
    }

    /// When a publisher last had to wait because the queue was full, since it was opened.
    pub fn full_at(&self) -> Option<DateTime<Utc>> {
        self.shared.window.full_at()
    }

    /// The message that was set aside first, and its number, for [`forget_dead_letter`](Self::forget_dead_letter).
    pub(crate) async fn oldest_dead_letter(&self) -> Result<Option<(u64, DeadLetter)>, LocalQueueError> {
        let shared = self.shared.clone();
        let read = tokio::task::spawn_blocking(move || shared.store.oldest_dead_letter(&shared.name));
        read.await.map_err(|_| LocalQueueError::Closed)?
    }

    /// Forgets a message that was set aside; returns when that is on disk.
    pub(crate) async fn forget_dead_letter(&self, number: u64) -> Result<(), LocalQueueError> {
        let (done, written) = oneshot::channel();
        self.request(Request::ForgetSetAside { number, done }).await?;
        written.await.map_err(|_| LocalQueueError::Closed)
    }

    /// Every note, by its key.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn notes(&self) -> Result<Vec<(String, String)>, LocalQueueError> {
        let store = self.shared.store.clone();
        tokio::task::spawn_blocking(move || store.notes()).await.map_err(|_| LocalQueueError::Closed)?
    }

    /// Writes what is still to be written and closes the file. Messages that are out are delivered again next time. A disk
    /// that fails is not waited for.
    pub async fn close(self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        let (done, closed) = oneshot::channel();
        let closing = async {
            if self.request(Request::Close { done }).await.is_ok() {
                // An error means that the writer is gone, and with it the open file.
                let _ = closed.await;
            }
        };
        if tokio::time::timeout(PATIENCE, closing).await.is_err() {
            tracing::warn!("the local queue is left as it is: the disk does not answer");
        }
    }

    async fn request(&self, request: Request) -> Result<(), LocalQueueError> {
        self.shared.requests.send(request).await.map_err(|_| LocalQueueError::Closed)
    }
}

/// A message that is out. Dropped without [`ack`](Self::ack) or [`dead_letter`](Self::dead_letter), it is delivered
/// again.
pub struct LocalDelivery {
    queue: LocalQueue,
    entry: Entry,
    redelivered: bool,
    id: String,
    settled: bool,
}

impl LocalDelivery {
    /// The message's kind and exchange: `ticks.binance`.
    pub fn topic(&self) -> &str {
        &self.entry.topic
    }

    /// The message.
    pub fn payload(&self) -> &Bytes {
        &self.entry.payload
    }

    /// Names the message for ever: the queue and the message's number in it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it may have been delivered before.
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// Takes the message off the queue.
    ///
    /// # Errors
    /// When the queue was closed; the message is then delivered again next time.
    pub async fn ack(mut self) -> Result<(), LocalQueueError> {
        self.queue.request(Request::Remove { number: self.entry.number, bytes: self.entry.payload.len() }).await?;
        self.settled = true;
        Ok(())
    }

    /// Puts a copy of the message among the dead letters, with the reason, because it can never be handled. Returns when
    /// that is on disk; the message itself is then to be acknowledged.
    ///
    /// # Errors
    /// When the queue was closed, or holds as many dead letters as it may.
    pub async fn dead_letter(&mut self, reason: &str) -> Result<(), LocalQueueError> {
        let store = self.queue.shared.store.clone();
        let full = tokio::task::spawn_blocking(move || store.dead_letters_are_full());
        if full.await.map_err(|_| LocalQueueError::Closed)?? {
            return Err(LocalQueueError::DeadLettersFull);
        }
        let (done, written) = oneshot::channel();
        let entry = self.entry.clone();
        self.queue.request(Request::SetAside { entry, reason: reason.to_owned(), done }).await?;
        written.await.map_err(|_| LocalQueueError::Closed)
    }
}

impl Drop for LocalDelivery {
    fn drop(&mut self) {
        if !self.settled {
            self.queue.shared.window.give_back(self.entry.number);
        }
    }
}
