//! Taking deliveries for all writers, over one connection, in the order of the queue.
//!
//! One writer gathers at a time, and takes its turn with what it gathered: so rules look at prices in the order in which they were
//! published, whichever transaction is ready first.

use broker::{ConsumeError, Consumer, Source};
use database::alerts::{Alerts, Turn};
use process::Check;
use tokio::sync::{Mutex, MutexGuard};

/// What all writers take from.
pub struct Intake {
    source: Source,
    prefetch: u16,
    alerts: Alerts,
    check: Check,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    consumer: Option<Consumer>,
    /// Counts connections: deliveries of an earlier one cannot be acknowledged.
    connection: u64,
}

/// The writer whose turn it is to gather.
pub(crate) struct Gathering<'a> {
    open: MutexGuard<'a, Open>,
    intake: &'a Intake,
}

impl Intake {
    /// Takes from `source`, at most `prefetch` deliveries unacknowledged; `check` is told whether that works.
    pub fn new(source: Source, prefetch: u16, check: Check) -> Self {
        Self { source, prefetch, alerts: Alerts::default(), check, open: Mutex::default() }
    }

    /// Waits until no other writer gathers, and for a connection.
    ///
    /// # Errors
    /// When there is none to be had.
    pub(crate) async fn gather(&self) -> Result<Gathering<'_>, ConsumeError> {
        let mut open = self.open.lock().await;
        if open.consumer.is_none() {
            let consumer = self.source.consume(self.prefetch).await.inspect_err(|error| self.failed(error))?;
            open.consumer = Some(consumer);
            open.connection += 1;
            self.check.ok();
        }
        Ok(Gathering { open, intake: self })
    }

    /// The next turn, without deliveries.
    pub(crate) fn turn(&self) -> Turn {
        self.alerts.turn()
    }

    /// Gives up a connection that failed, unless that was done already. Everything unacknowledged comes again.
    pub(crate) async fn close(&self, connection: u64, error: &ConsumeError) {
        let mut open = self.open.lock().await;
        if open.connection == connection && open.consumer.take().is_some() {
            self.failed(error);
        }
    }

    fn failed(&self, error: &ConsumeError) {
        self.check.failed(error.to_string());
    }
}

impl Gathering<'_> {
    /// Over which connection deliveries come now.
    pub(crate) fn connection(&self) -> u64 {
        self.open.connection
    }

    /// The next delivery. Safe to give up waiting for.
    ///
    /// # Errors
    /// When the broker is gone; the connection is given up.
    pub(crate) async fn next(&mut self) -> Result<broker::Delivery, ConsumeError> {
        let consumer = self.open.consumer.as_mut().ok_or(ConsumeError::Closed)?;
        let next = consumer.next().await;
        if let Err(error) = &next {
            self.open.consumer = None;
            self.intake.failed(error);
        }
        next
    }

    /// Takes the turn of what was gathered, and lets the next writer gather.
    pub(crate) fn end(self) -> Turn {
        self.intake.turn()
    }
}
