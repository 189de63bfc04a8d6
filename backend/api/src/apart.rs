//! Work that takes long, apart from the threads that answer.

use actix_web::{http::StatusCode, web};

use crate::error::Failure;

/// Does it on a thread of its own.
///
/// # Errors
/// Its own; or ours, where it panics.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    web::block(work).await.unwrap_or_else(|_| Err(Failure::of_status(StatusCode::INTERNAL_SERVER_ERROR)))
}
