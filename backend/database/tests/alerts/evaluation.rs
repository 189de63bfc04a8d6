//! Thousands of prices by several writers at once, some batches again: what fired against an evaluation that is written without what
//! the program uses. Prices are made up, or recorded ones, as they came and backwards.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use database::{
    alerts::rules::Definition,
    ingest::{self, NewPrice},
};
use domain::{
    Interval, Tick, TickSource,
    alert::{Condition, Direction, Frequency, Unit, Way},
};
use fastrand::Rng;
use flate2::read::GzDecoder;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::bench::{Bench, at, rule, trade};

/// What a rule should have fired for, by a look at every stored price.
fn expected(definition: &Definition, prices: &[(DateTime<Utc>, i64, Decimal)]) -> Vec<i64> {
    let (mut fired, mut last, mut armed) = (Vec::new(), None::<DateTime<Utc>>, true);
    let mut lows: BTreeMap<DateTime<Utc>, Decimal> = BTreeMap::new();
    for (place, (time, id, price)) in prices.iter().enumerate() {
        let low = lows.entry(Interval::OneMinute.open_time(*time)).or_insert(*price);
        *low = (*low).min(*price);
        if place == 0 {
            continue;
        }
        let before = prices[place - 1].2;
        let crossed = |level: Decimal| (before < level && *price >= level, before > level && *price <= level);
        let hit = match &definition.condition {
            Condition::Crosses { level, direction: Direction::Up } => crossed(*level).0,
            Condition::Crosses { level, direction: Direction::Down } => crossed(*level).1,
            Condition::Crosses { level, .. } | Condition::Reaches { level } => crossed(*level).0 || crossed(*level).1,
            Condition::Channel { lower, upper, way } => {
                let is_in = |price: Decimal| price >= *lower && price <= *upper;
                if *way == Way::Leave { is_in(before) && !is_in(*price) } else { !is_in(before) && is_in(*price) }
            }
            Condition::Moves { change, minutes, .. } => {
                let from = Interval::OneMinute.open_time(*time) - TimeDelta::minutes((*minutes).into());
                let low = *lows.range(from..).map(|(_, low)| low).min().unwrap();
                let is_met = (*price - low) * Decimal::ONE_HUNDRED / low >= *change;
                let hit = is_met && armed;
                // Armed anew only when it is no longer so; whether it fired is decided below.
                if !is_met {
                    armed = true;
                }
                hit
            }
            _ => unreachable!(),
        };
        let rests = match definition.frequency {
            Frequency::Once => last.is_some(),
            Frequency::OncePerBar(bar) => last.is_some_and(|last| bar.open_time(last) == bar.open_time(*time)),
            Frequency::EveryTime(cooldown) => last.is_some_and(|last| *time - last < cooldown),
        };
        if hit && !rests {
            fired.push(*id);
            last = Some(*time);
            armed = false;
        }
    }
    fired
}

/// A rule about levels between two prices.
fn any_rule(pair: i32, lowest: Decimal, highest: Decimal, random: &mut Rng) -> Definition {
    let level = |random: &mut Rng| lowest + (highest - lowest) * Decimal::new(random.i64(0..=1_000), 3);
    let condition = match random.u8(..5) {
        0 => Condition::Crosses { level: level(random), direction: Direction::Up },
        1 => Condition::Crosses { level: level(random), direction: Direction::Down },
        2 => Condition::Reaches { level: level(random) },
        3 => {
            let (lower, way) = (level(random), if random.bool() { Way::Leave } else { Way::Enter });
            let height = (highest - lowest) * Decimal::new(random.i64(1..300), 3);
            Condition::Channel { lower, upper: lower + height, way }
        }
        _ => {
            // Up to about the whole span.
            let most = (highest - lowest) * Decimal::ONE_HUNDRED / lowest;
            let change = (most * Decimal::new(random.i64(20..700), 3)).round_dp(4).max(Decimal::new(1, 4));
            let (unit, direction, minutes) = (Unit::Percent, Direction::Up, random.u16(1..4));
            Condition::Moves { change, unit, direction, minutes }
        }
    };
    let frequency = match random.u8(..3) {
        0 => Frequency::Once,
        1 => Frequency::OncePerBar(Interval::OneMinute),
        _ => Frequency::EveryTime(TimeDelta::seconds(random.i64(1..60))),
    };
    Definition { frequency, ..rule(pair, condition) }
}

