//! The pane, asked by the names that it has for assistive technology, and looked at in pictures
//! (`frontend/tests/snapshots`; `UPDATE_SNAPSHOTS=1` makes them anew).

use api_types::alerts::{AlertPreview, PreviewedFiring};
use eframe::egui::{Event, Key, Theme};
use egui_kittest::{Harness, SnapshotOptions, kittest::Queryable};

use super::*;
use crate::{
    choices::Choices,
    client::Standing,
    remote::Failure,
    state::{
        Done, Refusal, State, Update,
        alert_tests::{firing, logged_in, rule},
        tests::{at, decimal, with_prices},
    },
    theme,
};

struct Shown {
    state: State,
    pane: Alerts,
    commands: Vec<Command>,
}

fn btc() -> TickerKey {
    TickerKey::new("binance", "BTCUSDT")
}

fn shown_in(theme: Theme, size: [f32; 2], state: State) -> Harness<'static, Shown> {
    let shown = Shown { state, pane: Alerts::default(), commands: Vec::new() };
    let builder = Harness::builder().with_context_setup(theme::install).with_theme(theme).with_size(size);
    let mut harness = builder.build_ui_state(
        |ui, shown: &mut Shown| {
            ui.painter().rect_filled(ui.ctx().content_rect(), 0.0, Palette::of(ui).panel);
            let choices = Choices::default();
            let scene = Scene { state: &shown.state, choices: &choices, api: "http://api", now: at("12:00:02") };
            shown.pane.show(ui, &scene, Some(&btc()), &mut shown.commands);
        },
        shown,
    );
    harness.run();
    harness
}

fn shown(state: State) -> Harness<'static, Shown> {
    shown_in(Theme::Dark, [560.0, 420.0], state)
}

fn account() -> State {
    let mut state = with_prices();
    logged_in(&mut state, at("12:00"));
    state
}

/// Rules in every state, and what some of them fired for.
fn with_rules() -> State {
    let mut state = account();
    let mut rules = vec![rule(5), rule(4), rule(3), rule(2), rule(1)];
    rules[0].says.note = Some("sell some".into());
    rules[1].status = "paused".into();
    rules[1].says.kind = "moves".into();
    (rules[1].says.change, rules[1].says.window_minutes) = (Some(decimal("5")), Some(60));
    (rules[1].says.frequency, rules[1].says.cooldown_seconds) = ("every_time".into(), Some(300));
    rules[2].status = "triggered".into();
    (rules[2].fired_count, rules[2].last_fired_at) = (1, Some(at("11:58:20")));
    rules[3].says.kind = "closes".into();
    (rules[3].says.bar, rules[3].says.ticker) = (Some("4h".into()), Some("ETHUSDT".into()));
    (rules[3].fired_count, rules[3].last_fired_at) = (12, Some(at("08:00:00")));
    rules[4].status = "expired".into();
    rules[4].says.expires_at = Some(at("11:00:00"));
    state.apply(Update::Rules(Ok(rules)), at("12:00"));
    let mut late = firing(2, 2, "08:00:00", "70010.5");
    (late.late, late.noticed_at) = (true, at("08:05:00"));
    let rows = vec![firing(3, 3, "11:58:20", "70000.1"), late, firing(1, 9, "07:00:00", "69000")];
    state.apply(Update::Firings { rows, are_news: false }, at("12:00"));
    state
}

fn order(harness: &Harness<'static, Shown>) -> (u64, Order) {
    match harness.state().commands.last() {
        Some(Command::Alert(number, order)) => (*number, (**order).clone()),
        other => panic!("{other:?}"),
    }
}

fn answer(harness: &mut Harness<'static, Shown>, outcome: Result<Done, Refusal>) {
    let (number, order) = order(harness);
    harness.state_mut().state.apply(Update::Answered { number, order: Box::new(order), outcome }, at("12:00"));
    harness.run();
}

fn write(harness: &mut Harness<'static, Shown>, field: &str, text: &str) {
    harness.get_by_label(field).focus();
    harness.run();
    harness.key_press_modifiers(eframe::egui::Modifiers::COMMAND, Key::A);
    harness.event(Event::Text(text.to_owned()));
    harness.run();
}

fn picture(harness: &mut Harness<'static, Shown>, name: &str) {
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(400);
    harness.snapshot_options(name, &options);
}

#[test]
fn without_an_account_it_offers_the_log_in() {
    let mut harness = shown(with_prices());
    harness.get_by_label("Log in").click();
    harness.run();
    assert_eq!(harness.state().commands, [Command::Account]);
    let ended = Standing { has_ended: true, ..Standing::default() };
    harness.state_mut().state.apply(Update::Account(ended), at("12:00"));
    harness.run();
    harness.get_by_label("The session has ended.");
    picture(&mut harness, "alerts_logged_out");
}

#[test]
fn loading_empty_and_failed_say_so() {
    let mut harness = shown(account());
    harness.get_by_label("Loading the alerts …");
    harness.state_mut().state.apply(Update::Rules(Ok(vec![])), at("12:00"));
    harness.run();
    harness.get_by_label("No alerts yet.");
    picture(&mut harness, "alerts_empty");
    let failure = Failure { cause: "connection refused".into(), retry_at: at("12:00:09") };
    harness.state_mut().state.apply(Update::Rules(Err(failure)), at("12:00"));
    harness.run();
    harness.get_by_label("Cannot load the alerts: connection refused. Next try in 7 s.");
}

