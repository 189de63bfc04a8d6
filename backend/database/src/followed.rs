//! What accounts changed, as whoever follows it keeps it: every change once, in a schema of its own, in any database.
//!
//! The key is the change's version: a change that comes again, or late, changes nothing and spoils nothing. What is there now, and what
//! belongs to what, are views (`followed/V0001__followed.sql`).

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use serde_json::value::RawValue;

use crate::{Context as _, Result, changes::Change};

/// How many old changes are looked at in one statement.
const LOOKED_AT_ONCE: u64 = 10_000;

/// What became of changes that were to be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// How many were new.
    pub added: usize,
    /// How many were known.
    pub known: usize,
    /// Versions of those that are not what is known under their version.
    pub conflicting: HashSet<i64>,
}

/// Keeps changes of different versions, in one statement: all of them, or none.
///
/// # Errors
/// When the database refuses; it is asked whether that is for good.
pub async fn keep(client: &impl GenericClient, changes: &[Change]) -> Result<Kept> {
    let doing = "keeping changes";
    // What is added by a statement is not seen by it: those that are joined were there before.
    let insert = "WITH told AS (
                      SELECT version, at, account_id, kind, source_id, operation, record::jsonb AS record
                      FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[])
                          AS told (version, at, account_id, kind, source_id, operation, record)
                  ), added AS (
                      INSERT INTO followed.change (version, at, account_id, kind, source_id, operation, record)
                      SELECT version, at, account_id, kind, source_id, operation, record FROM told ORDER BY version
                      ON CONFLICT (version) DO NOTHING RETURNING version
                  )
                  SELECT (SELECT count(*) FROM added),
                         coalesce((SELECT array_agg(version) FROM told JOIN followed.change AS known USING (version)
                                   WHERE (told.at, told.kind, told.source_id, told.operation)
                                      IS DISTINCT FROM (known.at, known.kind, known.source_id, known.operation)), '{}')";
    let statement = client.prepare_cached(insert).await.context(doing)?;
    let versions: Vec<i64> = changes.iter().map(|change| change.version).collect();
    let times: Vec<DateTime<Utc>> = changes.iter().map(|change| change.at).collect();
    let accounts: Vec<Option<i64>> = changes.iter().map(|change| change.account_id).collect();
    let kinds: Vec<&str> = changes.iter().map(|change| change.kind.as_str()).collect();
    let names: Vec<&str> = changes.iter().map(|change| change.source_id.as_str()).collect();
    let operations: Vec<&str> = changes.iter().map(|change| change.operation.as_str()).collect();
    let records: Vec<Option<&str>> = changes.iter().map(|change| change.record.as_deref().map(RawValue::get)).collect();
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
        [&versions, &times, &accounts, &kinds, &names, &operations, &records];
    let row = client.query_one(&statement, &parameters).await.context(doing)?;
    let added = usize::try_from(row.get::<_, i64>(0)).unwrap_or_default();
    let conflicting: HashSet<i64> = row.get::<_, Vec<i64>>(1).into_iter().collect();
    Ok(Kept { added, known: changes.len().saturating_sub(added + conflicting.len()), conflicting })
}

/// Behind which change, by its time and version, the next look for old ones begins.
pub type Looked = (DateTime<Utc>, i64);

/// Looks through old changes, [`LOOKED_AT_ONCE`] at most, behind those that were looked at, and forgets what was changed again, or removed,
/// before that time. Returns the last one that was looked at; `None` when there are no more.
///
/// # Errors
/// When the database refuses.
pub async fn forget(client: &impl GenericClient, before: DateTime<Utc>, behind: Looked) -> Result<Option<Looked>> {
    let doing = "forgetting old changes";
    let delete = format!(
        "WITH looked AS MATERIALIZED (
             SELECT version, at, kind, source_id, operation FROM followed.change
             WHERE at < $1 AND (at, version) > ($2, $3) ORDER BY at, version LIMIT {LOOKED_AT_ONCE}
         ), gone AS (
             DELETE FROM followed.change USING looked
             WHERE change.version = looked.version AND (looked.operation = 'REMOVED' OR EXISTS (
                 SELECT FROM followed.change AS next
                 WHERE next.kind = looked.kind AND next.source_id = looked.source_id AND next.version > looked.version AND next.at < $1))
         )
         SELECT at, version FROM looked ORDER BY at DESC, version DESC LIMIT 1"
    );
    let statement = client.prepare_cached(&delete).await.context(doing)?;
    let row = client.query_opt(&statement, &[&before, &behind.0, &behind.1]).await.context(doing)?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}
