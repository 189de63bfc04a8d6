use chrono::{DateTime, Utc};
use serde_json::json;

use crate::server::{BTCUSDT, ETHUSDT, SIMULATED_BTCUSDT, TestServer, start};

async fn filled() -> TestServer {
    let server = start().await;
    server.minutes_ago(SIMULATED_BTCUSDT, &[(0, "1", "1", "1", "1"), (1, "1", "1", "1", "1")]).await;
    // Of each minute two units are traded at its close.
    server.minutes_ago(BTCUSDT, &[(1_500, "1", "1", "1", "900000"), (10, "1", "1", "1", "64000.10")]).await;
    server.minutes_ago(ETHUSDT, &[(20, "1", "1", "1", "31000"), (10, "1", "1", "1", "40000.5")]).await;
    server
}

fn minutes_ago(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp((Utc::now().timestamp() / 60 - minutes) * 60, 0).unwrap()
}

#[tokio::test]
async fn coins_are_ranked_by_what_was_traded_of_them_until_a_minute() {
    let server = filled().await;
    for path in ["/top", "/"] {
        let at = minutes_ago(10).timestamp() + 59;
        let response = server.response(&format!("{path}?limit=200&datetime={at}")).await;
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let minute = minutes_ago(10).format("%Y-%m-%dT%H:%M:00Z").to_string();
        assert_eq!(
            [header("top-list-prices"), header("top-list-ranks"), header("top-list-minute")],
            ["recorded", "recorded", &minute]
        );
        let text = response.text().await.unwrap();
        assert_eq!(
            text, r#"[{"Rank":1,"Symbol":"ETH","Price USD":40000.5},{"Rank":2,"Symbol":"BTC","Price USD":64000.1}]"#,
            "every digit, and as numbers"
        );
    }
    let csv = server.response(&format!("/top?limit=1&format=csv&datetime={}", minutes_ago(10).timestamp())).await;
    assert_eq!(csv.headers()["content-type"], "application/csv");
    assert_eq!(csv.text().await.unwrap(), "Rank,Symbol,Price USD\n1,ETH,40000.5\n");
    let earlier = server.response(&format!("/top?limit=5&datetime={}", minutes_ago(20).timestamp())).await;
    let expected = r#"[{"Rank":1,"Symbol":"ETH","Price USD":31000}]"#;
    assert_eq!(earlier.text().await.unwrap(), expected, "of bitcoin nothing was known for a day");
}

#[tokio::test]
async fn now_is_the_minute_that_is_running_or_the_one_before() {
    let server = filled().await;
    let (status, body) = server.get("/top?limit=1").await;
    assert_eq!((status.as_u16(), &body["detail"]), (404, &json!("Data not found for the specified timestamp")));
    server.minutes_ago(BTCUSDT, &[(0, "1", "1", "1", "65000")]).await;
    let (status, body) = server.get("/top?limit=1").await;
    assert_eq!((status.as_u16(), &body), (200, &json!([{"Rank": 1, "Symbol": "BTC", "Price USD": 65000}])));
}

#[tokio::test]
async fn what_is_wrong_is_told_as_the_earlier_system_did() {
    let server = start().await;
    let (status, body) = server.get("/top").await;
    assert_eq!(status, 422);
    assert_eq!(
        body,
        json!({"detail": [{"loc": ["query", "limit"], "msg": "field required", "type": "value_error.missing"}]})
    );
    for query in ["limit=0", "limit=-1", "limit=x", "limit=1&datetime=yesterday", "limit=1&datetime=99999999999999"] {
        assert_eq!(server.get(&format!("/?{query}")).await.0, 422, "{query}");
    }
    assert_eq!(server.get("/top?limit=1&datetime=2020-01-01T00:00").await.0, 404);
    assert!(
        server.data("/").await.as_array().unwrap().contains(&json!("/top")),
        "without parameters it lists the routes"
    );
}

#[tokio::test]
async fn one_price_of_all_markets_says_who_contributed() {
    let server = start().await;
    server.sql("UPDATE ticker SET first_tick_at = now()").await;
    server.minutes_ago(BTCUSDT, &[(0, "1", "1", "1", "64000")]).await;
    server.minutes_ago(4, &[(0, "1", "1", "1", "60000")]).await;
    server.minutes_ago(5, &[(30, "1", "1", "1", "50000")]).await;
    // What a euro is worth.
    server
        .sql(
            "INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status, first_tick_at) VALUES (2, 'EURUSDT', 4, 3, 'trading', now())",
        )
        .await;
    server.minutes_ago(6, &[(0, "1", "1", "1", "1.07")]).await;
    let told = server.data("/consolidated/bitcoin").await;
    assert_eq!(told["symbol"], "BTC");
    // 64000 and 64200 with 128000 and 128400 dollars traded.
    assert_eq!((&told["median"], &told["spread_percent"]), (&json!("64100"), &json!("0.312")));
    assert_eq!(told["price"], "64100.1560062");
    let contributions = told["contributions"].as_array().unwrap();
    let paths: Vec<&str> = contributions.iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "binance:BTCEUR 60000 × binance:EURUSDT 1.07 × USDT 1 (assumed)",
            "binance:BTCUSDT 64000 × USDT 1 (assumed)",
            "kraken:XBT/EUR 50000 × binance:EURUSDT 1.07 × USDT 1 (assumed)",
        ]
    );
    assert_eq!([&contributions[0]["counts"], &contributions[2]["counts"]], [&json!(true), &json!(false)]);
    assert_eq!(contributions[2]["reason"], "older than 10 minutes");
    assert_eq!(contributions[1]["premium_percent"], "-0.1562");
    assert_eq!(server.error("/consolidated/ethereum", 404).await["code"], "not_recorded");
    assert_eq!(server.error("/consolidated/nocoin", 404).await["code"], "unknown_coin");
}
