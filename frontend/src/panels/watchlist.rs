//! All tickers with their newest price.
//!
//! Only the rows in view are laid out. The order is renewed at most once a second and not under the pointer, so that
//! nobody clicks a row that has just jumped away.

mod list;
mod row;

use std::collections::BTreeSet;

use eframe::egui::{Align, Button, Key, Layout, Popup, PopupCloseBehavior, Response, RichText, Sense, TextEdit, Ui};
use egui_extras::{Column, TableBuilder};
use serde::{Deserialize, Serialize};

use self::list::listed;
use super::{Command, Scene, settled::Settled};
use crate::{
    choices::FAVOURITES,
    state::TickerKey,
    theme::{Palette, SMALL},
    widgets::choice::choice,
};

const ROW_HEIGHT: f32 = 38.0;

/// What the watchlist is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Order {
    /// What traded most comes first.
    #[default]
    Volume,
    /// What rose most comes first.
    Change,
    /// By name.
    Name,
}

/// What the rows are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// What somebody wrote.
    pub filter: String,
    /// What they are sorted by.
    pub order: Order,
    /// Those to which they are confined, if they are.
    pub among: Option<BTreeSet<TickerKey>>,
    /// The exchange to which they are confined, if they are.
    pub exchange: Option<String>,
}

/// A list of tickers: what was chosen for it, and what it remembers from frame to frame.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Watchlist {
    order: Order,
    /// The named list that it shows, instead of all tickers.
    list: Option<String>,
    /// The exchange whose tickers alone it shows.
    exchange: Option<String>,
    #[serde(skip)]
    filter: String,
    #[serde(skip)]
    focus_filter: bool,
    /// Whether the cursor is in the filter.
    #[serde(skip)]
    writes: bool,
    #[serde(skip)]
    rows: Settled<Wanted>,
    /// The row to bring into view.
    #[serde(skip)]
    reveal: Option<usize>,
    /// The name of a list that is being written.
    #[serde(skip)]
    new_list: String,
}

impl Watchlist {
    /// Puts the cursor into the filter.
    pub(crate) fn focus_filter(&mut self) {
        self.focus_filter = true;
    }

    /// Whether the cursor is in the filter.
    pub(crate) fn is_filter_written(&self) -> bool {
        self.writes
    }

    /// The row so many below the chosen one.
    pub(crate) fn step(&mut self, by: isize, chosen: Option<&TickerKey>) -> Option<TickerKey> {
        let rows = self.rows.rows();
        let place = rows.iter().position(|key| Some(key) == chosen);
        let next = match place {
            Some(index) => index.saturating_add_signed(by).min(rows.len().saturating_sub(1)),
            None => 0,
        };
        let key = rows.get(next)?.clone();
        self.reveal = Some(next);
        Some(key)
    }

    /// Shows it.
    pub(crate) fn show(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        chosen: Option<&TickerKey>,
        commands: &mut Vec<Command>,
    ) {
        self.filter_box(ui, scene, chosen, commands);
        self.choose(ui, scene, commands);
        self.renew(ui, scene);
        ui.add_space(2.0);
        if self.rows.rows().is_empty() {
            self.rows.put(None);
            self.nothing(ui, scene);
        } else {
            self.table(ui, scene, chosen, commands);
        }
    }

