//! Shows the dashboard in a process of its own.

use std::io;

use clap::Parser;
use dashboard::Settings;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<()> {
    match dotenvy::dotenv() {
        Err(error) if !error.not_found() => anyhow::bail!(".env cannot be read: write NAME=value on each line"),
        Ok(_) | Err(_) => {}
    }
    let settings = Settings::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,dashboard=info"));
    // It would trace requests with the token of whoever is logged in.
    let filter = filter.add_directive("tungstenite::handshake=debug".parse()?);
    tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false).with_writer(io::stderr).init();
    let closed = CancellationToken::new();
    close_on_signal(closed.clone())?;
    dashboard::run_until(&settings, &closed)?;
    Ok(())
}

/// The window closes as if its user had closed it, and keeps what was chosen.
fn close_on_signal(closed: CancellationToken) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            match signalled().await {
                Ok(()) => closed.cancel(),
                Err(error) => tracing::warn!(%error, "signals cannot be heard; close the window instead"),
            }
        });
    })?;
    Ok(())
}

#[cfg(unix)]
async fn signalled() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        heard = tokio::signal::ctrl_c() => heard,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signalled() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
