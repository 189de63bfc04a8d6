//! The notifier as a service of its own.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Parser;
use database::DatabaseSettings;
use process::{Health, LogSettings};

/// Sends notifications: by mail, to webhooks and to messengers, each until it arrived or was refused.
#[derive(Debug, Parser)]
#[command(name = "notifier", version)]
struct Arguments {
    #[command(flatten)]
    notifying: notifier::Settings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    log: LogSettings,
    /// Where health and metrics are served
    #[arg(long, env = "NOTIFIER_PROBE_BIND", value_name = "ADDRESS", default_value = "127.0.0.1:5004")]
    notifier_probe_bind: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Arguments = process::settings::read()?;
    process::telemetry::init(&arguments.log)?;
    process::tls::install();
    let shutdown = process::shutdown::on_signal();
    let health = Health::new();
    let probe = process::probe::spawn(arguments.notifier_probe_bind, health.clone(), shutdown.clone());
    let statement_timeout = Some(database::settings::STORING_TIMEOUT);
    let pool = database::connect(&DatabaseSettings { statement_timeout, ..arguments.database.clone() })?;
    notifier::run(arguments.notifying, pool, health, shutdown.clone())
        .await
        .with_context(|| format!("sending what waits in the database at {}", arguments.database.location()))?;
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
