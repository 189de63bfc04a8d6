//! Every key, in a window over the others.

use eframe::egui::{Grid, Key, Modifiers, RichText, ScrollArea, Ui};

use super::over_all;
use crate::{actions::Action, theme::Palette};

/// What is done with the pointer, and what only keys of a field do.
const GESTURES: [(&str, &str); 10] = [
    ("/", "Filter the markets; Enter takes the best match, Esc clears"),
    ("Esc", "Puts away what is open, and what is being drawn"),
    ("Wheel", "More or less time, about the pointer"),
    ("Drag", "Earlier or later; older candles load by themselves"),
    ("Shift drag", "Measures price, share, candles and time"),
    ("Double click", "The chart as at first"),
    ("Right click", "On a market: its lists. In a chart: what can be drawn, or done with what is"),
    ("Delete", "Removes the drawing under the pointer"),
    ("Drag a tab", "Puts its pane elsewhere"),
    ("Drop a file", "In the pane Portfolio: looks at a CSV file of transactions"),
];

/// Whether it is shown.
#[derive(Debug, Default)]
pub(crate) struct Help {
    open: bool,
}

impl Help {
    /// Shows it, or hides it.
    pub(crate) fn turn(&mut self) {
        self.open = !self.open;
    }

    /// Shows it, if it is wanted.
    pub(crate) fn show(&mut self, ui: &Ui, actions: impl FnOnce() -> Vec<Action>) {
        if !self.open {
            return;
        }
        let context = ui.ctx();
        if context.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
            self.open = false;
        }
        let weak = Palette::of(ui).weak;
        let keys = actions().into_iter().filter_map(|action| Some((action.key_words(context)?, action.name)));
        let gestures = GESTURES.iter().map(|(key, words)| ((*key).to_owned(), (*words).to_owned()));
        let rows: Vec<(String, String)> = keys.chain(gestures).collect();
        let height = context.content_rect().height() - 90.0;
        over_all(ui, "Keys").open(&mut self.open).default_height(height).show(context, |ui| {
            ScrollArea::vertical().max_height(height).show(ui, |ui| {
                Grid::new("keys").num_columns(4).spacing([18.0, 3.0]).show(ui, |ui| {
                    // In two columns of keys, read from top to bottom.
                    let half = rows.len().div_ceil(2);
                    for number in 0..half {
                        for (key, words) in [rows.get(number), rows.get(number + half)].into_iter().flatten() {
                            ui.label(RichText::new(key).strong());
                            ui.label(RichText::new(words).color(weak));
                        }
                        ui.end_row();
                    }
                });
            });
        });
    }
}
