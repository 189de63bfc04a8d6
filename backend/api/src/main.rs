//! The API as a process of its own.

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
    let pool = database::connect(&settings.database).context("preparing the database")?;
    let live = Live::rabbitmq(settings.rabbitmq);
    let shutdown = process::shutdown::on_signal();
    // The schema is the db-handler's work; until it stands, /health/ready says so and the routes answer 503.
    api::run(settings.api, pool, live, Health::new(), shutdown).await.context("serving")
}
