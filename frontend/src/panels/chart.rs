//! The chart of the chosen ticker.
//!
//! The plot only draws and turns seconds into points; what is in view is decided here, by [`View`], and set anew in
//! each frame. Text that hangs in a chart cannot be read by assistive technology, so the plot carries a sentence.

mod axes;
mod header;
mod overlay;
mod scale;
mod view;

pub(crate) use scale::Scale;

use chrono::DateTime;
use eframe::egui::{
    Align, Button, CursorIcon, FontId, Layout, Pos2, Rangef, Rect, Response, RichText, Role, Shape, Ui, UiBuilder,
    Vec2, WidgetInfo,
};
use egui_plot::{AxisHints, HPlacement, Plot, PlotUi};

use self::{
    overlay::Overlay,
    view::{Extent, View, heights},
};
use super::{Command, Scene};
use crate::{
    choices::ChartStyle,
    format,
    indicators::{Indicator, Line},
    remote::Remote,
    state::{Hole, Older, Series, SeriesKey},
    theme::{Palette, SMALL},
    widgets::{
        candles::{Colours, Place, candle_mesh, in_view, origin_mesh, volume_mesh},
        holes::hole_shapes,
        line::{line_shapes, value_shapes},
        plot_item::Drawing,
    },
};

/// How many points of the wheel show twice as many or half as many bars.
const WHEEL: f64 = 300.0;

/// What the chart remembers from frame to frame.
#[derive(Debug, Default)]
pub(crate) struct Chart {
    view: View,
    shown: Option<SeriesKey>,
}

impl Chart {
    /// Shows it.
    pub(crate) fn show(&mut self, ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        header::show(ui, scene, commands);
        super::banner::show(ui, scene, commands);
        let Some(key) = scene.choices.series() else {
            // The busiest market is chosen by itself, as soon as there is one.
            message(ui, "No market to show yet", "It appears here with the first price.", None);
            return;
        };
        if self.shown.as_ref() != Some(&key) {
            self.view.follow();
            self.shown = Some(key.clone());
        }
        let series = scene.state.series(&key);
        match series.and_then(Remote::value) {
            Some(series) if !series.bars().is_empty() => {
                if scene.state.connection.is_away() {
                    ui.multiply_opacity(0.6);
                }
                self.plot(ui, scene, &key, series, commands);
            }
            value => without_candles(ui, scene, &key, value.is_some(), commands),
        }
    }

    fn plot(&mut self, ui: &mut Ui, scene: &Scene<'_>, key: &SeriesKey, series: &Series, commands: &mut Vec<Command>) {
        let palette = Palette::of(ui);
        let Some(extent) = extent(series) else { return };
        let font = FontId::proportional(SMALL + 0.5);
        let axis = |hints: AxisHints<'static>| hints.tick_label_color(palette.weak).tick_label_font(font.clone());
        let whole = ui.available_rect_before_wrap();
        let holes = scene.state.holes(&key.ticker);
        let overlays = &overlays(scene, holes, series);
        let in_sight = in_view(series.bars(), series.interval().seconds(), self.view.range(extent));
        let scale = Scale::of(scene.choices.scale, series.bars().get(in_sight).unwrap_or_default());
        let view = &mut self.view;
        let style = scene.choices.style;
        let response = Plot::new("chart")
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
            .x_grid_spacer(|input| axes::time_marks(&input))
            .y_grid_spacer(move |input| scale.marks(&input))
            .custom_x_axes(vec![axis(AxisHints::new_x().formatter(|mark, _| axes::time_label(mark)))])
            .custom_y_axes(vec![axis(
                AxisHints::new_y()
                    .formatter(move |mark, _| scale.label(mark))
                    .placement(HPlacement::Right)
                    .min_thickness(tag_width(ui, scene, key, series)),
            )])
            .show(ui, |plot| {
                steer(view, plot, extent);
                plot.add(Drawing::new("holes", move |_, transform, shapes| {
                    shapes.extend(hole_shapes(holes, transform, palette.warn));
                }));
                draw(plot, series, view.range(extent), style, scale, palette);
                let range = view.range(extent);
                plot.add(Drawing::new("indicators", move |ui, transform, shapes| {
                    let (bars, width) = (series.bars(), series.interval().seconds());
                    let shown = in_view(bars, width, range);
                    let place = Place { transform, pixels: ui.pixels_per_point(), width, scale };
                    for (indicator, lines) in overlays {
                        for line in lines {
                            let (bars, values) = (&bars[shown.clone()], &line[shown.clone()]);
                            let colour = palette.lines[indicator.number()];
                            shapes.extend(value_shapes(bars, values, place, colour));
                        }
                    }
                }));
            });
        let transform = response.transform;
        let plot = response.response.on_hover_cursor(CursorIcon::Crosshair);
        let ticker = scene.state.ticker(&key.ticker);
        let pointer = plot.hover_pos();
        Overlay { scene, series, ticker, holes, overlays, scale, transform: &transform, whole, pointer }.paint(ui);
        self.newest_button(ui, *transform.frame());
        describe(&plot, scene, key, series);
        self.load_older(scene, key, series, extent, commands);
    }

