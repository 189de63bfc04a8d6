//! What may be dropped goes, what may not stays, and neither changes a candle that is kept.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use database::{
    Client, DatabaseSettings, Pool,
    alerts::Alerts,
    catalogue,
    ingest::{self, NewPrice, Stored},
    migrate, minutes, packing, partitions, rollup, storage,
};
use db_handler::{KeepSettings, retention::Keeper};
use domain::{
    Catalogue, Exchange, ExchangeMinute, Instrument, InstrumentStatus, MinuteReport, Purpose, Tick, TickSource,
};
use process::Shutdown;
use rust_decimal::Decimal;
use testbed::database::TestDatabase;

/// A database in which binance lists BTCUSDT, with one connection only.
struct Bench {
    database: TestDatabase,
    pool: Pool,
    ticker_id: i32,
}

fn pool(database: &TestDatabase) -> Pool {
    let settings = DatabaseSettings { database_pool_size: 1, ..DatabaseSettings::at(database.url()) };
    database::connect(&settings).unwrap()
}

impl Bench {
    async fn new() -> Self {
        let database = TestDatabase::create(&migrate::fingerprint(), |url| async move {
            let pool = database::connect(&DatabaseSettings::at(url))?;
            let outcome = migrate(&pool).await;
            pool.close();
            outcome
        })
        .await;
        let pool = pool(&database);
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
        catalogue::store(&mut client, &Catalogue { exchange, instruments, taken_at: None, numbers_trades: true })
            .await
            .unwrap();
        let ticker_id = catalogue::ticker_ids(&client, "binance").await.unwrap()["BTCUSDT"];
        drop(client);
        Self { database, pool, ticker_id }
    }

    /// So many trades in each of the days that are so long ago, folded.
    async fn with_days(ago: &[i64], trades: i64) -> Self {
        let bench = Self::new().await;
        for ago in ago {
            bench.store(&day_of(midnight(*ago), trades)).await;
        }
        bench.fold().await;
        bench
    }

    async fn client(&self) -> Client {
        self.pool.get().await.unwrap()
    }

    async fn store(&self, ticks: &[Tick]) -> Stored {
        store(&self.pool, self.ticker_id, ticks).await
    }

    async fn fold(&self) {
        while rollup::round(&mut self.client().await, 1_000).await.unwrap() == 1_000 {}
    }

    async fn sql(&self, sql: &str) {
        self.client().await.batch_execute(sql).await.unwrap();
    }

    async fn text(&self, query: &str) -> String {
        self.client().await.query_one(query, &[]).await.unwrap().get::<_, Option<String>>(0).unwrap_or_default()
    }

    /// Every candle of these widths, digit for digit.
    async fn candles(&self, widths: &str) -> String {
        self.text(&format!(
            "SELECT string_agg(candle::text, E'\\n' ORDER BY width, open_time) FROM candle WHERE width = ANY('{{{widths}}}')"
        ))
        .await
    }

    /// One round of a keeper that knows nothing yet.
    async fn keep(&self, settings: KeepSettings) {
        Keeper::new(self.pool.clone(), settings).round(&Shutdown::new()).await.unwrap();
    }

    async fn report(&self) -> storage::Report {
        storage::report(&self.client().await).await.unwrap()
    }

    /// How many days ago those days began that have ticks.
    async fn days(&self) -> Vec<i64> {
        let rows = self
            .client()
            .await
            .query("SELECT DISTINCT date_bin('1 day', time, '2001-01-01Z') FROM price ORDER BY 1", &[])
            .await;
        rows.unwrap().iter().map(|row| (midnight(0) - row.get::<_, DateTime<Utc>>(0)).num_days()).collect()
    }
}

/// A midnight that passes while tests run moves none of their days.
static TODAY: LazyLock<NaiveDate> = LazyLock::new(|| Utc::now().date_naive());

fn midnight(days_ago: i64) -> DateTime<Utc> {
    TODAY.and_hms_opt(0, 0, 0).unwrap().and_utc() - TimeDelta::days(days_ago)
}

fn tick(trade_id: i64, time: DateTime<Utc>) -> Tick {
    Tick {
        ticker: "BTCUSDT".into(),
        trade_id: Some(trade_id),
        price: Decimal::new(6_400_000 + trade_id % 997, 2),
        quantity: Some(Decimal::new(trade_id % 89 + 1, 4)),
        taker_side: None,
        exchange_time: Some(time),
        received_at: time,
    }
}

