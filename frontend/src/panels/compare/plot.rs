//! The lines of the compared tickers.

use eframe::egui::{Align2, CursorIcon, FontId, Pos2, Rangef, RichText, Role, Shape, Stroke, Ui, WidgetInfo};
use egui_plot::{AxisHints, HPlacement, Plot};

use super::{Compare, Measure, Member};
use crate::{
    format,
    panels::{
        Command, Scene,
        chart::{Extent, Scale, axes, steer},
    },
    remote::Failure,
    state::{Bar, SeriesKey, in_view},
    theme::{Palette, SMALL},
    widgets::{candles::Place, line::value_shapes, plot_item::Drawing, tag::Tag},
};

impl Compare {
    /// Shows them, and finds what each is measured by.
    pub(super) fn plot(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        members: &mut [Member<'_>],
        height: f32,
        failure: Option<&Failure>,
        commands: &mut Vec<Command>,
    ) {
        let width = self.interval.seconds();
        let Some(extent) = extent(members, width) else {
            let words = failure.map_or_else(
                || "Loading the candles …".to_owned(),
                |failure| {
                    let next = format::countdown(failure.retry_at - scene.now);
                    format!("Cannot load the candles: {}. Next try {next}.", failure.cause)
                },
            );
            ui.label(RichText::new(words).color(Palette::of(ui).weak));
            return;
        };
        let palette = Palette::of(ui);
        let whole =
            eframe::egui::Rect::from_min_size(ui.cursor().min, eframe::egui::vec2(ui.available_width(), height));
        self.view.fit(whole.width() - 60.0);
        let range = self.view.range(extent);
        for member in members.iter_mut() {
            member.base = member.series.and_then(|series| base(series.bars(), range.0));
        }
        let measure = self.measure;
        let lines: Vec<Vec<Option<f64>>> = members
            .iter()
            .map(|member| match (member.series, member.base) {
                (Some(series), Some(base)) => {
                    let shown = in_view(series.bars(), width, range);
                    values(&series.bars()[shown], base, measure, width)
                }
                _ => Vec::new(),
            })
            .collect();
        let (bottom, top) = heights(&lines, measure);
        let font = FontId::proportional(SMALL + 0.5);
        let axis = |hints: AxisHints<'static>| hints.tick_label_color(palette.weak).tick_label_font(font.clone());
        let (zone, interval) = (scene.choices.zone, self.interval);
        let view = &mut self.view;
        let response = Plot::new("compare")
            .height(height)
            .allow_axis_zoom_drag(false)
            .allow_boxed_zoom(false)
            .allow_double_click_reset(false)
            .allow_drag(false)
            .allow_scroll(false)
            .allow_zoom(false)
            .show_x(false)
            .show_y(false)
            .show_background(false)
            .grid_color(palette.grid)
            .grid_fade(0.0)
            .grid_spacing(Rangef::new(axes::SMALLEST_GRID, 40.0))
            .x_grid_spacer(move |input| axes::time_marks(&input, zone, interval))
            .y_grid_spacer(|input| axes::price_marks(&input))
            .custom_x_axes(vec![axis(
                AxisHints::new_x().formatter(move |mark, _| axes::time_label(mark, zone, interval)),
            )])
            .custom_y_axes(vec![axis(
                AxisHints::new_y()
                    .formatter(move |mark, _| label(mark, measure))
                    .placement(HPlacement::Right)
                    .min_thickness(62.0),
            )])
            .show(ui, |plot| {
                steer(view, plot, extent);
                plot.set_plot_bounds_x(range.0..=range.1);
                plot.set_plot_bounds_y(bottom..=top);
                for (number, (member, line)) in members.iter().zip(&lines).enumerate() {
                    let Some(series) = member.series.filter(|_| !line.is_empty()) else { continue };
                    let shown = in_view(series.bars(), width, range);
                    let colour = palette.compared[number % palette.compared.len()];
                    plot.add(Drawing::new(&format!("line {number}"), move |ui, transform, shapes| {
                        let place = Place { transform, pixels: ui.pixels_per_point(), width, scale: Scale::Linear };
                        shapes.extend(value_shapes(&series.bars()[shown.clone()], line, place, colour));
                    }));
                }
            });
        let transform = response.transform;
        let frame = *transform.frame();
        let plot = response.response.on_hover_cursor(CursorIcon::Crosshair);
        plot.widget_info(|| WidgetInfo::labeled(Role::Image, true, sentence(scene, members, &lines, measure)));
        let tag = |text: String, ground, colour| Tag { text, ground, colour, font: FontId::monospace(SMALL) };
        for (number, line) in lines.iter().enumerate() {
            let Some(value) = line.iter().rev().flatten().next() else { continue };
            let y = transform.position_from_point_y(*value).clamp(frame.top(), frame.bottom());
            let colour = palette.compared[number % palette.compared.len()];
            let place = Pos2::new(frame.right() + 2.0, y);
            tag(words(*value, measure), colour, palette.on_tag).paint(ui.painter(), place, Align2::LEFT_CENTER, whole);
        }
        if let Some(pointer) = plot.hover_pos() {
            let down = [Pos2::new(pointer.x, frame.top()), Pos2::new(pointer.x, frame.bottom())];
            ui.painter().extend(Shape::dashed_line(&down, Stroke::new(1.0, palette.crosshair), 3.0, 3.0));
            let second = transform.value_from_position(pointer).x;
            if let Some(from) = axes::slot(second, interval) {
                let text = format::candle_time(from, interval, zone);
                let place = Pos2::new(pointer.x, frame.bottom() + 1.0);
                tag(text, palette.tag, palette.text).paint(ui.painter(), place, Align2::CENTER_TOP, whole);
            }
        }
        older(scene, members, extent, range, interval, commands);
    }
}

/// Asks for what is before the first candles, where one looks there.
fn older(
    scene: &Scene<'_>,
    members: &[Member<'_>],
    extent: Extent,
    (left, right): (f64, f64),
    interval: domain::Interval,
    commands: &mut Vec<Command>,
) {
    if left >= extent.first + (right - left) * 0.25 {
        return;
    }
    for member in members {
        let Some((series, first)) = member.series.and_then(|series| Some((series, series.bars().first()?))) else {
            continue;
        };
        if series.wants_older(scene.now)
            && let Some(before) = chrono::DateTime::from_timestamp(first.open_time, 0)
        {
            commands.push(Command::LoadOlder(SeriesKey { ticker: member.key.clone(), interval }, before));
        }
    }
}

fn extent(members: &[Member<'_>], width: i64) -> Option<Extent> {
    let bars = || members.iter().filter_map(|member| member.series).map(|series| series.bars());
    let first = bars().filter_map(|bars| bars.first()).map(|bar| bar.open_time).min()?;
    let last = bars().filter_map(|bars| bars.last()).map(|bar| bar.open_time).max()?;
    Some(Extent { first: first as f64, end: (last + width) as f64, bar: width as f64 })
}

/// The close of the last bar before this second, or else the first open behind it.
fn base(bars: &[Bar], second: f64) -> Option<f64> {
    let place = bars.partition_point(|bar| (bar.open_time as f64) < second);
    let base = match place.checked_sub(1).and_then(|before| bars.get(before)) {
        Some(before) => before.close,
        None => bars.first()?.open,
    };
    (base > 0.0).then_some(base)
}

/// One value a bar; none where the bar before it is missing, so that no line is drawn over what is not known.
fn values(bars: &[Bar], base: f64, measure: Measure, width: i64) -> Vec<Option<f64>> {
    let mut before: Option<i64> = None;
    // Markets that seldom trade have bars missing without anything being lost: a few are bridged.
    let bridged = 10 * width;
    bars.iter()
        .map(|bar| {
            let breaks = before.is_some_and(|time| bar.open_time - time > bridged);
            before = Some(bar.open_time);
            (!breaks).then(|| match measure {
                Measure::Percent => (bar.close / base - 1.0) * 100.0,
                Measure::Indexed => bar.close / base * 100.0,
            })
        })
        .collect()
}

fn heights(lines: &[Vec<Option<f64>>], measure: Measure) -> (f64, f64) {
    let all = || lines.iter().flatten().flatten().copied();
    let zero = if measure == Measure::Percent { 0.0 } else { 100.0 };
    let low = all().fold(zero, f64::min);
    let high = all().fold(zero, f64::max);
    let margin = ((high - low) * 0.08).max(0.02);
    (low - margin, high + margin)
}

fn label(mark: egui_plot::GridMark, measure: Measure) -> String {
    match measure {
        Measure::Percent => format!("{}%", axes::price_label(mark)),
        Measure::Indexed => axes::price_label(mark),
    }
}

fn words(value: f64, measure: Measure) -> String {
    match measure {
        Measure::Percent => format::percent_f64(value),
        Measure::Indexed => format::price_f64(value, 2),
    }
}

fn sentence(scene: &Scene<'_>, members: &[Member<'_>], lines: &[Vec<Option<f64>>], measure: Measure) -> String {
    let one = |(member, line): (&Member<'_>, &Vec<Option<f64>>)| {
        let value =
            line.iter().rev().flatten().next().map_or_else(|| format::UNKNOWN.to_owned(), |v| words(*v, measure));
        format!("{} on {} {value}", scene.name_of(member.key), member.key.exchange)
    };
    let all: Vec<String> = members.iter().zip(lines).map(one).collect();
    format!("Comparison since the left edge: {}", all.join(", "))
}
