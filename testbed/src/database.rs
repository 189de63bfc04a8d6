//! A database of its own for each test, copied from a template that is migrated once per server.
//!
//! Copying takes tens of milliseconds where migrating takes as long as there are migrations, and a test that starts
//! from a copy sees exactly what production sees after its migrations.

use std::fmt;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::{Context, Result};
use tokio_postgres::{Client, NoTls};

use crate::address::ServerAddress;
use crate::random;

/// A database that no other test uses; dropped, with whatever is still connected to it, when this value is.
#[derive(Debug)]
pub struct TestDatabase {
    server: ServerAddress,
    name: String,
}

impl TestDatabase {
    /// A database as `migrate` leaves it. `migrate` gets a URL and runs at most once per server and `key`, for the
    /// template; `key` must change when the migrations do (their text is the best key). It must close its connections.
    ///
    /// # Panics
    /// When there is no server (see [`crate::postgres`]) or anything fails: a test has nothing to go on with.
    pub async fn create<M, F, E>(key: &str, migrate: M) -> Self
    where
        M: FnOnce(String) -> F,
        F: Future<Output = Result<(), E>>,
        E: Into<anyhow::Error>,
    {
        let server = crate::postgres();
        Self::create_on(&server, key, migrate).await.unwrap_or_else(|error| panic!("making a test database: {error:#}"))
    }

    /// A database without any table.
    ///
    /// # Panics
    /// When there is no server or it refuses.
    pub async fn empty() -> Self {
        let server = crate::postgres();
        let made = async { Self::copy(&server, &admin(&server).await?, "template1").await };
        made.await.unwrap_or_else(|error| panic!("making an empty test database: {error:#}"))
    }

    /// Like [`TestDatabase::create`], on a server of the caller's choice.
    ///
    /// # Errors
    /// When the server refuses or `migrate` fails.
    pub async fn create_on<M, F, E>(server: &ServerAddress, key: &str, migrate: M) -> Result<Self>
    where
        M: FnOnce(String) -> F,
        F: Future<Output = Result<(), E>>,
        E: Into<anyhow::Error>,
    {
        // The standard library's default hasher is the same in every process built with one compiler.
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let template = format!("template_{:016x}", hasher.finish());
        let client = admin(server).await?;
        if !exists(&client, &template).await? {
            // One process makes the template, the others wait for it; the lock ends with the session at the latest.
            client.batch_execute("SELECT pg_advisory_lock(7320191)").await.context("waiting for the template")?;
            let made = make_template(server, &client, &template, migrate).await;
            client
                .batch_execute("SELECT pg_advisory_unlock(7320191)")
                .await
                .context("giving back the template's lock")?;
            made.context("making the template database")?;
        }
        Self::copy(server, &client, &template).await
    }

    /// URL for clients.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its name on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Cuts every connection to this database, as a restart of the server would.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn close_all_connections(&self) {
        let sql = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = ";
        self.administer(&format!("{sql}'{}'", self.name)).await;
    }

    /// From now on nobody can connect, and who is connected is cut off: an outage of this test's database only.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn take_down(&self) {
        self.administer(&format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", self.name)).await;
        self.close_all_connections().await;
    }

    /// Ends what [`TestDatabase::take_down`] began.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn bring_up(&self) {
        self.administer(&format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", self.name)).await;
    }

    async fn administer(&self, sql: &str) {
        let done = async { admin(&self.server).await?.batch_execute(sql).await.with_context(|| sql.to_owned()) };
        done.await.unwrap_or_else(|error| panic!("{self}: {error:#}"));
    }

    async fn copy(server: &ServerAddress, client: &Client, template: &str) -> Result<Self> {
        let name = format!("test_{}", random::hex());
        let sql = format!("CREATE DATABASE {name} WITH TEMPLATE {template}");
        client.batch_execute(&sql).await.with_context(|| sql)?;
        Ok(Self { server: server.clone(), name })
    }
}

impl fmt::Display for TestDatabase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "test database {}", self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // The test's runtime may be gone or be ours to block, so a thread with its own does it. A failure leaves a
        // database behind on a server that is removed after the run: nothing to report.
        let (server, name) = (self.server.clone(), std::mem::take(&mut self.name));
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let client = admin(&server).await?;
                client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
                anyhow::Ok(())
            })
        });
        let _ = dropping.join();
    }
}

/// A session in the maintenance database: the server refuses to copy a template that anyone is connected to.
async fn admin(server: &ServerAddress) -> Result<Client> {
    let connected = tokio_postgres::connect(&server.url("postgres"), NoTls).await;
    let (client, connection) = connected.with_context(|| format!("connecting to {}:{}", server.host, server.port))?;
    // Ends with the client; an error of the connection is an error of the client's next query.
    tokio::spawn(connection);
    Ok(client)
}

async fn exists(client: &Client, database: &str) -> Result<bool> {
    let row = client.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&database]).await;
    Ok(row.context("looking for the template")?.is_some())
}

/// Migrates under another name first, so that a template with its proper name is always complete.
async fn make_template<M, F, E>(server: &ServerAddress, client: &Client, template: &str, migrate: M) -> Result<()>
where
    M: FnOnce(String) -> F,
    F: Future<Output = Result<(), E>>,
    E: Into<anyhow::Error>,
{
    if exists(client, template).await? {
        return Ok(());
    }
    let draft = format!("draft_{template}");
    // Left by a process that was killed, or whose migrations failed.
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await?;
    client.batch_execute(&format!("CREATE DATABASE {draft}")).await?;
    migrate(server.url(&draft)).await.map_err(Into::into).context("migrating")?;
    // From here on only copies can be connected to; a connection that is still closing would stop the renaming.
    client.batch_execute(&format!("ALTER DATABASE {draft} WITH ALLOW_CONNECTIONS false")).await?;
    let sql = format!("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{draft}'");
    client.batch_execute(&sql).await?;
    client.batch_execute(&format!("ALTER DATABASE {draft} RENAME TO {template}")).await?;
    Ok(())
}
