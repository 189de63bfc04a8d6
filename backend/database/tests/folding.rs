//! Wider candles on a real PostgreSQL: what they say is what their minutes, and in the end the ticks, say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use database::{
    Client, DatabaseSettings, Pool,
    alerts::Alerts,
    candles::{Span, list_candles},
    catalogue, day_sums,
    ingest::{self, NewPrice},
    migrate, partitions, rollup,
    statistics::list_statistics,
};
use domain::{Catalogue, Exchange, Instrument, InstrumentStatus, Tick, TickSource, Width};
use rust_decimal::Decimal;
use testbed::database::TestDatabase;

/// A database in which binance lists BTCUSDT, and that pair's key.
async fn with_bitcoin() -> (TestDatabase, Pool, i32) {
    let database = TestDatabase::create(&migrate::fingerprint(), |url| async move {
        let pool = database::connect(&DatabaseSettings::at(url))?;
        let outcome = migrate(&pool).await;
        pool.close();
        outcome
    })
    .await;
    let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
    let mut client = pool.get().await.unwrap();
    let status = InstrumentStatus::Trading;
    let instruments = vec![Instrument {
        ticker: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        status,
        steps: domain::Steps::default(),
    }];
    let exchange = Exchange { name: "binance".into(), country: None };
    catalogue::store(&mut client, &Catalogue { exchange, taken_at: None, instruments, numbers_trades: true })
        .await
        .unwrap();
    let id = catalogue::ticker_ids(&client, "binance").await.unwrap()["BTCUSDT"];
    (database, pool, id)
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Trades at random moments and prices: few enough for minutes without any.
fn trades(seed: u64, from: DateTime<Utc>, hours: i64, count: i64) -> Vec<Tick> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut ticks: Vec<Tick> = (0..count)
        .map(|_| {
            let time = from + TimeDelta::milliseconds(random.i64(0..hours * 3_600_000));
            Tick {
                ticker: "BTCUSDT".into(),
                trade_id: Some(0),
                price: Decimal::new(random.i64(6_400_000..6_500_000), 2),
                quantity: Some(Decimal::new(random.i64(1..100_000), 5)),
                taker_side: None,
                exchange_time: Some(time),
                received_at: time,
            }
        })
        .collect();
    ticks.sort_by_key(Tick::time);
    for (id, tick) in ticks.iter_mut().enumerate() {
        tick.trade_id = Some(id as i64);
    }
    ticks
}

async fn store(client: &mut Client, ticker_id: i32, ticks: &[Tick], source: TickSource) {
    for tick in ticks {
        partitions::create(client, tick.time().date_naive()).await.unwrap();
    }
    let prices = ticks.iter().map(|tick| NewPrice { ticker_id, source, tick }).collect();
    ingest::store(client, prices, &[ticker_id], false, &Alerts::default().turn()).await.unwrap();
}

async fn fold(client: &mut Client) {
    while rollup::round(client, 50).await.unwrap() == 50 {}
}

