//! What is new of a market becomes messages, about one a second.

use std::time::Duration;

use broker::{LocalQueueError, Message, Publisher};
use domain::MarketReport;
use process::Shutdown;
use smol_str::SmolStr;
use tokio::time::{Instant, sleep, sleep_until};

use super::Latest;

/// Between two messages: a second, but for a little, so that they fall in step with streams that tell once a second. At a
/// second sharp, what came just after a message would be late by nearly as much for ever.
pub(crate) const PACE: Duration = Duration::from_millis(950);
/// How full the queue may be, from 0 to 1, for anything but trades to be put in: they need the rest while the broker is away.
pub(crate) const MOST_FILL: f64 = 0.1;

/// Tells what is new of a market.
pub(crate) struct Telling {
    /// Name of the exchange whose market it is.
    pub(crate) exchange: SmolStr,
    /// Where it goes.
    pub(crate) publisher: Publisher,
    /// What was told last.
    pub(crate) latest: Latest,
}

impl Telling {
    /// Puts into the queue what is new, until asked to stop, and then the rest.
    pub(crate) async fn run(&self, shutdown: &Shutdown) -> Result<(), LocalQueueError> {
        loop {
            tokio::select! {
                () = self.latest.is_new() => {}
                () = shutdown.cancelled() => return self.once().await,
            }
            while self.publisher.queue().fill() >= MOST_FILL && !shutdown.is_cancelled() {
                sleep(PACE).await;
            }
            let next = Instant::now() + PACE;
            self.once().await?;
            tokio::select! {
                () = sleep_until(next) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Puts into the queue what is new, unless there is too little room.
    pub(crate) async fn once(&self) -> Result<(), LocalQueueError> {
        if self.publisher.queue().fill() >= MOST_FILL {
            return Ok(());
        }
        let rows = self.latest.take();
        if rows.is_empty() {
            return Ok(());
        }
        let count = rows.len() as u64;
        metrics::counter!("market_rows_published_total", "exchange" => self.exchange.to_string()).increment(count);
        self.publisher.publish(Message::Market(MarketReport::new(self.exchange.clone(), rows))).await
    }
}
