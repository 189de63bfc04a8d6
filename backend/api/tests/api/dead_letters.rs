use serde_json::json;

use crate::server::{TestServer, start};

/// Two messages: one that is JSON, one that is no text at all.
async fn filled() -> TestServer {
    let server = start().await;
    let sql = r#"INSERT INTO dead_letter (set_aside_at, message_id, topic, reason, body)
        VALUES ('2026-11-20T12:00:00Z', 'q-1', 'market.ticks.binance', 'not what we know', '{"version":9}'),
               ('2026-11-20T13:00:00Z', 'q-2', 'market.ticks.binance', 'unreadable', '\xff00')"#;
    server.sql(sql).await;
    server
}

#[tokio::test]
async fn they_are_listed_newest_first_and_shown_with_their_bodies() {
    let server = filled().await;
    let letters = server.data("/dead-letters").await;
    let ids: Vec<i64> = letters.as_array().unwrap().iter().map(|letter| letter["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [2, 1]);
    assert_eq!(
        server.data("/dead-letters/1").await,
        json!({
            "id": 1, "set_aside_at": "2026-11-20T12:00:00Z", "topic": "market.ticks.binance", "bytes": 13,
            "reason": "not what we know", "message_id": "q-1", "replay_asked_at": null, "body": "{\"version\":9}"
        })
    );
    assert_eq!(server.data("/dead-letters/2").await["body"], "\u{fffd}\0");
    assert_eq!(server.data("/dead-letters?limit=1").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_meant_is_told() {
    let server = filled().await;
    for (path, status, code) in [
        ("/dead-letters/3", 404, "unknown_dead_letter"),
        ("/dead-letters/x", 400, "invalid_parameter"),
        ("/dead-letters/99999999999999999999", 400, "invalid_parameter"),
        ("/dead-letters?limit=0", 400, "invalid_parameter"),
        ("/dead-letters?id=1", 400, "unknown_parameter"),
    ] {
        assert_eq!(server.error(path, status).await["code"], code, "{path}");
    }
}
