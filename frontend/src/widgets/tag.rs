//! A short text on a coloured ground, as it stands on an axis.

use eframe::egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Vec2};

/// What a tag looks like.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    /// What it says.
    pub text: String,
    /// Its ground.
    pub ground: Color32,
    /// Its text.
    pub colour: Color32,
    /// Its font.
    pub font: FontId,
}

impl Tag {
    /// Paints it with its `anchor` at `place`, moved as far as needed to lie within `bounds`.
    pub(crate) fn paint(self, painter: &Painter, place: Pos2, anchor: Align2, bounds: Rect) -> Rect {
        let galley = painter.layout_no_wrap(self.text, self.font, self.colour);
        let padding = Vec2::new(4.0, 2.0);
        let mut rect = anchor.anchor_size(place, galley.size() + padding * 2.0);
        let room = |low: f32, high: f32, from: f32, to: f32| (from - low).max(0.0) + (to - high).min(0.0);
        rect = rect.translate(Vec2::new(
            room(rect.left(), rect.right(), bounds.left(), bounds.right()),
            room(rect.top(), rect.bottom(), bounds.top(), bounds.bottom()),
        ));
        painter.rect_filled(rect, 3.0, self.ground);
        painter.galley(rect.min + padding, galley, self.colour);
        rect
    }
}
