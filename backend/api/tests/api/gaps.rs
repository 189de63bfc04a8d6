use serde_json::json;

use crate::server::{BTCUSDT, TestServer, start};

/// Three holes in bitcoin: one open, two closed.
async fn filled() -> TestServer {
    let server = start().await;
    let sql = format!(
        "INSERT INTO gap (ticker_id, first_trade_id, last_trade_id, from_time, to_time, cause, state, missing, attempts,
                          detail, found_at, updated_at, revision)
         SELECT {BTCUSDT}, 100 * n, 100 * n + 9, '2026-11-20T12:00:00Z', NULL, 'disconnected',
                CASE n WHEN 3 THEN 'open' WHEN 2 THEN 'unfillable' ELSE 'filled' END, CASE n WHEN 1 THEN 0 ELSE 10 END, 2, NULL,
                '2026-11-20T12:00:00Z'::timestamptz + n * interval '1 minute', '2026-11-20T13:00:00Z', 1
         FROM generate_series(1, 3) AS n"
    );
    server.sql(&sql).await;
    server
}

#[tokio::test]
async fn the_ledger_is_told_newest_first() {
    let server = filled().await;
    let gaps = server.data("/gaps").await;
    assert_eq!(gaps.as_array().unwrap().len(), 3);
    assert_eq!(
        gaps[0],
        json!({
            "exchange": "binance", "ticker": "BTCUSDT", "first_trade_id": 300, "last_trade_id": 309, "trades": 10,
            "missing": 10, "cause": "disconnected", "state": "open", "from": "2026-11-20T12:00:00Z", "to": null,
            "attempts": 2, "detail": null, "found_at": "2026-11-20T12:03:00Z", "updated_at": "2026-11-20T13:00:00Z",
            "by_time": false
        })
    );
}

#[tokio::test]
async fn a_hole_by_time_tells_no_numbers() {
    let server = start().await;
    let sql = format!(
        "INSERT INTO gap (ticker_id, first_trade_id, last_trade_id, from_time, to_time, cause, state, missing, attempts, found_at,
                          updated_at, revision, by_time)
         VALUES ({BTCUSDT}, 1795176000000000, 1795176060000000, '2026-11-20T12:00:00Z', '2026-11-20T12:01:00Z', 'disconnected',
                 'open', 0, 0, '2026-11-20T12:01:00Z', '2026-11-20T12:01:00Z', 1, true)"
    );
    server.sql(&sql).await;
    let gap = &server.data("/gaps?missing=true").await[0];
    for field in ["first_trade_id", "last_trade_id", "trades", "missing"] {
        assert_eq!(gap[field], json!(null), "{field}");
    }
    assert_eq!((&gap["by_time"], &gap["to"]), (&json!(true), &json!("2026-11-20T12:01:00Z")));
}

#[tokio::test]
async fn what_does_not_matter_is_left_out() {
    let server = filled().await;
    for (query, count) in [
        ("open=true", 1),
        ("open=false", 2),
        ("missing=true", 2),
        ("missing=false", 1),
        ("missing=true&open=false", 1),
        ("exchange=Binance&ticker=btcusdt", 3),
        ("ticker=btcusdt&limit=2", 2),
        ("exchange=kraken", 0),
        ("exchange=binance&ticker=ETHUSDT", 0),
    ] {
        assert_eq!(server.data(&format!("/gaps?{query}")).await.as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_told() {
    let server = filled().await;
    for (query, status, code) in [
        ("open=perhaps", 400, "invalid_parameter"),
        ("limit=0", 400, "invalid_parameter"),
        ("state=open", 400, "unknown_parameter"),
        ("exchange=nowhere", 404, "unknown_exchange"),
        ("ticker=NOSUCHPAIR", 404, "unknown_ticker"),
    ] {
        assert_eq!(server.error(&format!("/gaps?{query}"), status).await["code"], code, "{query}");
    }
}
