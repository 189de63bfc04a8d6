//! Several tickers on one axis, and how they stand to each other.

mod plot;
mod table;

use std::collections::BTreeMap;

use domain::Interval;
use eframe::egui::{
    PopupCloseBehavior, RichText, TextEdit, Ui,
    containers::menu::{MenuButton, MenuConfig},
};
use serde::{Deserialize, Serialize};

use super::{Command, Scene, chart::View};
use crate::{
    choices::chart::interval_word,
    remote::Remote,
    search,
    state::{Series, SeriesKey, State, Ticker, TickerKey},
    theme::Palette,
    widgets::choice::choice,
};

/// Tickers that are compared at most: as many as there are colours.
const MOST: usize = 6;
/// How many are compared where nobody has chosen.
const FIRST: usize = 4;

/// Which tickers are compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Compared {
    /// Those that trade most.
    #[default]
    Busiest,
    /// The coin that the pane's group shows, wherever it is traded against the same.
    Coin,
    /// These.
    Chosen(Vec<TickerKey>),
}

/// How prices are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Measure {
    /// As the change since the left edge.
    #[default]
    Percent,
    /// As parts of a hundred of what it was at the left edge.
    Indexed,
}

/// The pane.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Compare {
    compared: Compared,
    measure: Measure,
    #[serde(with = "interval_word")]
    interval: Interval,
    #[serde(skip)]
    view: View,
    /// What is being written to find one more.
    #[serde(skip)]
    wanted: String,
}

impl Default for Compare {
    fn default() -> Self {
        Self {
            compared: Compared::default(),
            measure: Measure::default(),
            interval: Interval::OneMinute,
            view: View::default(),
            wanted: String::new(),
        }
    }
}

/// One of those that are compared.
#[derive(Debug, Clone, Copy)]
struct Member<'a> {
    key: &'a TickerKey,
    ticker: Option<&'a Ticker>,
    series: Option<&'a Series>,
    /// Its close at the left edge, which the others are measured by.
    base: Option<f64>,
}

impl Compare {
    /// The series that it shows.
    pub(crate) fn series(&self, ticker: Option<&TickerKey>, state: &State) -> Vec<SeriesKey> {
        let of = |ticker| SeriesKey { ticker, interval: self.interval };
        self.tickers(ticker, state).into_iter().map(of).collect()
    }

    fn tickers(&self, ticker: Option<&TickerKey>, state: &State) -> Vec<TickerKey> {
        match &self.compared {
            Compared::Chosen(tickers) => tickers.clone(),
            Compared::Busiest => {
                let quote = state.busiest().and_then(|busiest| state.ticker(busiest)).map(|ticker| &ticker.quote);
                busiest(state, |ticker| Some(&ticker.quote) == quote, FIRST)
            }
            Compared::Coin => match ticker.and_then(|ticker| state.ticker(ticker)) {
                Some(like) => busiest(state, |other| other.base == like.base && other.quote == like.quote, MOST),
                None => Vec::new(),
            },
        }
    }

    /// Shows it.
    pub(crate) fn show(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        ticker: Option<&TickerKey>,
        commands: &mut Vec<Command>,
    ) {
        let tickers = self.tickers(ticker, scene.state);
        self.controls(ui, scene, &tickers);
        if tickers.is_empty() {
            let words = if scene.state.tickers.value().is_none() {
                "Loading the markets …"
            } else {
                "Nothing to compare yet"
            };
            ui.label(RichText::new(words).color(Palette::of(ui).weak));
            return;
        }
        let keys: Vec<SeriesKey> =
            tickers.iter().map(|ticker| SeriesKey { ticker: ticker.clone(), interval: self.interval }).collect();
        let mut members: Vec<Member<'_>> = keys
            .iter()
            .map(|key| Member {
                key: &key.ticker,
                ticker: scene.state.ticker(&key.ticker),
                series: scene.state.series(key).and_then(Remote::value),
                base: None,
            })
            .collect();
        if scene.is_old() {
            ui.multiply_opacity(0.6);
        }
        let rows = ui.available_height() - 60.0;
        let table_height = (tickers.len() as f32 * table::ROW_HEIGHT + 24.0).min(rows * 0.5).max(0.0);
        let height = (ui.available_height() - table_height).max(40.0);
        let failure = keys.iter().find_map(|key| scene.state.series(key).and_then(Remote::failure));
        self.plot(ui, scene, &mut members, height, failure, commands);
        if table_height > 0.0
            && let Some(gone) = table::show(ui, scene, &members, matches!(self.compared, Compared::Chosen(_)), commands)
        {
            self.compared = Compared::Chosen(tickers.into_iter().filter(|ticker| *ticker != gone).collect());
        }
    }

