use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::server::{BTCUSDT, start};

const TICKS: &str = "
    INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
    SELECT date_trunc('minute', now()) - ago, date_trunc('minute', now()) - ago, number, 2, 'stream', 'buy', price, 1
    FROM (VALUES (interval '1 day', 1, 90.5), (interval '30 minutes', 2, 99.25), (interval '10 seconds', 3, 110)) AS v (ago, number, price)";

#[tokio::test]
async fn the_price_at_a_moment_is_the_newest_before_it_with_its_age() {
    let server = start().await;
    server.sql(TICKS).await;
    // Older than every tick: only its minute is kept.
    server.minutes_ago(BTCUSDT, &[(4_000, "10", "12", "9", "11")]).await;
    let minute: DateTime<Utc> = DateTime::from_timestamp(Utc::now().timestamp() / 60 * 60, 0).unwrap();
    let at = async |ago: TimeDelta| {
        let moment = (minute - ago).format("%Y-%m-%dT%H:%M:%SZ").to_string();
        server.data(&format!("/prices/binance/BTCUSDT?at={moment}")).await
    };
    let told = at(TimeDelta::minutes(20)).await;
    assert_eq!(
        (&told["price"], &told["age_ms"], &told["source"]),
        (&json!("99.25"), &json!(600_000), &json!("stream"))
    );
    let told = at(TimeDelta::minutes(30)).await;
    assert_eq!((&told["price"], &told["age_ms"]), (&json!("99.25"), &json!(0)), "at, not only before");
    let told = at(TimeDelta::minutes(31)).await;
    assert_eq!((&told["price"], &told["stale"]), (&json!("90.5"), &json!(true)));
    let told = at(TimeDelta::minutes(3_500)).await;
    assert_eq!((&told["price"], &told["source"]), (&json!("11"), &json!("candle")));
    let error = server.error("/prices/binance/BTCUSDT?at=2020-01-01T00:00:00Z", 404).await;
    assert_eq!(error["code"], "not_recorded");

    let rows = server.data(&format!("/prices?at={}", (minute - TimeDelta::minutes(20)).timestamp())).await;
    let told: Vec<(&Value, &Value)> =
        rows.as_array().unwrap().iter().map(|row| (&row["ticker"], &row["price"])).collect();
    assert_eq!(told, [(&json!("BTCUSDT"), &json!("99.25"))], "what has no price yet is left out");
    assert_eq!(server.error("/prices?at=noon", 400).await["parameter"], "at");
}

#[tokio::test]
async fn what_the_exchange_tells_of_its_market_counts_where_nothing_else_is_newer() {
    let server = start().await;
    server
        .sql(
            "INSERT INTO market (time, received_at, ticker_id, price, open_24h, high_24h, low_24h, volume_24h, quote_volume_24h)
             VALUES (now() - interval '1 second', now(), 4, 59000.50, 58000, 60000, 57000.5, 1000, 58500000),
                    (now() - interval '1 hour', now(), 2, 1, 1, 1, 1, 1, 1)",
        )
        .await;
    server.sql(TICKS).await;
    server.minutes_ago(BTCUSDT, &[(30, "100", "110", "90", "99.25")]).await;
    let rows = server.data("/prices").await;
    let told = |row: &Value, name: &str| row[name].clone();
    let (euro, dollar) = (&rows[0], &rows[1]);
    assert_eq!([told(euro, "ticker"), told(euro, "source")], ["BTCEUR", "market"]);
    let day = [
        "price",
        "open_24h",
        "high_24h",
        "low_24h",
        "volume_24h",
        "quote_volume_24h",
        "change_24h_percent",
        "told_24h_by",
    ];
    let expected = ["59000.5", "58000", "60000", "57000.5", "1000", "58500000", "1.72", "exchange"];
    assert_eq!(day.map(|name| told(euro, name)), expected);
    assert_eq!(
        [told(dollar, "ticker"), told(dollar, "source"), told(dollar, "told_24h_by")],
        ["BTCUSDT", "stream", "recorded"]
    );
    assert_eq!(server.data("/prices/binance/BTCEUR").await["price"], "59000.5");
    let recorded = server.data("/tickers?recorded=true").await;
    assert_eq!(recorded.as_array().unwrap().len(), 3, "a pair of which only the market tells is recorded too");
}
