//! Rows of figures in columns that are as wide as what stands in them. Where there is no room for all, those that say
//! least are left out; what is left out is told under the pointer.

use eframe::egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Stroke, Ui, vec2};

use crate::theme::{BODY, Palette, SMALL};

pub(super) const ROW_HEIGHT: f32 = 21.0;
/// Least room between two columns.
const BETWEEN: f32 = 14.0;
/// Most of it.
const FAR: f32 = 56.0;

/// One column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Whether it begins at its left, as words do.
    pub(super) is_left: bool,
    /// Those with the highest are left out first.
    pub(super) rank: u8,
}

/// What stands in a row and column.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) colour: Color32,
}

/// Where the columns are.
#[derive(Debug)]
pub(super) struct Places {
    /// Which column, and from where to where, counted from the left of the row.
    places: Vec<(usize, f32, f32)>,
}

impl Places {
    /// Of these columns, with these rows in them, in so much room.
    pub(super) fn of(ui: &Ui, columns: &[Column], rows: &[Vec<Cell>], room: f32) -> Self {
        let (painter, colour) = (ui.painter(), Palette::of(ui).text);
        let width = |text: &str, font| painter.layout_no_wrap(text.to_owned(), font, colour).size().x;
        let needed: Vec<f32> = columns
            .iter()
            .enumerate()
            .map(|(number, column)| {
                let cells = rows.iter().filter_map(|row| row.get(number));
                let widest = cells.map(|cell| width(&cell.text, font(*column))).fold(0.0, f32::max);
                widest.max(width(column.title, FontId::proportional(SMALL)))
            })
            .collect();
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by_key(|number| columns[*number].rank);
        let mut left = room;
        let mut kept = Vec::new();
        for number in order {
            left -= needed[number] + BETWEEN;
            if left < 0.0 && !kept.is_empty() {
                break;
            }
            kept.push(number);
        }
        kept.sort_unstable();
        let taken: f32 = kept.iter().map(|number| needed[*number]).sum();
        let between = ((room - taken) / kept.len() as f32).clamp(BETWEEN.min(room), FAR);
        let mut x = BETWEEN / 2.0;
        let mut places = Vec::new();
        for number in kept {
            places.push((number, x, x + needed[number]));
            x += needed[number] + between;
        }
        Self { places }
    }

    /// What the columns are called, above the rows.
    pub(super) fn header(&self, ui: &mut Ui, columns: &[Column]) {
        let palette = Palette::of(ui);
        let (_, rect) = ui.allocate_space(vec2(ui.available_width(), 17.0));
        for (number, from, to) in &self.places {
            let column = columns[*number];
            paint(ui.painter(), rect, column, (*from, *to), column.title, FontId::proportional(SMALL), palette.weak);
        }
        ui.painter().hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, palette.grid));
    }

    /// The cells of a row that is there.
    pub(super) fn row(&self, painter: &Painter, rect: Rect, columns: &[Column], cells: &[Cell]) {
        for (number, from, to) in &self.places {
            let (Some(cell), column) = (cells.get(*number), columns[*number]) else { continue };
            paint(painter, rect, column, (*from, *to), &cell.text, font(column), cell.colour);
        }
    }
}

fn font(column: Column) -> FontId {
    if column.is_left { FontId::proportional(BODY - 0.5) } else { FontId::monospace(BODY - 1.5) }
}

fn paint(
    painter: &Painter,
    rect: Rect,
    column: Column,
    (from, to): (f32, f32),
    text: &str,
    font: FontId,
    colour: Color32,
) {
    let (x, anchor) = if column.is_left { (from, Align2::LEFT_CENTER) } else { (to, Align2::RIGHT_CENTER) };
    painter.text(Pos2::new(rect.left() + x, rect.center().y), anchor, text, font, colour);
}
