//! From the outbox to the people: what is to be told is sent, tried again, put together where it is much, and recorded.
//!
//! Rows of `alert.notification` wait until somebody sends them, whoever inserted them. Any number of notifiers share them: each
//! leases a channel that has something due, and sends its messages one after another. No connection is held while one is sent.

mod channels;
mod chart;
mod failure;
pub mod guard;
mod http;
mod message;
mod outbox;
mod plan;
mod schedules;
pub mod settings;
mod visit;

use std::time::Duration;

use database::Pool;
use process::{Health, Shutdown};

pub use settings::{Delays, MailSettings, MailTls, Settings};

/// The notifier cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was set cannot be used.
    #[error("{0}")]
    Settings(String),
    /// Requests cannot be made.
    #[error("preparing for requests: {0}")]
    Http(reqwest::Error),
    /// Mail cannot be encrypted.
    #[error("preparing to encrypt mail: {0}; are those in NOTIFIER_SMTP_CA_FILE whole?")]
    MailTls(lettre::transport::smtp::Error),
    /// A part of it broke, which is a mistake in the program.
    #[error("a part of the notifier broke: {0}")]
    Broke(tokio::task::JoinError),
}

/// How long messages that are being sent may take after being asked to stop. What did not arrive then is sent again.
const FAREWELL: Duration = Duration::from_secs(5);

/// Sends what is due until asked to stop.
///
/// # Errors
/// When the settings cannot be used, or a part of the program breaks.
pub async fn run(settings: Settings, pool: Pool, health: Health, shutdown: Shutdown) -> Result<(), Error> {
    if let Some(mistake) = settings.mistake() {
        return Err(Error::Settings(mistake));
    }
    let outbox = outbox::Outbox::new(&settings, pool.clone(), shutdown.clone())?;
    let computing = tokio::spawn(schedules::run(pool, health.register("schedules"), shutdown));
    outbox.run(health.register("notifications")).await?;
    computing.await.map_err(Error::Broke)
}
