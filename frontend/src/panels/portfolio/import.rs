//! A file of transactions: dropped or named, looked at line by line, and then imported.

use std::path::PathBuf;

use api_types::portfolios::{ImportLine, ImportProgress, ImportRow, PortfolioRow};
use eframe::egui::{Button, Key, ProgressBar, RichText, ScrollArea, Stroke, StrokeKind, TextEdit, Ui};

use super::{Waiting, refused, weak};
use crate::{
    panels::{Command, Scene},
    state::{
        Refusal,
        portfolio::{CsvFile, Done, Order},
    },
    theme::{Palette, SMALL},
};

const LINE_HEIGHT: f32 = 17.0;

/// What is written, and what came of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Import {
    path: String,
    waiting: Waiting,
    refusal: Option<Refusal>,
    /// What would come of the file.
    preview: Option<(ImportRow, CsvFile)>,
    skip_mistakes: bool,
    /// What came of the last file that was imported.
    done: Option<ImportRow>,
}

impl Import {
    /// Looks at a file that was dropped on the window, where nothing else takes files; whether there was one.
    pub(super) fn take_dropped(&mut self, ui: &Ui, portfolio: i64, commands: &mut Vec<Command>) -> bool {
        let dropped = ui.input_mut(|input| std::mem::take(&mut input.raw.dropped_files));
        let Some(path) = dropped.first().map(|file| file.path().to_owned()) else { return false };
        self.look_at(path, portfolio, commands);
        true
    }

    fn look_at(&mut self, path: PathBuf, portfolio: i64, commands: &mut Vec<Command>) {
        *self = Self { path: path.display().to_string(), ..Self::default() };
        self.waiting.order(Order::Preview(portfolio, path), commands);
    }

    /// Shows it.
    pub(super) fn show(&mut self, ui: &mut Ui, scene: &Scene<'_>, row: &PortfolioRow, commands: &mut Vec<Command>) {
        match self.waiting.hear(scene) {
            Some(Ok(Done::Previewed(row, file))) => self.preview = Some((row, file)),
            Some(Ok(Done::Imported(row))) => *self = Self { done: Some(row), ..Self::default() },
            Some(Err(refusal)) => self.refusal = Some(refusal),
            Some(Ok(_)) | None => {}
        }
        if ui.input(|input| !input.raw.hovered_files.is_empty()) {
            let stroke = Stroke::new(2.0, Palette::of(ui).accent);
            ui.painter().rect_stroke(ui.max_rect(), 4, stroke, StrokeKind::Inside);
        }
        self.choose(ui, scene, row, commands);
        if let Some(progress) = self.waiting.progress(scene) {
            show_progress(ui, progress);
        }
        if let Some(refusal) = &self.refusal {
            refused(ui, refusal);
        }
        if let Some(done) = &self.done {
            ui.label(RichText::new(format!("Imported: {}", counts(done))).color(Palette::of(ui).up));
        }
        self.previewed(ui, row, commands);
    }

    fn choose(&mut self, ui: &mut Ui, scene: &Scene<'_>, row: &PortfolioRow, commands: &mut Vec<Command>) {
        weak(ui, "Drop a CSV file here, your own or as an exchange exports it; or write where it is:");
        ui.horizontal_wrapped(|ui| {
            let label = ui.label(RichText::new("File").color(Palette::of(ui).weak));
            let edit = TextEdit::singleline(&mut self.path).desired_width((ui.available_width() - 180.0).max(140.0));
            let field = ui.add(edit.hint_text("/home/ada/trades.csv")).labelled_by(label.id);
            let enter = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            let can = !self.path.trim().is_empty() && !self.waiting.is_on();
            if ui.add_enabled(can, Button::new("Look at it")).clicked() || enter && can {
                self.look_at(PathBuf::from(self.path.trim()), row.id, commands);
            }
            if self.waiting.is_on() && self.waiting.progress(scene).is_none() {
                weak(ui, "Asking the API …");
            }
        });
    }

    fn previewed(&mut self, ui: &mut Ui, row: &PortfolioRow, commands: &mut Vec<Command>) {
        let Some((preview, file)) = &self.preview else { return };
        let mut goes_on = true;
        let name = file.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        ui.label(format!("{name}, read as {}: {}", preview.format, counts(preview)));
        for (reason, count) in &preview.skipped {
            weak(ui, &format!("left out ({count}): {reason}"));
        }
        ui.horizontal_wrapped(|ui| {
            if preview.mistakes > 0 {
                ui.checkbox(&mut self.skip_mistakes, "Leave out the wrong lines");
            }
            let can = preview.added > 0 && (preview.mistakes == 0 || self.skip_mistakes) && !self.waiting.is_on();
            let words = match preview.added {
                1 => "Import 1 transaction".to_owned(),
                count => format!("Import {count} transactions"),
            };
            if ui.add_enabled(can, Button::new(words)).clicked() {
                let (file, skip_mistakes) = (file.clone(), self.skip_mistakes);
                self.waiting.order(Order::Import { portfolio: row.id, file, skip_mistakes }, commands);
                self.refusal = None;
            }
            goes_on = !ui.button("Cancel").clicked();
        });
        let lines: Vec<(String, bool)> = preview.lines.iter().flat_map(said).collect();
        let palette = Palette::of(ui);
        ScrollArea::vertical().id_salt("lines").auto_shrink(false).show_rows(
            ui,
            LINE_HEIGHT,
            lines.len(),
            |ui, range| {
                for (words, is_wrong) in range.filter_map(|number| lines.get(number)) {
                    let colour = if *is_wrong { palette.warn } else { palette.weak };
                    let text = RichText::new(words).size(SMALL + 0.5).color(colour);
                    ui.add(eframe::egui::Label::new(text).truncate());
                }
            },
        );
        if !goes_on {
            *self = Self::default();
        }
    }
}

fn show_progress(ui: &mut Ui, progress: &ImportProgress) {
    let (part, words) = match (progress.stage.as_str(), progress.of) {
        ("writing", Some(of)) => {
            let part = progress.done as f32 / of.max(1) as f32;
            (part, format!("{} of {of} transactions are written", progress.done))
        }
        ("reading", _) => (0.0, "The file is read …".to_owned()),
        _ => (0.0, "Other imports come first …".to_owned()),
    };
    ui.add(ProgressBar::new(part).desired_width(ui.available_width().min(420.0)).text(words));
}

/// `12 read; 9 new, 2 known already, 1 wrong`.
fn counts(row: &ImportRow) -> String {
    let wrong = if row.mistakes == 0 { String::new() } else { format!(", {} wrong", row.mistakes) };
    format!("{} read; {} new, {} known already{wrong}", row.read, row.added, row.known)
}

/// What a line says or what is wrong with it, and whether something is.
fn said(line: &ImportLine) -> Vec<(String, bool)> {
    let at = |words: &str| format!("line {}: {words}", line.line);
    if line.mistakes.is_empty() {
        let words = match (&line.skipped, &line.says) {
            (Some(why), _) => at(&format!("left out: {why}")),
            (None, says) => at(says.as_deref().unwrap_or_default()),
        };
        return vec![(words, false)];
    }
    let one = |mistake: &api_types::portfolios::ImportMistake| {
        let allowed =
            if mistake.allowed.is_empty() { String::new() } else { format!("; allowed: {}", mistake.allowed) };
        (at(&format!("! {} \"{}\": {}{allowed}", mistake.field, mistake.value, mistake.detail)), true)
    };
    line.mistakes.iter().map(one).collect()
}
