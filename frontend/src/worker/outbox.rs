//! Where news for the window is put, and the bell that tells it.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::{live::LiveBatch, state::Update};

/// How soon the window looks at what only says that all goes on as it did.
const NO_NEWS: Duration = Duration::from_secs(15);

/// Called when news was put out, with how soon the window should look.
pub(crate) type Wake = Box<dyn Fn(Duration) + Send + Sync>;

/// The window is gone.
#[derive(Debug)]
pub(super) struct Gone;

pub(super) struct Outbox {
    sender: mpsc::Sender<Update>,
    wake: Wake,
}

impl Outbox {
    pub(super) fn new(size: usize, wake: Wake) -> (Self, mpsc::Receiver<Update>) {
        let (sender, receiver) = mpsc::channel(size);
        (Self { sender, wake }, receiver)
    }

    /// Puts out an answer, waiting for room.
    pub(super) async fn put(&self, update: Update) -> Result<(), Gone> {
        self.put_unless_known(update, true).await
    }

    /// The same; what is no news can wait until the window draws for another reason.
    pub(super) async fn put_unless_known(&self, update: Update, is_news: bool) -> Result<(), Gone> {
        self.sender.send(update).await.map_err(|_| Gone)?;
        (self.wake)(if is_news { Duration::ZERO } else { NO_NEWS });
        Ok(())
    }

    /// Puts out live news if there is room; otherwise it stays in the batch, where more of it takes no more room.
    pub(super) fn put_live(&self, batch: &mut LiveBatch) -> Result<(), Gone> {
        match self.sender.try_reserve() {
            Ok(room) => {
                let soon = if batch.is_news { Duration::ZERO } else { NO_NEWS };
                room.send(Update::Live(std::mem::take(batch)));
                (self.wake)(soon);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(())) => {
                (self.wake)(Duration::ZERO);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Closed(())) => Err(Gone),
        }
    }
}
