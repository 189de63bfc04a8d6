//! Everything that stands while faults are injected.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use simulator::Simulator;
use tempfile::TempDir;
use testbed::{
    ServerAddress,
    rabbitmq::VirtualHost,
    servers::{PostgresServer, RabbitMqServer, Tuning},
};
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls};

use crate::{
    Fault, Protocol, disk::Disk, follower::Follower, proxy::Proxy, receiver::Receiver, service::Service, watch,
};

/// Where a fault can strike.
pub struct Stage {
    /// The exchange, with its own record.
    pub exchange: Simulator,
    /// The real server.
    pub postgres: PostgresServer,
    /// The real server.
    pub rabbitmq: RabbitMqServer,
    /// What the services have of RabbitMQ.
    pub host: VirtualHost,
    /// Between tracker and exchange.
    pub to_exchange: Proxy,
    /// Between tracker and RabbitMQ.
    pub tracker_to_rabbitmq: Proxy,
    /// Between db-handlers and RabbitMQ.
    pub handlers_to_rabbitmq: Proxy,
    /// Between PostgreSQL and db-handlers and notifiers.
    pub to_postgres: Proxy,
    /// Between notifiers and the receiver.
    pub to_receiver: Proxy,
    /// Where notifications arrive.
    pub receiver: Receiver,
    /// Who follows what accounts change.
    pub follower: Follower,
    /// The program.
    pub tracker: Service,
    /// One of them works, the other waits until it is gone.
    pub handlers: [Service; 2],
    /// Two of them share the work.
    pub notifiers: [Service; 2],
    /// The program that keeps what accounts change, in the same server.
    pub keeper: Service,
    /// Where the tracker tells how it does.
    pub tracker_probe: u16,
    /// How long the fault that is none lasts.
    pub nothing_lasts: Duration,
    /// Somebody's transaction, which holds up others as long as it is open.
    pub holding: Option<Client>,
    /// Where the tracker's queue is, if it can be made full.
    pub queue_disk: Option<Disk>,
    /// Where PostgreSQL keeps our tables, if it can be made full.
    pub database_disk: Option<Disk>,
    /// What it is mounted on.
    _database_folder: TempDir,
    /// Whether the folder with the logs stays.
    folder: Folder,
}

/// Where queues and logs are.
enum Folder {
    Passing(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}

/// Enough for what a fault makes wait.
const QUEUE_DISK_MEGABYTES: u32 = 256;
/// Enough for an hour.
const DATABASE_DISK_MEGABYTES: u32 = 2_048;
/// How long the start may take.
const START: Duration = Duration::from_secs(60);

impl Stage {
    /// Starts everything; trades of so many pairs flow when this returns. Connections to the exchange are replaced after so many
    /// seconds. Logs and queues are kept in `folder`, where one is named.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn build(
        pairs: usize,
        trades_per_second: f64,
        seed: u64,
        connection_seconds: u32,
        folder: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let folder = match folder {
            Some(path) => {
                std::fs::create_dir_all(&path)?;
                // The programs are started in it. What an earlier run left there is not this one's.
                let path = path.canonicalize()?;
                let _ = std::fs::remove_file(path.join("queue.redb"));
                Folder::Kept(path)
            }
            None => Folder::Passing(tempfile::tempdir()?),
        };
        let postgres = PostgresServer::start(Tuning::Benchmark)?;
        let rabbitmq = RabbitMqServer::start(Tuning::Benchmark)?;
        let host = VirtualHost::create_on(rabbitmq.address())?;
        let symbols = simulator::default_symbols().into_iter().take(pairs).collect();
        let settings = simulator::Settings {
            seed,
            symbols,
            trades_per_second,
            retained_trades: 2_000_000,
            start_paused: true,
            ..Default::default()
        };
        let exchange = Simulator::start(settings).await?;

        let rest = exchange.rest_url();
        let exchange_address: SocketAddr =
            rest.trim_start_matches("http://").parse().context("the exchange's address")?;
        let to_exchange = Proxy::before(exchange_address).await?;
        let broker = SocketAddr::from(([127, 0, 0, 1], rabbitmq.address().amqp.port));
        let tracker_to_rabbitmq = Proxy::before(broker).await?;
        let handlers_to_rabbitmq = Proxy::before(broker).await?;
        let to_postgres = Proxy::before(SocketAddr::from(([127, 0, 0, 1], postgres.address().port))).await?;

        let receiver = Receiver::start()?;
        let to_receiver = Proxy::before(receiver.address()).await?;

