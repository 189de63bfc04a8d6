use reqwest::header;
use serde_json::Value;

use crate::server::{BTCUSDT, TestServer, start};

/// Every row, page by page, by the cursors in the answers; and by the links beside them, as CSV.
async fn walk(server: &TestServer, path: &str, query: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut next = format!("{path}?limit=2{query}");
    for _ in 0..100 {
        let (status, body) = server.get(&next).await;
        assert_eq!(status, 200, "{next}: {body}");
        let page = body["data"].as_array().unwrap();
        assert!(page.len() <= 2, "{next}");
        rows.extend(page.clone());
        let csv = server.response(&format!("{next}&format=csv")).await;
        let link = csv.headers().get(header::LINK).map(|link| link.to_str().unwrap().to_owned());
        assert_eq!(csv.text().await.unwrap().lines().count(), page.len() + 1, "{next}");
        let Some(cursor) = body["next_cursor"].as_str() else {
            assert!(body.get("next_cursor").is_some() && link.is_none(), "{next}: {link:?}");
            return rows;
        };
        next = format!("{path}?limit=2{query}&cursor={cursor}");
        let link = link.unwrap();
        assert_eq!(link, format!("<{path}?limit=2{query}&format=csv&cursor={cursor}>; rel=\"next\""));
    }
    panic!("{path} never ends");
}

#[tokio::test]
async fn pages_of_every_list_hold_every_row_once() {
    let server = start().await;
    let minutes: Vec<_> = (1..=5).map(|ago| (ago, "1", "2", "1", "1")).collect();
    server.minutes_ago(BTCUSDT, &minutes).await;
    let sql = format!(
        "INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
         SELECT now() - n * interval '1 second', now(), n, {BTCUSDT}, 'stream', 'buy', 1, 1 FROM generate_series(1, 5) AS n;
         INSERT INTO gap (ticker_id, first_trade_id, last_trade_id, cause, state, missing, attempts, found_at, updated_at,
                          revision)
         SELECT {BTCUSDT}, n * 10, n * 10, 'silence', 'open', 1, 0, now(), now(), 1 FROM generate_series(1, 5) AS n;
         INSERT INTO dead_letter (set_aside_at, message_id, topic, reason, body)
         SELECT now(), n::text, 'x', 'x', 'x' FROM generate_series(1, 5) AS n;
         UPDATE ticker SET first_tick_at = now();
         INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
         SELECT now(), now(), 1, n, 'stream', 'buy', 1, 1 FROM generate_series(1, 5) AS n"
    );
    server.sql(&sql).await;
    for (path, query, count) in [
        ("/symbols", "", 5),
        ("/tickers", "", 5),
        ("/tickers", "&recorded=true", 5),
        ("/tickers/bitcoin/binance", "", 2),
        ("/prices", "", 5),
        ("/prices", "&exchange=binance", 3),
        ("/sparklines", "", 5),
        ("/price-history-minutes/1h/BTCUSDT", "&exchange=binance", 5),
        ("/candles/binance/BTCUSDT", "&from=2026-01-01T00:00:00Z", 5),
        ("/candles/binance/BTCUSDT", "", 5),
        ("/ticks/binance/BTCUSDT", "", 6),
        ("/gaps", "", 5),
        ("/dead-letters", "", 5),
    ] {
        let mut paged = walk(&server, path, query).await;
        let all = server.data(&format!("{path}?limit=100{query}")).await;
        assert_eq!(all.as_array().unwrap().len(), count, "{path}{query}");
        if path.starts_with("/candles") && query.is_empty() {
            // Earlier and earlier pages, each oldest first.
            paged.sort_by_key(|row| row["open_time"].as_str().unwrap().to_owned());
        }
        let without_age = |mut rows: Vec<Value>| {
            rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("age_ms")));
            rows
        };
        assert_eq!(without_age(paged), without_age(all.as_array().unwrap().clone()), "{path}{query}");
    }
}

#[tokio::test]
async fn a_cursor_of_something_else_is_told() {
    let server = start().await;
    for path in ["/symbols", "/tickers", "/prices", "/sparklines", "/gaps", "/dead-letters", "/candles/binance/BTCUSDT"]
    {
        for cursor in ["x", "0", "%00", "ffff"] {
            let error = server.error(&format!("{path}?cursor={cursor}"), 400).await;
            assert_eq!(error["parameter"], "cursor", "{path} {cursor}: {error}");
        }
    }
    let gone = server.error("/symbols?cursor=4e4f5045", 400).await;
    assert!(gone["allowed"].as_str().unwrap().contains("next_cursor"), "{gone}");
}
