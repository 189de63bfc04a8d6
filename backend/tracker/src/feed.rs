//! Everything about one exchange: its catalogue, its stream, its prices by REST, its state.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use broker::{LocalQueueError, Message, Publisher};
use chrono::{TimeDelta, Utc};
use domain::{Catalogue, Instrument};
use futures_util::future::OptionFuture;
use process::{Check, Shutdown};
use smol_str::SmolStr;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, sleep_until},
};

use crate::{
    Error, Mode, Settings,
    backfill::Backfill,
    compare::Comparison,
    exchange::{Exchange, StreamRequest},
    gaps::Ledger,
    intake::{Intake, noted_ledger},
    listing::Listing,
    market::{Latest, MarketFeed},
    poll::Poller,
    rest::RestError,
    selection::to_follow,
    session::{Door, Session},
    status::Board,
    takeover::Takeover,
};

/// How often the catalogue is asked for again. New pairs and halts become known then, and a database that was made anew
/// learns what there is.
const CATALOGUE_EVERY: Duration = Duration::from_secs(600);
/// How often it is asked for at most because a pair trades that it does not list.
const WANTED_PACE: Duration = Duration::from_secs(60);
/// Asking for the whole market costs a good part of what may be asked for; while it is not streamed it is asked for no more often.
const LEAST_MARKET_PACE: Duration = Duration::from_secs(10);
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
    listing: Listing,
    /// The connections that tell of the whole market, for what is listed.
    market_requests: watch::Sender<Vec<StreamRequest>>,
    door: Door,
}

impl Feed {
    /// Follows `exchange`.
    pub fn new(exchange: Arc<dyn Exchange>, settings: Settings, publisher: Publisher, check: Check) -> Self {
        let board = Board::new(exchange.identity().name);
        let (listing, market_requests, door) = (Listing::default(), watch::Sender::default(), Door::default());
        Self { exchange, settings, publisher, check, board, listing, market_requests, door }
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

    /// Asks for the catalogue until it comes, and publishes it: storing ticks needs it. Returns the tickers to follow; `None` when
    /// asked to stop.
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
                    let tickers = to_follow(&self.name(), &self.settings.tracker_symbols, &instruments);
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

    async fn follow(&self, tickers: Vec<SmolStr>, shutdown: &Shutdown) -> Result<(), Error> {
        let has_market = self.settings.tracker_market && self.exchange.market().is_some();
        if tickers.is_empty() && !has_market {
            let reason = format!("none of TRACKER_SYMBOLS is listed by {}", self.name());
            tracing::error!("{reason}; nothing is followed");
            self.board.waiting(0, reason, CATALOGUE_EVERY);
            shutdown.cancelled().await;
            return Ok(());
        }
        tracing::info!(exchange = %self.name(), tickers = tickers.len(), market = has_market, mode = ?self.settings.tracker_mode, "following");
        let mut tasks = JoinSet::new();
        let market = has_market.then(|| Latest::new(self.name(), self.listing.clone()));
        if let Some(latest) = &market {
            let work = self.market(latest.clone(), tickers.is_empty()).run(shutdown.clone());
            tasks.spawn(logged("the market is no longer followed", work));
        }
        if let (Mode::Stream, Some(every)) = (self.settings.tracker_mode, self.settings.compare_every()) {
            let takeover = self.takeover(&tickers, market, every).await?;
            tasks.spawn(logged("candles are no longer taken over", takeover.run(shutdown.clone())));
            let comparison = self.comparison(&tickers, every).await?;
            tasks.spawn(logged("candles are no longer compared", comparison.run(shutdown.clone())));
        }
        let mut batching =
            if tickers.is_empty() { None } else { Some(self.record(tickers, &mut tasks, shutdown).await?) };
        tokio::select! {
            // First: whoever puts ticks into the queue ends too when all are asked to stop.
            biased;
            () = shutdown.cancelled() => {}
            () = self.refresh_catalogue() => {}
            () = self.compare_clocks() => {}
            Some(broken) = OptionFuture::from(batching.as_mut()) => {
                return Err(Error(format!("ticks can no longer be queued: {broken:?}")));
            }
        }
        while tasks.join_next().await.is_some() {}
        match OptionFuture::from(batching).await {
            None | Some(Ok(Ok(()))) => Ok(()),
            broken => Err(Error(format!("ticks received last could not be queued: {broken:?}"))),
        }
    }

    /// Records the trades of these tickers. Returns what puts them into the queue.
    async fn record(
        &self,
        tickers: Vec<SmolStr>,
        tasks: &mut JoinSet<()>,
        shutdown: &Shutdown,
    ) -> Result<JoinHandle<Result<(), LocalQueueError>>, Error> {
        let ledger = match self.settings.tracker_mode {
            Mode::Stream => self.ledger(&tickers).await?,
            Mode::Poll => None,
        };
        let (stale_sender, stale) = watch::channel(0);
        let intake = Intake::open(&self.name(), &tickers, ledger, &self.publisher, &self.settings);
        if self.settings.tracker_mode == Mode::Stream {
            for (number, request) in self.exchange.streams(&tickers).into_iter().enumerate() {
                let trades = intake.trades(&self.exchange, &self.board);
                let (board, stale) = (self.board.clone(), stale.clone());
                let session =
                    Session::new(&*self.exchange, &self.settings, (number, request), &self.door, board, stale);
                tasks.spawn(session.run(trades, shutdown.clone()));
            }
        }
        let Intake { ticks, inspector, ledger, batching } = intake;
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
            tasks.spawn(logged("gaps are no longer filled", backfill.run(shutdown.clone())));
        }
        let poller = Poller {
            exchange: self.exchange.clone(),
            tickers,
            every: self.settings.waiting_time(),
            only_without_stream: self.settings.tracker_mode == Mode::Stream,
            inspector,
            ticks,
            board: self.board.clone(),
        };
        tasks.spawn(poller.run(shutdown.clone()));
        Ok(batching)
    }

