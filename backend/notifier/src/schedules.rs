//! Computing what is told regularly. Of several notifiers, one does each.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use database::{
    Pool,
    schedules::{self, Failed, PassedOver},
};
use process::{Check, Shutdown};

/// How often it is looked whether something is to be computed.
const EVERY: Duration = Duration::from_secs(1);
/// How long one that could not be computed is left alone.
const REST: Duration = Duration::from_secs(60);

/// How long one account's schedules may take before all others have their turn.
const SHARE: Duration = Duration::from_secs(2);

/// Works until asked to stop.
pub(crate) async fn run(pool: Pool, check: Check, shutdown: Shutdown) {
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut is_told, mut failed) = (false, HashMap::new());
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            () = shutdown.cancelled() => return,
        }
        match compute_all(&pool, &shutdown, &mut failed).await {
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

/// One transaction after the other, until none is due, or only those of accounts that have had their share of this round. One that cannot be
/// computed holds up no other, and is tried again a minute later.
async fn compute_all(pool: &Pool, shutdown: &Shutdown, failed: &mut HashMap<i64, Instant>) -> Result<(), String> {
    failed.retain(|_, at| at.elapsed() < REST);
    let mut taken: HashMap<i64, Duration> = HashMap::new();
    while !shutdown.is_cancelled() {
        let mut client = pool.get().await.map_err(|error| error.to_string())?;
        let sated = taken.iter().filter(|(_, time)| **time >= SHARE).map(|(account, _)| *account);
        let passed_over = PassedOver { schedules: failed.keys().copied().collect(), accounts: sated.collect() };
        let begun = Instant::now();
        match schedules::compute_due(&mut client, &passed_over).await {
            Ok(None) => break,
            Ok(Some(computed)) => {
                *taken.entry(computed.account_id).or_default() += begun.elapsed();
                metrics::counter!("schedules_computed_total").increment(1);
                tracing::debug!(schedule = computed.schedule_id, pairs = computed.pairs, "a schedule is computed");
            }
            Err(Failed { schedule: Some((schedule, account)), error }) => {
                *taken.entry(account).or_default() += begun.elapsed();
                metrics::counter!("schedules_failed_total").increment(1);
                tracing::warn!(schedule, %error, "a schedule is not computed; it is tried again in a minute");
                failed.insert(schedule, Instant::now());
            }
            Err(Failed { schedule: None, error }) => return Err(error.to_string()),
        }
    }
    Ok(())
}