    fn controls(&mut self, ui: &mut Ui, scene: &Scene<'_>, tickers: &[TickerKey]) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            choice(ui, "Width of the candles", 44.0, self.interval.as_str(), |ui| {
                for interval in Interval::ALL {
                    ui.selectable_value(&mut self.interval, interval, interval.as_str());
                }
            });
            for (measure, name, words) in [
                (Measure::Percent, "%", "Changes since the left edge"),
                (Measure::Indexed, "100", "The left edge counts as 100"),
            ] {
                ui.selectable_value(&mut self.measure, measure, name).on_hover_text(words);
            }
            ui.separator();
            for (compared, name, words) in [
                (Compared::Busiest, "Busiest", "Those that trade most"),
                (Compared::Coin, "Exchanges", "The group's coin wherever it is traded against the same"),
            ] {
                ui.selectable_value(&mut self.compared, compared, name).on_hover_text(words);
            }
            let menu = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
            MenuButton::new("Choose").config(menu).ui(ui, |ui| self.choose(ui, scene, tickers));
        });
    }

    /// Markets to be added or taken away.
    fn choose(&mut self, ui: &mut Ui, scene: &Scene<'_>, tickers: &[TickerKey]) {
        let edit = TextEdit::singleline(&mut self.wanted).hint_text("Market").desired_width(190.0);
        let response = ui.add(edit);
        response.widget_info(|| {
            eframe::egui::WidgetInfo::labeled(eframe::egui::Role::TextInput, true, "Market to compare")
        });
        let wanted = self.wanted.trim().to_lowercase();
        let mut found: Vec<_> = scene
            .state
            .tickers
            .value()
            .into_iter()
            .flatten()
            .filter_map(|(key, ticker)| Some((search::rank_ticker(key, ticker, &wanted)?, key, ticker)))
            .collect();
        found.sort_by(|(a, _, one), (b, _, other)| a.cmp(b).then(other.quote_volume_24h.cmp(&one.quote_volume_24h)));
        for (_, key, ticker) in found.into_iter().take(12) {
            let mut is_in = tickers.contains(key);
            let full = tickers.len() >= MOST && !is_in;
            let name = format!("{} · {}", ticker.name(), key.exchange);
            let checkbox = eframe::egui::Checkbox::new(&mut is_in, name);
            if ui.add_enabled(!full, checkbox).changed() {
                let mut chosen: Vec<TickerKey> = tickers.iter().filter(|ticker| *ticker != key).cloned().collect();
                if is_in {
                    chosen.push(key.clone());
                }
                self.compared = Compared::Chosen(chosen);
            }
        }
    }
}

fn busiest(state: &State, wanted: impl Fn(&Ticker) -> bool, count: usize) -> Vec<TickerKey> {
    let none = BTreeMap::new();
    let tickers = state.tickers.value().unwrap_or(&none);
    let mut rows: Vec<_> = tickers.iter().filter(|(_, ticker)| wanted(ticker)).collect();
    let order = |a: &(&TickerKey, &Ticker), b: &(&TickerKey, &Ticker)| {
        b.1.quote_volume_24h.cmp(&a.1.quote_volume_24h).then(a.0.cmp(b.0))
    };
    // In each frame, of thousands: only the few that are wanted are put in order.
    if rows.len() > count {
        rows.select_nth_unstable_by(count, order);
        rows.truncate(count);
    }
    rows.sort_unstable_by(order);
    rows.into_iter().map(|(key, _)| key.clone()).collect()
}

#[cfg(test)]
mod tests;
