//! What a test gets from the servers of the run: its own database, its own virtual host, and nothing left behind.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "clippy takes a test's own functions for a service's")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lapin::{Connection, ConnectionProperties};
use testbed::database::TestDatabase;
use testbed::management;
use testbed::rabbitmq::VirtualHost;
use tokio_postgres::{Client, NoTls};

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn migrate(url: String) -> Result<(), tokio_postgres::Error> {
    connect(&url).await?.batch_execute("CREATE TABLE coin (code text); INSERT INTO coin VALUES ('BTC')").await
}

async fn coins(client: &Client) -> i64 {
    client.query_one("SELECT count(*) FROM coin", &[]).await.unwrap().get(0)
}

async fn database_count(name: &str) -> i64 {
    let client = connect(&testbed::postgres().url("postgres")).await.unwrap();
    client.query_one("SELECT count(*) FROM pg_database WHERE datname = $1", &[&name]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_made_in_parallel_share_one_migration_and_no_rows() {
    let migrations = Arc::new(AtomicU32::new(0));
    let key = format!("parallel {}", std::process::id());
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let (migrations, key) = (Arc::clone(&migrations), key.clone());
            tokio::spawn(async move {
                let count = async |url| {
                    migrations.fetch_add(1, Ordering::Relaxed);
                    migrate(url).await
                };
                TestDatabase::create(&key, count).await
            })
        })
        .collect();
    let mut databases = Vec::new();
    for task in tasks {
        databases.push(task.await.unwrap());
    }
    assert_eq!(migrations.load(Ordering::Relaxed), 1);
    let first = connect(&databases[0].url()).await.unwrap();
    first.batch_execute("INSERT INTO coin VALUES ('ETH')").await.unwrap();
    assert_eq!(coins(&first).await, 2);
    for other in &databases[1..] {
        assert_eq!(coins(&connect(&other.url()).await.unwrap()).await, 1);
    }
}

#[tokio::test]
async fn another_key_is_another_template() {
    let old = TestDatabase::create("another key: old", migrate).await;
    let new = TestDatabase::create("another key: new", async |url: String| {
        migrate(url.clone()).await?;
        connect(&url).await?.batch_execute("ALTER TABLE coin ADD COLUMN name text").await
    });
    let new = new.await;
    let names = async |database: &TestDatabase| {
        connect(&database.url()).await.unwrap().query("SELECT name FROM coin", &[]).await.map(|rows| rows.len())
    };
    assert_eq!(names(&new).await.unwrap(), 1);
    assert!(names(&old).await.is_err());
}

#[tokio::test]
async fn a_failed_migration_is_reported_and_leaves_no_template() {
    let server = testbed::postgres();
    let key = format!("failing {}", std::process::id());
    let failing = async |_| Err(anyhow::anyhow!("no such migration"));
    let error = TestDatabase::create_on(&server, &key, failing).await.unwrap_err();
    assert!(format!("{error:#}").contains("no such migration"), "{error:#}");
    let database = TestDatabase::create(&key, migrate).await;
    assert_eq!(coins(&connect(&database.url()).await.unwrap()).await, 1);
}

#[tokio::test]
async fn a_dropped_database_is_gone_even_with_a_client_connected() {
    let database = TestDatabase::empty().await;
    let name = database.name().to_owned();
    let client = connect(&database.url()).await.unwrap();
    client.batch_execute("CREATE TABLE anything ()").await.unwrap();
    assert_eq!(database_count(&name).await, 1);
    drop(database);
    assert_eq!(database_count(&name).await, 0);
    assert!(client.batch_execute("SELECT 1").await.is_err());
}

#[tokio::test]
async fn a_database_that_is_down_refuses_until_it_is_up_again() {
    let database = TestDatabase::create("down and up", migrate).await;
    let client = connect(&database.url()).await.unwrap();
    database.take_down().await;
    assert!(client.batch_execute("SELECT 1").await.is_err());
    assert!(connect(&database.url()).await.is_err());
    database.bring_up().await;
    assert_eq!(coins(&connect(&database.url()).await.unwrap()).await, 1);
}

#[tokio::test]
async fn a_virtual_host_has_its_own_queues_and_is_gone_after_the_test() {
    let (one, other) = (VirtualHost::create(), VirtualHost::create());
    let server = testbed::rabbitmq();
    assert_eq!(one.url(), format!("{}/{}", one.address(), one.vhost()));
    let queue = format!("/api/queues/{}/ticks", one.vhost());
    let durable = r#"{"durable":true,"arguments":{"x-queue-type":"quorum"}}"#;
    management::request(&server.management, "PUT", &queue, durable).unwrap();
    assert_eq!(one.queue_names(), ["ticks"]);
    assert_eq!(one.queue_depth("ticks"), Some(0));
    assert_eq!(other.queue_depth("ticks"), None);
    assert_eq!(one.connection_count(), 0);

    let publish = format!("/api/exchanges/{}/amq.default/publish", one.vhost());
    let message =
        r#"{"properties":{"delivery_mode":2},"routing_key":"ticks","payload":"1","payload_encoding":"string"}"#;
    for _ in 0..3 {
        management::request(&server.management, "POST", &publish, message).unwrap();
    }
    one.wait_for_queue_depth("ticks", 3, Duration::from_secs(10)).await;
    one.delete_queue("ticks");
    assert_eq!(one.queue_depth("ticks"), None);

    let name = one.vhost().to_owned();
    drop(one);
    let error = management::request(&server.management, "GET", &format!("/api/vhosts/{name}"), "").unwrap_err();
    assert!(error.to_string().contains("404"), "{error:#}");
}

async fn wait_until(condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(10), "waited for too long");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_listed_and_cut_per_virtual_host() {
    let (one, other) = (VirtualHost::create(), VirtualHost::create());
    let cut = Connection::connect(&one.url(), ConnectionProperties::default()).await.unwrap();
    let kept = Connection::connect(&other.url(), ConnectionProperties::default()).await.unwrap();
    wait_until(|| one.connection_count() == 1).await;
    one.close_all_connections();
    wait_until(|| one.connection_count() == 0).await;
    assert!(cut.create_channel().await.is_err());
    kept.create_channel().await.unwrap();
}
