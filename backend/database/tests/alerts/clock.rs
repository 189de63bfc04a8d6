//! Rules that the clock looks at.

use chrono::{DateTime, TimeDelta, Utc};
use database::{
    alerts::{
        Clock,
        rules::{self, About, Definition, Evaluate},
    },
    catalogue, gaps,
    ingest::{self, NewPrice},
};
use domain::{
    Catalogue, Exchange, Gap, GapCause, GapReport, GapState, Instrument, InstrumentStatus, Interval, Tick, TickSource,
    alert::{Condition, Direction, Frequency, Unit},
};
use rust_decimal::Decimal;

use crate::bench::{Bench, at, begin, crosses, rule, trade};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// Looks at that many milliseconds after the beginning.
async fn look(bench: &mut Bench, clock: &mut Clock, milliseconds: i64) -> u64 {
    let written = clock.look(&mut bench.client, at(milliseconds), true).await.unwrap();
    assert_eq!(written.lost, 0);
    written.fired
}

fn every_time(definition: Definition) -> Definition {
    Definition { frequency: Frequency::EveryTime(TimeDelta::seconds(1)), ..definition }
}

#[tokio::test]
async fn a_candle_is_looked_at_when_it_is_over_and_once() {
    let mut bench = Bench::start().await;
    let mut clock = Clock::default();
    bench.stream(&[trade(1, 99, at(-MINUTE))]).await;
    let bar = Interval::OneMinute;
    let beyond = Condition::Closes { level: 100.into(), direction: Direction::Up, bar };
    let beyond = bench.add(&every_time(rule(bench.pair, beyond))).await;
    let crossed = Definition { evaluate: Evaluate::Close(bar), ..rule(bench.pair, crosses(100, Direction::Up)) };
    let crossed = bench.add(&every_time(crossed)).await;
    bench.rules_are_old().await;
    bench.client.execute("UPDATE alert.clock SET looked_until = $1", &[&begin()]).await.unwrap();
    // The tick is beyond, the close is not.
    bench.stream(&[trade(2, 105, at(SECOND)), trade(3, 98, at(2 * SECOND))]).await;
    assert_eq!(look(&mut bench, &mut clock, MINUTE + SECOND).await, 0);
    bench.stream(&[trade(4, 101, at(MINUTE + 5 * SECOND))]).await;
    assert_eq!(look(&mut bench, &mut clock, MINUTE + 10 * SECOND).await, 0);
    // It waits for what comes behind the candle, and not for ever.
    assert_eq!(look(&mut bench, &mut clock, 2 * MINUTE + 4 * SECOND).await, 0);
    bench.stream(&[trade(5, 102, at(2 * MINUTE + 5 * SECOND))]).await;
    assert_eq!(look(&mut bench, &mut clock, 2 * MINUTE + 6 * SECOND).await, 2);
    assert_eq!(look(&mut bench, &mut clock, 2 * MINUTE + 7 * SECOND).await, 0);
    assert_eq!(look(&mut bench, &mut clock, 4 * MINUTE + SECOND).await, 1);
    let fired: Vec<_> = bench.fired().await.iter().map(|one| (one.rule_id, one.happened_at, one.price)).collect();
    let (second, third) = (at(2 * MINUTE), at(3 * MINUTE));
    let expected = [(beyond, second, 101), (crossed, second, 101), (beyond, third, 102)];
    assert_eq!(fired, expected.map(|(rule, end, price): (_, _, i64)| (rule, end, Some(Decimal::from(price)))));
    // Another process, and the same one after a start, look at the same candles and write nothing twice.
    let (mut other, mut again) = (Clock::default(), Clock::default());
    assert_eq!(look(&mut bench, &mut other, 4 * MINUTE + 2 * SECOND).await, 0);
    assert_eq!(look(&mut bench, &mut again, 4 * MINUTE + 2 * SECOND).await, 0);
    assert_eq!(bench.fired().await.len(), 3);
}

