//! What accounts change is kept by whoever follows it: every change once, with what belongs to what, whatever breaks on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{sync::LazyLock, time::Duration};

use broker::{RabbitMqSettings, Source};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use clap::Parser as _;
use database::{DatabaseSettings, Pool};
use lapin::{Connection, ConnectionProperties, options::BasicPublishOptions};
use process::{Health, Shutdown};
use serde_json::{Value, json};
use testbed::{database::TestDatabase, rabbitmq::VirtualHost};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Older than anything that is kept for so many days.
static LONG_AGO: LazyLock<DateTime<Utc>> = LazyLock::new(|| Utc::now().trunc_subsecs(0) - TimeDelta::days(30));
const SOON: Duration = Duration::from_secs(60);

#[derive(clap::Parser)]
struct Following {
    #[command(flatten)]
    settings: follower::Settings,
}

fn settings(arguments: &[&str]) -> follower::Settings {
    Following::parse_from([&["follower"], arguments].concat()).settings
}

/// A follower that can be stopped.
struct Running(Shutdown, JoinHandle<Result<(), follower::Error>>, Health);

impl Running {
    fn start(host: &VirtualHost, copy: &Pool, arguments: &[&str]) -> Self {
        let (stop, rabbitmq) = (Shutdown::new(), RabbitMqSettings::at(&host.url()).unwrap());
        let health = Health::new();
        let running = follower::run(settings(arguments), rabbitmq, copy.clone(), health.clone(), stop.clone());
        Self(stop, tokio::spawn(running), health)
    }

    async fn is_following(&self) {
        let is_following = async || {
            let report = self.2.report();
            report.len() == 2 && report.iter().all(|check| check.ok)
        };
        wait("it follows", is_following).await;
    }

    async fn stop(self) {
        self.0.cancel();
        self.1.await.unwrap().unwrap();
    }
}

fn pool(database: &TestDatabase) -> Pool {
    database::connect(&DatabaseSettings::at(database.url())).unwrap()
}

async fn number(pool: &Pool, query: &str) -> i64 {
    let Ok(client) = pool.get().await else { return -1 };
    client.query_one(query, &[]).await.map_or(-1, |row| row.get(0))
}

