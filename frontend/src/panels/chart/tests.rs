use chrono::{DateTime, Utc};
use domain::Interval;
use eframe::egui::{Event, Modifiers, MouseWheelUnit, TouchPhase};
use egui_kittest::{Harness, kittest::Queryable};

use super::*;
use crate::{
    choices::{Choices, ScaleChoice},
    remote::Failure,
    state::{
        Connection, Part, State, TickerKey, Update,
        tests::{at, candles, gap, with_prices},
    },
    theme::Hues,
};

struct Shown {
    state: State,
    choices: Choices,
    chart: Chart,
    now: DateTime<Utc>,
    commands: Vec<Command>,
}

fn key() -> SeriesKey {
    SeriesKey { ticker: TickerKey::new("binance", "BTCUSDT"), interval: Interval::OneMinute }
}

fn state_with(outcome: Option<Result<Vec<api_types::CandleRow>, Failure>>) -> State {
    let mut state = with_prices();
    state.show(&key());
    if let Some(outcome) = outcome {
        state.apply(Update::Candles { series: key(), part: Part::Newest, outcome }, at("12:00:00"));
    }
    state
}

fn shown(state: State, now: &str) -> Harness<'static, Shown> {
    let choices = Choices { ticker: Some(key().ticker), ..Choices::default() };
    let shown = Shown { state, choices, chart: Chart::default(), now: at(now), commands: Vec::new() };
    let mut harness =
        Harness::builder().with_context_setup(crate::theme::install).with_size([900.0, 600.0]).build_ui_state(
            |ui, shown: &mut Shown| {
                let scene = Scene { state: &shown.state, choices: &shown.choices, api: "http://api", now: shown.now };
                shown.chart.show(ui, &scene, &mut shown.commands);
            },
            shown,
        );
    harness.run();
    harness
}

#[test]
fn the_plot_says_what_it_shows() {
    let harness = shown(state_with(Some(Ok(candles("11:00", 60)))), "12:00:02");
    let words = "Chart of BTC/USDT on binance, 61 candles of 1m, last 64,250.01, +1.82% in 24 hours";
    harness.get_by_label(words);
}

#[test]
fn both_styles_and_one_single_candle_can_be_drawn() {
    for count in [1, 2, 500] {
        let mut harness = shown(state_with(Some(Ok(candles("03:00", count)))), "12:00:02");
        harness.state_mut().choices.style = ChartStyle::Line;
        harness.run();
        harness.get_by_label_contains("Chart of BTC/USDT");
    }
}

#[test]
fn loading_empty_and_failed_say_so() {
    shown(state_with(None), "12:00:02").get_by_label("Loading the candles of BTC/USDT …");
    shown(state_with(Some(Ok(vec![]))), "12:00:02").get_by_label("No candles yet");
    let failure = Failure { cause: "connection refused".into(), retry_at: at("12:00:09") };
    let mut harness = shown(state_with(Some(Err(failure))), "12:00:02");
    harness.get_by_label("Cannot load the candles of BTC/USDT");
    harness.get_by_label("connection refused. Next try in 7 s.");
    harness.get_by_label("Try now").click();
    harness.run();
    assert_eq!(harness.state().commands, [Command::Retry]);
}

#[test]
fn a_failure_keeps_the_candles_that_are_there() {
    let mut state = state_with(Some(Ok(candles("11:00", 60))));
    let outcome = Err(Failure { cause: "connection refused".into(), retry_at: at("12:00:09") });
    state.apply(Update::Candles { series: key(), part: Part::Newest, outcome }, at("12:00:01"));
    let away = Connection::Away { cause: "refused".into(), since: at("12:00:01"), next_try_at: at("12:00:05") };
    state.apply(Update::Connection(away), at("12:00:01"));
    let harness = shown(state, "12:00:02");
    harness.get_by_label_contains("Chart of BTC/USDT on binance, 61 candles");
    harness.get_by_label("No connection to the API at http://api");
}

