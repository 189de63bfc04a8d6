//! Making the index of a day's ticks anew when the day is over.
//!
//! Pairs come mixed, so that the pages of `price_once` split in the middle and stay half empty: 71 bytes a tick instead of 37, a
//! fifth of all that a tick takes. Made anew beside readers and writers, who wait for nothing but the last moment of it.
//!
//! An index that is full already says so by its fillfactor. What a program left that was killed in the middle is cleared away.

use deadpool_postgres::GenericClient as _;

use crate::{Client, Context as _, Result};

/// Any number that nobody else locks. Given back with the session, or before.
const LOCK: &str = "SELECT pg_try_advisory_lock(7304017184)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(7304017184)";

/// Indexes that were begun and not finished, and which they were to replace.
const LEFT: &str = r"
    SELECT format('%I', left_over.relname), format('%I', regexp_replace(left_over.relname, '_cc(new|old)\d*$', ''))
    FROM stored_span
    JOIN pg_index ON indrelid = partition
    JOIN pg_class AS left_over ON left_over.oid = indexrelid
    WHERE kind = 'ticks' AND NOT indisvalid AND left_over.relname ~ '_cc(new|old)\d*$'";

/// The oldest day whose index is not full. Late ticks come within a day, if they come.
const NEXT: &str = "
    SELECT format('%I', index.relname), pg_relation_size(index.oid)
    FROM stored_span
    JOIN pg_index ON indrelid = partition
    JOIN pg_class AS index ON index.oid = indexrelid
    WHERE kind = 'ticks' AND to_time <= now() - interval '24 hours' AND pg_relation_size(partition) > 0 AND indisvalid
      AND NOT coalesce(index.reloptions @> ARRAY['fillfactor=100'], false)
    ORDER BY from_time LIMIT 1";

/// A day's index that was made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Which.
    pub index: String,
    /// Its size before, in bytes.
    pub before: i64,
    /// Its size now.
    pub after: i64,
}

/// Makes one index anew. `None` when there is nothing to do, or somebody else is at it.
///
/// # Errors
/// When the database refuses, or somebody uses the day for very long. The index is as it was then.
pub async fn round(client: &Client) -> Result<Option<Packed>> {
    let doing = "making an index anew";
    if !client.query_one(LOCK, &[]).await.context(doing)?.get::<_, bool>(0) {
        return Ok(None);
    }
    // Much more is read than by a statement that stores.
    let limits = client.batch_execute("SET statement_timeout = '1h'; SET lock_timeout = '10s'").await.context(doing);
    let outcome = match limits {
        Ok(()) => pack(client).await,
        Err(error) => Err(error),
    };
    let reset = client.batch_execute("RESET statement_timeout; RESET lock_timeout").await;
    client.query_one(UNLOCK, &[]).await.context(doing)?;
    reset.context(doing)?;
    outcome
}

async fn pack(client: &Client) -> Result<Option<Packed>> {
    let doing = "making an index anew";
    for row in client.query(LEFT, &[]).await.context(doing)? {
        let (left, index): (&str, &str) = (row.get(0), row.get(1));
        let clear = format!("DROP INDEX {left}; ALTER INDEX IF EXISTS {index} RESET (fillfactor)");
        client.batch_execute(&clear).await.context("clearing away an index that was not finished")?;
    }
    let Some(row) = client.query_opt(NEXT, &[]).await.context(doing)? else { return Ok(None) };
    let (index, before): (String, i64) = (row.get(0), row.get(1));
    client.batch_execute(&format!("ALTER INDEX {index} SET (fillfactor = 100)")).await.context(doing)?;
    let made = client.batch_execute(&format!("REINDEX INDEX CONCURRENTLY {index}")).await;
    if let Err(error) = made.context(doing) {
        // Tried again at the next round; where this fails too, what is left over says so then.
        let _ = client.batch_execute(&format!("ALTER INDEX {index} RESET (fillfactor)")).await;
        return Err(error);
    }
    let size = client.query_one("SELECT pg_relation_size($1::text::regclass)", &[&index]).await;
    Ok(Some(Packed { index, before, after: size.context(doing)?.get(0) }))
}
