//! The sample data: made by `sample/trades.sql`, stored and folded by the same functions as real trades.

use std::collections::HashMap;

use database::{
    Client, DatabaseSettings, Pool,
    alerts::Alerts,
    catalogue,
    ingest::{self, NewPrice},
    migrate, partitions, rollup,
};
use domain::{Catalogue, Exchange, Instrument, InstrumentStatus, Side, Tick, TickSource};
use rust_decimal::Decimal;
use testbed::database::TestDatabase;

/// A database as the migrations leave it.
pub(crate) async fn migrated() -> (TestDatabase, Pool) {
    let database = TestDatabase::create(&migrate::fingerprint(), |url| async move {
        let pool = database::connect(&DatabaseSettings::at(url))?;
        let outcome = migrate(&pool).await;
        pool.close();
        outcome
    })
    .await;
    let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
    (database, pool)
}

/// A database with the sample data.
pub(crate) async fn stored() -> (TestDatabase, Pool) {
    let (database, pool) = migrated().await;
    let mut client = pool.get().await.unwrap();
    let instrument = |(ticker, base): (&str, &str)| {
        let status = InstrumentStatus::Trading;
        Instrument {
            ticker: ticker.into(),
            base: base.into(),
            quote: "USDT".into(),
            status,
            steps: domain::Steps::default(),
        }
    };
    let mut keys = HashMap::new();
    for name in ["binance", "binance_us"] {
        let exchange = Exchange { name: name.into(), country: None };
        let instruments = [("BTCUSDT", "BTC"), ("ETHUSDT", "ETH")].map(instrument).to_vec();
        catalogue::store(&mut client, &Catalogue { exchange, taken_at: None, instruments, numbers_trades: true })
            .await
            .unwrap();
        for (ticker, key) in catalogue::ticker_ids(&client, name).await.unwrap() {
            keys.insert((name, ticker.to_string()), key);
        }
    }
    let rows = client.query(include_str!("sample/trades.sql"), &[]).await.unwrap();
    let ticks: Vec<(i32, TickSource, Tick)> = rows
        .iter()
        .map(|row| {
            let source = match row.get::<_, &str>("source") {
                "stream" => TickSource::Stream,
                "backfill" => TickSource::Backfill,
                "poll" => TickSource::Poll,
                other => panic!("trades.sql gives the source {other}"),
            };
            let time = row.get("time");
            let tick = Tick {
                ticker: row.get::<_, &str>("ticker").into(),
                trade_id: row.get("trade_id"),
                price: row.get("price"),
                quantity: row.get::<_, Option<Decimal>>("quantity"),
                taker_side: row
                    .get::<_, Option<&str>>("taker_side")
                    .map(|side| if side == "buy" { Side::Buy } else { Side::Sell }),
                exchange_time: (source != TickSource::Poll).then_some(time),
                received_at: row.get("received_at"),
            };
            (keys[&(row.get("exchange"), tick.ticker.to_string())], source, tick)
        })
        .collect();
    store(&mut client, &ticks).await;
    client.batch_execute(include_str!("sample/ledger.sql")).await.unwrap();
    (database, pool)
}

async fn store(client: &mut Client, ticks: &[(i32, TickSource, Tick)]) {
    for day in ticks.iter().map(|(_, _, tick)| tick.time().date_naive()).collect::<std::collections::BTreeSet<_>>() {
        partitions::create(client, day).await.unwrap();
    }
    let prices =
        ticks.iter().map(|(ticker_id, source, tick)| NewPrice { ticker_id: *ticker_id, source: *source, tick });
    let stored = ingest::store(client, prices.collect(), &[], false, &Alerts::default().turn()).await.unwrap();
    assert_eq!(stored.inserted, ticks.len() as u64, "every trade of the sample is another one");
    while rollup::round(client, 500).await.unwrap() == 500 {}
}

/// The same, and it is noon of its last day, 2025-04-02.
pub(crate) async fn at_noon() -> (TestDatabase, Pool) {
    let (database, pool) = stored().await;
    pool.get().await.unwrap().batch_execute(include_str!("sample/clock.sql")).await.unwrap();
    // Sessions that began before have the clock of before.
    let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
    (database, pool)
}
