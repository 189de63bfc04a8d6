//! What was bought and sold, newest first, page by page; written down, changed in its place and deleted.

use api_types::portfolios::{PortfolioRow, TransactionPage, TransactionRow};
use eframe::egui::{
    Align, CornerRadius, Layout, Rect, RichText, Role, ScrollArea, Sense, TextEdit, Ui, UiBuilder, WidgetInfo, vec2,
};

use super::{
    columns::{Cell, Column, Places, ROW_HEIGHT},
    draft::Field,
    entry::{Entry, Fate},
    head::small,
    unanswered, weak, words,
};
use crate::{
    format,
    panels::{Command, Scene},
    state::portfolio::{Order, TRANSACTIONS_A_PAGE, Topic, Which},
    theme::{Palette, SMALL},
    widgets::choice::choice,
};

/// Room for what can be done with a row, and for the question whether it is to be deleted.
const BUTTONS: f32 = 76.0;
const QUESTION: f32 = 168.0;

const fn column(title: &'static str, is_left: bool, rank: u8) -> Column {
    Column { title, is_left, rank }
}

const COLUMNS: [Column; 8] = [
    column("Date", true, 0),
    column("", true, 1),
    column("Coin", true, 2),
    column("Volume", false, 3),
    column("Price", false, 5),
    column("Value", false, 4),
    column("Fee", false, 6),
    column("Note", true, 7),
];

/// The list, and what is written in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Transactions {
    which: Which,
    /// What is typed of a coin.
    coin: String,
    entry: Option<Entry>,
    /// The one of which it is asked whether it is to be deleted.
    deleting: Option<i64>,
}

impl Transactions {
    /// Which of them are shown.
    pub(super) fn which(&self) -> Which {
        self.which.clone()
    }

