//! Random portfolios, computed a second time in another language, with fractions that have no end.
//!
//! 300 of them; `RECOMPUTED_PORTFOLIOS` says how many else. Where there is no python3 there is no second opinion, and the test says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use domain::portfolio::{
    Closes, Day, Direction, Method, Money, Prices, Trade, balance, money_weighted, profits, series,
};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use serde_json::{Value, json};
use smol_str::SmolStr;

/// A generator of its own, so that a seed means the same for ever.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn amount(&mut self, end: u64, scale: u32) -> Decimal {
        Decimal::new(i64::try_from(self.below(end)).unwrap(), scale)
    }
}

fn at(hours: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::hours(hours)
}

/// Trades of up to three coins, some of more than there is, and the ends of the days around them.
fn portfolio(random: &mut Random) -> (Vec<Trade>, Vec<Closes>) {
    let coins: Vec<SmolStr> =
        ["ADA", "BTC", "ETH"][..usize::try_from(1 + random.below(3)).unwrap()].iter().map(SmolStr::new).collect();
    let (mut hours, mut trades) = (0, Vec::new());
    for id in 0..i64::try_from(1 + random.below(40)).unwrap() {
        hours += i64::try_from(random.below(30)).unwrap();
        let symbol = coins[usize::try_from(random.below(coins.len() as u64)).unwrap()].clone();
        let direction = if random.below(5) < 3 { Direction::Buy } else { Direction::Sell };
        let volume = Decimal::new(1, 8) + random.amount(100_000_000_000, 8);
        let (value, fee) = (random.amount(10_000_000, 2), random.amount(1_000, 3));
        trades.push(Trade { id, at: at(hours), symbol, direction, volume, value, fee });
    }
    trades.sort_by(|one, other| one.order().cmp(&other.order()));
    let days = (0..=hours / 24 + 1).map(|day| {
        let prices: Prices =
            coins.iter().map(|symbol| (symbol.clone(), Decimal::new(1, 4) + random.amount(100_000_000, 4))).collect();
        Closes { at: at(24 * day) + TimeDelta::minutes(30), prices }
    });
    let days = days.collect();
    (trades, days)
}

fn asked(trades: &[Trade], days: &[Closes]) -> Value {
    let trade = |one: &Trade| {
        let buys = one.direction == Direction::Buy;
        json!([
            one.at.timestamp(),
            one.symbol,
            buys,
            one.volume.to_string(),
            one.value.to_string(),
            one.fee.to_string()
        ])
    };
    let day = |one: &Closes| {
        let prices: serde_json::Map<String, Value> =
            one.prices.iter().map(|(symbol, price)| (symbol.to_string(), json!(price.to_string()))).collect();
        json!({"at": one.at.timestamp(), "prices": prices})
    };
    json!({"trades": trades.iter().map(trade).collect::<Vec<_>>(), "days": days.iter().map(day).collect::<Vec<_>>()})
}

#[track_caller]
fn agree(ours: Decimal, theirs: &Value, what: &str) {
    // As floats, since they are only compared.
    let (ours, theirs): (f64, f64) = (ours.to_f64().unwrap(), theirs.as_str().unwrap().parse().unwrap());
    let difference = (ours - theirs).abs();
    assert!(difference <= 1e-9 * theirs.abs().max(1.0), "{what}: {ours} here, {theirs} there");
}

/// At which rate the money of these days became what is there on the last.
fn rate(days: &[Day]) -> Option<Decimal> {
    let day = |place: usize| NaiveDate::default() + Days::new(place as u64);
    let before = std::iter::once(Decimal::ZERO).chain(days.iter().map(|day| day.paid_in));
    let came = days.iter().zip(before).enumerate().map(|(place, (stood, before))| (place, stood.paid_in - before));
    let money: Vec<Money> =
        came.filter(|(_, amount)| !amount.is_zero()).map(|(place, amount)| Money { on: day(place), amount }).collect();
    money_weighted(&money, days.last()?.value, day(days.len() - 1)).map(|rate| rate.over_all)
}

#[test]
fn another_language_computes_the_same() {
    let count: u64 = std::env::var("RECOMPUTED_PORTFOLIOS").map_or(300, |count| count.parse().unwrap());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recomputed.py");
    let started = Command::new("python3").arg("-B").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut python) = started else {
        eprintln!("there is no python3 here, and so no second opinion");
        return;
    };
    let (mut question, mut answers) =
        (python.stdin.take().unwrap(), BufReader::new(python.stdout.take().unwrap()).lines());
    let (mut random, mut rates) = (Random(0x5eed_1234), 0);
    for number in 0..count {
        let (trades, days) = portfolio(&mut random);
        writeln!(question, "{}", asked(&trades, &days)).unwrap();
        let answer: Value = serde_json::from_str(&answers.next().expect("an answer").unwrap()).unwrap();
        for method in Method::ALL {
            for (symbol, ours) in profits(&trades, method).unwrap() {
                let theirs = &answer["methods"][method.as_str()][symbol.as_str()];
                let numbers = [ours.volume(), ours.cost(), ours.realised(), ours.fees, ours.uncovered()];
                for (place, ours) in numbers.into_iter().enumerate() {
                    agree(ours, &theirs[place], &format!("portfolio {number}, {method:?}, {symbol}, number {place}"));
                }
            }
        }
        let found = balance(&trades, &days.last().unwrap().prices).unwrap();
        for (symbol, holding) in found.holdings {
            let theirs = &answer["balance"][symbol.as_str()];
            let numbers = [holding.volume, holding.worth.value_bought, holding.worth.converted_value];
            for (place, ours) in numbers.into_iter().enumerate() {
                agree(ours, &theirs[place], &format!("portfolio {number}, balance of {symbol}, number {place}"));
            }
        }
        let walked = series(&trades, &days).unwrap();
        for (place, day) in walked.iter().enumerate() {
            agree(day.value, &answer["values"][place], &format!("portfolio {number}, day {place}"));
            agree(day.paid_in, &answer["paid_in"][place], &format!("portfolio {number}, paid in until day {place}"));
        }
        // What is more than a decimal holds is not told.
        if let Some(theirs) = answer["rate"].as_f64().filter(|rate| *rate < 1e15) {
            let ours = rate(&walked).map(|rate| rate.to_f64().unwrap());
            let is_same = ours.is_some_and(|ours| (ours - theirs).abs() <= 1e-6 * theirs.abs().max(1.0));
            assert!(is_same, "portfolio {number}, rate: {ours:?} here, {theirs} there");
            rates += 1;
        }
        agree(walked.last().unwrap().growth, &answer["growth"], &format!("portfolio {number}, growth"));
    }
    assert!(rates > count / 4, "only {rates} of {count} have a rate");
    drop(question);
    assert!(python.wait().unwrap().success());
}
