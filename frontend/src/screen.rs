//! The whole window: where its parts are, and what the keys do.
//!
//! It knows egui but neither the worker nor eframe, so that a test can show it as it is.

use chrono::{DateTime, Utc};
use domain::Interval;
use eframe::egui::{CentralPanel, Context, Event, Frame, Key, Margin, Modifiers, Panel, Theme, Ui};

use crate::{
    choices::{ChartStyle, Choices, ScaleChoice},
    panels::{Command, Scene, chart::Chart, health, help::Help, status, watchlist::Watchlist},
    state::State,
    theme::{Palette, ThemeChoice},
};

const INTERVAL_KEYS: [Key; 8] =
    [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8];

/// The window's parts and the user's choices.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// What the user chose.
    pub choices: Choices,
    watchlist: Watchlist,
    chart: Chart,
    help: Help,
}

impl Screen {
    /// As it was left.
    pub(crate) fn new(choices: Choices) -> Self {
        Self { choices, ..Self::default() }
    }

    /// Shows it, and says what the user wants.
    pub(crate) fn show(&mut self, ui: &mut Ui, state: &State, api: &str, now: DateTime<Utc>) -> Vec<Command> {
        let mut commands = Vec::new();
        let scene = Scene { state, choices: &self.choices, api, now };
        let palette = Palette::of(ui);
        let bar = Frame::new().fill(palette.panel).inner_margin(Margin::symmetric(10, 4));
        self.help.show(ui);
        keys(ui.ctx(), &scene, &mut self.watchlist, &mut commands);
        Panel::bottom("status").frame(bar).show(ui, |ui| status::show(ui, &scene, &mut commands));
        if self.choices.health {
            Panel::bottom("health")
                .resizable(true)
                .default_size(190.0)
                .size_range(90.0..=500.0)
                .frame(bar)
                .show(ui, |ui| health::show(ui, &scene));
        }
        Panel::left("watchlist")
            .resizable(true)
            .default_size(330.0)
            .size_range(270.0..=560.0)
            .frame(Frame::new().fill(palette.panel).inner_margin(Margin { left: 8, right: 6, top: 8, bottom: 0 }))
            .show(ui, |ui| {
                self.watchlist.show(ui, &scene, &mut commands);
            });
        CentralPanel::no_frame()
            .frame(Frame::new().fill(palette.ground).inner_margin(Margin { left: 12, right: 6, top: 8, bottom: 4 }))
            .show(ui, |ui| self.chart.show(ui, &scene, &mut commands));
        commands
    }
}

/// Keys, unless somebody is writing. Arrows also walk the list while its filter is being written.
fn keys(context: &Context, scene: &Scene<'_>, watchlist: &mut Watchlist, commands: &mut Vec<Command>) {
    let pressed = |key| context.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    for (key, by) in [(Key::ArrowDown, 1), (Key::ArrowUp, -1)] {
        if pressed(key) {
            watchlist.step(by, scene, commands);
        }
    }
    if context.text_edit_focused() {
        return;
    }
    for (key, interval) in INTERVAL_KEYS.into_iter().zip(Interval::ALL) {
        if pressed(key) {
            commands.push(Command::Interval(interval));
        }
    }
    if pressed(Key::L) {
        commands.push(Command::Style(match scene.choices.style {
            ChartStyle::Candles => ChartStyle::Line,
            ChartStyle::Line => ChartStyle::Candles,
        }));
    }
    for (key, scale) in [(Key::G, ScaleChoice::Logarithmic), (Key::P, ScaleChoice::Percent)] {
        if pressed(key) {
            let chosen = scene.choices.scale == scale;
            commands.push(Command::Scale(if chosen { ScaleChoice::Linear } else { scale }));
        }
    }
    if pressed(Key::F)
        && let Some(ticker) = &scene.choices.ticker
    {
        commands.push(Command::Favourite(ticker.clone()));
    }
    if pressed(Key::H) {
        commands.push(Command::Health(!scene.choices.health));
    }
    if pressed(Key::T) {
        commands.push(Command::Theme(match context.theme() {
            Theme::Dark => ThemeChoice::Light,
            Theme::Light => ThemeChoice::Dark,
        }));
    }
    // By what was written, not by which key: on many keyboards it is Shift and a digit. The filter must not get it.
    let is_slash = |event: &Event| matches!(event, Event::Text(text) if text == "/");
    if context.input(|input| input.events.iter().any(is_slash)) {
        context.input_mut(|input| input.events.retain(|event| !is_slash(event)));
        watchlist.focus_filter();
    }
}

