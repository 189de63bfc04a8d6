//! Logs and metrics.
//!
//! Logs go to standard error, so that a program's own output stays clean. Metrics are kept in the process and rendered
//! when somebody asks.

use std::{io::IsTerminal as _, sync::OnceLock, time::Duration};

use clap::{Args, ValueEnum};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// How logs are written.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
pub struct LogSettings {
    /// What is logged: error, warn, info, debug or trace, for all or by module: "info,tracker=debug"
    #[arg(long, env = "LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: String,
    /// How log lines are written
    #[arg(long, env = "LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// The level cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("LOG_LEVEL {value:?} cannot be used ({source}); write a level such as info, or \"info,tracker=debug\"")]
pub struct InvalidLevel {
    value: String,
    source: tracing_subscriber::filter::ParseError,
}

/// Libraries whose everyday news interest nobody; the last would trace requests with the token of whoever is logged in. A level
/// named for one of them in LOG_LEVEL wins.
const QUIET: &str = "actix_server=warn,pglite_oxide=warn,refinery_core=warn,lapin=warn,tungstenite::handshake=debug";

/// Starts logging and counting.
///
/// # Errors
/// When the level cannot be read.
pub fn init(settings: &LogSettings) -> Result<(), InvalidLevel> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", settings.log_level))
        .map_err(|source| InvalidLevel { value: settings.log_level.clone(), source })?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        // Whoever reads our log may go away before we do.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    // An error means that a test or an embedding program logs already; its choice stands.
    let _ = match settings.log_format {
        LogFormat::Text => logs.compact().try_init(),
        LogFormat::Json => logs.json().try_init(),
    };
    metrics_handle();
    Ok(())
}

/// How often recorded durations are sorted into their buckets.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Upper bounds of the buckets of every duration, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The process's metrics: `.render()` gives them in Prometheus's text format. The first call starts counting.
pub fn metrics_handle() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let recorder = match builder.set_buckets(&SECONDS) {
            Ok(builder) => builder.build_recorder(),
            // Only an empty list of buckets is refused.
            Err(_) => PrometheusBuilder::new().build_recorder(),
        };
        let handle = recorder.handle();
        // An error means that an embedding program counts already.
        let _ = metrics::set_global_recorder(recorder);
        let upkeep = handle.clone();
        // Without it every recorded duration is kept until somebody asks for the metrics.
        let kept = std::thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(move || {
            loop {
                std::thread::sleep(UPKEEP_EVERY);
                upkeep.run_upkeep();
            }
        });
        if let Err(error) = kept {
            tracing::warn!(%error, "durations are kept in memory until /metrics is asked for");
        }
        handle
    })
}
