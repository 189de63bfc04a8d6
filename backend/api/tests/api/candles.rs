use api_types::CandleRow;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use domain::Width;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::server::{BTCUSDT, TestServer, start};

/// Five weeks of minutes from a Wednesday on, with holes of every length; prices that tell minutes apart.
async fn filled() -> TestServer {
    let server = start().await;
    let sql = format!(
        "SELECT create_candle_partition(day) FROM unnest(ARRAY[date '2026-01-07', '2026-02-07']) AS day;
         INSERT INTO candle (ticker_id, width, open_time, open, high, low, close, volume, quote_volume, trades, ticks,
                             price_sum, square_sum, first_time, first_trade_id, last_time, last_trade_id, revision,
                             from_exchange)
         SELECT {BTCUSDT}, '1m', t, 100 + n % 97, 300 + n % 89, 50 - n % 31, 100 + n % 83, 0.001 * (1 + n % 7), n % 11, 1, 1,
                1, 1, t, n, t, n, n % 3, n % 41 = 40
         FROM generate_series(0, 50399) AS n, LATERAL (SELECT timestamptz '2026-01-07 10:17:00Z' + n * interval '1 minute') AS m (t)
         WHERE n % 13 <> 5 AND n NOT BETWEEN 3000 AND 3100 AND n NOT BETWEEN 20000 AND 23000; ANALYZE candle;"
    );
    server.sql(&sql).await;
    server.fold_candles().await;
    server
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn ask(server: &TestServer, query: &str) -> Vec<CandleRow> {
    let data = server.data(&format!("/candles/binance/BTCUSDT?{query}")).await;
    serde_json::from_value(data).unwrap()
}

/// Every one-minute candle, page by page.
async fn minutes(server: &TestServer) -> Vec<CandleRow> {
    let mut all: Vec<CandleRow> = Vec::new();
    let mut from = at("2026-01-01T00:00:00Z");
    loop {
        let page = ask(server, &format!("from={}&limit=1000", from.timestamp())).await;
        let Some(last) = page.last() else { return all };
        from = last.open_time + TimeDelta::minutes(1);
        all.extend(page);
    }
}

/// What a candle is, said without SQL.
fn fold(minutes: &[CandleRow], width: Width, zone: Tz) -> Vec<CandleRow> {
    let mut folded: Vec<CandleRow> = Vec::new();
    for minute in minutes {
        let open_time = width.open_time(minute.open_time, zone);
        match folded.last_mut().filter(|candle| candle.open_time == open_time) {
            Some(candle) => {
                candle.high = candle.high.max(minute.high);
                candle.low = candle.low.min(minute.low);
                candle.close = minute.close;
                candle.volume += minute.volume;
                candle.quote_volume += minute.quote_volume;
                candle.trades += minute.trades;
                candle.revision += minute.revision;
                if candle.origin == "stream" || minute.origin == "exchange" {
                    candle.origin.clone_from(&minute.origin);
                }
            }
            None => folded.push(CandleRow { open_time, ..minute.clone() }),
        }
    }
    folded
}

#[tokio::test]
async fn wider_candles_are_what_their_minutes_say() {
    let server = filled().await;
    let minutes = minutes(&server).await;
    assert!(minutes.len() > 40_000 && minutes.is_sorted_by_key(|candle| candle.open_time));
    for (width, zone) in Width::ALL.into_iter().flat_map(|width| [(width, Tz::UTC), (width, Tz::America__New_York)]) {
        let expected = fold(&minutes, width, zone);
        let newest = ask(&server, &format!("interval={width}&tz={zone}&limit=1000&to=2026-06-01T00:00:00Z")).await;
        let skipped = expected.len().saturating_sub(1000);
        assert_eq!(newest, expected[skipped..], "the newest of {width} {zone}");
        let oldest = ask(&server, &format!("interval={width}&tz={zone}&limit=7&from=2026-01-07T10:17:00Z")).await;
        // The first candle opens before the span unless it opens right there.
        let first = expected.iter().position(|candle| candle.open_time >= minutes[0].open_time).unwrap();
        let last = expected.len().min(first + 7);
        assert_eq!(oldest, expected[first..last], "the oldest of {width} {zone}");
    }
    let weeks = ask(&server, "interval=1w").await;
    assert!(weeks.iter().all(|week| week.open_time.format("%a %H:%M").to_string() == "Mon 00:00"));
    assert_eq!(weeks.len(), 6);
}

#[tokio::test]
async fn a_hole_is_a_hole_and_a_span_is_exact() {
    let server = filled().await;
    let first: DateTime<Utc> = at("2026-01-07T10:17:00Z");
    let hole = first + TimeDelta::minutes(2_990);
    let end = first + TimeDelta::minutes(3_111);
    let rows =
        ask(&server, &format!("from={}&to={}", hole.to_rfc3339().replace('+', "%2B"), end.timestamp_millis())).await;
    let opened: Vec<i64> = rows.iter().map(|row| (row.open_time - first).num_minutes()).collect();
    let expected: Vec<i64> = (2_990..3_111).filter(|n| n % 13 != 5 && !(3_000..=3_100).contains(n)).collect();
    assert_eq!(opened, expected);
    assert!(ask(&server, "from=2030-01-01T00:00:00Z&to=2031-01-01T00:00:00Z").await.is_empty());
    assert_eq!(ask(&server, "").await.len(), 500, "the default limit, over a hole if need be");
}

#[tokio::test]
async fn a_hole_is_filled_on_request() {
    let server = filled().await;
    let first = at("2026-01-07T10:17:00Z");
    let (from, to) = (first + TimeDelta::minutes(2_995), first + TimeDelta::minutes(3_105));
    let span = format!("from={}&to={}&fill=previous", from.timestamp(), to.timestamp());
    let rows = ask(&server, &span).await;
    assert_eq!(rows.len(), 110);
    let before = rows.iter().rfind(|row| row.open_time < first + TimeDelta::minutes(3_000)).unwrap();
    let inside = &rows[50];
    assert_eq!((inside.origin.as_str(), inside.trades, inside.volume), ("filled", 0, Decimal::ZERO));
    assert_eq!([inside.open, inside.high, inside.low, inside.close], [before.close; 4]);
    let last = ask(&server, &format!("to={}&fill=previous&limit=10", to.timestamp() - 300)).await;
    assert_eq!(last.len(), 10);
    assert_eq!(last[9].origin, "filled");
}

#[tokio::test]
async fn the_running_candle_is_not_final() {
    let server = start().await;
    server
        .minutes_ago(BTCUSDT, &[(0, "1.50", "2", "1", "1.75"), (1, "1", "1", "1", "1"), (2, "1", "1", "1", "1")])
        .await;
    let rows = server.data("/candles/binance/btcusdt?limit=2").await;
    let finals: Vec<&Value> = rows.as_array().unwrap().iter().map(|row| &row["final"]).collect();
    assert_eq!(finals, [&json!(true), &json!(false)]);
    assert_eq!((&rows[1]["open"], &rows[1]["close"]), (&json!("1.5"), &json!("1.75")));
    let week = server.data("/candles/binance/BTCUSDT?interval=1w").await;
    assert_eq!(week.as_array().unwrap().last().unwrap()["final"], false);
    assert_eq!(server.data("/candles/binance/BTCEUR").await, json!([]), "listed, but nothing is stored");
}

#[tokio::test]
async fn sums_of_many_digits_stay_readable() {
    let server = start().await;
    server.minutes_ago(BTCUSDT, &[(1, "1", "1", "1", "1"), (2, "1", "1", "1", "1")]).await;
    server
        .sql("UPDATE candle SET volume = 1234567890123.123456789012345, quote_volume = 79228162514264.3375935439503")
        .await;
    server.fold_candles().await;
    for width in Width::ALL {
        for row in ask(&server, &format!("interval={width}")).await {
            assert!(row.volume >= Decimal::from(1_234_567_890_123_i64), "{row:?}");
        }
    }
}

#[tokio::test]
async fn parameters_out_of_bounds_are_named() {
    let server = start().await;
    for (query, parameter) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=abc", "limit"),
        ("interval=90m", "interval"),
        ("tz=Atlantis", "tz"),
        ("fill=zero", "fill"),
        ("from=yesterday", "from"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("to=99999999999999999999", "to"),
        ("to=9223372036854775807", "to"),
        ("to=-9223372036854775808", "to"),
    ] {
        let error = server.error(&format!("/candles/binance/BTCUSDT?{query}"), 400).await;
        assert_eq!((&error["code"], &error["parameter"]), (&json!("invalid_parameter"), &json!(parameter)), "{query}");
        assert!(error["allowed"].is_string() && error["value"].is_string(), "{error}");
    }
}
