//! Computing what is told regularly. Of several notifiers, one does each.

use std::time::Duration;

use database::{Pool, schedules};
use process::{Check, Shutdown};

/// How often it is looked whether something is to be computed.
const EVERY: Duration = Duration::from_secs(1);

/// Works until asked to stop.
pub(crate) async fn run(pool: Pool, check: Check, shutdown: Shutdown) {
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut is_told = false;
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            () = shutdown.cancelled() => return,
        }
        match compute_all(&pool, &shutdown).await {
            Ok(()) => {
                check.ok();
                is_told = false;
            }
            Err(error) => {
                if !is_told {
                    tracing::warn!(error, "schedules are not computed; it is tried again");
                }
                check.failed(error);
                is_told = true;
            }
        }
    }
}

/// One transaction after the other, until none is due. One that cannot be computed holds up no other.
async fn compute_all(pool: &Pool, shutdown: &Shutdown) -> Result<(), String> {
    let (mut tried, mut failed) = (Vec::new(), None);
    while !shutdown.is_cancelled() {
        let before = tried.len();
        let mut client = pool.get().await.map_err(|error| error.to_string())?;
        match schedules::compute_due(&mut client, &mut tried).await {
            Ok(None) => break,
            Ok(Some(computed)) => {
                metrics::counter!("schedules_computed_total").increment(1);
                tracing::debug!(schedule = computed.schedule_id, pairs = computed.pairs, "a schedule is computed");
            }
            Err(error) => match tried.get(before) {
                Some(schedule) => failed = Some(format!("schedule {schedule}: {error}")),
                None => return Err(error.to_string()),
            },
        }
    }
    failed.map_or(Ok(()), Err)
}
