//! What autovacuum does on a server, for the embedded database, in which none runs.

use chrono::{Days, Utc};

use crate::{Context as _, Pool, Result};

/// The table, catalogs included, whose oldest rows were stamped longest ago, if that is long: transaction numbers are
/// used again after two thousand million, and a row that still bears an old one would then vanish.
const OLDEST: &str = "
    SELECT format('%I.%I', nspname, relname)
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind = 'r' AND age(relfrozenxid) > 10000000
    ORDER BY age(relfrozenxid) DESC LIMIT 1";

/// One round: what is updated or deleted from, the candles all the time; the statistics of the days that are written to; and the one
/// table that needs it most.
///
/// # Errors
/// When the database refuses.
pub async fn round(pool: &Pool) -> Result<()> {
    let client = pool.get().await?;
    for table in
        ["candle", "stale_candle", "market", "gap", "dead_letter", "comparison", "difference", "keeping", "kept"]
    {
        client.batch_execute(&format!("VACUUM ANALYZE {table}")).await.context("vacuuming")?;
    }
    let today = Utc::now().date_naive();
    for day in [today.checked_sub_days(Days::new(1)), Some(today)].into_iter().flatten() {
        let partition = crate::partitions::name(day);
        let stands = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&partition]).await;
        if stands.context("looking for a partition")?.get(0) {
            client.batch_execute(&format!("ANALYZE {partition}")).await.context("analyzing prices")?;
        }
    }
    if let Some(row) = client.query_opt(OLDEST, &[]).await.context("looking for the oldest table")? {
        let table: String = row.get(0);
        client.batch_execute(&format!("VACUUM (FREEZE) {table}")).await.context("freezing old rows")?;
    }
    Ok(())
}
