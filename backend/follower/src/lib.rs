//! Follows what accounts change (docs/CHANGES.md), and keeps it: every change once, in the schema `followed` of any database.
//!
//! A change is acknowledged when the transaction that keeps it is committed, so that none is lost; it is named by its version, so that
//! none is kept twice. What cannot be read, and what contradicts what is known, is set aside with its reason.

pub mod settings;

use std::{collections::HashSet, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use broker::{ConsumeError, Consumer, Delivery, RabbitMqSettings};
use chrono::{DateTime, TimeDelta, Utc};
use database::{
    Pool,
    changes::Change,
    followed::{self, Kept},
};
use process::{Check, Health, Shutdown};
use tokio::time::{Instant, sleep, timeout_at};

pub use settings::Settings;

/// The follower cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database answers, but cannot be used.
    #[error(transparent)]
    Database(#[from] database::Error),
}

/// How many changes are kept in one transaction, and held unacknowledged.
const AT_ONCE: u16 = 500;
/// How long a transaction waits for more of them.
const LINGER: Duration = Duration::from_millis(20);
/// How long to wait at most before trying again.
const LONGEST_DELAY: Duration = Duration::from_secs(4);
/// How often old changes are forgotten.
const FORGET: Duration = Duration::from_secs(86_400);
/// How much of a reason is told: it can quote all of what was sent.
const LONGEST_REASON: usize = 1_000;

/// Follows until asked to stop. Makes its schema first, as soon as the database answers.
///
/// # Errors
/// When the database answers, but cannot be used.
pub async fn run(
    settings: Settings,
    rabbitmq: RabbitMqSettings,
    pool: Pool,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), Error> {
    let follower = Follower { pool, database: health.register("database"), shutdown };
    let queue = health.register("queue");
    if !follower.migrate().await? {
        return Ok(());
    }
    tracing::info!(from = %rabbitmq.location(), queue = settings.follower_queue_name, "following changes");
    let forgetting = settings
        .follower_keep_days
        .map(|days| tokio::spawn(forget(follower.pool.clone(), days, follower.shutdown.clone())));
    follower.follow(&settings, &rabbitmq, &queue).await;
    if let Some(forgetting) = forgetting {
        // It ends soon after it was asked to. What it has not forgotten then, it does the next time.
        let _ = forgetting.await;
    }
    Ok(())
}

/// Why a round ended early.
enum Interrupted {
    Broker(ConsumeError),
    Stopping,
}

impl From<ConsumeError> for Interrupted {
    fn from(error: ConsumeError) -> Self {
        Self::Broker(error)
    }
}

struct Follower {
    pool: Pool,
    database: Check,
    shutdown: Shutdown,
}

impl Follower {
    /// Follows until asked to stop, over one connection after the other.
    async fn follow(&self, settings: &Settings, rabbitmq: &RabbitMqSettings, queue: &Check) {
        let mut delays = retry_delays();
        while !self.shutdown.is_cancelled() {
            let error = match rabbitmq.follow_changes(&settings.follower_queue_name, AT_ONCE).await {
                Err(error) => error,
                Ok(mut consumer) => {
                    tracing::info!("changes come");
                    queue.ok();
                    loop {
                        match self.round(&mut consumer).await {
                            Ok(()) => delays = retry_delays(),
                            Err(Interrupted::Stopping) => return,
                            Err(Interrupted::Broker(error)) => break error,
                        }
                    }
                }
            };
            let delay = delays.next().unwrap_or(LONGEST_DELAY);
            tracing::warn!(%error, retry_in = ?delay, "no changes come");
            queue.failed(error.to_string());
            // An error means that it is to stop.
            let _ = self.wait(delay).await;
        }
    }

    /// Tries until the database answers. `false` when asked to stop before that.
    async fn migrate(&self) -> Result<bool, database::Error> {
        let mut delays = retry_delays();
        loop {
            let migrated = tokio::select! {
                migrated = database::migrate_followed(&self.pool) => migrated,
                () = self.shutdown.cancelled() => return Ok(false),
            };
            match migrated {
                Ok(()) => {
                    self.database.ok();
                    return Ok(true);
                }
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => {
                    if self.fail(&error, &mut delays).await.is_err() {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Takes changes, as many as come within the linger, keeps them, acknowledges them.
    async fn round(&self, consumer: &mut Consumer) -> Result<(), Interrupted> {
        let first = tokio::select! {
            first = consumer.next() => first?,
            () = self.shutdown.cancelled() => return Err(Interrupted::Stopping),
        };
        let deadline = Instant::now() + LINGER;
        let mut batch = Batch::default();
        let mut next = Some(first);
        while let Some(delivery) = next {
            match serde_json::from_slice::<Change>(delivery.payload()) {
                Ok(change) => {
                    // One that has come twice is compared with what was kept.
                    if batch.versions.contains(&change.version) {
                        self.finish(std::mem::take(&mut batch)).await?;
                    }
                    batch.versions.insert(change.version);
                    batch.changes.push(change);
                    batch.deliveries.push(delivery);
                }
                Err(error) => set_aside(delivery, &format!("this is no change: {error}")).await?,
            }
            next = match batch.deliveries.len() < usize::from(AT_ONCE) {
                true => timeout_at(deadline, consumer.next()).await.ok().transpose()?,
                false => None,
            };
        }
        self.finish(batch).await
    }

    async fn finish(&self, Batch { changes, deliveries, .. }: Batch) -> Result<(), Interrupted> {
        match self.keep(&changes).await? {
            Ok(kept) => self.acknowledge(deliveries, &changes, &kept).await,
            Err(error) => {
                tracing::warn!(%error, changes = changes.len(), "some changes are refused; keeping them one by one");
                for (delivery, change) in deliveries.into_iter().zip(changes) {
                    match self.keep(std::slice::from_ref(&change)).await? {
                        Ok(kept) => self.acknowledge(vec![delivery], &[change], &kept).await?,
                        Err(error) => set_aside(delivery, &error.to_string()).await?,
                    }
                }
                Ok(())
            }
        }
    }

    async fn acknowledge(&self, deliveries: Vec<Delivery>, changes: &[Change], kept: &Kept) -> Result<(), Interrupted> {
        metrics::counter!("changes_kept_total").increment(kept.added as u64);
        metrics::counter!("changes_known_total").increment(kept.known as u64);
        for (delivery, change) in deliveries.into_iter().zip(changes) {
            if kept.conflicting.contains(&change.version) {
                let reason = "another change is known under this version: was the database that is followed set back, or is it another \
                              one? Then follow it into an empty database";
                set_aside(delivery, reason).await?;
            } else {
                delivery.ack().await?;
            }
        }
        Ok(())
    }

    /// Tries until the database takes them, or refuses the data itself (the inner error).
    async fn keep(&self, changes: &[Change]) -> Result<Result<Kept, database::Error>, Interrupted> {
        let mut delays = retry_delays();
        loop {
            let outcome = match self.pool.get().await {
                Ok(client) => followed::keep(&client, changes).await,
                Err(error) => Err(error.into()),
            };
            match outcome {
                Ok(kept) => {
                    self.database.ok();
                    return Ok(Ok(kept));
                }
                Err(error) if error.is_permanent() => return Ok(Err(error)),
                Err(error) => self.fail(&error, &mut delays).await?,
            }
        }
    }

    /// Tells of a failure, and waits.
    async fn fail(
        &self,
        error: &database::Error,
        delays: &mut (impl Iterator<Item = Duration> + Send),
    ) -> Result<(), Interrupted> {
        let delay = delays.next().unwrap_or(LONGEST_DELAY);
        tracing::warn!(%error, retry_in = ?delay, "the database keeps nothing; changes wait");
        self.database.failed(error.to_string());
        self.wait(delay).await
    }

    async fn wait(&self, delay: Duration) -> Result<(), Interrupted> {
        tokio::select! {
            () = sleep(delay) => Ok(()),
            () = self.shutdown.cancelled() => Err(Interrupted::Stopping),
        }
    }
}

/// Changes of different versions that are kept together.
#[derive(Default)]
struct Batch {
    versions: HashSet<i64>,
    changes: Vec<Change>,
    deliveries: Vec<Delivery>,
}

/// Forgets what is older than so many days, now and every day until asked to stop. What fails is done the next time.
async fn forget(pool: Pool, days: u16, shutdown: Shutdown) {
    while !shutdown.is_cancelled() {
        let before = Utc::now() - TimeDelta::days(days.into());
        let mut behind = Some((DateTime::UNIX_EPOCH, i64::MIN));
        while let Some(looked) = behind.filter(|_| !shutdown.is_cancelled()) {
            let outcome = async { followed::forget(&pool.get().await?, before, looked).await };
            behind = outcome.await.unwrap_or_else(|error| {
                tracing::warn!(%error, "old changes are not forgotten; it is tried again tomorrow");
                None
            });
        }
        tokio::select! {
            () = sleep(FORGET) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Hands a change that can never be kept to the dead letters of its queue.
async fn set_aside(mut delivery: Delivery, reason: &str) -> Result<(), Interrupted> {
    let reason: String = reason.chars().take(LONGEST_REASON).collect();
    delivery.dead_letter(&reason).await?;
    tracing::error!(message = %delivery.id(), reason, "a change is not kept; it is set aside");
    metrics::counter!("changes_dead_lettered_total").increment(1);
    delivery.ack().await?;
    Ok(())
}

/// How long to wait before each further try.
fn retry_delays() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        // Jitter may double it.
        .with_max_delay(LONGEST_DELAY / 2)
        .with_jitter()
        .without_max_times()
        .build()
}
