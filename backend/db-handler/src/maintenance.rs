//! What must be done now and then: partitions ahead of time, a sign of life while nothing is stored, a second look at
//! candles that differ from the exchange's, and a vacuum where nobody else does it.

use std::time::Duration;

use database::{Pool, Result};
use process::{Check, Shutdown};

/// How often partitions are looked after.
const PARTITIONS: Duration = Duration::from_secs(3_600);
/// How often an embedded database is vacuumed.
const VACUUM: Duration = Duration::from_secs(600);
/// How often it is looked whether differences of candles have settled.
const DIFFERENCES: Duration = Duration::from_secs(15);
/// How long one may settle by itself: trades of that minute may still be on their way.
const SETTLING_SECONDS: f64 = 60.0;
/// How often the database is asked for a sign of life: without work, nobody else would notice that it is away.
const PING: Duration = Duration::from_secs(5);

/// Works until asked to stop.
pub async fn run(pool: Pool, database: Check, vacuum: bool, shutdown: Shutdown) {
    let mut partitions = tokio::time::interval(PARTITIONS);
    let mut vacuums = tokio::time::interval(VACUUM);
    let mut pings = tokio::time::interval(PING);
    let mut differences = tokio::time::interval(DIFFERENCES);
    vacuums.reset();
    loop {
        let (task, outcome) = tokio::select! {
            () = shutdown.cancelled() => return,
            _ = partitions.tick() => ("creating partitions", create_partitions(&pool).await),
            _ = vacuums.tick(), if vacuum => ("vacuuming", database::vacuum::round(&pool).await),
            _ = differences.tick() => ("settling differences of candles", settle(&pool).await),
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

/// Counts what became of differences.
async fn settle(pool: &Pool) -> Result<()> {
    let settled = database::comparison::settle(&pool.get().await?, SETTLING_SECONDS).await?;
    for (outcome, count) in [("agreed", settled.agreed), ("taken", settled.taken), ("kept", settled.kept)] {
        metrics::counter!("differences_settled_total", "outcome" => outcome).increment(count);
    }
    if settled.taken + settled.kept > 0 {
        tracing::warn!(
            taken = settled.taken,
            kept = settled.kept,
            "candles differ from the exchange's; table difference says which"
        );
    }
    metrics::gauge!("differences_open").set(settled.open as f64);
    Ok(())
}

async fn create_partitions(pool: &Pool) -> Result<()> {
    database::partitions::create_coming(&pool.get().await?).await
}
