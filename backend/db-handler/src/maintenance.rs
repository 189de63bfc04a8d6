//! What must be done now and then: partitions ahead of time, and a vacuum where nobody else does it.

use std::time::Duration;

use database::{Pool, Result};
use process::Shutdown;

/// How often partitions are looked after.
const PARTITIONS: Duration = Duration::from_secs(3_600);
/// How often an embedded database is vacuumed.
const VACUUM: Duration = Duration::from_secs(600);

/// Works until asked to stop.
pub async fn run(pool: Pool, vacuum: bool, shutdown: Shutdown) {
    let mut partitions = tokio::time::interval(PARTITIONS);
    let mut vacuums = tokio::time::interval(VACUUM);
    vacuums.reset();
    loop {
        let (task, outcome) = tokio::select! {
            () = shutdown.cancelled() => return,
            _ = partitions.tick() => ("creating partitions", create_partitions(&pool).await),
            _ = vacuums.tick(), if vacuum => ("vacuuming", database::partitions::vacuum(&pool).await),
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, task, "maintenance failed; it is tried again at its next time");
        }
    }
}

async fn create_partitions(pool: &Pool) -> Result<()> {
    database::partitions::create_coming(&pool.get().await?).await
}
