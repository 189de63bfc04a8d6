//! The db-handler as a service of its own.

use std::net::SocketAddr;

use anyhow::Context as _;
use broker::{RabbitMqSettings, Source};
use clap::Parser;
use database::DatabaseSettings;
use process::{Health, LogSettings};

/// Stores prices from RabbitMQ in PostgreSQL: each once, in transactions, with one-minute candles.
#[derive(Debug, Parser)]
#[command(name = "db-handler", version)]
struct Arguments {
    #[command(flatten)]
    storing: db_handler::Settings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    rabbitmq: RabbitMqSettings,
    #[command(flatten)]
    log: LogSettings,
    /// Where health and metrics are served
    #[arg(long, env = "DB_HANDLER_PROBE_BIND", value_name = "ADDRESS", default_value = "127.0.0.1:5003")]
    db_handler_probe_bind: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Arguments = process::settings::read()?;
    process::telemetry::init(&arguments.log)?;
    process::tls::install();
    if let Some(mistake) = arguments.rabbitmq.mistake().or_else(|| arguments.storing.keeping.mistake()) {
        anyhow::bail!(mistake);
    }
    let shutdown = process::shutdown::on_signal();
    let health = Health::new();
    let probe = process::probe::spawn(arguments.db_handler_probe_bind, health.clone(), shutdown.clone());
    let statement_timeout = Some(database::settings::STORING_TIMEOUT);
    let pool = database::connect(&DatabaseSettings { statement_timeout, ..arguments.database.clone() })?;
    let source = Source::RabbitMq(arguments.rabbitmq);
    db_handler::run(arguments.storing, source, pool, health, shutdown.clone())
        .await
        .with_context(|| format!("storing in the database at {}", arguments.database.location()))?;
    shutdown.cancel();
    probe.await??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn no_two_settings_share_a_name() {
        super::Arguments::command().debug_assert();
    }
}
