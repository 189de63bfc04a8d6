//! The thread that talks to the API, so that the window never waits.
//!
//! It has its own runtime and shares nothing with the window but bounded channels: [`Update`]s come out, wishes go
//! in. When the window does not take the news, live news is folded together here and answers wait; nothing grows
//! without end. Dropping the [`Worker`] stops the thread.

mod account;
mod alerts;
mod backoff;
mod export;
mod live_feed;
mod outbox;
mod portfolios;
mod refresh;

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::{
    runtime,
    sync::{Notify, mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use self::outbox::{Outbox, Wake};
pub(crate) use self::{
    account::SessionOrder,
    export::{Export, Wanted, create},
};
use crate::{
    choices::Refresh,
    client::{Client, Login},
    settings::ApiAddress,
    state::{Order, Period, SeriesKey, Update, portfolio},
};

/// News that may wait for the window to take it.
const UPDATES_WAITING: usize = 64;
/// Questions for older candles that may wait to be asked.
const OLDER_WAITING: usize = 16;
/// Files that may wait to be written.
const EXPORTS_WAITING: usize = 4;
/// What may wait to be done with the account, its rules or its portfolios.
const ORDERS_WAITING: usize = 32;

/// When things happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// Live news is folded together for this long.
    pub batch: Duration,
    /// What the live feed does not tell exactly is asked for again after this.
    pub refresh: Duration,
    /// Feeds are asked for again after this, where no live feed tells of them.
    pub refresh_feeds: Duration,
    /// Holes are asked for again after this: most are filled within seconds.
    pub refresh_holes: Duration,
    /// The last day's closes are asked for again after this.
    pub refresh_sparklines: Duration,
    /// How much prices moved is asked for again after this, while it is shown.
    pub refresh_volatility: Duration,
    /// The account's rules are asked for again after this.
    pub refresh_rules: Duration,
    /// What they fired for is asked for again after this.
    pub refresh_firings: Duration,
    /// What the account's portfolios are worth is asked for again after this, while it is shown.
    pub refresh_balance: Duration,
    /// What they were worth from day to day is asked for again after this, while it is shown.
    pub refresh_values: Duration,
    /// An answer without rows is asked for again after this.
    pub refresh_empty: Duration,
    /// Wait after the first failure.
    pub backoff_min: Duration,
    /// Longest wait after failures.
    pub backoff_max: Duration,
    /// A connection must be there, and then must say something, within this.
    pub silence: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            // Figures that change more often cannot be read, and each change is a frame to draw.
            batch: Duration::from_millis(200),
            refresh: Duration::from_secs(30),
            refresh_feeds: Duration::from_secs(5),
            refresh_holes: Duration::from_secs(5),
            refresh_sparklines: Duration::from_secs(300),
            refresh_volatility: Duration::from_secs(30),
            refresh_rules: Duration::from_secs(15),
            refresh_firings: Duration::from_secs(2),
            refresh_balance: Duration::from_secs(30),
            refresh_values: Duration::from_secs(300),
            refresh_empty: Duration::from_secs(3),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(15),
            // The server pings every 15 seconds.
            silence: Duration::from_secs(35),
        }
    }
}

