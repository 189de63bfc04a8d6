//! Brings the schema up to date.
//!
//! Migrations are embedded in the binary and append-only. An advisory lock makes them run once, however many services
//! start together; a binary older than the schema refuses to touch it.

use refinery::Runner;

use crate::{Client, Context as _, Error, Pool, Result};

mod embedded {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
    refinery::embed_migrations!("migrations");
}

mod followed {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
    refinery::embed_migrations!("followed");
}

/// Any number that no other program locks.
const LOCK: i64 = 7_304_017_181;

/// The migrations, in order.
fn runner() -> Runner {
    embedded::migrations::runner()
}

/// The number of the newest migration that this binary holds.
pub fn newest_version() -> i32 {
    runner().get_migrations().iter().map(refinery::Migration::version).max().unwrap_or(0)
}

/// Names the schema that this binary makes: another text wherever a migration is another.
pub fn fingerprint() -> String {
    let migrations = runner();
    let checksums = migrations.get_migrations().iter().map(|migration| migration.checksum().to_string());
    checksums.collect::<Vec<_>>().join(" ")
}

/// Brings the schema up to date, and makes the partitions of the coming days.
///
/// # Errors
/// When the server cannot be reached, is too old, or refuses a migration.
pub async fn migrate(pool: &Pool) -> Result<()> {
    let mut client = pool.get().await?;
    if run(&mut client, runner()).await? {
        tell_of_missing_role(&client).await?;
    }
    crate::partitions::create_coming(&client).await
}

/// Brings the schema [`followed`](crate::followed) up to date, in whichever database it is.
///
/// # Errors
/// When the server cannot be reached, is too old, or refuses a migration.
pub async fn migrate_followed(pool: &Pool) -> Result<()> {
    let mut runner = followed::migrations::runner();
    runner.set_migration_table_name("followed_schema_history");
    run(&mut pool.get().await?, runner).await.map(drop)
}

/// Runs what has not been run. Returns whether there was anything.
async fn run(client: &mut Client, runner: Runner) -> Result<bool> {
    // A migration may rewrite years of data, and another service's may have to be waited for.
    client.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").await.context("preparing to migrate")?;
    let outcome = run_alone(client, runner).await;
    let reset = client.batch_execute("RESET statement_timeout; RESET lock_timeout").await;
    let is_changed = outcome?;
    reset.context("ending the migration")?;
    Ok(is_changed)
}

async fn run_alone(client: &mut Client, runner: Runner) -> Result<bool> {
    let row = client
        .query_one("SELECT current_setting('server_version_num')::int, current_setting('server_version')", &[])
        .await
        .context("asking for the server's version")?;
    if row.get::<_, i32>(0) < 150_000 {
        return Err(Error::ServerTooOld { found: row.get(1) });
    }
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.context("waiting for the migration lock")?;
    let outcome = runner.set_abort_missing(true).run_async(&mut ***client).await;
    client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await.context("releasing the migration lock")?;
    let report = outcome?;
    for migration in report.applied_migrations() {
        tracing::info!(version = %migration.version(), name = migration.name(), "migrated the database");
    }
    Ok(!report.applied_migrations().is_empty())
}

/// Not every user may make roles; what one does then, an administrator has to know.
async fn tell_of_missing_role(client: &Client) -> Result<()> {
    let row =
        client.query_one("SELECT to_regrole('analyst') IS NULL", &[]).await.context("looking for the role analyst")?;
    if row.get(0) {
        tracing::warn!(
            "the role analyst could not be made; where somebody is to have it, an administrator runs in this database: \
             CREATE ROLE analyst; CALL grant_analyst();"
        );
    }
    Ok(())
}

/// Tells whether the schema is as new as this binary needs it.
///
/// # Errors
/// When the database cannot be asked.
pub async fn is_current(pool: &Pool) -> Result<bool> {
    let client = pool.get().await?;
    let known = client
        .query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[])
        .await
        .context("looking for the schema")?;
    if !known.get::<_, bool>(0) {
        return Ok(false);
    }
    let row = client
        .query_one("SELECT coalesce(max(version), 0)::int FROM refinery_schema_history", &[])
        .await
        .context("asking for the schema's version")?;
    Ok(row.get::<_, i32>(0) >= newest_version())
}
