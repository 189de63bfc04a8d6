//! One partition of `price` per UTC day, and one of one-minute candles per month, made before they are needed.

use std::collections::BTreeSet;

use chrono::{Datelike as _, Days, NaiveDate, Utc};
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

/// Makes the partitions of one-minute candles that these days need; those of yesterday and later stand. Returns the months, by their
/// first days, that have none: they were dropped.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn create_months(
    client: &impl GenericClient,
    days: impl Iterator<Item = NaiveDate>,
) -> Result<Vec<NaiveDate>> {
    let doing = "creating a partition of candles";
    let today = Utc::now().date_naive();
    let standing = today.checked_sub_days(Days::new(1)).unwrap_or(today);
    let months: BTreeSet<NaiveDate> = days.filter(|day| *day < standing).map(first_of_month).collect();
    let mut dropped = Vec::new();
    for month in months {
        let create = client.prepare_cached("SELECT create_candle_partition($1)").await.context(doing)?;
        client.query_one(&create, &[&month]).await.context(doing)?;
        let look = client.prepare_cached("SELECT to_regclass($1) IS NOT NULL").await.context(doing)?;
        let name = month.format("candle_1m_%Y_%m").to_string();
        if !client.query_one(&look, &[&name]).await.context(doing)?.get::<_, bool>(0) {
            dropped.push(month);
        }
    }
    Ok(dropped)
}

/// The first day of its month.
pub(crate) fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
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
