//! The whole market on a real PostgreSQL: the newest word counts, whatever comes twice or late; trades outrank samples; pairs
//! come, go and change their names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use database::{
    Client, DatabaseSettings, Pool,
    alerts::Alerts,
    catalogue,
    ingest::{self, NewPrice},
    market::{self, Stored},
    migrate,
    minutes::{self, Page, Span},
    partitions,
};
use domain::{
    Catalogue, Exchange, ExchangeMinute, Instrument, InstrumentStatus, MarketReport, MarketRow, MinuteReport, Purpose,
    Side, Tick, TickSource,
};
use rust_decimal::Decimal;
use testbed::database::TestDatabase;

fn noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn listing(pairs: &[(&str, &str)], taken_at: Option<DateTime<Utc>>) -> Catalogue {
    let instrument = |(ticker, base): &(&str, &str)| {
        let status = InstrumentStatus::Trading;
        Instrument {
            ticker: (*ticker).into(),
            base: (*base).into(),
            quote: "USDT".into(),
            status,
            steps: domain::Steps::default(),
        }
    };
    let exchange = Exchange { name: "binance".into(), country: None };
    Catalogue { exchange, instruments: pairs.iter().map(instrument).collect(), taken_at, numbers_trades: true }
}

/// A database in which binance lists these pairs.
async fn listed(pairs: &[(&str, &str)]) -> (TestDatabase, Pool, Client) {
    let database = TestDatabase::create(&migrate::fingerprint(), |url| async move {
        let pool = database::connect(&DatabaseSettings::at(url))?;
        let outcome = migrate(&pool).await;
        pool.close();
        outcome
    })
    .await;
    let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
    let mut client = pool.get().await.unwrap();
    catalogue::store(&mut client, &listing(pairs, None)).await.unwrap();
    (database, pool, client)
}

const TWO: [(&str, &str); 2] = [("BTCUSDT", "BTC"), ("ETHUSDT", "ETH")];

fn row(ticker: &str, cents: i64, offset_ms: i64) -> MarketRow {
    let time = noon() + TimeDelta::milliseconds(offset_ms);
    MarketRow {
        ticker: ticker.into(),
        price: Decimal::new(cents, 2),
        open_24h: Some(Decimal::from(100)),
        high_24h: Some(Decimal::from(140)),
        low_24h: Some(Decimal::from(90)),
        volume_24h: Some(Decimal::new(offset_ms, 3)),
        quote_volume_24h: None,
        exchange_time: Some(time),
        received_at: time + TimeDelta::milliseconds(40),
    }
}

fn report(rows: Vec<MarketRow>) -> MarketReport {
    MarketReport::new("binance", rows)
}