#[tokio::test]
async fn a_candle_in_which_trades_are_missing_fires_nothing() {
    let mut bench = Bench::start().await;
    let mut clock = Clock::default();
    let beyond = Condition::Closes { level: 100.into(), direction: Direction::Up, bar: Interval::OneMinute };
    bench.add(&every_time(rule(bench.pair, beyond))).await;
    bench.rules_are_old().await;
    bench.client.execute("UPDATE alert.clock SET looked_until = $1", &[&begin()]).await.unwrap();
    bench
        .stream(&[trade(1, 105, at(SECOND)), trade(9, 106, at(MINUTE + SECOND)), trade(10, 107, at(2 * MINUTE))])
        .await;
    let hole = Gap {
        ticker: "BTCUSDT".into(),
        first_trade_id: 2,
        last_trade_id: 8,
        from: Some(at(SECOND)),
        to: Some(at(50 * SECOND)),
        cause: GapCause::Disconnected,
        state: GapState::Unfillable,
        missing: 7,
        by_time: false,
        attempts: 0,
        detail: None,
        found_at: at(MINUTE),
        updated_at: at(MINUTE),
        revision: 1,
    };
    gaps::store(&mut bench.client, &GapReport { exchange: "binance".into(), gaps: vec![hole] }).await.unwrap();
    let told = bench.add(&rule(bench.pair, Condition::Gap)).await;
    bench.rules_are_old().await;
    assert_eq!(look(&mut bench, &mut clock, 2 * MINUTE + 4 * SECOND).await, 2);
    let fired = bench.fired().await;
    let closes: Vec<_> = fired.iter().filter(|one| one.rule_id != told).map(|one| one.happened_at).collect();
    assert_eq!(closes, [at(2 * MINUTE)]);
    let hole = fired.iter().find(|one| one.rule_id == told).unwrap();
    assert_eq!((hole.said.as_str(), hole.happened_at), ("BTCUSDT (binance): trades are missing (7)", at(MINUTE)));
    assert_eq!(bench.state(told).await, "triggered");
    assert_eq!(look(&mut bench, &mut clock, 2 * MINUTE + 5 * SECOND).await, 0);
}

#[tokio::test]
async fn volume_volatility_and_silence_fire_once_until_they_have_passed() {
    let mut bench = Bench::start().await;
    let mut clock = Clock::default();
    let pair = bench.pair;
    let volume = bench.add(&every_time(rule(pair, Condition::Volume { threshold: 3.into(), minutes: 1 }))).await;
    let volatility = Condition::Volatility { threshold: 4.into(), minutes: 2 };
    let volatility = bench.add(&every_time(rule(pair, volatility))).await;
    let stale = bench.add(&every_time(rule(pair, Condition::Stale { seconds: 20 }))).await;
    let exchange: i16 =
        bench.client.query_one("SELECT id FROM exchange WHERE name = 'binance'", &[]).await.unwrap().get(0);
    let down = Definition { about: About::Exchange(exchange), ..rule(pair, Condition::ExchangeDown { seconds: 30 }) };
    let down = bench.add(&down).await;
    bench.stream(&[trade(1, 100, at(0)), trade(2, 100, at(500))]).await;
    // Sums are looked at every fifth time.
    let mut now = SECOND;
    let mut fired = Vec::new();
    let mut seen = 0;
    for step in 0..60 {
        if step == 4 {
            bench.stream(&[trade(3, 110, at(now))]).await;
        }
        if step == 45 {
            bench.stream(&[trade(4, 110, at(now)), trade(5, 110, at(now))]).await;
        }
        look(&mut bench, &mut clock, now).await;
        let all = bench.fired().await;
        fired.extend(all[seen..].iter().map(|one| (step, one.rule_id)));
        seen = all.len();
        now += SECOND;
    }
    assert_eq!(fired, [(5, volume), (5, volatility), (24, stale), (34, down)]);
    // Heard again, and silent again.
    for milliseconds in [now, now + 21 * SECOND] {
        look(&mut bench, &mut clock, milliseconds).await;
    }
    let last = bench.fired().await.pop().unwrap();
    assert_eq!((last.rule_id, last.said.as_str()), (stale, "BTCUSDT (binance): no price for 36 s"));
    // Before the feeds had time to deliver, silence means nothing.
    let quiet = bench.add(&rule(pair, Condition::Stale { seconds: 5 })).await;
    let written = clock.look(&mut bench.client, at(now + 30 * SECOND), false).await.unwrap();
    assert_eq!((written.fired, bench.state(quiet).await.as_str()), (0, "created"));
}

