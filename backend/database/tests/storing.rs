//! Storing on a real PostgreSQL: each tick once, candles true, whatever comes twice, late, or at the same time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, btree_map::Entry};

use chrono::{DateTime, TimeDelta, Utc};
use database::{
    Client, DatabaseSettings, Pool,
    alerts::Alerts,
    catalogue,
    comparison::{self, Compared, Settled},
    gaps::{self, GapFilter},
    ingest::{self, NewPrice, Stored},
    migrate, partitions,
};
use domain::{
    Candle, Catalogue, Exchange, ExchangeMinute, Gap, GapCause, GapReport, GapState, Instrument, InstrumentStatus,
    Interval, MinuteReport, Purpose, Side, Tick, TickSource,
};
use rust_decimal::Decimal;
use testbed::database::TestDatabase;

async fn migrated() -> (TestDatabase, Pool) {
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

fn listed(ticker: &str, base: &str, quote: &str) -> Instrument {
    let status = InstrumentStatus::Trading;
    Instrument {
        ticker: ticker.into(),
        base: base.into(),
        quote: quote.into(),
        status,
        steps: domain::Steps::default(),
    }
}

fn binance(instruments: Vec<Instrument>) -> Catalogue {
    Catalogue {
        exchange: Exchange { name: "binance".into(), country: None },
        instruments,
        taken_at: None,
        numbers_trades: true,
    }
}

/// A database in which binance lists BTCUSDT, and that pair's key.
async fn with_bitcoin() -> (TestDatabase, Pool, i32) {
    let (database, pool) = migrated().await;
    let mut client = pool.get().await.unwrap();
    catalogue::store(&mut client, &binance(vec![listed("BTCUSDT", "BTC", "USDT")])).await.unwrap();
    let id = catalogue::ticker_ids(&client, "binance").await.unwrap()["BTCUSDT"];
    partitions::create(&client, noon().date_naive()).await.unwrap();
    (database, pool, id)
}

fn noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn trade(id: i64, price: i64, offset_ms: i64) -> Tick {
    let time = noon() + TimeDelta::milliseconds(offset_ms);
    Tick {
        ticker: "BTCUSDT".into(),
        trade_id: Some(id),
        price: Decimal::new(price, 2),
        quantity: Some(Decimal::new(id % 7 + 1, 3)),
        taker_side: Some(if id % 2 == 0 { Side::Buy } else { Side::Sell }),
        exchange_time: Some(time),
        received_at: time + TimeDelta::milliseconds(40),
    }
}

fn poll(price: i64, offset_ms: i64) -> Tick {
    let received_at = noon() + TimeDelta::milliseconds(offset_ms);
    let (trade_id, quantity, taker_side, exchange_time) = (None, None, None, None);
    let price = Decimal::new(price, 2);
    Tick { ticker: "BTCUSDT".into(), trade_id, price, quantity, taker_side, exchange_time, received_at }
}

async fn store(client: &mut Client, ticker_id: i32, ticks: &[Tick], maybe_stored: bool) -> Stored {
    let price = |tick| {
        let source = if Tick::clone(tick).trade_id.is_some() { TickSource::Stream } else { TickSource::Poll };
        NewPrice { ticker_id, source, tick }
    };
    ingest::store(client, ticks.iter().map(price).collect(), &[ticker_id], maybe_stored, &Alerts::default().turn())
        .await
        .unwrap()
}

/// The candles in the database, as the domain knows them.
async fn candles(client: &Client) -> Vec<Candle> {
    let rows = client.query("SELECT * FROM candle WHERE width = '1m' ORDER BY open_time", &[]).await.unwrap();
    rows.iter()
        .map(|row| Candle {
            open_time: row.get("open_time"),
            open: row.get("open"),
            high: row.get("high"),
            low: row.get("low"),
            close: row.get("close"),
            volume: row.get("volume"),
            quote_volume: row.get("quote_volume"),
            trades: row.get("trades"),
            ticks: row.get("ticks"),
            price_sum: row.get("price_sum"),
            square_sum: row.get("square_sum"),
            first: domain::Moment { time: row.get("first_time"), trade_id: row.get("first_trade_id") },
            last: domain::Moment { time: row.get("last_time"), trade_id: row.get("last_trade_id") },
        })
        .collect()
}

/// The candles that the rule makes of the ticks.
fn expected(ticks: &[Tick]) -> Vec<Candle> {
    let mut folded: BTreeMap<DateTime<Utc>, Candle> = BTreeMap::new();
    for tick in ticks {
        let candle = Candle::of(tick, Interval::OneMinute).unwrap();
        match folded.entry(candle.open_time) {
            Entry::Occupied(mut known) => known.get_mut().merge(&candle).unwrap(),
            Entry::Vacant(new) => drop(new.insert(candle)),
        }
    }
    folded.into_values().collect()
}

async fn count(client: &Client, table: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_tick_is_stored_to_the_last_digit() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let exact = Tick {
        price: "0.000000000123456789".parse().unwrap(),
        quantity: Some("98765432109876.54321".parse().unwrap()),
        ..trade(7, 1, 123)
    };
    store(&mut client, id, &[exact.clone(), poll(6_425_001, 500)], false).await;
    let row = client
        .query_one("SELECT price::text, quantity::text, time, received_at, taker_side::text, source::text, trade_id FROM price WHERE trade_id = 7", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "0.000000000123456789");
    assert_eq!(row.get::<_, &str>(1), "98765432109876.54321");
    assert_eq!(row.get::<_, DateTime<Utc>>(2), exact.time());
    assert_eq!(row.get::<_, DateTime<Utc>>(3), exact.received_at);
    assert_eq!((row.get::<_, &str>(4), row.get::<_, &str>(5)), ("sell", "stream"));
    let polled = client
        .query_one("SELECT exchange_time, quantity::text, taker_side::text FROM prices WHERE source = 'poll'", &[])
        .await
        .unwrap();
    assert_eq!(polled.get::<_, Option<DateTime<Utc>>>(0), None);
    assert_eq!((polled.get::<_, Option<&str>>(1), polled.get::<_, Option<&str>>(2)), (None, None));
}

#[tokio::test]
async fn the_same_batch_again_changes_nothing_either_way() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let ticks: Vec<Tick> =
        (0..500).map(|n| trade(n, 6_400_000 + n * 37 % 1_000, n * 400)).chain([poll(1, 7)]).collect();
    assert_eq!(
        store(&mut client, id, &ticks, false).await,
        Stored { inserted: 501, duplicates: 0, ..Stored::default() }
    );
    let before = candles(&client).await;
    assert_eq!(before, expected(&ticks));
    for maybe_stored in [false, true] {
        let again = store(&mut client, id, &ticks, maybe_stored).await;
        assert_eq!(again, Stored { inserted: 0, duplicates: 501, ..Stored::default() });
        assert_eq!(candles(&client).await, before);
    }
    // A batch that is half new stores its half.
    let half: Vec<Tick> = (250..750).map(|n| trade(n, 6_400_000 + n * 37 % 1_000, n * 400)).collect();
    assert_eq!(
        store(&mut client, id, &half, false).await,
        Stored { inserted: 250, duplicates: 250, ..Stored::default() }
    );
    let all: Vec<Tick> = ticks.iter().cloned().chain(half[250..].iter().cloned()).collect();
    assert_eq!(candles(&client).await, expected(&all));
    assert_eq!(count(&client, "price").await, 751);
}