#[cfg(test)]
mod tests {
    use egui_kittest::{Harness, kittest::Queryable};

    use super::*;
    use crate::{
        state::{
            Part, TickerKey, Update,
            tests::{at, candles, with_prices},
        },
        theme,
    };

    struct Shown {
        screen: Screen,
        state: State,
        commands: Vec<Command>,
    }

    fn shown(theme: Theme) -> Harness<'static, Shown> {
        let ticker = TickerKey::new("binance", "BTCUSDT");
        let screen = Screen::new(Choices { ticker: Some(ticker), ..Choices::default() });
        let mut state = with_prices();
        if let Some(series) = screen.choices.series() {
            state.show(&series);
            let outcome = Ok(candles("03:00", 500));
            state.apply(Update::Candles { series, part: Part::Newest, outcome }, at("12:00:00"));
        }
        let builder =
            Harness::builder().with_context_setup(theme::install).with_theme(theme).with_size([1280.0, 800.0]);
        let mut harness = builder.build_ui_state(
            |ui, shown: &mut Shown| {
                let wanted = shown.screen.show(ui, &shown.state, "http://api", at("12:00:02"));
                shown.commands.extend(wanted);
            },
            Shown { screen, state, commands: Vec::new() },
        );
        harness.run();
        harness
    }

    #[test]
    fn both_themes_show_all_parts() {
        for theme in [Theme::Dark, Theme::Light] {
            let harness = shown(theme);
            harness.get_by_label_contains("ETH/USDT on binance, last 2,500.5");
            harness.get_by_label_contains("Chart of BTC/USDT on binance, 5");
            harness.get_by_label("API connecting");
        }
    }

    #[test]
    fn keys_do_what_they_should() {
        for (key, command) in [
            (Key::Num5, Command::Interval(Interval::OneHour)),
            (Key::L, Command::Style(ChartStyle::Line)),
            (Key::T, Command::Theme(ThemeChoice::Light)),
            (Key::F, Command::Favourite(TickerKey::new("binance", "BTCUSDT"))),
            (Key::H, Command::Health(true)),
            (Key::G, Command::Scale(ScaleChoice::Logarithmic)),
            (Key::P, Command::Scale(ScaleChoice::Percent)),
            (Key::ArrowDown, Command::Select(TickerKey::new("binance", "ETHUSDT"))),
            (Key::ArrowUp, Command::Select(TickerKey::new("binance", "BTCUSDT"))),
        ] {
            let mut harness = shown(Theme::Dark);
            harness.key_press(key);
            harness.run();
            assert_eq!(harness.state().commands, [command], "{key:?}");
        }
    }

    #[test]
    fn f1_lists_the_keys_and_escape_puts_the_list_away() {
        let mut harness = shown(Theme::Dark);
        harness.key_press(Key::F1);
        harness.run();
        harness.get_by_label("how the recording does");
        harness.key_press(Key::Escape);
        harness.run();
        assert!(harness.query_by_label("how the recording does").is_none());
    }

    #[test]
    fn a_slash_leads_to_the_filter_and_is_not_written_there() {
        let mut harness = shown(Theme::Dark);
        harness.event(Event::Text("/".to_owned()));
        harness.run();
        // Letters are text now, not keys.
        harness.event(Event::Text("t".to_owned()));
        harness.key_press(Key::T);
        harness.run();
        assert_eq!(harness.state().commands, []);
        harness.event(Event::Text("zzz".to_owned()));
        harness.run();
        harness.get_by_label("No market is called \"tzzz\". Esc clears the filter.");
        harness.key_press(Key::Escape);
        harness.run();
        harness.get_by_label_contains("BTC/USDT on binance, last");
    }
}
