//! From a real queue to a real database: everything stored once, through whatever breaks on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use broker::{LocalQueue, LocalQueueSettings, Message, Publisher, RabbitMqSettings, Source};
use chrono::{DateTime, TimeDelta, Utc};
use database::{DatabaseSettings, Pool};
use domain::{
    Catalogue, Exchange, Instrument, InstrumentStatus, MarketReport, MarketRow, Side, Tick, TickBatch, TickSource,
};
use process::{Health, Shutdown};
use rust_decimal::Decimal;
use tempfile::TempDir;
use testbed::{database::TestDatabase, rabbitmq::VirtualHost};
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(60);

/// A queue, a db-handler that empties it, and the database that it fills.
struct Bench {
    database: TestDatabase,
    pool: Pool,
    publisher: Publisher,
    source: Source,
    health: Health,
    stop: Shutdown,
    handling: tokio::task::JoinHandle<Result<(), db_handler::Error>>,
    _folder: TempDir,
}

impl Bench {
    /// With RabbitMQ in between, or with the local queue alone.
    async fn start(host: Option<&VirtualHost>) -> Self {
        let database = TestDatabase::empty().await;
        let folder = tempfile::tempdir().unwrap();
        let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await.unwrap();
        let publisher = Publisher::new(queue.clone());
        let stop = Shutdown::new();
        let source = match host {
            Some(host) => {
                tokio::spawn(broker::forward(publisher.clone(), settings(host), stop.clone(), |_| ()));
                Source::RabbitMq(settings(host))
            }
            None => Source::Local(queue),
        };
        let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
        let health = Health::new();
        let handling = handle(&source, &database, &health, &stop);
        Self { database, pool, publisher, source, health, stop, handling, _folder: folder }
    }

    async fn publish(&self, message: Message) {
        self.publisher.publish(message).await.unwrap();
    }

    async fn prices(&self) -> i64 {
        let Ok(client) = self.pool.get().await else { return -1 };
        client.query_one("SELECT count(*) FROM price", &[]).await.map_or(-1, |row| row.get(0))
    }

