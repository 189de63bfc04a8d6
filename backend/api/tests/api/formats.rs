use reqwest::header;
use serde_json::{Value, json};

use crate::server::{BTCUSDT, TestServer, start};

async fn body(server: &TestServer, path: &str, accept: &str) -> (String, String) {
    let response = server.response_to(path, &[(header::ACCEPT, accept)]).await;
    assert_eq!(response.status(), 200, "{path}");
    let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    (kind, response.text().await.unwrap())
}

/// Every list of the API, with what fills it.
const LISTS: [&str; 11] = [
    "/symbols",
    "/exchanges",
    "/tickers",
    "/tickers/bitcoin/binance",
    "/price-history-minutes/1h/BTCUSDT",
    "/prices",
    "/sparklines",
    "/candles/binance/BTCUSDT",
    "/ticks/binance/BTCUSDT",
    "/gaps",
    "/dead-letters",
];

async fn filled() -> TestServer {
    let server = start().await;
    server.minutes_ago(BTCUSDT, &[(2, "1.50", "2", "1", "1.75"), (1, "1", "1", "1", "1")]).await;
    server
        .sql(
            "INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity) VALUES
                (now(), now(), 7, 2, 'stream', 'buy', 99.00, 1), (now(), now(), NULL, 2, 'poll', NULL, 99.00, NULL);
             INSERT INTO gap (ticker_id, first_trade_id, last_trade_id, cause, state, missing, attempts, detail,
                              found_at, updated_at, revision)
             VALUES (2, 1, 9, 'disconnected', 'open', 9, 0, 'it said \"no\", twice', now(), now(), 1);
             INSERT INTO dead_letter (set_aside_at, message_id, topic, reason, body)
             VALUES (now(), '=cmd()', 'market.ticks.x', '-1+1', 'x')",
        )
        .await;
    server
}

#[tokio::test]
async fn every_list_says_the_same_in_every_format() {
    let server = filled().await;
    for path in LISTS {
        let rows = server.data(path).await;
        let rows = rows.as_array().unwrap();
        assert!(!rows.is_empty(), "{path}");
        let (kind, lines) = body(&server, &format!("{path}?format=jsonl"), "").await;
        assert_eq!(kind, "application/jsonl", "{path}");
        let mut of_lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut of_json = rows.clone();
        for row in of_lines.iter_mut().chain(&mut of_json) {
            // Told anew by each answer.
            row.as_object_mut().unwrap().remove("age_ms");
        }
        assert_eq!(of_lines, of_json, "{path}");

        let (kind, text) = body(&server, &format!("{path}?format=csv"), "").await;
        assert_eq!(kind, "text/csv; charset=utf-8; header=present", "{path}");
        assert!(!text.contains('\r') && text.ends_with('\n'), "{path}");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        // The JSON as text, since a parsed object has lost its order.
        let first = lines.lines().next().unwrap();
        let places: Vec<usize> = columns.iter().map(|name| first.find(&format!("\"{name}\":")).unwrap()).collect();
        assert!(places.is_sorted(), "{path}: {columns:?} of {first}");
        assert_eq!(columns.len(), rows[0].as_object().unwrap().len(), "{path}");
        assert_eq!(reader.records().count(), rows.len(), "{path}");
    }
}

#[tokio::test]
async fn cells_are_what_the_json_says_and_none_begins_like_a_formula() {
    let server = filled().await;
    let (_, text) = body(&server, "/candles/binance/BTCUSDT?format=csv&limit=1&interval=1w", "").await;
    let header = "open_time,open,high,low,close,volume,quote_volume,trades,final,revision,origin,untold_minutes\n";
    assert!(text.starts_with(header) && text.contains(",1.5,2,1,1,"), "{text}");
    let (_, text) = body(&server, "/dead-letters?format=csv", "").await;
    assert!(text.contains(",'-1+1,'=cmd(),\n"), "{text}");
    let (_, text) = body(&server, "/sparklines?format=csv&tickers=BTCUSDT", "").await;
    let closes = csv::Reader::from_reader(text.as_bytes()).records().next().unwrap().unwrap()[4].to_owned();
    assert_eq!(serde_json::from_str::<Vec<Option<String>>>(&closes).unwrap().len(), 25, "{text}");
    let (_, text) = body(&server, "/ticks/binance/BTCUSDT?format=csv", "").await;
    assert!(text.contains("\n,99,,,,"), "what is null is empty: {text}");
}

#[tokio::test]
async fn the_columns_are_there_without_rows() {
    let server = start().await;
    for (path, columns) in [
        (
            "/gaps",
            "exchange,ticker,first_trade_id,last_trade_id,trades,missing,cause,state,from,to,attempts,detail,found_at,updated_at,by_time\n",
        ),
        ("/ticks/binance/BTCEUR", "trade_id,price,quantity,taker_side,exchange_time,received_at,stored_at,source\n"),
        ("/tickers/ethereum/kraken", "ticker,exchange,coin,status,price_step,quantity_step\n"),
    ] {
        assert_eq!(body(&server, &format!("{path}?format=csv"), "").await.1, columns, "{path}");
        assert_eq!(body(&server, &format!("{path}?format=jsonl"), "").await.1, "", "{path}");
    }
}

#[tokio::test]
async fn the_parameter_outranks_the_header_and_what_we_do_not_have_is_json() {
    let server = start().await;
    for (path, accept, kind) in [
        ("/symbols", "text/csv", "text/csv; charset=utf-8; header=present"),
        ("/symbols", "application/x-ndjson", "application/jsonl"),
        ("/symbols", "application/jsonl;q=0.5, text/csv;q=0.1", "application/jsonl"),
        ("/symbols?format=json", "text/csv", "application/json"),
        ("/symbols", "image/png", "application/json"),
        ("/problems/internal?format=csv", "", "text/csv; charset=utf-8; header=present"),
    ] {
        assert_eq!(body(&server, path, accept).await.0, kind, "{path} {accept}");
    }
    let problem = server.error("/symbols?format=xml", 400).await;
    assert_eq!((&problem["parameter"], &problem["allowed"]), (&json!("format"), &json!("json, csv, jsonl")));
    assert_eq!(server.error("/live/events?format=csv", 400).await["code"], "unknown_parameter");
}
