//! Reading from a real PostgreSQL what was stored there tick by tick.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta, Utc};
use database::{
    Client, DatabaseSettings, GenericClient, Pool,
    alerts::Alerts,
    catalogue,
    ingest::{self, NewPrice},
    migrate, partitions,
    prices::{DayStatistics, list_day_statistics},
    rollup,
    sparklines::{HourlyCloses, list_hourly_closes},
};
use domain::{Catalogue, Exchange, Instrument, InstrumentStatus, Side, Tick, TickSource};
use rust_decimal::Decimal;
use testbed::database::TestDatabase;

/// A database in which two exchanges list BTCUSDT and ETHUSDT, and the keys of binance's.
async fn with_pairs() -> (TestDatabase, Pool, [i32; 2]) {
    let database = TestDatabase::create(&migrate::fingerprint(), |url| async move {
        let pool = database::connect(&DatabaseSettings::at(url))?;
        let outcome = migrate(&pool).await;
        pool.close();
        outcome
    })
    .await;
    let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
    let mut client = pool.get().await.unwrap();
    for name in ["kraken", "binance"] {
        let listed = |base: &str| Instrument {
            ticker: format!("{base}USDT").as_str().into(),
            base: base.into(),
            quote: "USDT".into(),
            status: InstrumentStatus::Trading,
            steps: domain::Steps::default(),
        };
        let exchange = Exchange { name: name.into(), country: None };
        let catalogue = Catalogue {
            exchange,
            instruments: vec![listed("ETH"), listed("BTC")],
            taken_at: None,
            numbers_trades: true,
        };
        catalogue::store(&mut client, &catalogue).await.unwrap();
    }
    let ids = catalogue::ticker_ids(&client, "binance").await.unwrap();
    let ids = [ids["BTCUSDT"], ids["ETHUSDT"]];
    (database, pool, ids)
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A trade, or with no number a polled price.
fn tick(trade_id: Option<i64>, time: DateTime<Utc>, price: &str) -> Tick {
    Tick {
        ticker: "BTCUSDT".into(),
        trade_id,
        price: dec(price),
        quantity: trade_id.map(|_| dec("2")),
        taker_side: trade_id.map(|_| Side::Buy),
        exchange_time: trade_id.map(|_| time),
        received_at: time,
    }
}

async fn store(client: &mut Client, ticker_id: i32, ticks: &[Tick]) {
    for tick in ticks {
        partitions::create(client, tick.time().date_naive()).await.unwrap();
    }
    let price = |tick| {
        let source = if Tick::clone(tick).trade_id.is_some() { TickSource::Stream } else { TickSource::Poll };
        NewPrice { ticker_id, source, tick }
    };
    ingest::store(client, ticks.iter().map(price).collect(), &[ticker_id], false, &Alerts::default().turn())
        .await
        .unwrap();
}

#[tokio::test]
async fn every_hour_has_its_last_close_and_a_hole_stays_one() {
    let (_database, pool, [bitcoin, ethereum]) = with_pairs().await;
    let mut client = pool.get().await.unwrap();
    let ticks = [
        tick(Some(1), at("2026-11-19T21:59:59.999Z"), "10"),
        tick(Some(2), at("2026-11-19T22:00:00Z"), "20"),
        tick(Some(3), at("2026-11-19T22:59:00Z"), "21.00"),
        tick(Some(4), at("2026-11-19T22:59:59.999999Z"), "22.50"),
        tick(Some(5), at("2026-11-20T00:00:00Z"), "0.000000000123"),
        tick(None, at("2026-11-20T02:30:00Z"), "50"),
        tick(Some(6), at("2026-11-20T03:00:00Z"), "60"),
    ];
    store(&mut client, bitcoin, &ticks).await;
    store(&mut client, ethereum, &[tick(Some(1), at("2026-11-18T12:00:00Z"), "7")]).await;
    let (from, to) = (at("2026-11-19T22:00:00Z"), at("2026-11-20T03:00:00Z"));
    let pair = |ticker: &str, closes: [Option<&str>; 5]| HourlyCloses {
        exchange: "binance".into(),
        ticker: ticker.into(),
        closes: closes.map(|close| close.map(dec)).to_vec(),
    };
    let of_bitcoin = pair("BTCUSDT", [Some("22.5"), None, Some("0.000000000123"), None, Some("50")]);
    let of_ethereum = pair("ETHUSDT", [None; 5]);
    fold(&mut client).await;
    let listed = list_hourly_closes(&client, None, None, from, to).await.unwrap();
    assert_eq!(listed, [of_bitcoin, of_ethereum.clone()], "kraken's are not recorded");
    let only = ["ethusdt".to_owned()];
    assert_eq!(list_hourly_closes(&client, None, Some(&only), from, to).await.unwrap(), [of_ethereum]);
    assert_eq!(list_hourly_closes(&client, Some(1), None, from, to).await.unwrap(), [], "the first is kraken");

    // A late trade corrects its hour.
    store(&mut client, bitcoin, &[tick(Some(7), at("2026-11-19T23:20:00Z"), "30")]).await;
    fold(&mut client).await;
    let listed = list_hourly_closes(&client, Some(2), None, from, to).await.unwrap();
    assert_eq!(listed[0].closes[1], Some(dec("30")));
}

async fn fold(client: &mut Client) {
    while rollup::round(client, 1_000).await.unwrap() == 1_000 {}
}

/// How many rows of candle this connection has read, by whichever way, since it last told the server's statistics. Within
/// one transaction it tells nothing.
async fn rows_read(transaction: &impl GenericClient) -> i64 {
    let sql = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables WHERE relname ~ '^candle_'";
    transaction.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_close_costs_one_row_however_much_is_stored() {
    let (_database, pool, _) = with_pairs().await;
    let mut client = pool.get().await.unwrap();
    let (from, to) = (at("2026-11-19T13:00:00Z"), at("2026-11-20T14:00:00Z"));
    for analyzed in [false, true] {
        if analyzed {
            client.batch_execute("ANALYZE").await.unwrap();
        } else {
            let fill = "
                UPDATE ticker SET first_tick_at = now();
                SELECT create_candle_partition('2026-11-18');
                INSERT INTO candle (ticker_id, width, open_time, open, high, low, close, volume, quote_volume, trades, ticks,
                                    price_sum, square_sum, first_time, first_trade_id, last_time, last_trade_id)
                SELECT ticker.id, '1m', t, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, t, 1, t, 1
                FROM generate_series(timestamptz '2026-11-18', '2026-11-21', interval '1 minute') AS t, ticker";
            client.batch_execute(fill).await.unwrap();
            fold(&mut client).await;
        }
        // From the sixth time on PostgreSQL may plan once for all values of the parameters.
        for _ in 0..7 {
            let transaction = client.transaction().await.unwrap();
            let before = rows_read(&transaction).await;
            let listed = list_hourly_closes(&transaction, None, None, from, to).await.unwrap();
            let known: usize = listed.iter().map(|pair| pair.closes.iter().flatten().count()).sum();
            assert_eq!(known, 4 * 25);
            assert_eq!(rows_read(&transaction).await - before, 100, "analyzed: {analyzed}");
            transaction.commit().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_day_is_summed_up_from_what_is_stored_of_it() {
    let (_database, pool, [bitcoin, ethereum]) = with_pairs().await;
    let mut client = pool.get().await.unwrap();
    let now = Utc::now();
    let ago = |minutes| now - TimeDelta::minutes(minutes);
    let ticks = [
        tick(Some(1), ago(1_500), "1000"),
        tick(Some(2), ago(1_430), "100.0"),
        tick(Some(3), ago(700), "160.50"),
        tick(Some(4), ago(690), "40"),
        tick(Some(5), ago(1), "120"),
    ];
    store(&mut client, bitcoin, &ticks).await;
    store(&mut client, ethereum, &[tick(Some(1), ago(1_500), "7")]).await;
    let of_bitcoin = DayStatistics {
        ticker_id: bitcoin,
        open: dec("100"),
        high: dec("160.5"),
        low: dec("40"),
        volume: dec("8"),
        quote_volume: dec("841"),
        told_by: "recorded".to_owned(),
    };
    fold(&mut client).await;
    let days = list_day_statistics(&client, &[bitcoin, ethereum], None).await.unwrap();
    assert_eq!(days, [of_bitcoin], "of ethereum nothing is that new");
}
