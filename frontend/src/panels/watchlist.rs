//! All tickers with their newest price.
//!
//! Only the rows in view are laid out. The order is renewed at most once a second and not under the pointer, so that
//! nobody clicks a row that has just jumped away.

mod list;
mod row;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use eframe::egui::{Align, Key, Layout, Rect, RichText, Sense, TextEdit, Ui};
use egui_extras::{Column, TableBuilder};

use self::list::listed;
use super::{Command, Scene};
use crate::{
    choices::Order,
    state::TickerKey,
    theme::{Palette, SMALL},
};

const ROW_HEIGHT: f32 = 38.0;

/// What a list of rows was made of, and when.
#[derive(Debug)]
struct Made {
    filter: String,
    order: Order,
    /// Those to which it is confined, if it is.
    favourites: Option<BTreeSet<TickerKey>>,
    at: DateTime<Utc>,
}

/// What the list remembers from frame to frame.
#[derive(Debug, Default)]
pub(crate) struct Watchlist {
    filter: String,
    focus_filter: bool,
    rows: Vec<TickerKey>,
    /// What `rows` was made of, and when.
    made: Option<Made>,
    /// Where the rows were last frame.
    body: Option<Rect>,
    /// The row to bring into view.
    reveal: Option<usize>,
}

impl Watchlist {
    /// Puts the cursor into the filter.
    pub(crate) fn focus_filter(&mut self) {
        self.focus_filter = true;
    }

    /// Chooses the row so many below the chosen one.
    pub(crate) fn step(&mut self, by: isize, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        let chosen = self.rows.iter().position(|key| Some(key) == scene.choices.ticker.as_ref());
        let next = match chosen {
            Some(index) => index.saturating_add_signed(by).min(self.rows.len().saturating_sub(1)),
            None => 0,
        };
        if let Some(key) = self.rows.get(next) {
            commands.push(Command::Select(key.clone()));
            self.reveal = Some(next);
        }
    }

    /// Shows it.
    pub(crate) fn show(&mut self, ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        self.filter_box(ui, scene, commands);
        sort_buttons(ui, scene, commands);
        self.renew(ui, scene);
        ui.add_space(2.0);
        if self.rows.is_empty() {
            self.body = None;
            nothing(ui, scene, &self.filter);
        } else {
            self.table(ui, scene, commands);
        }
    }