    async fn wait_for_prices(&self, count: i64) {
        let stored = async {
            while self.prices().await < count {
                sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(SOON, stored).await.is_ok(), "{} of {count} prices", self.prices().await);
        assert_eq!(self.prices().await, count);
    }

    /// Trade numbers are contiguous from 0, and the candles hold each trade once.
    async fn check(&self, count: i64) {
        let client = self.pool.get().await.unwrap();
        let row = client
            .query_one("SELECT min(trade_id), max(trade_id), count(DISTINCT trade_id), sum(quantity) FROM price", &[])
            .await
            .unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)), (0, count - 1, count));
        let candles = client
            .query_one("SELECT sum(trades)::bigint, sum(volume) FROM candle WHERE width = '1m'", &[])
            .await
            .unwrap();
        assert_eq!(candles.get::<_, i64>(0), count);
        assert_eq!(candles.get::<_, Decimal>(1), row.get::<_, Decimal>(3));
    }

    /// Reasons and bodies, oldest first, once there are so many.
    async fn dead_letters(&self, count: usize) -> Vec<(String, Vec<u8>)> {
        let client = self.pool.get().await.unwrap();
        let moved = async {
            loop {
                // There may be no such table yet.
                let rows = client.query("SELECT reason, body FROM dead_letter ORDER BY id", &[]).await;
                if let Some(rows) = rows.ok().filter(|rows| rows.len() >= count) {
                    return rows.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<_>>();
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let letters = timeout(SOON, moved).await.expect("they are moved into the table");
        assert_eq!(letters.len(), count);
        letters
    }
}

fn handle(
    source: &Source,
    database: &TestDatabase,
    health: &Health,
    stop: &Shutdown,
) -> tokio::task::JoinHandle<Result<(), db_handler::Error>> {
    let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
    let settings = db_handler::Settings { db_handler_batch_ticks: 300, ..Default::default() };
    tokio::spawn(db_handler::run(settings, source.clone(), pool, health.clone(), stop.clone()))
}

fn settings(host: &VirtualHost) -> RabbitMqSettings {
    RabbitMqSettings::at(&host.url()).unwrap()
}

fn catalogue() -> Message {
    let status = InstrumentStatus::Trading;
    let instruments = vec![Instrument {
        ticker: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        status,
        steps: domain::Steps::default(),
    }];
    Message::Catalogue(Catalogue {
        exchange: Exchange { name: "binance".into(), country: None },
        instruments,
        taken_at: None,
        numbers_trades: true,
    })
}

fn noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn trades(numbers: std::ops::Range<i64>) -> Message {
    let ticks = numbers
        .map(|number| {
            let time = noon() + TimeDelta::milliseconds(number * 20);
            Tick {
                ticker: "BTCUSDT".into(),
                trade_id: Some(number),
                price: Decimal::new(6_400_000 + number % 1_000, 2).normalize(),
                quantity: Some(Decimal::new(number % 13 + 1, 4)),
                taker_side: Some(Side::Buy),
                exchange_time: Some(time),
                received_at: time,
            }
        })
        .collect();
    Message::Ticks(TickBatch::new("binance", TickSource::Stream, ticks))
}

#[tokio::test]
async fn what_is_published_is_stored_once_with_its_candles() {
    let host = VirtualHost::create();
    let bench = Bench::start(Some(&host)).await;
    bench.publish(catalogue()).await;
    for start in (0..5_000).step_by(100) {
        bench.publish(trades(start..start + 100)).await;
    }
    // Half of it again: another tracker may follow the same exchange.
    for start in (0..2_500).step_by(100) {
        bench.publish(trades(start..start + 100)).await;
    }
    bench.wait_for_prices(5_000).await;
    host.wait_for_queue_depth("crypto-prices", 0, SOON).await;
    bench.check(5_000).await;
    assert!(bench.health.report().iter().all(|check| check.ok), "{:?}", bench.health.report());
    bench.stop.cancel();
    timeout(SOON, bench.handling).await.unwrap().unwrap().unwrap();
}

/// With RabbitMQ in between, and without it.
#[tokio::test]
async fn whoever_listens_is_told_of_what_is_committed() {
    let host = VirtualHost::create();
    for host in [None, Some(&host)] {
        let bench = Bench::start(host).await;
        let live = host.map_or(bench.publisher.live(), |host| broker::Live::rabbitmq(settings(host)));
        let mut live = live.subscribe();
        let connected = async {
            while live.state().is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, connected).await.expect("the live feed is connected");
        bench.publish(catalogue()).await;
        let mut next = 0;
        let told = async {
            let mut told = 0;
            // News are lost until their connection stands.
            while told < 100 {
                bench.publish(trades(next..next + 10)).await;
                next += 10;
                while let Ok(Some(message)) = timeout(Duration::from_millis(100), live.recv()).await {
                    if let Message::Stored(stored) = message.as_ref() {
                        assert_eq!(stored.exchange, "binance");
                        let mut prices = bench.prices().await;
                        // Not asked: a partition is being made.
                        while prices < 0 {
                            sleep(Duration::from_millis(5)).await;
                            prices = bench.prices().await;
                        }
                        assert!(prices > 0 || stored.rows == 1, "after the commit: {prices} of {stored:?}");
                        told += stored.rows;
                    }
                }
            }
        };
        timeout(SOON, told).await.expect("commits are told");
    }
}

#[tokio::test]
async fn lost_connections_to_both_servers_lose_and_double_nothing() {
    let host = VirtualHost::create();
    let bench = Bench::start(Some(&host)).await;
    bench.publish(catalogue()).await;
    for start in (0..20_000).step_by(50) {
        bench.publish(trades(start..start + 50)).await;
        match start {
            3_000 | 12_000 => host.close_all_connections(),
            6_000 | 15_000 => bench.database.close_all_connections().await,
            9_000 => {
                host.close_all_connections();
                bench.database.close_all_connections().await;
            }
            _ => {}
        }
    }
    bench.wait_for_prices(20_000).await;
    bench.check(20_000).await;
}

#[tokio::test]
async fn while_the_database_is_away_messages_wait_and_health_says_so() {
    let host = VirtualHost::create();
    let bench = Bench::start(Some(&host)).await;
    bench.publish(catalogue()).await;
    bench.publish(trades(0..100)).await;
    bench.wait_for_prices(100).await;
    bench.database.take_down().await;
    for start in (100..3_000).step_by(100) {
        bench.publish(trades(start..start + 100)).await;
    }
    let noticed = async {
        while bench.health.report().iter().all(|check| check.ok || check.name != "database") {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, noticed).await.expect("health says that the database is away");
    assert_eq!(host.queue_depth("crypto-prices.dead-letters"), Some(0), "transient is not permanent");
    bench.database.bring_up().await;
    bench.wait_for_prices(3_000).await;
    bench.check(3_000).await;
    host.wait_for_queue_depth("crypto-prices", 0, SOON).await;
}

#[tokio::test]
async fn poison_goes_to_the_dead_letters_and_the_good_around_it_is_stored() {
    let host = VirtualHost::create();
    let bench = Bench::start(Some(&host)).await;
    bench.publish(catalogue()).await;
    bench.publish(trades(0..50)).await;
    // Now exchange and queue stand.
    bench.wait_for_prices(50).await;
    let connection = lapin::Connection::connect(&host.url(), Default::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let negative = String::from_utf8(trades(0..1).encode().unwrap()).unwrap().replace("\"64000\"", "\"-1\"");
    let poison: [&[u8]; 6] = [
        b"",
        b"\x00\xff\x00",
        b"{\"version\":9,\"kind\":\"ticks\",\"body\":{}}",
        b"{\"version\":1,\"kind\":\"ticks\",\"body\":{\"exchange\":\"x\"}}",
        negative.as_bytes(),
        br#"[{"is_valid":true,"ticket":{"exchange_name":"binance","ticker":"BTCUSDT","price":"1","timestamp":"20260101000000"}}]"#,
    ];
    for body in poison {
        let (exchange, key) = ("crypto-market".into(), "market.ticks.poison".into());
        channel.basic_publish(exchange, key, Default::default(), body, Default::default()).await.unwrap();
    }
    bench.publish(trades(50..100)).await;
    bench.wait_for_prices(100).await;
    host.wait_for_queue_depth("crypto-prices", 0, SOON).await;
    bench.check(100).await;
    let letters = bench.dead_letters(poison.len()).await;
    host.wait_for_queue_depth("crypto-prices.dead-letters", 0, SOON).await;
    let bodies: std::collections::HashSet<&[u8]> = letters.iter().map(|(_, body)| &body[..]).collect();
    assert_eq!(bodies, poison.into_iter().collect());
    assert!(letters.iter().all(|(reason, _)| !reason.is_empty()), "{letters:?}");
}

#[tokio::test]
async fn ticks_of_an_unknown_pair_wait_for_the_catalogue_but_not_for_ever() {
    let bench = Bench::start(None).await;
    bench.publish(trades(0..10)).await;
    // A message of a pair that nobody ever lists holds up nobody.
    let stranger = String::from_utf8(trades(0..1).encode().unwrap()).unwrap().replace("BTCUSDT", "NOBODY");
    bench.publish(Message::decode(stranger.as_bytes()).unwrap()).await;
    sleep(Duration::from_millis(500)).await;
    bench.publish(catalogue()).await;
    bench.wait_for_prices(10).await;
    let (reason, payload) = bench.dead_letters(1).await.remove(0);
    assert_eq!(reason, "no catalogue of exchange \"binance\" lists ticker \"NOBODY\"");
    assert_eq!(payload, stranger.as_bytes());
    bench.check(10).await;
}

fn market(second: i64) -> Message {
    let row = |ticker: &str| {
        let received_at = Utc::now();
        let (open_24h, high_24h, low_24h, volume_24h, quote_volume_24h, exchange_time) = Default::default();
        let price = Decimal::from(64_000 + second);
        let ticker = ticker.into();
        MarketRow {
            ticker,
            price,
            open_24h,
            high_24h,
            low_24h,
            volume_24h,
            quote_volume_24h,
            exchange_time,
            received_at,
        }
    };
    Message::Market(MarketReport::new("binance", vec![row("BTCUSDT"), row("NOBODY")]))
}

#[tokio::test]
async fn a_market_waits_for_the_catalogue_but_its_strangers_hold_up_and_poison_nothing() {
    let bench = Bench::start(None).await;
    bench.publish(market(1)).await;
    bench.publish(catalogue()).await;
    bench.publish(market(2)).await;
    bench.publish(trades(0..1)).await;
    bench.wait_for_prices(1).await;
    let client = bench.pool.get().await.unwrap();
    let applied = async {
        let query = "SELECT price FROM markets WHERE ticker = 'BTCUSDT' AND price = 64002";
        while client.query_opt(query, &[]).await.unwrap().is_none() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, applied).await.expect("the newest word is stored");
    assert_eq!(bench.dead_letters(0).await, []);
}

#[tokio::test]
async fn a_stop_in_the_middle_finishes_the_batch_and_the_next_start_does_the_rest() {
    let bench = Bench::start(None).await;
    bench.publish(catalogue()).await;
    for start in (0..10_000).step_by(100) {
        bench.publish(trades(start..start + 100)).await;
    }
    while bench.prices().await < 1_000 {
        sleep(Duration::from_millis(5)).await;
    }
    bench.stop.cancel();
    timeout(SOON, bench.handling).await.unwrap().unwrap().unwrap();
    let stop = Shutdown::new();
    let handling = handle(&bench.source, &bench.database, &bench.health, &stop);
    let bench = Bench { stop, handling, ..bench };
    bench.wait_for_prices(10_000).await;
    bench.check(10_000).await;
}

#[tokio::test]
async fn old_days_get_their_partitions() {
    let bench = Bench::start(None).await;
    bench.publish(catalogue()).await;
    let Message::Ticks(mut batch) = trades(0..3) else { unreachable!() };
    for (tick, years) in batch.ticks.iter_mut().zip([0, 3, 10]) {
        let time = tick.exchange_time.unwrap() - TimeDelta::days(365 * years);
        (tick.exchange_time, tick.received_at) = (Some(time), noon());
    }
    bench.publish(Message::Ticks(batch)).await;
    bench.wait_for_prices(3).await;
}

#[tokio::test]
async fn messages_that_no_database_takes_hold_up_nobody() {
    let bench = Bench::start(None).await;
    let status = InstrumentStatus::Trading;
    let pair = |ticker: &str, base: &str| Instrument {
        ticker: ticker.into(),
        base: base.into(),
        quote: "USDT".into(),
        status,
        steps: domain::Steps::default(),
    };
    let lists = |name: &str, instruments: Vec<Instrument>| {
        Message::Catalogue(Catalogue {
            exchange: Exchange { name: name.into(), country: None },
            instruments,
            taken_at: None,
            numbers_trades: true,
        })
    };
    let Message::Ticks(batch) = trades(0..1) else { unreachable!() };
    for broken in [
        lists("binance", vec![pair("", "BTC")]),
        lists("Bad Name", vec![pair("BTCUSDT", "BTC")]),
        lists("binance", vec![pair("LONGUSDT", &"X".repeat(5_000))]),
        Message::Ticks(TickBatch::new("a\0", batch.source, batch.ticks.clone())),
        Message::Ticks(TickBatch::new("x".repeat(200_000), batch.source, batch.ticks)),
    ] {
        // Once for each writer.
        for _ in 0..db_handler::Settings::default().db_handler_writers {
            bench.publish(broken.clone()).await;
        }
    }
    // A pair that is listed twice is one pair.
    bench.publish(lists("binance", vec![pair("BTCUSDT", "BTC"), pair("BTCUSDT", "BTC")])).await;
    bench.publish(trades(0..10)).await;
    bench.wait_for_prices(10).await;
    let Source::Local(queue) = &bench.source else { unreachable!() };
    let emptied = async {
        while !queue.is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, emptied).await.expect("nothing is left");
    let dead = bench.dead_letters(15).await;
    assert!(dead.iter().all(|(reason, _)| reason.starts_with("not ") && reason.len() <= 4_000), "{dead:?}");
}

#[tokio::test]
async fn a_dead_letter_that_nobody_takes_costs_no_good_message() {
    let host = VirtualHost::create();
    let connection = lapin::Connection::connect(&host.url(), Default::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let bench = Bench::start(Some(&host)).await;
    bench.publish(catalogue()).await;
    bench.publish(trades(0..50)).await;
    bench.wait_for_prices(50).await;
    // A dead letter that no queue takes comes back to its sender.
    host.delete_queue("crypto-prices.dead-letters");
    let (exchange, key) = ("crypto-market".into(), "market.ticks.poison".into());
    channel.basic_publish(exchange, key, Default::default(), b"poison", Default::default()).await.unwrap();
    for start in (50..1_000).step_by(50) {
        bench.publish(trades(start..start + 50)).await;
    }
    // Nowhere to put the poison; the other writers store the rest, and nothing good is dropped.
    bench.wait_for_prices(1_000).await;
    bench.check(1_000).await;
}

#[tokio::test]
async fn what_an_operator_removed_is_made_again_and_no_tick_is_set_aside() {
    let bench = Bench::start(None).await;
    bench.publish(catalogue()).await;
    bench.publish(trades(0..10)).await;
    bench.wait_for_prices(10).await;
    let client = bench.pool.get().await.unwrap();
    // Whoever takes tables away while an index is made anew may have to ask again.
    let remove = async |statements: &str| {
        while let Err(error) = client.batch_execute(statements).await {
            let code = error.code().map(|code| code.code().to_owned());
            assert_eq!(code.as_deref(), Some("40P01"), "a deadlock: {error:?}");
        }
    };
    // The partition of a day that is still written to.
    remove("DROP TABLE price_2026_11_20; DELETE FROM candle").await;
    for start in (10..110).step_by(10) {
        bench.publish(trades(start..start + 10)).await;
    }
    bench.wait_for_prices(100).await;
    // Pairs under other keys, as after restoring an older backup.
    let other_keys = "TRUNCATE price, candle; UPDATE ticker SET first_tick_at = NULL; DELETE FROM ticker;
        INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status)
        SELECT exchange.id, 'BTCUSDT', base.id, quote.id, 'trading'
        FROM exchange, symbol base, symbol quote WHERE base.code = 'BTC' AND quote.code = 'USDT'";
    remove(other_keys).await;
    bench.publish(trades(0..50)).await;
    bench.wait_for_prices(50).await;
    assert_eq!(bench.dead_letters(0).await, []);
}

#[tokio::test]
async fn a_dead_letter_is_replayed_when_somebody_asks_and_comes_back_if_it_is_refused_again() {
    let host = VirtualHost::create();
    for host in [None, Some(&host)] {
        let bench = Bench::start(host).await;
        bench.publish(catalogue()).await;
        let negative = String::from_utf8(trades(0..3).encode().unwrap()).unwrap().replace("\"64000\"", "\"-1\"");
        bench.publish(Message::decode(negative.as_bytes()).unwrap()).await;
        bench.dead_letters(1).await;
        let client = bench.pool.get().await.unwrap();
        client.batch_execute("CALL replay_dead_letter(1)").await.unwrap();
        let again = async {
            while client.query_opt("SELECT FROM dead_letter WHERE id > 1", &[]).await.unwrap().is_none() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(SOON, again).await.expect("refused once more, it comes back under a new id");
        assert_eq!(bench.dead_letters(1).await[0].1, negative.as_bytes());

        let mended = trades(0..3).encode().unwrap();
        client.execute("UPDATE dead_letter SET body = $1", &[&mended]).await.unwrap();
        let every = "DO $$ DECLARE letter record; BEGIN
            FOR letter IN SELECT id FROM dead_letter LOOP CALL replay_dead_letter(letter.id); END LOOP; END $$";
        client.batch_execute(every).await.unwrap();
        bench.wait_for_prices(3).await;
        assert_eq!(bench.dead_letters(0).await, []);
    }
}

#[tokio::test]
async fn a_message_without_a_name_that_comes_twice_is_kept_once() {
    let host = VirtualHost::create();
    let bench = Bench::start(Some(&host)).await;
    bench.publish(catalogue()).await;
    bench.publish(trades(0..1)).await;
    bench.wait_for_prices(1).await;
    let connection = lapin::Connection::connect(&host.url(), Default::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    for body in [b"one", b"two", b"one"] {
        let (exchange, key) = ("crypto-market".into(), "market.ticks.poison".into());
        channel.basic_publish(exchange, key, Default::default(), body, Default::default()).await.unwrap();
    }
    bench.dead_letters(2).await;
    host.wait_for_queue_depth("crypto-prices", 0, SOON).await;
    host.wait_for_queue_depth("crypto-prices.dead-letters", 0, SOON).await;
    bench.dead_letters(2).await;
}

const CHECKS: [&str; 7] = ["alerts", "changes", "database", "dead letters", "queue", "retention", "wider candles"];

#[tokio::test]
async fn it_is_ready_before_anything_comes_and_again_when_the_broker_is_back() {
    let host = VirtualHost::create();
    let bench = Bench::start(Some(&host)).await;
    let all = async || {
        let reached = async {
            let report = || bench.health.report();
            while report().len() < CHECKS.len() || !report().iter().all(|check| check.ok) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(SOON, reached).await.is_ok(), "{:?}", bench.health.report());
    };
    all().await;
    let names: Vec<String> = bench.health.report().into_iter().map(|check| check.name).collect();
    assert_eq!(names, CHECKS);
    host.close_all_connections();
    bench.publish(catalogue()).await;
    bench.publish(trades(0..10)).await;
    bench.wait_for_prices(10).await;
    all().await;
}
