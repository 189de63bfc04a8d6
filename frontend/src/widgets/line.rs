//! Closes joined by a line, with a soft ground below it.

use eframe::egui::{Color32, Mesh, Pos2, Rect, Shape, Stroke};

use super::candles::{Place, merged};
use crate::state::Bar;

/// The line through the closes of these bars, which are those in view.
pub(crate) fn line_shapes(bars: &[Bar], place: Place<'_>, colour: Color32) -> Vec<Shape> {
    through(points(bars, place), colour)
}

/// The same, with the ground below it.
pub(crate) fn area_shapes(bars: &[Bar], place: Place<'_>, colour: Color32) -> Vec<Shape> {
    let points = points(bars, place);
    let mut shapes = vec![Shape::mesh(ground(&points, *place.transform.frame(), colour))];
    shapes.extend(through(points, colour));
    shapes
}

/// A line through these points; of one alone, a dot.
fn through(points: Vec<Pos2>, colour: Color32) -> Vec<Shape> {
    if points.len() < 2 {
        return points.into_iter().map(|point| Shape::circle_filled(point, 2.0, colour)).collect();
    }
    vec![Shape::line(points, Stroke::new(1.5, colour))]
}

/// A line of one value a bar, which breaks where a bar has none; where bars are narrower than a pixel, of one value a column.
pub(crate) fn value_shapes(bars: &[Bar], values: &[Option<f64>], place: Place<'_>, colour: Color32) -> Vec<Shape> {
    let mut shapes = Vec::new();
    let mut points: Vec<Pos2> = Vec::new();
    let mut end = |points: &mut Vec<Pos2>| {
        if points.len() > 1 {
            shapes.push(Shape::line(std::mem::take(points), Stroke::new(1.2, colour)));
        }
        points.clear();
    };
    for (bar, value) in bars.iter().zip(values) {
        let Some(value) = value else {
            end(&mut points);
            continue;
        };
        let point = Pos2::new(place.middle(bar) / place.pixels, place.height(*value));
        match points.last_mut() {
            Some(last) if place.slot() < 1.0 && (point.x - last.x) * place.pixels < 1.0 => last.y = point.y,
            _ => points.push(point),
        }
    }
    end(&mut points);
    shapes
}

/// One point a bar; where bars are narrower than a pixel, the first, lowest, highest and last of each column.
fn points(bars: &[Bar], place: Place<'_>) -> Vec<Pos2> {
    let at = |x: f32, price: f64| Pos2::new(x, place.height(price));
    if place.slot() >= 1.0 {
        return bars.iter().map(|bar| at(place.middle(bar) / place.pixels, bar.close)).collect();
    }
    merged(bars, |bar| place.middle(bar).floor() as i64)
        .into_iter()
        .flat_map(|(column, bar)| {
            let x = column as f32 / place.pixels;
            [at(x, bar.open), at(x, bar.low), at(x, bar.high), at(x, bar.close)]
        })
        .collect()
}

/// The ground fades with the height alone, so that steep lines leave no streaks.
fn ground(points: &[Pos2], frame: Rect, colour: Color32) -> Mesh {
    let mut mesh = Mesh::default();
    for point in points {
        let share = ((frame.bottom() - point.y) / frame.height().max(1.0)).clamp(0.0, 1.0);
        mesh.colored_vertex(*point, colour.gamma_multiply(0.30 * share));
        mesh.colored_vertex(Pos2::new(point.x, frame.bottom()), Color32::TRANSPARENT);
    }
    for pair in 0..points.len().saturating_sub(1) {
        let first = pair as u32 * 2;
        mesh.add_triangle(first, first + 1, first + 2);
        mesh.add_triangle(first + 1, first + 2, first + 3);
    }
    mesh
}
