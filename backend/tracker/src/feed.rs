//! Everything about one exchange: its catalogue, its stream, its prices by REST, its state.

use std::{collections::HashMap, sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use broker::{Message, Publisher};
use chrono::{TimeDelta, Utc};
use domain::{Catalogue, GapReport, Instrument, InstrumentStatus};
use process::{Check, Shutdown};
use smol_str::SmolStr;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    Error, Mode, Settings,
    backfill::Backfill,
    compare::Comparison,
    exchange::Exchange,
    gaps::Ledger,
    inspect::Inspector,
    poll::Poller,
    publish::{Batcher, CHANNEL, Passed},
    rest::RestError,
    session::Session,
    status::Board,
};

/// How often the catalogue is asked for again. New pairs and halts become known then, and a database that was made anew
/// learns what there is.
const CATALOGUE_EVERY: Duration = Duration::from_secs(600);
/// How often the exchange's clock is compared with ours.
const CLOCK_EVERY: Duration = Duration::from_secs(60);
/// An answer that took longer says too little of what time it is.
const CLOCK_PATIENCE: Duration = Duration::from_secs(2);
/// How far clocks may differ before it is worth a warning.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(1);
/// The longest delay between two tries to get the first catalogue.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// One exchange, followed.
pub struct Feed {
    exchange: Arc<dyn Exchange>,
    settings: Settings,
    publisher: Publisher,
    check: Check,
    board: Board,
}

impl Feed {
    /// Follows `exchange`.
    pub fn new(exchange: Arc<dyn Exchange>, settings: Settings, publisher: Publisher, check: Check) -> Self {
        let board = Board::new(exchange.identity().name);
        Self { exchange, settings, publisher, check, board }
    }

