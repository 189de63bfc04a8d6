//! Spans in which something is missing, as bands behind the bars.

use eframe::egui::{Color32, CornerRadius, Pos2, Rect, Shape, Stroke};
use egui_plot::PlotTransform;

use crate::state::Hole;

/// Least width of a band in points: a hole of a second must be seen on a chart of a month.
const LEAST_WIDTH: f32 = 3.0;
/// Points between two slanted lines.
const HATCH: f32 = 9.0;
/// Height of the edge at the band's top.
const EDGE: f32 = 3.0;

/// The bands of those holes that are in view.
pub(crate) fn hole_shapes(holes: &[Hole], transform: &PlotTransform, colour: Color32) -> Vec<Shape> {
    let frame = *transform.frame();
    let mut shapes = Vec::new();
    for hole in holes {
        let left = transform.position_from_point_x(hole.from as f64);
        let right = transform.position_from_point_x(hole.to as f64).max(left + LEAST_WIDTH);
        if right < frame.left() || left > frame.right() {
            continue;
        }
        let band = Rect::from_x_y_ranges(left.max(frame.left())..=right.min(frame.right()), frame.y_range());
        let edge = Rect::from_x_y_ranges(band.x_range(), frame.top()..=frame.top() + EDGE);
        shapes.push(Shape::rect_filled(band, CornerRadius::ZERO, colour.gamma_multiply(0.08)));
        shapes.extend(hatching(band, frame, Stroke::new(1.0, colour.gamma_multiply(0.35))));
        shapes.push(Shape::rect_filled(edge, CornerRadius::ZERO, colour));
    }
    shapes
}

/// Slanted lines over the band, at the same places of the frame whichever part of it the band takes.
fn hatching(band: Rect, frame: Rect, stroke: Stroke) -> Vec<Shape> {
    let height = frame.height();
    let first = ((band.left() - frame.left()) / HATCH).floor() as i32;
    let last = ((band.right() - frame.left() + height) / HATCH).ceil() as i32;
    (first..=last)
        .filter_map(|number| {
            // From the floor upwards to the right; x + y is the same all along it.
            let foot = frame.left() + number as f32 * HATCH;
            let (left, right) = ((foot - height).max(band.left()), foot.min(band.right()));
            let y = |x: f32| frame.top() + (x - (foot - height));
            (left < right).then(|| Shape::line_segment([Pos2::new(left, y(left)), Pos2::new(right, y(right))], stroke))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use eframe::egui::Vec2b;
    use egui_plot::PlotBounds;

    use super::*;
    use crate::state::tests::hole;

    #[test]
    fn bands_in_view_are_drawn_and_never_too_narrow_to_see() {
        let frame = Rect::from_min_max(Pos2::ZERO, Pos2::new(800.0, 400.0));
        let bounds = PlotBounds::from_min_max([0.0, 80.0], [1_000_000.0, 120.0]);
        let transform = PlotTransform::new(frame, bounds, Vec2b::FALSE);
        let holes = [hole(-500_000, -400_000), hole(500_000, 500_001), hole(900_000, 2_000_000)];
        let shapes = hole_shapes(&holes, &transform, Color32::YELLOW);
        let bands = shapes.iter().filter(|shape| matches!(shape, Shape::Rect(_)));
        let widths: Vec<f32> = bands.map(|shape| shape.visual_bounding_rect().width()).collect();
        assert_eq!(widths.len(), 4, "a band and its edge for each of two");
        assert!((widths[0] - LEAST_WIDTH).abs() < 0.1 && (widths[2] - 80.0).abs() < 0.1, "{widths:?}");
        for shape in &shapes {
            let within = shape.visual_bounding_rect();
            let in_a_band = [(400.0, 403.0), (720.0, 800.0)]
                .iter()
                .any(|(left, right)| within.left() >= left - 1.5 && within.right() <= right + 1.5);
            assert!(in_a_band && frame.expand(1.5).contains_rect(within), "{within:?}");
        }
    }
}
