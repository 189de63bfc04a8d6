//! Servers that a test starts for itself, to stop and kill them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "clippy takes a test's own functions for a service's")]

use std::path::Path;

use testbed::management;
use testbed::rabbitmq::VirtualHost;
use testbed::servers::{PostgresServer, RabbitMqServer, Tuning};
use tokio_postgres::{Client, NoTls};

async fn connect(server: &PostgresServer) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn postgres_keeps_what_was_committed_before_a_crash() {
    let mut server = PostgresServer::start(Tuning::Benchmark).unwrap();
    let client = connect(&server).await;
    client.batch_execute("CREATE TABLE tick (id int); INSERT INTO tick VALUES (1), (2)").await.unwrap();
    server.crash();
    assert!(client.batch_execute("SELECT 1").await.is_err());
    server.start_again().unwrap();
    let client = connect(&server).await;
    let count: i64 = client.query_one("SELECT count(*) FROM tick", &[]).await.unwrap().get(0);
    assert_eq!(count, 2);

    let folder: String = client.query_one("SHOW data_directory", &[]).await.unwrap().get(0);
    let process = server.process_id().unwrap();
    drop(server);
    assert!(!Path::new(&folder).exists());
    assert!(!Path::new(&format!("/proc/{process}")).exists());
}

#[test]
fn rabbitmq_keeps_a_durable_queue_over_a_stop_and_a_crash() {
    let mut server = RabbitMqServer::start(Tuning::Tests).unwrap();
    let host = VirtualHost::create_on(server.address()).unwrap();
    let queue = format!("/api/queues/{}/ticks", host.vhost());
    management::request(&server.address().management, "PUT", &queue, r#"{"durable":true}"#).unwrap();
    // First the stop: a crash right after the declaration sometimes takes the queue with it.
    server.stop();
    assert!(server.has_ended());
    assert!(management::request(&server.address().management, "GET", &queue, "").is_err());
    server.start_again().unwrap();
    assert_eq!(host.queue_names(), ["ticks"]);
    server.crash();
    server.start_again().unwrap();
    assert_eq!(host.queue_names(), ["ticks"]);
}
