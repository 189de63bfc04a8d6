use api_types::{Page, TickRow};
use serde_json::json;

use crate::server::{BTCUSDT, TestServer, start};

async fn page(server: &TestServer, query: &str) -> Page<TickRow> {
    let (status, body) = server.get(&format!("/ticks/binance/BTCUSDT?{query}")).await;
    assert_eq!(status, 200, "{query}: {body}");
    serde_json::from_value(body).unwrap()
}

async fn walk(server: &TestServer, limit: i64) -> Vec<TickRow> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = page(server, &format!("limit={limit}{cursor}")).await;
        assert!(page.data.len() as i64 <= limit);
        rows.extend(page.data);
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rows,
        }
    }
}

/// Eleven trades and polled prices, several of them at one time.
async fn filled() -> TestServer {
    let server = start().await;
    let sql = format!(
        "INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
         SELECT date_trunc('second', now()) - (n / 4) * interval '12 hours', now(),
                CASE WHEN n % 4 <> 0 THEN n END, {BTCUSDT}, (CASE WHEN n % 4 <> 0 THEN 'stream' ELSE 'poll' END)::tick_source,
                (CASE WHEN n % 4 <> 0 THEN 'sell' END)::side, 100 + n, CASE WHEN n % 4 <> 0 THEN 0.50 END
         FROM generate_series(0, 10) AS n"
    );
    server.sql(&sql).await;
    server
}

#[tokio::test]
async fn pages_of_any_size_hold_every_tick_once() {
    let server = filled().await;
    let all = page(&server, "limit=1000").await;
    assert_eq!((all.data.len(), all.next_cursor), (11, None));
    let prices: Vec<String> = all.data.iter().map(|row| row.price.to_string()).collect();
    assert_eq!(prices, ["100", "103", "102", "101", "104", "107", "106", "105", "108", "110", "109"]);
    for limit in 1..=12 {
        assert_eq!(walk(&server, limit).await, all.data, "pages of {limit}");
    }
}

#[tokio::test]
async fn a_trade_and_a_polled_price_are_told_apart() {
    let server = filled().await;
    let rows = page(&server, "limit=2").await.data;
    let (poll, trade) = (&rows[0], &rows[1]);
    assert_eq!((poll.source.as_str(), poll.trade_id, poll.quantity, &poll.taker_side), ("poll", None, None, &None));
    assert_eq!(poll.exchange_time, None);
    assert_eq!((trade.source.as_str(), trade.trade_id, trade.taker_side.as_deref()), ("stream", Some(3), Some("sell")));
    assert_eq!(trade.quantity.unwrap().to_string(), "0.5");
    assert!(trade.exchange_time.is_some());
}

#[tokio::test]
async fn a_span_holds_its_beginning_and_not_its_end() {
    let server = filled().await;
    let times: Vec<i64> = page(&server, "limit=1000")
        .await
        .data
        .iter()
        .map(|row| row.exchange_time.map_or(0, |time| time.timestamp()))
        .collect();
    let (newest, middle) = (times[1], times[5]);
    assert_eq!(page(&server, &format!("from={middle}&to={newest}")).await.data.len(), 4);
    assert_eq!(page(&server, &format!("from={newest}")).await.data.len(), 4);
    let first = page(&server, &format!("from={middle}&to={newest}&limit=3")).await;
    let rest = page(&server, &format!("from={middle}&to={newest}&limit=3&cursor={}", first.next_cursor.unwrap())).await;
    assert_eq!((rest.data.len(), rest.next_cursor), (1, None));
}

#[tokio::test]
async fn a_broken_cursor_is_told() {
    let server = start().await;
    for cursor in ["x", "0", "ffffffffffffffff", "%00", "00066", "zzzzzzzzzzzzzzzz", "%F0%9F%92%A9"] {
        let error = server.error(&format!("/ticks/binance/BTCUSDT?cursor={cursor}"), 400).await;
        assert_eq!((&error["code"], &error["parameter"]), (&json!("invalid_parameter"), &json!("cursor")), "{cursor}");
    }
    assert_eq!(server.error("/ticks/binance/BTCUSDT?limit=0", 400).await["parameter"], "limit");
    assert_eq!(page(&server, "cursor=000660b7c9d5e2c0").await.data, []);
}