async fn texts(client: &Client, query: &str) -> Vec<String> {
    client.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Everything that storing a report can change.
async fn state(client: &Client) -> Vec<String> {
    texts(
        client,
        "SELECT markets::text FROM markets
         UNION ALL SELECT (ticker, width, open_time, open, high, low, close, volume, trades, ticks, revision, origin)::text
                   FROM candles ORDER BY 1",
    )
    .await
}

fn stored(applied: u64, outdated: u64, unknown: u64) -> Stored {
    Stored { applied, outdated, unknown, ..Stored::default() }
}

#[tokio::test]
async fn a_report_delivered_again_changes_nothing_and_an_older_one_turns_nothing_back() {
    let (_database, _pool, mut client) = listed(&TWO).await;
    let older = report(vec![row("ETHUSDT", 11_000, 1_000), row("BTCUSDT", 12_000, 1_000)]);
    let newer = report(vec![row("BTCUSDT", 13_000, 2_000)]);
    assert_eq!(market::store(&mut client, &older, &Alerts::default().turn()).await.unwrap(), stored(2, 0, 0));
    assert_eq!(market::store(&mut client, &newer, &Alerts::default().turn()).await.unwrap(), stored(1, 0, 0));
    let before = state(&client).await;
    assert_eq!(market::store(&mut client, &newer, &Alerts::default().turn()).await.unwrap(), stored(0, 1, 0));
    assert_eq!(market::store(&mut client, &older, &Alerts::default().turn()).await.unwrap(), stored(0, 2, 0));
    assert_eq!(state(&client).await, before);
    let told =
        "SELECT format('%s %s %s %s', ticker, price, trim_scale(change_24h), volume_24h) FROM markets ORDER BY ticker";
    assert_eq!(texts(&client, told).await, ["BTCUSDT 130.00 0.3 2.000", "ETHUSDT 110.00 0.1 1.000"]);
    let candles =
        "SELECT format('%s %s %s %s %s %s', ticker, open, close, trades, ticks, origin) FROM candles ORDER BY ticker";
    assert_eq!(texts(&client, candles).await, ["BTCUSDT 120.00 130.00 0 2 polls", "ETHUSDT 110.00 110.00 0 1 polls"]);
}

#[tokio::test]
async fn unknown_pairs_are_counted_and_hold_up_nobody_and_of_a_pair_told_twice_the_newest_counts() {
    let (_database, _pool, mut client) = listed(&TWO).await;
    let mixed = report(vec![
        row("BTCUSDT", 12_000, 2_000),
        row("NOBODY", 1, 1_000),
        row("BTCUSDT", 11_000, 1_000),
        row("NOBODY", 1, 2_000),
    ]);
    assert_eq!(market::store(&mut client, &mixed, &Alerts::default().turn()).await.unwrap(), stored(1, 1, 2));
    assert_eq!(texts(&client, "SELECT price::text FROM markets").await, ["120.00"]);
    let stranger = MarketReport::new("nowhere", mixed.rows);
    assert_eq!(market::store(&mut client, &stranger, &Alerts::default().turn()).await.unwrap(), stored(0, 0, 4));
    assert_eq!(
        market::store(&mut client, &report(Vec::new()), &Alerts::default().turn()).await.unwrap(),
        stored(0, 0, 0)
    );
}

fn trade(id: i64, cents: i64, offset_ms: i64) -> Tick {
    let time = noon() + TimeDelta::milliseconds(offset_ms);
    Tick {
        ticker: "BTCUSDT".into(),
        trade_id: Some(id),
        price: Decimal::new(cents, 2),
        quantity: Some(Decimal::ONE),
        taker_side: Some(Side::Buy),
        exchange_time: Some(time),
        received_at: time,
    }
}

#[tokio::test]
async fn trades_outrank_samples_whichever_comes_first() {
    let (_database, _pool, mut client) = listed(&TWO).await;
    let id = catalogue::ticker_ids(&client, "binance").await.unwrap()["BTCUSDT"];
    partitions::create(&client, noon().date_naive()).await.unwrap();
    let candle = "SELECT format('%s %s %s %s %s %s', open, high, low, close, trades, ticks) FROM candles";
    market::store(&mut client, &report(vec![row("BTCUSDT", 99_900, 1_000)]), &Alerts::default().turn()).await.unwrap();
    assert_eq!(texts(&client, candle).await, ["999.00 999.00 999.00 999.00 0 1"]);
    let ticks = [trade(1, 12_000, 500), trade(2, 11_000, 2_000)];
    let prices = ticks.iter().map(|tick| NewPrice { ticker_id: id, source: TickSource::Stream, tick }).collect();
    ingest::store(&mut client, prices, &[id], false, &Alerts::default().turn()).await.unwrap();
    let of_trades = ["120.00 120.00 110.00 110.00 2 2"];
    assert_eq!(texts(&client, candle).await, of_trades);
    let late = report(vec![row("BTCUSDT", 88_800, 3_000)]);
    assert_eq!(market::store(&mut client, &late, &Alerts::default().turn()).await.unwrap(), stored(1, 0, 0));
    assert_eq!(texts(&client, candle).await, of_trades, "the sample shows in the market alone");
    assert_eq!(texts(&client, "SELECT price::text FROM markets").await, ["888.00"]);
}

#[tokio::test]
async fn two_thousand_pairs_are_stored_well_within_a_tenth_of_a_second_and_by_many_writers_at_once() {
    let tickers: Vec<String> = (0..2_000).map(|number| format!("COIN{number}USDT")).collect();
    let codes: Vec<String> = (0..2_000).map(|number| format!("COIN{number}")).collect();
    let pairs: Vec<(&str, &str)> = tickers.iter().zip(&codes).map(|(one, two)| (one.as_str(), two.as_str())).collect();
    let (_database, pool, mut client) = listed(&pairs).await;
    let at = |second: i64| {
        let rows = tickers.iter().rev().map(|ticker| row(ticker, 10_000 + second, second * 1_000));
        report(rows.collect())
    };
    let mut took: Vec<Duration> = Vec::new();
    for second in 1..=15 {
        let (report, begin) = (at(second), Instant::now());
        assert_eq!(market::store(&mut client, &report, &Alerts::default().turn()).await.unwrap(), stored(2_000, 0, 0));
        took.push(begin.elapsed());
    }
    took.sort_unstable();
    eprintln!("2,000 pairs: median {:?}, slowest {:?}", took[7], took[14]);
    // Generous: it is one of many tests on a few cores.
    assert!(took[7] < Duration::from_millis(1_000), "{took:?}");
    let writers = (0..4).map(|number| {
        let (pool, reports) = (pool.clone(), (0..5).map(|round| at(16 + round * 4 + number)).collect::<Vec<_>>());
        tokio::spawn(async move {
            let mut client = pool.get().await.unwrap();
            for report in reports {
                market::store(&mut client, &report, &Alerts::default().turn()).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let newest =
        "SELECT format('%s %s', count(*), min(price)) FROM markets WHERE price = (SELECT max(price) FROM markets)";
    assert_eq!(texts(&client, newest).await, ["2000 100.35"]);
}

fn minute(offset_minutes: i64, trades: i64) -> ExchangeMinute {
    let price = Decimal::from(100);
    ExchangeMinute {
        open_time: noon() + TimeDelta::minutes(offset_minutes),
        open: price,
        high: Decimal::from(120),
        low: price,
        close: Decimal::from(110),
        volume: Decimal::from(trades),
        quote_volume: Decimal::from(trades * 105),
        trades,
    }
}

fn told(minutes: Vec<ExchangeMinute>) -> MinuteReport {
    let (from, to) = (noon(), noon() + TimeDelta::hours(1));
    MinuteReport { exchange: "binance".into(), ticker: "BTCUSDT".into(), purpose: Purpose::Take, from, to, minutes }
}

#[tokio::test]
async fn an_exchange_s_minutes_replace_those_that_know_fewer_trades_and_are_taken_once() {
    let (_database, _pool, mut client) = listed(&TWO).await;
    let id = catalogue::ticker_ids(&client, "binance").await.unwrap()["BTCUSDT"];
    partitions::create(&client, noon().date_naive()).await.unwrap();
    // A sample in the first minute, three trades in the second, nothing in the third.
    market::store(&mut client, &report(vec![row("BTCUSDT", 99_900, 1_000)]), &Alerts::default().turn()).await.unwrap();
    let ticks: Vec<Tick> = (1..4).map(|number| trade(number, 12_000, 60_000 + number)).collect();
    let prices = ticks.iter().map(|tick| NewPrice { ticker_id: id, source: TickSource::Stream, tick }).collect();
    ingest::store(&mut client, prices, &[id], false, &Alerts::default().turn()).await.unwrap();
    let candles =
        "SELECT format('%s %s %s %s %s %s %s', open, close, volume, trades, trim_scale(mean_price), revision, origin)
                   FROM candles ORDER BY open_time";
    let first = told(vec![minute(0, 5), minute(1, 3), minute(2, 7)]);
    assert_eq!(minutes::take(&client, &first).await.unwrap(), Some(2));
    let expected = ["100 110 5 5 105 0 exchange", "120.00 120.00 3 3 120 0 stream", "100 110 7 7 105 0 exchange"];
    assert_eq!(texts(&client, candles).await, expected);
    assert_eq!(minutes::take(&client, &first).await.unwrap(), Some(0), "once more, nothing changes");
    assert_eq!(texts(&client, candles).await, expected);
    // More trades than were known replace ours, and trades that come later are in it already.
    assert_eq!(minutes::take(&client, &told(vec![minute(1, 4)])).await.unwrap(), Some(1));
    let missed = [trade(4, 12_000, 61_000)];
    let prices = missed.iter().map(|tick| NewPrice { ticker_id: id, source: TickSource::Backfill, tick }).collect();
    ingest::store(&mut client, prices, &[], false, &Alerts::default().turn()).await.unwrap();
    assert_eq!(texts(&client, candles).await[1], "100 110 4 4 105 1 exchange");
    assert_eq!(texts(&client, "SELECT state FROM differences").await, [""; 0], "nothing was compared");
    let stranger = MinuteReport { ticker: "NOBODY".into(), ..first };
    assert_eq!(minutes::take(&client, &stranger).await.unwrap(), None);
}

#[tokio::test]
async fn minutes_of_which_the_trades_are_not_told_are_taken_by_their_volume_and_marked() {
    let (_database, _pool, mut client) = listed(&TWO).await;
    let id = catalogue::ticker_ids(&client, "binance").await.unwrap()["BTCUSDT"];
    partitions::create(&client, noon().date_naive()).await.unwrap();
    let ticks: Vec<Tick> = (1..6).map(|number| trade(number, 12_000, 60_000 + number)).collect();
    let prices = |source| ticks.iter().map(move |tick| NewPrice { ticker_id: id, source, tick });
    ingest::store(&mut client, prices(TickSource::Stream).collect(), &[id], false, &Alerts::default().turn())
        .await
        .unwrap();
    let ours = ticks.iter().filter_map(|tick| tick.quantity).sum::<Decimal>();
    let untold =
        |at: i64, volume: Decimal| ExchangeMinute { volume, quote_volume: Decimal::ZERO, trades: 0, ..minute(at, 5) };
    let candles = "SELECT format('%s %s %s %s %s %s %s', open_time - '2026-11-20 12:00Z', trim_scale(volume),
                          trim_scale(quote_volume), trades, ticks, untold, origin)
                   FROM candles WHERE width = '1m' ORDER BY open_time";
    // The sum of floats, of the same trades.
    let rounded = ours + Decimal::new(1, 15);
    let first = told(vec![untold(0, Decimal::TWO), untold(1, rounded)]);
    assert_eq!(minutes::take(&client, &first).await.unwrap(), Some(1));
    let minute_of_ours =
        format!("00:01:00 {0} {1} 5 5 0 stream", ours.normalize(), (ours * Decimal::from(120)).normalize());
    let mean = "00:00:00 2 215 1 1 1 exchange";
    assert_eq!(texts(&client, candles).await, [mean, &minute_of_ours]);
    assert_eq!(minutes::take(&client, &first).await.unwrap(), Some(0), "once more, nothing changes");
    assert_eq!(minutes::take(&client, &told(vec![untold(1, ours + Decimal::ONE)])).await.unwrap(), Some(1));
    ingest::store(&mut client, prices(TickSource::Backfill).collect(), &[], true, &Alerts::default().turn())
        .await
        .unwrap();
    let more = format!(
        "00:01:00 {} {} 1 1 1 exchange",
        (ours + Decimal::ONE).normalize(),
        ((ours + Decimal::ONE) * Decimal::new(1_075, 1)).normalize()
    );
    assert_eq!(texts(&client, candles).await, [mean, &more]);
    // One that tells everything takes the place of one that does not.
    assert_eq!(minutes::take(&client, &told(vec![minute(0, 1)])).await.unwrap(), Some(1));

    while database::rollup::round(&mut client, 100).await.unwrap() > 0 {}
    let wide = "SELECT format('%s %s %s', width, trades, untold) FROM candles WHERE width <> '1m' ORDER BY width";
    assert_eq!(texts(&client, wide).await, ["1d 2 1", "1h 2 1", "5m 2 1"]);
    let (from, to) = (noon(), noon() + TimeDelta::hours(1));
    let summed = database::statistics::list_statistics(&client, &[id], from, to).await.unwrap();
    assert_eq!((summed[0].trades, summed[0].untold), (2, 1));
    let read = database::candles::list_candles(
        &client,
        id,
        "1h".parse().unwrap(),
        "UTC".parse().unwrap(),
        database::candles::Span::Since { from, to },
        10,
    );
    assert_eq!(read.await.unwrap().iter().map(|candle| (candle.trades, candle.untold)).collect::<Vec<_>>(), [(2, 1)]);
}

#[tokio::test]
async fn a_page_of_a_backfill_notes_how_far_it_got_and_never_back() {
    let (_database, _pool, client) = listed(&TWO).await;
    let span = Span { from: noon(), to: noon() + TimeDelta::days(1) };
    let page = |hour: i64| {
        let (from, to) = (noon() + TimeDelta::hours(hour), noon() + TimeDelta::hours(hour + 1));
        let report = MinuteReport { from, to, ..told(vec![minute(hour * 60, 2)]) };
        Page { report, backfill: Some(span) }
    };
    // By the statement, as an operator's program sends it.
    client.batch_execute(&page(0).statement().unwrap()).await.unwrap();
    for hour in [1, 0] {
        page(hour).carry_out(&client).await.unwrap();
    }
    let done = "SELECT format('%s %s %s', from_time = '2026-11-20 12:00Z', to_time - from_time, done_until - from_time) FROM backfill";
    assert_eq!(texts(&client, done).await, ["t 1 day 02:00:00"]);
    assert_eq!(texts(&client, "SELECT trades::text FROM candles").await, ["2", "2"]);
}

async fn tickers(client: &Client) -> Vec<String> {
    let query = "SELECT format('%s %s %s %s', ticker, status, coalesce(renamed_to, '-'), delisted_at IS NOT NULL)
                 FROM tickers ORDER BY ticker";
    texts(client, query).await
}

#[tokio::test]
async fn pairs_come_go_return_and_change_their_names() {
    let (_database, _pool, mut client) = listed(&TWO).await;
    let at = |minutes: i64| Some(noon() - TimeDelta::days(30) + TimeDelta::minutes(minutes));
    let store = async |client: &mut Client, pairs: &[(&str, &str)], taken_at| {
        catalogue::store(client, &listing(pairs, taken_at)).await.unwrap()
    };
    let both = ["BTCUSDT trading - f", "ETHUSDT trading - f"];
    // Nothing is delisted by a catalogue that lists nothing, and by one that does not say of when it is.
    assert_eq!(store(&mut client, &[], at(1)).await, 0);
    assert_eq!(store(&mut client, &TWO[..1], None).await, 0);
    assert_eq!(tickers(&client).await, both);
    assert_eq!(store(&mut client, &TWO[..1], at(2)).await, 1);
    assert_eq!(store(&mut client, &TWO[..1], at(2)).await, 0, "the same again changes nothing");
    assert_eq!(tickers(&client).await, ["BTCUSDT trading - f", "ETHUSDT delisted - t"]);
    assert_eq!(store(&mut client, &TWO, at(3)).await, 1);
    assert_eq!(tickers(&client).await, both);
    assert_eq!(store(&mut client, &TWO[..1], at(2)).await, 0, "an older catalogue that comes late turns nothing back");
    assert_eq!(tickers(&client).await, both);
    let renamed = [("BTCUSDT", "BTC"), ("ETH-USDT", "ETH"), ("SOLUSDT", "SOL")];
    assert_eq!(store(&mut client, &renamed, at(4)).await, 3);
    let expected =
        ["BTCUSDT trading - f", "ETH-USDT trading - f", "ETHUSDT delisted ETH-USDT t", "SOLUSDT trading - f"];
    assert_eq!(tickers(&client).await, expected);
    // A second spelling that stood before is no new name, and one that returns goes on by itself.
    let other = [("BTCUSDT", "BTC"), ("ETHUSDT", "ETH"), ("ETH-USDT", "ETH")];
    store(&mut client, &other, at(5)).await;
    store(&mut client, &other[..2], at(6)).await;
    let expected = ["BTCUSDT trading - f", "ETH-USDT delisted - t", "ETHUSDT trading - f", "SOLUSDT delisted - t"];
    assert_eq!(tickers(&client).await, expected);
    let since = "SELECT count(*)::text FROM tickers WHERE listed_at IS NULL OR listed_at > now()";
    assert_eq!(texts(&client, since).await, ["0"]);
}

#[tokio::test]
async fn a_market_of_long_ago_is_stored_and_has_candles_unless_its_month_was_dropped() {
    let (_database, _pool, mut client) = listed(&TWO).await;
    let of = |moment: &str| {
        let time: DateTime<Utc> = moment.parse().unwrap();
        report(vec![MarketRow { exchange_time: Some(time), received_at: time, ..row("BTCUSDT", 12_000, 0) }])
    };
    client
        .batch_execute(
            "INSERT INTO dropped (kind, from_time, to_time, rows, bytes, trades, volume, quote_volume, why)
             VALUES ('1m', '2013-08-01 00:00+00', '2013-09-01 00:00+00', 0, 0, 0, 0, 0, 'test')",
        )
        .await
        .unwrap();
    for moment in ["2013-07-31T23:59:59Z", "2013-08-05T12:00:00Z", "2021-04-17T12:00:00Z"] {
        assert_eq!(
            market::store(&mut client, &of(moment), &Alerts::default().turn()).await.unwrap(),
            stored(1, 0, 0),
            "{moment}"
        );
    }
    let candles =
        "SELECT to_char(open_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM candles WHERE width = '1m' ORDER BY 1";
    assert_eq!(texts(&client, candles).await, ["2013-07-31 23:59", "2021-04-17 12:00"]);
}
