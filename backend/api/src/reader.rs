//! How handlers ask the database: briefly, or not at all; but for what reads or writes a whole portfolio.
//!
//! A request holds one connection for as long as its queries take and never asks for a second one: the embedded
//! database has just one. It waits only shortly for it, so that under too much load most requests are still served
//! quickly and the others are told to come again.

use std::time::Duration;

use database::{Client, GenericClient as _, Pool};

use crate::{
    Settings,
    error::{Code, Failure},
};

/// How long a request may take that reads or writes much, statement by statement within the usual time.
const AT_LENGTH: Duration = Duration::from_secs(60);

/// The database, as handlers see it.
#[derive(Clone)]
pub(crate) struct Reader {
    pool: Pool,
    wait: Duration,
    patience: Duration,
}

/// How many connections there are and what they do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolUse {
    pub(crate) most: usize,
    pub(crate) open: usize,
    pub(crate) idle: usize,
    pub(crate) waiting: usize,
}

impl Reader {
    pub(crate) fn new(pool: Pool, settings: &Settings) -> Self {
        Self {
            pool,
            wait: Duration::from_millis(settings.api_database_wait_ms),
            patience: Duration::from_millis(settings.api_query_timeout_ms),
        }
    }

    /// Runs queries on a connection.
    pub(crate) async fn read<T>(&self, queries: impl AsyncFnOnce(&Client) -> Result<T, Failure>) -> Result<T, Failure> {
        self.ask_within(self.patience, async |client| queries(client).await).await
    }

    /// As [`read`](Self::read), for what may be much, and is kept then.
    pub(crate) async fn read_at_length<T>(
        &self,
        queries: impl AsyncFnOnce(&Client) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.ask_within(AT_LENGTH.max(self.patience), async |client| queries(client).await).await
    }

    /// As [`read`](Self::read), for what needs transactions. What is given up is rolled back.
    pub(crate) async fn change<T>(
        &self,
        queries: impl AsyncFnOnce(&mut Client) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.ask_within(self.patience, queries).await
    }

    /// As [`change`](Self::change), for what is much.
    pub(crate) async fn change_at_length<T>(
        &self,
        queries: impl AsyncFnOnce(&mut Client) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.ask_within(AT_LENGTH.max(self.patience), queries).await
    }

    async fn ask_within<T>(
        &self,
        patience: Duration,
        queries: impl AsyncFnOnce(&mut Client) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut client = self.client().await?;
        match tokio::time::timeout(patience, queries(&mut client)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                // The query still runs there. The connection goes back to the pool when it has answered, and not
                // before: the next request would only wait behind it.
                tokio::spawn(async move {
                    let _ = client.query("SELECT 1", &[]).await;
                });
                Err(Failure::query_timeout())
            }
        }
    }

    async fn client(&self) -> Result<Client, Failure> {
        let mut timeouts = self.pool.timeouts();
        timeouts.wait = Some(self.wait);
        self.pool.timeout_get(&timeouts).await.map_err(|error| {
            let status = self.pool.status();
            if status.size >= status.max_size {
                return Failure::new(Code::DatabaseBusy, "too many requests want the database; ask again");
            }
            database::Error::from(error).into()
        })
    }

    pub(crate) fn pool_use(&self) -> PoolUse {
        let status = self.pool.status();
        PoolUse { most: status.max_size, open: status.size, idle: status.available, waiting: status.waiting }
    }
}
