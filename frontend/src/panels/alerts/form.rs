//! The form in which a rule is made or changed, tried first if somebody wants to.

use api_types::alerts::{AlertPreview, AlertRequest, AlertRow};
use eframe::egui::{Button, Grid, RichText, ScrollArea, TextEdit, Ui};

use super::draft::{Draft, Field, KINDS};
use crate::{
    format,
    panels::{Command, Scene},
    state::{Done, Order, Refusal, TickerKey, rule_words},
    theme::{Palette, SMALL},
    widgets::choice::choice,
};

/// Times that are shown of those at which it would have fired.
const TIMES: usize = 5;
const WIDTH: f32 = 170.0;

/// A rule that is being written.
#[derive(Debug, Clone)]
pub(super) struct Form {
    draft: Draft,
    /// The rule that is changed, if it is not a new one.
    changes: Option<i64>,
    /// What is being asked for, and its number.
    asked: Option<(u64, AlertRequest)>,
    /// What was answered, and to what.
    answer: Option<(AlertRequest, Result<Done, Refusal>)>,
}

impl Form {
    /// For a new rule.
    pub(super) fn new() -> Self {
        Self { draft: Draft::new(), changes: None, asked: None, answer: None }
    }

    /// For a change of this one.
    pub(super) fn of(rule: &AlertRow) -> Self {
        Self { draft: Draft::of(&rule.says), changes: Some(rule.id), ..Self::new() }
    }

