//! The form in which a transaction is written down or changed.

use api_types::portfolios::{TransactionRequest, TransactionRow};
use eframe::egui::{Align, Frame, Key, Layout, Margin, RichText, Stroke, TextEdit, Ui, vec2};

use super::{
    Waiting,
    draft::{Draft, Field},
    head::small,
    refused, weak,
};
use crate::{
    panels::{Command, Scene},
    state::{Refusal, portfolio::Order},
    theme::{Palette, SMALL},
    widgets::choice::choice,
};

/// A transaction that is being written.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    draft: Draft,
    /// The one that is changed, if it is not a new one.
    changes: Option<i64>,
    waiting: Waiting,
    /// What was asked for last, and why it was refused.
    refused: Option<(TransactionRequest, Refusal)>,
    asked: Option<TransactionRequest>,
    /// Whether somebody tried: what is not written yet is no mistake before.
    tried: bool,
    /// The cursor is wanted.
    focus: bool,
}

/// What is to become of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays.
    Stays,
    /// It is done with.
    Done,
}

impl Entry {
    /// Of a new one.
    pub(super) fn new() -> Self {
        Self {
            draft: Draft::new(),
            changes: None,
            waiting: Waiting::default(),
            refused: None,
            asked: None,
            tried: false,
            focus: true,
        }
    }

    /// For a change of this one.
    pub(super) fn of(row: &TransactionRow) -> Self {
        Self { draft: Draft::of(row), changes: Some(row.id), ..Self::new() }
    }

    /// The number of the one that is changed.
    pub(super) fn changes(&self) -> Option<i64> {
        self.changes
    }

    /// Takes the outcome, if it came.
    pub(super) fn hear(&mut self, scene: &Scene<'_>) -> Fate {
        match (self.waiting.hear(scene), self.asked.take_if(|_| !self.waiting.is_on())) {
            (Some(Ok(_)), _) => Fate::Done,
            (Some(Err(refusal)), Some(asked)) => {
                self.refused = Some((asked, refusal));
                Fate::Stays
            }
            _ => Fate::Stays,
        }
    }

    /// Shows it. Enter and the button order it; Escape gives it up.
    pub(super) fn show(&mut self, ui: &mut Ui, portfolio: i64, commands: &mut Vec<Command>) -> Fate {
        let palette = Palette::of(ui);
        let frame = Frame::new().fill(palette.chosen).stroke(Stroke::new(1.0, palette.border)).corner_radius(4);
        frame.inner_margin(Margin::symmetric(8, 5)).show(ui, |ui| self.inside(ui, portfolio, commands)).inner
    }

    fn inside(&mut self, ui: &mut Ui, portfolio: i64, commands: &mut Vec<Command>) -> Fate {
        let request = self.draft.request();
        let (mut is_left, mut fate) = (false, Fate::Stays);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(6.0, 3.0);
            for field in Field::ALL {
                let size = vec2(field.width() + 8.0, 38.0);
                ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
                    is_left |= self.field(ui, field);
                });
            }
        });
        // What was refused says nothing of what is written now.
        let refusal = match (&request, &self.refused) {
            (Err(refusal), _) if self.tried => Some(refusal),
            (Ok(request), Some((asked, refusal))) if asked == request => Some(refusal),
            _ => None,
        };
        if let Some(Refusal { words, parameter }) = refusal {
            // By the name that stands above the field.
            let field = parameter.as_deref().and_then(Field::called).map(|field| field.name().to_owned());
            refused(ui, &Refusal { words: words.clone(), parameter: field.or_else(|| parameter.clone()) });
        }
        // Of a list that is open these keys are, too.
        let (enter, escape) = ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
        ui.horizontal(|ui| {
            let words = self.changes.map_or_else(|| "Write it down".to_owned(), |id| format!("Save transaction {id}"));
            let clicked = ui.add_enabled_ui(!self.waiting.is_on(), |ui| small(ui, "Save", &words)).inner.clicked();
            if (clicked || is_left && enter) && !self.waiting.is_on() {
                self.tried = true;
                if let Ok(request) = request {
                    self.asked = Some(request.clone());
                    let order = match self.changes {
                        Some(number) => Order::Edit(portfolio, number, request),
                        None => Order::Add(portfolio, request),
                    };
                    self.waiting.order(order, commands);
                }
            }
            if small(ui, "Cancel", "Give up this transaction").clicked() || is_left && escape {
                fate = Fate::Done;
            }
            if self.waiting.is_on() {
                weak(ui, "Asking the API …");
            }
        });
        fate
    }

    /// Shows one field; whether the cursor has just left it.
    fn field(&mut self, ui: &mut Ui, field: Field) -> bool {
        ui.spacing_mut().item_spacing.y = 1.0;
        let label = ui.label(RichText::new(field.name()).size(SMALL).color(Palette::of(ui).weak));
        let Some(choices) = field.choices() else {
            let edit = TextEdit::singleline(self.draft.text_mut(field)).hint_text(field.hint());
            let response = ui.add(edit.desired_width(field.width())).labelled_by(label.id);
            let first = if self.changes.is_some() { Field::Volume } else { Field::Symbol };
            if field == first && std::mem::take(&mut self.focus) {
                response.request_focus();
            }
            return response.lost_focus();
        };
        let chosen = self.draft.text(field).to_owned();
        choice(ui, field.name(), field.width(), &chosen, |ui| {
            for one in choices {
                if ui.selectable_label(*one == chosen, *one).clicked() {
                    *self.draft.text_mut(field) = (*one).to_owned();
                }
            }
        });
        false
    }
}
