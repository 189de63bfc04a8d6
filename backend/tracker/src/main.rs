//! The tracker as a service of its own.

use std::{net::SocketAddr, path::PathBuf};

use broker::{LocalQueue, LocalQueueSettings, Publisher, RabbitMqSettings};
use clap::Parser;
use process::{Health, LogSettings};

/// Follows exchanges and publishes their prices to RabbitMQ, through a queue on disk that outlives its absence.
#[derive(Debug, Parser)]
#[command(name = "tracker", version)]
struct Arguments {
    #[command(flatten)]
    tracking: tracker::Settings,
    #[command(flatten)]
    rabbitmq: RabbitMqSettings,
    /// Keep messages on disk until RabbitMQ has them: true or false. false keeps at most 64 MB of them in memory, and
    /// what waits there is lost when the tracker ends
    #[arg(long, env = "TRACKER_SAVE_CACHED_DATA", value_name = "BOOL", default_value_t = true,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    tracker_save_cached_data: bool,
    /// The file of the queue on disk, in which messages wait until RabbitMQ has them
    #[arg(long, env = "TRACKER_QUEUE_PATH", value_name = "FILE", default_value = "data/tracker-queue.redb")]
    tracker_queue_path: PathBuf,
    /// How large that queue may grow before reading the exchange must wait, in bytes
    #[arg(long, env = "TRACKER_QUEUE_MAX_BYTES", value_name = "BYTES", default_value_t = 8_000_000_000)]
    tracker_queue_max_bytes: u64,
    #[command(flatten)]
    log: LogSettings,
    /// Where health and metrics are served
    #[arg(long, env = "TRACKER_PROBE_BIND", value_name = "ADDRESS", default_value = "127.0.0.1:5002")]
    tracker_probe_bind: SocketAddr,
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
    let probe = process::probe::spawn(arguments.tracker_probe_bind, health.clone(), shutdown.clone());
    let in_memory = LocalQueueSettings::in_memory();
    let most = arguments.tracker_queue_max_bytes;
    let settings = if arguments.tracker_save_cached_data {
        LocalQueueSettings { max_bytes: most, ..LocalQueueSettings::at(arguments.tracker_queue_path) }
    } else {
        tracing::warn!("TRACKER_SAVE_CACHED_DATA is false: what RabbitMQ has not taken is lost when the tracker ends");
        LocalQueueSettings { max_bytes: most.min(in_memory.max_bytes), ..in_memory }
    };
    let queue = LocalQueue::open(settings).await?;
    let publisher = Publisher::new(queue.clone());
    let works = health.register("queue on disk");
    tokio::spawn(queue.clone().tell_trouble(move |how| works.tell(how)));

    let taken = health.register("broker");
    // Forwarding ends after tracking, so that what came last is sent too.
    let tracked = process::Shutdown::new();
    let forwarding =
        broker::forward(publisher.clone(), arguments.rabbitmq, tracked.clone(), move |how| taken.tell(how));
    let forwarding = tokio::spawn(forwarding);
    let outcome = tracker::run(arguments.tracking, publisher, health, shutdown.clone()).await;
    tracked.cancel();
    forwarding.await?;
    queue.close().await;
    shutdown.cancel();
    probe.await??;
    Ok(outcome?)
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
        for setting in settings {
            let is_explained =
                [format!("\n#{setting}="), format!("\n{setting}=")].iter().any(|line| example.contains(line));
            assert!(is_explained, "{setting} is not in .env.example");
            assert!(compose.contains(&format!(" {setting}:")), "{setting} is not in docker-compose.yml");
        }
    }
}
