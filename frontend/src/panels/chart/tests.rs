use chrono::{DateTime, Utc};
use domain::Interval;
use eframe::egui::{Event, Modifiers, MouseWheelUnit, TouchPhase};
use egui_kittest::{Harness, kittest::Queryable};

use super::*;
use crate::{
    choices::{Choices, Drawing, ScaleChoice},
    indicators::Indicator,
    remote::Failure,
    state::{
        Connection, Order, Part, State, TickerKey, Update, alert_tests,
        tests::{at, candles, gap, with_prices},
    },
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
    state.show([key()].into());
    if let Some(outcome) = outcome {
        state.apply(Update::Candles { series: key(), part: Part::Newest, outcome }, at("12:00:00"));
    }
    state
}

fn shown(state: State, now: &str) -> Harness<'static, Shown> {
    let choices = Choices::default();
    let shown = Shown { state, choices, chart: Chart::default(), now: at(now), commands: Vec::new() };
    let mut harness =
        Harness::builder().with_context_setup(crate::theme::install).with_size([900.0, 600.0]).build_ui_state(
            |ui, shown: &mut Shown| {
                let scene = Scene { state: &shown.state, choices: &shown.choices, api: "http://api", now: shown.now };
                shown.chart.show(ui, &scene, Some(&key().ticker), &mut shown.commands);
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
fn every_style_and_one_single_candle_can_be_drawn() {
    for count in [1, 2, 500] {
        let mut harness = shown(state_with(Some(Ok(candles("03:00", count)))), "12:00:02");
        for (style, _) in ChartStyle::ALL {
            harness.state_mut().chart.choices.style = style;
            harness.run();
            harness.get_by_label_contains("Chart of BTC/USDT");
        }
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
}

#[test]
fn candles_that_are_not_kept_up_say_so() {
    let mut state = state_with(Some(Ok(candles("11:00", 60))));
    state.apply(Update::Connection(Connection::Connected), at("12:00:00"));
    let outcome = Err(Failure { cause: "no answer in time".into(), retry_at: at("12:00:09") });
    state.apply(Update::Candles { series: key(), part: Part::Newest, outcome }, at("12:00:01"));
    shown(state, "12:00:02").get_by_label("These candles are not kept up: no answer in time. Next try in 7 s.");
}

#[test]
fn intervals_are_buttons() {
    let mut harness = shown(state_with(Some(Ok(candles("11:00", 60)))), "12:00:02");
    harness.get_by_label("4h").click();
    harness.run();
    assert!(harness.state().commands.contains(&Command::Chart(ChartChange::Interval(Interval::FourHours))));
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
fn indicators_are_chosen_in_a_menu_and_drawn() {
    let mut harness = shown(state_with(Some(Ok(candles("03:00", 500)))), "12:00:02");
    harness.get_by_label("Indicators").click();
    harness.run();
    harness.get_by_label("Bollinger 20, 2").click();
    harness.run();
    assert_eq!(harness.state().commands, [Command::Chart(ChartChange::Indicator(Indicator::Bollinger))]);
    for count in [1, 25, 500] {
        let mut state = state_with(Some(Ok(candles("03:00", count))));
        state.apply(Update::Holes(Ok(vec![gap("03:10", "03:11", "open")])), at("12:00:00"));
        let mut harness = shown(state, "12:00:02");
        harness.state_mut().chart.choices.indicators = Indicator::ALL.into();
        for scale in [ScaleChoice::Linear, ScaleChoice::Logarithmic, ScaleChoice::Percent] {
            harness.state_mut().chart.choices.scale = scale;
            harness.run();
            harness.get_by_label_contains("Chart of BTC/USDT");
        }
    }
    let mut harness = shown(state_with(Some(Ok(candles("03:00", 500)))), "12:00:02");
    harness.state_mut().chart.choices.indicators = [Indicator::Sma, Indicator::Rsi].into();
    harness.run();
    harness.get_by_label_contains("+1.82% in 24 hours, SMA 20 64,250.00, RSI 14 100.00");
}

/// Obeys what the chart wants drawn, as the window does.
fn obey(harness: &mut Harness<'static, Shown>) {
    let shown = harness.state_mut();
    for command in std::mem::take(&mut shown.commands) {
        match command {
            Command::Draw(ticker, change) => shown.choices.drawings.obey(&ticker, change),
            Command::Chart(change) => shown.chart.obey(change),
            other => panic!("{other:?}"),
        }
    }
    harness.run();
}

fn drawings(harness: &Harness<'static, Shown>) -> Vec<Drawing> {
    harness.state().choices.drawings.of(&key().ticker).to_vec()
}

fn click(harness: &mut Harness<'static, Shown>, place: Pos2) {
    harness.hover_at(place);
    harness.run();
    harness.drag_at(place);
    harness.run_steps(1);
    harness.drop_at(place);
    harness.run();
    obey(harness);
}

fn drag(harness: &mut Harness<'static, Shown>, from: Pos2, to: Pos2) {
    harness.hover_at(from);
    harness.run();
    harness.drag_at(from);
    harness.run_steps(1);
    for share in [0.3, 0.6, 1.0] {
        harness.hover_at(from + (to - from) * share);
        harness.run_steps(1);
        obey(harness);
    }
    harness.drop_at(to);
    harness.run();
    obey(harness);
}

#[test]
fn a_level_is_put_moved_and_removed() {
    let mut harness = shown(state_with(Some(Ok(candles("03:00", 500)))), "12:00:02");
    let plot = harness.get_by_label_contains("Chart of BTC/USDT").rect();
    harness.state_mut().chart.obey(ChartChange::Tool(Tool::Level));
    let place = plot.center();
    click(&mut harness, place);
    let price = |harness: &Harness<'static, Shown>| match drawings(harness).as_slice() {
        [Drawing::Level { price, bell: false }] => *price,
        other => panic!("{other:?}"),
    };
    let first = price(&harness);
    assert!(first.scale() <= 2, "{first}");
    drag(&mut harness, place, place - Vec2::new(40.0, 60.0));
    assert!(price(&harness) > first, "it was moved up");
    let (left, right) = {
        let shown = harness.state();
        let series = shown.state.series(&key()).and_then(Remote::value).unwrap();
        shown.chart.view.range(extent(series).unwrap())
    };
    assert!(right > left && harness.state().chart.view.follows(), "the chart was not panned meanwhile");
    harness.hover_at(place - Vec2::new(0.0, 60.0));
    harness.run();
    harness.key_press(eframe::egui::Key::Delete);
    harness.run();
    obey(&mut harness);
    assert_eq!(drawings(&harness), []);
}

#[test]
fn a_level_that_rings_is_put_where_the_pointer_is() {
    let mut harness = shown(state_with(Some(Ok(candles("03:00", 500)))), "12:00:02");
    let plot = harness.get_by_label_contains("Chart of BTC/USDT").rect();
    harness.hover_at(plot.center());
    harness.run();
    harness.state_mut().chart.obey(ChartChange::LevelHere);
    harness.run();
    obey(&mut harness);
    assert!(matches!(drawings(&harness).as_slice(), [Drawing::Level { bell: true, .. }]));
}

#[test]
fn an_alert_of_the_account_is_made_where_the_pointer_is_by_key_and_by_menu() {
    let mut state = state_with(Some(Ok(candles("03:00", 500))));
    alert_tests::logged_in(&mut state, at("12:00"));
    let mut rule = alert_tests::rule(1);
    rule.says.level = Some("64240".parse().unwrap());
    state.apply(Update::Rules(Ok(vec![rule])), at("12:00"));
    let rows = vec![alert_tests::firing(1, 1, "11:30:10", "64240")];
    state.apply(Update::Firings { rows, are_news: false }, at("12:00"));
    let mut harness = shown(state, "12:00:02");
    let plot = harness.get_by_label_contains(", alerts at 64,240.00, 1 fired").rect();
    harness.hover_at(plot.center());
    harness.run();
    harness.state_mut().chart.obey(ChartChange::LevelHere);
    harness.run();
    for button in [true, false] {
        let pos = plot.center();
        let button = Event::PointerButton {
            pos,
            button: eframe::egui::PointerButton::Secondary,
            pressed: button,
            modifiers: Modifiers::NONE,
        };
        harness.event(button);
        harness.run();
    }
    harness.get_by_label_contains("Alert at 64,2").click();
    harness.run();
    let levels: Vec<_> = harness.state().commands.iter().filter_map(made).collect();
    assert_eq!(levels.len(), 2);
    assert_eq!(levels[0], levels[1], "of the same place");
}

/// The level of the rule that is to be made.
fn made(command: &Command) -> Option<api_types::alerts::Amount> {
    match command {
        Command::Alert(_, order) => match &**order {
            Order::Make(rule) => rule.level,
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn a_trend_line_goes_from_one_click_to_another_and_a_measurement_leaves_nothing() {
    let mut harness = shown(state_with(Some(Ok(candles("03:00", 500)))), "12:00:02");
    let plot = harness.get_by_label_contains("Chart of BTC/USDT").rect();
    harness.state_mut().chart.obey(ChartChange::Tool(Tool::Trend));
    click(&mut harness, plot.center() - Vec2::new(100.0, 40.0));
    assert_eq!(drawings(&harness), []);
    click(&mut harness, plot.center() + Vec2::new(100.0, 40.0));
    match drawings(&harness).as_slice() {
        [Drawing::Trend { from, to }] => assert!(from.second < to.second && from.price > to.price),
        other => panic!("{other:?}"),
    }
    harness.state_mut().chart.obey(ChartChange::Tool(Tool::Ruler));
    drag(&mut harness, plot.center() - Vec2::new(50.0, 90.0), plot.center() + Vec2::new(50.0, 90.0));
    assert_eq!(drawings(&harness).len(), 1);
    assert!(harness.state().chart.view.follows());
}

#[test]
fn what_is_in_view_can_be_saved() {
    let mut harness = shown(state_with(Some(Ok(candles("03:00", 500)))), "12:00:02");
    harness.get_by_label("Save").click();
    harness.run();
    harness.get_by_label("Candles in view (CSV)").click();
    harness.run();
    assert_eq!(harness.state().commands, [Command::Chart(ChartChange::ExportCandles)]);
    let shown = harness.state_mut();
    shown.commands.clear();
    shown.chart.obey(ChartChange::ExportCandles);
    shown.chart.obey(ChartChange::ExportPicture);
    harness.run();
    match harness.state().commands.as_slice() {
        [Command::ExportPicture(part, name), Command::ExportCandles(series, from, to)] => {
            assert!(part.width() > 800.0 && name == "BTCUSDT-binance-1m");
            assert_eq!((series, *from, *to), (&key(), at("10:07:17"), at("12:01")));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_an_earlier_run_knew_is_shown() {
    let picture = state_with(Some(Ok(candles("11:00", 60)))).picture(at("12:00:00")).unwrap();
    let harness = shown(State::recall(picture), "15:00:00");
    harness.get_by_label_contains("Chart of BTC/USDT on binance, 61 candles of 1m");
}