/// Where the sums of a span, or the stored wide candles, are not what the ticks themselves say: text for people.
async fn differences(client: &Client) -> Vec<String> {
    let rows = client
        .query(
            "WITH minute AS (
                 SELECT *, CASE WHEN lag(open_time) OVER (PARTITION BY ticker_id ORDER BY open_time) = open_time - interval '1 minute'
                                THEN round(close / lag(close) OVER (PARTITION BY ticker_id ORDER BY open_time) - 1, 12) END AS change
                 FROM candle WHERE width = '1m'
             ), wanted AS (
                 SELECT price.ticker_id, width, date_bin(width_interval(width), time, '2001-01-01 00:00:00Z') AS open_time,
                        (array_agg(price ORDER BY time, trade_id))[1] AS open, max(price) AS high, min(price) AS low,
                        (array_agg(price ORDER BY time DESC, trade_id DESC))[1] AS close, sum(quantity) AS volume,
                        sum(price * quantity) AS quote_volume, count(*) AS trades, sum(price) AS price_sum,
                        sum(price * price) AS square_sum, count(DISTINCT date_trunc('minute', time)) AS minutes
                 FROM price CROSS JOIN (VALUES ('5m'), ('1h'), ('1d')) AS wide (width)
                 GROUP BY 1, 2, 3
             ), changed AS (
                 SELECT ticker_id, width, date_bin(width_interval(wide.width), open_time, '2001-01-01 00:00:00Z') AS open_time,
                        count(change) AS changes, coalesce(sum(change), 0) AS change_sum,
                        coalesce(sum(change * change), 0) AS change_square_sum
                 FROM (SELECT ticker_id, open_time, change FROM minute) AS minute
                 CROSS JOIN (VALUES ('5m'), ('1h'), ('1d')) AS wide (width) GROUP BY 1, 2, 3
             ), expected AS (SELECT * FROM wanted JOIN changed USING (ticker_id, width, open_time))
             SELECT format('%s %s: %s, not %s', width, open_time, candle, expected)
             FROM expected FULL JOIN (SELECT * FROM candle WHERE width <> '1m') AS candle USING (ticker_id, width, open_time)
             WHERE (candle.open, candle.high, candle.low, candle.close, candle.volume, candle.quote_volume, candle.trades,
                    candle.price_sum, candle.square_sum, candle.minutes, candle.changes, candle.change_sum,
                    candle.change_square_sum)
                IS DISTINCT FROM
                   (expected.open, expected.high, expected.low, expected.close, expected.volume, expected.quote_volume,
                    expected.trades, expected.price_sum, expected.square_sum, expected.minutes, expected.changes,
                    expected.change_sum, expected.change_square_sum)",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn stale(client: &Client) -> i64 {
    client.query_one("SELECT count(*) FROM stale_candle", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn wide_candles_say_what_their_ticks_say_whatever_comes_late() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let ticks = trades(1, at("2026-11-17T20:30:00Z"), 30, 3_000);
    let (in_time, late): (Vec<Tick>, Vec<Tick>) = ticks.into_iter().partition(|tick| tick.trade_id.unwrap() % 7 != 0);
    store(&mut client, id, &in_time, TickSource::Stream).await;
    assert!(stale(&client).await > 300);
    fold(&mut client).await;
    assert_eq!((differences(&client).await, stale(&client).await), (Vec::new(), 0));
    store(&mut client, id, &late, TickSource::Backfill).await;
    assert!(!differences(&client).await.is_empty());
    fold(&mut client).await;
    assert_eq!((differences(&client).await, stale(&client).await), (Vec::new(), 0));
    // Nothing changed: nothing is written.
    client
        .batch_execute("INSERT INTO stale_candle SELECT open_time, ticker_id FROM candle WHERE width = '5m'")
        .await
        .unwrap();
    let before: DateTime<Utc> = client.query_one("SELECT max(updated_at) FROM candle", &[]).await.unwrap().get(0);
    fold(&mut client).await;
    let after: DateTime<Utc> = client.query_one("SELECT max(updated_at) FROM candle", &[]).await.unwrap().get(0);
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_minute_that_is_being_stored_while_others_are_folded_is_not_forgotten() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let ticks = trades(2, at("2026-11-17T20:00:00Z"), 1, 100);
    store(&mut client, id, &ticks[..50], TickSource::Stream).await;
    // Another writer is in the middle of a transaction that adds to a minute whose mark stands already.
    let mut other = pool.get().await.unwrap();
    let open = other.transaction().await.unwrap();
    open.execute(
        "UPDATE candle SET high = high + 1 WHERE ticker_id = $1 AND width = '1m' AND open_time = $2",
        &[&id, &at("2026-11-17T20:00:00Z")],
    )
    .await
    .unwrap();
    fold(&mut client).await;
    assert!(stale(&client).await > 0, "the mark that is locked stays");
    open.commit().await.unwrap();
    fold(&mut client).await;
    assert_eq!(stale(&client).await, 0);
    let minutes = "SELECT max(high) FROM candle WHERE width = $1";
    let of = async |width: &str| client.query_one(minutes, &[&width]).await.unwrap().get::<_, Decimal>(0);
    assert_eq!((of("5m").await, of("1h").await, of("1d").await), (of("1m").await, of("1m").await, of("1m").await));
}

/// What is told of a span is what its ticks say.
async fn assert_told_like_ticks(client: &Client, id: i32, from: DateTime<Utc>, to: DateTime<Utc>) {
    let row = client
        .query_one(
            "SELECT count(*), min(price), max(price), avg(price), stddev_samp(price), sum(price * quantity) / sum(quantity),
                    sum(quantity), (array_agg(price ORDER BY time, trade_id))[1], (array_agg(price ORDER BY time DESC, trade_id DESC))[1]
             FROM price WHERE time >= $1 AND time < $2",
            &[&from, &to],
        )
        .await
        .unwrap();
    let told = list_statistics(client, &[id], from, to).await.unwrap();
    let alone =
        client.query_opt("SELECT quote_volume FROM sum_quote_volumes($1, $2, $3)", &[&vec![id], &from, &to]).await;
    let alone = alone.unwrap().map(|row| row.get::<_, Decimal>(0).normalize());
    assert_eq!(alone, told.first().map(|told| told.quote_volume), "{from} {to}");
    let Some(told) = told.first() else {
        assert_eq!(row.get::<_, i64>(0), 0);
        return;
    };
    let decimal = |column: usize| row.get::<_, Option<Decimal>>(column).map(|value| value.round_dp(10).normalize());
    assert_eq!(
        (told.ticks, Some(told.low), Some(told.high), Some(told.volume), Some(told.open), Some(told.close)),
        (row.get(0), decimal(1), decimal(2), decimal(6), decimal(7), decimal(8)),
        "{from} {to}"
    );
    // Quotients and roots, each rounded by its own way of reckoning.
    for (said, column) in [(Some(told.mean), 3), (told.deviation, 4), (told.vwap, 5)] {
        let expected = decimal(column);
        let near = said.zip(expected).is_some_and(|(a, b)| (a - b).abs() <= Decimal::new(1, 9));
        assert!(near || said == expected, "{from} {to}: {said:?}, not {expected:?}");
    }
}

#[tokio::test]
async fn statistics_of_any_span_are_those_of_its_ticks() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    // Three days, the last hours of them not folded yet.
    let end = Utc::now();
    let begin = end - TimeDelta::hours(72);
    let ticks = trades(3, begin, 72, 8_000);
    store(&mut client, id, &ticks, TickSource::Stream).await;
    let mut random = fastrand::Rng::with_seed(3);
    let minute = |time: DateTime<Utc>| DateTime::from_timestamp(time.timestamp().div_euclid(60) * 60, 0).unwrap();
    for folded in [false, true] {
        if folded {
            fold(&mut client).await;
        }
        for _ in 0..40 {
            let length = [3, 17, 90, 600, 1_440, 4_000][random.usize(0..6)];
            let from = minute(begin + TimeDelta::minutes(random.i64(0..72 * 60)));
            let to = from + TimeDelta::minutes(length);
            // What is older than an hour and not folded is not known to the wide candles.
            if !folded && length > 3 {
                continue;
            }
            assert_told_like_ticks(&client, id, from, to).await;
        }
    }
    assert_eq!(
        list_statistics(&client, &[id], begin - TimeDelta::days(9), begin - TimeDelta::days(8)).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn the_last_day_is_kept_added_up_until_a_candle_in_it_changes() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let end = Utc::now();
    let begin = end - TimeDelta::hours(26);
    let ticks = trades(8, begin, 26, 6_000);
    let (late, punctual): (Vec<Tick>, Vec<Tick>) = ticks.into_iter().partition(|tick| tick.trade_id.unwrap() % 7 == 3);
    store(&mut client, id, &punctual, TickSource::Stream).await;
    fold(&mut client).await;
    let kept = async |client: &Client| -> i64 {
        client.query_one("SELECT count(*) FROM day_sum WHERE to_time = rolled_until()", &[]).await.unwrap().get(0)
    };
    let minute = DateTime::from_timestamp(end.timestamp().div_euclid(60) * 60, 0).unwrap();
    let compare = async |client: &Client| {
        for minutes_ago in 0..12 {
            let to = minute - TimeDelta::minutes(minutes_ago);
            assert_told_like_ticks(client, id, to - TimeDelta::hours(24), to).await;
        }
    };
    assert_eq!(kept(&client).await, 0);
    assert_eq!(day_sums::round(&mut client, i32::MIN, 10).await.unwrap(), None, "there is one pair");
    assert_eq!(kept(&client).await, 1);
    compare(&client).await;
    // It is what answers are made of.
    client.execute("UPDATE day_sum SET high = 1000000", &[]).await.unwrap();
    let told = list_statistics(&client, &[id], minute - TimeDelta::hours(24), minute).await.unwrap();
    assert_eq!(told[0].high, Decimal::from(1_000_000));

    store(&mut client, id, &late, TickSource::Backfill).await;
    fold(&mut client).await;
    assert_eq!(kept(&client).await, 0, "who folds takes it away");
    compare(&client).await;
    day_sums::round(&mut client, i32::MIN, 1).await.unwrap();
    assert_eq!(kept(&client).await, 1);
    compare(&client).await;
    // Candles that lie before it leave it alone.
    store(&mut client, id, &trades(9, end - TimeDelta::hours(50), 2, 9), TickSource::Backfill).await;
    fold(&mut client).await;
    assert_eq!(kept(&client).await, 1);
}

#[tokio::test]
async fn candles_of_any_width_are_those_of_their_minutes() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    // Around the night in which Berlin's clocks were put back, with a hole of a week; and the last hours.
    let mut ticks = trades(4, at("2026-10-23T00:00:00Z"), 96, 4_000);
    ticks.extend(trades(5, at("2026-11-04T03:00:00Z"), 72, 2_000));
    ticks.extend(trades(6, Utc::now() - TimeDelta::hours(3), 3, 500));
    for (id, tick) in ticks.iter_mut().enumerate() {
        tick.trade_id = Some(id as i64);
    }
    store(&mut client, id, &ticks, TickSource::Stream).await;
    fold(&mut client).await;
    // Prices that came after the last folding.
    let mut latest = trades(7, Utc::now() - TimeDelta::minutes(2), 1, 20);
    latest.retain(|tick| tick.time() <= Utc::now());
    for (number, tick) in latest.iter_mut().enumerate() {
        tick.trade_id = Some(1_000_000 + number as i64);
    }
    store(&mut client, id, &latest, TickSource::Stream).await;
    let minutes =
        list_candles(&client, id, Width::ONE_MINUTE, Tz::UTC, Span::Until(Utc::now()), 100_000).await.unwrap();
    for width in Width::ALL {
        for zone in [Tz::UTC, Tz::Europe__Berlin, Tz::Asia__Kathmandu] {
            // The minutes, put together one by one.
            let mut expected: Vec<(DateTime<Utc>, [Decimal; 6], i64)> = Vec::new();
            for minute in &minutes {
                let open_time = width.open_time(minute.open_time, zone);
                match expected.last_mut() {
                    Some((known, [_, high, low, close, volume, quote_volume], trades)) if *known == open_time => {
                        *high = minute.high.max(*high);
                        *low = minute.low.min(*low);
                        *close = minute.close;
                        *volume += minute.volume;
                        *quote_volume += minute.quote_volume;
                        *trades += minute.trades;
                    }
                    _ => expected.push((
                        open_time,
                        [minute.open, minute.high, minute.low, minute.close, minute.volume, minute.quote_volume],
                        minute.trades,
                    )),
                }
            }
            for (_, values, _) in &mut expected {
                *values = values.map(|value| value.normalize());
            }
            let list = async |span, limit| {
                let candles = list_candles(&client, id, width, zone, span, limit).await.unwrap();
                let row = |candle: &database::candles::StoredCandle| {
                    let values =
                        [candle.open, candle.high, candle.low, candle.close, candle.volume, candle.quote_volume];
                    (candle.open_time, values, candle.trades)
                };
                candles.iter().map(row).collect::<Vec<_>>()
            };
            let most = if width.fixed_seconds().is_some() { 100_000 } else { 1_000 };
            let end = width.next(width.open_time(Utc::now(), zone), zone);
            let begin = width.open_time(at("2026-10-01T00:00:00Z"), zone);
            assert_eq!(list(Span::Until(end), most).await, expected, "all {width} {zone}");
            assert_eq!(list(Span::Since { from: begin, to: end }, most).await, expected, "all since {width} {zone}");
            for limit in [1, 2, 7] {
                let of_last = expected.len().saturating_sub(limit as usize);
                assert_eq!(list(Span::Until(end), limit).await, expected[of_last..], "last {limit} {width} {zone}");
                let of_first = &expected[..expected.len().min(limit as usize)];
                assert_eq!(
                    list(Span::Since { from: begin, to: end }, limit).await,
                    of_first,
                    "first {limit} {width} {zone}"
                );
            }
            let (from, to) = (expected[expected.len() / 3].0, expected[expected.len() * 2 / 3].0);
            let between: Vec<_> = expected.iter().filter(|(open, ..)| (from..to).contains(open)).cloned().collect();
            assert_eq!(list(Span::Since { from, to }, most).await, between, "between {width} {zone}");
        }
    }
}
