//! The search for everything: markets and commands, by what somebody writes.

use eframe::egui::{
    Align2, Area, Event, Frame, Id, Key, Margin, Modal, Modifiers, Order, RichText, ScrollArea, TextEdit, Ui, Vec2,
};

use super::{Command, Scene};
use crate::{
    actions::Action,
    desk::Wish,
    format, search,
    state::TickerKey,
    theme::{Palette, SMALL},
};

/// Rows that are listed at most.
const ROWS: usize = 60;

/// Whether it is shown, and what was written.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    open: bool,
    wanted: String,
    chosen: usize,
}

enum Row<'a> {
    Market(&'a TickerKey),
    Action(&'a Action),
}

impl Finder {
    /// Opens it, empty.
    pub(crate) fn open(&mut self) {
        *self = Self { open: true, ..Self::default() };
    }

    /// Shows it, if it is wanted, over everything else.
    pub(crate) fn show(
        &mut self,
        ui: &Ui,
        scene: &Scene<'_>,
        actions: impl FnOnce() -> Vec<Action>,
        wishes: &mut Vec<Wish>,
    ) {
        if !self.open {
            return;
        }
        let actions = actions();
        let wanted = self.wanted.trim().to_lowercase();
        let rows = rows(scene, &actions, &wanted);
        self.chosen = self.chosen.min(rows.len().saturating_sub(1));
        let context = ui.ctx();
        let pressed = |key| context.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let moved = pressed(Key::ArrowDown);
        if moved {
            self.chosen = (self.chosen + 1).min(rows.len().saturating_sub(1));
        }
        let moved = if pressed(Key::ArrowUp) {
            self.chosen = self.chosen.saturating_sub(1);
            true
        } else {
            moved
        };
        let mut taken = pressed(Key::Enter).then_some(self.chosen);
        if pressed(Key::Escape) {
            self.open = false;
        }
        let palette = Palette::of(ui);
        let area =
            Area::new(Id::unique("finder")).order(Order::Foreground).anchor(Align2::CENTER_TOP, Vec2::new(0.0, 70.0));
        let frame = Frame::popup(ui.style()).inner_margin(Margin::same(10));
        let shown = Modal::new(Id::unique("finder")).area(area).frame(frame).show(context, |ui| {
            ui.set_width(520.0_f32.min(ui.ctx().content_rect().width() - 60.0));
            let edit = TextEdit::singleline(&mut self.wanted)
                .id(Id::unique("finder text"))
                .hint_text("A market, an exchange, or what to do …")
                .desired_width(f32::INFINITY);
            let response = ui.add(edit);
            response.widget_info(|| {
                eframe::egui::WidgetInfo::labeled(eframe::egui::Role::TextInput, true, "Search markets and commands")
            });
            response.request_focus();
            if response.changed() {
                self.chosen = 0;
            }
            ui.add_space(4.0);
            if rows.is_empty() {
                ui.label(RichText::new("Nothing is called like that.").color(palette.weak));
            }
            ScrollArea::vertical().max_height(380.0).show(ui, |ui| {
                for (number, row) in rows.iter().enumerate() {
                    let response = row.show(ui, scene, number == self.chosen);
                    if moved && number == self.chosen {
                        response.scroll_to_me(None);
                    }
                    if response.clicked() {
                        taken = Some(number);
                    }
                }
            });
        });
        if shown.should_close() {
            self.open = false;
        }
        if let Some(row) = taken.and_then(|number| rows.get(number)) {
            self.open = false;
            let command = match row {
                Row::Market(key) => Command::Select((*key).clone()),
                Row::Action(action) => action.command.clone(),
            };
            wishes.push(Wish { from: None, command });
        }
        // What was meant for the search is for nobody else.
        if self.open {
            context.input_mut(|input| input.events.retain(|event| !matches!(event, Event::Text(_))));
        }
    }
}

fn rows<'a>(scene: &Scene<'a>, actions: &'a [Action], wanted: &str) -> Vec<Row<'a>> {
    let mut markets: Vec<_> = scene
        .state
        .tickers
        .value()
        .into_iter()
        .flatten()
        .filter_map(|(key, ticker)| Some((search::rank_ticker(key, ticker, wanted)?, key, ticker)))
        .collect();
    markets.sort_by(|(rank_a, key_a, a), (rank_b, key_b, b)| {
        rank_a.cmp(rank_b).then(b.quote_volume_24h.cmp(&a.quote_volume_24h)).then_with(|| key_a.cmp(key_b))
    });
    let found = |action: &&Action| {
        let name = action.name.to_lowercase();
        wanted.split_whitespace().all(|word| name.contains(word))
    };
    let actions = actions.iter().filter(|action| action.command != Command::Find).filter(found).map(Row::Action);
    // Commands after the markets; where nothing is written, few of these, so that both are seen.
    let few = if wanted.is_empty() { 6 } else { ROWS / 2 };
    let markets = markets.into_iter().take(few).map(|(_, key, _)| Row::Market(key));
    markets.chain(actions).take(ROWS).collect()
}

impl Row<'_> {
    fn show(&self, ui: &mut Ui, scene: &Scene<'_>, chosen: bool) -> eframe::egui::Response {
        let palette = Palette::of(ui);
        let (name, about) = match self {
            Self::Market(key) => {
                let ticker = scene.state.ticker(key);
                let price = ticker
                    .map_or_else(|| format::UNKNOWN.to_owned(), |known| format::price(known.price, known.decimals));
                (scene.name_of(key), format!("{} · {price}", key.exchange))
            }
            Self::Action(action) => (action.name.clone(), action.key_words(ui.ctx()).unwrap_or_default()),
        };
        let about = RichText::new(about).size(SMALL + 0.5).color(palette.weak);
        let width = ui.available_width();
        let button = eframe::egui::Button::selectable(chosen, name).right_text(about).min_size(Vec2::new(width, 22.0));
        ui.add(button)
    }
}
