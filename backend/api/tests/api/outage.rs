use std::time::{Duration, Instant};

use api::Settings;
use domain::FeedState;
use reqwest::header;
use serde_json::Value;

use crate::{
    feeds::status,
    health::wait_until,
    server::{pool, settings, start, start_with},
};

#[tokio::test]
async fn without_a_database_stored_prices_are_503_and_the_feeds_go_on() {
    let server = start().await;
    wait_until(&server, 200).await;
    server.data("/symbols").await;
    server.database.take_down().await;
    for path in ["/symbols", "/prices", "/candles/binance/BTCUSDT", "/tickers/bitcoin/binance"] {
        let response = server.response(path).await;
        assert_eq!(response.status(), 503, "{path}");
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(body["code"], "database_unavailable", "{body}");
        assert!(!body.to_string().contains("pg_") && !body.to_string().contains("postgres://"), "{body}");
    }
    server.live.send(status("binance", FeedState::Streaming)).unwrap();
    let body = wait_until(&server, 503).await;
    assert_eq!(body["code"], "not_ready");
    assert!(body["detail"].as_str().unwrap().contains("database"), "{body}");
    assert_eq!(server.data("/health/live").await["status"], "live");
    assert_eq!(server.data("/feeds").await[0]["exchange"], "binance");
    assert_eq!(server.error("/candles/binance/BTCUSDT?limit=0", 400).await["parameter"], "limit", "still told first");
    server.database.bring_up().await;
    wait_until(&server, 200).await;
    server.data("/symbols").await;
}

#[tokio::test]
async fn a_database_without_a_schema_is_not_ready() {
    let server = start().await;
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    let (status, body) = server.get("/symbols").await;
    assert_eq!((status.as_u16(), &body["code"]), (503, &Value::from("database_unavailable")), "{body}");
    let body = wait_until(&server, 503).await;
    assert!(body["detail"].as_str().unwrap().contains("schema"), "{body}");
}

#[tokio::test]
async fn who_finds_no_free_connection_is_told_to_come_again() {
    let server = start_with(settings(), 1).await;
    let held = server.pool.get().await.unwrap();
    let asked = Instant::now();
    let response = server.response("/symbols").await;
    assert_eq!((response.status().as_u16(), &response.headers()[header::RETRY_AFTER]), (503, &"1".parse().unwrap()));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert!(response.text().await.unwrap().contains("database_busy"));
    drop(held);
    server.data("/symbols").await;
}

#[tokio::test]
async fn one_connection_is_enough_for_every_route() {
    let server = start_with(Settings { api_database_wait_ms: 5_000, ..settings() }, 1).await;
    let paths = [
        "/symbols",
        "/exchanges",
        "/tickers",
        "/tickers/bitcoin/binance",
        "/prices",
        "/candles/binance/BTCUSDT",
        "/ticks/binance/BTCUSDT",
    ];
    let all = (0..40).map(|index| server.response(paths[index % paths.len()]));
    for response in futures_util::future::join_all(all).await {
        assert_eq!(response.status(), 200, "{}", response.url());
    }
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_given_up_and_its_connection_comes_back() {
    let server = start_with(Settings { api_query_timeout_ms: 300, ..settings() }, 1).await;
    let other = pool(&server.database, 1);
    let locker = other.get().await.unwrap();
    server.data("/symbols").await;
    locker.batch_execute("BEGIN; LOCK TABLE symbol IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let (status, body) = server.get("/symbols").await;
    assert_eq!((status.as_u16(), &body["code"]), (503, &Value::from("query_timeout")), "{body}");
    assert_eq!(server.error("/exchanges", 503).await["code"], "database_busy", "the query still runs there");
    locker.batch_execute("ROLLBACK").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.data("/exchanges").await;
}
