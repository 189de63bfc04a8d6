//! What must be done now and then: partitions ahead of time, a sign of life while nothing is stored, and a vacuum where
//! nobody else does it.

use std::time::Duration;

use database::{Pool, Result};
use process::{Check, Shutdown};

/// How often partitions are looked after.
const PARTITIONS: Duration = Duration::from_secs(3_600);
/// How often an embedded database is vacuumed.
const VACUUM: Duration = Duration::from_secs(600);
/// How often the database is asked for a sign of life: without work, nobody else would notice that it is away.
const PING: Duration = Duration::from_secs(5);

/// Works until asked to stop.
pub async fn run(pool: Pool, database: Check, vacuum: bool, shutdown: Shutdown) {
    let mut partitions = tokio::time::interval(PARTITIONS);
    let mut vacuums = tokio::time::interval(VACUUM);
    let mut pings = tokio::time::interval(PING);
    vacuums.reset();
    loop {
        let (task, outcome) = tokio::select! {
            () = shutdown.cancelled() => return,
            _ = partitions.tick() => ("creating partitions", create_partitions(&pool).await),
            _ = vacuums.tick(), if vacuum => ("vacuuming", database::vacuum::round(&pool).await),
            _ = pings.tick() => ("asking for a sign of life", database::pool::ping(&pool).await),
        };
        match outcome {
            Ok(()) => database.ok(),
            Err(error) => {
                tracing::warn!(%error, task, "maintenance failed; it is tried again at its next time");
                database.failed(error.to_string());
            }
        }
    }
}

async fn create_partitions(pool: &Pool) -> Result<()> {
    database::partitions::create_coming(&pool.get().await?).await
}