#[test]
fn intervals_are_buttons() {
    let mut harness = shown(state_with(Some(Ok(candles("11:00", 60)))), "12:00:02");
    harness.get_by_label("4h").click();
    harness.run();
    assert!(harness.state().commands.contains(&Command::Interval(Interval::FourHours)));
}

#[test]
fn panning_into_the_past_asks_for_it_and_offers_the_way_back() {
    let mut harness = shown(state_with(Some(Ok(candles("03:00", 500)))), "12:00:02");
    assert_eq!(harness.state().commands, []);
    let plot = harness.get_by_label_contains("Chart of BTC/USDT").rect();
    for _ in 0..8 {
        harness.drag_at(plot.left_center() + Vec2::new(20.0, 0.0));
        harness.run_steps(1);
        harness.hover_at(plot.right_center() - Vec2::new(20.0, 0.0));
        harness.run_steps(1);
        harness.drop_at(plot.right_center() - Vec2::new(20.0, 0.0));
        harness.run_steps(1);
    }
    let oldest = at("03:00:00");
    assert!(harness.state().commands.contains(&Command::LoadOlder(key(), oldest)));
    harness.get_by_label("Newest →").click();
    harness.run();
    assert!(harness.query_by_label("Newest →").is_none());
}

#[test]
fn the_wheel_stretches_time() {
    let mut harness = shown(state_with(Some(Ok(candles("03:00", 500)))), "12:00:02");
    let extent = |harness: &Harness<'_, Shown>| {
        let shown = harness.state();
        let series = shown.state.series(&key()).and_then(Remote::value).unwrap();
        let (left, right) = shown.chart.view.range(extent(series).unwrap());
        right - left
    };
    let before = extent(&harness);
    let plot = harness.get_by_label_contains("Chart of BTC/USDT").rect();
    harness.hover_at(plot.center());
    harness.run_steps(1);
    harness.event(Event::MouseWheel {
        source: eframe::egui::MouseWheelSource::Wheel,
        unit: MouseWheelUnit::Point,
        delta: Vec2::new(0.0, 300.0),
        phase: TouchPhase::Move,
        modifiers: Modifiers::NONE,
    });
    harness.run_steps(10);
    assert!(extent(&harness) < before * 0.7, "{} of {before}", extent(&harness));
}

#[test]
fn missing_trades_are_told() {
    let mut state = state_with(Some(Ok(candles("11:00", 60))));
    state.apply(Update::Holes(Ok(vec![gap("11:30", "11:32", "open")])), at("12:00:00"));
    let mut harness = shown(state, "12:00:02");
    let plot = harness.get_by_label_contains(", 20 trades missing in all").rect();
    harness.hover_at(plot.center());
    harness.run();
    harness.get_by_label_contains("Chart of BTC/USDT");
}

#[test]
fn indicators_and_colours_are_chosen_in_menus_and_drawn() {
    for (menu, entry, command) in [
        ("Indicators", "Bollinger 20, 2", Command::Indicator(Indicator::Bollinger)),
        ("Colours", "Blue and orange", Command::Hues(Hues { colour_blind: true, red_up: false })),
    ] {
        let mut harness = shown(state_with(Some(Ok(candles("03:00", 500)))), "12:00:02");
        harness.get_by_label(menu).click();
        harness.run();
        harness.get_by_label(entry).click();
        harness.run();
        assert_eq!(harness.state().commands, [command]);
    }
    for count in [1, 25, 500] {
        let mut state = state_with(Some(Ok(candles("03:00", count))));
        state.apply(Update::Holes(Ok(vec![gap("03:10", "03:11", "open")])), at("12:00:00"));
        let mut harness = shown(state, "12:00:02");
        harness.state_mut().choices.indicators = Indicator::ALL.into();
        for scale in [ScaleChoice::Linear, ScaleChoice::Logarithmic, ScaleChoice::Percent] {
            harness.state_mut().choices.scale = scale;
            harness.run();
            harness.get_by_label_contains("Chart of BTC/USDT");
        }
    }
}
