//! The account's rules: what they wait for, how they stand, what they fired for; and the form to make one.

mod draft;
pub(crate) mod firings;
mod form;
mod list;

use api_types::alerts::{AlertRequest, Amount};
use eframe::egui::{RichText, Role, Ui, WidgetInfo};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use self::form::Form;
use super::{Command, DrawingChange, Scene};
use crate::{
    choices::Drawing,
    format,
    state::{Order, TickerKey},
    theme::{Palette, SMALL},
};

/// From this width on, rules and firings stand side by side.
const WIDE: f32 = 820.0;

/// Rules in which state are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Filter {
    /// All.
    #[default]
    All,
    /// Those that may fire.
    AtWork,
    /// Those that were told to wait.
    Paused,
    /// Those that fired and were to fire once.
    Triggered,
    /// Those whose time is over.
    Expired,
}

impl Filter {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::All, "All", ""),
        (Self::AtWork, "At work", "created"),
        (Self::Paused, "Paused", "paused"),
        (Self::Triggered, "Triggered", "triggered"),
        (Self::Expired, "Expired", "expired"),
    ];

    fn takes(self, state: &str) -> bool {
        Self::ALL.iter().any(|(filter, _, word)| *filter == self && (word.is_empty() || *word == state))
    }
}

/// The pane.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Alerts {
    filter: Filter,
    /// Whether the firings are shown, where there is no room for both.
    fired: bool,
    #[serde(skip)]
    form: Option<Form>,
    /// The rule of which it is asked whether it is to be deleted.
    #[serde(skip)]
    deleting: Option<i64>,
}

impl Alerts {
    /// Shows it.
    pub(crate) fn show(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        ticker: Option<&TickerKey>,
        commands: &mut Vec<Command>,
    ) {
        if scene.state.alerts.username().is_none() {
            // What was written was for the account that it was.
            (self.form, self.deleting) = (None, None);
            logged_out(ui, scene, commands);
            return;
        }
        let wide = ui.available_width() >= WIDE;
        self.bar(ui, scene, wide);
        ui.add_space(2.0);
        self.form.take_if(|form| form.hear(scene));
        if let Some(form) = &mut self.form {
            if !form.show(ui, scene, ticker, wide, commands) {
                self.form = None;
                ui.ctx().request_repaint();
            }
            return;
        }
        if !wide {
            if self.fired {
                firings::show(ui, scene, commands);
            } else {
                self.left(ui, scene, commands);
            }
            return;
        }
        ui.columns(2, |columns| {
            self.left(&mut columns[0], scene, commands);
            let right = &mut columns[1];
            right.label(RichText::new("Fired").size(SMALL + 0.5).color(Palette::of(right).weak));
            firings::show(right, scene, commands);
        });
    }

    fn bar(&mut self, ui: &mut Ui, scene: &Scene<'_>, wide: bool) {
        ui.horizontal_wrapped(|ui| {
            if ui.button("New alert").clicked() {
                self.form = Some(Form::new());
            }
            for (filter, name, _) in Filter::ALL {
                let chosen = self.filter == filter && (wide || !self.fired) && self.form.is_none();
                let response = ui.selectable_label(chosen, RichText::new(name).size(SMALL + 0.5));
                response
                    .widget_info(|| WidgetInfo::selected(Role::RadioButton, true, chosen, format!("Alerts: {name}")));
                if response.clicked() {
                    (self.filter, self.fired, self.form) = (filter, false, None);
                }
            }
            if !wide {
                ui.separator();
                let count = scene.state.alerts.firings().len();
                let chosen = self.fired && self.form.is_none();
                if ui.selectable_label(chosen, RichText::new(format!("Fired ({count})")).size(SMALL + 0.5)).clicked() {
                    (self.fired, self.form) = (true, None);
                }
            }
        });
    }

    /// The rules, or why there are none.
    fn left(&mut self, ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        let remote = &scene.state.alerts.rules;
        if let Some(failure) = remote.failure() {
            let next = format::countdown(failure.retry_at - scene.now);
            let words = format!("Cannot load the alerts: {}. Next try {next}.", failure.cause);
            ui.label(RichText::new(words).color(Palette::of(ui).warn));
        }
        match remote.value() {
            Some(rules) if rules.is_empty() => empty(ui),
            Some(rules) => self.rules(ui, scene, rules, commands),
            None if remote.failure().is_none() => weak(ui, "Loading the alerts …"),
            None => {}
        }
    }
}

fn weak(ui: &mut Ui, words: &str) {
    let colour = Palette::of(ui).weak;
    ui.label(RichText::new(words).color(colour));
}

fn empty(ui: &mut Ui) {
    ui.label("No alerts yet.");
    weak(ui, "\"New alert\" makes one; so does A in a chart, at the price under the pointer.");
}

fn logged_out(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    let standing = &scene.state.alerts.standing;
    if standing.has_ended {
        ui.label(RichText::new("The session has ended.").color(Palette::of(ui).warn));
    }
    ui.label("Alerts belong to an account.");
    weak(ui, "They are looked at where prices are stored, also while this window is closed.");
    ui.add_space(4.0);
    if ui.button("Log in").clicked() {
        commands.push(Command::Account);
    }
    ui.add_space(4.0);
    weak(ui, "Without one, a level in a chart rings while the window runs (A).");
}

/// Tells when the price gets there: a rule of whoever is logged in, otherwise a level that rings while the window runs.
pub(crate) fn at_price(scene: &Scene<'_>, ticker: &TickerKey, price: Decimal) -> Command {
    if scene.state.alerts.username().is_none() {
        return Command::Draw(ticker.clone(), DrawingChange::Add(Drawing::Level { price, bell: true }));
    }
    let rule = AlertRequest {
        kind: Some("crosses".to_owned()),
        exchange: Some(ticker.exchange.to_string()),
        ticker: Some(ticker.ticker.to_string()),
        level: Some(Amount(price)),
        ..AlertRequest::default()
    };
    Command::Alert(0, Box::new(Order::Make(rule)))
}

#[cfg(test)]
mod tests;
