use api_types::portfolios::{
    BenchmarkRow, CoinReturn, DayReturn, ImportLine, ImportMistake, InvalidRow, PositionRow, UnpricedRow,
};
use rust_decimal::Decimal;

use super::*;
use crate::{
    client::Standing,
    state::{
        State, Update, alert_tests,
        tests::{at, decimal},
    },
};

pub(crate) fn portfolio(id: i64, name: &str) -> PortfolioRow {
    PortfolioRow {
        id,
        name: name.into(),
        currency: "USD".into(),
        method: "fifo".into(),
        transactions: 60,
        created_at: at("08:00"),
    }
}

pub(crate) fn counted(portfolio: i64) -> Counted {
    Counted { portfolio, currency: None, method: None, day: None }
}

/// A coin that is this part of 10,000 dollars.
pub(crate) fn position(symbol: &str, share: &str) -> PositionRow {
    let value = decimal(share) * decimal("10000");
    PositionRow {
        symbol: symbol.into(),
        volume: decimal("2"),
        price: value / decimal("2"),
        price_time: Some(at("11:59")),
        price_age_seconds: Some(60),
        price_path: format!("binance:{symbol}USDT × USDT 1 (assumed)"),
        value_bought: decimal("1000"),
        converted_value: value,
        roi: Some((value - decimal("1000")) / decimal("1000")),
        share: Some(decimal(share)),
        cost: decimal("1002"),
        unrealised: value - decimal("1002"),
        realised: decimal("-12.5"),
        fees: decimal("2"),
        uncovered: Decimal::ZERO,
    }
}

pub(crate) fn balance() -> BalanceRow {
    let held = |symbol: &str, [share, volume, price, cost, realised]: [&str; 5]| {
        let [volume, price, cost] = [volume, price, cost].map(decimal);
        let converted_value = volume * price;
        PositionRow {
            volume,
            price,
            converted_value,
            value_bought: cost,
            cost,
            roi: Some((converted_value - cost) / cost),
            unrealised: converted_value - cost,
            realised: decimal(realised),
            ..position(symbol, share)
        }
    };
    let mut old = held("DOGE", ["0.0575", "4051.8638", "0.1419", "640", "-37.5"]);
    old.price_age_seconds = Some(260_000);
    let btc = held("BTC", ["0.6425", "0.1", "64250.01", "5000", "120.5"]);
    let eth = held("ETH", ["0.3", "1.2", "2500.5", "2460.3", "0"]);
    let invalid = InvalidRow {
        transaction_id: 9,
        date: at("09:00"),
        symbol: "XYZ".into(),
        reason: "no price of XYZ in USD is known".into(),
    };
    BalanceRow {
        currency: "USD".into(),
        at: at("12:00"),
        prices_at: at("12:00"),
        method: "fifo".into(),
        converted_value: decimal("10000.56"),
        transaction_value: decimal("8000"),
        roi: Some(decimal("0.25007")),
        cost: decimal("8100.3"),
        unrealised: decimal("1900.26"),
        realised: decimal("83"),
        fees: decimal("16"),
        positions: vec![old, btc, eth],
        unpriced: vec![UnpricedRow {
            symbol: "XYZ".into(),
            volume: decimal("7"),
            cost: decimal("21"),
            realised: Decimal::ZERO,
            transactions: 1,
        }],
        invalid: vec![invalid],
        invalid_count: 1,
        transfers: 0,
    }
}

/// So many days until yesterday, on the last ten of which a coin has no price of a market.
pub(crate) fn values(days: i64) -> Vec<ValueRow> {
    let one = |number: i64| {
        let day = at("00:00").date_naive() - chrono::TimeDelta::days(days - number);
        let (slow, fast) = ((number as f64 / 11.0).sin() * 420.0, (number as f64 / 1.7).sin() * 110.0);
        ValueRow {
            day,
            at: at("12:00"),
            value: Decimal::from(5_900 + number * 4_000 / days.max(1) + (slow + fast) as i64),
            paid_in: Decimal::from(5_500 + (number * 6 / days.max(1)) * 400),
            growth: Decimal::ONE,
            unpriced: if number + 10 >= days { vec!["XYZ".into()] } else { Vec::new() },
        }
    };
    (0..days).map(one).collect()
}