#[tokio::test]
async fn two_markets_and_all_of_them_together_are_compared() {
    let mut bench = Bench::start().await;
    let mut clock = Clock::default();
    let exchange = Exchange { name: "coinbase".into(), country: None };
    let instrument = Instrument {
        ticker: "BTC-USD".into(),
        base: "BTC".into(),
        quote: "USD".into(),
        status: InstrumentStatus::Trading,
        steps: domain::Steps::default(),
    };
    let catalogue = Catalogue { exchange, instruments: vec![instrument], taken_at: None, numbers_trades: true };
    catalogue::store(&mut bench.client, &catalogue).await.unwrap();
    let other = catalogue::ticker_ids(&bench.client, "coinbase").await.unwrap()["BTC-USD"];
    let coin: i32 = bench.client.query_one("SELECT id FROM symbol WHERE code = 'BTC'", &[]).await.unwrap().get(0);
    let (change, unit) = (Decimal::ONE, Unit::Percent);
    let spread =
        Definition { about: About::Pairs(bench.pair, other), ..rule(bench.pair, Condition::Spread { change, unit }) };
    let spread = bench.add(&spread).await;
    let coin = Definition { about: About::Coin(coin), ..rule(bench.pair, crosses(100, Direction::Up)) };
    let coin = bench.add(&coin).await;
    let now = Utc::now();
    let begin = |seconds: i64| now - TimeDelta::seconds(20 - seconds);
    let mut store = async |id: i64, price: Decimal, seconds: i64| {
        let tick = Tick { ticker: "BTC-USD".into(), ..trade(id, price, begin(seconds)) };
        let prices = vec![NewPrice { ticker_id: other, source: TickSource::Stream, tick: &tick }];
        let turn = bench.alerts.turn();
        ingest::store(&mut bench.client, prices, &[other], false, &turn).await.unwrap();
        clock.look(&mut bench.client, begin(seconds), true).await.unwrap().fired
    };
    assert_eq!(store(1, 99.into(), 0).await, 0);
    assert_eq!(store(2, Decimal::new(1_001, 1), 1).await, 1);
    bench.stream(&[trade(1, Decimal::new(1_012, 1), begin(2))]).await;
    assert_eq!(look_at(&mut bench, &mut clock, begin(3)).await, 1);
    let fired: Vec<_> = bench.fired().await.into_iter().map(|one| (one.rule_id, one.said)).collect();
    let expected = [
        (coin, "bitcoin (all markets, USD) rose through 100: 100.1"),
        (spread, "BTCUSDT (binance) and BTC-USD (coinbase) differ by 1.1 %"),
    ];
    assert_eq!(fired, expected.map(|(rule, said)| (rule, said.to_owned())));
}

#[tokio::test]
async fn how_far_a_coin_moved_over_all_markets_is_known_across_a_restart() {
    let mut bench = Bench::start().await;
    let coin: i32 = bench.client.query_one("SELECT id FROM symbol WHERE code = 'BTC'", &[]).await.unwrap().get(0);
    let moves = |direction, change: i64, minutes| Condition::Moves {
        change: change.into(),
        unit: Unit::Percent,
        direction,
        minutes,
    };
    let about = About::Coin(coin);
    let rose = every_time(Definition { about, ..rule(bench.pair, moves(Direction::Up, 5, 10)) });
    let rose = bench.add(&rose).await;
    let fell = Definition { about, ..rule(bench.pair, moves(Direction::Down, 9, 2)) };
    let fell = bench.add(&fell).await;
    let level = Definition { about, ..rule(bench.pair, crosses(1_000, Direction::Up)) };
    let (mut other, account) = (bench.pool.get().await.unwrap(), bench.account);
    let (mut clock, mut id) = (Clock::default(), 0);
    let mut look = async |clock: &mut Clock, price: i64, seconds: i64| {
        id += 1;
        let now = at(seconds * 1_000);
        bench.stream(&[trade(id, price, now)]).await;
        clock.look(&mut bench.client, now, true).await.unwrap().fired
    };
    assert_eq!(look(&mut clock, 100, 0).await, 0);
    assert_eq!(look(&mut clock, 104, 40).await, 0);
    // Somebody else goes on, and knows what was before.
    let mut clock = Clock::default();
    assert_eq!(look(&mut clock, 105, 70).await, 1, "5 % above the lowest");
    assert_eq!(look(&mut clock, 106, 80).await, 0, "it has not passed");
    assert_eq!(look(&mut clock, 103, 90).await, 0);
    assert_eq!(look(&mut clock, 105, 100).await, 1, "it had passed");
    assert_eq!(look(&mut clock, 97, 110).await, 0, "8.5 % below the highest");
    assert_eq!(look(&mut clock, 96, 120).await, 1, "9.4 % below the highest");
    // The highest of the last two minutes is another by now.
    assert_eq!(look(&mut clock, 90, 400).await, 0);
    // While no rule looks at moves, but one at levels, the minutes are kept all the same.
    let set = |state: &str| format!("UPDATE alert.rule SET state = '{state}' WHERE id = {rose}");
    rules::add(&mut other, account, &level).await.unwrap().unwrap();
    other.batch_execute(&set("paused")).await.unwrap();
    assert_eq!(look(&mut clock, 50, 410).await, 0);
    other.batch_execute(&set("created")).await.unwrap();
    assert_eq!(look(&mut clock, 99, 480).await, 1, "98 % above the lowest");
    let fired: Vec<_> = bench.fired().await.into_iter().map(|one| (one.rule_id, one.said)).collect();
    let said = |words: &str| format!("bitcoin (all markets, USD) {words}");
    let expected = [
        (rose, said("rose by 5 % within 10 min: from 100 to 105")),
        (rose, said("rose by 5 % within 10 min: from 100 to 105")),
        (fell, said("fell by 9.43 % within 2 min: from 106 to 96")),
        (rose, said("rose by 98 % within 10 min: from 50 to 99")),
    ];
    assert_eq!(fired, expected);
}

