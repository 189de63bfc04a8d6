//! Asking for prices at fixed times: as a mode of its own, and while the stream is down.

use std::{sync::Arc, time::Duration};

use domain::TickSource;
use process::Shutdown;
use smol_str::SmolStr;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use crate::{exchange::Exchange, inspect::Inspector, publish::Passed, rest::RestError, status::Board};

/// Asks one exchange for prices.
pub struct Poller {
    /// Who is asked.
    pub exchange: Arc<dyn Exchange>,
    /// For what.
    pub tickers: Vec<SmolStr>,
    /// How often. Rounds do not drift: a slow one does not shift those after it.
    pub every: Duration,
    /// Only while the stream does not deliver.
    pub only_without_stream: bool,
    /// Who looks at the ticks.
    pub inspector: Arc<Inspector>,
    /// Where they go.
    pub ticks: mpsc::Sender<Passed>,
    /// Who is told how it goes.
    pub board: Board,
}

impl Poller {
    /// Asks until asked to stop.
    pub async fn run(self, shutdown: Shutdown) {
        let mut rounds = interval(self.every);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        if self.only_without_stream {
            // Give the stream the time to come up.
            rounds.reset();
        }
        loop {
            tokio::select! {
                _ = rounds.tick() => {}
                () = shutdown.cancelled() => return,
            }
            if self.only_without_stream && self.board.is_streaming() {
                continue;
            }
            let asked = tokio::select! {
                asked = self.exchange.prices(&self.tickers) => asked,
                () = shutdown.cancelled() => return,
            };
            match asked {
                Ok(prices) => {
                    let (mut valid, mut rejected) = (0, 0);
                    for tick in prices {
                        if !self.inspector.passes(&tick) {
                            rejected += 1;
                        } else if self.ticks.send(Passed { source: TickSource::Poll, tick, losses: None }).await.is_ok()
                        {
                            valid += 1;
                        }
                    }
                    self.board.count(valid, rejected);
                    self.board.polled(!self.only_without_stream);
                }
                Err(error) => self.report(&error),
            }
        }
    }

    fn report(&self, error: &RestError) {
        tracing::warn!(%error, "prices cannot be asked for");
        metrics::counter!("feed_polls_failed_total").increment(1);
        if !self.only_without_stream {
            // Without a stream there is no session to say what is wrong.
            let next = if let RestError::Limited { wait, .. } = error { (*wait).max(self.every) } else { self.every };
            self.board.waiting(0, error.to_string(), next);
        }
    }
}
