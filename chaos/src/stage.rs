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

use crate::{proxy::Proxy, service::Service};

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
    /// Between db-handlers and PostgreSQL.
    pub to_postgres: Proxy,
    /// The program.
    pub tracker: Service,
    /// Two of them share the work.
    pub handlers: [Service; 2],
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

/// How long the start may take.
const START: Duration = Duration::from_secs(60);

impl Stage {
    /// Starts everything; trades flow when this returns. Logs and queues are kept in `folder`, where one is named.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn build(trades_per_second: f64, seed: u64, folder: Option<PathBuf>) -> anyhow::Result<Self> {
        let folder = match folder {
            Some(path) => {
                std::fs::create_dir_all(&path)?;
                Folder::Kept(path)
            }
            None => Folder::Passing(tempfile::tempdir()?),
        };
        let postgres = PostgresServer::start(Tuning::Benchmark)?;
        let rabbitmq = RabbitMqServer::start(Tuning::Benchmark)?;
        let host = VirtualHost::create_on(rabbitmq.address())?;
        let symbols = simulator::default_symbols().into_iter().take(4).collect();
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
        let mut settings = rabbitmq_settings(tracker_to_rabbitmq.address().port());
        settings.extend([
            ("TRACKER_SYMBOLS", exchange.tickers().join(",")),
            ("TRACKER_QUEUE_PATH", folder.path().join("queue.redb").display().to_string()),
            ("TRACKER_PROBE_BIND", "127.0.0.1:0".to_owned()),
            ("TRACKER_IDLE_SECONDS", "5".to_owned()),
            ("TRACKER_SILENCE_SECONDS", "3".to_owned()),
            // Again and again, through every fault.
            ("TRACKER_CONNECTION_SECONDS", "20".to_owned()),
            ("TRACKER_COMPARE_MINUTES", "1".to_owned()),
            ("BINANCE_NAME", "simulated".to_owned()),
            ("BINANCE_REST_URL", format!("http://{proxied}")),
            ("BINANCE_STREAM_URL", format!("ws://{proxied}")),
        ]);
        let tracker = Service::start("tracker", 1, settings, folder.path())?;
        let handler = |number| {
            let mut settings = rabbitmq_settings(handlers_to_rabbitmq.address().port());
            let proxied = ServerAddress { port: to_postgres.address().port(), ..postgres.address().clone() };
            let url = proxied.url("postgres");
            settings.extend([("DATABASE_URL", url), ("DB_HANDLER_PROBE_BIND", "127.0.0.1:0".to_owned())]);
            Service::start("db-handler", number, settings, folder.path())
        };
        let handlers = [handler(1)?, handler(2)?];
        let stage = Self {
            exchange,
            postgres,
            rabbitmq,
            host,
            to_exchange,
            tracker_to_rabbitmq,
            handlers_to_rabbitmq,
            to_postgres,
            tracker,
            handlers,
            folder,
        };
        stage.wait("the tracker subscribes", START, async || stage.subscribed()).await?;
        stage.exchange.resume();
        stage
            .wait("the first trade is stored", START, async || {
                let Ok(client) = stage.client().await else { return false };
                let row = client.query_one("SELECT EXISTS (SELECT FROM price)", &[]).await;
                row.is_ok_and(|row| row.get(0))
            })
            .await?;
        Ok(stage)
    }

    fn subscribed(&self) -> bool {
        let stream = |ticker: &String| format!("{}@trade", ticker.to_lowercase());
        self.exchange.tickers().iter().all(|ticker| self.exchange.listeners(&stream(ticker)) > 0)
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
