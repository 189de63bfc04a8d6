use api_types::Sparkline;
use chrono::{TimeDelta, Utc};
use domain::Interval;
use serde_json::{Value, json};

use crate::server::{BTCUSDT, ETHUSDT, SIMULATED_BTCUSDT, TestServer, start};

/// Two days of hours with two minutes each, of which the second says which hour it is; every fifth hour is a hole.
async fn filled() -> TestServer {
    let server = start().await;
    let sql = format!(
        "SELECT create_candle_partition((now() + n * interval '1 day')::date) FROM generate_series(-2, 1) AS n;
         INSERT INTO candle (ticker_id, width, open_time, open, high, low, close, volume, quote_volume, trades, ticks,
                             price_sum, square_sum, first_time, first_trade_id, last_time, last_trade_id)
         SELECT {BTCUSDT}, '1m', hour + minute * interval '1 minute', 1, 1, 1,
                CASE minute WHEN 7 THEN 1 ELSE number + 0.50 END, 1, 1, 1, 1, 1, 1, hour, 1, hour, 1
         FROM generate_series(-46, 1) AS n, date_trunc('hour', now() + n * interval '1 hour') AS hour,
              LATERAL (SELECT extract(epoch FROM hour)::bigint / 3600) AS h (number), unnest(ARRAY[7, 59]) AS minute
         WHERE number % 5 <> 0"
    );
    server.sql(&sql).await;
    server.fold_candles().await;
    server
}

#[tokio::test]
async fn the_last_hours_are_told_by_their_closes_and_a_hole_is_a_hole() {
    let server = filled().await;
    let this_hour = || Interval::OneHour.open_time(Utc::now());
    let before = this_hour();
    let rows = server.data("/sparklines").await;
    let from = serde_json::from_value::<Vec<Sparkline>>(rows.clone()).unwrap()[0].from;
    assert!([before, this_hour()].contains(&(from + TimeDelta::hours(24))), "the last one is of this hour: {from}");
    let first = from.timestamp() / 3_600;
    let close = |hour: i64| if hour % 5 == 0 { Value::Null } else { json!(format!("{hour}.5")) };
    let closes: Vec<Value> = (first..first + 25).map(close).collect();
    let from = from.format("%Y-%m-%dT%H:00:00Z").to_string();
    assert_eq!(
        rows,
        json!([
            {"exchange": "binance", "ticker": "BTCUSDT", "from": from, "step_seconds": 3600, "closes": closes},
            {"exchange": "binance", "ticker": "ETHUSDT", "from": from, "step_seconds": 3600, "closes": vec![Value::Null; 25]}
        ]),
        "the pairs that are recorded, and no others"
    );
}

#[tokio::test]
async fn sparklines_can_be_filtered_as_prices_can() {
    let server = start().await;
    server.sql(&format!("UPDATE ticker SET first_tick_at = now() WHERE id = {SIMULATED_BTCUSDT}")).await;
    server.minutes_ago(ETHUSDT, &[(0, "3", "4", "2", "3.10")]).await;
    for (query, pairs) in [
        ("", &["binance BTCUSDT", "binance ETHUSDT", "simulated BTCUSDT"][..]),
        ("?exchange=Binance", &["binance BTCUSDT", "binance ETHUSDT"]),
        ("?exchange=kraken", &[]),
        ("?tickers=btcusdt,NOPE", &["binance BTCUSDT", "simulated BTCUSDT"]),
        ("?exchange=binance&tickers=ETHUSDT", &["binance ETHUSDT"]),
    ] {
        let rows: Vec<Sparkline> = serde_json::from_value(server.data(&format!("/sparklines{query}")).await).unwrap();
        let named: Vec<String> = rows.iter().map(|row| format!("{} {}", row.exchange, row.ticker)).collect();
        assert_eq!(named, pairs, "{query}");
        let known = rows.iter().flat_map(|row| &row.closes).flatten().count();
        assert_eq!(known, usize::from(pairs.contains(&"binance ETHUSDT")), "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_told() {
    let server = start().await;
    let many = vec!["BTCUSDT"; 501].join(",");
    for (query, status, code) in [
        ("exchange=binanse", 404, "unknown_exchange"),
        ("exchange=", 400, "invalid_parameter"),
        ("hours=24", 400, "unknown_parameter"),
        (&format!("tickers={many}"), 400, "invalid_parameter"),
    ] {
        assert_eq!(server.error(&format!("/sparklines?{query}"), status).await["code"], code, "{query}");
    }
    let unknown = server.error("/sparklines?exchange=binanse", 404).await;
    assert!(unknown["allowed"].as_str().unwrap().contains("binance"), "{unknown}");
}
