//! What takes long to compute, apart from the threads on which everybody waits for answers.

use std::panic::resume_unwind;

/// Does it on a thread of its own.
pub(crate) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends: nobody waits any more.
            Err(_) => std::future::pending().await,
        },
    }
}