pub(crate) fn performance() -> PerformanceRow {
    let day = |day: &str, gain: &str| Some(DayReturn { day: day.parse().unwrap(), gain: decimal(gain) });
    let coin = |symbol: &str, gain: &str| Some(CoinReturn { symbol: symbol.into(), gain: decimal(gain) });
    PerformanceRow {
        currency: "USD".into(),
        from: "2026-01-01".parse().unwrap(),
        to: "2026-11-20".parse().unwrap(),
        value_begin: Decimal::ZERO,
        value_end: decimal("10000"),
        paid_in: decimal("8016"),
        gain: decimal("1984"),
        time_weighted: Some(decimal("0.3124")),
        money_weighted: Some(decimal("0.244")),
        money_weighted_yearly: Some(decimal("0.28")),
        best_day: day("2026-03-02", "0.125"),
        worst_day: day("2026-05-19", "-0.08"),
        best_coin: coin("BTC", "0.285"),
        worst_coin: coin("DOGE", "-0.1016"),
        benchmark: Some(BenchmarkRow { symbol: "BTC".into(), gain: decimal("0.21"), value_end: decimal("9710.5") }),
        unpriced: Vec::new(),
    }
}

pub(crate) fn transaction(id: i64, date: &str, side: &str, symbol: &str, volume: &str, value: &str) -> TransactionRow {
    TransactionRow {
        id,
        date: date.parse().unwrap(),
        kind: "TRADE".into(),
        order_type: side.into(),
        symbol: symbol.into(),
        volume: decimal(volume),
        price: None,
        value: Some(decimal(value)),
        currency: "USD".into(),
        fee: decimal("15"),
        fee_currency: Some("USD".into()),
        source: String::new(),
        source_id: None,
        note: None,
        is_valid: true,
        invalid_reason: String::new(),
        created_at: at("08:00"),
        updated_at: at("08:00"),
    }
}

pub(crate) fn import(mistakes: usize) -> ImportRow {
    let wrong = (0..mistakes).map(|number| ImportLine {
        line: 4 + number as u64,
        says: None,
        skipped: None,
        mistakes: vec![ImportMistake {
            field: "volume".into(),
            value: "much".into(),
            detail: "this is no number".into(),
            allowed: "a number above 0".into(),
        }],
    });
    let right = ImportLine {
        line: 2,
        says: Some("2026-01-02 10:00:00 UTC: BUY 0.5 BTC for 30000 USD".into()),
        skipped: None,
        mistakes: Vec::new(),
    };
    ImportRow {
        format: "binance".into(),
        preview: true,
        read: 12,
        added: 9,
        known: 3,
        skipped: [("a transfer between your own accounts".to_owned(), 2)].into(),
        mistakes,
        lines: wrong.chain([right]).collect(),
    }
}

fn state() -> State {
    let mut state = State::default();
    alert_tests::logged_in(&mut state, at("12:00"));
    state.portfolios.show([Topic::List, Topic::Balance(counted(1))].into());
    let told = Told::List(vec![portfolio(1, "savings")]);
    state.apply(Update::Portfolio { topic: Topic::List, outcome: Ok(told) }, at("12:00"));
    state
}

fn names(state: &State) -> Vec<String> {
    state.portfolios.list().unwrap_or_default().iter().map(|row| row.name.clone()).collect()
}

#[test]
fn what_failed_is_told_with_the_age_of_what_is_shown() {
    let mut state = state();
    let topic = Topic::Balance(counted(1));
    let told = Told::Balance(Box::new(balance()));
    state.apply(Update::Portfolio { topic: topic.clone(), outcome: Ok(told) }, at("12:00"));
    assert!(state.portfolios.failure(&topic).is_none());
    let failure = Failure { cause: "connection refused".into(), retry_at: at("12:01") };
    state.apply(Update::Portfolio { topic: topic.clone(), outcome: Err(failure.clone()) }, at("12:00:30"));
    assert_eq!(state.portfolios.failure(&topic), Some((&failure, Some(at("12:00")))));
    assert_eq!(state.portfolios.balance(&counted(1)), Some(&balance()), "it stays");
    assert!(state.portfolios.has_failed());
    state.portfolios.show([Topic::List].into());
    assert!(!state.portfolios.has_failed(), "nobody looks at it");
}