async fn look_at(bench: &mut Bench, clock: &mut Clock, now: DateTime<Utc>) -> u64 {
    clock.look(&mut bench.client, now, true).await.unwrap().fired
}

#[tokio::test]
async fn what_its_owner_changed_meanwhile_is_left_alone() {
    let mut bench = Bench::start().await;
    let mut clock = Clock::default();
    bench.stream(&[trade(1, 100, at(0))]).await;
    let stale = bench.add(&every_time(rule(bench.pair, Condition::Stale { seconds: 5 }))).await;
    rules::set_state(&mut bench.client, bench.account, stale, "paused").await.unwrap().unwrap();
    assert_eq!(look(&mut bench, &mut clock, 10 * SECOND).await, 0);
    rules::set_state(&mut bench.client, bench.account, stale, "created").await.unwrap().unwrap();
    let ends = Definition {
        expires_at: Some(Utc::now() - TimeDelta::seconds(1)),
        ..rule(bench.pair, Condition::Stale { seconds: 5 })
    };
    let ended = bench.add(&ends).await;
    assert_eq!(look(&mut bench, &mut clock, 11 * SECOND).await, 1);
    assert_eq!((bench.state(ended).await.as_str(), bench.state(stale).await.as_str()), ("expired", "created"));
}

#[tokio::test]
async fn what_was_told_long_ago_is_forgotten() {
    let mut bench = Bench::start().await;
    bench.stream(&[trade(1, 99, at(0))]).await;
    let up = bench.add(&every_time(rule(bench.pair, crosses(100, Direction::Up)))).await;
    let channel = "INSERT INTO alert.channel (account_id, kind, name, settings) VALUES ($1, 'console', 'c', '{}')";
    bench.client.execute(channel, &[&bench.account]).await.unwrap();
    bench.stream(&[trade(2, 101, at(10)), trade(3, 99, at(2_000)), trade(4, 101, at(4_000))]).await;
    assert_eq!(bench.fired().await.len(), 2);
    let gone = bench.add(&rule(bench.pair, crosses(500, Direction::Up))).await;
    let age = format!(
        "UPDATE alert.firing SET happened_at = now() - interval '366 days', noticed_at = now() - interval '366 days' WHERE trade_id = 2;
         INSERT INTO alert.notification (channel_id, created_at) SELECT id, now() - interval '91 days' FROM alert.channel;
         UPDATE alert.rule SET state = 'deleted', updated_at = now() - interval '91 days' WHERE id = {gone}"
    );
    bench.client.batch_execute(&age).await.unwrap();
    assert_eq!(database::alerts::forget(&bench.client).await.unwrap(), 3);
    assert_eq!(bench.fired().await.iter().map(|one| one.trade_id).collect::<Vec<_>>(), [Some(4)]);
    let told = bench.client.query_one("SELECT count(*) FROM alert.notification", &[]).await.unwrap();
    assert_eq!(told.get::<_, i64>(0), 1);
    assert!(rules::find(&bench.client, bench.account, gone).await.unwrap().is_none());
    assert_eq!(bench.state(up).await, "created");
}

#[tokio::test]
async fn a_round_that_fails_is_looked_at_again() {
    let mut bench = Bench::start().await;
    let mut clock = Clock::default();
    let beyond = Condition::Closes { level: 100.into(), direction: Direction::Up, bar: Interval::OneMinute };
    bench.add(&every_time(rule(bench.pair, beyond))).await;
    bench.rules_are_old().await;
    bench.client.execute("UPDATE alert.clock SET looked_until = $1", &[&begin()]).await.unwrap();
    bench.stream(&[trade(1, 105, at(SECOND)), trade(2, 105, at(MINUTE))]).await;
    // What fires cannot be written: no connection, no lock, no room.
    bench.client.batch_execute("ALTER TABLE alert.firing RENAME TO away").await.unwrap();
    assert!(clock.look(&mut bench.client, at(MINUTE + 4 * SECOND), true).await.is_err());
    bench.client.batch_execute("ALTER TABLE alert.away RENAME TO firing").await.unwrap();
    assert_eq!(look(&mut bench, &mut clock, MINUTE + 5 * SECOND).await, 1);
}
