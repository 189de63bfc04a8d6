//! The hub of the live feed: one listener to the broker, any number of clients.
//!
//! Ticks are folded as they come and handed to every client that wants them a few times a second. What a client has
//! not taken yet is merged, not queued, so that it needs no more memory than there are pairs and a slow client costs
//! nobody else anything. The database is never asked.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use api_types::FeedRow;
use broker::Message;
use domain::FeedStatus;
use process::{Check, Shutdown};
use smol_str::SmolStr;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::MissedTickBehavior,
};

use crate::{
    error::{Code, Failure},
    live_filter::Filter,
    live_update::{self, Market, Update},
    news::News,
    settings::LiveLimits,
};

/// A tracker reports every few seconds. When it has not for this long, it is gone.
const SILENT_AFTER: Duration = Duration::from_secs(15);

/// How often clients hear of a feed although nothing changed.
const FEED_REPEATED: Duration = Duration::from_secs(5);

/// The live feed, as the process's clients see it. All clones are one hub.
#[derive(Clone)]
pub(crate) struct Hub {
    state: Arc<Mutex<State>>,
    seats: Arc<Semaphore>,
    limits: LiveLimits,
    news: Arc<News>,
}

#[derive(Default)]
struct State {
    /// Every pair heard of, by exchange and ticker, so that each is made once.
    markets: HashMap<SmolStr, HashMap<SmolStr, Arc<Market>>>,
    /// The newest price of every pair since this process listens.
    newest: BTreeMap<Arc<Market>, Arc<Update>>,
    /// What happened since clients were last told.
    fresh: HashMap<Arc<Market>, Update>,
    feeds: BTreeMap<SmolStr, Feed>,
    clients: HashMap<u64, Arc<Inbox>>,
    next_client: u64,
}

struct Feed {
    status: FeedStatus,
    heard: Instant,
    told: Instant,
    told_silent: bool,
}

/// What one client has not taken yet.
struct Inbox {
    filter: Filter,
    waiting: Mutex<BTreeMap<Arc<Market>, Arc<Update>>>,
    feeds: Mutex<BTreeMap<SmolStr, Arc<str>>>,
    wake: Notify,
}

/// A client's place at the hub. Dropping it gives the place to another.
pub(crate) struct Subscription {
    hub: Hub,
    id: u64,
    inbox: Arc<Inbox>,
    _seat: OwnedSemaphorePermit,
}

impl Hub {
    pub(crate) fn new(limits: LiveLimits) -> Self {
        let seats = Arc::new(Semaphore::new(limits.clients.min(Semaphore::MAX_PERMITS)));
        Self { state: Arc::default(), seats, limits, news: Arc::default() }
    }

    pub(crate) fn limits(&self) -> LiveLimits {
        self.limits
    }

    /// What is heard of changes in the database.
    pub(crate) fn news(&self) -> Arc<News> {
        self.news.clone()
    }