    fn filter_box(&mut self, ui: &mut Ui, scene: &Scene<'_>, chosen: Option<&TickerKey>, commands: &mut Vec<Command>) {
        let edit = TextEdit::singleline(&mut self.filter)
            .hint_text("Filter: BTC, bitcoin, binance …   ( / )")
            .desired_width(f32::INFINITY);
        let response = ui.add(edit);
        response.widget_info(|| {
            eframe::egui::WidgetInfo::labeled(eframe::egui::Role::TextInput, true, "Filter the markets")
        });
        if std::mem::take(&mut self.focus_filter) {
            response.request_focus();
        }
        self.writes = response.has_focus();
        // Both keys end the writing; egui takes the focus away by itself.
        if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Escape)) {
            self.filter.clear();
        }
        if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            self.renew(ui, scene);
            // The chosen one stays if it is in the list; otherwise the best match is meant.
            let rows = self.rows.rows();
            let keep = rows.iter().any(|key| Some(key) == chosen);
            if let (false, Some(first)) = (keep, rows.first()) {
                commands.push(Command::Select(first.clone()));
            }
        }
    }

    /// What is listed, and in which order.
    fn choose(&mut self, ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        let small = |text: &str| RichText::new(text).size(SMALL + 1.0);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            let shown = self.list.clone().unwrap_or_else(|| "All".to_owned());
            let lists = choice(ui, "List", 78.0, small(&shown), |ui| {
                ui.selectable_value(&mut self.list, None, "All");
                for name in scene.choices.lists.names() {
                    ui.selectable_value(&mut self.list, Some(name.to_owned()), name);
                }
            });
            lists.on_hover_text("Which list; a right click on a row puts it into one");
            if let Some(name) = self.list.clone().filter(|name| name != FAVOURITES)
                && ui.add(Button::new(small("×")).frame(false)).on_hover_text("Remove this list").clicked()
            {
                commands.push(Command::RemoveList(name));
                self.list = None;
            }
            let exchanges: Vec<&str> = exchanges(scene);
            if exchanges.len() > 1 {
                let shown = self.exchange.clone().unwrap_or_else(|| "Exchanges".to_owned());
                choice(ui, "Exchange", 78.0, small(&shown), |ui| {
                    ui.selectable_value(&mut self.exchange, None, "All exchanges");
                    for name in exchanges {
                        ui.selectable_value(&mut self.exchange, Some(name.to_owned()), name);
                    }
                });
            }
            for (name, order) in [("Volume", Order::Volume), ("Change", Order::Change), ("Name", Order::Name)] {
                let words = format!("Sort by {}", name.to_lowercase());
                let response = ui.selectable_label(self.order == order, small(name));
                response.widget_info(|| {
                    let chosen = self.order == order;
                    eframe::egui::WidgetInfo::selected(eframe::egui::Role::Button, true, chosen, &words)
                });
                if response.on_hover_text(&words).clicked() {
                    self.order = order;
                }
            }
        });
    }

    /// Filters and sorts again, where it is time to.
    fn renew(&mut self, ui: &Ui, scene: &Scene<'_>) {
        let wanted = Wanted {
            filter: self.filter.clone(),
            order: self.order,
            among: self.list.as_ref().map(|name| scene.choices.lists.tickers(name)),
            exchange: self.exchange.clone(),
        };
        self.rows.renew(ui, scene.now, wanted, |wanted| Some(listed(scene.state.tickers.value()?, wanted)));
    }

    fn table(&mut self, ui: &mut Ui, scene: &Scene<'_>, chosen: Option<&TickerKey>, commands: &mut Vec<Command>) {
        let palette = Palette::of(ui);
        if scene.is_old() {
            ui.multiply_opacity(0.6);
        }
        ui.spacing_mut().item_spacing.y = 0.0;
        let width = ui.available_width();
        let parts = row::Parts { change: width > 240.0, line: width > 300.0, range: width > 460.0 };
        let mut table = TableBuilder::new(ui)
            .id_salt("markets")
            .sense(Sense::click())
            .cell_layout(Layout::left_to_right(Align::Center))
            .column(Column::remainder().at_least(56.0).clip(true))
            .auto_shrink(false);
        let mut titles = vec![("Market", Align::Min)];
        if parts.line {
            table = table.column(Column::exact(52.0));
            titles.push(("24h", Align::Max));
        }
        table = table.column(Column::exact(92.0));
        titles.push(("Last, age", Align::Max));
        if parts.change {
            table = table.column(Column::exact(74.0));
            titles.push(("24h, volume", Align::Max));
        }
        if parts.range {
            table = table.column(Column::exact(96.0));
            titles.push(("High, low", Align::Max));
        }
        if let Some(row) = self.reveal.take() {
            table = table.scroll_to_row(row, None);
        }
        let table = table.header(18.0, |mut header| {
            for (title, align) in titles {
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
        let rows = self.rows.rows();
        let new_list = &mut self.new_list;
        let output = table.body(|body| {
            body.rows(ROW_HEIGHT, rows.len(), |mut row| {
                let Some(key) = rows.get(row.index()) else { return };
                let response = row::show(&mut row, key, scene, chosen == Some(key), parts);
                if response.clicked() {
                    commands.push(Command::Select(key.clone()));
                }
                lists_menu(&response, key, scene, new_list, commands);
            });
        });
        self.rows.put(Some(output.inner_rect));
    }

    /// Why the list is empty.
    fn nothing(&self, ui: &mut Ui, scene: &Scene<'_>) {
        let palette = Palette::of(ui);
        let (title, detail) = match (scene.state.tickers.value(), scene.state.tickers.failure()) {
            (Some(tickers), _) if !tickers.is_empty() && !self.filter.trim().is_empty() => {
                ("Nothing matches", format!("No market is called {:?}. Esc clears the filter.", self.filter))
            }
            (Some(tickers), _) if !tickers.is_empty() && self.list.as_deref() == Some(FAVOURITES) => {
                ("No favourites yet", "F makes the chosen market one; so does a right click on its row.".to_owned())
            }
            (Some(tickers), _) if !tickers.is_empty() => {
                ("Nothing in this list", "A right click on a row puts its market into a list.".to_owned())
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
}

/// Names of the exchanges that have tickers.
fn exchanges<'a>(scene: &Scene<'a>) -> Vec<&'a str> {
    let mut names: Vec<&str> = scene
        .state
        .tickers
        .value()
        .into_iter()
        .flat_map(|tickers| tickers.keys())
        .map(|key| key.exchange.as_str())
        .collect();
    // They are ordered by exchange.
    names.dedup();
    names
}

/// Into which lists the ticker is put.
fn lists_menu(
    response: &Response,
    key: &TickerKey,
    scene: &Scene<'_>,
    new_list: &mut String,
    commands: &mut Vec<Command>,
) {
    // Who clicks into the name of a new list means to write it.
    let menu = Popup::context_menu(response).close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    menu.show(|ui| {
        for name in scene.choices.lists.names() {
            let mut is_in = scene.choices.lists.has(name, key);
            if ui.checkbox(&mut is_in, name).changed() {
                commands.push(Command::List(name.to_owned(), key.clone()));
                ui.close();
            }
        }
        ui.separator();
        ui.horizontal(|ui| {
            let edit = ui.add(TextEdit::singleline(new_list).hint_text("New list").desired_width(110.0));
            edit.widget_info(|| {
                eframe::egui::WidgetInfo::labeled(eframe::egui::Role::TextInput, true, "Name of the new list")
            });
            let name = new_list.trim().to_owned();
            let entered = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            if (ui.button("Add").clicked() || entered) && !name.is_empty() && name != "All" {
                if !scene.choices.lists.has(&name, key) {
                    commands.push(Command::List(name, key.clone()));
                }
                new_list.clear();
                ui.close();
            }
        });
    });
}

#[cfg(test)]
mod tests;
