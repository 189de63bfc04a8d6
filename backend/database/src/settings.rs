//! Where the database is.

use std::{fmt, time::Duration};

use clap::Args;

use crate::{Error, Result};

/// How long a statement that stores something may take. One that takes longer waits for something that does not come.
pub const STORING_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a statement may wait for somebody else's lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a transaction of ours may stay open while we do nothing in it, as when this machine hangs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How to reach PostgreSQL.
#[derive(Clone, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseSettings {
    /// Where PostgreSQL is, as one URL; if set, the POSTGRES_* settings are not used
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// PostgreSQL's host name; without it and DATABASE_URL, a service looks on localhost, and crypto-tracker uses a
    /// database of its own
    #[arg(long, env = "POSTGRES_HOST", value_name = "HOST")]
    pub postgres_host: Option<String>,
    /// PostgreSQL's port
    #[arg(long, env = "POSTGRES_PORT", value_name = "PORT", default_value_t = 5432)]
    pub postgres_port: u16,
    /// Name of the database
    #[arg(long, env = "POSTGRES_DB", value_name = "NAME", default_value = "postgres")]
    pub postgres_db: String,
    /// User to connect as
    #[arg(long, env = "POSTGRES_USER", value_name = "NAME", default_value = "postgres")]
    pub postgres_user: String,
    /// That user's password
    #[arg(long, env = "POSTGRES_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub postgres_password: Option<String>,
    /// Connections kept open at most
    #[arg(long, env = "DATABASE_POOL_SIZE", value_name = "COUNT", default_value_t = 8)]
    pub database_pool_size: usize,
    /// How long to wait for a free connection before giving up, in milliseconds
    #[arg(long, env = "DATABASE_WAIT_MS", value_name = "MS", default_value_t = 2_000)]
    pub database_wait_ms: u64,
    /// How long one statement may take before the server gives it up; with it, waiting for locks is bounded too. Without it,
    /// as long as it needs
    #[arg(skip)]
    pub statement_timeout: Option<Duration>,
}

impl DatabaseSettings {
    /// Settings for the database at `url`, everything else at its default.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            database_url: Some(url.into()),
            postgres_host: None,
            postgres_port: 5432,
            postgres_db: "postgres".to_owned(),
            postgres_user: "postgres".to_owned(),
            postgres_password: None,
            database_pool_size: 8,
            database_wait_ms: 2_000,
            statement_timeout: None,
        }
    }

    /// Whether a server is named at all. An empty setting names none.
    pub fn names_a_server(&self) -> bool {
        self.url().is_some() || self.host().is_some()
    }

    fn url(&self) -> Option<&str> {
        self.database_url.as_deref().filter(|url| !url.is_empty())
    }

    fn host(&self) -> Option<&str> {
        self.postgres_host.as_deref().filter(|host| !host.is_empty())
    }

    /// How long to wait for a free connection.
    pub(crate) fn wait(&self) -> Duration {
        Duration::from_millis(self.database_wait_ms)
    }

    /// The connection's parameters.
    pub(crate) fn parameters(&self) -> Result<tokio_postgres::Config> {
        let mut parameters = match self.url() {
            Some(url) => url.parse::<tokio_postgres::Config>().map_err(|error| {
                Error::Settings(format!(
                    "DATABASE_URL is not a PostgreSQL URL ({error}); write postgres://user:password@host:5432/name"
                ))
            })?,
            None => {
                let mut parameters = tokio_postgres::Config::new();
                parameters
                    .host(self.host().unwrap_or("localhost"))
                    .port(self.postgres_port)
                    .dbname(&self.postgres_db)
                    .user(&self.postgres_user);
                if let Some(password) = &self.postgres_password {
                    parameters.password(password);
                }
                parameters
            }
        };
        parameters.connect_timeout(Duration::from_secs(3)).keepalives_idle(Duration::from_secs(10));
        #[cfg(target_os = "linux")]
        parameters.tcp_user_timeout(Duration::from_secs(8));
        if let Some(timeout) = self.statement_timeout {
            // Compiling a plan takes longer than any of our questions.
            let options = format!(
                "-c jit=off -c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={}",
                timeout.as_millis(),
                LOCK_TIMEOUT.as_millis(),
                IDLE_TIMEOUT.as_millis()
            );
            let given = parameters.get_options().map(|given| format!("{given} {options}"));
            parameters.options(given.unwrap_or(options));
        }
        if parameters.get_application_name().is_none() {
            parameters.application_name("crypto-tracker");
        }
        Ok(parameters)
    }

    /// Where the database is, without its password: for logs and messages.
    pub fn location(&self) -> String {
        let Ok(parameters) = self.parameters() else {
            return "an unreadable DATABASE_URL".to_owned();
        };
        let host = match parameters.get_hosts().first() {
            Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
            #[cfg(unix)]
            Some(tokio_postgres::config::Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        let port = parameters.get_ports().first().copied().unwrap_or(5432);
        format!("{host}:{port}/{}", parameters.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseSettings({}, {} connections)", self.location(), self.database_pool_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let settings = DatabaseSettings::at("postgres://reader:hunter2@db.example:6000/prices");
        assert_eq!(settings.location(), "db.example:6000/prices");
        assert!(!format!("{settings:?}").contains("hunter2"));
        let broken = DatabaseSettings::at("postgres://reader:hunter2@[::/prices");
        assert!(!format!("{broken:?}").contains("hunter2"));
        let error = broken.parameters().unwrap_err().to_string();
        assert!(error.contains("DATABASE_URL") && !error.contains("hunter2"), "{error}");
    }
}
