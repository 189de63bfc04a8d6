use chrono::{DateTime, Utc};

use super::*;
use crate::{
    client::{Login, Secret},
    state::{
        State,
        tests::{at, decimal},
    },
};

pub(crate) fn login(username: &str) -> Login {
    Login { username: username.to_owned(), refresh: Secret::new("ctr_x".to_owned()), stays: false }
}

/// Somebody is logged in.
pub(crate) fn logged_in(state: &mut State, now: DateTime<Utc>) {
    let standing = Standing { login: Some(login("ada")), ..Standing::default() };
    state.apply(Update::Account(standing), now);
    state.take_news();
}

/// A rule that waits for BTCUSDT to come through 70,000.
pub(crate) fn rule(id: i64) -> AlertRow {
    AlertRow {
        id,
        coin: Some("btcusdt".into()),
        target_price: None,
        status: "created".into(),
        says: AlertSays {
            kind: "crosses".into(),
            exchange: Some("binance".into()),
            ticker: Some("BTCUSDT".into()),
            direction: Some("up".into()),
            level: Some(decimal("70000")),
            evaluate: "tick".into(),
            frequency: "once".into(),
            late: true,
            ..AlertSays::default()
        },
        armed: true,
        last_fired_at: None,
        fired_count: 0,
        created_at: at("11:00"),
        updated_at: at("11:00"),
    }
}

pub(crate) fn firing(id: i64, alert: i64, time: &str, price: &str) -> FiringRow {
    FiringRow {
        id,
        alert,
        happened_at: at(time),
        noticed_at: at(time),
        late: false,
        said: format!("BTCUSDT (binance) crossed a level: {price}"),
        price: Some(decimal(price)),
        reference: Some(decimal("69999")),
        trade_id: Some(7),
    }
}

fn state() -> State {
    let mut state = State::default();
    logged_in(&mut state, at("12:00"));
    state
}

#[test]
fn what_fired_before_the_log_in_is_listed_and_not_told_and_nothing_twice() {
    let mut state = state();
    let fired = |rows: Vec<FiringRow>, are_news| Update::Firings { rows, are_news };
    state.apply(fired(vec![firing(2, 7, "11:59", "70001"), firing(1, 7, "11:58", "70001")], false), at("12:00"));
    assert_eq!(state.alerts.take_fresh(), []);
    state.apply(fired(vec![firing(4, 7, "12:02", "70001"), firing(3, 7, "12:01", "70001")], true), at("12:02"));
    let ids = |rows: Vec<FiringRow>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(state.alerts.take_fresh()), [3, 4]);
    // Another worker of the same account tells all of them again, and one that came in between.
    let again = [5, 4, 3, 2, 1].map(|id| firing(id, 7, "12:03", "70001")).into();
    state.apply(fired(again, false), at("12:03"));
    assert_eq!(ids(state.alerts.take_fresh()), [5]);
    assert_eq!(ids(state.alerts.firings().iter().cloned().collect()), [5, 4, 3, 2, 1]);
    let many = (6..2_000).rev().map(|id| firing(id, 7, "12:04", "1")).collect();
    state.apply(fired(many, true), at("12:04"));
    assert_eq!((state.alerts.firings().len(), state.alerts.firings()[0].id), (KEPT, 1_999));
}

#[test]
fn what_is_one_account_s_is_not_shown_to_another() {
    let mut state = state();
    state.apply(Update::Rules(Ok(vec![rule(1)])), at("12:00"));
    state.apply(Update::Firings { rows: vec![firing(1, 1, "11:59", "1")], are_news: false }, at("12:00"));
    let ended = Standing { has_ended: true, ..Standing::default() };
    state.apply(Update::Account(ended.clone()), at("12:01"));
    assert_eq!(state.take_news(), ["The session has ended: log in again"]);
    assert!(state.alerts.rules.value().is_none() && state.alerts.firings().is_empty());
    assert!(state.alerts.wants_log_in());
    state.apply(Update::Account(Standing { login: Some(login("bob")), ..ended }), at("12:02"));
    assert_eq!((state.take_news(), state.alerts.username()), (vec!["Logged in as bob".to_owned()], Some("bob")));
    state.apply(Update::Account(Standing::default()), at("12:03"));
    assert_eq!(state.take_news(), ["Logged out"]);
    assert!(!state.alerts.wants_log_in());
}

