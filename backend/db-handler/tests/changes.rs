//! What accounts change reaches whoever follows it: everything, in order for each record, whatever breaks on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use broker::{RabbitMqSettings, Source};
use database::{DatabaseSettings, Pool};
use futures_util::StreamExt as _;
use lapin::{
    Connection, ConnectionProperties, Consumer,
    options::{BasicAckOptions, BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use process::{Health, Shutdown};
use serde_json::Value;
use testbed::{database::TestDatabase, rabbitmq::VirtualHost};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

const SOON: Duration = Duration::from_secs(60);
const QUEUE: &str = "follower";

fn settings(host: &VirtualHost) -> RabbitMqSettings {
    RabbitMqSettings::at(&host.url()).unwrap()
}

fn handle(host: &VirtualHost, database: &TestDatabase, stop: &Shutdown) -> JoinHandle<Result<(), db_handler::Error>> {
    let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
    let source = Source::RabbitMq(settings(host));
    tokio::spawn(db_handler::run(db_handler::Settings::default(), source, pool, Health::new(), stop.clone()))
}

/// Somebody's copy of the records: what another service would keep.
#[derive(Default)]
struct Copy {
    records: HashMap<(String, String), (i64, Option<Value>)>,
    seen: HashSet<i64>,
    /// How many different changes came, of each kind.
    counts: HashMap<String, i64>,
}

impl Copy {
    /// Takes a change in, unless it is known.
    fn apply(&mut self, change: &Value) {
        let text = |field: &str| change[field].as_str().unwrap().to_owned();
        let version = change["version"].as_i64().unwrap();
        let key = (text("kind"), text("source_id"));
        if !self.seen.insert(version) {
            return;
        }
        *self.counts.entry(text("kind")).or_default() += 1;
        // It was added before anybody followed.
        if key.0 == "portfolio" {
            return;
        }
        let known = self.records.get(&key).map(|(version, _)| *version);
        assert!(known.is_none_or(|known| known < version), "out of order: {change} behind {known:?}");
        let is_first = known.is_none();
        assert_eq!(is_first, text("operation") == "ADDED", "{change} behind {known:?}");
        self.records.insert(key, (version, (!change["record"].is_null()).then(|| change["record"].clone())));
    }

    fn of(&self, kind: &str) -> HashMap<&str, &Value> {
        let of_kind = self.records.iter().filter(|((of, _), _)| of == kind);
        of_kind.filter_map(|((_, id), (_, record))| Some((id.as_str(), record.as_ref()?))).collect()
    }
}

async fn follow(host: &VirtualHost) -> (Connection, Consumer) {
    let connection = Connection::connect(&host.url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(QUEUE.into(), durable, FieldTable::default()).await.unwrap();
    let settings = settings(host);
    let (exchange, key) = (settings.amqp_exchange().into(), settings.routing_key("change.#").into());
    channel.queue_bind(QUEUE.into(), exchange, key, QueueBindOptions::default(), FieldTable::default()).await.unwrap();
    let consumer =
        channel.basic_consume(QUEUE.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default()).await;
    (connection, consumer.unwrap())
}

async fn wait(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !done().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(SOON, waiting).await.is_ok(), "{what}: not within {SOON:?}");
}

async fn number(pool: &Pool, query: &str) -> i64 {
    let Ok(client) = pool.get().await else { return -1 };
    client.query_one(query, &[]).await.map_or(-1, |row| row.get(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_arrives_in_order_whatever_is_cut_or_killed() {
    let (host, database) = (VirtualHost::create(), TestDatabase::empty().await);
    let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
    let mut stop = Shutdown::new();
    let mut handling = handle(&host, &database, &stop);
    wait("the schema stands", async || number(&pool, "SELECT count(*) FROM change.log").await == 0).await;
    let client = pool.get().await.unwrap();
    client
        .batch_execute(
            "INSERT INTO secret.account (username, password_hash) VALUES ('ada', 'secret-of-ada');
             INSERT INTO portfolio.portfolio (account_id, name, currency) SELECT id, 'savings', 'USD' FROM secret.account;
             INSERT INTO alert.channel (account_id, kind, name, settings) SELECT id, 'webhook', 'hook', '{\"secret\": \"secret-of-hook\"}'
             FROM secret.account",
        )
        .await
        .unwrap();
    // What was changed before anybody followed is not kept for them.
    wait("it is published", async || {
        number(&pool, "SELECT count(*) FROM change.log WHERE published_at IS NULL").await == 0
    })
    .await;
    let (_connection, mut consumer) = follow(&host).await;

    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let pool = pool.clone();
        writers.spawn(async move {
            let client = pool.get().await.unwrap();
            for number in 0..60 {
                let insert = "INSERT INTO portfolio.transaction (portfolio_id, at, symbol, type, order_type, volume, value, currency, source,
                                                                 source_id)
                              SELECT id, now(), 'BTC', 'TRADE', 'BUY', 1, 5, 'USD', $1, $2 FROM portfolio.portfolio RETURNING id";
                let name = format!("writer-{writer}");
                let row = client.query_one(insert, &[&name, &number.to_string()]).await.unwrap();
                let id: i64 = row.get(0);
                client.execute("UPDATE portfolio.transaction SET value = value + 1 WHERE id = $1", &[&id]).await.unwrap();
                // All of them change the same one, too.
                client.batch_execute("UPDATE portfolio.portfolio SET name = name || '.' WHERE length(name) < 90; UPDATE secret.account SET time_zone = time_zone").await.unwrap();
                if number % 3 == 0 {
                    client.execute("DELETE FROM portfolio.transaction WHERE id = $1", &[&id]).await.unwrap();
                }
            }
        });
    }
    let breaking = async {
        for round in 0..4 {
            sleep(Duration::from_millis(150)).await;
            if round % 2 == 0 {
                stop.cancel();
                handling.abort();
                stop = Shutdown::new();
                handling = handle(&host, &database, &stop);
            } else {
                let stored = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                              WHERE datname = current_database() AND query LIKE '%change.log%' AND pid <> pg_backend_pid()";
                let _ = client.query(stored, &[]).await;
            }
        }
    };
    let (_, ()) = tokio::join!(
        async {
            while let Some(ended) = writers.join_next().await {
                ended.unwrap();
            }
        },
        breaking
    );

    let mut copy = Copy::default();
    let unpublished = "SELECT count(*) FROM change.log WHERE published_at IS NULL";
    wait("all of it is published", async || number(&pool, unpublished).await == 0).await;
    let expected = number(&pool, "SELECT count(*) FROM change.log WHERE kind IN ('transaction')").await;
    assert_eq!(expected, 4 * (60 + 60 + 20));
    while copy.counts.get("transaction").is_none_or(|count| *count < expected) {
        let delivery = timeout(SOON, consumer.next()).await.expect("a change is due").unwrap().unwrap();
        let text = String::from_utf8(delivery.data.clone()).unwrap();
        assert!(!text.contains("secret-of"), "{text}");
        let change: Value = serde_json::from_str(&text).unwrap();
        copy.apply(&change);
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    let rows = client.query("SELECT id::text, to_jsonb(transaction) FROM portfolio.transaction", &[]).await.unwrap();
    let stored: HashMap<String, Value> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let copied: HashMap<String, Value> =
        copy.of("transaction").into_iter().map(|(id, record)| (id.to_owned(), record.clone())).collect();
    assert_eq!((stored.len(), copied == stored), (160, true));
    // What changes nothing is no change, and what only this program needs is left out.
    assert_eq!(number(&pool, "SELECT count(*) FROM change.log WHERE kind = 'settings'").await, 1);
    assert_eq!(
        number(&pool, "SELECT count(*) FROM change.log WHERE record ?| ARRAY['password_hash', 'settings', 'version']")
            .await,
        0
    );
    stop.cancel();
    handling.await.unwrap().unwrap();
}