/// Trades evenly over a day, from its first moment on.
fn day_of(begin: DateTime<Utc>, trades: i64) -> Vec<Tick> {
    let number = begin.timestamp();
    (0..trades).map(|at| tick(number + at, begin + TimeDelta::milliseconds(at * 86_400_000 / trades))).collect()
}

async fn store(pool: &Pool, ticker_id: i32, ticks: &[Tick]) -> Stored {
    let mut client = pool.get().await.unwrap();
    let mut days: Vec<_> = ticks.iter().map(|tick| tick.time().date_naive()).collect();
    days.dedup();
    for day in days {
        partitions::create(&client, day).await.unwrap();
    }
    let source = TickSource::Stream;
    let prices = ticks.iter().map(|tick| NewPrice { ticker_id, source, tick }).collect();
    ingest::store(&mut client, prices, &[ticker_id], false, &Alerts::default().turn()).await.unwrap()
}

fn ticks_days(days: u16) -> KeepSettings {
    KeepSettings { keep_ticks_days: Some(days), ..KeepSettings::default() }
}

#[tokio::test]
async fn what_is_old_and_settled_goes_and_every_candle_stays() {
    let bench = Bench::with_days(&[12, 6, 4, 1], 700).await;
    let candles = bench.candles("1m,5m,1h,1d").await;
    bench.keep(KeepSettings::default()).await;
    assert_eq!(bench.days().await, [12, 6, 4, 1], "nothing is asked for");
    bench.keep(ticks_days(5)).await;
    assert_eq!(bench.days().await, [4, 1]);
    assert_eq!(bench.candles("1m,5m,1h,1d").await, candles);
    let report = bench.report().await;
    assert_eq!((report.kept.len(), report.keep_ticks_days), (0, Some(5)));
    let went: Vec<_> = report.dropped.iter().filter(|span| span.rows > 0).collect();
    assert_eq!(went.iter().map(|span| span.from_time).collect::<Vec<_>>(), [midnight(6), midnight(12)]);
    let volume: Decimal = day_of(midnight(6), 700).iter().filter_map(|tick| tick.quantity).sum();
    for span in went {
        assert_eq!((span.rows, span.trades, span.why.as_str()), (700, 700, "KEEP_TICKS_DAYS=5"));
        assert!(span.bytes > 50_000, "{}", span.bytes);
    }
    let told: Decimal =
        report.dropped.iter().find(|span| span.from_time == midnight(6)).unwrap().volume.parse().unwrap();
    assert_eq!(told, volume);
}

