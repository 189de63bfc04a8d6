//! One partition of `price` per UTC day, made before it is needed.

use chrono::{Days, NaiveDate, Utc};
use deadpool_postgres::GenericClient;

use crate::{Context as _, Result};

/// How many days ahead partitions are made.
const DAYS_AHEAD: u64 = 7;

/// Name of the partition of `day`.
pub(crate) fn name(day: NaiveDate) -> String {
    day.format("price_%Y_%m_%d").to_string()
}

/// Makes the partition of `day`, unless it stands.
///
/// # Errors
/// When the database refuses.
pub async fn create(client: &impl GenericClient, day: NaiveDate) -> Result<bool> {
    let statement =
        client.prepare_cached("SELECT create_price_partition($1)").await.context("preparing a partition")?;
    let row = client.query_one(&statement, &[&day]).await.context("creating a partition of price")?;
    Ok(row.get(0))
}

/// Makes the partitions of yesterday, today and the coming days.
///
/// # Errors
/// When the database refuses.
pub async fn create_coming(client: &impl GenericClient) -> Result<()> {
    let today = Utc::now().date_naive();
    let first = today.checked_sub_days(Days::new(1)).unwrap_or(today);
    for day in first.iter_days().take(DAYS_AHEAD as usize + 2) {
        if create(client, day).await? {
            tracing::debug!(%day, "created a partition of price");
        }
    }
    Ok(())
}
