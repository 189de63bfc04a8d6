//! Filling gaps: asking the exchange for the trades that did not come.
//!
//! Newest holes first. What can wait does wait ([`Rest::get_when_spare`](crate::rest::Rest::get_when_spare)), so that
//! live prices never have to. Every answer is put in the queue before the ledger says so, so that what is killed halfway
//! goes on there. Once in a while the exchange is also asked whether it has trades that a silent stream did not bring.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use broker::{LocalQueueError, Message, Publisher};
use chrono::{TimeDelta, Utc};
use domain::{Gap, GapReport, GapState, Tick, TickBatch, TickSource};
use process::Shutdown;
use smol_str::SmolStr;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    exchange::{Exchange, History},
    gaps::{Hole, Ledger},
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
/// The longest delay between two tries to fill a hole.
const LONGEST_DELAY: Duration = Duration::from_secs(600);
/// How long a trade that the exchange tells of may take to come through the stream.
const STREAM_PATIENCE: Duration = Duration::from_secs(3);

/// Fills the gaps of one exchange.
pub struct Backfill {
    /// Who is asked.
    pub exchange: Arc<dyn Exchange>,
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

impl Backfill {
    /// Works until asked to stop.
    ///
    /// # Errors
    /// When the queue was closed.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), LocalQueueError> {
        let exchange = self.exchange.clone();
        let Some(history) = exchange.history() else { return Ok(()) };
        tokio::select! {
            done = self.work(history) => done,
            () = shutdown.cancelled() => Ok(()),
        }
    }

    async fn work(&self, history: &dyn History) -> Result<(), LocalQueueError> {
        let mut retries: HashMap<(SmolStr, i64), Retry> = HashMap::new();
        let mut silence_at = Instant::now() + self.silence;
        loop {
            sleep(ROUND).await;
            self.ledger.measure_again();
            let holes = self.ledger.open_holes();
            let open: HashSet<(SmolStr, i64)> = holes.iter().map(name).collect();
            retries.retain(|name, _| open.contains(name));
            for hole in holes {
                let due = retries.get(&name(&hole)).is_none_or(|retry| retry.at <= Instant::now());
                if due && Utc::now() - hole.gap.found_at >= GRACE {
                    match self.fill(history, &hole).await? {
                        Ok(()) => drop(retries.remove(&name(&hole))),
                        Err(error) => {
                            let known = retries.get(&name(&hole)).map_or(ROUND, |retry| retry.delay);
                            let mut delay = (known * 2).min(LONGEST_DELAY);
                            if let RestError::Limited { wait, .. } = error {
                                delay = delay.max(wait);
                            }
                            retries.insert(name(&hole), Retry { at: Instant::now() + delay, delay });
                        }
                    }
                }
            }
            if silence_at <= Instant::now() {
                self.look_behind_silence(history).await?;
                silence_at = Instant::now() + self.silence;
            }
        }
    }

