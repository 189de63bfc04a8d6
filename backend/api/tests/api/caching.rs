use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use api::Settings;
use broker::{Message, Stored};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::{
    health::wait_until,
    server::{BTCUSDT, TestServer, pool, settings, start, start_deaf, start_with},
};

/// Longer than any test takes: what comes fresh, comes because of a write.
async fn keeping() -> TestServer {
    let server = start_with(Settings { api_cache_ms: 600_000, ..settings() }, 4).await;
    hear(&server).await;
    server
}

/// Waits until the server hears of writes: before that it keeps nothing for long.
async fn hear(server: &TestServer) {
    wait_until(server, 200).await;
}

fn stored() -> Arc<Message> {
    Arc::new(Message::Stored(Stored { exchange: "binance".into(), rows: 1 }))
}

async fn add_exchange(server: &TestServer, name: &str) {
    server.sql(&format!("INSERT INTO exchange (name) VALUES ('{name}')")).await;
}

async fn count(server: &TestServer) -> usize {
    server.data("/exchanges").await.as_array().unwrap().len()
}

#[tokio::test]
async fn an_answer_serves_until_something_is_stored() {
    let server = keeping().await;
    assert_eq!(count(&server).await, 3);
    add_exchange(&server, "nyse").await;
    for _ in 0..20 {
        assert_eq!(count(&server).await, 3, "nobody said that anything was stored");
    }
    server.live.send(stored()).unwrap();
    let fresh = async {
        while count(&server).await != 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), fresh).await.expect("a write makes it fresh");
}

#[tokio::test]
async fn an_answer_serves_for_a_limited_time() {
    let server = start_with(Settings { api_cache_ms: 100, ..settings() }, 4).await;
    hear(&server).await;
    assert_eq!(count(&server).await, 3);
    add_exchange(&server, "nyse").await;
    let fresh = async {
        while count(&server).await != 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), fresh).await.expect("without any word of a write");
}

#[tokio::test]
async fn without_the_live_feed_an_answer_serves_for_a_moment_only() {
    let server = start_deaf(Settings { api_cache_ms: 600_000, ..settings() }).await;
    assert_eq!(count(&server).await, 3);
    add_exchange(&server, "nyse").await;
    let fresh = async {
        while count(&server).await != 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), fresh).await.expect("nobody would tell it of a write");
}

#[tokio::test]
async fn a_hundred_who_ask_at_once_cost_one_query() {
    // One connection, for which nobody waits long: a second query would be refused.
    let settings = Settings { api_cache_ms: 600_000, api_database_wait_ms: 20, ..settings() };
    let server = start_with(settings, 1).await;
    hear(&server).await;
    let locker = lock(&server).await;
    let asking = async {
        let all = (0..100).map(|_| server.response("/symbols"));
        futures_util::future::join_all(all).await
    };
    let unlocking = async {
        wait_until_held_up(&locker).await;
        // Many times as long as one may wait for a connection.
        tokio::time::sleep(Duration::from_millis(400)).await;
        locker.batch_execute("ROLLBACK").await.unwrap();
    };
    let (answers, ()) = tokio::join!(asking, unlocking);
    for answer in answers {
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.unwrap().contains("bitcoin"));
    }
}

/// Holds up every answer about coins until it is told `ROLLBACK`.
async fn lock(server: &TestServer) -> database::Client {
    let locker = pool(&server.database, 1).get().await.unwrap();
    locker.batch_execute("BEGIN; LOCK TABLE symbol IN ACCESS EXCLUSIVE MODE").await.unwrap();
    locker
}

async fn wait_until_held_up(locker: &database::Client) {
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'symbol'::regclass";
    while locker.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn who_gives_up_leaves_the_making_to_those_who_wait() {
    let server = keeping().await;
    let locker = lock(&server).await;
    let mut first = tokio::net::TcpStream::connect(server.address).await.unwrap();
    first.write_all(b"GET /symbols HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    wait_until_held_up(&locker).await;
    let waiting = server.response("/symbols");
    let leaving = async {
        drop(first);
        tokio::time::sleep(Duration::from_millis(100)).await;
        locker.batch_execute("ROLLBACK").await.unwrap();
    };
    let (answer, ()) = tokio::join!(waiting, leaving);
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("bitcoin"));
}

/// Were they to try one behind the other, the last would wait for as many timeouts as there are.
#[tokio::test]
async fn where_the_first_fails_those_who_waited_ask_at_once() {
    let settings = Settings { api_cache_ms: 600_000, api_query_timeout_ms: 300, ..settings() };
    let server = start_with(settings, 4).await;
    hear(&server).await;
    let locker = lock(&server).await;
    let asked = Instant::now();
    let answers = futures_util::future::join_all((0..30).map(|_| server.response("/symbols"))).await;
    assert!(answers.iter().all(|answer| answer.status() == 503));
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    locker.batch_execute("ROLLBACK").await.unwrap();
    let back = async {
        while server.response("/symbols").await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), back).await.expect("failures are not kept");
}