#[tokio::test]
async fn a_tick_twice_in_one_batch_is_stored_once() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let stored = store(&mut client, id, &[trade(1, 5, 0), trade(1, 5, 0), poll(5, 1), poll(5, 1)], false).await;
    assert_eq!(stored, Stored { inserted: 2, duplicates: 2, ..Stored::default() });
}

#[tokio::test]
async fn late_ticks_and_trades_after_polled_prices_correct_the_candle() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let batches: Vec<Vec<Tick>> = vec![
        vec![poll(700, 1_000), poll(900, 2_000)],
        vec![trade(5, 500, 30_000)],
        vec![poll(100, 40_000)],
        vec![trade(9, 800, 59_000), trade(1, 300, 10_000)],
        vec![trade(2, 310, 10_000)],
    ];
    let mut so_far = Vec::new();
    for batch in batches {
        store(&mut client, id, &batch, false).await;
        so_far.extend(batch);
        assert_eq!(candles(&client).await, expected(&so_far), "after {} ticks", so_far.len());
    }
}

#[tokio::test]
async fn two_writers_at_once_make_the_same_candles_as_one() {
    let (_database, pool, id) = with_bitcoin().await;
    let ticks: Vec<Tick> = (0..4_000).map(|n| trade(n, 6_400_000 + n * 7_919 % 5_000, n * 60)).collect();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let (pool, ticks) = (pool.clone(), ticks.clone());
        writers.spawn(async move {
            let mut client = pool.get().await.unwrap();
            // Each batch overlaps its neighbours, which other writers store.
            for batch in ticks.chunks(200).skip(writer).step_by(4) {
                let first = batch[0].trade_id.unwrap() as usize;
                let wider = &ticks[first.saturating_sub(50)..(first + 250).min(ticks.len())];
                store(&mut client, id, wider, false).await;
            }
        });
    }
    writers.join_all().await;
    let client = pool.get().await.unwrap();
    assert_eq!(count(&client, "price").await, 4_000);
    assert_eq!(candles(&client).await, expected(&ticks));
}

