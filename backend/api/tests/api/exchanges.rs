use std::sync::Arc;

use broker::Message;
use chrono::{TimeDelta, Utc};
use domain::{FeedState, FeedStatus};
use serde_json::{Value, json};

use crate::{
    health::wait_until,
    server::{BTCUSDT, start},
};

#[tokio::test]
async fn exchanges_are_listed_by_name() {
    let server = start().await;
    let listed = server.data("/exchanges").await;
    let names: Vec<(&str, &Value)> =
        listed.as_array().unwrap().iter().map(|one| (one["exchange"].as_str().unwrap(), &one["country"])).collect();
    assert_eq!(names, [("binance", &json!("malta")), ("kraken", &json!("usa")), ("simulated", &json!(null))]);
    assert_eq!((&listed[1]["state"], &listed[1]["open_gaps"]), (&json!(null), &json!(0)), "nobody told of it yet");
}

#[tokio::test]
async fn an_exchange_tells_how_its_feed_does_and_what_is_still_missing() {
    let server = start().await;
    let sql = format!(
        "UPDATE exchange SET numbers_trades = false WHERE name = 'kraken';
         INSERT INTO gap (ticker_id, first_trade_id, last_trade_id, cause, state, missing, attempts, found_at, updated_at, revision)
         SELECT {BTCUSDT}, n, n, 'skipped', state, 1, 0, now(), now(), 1
         FROM unnest(ARRAY['open', 'filling', 'filled', 'unfillable']) WITH ORDINALITY AS told (state, n)"
    );
    server.sql(&sql).await;
    let now = Utc::now();
    wait_until(&server, 200).await;
    let told = Arc::new(Message::Feed(FeedStatus {
        exchange: "binance".into(),
        state: FeedState::Streaming,
        since: now,
        reported_at: now,
        detail: None,
        next_try_at: None,
        last_tick_at: Some(now - TimeDelta::seconds(2)),
        reconnects: 3,
        ticks: 1_000,
        ticks_last_minute: 120,
        rejected: 0,
        clock_ahead_ms: Some(-250),
        queued: None,
    }));
    server.live.send(told).unwrap();
    let mut told = server.data("/exchanges").await[0].take();
    while told["state"].is_null() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        told = server.data("/exchanges").await[0].take();
    }
    let age_ms = told["age_ms"].take();
    assert!((2_000..30_000).contains(&age_ms.as_i64().unwrap()), "{age_ms}");
    told["since"].take();
    assert_eq!(
        told,
        json!({
            "exchange": "binance", "country": "malta", "numbers_trades": true, "state": "streaming", "since": null,
            "ticks_last_minute": 120, "age_ms": null, "reconnects": 3, "clock_ahead_ms": -250, "open_gaps": 2
        })
    );
    assert_eq!(server.data("/exchanges").await[1]["numbers_trades"], json!(false));
    let ready = server.data("/health/ready").await;
    assert_eq!((&ready["feeds"][0]["exchange"], &ready["feeds"][0]["state"]), (&json!("binance"), &json!("streaming")));
}