    /// Shows it, where it is wide in two columns, so that a low pane has room for all of it; false when it is done with.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        ticker: Option<&TickerKey>,
        wide: bool,
        commands: &mut Vec<Command>,
    ) -> bool {
        if let Some(ticker) = ticker {
            self.draft.fill(ticker, scene.state.ticker(ticker));
        }
        let request = self.draft.request();
        // What was answered to something else says nothing of this.
        let answered = self.answer.as_ref().filter(|(asked, _)| request.as_ref() == Ok(asked));
        let refusal = match (&request, answered) {
            (Err(refusal), _) | (_, Some((_, Err(refusal)))) => Some(refusal.clone()),
            _ => None,
        };
        let preview = match answered {
            Some((_, Ok(Done::Tried(preview)))) => Some(preview.clone()),
            _ => None,
        };
        let area = |name| ScrollArea::vertical().id_salt(name).auto_shrink(false);
        if !wide {
            let shown = area("form").show(ui, |ui| {
                self.fields(ui, scene, refusal.as_ref());
                self.outcome(ui, scene, request.ok(), refusal.as_ref(), preview.as_ref(), commands)
            });
            return shown.inner;
        }
        ui.columns(2, |columns| {
            area("form").show(&mut columns[0], |ui| self.fields(ui, scene, refusal.as_ref()));
            let shown = area("outcome").show(&mut columns[1], |ui| {
                self.outcome(ui, scene, request.ok(), refusal.as_ref(), preview.as_ref(), commands)
            });
            shown.inner
        })
    }

    /// What can be done with it, and what came of that.
    fn outcome(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        request: Option<AlertRequest>,
        refusal: Option<&Refusal>,
        preview: Option<&AlertPreview>,
        commands: &mut Vec<Command>,
    ) -> bool {
        let goes_on = self.buttons(ui, request, commands);
        let is_beside = |parameter: &String| self.draft.fields().iter().any(|field| field.parameter() == parameter);
        if let Some(refusal) = refusal.filter(|refusal| !refusal.parameter.as_ref().is_some_and(is_beside)) {
            let words = match &refusal.parameter {
                Some(parameter) => format!("{parameter}: {}", refusal.words),
                None => refusal.words.clone(),
            };
            ui.label(RichText::new(words).color(Palette::of(ui).warn));
        }
        if let Some(preview) = preview {
            previewed(ui, scene, preview);
        }
        goes_on
    }

    /// Takes the answer, if it came; whether that was what this was for.
    pub(super) fn hear(&mut self, scene: &Scene<'_>) -> bool {
        let Some(answer) = &scene.state.alerts.answer else { return false };
        match self.asked.take_if(|(number, _)| *number == answer.number) {
            Some((_, asked)) => {
                self.answer = Some((asked, answer.outcome.clone()));
                matches!(answer.outcome, Ok(Done::Rule(_)))
            }
            None => false,
        }
    }

    fn title(&mut self, ui: &mut Ui, scene: &Scene<'_>) {
        match self.changes.and_then(|id| scene.state.alerts.rule(id)) {
            Some(rule) => {
                let about = [rule.says.ticker.as_deref(), rule.says.exchange.as_deref(), rule.coin.as_deref()];
                let about = about.into_iter().flatten().next().unwrap_or(format::UNKNOWN);
                ui.label(RichText::new(format!("Change: {about} {}", rule_words(&rule.says))).strong());
            }
            None => {
                ui.horizontal(|ui| {
                    ui.label(RichText::new("Tell me when").strong());
                    choice(ui, "What is waited for", 230.0, self.draft.kind.name, |ui| {
                        for kind in KINDS {
                            if ui.selectable_label(self.draft.kind == kind, kind.name).clicked() {
                                self.draft.kind = kind;
                            }
                        }
                    });
                });
            }
        }
    }

    /// Shows the fields, and what is wrong with one of them beside it.
    fn fields(&mut self, ui: &mut Ui, scene: &Scene<'_>, refusal: Option<&Refusal>) {
        let palette = Palette::of(ui);
        self.title(ui, scene);
        Grid::new("alert form").num_columns(3).spacing([10.0, 4.0]).show(ui, |ui| {
            for field in self.draft.fields() {
                let name = field.name(self.draft.kind);
                let label = ui.label(RichText::new(name).color(palette.weak));
                match field.choices() {
                    Some(choices) => {
                        let chosen = self.draft.text(field).to_owned();
                        let shown = choices.iter().find(|(value, _)| *value == chosen).map_or("", |(_, name)| name);
                        choice(ui, name, WIDTH, shown, |ui| {
                            for (value, name) in choices {
                                if ui.selectable_label(*value == chosen, *name).clicked() {
                                    *self.draft.text_mut(field) = (*value).to_owned();
                                }
                            }
                        });
                    }
                    None => {
                        let hint = if field == Field::Note { "told with each firing" } else { "" };
                        let edit = TextEdit::singleline(self.draft.text_mut(field)).hint_text(hint);
                        ui.add(edit.desired_width(WIDTH)).labelled_by(label.id);
                    }
                }
                let here = |refusal: &&Refusal| refusal.parameter.as_deref() == Some(field.parameter());
                if let Some(refusal) = refusal.filter(here) {
                    ui.label(RichText::new(&refusal.words).size(SMALL + 1.0).color(palette.warn));
                }
                ui.end_row();
            }
        });
    }

    fn buttons(&mut self, ui: &mut Ui, request: Option<AlertRequest>, commands: &mut Vec<Command>) -> bool {
        let mut goes_on = true;
        ui.horizontal(|ui| {
            let waits = self.asked.is_some();
            let can = request.is_some() && !waits;
            let words = if self.changes.is_some() { "Change it" } else { "Make it" };
            let make = ui.add_enabled(can, Button::new(words)).clicked();
            let tries = self.changes.is_none()
                && ui
                    .add_enabled(can, Button::new("Try"))
                    .on_hover_text("How often it would have fired in the last 24 hours")
                    .clicked();
            if ui.button("Cancel").clicked() {
                goes_on = false;
            }
            if waits {
                ui.label(RichText::new("Asking the API …").color(Palette::of(ui).weak));
            }
            let Some(request) = request.filter(|_| make || tries) else { return };
            let number = fastrand::u64(1..);
            self.asked = Some((number, request.clone()));
            let order = match self.changes {
                _ if tries => Order::Try(request),
                Some(id) => Order::Change(id, request),
                None => Order::Make(request),
            };
            commands.push(Command::Alert(number, Box::new(order)));
        });
        goes_on
    }
}

/// When it would have fired.
fn previewed(ui: &mut Ui, scene: &Scene<'_>, preview: &AlertPreview) {
    let palette = Palette::of(ui);
    ui.label(preview_words(preview));
    for firing in preview.firings.iter().take(TIMES) {
        let time = format::moment(firing.happened_at, scene.choices.zone);
        let words = format!("{time}   {}", firing.said);
        ui.label(RichText::new(words).size(SMALL + 0.5).color(palette.weak));
    }
    if preview.count > TIMES as i64 {
        let words = format!("and {} more", preview.count - TIMES as i64);
        ui.label(RichText::new(words).size(SMALL + 0.5).color(palette.weak));
    }
}

/// `Would have fired 3 times in the last 24 h`, and how well that is known.
fn preview_words(preview: &AlertPreview) -> String {
    let times = match preview.count {
        0 => "Would not have fired".to_owned(),
        1 => "Would have fired once".to_owned(),
        count => format!("Would have fired {count} times"),
    };
    let hours = ((preview.to - preview.from).num_minutes() + 30) / 60;
    match (preview.prices, preview.resolution.as_str()) {
        (0, _) => format!("Nothing is stored of the last {hours} h"),
        (_, "minute") => format!("{times} in the last {hours} h, as far as one-minute candles tell"),
        _ => format!("{times} in the last {hours} h"),
    }
}