#[tokio::test]
async fn each_condition_alone_keeps_a_day() {
    let bench = Bench::with_days(&[6, 1], 700).await;
    let id = bench.ticker_id;
    let noon = (midnight(6) + TimeDelta::hours(12)).to_rfc3339();
    let partition = midnight(6).format("price_%Y_%m_%d").to_string();
    let hole = |state: &str| {
        format!(
            "INSERT INTO gap (found_at, updated_at, from_time, to_time, first_trade_id, last_trade_id, missing, ticker_id, attempts,
                              revision, cause, state)
             VALUES (now(), now(), '{noon}', '{noon}', 5, 6, 2, {id}, 0, 1, 'skipped', '{state}')"
        )
    };
    let compared = |from: &str, to: &str| {
        format!(
            "INSERT INTO comparison (ticker_id, from_time, to_time, minutes, different) VALUES ({id}, {from}, {to}, 60, 0);"
        )
    };
    let day = midnight(6).to_rfc3339();
    // All hours of the day but one; and the day before, so that the pair is known to be compared.
    let most = compared(&format!("'{day}'"), &format!("'{noon}'::timestamptz"))
        + &compared(
            &format!("'{noon}'::timestamptz + interval '1 hour'"),
            &format!("'{day}'::timestamptz + interval '1 day'"),
        );
    let rest = compared(&format!("'{noon}'"), &format!("'{noon}'::timestamptz + interval '1 hour'"));
    for (make, mend, reason) in [
        (hole("open"), "DELETE FROM gap".to_owned(), "hole"),
        (hole("filling"), "UPDATE gap SET state = 'filled', missing = 0".to_owned(), "hole"),
        (
            format!("INSERT INTO stale_candle VALUES (date_bin('5 minutes', '{noon}', '2001-01-01Z'), {id})"),
            "DELETE FROM stale_candle".to_owned(),
            "not folded",
        ),
        (
            format!(
                "INSERT INTO difference (ticker_id, open_time, our_trades, our_volume, trades, volume, quote_volume)
                 VALUES ({id}, '{noon}', 1, 1, 2, 2, 2)"
            ),
            "UPDATE difference SET state = 'kept'".to_owned(),
            "difference",
        ),
        (most, rest, "awaited"),
        (
            format!(
                "CREATE TABLE gone AS SELECT * FROM {partition} LIMIT 1; DELETE FROM {partition} WHERE trade_id = (SELECT trade_id FROM gone)"
            ),
            format!("INSERT INTO {partition} SELECT * FROM gone"),
            "its ticks are 0 trades, its candle says 1",
        ),
        (
            "UPDATE candle SET volume = volume + 0.00000001 WHERE width = '1h'; DELETE FROM stale_candle".to_owned(),
            "UPDATE candle SET volume = volume - 0.00000001 WHERE width = '1h'; DELETE FROM stale_candle".to_owned(),
            "five minutes, an hour and the day differ",
        ),
        (
            "UPDATE candle SET trades = trades + 1 WHERE width = '1d'; DELETE FROM stale_candle".to_owned(),
            "UPDATE candle SET trades = trades - 1 WHERE width = '1d'; DELETE FROM stale_candle".to_owned(),
            "differ",
        ),
    ] {
        bench.sql(&make).await;
        bench.keep(ticks_days(5)).await;
        let kept = bench.report().await.kept;
        assert_eq!(kept.len(), 1, "{make}");
        assert!(kept[0].reason.contains(reason) && kept[0].from_time == midnight(6), "{reason}: {kept:?}");
        assert_eq!(bench.days().await, [6, 1], "{reason}");
        bench.sql(&mend).await;
    }
    bench.keep(ticks_days(7)).await;
    assert_eq!(bench.days().await, [6, 1], "too young");
    assert_eq!(bench.report().await.kept, []);
    bench.keep(ticks_days(5)).await;
    assert_eq!(bench.days().await, [1], "{:?}", bench.report().await.kept);
}

#[tokio::test]
async fn the_budget_takes_the_oldest_and_no_more_than_it_needs() {
    let bench = Bench::with_days(&[9, 8, 7, 6, 5, 4, 2, 1, 0], 4_000).await;
    let bytes = bench.report().await.bytes;
    let budget = |budget: i64| KeepSettings { storage_budget: Some(budget), ..KeepSettings::default() };
    bench.keep(budget(bytes + 10_000_000)).await;
    assert_eq!(bench.report().await.dropped, []);
    bench.keep(budget(bytes - 1)).await;
    let report = bench.report().await;
    let target = bytes - bytes / 20;
    assert!(report.bytes <= target && report.bytes + report.dropped[0].bytes > target, "{report:?}");
    let went = bench.days().await;
    assert!((2..9).contains(&went.len()) && [9, 8, 7, 6, 5, 4, 2, 1, 0].ends_with(&went), "{went:?}");
    assert!(report.dropped[0].why.starts_with("STORAGE_BUDGET="));
    // Nothing suffices: the last two days stay, and today.
    let candles = bench.candles("1m,5m,1h,1d").await;
    bench.keep(budget(1)).await;
    assert_eq!(bench.days().await, [2, 1, 0]);
    assert_eq!(bench.candles("1m,5m,1h,1d").await, candles);
}

#[tokio::test]
async fn nothing_is_stored_in_a_day_that_was_dropped() {
    let bench = Bench::with_days(&[6, 1], 700).await;
    bench.keep(ticks_days(5)).await;
    let candles = bench.candles("1m,5m,1h,1d").await;
    // All of it again, one that never came, and one of another day.
    let mut ticks = day_of(midnight(6), 700);
    ticks.push(tick(7, midnight(6) + TimeDelta::hours(3)));
    ticks.push(tick(8, midnight(5)));
    assert_eq!(
        bench.store(&ticks).await,
        Stored { inserted: 1, duplicates: 0, of_dropped_days: 701, ..Stored::default() }
    );
    assert_eq!(
        bench.store(&ticks).await,
        Stored { inserted: 0, duplicates: 1, of_dropped_days: 701, ..Stored::default() }
    );
    assert_eq!(bench.days().await, [5, 1]);
    bench
        .sql(&format!("DELETE FROM price WHERE trade_id = 8; DELETE FROM candle WHERE open_time = '{}'", midnight(5)))
        .await;
    bench.fold().await;
    assert_eq!(bench.candles("1m,5m,1h,1d").await, candles);
}