    fn filter_box(&mut self, ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        let label = ui.label(RichText::new("Markets").strong());
        let edit = TextEdit::singleline(&mut self.filter)
            .hint_text("Filter: BTC, bitcoin, binance …   ( / )")
            .desired_width(f32::INFINITY);
        let response = ui.add(edit).labelled_by(label.id);
        if std::mem::take(&mut self.focus_filter) {
            response.request_focus();
        }
        // Both keys end the writing; egui takes the focus away by itself.
        if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Escape)) {
            self.filter.clear();
        }
        if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            self.renew(ui, scene);
            // The chosen one stays if it is in the list; otherwise the best match is meant.
            let keep = self.rows.iter().any(|key| Some(key) == scene.choices.ticker.as_ref());
            if let (false, Some(first)) = (keep, self.rows.first()) {
                commands.push(Command::Select(first.clone()));
            }
        }
    }

    /// Filters and sorts again, where it is time to.
    fn renew(&mut self, ui: &Ui, scene: &Scene<'_>) {
        let order = scene.choices.order;
        let favourites = scene.choices.favourites_only.then_some(&scene.choices.favourites);
        let hovered = self.body.is_some_and(|body| ui.rect_contains_pointer(body));
        let wanted = match &self.made {
            Some(made) => {
                let changed =
                    made.filter != self.filter || made.order != order || made.favourites.as_ref() != favourites;
                let due = scene.now - made.at >= TimeDelta::seconds(1) || scene.now < made.at;
                changed || (due && !hovered) || self.rows.is_empty()
            }
            None => true,
        };
        if wanted && let Some(tickers) = scene.state.tickers.value() {
            self.rows = listed(tickers, favourites, &self.filter, order);
            let favourites = favourites.cloned();
            self.made = Some(Made { filter: self.filter.clone(), order, favourites, at: scene.now });
        }
    }

    fn table(&mut self, ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        let palette = Palette::of(ui);
        if scene.state.connection.is_away() {
            ui.multiply_opacity(0.6);
        }
        ui.spacing_mut().item_spacing.y = 0.0;
        let mut table = TableBuilder::new(ui)
            .id_salt("markets")
            .sense(Sense::click())
            .cell_layout(Layout::left_to_right(Align::Center))
            .column(Column::remainder().at_least(90.0).clip(true))
            .column(Column::exact(108.0))
            .column(Column::exact(86.0))
            .auto_shrink(false);
        if let Some(row) = self.reveal.take() {
            table = table.scroll_to_row(row, None);
        }
        let table = table.header(20.0, |mut header| {
            for (title, align) in [("Market", Align::Min), ("Last, age", Align::Max), ("24h, volume", Align::Max)] {
                header.col(|ui| {
                    let layout = match align {
                        Align::Max => Layout::right_to_left(Align::Center),
                        _ => Layout::left_to_right(Align::Center),
                    };
                    ui.with_layout(layout, |ui| {
                        ui.add_space(6.0);
                        ui.label(RichText::new(title).size(SMALL).color(palette.weak));
                    });
                });
            }
        });
        let rows = &self.rows;
        let output = table.body(|body| {
            body.rows(ROW_HEIGHT, rows.len(), |mut row| {
                let Some(key) = rows.get(row.index()) else { return };
                let response = row::show(&mut row, key, scene);
                if response.clicked() {
                    commands.push(Command::Select(key.clone()));
                }
                if response.secondary_clicked() {
                    commands.push(Command::Favourite(key.clone()));
                }
            });
        });
        self.body = Some(output.inner_rect);
    }
}

fn sort_buttons(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    let order = scene.choices.order;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        ui.label(RichText::new("Sort by").size(SMALL).color(Palette::of(ui).weak));
        ui.add_space(4.0);
        for (name, choice) in [("Volume", Order::Volume), ("Change", Order::Change), ("Name", Order::Name)] {
            if ui.selectable_label(order == choice, RichText::new(name).size(SMALL + 1.0)).clicked() {
                commands.push(Command::Order(choice));
            }
        }
        ui.add_space(4.0);
        ui.separator();
        let only = scene.choices.favourites_only;
        let favourites = RichText::new("Favourites").size(SMALL + 1.0);
        if ui.selectable_label(only, favourites).on_hover_text("Show the favourites alone").clicked() {
            commands.push(Command::FavouritesOnly(!only));
        }
    });
}

/// Why the list is empty.
fn nothing(ui: &mut Ui, scene: &Scene<'_>, filter: &str) {
    let palette = Palette::of(ui);
    let (title, detail) = match (scene.state.tickers.value(), scene.state.tickers.failure()) {
        (Some(tickers), _) if !tickers.is_empty() && filter.trim().is_empty() => {
            ("No favourites yet", "F makes the chosen market one; so does a right click on its row.".to_owned())
        }
        (Some(tickers), _) if !tickers.is_empty() => {
            ("Nothing matches", format!("No market is called {filter:?}. Esc clears the filter."))
        }
        (Some(_), _) => ("No markets yet", "They appear as soon as an exchange delivers a first price.".to_owned()),
        (None, Some(failure)) => {
            let next = crate::format::countdown(failure.retry_at - scene.now);
            ("Cannot load the markets", format!("{}. Next try {next}.", failure.cause))
        }
        (None, None) => ("Loading the markets …", String::new()),
    };
    ui.add_space(24.0);
    ui.vertical_centered(|ui| {
        ui.label(RichText::new(title).strong());
        ui.label(RichText::new(detail).color(palette.weak));
    });
}

#[cfg(test)]
mod tests;
