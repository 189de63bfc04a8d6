//! Stopping in order.

pub use tokio_util::sync::CancellationToken as Shutdown;

/// A token that is cancelled when the process is asked to stop (Ctrl-C or SIGTERM). Asked a second time, the process
/// ends at once.
pub fn on_signal() -> Shutdown {
    let shutdown = Shutdown::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        asked_to_stop().await;
        token.cancel();
        tracing::info!("stopping; ask again to stop at once");
        asked_to_stop().await;
        std::process::exit(130);
    });
    shutdown
}

#[cfg(unix)]
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(%error, "cannot listen for signals; stop the process by force");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!(%error, "cannot listen for Ctrl-C; stop the process by force");
        std::future::pending::<()>().await;
    }
}
