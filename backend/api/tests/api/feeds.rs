use std::sync::Arc;

use broker::Message;
use chrono::Utc;
use domain::{FeedState, FeedStatus};
use serde_json::json;

use crate::{health::wait_until, server::start};

pub(crate) fn status(exchange: &str, state: FeedState) -> Arc<Message> {
    let now = Utc::now();
    Arc::new(Message::Feed(FeedStatus {
        exchange: exchange.into(),
        state,
        since: now,
        reported_at: now,
        detail: (state == FeedState::Waiting).then(|| "connection refused".to_owned()),
        next_try_at: None,
        last_tick_at: None,
        reconnects: 2,
        ticks: 10,
        ticks_last_minute: 0,
        rejected: 0,
        clock_ahead_ms: None,
        queued: None,
    }))
}

#[tokio::test]
async fn feeds_are_as_their_trackers_told_last() {
    let server = start().await;
    assert_eq!(server.data("/feeds").await, json!([]));
    wait_until(&server, 200).await;
    server.live.send(status("kraken", FeedState::Connecting)).unwrap();
    server.live.send(status("kraken", FeedState::Streaming)).unwrap();
    server.live.send(status("binance", FeedState::Waiting)).unwrap();
    let mut feeds = server.data("/feeds").await;
    for _ in 0..100 {
        if feeds.as_array().unwrap().len() == 2 {
            break;
        }
        feeds = server.data("/feeds").await;
    }
    assert_eq!((&feeds[0]["exchange"], &feeds[0]["state"]), (&json!("binance"), &json!("waiting")));
    assert_eq!((&feeds[0]["detail"], &feeds[0]["reconnects"]), (&json!("connection refused"), &json!(2)));
    assert_eq!((&feeds[1]["exchange"], &feeds[1]["state"]), (&json!("kraken"), &json!("streaming")));
}

/// Takes the fifteen seconds that a tracker has.
#[tokio::test]
async fn a_tracker_that_no_longer_reports_is_silent() {
    let server = start().await;
    wait_until(&server, 200).await;
    server.live.send(status("binance", FeedState::Streaming)).unwrap();
    let mut states = Vec::new();
    for _ in 0..180 {
        if let Some(feed) = server.data("/feeds").await.as_array().unwrap().first() {
            let state = feed["state"].as_str().unwrap().to_owned();
            if states.last() != Some(&state) {
                states.push(state);
            }
        }
        if states.len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(states, ["streaming", "silent"]);
}
