use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::server::start;

#[tokio::test]
async fn what_everything_takes_and_what_went_is_told() {
    let server = start().await;
    server
        .sql(
            "INSERT INTO price (time, received_at, trade_id, ticker_id, source, price, quantity)
             SELECT time, time, trade, 2, 'stream', 64250.01, 0.5
             FROM generate_series(0, 2879) AS trade,
                  (SELECT date_bin('1 day', now(), '2001-01-01Z') - interval '1 day') AS yesterday (midnight),
                  LATERAL (SELECT midnight + trade * interval '30 s') AS at (time);
             INSERT INTO candle (open_time, first_time, last_time, first_trade_id, last_trade_id, trades, ticks, ticker_id, width, open,
                                 high, low, close, volume, quote_volume, price_sum, square_sum, minutes, changes, change_sum,
                                 change_square_sum)
             SELECT date_bin(width_interval(width), time, '2001-01-01Z'), min(time), max(time), 0, 0, count(*), count(*), 2, width,
                    1, 1, 1, 1, 1, 1, 1, 1, count(DISTINCT date_bin('1 minute', time, '2001-01-01Z')), 0, 0, 0
             FROM price CROSS JOIN (VALUES ('1m'), ('5m'), ('1h'), ('1d')) AS wide (width) GROUP BY width, 1;
             ANALYZE;
             INSERT INTO keeping (looked_at, bytes, free_bytes, budget_bytes, ticks_days)
             VALUES ('2026-11-20T12:00:00Z', 1, 7000, 5000000000, 90);
             INSERT INTO kept VALUES ('2026-08-01', '2026-08-02', '2026-11-20T12:00:00Z', 'ticks', 'a hole in it is open or being filled');
             INSERT INTO dropped (kind, from_time, to_time, dropped_at, rows, bytes, trades, volume, quote_volume, why)
             VALUES ('ticks', '2026-07-31', '2026-08-01', '2026-11-20T12:00:00Z', 9, 8192, 8, 0.10000000000000000000000000000001, 2, 'KEEP_TICKS_DAYS=90')",
        )
        .await;
    let report = server.data("/storage").await;
    assert_eq!(
        (&report["budget_bytes"], &report["keep_ticks_days"], &report["keep_minutes_days"], &report["free_bytes"]),
        (&json!(5_000_000_000_i64), &json!(90), &json!(null), &json!(7_000))
    );
    assert_eq!(
        report["kept"],
        json!([{"kind": "ticks", "from": "2026-08-01T00:00:00Z", "to": "2026-08-02T00:00:00Z",
                "reason": "a hole in it is open or being filled", "since": "2026-11-20T12:00:00Z"}])
    );
    assert_eq!(
        report["dropped"],
        json!([{"kind": "ticks", "from": "2026-07-31T00:00:00Z", "to": "2026-08-01T00:00:00Z", "rows": 9, "bytes": 8192,
                "trades": 8, "volume": "0.10000000000000000000000000000001", "quote_volume": "2",
                "why": "KEEP_TICKS_DAYS=90", "dropped_at": "2026-11-20T12:00:00Z"}])
    );
    let kinds = report["kinds"].as_array().unwrap();
    let names: Vec<&str> = kinds.iter().map(|kind| kind["kind"].as_str().unwrap()).collect();
    assert_eq!(names, ["ticks", "1m", "5m", "1h", "1d", "ledger", "other"]);
    let sum: i64 = kinds.iter().map(|kind| kind["bytes"].as_i64().unwrap()).sum();
    assert_eq!(report["bytes"], sum);
    let rows: Vec<_> = kinds.iter().map(|kind| (kind["rows"].as_i64(), kind["rows_per_day"].as_i64())).collect();
    let day = [2_880, 1_440, 288, 24, 1].map(|rows| (Some(rows), Some(rows)));
    assert_eq!((&rows[..5], rows[6]), (&day[..], (None, None)));
    let total: i64 = kinds.iter().filter_map(|kind| kind["bytes_per_day"].as_i64()).sum();
    assert_eq!((&report["bytes_per_day"], &report["bytes_per_year"]), (&json!(total), &json!(total * 365)));
    let days = (5_000_000_000 - sum) / total;
    let reached: DateTime<Utc> = report["budget_reached_at"].as_str().unwrap().parse().unwrap();
    assert_eq!((reached - Utc::now() + TimeDelta::hours(1)).num_days(), days);
    let begin: DateTime<Utc> = kinds[0]["oldest"].as_str().unwrap().parse().unwrap();
    let last: DateTime<Utc> = kinds[1]["newest"].as_str().unwrap().parse().unwrap();
    assert_eq!(last - begin, TimeDelta::seconds(86_370));
}