    /// Listens to the broker until the process stops.
    pub(crate) async fn run(self, live: broker::Live, check: Check, shutdown: Shutdown) {
        let mut receiver = live.subscribe();
        let mut pace = tokio::time::interval(self.limits.pace);
        let mut second = tokio::time::interval(Duration::from_secs(1));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                message = receiver.recv() => match message {
                    Some(message) => self.hear(&message),
                    None => break,
                },
                _ = pace.tick() => {
                    self.news.set_connected(receiver.state().is_ok());
                    self.tell_prices();
                }
                _ = second.tick() => {
                    self.tell_feeds();
                    match receiver.state() {
                        Ok(()) => check.ok(),
                        Err(detail) => check.failed(detail),
                    }
                }
            }
        }
        self.news.set_connected(false);
        check.failed("the live feed has ended");
        while !shutdown.is_cancelled() {
            self.tell_prices();
            self.tell_feeds();
            tokio::select! {
                () = shutdown.cancelled() => {}
                _ = second.tick() => {}
            }
        }
    }

    /// Takes in a message of the broker.
    fn hear(&self, message: &Message) {
        match message {
            Message::Ticks(batch) => {
                let mut state = self.lock();
                for tick in &batch.ticks {
                    // What is not credible will not be stored either; the db-handler says why.
                    if tick.check().is_err() {
                        continue;
                    }
                    let market = state.market(&batch.exchange, &tick.ticker);
                    let Some(update) = Update::of(&market, batch.source, tick) else { continue };
                    match state.fresh.get_mut(&market) {
                        Some(fresh) => fresh.merge(&update),
                        None => drop(state.fresh.insert(market, update)),
                    }
                }
            }
            Message::Feed(status) => {
                let mut state = self.lock();
                let now = Instant::now();
                let known = state.feeds.get(&status.exchange);
                let changed = known.is_none_or(|feed| feed.told_silent || feed.status.state != status.state);
                let told = known.map_or(now, |feed| feed.told);
                let told_silent = known.is_some_and(|feed| feed.told_silent);
                let feed = Feed { status: status.clone(), heard: now, told, told_silent };
                state.feeds.insert(status.exchange.clone(), feed);
                if changed {
                    state.tell_feed(&status.exchange);
                }
                drop(state);
                self.news.changed();
            }
            Message::Stored(_) => self.news.changed(),
            Message::Catalogue(_)
            | Message::Gaps(_)
            | Message::Minutes(_)
            | Message::Market(_)
            | Message::Listing(_)
            | Message::Rates(_) => {}
        }
    }

    /// Hands what is fresh to every client that wants it.
    fn tell_prices(&self) {
        let mut state = self.lock();
        for (market, fresh) in std::mem::take(&mut state.fresh) {
            let update = Arc::new(match state.newest.get(&market) {
                // A late tick does not turn the newest price back.
                Some(newest) => fresh.not_older_than(newest),
                None => fresh,
            });
            for inbox in state.clients.values().filter(|inbox| inbox.filter.wants(&market)) {
                inbox.put(&market, &update);
            }
            state.newest.insert(market, Arc::new(update.without_minutes()));
        }
    }

    /// Tells clients of feeds that fell silent, and of all of them from time to time.
    fn tell_feeds(&self) {
        let mut state = self.lock();
        let due = |feed: &Feed| feed.told.elapsed() >= FEED_REPEATED || feed.is_silent() != feed.told_silent;
        let exchanges: Vec<SmolStr> =
            state.feeds.iter().filter(|(_, feed)| due(feed)).map(|(name, _)| name.clone()).collect();
        for exchange in &exchanges {
            state.tell_feed(exchange);
        }
    }

    /// How every feed does.
    pub(crate) fn feeds(&self) -> Vec<FeedRow> {
        self.lock().feeds.values().map(Feed::row).collect()
    }

    /// Gives a client a place. It gets at once how the feeds do and every newest price that it wants.
    pub(crate) fn subscribe(&self, filter: Filter) -> Result<Subscription, Failure> {
        let seat = self.seats.clone().try_acquire_owned().map_err(|_| {
            Failure::new(Code::TooManyClients, format!("{} clients listen already", self.limits.clients))
        })?;
        let mut state = self.lock();
        let wanted = state.newest.iter().filter(|(market, _)| filter.wants(market));
        let waiting = wanted.map(|(market, update)| (market.clone(), update.clone())).collect();
        let feeds = state.feeds.iter().filter(|(exchange, _)| filter.wants_exchange(exchange));
        let feeds = feeds.map(|(exchange, feed)| (exchange.clone(), feed.text())).collect();
        let inbox =
            Arc::new(Inbox { filter, waiting: Mutex::new(waiting), feeds: Mutex::new(feeds), wake: Notify::new() });
        let id = state.next_client;
        state.next_client += 1;
        state.clients.insert(id, inbox.clone());
        drop(state);
        metrics::gauge!("api_live_clients").increment(1);
        Ok(Subscription { hub: self.clone(), id, inbox, _seat: seat })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn market(&mut self, exchange: &SmolStr, ticker: &SmolStr) -> Arc<Market> {
        if let Some(market) = self.markets.get(exchange).and_then(|markets| markets.get(ticker)) {
            return market.clone();
        }
        let market = Arc::new(Market::new(exchange, ticker));
        self.markets.entry(exchange.clone()).or_default().insert(ticker.clone(), market.clone());
        market
    }

    fn tell_feed(&mut self, exchange: &SmolStr) {
        let Some(feed) = self.feeds.get_mut(exchange) else { return };
        feed.told = Instant::now();
        feed.told_silent = feed.is_silent();
        let text = feed.text();
        for inbox in self.clients.values().filter(|inbox| inbox.filter.wants_exchange(exchange)) {
            lock(&inbox.feeds).insert(exchange.clone(), text.clone());
            inbox.wake.notify_one();
        }
    }
}

impl Feed {
    fn is_silent(&self) -> bool {
        self.heard.elapsed() >= SILENT_AFTER
    }

    fn row(&self) -> FeedRow {
        let status = self.status.clone();
        FeedRow {
            exchange: status.exchange.to_string(),
            state: if self.is_silent() { "silent" } else { status.state.as_str() }.to_owned(),
            since: status.since,
            reported_at: status.reported_at,
            detail: status.detail,
            next_try_at: status.next_try_at,
            last_tick_at: status.last_tick_at,
            reconnects: status.reconnects,
            ticks: status.ticks,
            ticks_last_minute: status.ticks_last_minute,
            rejected: status.rejected,
            clock_ahead_ms: status.clock_ahead_ms,
            queued: status.queued,
        }
    }

    fn text(&self) -> Arc<str> {
        live_update::News::feed_text(self.row()).into()
    }
}

impl Inbox {
    fn put(&self, market: &Arc<Market>, update: &Arc<Update>) {
        let mut waiting = lock(&self.waiting);
        match waiting.get_mut(market) {
            Some(earlier) => Arc::make_mut(earlier).merge(update),
            None => drop(waiting.insert(market.clone(), update.clone())),
        }
        drop(waiting);
        self.wake.notify_one();
    }

    fn take(&self) -> Vec<live_update::News> {
        let feeds = std::mem::take(&mut *lock(&self.feeds));
        let prices = std::mem::take(&mut *lock(&self.waiting));
        feeds
            .into_values()
            .map(live_update::News::Feed)
            .chain(prices.into_values().map(live_update::News::Price))
            .collect()
    }
}

impl Subscription {
    /// Waits until there is news, and takes it. Safe to give up waiting for.
    pub(crate) async fn next(&self) -> Vec<live_update::News> {
        loop {
            let news = self.inbox.take();
            if !news.is_empty() {
                return news;
            }
            self.inbox.wake.notified().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.lock().clients.remove(&self.id);
        metrics::gauge!("api_live_clients").decrement(1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole after every statement; a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