async fn rows(pool: &Pool, query: &str) -> Vec<Value> {
    let client = pool.get().await.unwrap();
    let query = format!("SELECT to_jsonb(row) FROM ({query}) AS row");
    client.query(&query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn wait(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !done().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(SOON, waiting).await.is_ok(), "{what}: not within {SOON:?}");
}

/// Publishes bodies as changes.
async fn publish(host: &VirtualHost, bodies: &[Vec<u8>]) {
    let connection = Connection::connect(&host.url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let exchange = RabbitMqSettings::at(&host.url()).unwrap().amqp_exchange().to_owned();
    for body in bodies {
        let (options, properties) = (BasicPublishOptions::default(), lapin::BasicProperties::default());
        let key = "market.change.transaction.added".into();
        channel.basic_publish(exchange.as_str().into(), key, options, body, properties).await.unwrap();
    }
    connection.close(200, "done".into()).await.unwrap();
}

fn change(version: i64, source_id: &str, operation: &str, record: &Value) -> Vec<u8> {
    let at = (*LONG_AGO + TimeDelta::microseconds(version)).to_rfc3339();
    let change = json!({"operation": operation, "kind": "transaction", "source_id": source_id, "version": version, "at": at,
                        "account_id": 1, "record": record});
    serde_json::to_vec(&change).unwrap()
}

/// What the followed database and the copy have of transactions, to be compared.
async fn transactions(source: &Pool, copy: &Pool) -> (Vec<Value>, Vec<Value>) {
    let own = rows(
        source,
        "SELECT id::text, to_jsonb(transaction) AS record FROM portfolio.transaction ORDER BY transaction.id",
    )
    .await;
    let copied =
        "SELECT source_id AS id, record FROM followed.record WHERE kind = 'transaction' ORDER BY source_id::bigint";
    (own, rows(copy, copied).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_another_database_has_every_change_once_and_tells_what_belongs_to_what() {
    let (host, source, copy) = (VirtualHost::create(), TestDatabase::empty().await, TestDatabase::empty().await);
    let (source, copy_pool) = (pool(&source), pool(&copy));
    let stop = Shutdown::new();
    let broker = Source::RabbitMq(RabbitMqSettings::at(&host.url()).unwrap());
    let handling = tokio::spawn(db_handler::run(
        db_handler::Settings::default(),
        broker,
        source.clone(),
        Health::new(),
        stop.clone(),
    ));
    wait("the schema stands", async || number(&source, "SELECT count(*) FROM change.log").await == 0).await;
    let mut following = Running::start(&host, &copy_pool, &[]);
    following.is_following().await;

    let client = source.get().await.unwrap();
    client
        .batch_execute(
            "INSERT INTO secret.account (username, password_hash) VALUES ('ada', 'secret-of-ada');
             INSERT INTO portfolio.portfolio (account_id, name, currency) SELECT id, 'savings', 'USD' FROM secret.account;
             INSERT INTO alert.channel (account_id, kind, name, settings) SELECT id, 'console', 'log', '{}' FROM secret.account;
             INSERT INTO alert.schedule (account_id, name, kind, threshold_percent, portfolio_id, every_minutes, starts_at)
             SELECT account_id, 'worth', 'balance', 0, id, 60, now() FROM portfolio.portfolio;
             INSERT INTO alert.computed (schedule_id, at, said, result)
             SELECT id, '2026-11-20 12:00Z', 'savings: 120.10 USD', '{\"converted_value\": \"120.10\"}' FROM alert.schedule;
             INSERT INTO alert.notification (channel_id, computed_id) SELECT channel.id, computed.id FROM alert.channel, alert.computed",
        )
        .await
        .unwrap();
    // Followers come, go and break while changes are made.
    for round in 0..6 {
        for number in 0..40 {
            let (name, amount) = (format!("{round}-{number}"), long_amount(number));
            let insert = format!(
                "INSERT INTO portfolio.transaction (portfolio_id, at, symbol, type, order_type, volume, value, currency, source, source_id)
                 SELECT id, now(), 'BTC', 'TRADE', 'BUY', {amount}, 5, 'USD', 'test', '{name}' FROM portfolio.portfolio"
            );
            client.batch_execute(&insert).await.unwrap();
        }
        let change = "UPDATE portfolio.transaction SET value = value + 0.10 WHERE id % 3 = 0;
                      DELETE FROM portfolio.transaction WHERE id IN (SELECT id FROM portfolio.transaction ORDER BY random() LIMIT 7)";
        client.batch_execute(change).await.unwrap();
        match round % 3 {
            0 => {
                following.1.abort();
                following = Running::start(&host, &copy_pool, &[]);
            }
            1 => {
                let break_off = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
                let _ = copy_pool.get().await.unwrap().query(break_off, &[]).await;
            }
            _ => {
                following.stop().await;
                following = Running::start(&host, &copy_pool, &[]);
            }
        }
    }
    client
        .batch_execute("UPDATE alert.notification SET state = 'sent', sent_at = '2026-11-20 12:00:05Z'")
        .await
        .unwrap();
    let made = number(&source, "SELECT count(*) FROM change.log").await;
    wait("every change is kept", async || number(&copy_pool, "SELECT count(*) FROM followed.change").await == made)
        .await;
    let (own, copied) = transactions(&source, &copy_pool).await;
    assert_eq!((own.len(), copied == own), (240 - 6 * 7, true), "digit for digit");

    let told =
        rows(&copy_pool, "SELECT state, sent_at, schedule_id, alert_id, said, numbers FROM followed.notification")
            .await;
    let schedule = rows(&source, "SELECT id::text FROM alert.schedule").await[0]["id"].clone();
    let expected = json!({"state": "sent", "sent_at": "2026-11-20T12:00:05+00:00", "schedule_id": schedule, "alert_id": null,
                          "said": "savings: 120.10 USD", "numbers": {"converted_value": "120.10"}});
    assert_eq!(told, std::slice::from_ref(&expected));
    let computed = rows(&copy_pool, "SELECT schedule_id, at, notifications, sent FROM followed.computed").await;
    let counted = json!({"schedule_id": schedule, "at": "2026-11-20T12:00:00+00:00", "notifications": 1, "sent": 1});
    assert_eq!(computed, [counted]);
    // What was told stays known when it is gone.
    client.batch_execute("DELETE FROM alert.schedule").await.unwrap();
    let gone = "SELECT count(*) FROM followed.change WHERE kind = 'computed' AND operation = 'REMOVED'";
    wait("the removal is kept", async || number(&copy_pool, gone).await == 1).await;
    let told =
        rows(&copy_pool, "SELECT state, sent_at, schedule_id, alert_id, said, numbers FROM followed.notification")
            .await;
    assert_eq!(told, [expected]);
    assert_eq!(
        number(&copy_pool, "SELECT count(*) FROM followed.record WHERE kind IN ('schedule', 'computed')").await,
        0
    );

    following.stop().await;

    // Whoever begins later is told of what there is, when that is asked for; who knows it, of nothing new about it.
    let late = TestDatabase::empty().await;
    let late = pool(&late);
    let following = Running::start(&host, &late, &["--follower-queue-name", "late"]);
    following.is_following().await;
    client.batch_execute("CALL change.tell()").await.unwrap();
    let unpublished = "SELECT count(*) FROM change.log WHERE published_at IS NULL";
    wait("all of it is published", async || number(&source, unpublished).await == 0).await;
    wait("all of it is kept", async || {
        number(&late, "SELECT count(*) FROM followed.record").await
            == number(&source, "SELECT count(*) FROM (SELECT DISTINCT kind, source_id FROM change.log AS log
                                WHERE kind IN ('settings', 'portfolio', 'transaction', 'channel') AND record IS NOT NULL
                                  AND NOT EXISTS (SELECT FROM change.log AS gone WHERE (gone.kind, gone.source_id) = (log.kind, log.source_id)
                                                  AND gone.operation = 'REMOVED')) AS told").await
    })
    .await;
    let (own, told) = transactions(&source, &late).await;
    assert_eq!((own.len(), told == own), (240 - 6 * 7, true));
    let secrets =
        "SELECT count(*) FROM followed.change WHERE record ?| ARRAY['password_hash', 'settings', 'version', '']";
    assert_eq!(number(&late, secrets).await, 0, "what is hidden stays hidden");
    following.stop().await;
    stop.cancel();
    handling.await.unwrap().unwrap();
}

/// Amounts with more digits than a float has.
fn long_amount(number: i32) -> String {
    format!("{number}.123456789012345678")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_again_or_late_changes_nothing_and_what_cannot_be_kept_is_set_aside() {
    let (host, copy) = (VirtualHost::create(), TestDatabase::empty().await);
    let copy = pool(&copy);
    let following = Running::start(&host, &copy, &["--follower-queue-name", "mine"]);
    following.is_following().await;
    let newer = change(20, "7", "MODIFIED", &json!({"volume": "2"}));
    let older = change(10, "7", "ADDED", &json!({"volume": "1"}));
    publish(&host, &[newer.clone(), older.clone(), newer.clone(), older]).await;
    wait("both are kept", async || number(&copy, "SELECT count(*) FROM followed.change").await == 2).await;
    let wrong = [
        b"no change".to_vec(),
        // Text that PostgreSQL cannot hold.
        change(30, "8", "ADDED", &json!({"note": "\u{0}"})),
        change(31, "8", "GUESSED", &json!({})),
        // Another one under a version that is known.
        change(20, "9", "ADDED", &json!({"volume": "9"})),
        change(40, "10", "ADDED", &json!({"volume": "3"})),
        change(50, "10", "REMOVED", &Value::Null),
    ];
    publish(&host, &wrong).await;
    wait("what is right is kept", async || number(&copy, "SELECT count(*) FROM followed.change").await == 4).await;
    wait("the rest is set aside", async || waiting_in(&host, "mine.dead-letters").await == Some(4)).await;
    let known = rows(&copy, "SELECT source_id, version, record FROM followed.record").await;
    assert_eq!(known, [json!({"source_id": "7", "version": 20, "record": {"volume": "2"}})]);
    wait("nothing waits", async || waiting_in(&host, "mine").await == Some(0)).await;
    following.stop().await;

    // All of it is older than seven days, and of record 10 nothing is left; what record 7 is now stays.
    let following = Running::start(&host, &copy, &["--follower-queue-name", "mine", "--follower-keep-days", "7"]);
    wait("old ones go", async || number(&copy, "SELECT count(*) FROM followed.change").await == 1).await;
    assert_eq!(rows(&copy, "SELECT source_id, version, record FROM followed.record").await, known);
    following.stop().await;
}

/// How many messages wait in a queue; `None` where there is none.
async fn waiting_in(host: &VirtualHost, queue: &str) -> Option<u32> {
    let connection = Connection::connect(&host.url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let options = lapin::options::QueueDeclareOptions { passive: true, ..Default::default() };
    let declared = channel.queue_declare(queue.into(), options, lapin::types::FieldTable::default()).await;
    declared.ok().map(|queue| queue.message_count())
}
