//! From the exchanges to the queue.
//!
//! Each exchange has a feed: it learns what the exchange lists, keeps a stream open for the chosen tickers and another for the
//! whole market, and asks by REST while a stream is down. Reading the exchange, queueing to disk and publishing are three tasks, so that none
//! waits for the next one's network. Beside that, services that tell top lists are asked, where there is a key for one.

mod address;
pub mod backfill;
pub mod compare;
pub mod exchange;
pub mod exchanges;
pub mod feed;
pub mod gaps;
pub mod inspect;
pub mod intake;
pub mod listing;
pub mod market;
pub mod poll;
pub mod publish;
mod readable;
pub mod record;
pub mod recording;
pub mod replay;
pub mod rest;
pub mod selection;
pub mod services;
pub mod session;
pub mod settings;
pub mod status;
pub mod takeover;
pub mod trades;
pub mod wire;

use broker::Publisher;
use process::{Health, Shutdown};

pub use settings::{Mode, Settings};

/// The tracker cannot go on: the settings name something that does not exist, or a part of it broke.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub(crate) String);

/// How long ticks that were received may take to the disk after being asked to stop.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(5);

/// Follows the chosen exchanges, and asks services outside, until asked to stop; then what was received is put on disk.
///
/// # Errors
/// When the settings name an exchange that is not known, or addresses that are none, or when a part of the program breaks.
pub async fn run(settings: Settings, publisher: Publisher, health: Health, shutdown: Shutdown) -> Result<(), Error> {
    let exchanges = exchanges::chosen(&settings)?;
    let mut feeds = tokio::task::JoinSet::new();
    for exchange in exchanges {
        let name = exchange.identity().name;
        let feed =
            feed::Feed::new(exchange, settings.clone(), publisher.clone(), health.register(format!("feed {name}")));
        feeds.spawn(feed.run(shutdown.clone()));
    }
    for service in services::chosen(&settings.services, &publisher)? {
        feeds.spawn(service.run(shutdown.clone()));
    }
    let work = async {
        while let Some(ended) = feeds.join_next().await {
            ended.map_err(|broken| Error(format!("a feed broke: {broken}")))??;
        }
        Ok(())
    };
    match until_farewell(work, &shutdown).await {
        Some(ended) => {
            tracing::info!("every tick received is on disk");
            ended
        }
        None => Ok(()),
    }
}

/// Works to the end; `None` where that takes too long after being asked to stop, since the disk takes no more.
async fn until_farewell<T>(work: impl Future<Output = T>, shutdown: &Shutdown) -> Option<T> {
    tokio::select! {
        ended = work => Some(ended),
        () = async { shutdown.cancelled().await; tokio::time::sleep(FAREWELL).await } => {
            tracing::warn!("the disk or the queue takes no more ticks; those received last are lost");
            None
        }
    }
}
