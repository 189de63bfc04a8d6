use serde_json::{Value, json};

use crate::server::{BTCUSDT, ETHUSDT, TestServer, start};

/// Prices of the last day: bitcoin moves by a tenth, ethereum by a half, and one of them has a hole.
async fn filled() -> TestServer {
    let server = start().await;
    let bitcoin = [
        (1_500, "1", "1", "1", "1"),
        (30, "100", "110", "90", "100"),
        (29, "100", "105", "100", "104"),
        (5, "104", "104", "99", "102"),
    ];
    server.minutes_ago(BTCUSDT, &bitcoin).await;
    server.minutes_ago(ETHUSDT, &[(30, "10", "15", "10", "15"), (29, "15", "15", "7.5", "10")]).await;
    server
}

#[tokio::test]
async fn a_span_is_told_in_sums_of_its_candles() {
    let server = filled().await;
    let row = server.data("/statistics/binance/btcusdt").await;
    // Three minutes with two prices each: open and close.
    for (name, expected) in [
        ("count", json!(6)),
        ("trades", json!(6)),
        ("open", json!("100")),
        ("close", json!("102")),
        ("min", json!("90")),
        ("max", json!("110")),
        ("change_percent", json!("2")),
        ("mean", json!("101.666666667")),
        ("deviation", json!("1.96638416050")),
        ("deviation_percent", json!("1.9341")),
        ("vwap", json!("102")),
        ("volume", json!("6")),
        ("quote_volume", json!("612")),
        ("minutes", json!(3)),
        ("returns", json!(1)),
        ("return_deviation", Value::Null),
        ("remark", json!("fewer than two minutes right behind another: no deviation of returns")),
    ] {
        let told = &row[name];
        let same = match (told.as_str(), expected.as_str()) {
            (Some(told), Some(expected)) => {
                told.trim_end_matches('0') == expected.trim_end_matches('0') || told == expected
            }
            _ => *told == expected,
        };
        assert!(same, "{name}: {told}, not {expected}");
    }
    let rows = server.data("/statistics?window=P2D").await;
    let counts: Vec<&Value> = rows.as_array().unwrap().iter().map(|row| &row["count"]).collect();
    assert_eq!(counts, [&json!(8), &json!(4)]);
    let short = server.data("/statistics/binance/BTCUSDT?window=10%20minute").await;
    assert_eq!((&short["count"], &short["open"]), (&json!(2), &json!("104")));
}

#[tokio::test]
async fn a_single_price_has_no_deviation_and_says_so() {
    let server = start().await;
    server.minutes_ago(BTCUSDT, &[(5, "100", "100", "100", "100")]).await;
    server.sql("UPDATE candle SET ticks = 1, trades = 1, price_sum = 100, square_sum = 10000").await;
    let row = server.data("/statistics/binance/BTCUSDT?window=1h").await;
    assert_eq!((&row["count"], &row["deviation"], &row["mean"]), (&json!(1), &Value::Null, &json!("100")));
    assert_eq!(row["remark"], "fewer than two prices: no deviation");
    let error = server.error("/statistics/binance/ETHUSDT", 404).await;
    assert_eq!((&error["code"], &error["parameter"]), (&json!("not_recorded"), &json!("ticker")));
}

#[tokio::test]
async fn a_span_that_cannot_be_meant_is_told() {
    let server = start().await;
    for (query, parameter) in [
        ("window=soon", "window"),
        ("window=P1M", "window"),
        ("window=21%20years", "window"),
        ("window=8000%20days", "window"),
        ("window=1h&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z", "window"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("from=2100-01-02T00:00:00Z", "from"),
        ("by=size", "by"),
    ] {
        let error = server.error(&format!("/volatility?{query}"), 400).await;
        assert_eq!((&error["code"], &error["parameter"]), (&json!("invalid_parameter"), &json!(parameter)), "{query}");
    }
}

#[tokio::test]
async fn pairs_are_ranked_by_how_much_they_move() {
    let server = filled().await;
    let ranks = async |query: &str| -> Vec<String> {
        let rows = server.data(&format!("/volatility{query}")).await;
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| format!("{} {}", row["rank"], row["ticker"].as_str().unwrap())).collect()
    };
    assert_eq!(ranks("").await, ["1 ETHUSDT", "2 BTCUSDT"]);
    assert_eq!(ranks("?by=deviation").await, ["1 ETHUSDT", "2 BTCUSDT"]);
    assert_eq!(ranks("?tickers=btcusdt").await, ["1 BTCUSDT"]);
    assert_eq!(ranks("?limit=1").await, ["1 ETHUSDT"]);
    assert!(ranks("?exchange=kraken").await.is_empty());
    let csv = server.response("/volatility?format=csv&by=return_deviation").await.text().await.unwrap();
    assert!(csv.starts_with("rank,exchange,ticker,from,to,count,"), "{csv}");
}

#[tokio::test]
async fn means_may_be_of_several_minutes() {
    let server = filled().await;
    let rows = server.data("/price-history-minutes/2%20days/ETHUSDT?every=1440").await;
    let prices: Vec<&Value> = rows.as_array().unwrap().iter().map(|row| &row["price"]).collect();
    assert!(prices == [&json!("12.5")], "{prices:?}");
    assert_eq!(server.error("/price-history-minutes/1h/ETHUSDT?every=0", 400).await["parameter"], "every");
}
