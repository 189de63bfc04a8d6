//! From the queue to the database: each tick stored once, whatever is delivered twice.
//!
//! Deliveries are gathered for a few milliseconds, stored in one transaction, and acknowledged after its commit. While
//! the database is away, messages wait where they are. A message that can never be stored is set aside with its reason,
//! and the rest goes on.

mod alerts;
mod changes;
pub mod dead_letters;
pub mod directory;
pub mod idle;
pub mod ingest;
pub mod intake;
pub mod maintenance;
pub mod retention;
pub mod rollup;
pub mod settings;
pub mod writer;

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use broker::Source;
use database::Pool;
use process::{Health, Shutdown};

pub use idle::Idle;
pub use settings::{KeepSettings, Settings};

/// The db-handler cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database answers, but cannot be used.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// A part of it broke, which is a mistake in the program.
    #[error("a part of the db-handler broke: {0}")]
    Broke(tokio::task::JoinError),
}

/// How long batches that were begun may take after being asked to stop. What is not stored then comes again.
const FAREWELL: Duration = Duration::from_secs(5);

/// Stores what `source` delivers until asked to stop. Brings the schema up to date first, as soon as the database
/// answers.
///
/// # Errors
/// When the database answers, but cannot be used (too old, or its schema is newer than this program), or when a part of
/// the program breaks.
pub async fn run(
    settings: Settings,
    source: Source,
    pool: Pool,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), Error> {
    let database = health.register("database");
    if !migrate(&pool, &database, &shutdown).await? {
        return Ok(());
    }
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(maintenance::run(pool.clone(), database.clone(), settings.vacuum, shutdown.clone()));
    tasks.spawn(rollup::run(pool.clone(), health.register("wider candles"), shutdown.clone()));
    tasks.spawn(alerts::run(pool.clone(), health.register("alerts"), shutdown.clone()));
    let keeping = settings.keeping.clone();
    tasks.spawn(retention::run(pool.clone(), keeping, health.register("retention"), shutdown.clone()));
    let letters = dead_letters::Mover { source: source.clone(), pool: pool.clone() };
    tasks.spawn(letters.run(health.register("dead letters"), shutdown.clone()));
    tasks.spawn(changes::run(source.clone(), pool.clone(), health.register("changes"), shutdown.clone()));
    let announcer = source.announcer();
    let writers = settings.db_handler_writers.max(1);
    let prefetch = settings.db_handler_prefetch.saturating_mul(writers);
    let intake = Arc::new(intake::Intake::new(source.clone(), prefetch, health.register("queue")));
    for _ in 0..writers {
        let writer = writer::Writer {
            settings: settings.clone(),
            intake: Arc::clone(&intake),
            pool: pool.clone(),
            database: database.clone(),
            announcer: announcer.clone(),
        };
        tasks.spawn(writer.run(shutdown.clone()));
    }
    tracing::info!(from = %source.location(), writers = settings.db_handler_writers, "storing prices");
    let work = async {
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(Error::Broke)?;
        }
        Ok(())
    };
    tokio::select! {
        ended = work => {
            tracing::info!("every batch begun is committed");
            ended
        }
        () = async { shutdown.cancelled().await; tokio::time::sleep(FAREWELL).await } => {
            tracing::warn!("the database takes too long; what is not committed comes again at the next start");
            Ok(())
        }
    }
}

/// Tries until the database answers. `false` when asked to stop before that.
async fn migrate(pool: &Pool, check: &process::Check, shutdown: &Shutdown) -> Result<bool, database::Error> {
    let mut delays = retry_delays();
    loop {
        let migrated = tokio::select! {
            migrated = database::migrate(pool) => migrated,
            () = shutdown.cancelled() => return Ok(false),
        };
        let error = match migrated {
            Ok(()) => {
                check.ok();
                return Ok(true);
            }
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => error,
        };
        let delay = delays.next().unwrap_or(LONGEST_DELAY);
        tracing::warn!(%error, retry_in = ?delay, "the database is not ready");
        check.failed(error.to_string());
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = shutdown.cancelled() => return Ok(false),
        }
    }
}

/// How long to wait at most before trying again.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_secs(4);

/// How long to wait before each further try.
pub(crate) fn retry_delays() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        // Jitter may double it.
        .with_max_delay(LONGEST_DELAY / 2)
        .with_jitter()
        .without_max_times()
        .build()
}
