//! What the portfolio was worth from day to day, and what had been paid in.

use api_types::portfolios::ValueRow;
use chrono::NaiveTime;
use domain::Interval;
use eframe::egui::{
    CursorIcon, FontId, Pos2, Rect, RichText, Role, Shape, Stroke, Ui, WidgetInfo,
    text::{LayoutJob, TextFormat},
    vec2,
};
use egui_plot::{AxisHints, HPlacement, Line, LineStyle, PlotPoints};
use rust_decimal::prelude::ToPrimitive;

use super::{gap, weak, words};
use crate::{
    panels::{
        Scene,
        chart::{axes, bare_plot, plain_axis, time_axis},
    },
    theme::{Palette, SMALL},
};

const DAY: f64 = 86_400.0;
/// Height of what is told at the top of the plot.
const WORDS: f64 = 22.0;
/// Coins that are named below the plot.
const NAMED: usize = 6;

/// Shows it.
pub(super) fn show(ui: &mut Ui, scene: &Scene<'_>, values: Option<&[ValueRow]>, currency: &str, height: f32) {
    let values = match values {
        Some([]) => return weak(ui, "No day to show yet."),
        Some(values) => values,
        None => return weak(ui, "Loading the value of each day …"),
    };
    let palette = Palette::of(ui);
    let rows: Vec<[f64; 3]> = values.iter().map(point).collect();
    let ((left, right), (bottom, top)) = bounds(&rows, f64::from(height));
    let line = |column: usize| rows.iter().map(|row| [row[0], row[column]]).collect::<PlotPoints<'_>>();
    let zone = scene.choices.zone;
    let output = bare_plot("value of each day", palette)
        .height(height)
        .x_grid_spacer(move |input| axes::time_marks(&input, zone, Interval::OneDay))
        .y_grid_spacer(|input| axes::price_marks(&input))
        .custom_x_axes(vec![time_axis(scene, Interval::OneDay, palette)])
        .custom_y_axes(vec![
            plain_axis(AxisHints::new_y(), palette)
                .formatter(|mark, _| axes::price_label(mark))
                .placement(HPlacement::Right)
                .min_thickness(58.0),
        ])
        .show(ui, |plot| {
            plot.set_plot_bounds_x(left..=right);
            plot.set_plot_bounds_y(bottom..=top);
            let paid = Line::new("paid in", line(2)).color(palette.lines[1]).width(1.3);
            plot.line(paid.style(LineStyle::dashed_dense()).allow_hover(false));
            plot.line(Line::new("value", line(1)).color(palette.accent).width(1.8).allow_hover(false));
        });
    let (transform, frame) = (output.transform, *output.transform.frame());
    let response = output.response.on_hover_cursor(CursorIcon::Crosshair);
    let pointed = response.hover_pos().and_then(|pointer| {
        let second = transform.value_from_position(pointer).x;
        nearest(&rows, second)
    });
    let Some(shown) = pointed.or(values.len().checked_sub(1)) else { return };
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, sentence(values, shown, currency)));
    if pointed.is_some() {
        let x = transform.position_from_point_x(rows[shown][0]);
        let down = [Pos2::new(x, frame.top()), Pos2::new(x, frame.bottom())];
        ui.painter().extend(Shape::dashed_line(&down, Stroke::new(1.0, palette.crosshair), 3.0, 3.0));
        for (column, colour) in [(2, palette.lines[1]), (1, palette.accent)] {
            let y = transform.position_from_point_y(rows[shown][column]);
            ui.painter().circle_filled(Pos2::new(x, y), 3.0, colour);
        }
    }
    readout(ui, &values[shown], currency, frame, palette);
    unpriced(ui, values);
    gap(ui);
}

/// The day in seconds, its value, and what had been paid in.
fn point(row: &ValueRow) -> [f64; 3] {
    let day = row.day.and_time(NaiveTime::MIN).and_utc().timestamp() as f64;
    [day, row.value.to_f64().unwrap_or_default(), row.paid_in.to_f64().unwrap_or_default()]
}

