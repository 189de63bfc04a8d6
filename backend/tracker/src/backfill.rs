//! Filling gaps: asking the exchange for the trades that did not come.
//!
//! A hole is a range of numbers (`by_number.rs`) or, where these do not tell what is missing, a span of time (`by_time.rs`). Newest
//! holes first. What can wait does wait ([`Rest::get_when_spare`](crate::rest::Rest::get_when_spare)), so that live prices never
//! have to. Every answer is put in the queue before the ledger says so, so that what is killed halfway goes on there. Once in a
//! while the exchange is also asked whether it has trades that a silent stream did not bring.

mod by_number;
mod by_time;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use broker::{LocalQueueError, Message, Publisher};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Gap, GapCause, GapReport, GapState, Tick, TickBatch, TickSource};
use process::Shutdown;
use smol_str::SmolStr;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    exchange::{Exchange, History, Recent},
    gaps::{Hole, Learned, Ledger},
    inspect::Inspector,
    rest::RestError,
    status::Board,
};

/// How often it is looked for work.
const ROUND: Duration = Duration::from_secs(1);
/// Trades that only come in another order have come by then.
const GRACE: TimeDelta = TimeDelta::seconds(1);
/// How many trades are asked for at once.
const PAGE: usize = 1_000;
/// When the exchange has refused, or answered nothing useful, so often, it will not answer.
const MOST_REFUSALS: u32 = 10;
/// The longest delay between two tries to fill a hole.
const LONGEST_DELAY: Duration = Duration::from_secs(600);
/// How long a trade that the exchange tells of may take to come through the stream.
const STREAM_PATIENCE: Duration = Duration::from_secs(3);

/// Fills the gaps of one exchange.
pub struct Backfill {
    /// Who is asked.
    pub exchange: Arc<dyn Exchange>,
    /// The pairs that are followed.
    pub tickers: Vec<SmolStr>,
    /// What is missing.
    pub ledger: Ledger,
    /// Who looks at the ticks.
    pub inspector: Arc<Inspector>,
    /// Where they go.
    pub publisher: Publisher,
    /// How many ticks a message holds at most.
    pub batch_ticks: usize,
    /// A pair of which nothing came for so long is asked for, and so often.
    pub silence: Duration,
    /// Who knows whether the stream delivers.
    pub board: Board,
    /// Who opens the stream anew when this changes.
    pub stale: watch::Sender<u64>,
}

/// When a hole is tried again, and how long the delay was.
struct Retry {
    at: Instant,
    delay: Duration,
}