#[test]
fn what_is_not_looked_at_is_forgotten_in_the_end_and_not_taken_in() {
    let mut state = state();
    let which = |before| Which { before, ..Which::default() };
    let answer = |page| {
        let told = TransactionPage { count: i64::from(page), next: None, previous: None, results: Vec::new() };
        Update::Portfolio { topic: Topic::Transactions(1, which(page)), outcome: Ok(Told::Transactions(told)) }
    };
    for page in 1..=30 {
        state.portfolios.show([Topic::Transactions(1, which(page))].into());
        state.apply(answer(page), at("12:00"));
    }
    let known =
        |state: &State| (1..=30).filter(|page| state.portfolios.transactions(1, &which(*page)).is_some()).count();
    assert_eq!(known(&state), KEPT + 1);
    state.apply(answer(1), at("12:00"));
    assert_eq!(known(&state), KEPT + 1);
}

#[test]
fn what_is_one_account_s_is_not_shown_to_another_and_its_own_comes_at_once() {
    let mut state = state();
    assert_eq!(names(&state), ["savings"]);
    let bob = Standing { login: Some(alert_tests::login("bob")), ..Standing::default() };
    state.apply(Update::Account(bob.clone()), at("12:00"));
    assert!(state.portfolios.list().is_none());
    // It may come before the window looks again.
    let told = Told::List(vec![portfolio(2, "bob's")]);
    state.apply(Update::Portfolio { topic: Topic::List, outcome: Ok(told) }, at("12:00"));
    state.apply(Update::Account(bob), at("12:00"));
    assert_eq!(names(&state), ["bob's"]);
}

#[test]
fn files_that_were_looked_at_are_not_kept_for_long() {
    let mut state = state();
    for number in 1..=5 {
        let file = CsvFile { path: "a.csv".into(), content: Vec::new().into() };
        let (order, outcome) = (Order::Preview(1, "a.csv".into()), Ok(Done::Previewed(import(0), file)));
        state.apply(Update::PortfolioAnswered { number, order: Box::new(order), outcome }, at("12:00"));
    }
    let kept = (1..=5).filter(|number| state.portfolios.answer(*number).is_some());
    assert_eq!(kept.collect::<Vec<_>>(), [4, 5]);
}

#[test]
fn portfolios_that_are_made_renamed_and_deleted_are_seen_at_once() {
    let mut state = state();
    let mut answer = |number, order, outcome| {
        state.apply(Update::PortfolioAnswered { number, order: Box::new(order), outcome }, at("12:00"));
        (names(&state), state.take_news())
    };
    let row = |id, name: &str| Ok(Done::Portfolio(Box::new(portfolio(id, name))));
    assert_eq!(answer(1, Order::Make(PortfolioRequest::default()), row(2, "play")).0, ["savings", "play"]);
    assert_eq!(answer(2, Order::Change(2, PortfolioRequest::default()), row(2, "games")).0, ["savings", "games"]);
    let (list, news) = answer(3, Order::Delete(1), Ok(Done::Deleted));
    assert_eq!((list, news), (vec!["games".to_owned()], vec!["The portfolio is deleted".to_owned()]));
    let refusal = Refusal { words: "you have no such portfolio".into(), parameter: None };
    let (_, news) = answer(4, Order::Delete(1), Err(refusal.clone()));
    assert_eq!(news, ["The portfolio was not deleted: you have no such portfolio"]);
    assert_eq!(state.portfolios.answer(4), Some(&Err(refusal)));
    for number in 5..=30 {
        let update =
            Update::PortfolioAnswered { number, order: Box::new(Order::Remove(1, 1)), outcome: Ok(Done::Deleted) };
        state.apply(update, at("12:00"));
    }
    assert!(state.portfolios.answer(4).is_none() && state.portfolios.answer(30).is_some());
}