    /// Another portfolio is shown.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::default();
    }

    /// Shows it.
    pub(super) fn show(&mut self, ui: &mut Ui, scene: &Scene<'_>, row: &PortfolioRow, commands: &mut Vec<Command>) {
        self.entry.take_if(|entry| entry.hear(scene) == Fate::Done);
        let topic = Topic::Transactions(row.id, self.which());
        unanswered(ui, scene, &topic, "the transactions");
        let page = scene.state.portfolios.transactions(row.id, &self.which);
        self.bar(ui, page, row, commands);
        let is_new = self.entry.as_ref().is_some_and(|entry| entry.changes().is_none());
        ScrollArea::vertical().id_salt("transactions").auto_shrink(false).show(ui, |ui| {
            if is_new {
                self.write(ui, row.id, commands);
            }
            match page {
                Some(page) if page.count == 0 && self.is_filtered() => {
                    weak(ui, "None of these.");
                }
                Some(page) if page.count == 0 => {
                    weak(ui, "Nothing yet. \"Add\" writes down what was bought or sold, \"Import\" reads a file.");
                }
                Some(page) => self.rows(ui, scene, row, page, commands),
                None if scene.state.portfolios.failure(&topic).is_none() => weak(ui, "Loading the transactions …"),
                None => {}
            }
        });
    }

    fn write(&mut self, ui: &mut Ui, portfolio: i64, commands: &mut Vec<Command>) {
        self.entry.take_if(|entry| entry.show(ui, portfolio, commands) == Fate::Done);
    }

    fn bar(&mut self, ui: &mut Ui, page: Option<&TransactionPage>, row: &PortfolioRow, commands: &mut Vec<Command>) {
        ui.horizontal_wrapped(|ui| {
            if small(ui, "+ Add", "Add a transaction").clicked() {
                self.entry = Some(Entry::new());
            }
            self.filter(ui);
            let Some(page) = page.filter(|page| page.count > 0) else { return };
            let first = i64::from(self.which.before) * i64::from(TRANSACTIONS_A_PAGE) + 1;
            let last = (first + page.results.len() as i64 - 1).max(first);
            let words = format!("{first} to {last} of {}", page.count);
            ui.label(RichText::new(words).size(SMALL + 0.5).color(Palette::of(ui).weak));
            let newer = ui.add_enabled_ui(self.which.before > 0, |ui| small(ui, "‹", "Newer transactions")).inner;
            let older = ui.add_enabled_ui(page.next.is_some(), |ui| small(ui, "›", "Older transactions")).inner;
            if newer.clicked() {
                self.turn(self.which.before.saturating_sub(1));
            }
            if older.clicked() {
                self.turn(self.which.before + 1);
            }
            let hint = "All of them as a CSV file, which can be imported again";
            if small(ui, "Export", "Export all transactions").on_hover_text(hint).clicked() {
                commands.push(Command::ExportTransactions(row.id, format!("portfolio-{}", row.name)));
            }
        });
        // Of the last page everything may have been deleted.
        if self.which.before > 0 && page.is_some_and(|page| page.results.is_empty()) {
            self.turn(self.which.before - 1);
        }
    }

    fn is_filtered(&self) -> bool {
        self.which.coin.is_some() || self.which.kind.is_some()
    }

    /// Which coin, and what happened.
    fn filter(&mut self, ui: &mut Ui) {
        let edit = TextEdit::singleline(&mut self.coin).hint_text("all coins").desired_width(64.0).char_limit(40);
        let field = ui.add(edit).on_hover_text("Of this coin only: its code, and Enter");
        field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Coin of the transactions"));
        let coin = Some(self.coin.trim().to_uppercase()).filter(|coin| !coin.is_empty());
        if field.lost_focus() && coin != self.which.coin {
            return self.look(Which { coin, kind: self.which.kind, before: 0 });
        }
        let mut kind = self.which.kind;
        choice(ui, "Type of the transactions", 96.0, kind.unwrap_or("all types"), |ui| {
            ui.selectable_value(&mut kind, None, "all types");
            for word in Field::Kind.choices().into_iter().flatten() {
                ui.selectable_value(&mut kind, Some(*word), *word);
            }
        });
        if kind != self.which.kind {
            self.look(Which { coin: self.which.coin.clone(), kind, before: 0 });
        }
    }

    fn turn(&mut self, before: u32) {
        self.look(Which { before, ..self.which.clone() });
    }

    /// Shows others. What is being written is given up.
    fn look(&mut self, which: Which) {
        let coin = which.coin.clone().unwrap_or_default();
        *self = Self { which, coin, ..Self::default() };
    }

    fn rows(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        portfolio: &PortfolioRow,
        page: &TransactionPage,
        commands: &mut Vec<Command>,
    ) {
        let palette = Palette::of(ui);
        let cells: Vec<Vec<Cell>> = page.results.iter().map(|row| cells(row, scene, palette)).collect();
        let places = Places::of(ui, &COLUMNS, &cells, ui.available_width() - BUTTONS);
        ui.spacing_mut().item_spacing.y = 1.0;
        places.header(ui, &COLUMNS);
        for (row, cells) in page.results.iter().zip(&cells) {
            if self.entry.as_ref().is_some_and(|entry| entry.changes() == Some(row.id)) {
                self.write(ui, portfolio.id, commands);
                continue;
            }
            let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW_HEIGHT), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Row, true, sentence(row, scene)));
            if ui.rect_contains_pointer(rect) {
                ui.painter().rect_filled(rect, CornerRadius::same(3), palette.hover);
            }
            let edge = rect.right() - if self.deleting == Some(row.id) { QUESTION } else { BUTTONS };
            places.row(&ui.painter().with_clip_rect(clip(ui, rect, edge)), rect, &COLUMNS, cells);
            response.on_hover_ui(|ui| {
                for line in sentence(row, scene).split("; ") {
                    ui.label(line);
                }
            });
            let right = Rect::from_min_max(rect.min.max([edge, rect.top()].into()), rect.max);
            let layout = Layout::right_to_left(Align::Center);
            ui.scope_builder(UiBuilder::new().max_rect(right).layout(layout), |ui| {
                self.buttons(ui, portfolio.id, row, commands);
            });
        }
    }

    /// From the right.
    fn buttons(&mut self, ui: &mut Ui, portfolio: i64, row: &TransactionRow, commands: &mut Vec<Command>) {
        ui.spacing_mut().item_spacing.x = 4.0;
        let id = row.id;
        if self.deleting == Some(id) {
            if small(ui, "Keep", &format!("Keep transaction {id}")).clicked() {
                self.deleting = None;
            }
            if small(ui, "Delete", &format!("Delete transaction {id}")).clicked() {
                commands.push(Command::Portfolio(0, Box::new(Order::Remove(portfolio, id))));
                self.deleting = None;
            }
            ui.label(RichText::new("Delete it?").size(SMALL + 0.5).color(Palette::of(ui).warn));
            return;
        }
        if small(ui, "×", &format!("Remove transaction {id}")).clicked() {
            self.deleting = Some(id);
        }
        if small(ui, "Edit", &format!("Edit transaction {id}")).clicked() {
            self.entry = Some(Entry::of(row));
        }
    }
}

