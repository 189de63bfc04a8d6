//! Everything in one process: started in order, stopped in order.
//!
//! Starting: queue, database, API, storing, notifying, tracking. Stopping goes the way the data goes: the tracker puts what it has
//! on disk, the db-handler stores what is in the queue (or leaves it for the next start), the notifier finishes what it is sending, the
//! API says goodbye, and last the queue and the database close. A start that fails halfway stops what it had started, in the same order.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use broker::{LocalQueue, LocalQueueSettings, Message, Publisher, Source};
use database::{DatabaseSettings, Pool};
use domain::FeedState;
use process::{Health, Shutdown};
use simulator::Simulator;
use tokio::task::{JoinHandle, JoinSet};

use crate::{
    embedded_postgres::EmbeddedPostgres,
    settings::{Demo, Replay, Run},
    sql_door::SqlDoor,
};

/// How long the rest of the queue may take to be stored before the program ends without it; it is kept on disk.
const DRAIN: Duration = Duration::from_secs(3);

/// Writers who have had nothing to do for so long have stored everything that a broker holds.
const IDLE: Duration = Duration::from_secs(1);
/// On a RabbitMQ that others use too, writers may never have nothing to do.
const BUSY: Duration = Duration::from_secs(60);

/// What is followed.
pub(crate) enum Market {
    /// The exchanges that the settings name.
    Live,
    /// A simulated market.
    Demo(Demo),
    /// Recordings.
    Replay(Replay),
}

impl Market {
    /// The folder among the user's data that is its own.
    fn folder(&self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Demo(_) => "demo",
            Self::Replay(_) => "replay",
        }
    }
}

/// The running system.
pub(crate) struct System {
    /// Where the API is reached from this machine.
    pub(crate) address: SocketAddr,
    base: Base,
    parts: Parts,
}

/// What everything else stands on.
struct Base {
    pool: Pool,
    database: Option<EmbeddedPostgres>,
    publisher: Publisher,
}

/// What has been started on the base so far.
#[derive(Default)]
struct Parts {
    serving: Option<Stage>,
    storing: Option<Stage>,
    notifying: Option<Stage>,
    simulator: Option<Simulator>,
    tracking: Option<Stage>,
    forwarding: Option<Stage>,
}

/// A part of the system, which stops when it is told.
struct Stage {
    stop: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Stage {
    fn start<F: Future<Output = anyhow::Result<()>> + Send + 'static>(part: impl FnOnce(Shutdown) -> F) -> Self {
        let stop = Shutdown::new();
        let task = tokio::spawn(part(stop.clone()));
        Self { stop, task }
    }

    /// Stops it, where it was started.
    async fn stop(started: Option<Self>) -> anyhow::Result<()> {
        let Some(Self { stop, task }) = started else { return Ok(()) };
        stop.cancel();
        task.await?
    }
}

impl System {
    /// Starts everything. `market` may put a simulated market or a recording in the place of real ones. When a part fails later,
    /// `shutdown` is cancelled.
    pub(crate) async fn start(run: Run, market: &Market, shutdown: &Shutdown) -> anyhow::Result<Self> {
        if let Some(mistake) =
            run.rabbitmq.mistake().or_else(|| run.storing.keeping.mistake()).or_else(|| run.notifying.mistake())
        {
            anyhow::bail!(mistake);
        }
        // What cannot be followed is told before anything is started for it.
        let recordings = match market {
            Market::Live => {
                tracker::exchanges::chosen(&run.tracking)?;
                None
            }
            Market::Demo(_) => None,
            Market::Replay(replay) => Some((replay.open()?, replay.exit)),
        };
        let folder = run.folder(market.folder())?;
        tracing::info!(folder = %folder.display(), "data is kept here");
        let (base, storing) = Base::start(&run, &folder).await?;
        let mut parts = Parts::default();
        match parts.start(&run, market, recordings, storing, &base, shutdown).await {
            Ok(address) => Ok(Self { address, base, parts }),
            Err(error) => {
                if let Err(trouble) = parts.stop(base).await {
                    tracing::warn!("while stopping what was started: {trouble:#}");
                }
                Err(error)
            }
        }
    }

