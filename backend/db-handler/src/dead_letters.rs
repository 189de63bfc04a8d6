//! From the dead-letter queue into the table, where people can look at them; and back into the queue, where somebody asks
//! for it.
//!
//! A dead letter leaves its queue when the table holds it, and the table when the queue has taken it back. Either may
//! happen twice, and is harmless then.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use broker::{ConsumeError, DeadLetter, DeadLetters, Source};
use database::{
    Pool,
    dead_letters::{self, NewDeadLetter},
};
use process::{Check, Shutdown};

use crate::{LONGEST_DELAY, retry_delays};

/// How soon a replay that somebody asked for is seen.
const REPLAYS: Duration = Duration::from_secs(1);
/// How often they are counted.
const COUNTS: Duration = Duration::from_secs(15);
/// How long putting one back may take: the database's connection is held meanwhile, and may be its only one.
const PUTTING_BACK: Duration = Duration::from_secs(2);
/// How soon it is tried again when the table is full, or the database is away.
const LATER: Duration = Duration::from_secs(5);
/// How often the log says that the table is full.
const REMIND: Duration = Duration::from_secs(600);

/// Moves dead letters.
pub struct Mover {
    pub(crate) source: Source,
    pub(crate) pool: Pool,
}

/// Why moving stopped.
enum Stopped {
    Broker(ConsumeError),
    Stopping,
}

impl From<ConsumeError> for Stopped {
    fn from(error: ConsumeError) -> Self {
        Self::Broker(error)
    }
}

impl Mover {
    /// Works until asked to stop.
    pub async fn run(self, check: Check, shutdown: Shutdown) {
        let mut delays = retry_delays();
        loop {
            let stopped = match self.source.dead_letters().await {
                Ok(letters) => {
                    check.ok();
                    delays = retry_delays();
                    self.move_all(letters, &check, &shutdown).await
                }
                Err(error) => Err(Stopped::Broker(error)),
            };
            let Err(Stopped::Broker(error)) = stopped else { return };
            let delay = delays.next().unwrap_or(LONGEST_DELAY);
            tracing::debug!(%error, retry_in = ?delay, "no dead letters can be taken");
            check.failed(error.to_string());
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn move_all(
        &self,
        mut letters: DeadLetters,
        check: &Check,
        shutdown: &Shutdown,
    ) -> Result<Infallible, Stopped> {
        let mut replays = tokio::time::interval(REPLAYS);
        replays.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut counts = tokio::time::interval(COUNTS);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Err(Stopped::Stopping),
                _ = replays.tick() => self.replay(&letters, shutdown).await?,
                _ = counts.tick() => self.count().await,
                taken = letters.next() => {
                    let (letter, taken) = taken?;
                    self.keep(&letter, &letters, check, shutdown).await?;
                    taken.ack().await?;
                }
            }
        }
    }

    /// Stores one; tries until the database takes it. Until then it is in its queue.
    async fn keep(
        &self,
        letter: &DeadLetter,
        letters: &DeadLetters,
        check: &Check,
        shutdown: &Shutdown,
    ) -> Result<(), Stopped> {
        let new = NewDeadLetter {
            message_id: letter.message_id.as_deref(),
            topic: &letter.topic,
            reason: &letter.reason,
            set_aside_at: letter.set_aside_at,
            body: &letter.payload,
        };
        let mut reminded: Option<Instant> = None;
        loop {
            let stored = match self.pool.get().await {
                Ok(client) => dead_letters::store(&client, &new).await,
                Err(error) => Err(error.into()),
            };
            let trouble = match stored {
                Ok(true) => {
                    check.ok();
                    return Ok(());
                }
                Ok(false) => {
                    "the table of dead letters is full: replay or drop some; the others wait in their queue".into()
                }
                Err(error) => format!("a dead letter waits in its queue: {error}"),
            };
            if reminded.is_none_or(|last| last.elapsed() > REMIND) {
                reminded = Some(Instant::now());
                tracing::error!("{trouble}");
            }
            check.failed(trouble);
            tokio::select! {
                () = tokio::time::sleep(LATER) => {}
                () = shutdown.cancelled() => return Err(Stopped::Stopping),
            }
            // Which makes room.
            self.replay(letters, shutdown).await?;
        }
    }

    async fn count(&self) {
        let counted = match self.pool.get().await {
            Ok(client) => dead_letters::count(&client).await,
            Err(error) => Err(error.into()),
        };
        match counted {
            Ok(count) => metrics::gauge!("dead_letters").set(count as f64),
            Err(error) => tracing::debug!(%error, "dead letters cannot be counted"),
        }
    }

    /// Puts back what somebody asked for. When the database is away, or the queue takes nothing, that is for later: the
    /// connection that is held meanwhile may be the one by which the queue would be emptied.
    async fn replay(&self, letters: &DeadLetters, shutdown: &Shutdown) -> Result<(), Stopped> {
        while !shutdown.is_cancelled() && letters.takes_back() {
            let Ok(mut client) = self.pool.get().await else { return Ok(()) };
            match dead_letters::any_to_replay(&client).await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => {
                    tracing::debug!(%error, "it cannot be asked what is to be replayed");
                    return Ok(());
                }
            }
            let put_back = async |replay: &dead_letters::Replay| {
                let putting = letters.put_back(&replay.message_id, &replay.topic, &replay.body);
                tokio::time::timeout(PUTTING_BACK, putting).await.map_err(|_| None)?.map_err(Some)
            };
            match dead_letters::replay_next(&mut client, put_back).await {
                Ok(Some(Ok(replay))) => {
                    metrics::counter!("dead_letters_replayed_total").increment(1);
                    tracing::info!(id = replay.id, topic = replay.topic, "a dead letter is back in the queue");
                }
                Ok(Some(Err(Some(error)))) if !error.is_refusal() => return Err(error.into()),
                Ok(Some(Err(_))) => {
                    tracing::warn!("the queue takes no message back now (is it full?); it is tried again");
                    return Ok(());
                }
                // Another db-handler has them all.
                Ok(None) => return Ok(()),
                Err(error) => {
                    tracing::debug!(%error, "a dead letter cannot be replayed now");
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
