//! What the account owns: what it is worth and was worth, of what, what was bought and sold, and files of that read in.

mod allocation;
mod columns;
mod draft;
mod entry;
mod head;
mod import;
mod positions;
mod transactions;
mod value;
mod words;

use std::collections::BTreeSet;

use api_types::portfolios::{ImportProgress, PortfolioRow};
use eframe::egui::{RichText, ScrollArea, Ui, UiBuilder, vec2};
use serde::{Deserialize, Serialize};

use self::{head::Head, import::Import, transactions::Transactions};
use super::{Command, Scene};
use crate::{
    format,
    state::{
        Refusal, State,
        portfolio::{Counted, Done, Order, Topic},
    },
    theme::Palette,
};

/// From this width on, the positions stand beside the value of each day.
const WIDE: f32 = 860.0;
/// The part of a wide pane that the positions get.
const POSITIONS: f32 = 0.6;
/// Height of the value of each day where other things stand below it.
const PLOT: f32 = 190.0;

/// Below this height nothing has room below the plot.
const LOW: f32 = 260.0;

/// What is shown below the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Part {
    /// Value, allocation and positions.
    #[default]
    Overview,
    /// What was bought and sold.
    Transactions,
    /// A file that is read in.
    Import,
}

/// The pane.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Portfolio {
    /// Which one is shown; the first where that is not there.
    id: Option<i64>,
    /// In what it is counted, where not in its own currency.
    currency: Option<String>,
    /// Which coins are sold first, where not by its own method.
    method: Option<String>,
    part: Part,
    #[serde(skip)]
    head: Head,
    #[serde(skip)]
    transactions: Transactions,
    #[serde(skip)]
    import: Import,
}

/// Something that was ordered, until its outcome is known.
#[derive(Debug, Clone, Default)]
struct Waiting(Option<u64>);

impl Waiting {
    /// Orders this.
    fn order(&mut self, order: Order, commands: &mut Vec<Command>) {
        let number = fastrand::u64(1..);
        self.0 = Some(number);
        commands.push(Command::Portfolio(number, Box::new(order)));
    }

    /// The outcome, once.
    fn hear(&mut self, scene: &Scene<'_>) -> Option<Result<Done, Refusal>> {
        let outcome = scene.state.portfolios.answer(self.0?)?.clone();
        self.0 = None;
        Some(outcome)
    }

    /// How far it is, where it is an import.
    fn progress<'a>(&self, scene: &Scene<'a>) -> Option<&'a ImportProgress> {
        scene.state.portfolios.progress(self.0?)
    }

    fn is_on(&self) -> bool {
        self.0.is_some()
    }
}

impl Portfolio {
    /// What it shows of the account's portfolios.
    pub(crate) fn topics(&self, state: &State) -> BTreeSet<Topic> {
        let mut topics = BTreeSet::from([Topic::List]);
        if let Some(row) = self.chosen(state) {
            topics.insert(Topic::Balance(self.counted(row)));
            topics.insert(Topic::Performance(self.days(row)));
            match self.part {
                Part::Overview => drop(topics.insert(Topic::Values(self.days(row)))),
                Part::Transactions => drop(topics.insert(Topic::Transactions(row.id, self.transactions.which()))),
                Part::Import => {}
            }
        }
        topics
    }

