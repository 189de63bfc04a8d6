//! The whole market of one exchange: by the stream, by REST to begin with and while the stream is down.
//!
//! What is told of a pair is worth something until the next word about it. So it waits in [`Latest`], where newer takes the
//! place of older, and goes out about once a second at most; when the disk is slow or the queue fills, only the newest is left, and
//! trades never wait for it.

mod latest;
mod news;
mod telling;

use std::{sync::Arc, time::Duration};

use broker::{LocalQueueError, Publisher};
use futures_util::future::join_all;
use process::Shutdown;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    exchange::{Exchange, StreamRequest},
    session::Session,
    status::Board,
};

pub use latest::Latest;
pub(crate) use news::News;
pub(crate) use telling::{MOST_FILL, PACE, Telling};

/// How often it is considered whether to ask for all of it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often all of it is asked for at least, so that who begins anew behind us learns of quiet pairs too.
const ASK_EVERY: Duration = Duration::from_secs(600);
/// How often the exchange is asked whether a stream that brings nothing should, in times that it may be silent.
const DOUBT_EVERY: u32 = 4;

/// Follows the market of one exchange.
pub struct MarketFeed {
    /// Who tells.
    pub exchange: Arc<dyn Exchange>,
    /// Where it goes.
    pub publisher: Publisher,
    /// What was told last.
    pub latest: Latest,
    /// The connections; none where all is asked for by REST. They change when other pairs are listed.
    pub requests: watch::Receiver<Vec<StreamRequest>>,
    /// What keeps the connection of this number open.
    pub session: Box<dyn Fn(usize, StreamRequest) -> Session + Send + Sync>,
    /// Who knows how the connection does.
    pub board: Board,
    /// Makes the connection be opened anew.
    pub stale: watch::Sender<u64>,
    /// Between two questions for all of it while the stream does not deliver.
    pub pace: Duration,
    /// So long a stream may bring nothing before it is doubted.
    pub silence: Duration,
}

impl MarketFeed {
    /// Works until asked to stop; then what was told last is on disk.
    ///
    /// # Errors
    /// When the queue was closed.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), LocalQueueError> {
        let mut requests = self.requests.clone();
        let streaming = async {
            while !shutdown.is_cancelled() {
                self.stream(&mut requests, &shutdown).await;
            }
        };
        let asking = async {
            tokio::select! {
                () = self.ask() => {}
                () = shutdown.cancelled() => {}
            }
        };
        let telling = Telling {
            exchange: self.exchange.identity().name,
            publisher: self.publisher.clone(),
            latest: self.latest.clone(),
        };
        let (_, _, published) = tokio::join!(streaming, asking, telling.run(&shutdown));
        published
    }

    /// Keeps the connections open until others are wanted or it is asked to stop. What is told in between is asked for.
    async fn stream(&self, requests: &mut watch::Receiver<Vec<StreamRequest>>, shutdown: &Shutdown) {
        let wanted = requests.borrow_and_update().clone();
        if !wanted.is_empty() {
            self.board.keep(wanted.len());
        }
        let until = shutdown.child_token();
        let carry = |(number, request)| {
            let market = self.exchange.market()?;
            let news = News::new(self.exchange.clone(), market, self.latest.clone());
            Some((self.session)(number, request).run(news, until.clone()))
        };
        let ending = async {
            tokio::select! {
                changed = requests.changed() => if changed.is_err() { shutdown.cancelled().await },
                () = shutdown.cancelled() => {}
            }
            until.cancel();
        };
        tokio::join!(join_all(wanted.into_iter().enumerate().filter_map(carry)), ending);
    }

    /// Asks for all of it when it is needed. Never ends by itself.
    async fn ask(&self) {
        let Some(market) = self.exchange.market() else { return };
        let name = self.exchange.identity().name;
        // When it was last asked, and whether the stream delivered then already: what was before it is known since.
        let mut asked: Option<(Instant, bool)> = None;
        loop {
            let streams = !self.requests.borrow().is_empty();
            let delivers = streams && self.board.is_streaming();
            metrics::gauge!("market_streaming", "exchange" => name.to_string()).set(u8::from(delivers));
            let in_doubt = delivers && self.latest.quiet_for() >= self.silence;
            let due = match asked {
                Some((_, true)) if in_doubt => self.silence * DOUBT_EVERY,
                Some((_, true)) if delivers => ASK_EVERY,
                _ => self.pace,
            };
            if asked.is_some_and(|(at, _)| at.elapsed() < due) {
                sleep(LOOK_EVERY).await;
                continue;
            }
            let answer = market.all().await;
            asked = Some((Instant::now(), delivers && answer.is_ok()));
            match answer {
                Ok(rows) => {
                    if in_doubt && self.latest.contradicts(&rows) {
                        self.stale.send_modify(|count| *count += 1);
                    }
                    self.latest.take_in(rows);
                    self.board.polled(!streams);
                }
                Err(error) => {
                    if !streams {
                        // Without a stream there is no session to say what is wrong.
                        self.board.waiting(0, error.to_string(), self.pace);
                    }
                    tracing::warn!(exchange = %name, %error, "the market cannot be asked for");
                    metrics::counter!("market_asks_failed_total", "exchange" => name.to_string()).increment(1);
                }
            }
        }
    }
}