    /// The way back, once the newest candle is out of view.
    fn newest_button(&mut self, ui: &mut Ui, frame: Rect) {
        if self.view.follows() {
            return;
        }
        let place = Rect::from_min_max(frame.right_bottom() - Vec2::new(120.0, 40.0), frame.right_bottom());
        let place = place.translate(Vec2::new(-8.0, -8.0));
        let layout = Layout::right_to_left(Align::Max);
        ui.scope_builder(UiBuilder::new().max_rect(place).layout(layout), |ui| {
            let button = Button::new("Newest →").fill(Palette::of(ui).hover);
            if ui.add(button).on_hover_text("Follow the newest candle again").clicked() {
                self.view.follow();
            }
        });
    }

    fn load_older(
        &self,
        scene: &Scene<'_>,
        key: &SeriesKey,
        series: &Series,
        extent: Extent,
        commands: &mut Vec<Command>,
    ) {
        let (left, right) = self.view.range(extent);
        let wanted = match &series.older {
            Older::Unknown => true,
            Older::Failed(failure) => failure.retry_at <= scene.now,
            Older::Loading | Older::Exhausted => false,
        };
        if wanted
            && left < extent.first + (right - left) * 0.25
            && let Some(before) = DateTime::from_timestamp(extent.first as i64, 0)
        {
            commands.push(Command::LoadOlder(key.clone(), before));
        }
    }
}

fn extent(series: &Series) -> Option<Extent> {
    let bar = series.interval().seconds() as f64;
    let (first, last) = (series.bars().first()?, series.bars().last()?);
    Some(Extent { first: first.open_time as f64, end: last.open_time as f64 + bar, bar })
}

/// Lets the pointer move and stretch time.
fn steer(view: &mut View, plot: &PlotUi<'_>, extent: Extent) {
    let response = plot.response();
    let seconds_a_point = plot.transform().dvalue_dpos()[0];
    if response.double_clicked() {
        view.reset();
        return;
    }
    if response.dragged() {
        view.pan(-f64::from(response.drag_delta().x) * seconds_a_point, extent);
    }
    if response.hovered() {
        let (scroll, pinch) = plot.ctx().input(|input| (input.smooth_scroll_delta(), input.zoom_delta()));
        view.pan(-f64::from(scroll.x) * seconds_a_point, extent);
        let factor = (f64::from(scroll.y) / WHEEL).exp2() * f64::from(pinch);
        if (factor - 1.0).abs() > 1e-6 {
            let focus = plot.pointer_coordinate().map_or(extent.end, |point| point.x);
            view.zoom(factor, focus, extent);
        }
    }
}

/// Puts the bars in view into the plot, and the plot's edges around them.
fn draw<'a>(
    plot: &mut PlotUi<'a>,
    series: &'a Series,
    range: (f64, f64),
    style: ChartStyle,
    scale: Scale,
    palette: &'static Palette,
) {
    let (bars, width) = (series.bars(), series.interval().seconds());
    let bars = bars.get(in_view(bars, width, range)).unwrap_or_default();
    plot.set_plot_bounds_x(range.0..=range.1);
    let (bottom, top) = heights(bars, scale).unwrap_or((0.0, 1.0));
    plot.set_plot_bounds_y(bottom..=top);
    plot.add(Drawing::new("bars", move |ui, transform, shapes| {
        let place = Place { transform, pixels: ui.pixels_per_point(), width, scale };
        let soft = |colour: eframe::egui::Color32| colour.gamma_multiply(0.35);
        let volumes = Colours { up: soft(palette.up), down: soft(palette.down) };
        shapes.push(Shape::mesh(volume_mesh(bars, place, volumes)));
        let origins = origin_mesh(bars, place, |origin| palette.of_origin(origin));
        shapes.push(Shape::mesh(origins));
        match style {
            ChartStyle::Candles => {
                let colours = Colours { up: palette.up, down: palette.down };
                shapes.push(Shape::mesh(candle_mesh(bars, place, colours)));
            }
            ChartStyle::Line => shapes.extend(line_shapes(bars, place, palette.accent)),
        }
    }));
}