        let rabbitmq_settings = |port: u16| {
            let address = host.address();
            vec![
                ("RABBITMQ_HOST", "127.0.0.1".to_owned()),
                ("RABBITMQ_PORT", port.to_string()),
                ("RABBITMQ_USER", address.user.clone()),
                ("RABBITMQ_PASSWORD", address.password.clone()),
                ("RABBITMQ_VHOST", host.vhost().to_owned()),
                ("RABBITMQ_DELIVERY_LIMIT", "1000".to_owned()),
            ]
        };
        let proxied = to_exchange.address();
        let tracker_probe = testbed::servers::lasting_port()?;
        let queue_disk = Disk::mount(folder.path().join("queue-disk"), QUEUE_DISK_MEGABYTES)?;
        let queue = queue_disk.as_ref().map_or(folder.path(), Disk::path).join("queue.redb");
        // PostgreSQL runs as a user who must be able to go there.
        let database_folder = tempfile::tempdir()?;
        let database_disk = Disk::mount(database_folder.path().to_owned(), DATABASE_DISK_MEGABYTES)?;
        if let Some(disk) = &database_disk {
            keep_tables_on(disk, postgres.address()).await?;
        }
        let mut settings = rabbitmq_settings(tracker_to_rabbitmq.address().port());
        settings.extend([
            ("TRACKER_SYMBOLS", exchange.tickers().join(",")),
            ("TRACKER_QUEUE_PATH", queue.display().to_string()),
            ("TRACKER_PROBE_BIND", format!("127.0.0.1:{tracker_probe}")),
            ("TRACKER_IDLE_SECONDS", "5".to_owned()),
            ("TRACKER_SILENCE_SECONDS", "3".to_owned()),
            // Again and again, through every fault.
            ("TRACKER_CONNECTION_SECONDS", connection_seconds.to_string()),
            ("TRACKER_COMPARE_MINUTES", "1".to_owned()),
            ("EXCHANGES", "binance,coinbase,kraken".to_owned()),
        ]);
        settings.extend(Protocol::ALL.into_iter().flat_map(|protocol| protocol.settings(proxied)));
        let follower = Follower::start(&host).await?;
        let tracker = Service::start("tracker", 1, settings, folder.path())?;
        let database = ServerAddress { port: to_postgres.address().port(), ..postgres.address().clone() };
        let database = || ("DATABASE_URL", database.url("postgres"));
        let handler = |number| {
            let mut settings = rabbitmq_settings(handlers_to_rabbitmq.address().port());
            settings.extend([database(), ("DB_HANDLER_PROBE_BIND", "127.0.0.1:0".to_owned())]);
            Service::start("db-handler", number, settings, folder.path())
        };
        let handlers = [handler(1)?, handler(2)?];
        let notifier = |number| {
            let settings = vec![
                database(),
                ("NOTIFIER_PROBE_BIND", "127.0.0.1:0".to_owned()),
                ("NOTIFIER_ALLOW_NETWORKS", "127.0.0.1/32".to_owned()),
            ];
            Service::start("notifier", number, settings, folder.path())
        };
        let notifiers = [notifier(1)?, notifier(2)?];
        let mut settings = rabbitmq_settings(handlers_to_rabbitmq.address().port());
        settings.extend([database(), ("FOLLOWER_PROBE_BIND", "127.0.0.1:0".to_owned())]);
        let keeper = Service::start("follower", 1, settings, folder.path())?;
        let stage = Self {
            exchange,
            postgres,
            rabbitmq,
            host,
            to_exchange,
            tracker_to_rabbitmq,
            handlers_to_rabbitmq,
            to_postgres,
            to_receiver,
            receiver,
            follower,
            tracker,
            handlers,
            notifiers,
            keeper,
            tracker_probe,
            nothing_lasts: Fault::Nothing.lasts(),
            holding: None,
            queue_disk,
            database_disk,
            _database_folder: database_folder,
            folder,
        };
        stage.wait("the tracker subscribes", START, async || stage.subscribed()).await?;
        stage.exchange.resume();
        stage
            .wait("the first trades are stored", START, async || {
                let Ok(client) = stage.client().await else { return false };
                let row = client.query_one("SELECT count(DISTINCT exchange) FROM prices", &[]).await;
                row.is_ok_and(|row| row.get::<_, i64>(0) == Protocol::ALL.len() as i64)
            })
            .await?;
        stage
            .wait("the follower follows", START, async || {
                stage.keeper.logged("changes come").is_ok_and(|times| times > 0)
            })
            .await?;
        watch::settle(&stage.client().await?, &format!("http://{}/hook", stage.to_receiver.address())).await?;
        Ok(stage)
    }

    fn subscribed(&self) -> bool {
        Protocol::ALL.into_iter().all(|protocol| protocol.is_subscribed(&self.exchange))
    }

    /// Where the logs of the services are.
    pub fn logs(&self) -> &Path {
        self.folder.path()
    }

    /// A connection to PostgreSQL that passes no proxy.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn client(&self) -> anyhow::Result<Client> {
        self.client_of("postgres").await
    }

    /// The same, to another database.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn client_of(&self, database: &str) -> anyhow::Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.postgres.address().url(database), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Waits until `done`, and returns how long it took.
    ///
    /// # Errors
    /// When it takes longer than `patience`.
    pub async fn wait(
        &self,
        what: &str,
        patience: Duration,
        mut done: impl AsyncFnMut() -> bool,
    ) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        while !done().await {
            anyhow::ensure!(begin.elapsed() < patience, "{what}: not within {} s", patience.as_secs());
            sleep(Duration::from_millis(50)).await;
        }
        Ok(begin.elapsed())
    }
}

async fn keep_tables_on(disk: &Disk, server: &ServerAddress) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls).await?;
    tokio::spawn(connection);
    let data: String = client.query_one("SHOW data_directory", &[]).await?.get(0);
    disk.hand_to_owner_of(&data)?;
    let path = disk.path().display();
    client.batch_execute(&format!("CREATE TABLESPACE small LOCATION '{path}'")).await?;
    client.batch_execute("ALTER DATABASE postgres SET default_tablespace = small").await?;
    Ok(())
}
