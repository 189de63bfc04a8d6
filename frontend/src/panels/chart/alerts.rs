//! What the account waits for in this market, and what it was told: levels, and marks at time and price.

use eframe::egui::{Align2, FontId, Painter, Pos2, Rect, Shape, Stroke};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::tools::Canvas;
use crate::{
    format,
    panels::{Scene, alerts::firings},
    state::TickerKey,
    theme::{Palette, SMALL},
    widgets::{bell::bell_shapes, tag::Tag},
};

/// How near the pointer must come to a mark to be told of it, in points.
const REACH: f32 = 9.0;
/// Marks that are painted at most; those behind them are older.
const MARKS: usize = 100;

/// The same for whoever does not see them: `, alerts at 70,000.00 and 71,000.00, 3 fired`.
pub(super) fn words(scene: &Scene<'_>, ticker: &TickerKey, decimals: u32) -> String {
    let levels: Vec<String> = scene.state.alerts.levels(ticker).map(|level| format::price(level, decimals)).collect();
    let levels = if levels.is_empty() { String::new() } else { format!(", alerts at {}", levels.join(" and ")) };
    let fired = match scene.state.alerts.firings_of(ticker).count() {
        0 => String::new(),
        count => format!(", {count} fired"),
    };
    levels + &fired
}

/// Paints them over the prices.
pub(super) fn paint(
    painter: &Painter,
    palette: &Palette,
    scene: &Scene<'_>,
    canvas: Canvas<'_>,
    pointer: Option<Pos2>,
    whole: Rect,
) {
    let frame = *canvas.transform.frame();
    let within = painter.with_clip_rect(frame);
    let y_of = |price: f64| canvas.transform.position_from_point_y(canvas.scale.value(price));
    for price in scene.state.alerts.levels(canvas.ticker).filter_map(|level| level.to_f64()) {
        let y = y_of(price);
        if !frame.y_range().contains(y) {
            continue;
        }
        let line = [Pos2::new(frame.left(), y), Pos2::new(frame.right(), y)];
        within.extend(Shape::dashed_line(&line, Stroke::new(1.2, palette.accent), 7.0, 4.0));
        within.extend(bell_shapes(Pos2::new(frame.left() + 12.0, y - 9.0), palette.accent));
        let text = canvas.scale.text(price, canvas.decimals);
        let tag = Tag { text, ground: palette.accent, colour: palette.on_tag, font: FontId::monospace(SMALL + 1.0) };
        tag.paint(painter, Pos2::new(frame.right() + 2.0, y), Align2::LEFT_CENTER, whole);
    }
    let place = |time: i64, price: Decimal| {
        let place = Pos2::new(canvas.transform.position_from_point_x(time as f64), y_of(price.to_f64()?));
        frame.contains(place).then_some(place)
    };
    let mut told = None;
    for (row, price) in scene.state.alerts.firings_of(canvas.ticker).take(MARKS) {
        let Some(place) = place(row.happened_at.timestamp(), price) else { continue };
        within.circle(place, 8.0, palette.ground.gamma_multiply(0.85), Stroke::new(1.2, palette.warn));
        within.extend(bell_shapes(place, palette.warn));
        // The newest of those that lie over each other.
        if told.is_none() && pointer.is_some_and(|pointer| pointer.distance(place) <= REACH) {
            told = Some((place, row));
        }
    }
    if let Some((place, row)) = told {
        let text = firings::words(row, scene.choices.zone);
        let font = FontId::proportional(SMALL + 1.0);
        let tag = Tag { text, ground: palette.tag, colour: palette.text, font };
        tag.paint(painter, place - eframe::egui::vec2(0.0, 11.0), Align2::CENTER_BOTTOM, frame);
    }
}
