//! What is told regularly.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Tick, TickSource};
use rust_decimal::Decimal;
use serde_json::json;

use crate::{
    bench::{Bench, settings},
    http_sink::Sink,
};

/// A time that came half an hour ago, so that none comes while a test runs.
static TIME: LazyLock<DateTime<Utc>> = LazyLock::new(|| {
    let minutes = Utc::now().timestamp() / 60 - 30;
    DateTime::from_timestamp(minutes * 60, 0).unwrap()
});

/// A price of each of the three pairs, so long before that time.
async fn trade(bench: &Bench, minutes_before: i64, prices: [i64; 3]) {
    let mut client = bench.client().await;
    let time = *TIME - TimeDelta::minutes(minutes_before);
    database::partitions::create(&client, time.date_naive()).await.unwrap();
    let known = database::catalogue::ticker_ids(&client, "binance").await.unwrap();
    for (ticker, price) in ["BTCUSDT", "ETHUSDT", "SOLUSDT"].into_iter().zip(prices) {
        let tick = Tick {
            ticker: ticker.into(),
            trade_id: Some(time.timestamp()),
            price: Decimal::from(price),
            quantity: Some(Decimal::ONE),
            taker_side: None,
            exchange_time: Some(time),
            received_at: time,
        };
        let ticker_id = known[ticker];
        let prices = vec![database::ingest::NewPrice { ticker_id, source: TickSource::Stream, tick: &tick }];
        database::ingest::store(&mut client, prices, &[ticker_id], false, &database::alerts::Alerts::default().turn())
            .await
            .unwrap();
    }
}

async fn schedule(
    bench: &Bench,
    account_id: i64,
    kind: &str,
    threshold: i64,
    next_at: DateTime<Utc>,
    more: &str,
) -> i64 {
    let insert = format!(
        "INSERT INTO alert.schedule (account_id, starts_at, next_at, every_minutes, kind, name, threshold_percent, ticker_ids, ends_at)
         SELECT $1, $2, $2, 60, $3, 'hourly', $4::bigint, {more} RETURNING id"
    );
    bench.client().await.query_one(&insert, &[&account_id, &next_at, &kind, &threshold]).await.unwrap().get(0)
}

#[tokio::test]
async fn pairs_that_moved_enough_are_told_once_and_only_of_the_newest_time_that_was_missed() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, _) = bench.with_webhook(&sink.url()).await;
    let stranger = bench.account("eve").await;
    bench.webhook(stranger, &sink.url()).await;
    trade(&bench, 61, [100, 100, 100]).await;
    trade(&bench, 1, [106, 95, 112]).await;
    let id = schedule(&bench, account_id, "rose", 5, *TIME - TimeDelta::hours(30), "NULL, NULL").await;
    let both = [bench.start(settings(&[])), bench.start(settings(&[]))];
    let body = sink.until(1).await[0].json();
    assert_eq!(body["kind"], "schedule");
    assert_eq!(
        body["subject"],
        "hourly: 2 pairs rose by 5 % or more in 1 hour: SOLUSDT (binance) +12 % to 112, BTCUSDT (binance) +6 % to 106"
    );
    let told = &body["notifications"][0];
    assert_eq!(
        told["pairs"],
        json!([
            {"exchange": "binance", "ticker": "SOLUSDT", "from": "100", "to": "112", "percent": "12"},
            {"exchange": "binance", "ticker": "BTCUSDT", "from": "100", "to": "106", "percent": "6"},
        ])
    );
    bench.until_number("SELECT count(*) FROM alert.notification WHERE state = 'sent'", 1).await;
    assert_eq!(bench.number("SELECT count(*) FROM alert.computed").await, 1);
    let next: DateTime<Utc> = bench
        .client()
        .await
        .query_one("SELECT next_at FROM alert.schedule WHERE id = $1", &[&id])
        .await
        .unwrap()
        .get(0);
    assert!(next > Utc::now() && next <= Utc::now() + TimeDelta::hours(1), "{next}");
    for running in both {
        running.stop().await;
    }
    assert_eq!(sink.requests().len(), 1);
}

#[tokio::test]
async fn where_nothing_moved_nobody_is_told_and_what_is_over_ends() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, _) = bench.with_webhook(&sink.url()).await;
    trade(&bench, 61, [100, 100, 100]).await;
    trade(&bench, 1, [106, 95, 100]).await;
    let of_btc = format!("ARRAY[{}], $2::timestamptz", bench.ticker_id);
    schedule(&bench, account_id, "fell", 5, *TIME, &of_btc).await;
    schedule(&bench, account_id, "fell", 6, *TIME, "NULL, $2::timestamptz").await;
    let disabled = bench.account("eve").await;
    bench.webhook(disabled, &sink.url()).await;
    bench.sql("UPDATE secret.account SET disabled_at = now() WHERE username = 'eve'").await;
    schedule(&bench, disabled, "moved", 1, *TIME, "NULL, $2::timestamptz").await;
    let off = schedule(&bench, account_id, "moved", 1, *TIME, "NULL, NULL").await;
    bench.sql(&format!("UPDATE alert.schedule SET is_active = false WHERE id = {off}")).await;
    let running = bench.start(settings(&[]));
    bench.until_number("SELECT count(*) FROM alert.schedule WHERE next_at IS NULL", 3).await;
    assert_eq!(bench.number("SELECT count(*) FROM alert.computed WHERE said = 'no pair moved enough'").await, 2);
    assert_eq!(bench.number("SELECT count(*) FROM alert.notification").await, 0);
    running.stop().await;
}

#[tokio::test]
async fn one_that_cannot_be_computed_holds_up_no_other() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, _) = bench.with_webhook(&sink.url()).await;
    trade(&bench, 61, [100, 100, 100]).await;
    trade(&bench, 1, [106, 95, 112]).await;
    let broken = schedule(&bench, account_id, "rose", 5, *TIME - TimeDelta::minutes(5), "NULL, NULL").await;
    let good = schedule(&bench, account_id, "rose", 5, *TIME, "NULL, NULL").await;
    let refuse = format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON alert.computed FOR EACH ROW WHEN (new.schedule_id = {broken})
         EXECUTE FUNCTION refuse()"
    );
    bench.sql(&refuse).await;
    let running = bench.start(settings(&[]));
    sink.until(1).await;
    let computed = |id| format!("SELECT count(*) FROM alert.computed WHERE schedule_id = {id}");
    bench.until_number(&computed(good), 1).await;
    running.stop().await;
    // It is still due.
    bench.sql("DROP TRIGGER refuse ON alert.computed").await;
    let running = bench.start(settings(&[]));
    bench.until_number(&computed(broken), 1).await;
    running.stop().await;
}
