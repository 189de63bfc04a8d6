//! Rules that no single price decides are looked at every second.

use std::time::Duration;

use chrono::Utc;
use database::{Pool, alerts::Clock};
use process::{Check, Shutdown};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::ingest::count_alerts;

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// How long after the start it means nothing yet that nothing came: what waits in the queue comes first.
const SETTLING: Duration = Duration::from_secs(30);

/// Looks until asked to stop.
pub(crate) async fn run(pool: Pool, check: Check, shutdown: Shutdown) {
    let (mut clock, began) = (Clock::default(), Instant::now());
    let mut seconds = interval(EVERY);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = seconds.tick() => {}
            () = shutdown.cancelled() => return,
        }
        let looked = match pool.get().await {
            Ok(mut client) => clock.look(&mut client, Utc::now(), began.elapsed() > SETTLING).await,
            Err(error) => Err(error.into()),
        };
        match looked {
            Ok(written) => {
                check.ok();
                count_alerts(written);
            }
            Err(error) => {
                tracing::warn!(%error, "rules are not looked at; trying again");
                check.failed(error.to_string());
            }
        }
    }
}