#[tokio::test]
async fn a_failed_batch_leaves_nothing_behind() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    // No partition for that day.
    let stray = Tick { exchange_time: Some(noon() - TimeDelta::days(400)), ..trade(2, 5, 0) };
    let ticks = [trade(1, 5, 0), stray];
    let price = |tick| NewPrice { ticker_id: id, source: TickSource::Stream, tick };
    let error = ingest::store(&mut client, ticks.iter().map(price).collect(), &[id], false, &Alerts::default().turn())
        .await
        .unwrap_err();
    assert!(error.is_permanent(), "{error}");
    assert_eq!((count(&client, "price").await, count(&client, "candle").await), (0, 0));
}

#[tokio::test]
async fn a_price_needs_a_ticker_and_a_ticker_keeps_its_prices() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let tick = trade(1, 5, 0);
    for (maybe_stored, refused_by) in [(false, "candle_ticker_id_fkey"), (true, "is not in table ticker")] {
        let orphan = vec![NewPrice { ticker_id: id + 1, source: TickSource::Stream, tick: &tick }];
        let error = ingest::store(&mut client, orphan, &[], maybe_stored, &Alerts::default().turn()).await.unwrap_err();
        assert!(error.is_permanent() && error.to_string().contains(refused_by), "{error}");
    }
    store(&mut client, id, &[tick], false).await;
    let refused = client.execute("DELETE FROM ticker WHERE id = $1", &[&id]).await.unwrap_err();
    assert!(refused.as_db_error().unwrap().message().contains("BTCUSDT"), "{refused:?}");
}