    /// Stops everything, in order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.parts.stop(self.base).await
    }
}

impl Base {
    /// Starts it, and says how storing is set to suit it.
    async fn start(run: &Run, folder: &Path) -> anyhow::Result<(Self, db_handler::Settings)> {
        let queue = LocalQueue::open(LocalQueueSettings::at(folder.join("queue.redb"))).await?;
        let publisher = Publisher::new(queue);
        let mut storing = run.storing.clone();
        let (database, settings) = if run.database.names_a_server() {
            let statement_timeout = Some(database::settings::STORING_TIMEOUT);
            (None, DatabaseSettings { statement_timeout, ..run.database.clone() })
        } else {
            let database = EmbeddedPostgres::start(folder).await?;
            storing.vacuum = true;
            storing.keeping.folder = Some(folder.to_owned());
            storing.db_handler_writers = 1;
            let settings = database.settings();
            (Some(database), settings)
        };
        Ok((Self { pool: database::connect(&settings)?, database, publisher }, storing))
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.publisher.queue().clone().close().await;
        self.pool.close();
        match self.database {
            Some(database) => database.stop().await.context("the embedded database does not stop"),
            None => Ok(()),
        }
    }
}

impl Parts {
    /// Starts them all, up to the first that fails. Returns where the API is reached from this machine.
    async fn start(
        &mut self,
        run: &Run,
        market: &Market,
        recordings: Option<(Vec<tracker::replay::Replay>, bool)>,
        storing: db_handler::Settings,
        base: &Base,
        shutdown: &Shutdown,
    ) -> anyhow::Result<SocketAddr> {
        let Base { pool, database, publisher } = base;
        let rabbitmq = run.rabbitmq.names_a_server().then(|| run.rabbitmq.clone());
        let (source, live) = match &rabbitmq {
            Some(settings) => (Source::RabbitMq(settings.clone()), broker::Live::rabbitmq(settings.clone())),
            None => (Source::Local(publisher.queue().clone()), publisher.live()),
        };
        let health = Health::new();
        let works = health.register("queue on disk");
        tokio::spawn(publisher.queue().clone().tell_trouble(move |how| works.tell(how)));
        let mut api = run.api.clone();
        if database.is_some() {
            // Requests share one connection with storing, and a large batch takes its time.
            api.api_database_wait_ms = api.api_database_wait_ms.max(2_000);
        }
        let stop_serving = Shutdown::new();
        let server = api::Server::bind(&api, pool.clone(), live, health.clone(), stop_serving.clone())
            .context("the API does not start; choose another address with --api-bind")?;
        let address = reachable(server.address());
        let serving = tokio::spawn(async move { Ok(server.run().await?) });
        self.serving = Some(Stage { stop: stop_serving.clone(), task: serving });
        if database.is_some() {
            let address = SqlDoor::open(run.sql_bind, pool.clone(), stop_serving.clone()).await?;
            tracing::info!(%address, "SQL is answered; try: crypto-tracker sql \"SELECT * FROM tickers\"");
        }

        let (handler_pool, handler_health) = (pool.clone(), health.clone());
        let storage = Storage {
            queue: publisher.queue().clone(),
            idle: storing.idle.clone(),
            writers: usize::from(storing.db_handler_writers.max(1)),
        };
        self.storing = Some(Stage::start(|stop| {
            let work = async move { Ok(db_handler::run(storing, source, handler_pool, handler_health, stop).await?) };
            part("storing", shutdown.clone(), work)
        }));
        let (notifying, notifier_pool, notifier_health) = (run.notifying.clone(), pool.clone(), health.clone());
        self.notifying = Some(Stage::start(|stop| {
            let work = async move { Ok(notifier::run(notifying, notifier_pool, notifier_health, stop).await?) };
            part("notifying", shutdown.clone(), work)
        }));
        let (tracking, simulator) = tracked(run, market).await?;
        self.simulator = simulator;
        let (feeds, tracker_publisher) = (publisher.live(), publisher.clone());
        let exchange = match recordings {
            Some((recordings, exit)) => {
                let exchange = recordings.first().map(|first| first.name().to_string()).unwrap_or_default();
                let end = exit.then(|| (storage, shutdown.clone()));
                self.tracking = Some(Stage::start(|stop| {
                    part("the replay", shutdown.clone(), replayed(recordings, tracker_publisher, end, stop))
                }));
                exchange
            }
            None => {
                let exchange = first_exchange(&tracking)?;
                // The state of feeds is told at /feeds; that an exchange is away does not make this process unready.
                self.tracking = Some(Stage::start(|stop| {
                    let work = async move { Ok(tracker::run(tracking, tracker_publisher, Health::new(), stop).await?) };
                    part("tracking", shutdown.clone(), work)
                }));
                exchange
            }
        };
        tokio::spawn(greet(pool.clone(), address, exchange, feeds, stop_serving));
        self.forwarding = rabbitmq.map(|settings| {
            let (publisher, taken) = (publisher.clone(), health.register("broker"));
            Stage::start(|stop| async {
                broker::forward(publisher, settings, stop, move |how| taken.tell(how)).await;
                Ok(())
            })
        });
        Ok(address)
    }