#[test]
fn what_was_done_is_seen_at_once_and_what_was_refused_is_told() {
    let mut state = state();
    state.apply(Update::Rules(Ok(vec![rule(1)])), at("12:00"));
    let mut answer = |order, outcome| {
        state.apply(Update::Answered { number: 9, order: Box::new(order), outcome }, at("12:00"));
        let ids: Vec<_> =
            state.alerts.rules.value().unwrap().iter().map(|rule| (rule.id, rule.status.clone())).collect();
        (ids, state.take_news())
    };
    let (rules, news) = answer(Order::Make(AlertRequest::default()), Ok(Done::Rule(Box::new(rule(2)))));
    assert_eq!(
        (rules[0].0, rules[1].0, &news[..]),
        (2, 1, &["Alert made: BTCUSDT rises through 70,000".to_owned()][..])
    );
    let paused = AlertRow { status: "paused".into(), ..rule(1) };
    let (rules, news) = answer(Order::Change(1, AlertRequest::default()), Ok(Done::Rule(Box::new(paused))));
    assert_eq!((rules[1].1.as_str(), news.len()), ("paused", 0));
    let refusal = Refusal { words: "you have no such alert".into(), parameter: None };
    let (rules, news) = answer(Order::Delete(2), Err(refusal));
    assert_eq!((rules.len(), news), (2, vec!["The alert was not deleted: you have no such alert".to_owned()]));
    assert_eq!(answer(Order::Delete(2), Ok(Done::Deleted)).0.len(), 1);
}

#[test]
fn a_chart_shows_its_own_market_s_levels_and_prices_only() {
    let mut state = state();
    let of = |id, change: fn(&mut AlertRow)| {
        let mut rule = rule(id);
        change(&mut rule);
        rule
    };
    let rules = vec![
        rule(1),
        of(2, |rule| rule.status = "paused".into()),
        of(3, |rule| rule.says.ticker = Some("ETHUSDT".into())),
        of(4, |rule| rule.says.kind = "volume".into()),
    ];
    state.apply(Update::Rules(Ok(rules)), at("12:00"));
    let rows = [1, 2, 3, 4, 9].map(|alert| firing(alert, alert, "12:00", "70001")).into();
    state.apply(Update::Firings { rows, are_news: false }, at("12:00"));
    let btc = TickerKey::new("binance", "BTCUSDT");
    let told: Vec<_> = state.alerts.firings_of(&btc).map(|(row, _)| row.alert).collect();
    assert_eq!(told, [1, 2], "a volume is no price");
    assert_eq!(state.alerts.levels(&btc).count(), 2);
}

#[test]
fn every_kind_is_told_in_words() {
    let says = |kind: &str, change: fn(&mut AlertSays)| {
        let mut says = AlertSays { kind: kind.into(), ..AlertSays::default() };
        says.level = Some(decimal("70000.50"));
        (says.lower, says.upper) = (Some(decimal("60000")), Some(decimal("70000")));
        (says.change, says.threshold) = (Some(decimal("5")), Some(decimal("1000")));
        (says.window_minutes, says.seconds) = (Some(60), Some(90));
        change(&mut says);
        rule_words(&says)
    };
    let up: fn(&mut AlertSays) = |says| says.direction = Some("up".into());
    let none: fn(&mut AlertSays) = |_| {};
    assert_eq!(says("crosses", up), "rises through 70,000.5");
    assert_eq!(says("crosses", none), "crosses 70,000.5");
    assert_eq!(says("reaches", none), "reaches 70,000.5");
    assert_eq!(says("channel", none), "leaves 60,000 to 70,000");
    assert_eq!(says("moves", |says| says.direction = Some("down".into())), "falls 5% within 1 h");
    assert_eq!(says("moves", |says| says.unit = Some("price".into())), "moves 5 within 1 h");
    assert_eq!(says("closes", |says| says.bar = Some("4h".into())), "closes beyond 70,000.5 (4h)");
    assert_eq!(says("volume", none), "1,000 units traded within 1 h");
    assert_eq!(says("stale", none), "has no trade for 90 s");
    assert_eq!(says("exchange_down", |says| says.seconds = Some(172_800)), "tells nothing for 2 d");
    assert_eq!(says("unheard of", none), "unheard of");
}
