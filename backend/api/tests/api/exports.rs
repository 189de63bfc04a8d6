use std::time::Duration;

use api::Settings;
use reqwest::{Response, header};
use serde_json::{Value, json};

use crate::server::{BTCUSDT, TestServer, settings, start, start_with};

/// So many trades and polled prices, four of them at each moment.
pub(crate) fn ticks(count: u32) -> String {
    format!(
        "INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
         SELECT date_trunc('day', now()) - (n / 4) * interval '10 milliseconds', now(),
                CASE WHEN n % 4 <> 0 THEN n END, {BTCUSDT}, (CASE WHEN n % 4 <> 0 THEN 'stream' ELSE 'poll' END)::tick_source,
                (CASE WHEN n % 4 <> 0 THEN 'sell' END)::side, 100 + n % 977, CASE WHEN n % 4 <> 0 THEN 0.50 END
         FROM generate_series(1, {count}) AS n"
    )
}

async fn lines(server: &TestServer, path: &str) -> Vec<Value> {
    let response = server.response(path).await;
    assert_eq!(response.status(), 200, "{path}");
    let text = response.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn an_export_of_ticks_is_every_page_of_them() {
    let server = start().await;
    server.sql(&ticks(12_345)).await;
    let exported = lines(&server, "/export/ticks/binance/btcusdt?format=jsonl").await;
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, mut page) = server.get(&format!("/ticks/binance/BTCUSDT?limit=1000{cursor}")).await;
        paged.append(page["data"].as_array_mut().unwrap());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(exported.len(), 12_345);
    assert!(exported == paged, "in the same order");

    let csv = server.response("/export/ticks/binance/BTCUSDT").await.text().await.unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().next(), Some("trade_id"));
    let ids: Vec<String> = reader.records().map(|record| record.unwrap()[0].to_owned()).collect();
    let expected: Vec<String> =
        paged.iter().map(|row| row["trade_id"].as_i64().map(|id| id.to_string()).unwrap_or_default()).collect();
    assert!(ids == expected, "one line of names, however many pages");
}

#[tokio::test]
async fn an_export_of_candles_is_every_page_of_them() {
    let server = start().await;
    let sql = format!(
        "SELECT create_candle_partition('2026-01-07');
         INSERT INTO candle (ticker_id, width, open_time, open, high, low, close, volume, quote_volume, trades, ticks,
                             price_sum, square_sum, first_time, first_trade_id, last_time, last_trade_id)
         SELECT {BTCUSDT}, '1m', t, 1 + n % 7, 9, 1, 1 + n % 5, 1, 1, 1, 1, 1, 1, t, n, t, n
         FROM generate_series(1, 11111) AS n, LATERAL (SELECT timestamptz '2026-01-07 10:17:00Z' + n * interval '3 minutes') AS m (t);"
    );
    server.sql(&sql).await;
    server.fold_candles().await;
    for (interval, count) in [("1m", 11_111), ("5m", 6_667), ("1d", 24), ("1w", 4), ("1M", 1)] {
        let exported =
            lines(&server, &format!("/export/candles/binance/BTCUSDT?format=jsonl&interval={interval}")).await;
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let path =
                format!("/candles/binance/BTCUSDT?interval={interval}&limit=1000&from=2026-01-01T00:00:00Z{cursor}");
            let (_, mut page) = server.get(&path).await;
            paged.append(page["data"].as_array_mut().unwrap());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert!(exported == paged, "{interval}");
        assert!(exported.len().abs_diff(count) < 3, "{interval}: {}", exported.len());
    }
}

#[tokio::test]
async fn an_export_is_a_file_with_a_name_that_tells_what_it_is() {
    let server = start().await;
    let name = async |path: &str| {
        let response = server.response(path).await;
        assert_eq!(response.status(), 200, "{path}");
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        (
            response.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().to_owned(),
            kind,
            response.text().await.unwrap(),
        )
    };
    let span = "from=2026-11-20T12:00:00Z&to=2026-11-21T12:00:00Z";
    let (file, kind, text) = name(&format!("/export/ticks/binance/btcusdt?{span}")).await;
    assert_eq!(file, r#"attachment; filename="binance-BTCUSDT-ticks-20261120T120000Z-20261121T120000Z.csv""#);
    assert_eq!(kind, "text/csv; charset=utf-8; header=present");
    assert_eq!(
        text, "trade_id,price,quantity,taker_side,exchange_time,received_at,stored_at,source\n",
        "the names at least"
    );
    let (file, kind, text) =
        name("/export/candles/kraken/XBT%2FEUR?interval=4h&to=2026-11-21T12:00:00Z&format=jsonl").await;
    assert_eq!(file, r#"attachment; filename="kraken-XBT-EUR-4h-until-20261121T120000Z.jsonl""#);
    assert_eq!((kind.as_str(), text.as_str()), ("application/jsonl", ""));
}

#[tokio::test]
async fn what_cannot_be_meant_is_told_before_anything_is_sent() {
    let server = start().await;
    for (path, status, code) in [
        ("/export/ticks/binance/BTCUSDT?format=json", 400, "invalid_parameter"),
        ("/export/ticks/binance/BTCUSDT?interval=1m", 400, "unknown_parameter"),
        ("/export/candles/binance/BTCUSDT?interval=2m", 400, "invalid_parameter"),
        ("/export/candles/binance/BTCUSDT?from=2&to=1", 400, "invalid_parameter"),
        ("/export/ticks/nyse/BTCUSDT", 404, "unknown_exchange"),
        ("/export/ticks/binance/NOPE", 404, "unknown_ticker"),
    ] {
        assert_eq!(server.error(path, status).await["code"], code, "{path}");
    }
}

/// Far more than fits between the two ends of a connection.
const LARGE: u32 = 150_000;

/// Begins an export and takes its first bytes only.
async fn begun(server: &TestServer) -> Response {
    let mut response = server.response("/export/ticks/binance/BTCUSDT?format=jsonl").await;
    assert_eq!(response.status(), 200);
    assert!(response.chunk().await.unwrap().is_some());
    response
}

#[tokio::test]
async fn a_slow_client_holds_no_connection_of_the_database() {
    let server = start_with(settings(), 1).await;
    server.sql(&ticks(LARGE)).await;
    let slow = begun(&server).await;
    for _ in 0..20 {
        assert_eq!(server.data("/exchanges").await.as_array().unwrap().len(), 3);
    }
    let text = slow.text().await.unwrap();
    assert_eq!(text.lines().last().map(|line| serde_json::from_str::<Value>(line).is_ok()), Some(true));
}

#[tokio::test]
async fn a_stream_that_cannot_go_on_does_not_end_like_a_complete_one() {
    let server = start().await;
    server.sql(&ticks(LARGE)).await;
    let mut response = begun(&server).await;
    server.database.take_down().await;
    let end = loop {
        match response.chunk().await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert!(end.is_err(), "not a clean end");
    server.database.bring_up().await;
}

#[tokio::test]
async fn only_so_many_exports_run_at_once() {
    let server = start_with(Settings { api_exports: 1, ..settings() }, 4).await;
    server.sql(&ticks(LARGE)).await;
    let first = begun(&server).await;
    let response = server.response("/export/candles/binance/BTCUSDT").await;
    assert_eq!((response.status().as_u16(), &response.headers()[header::RETRY_AFTER]), (503, &"5".parse().unwrap()));
    let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(problem["code"], json!("too_many_exports"));
    drop(first);
    let freed = async {
        while server.response("/export/candles/binance/BTCUSDT").await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), freed).await.expect("its place is free again");
}