#[test]
fn rules_are_filtered_paused_and_deleted_after_a_second_question() {
    let mut harness = shown(with_rules());
    picture(&mut harness, "alerts_rules");
    harness.get_by_label("Alerts: Paused").click();
    harness.run();
    harness.get_by_label("every time, rests 5 min · never fired");
    harness.get_by_label("Resume alert 4").click();
    harness.run();
    let (_, resumed) = order(&harness);
    let change = AlertRequest { status: Some("created".into()), ..AlertRequest::default() };
    assert_eq!(resumed, Order::Change(4, change));
    harness.get_by_label("Remove alert 4").click();
    harness.run();
    harness.get_by_label("Delete it?");
    assert_eq!(harness.state().commands.len(), 1, "asked first");
    harness.get_by_label("Keep alert 4").click();
    harness.run();
    harness.get_by_label("Remove alert 4").click();
    harness.run();
    harness.get_by_label("Delete alert 4").click();
    harness.run();
    assert_eq!(order(&harness).1, Order::Delete(4));
    harness.get_by_label("BTC/USDT").click();
    harness.run();
    assert_eq!(harness.state().commands.last(), Some(&Command::Select(btc())));
}

#[test]
fn firings_are_listed_beside_or_behind_and_a_click_shows_the_market() {
    let mut wide = shown_in(Theme::Light, [1000.0, 260.0], with_rules());
    wide.get_by_label("08:00:00 BTCUSDT (binance) crossed a level: 70010.5 (late: noticed at 08:05:00)");
    picture(&mut wide, "alerts_wide_light");
    let mut harness = shown(with_rules());
    harness.get_by_label("Fired (3)").click();
    harness.run();
    harness.get_by_label("11:58:20 BTCUSDT (binance) crossed a level: 70000.1").click();
    harness.run();
    assert_eq!(harness.state().commands, [Command::Select(btc())]);
}

#[test]
fn a_rule_is_written_tried_and_made() {
    let mut harness = shown(with_rules());
    harness.get_by_label("New alert").click();
    harness.run();
    write(&mut harness, "Level", "64,300");
    harness.get_by_label("Try").click();
    harness.run();
    let (_, tried) = order(&harness);
    let Order::Try(request) = tried else { panic!("{tried:?}") };
    assert_eq!(
        serde_json::to_string(&request).unwrap(),
        r#"{"kind":"crosses","exchange":"binance","ticker":"BTCUSDT","direction":"either","level":"64300","frequency":"once"}"#
    );
    harness.get_by_label("Asking the API …");
    let previewed = |time: &str| PreviewedFiring {
        happened_at: at(time),
        said: "BTCUSDT (binance) rose through 64300: 64300.5".into(),
        price: decimal("64300.5"),
    };
    let preview = AlertPreview {
        from: at("12:00") - chrono::TimeDelta::hours(24),
        to: at("12:00"),
        resolution: "tick".into(),
        prices: 5_000,
        count: 7,
        firings: ["01:00", "02:00", "03:00", "04:00", "05:00", "06:00"].map(previewed).into(),
    };
    answer(&mut harness, Ok(Done::Tried(preview)));
    harness.get_by_label("Would have fired 7 times in the last 24 h");
    harness.get_by_label("and 2 more");
    picture(&mut harness, "alerts_tried");
    write(&mut harness, "Level", "64400");
    assert!(harness.query_by_label_contains("Would have fired").is_none(), "that was of another level");
    harness.get_by_label("Make it").click();
    harness.run();
    assert!(matches!(order(&harness).1, Order::Make(_)));
    answer(&mut harness, Ok(Done::Rule(Box::new(rule(6)))));
    harness.get_by_label("Pause alert 6");
}

#[test]
fn what_is_refused_is_told_beside_its_field() {
    let mut harness = shown(with_rules());
    harness.get_by_label("New alert").click();
    harness.run();
    write(&mut harness, "Pair", "NOPE");
    harness.get_by_label("Make it").click();
    harness.run();
    let words = "binance has no such ticker; allowed: a pair of /tickers";
    answer(&mut harness, Err(Refusal { words: words.into(), parameter: Some("ticker".into()) }));
    let (field, told) = (harness.get_by_label("Pair").rect(), harness.get_by_label(words).rect());
    assert!(field.y_range().contains(told.center().y) && told.left() >= field.right(), "{field:?} {told:?}");
    picture(&mut harness, "alerts_refused");
    write(&mut harness, "Level", "much");
    harness.get_by_label("write a number with a dot before the decimals, such as 70000.5");
    assert!(harness.query_by_label(words).is_none());
}

#[test]
fn a_change_says_what_is_to_be_different() {
    let mut harness = shown(with_rules());
    harness.get_by_label("Edit alert 5").click();
    harness.run();
    harness.get_by_label("Change: BTCUSDT rises through 70,000");
    write(&mut harness, "Level", "71000");
    harness.get_by_label("Change it").click();
    harness.run();
    let (_, Order::Change(5, change)) = order(&harness) else { panic!("{:?}", order(&harness)) };
    assert_eq!(
        (change.level, change.note, change.kind),
        (Some(Amount(decimal("71000"))), Some(Some("sell some".into())), None)
    );
}

#[test]
fn an_alert_at_a_price_is_a_rule_of_the_account_or_a_level_that_rings() {
    let choices = Choices::default();
    let at_price = |state: &State| {
        let scene = Scene { state, choices: &choices, api: "", now: at("12:00") };
        at_price(&scene, &btc(), decimal("64300"))
    };
    let level = Drawing::Level { price: decimal("64300"), bell: true };
    assert_eq!(at_price(&with_prices()), Command::Draw(btc(), DrawingChange::Add(level)));
    let Command::Alert(_, order) = at_price(&account()) else { panic!("nobody's") };
    assert!(matches!(*order, Order::Make(rule) if rule.level == Some(Amount(decimal("64300")))));
}
