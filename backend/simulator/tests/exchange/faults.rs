//! Every fault: what it does, that the market goes on under it, and that it ends.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use serde_json::json;
use simulator::{Fault, Refusal};
use tokio::net::TcpStream;

use crate::client::{Socket, fetch, get, ids, post, quiet, until};

#[tokio::test]
async fn disconnect_ends_all_sockets_without_a_word() {
    let simulator = quiet().await;
    let first = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    let second = Socket::open(&simulator, "/stream?streams=ethusdt@trade").await;
    simulator.inject(Fault::Disconnect);
    assert_eq!(first.end().await, None);
    assert_eq!(second.end().await, None);
    let mut again = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    simulator.emit(1).await;
    assert_eq!(again.json().await["s"], "BTCUSDT");
}

#[tokio::test]
async fn silence_withholds_what_happens_in_it() {
    let simulator = quiet().await;
    let mut socket = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    simulator.inject(Fault::Silence(Duration::from_secs(1)));
    let start = Instant::now();
    simulator.emit(3).await;
    assert!(start.elapsed() < Duration::from_millis(300), "the machine is too slow for this test");
    let answer = socket.ask(json!({"method": "LIST_SUBSCRIPTIONS", "id": 1})).await;
    assert_eq!(answer["id"], 1, "requests are answered, and no trade came before");
    while start.elapsed() < Duration::from_millis(1_010) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    simulator.emit(1).await;
    assert_eq!(socket.json().await["t"], simulator.published("BTCUSDT")[3].id);
}

#[tokio::test]
async fn a_gap_is_a_jump_of_numbers_that_rest_can_fill() {
    let simulator = quiet().await;
    let mut socket = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    simulator.emit(2).await;
    simulator.inject(Fault::Gap(3));
    simulator.emit(5).await;
    let published: Vec<i64> = simulator.published("BTCUSDT").iter().map(|trade| trade.id).collect();
    assert_eq!(ids(&socket.json_of(4).await), [published[0], published[1], published[5], published[6]]);
    let path = format!("/api/v3/historicalTrades?symbol=BTCUSDT&fromId={}&limit=3", published[2]);
    let missed: Vec<i64> =
        fetch(&simulator, &path).await.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(missed, published[2..5]);
}

#[tokio::test]
async fn duplicates_are_sent_twice_and_happened_once() {
    let simulator = quiet().await;
    let mut socket = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    simulator.inject(Fault::Duplicate(2));
    simulator.emit(3).await;
    let published: Vec<i64> = simulator.published("BTCUSDT").iter().map(|trade| trade.id).collect();
    let [first, second, third] = published[..] else { panic!("three trades: {published:?}") };
    assert_eq!(ids(&socket.json_of(5).await), [first, first, second, second, third]);
}

#[tokio::test]
async fn garbage_is_sent_as_it_is() {
    let simulator = quiet().await;
    let mut raw = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    let mut combined = Socket::open(&simulator, "/stream").await;
    simulator.inject(Fault::Garbage("{\"e\":\"trade\",".to_owned()));
    assert_eq!(raw.text().await.unwrap(), "{\"e\":\"trade\",");
    assert_eq!(combined.text().await.unwrap(), "{\"e\":\"trade\",");
}

