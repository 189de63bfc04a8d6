//! Answers in forms that others expect: charting tools, and scripts made for earlier systems.

use chrono::Utc;
use serde_json::{Value, json};

use crate::server::{BTCUSDT, ETHUSDT, SIMULATED_BTCUSDT, TestServer, start};

async fn filled() -> TestServer {
    let server = start().await;
    server
        .minutes_ago(
            BTCUSDT,
            &[
                (1_500, "9", "9", "9", "9"),
                (3, "3", "5", "2", "3"),
                (2, "3", "4.25", "3", "4"),
                (1, "4", "7", "4", "7"),
            ],
        )
        .await;
    server
        .minutes_ago(ETHUSDT, &[(3, "1", "1", "1", "200"), (2, "1", "1", "1", "240"), (1, "1", "1", "1", "270")])
        .await;
    server.minutes_ago(SIMULATED_BTCUSDT, &[(3, "1", "1", "1", "1")]).await;
    server
}

async fn json(server: &TestServer, path: &str) -> Value {
    let (status, body) = server.get(path).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

#[tokio::test]
async fn a_charting_tool_finds_its_way() {
    let server = filled().await;
    let config = json(&server, "/udf/config").await;
    assert_eq!(config["supported_resolutions"][0], "1");
    assert_eq!(config["exchanges"][1]["value"], "binance");
    let time: i64 = server.response("/udf/time").await.text().await.unwrap().parse().unwrap();
    assert!((Utc::now().timestamp() - time).abs() < 10);
    let found = json(&server, "/udf/search?query=btc&type=&exchange=&limit=30").await;
    assert_eq!(found[0]["full_name"], "binance:BTCUSDT");
    assert_eq!(
        json(&server, "/udf/search?query=ethereum&limit=30&type=crypto&exchange=binance").await[0]["symbol"],
        "ETHUSDT"
    );
    let symbol = json(&server, "/udf/symbols?symbol=binance%3ABTCUSDT").await;
    assert_eq!(
        (&symbol["ticker"], &symbol["pricescale"], &symbol["session"]),
        (&json!("binance:BTCUSDT"), &json!(100), &json!("24x7"))
    );
    let (status, body) = server.get("/udf/symbols?symbol=binance:NOPE").await;
    assert_eq!((status.as_u16(), &body["s"]), (404, &json!("error")));
}

#[tokio::test]
async fn bars_come_as_columns_of_numbers() {
    let server = filled().await;
    let now = Utc::now().timestamp();
    let bars =
        json(&server, &format!("/udf/history?symbol=binance:BTCUSDT&resolution=1&from={}&to={now}", now - 600)).await;
    assert_eq!(bars["s"], "ok");
    assert_eq!((&bars["c"], &bars["h"]), (&json!([3, 4, 7]), &json!([5, 4.25, 7])));
    assert_eq!(bars["t"].as_array().unwrap().len(), 3);
    let counted =
        json(&server, &format!("/udf/history?symbol=BTCUSDT&resolution=1&from={now}&to={}&countback=2", now + 1)).await;
    assert_eq!(counted["c"], json!([4, 7]), "the count outranks from");
    let days = json(&server, &format!("/udf/history?symbol=BTCUSDT&resolution=D&to={now}&countback=9")).await;
    assert!(days["t"].as_array().unwrap().len() >= 2, "{days}");
    let none = json(&server, "/udf/history?symbol=BTCUSDT&resolution=1W&from=1000&to=2000000").await;
    assert_eq!(none, json!({"s": "no_data", "t": [], "o": [], "h": [], "l": [], "c": [], "v": []}));
    let hole =
        json(&server, &format!("/udf/history?symbol=BTCUSDT&resolution=1&from={}&to={}", now - 1_200, now - 900)).await;
    assert_eq!(hole["s"], "no_data");
    assert!(hole["nextTime"].as_i64().unwrap() < now - 80_000, "{hole}");
    for query in [
        "symbol=BTCUSDT&resolution=7&to=1",
        "resolution=1&to=1",
        "symbol=BTCUSDT&resolution=1",
        "symbol=BTCUSDT&resolution=1&to=x",
    ] {
        assert_eq!(server.error(&format!("/udf/history?{query}"), 400).await["code"], "invalid_parameter", "{query}");
    }
}

#[tokio::test]
async fn pairs_are_answered_as_the_earlier_system_did() {
    let server = filled().await;
    assert_eq!(json(&server, "/service/v1/pairs/all").await, json!(["btcusdt", "ethusdt"]));
    assert!(server.response("/service/v1/").await.text().await.unwrap().contains("/service/v1/rank"));
    server
        .sql(
            "INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
              VALUES (now(), now(), 1, 2, 'stream', 'buy', 7.50, 1)",
        )
        .await;
    let newest = json(&server, "/service/v1/pair/btcusdt").await;
    assert_eq!(
        (&newest[0]["pair"], &newest[0]["price"], newest.as_array().unwrap().len()),
        (&json!("btcusdt"), &json!("7.5"), 1)
    );
    let day = json(&server, "/service/v1/pair_last_day/BTCUSDT").await;
    let prices: Vec<&Value> = day.as_array().unwrap().iter().map(|row| &row["price"]).collect();
    assert_eq!(prices, [&json!("3"), &json!("4"), &json!("7")], "of the last 24 hours, oldest first");
    for path in ["pair/nope", "pair_last_day/nope"] {
        assert_eq!(json(&server, &format!("/service/v1/{path}")).await, json!([]));
    }
    let spread = json(&server, "/service/v1/std/btcusdt").await;
    assert!(spread["std"].to_string().starts_with("2.0816659"), "{spread}");
    assert_eq!(
        json(&server, "/service/v1/std/nope").await,
        json!({"pair": "nope", "std": null, "detail": "fewer than two prices"})
    );
}

#[tokio::test]
async fn pairs_are_ranked_by_deviation() {
    let server = filled().await;
    server
        .sql("INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status, first_tick_at) VALUES (2, 'BTCETH', 1, 2, 'trading', now())")
        .await;
    server.minutes_ago(6, &[(3, "1", "1", "1", "1"), (2, "1", "1", "1", "4"), (1, "1", "1", "1", "8")]).await;
    let ranking = json(&server, "/service/v1/rank?pair=btcusdt&pair=btceth&pair=ethusdt&pair=nope").await;
    let pairs: Vec<&str> = ranking.as_array().unwrap().iter().map(|row| row["pair"].as_str().unwrap()).collect();
    assert_eq!(pairs, ["ethusdt", "btceth", "btcusdt", "nope"]);
    assert_eq!((&ranking[0]["prices"], &ranking[3]["std"]), (&json!([200, 240, 270]), &Value::Null));
    assert_eq!(json(&server, "/service/v1/rank").await, json!([]));
    let many = vec!["pair=btcusdt"; 21].join("&");
    assert_eq!(server.error(&format!("/service/v1/rank?{many}"), 400).await["parameter"], "pair");
}