/// The chosen indicators with their lines.
fn overlays(scene: &Scene<'_>, holes: &[Hole], series: &Series) -> Vec<(Indicator, Vec<Line>)> {
    let lines = |one: &Indicator| (*one, one.lines(series.bars(), series.interval().seconds(), holes));
    scene.choices.indicators.iter().map(lines).collect()
}

/// Room for the tags on the price axis, so that the chart's width does not depend on what they say.
fn tag_width(ui: &Ui, scene: &Scene<'_>, key: &SeriesKey, series: &Series) -> f32 {
    let decimals = scene.state.ticker(&key.ticker).map_or(2, |ticker| ticker.decimals);
    let last = series.bars().last().map_or(0.0, |bar| bar.close);
    let text = format::price_f64(last, decimals);
    let galley = ui.painter().layout_no_wrap(text, FontId::monospace(SMALL + 1.0), Palette::of(ui).text);
    galley.size().x + 14.0
}

/// What the chart shows, in a sentence.
fn describe(plot: &Response, scene: &Scene<'_>, key: &SeriesKey, series: &Series) {
    plot.widget_info(|| {
        let ticker = scene.state.ticker(&key.ticker);
        let name = ticker.map_or_else(|| key.ticker.ticker.to_string(), |ticker| ticker.name());
        let decimals = ticker.map_or(2, |ticker| ticker.decimals);
        let last = series.bars().last().map_or(f64::NAN, |bar| bar.close);
        let stale = ticker.and_then(|ticker| overlay::age_words(ticker, scene.server_time()));
        let missing: i64 = scene.state.holes(&key.ticker).iter().map(|hole| hole.missing).sum();
        let words = format!(
            "Chart of {name} on {}, {} candles of {}, last {}, {} in 24 hours{}{}",
            key.ticker.exchange,
            series.bars().len(),
            key.interval,
            format::price_f64(last, decimals),
            format::percent(ticker.and_then(|ticker| ticker.change_24h)),
            stale.map(|words| format!(", {words}")).unwrap_or_default(),
            if missing > 0 { format!(", {missing} trades missing in all") } else { String::new() },
        );
        WidgetInfo::labeled(Role::Image, true, words)
    });
}

/// Loading, empty, or why there is neither.
fn without_candles(ui: &mut Ui, scene: &Scene<'_>, key: &SeriesKey, answered: bool, commands: &mut Vec<Command>) {
    let remote = scene.state.series(key);
    let name = scene.state.ticker(&key.ticker).map_or_else(|| key.ticker.ticker.to_string(), |ticker| ticker.name());
    match remote.and_then(Remote::failure) {
        Some(failure) => {
            let next = format::countdown(failure.retry_at - scene.now);
            let detail = format!("{}. Next try {next}.", failure.cause);
            message(ui, &format!("Cannot load the candles of {name}"), &detail, Some(commands));
        }
        None if answered => {
            let detail = format!("The first one appears with the next trade of {name}.");
            message(ui, "No candles yet", &detail, None);
        }
        None => message(ui, &format!("Loading the candles of {name} …"), "", None),
    }
}

fn message(ui: &mut Ui, title: &str, detail: &str, retry: Option<&mut Vec<Command>>) {
    let room = ui.available_rect_before_wrap();
    let height = 90.0;
    let place = Rect::from_center_size(room.center(), Vec2::new(room.width().min(560.0), height));
    ui.scope_builder(UiBuilder::new().max_rect(place).layout(Layout::top_down(Align::Center)), |ui| {
        ui.label(RichText::new(title).size(17.0));
        ui.label(RichText::new(detail).color(Palette::of(ui).weak));
        if let Some(commands) = retry {
            ui.add_space(6.0);
            if ui.button("Try now").clicked() {
                commands.push(Command::Retry);
            }
        }
    });
    ui.advance_cursor_after_rect(Rect::from_min_max(room.min, Pos2::new(room.right(), room.bottom())));
}

#[cfg(test)]
mod tests;
