//! The whole market of one exchange: by the stream, by REST to begin with and while the stream is down.
//!
//! What is told of a pair is worth something until the next word about it. So it waits in [`Latest`], where newer takes the
//! place of older, and goes out about once a second at most; when the disk is slow or the queue fills, only the newest is left, and
//! trades never wait for it.

mod latest;

use std::{sync::Arc, time::Duration};

use broker::{LocalQueueError, Message, Publisher};
use chrono::{DateTime, Utc};
use domain::MarketReport;
use futures_util::future::join_all;
use process::Shutdown;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    exchange::{Exchange, Found, Frame, Reader, UnreadableFrame},
    session::{Carried, Session},
    status::Board,
};

pub use latest::Latest;

/// Between two messages: a second, but for a little, so that they fall in step with streams that tell once a second. At a
/// second sharp, what came just after a message would be late by nearly as much for ever.
const PACE: Duration = Duration::from_millis(950);
/// How full the queue may be, from 0 to 1, for anything but trades to be put in: they need the rest while the broker is away.
pub(crate) const MOST_FILL: f64 = 0.1;
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
    /// The connections; none where all is asked for by REST.
    pub sessions: Vec<Session>,
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
    pub async fn run(mut self, shutdown: Shutdown) -> Result<(), LocalQueueError> {
        let sessions = std::mem::take(&mut self.sessions);
        let streams = !sessions.is_empty();
        let carry = |session: Session| {
            let market = self.exchange.market()?;
            let (exchange, latest) = (self.exchange.clone(), self.latest.clone());
            let news = News { exchange, latest, reader: market.news_reader(), found: Found::default() };
            Some(session.run(news, shutdown.clone()))
        };
        let streaming = join_all(sessions.into_iter().filter_map(carry));
        let asking = async {
            tokio::select! {
                () = self.ask(streams) => {}
                () = shutdown.cancelled() => {}
            }
        };
        let (_, _, published) = tokio::join!(streaming, asking, self.publish(&shutdown));
        published
    }

    /// Asks for all of it when it is needed. Never ends by itself.
    async fn ask(&self, streams: bool) {
        let Some(market) = self.exchange.market() else { return };
        let name = self.exchange.identity().name;
        // When it was last asked, and whether the stream delivered then already: what was before it is known since.
        let mut asked: Option<(Instant, bool)> = None;
        loop {
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

    /// Puts into the queue what is new, until asked to stop, and then the rest.
    async fn publish(&self, shutdown: &Shutdown) -> Result<(), LocalQueueError> {
        loop {
            tokio::select! {
                () = self.latest.is_new() => {}
                () = shutdown.cancelled() => return self.publish_once().await,
            }
            while self.publisher.queue().fill() >= MOST_FILL && !shutdown.is_cancelled() {
                sleep(PACE).await;
            }
            let next = Instant::now() + PACE;
            self.publish_once().await?;
            tokio::select! {
                () = sleep_until(next) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    async fn publish_once(&self) -> Result<(), LocalQueueError> {
        if self.publisher.queue().fill() >= MOST_FILL {
            return Ok(());
        }
        let rows = self.latest.take();
        if rows.is_empty() {
            return Ok(());
        }
        let name = self.exchange.identity().name;
        metrics::counter!("market_rows_published_total", "exchange" => name.to_string()).increment(rows.len() as u64);
        self.publisher.publish(Message::Market(MarketReport::new(name, rows))).await
    }
}

/// What a stream of the market carries.
struct News {
    exchange: Arc<dyn Exchange>,
    latest: Latest,
    reader: Box<dyn Reader>,
    found: Found,
}

impl Carried for News {
    fn begins(&mut self, _: bool) {
        if let Some(market) = self.exchange.market() {
            self.reader = market.news_reader();
        }
    }

    fn read(&mut self, text: &str, received_at: DateTime<Utc>) -> Result<Frame, UnreadableFrame> {
        self.reader.read(text, received_at, &mut self.found)
    }

    fn unreadable(&self, error: &UnreadableFrame, text: &str) {
        self.latest.unreadable(error, text);
    }

    async fn hand_on(&mut self) -> bool {
        if !self.found.rows.is_empty() {
            self.latest.heard();
            self.latest.take_in(std::mem::take(&mut self.found.rows));
        }
        self.found.ticks.clear();
        self.found.newest.clear();
        true
    }
}