fn clip(ui: &Ui, rect: Rect, edge: f32) -> Rect {
    Rect::from_min_max(rect.min, [edge, rect.bottom()].into()).intersect(ui.clip_rect())
}

/// What is done: a trade by its side, anything else by its type.
fn deed(row: &TransactionRow) -> &str {
    if row.kind == "TRADE" { &row.order_type } else { &row.kind }
}

fn cells(row: &TransactionRow, scene: &Scene<'_>, palette: &Palette) -> Vec<Cell> {
    let cell = |text: String, colour| Cell { text, colour };
    let unknown = || format::UNKNOWN.to_owned();
    let what = deed(row);
    let deed = match (row.is_valid, what) {
        (false, _) => cell(format!("! {what}"), palette.warn),
        (true, "BUY") => cell(what.to_owned(), palette.up),
        (true, "SELL") => cell(what.to_owned(), palette.down),
        (true, _) => cell(what.to_owned(), palette.weak),
    };
    let in_currency = |value| format!("{} {}", words::money(value, &row.currency), row.currency);
    let fee = match &row.fee_currency {
        _ if row.fee.is_zero() => unknown(),
        Some(code) if *code != row.currency => format!("{} {code}", words::volume(row.fee)),
        _ => words::money(row.fee, &row.currency),
    };
    let about = [row.note.as_deref().unwrap_or_default(), row.source.as_str()];
    let about: Vec<&str> = about.into_iter().filter(|words| !words.is_empty()).collect();
    let mut note = about.join(" · ").replace('\n', " ");
    if let Some((place, _)) = note.char_indices().nth(40) {
        note.truncate(place);
        note.push('…');
    }
    vec![
        cell(scene.choices.zone.of(row.date).format("%Y-%m-%d %H:%M").to_string(), palette.weak),
        deed,
        cell(row.symbol.clone(), palette.text),
        cell(words::volume(row.volume), palette.text),
        cell(row.price.map_or_else(unknown, |price| words::price(price, &row.currency)), palette.weak),
        cell(row.value.map_or_else(unknown, in_currency), palette.text),
        cell(fee, palette.weak),
        cell(note, palette.weak),
    ]
}

/// All of it, also what there is no room for.
fn sentence(row: &TransactionRow, scene: &Scene<'_>) -> String {
    let date = format::moment(row.date, scene.choices.zone);
    let mut parts = vec![format!("{date}: {} {} {}", deed(row), words::volume(row.volume), row.symbol)];
    if let Some(value) = row.value {
        parts.push(format!("for {} {}", words::money(value, &row.currency), row.currency));
    }
    if let Some(price) = row.price {
        parts.push(format!("at {} {}", words::price(price, &row.currency), row.currency));
    }
    if !row.fee.is_zero() {
        let code = row.fee_currency.as_deref().unwrap_or(&row.currency);
        parts.push(format!("fee {} {code}", words::volume(row.fee)));
    }
    if !row.is_valid {
        parts.push(format!("does not count: {}", row.invalid_reason));
    }
    parts.extend(row.note.as_ref().map(|note| format!("note: {note}")));
    if !row.source.is_empty() {
        let number = row.source_id.as_ref().map(|id| format!(", there {id}")).unwrap_or_default();
        parts.push(format!("from {}{number}", row.source));
    }
    parts.join("; ")
}
