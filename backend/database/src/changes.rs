//! What accounts changed, written down by triggers, on its way to whoever listens.

use chrono::{DateTime, Utc};
use deadpool_postgres::{GenericClient, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Context as _, Result};

/// How long changes are kept.
const KEPT: &str = "7 days";

/// A change of a record, and the JSON in which it is published.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    /// `ADDED`, `MODIFIED` or `REMOVED`.
    pub operation: String,
    /// What the record is: `transaction`, `portfolio`, `alert`, `firing`, `channel`, `schedule`, `computed`, `notification`, `preference` or
    /// `settings`.
    pub kind: String,
    /// The record's key.
    pub source_id: String,
    /// Of one record, what is newer has a higher one. Whoever gets a change twice knows by it.
    pub version: i64,
    /// When it was changed.
    pub at: DateTime<Utc>,
    /// Whose record it is, where that is known still.
    pub account_id: Option<i64>,
    /// The record as it is then; `None` where it is gone.
    pub record: Option<Box<RawValue>>,
}

/// The oldest changes that were not published, in order, as far as nobody else publishes; then there are none.
///
/// # Errors
/// When the database cannot be asked.
pub async fn take(transaction: &Transaction<'_>, limit: i64) -> Result<Vec<Change>> {
    let doing = "looking for changes";
    // Any number that nobody else locks: changes of one record must not be published by two at the same time.
    let lock = "SELECT pg_try_advisory_xact_lock(7304017190)";
    let statement = transaction.prepare_cached(lock).await.context(doing)?;
    if !transaction.query_one(&statement, &[]).await.context(doing)?.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let query = "SELECT operation, kind, source_id, version, at, account_id, record::text FROM change.log
                 WHERE published_at IS NULL ORDER BY version LIMIT $1";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let rows = transaction.query(&statement, &[&limit]).await.context(doing)?;
    let read = |row: &tokio_postgres::Row| {
        Ok(Change {
            operation: row.try_get(0)?,
            kind: row.try_get(1)?,
            source_id: row.try_get(2)?,
            version: row.try_get(3)?,
            at: row.try_get(4)?,
            account_id: row.try_get(5)?,
            // As PostgreSQL writes it: digit for digit.
            record: row.try_get::<_, Option<String>>(6)?.and_then(|text| RawValue::from_string(text).ok()),
        })
    };
    rows.iter().map(read).collect::<std::result::Result<_, _>>().context(doing)
}

/// Notes that these were published.
///
/// # Errors
/// When the database refuses.
pub async fn published(transaction: &Transaction<'_>, versions: &[i64]) -> Result<()> {
    let doing = "noting what was published";
    let update = "UPDATE change.log SET published_at = clock_timestamp() WHERE version = ANY($1)";
    let statement = transaction.prepare_cached(update).await.context(doing)?;
    transaction.execute(&statement, &[&versions]).await.context(doing)?;
    Ok(())
}

/// Forgets changes that are old, ten thousand at most. Returns how many. Where there is a RabbitMQ, those that it has not are kept.
///
/// # Errors
/// When the database refuses.
pub async fn forget(client: &impl GenericClient, is_published: bool) -> Result<u64> {
    let doing = "forgetting old changes";
    let delete = format!(
        "DELETE FROM change.log WHERE version IN (
             SELECT version FROM change.log
             WHERE at < now() - interval '{KEPT}' AND (NOT $1 OR published_at IS NOT NULL) ORDER BY at LIMIT 10000)"
    );
    let statement = client.prepare_cached(&delete).await.context(doing)?;
    client.execute(&statement, &[&is_published]).await.context(doing)
}
