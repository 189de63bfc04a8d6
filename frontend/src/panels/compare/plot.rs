//! The lines of the compared tickers.

use eframe::egui::{
    Align2, CursorIcon, FontId, Pos2, Rect, RichText, Role, Shape, Stroke, Ui, WidgetInfo,
    text::{LayoutJob, TextFormat},
    vec2,
};
use egui_plot::{AxisHints, HPlacement};

use super::{Compare, Measure, Member};
use crate::{
    format,
    panels::{
        Command, Scene,
        chart::{Extent, Scale, axes, bare_plot, plain_axis, steer, time_axis},
    },
    remote::Failure,
    state::{Bar, Older, SeriesKey},
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
        let whole = Rect::from_min_size(ui.cursor().min, vec2(ui.available_width(), height));
        self.view.fit(whole.width() - 60.0);
        let range = self.view.range(extent);
        // All count from the same moment: the left edge, or as long as more is to be had of some, where the latest of
        // these begins.
        let unfinished = members.iter().filter_map(|member| member.series).filter(|one| one.older != Older::Exhausted);
        let begins = unfinished.filter_map(|series| series.bars().first()).map(|bar| bar.open_time as f64);
        let from = begins.fold(range.0, f64::max);
        for member in members.iter_mut() {
            member.base = member.series.and_then(|series| base(series.bars(), from));
        }
        let columns = whole.width() * ui.pixels_per_point();
        let measure = self.measure;
        let lines: Vec<Vec<Option<f64>>> = members
            .iter()
            .map(|member| match (member.series, member.base) {
                (Some(series), Some(base)) => values(series.in_view(range, columns), base, measure, width),
                _ => Vec::new(),
            })
            .collect();
        let (bottom, top) = heights(&lines, measure);
        let (zone, interval) = (scene.choices.zone, self.interval);
        let view = &mut self.view;
        let response = bare_plot("compare", palette)
            .height(height)
            .x_grid_spacer(move |input| axes::time_marks(&input, zone, interval))
            .y_grid_spacer(|input| axes::price_marks(&input))
            .custom_x_axes(vec![time_axis(scene, interval, palette)])
            .custom_y_axes(vec![
                plain_axis(AxisHints::new_y(), palette)
                    .formatter(move |mark, _| label(mark, measure))
                    .placement(HPlacement::Right)
                    .min_thickness(62.0),
            ])
            .show(ui, |plot| {
                steer(view, plot, extent);
                plot.set_plot_bounds_x(range.0..=range.1);
                plot.set_plot_bounds_y(bottom..=top);
                for (number, (member, line)) in members.iter().zip(&lines).enumerate() {
                    let Some(series) = member.series.filter(|_| !line.is_empty()) else { continue };
                    let bars = series.in_view(range, columns);
                    let colour = palette.compared[number % palette.compared.len()];
                    plot.add(Drawing::new(&format!("line {number}"), move |ui, transform, shapes| {
                        let place = Place { transform, pixels: ui.pixels_per_point(), width, scale: Scale::Linear };
                        shapes.extend(value_shapes(bars, line, place, colour));
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
        legend(ui, scene, members, frame, palette);
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
        older(scene, members, range, interval, commands);
    }
}

/// Which line is whose.
fn legend(ui: &Ui, scene: &Scene<'_>, members: &[Member<'_>], frame: Rect, palette: &Palette) {
    let mut job = LayoutJob::default();
    for (number, member) in members.iter().enumerate() {
        let colour = palette.compared[number % palette.compared.len()];
        let name = format!("{}   ", scene.name_of(member.key));
        job.append(&name, 0.0, TextFormat::simple(FontId::proportional(SMALL + 0.5), colour));
    }
    job.wrap.max_width = frame.width() - 16.0;
    let galley = ui.painter().layout_job(job);
    ui.painter().with_clip_rect(frame).galley(frame.left_top() + vec2(8.0, 4.0), galley, palette.text);
}

/// Asks for what is before the first candles, where one looks there.
fn older(
    scene: &Scene<'_>,
    members: &[Member<'_>],
    (left, right): (f64, f64),
    interval: domain::Interval,
    commands: &mut Vec<Command>,
) {
    for member in members {
        let Some((series, first)) = member.series.and_then(|series| Some((series, series.bars().first()?))) else {
            continue;
        };
        if series.wants_older(scene.now)
            && left < first.open_time as f64 + (right - left) * 0.25
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

/// The close of the last bar before this second; of a market that began later, its first price.
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
    let bridged =
        bars.windows(2).map(|pair| pair[1].open_time - pair[0].open_time).min().unwrap_or(width).max(width) * 10;
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