#[tokio::test]
async fn coins_get_the_names_that_people_use() {
    let (_database, pool) = migrated().await;
    let mut client = pool.get().await.unwrap();
    let first = binance(vec![
        listed("BTCUSDT", "BTC", "USDT"),
        listed("ZQXUSDT", "ZQX", "USDT"),
        // A coin whose code is another coin's name, and two codes that differ in case only.
        listed("BITCOINUSDT", "BITCOIN", "USDT"),
        listed("zqxUSDT", "zqx", "USDT"),
    ]);
    assert_eq!(catalogue::store(&mut client, &first).await.unwrap(), 4);
    assert_eq!(catalogue::store(&mut client, &first).await.unwrap(), 0, "the same again changes nothing");
    let name = async |code: &str| -> String {
        client.query_one("SELECT name FROM symbol WHERE code = $1", &[&code]).await.unwrap().get(0)
    };
    assert_eq!(name("BTC").await, "bitcoin");
    assert_eq!(name("USDT").await, "tether");
    assert_eq!(name("BITCOIN").await, "bitcoin-token");
    let names = [name("ZQX").await, name("zqx").await];
    assert!(names.contains(&"zqx".to_owned()) && names[0] != names[1], "{names:?}");

    let halted = Instrument { status: InstrumentStatus::Halted, ..listed("BTCUSDT", "BTC", "USDT") };
    assert_eq!(catalogue::store(&mut client, &binance(vec![halted])).await.unwrap(), 1);
    let row = client.query_one("SELECT status FROM tickers WHERE ticker = 'BTCUSDT'", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "halted");
}

#[tokio::test]
async fn migrating_at_the_same_time_and_again_is_harmless() {
    let database = TestDatabase::empty().await;
    let mut services = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
        services.spawn(async move { migrate(&pool).await });
    }
    for outcome in services.join_all().await {
        outcome.unwrap();
    }
    let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
    assert!(migrate::is_current(&pool).await.unwrap());
    let client = pool.get().await.unwrap();
    let partitions =
        client.query_one("SELECT count(*) FROM pg_inherits WHERE inhparent = 'price'::regclass", &[]).await.unwrap();
    assert_eq!(partitions.get::<_, i64>(0), 9, "yesterday, today and seven days ahead");
}

#[tokio::test]
async fn every_table_and_column_is_explained() {
    let (_database, pool) = migrated().await;
    let client = pool.get().await.unwrap();
    let unexplained = client
        .query(
            "SELECT c.relname || coalesce('.' || a.attname, '') AS what
             FROM pg_class c
             LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND c.relkind IN ('r', 'p')
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
               AND c.relname <> 'refinery_schema_history'
               AND (obj_description(c.oid, 'pg_class') IS NULL
                    OR a.attnum IS NOT NULL AND col_description(c.oid, a.attnum) IS NULL)",
            &[],
        )
        .await
        .unwrap();
    let names: Vec<&str> = unexplained.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, Vec::<&str>::new());
}

fn gap(first: i64, last: i64, state: GapState, missing: i64, revision: u32) -> Gap {
    Gap {
        ticker: "BTCUSDT".into(),
        first_trade_id: first,
        last_trade_id: last,
        from: Some(noon()),
        to: None,
        cause: GapCause::Disconnected,
        state,
        missing,
        attempts: 0,
        detail: None,
        found_at: noon(),
        updated_at: noon() + TimeDelta::seconds(revision.into()),
        revision,
        by_time: false,
    }
}

fn report(gaps: Vec<Gap>) -> GapReport {
    GapReport { exchange: "binance".into(), gaps }
}

#[tokio::test]
async fn the_ledger_keeps_the_last_word_and_agrees_with_what_is_stored() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let ticks: Vec<Tick> = [1, 2, 6, 7, 10].map(|number| trade(number, 5, number)).into();
    store(&mut client, id, &ticks, false).await;
    let said = report(vec![gap(3, 5, GapState::Open, 3, 1), gap(8, 9, GapState::Filled, 0, 4)]);
    assert_eq!(gaps::store(&mut client, &said).await.unwrap(), [] as [&str; 0]);
    // What was said before comes late, and twice.
    let older = report(vec![gap(8, 9, GapState::Open, 2, 1), gap(3, 5, GapState::Open, 3, 1)]);
    gaps::store(&mut client, &older).await.unwrap();
    let listed = gaps::list_gaps(&client, &GapFilter::default(), 10).await.unwrap();
    let summary: Vec<_> = listed.iter().map(|gap| (gap.first_trade_id, gap.state.as_str(), gap.missing)).collect();
    assert_eq!(summary, [(8, "filled", 0), (3, "open", 3)]);
    let open = GapFilter { open: Some(true), ..GapFilter::default() };
    assert_eq!(gaps::list_gaps(&client, &open, 10).await.unwrap().len(), 1);

    // The ledger knows of the first hole; of the second it says that it is filled, which is not so.
    let check = "SELECT first_trade_id, last_trade_id, in_ledger FROM missing_trades('2026-11-20', '2026-11-20')";
    let rows = client.query(check, &[]).await.unwrap();
    let rows: Vec<(i64, i64, bool)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(rows, [(3, 5, true), (8, 9, false)]);

    let unlisted = Gap { ticker: "NOSUCHPAIR".into(), ..gap(1, 1, GapState::Open, 1, 1) };
    assert_eq!(gaps::store(&mut client, &report(vec![unlisted])).await.unwrap(), ["NOSUCHPAIR"]);
}

