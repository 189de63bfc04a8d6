//! How the db-handler works.

use std::time::Duration;

use clap::Args;

/// How prices are gathered and stored.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storing")]
#[group(id = "storing")]
pub struct Settings {
    /// Transactions at work at the same time, each with its own connections
    #[arg(long, env = "DB_HANDLER_WRITERS", value_name = "COUNT", default_value_t = 3)]
    pub db_handler_writers: u16,
    /// How many ticks are gathered before a transaction is begun without waiting for more
    #[arg(long, env = "DB_HANDLER_BATCH_TICKS", value_name = "COUNT", default_value_t = 5_000)]
    pub db_handler_batch_ticks: usize,
    /// How long a batch may wait to grow, in milliseconds
    #[arg(long, env = "DB_HANDLER_LINGER_MS", value_name = "MS", default_value_t = 3)]
    pub db_handler_linger_ms: u64,
    /// How many messages a writer may hold unacknowledged
    #[arg(long, env = "DB_HANDLER_PREFETCH", value_name = "COUNT", default_value_t = 128)]
    pub db_handler_prefetch: u16,
    /// Vacuum and analyze the database from here, for one that does not by itself (the embedded one)
    #[arg(skip)]
    pub vacuum: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            db_handler_writers: 3,
            db_handler_batch_ticks: 5_000,
            db_handler_linger_ms: 3,
            db_handler_prefetch: 128,
            vacuum: false,
        }
    }
}

impl Settings {
    pub(crate) fn linger(&self) -> Duration {
        Duration::from_millis(self.db_handler_linger_ms)
    }
}