    /// Stops those that were started, the way the data goes, and the base. That one fails keeps none of the others running: the
    /// embedded database waits for whoever is connected to it.
    async fn stop(self, base: Base) -> anyhow::Result<()> {
        let was_tracking = self.tracking.is_some();
        let tracked = Stage::stop(self.tracking).await;
        if let Some(simulator) = self.simulator {
            simulator.stop().await;
        }
        // Where nothing was tracked, nothing new is in the queue.
        if was_tracking && self.forwarding.is_none() {
            drain(base.publisher.queue()).await;
        }
        let forwarded = Stage::stop(self.forwarding).await;
        let stored = Stage::stop(self.storing).await;
        let notified = Stage::stop(self.notifying).await;
        let served = Stage::stop(self.serving).await;
        let closed = base.stop().await;
        tracked.and(forwarded).and(stored).and(notified).and(served).and(closed)
    }
}

/// What is followed: what the settings say, or the simulated market, under a name of its own.
async fn tracked(run: &Run, market: &Market) -> anyhow::Result<(tracker::Settings, Option<Simulator>)> {
    let Market::Demo(demo) = market else {
        return Ok((run.tracking.clone(), None));
    };
    let settings = simulator::Settings {
        bind: demo.bind,
        seed: demo.seed,
        trades_per_second: demo.trades_per_second,
        // Enough for whoever asks the exchange itself; what is recorded is in the database.
        retained_trades: 20_000,
        ..Default::default()
    };
    let simulator = Simulator::start(settings).await.context("the simulated market does not start")?;
    let tracking = tracker::Settings {
        exchanges: vec!["binance".to_owned()],
        tracker_symbols: simulator.tickers().into_iter().map(Into::into).collect(),
        exchange_is_new: true,
        addresses: tracker::exchanges::Addresses {
            binance: tracker::exchanges::binance::Settings {
                binance_name: "simulated".to_owned(),
                binance_rest_url: simulator.rest_url(),
                binance_stream_url: simulator.stream_url(),
            },
            ..run.tracking.addresses.clone()
        },
        // What real coins cost has nothing to do with the simulated ones.
        services: run.tracking.services.clone().nobody(),
        ..run.tracking.clone()
    };
    Ok((tracking, Some(simulator)))
}

/// What is still to be stored.
struct Storage {
    queue: LocalQueue,
    idle: db_handler::Idle,
    writers: usize,
}