#[tokio::test]
async fn backfilled_trades_correct_a_candle_and_raise_its_revision() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let ticks: Vec<Tick> = (1..=9).map(|number| trade(number, 5 + number % 4, number)).collect();
    let (missed, came): (Vec<&Tick>, Vec<&Tick>) =
        ticks.iter().partition(|tick| (3..6).contains(&tick.trade_id.unwrap()));
    let price = |source| move |tick| NewPrice { ticker_id: id, source, tick };
    let came = came.into_iter().map(price(TickSource::Stream)).collect();
    ingest::store(&mut client, came, &[id], false, &Alerts::default().turn()).await.unwrap();
    let revision =
        async |client: &Client| -> i32 { client.query_one("SELECT revision FROM candle", &[]).await.unwrap().get(0) };
    assert_eq!(revision(&client).await, 0);
    for _ in 0..2 {
        let missed = missed.iter().copied().map(price(TickSource::Backfill)).collect();
        ingest::store(&mut client, missed, &[], true, &Alerts::default().turn()).await.unwrap();
    }
    assert_eq!(revision(&client).await, 1, "what is there already corrects nothing");
    assert_eq!(candles(&client).await, expected(&ticks));
}

/// What the exchange makes of these trades, in the hour from noon on.
fn told(trades: &[Tick]) -> MinuteReport {
    let mut minutes: BTreeMap<DateTime<Utc>, Candle> = BTreeMap::new();
    for tick in trades {
        let candle = Candle::of(tick, Interval::OneMinute).unwrap();
        match minutes.entry(candle.open_time) {
            Entry::Vacant(entry) => drop(entry.insert(candle)),
            Entry::Occupied(mut entry) => entry.get_mut().merge(&candle).unwrap(),
        }
    }
    let minute = |candle: Candle| ExchangeMinute {
        open_time: candle.open_time,
        open: candle.open,
        high: candle.high,
        low: candle.low,
        close: candle.close,
        volume: candle.volume,
        quote_volume: candle.quote_volume,
        trades: candle.trades,
    };
    MinuteReport {
        exchange: "binance".into(),
        ticker: "BTCUSDT".into(),
        purpose: Purpose::Compare,
        from: noon(),
        to: noon() + TimeDelta::hours(1),
        minutes: minutes.into_values().map(minute).collect(),
    }
}

async fn stored(client: &mut Client, id: i32, source: TickSource, trades: &[Tick]) {
    let prices = trades.iter().map(|tick| NewPrice { ticker_id: id, source, tick }).collect();
    ingest::store(client, prices, &[], true, &Alerts::default().turn()).await.unwrap();
}

