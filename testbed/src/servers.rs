//! Servers of our own: started in private folders on free loopback ports, gone with the process that started them.
//!
//! Each server takes one folder and nothing else: for tests in memory where there is room, else below the system's
//! temporary folder; [`FOLDER_VARIABLE`] names another place. A guard (see `guard.rs`) stops them and removes the folder
//! even when we are killed.

mod guard;
mod postgres;
mod process;
mod rabbitmq;

use anyhow::Result;

pub use postgres::PostgresServer;
pub use process::lasting_port;
pub use rabbitmq::RabbitMqServer;

use crate::{POSTGRES_VARIABLE, RABBITMQ_MANAGEMENT_VARIABLE, RABBITMQ_VARIABLE};

/// Environment variable that names the folder in which servers make theirs. For a benchmark it must be on the disk to
/// be measured; for PostgreSQL started as root it must be one that other users may enter.
pub const FOLDER_VARIABLE: &str = "TESTBED_FOLDER";

/// What a server is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// Small and quick to answer: nothing is synced to disk, statistics are fresh.
    Tests,
    /// As in production: every commit is synced to disk before it is acknowledged.
    Benchmark,
}

/// One of each, for a whole test run.
#[derive(Debug)]
pub struct Servers {
    /// PostgreSQL.
    pub postgres: PostgresServer,
    /// RabbitMQ.
    pub rabbitmq: RabbitMqServer,
}

impl Servers {
    /// Starts both and returns while they boot, side by side; [`Servers::wait_until_ready`] waits for them.
    ///
    /// # Errors
    /// When a server is not installed or its data folder cannot be made.
    pub fn launch(tuning: Tuning) -> Result<Self> {
        let rabbitmq = RabbitMqServer::launch(tuning)?;
        Ok(Self { postgres: PostgresServer::launch(tuning)?, rabbitmq })
    }

    /// Waits until both answer.
    ///
    /// # Errors
    /// When one of them ends or takes longer than its patience; the error shows the end of its log.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        self.postgres.wait_until_ready()?;
        self.rabbitmq.wait_until_ready()
    }

    /// Which of them has ended by itself, if one has.
    pub fn ended(&mut self) -> Option<&'static str> {
        match (self.postgres.has_ended(), self.rabbitmq.has_ended()) {
            (true, _) => Some("PostgreSQL"),
            (_, true) => Some("RabbitMQ"),
            _ => None,
        }
    }

    /// The environment variables that announce these servers to tests.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 3] {
        let rabbitmq = self.rabbitmq.address();
        [
            (POSTGRES_VARIABLE, self.postgres.url()),
            (RABBITMQ_VARIABLE, rabbitmq.amqp.to_string()),
            (RABBITMQ_MANAGEMENT_VARIABLE, rabbitmq.management.to_string()),
        ]
    }
}