#[tokio::test]
async fn rate_limits_refuse_every_request_until_they_end() {
    let simulator = quiet().await;
    for (status, code) in [(Refusal::TooManyRequests, 429), (Refusal::Banned, 418)] {
        simulator.inject(Fault::RateLimited { status, retry_after: Duration::from_millis(2_500) });
        let answer = get(&simulator, "/api/v3/ping").await;
        assert_eq!((answer.status, answer.body["code"].as_i64()), (code, Some(-1_003)));
        assert!(answer.used_weight.is_some());
        assert!((1..=3).contains(&answer.retry_after.unwrap()));
    }
    let start = Instant::now();
    while get(&simulator, "/api/v3/ping").await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(10), "still refused");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn slow_answers_come_late_until_recovery() {
    let simulator = quiet().await;
    simulator.inject(Fault::Slow(Duration::from_millis(400)));
    let start = Instant::now();
    fetch(&simulator, "/api/v3/ping").await;
    assert!(start.elapsed() >= Duration::from_millis(400));
    simulator.inject(Fault::Slow(Duration::from_secs(60)));
    simulator.inject(Fault::Recover);
    let start = Instant::now();
    fetch(&simulator, "/api/v3/ping").await;
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn refused_connections_are_refused_and_then_accepted_on_the_same_port() {
    let simulator = quiet().await;
    let address = simulator.rest_url().trim_start_matches("http://").to_owned();
    let socket = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    simulator.inject(Fault::RefuseConnections(Duration::from_millis(1_200)));
    assert_eq!(socket.end().await, None, "those who are there are thrown out");
    let start = Instant::now();
    let mut refused = 0;
    while let Err(error) = TcpStream::connect(&address).await {
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        refused += 1;
        assert!(start.elapsed() < Duration::from_secs(10), "still refused");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(refused > 0);
    let mut again = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    simulator.emit(1).await;
    assert_eq!(again.json().await["s"], "BTCUSDT");
    fetch(&simulator, "/api/v3/ping").await;
}

#[tokio::test]
async fn a_planned_stop_is_announced_to_all() {
    let simulator = quiet().await;
    let mut raw = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    let mut combined = Socket::open(&simulator, "/stream").await;
    simulator.inject(Fault::ServerShutdown);
    let event = raw.json().await;
    assert_eq!(event["e"], "serverShutdown");
    assert!(event["E"].is_i64());
    let event = combined.json().await;
    assert_eq!((&event["stream"], &event["data"]["e"]), (&json!("!serverShutdown"), &json!("serverShutdown")));
}

#[tokio::test]
async fn so_many_subscriptions_are_refused_and_the_next_is_not() {
    let simulator = quiet().await;
    let mut socket = Socket::open(&simulator, "/ws").await;
    simulator.inject(Fault::RefuseSubscriptions(1));
    let subscribe = json!({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1});
    assert_eq!(socket.ask(subscribe.clone()).await["error"]["code"], 2);
    assert_eq!(simulator.listeners("btcusdt@trade"), 0);
    assert_eq!(socket.ask(subscribe).await, json!({"result": null, "id": 1}));
}

#[tokio::test]
async fn faults_are_commanded_by_http() {
    let simulator = quiet().await;
    let listed = fetch(&simulator, "/simulator/faults").await;
    assert_eq!(listed["faults"].as_array().unwrap().len(), 13);

    let mut socket = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    let (status, _) = post(&simulator, "/simulator/faults", r#"{"fault":"garbage","text":"hello"}"#).await;
    assert_eq!(status, 202);
    assert_eq!(socket.text().await.unwrap(), "hello");

    let (status, body) = post(&simulator, "/simulator/faults", r#"{"fault":"earthquake"}"#).await;
    assert_eq!(status, 400);
    assert!(body["error"].as_str().unwrap().contains("earthquake"), "{body}");

    // A fault can be ended over HTTP while HTTP is refused.
    post(&simulator, "/simulator/faults", r#"{"fault":"rate_limited","status":418,"seconds":600}"#).await;
    assert_eq!(get(&simulator, "/api/v3/ping").await.status, 418);
    post(&simulator, "/simulator/faults", r#"{"fault":"recover"}"#).await;
    assert_eq!(get(&simulator, "/api/v3/ping").await.status, 200);

    let (status, _) = post(&simulator, "/simulator/faults", r#"{"fault":"refuse_connections","seconds":0.1}"#).await;
    assert_eq!(status, 202, "the answer comes before the outage");
    until("thrown out", || simulator.listeners("btcusdt@trade") == 0).await;
}