async fn differences(client: &Client) -> Vec<(String, i64, i64)> {
    let sql = "SELECT state, our_trades, trades FROM differences ORDER BY open_time";
    client.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

async fn origins(client: &Client) -> Vec<(String, i64, Decimal)> {
    let sql = "SELECT origin, trades, volume FROM candles ORDER BY open_time";
    client.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test]
async fn candles_that_agree_with_the_exchange_s_leave_no_trace_but_the_count() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let trades: Vec<Tick> = (0..100).map(|number| trade(number, 6_400_000 + number, number * 10_000)).collect();
    stored(&mut client, id, TickSource::Stream, &trades).await;
    for _ in 0..2 {
        let compared = comparison::store(&mut client, &told(&trades)).await.unwrap();
        assert_eq!(compared, Some(Compared { minutes: 17, different: 0 }));
    }
    assert_eq!(differences(&client).await, []);
    assert_eq!(client.query_one("SELECT count(*) FROM comparison", &[]).await.unwrap().get::<_, i64>(0), 1);
    let stranger = MinuteReport { ticker: "NOBODY".into(), ..told(&trades) };
    assert_eq!(comparison::store(&mut client, &stranger).await.unwrap(), None);
}

#[tokio::test]
async fn a_quote_volume_made_of_a_rounded_average_price_agrees_and_any_other_does_not() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let trades: Vec<Tick> = (0..18).map(|number| trade(number, 6_400_000 + number, number * 10_000)).collect();
    stored(&mut client, id, TickSource::Stream, &trades).await;
    let with_average_of = async |client: &mut Client, error: Decimal| {
        let mut report = told(&trades);
        for minute in &mut report.minutes {
            minute.quote_volume = ((minute.quote_volume / minute.volume).round_dp(1) + error) * minute.volume;
        }
        comparison::store(client, &report).await.unwrap()
    };
    let rounded = with_average_of(&mut client, Decimal::ZERO).await;
    assert_eq!(rounded, Some(Compared { minutes: 3, different: 0 }));
    let wrong = with_average_of(&mut client, Decimal::ONE + Decimal::ONE).await;
    assert_eq!(wrong, Some(Compared { minutes: 3, different: 3 }));
}

#[tokio::test]
async fn a_difference_waits_for_its_trades_and_is_settled_by_them() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let trades: Vec<Tick> = (0..20).map(|number| trade(number, 6_400_000 + number, number * 10_000)).collect();
    stored(&mut client, id, TickSource::Stream, &trades[..10]).await;
    let compared = comparison::store(&mut client, &told(&trades)).await.unwrap();
    assert_eq!(compared, Some(Compared { minutes: 4, different: 3 }));
    assert_eq!(comparison::settle(&client, 60.0).await.unwrap(), Settled { open: 3, ..Default::default() });

    // A hole of the pair is being filled: nothing is decided.
    let hole =
        "INSERT INTO gap (found_at, updated_at, first_trade_id, last_trade_id, missing, ticker_id, attempts, revision,
                                 cause, state)
                VALUES (now(), now(), 10, 19, 10, $1, 0, 1, 'disconnected', 'open')";
    client.execute(hole, &[&id]).await.unwrap();
    assert_eq!(comparison::settle(&client, 0.0).await.unwrap(), Settled { open: 3, ..Default::default() });
    stored(&mut client, id, TickSource::Backfill, &trades[10..]).await;
    client.execute("UPDATE gap SET state = 'filled', missing = 0", &[]).await.unwrap();
    assert_eq!(comparison::settle(&client, 0.0).await.unwrap(), Settled { agreed: 3, ..Default::default() });
    let states: Vec<String> = differences(&client).await.into_iter().map(|(state, ..)| state).collect();
    assert_eq!(states, ["agreed"; 3]);
    let origins: Vec<String> = origins(&client).await.into_iter().map(|(origin, ..)| origin).collect();
    assert_eq!(origins, ["stream", "backfill", "backfill", "backfill"]);
}

