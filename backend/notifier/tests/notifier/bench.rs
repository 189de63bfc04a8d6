//! A database of a test's own, with accounts, channels and what is to be told; and notifiers that run on it.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use clap::Parser;
use database::{Client, DatabaseSettings, Pool, migrate};
use domain::{Catalogue, Exchange, Instrument, InstrumentStatus, Steps};
use notifier::{Delays, Settings};
use process::{Health, LogSettings, Shutdown};
use serde_json::{Value, json};
use testbed::database::TestDatabase;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How long anything may take.
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) struct Bench {
    pub(crate) database: TestDatabase,
    pub(crate) pool: Pool,
    pub(crate) ticker_id: i32,
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) state: String,
    pub(crate) attempts: i32,
    pub(crate) error: Option<String>,
    pub(crate) message_id: Option<Uuid>,
    pub(crate) is_held: bool,
    pub(crate) due_at: DateTime<Utc>,
}

/// A notifier that is running; aborted when dropped.
pub(crate) struct Running {
    shutdown: Shutdown,
    task: Option<JoinHandle<Result<(), notifier::Error>>>,
}

impl Running {
    /// Asks it to stop.
    pub(crate) fn cancel(&self) {
        self.shutdown.cancel();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.cancel();
        self.task.take().unwrap().await.unwrap().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.iter().for_each(JoinHandle::abort);
    }
}

#[derive(Debug, Parser)]
struct Flags {
    #[command(flatten)]
    settings: Settings,
}

/// Settings of these flags, in which loopback is permitted and nobody waits long.
pub(crate) fn settings(flags: &[&str]) -> Settings {
    let ours = ["notifier", "--notifier-allow-networks", "127.0.0.1/32"];
    let settings = Flags::parse_from([&ours[..], flags].concat()).settings;
    Settings { delays: quick(), ..settings }
}

/// Delays for people in a hurry.
pub(crate) fn quick() -> Delays {
    let millis = Duration::from_millis;
    Delays { poll: millis(20), first: millis(30), longest: millis(200) }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create(&migrate::fingerprint(), |url| async move {
            let pool = database::connect(&DatabaseSettings::at(url))?;
            let outcome = migrate(&pool).await;
            pool.close();
            outcome
        })
        .await;
        process::tls::install();
        let log = LogSettings { log_level: "warn".to_owned(), log_format: process::telemetry::LogFormat::Text };
        process::telemetry::init(&log).unwrap();
        let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
        let mut client = pool.get().await.unwrap();
        let instruments = ["BTC", "ETH", "SOL"].map(|base| Instrument {
            ticker: format!("{base}USDT").into(),
            base: base.into(),
            quote: "USDT".into(),
            status: InstrumentStatus::Trading,
            steps: Steps::default(),
        });
        let exchange = Exchange { name: "binance".into(), country: None };
        let catalogue = Catalogue { exchange, instruments: instruments.to_vec(), taken_at: None, numbers_trades: true };
        database::catalogue::store(&mut client, &catalogue).await.unwrap();
        let ticker_id = database::catalogue::ticker_ids(&client, "binance").await.unwrap()["BTCUSDT"];
        drop(client);
        Self { database, pool, ticker_id }
    }

    pub(crate) async fn client(&self) -> Client {
        self.pool.get().await.unwrap()
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.client().await.batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.client().await.query_one(query, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn account(&self, name: &str) -> i64 {
        let insert = "INSERT INTO secret.account (username, email, time_zone, password_hash)
                      VALUES ($1, $1 || '@example.org', 'Europe/Berlin', '') RETURNING id";
        self.client().await.query_one(insert, &[&name]).await.unwrap().get(0)
    }

    pub(crate) async fn channel(&self, account_id: i64, kind: &str, settings: Value) -> i64 {
        let insert = "INSERT INTO alert.channel (account_id, kind, name, settings) VALUES ($1, $2, 'my ' || $2, $3) RETURNING id";
        self.client().await.query_one(insert, &[&account_id, &kind, &settings]).await.unwrap().get(0)
    }

    /// A webhook to a sink.
    pub(crate) async fn webhook(&self, account_id: i64, url: &str) -> i64 {
        self.channel(account_id, "webhook", json!({"url": url, "secret": "0123456789abcdef"})).await
    }

    /// An account with a webhook to a sink.
    pub(crate) async fn with_webhook(&self, url: &str) -> (i64, i64) {
        let account_id = self.account("ada").await;
        (account_id, self.webhook(account_id, url).await)
    }

    /// So many firings of a rule of the account's, told to a channel. Returns the notifications, oldest first.
    pub(crate) async fn fire(&self, account_id: i64, channel_id: i64, count: i32) -> Vec<Uuid> {
        let insert = "
            WITH made AS (
                INSERT INTO alert.rule (account_id, kind, ticker_id, level, note)
                VALUES ($1, 'crosses', $4, 65000, 'Sell <a> tenth & rest') RETURNING id
            ), fired AS (
                INSERT INTO alert.firing (rule_id, happened_at, trade_id, said, price, reference)
                SELECT made.id, '2026-07-01T10:00:05Z', number, 'BTCUSDT (binance) rose through 65000: ' || number, 65000.0100 + number, 64999.98
                FROM made, generate_series(1, $3::int) AS number RETURNING id, trade_id
            ), told AS (
                INSERT INTO alert.notification (channel_id, firing_id) SELECT $2, id FROM fired ORDER BY trade_id
                RETURNING id, firing_id
            )
            SELECT told.id FROM told ORDER BY firing_id";
        let rows =
            self.client().await.query(insert, &[&account_id, &channel_id, &count, &self.ticker_id]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    pub(crate) async fn test_of(&self, account_id: i64, channel_id: i64) -> Uuid {
        let client = self.client().await;
        database::notifications::create_test(&client, account_id, channel_id).await.unwrap().unwrap()
    }

    pub(crate) async fn outcome(&self, id: Uuid) -> Outcome {
        let query = "SELECT state, attempts, error, message_id, is_held, due_at FROM alert.notification WHERE id = $1";
        let row = self.client().await.query_one(query, &[&id]).await.unwrap();
        Outcome {
            state: row.get(0),
            attempts: row.get(1),
            error: row.get(2),
            message_id: row.get(3),
            is_held: row.get(4),
            due_at: row.get(5),
        }
    }

    /// Waits until a notification is in a state.
    pub(crate) async fn until(&self, id: Uuid, state: &str) -> Outcome {
        let began = Instant::now();
        loop {
            let outcome = self.outcome(id).await;
            if outcome.state == state {
                return outcome;
            }
            assert!(began.elapsed() < LONGEST, "not {state}: {outcome:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a query that counts says so.
    pub(crate) async fn until_number(&self, query: &str, wanted: i64) {
        let began = Instant::now();
        loop {
            let number = self.number(query).await;
            if number == wanted {
                return;
            }
            assert!(began.elapsed() < LONGEST, "{query}: {number}, not {wanted}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A notifier with a connection of its own: one suffices, as in the embedded database.
    pub(crate) fn start(&self, settings: Settings) -> Running {
        let shutdown = Shutdown::new();
        let one = DatabaseSettings { database_pool_size: 1, ..DatabaseSettings::at(self.database.url()) };
        let pool = database::connect(&one).unwrap();
        let task = tokio::spawn(notifier::run(settings, pool, Health::new(), shutdown.clone()));
        Running { shutdown, task: Some(task) }
    }
}
