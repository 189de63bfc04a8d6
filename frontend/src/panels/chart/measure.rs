//! What the ruler measures, in a box and in words.

use chrono::TimeDelta;
use eframe::egui::{FontId, Painter, Rect, Stroke, StrokeKind};
use rust_decimal::Decimal;

use super::tools::Canvas;
use crate::{
    choices::drawings::Point,
    format,
    theme::{Palette, SMALL},
    widgets::tag::Tag,
};

/// Paints the measurement from one point to another.
pub(super) fn paint(painter: &Painter, palette: &Palette, canvas: Canvas<'_>, from: Point, to: Point) {
    let rect = Rect::from_two_pos(canvas.place(from), canvas.place(to));
    let colour = if to.price >= from.price { palette.up } else { palette.down };
    painter.rect(rect, 0.0, colour.gamma_multiply(0.16), Stroke::new(1.0, colour), StrokeKind::Inside);
    let text = measured_words(from, to, canvas.decimals, canvas.bar);
    let tag = Tag { text, ground: palette.tag, colour: palette.text, font: FontId::monospace(SMALL + 1.0) };
    let (place, anchor) = if to.price >= from.price {
        (rect.center_top() - eframe::egui::vec2(0.0, 4.0), eframe::egui::Align2::CENTER_BOTTOM)
    } else {
        (rect.center_bottom() + eframe::egui::vec2(0.0, 4.0), eframe::egui::Align2::CENTER_TOP)
    };
    tag.paint(painter, place, anchor, *canvas.transform.frame());
}

/// `+120.50 (+0.19%) · 14 candles · 1h 10m`.
fn measured_words(from: Point, to: Point, decimals: u32, bar: f64) -> String {
    let difference = Decimal::from_f64_retain(to.price - from.price).unwrap_or_default();
    let candles = ((to.second - from.second) / bar).round();
    let seconds = (to.second - from.second).abs();
    let time = TimeDelta::seconds(seconds as i64);
    let (days, hours, minutes) = (time.num_days(), time.num_hours() % 24, time.num_minutes() % 60);
    let time = match (days, hours) {
        (0, 0) => format!("{minutes}m"),
        (0, hours) => format!("{hours}h {minutes}m"),
        (days, hours) => format!("{days}d {hours}h"),
    };
    format!(
        "{} ({}) · {} candles · {time}",
        format::signed(difference, decimals),
        format::percent_f64((to.price / from.price - 1.0) * 100.0),
        format::price_f64(candles, 0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_tells_price_share_candles_and_time() {
        let from = Point { second: 0.0, price: 100.0 };
        let words = |second: f64, price: f64| measured_words(from, Point { second, price }, 2, 300.0);
        assert_eq!(words(4_200.0, 101.5), "+1.50 (+1.50%) · 14 candles · 1h 10m");
        assert_eq!(words(-600.0, 99.0), "−1.00 (−1.00%) · −2 candles · 10m");
        assert_eq!(words(180_000.0, 100.0), "0.00 (0.00%) · 600 candles · 2d 2h");
    }
}