fn bounds(rows: &[[f64; 3]], height: f64) -> ((f64, f64), (f64, f64)) {
    let days = || rows.iter().map(|row| row[0]);
    let all = || rows.iter().flat_map(|row| [row[1], row[2]]);
    let (left, right) = (days().fold(f64::INFINITY, f64::min), days().fold(f64::NEG_INFINITY, f64::max));
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let aside = ((right - left) * 0.01).max(DAY / 2.0);
    let margin = ((high - low) * 0.08).max(high.abs() * 0.01).max(1e-9);
    // The words at the top lie over no line of values.
    let words = (high - low + margin) * WORDS / (height - WORDS).max(WORDS);
    ((left - aside, right + aside), (low - margin, high + margin + words))
}

/// Which day is nearest to this second.
fn nearest(rows: &[[f64; 3]], second: f64) -> Option<usize> {
    let after = rows.partition_point(|row| row[0] < second);
    let candidates = [after.checked_sub(1), Some(after)].into_iter().flatten().filter(|place| *place < rows.len());
    candidates.min_by(|one, other| (rows[*one][0] - second).abs().total_cmp(&(rows[*other][0] - second).abs()))
}

/// What the day says, in the colours of the lines.
fn readout(ui: &Ui, row: &ValueRow, currency: &str, frame: Rect, palette: &Palette) {
    let font = || FontId::proportional(SMALL + 0.5);
    let mut job = LayoutJob::default();
    let mut say = |words: String, colour| job.append(&words, 0.0, TextFormat::simple(font(), colour));
    say(format!("{}   ", row.day), palette.weak);
    say(format!("value {}   ", words::money(row.value, currency)), palette.accent);
    say(format!("paid in {}", words::money(row.paid_in, currency)), palette.lines[1]);
    if !row.unpriced.is_empty() {
        say(format!("   no market price: {}", named(&row.unpriced)), palette.warn);
    }
    job.wrap.max_width = frame.width() - 16.0;
    let galley = ui.painter().layout_job(job);
    ui.painter().with_clip_rect(frame).galley(frame.left_top() + vec2(8.0, 4.0), galley, palette.text);
}

/// On how many days something counts at what it was last traded for.
fn unpriced(ui: &mut Ui, values: &[ValueRow]) {
    let days = values.iter().filter(|row| !row.unpriced.is_empty()).count();
    if days == 0 {
        return;
    }
    let mut coins: Vec<String> = values.iter().flat_map(|row| row.unpriced.iter().cloned()).collect();
    coins.sort_unstable();
    coins.dedup();
    let words = format!(
        "{days} of {} days have coins without a market price, at what they were last traded for: {}",
        values.len(),
        named(&coins)
    );
    ui.label(RichText::new(words).size(SMALL + 0.5).color(Palette::of(ui).warn));
}

fn named(coins: &[String]) -> String {
    let rest = coins.len().saturating_sub(NAMED);
    let some = coins[..coins.len() - rest].join(", ");
    if rest == 0 { some } else { format!("{some} and {rest} more") }
}

fn sentence(values: &[ValueRow], shown: usize, currency: &str) -> String {
    let row = &values[shown];
    let (value, paid_in) = (words::money(row.value, currency), words::money(row.paid_in, currency));
    format!("Value of {} days: {} on {}, paid in {paid_in} {currency}", values.len(), value, row.day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointer_finds_the_nearest_day() {
        let rows = [0.0, 1.0, 2.0, 5.0].map(|day| [day * DAY, 1.0, 1.0]);
        for (second, place) in [(-9.0, 0), (0.4, 0), (0.6, 1), (3.0, 2), (4.0, 3), (99.0, 3)] {
            assert_eq!(nearest(&rows, second * DAY), Some(place), "{second}");
        }
        assert_eq!(nearest(&[], 0.0), None);
    }

    #[test]
    fn one_day_alone_has_room_around_it() {
        let ((left, right), (bottom, top)) = bounds(&[[DAY, 100.0, 100.0]], 190.0);
        assert!(left < DAY && right > DAY && bottom < 100.0 && top > 100.0);
    }
}