/// How missing trades are asked for.
#[derive(Clone, Copy)]
enum Asked<'a> {
    ByNumber(&'a dyn History),
    ByTime(&'a dyn Recent),
}

impl Backfill {
    /// Works until asked to stop.
    ///
    /// # Errors
    /// When the queue was closed.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), LocalQueueError> {
        let exchange = self.exchange.clone();
        let work = async {
            match (exchange.history(), exchange.recent()) {
                (Some(history), _) => {
                    let fill = self.fill_holes(Asked::ByNumber(history));
                    tokio::try_join!(fill, self.watch_silence(history), self.watch_awaited()).map(|_| ())
                }
                (None, Some(recent)) => {
                    tokio::try_join!(self.fill_holes(Asked::ByTime(recent)), self.watch_quiet(recent)).map(|_| ())
                }
                (None, None) => Ok(()),
            }
        };
        tokio::select! {
            done = work => done,
            () = shutdown.cancelled() => Ok(()),
        }
    }

    /// Never ends by itself. Has one page asked for at a time and looks then which hole is the newest.
    async fn fill_holes(&self, asked: Asked<'_>) -> Result<(), LocalQueueError> {
        let mut retries: HashMap<(SmolStr, i64), Retry> = HashMap::new();
        loop {
            self.ledger.measure_again();
            let holes = self.ledger.open_holes();
            let open: HashSet<(SmolStr, i64)> = holes.iter().map(Hole::name).collect();
            retries.retain(|name, _| open.contains(name));
            let due = |hole: &&Hole| {
                Utc::now() - hole.gap.found_at >= GRACE
                    && retries.get(&hole.name()).is_none_or(|retry| retry.at <= Instant::now())
            };
            let Some(hole) = holes.iter().find(due) else {
                sleep(ROUND).await;
                continue;
            };
            let filled = match asked {
                Asked::ByNumber(history) => {
                    // One that failed is tried alone, and never in the company of another.
                    let alone = retries.contains_key(&hole.name());
                    let is_company = |other: &&Hole| {
                        !alone
                            && other.gap.ticker == hole.gap.ticker
                            && other.name() != hole.name()
                            && due(other)
                            && !retries.contains_key(&other.name())
                    };
                    let company: Vec<&Hole> = holes.iter().filter(is_company).collect();
                    self.fill_page(history, hole, &company).await?
                }
                Asked::ByTime(recent) => self.fill_span(recent, hole).await?,
            };
            match filled {
                Ok(()) => drop(retries.remove(&hole.name())),
                Err(error) => {
                    let known = retries.get(&hole.name()).map_or(ROUND, |retry| retry.delay);
                    let delay = (known * 2).min(LONGEST_DELAY);
                    retries.insert(hole.name(), Retry { at: Instant::now() + delay, delay });
                    self.report(hole, &error).await?;
                    if matches!(error, RestError::Limited { .. } | RestError::Unreachable { .. }) {
                        // The next hole would fare no better.
                        sleep(ROUND).await;
                    }
                }
            }
        }
    }

    /// A hole cannot be filled now, or, where the exchange has said so often enough, never.
    async fn report(&self, hole: &Hole, error: &RestError) -> Result<(), LocalQueueError> {
        let Gap { ticker, first_trade_id, last_trade_id, .. } = &hole.gap;
        tracing::warn!(exchange = %self.exchange.identity().name, %ticker, first_trade_id, last_trade_id, %error, "a gap cannot be filled now");
        metrics::counter!("gap_requests_failed_total").increment(1);
        let answered = matches!(error, RestError::Refused { status: 400..500, .. } | RestError::Unreadable { .. });
        let told = error.to_string();
        self.tell(hole, |hole| {
            hole.gap.attempts = hole.gap.attempts.saturating_add(1);
            let never = answered && hole.gap.attempts >= MOST_REFUSALS;
            hole.say(if never { GapState::Unfillable } else { GapState::Open }, Some(&told), Utc::now());
        })
        .await
    }

    async fn publish(&self, mut ticks: Vec<Tick>) -> Result<(), LocalQueueError> {
        metrics::counter!("ticks_backfilled_total", "exchange" => self.exchange.identity().name.to_string())
            .increment(ticks.len() as u64);
        while !ticks.is_empty() {
            let rest = ticks.split_off(ticks.len().min(self.batch_ticks.max(1)));
            let batch = TickBatch::new(self.exchange.identity().name, TickSource::Backfill, ticks);
            self.publisher.publish(Message::Ticks(batch)).await?;
            ticks = rest;
        }
        Ok(())
    }

    /// Says of a hole what became of it, here and to whoever stores it.
    async fn tell(&self, hole: &Hole, say: impl FnOnce(&mut Hole)) -> Result<(), LocalQueueError> {
        let Some((gap, note)) = self.ledger.change(&hole.name(), say) else { return Ok(()) };
        if gap.state.is_closed() {
            tracing::info!(exchange = %self.exchange.identity().name, ticker = %gap.ticker, first = gap.first_trade_id,
                last = gap.last_trade_id, state = gap.state.as_str(), "a gap is closed");
        }
        let report = GapReport { exchange: self.exchange.identity().name, gaps: vec![gap] };
        self.publisher.publish_noting(Message::Gaps(report), vec![note]).await
    }

    /// Never ends by itself.
    async fn watch_silence(&self, history: &dyn History) -> Result<(), LocalQueueError> {
        // At once too: what was traded while nobody looked need not wait for the next trade.
        loop {
            self.look_behind_silence(history).await?;
            sleep(self.silence).await;
        }
    }

    /// A pair of which nothing comes is either quiet, or its stream is dead although the connection lives. The exchange
    /// knows: it is asked for the newest trade.
    async fn look_behind_silence(&self, history: &dyn History) -> Result<(), LocalQueueError> {
        let behind = |newest: &[(SmolStr, i64)], silent: &[(SmolStr, i64)]| -> Vec<(SmolStr, i64)> {
            let last: HashMap<&SmolStr, i64> = silent.iter().map(|(ticker, id)| (ticker, *id)).collect();
            newest.iter().filter(|(ticker, id)| last.get(ticker).is_some_and(|last| id > last)).cloned().collect()
        };
        let silent = || self.ledger.silent_since(Utc::now() - self.silence);
        let mut asked = self.ledger.unknown(self.tickers.iter());
        asked.extend(silent().into_iter().map(|(ticker, _)| ticker));
        if asked.is_empty() {
            return Ok(());
        }
        let newest = match history.newest_ids(&asked).await {
            Ok(newest) => newest,
            Err(error) => {
                tracing::warn!(%error, "it cannot be asked whether silent pairs were traded");
                return Ok(());
            }
        };
        // Of a pair of which nothing ever came, the next trade is the first that must.
        let begun = newest.iter().filter_map(|(ticker, id)| self.ledger.begin(ticker, *id, Utc::now()));
        let begun: Vec<_> = begun.collect();
        if !begun.is_empty() {
            self.publisher.queue().note(begun).await?;
        }
        if behind(&newest, &silent()).is_empty() {
            return Ok(());
        }
        sleep(STREAM_PATIENCE).await;
        self.open_behind(behind(&newest, &silent())).await
    }

    /// Never ends by itself. What the exchange tells of beside the trades, and the stream does not bring, is missing.
    async fn watch_awaited(&self) -> Result<(), LocalQueueError> {
        loop {
            sleep(ROUND).await;
            let overdue = self.ledger.awaited_since(Utc::now() - STREAM_PATIENCE);
            self.open_behind(overdue).await?;
        }
    }

    /// These pairs have a newer trade than the stream brought.
    async fn open_behind(&self, pairs: Vec<(SmolStr, i64)>) -> Result<(), LocalQueueError> {
        let mut found = Vec::new();
        for (ticker, newest_id) in pairs {
            found.push(self.ledger.is_behind(&ticker, newest_id, Utc::now()));
        }
        self.publish_found(found).await
    }

    /// Publishes what was found behind silence. A stream that lives and does not bring what there is is opened anew.
    async fn publish_found(&self, found: Vec<Learned>) -> Result<(), LocalQueueError> {
        let mut stale = false;
        for learned in found.into_iter().filter(|learned| !learned.found.is_empty()) {
            stale |= learned.found.iter().any(|gap| gap.cause == GapCause::Silence);
            let report = GapReport { exchange: self.exchange.identity().name, gaps: learned.found.clone() };
            self.publisher.publish_noting(Message::Gaps(report), learned.notes).await?;
            self.ledger.written(&learned.found);
        }
        if stale && self.board.is_streaming() {
            self.stale.send_modify(|count| *count += 1);
        }
        Ok(())
    }
}