#[tokio::test]
async fn minutes_go_by_months_after_their_ticks_and_what_comes_late_changes_no_wide_candle() {
    // The month that held the day 50 days ago, and the first hour of the next.
    let next = {
        let day = midnight(50);
        let (year, month) = if day.month() == 12 { (day.year() + 1, 1) } else { (day.year(), day.month() + 1) };
        NaiveDate::from_ymd_opt(year, month, 1).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc()
    };
    let bench = Bench::new().await;
    bench.store(&day_of(next - TimeDelta::days(1), 2_000)).await;
    bench.store(&day_of(next, 2_000)).await;
    bench.fold().await;
    let wide = bench.candles("5m,1h,1d").await;
    let settings = KeepSettings { keep_minutes_days: Some(8), ..ticks_days(8) };
    bench.sql("INSERT INTO gap (found_at, updated_at, first_trade_id, last_trade_id, missing, ticker_id, attempts, revision, cause, state)
               SELECT now(), now(), 5, 6, 2, id, 0, 1, 'skipped', 'open' FROM ticker").await;
    bench.keep(settings.clone()).await;
    let reasons: Vec<String> = bench.report().await.kept.into_iter().map(|kept| kept.reason).collect();
    assert!(reasons.iter().any(|reason| reason.contains("days of its ticks are kept")), "{reasons:?}");
    bench.sql("DELETE FROM gap").await;
    // Only the month that is over long enough, so that the next one begins behind it.
    let minutes_from = |time: DateTime<Utc>| u16::try_from((Utc::now() - time).num_days()).unwrap();
    bench.keep(KeepSettings { keep_minutes_days: Some(minutes_from(next)), ..settings }).await;
    let report = bench.report().await;
    let month = report.dropped.iter().find(|span| span.kind == "1m" && span.rows > 0).unwrap();
    assert_eq!((month.to_time, month.rows, month.trades), (next, 1_440, 2_000));
    assert_eq!(bench.candles("5m,1h,1d").await, wide);

    // Marks of what is gone, and of the five minutes right behind it.
    let at = |time: DateTime<Utc>| format!("('{}', {})", time.to_rfc3339(), bench.ticker_id);
    let marks = [next - TimeDelta::minutes(5), next - TimeDelta::hours(2), next, next + TimeDelta::minutes(5)]
        .map(at)
        .join(", ");
    bench.sql(&format!("INSERT INTO stale_candle (open_time, ticker_id) VALUES {marks}")).await;
    bench.fold().await;
    assert_eq!(bench.candles("5m,1h,1d").await, wide);
    assert_eq!(rollup::delete_dropped_marks(&bench.client().await).await.unwrap(), 2);
    assert_eq!(rollup::delete_dropped_marks(&bench.client().await).await.unwrap(), 0);
    assert_eq!(bench.text("SELECT count(*)::text FROM stale_candle").await, "0");
    let late = tick(7, next - TimeDelta::hours(2));
    assert_eq!(bench.store(&[late]).await.of_dropped_days, 1);
    // Nor are the exchange's minutes taken over there.
    let from = next - TimeDelta::hours(1);
    let price = Decimal::new(6_400_000, 2);
    let minute = |open_time| ExchangeMinute {
        open_time,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Decimal::ONE,
        quote_volume: price,
        trades: 1,
    };
    let (exchange, ticker, purpose) = ("binance".into(), "BTCUSDT".into(), Purpose::Take);
    let report = MinuteReport { exchange, ticker, purpose, from, to: next, minutes: vec![minute(from)] };
    assert_eq!(minutes::take(&bench.client().await, &report).await.unwrap(), Some(0));
    assert_eq!(bench.candles("5m,1h,1d").await, wide);
}

#[tokio::test]
async fn the_index_of_a_day_that_is_over_is_packed_once_and_still_refuses_repetitions() {
    let bench = Bench::new().await;
    let ticks = day_of(midnight(3), 8_000);
    let (even, odd): (Vec<Tick>, Vec<Tick>) =
        ticks.clone().into_iter().partition(|tick| tick.trade_id.unwrap() % 2 == 0);
    // Every page of the index splits.
    bench.store(&even).await;
    for some in odd.chunks(100) {
        bench.store(some).await;
    }
    bench.store(&day_of(midnight(1), 100)).await;
    let packed = packing::round(&bench.client().await).await.unwrap().unwrap();
    assert!(packed.after * 10 < packed.before * 7, "{packed:?}");
    assert_eq!(packing::round(&bench.client().await).await.unwrap(), None, "yesterday's may still grow");
    assert_eq!(bench.store(&ticks).await, Stored { duplicates: 8_000, ..Stored::default() });
    // A program was killed in the middle.
    let (partition, index) = (midnight(3).format("price_%Y_%m_%d"), &packed.index);
    let begun = format!("CREATE UNIQUE INDEX CONCURRENTLY {index}_ccnew ON {partition} (ticker_id)");
    assert!(bench.client().await.batch_execute(&begun).await.is_err());
    let again = packing::round(&bench.client().await).await.unwrap().unwrap();
    assert_eq!((&again.index, again.after), (&packed.index, packed.after));
    let invalid = bench.text("SELECT count(*)::text FROM pg_index WHERE NOT indisvalid").await;
    assert_eq!((invalid.as_str(), packing::round(&bench.client().await).await.unwrap()), ("0", None));
    assert_eq!(bench.text("SHOW lock_timeout").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_makes_nobody_wait_for_long_and_loses_nothing() {
    let bench = Bench::with_days(&[8, 7, 6, 1], 2_000).await;
    let stop = Shutdown::new();
    let writing = tokio::spawn({
        let (pool, stop, id) = (pool(&bench.database), stop.clone(), bench.ticker_id);
        async move {
            let (mut stored, mut longest) = (0, Duration::ZERO);
            while !stop.is_cancelled() {
                let begin = Instant::now();
                let time = midnight(0) + TimeDelta::milliseconds(i64::try_from(stored).unwrap());
                stored += store(&pool, id, &[tick(i64::try_from(stored).unwrap(), time)]).await.inserted;
                longest = longest.max(begin.elapsed());
            }
            (stored, longest)
        }
    });
    let reading = tokio::spawn({
        let (pool, stop, id) = (pool(&bench.database), stop.clone(), bench.ticker_id);
        async move {
            let (mut read, mut longest) = (0_u64, Duration::ZERO);
            while !stop.is_cancelled() {
                let begin = Instant::now();
                let client = pool.get().await.unwrap();
                assert!(database::prices::find_newest_price(&client, id).await.unwrap().is_some());
                (read, longest) = (read + 1, longest.max(begin.elapsed()));
            }
            (read, longest)
        }
    });
    // Somebody has looked at prices in a transaction that stays open.
    let analyst = pool(&bench.database);
    let mut analyst = analyst.get().await.unwrap();
    let open = analyst.transaction().await.unwrap();
    open.query("SELECT count(*) FROM price", &[]).await.unwrap();
    bench.keep(ticks_days(7)).await;
    assert!(bench.report().await.kept.iter().all(|kept| kept.reason.contains("somebody reads")));
    assert_eq!(bench.days().await.iter().filter(|ago| **ago > 1).count(), 3);
    open.commit().await.unwrap();
    bench.keep(ticks_days(5)).await;
    stop.cancel();
    let ((stored, write), (read, longest)) = (writing.await.unwrap(), reading.await.unwrap());
    assert_eq!(bench.days().await, [1, 0], "{:?}", bench.report().await.kept);
    let found = bench.text(&format!("SELECT count(*)::text FROM price WHERE time >= '{}'", midnight(0))).await;
    assert_eq!((found, stored > 0, read > 0), (stored.to_string(), true, true));
    // The last try waits two seconds, and this machine may be busy.
    assert!(write < Duration::from_secs(6) && longest < Duration::from_secs(6), "{write:?} {longest:?}");
}