/// The thread, as the window holds it.
#[derive(Debug)]
pub(crate) struct Worker {
    updates: mpsc::Receiver<Update>,
    series: watch::Sender<BTreeSet<SeriesKey>>,
    periods: watch::Sender<BTreeSet<Period>>,
    topics: watch::Sender<BTreeSet<portfolio::Topic>>,
    exports: mpsc::Sender<Export>,
    /// Files that are not written yet.
    exporting: Arc<AtomicUsize>,
    older: mpsc::Sender<(SeriesKey, DateTime<Utc>)>,
    session: mpsc::Sender<SessionOrder>,
    orders: mpsc::Sender<(u64, Order)>,
    portfolio_orders: mpsc::Sender<(u64, portfolio::Order)>,
    hurry: Arc<Notify>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts it, for whoever was logged in before; `wake` is called after each update, with how soon the window should look
    /// at it.
    pub(crate) fn start(
        api: ApiAddress,
        login: Option<Login>,
        how: Refresh,
        timing: Timing,
        wake: Wake,
    ) -> io::Result<Self> {
        let (outbox, updates) = Outbox::new(UPDATES_WAITING, wake);
        let (series, series_wanted) = watch::channel(BTreeSet::new());
        let (periods, periods_wanted) = watch::channel(BTreeSet::new());
        let (topics, topics_wanted) = watch::channel(BTreeSet::new());
        let (exports, exports_wanted) = mpsc::channel(EXPORTS_WAITING);
        let (older, older_wanted) = mpsc::channel(OLDER_WAITING);
        let (session, session_wanted) = mpsc::channel(ORDERS_WAITING);
        let (orders, orders_wanted) = mpsc::channel(ORDERS_WAITING);
        let (portfolio_orders, portfolio_orders_wanted) = mpsc::channel(ORDERS_WAITING);
        let hurry = Arc::new(Notify::new());
        let stop = CancellationToken::new();
        let exporting = Arc::new(AtomicUsize::new(0));
        let tasks = Tasks {
            api,
            login,
            how,
            timing,
            outbox: Arc::new(outbox),
            series_wanted,
            periods_wanted,
            topics_wanted,
            older_wanted,
            session_wanted,
            orders_wanted,
            portfolio_orders_wanted,
            exports_wanted,
            exporting: Arc::clone(&exporting),
            hurry: Arc::clone(&hurry),
        };
        let stopped = stop.clone();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("dashboard-worker".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = stopped.cancelled() => {}
                    () = tasks.run() => {}
                }
            });
            // A name being looked up cannot be interrupted; it must not hold up the end.
            runtime.shutdown_background();
        })?;
        let thread = Some(thread);
        Ok(Self {
            updates,
            series,
            periods,
            topics,
            exports,
            exporting,
            older,
            session,
            orders,
            portfolio_orders,
            hurry,
            stop,
            thread,
        })
    }

    /// The next news, if there is any.
    pub(crate) fn next_update(&mut self) -> Option<Update> {
        self.updates.try_recv().ok()
    }

    /// Keep these series fresh from now on, and no others.
    pub(crate) fn follow(&self, series: &BTreeSet<SeriesKey>) {
        tell(&self.series, series);
    }

    /// Keep it known from now on how much prices moved over these spans, and no others.
    pub(crate) fn rank(&self, periods: &BTreeSet<Period>) {
        tell(&self.periods, periods);
    }

    /// Keep this of the account's portfolios fresh from now on, and nothing else.
    pub(crate) fn account_for(&self, topics: &BTreeSet<portfolio::Topic>) {
        tell(&self.topics, topics);
    }

    /// Write candles to a file; false where too many wait already.
    pub(crate) fn export(&self, export: Export) -> bool {
        let taken = self.exports.try_send(export).is_ok();
        if taken {
            self.exporting.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Whether a file is being written or waits to be.
    pub(crate) fn is_exporting(&self) -> bool {
        self.exporting.load(Ordering::Relaxed) > 0
    }

    /// Ask for the candles before a time; false where too many questions wait already.
    pub(crate) fn load_older(&self, series: SeriesKey, before: DateTime<Utc>) -> bool {
        self.older.try_send((series, before)).is_ok()
    }

    /// Log in or out; false where too much waits already.
    pub(crate) fn log(&self, order: SessionOrder) -> bool {
        self.session.try_send(order).is_ok()
    }

    /// Do this with the account's rules; false where too much waits already.
    pub(crate) fn order(&self, number: u64, order: Order) -> bool {
        self.orders.try_send((number, order)).is_ok()
    }

    /// Do this with the account's portfolios; false where too much waits already.
    pub(crate) fn order_portfolio(&self, number: u64, order: portfolio::Order) -> bool {
        self.portfolio_orders.try_send((number, order)).is_ok()
    }

    /// Try now what would be tried later.
    pub(crate) fn hurry(&self) {
        self.hurry.notify_waiters();
    }

    /// Waits for news: only for tests, the window never waits.
    #[cfg(test)]
    pub(crate) fn wait_for_update(&mut self) -> Option<Update> {
        self.updates.blocking_recv()
    }
}

fn tell<T: Clone + PartialEq>(sender: &watch::Sender<T>, wanted: &T) {
    sender.send_if_modified(|known| {
        let changed = known != wanted;
        if changed {
            known.clone_from(wanted);
        }
        changed
    });
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.cancel();
        // A thread that waits for room must not wait for us.
        self.updates.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the dashboard's worker thread panicked");
        }
    }
}