    fn chosen<'a>(&self, state: &'a State) -> Option<&'a PortfolioRow> {
        let list = state.portfolios.list()?;
        list.iter().find(|row| Some(row.id) == self.id).or_else(|| list.first())
    }

    fn counted(&self, row: &PortfolioRow) -> Counted {
        let (currency, method) = (self.currency.clone(), self.method.clone());
        Counted { portfolio: row.id, currency, method, day: self.head.day() }
    }

    /// Of what is the same by every method.
    fn days(&self, row: &PortfolioRow) -> Counted {
        Counted { method: None, ..self.counted(row) }
    }

    /// Shows it.
    pub(crate) fn show(&mut self, ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        if scene.state.alerts.username().is_none() {
            // What was written was for the account that it was.
            let Self { id, currency, method, part, .. } = std::mem::take(self);
            *self = Self { id, currency, method, part, ..Self::default() };
            logged_out(ui, scene, commands);
            return;
        }
        unanswered(ui, scene, &Topic::List, "the portfolios");
        self.hear_of_portfolios(scene);
        let Some(list) = scene.state.portfolios.list() else {
            if scene.state.portfolios.failure(&Topic::List).is_none() {
                weak(ui, "Loading the portfolios …");
            }
            return;
        };
        let Some(row) = self.chosen(scene.state) else {
            ui.label("No portfolio yet.");
            weak(ui, "One holds what you bought and sold. Give it a name:");
            self.head.first(ui, commands);
            return;
        };
        if self.import.take_dropped(ui, row.id, commands) {
            self.part = Part::Import;
        }
        if scene.is_old() {
            ui.multiply_opacity(0.6);
        }
        self.show_head(ui, scene, list, row, commands);
        ui.add_space(2.0);
        match self.part {
            Part::Overview => self.overview(ui, scene, row),
            Part::Transactions => self.transactions.show(ui, scene, row, commands),
            Part::Import => self.import.show(ui, scene, row, commands),
        }
    }

    fn overview(&self, ui: &mut Ui, scene: &Scene<'_>, row: &PortfolioRow) {
        let (counted, days) = (self.counted(row), self.days(row));
        unanswered(ui, scene, &Topic::Values(days.clone()), "the value of each day");
        let balance = scene.state.portfolios.balance(&counted);
        let values = scene.state.portfolios.values(&days);
        if ui.available_width() < WIDE {
            ScrollArea::vertical().id_salt("overview").auto_shrink(false).show(ui, |ui| {
                value::show(ui, scene, values, self.shown_currency(row), PLOT);
                if let Some(balance) = balance {
                    positions::show(ui, balance);
                    gap(ui);
                    allocation::show(ui, balance);
                }
            });
            return;
        }
        let whole = ui.available_rect_before_wrap();
        let edge = whole.left() + whole.width() * POSITIONS;
        let (mut left, mut right) = (whole, whole);
        *left.right_mut() = edge - 6.0;
        *right.left_mut() = edge + 6.0;
        ui.scope_builder(UiBuilder::new().max_rect(left), |ui| {
            ScrollArea::vertical().id_salt("positions").auto_shrink(false).show(ui, |ui| match balance {
                Some(balance) => positions::show(ui, balance),
                None => weak(ui, "Loading the balance …"),
            });
        });
        ui.scope_builder(UiBuilder::new().max_rect(right), |ui| {
            // In a low pane the plot has it for itself.
            let room = if right.height() < LOW { right.height() - 6.0 } else { (right.height() - 130.0).min(320.0) };
            let room = room.max(70.0);
            ScrollArea::vertical().id_salt("value").auto_shrink(false).show(ui, |ui| {
                value::show(ui, scene, values, self.shown_currency(row), room);
                if let Some(balance) = balance {
                    allocation::show(ui, balance);
                }
            });
        });
        ui.advance_cursor_after_rect(whole);
    }

    /// In what everything is counted.
    fn shown_currency<'a>(&'a self, row: &'a PortfolioRow) -> &'a str {
        self.currency.as_deref().unwrap_or(&row.currency)
    }
}

fn weak(ui: &mut Ui, words: &str) {
    let colour = Palette::of(ui).weak;
    ui.label(RichText::new(words).color(colour));
}

fn warn(ui: &mut Ui, words: &str) {
    let colour = Palette::of(ui).warn;
    ui.label(RichText::new(words).color(colour));
}

/// What is wrong, and with what.
fn refused(ui: &mut Ui, refusal: &Refusal) {
    match &refusal.parameter {
        Some(parameter) => warn(ui, &format!("{parameter}: {}", refusal.words)),
        None => warn(ui, &refusal.words),
    }
}

/// That there is no newer answer, and how old the one is that is shown.
fn unanswered(ui: &mut Ui, scene: &Scene<'_>, topic: &Topic, what: &str) {
    let Some((failure, told_at)) = scene.state.portfolios.failure(topic) else { return };
    let age = told_at.map_or_else(String::new, |at| format!(" What is shown is {} old.", age_words(scene, at)));
    let next = format::countdown(failure.retry_at - scene.now);
    warn(ui, &format!("Cannot load {what}: {}.{age} Next try {next}.", failure.cause));
}

fn age_words(scene: &Scene<'_>, at: chrono::DateTime<chrono::Utc>) -> String {
    let seconds = (scene.now - at).num_seconds().max(0);
    format::age(chrono::TimeDelta::seconds(seconds.max(1)))
}

fn logged_out(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    if scene.state.alerts.standing.has_ended {
        warn(ui, "The session has ended.");
    }
    ui.label("Portfolios belong to an account.");
    weak(ui, "What you bought and sold, what it is worth, and what it earned.");
    ui.add_space(4.0);
    if ui.button("Log in").clicked() {
        commands.push(Command::Account);
    }
}

/// Space between two things that stand one below the other.
fn gap(ui: &mut Ui) {
    ui.allocate_space(vec2(1.0, 6.0));
}

#[cfg(test)]
mod tests;
