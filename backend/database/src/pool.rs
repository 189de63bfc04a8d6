//! Connections, kept open and handed out.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::NoTls;

use crate::{DatabaseSettings, Error, Result};

/// Makes a pool. Does not connect yet: the first caller does, and each later one that finds a connection gone.
///
/// # Errors
/// When the settings do not make a connection.
pub fn connect(settings: &DatabaseSettings) -> Result<Pool> {
    let manager =
        Manager::from_config(settings.parameters()?, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    Pool::builder(manager)
        .max_size(settings.database_pool_size.max(1))
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(settings.wait()))
        .create_timeout(Some(Duration::from_secs(5)))
        .recycle_timeout(Some(Duration::from_secs(1)))
        .build()
        .map_err(|error| Error::Settings(format!("database pool: {error}")))
}

/// Asks the database for a sign of life.
///
/// # Errors
/// When no connection can be had, or it does not answer.
pub async fn ping(pool: &Pool) -> Result<()> {
    use crate::Context as _;
    pool.get().await?.simple_query("SELECT 1").await.context("asking for a sign of life")?;
    Ok(())
}
