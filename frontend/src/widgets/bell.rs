//! A bell, which the fonts lack.

use eframe::egui::{Color32, Pos2, Shape, Stroke, vec2};

/// The shapes of one around this place.
pub(crate) fn bell_shapes(middle: Pos2, colour: Color32) -> Vec<Shape> {
    let at = |x: f32, y: f32| middle + vec2(x, y);
    let body =
        vec![at(-4.5, 3.0), at(-3.0, 1.0), at(-2.6, -2.5), at(0.0, -5.0), at(2.6, -2.5), at(3.0, 1.0), at(4.5, 3.0)];
    vec![Shape::convex_polygon(body, colour, Stroke::NONE), Shape::circle_filled(at(0.0, 4.2), 1.4, colour)]
}