    /// Follows the market. Where nothing else is followed, the feed does as this does; else a market that is away must not look
    /// as if trades were.
    fn market(&self, latest: Latest, is_all: bool) -> MarketFeed {
        let board = if is_all { self.board.clone() } else { Board::new(self.name()) };
        let (stale, doubted) = watch::channel(0);
        let (exchange, settings, door) = (self.exchange.clone(), self.settings.clone(), self.door.clone());
        let of_session = board.clone();
        let session = move |number, request| {
            let (board, doubted) = (of_session.clone(), doubted.clone());
            Session::new(&*exchange, &settings, (number, request), &door, board, doubted)
        };
        MarketFeed {
            exchange: self.exchange.clone(),
            publisher: self.publisher.clone(),
            latest,
            requests: self.market_requests.subscribe(),
            session: Box::new(session),
            board,
            stale,
            pace: self.settings.waiting_time().max(LEAST_MARKET_PACE),
            silence: self.settings.silence(),
        }
    }

    async fn takeover(&self, tickers: &[SmolStr], market: Option<Latest>, every: TimeDelta) -> Result<Takeover, Error> {
        let (exchange, publisher, board) = (self.exchange.clone(), self.publisher.clone(), self.board.clone());
        let is_new = self.settings.exchange_is_new;
        let begun = Takeover::begin(exchange, publisher, board, tickers, market, every, is_new).await;
        begun.map_err(|error| Error(format!("what was taken over cannot be noted: {error}")))
    }

    /// The gaps and the numbers that were noted beside the queue, as far as they concern these tickers.
    async fn ledger(&self, tickers: &[SmolStr]) -> Result<Option<Ledger>, Error> {
        let is_new = self.settings.exchange_is_new;
        let reason = if is_new { "the exchange that had them is gone" } else { "the pair is no longer followed" };
        let keep = |ticker: &SmolStr| !is_new && tickers.contains(ticker);
        noted_ledger(&*self.exchange, &self.name(), &self.publisher, keep, reason).await
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
        let mut wanted_at: Option<Instant> = None;
        loop {
            let wanted = async {
                if let Some(at) = wanted_at {
                    sleep_until(at + WANTED_PACE).await;
                }
                self.listing.wanted().await;
            };
            tokio::select! {
                () = sleep(CATALOGUE_EVERY) => {}
                () = wanted => wanted_at = Some(Instant::now()),
            }
            match self.exchange.catalogue().await {
                Ok(instruments) => self.publish_catalogue(instruments).await,
                Err(error) => tracing::warn!(exchange = %self.name(), %error, "the catalogue cannot be refreshed"),
            }
        }
    }

    async fn publish_catalogue(&self, mut instruments: Vec<Instrument>) {
        // One that cannot be stored must not cost the others.
        instruments.retain(|one| {
            let is_sound = [&one.ticker, &one.base, &one.quote].iter().all(|code| domain::exchange::is_code(code));
            if !is_sound {
                tracing::warn!(exchange = %self.name(), instrument = ?one, "a pair that is listed cannot be one; it is left out");
            }
            is_sound
        });
        let listed = instruments.clone();
        let catalogue = Catalogue {
            exchange: self.exchange.identity(),
            instruments,
            taken_at: Some(Utc::now()),
            numbers_trades: self.exchange.recent().is_none(),
        };
        match self.publisher.publish(Message::Catalogue(catalogue)).await {
            // Only now: what is told of new pairs must come behind it.
            Ok(()) => {
                self.listing.renew(&listed);
                self.renew_market_requests(listed);
            }
            Err(error) => tracing::error!(%error, "the catalogue cannot be published"),
        }
    }

    /// Other pairs may need other subscriptions.
    fn renew_market_requests(&self, mut listed: Vec<Instrument>) {
        let (Mode::Stream, Some(market)) = (self.settings.tracker_mode, self.exchange.market()) else { return };
        // Some tell them in an order that changes.
        listed.sort_unstable_by(|one, other| one.ticker.cmp(&other.ticker));
        let requests = market.connections(&listed);
        self.market_requests.send_if_modified(|current| {
            let differ = *current != requests;
            *current = requests;
            differ
        });
    }

    fn name(&self) -> SmolStr {
        self.exchange.identity().name
    }
}

/// Says so when a part of the feed ends by a failure; the others go on.
async fn logged(what: &'static str, work: impl Future<Output = Result<(), LocalQueueError>>) {
    if let Err(error) = work.await {
        tracing::error!(%error, "{what}");
    }
}