/// Has rules look at these prices, which are in order, and compares. Returns how often some fired.
async fn compare(ticks: Vec<Tick>, rules: usize, seed: u64, random: &mut Rng) -> usize {
    let mut bench = Bench::start().await;
    let (first, rest) = ticks.split_first().unwrap();
    bench.stream(std::slice::from_ref(first)).await;
    let prices = || ticks.iter().map(|tick| tick.price);
    let (lowest, highest) = (prices().min().unwrap(), prices().max().unwrap());
    let mut definitions: BTreeMap<i64, Definition> = BTreeMap::new();
    for _ in 0..rules {
        let definition = any_rule(bench.pair, lowest, highest, random);
        definitions.insert(bench.add(&definition).await, definition);
    }
    store_by_several(&bench, rest, random).await;
    let rows =
        bench.client.query("SELECT time, trade_id, price FROM price ORDER BY time, trade_id", &[]).await.unwrap();
    let prices: Vec<(DateTime<Utc>, i64, Decimal)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(prices.len(), ticks.len());
    let mut fired: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for one in bench.fired().await {
        fired.entry(one.rule_id).or_default().push(one.trade_id.unwrap());
    }
    let mut total = 0;
    for (id, definition) in &definitions {
        let expected = expected(definition, &prices);
        total += expected.len();
        assert_eq!(fired.get(id).cloned().unwrap_or_default(), expected, "seed {seed}: {definition:?}");
    }
    total
}

/// Three writers take batches in turn.
async fn store_by_several(bench: &Bench, mut rest: &[Tick], random: &mut Rng) {
    let mut batches: VecDeque<Vec<Tick>> = VecDeque::new();
    while !rest.is_empty() {
        let (batch, behind) = rest.split_at(random.usize(1..200).min(rest.len()));
        batches.push_back(batch.to_vec());
        // Some come twice.
        if random.u8(..5) == 0 {
            batches.push_back(batch.to_vec());
        }
        rest = behind;
    }
    let batches = Arc::new(tokio::sync::Mutex::new(batches));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (batches, pool, alerts, pair) = (batches.clone(), bench.pool.clone(), bench.alerts.clone(), bench.pair);
        writers.spawn(async move {
            loop {
                let (batch, turn) = {
                    let mut batches = batches.lock().await;
                    let Some(batch) = batches.pop_front() else { return };
                    (batch, alerts.turn())
                };
                let mut client = pool.get().await.unwrap();
                let mut maybe_stored = false;
                loop {
                    let price = |tick| NewPrice { ticker_id: pair, source: TickSource::Stream, tick };
                    let prices = batch.iter().map(price).collect();
                    match ingest::store(&mut client, prices, &[], maybe_stored, &turn).await {
                        Ok(_) => break,
                        Err(error) if !error.is_permanent() => maybe_stored = true,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fires_is_what_the_stored_prices_say_whoever_stores_them() {
    let seed = fastrand::u64(..);
    let mut random = Rng::with_seed(seed);
    let (mut price, mut time, mut ticks) = (1_000, 0, vec![trade(1, 1_000, at(0))]);
    for id in 2..6_000 {
        price += random.i64(-4..5) + (1_000 - price) / 20;
        time += random.i64(0..150);
        ticks.push(trade(id, price, at(time)));
    }
    let total = compare(ticks, 120, seed, &mut random).await;
    assert!(total > 100, "{total}");
}

/// Trades of Binance that somebody recorded.
const RECORDED: &str = "nkaz001+hftbacktest";

#[tokio::test(flavor = "multi_thread")]
async fn what_fires_is_what_recorded_prices_say_as_they_came_and_backwards() {
    let Ok(folder) = std::env::var("RECORDINGS_DIR") else {
        eprintln!("recordings not present, 1 check skipped");
        return;
    };
    let seed = fastrand::u64(..);
    let mut random = Rng::with_seed(seed);
    let (mut trades, mut total) = (0, 0);
    for file in files(&PathBuf::from(folder).join(RECORDED)) {
        let prices = recorded(&file);
        let length = prices.last().unwrap().0;
        let there = |(id, (time, price)): (i64, &(i64, Decimal))| trade(id, *price, at(*time));
        let forwards: Vec<Tick> = (1..).zip(&prices).map(there).collect();
        let back = |(id, (time, price)): (i64, &(i64, Decimal))| trade(id, *price, at(length - *time));
        let backwards: Vec<Tick> = (1..).zip(prices.iter().rev()).map(back).collect();
        for ticks in [forwards, backwards] {
            trades += ticks.len();
            let fired = compare(ticks, 150, seed, &mut random).await;
            assert!(fired > 100, "{}: {fired}", file.display());
            total += fired;
        }
    }
    assert!(trades > 10_000, "{trades} trades are in the recordings");
    eprintln!("{trades} recorded trades, {total} firings");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Milliseconds since the first, and prices, of the trades of a file in the exchange's order.
fn recorded(file: &Path) -> Vec<(i64, Decimal)> {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    let trade = |line: &str| {
        let frame: Value = serde_json::from_str(line.split_once(' ')?.1).ok()?;
        let told = &frame["data"];
        let price = told["p"].as_str().filter(|_| told["e"] == "trade")?.parse().unwrap();
        Some((told["T"].as_i64().unwrap(), told["t"].as_i64().unwrap(), price))
    };
    let mut trades: Vec<(i64, i64, Decimal)> = text.lines().filter_map(trade).collect();
    trades.sort_unstable();
    trades.dedup();
    let first = trades.first().unwrap_or_else(|| panic!("no trade in {}", file.display())).0;
    trades.into_iter().map(|(time, _, price)| (time - first, price)).collect()
}
