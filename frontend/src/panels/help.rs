//! Every key, in a window over the others.

use eframe::egui::{Grid, Key, Modifiers, RichText, Ui, Window};

use crate::theme::Palette;

/// Each key and what it does.
const KEYS: [(&str, &str); 13] = [
    ("↑ ↓", "the next market above or below"),
    ("/", "filter the markets; Enter takes the best match, Esc clears"),
    ("F", "the chosen market among the favourites, or no longer"),
    ("1 to 8", "width of the candles, from a minute to a week"),
    ("L", "candles or a line"),
    ("G", "logarithmic scale"),
    ("P", "scale in percent"),
    ("H", "how the recording does"),
    ("T", "dark or light"),
    ("F1", "these keys"),
    ("Wheel", "more or less time, about the pointer"),
    ("Drag", "earlier or later; older candles load by themselves"),
    ("Double click", "the chart as at first"),
];

/// Whether it is shown.
#[derive(Debug, Default)]
pub(crate) struct Help {
    open: bool,
}

impl Help {
    /// Shows it, if it is wanted.
    pub(crate) fn show(&mut self, ui: &Ui) {
        let context = ui.ctx();
        let pressed = |key| context.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        if pressed(Key::F1) {
            self.open = !self.open;
        }
        if self.open && pressed(Key::Escape) {
            self.open = false;
        }
        let weak = Palette::of(ui).weak;
        Window::new("Keys").open(&mut self.open).resizable(false).collapsible(false).show(context, |ui| {
            Grid::new("keys").num_columns(2).spacing([18.0, 5.0]).show(ui, |ui| {
                for (key, words) in KEYS {
                    ui.label(RichText::new(key).strong());
                    ui.label(RichText::new(words).color(weak));
                    ui.end_row();
                }
            });
        });
    }
}