    /// Works until asked to stop; then what was received is on disk.
    ///
    /// # Errors
    /// When ticks can no longer be put in the queue.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), Error> {
        // A poll counts as fresh for two rounds and a bit.
        let fresh = TimeDelta::seconds(i64::from(self.settings.tracker_waiting_time) * 2 + 5);
        let telling = self.board.clone().tell(self.publisher.clone(), self.check.clone(), fresh, shutdown.clone());
        let telling = tokio::spawn(telling);
        let outcome = match self.first_catalogue(&shutdown).await {
            Some(tickers) => self.follow(tickers, &shutdown).await,
            None => Ok(()),
        };
        // It ends when we are asked to stop, and sooner only by a mistake in it, which costs news alone.
        telling.abort();
        outcome
    }

    /// Asks for the catalogue until it comes, and publishes it: storing ticks needs it. Returns the tickers to follow;
    /// `None` when asked to stop.
    async fn first_catalogue(&self, shutdown: &Shutdown) -> Option<Vec<SmolStr>> {
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(Duration::from_secs(1))
            // Jitter may double it.
            .with_max_delay(LONGEST_DELAY / 2)
            .with_jitter()
            .without_max_times()
            .build();
        loop {
            let asked = tokio::select! {
                asked = self.exchange.catalogue() => asked,
                () = shutdown.cancelled() => return None,
            };
            let error = match asked {
                Ok(instruments) => {
                    let tickers = self.to_follow(&instruments);
                    self.publish_catalogue(instruments).await;
                    return Some(tickers);
                }
                Err(error) => error,
            };
            let mut delay = delays.next().unwrap_or(LONGEST_DELAY);
            if let RestError::Limited { wait, .. } = error {
                delay = delay.max(wait);
            }
            tracing::warn!(exchange = %self.name(), %error, retry_in = ?delay, "the exchange cannot be reached");
            self.board.waiting(0, error.to_string(), delay);
            tokio::select! {
                () = sleep(delay) => {}
                () = shutdown.cancelled() => return None,
            }
        }
    }

    /// The configured tickers that the exchange lists. Others are named, and the rest goes on without them.
    fn to_follow(&self, listed: &[Instrument]) -> Vec<SmolStr> {
        let by_ticker: HashMap<&str, &Instrument> = listed.iter().map(|one| (one.ticker.as_str(), one)).collect();
        let mut tickers = Vec::new();
        for wanted in &self.settings.tracker_symbols {
            let wanted = wanted.trim();
            let upper = wanted.to_uppercase();
            let Some(instrument) = by_ticker.get(wanted).or_else(|| by_ticker.get(upper.as_str())) else {
                if !wanted.is_empty() {
                    tracing::error!(exchange = %self.name(), "TRACKER_SYMBOLS: {wanted:?} is not listed; write tickers as the exchange does, such as BTCUSDT");
                }
                continue;
            };
            if instrument.status == InstrumentStatus::Halted {
                tracing::warn!(exchange = %self.name(), ticker = wanted, "trading is halted; it is followed all the same");
            }
            if !tickers.contains(&instrument.ticker) {
                tickers.push(instrument.ticker.clone());
            }
        }
        tickers
    }

    async fn follow(&self, tickers: Vec<SmolStr>, shutdown: &Shutdown) -> Result<(), Error> {
        if tickers.is_empty() {
            let reason = format!("none of TRACKER_SYMBOLS is listed by {}", self.name());
            tracing::error!("{reason}; nothing is followed");
            self.board.waiting(0, reason, CATALOGUE_EVERY);
            shutdown.cancelled().await;
            return Ok(());
        }
        tracing::info!(exchange = %self.name(), tickers = tickers.len(), mode = ?self.settings.tracker_mode, "following");
        let (sender, receiver) = mpsc::channel::<Passed>(CHANNEL);
        let ledger = match self.exchange.history() {
            Some(_) if self.settings.tracker_mode == Mode::Stream => Some(self.ledger(&tickers).await?),
            _ => None,
        };
        let (stale_sender, stale) = watch::channel(0);
        let batcher = Batcher {
            exchange: self.name(),
            publisher: self.publisher.clone(),
            ledger: ledger.clone().map(|ledger| (ledger, self.board.clone())),
            batch_ticks: self.settings.tracker_batch_ticks,
            linger: self.settings.linger(),
        };
        let mut batching = tokio::spawn(batcher.run(receiver));
        let inspector = Arc::new(Inspector::new(self.name(), tickers.iter().cloned()));
        let mut tasks = JoinSet::new();
        if self.settings.tracker_mode == Mode::Stream {
            for (number, request) in self.exchange.streams(&tickers).into_iter().enumerate() {
                let session = Session {
                    number,
                    exchange: self.exchange.clone(),
                    request,
                    idle: self.settings.idle(),
                    lifetime: self.settings.lifetime(),
                    inspector: inspector.clone(),
                    ticks: sender.clone(),
                    board: self.board.clone(),
                    stale: stale.clone(),
                };
                tasks.spawn(session.run(shutdown.clone()));
            }
        }
        if let Some(ledger) = ledger {
            let backfill = Backfill {
                exchange: self.exchange.clone(),
                tickers: tickers.clone(),
                ledger,
                inspector: inspector.clone(),
                publisher: self.publisher.clone(),
                batch_ticks: self.settings.tracker_batch_ticks,
                silence: self.settings.silence(),
                board: self.board.clone(),
                stale: stale_sender,
            };
            let work = backfill.run(shutdown.clone());
            tasks.spawn(async {
                if let Err(error) = work.await {
                    tracing::error!(%error, "gaps are no longer filled");
                }
            });
        }
        if let (Mode::Stream, Some(every)) = (self.settings.tracker_mode, self.settings.compare_every()) {
            let work = self.comparison(&tickers, every).await?.run(shutdown.clone());
            tasks.spawn(async {
                if let Err(error) = work.await {
                    tracing::error!(%error, "candles are no longer compared");
                }
            });
        }
        let poller = Poller {
            exchange: self.exchange.clone(),
            tickers,
            every: self.settings.waiting_time(),
            only_without_stream: self.settings.tracker_mode == Mode::Stream,
            inspector,
            ticks: sender,
            board: self.board.clone(),
        };
        tasks.spawn(poller.run(shutdown.clone()));
        tokio::select! {
            () = self.refresh_catalogue() => {}
            () = self.compare_clocks() => {}
            () = shutdown.cancelled() => {}
            broken = &mut batching => return Err(Error(format!("ticks can no longer be queued: {broken:?}"))),
        }
        while tasks.join_next().await.is_some() {}
        match batching.await {
            Ok(Ok(())) => Ok(()),
            broken => Err(Error(format!("ticks received last could not be queued: {broken:?}"))),
        }
    }

    /// The gaps and the numbers that were noted beside the queue, as far as they concern these tickers.
    async fn ledger(&self, tickers: &[SmolStr]) -> Result<Ledger, Error> {
        let notes = self.publisher.queue().notes().await;
        let notes = notes.map_err(|error| Error(format!("what was noted of trades cannot be read: {error}")))?;
        let ledger = Ledger::new(self.name(), &notes);
        let (gaps, forgotten) = if self.settings.exchange_is_new {
            ledger.give_up(|_| false, "the exchange that had them is gone", Utc::now())
        } else {
            ledger.give_up(|ticker| tickers.contains(ticker), "the pair is no longer followed", Utc::now())
        };
        if !forgotten.is_empty() {
            let report = Message::Gaps(GapReport { exchange: self.name(), gaps });
            let told = self.publisher.publish_noting(report, forgotten).await;
            told.map_err(|error| Error(format!("gaps can no longer be queued: {error}")))?;
        }
        Ok(ledger)
    }

    async fn comparison(&self, tickers: &[SmolStr], every: TimeDelta) -> Result<Comparison, Error> {
        let (name, is_new) = (self.name(), self.settings.exchange_is_new);
        let compared = Comparison::begin(&name, tickers, every, is_new, &self.publisher, Utc::now()).await;
        Ok(Comparison {
            exchange: self.exchange.clone(),
            publisher: self.publisher.clone(),
            board: self.board.clone(),
            every,
            compared: compared.map_err(|error| Error(format!("what was compared cannot be noted: {error}")))?,
        })
    }

    /// Never ends by itself.
    async fn compare_clocks(&self) {
        loop {
            let (asked_at, clock) = (Utc::now(), Instant::now());
            match self.exchange.clock().await {
                Ok(Some(there)) => {
                    let took = clock.elapsed();
                    // It was read halfway, as far as anybody can know.
                    let here = asked_at + took / 2;
                    if took <= CLOCK_PATIENCE {
                        let ahead = there - here;
                        if ahead.abs() > CLOCK_TOLERANCE {
                            tracing::warn!(exchange = %self.name(), ahead_ms = ahead.num_milliseconds(), "the exchange's clock and ours differ; times of trades are the exchange's");
                        }
                        self.board.clock(ahead.num_milliseconds());
                    }
                }
                Ok(None) => return std::future::pending().await,
                Err(error) => tracing::debug!(exchange = %self.name(), %error, "the exchange's clock cannot be read"),
            }
            sleep(CLOCK_EVERY).await;
        }
    }

    /// Never ends by itself.
    async fn refresh_catalogue(&self) {
        loop {
            sleep(CATALOGUE_EVERY).await;
            match self.exchange.catalogue().await {
                Ok(instruments) => self.publish_catalogue(instruments).await,
                Err(error) => tracing::warn!(exchange = %self.name(), %error, "the catalogue cannot be refreshed"),
            }
        }
    }

    async fn publish_catalogue(&self, instruments: Vec<Instrument>) {
        let catalogue = Catalogue { exchange: self.exchange.identity(), instruments };
        if let Err(error) = self.publisher.publish(Message::Catalogue(catalogue)).await {
            tracing::error!(%error, "the catalogue cannot be published");
        }
    }

    fn name(&self) -> SmolStr {
        self.exchange.identity().name
    }
}
