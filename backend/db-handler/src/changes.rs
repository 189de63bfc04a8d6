//! What accounts changed goes from the database to RabbitMQ: in order, until it has it.
//!
//! What is published is noted in the transaction that took it. Killed in between, it is published again, under the same version.

use std::time::Duration;

use broker::{ChangePublisher, RabbitMqSettings, Source};
use database::{Context as _, Pool, changes};
use process::{Check, Shutdown};
use tokio::time::{Instant, sleep, timeout};

use crate::{LONGEST_DELAY, retry_delays};

/// How soon is looked again where nothing was found.
const IDLE: Duration = Duration::from_millis(500);
/// How many are published at once.
const AT_ONCE: i64 = 500;
/// How long RabbitMQ may take for them.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often old ones are forgotten.
const FORGET: Duration = Duration::from_secs(600);

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Database(#[from] database::Error),
    #[error(transparent)]
    Broker(#[from] broker::rabbitmq::RabbitMqError),
    #[error("RabbitMQ does not confirm within {PATIENCE:?}")]
    Late,
}

/// Publishes until asked to stop. Without RabbitMQ it only forgets what is old.
pub(crate) async fn run(source: Source, pool: Pool, check: Check, shutdown: Shutdown) {
    let settings = source.change_settings().cloned();
    let (mut publisher, mut delays, mut forgotten) = (None, retry_delays(), None::<Instant>);
    while !shutdown.is_cancelled() {
        if forgotten.is_none_or(|at| at.elapsed() >= FORGET) {
            forgotten = Some(Instant::now());
            if let Err(error) = forget(&pool, settings.is_some()).await {
                tracing::warn!(%error, "old changes are not forgotten; it is tried again");
            }
        }
        let round = match &settings {
            Some(settings) => round(settings, &mut publisher, &pool).await,
            None => Ok(0),
        };
        let delay = match round {
            Ok(count) => {
                check.ok();
                delays = retry_delays();
                if count >= AT_ONCE { continue } else { IDLE }
            }
            Err(error) => {
                publisher = None;
                let delay = delays.next().unwrap_or(LONGEST_DELAY);
                tracing::warn!(%error, retry_in = ?delay, "changes are not published");
                check.failed(error.to_string());
                delay
            }
        };
        tokio::select! {
            () = sleep(delay) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Publishes some. Returns how many.
async fn round(
    settings: &RabbitMqSettings,
    publisher: &mut Option<ChangePublisher>,
    pool: &Pool,
) -> Result<i64, Failed> {
    // The embedded database has one connection: it is not held while connecting, which may take long, and briefly while confirms come.
    let open = match publisher {
        Some(open) => open,
        None => publisher.insert(ChangePublisher::open(settings).await?),
    };
    let mut client = pool.get().await.map_err(database::Error::from)?;
    let transaction = client.transaction().await.context("beginning to publish changes")?;
    let changes = changes::take(&transaction, AT_ONCE).await?;
    if changes.is_empty() {
        return Ok(0);
    }
    let message = |change: &changes::Change| {
        // An error cannot happen: it is made of JSON, texts and numbers.
        let body = serde_json::to_vec(change).unwrap_or_default();
        (format!("{}.{}", change.kind, change.operation.to_lowercase()), format!("change-{}", change.version), body)
    };
    let messages: Vec<(String, String, Vec<u8>)> = changes.iter().map(message).collect();
    timeout(PATIENCE, open.publish(&messages)).await.map_err(|_| Failed::Late)??;
    let versions: Vec<i64> = changes.iter().map(|change| change.version).collect();
    changes::published(&transaction, &versions).await?;
    transaction.commit().await.context("noting what was published")?;
    metrics::counter!("changes_published_total").increment(versions.len() as u64);
    Ok(versions.len() as i64)
}

async fn forget(pool: &Pool, is_published: bool) -> Result<(), database::Error> {
    let client = pool.get().await?;
    while changes::forget(&client, is_published).await? >= 10_000 {}
    Ok(())
}
