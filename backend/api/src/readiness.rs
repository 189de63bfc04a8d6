//! Looks after the database in the background, so that `/health/ready` answers at once and a broken connection is
//! discovered although nobody asks for anything.

use std::time::{Duration, Instant};

use database::Pool;
use process::{Check, Health, Shutdown};

/// How often the database is asked, and how long it may take.
const EVERY: Duration = Duration::from_secs(2);

/// How long an answer counts when the next one is late: a busy database is not an absent one.
const FRESH: Duration = Duration::from_secs(10);

/// The dependencies that the database is.
pub(crate) struct DatabaseChecks {
    database: Check,
    schema: Check,
}

impl DatabaseChecks {
    pub(crate) fn register(health: &Health) -> Self {
        Self { database: health.register("database"), schema: health.register("schema") }
    }

    /// Asks again and again until the process stops.
    pub(crate) async fn watch(self, pool: Pool, shutdown: Shutdown) {
        let mut answered: Option<Instant> = None;
        let mut said_broken = false;
        loop {
            let broken = match tokio::time::timeout(EVERY, database::migrate::is_current(&pool)).await {
                Ok(Ok(is_current)) => {
                    answered = Some(Instant::now());
                    self.database.ok();
                    if is_current {
                        self.schema.ok();
                    } else {
                        self.schema.failed("older than this program needs it; the db-handler brings it up to date");
                    }
                    None
                }
                // Every connection is busy with other work, such as the embedded database's only one.
                Ok(Err(database::Error::Pool(_))) if fresh(answered) && is_full(&pool) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) if fresh(answered) => None,
                Err(_) => Some("does not answer".to_owned()),
            };
            match &broken {
                Some(detail) => {
                    if !said_broken {
                        tracing::warn!(%detail, "the database cannot be asked; stored prices are not served");
                    }
                    self.database.failed(detail);
                    self.schema.failed("not known while the database does not answer");
                }
                None if said_broken => tracing::info!("the database can be asked again"),
                None => {}
            }
            said_broken = broken.is_some();
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}

fn fresh(answered: Option<Instant>) -> bool {
    answered.is_some_and(|answered| answered.elapsed() < FRESH)
}

fn is_full(pool: &Pool) -> bool {
    let status = pool.status();
    status.size >= status.max_size
}
