//! The follower as a service of its own.

use std::net::SocketAddr;

use anyhow::Context as _;
use broker::RabbitMqSettings;
use clap::Parser;
use database::DatabaseSettings;
use process::{Health, LogSettings};

/// Keeps every change of what belongs to accounts (transactions, alerts, notifications, …), as RabbitMQ tells them: in the same database,
/// or in another one.
#[derive(Debug, Parser)]
#[command(name = "follower", version)]
struct Arguments {
    #[command(flatten)]
    following: follower::Settings,
    /// The database in which changes are kept, as one URL; without it, the one that the other services use
    #[arg(long, env = "FOLLOWER_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    follower_database_url: Option<String>,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    rabbitmq: RabbitMqSettings,
    #[command(flatten)]
    log: LogSettings,
    /// Where health and metrics are served
    #[arg(long, env = "FOLLOWER_PROBE_BIND", value_name = "ADDRESS", default_value = "127.0.0.1:5005")]
    follower_probe_bind: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Arguments = process::settings::read()?;
    process::telemetry::init(&arguments.log)?;
    process::tls::install();
    if let Some(mistake) = arguments.rabbitmq.mistake() {
        anyhow::bail!(mistake);
    }
    let shutdown = process::shutdown::on_signal();
    let health = Health::new();
    let probe = process::probe::spawn(arguments.follower_probe_bind, health.clone(), shutdown.clone());
    let own = arguments.follower_database_url.filter(|url| !url.is_empty());
    let settings = own.map_or(arguments.database, DatabaseSettings::at);
    let location = settings.location();
    let statement_timeout = Some(database::settings::STORING_TIMEOUT);
    let pool = database::connect(&DatabaseSettings { statement_timeout, ..settings })?;
    follower::run(arguments.following, arguments.rabbitmq, pool, health, shutdown.clone())
        .await
        .with_context(|| format!("keeping changes in the database at {location}"))?;
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

    #[test]
    fn every_setting_is_explained_and_reaches_the_container() {
        let (example, compose) = (include_str!("../../../.env.example"), include_str!("../../../docker-compose.yml"));
        let command = super::Arguments::command();
        let settings = command.get_arguments().filter_map(|one| one.get_env()?.to_str());
        for setting in settings.filter(|setting| *setting != "DATABASE_URL") {
            let is_explained =
                [format!("\n#{setting}="), format!("\n{setting}=")].iter().any(|line| example.contains(line));
            assert!(is_explained, "{setting} is not in .env.example");
            assert!(compose.contains(&format!(" {setting}:")), "{setting} is not in docker-compose.yml");
        }
    }
}
