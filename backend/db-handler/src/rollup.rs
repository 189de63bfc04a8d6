//! Folding candles into wider ones, as soon as their time is over, and then adding up the last 24 hours.

use std::time::Duration;

use database::{Pool, Result};
use process::{Check, Shutdown};

/// How often it is looked whether something is to be folded.
const EVERY: Duration = Duration::from_secs(1);
/// How many five minutes are folded in one transaction: few, since others wait where there is one connection.
const AT_ONCE: i64 = 200;
/// Of how many pairs the last 24 hours are added up in one transaction.
const PAIRS_AT_ONCE: i64 = 200;

/// Works until asked to stop. Of several db-handlers, one does it at a time.
pub async fn run(pool: Pool, check: Check, shutdown: Shutdown) {
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            () = shutdown.cancelled() => return,
        }
        match fold_all(&pool, &shutdown).await {
            Ok(()) => check.ok(),
            Err(error) => {
                tracing::warn!(%error, "wider candles are not folded; it is tried again");
                check.failed(error.to_string());
            }
        }
    }
}

/// One transaction after the other, until nothing is left.
async fn fold_all(pool: &Pool, shutdown: &Shutdown) -> Result<()> {
    let mut has_folded = false;
    while !shutdown.is_cancelled() {
        let folded = database::rollup::round(&mut pool.get().await?, AT_ONCE).await?;
        metrics::counter!("candles_rolled_up_total").increment(folded as u64);
        has_folded |= folded > 0;
        if folded < AT_ONCE as usize {
            break;
        }
    }
    let mut after = has_folded.then_some(i32::MIN);
    while let Some(key) = after.filter(|_| !shutdown.is_cancelled()) {
        after = database::day_sums::round(&mut pool.get().await?, key, PAIRS_AT_ONCE).await?;
    }
    Ok(())
}