#[tokio::test]
async fn a_minute_whose_trades_cannot_be_had_is_taken_from_the_exchange_and_counts_them_once() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let trades: Vec<Tick> = (0..18).map(|number| trade(number, 6_400_000 + number, number * 10_000)).collect();
    // Of the first minute some are known, of the second all, of the third none.
    stored(&mut client, id, TickSource::Stream, &trades[3..12]).await;
    assert_eq!(
        comparison::store(&mut client, &told(&trades)).await.unwrap(),
        Some(Compared { minutes: 3, different: 2 })
    );
    assert_eq!(comparison::settle(&client, 0.0).await.unwrap(), Settled { taken: 2, ..Default::default() });
    let expected = |client: Vec<(String, i64, Decimal)>| {
        let volume = |trades: &[Tick]| trades.iter().filter_map(|trade| trade.quantity).sum::<Decimal>();
        let wanted = [
            ("exchange".to_owned(), 6, volume(&trades[..6])),
            ("stream".to_owned(), 6, volume(&trades[6..12])),
            ("exchange".to_owned(), 6, volume(&trades[12..])),
        ];
        assert_eq!(client, wanted);
    };
    expected(origins(&client).await);
    // What comes later all the same is in it already.
    stored(&mut client, id, TickSource::Backfill, &trades[..3]).await;
    stored(&mut client, id, TickSource::Backfill, &trades[12..]).await;
    expected(origins(&client).await);
    let compared = comparison::store(&mut client, &told(&trades)).await.unwrap();
    assert_eq!(compared, Some(Compared { minutes: 3, different: 0 }));
    assert_eq!(differences(&client).await, [("taken".to_owned(), 3, 6), ("taken".to_owned(), 0, 6)]);
}

#[tokio::test]
async fn where_trades_are_not_counted_the_volume_tells_which_minutes_are_taken() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let trades: Vec<Tick> = (0..18).map(|number| trade(number, 6_400_000 + number, number * 10_000)).collect();
    // Of the first minute some are known, of the second all, of the third none.
    stored(&mut client, id, TickSource::Stream, &trades[3..12]).await;
    let mut report = told(&trades);
    for minute in &mut report.minutes {
        (minute.trades, minute.quote_volume) = (0, Decimal::ZERO);
    }
    let compared = comparison::store(&mut client, &report).await.unwrap();
    assert_eq!(compared, Some(Compared { minutes: 3, different: 2 }));
    assert_eq!(comparison::settle(&client, 0.0).await.unwrap(), Settled { taken: 2, ..Default::default() });
    let counted = origins(&client).await.into_iter().map(|(origin, trades, _)| format!("{origin} {trades}"));
    assert_eq!(counted.collect::<Vec<_>>(), ["exchange 1", "stream 6", "exchange 1"]);
    let compared = comparison::store(&mut client, &report).await.unwrap();
    assert_eq!(compared, Some(Compared { minutes: 3, different: 0 }));
}

#[tokio::test]
async fn a_minute_of_which_we_know_more_than_the_exchange_tells_stays() {
    let (_database, pool, id) = with_bitcoin().await;
    let mut client = pool.get().await.unwrap();
    let trades: Vec<Tick> = (0..12).map(|number| trade(number, 6_400_000 + number, number * 10_000)).collect();
    stored(&mut client, id, TickSource::Stream, &trades).await;
    let mut report = told(&trades[1..6]);
    assert_eq!(comparison::store(&mut client, &report).await.unwrap(), Some(Compared { minutes: 2, different: 2 }));
    assert_eq!(comparison::settle(&client, 0.0).await.unwrap(), Settled { kept: 2, ..Default::default() });
    assert_eq!(differences(&client).await, [("kept".to_owned(), 6, 5), ("kept".to_owned(), 6, 0)]);
    // The same number of trades and another price is a difference too.
    report = told(&trades);
    report.minutes[0].close = report.minutes[0].open;
    client.execute("DELETE FROM difference", &[]).await.unwrap();
    assert_eq!(comparison::store(&mut client, &report).await.unwrap(), Some(Compared { minutes: 2, different: 1 }));
    assert_eq!(comparison::settle(&client, 0.0).await.unwrap(), Settled { kept: 1, ..Default::default() });
    assert_eq!(origins(&client).await.len(), 2);
}