impl Storage {
    /// Waits until everything is stored: nothing is left on disk, and no writer was given anything for a while by a broker that has
    /// had time to.
    async fn finished(self) {
        let (mut since, mut handed_on) = (None, None);
        loop {
            let is_empty = self.queue.is_empty();
            handed_on = handed_on.filter(|_| is_empty).or_else(|| is_empty.then(Instant::now));
            if handed_on.is_some_and(|at: Instant| at.elapsed() > BUSY) {
                tracing::warn!(
                    "RabbitMQ has everything; others use it too, so that it is not known whether all is stored"
                );
                return;
            }
            let is_idle = is_empty && self.idle.writers() == self.writers;
            since = since.filter(|_| is_idle).or_else(|| is_idle.then(Instant::now));
            if since.is_some_and(|since| since.elapsed() >= IDLE) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Replays recordings side by side, and says what was read. Then everything is stored and `end` cancelled, where it is given; else it waits
/// until asked to stop, so that what was stored is served.
async fn replayed(
    recordings: Vec<tracker::replay::Replay>,
    publisher: Publisher,
    end: Option<(Storage, Shutdown)>,
    stop: Shutdown,
) -> anyhow::Result<()> {
    let names: Vec<String> = recordings.iter().map(|recording| recording.name().to_string()).collect();
    let (mut replays, mut cuts) = (JoinSet::new(), Vec::new());
    for recording in recordings {
        let name = recording.name().clone();
        let replay = recording.run(publisher.clone(), Health::new(), stop.clone());
        replays.spawn(async move { (name, replay.await) });
    }
    while let Some(ended) = replays.join_next().await {
        let (name, report) = ended?;
        let report = report?;
        tracing::info!(exchange = %name, "the recording is at its end: {report}");
        cuts.extend(report.cut);
    }
    let Some((storage, end)) = end else {
        tracing::info!("{} is served until Ctrl-C", names.join(", "));
        stop.cancelled().await;
        return Ok(());
    };
    tokio::select! {
        () = storage.finished() => {}
        () = stop.cancelled() => {}
    }
    end.cancel();
    match cuts.first() {
        None => Ok(()),
        Some(cut) => anyhow::bail!("{cut}; what was before is stored"),
    }
}

/// The exchange that a newcomer is told to ask for.
fn first_exchange(tracking: &tracker::Settings) -> anyhow::Result<String> {
    let chosen = tracker::exchanges::chosen(tracking)?;
    Ok(chosen.first().map(|exchange| exchange.identity().name.to_string()).unwrap_or_default())
}

/// An address that serves all interfaces is reached by the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

/// Says what can be asked, as soon as it is answered; and, when the exchange is away, what to do meanwhile.
async fn greet(pool: Pool, address: SocketAddr, exchange: String, live: broker::Live, shutdown: Shutdown) {
    let known = async {
        loop {
            if let Ok(client) = pool.get().await
                && database::catalogue::ticker_ids(&client, &exchange).await.is_ok_and(|tickers| !tickers.is_empty())
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let mut news = live.subscribe();
    let away = async {
        while let Some(message) = news.recv().await {
            if let Message::Feed(status) = message.as_ref()
                && status.state == FeedState::Waiting
            {
                return;
            }
        }
    };
    let greeting = async {
        known.await;
        tracing::info!("ready; try: curl http://{address}/tickers/bitcoin/{exchange}");
    };
    let hint = async {
        away.await;
        tracing::warn!("{exchange} is away and tried again; `crypto-tracker demo` shows a simulated market meanwhile");
    };
    tokio::select! {
        _ = async { tokio::join!(greeting, hint) } => {}
        () = shutdown.cancelled() => {}
    }
}

/// Waits until the queue is empty, but not for long.
async fn drain(queue: &LocalQueue) {
    let emptied = async {
        while !queue.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(DRAIN, emptied).await.is_err() {
        tracing::info!(messages = queue.len(), "stored at the next start");
    }
}

/// Makes the failure of one part the end of the whole, with its reason.
async fn part(
    name: &'static str,
    shutdown: Shutdown,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let outcome = work.await;
    if let Err(error) = &outcome {
        tracing::error!("{name} failed: {error:#}");
        shutdown.cancel();
    }
    outcome
}
