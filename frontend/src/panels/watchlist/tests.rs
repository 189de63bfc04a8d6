use chrono::{DateTime, TimeDelta, Utc};
use eframe::egui::Key;
use egui_kittest::{Harness, kittest::Queryable};

use super::*;
use crate::{
    choices::{Choices, FAVOURITES},
    state::{
        State, Update,
        tests::{at, live, with_prices},
    },
};

/// The list, and all that was wanted so far.
struct Shown {
    state: State,
    choices: Choices,
    list: Watchlist,
    now: DateTime<Utc>,
    commands: Vec<Command>,
}

fn shown(state: State, now: &str) -> Harness<'static, Shown> {
    let shown =
        Shown { state, choices: Choices::default(), list: Watchlist::default(), now: at(now), commands: Vec::new() };
    let mut harness =
        Harness::builder().with_context_setup(crate::theme::install).with_size([360.0, 500.0]).build_ui_state(
            |ui, shown: &mut Shown| {
                let scene = Scene { state: &shown.state, choices: &shown.choices, api: "", now: shown.now };
                shown.list.show(ui, &scene, None, &mut shown.commands);
            },
            shown,
        );
    harness.run();
    harness
}

#[test]
fn rows_say_what_is_known_and_nothing_else() {
    let harness = shown(with_prices(), "12:00:02");
    harness.get_by_label("BTC/USDT on binance, last 64,250.01, +1.82% in 24 hours, updated 2s ago");
    harness.get_by_label("PEPE/USDT on binance, last 0.0₄1234, −5.00% in 24 hours, updated 2s ago");
    harness.get_by_label("NEW/USDT on binance, last 7, — in 24 hours, updated 2s ago");
}

#[test]
fn a_click_chooses_the_ticker() {
    let mut harness = shown(with_prices(), "12:00:02");
    harness.get_by_label_contains("ETH/USDT on binance").click();
    harness.run();
    assert_eq!(harness.state().commands, [Command::Select(TickerKey::new("binance", "ETHUSDT"))]);
}

#[test]
fn an_old_price_is_called_stale() {
    let harness = shown(with_prices(), "12:05:00");
    harness.get_by_label_contains("BTC/USDT on binance, last 64,250.01, +1.82% in 24 hours, updated 5m ago, stale");
}

#[test]
fn the_filter_narrows_the_list_and_enter_takes_the_best_match() {
    let mut harness = shown(with_prices(), "12:00:02");
    harness.get_by_label("Filter the markets");
    harness.state_mut().list.focus_filter();
    harness.run();
    harness.event(eframe::egui::Event::Text("pepe".to_owned()));
    harness.run();
    assert!(harness.query_by_label_contains("BTC/USDT on binance").is_none());
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(harness.state().commands, [Command::Select(TickerKey::new("binance", "PEPEUSDT"))]);
}

#[test]
fn the_order_follows_once_a_second() {
    let mut harness = shown(with_prices(), "12:00:02");
    let mut batch = crate::live::LiveBatch::default();
    let traded = crate::state::tests::minute("12:00", ["2500", "2500", "2500", "2500"], "9000000");
    batch.add(live("ETHUSDT", "12:00:02", "2500", vec![traded]));
    let shown = harness.state_mut();
    shown.state.apply(Update::Live(batch), shown.now);
    harness.run();
    assert_eq!(harness.state().list.rows.rows()[0].ticker, "BTCUSDT");
    harness.state_mut().now += TimeDelta::seconds(1);
    harness.run();
    assert_eq!(harness.state().list.rows.rows()[0].ticker, "ETHUSDT");
}

#[test]
fn an_empty_list_says_why() {
    shown(State::default(), "12:00:00").get_by_label("Loading the markets …");
    let mut state = State::default();
    state.apply(Update::Prices(Ok(vec![])), at("12:00:00"));
    shown(state, "12:00:00").get_by_label("No markets yet");
}

#[test]
fn ten_thousand_rows_cost_no_more_than_those_in_view() {
    let mut state = State::default();
    let rows = (0..10_000).map(|n| crate::state::tests::price(&format!("T{n:05}"), "1", None, "1")).collect();
    state.apply(Update::Prices(Ok(rows)), at("12:00:00"));
    let harness = shown(state, "12:00:00");
    let in_view = harness.query_all_by_label_contains("on binance, last").count();
    assert!((5..30).contains(&in_view), "{in_view} rows are laid out");
}

#[test]
fn favourites_are_marked_and_can_be_shown_alone() {
    let mut harness = shown(with_prices(), "12:00:02");
    harness.get_by_label_contains("ETH/USDT on binance").click_secondary();
    harness.run();
    harness.get_by_label(FAVOURITES).click();
    harness.run();
    let eth = TickerKey::new("binance", "ETHUSDT");
    assert_eq!(harness.state().commands, [Command::List(FAVOURITES.into(), eth.clone())]);
    harness.state_mut().list.list = Some(FAVOURITES.into());
    harness.run();
    harness.get_by_label("No favourites yet");
    harness.state_mut().choices.lists.turn(FAVOURITES, &eth);
    harness.run();
    harness.get_by_label("ETH/USDT on binance, last 2,500.5, +3.10% in 24 hours, updated 2s ago, favourite");
    assert!(harness.query_by_label_contains("BTC/USDT on binance").is_none());
}

#[test]
fn a_new_list_begins_with_a_market_and_can_go_again() {
    let mut harness = shown(with_prices(), "12:00:02");
    harness.get_by_label_contains("ETH/USDT on binance").click_secondary();
    harness.run();
    harness.get_by_label("Name of the new list").focus();
    harness.run();
    harness.event(eframe::egui::Event::Text("Layer 1".to_owned()));
    harness.run();
    harness.get_by_label("Add").click();
    harness.run();
    let eth = TickerKey::new("binance", "ETHUSDT");
    assert_eq!(harness.state().commands, [Command::List("Layer 1".into(), eth.clone())]);
    harness.state_mut().choices.lists.turn("Layer 1", &eth);
    harness.state_mut().list.list = Some("Layer 1".into());
    harness.run();
    assert!(harness.query_by_label_contains("BTC/USDT on binance").is_none());
    harness.get_by_label("×").click();
    harness.run();
    assert_eq!(harness.state().commands.last(), Some(&Command::RemoveList("Layer 1".into())));
    harness.get_by_label_contains("BTC/USDT on binance");
}

#[test]
fn what_an_earlier_run_knew_is_listed_too() {
    let state = State::recall(with_prices().picture(at("12:00:00")).unwrap());
    shown(state, "15:00:00").get_by_label_contains("BTC/USDT on binance, last 64,250.01");
}