#[tokio::test]
async fn failures_are_not_kept() {
    let server = keeping().await;
    assert_eq!(server.error("/prices/binance/BTCUSDT", 404).await["code"], "not_recorded");
    server
        .sql(
            "INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
             VALUES (now(), now(), 7, 2, 'stream', 'buy', 99.00, 1)",
        )
        .await;
    assert_eq!(server.data("/prices/binance/BTCUSDT").await["price"], "99");
    server.database.take_down().await;
    assert_eq!(server.data("/prices/binance/BTCUSDT").await["price"], "99", "kept");
    assert_eq!(server.error("/symbols", 503).await["code"], "database_unavailable");
    server.database.bring_up().await;
    let back = async {
        while server.response("/symbols").await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), back).await.unwrap();
}

#[tokio::test]
async fn a_question_is_the_same_in_any_order_and_another_in_another_form() {
    let server = keeping().await;
    let paths = [
        "/tickers?exchange=binance&recorded=true",
        "/tickers?recorded=true&exchange=binance",
        "/tickers?recorded=%74rue&exchange=binance",
    ];
    let expected = server.data(paths[0]).await;
    server.sql("UPDATE ticker SET first_tick_at = NULL").await;
    for path in paths {
        assert_eq!(server.data(path).await, expected, "{path}");
    }
    assert_eq!(server.data("/tickers?recorded=true&exchange=kraken").await, json!([]));
    let csv = server.response("/tickers?exchange=binance&recorded=true&format=csv").await.text().await.unwrap();
    assert_eq!(csv, "ticker,exchange,coin,status,price_step,quantity_step\n", "asked anew");
    let first_page = "/tickers?exchange=binance&limit=1";
    let by_header = server.response_to(first_page, &[(header::ACCEPT, "text/csv")]).await;
    let by_parameter = server.response(&format!("{first_page}&format=csv")).await;
    let link = |response: &reqwest::Response| response.headers()[header::LINK].to_str().unwrap().to_owned();
    assert!(!link(&by_header).contains("format=") && link(&by_parameter).contains("format=csv"), "each as it asked");
    for path in ["/tickers?recorded=true&recorded=true&exchange=binance", "/tickers?format=json&format=json"] {
        assert_eq!(server.error(path, 400).await["code"], "repeated_parameter", "{path}");
    }
    let forged = server.error("/tickers?exchange=binance%00recorded%00true", 400).await;
    assert_eq!(forged["parameter"], "exchange", "not what is kept of the first");
    assert_eq!(server.error("/tickers?exchange=binance&recorded=true&x=1", 400).await["code"], "unknown_parameter");
}

#[tokio::test]
async fn an_answer_is_of_when_it_was_read() {
    let server = keeping().await;
    server
        .sql(
            "INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity) VALUES
                (now() - interval '2 seconds', now(), 7, 2, 'stream', 'buy', 99.00, 1),
                (now() - interval '90 seconds', now(), 7, 3, 'stream', 'buy', 99.00, 1)",
        )
        .await;
    let (_, first) = server.get("/prices").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let (_, second) = server.get("/prices").await;
    assert_eq!(first, second, "age and all");
    assert!(first["as_of"].as_str().is_some_and(|moment| moment.ends_with('Z')), "{first}");
    let stale: Vec<&Value> = first["data"].as_array().unwrap().iter().map(|row| &row["stale"]).collect();
    assert_eq!(stale, [&json!(false), &json!(true)]);
    assert!(server.get("/symbols").await.1.get("as_of").is_none(), "not about now");
}

#[tokio::test]
async fn who_has_an_answer_already_is_told_so_without_it() {
    for server in [start().await, keeping().await] {
        server.minutes_ago(BTCUSDT, &[(2, "1.50", "2", "1", "1.75")]).await;
        for path in ["/symbols", "/candles/binance/BTCUSDT", "/symbols?format=csv"] {
            let first = server.response(path).await;
            let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
            assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() == 34, "strong: {tag}");
            for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
                let again = server.response_to(path, &[(header::IF_NONE_MATCH, &known)]).await;
                assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path} {known}");
                for name in [header::ETAG, header::CACHE_CONTROL, header::VARY] {
                    assert_eq!(again.headers()[&name], first.headers()[&name], "{path}");
                }
                assert_eq!(again.text().await.unwrap(), "");
            }
            let other = server.response_to(path, &[(header::IF_NONE_MATCH, "\"other\"")]).await;
            assert_eq!(other.status(), 200, "{path}");
            let head = server.request(reqwest::Method::HEAD, path).await;
            assert_eq!(head.headers()[header::ETAG], tag.as_str(), "{path}");
        }
    }
}

#[tokio::test]
async fn how_long_an_answer_may_be_kept_by_others_follows_from_what_it_tells() {
    let server = start().await;
    for (path, control) in [
        ("/symbols", "public, max-age=10"),
        ("/tickers", "public, max-age=10"),
        ("/prices", "no-cache"),
        ("/feeds", "no-cache"),
        ("/candles/binance/BTCUSDT", "no-cache"),
        ("/candles/binance/BTCUSDT?to=2026-01-01T00:00:00Z", "public, max-age=60"),
        ("/ticks/binance/BTCUSDT?to=2026-01-01T00:00:00Z", "public, max-age=60"),
    ] {
        assert_eq!(server.response(path).await.headers()[header::CACHE_CONTROL], control, "{path}");
    }
}
