//! The API as a process of its own.

use std::time::Duration;

use anyhow::Context as _;
use broker::{Live, RabbitMqSettings};
use clap::Parser;
use database::DatabaseSettings;
use process::{Health, LogSettings};

/// Serves stored and live prices over HTTP.
#[derive(Parser)]
#[command(name = "api", version)]
struct Program {
    #[command(flatten)]
    api: api::Settings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    rabbitmq: RabbitMqSettings,
    #[command(flatten)]
    logs: LogSettings,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings: Program = process::settings::read().context("reading the settings")?;
    process::telemetry::init(&settings.logs).context("starting the log")?;
    process::tls::install();
    if let Some(mistake) = settings.rabbitmq.mistake() {
        anyhow::bail!(mistake);
    }
    let statement_timeout = Some(Duration::from_millis(settings.api.api_query_timeout_ms));
    let database = DatabaseSettings { statement_timeout, ..settings.database };
    let pool = database::connect(&database).context("preparing the database")?;
    let live = Live::rabbitmq(settings.rabbitmq);
    let shutdown = process::shutdown::on_signal();
    // The schema is the db-handler's work; until it stands, /health/ready says so and the routes answer 503.
    api::run(settings.api, pool, live, Health::new(), shutdown).await.context("serving")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn no_two_settings_share_a_name() {
        super::Program::command().debug_assert();
    }
}
