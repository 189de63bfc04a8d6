//! From ticks to messages: gathered for a moment, encoded, and put in the queue on disk.

use std::time::Duration;

use broker::{LocalQueueError, Message, Note, Publisher};
use domain::{GapReport, Tick, TickBatch, TickSource};
use futures_util::{StreamExt as _, stream::FuturesOrdered};
use smol_str::SmolStr;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use crate::gaps::Ledger;

/// A tick that passed.
#[derive(Debug)]
pub struct Passed {
    /// How it came.
    pub source: TickSource,
    /// The tick.
    pub tick: Tick,
    /// How many connections of its stream were lost before it came; absent where it came by none.
    pub losses: Option<u64>,
}

/// Ticks that came the same way, and of each how many connections were lost before.
type Batch = (TickBatch, Vec<Option<u64>>);

/// How many ticks may wait for the disk. When they do, reading the exchange waits too.
pub const CHANNEL: usize = 65_536;
/// How many messages may be on their way to the disk at the same time.
const IN_FLIGHT: usize = 16;

/// Gathers ticks of one exchange and publishes them, until there are no more; then everything is on disk.
pub struct Batcher {
    /// The exchange's name.
    pub exchange: SmolStr,
    /// Where messages go.
    pub publisher: Publisher,
    /// Who finds out which trades are missing.
    pub ledger: Option<Ledger>,
    /// How many ticks a message holds at most.
    pub batch_ticks: usize,
    /// How long a message may wait to fill.
    pub linger: Duration,
}

impl Batcher {
    /// Works until the last sender of `ticks` is gone.
    ///
    /// # Errors
    /// When the queue was closed.
    pub async fn run(self, mut ticks: mpsc::Receiver<Passed>) -> Result<(), LocalQueueError> {
        let most = self.batch_ticks.max(1);
        let mut gathered: Vec<Passed> = Vec::with_capacity(most);
        let mut in_flight = FuturesOrdered::new();
        loop {
            tokio::select! {
                biased;
                Some(outcome) = in_flight.next(), if !in_flight.is_empty() => outcome?,
                count = ticks.recv_many(&mut gathered, most), if in_flight.len() < IN_FLIGHT => {
                    if count == 0 {
                        break;
                    }
                    self.gather(&mut ticks, &mut gathered, most).await;
                    for batch in self.batches(&mut gathered) {
                        for (message, notes) in self.messages(batch) {
                            in_flight.push_back(self.publisher.publish_noting(message, notes));
                        }
                    }
                }
            }
        }
        while let Some(outcome) = in_flight.next().await {
            outcome?;
        }
        Ok(())
    }

    /// Waits a moment for company.
    async fn gather(&self, ticks: &mut mpsc::Receiver<Passed>, gathered: &mut Vec<Passed>, most: usize) {
        let deadline = Instant::now() + self.linger;
        while gathered.len() < most {
            let missing = most - gathered.len();
            match timeout_at(deadline, ticks.recv_many(gathered, missing)).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// A batch without what came before, and before it the gaps that it shows.
    fn messages(&self, (mut batch, losses): Batch) -> Vec<(Message, Vec<Note>)> {
        let Some(ledger) = &self.ledger else { return vec![(Message::Ticks(batch), Vec::new())] };
        let learned = ledger.observe(&batch.ticks, &losses, self.publisher.queue().full_at());
        let mut messages = Vec::with_capacity(1);
        if !learned.found.is_empty() {
            let report = GapReport { exchange: self.exchange.clone(), gaps: learned.found };
            messages.push((Message::Gaps(report), Vec::new()));
        }
        if !learned.repeated.is_empty() {
            let repeated = learned.repeated.len() as u64;
            metrics::counter!("ticks_repeated_total", "exchange" => self.exchange.to_string()).increment(repeated);
            let mut places = 0..;
            batch.ticks.retain(|_| places.next().is_some_and(|place| learned.repeated.binary_search(&place).is_err()));
        }
        if !batch.ticks.is_empty() {
            messages.push((Message::Ticks(batch), learned.notes));
        }
        messages
    }

    /// One batch for each run of ticks that came the same way.
    fn batches(&self, gathered: &mut Vec<Passed>) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::with_capacity(1);
        let expected = gathered.len();
        for Passed { source, tick, losses } in gathered.drain(..) {
            match batches.last_mut() {
                Some((batch, of_ticks)) if batch.source == source => {
                    batch.ticks.push(tick);
                    of_ticks.push(losses);
                }
                _ => {
                    let mut ticks = Vec::with_capacity(expected);
                    let mut of_ticks = Vec::with_capacity(expected);
                    ticks.push(tick);
                    of_ticks.push(losses);
                    batches.push((TickBatch::new(self.exchange.clone(), source, ticks), of_ticks));
                }
            }
        }
        batches
    }
}