struct Tasks {
    api: ApiAddress,
    login: Option<Login>,
    how: Refresh,
    timing: Timing,
    outbox: Arc<Outbox>,
    series_wanted: watch::Receiver<BTreeSet<SeriesKey>>,
    periods_wanted: watch::Receiver<BTreeSet<Period>>,
    topics_wanted: watch::Receiver<BTreeSet<portfolio::Topic>>,
    older_wanted: mpsc::Receiver<(SeriesKey, DateTime<Utc>)>,
    session_wanted: mpsc::Receiver<SessionOrder>,
    orders_wanted: mpsc::Receiver<(u64, Order)>,
    portfolio_orders_wanted: mpsc::Receiver<(u64, portfolio::Order)>,
    exports_wanted: mpsc::Receiver<Export>,
    exporting: Arc<AtomicUsize>,
    hurry: Arc<Notify>,
}

impl Tasks {
    /// Runs until the window is gone.
    async fn run(self) {
        let client = match Client::new(self.api.clone(), self.login) {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(%error, "cannot make an HTTP client");
                return;
            }
        };
        let (connected, reconnected) = watch::channel(());
        let mut timing = self.timing;
        match self.how {
            Refresh::Every(seconds) => timing.refresh = Duration::from_secs(seconds),
            Refresh::Live => timing.refresh_feeds = timing.refresh,
        }
        let again = refresh::Again { reconnected, hurry: Arc::clone(&self.hurry), timing };
        let news = async {
            match self.how {
                Refresh::Live => {
                    tokio::select! {
                        () = live_feed::follow(&client, &self.api, &self.outbox, timing, &connected, &self.hurry) => {}
                        () = refresh::prices(&client, &self.outbox, again.clone()) => {}
                    }
                }
                Refresh::Every(_) => refresh::prices_alone(&client, &self.outbox, again.clone()).await,
            }
        };
        let rules_changed = Notify::new();
        let (portfolios_changed, changed) = watch::channel(());
        let books = portfolios::Again { changed, hurry: Arc::clone(&self.hurry), timing };
        tokio::select! {
            () = news => {}
            _ = account::tell(&client, &self.outbox) => {}
            () = account::obey(&client, &self.outbox, self.session_wanted) => {}
            () = alerts::rules(&client, &self.outbox, timing, &rules_changed, &self.hurry) => {}
            () = alerts::firings(&client, &self.outbox, timing, &rules_changed, &self.hurry) => {}
            () = alerts::obey(&client, &self.outbox, self.orders_wanted, &rules_changed) => {}
            () = portfolios::keep(&client, &self.outbox, books, self.topics_wanted) => {}
            () = portfolios::obey(&client, &self.outbox, self.portfolio_orders_wanted, &portfolios_changed) => {}
            () = refresh::feeds(&client, &self.outbox, again.clone()) => {}
            () = refresh::holes(&client, &self.outbox, again.clone()) => {}
            () = refresh::sparklines(&client, &self.outbox, again.clone()) => {}
            () = refresh::candles(&client, &self.outbox, again.clone(), self.series_wanted) => {}
            () = refresh::volatility(&client, &self.outbox, again.clone(), self.periods_wanted) => {}
            () = refresh::older(&client, &self.outbox, timing, self.older_wanted) => {}
            () = export::write_all(&client, &self.outbox, self.exports_wanted, &self.exporting) => {}
        }
    }
}

#[cfg(test)]
mod account_tests;
#[cfg(test)]
mod portfolio_tests;
#[cfg(test)]
mod tests;
