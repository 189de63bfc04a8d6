//! The rules, each in two lines: what it waits for and what can be done with it, and below how it did.

use api_types::alerts::{AlertRequest, AlertRow};
use eframe::egui::{Align, Button, Label, Layout, Response, RichText, ScrollArea, Stroke, Ui, Vec2, WidgetInfo};

use super::{Alerts, Form, weak};
use crate::{
    format,
    panels::{Command, Scene},
    state::{Order, market_of, rule_words, span, state_words},
    theme::{Palette, SMALL},
    zone::Zone,
};

const ROW_HEIGHT: f32 = 40.0;

impl Alerts {
    pub(super) fn rules(&mut self, ui: &mut Ui, scene: &Scene<'_>, rules: &[AlertRow], commands: &mut Vec<Command>) {
        let rules: Vec<&AlertRow> = rules.iter().filter(|rule| self.filter.takes(&rule.status)).collect();
        if rules.is_empty() {
            weak(ui, "None of the alerts is in this state.");
            return;
        }
        if scene.is_old() {
            ui.multiply_opacity(0.6);
        }
        let area = ScrollArea::vertical().id_salt("rules").auto_shrink(false);
        area.show_rows(ui, ROW_HEIGHT, rules.len(), |ui, range| {
            for rule in range.filter_map(|number| rules.get(number)) {
                self.rule(ui, scene, rule, commands);
            }
        });
    }

    fn rule(&mut self, ui: &mut Ui, scene: &Scene<'_>, rule: &AlertRow, commands: &mut Vec<Command>) {
        let palette = Palette::of(ui);
        let size = Vec2::new(ui.available_width(), ROW_HEIGHT);
        ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
            ui.set_min_height(ROW_HEIGHT);
            let top = ui.max_rect().top() - 3.0;
            ui.painter().hline(ui.max_rect().x_range(), top, Stroke::new(1.0, palette.grid));
            ui.spacing_mut().item_spacing.y = 1.0;
            let line = Vec2::new(ui.available_width(), 22.0);
            ui.allocate_ui_with_layout(line, Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 4.0;
                self.buttons(ui, rule, commands);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let name = RichText::new(about(scene, rule)).strong();
                    match market_of(&rule.says) {
                        Some(market) => {
                            let name = Button::new(name.color(palette.accent)).frame(false).truncate();
                            let exchange = RichText::new(market.exchange.as_str()).size(SMALL).color(palette.weak);
                            if ui.add(name).on_hover_text("Show this market").clicked() {
                                commands.push(Command::Select(market));
                            }
                            ui.add(Label::new(exchange));
                        }
                        None => drop(ui.label(name)),
                    }
                    ui.add(Label::new(rule_words(&rule.says)).truncate());
                });
            });
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 6.0;
                let colour = match rule.status.as_str() {
                    "created" => palette.up,
                    "paused" => palette.warn,
                    _ => palette.weak,
                };
                let small = |words: String| RichText::new(words).size(SMALL + 0.5);
                ui.label(small(state_words(&rule.status).to_owned()).color(colour));
                let words = standing_words(rule, scene.choices.zone);
                ui.add(Label::new(small(words).color(palette.weak)).truncate());
            });
        });
    }

    /// From the right.
    fn buttons(&mut self, ui: &mut Ui, rule: &AlertRow, commands: &mut Vec<Command>) {
        let id = rule.id;
        if self.deleting == Some(id) {
            if named(ui, "Keep", id).clicked() {
                self.deleting = None;
            }
            if named(ui, "Delete", id).clicked() {
                commands.push(Command::Alert(0, Box::new(Order::Delete(id))));
                self.deleting = None;
            }
            ui.label(RichText::new("Delete it?").color(Palette::of(ui).warn));
            return;
        }
        if named(ui, "×", id).on_hover_text("Delete").clicked() {
            self.deleting = Some(id);
        }
        if named(ui, "Edit", id).clicked() {
            self.form = Some(Form::of(rule));
        }
        let (words, status) = if rule.status == "created" { ("Pause", "paused") } else { ("Resume", "created") };
        if named(ui, words, id).clicked() {
            let change = AlertRequest { status: Some(status.to_owned()), ..AlertRequest::default() };
            commands.push(Command::Alert(0, Box::new(Order::Change(id, change))));
        }
    }
}

/// A button whose name says which rule it is for.
fn named(ui: &mut Ui, words: &str, id: i64) -> Response {
    let response = ui.add(Button::new(RichText::new(words).size(SMALL + 0.5)));
    let verb = if words == "×" { "Remove" } else { words };
    response.widget_info(|| WidgetInfo::labeled(eframe::egui::Role::Button, true, format!("{verb} alert {id}")));
    response
}

/// What the rule is about: a market, a coin or an exchange.
fn about(scene: &Scene<'_>, rule: &AlertRow) -> String {
    match (market_of(&rule.says), &rule.says.exchange, &rule.coin) {
        (Some(market), ..) => scene.name_of(&market),
        (None, Some(exchange), _) => exchange.clone(),
        (None, None, Some(coin)) => coin.clone(),
        (None, None, None) => format::UNKNOWN.to_owned(),
    }
}

/// `once · fired 3 times, last 2026-11-20 12:00:01 UTC · until … · note`.
fn standing_words(rule: &AlertRow, zone: Zone) -> String {
    let says = &rule.says;
    let often = match says.frequency.as_str() {
        "once_per_bar" => format!("once in each {} candle", says.bar.as_deref().unwrap_or("?")),
        "every_time" => format!("every time, rests {}", span(says.cooldown_seconds.unwrap_or_default())),
        _ => "once".to_owned(),
    };
    let mut words = vec![often];
    words.push(match (rule.fired_count, rule.last_fired_at) {
        (0, _) | (_, None) => "never fired".to_owned(),
        (1, Some(at)) => format!("fired {}", format::moment(at, zone)),
        (count, Some(at)) => format!("fired {count} times, last {}", format::moment(at, zone)),
    });
    words.extend(says.expires_at.map(|at| format!("until {}", format::moment(at, zone))));
    words.extend(says.note.as_ref().map(|note| note.replace('\n', " ")));
    words.join(" · ")
}
