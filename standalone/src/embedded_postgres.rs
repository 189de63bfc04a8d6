//! PostgreSQL inside this process: the only file that knows how.
//!
//! It has one connection. Whoever uses it shares a pool of one, and nobody holds that connection while waiting for
//! another. It survives the death of this process, `kill -9` included. It does not sync to the disk (its sync fails), so
//! it may not survive the death of the machine: for keeping, `DATABASE_URL` names a server.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use database::DatabaseSettings;
use pglite_oxide::PgliteServer;

/// How long it may take to stop. It waits for its connection to be closed, for ever if need be.
const STOP: Duration = Duration::from_secs(20);

/// The database, running.
pub(crate) struct EmbeddedPostgres {
    server: PgliteServer,
    socket_folder: Option<PathBuf>,
}

impl EmbeddedPostgres {
    /// Starts the database that lives in `folder`, and makes it where there is none.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.join("postgres");
        tokio::task::spawn_blocking(move || Self::start_blocking(&folder)).await?
    }

    fn start_blocking(folder: &Path) -> anyhow::Result<Self> {
        let builder = PgliteServer::builder()
            .path(folder)
            .database("postgres")
            .postgres_config("fsync", "off")
            .postgres_config("timezone", "UTC")
            .postgres_config("jit", "off");
        // On TCP each round trip after a COPY waits for a delayed acknowledgement.
        let (builder, socket_folder) = if cfg!(unix) { listen_on_socket(builder)? } else { (builder, None) };
        let server =
            builder.start().with_context(|| format!("the embedded database in {} does not start", folder.display()))?;
        Ok(Self { server, socket_folder })
    }

    /// How to connect: one connection, shared.
    pub(crate) fn settings(&self) -> DatabaseSettings {
        DatabaseSettings {
            database_pool_size: 1,
            // The one connection may be busy with a large batch.
            database_wait_ms: 10_000,
            ..DatabaseSettings::at(self.server.database_url())
        }
    }

    /// Stops it. Every connection must be closed before; else this fails after a while. What is committed survives that.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let stopping = tokio::task::spawn_blocking(move || self.server.shutdown());
        let stopped = tokio::time::timeout(STOP, stopping).await.context("a connection to it is still open")??;
        if let Some(folder) = self.socket_folder {
            // What stays behind is an empty folder among temporary files.
            let _ = std::fs::remove_dir_all(folder);
        }
        stopped
    }
}

type Builder = pglite_oxide::PgliteServerBuilder;

/// A socket's path has about a hundred characters at most, so that it cannot live in the data folder.
#[cfg(unix)]
fn listen_on_socket(builder: Builder) -> anyhow::Result<(Builder, Option<PathBuf>)> {
    use std::os::unix::fs::DirBuilderExt as _;
    let folder = std::env::temp_dir().join(format!("crypto-tracker-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    // Only this user may connect.
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("the folder {} for the database's socket cannot be made", folder.display()))?;
    Ok((builder.unix(folder.join(".s.PGSQL.5432")), Some(folder)))
}

#[cfg(not(unix))]
fn listen_on_socket(builder: Builder) -> anyhow::Result<(Builder, Option<PathBuf>)> {
    Ok((builder, None))
}
