//! Where a tracker hands in what it has to say.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::broadcast;

use crate::{Live, LocalQueue, LocalQueueError, Message, Note};

/// Puts messages in the local queue, and shows them to those who listen live in this process.
#[derive(Clone)]
pub struct Publisher {
    queue: LocalQueue,
    live: broadcast::Sender<Arc<Message>>,
}

impl Publisher {
    /// Publishes into `queue`.
    pub fn new(queue: LocalQueue) -> Self {
        Self { live: queue.live(), queue }
    }

    /// Publishes a message; returns when it is on disk.
    ///
    /// # Errors
    /// When the queue was closed.
    pub async fn publish(&self, message: Message) -> Result<(), LocalQueueError> {
        self.publish_noting(message, Vec::new()).await
    }

    /// Publishes a message and remembers something with it; returns when both are on disk.
    ///
    /// # Errors
    /// When the queue was closed.
    pub async fn publish_noting(&self, message: Message, notes: Vec<Note>) -> Result<(), LocalQueueError> {
        let payload = match message.encode() {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) => {
                // Cannot happen with these types; were a new one to break it, this must be seen.
                tracing::error!(%error, kind = message.kind(), "a message cannot be written as JSON");
                return Ok(());
            }
        };
        let topic = message.topic();
        self.announce(message);
        self.queue.publish(topic, payload, notes).await
    }

    /// Tells passing news to those who listen now, and to nobody else.
    pub fn announce(&self, message: Message) {
        if self.live.receiver_count() > 0 {
            // An error means that the last listener just left.
            let _ = self.live.send(Arc::new(message));
        }
    }

    /// The live feed of what is published here.
    pub fn live(&self) -> Live {
        Live::local(self.live.clone())
    }

    /// The queue behind it.
    pub fn queue(&self) -> &LocalQueue {
        &self.queue
    }
}