    /// Asks for everything that is left of a hole.
    async fn fill(&self, history: &dyn History, hole: &Hole) -> Result<Result<(), RestError>, LocalQueueError> {
        let (gap, mut absent) = (&hole.gap, 0);
        for (first, last) in hole.left.iter().copied() {
            let mut next = first;
            while next <= last {
                let most = usize::try_from(last - next + 1).unwrap_or(PAGE).min(PAGE);
                let answer = match history.trades(&gap.ticker, next, most).await {
                    Ok(answer) if answer.is_empty() => Err(RestError::Unreadable {
                        host: self.exchange.identity().name.to_string(),
                        reason: format!("no trade from number {next} on, although later ones came"),
                    }),
                    asked => asked,
                };
                let trades = match answer {
                    Ok(trades) => trades,
                    Err(error) => {
                        let told = error.to_string();
                        tracing::warn!(exchange = %self.exchange.identity().name, ticker = %gap.ticker, first, last, error = told, "a gap cannot be filled now");
                        metrics::counter!("gap_requests_failed_total").increment(1);
                        self.tell(gap, &[], GapState::Open, Some(&told)).await?;
                        return Ok(Err(error));
                    }
                };
                let newest = trades.iter().filter_map(|trade| trade.trade_id).max().unwrap_or(last);
                let wanted: Vec<Tick> = trades
                    .into_iter()
                    .filter(|trade| trade.trade_id.is_some_and(|id| (next..=last).contains(&id)))
                    .filter(|trade| self.inspector.passes(trade))
                    .collect();
                let ids: Vec<i64> = wanted.iter().filter_map(|trade| trade.trade_id).collect();
                let asked_until = newest.clamp(next, last);
                absent += asked_until - next + 1 - ids.len() as i64;
                next = asked_until + 1;
                self.publish(wanted).await?;
                if !ids.is_empty() {
                    self.tell(gap, &ids, GapState::Filling, None).await?;
                }
            }
        }
        if absent > 0 {
            let told = format!("the exchange has none of {absent} numbers");
            self.tell(gap, &[], GapState::ConfirmedEmpty, Some(&told)).await?;
        }
        Ok(Ok(()))
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
    async fn tell(
        &self,
        gap: &Gap,
        fetched: &[i64],
        state: GapState,
        detail: Option<&str>,
    ) -> Result<(), LocalQueueError> {
        let told = self.ledger.change(gap, fetched, |hole| {
            hole.gap.attempts += u32::from(state != GapState::Filling);
            hole.say(state, detail, Utc::now());
        });
        let Some((gap, note)) = told else { return Ok(()) };
        if gap.state.is_closed() {
            tracing::info!(exchange = %self.exchange.identity().name, ticker = %gap.ticker, first = gap.first_trade_id,
                last = gap.last_trade_id, state = gap.state.as_str(), "a gap is closed");
        }
        let report = GapReport { exchange: self.exchange.identity().name, gaps: vec![gap] };
        self.publisher.publish_noting(Message::Gaps(report), vec![note]).await
    }

    /// A pair of which nothing comes is either quiet, or its stream is dead although the connection lives. The exchange
    /// knows: it is asked for the newest trade.
    async fn look_behind_silence(&self, history: &dyn History) -> Result<(), LocalQueueError> {
        let behind = |newest: &[(SmolStr, i64)], silent: &[(SmolStr, i64)]| -> Vec<(SmolStr, i64)> {
            let last: HashMap<&SmolStr, i64> = silent.iter().map(|(ticker, id)| (ticker, *id)).collect();
            newest.iter().filter(|(ticker, id)| last.get(ticker).is_some_and(|last| id > last)).cloned().collect()
        };
        let silent = || self.ledger.silent_since(Utc::now() - self.silence);
        let asked: Vec<SmolStr> = silent().into_iter().map(|(ticker, _)| ticker).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let newest = match history.newest_ids(&asked).await {
            Ok(newest) => newest,
            Err(error) => {
                tracing::debug!(%error, "silent pairs cannot be asked for");
                return Ok(());
            }
        };
        if behind(&newest, &silent()).is_empty() {
            return Ok(());
        }
        sleep(STREAM_PATIENCE).await;
        let mut stale = false;
        for (ticker, newest_id) in behind(&newest, &silent()) {
            let learned = self.ledger.is_behind(&ticker, newest_id, Utc::now());
            if !learned.found.is_empty() {
                stale = true;
                let report = GapReport { exchange: self.exchange.identity().name, gaps: learned.found };
                self.publisher.publish_noting(Message::Gaps(report), learned.notes).await?;
            }
        }
        if stale && self.board.is_streaming() {
            self.stale.send_modify(|count| *count += 1);
        }
        Ok(())
    }
}

fn name(hole: &Hole) -> (SmolStr, i64) {
    (hole.gap.ticker.clone(), hole.gap.first_trade_id)
}
