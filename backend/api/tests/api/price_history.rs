use api_types::PriceHistoryMinute;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::server::{BTCUSDT, SIMULATED_BTCUSDT, start};

#[tokio::test]
async fn minutes_in_the_window_are_told_newest_first() {
    let server = start().await;
    let candles = [
        (200, "1", "1", "1", "1"),
        (60, "10", "12", "9", "11"),
        (5, "20", "20", "20", "21"),
        (4, "0.00000001", "1", "1", "0.00000002"),
    ];
    server.minutes_ago(BTCUSDT, &candles).await;
    for path in [
        "/price-history-minutes/120%20minute/BTCUSDT",
        "/price-history-minutes/2h/btcusdt",
        "/price-history-minutes/120 minutes/BTCUSDT?exchange=binance",
    ] {
        let rows: Vec<PriceHistoryMinute> = serde_json::from_value(server.data(path).await).unwrap();
        let prices: Vec<String> = rows.iter().map(|row| row.price.to_string()).collect();
        assert_eq!(prices, ["0.000000015", "20.5", "10.5"], "{path}");
        assert!(rows.iter().all(|row| row.ticker == "BTCUSDT"));
        let moments: Vec<DateTime<Utc>> =
            rows.iter().map(|row| DateTime::parse_from_rfc2822(&row.date).unwrap().to_utc()).collect();
        assert!(rows[0].date.ends_with(" GMT") && rows[0].date.as_bytes()[3] == b',', "{}", rows[0].date);
        assert_eq!(moments[0] - moments[1], TimeDelta::minutes(1));
        assert_eq!(moments[1] - moments[2], TimeDelta::minutes(55));
    }
    let all = server.data("/price-history-minutes/7%20days/BTCUSDT").await;
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert_eq!(all[3]["price"], "1", "a decimal string: {all}");
}

#[tokio::test]
async fn a_real_market_comes_before_the_simulated_one() {
    let server = start().await;
    server.sql("UPDATE ticker SET first_tick_at = now() - interval '1 year' WHERE id = 1").await;
    server.minutes_ago(SIMULATED_BTCUSDT, &[(3, "1", "1", "1", "1")]).await;
    server.minutes_ago(BTCUSDT, &[(3, "2", "2", "2", "2")]).await;
    assert_eq!(server.data("/price-history-minutes/1h/BTCUSDT").await[0]["price"], "2");
    assert_eq!(server.data("/price-history-minutes/1h/BTCUSDT?exchange=simulated").await[0]["price"], "1");
    server.sql("UPDATE ticker SET first_tick_at = NULL WHERE id = 2").await;
    assert_eq!(server.data("/price-history-minutes/1h/BTCUSDT").await[0]["price"], "1", "the only one recorded");
}

#[tokio::test]
async fn a_pair_without_prices_is_empty_and_an_unknown_one_is_404() {
    let server = start().await;
    assert_eq!(server.data("/price-history-minutes/1h/BTCEUR").await, json!([]));
    let error = server.error("/price-history-minutes/1h/BTCUSDX", 404).await;
    assert_eq!((&error["code"], &error["parameter"]), (&json!("unknown_ticker"), &json!("ticker")));
    assert!(error["allowed"].as_str().unwrap().contains("BTCUSDT"));
    assert_eq!(server.error("/price-history-minutes/1h/BTCUSDT?exchange=kraken", 404).await["code"], "unknown_ticker");
    for window in ["8%20days", "soon", "0%20minutes", "-5%20minutes", "1h%00", "1%20hour;%20DROP%20TABLE%20price"] {
        let error = server.error(&format!("/price-history-minutes/{window}/BTCUSDT"), 400).await;
        assert_eq!((&error["code"], &error["parameter"]), (&json!("invalid_parameter"), &json!("window")), "{window}");
        assert!(error["allowed"].as_str().unwrap().contains("120 minute"));
    }
}
