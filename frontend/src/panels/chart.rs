//! The chart of one ticker.
//!
//! The plot only draws and turns seconds into points; what is in view is decided here, by [`View`], and set anew in
//! each frame. Text that hangs in a chart cannot be read by assistive technology, so the plot carries a sentence.

mod alerts;
pub(crate) mod axes;
mod below;
mod computed;
mod header;
mod measure;
mod overlay;
mod scale;
mod tools;
mod view;

use chrono::DateTime;
use domain::Interval;
use eframe::egui::{
    Align, Button, CursorIcon, FontId, Layout, Pos2, Rangef, Rect, Response, RichText, Role, Shape, Ui, UiBuilder,
    Vec2, WidgetInfo,
};
use egui_plot::{AxisHints, HPlacement, Plot, PlotUi};
use serde::{Deserialize, Serialize};

use self::{
    computed::Computed,
    overlay::Overlay,
    tools::{Canvas, Tools},
    view::heights,
};
pub(crate) use self::{
    scale::Scale,
    tools::Tool,
    view::{Extent, View},
};
use super::{ChartChange, Command, Scene, alerts::at_price};
use crate::{
    choices::{ChartChoices, ChartStyle},
    format,
    remote::Remote,
    state::{Bar, Series, SeriesKey, TickerKey, in_view},
    theme::{Palette, SMALL},
    widgets::{
        candles::{Colours, Place, candle_mesh, origin_mesh, volume_mesh},
        holes::hole_shapes,
        line::{area_shapes, line_shapes, value_shapes},
        plot_item::Drawing,
    },
};

/// How many points of the wheel show twice as many or half as many bars.
const WHEEL: f64 = 300.0;

/// A chart: what was chosen for it, and what it remembers from frame to frame.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Chart {
    /// How it is drawn.
    pub choices: ChartChoices,
    #[serde(skip)]
    view: View,
    #[serde(skip)]
    shown: Option<SeriesKey>,
    #[serde(skip)]
    computed: Computed,
    #[serde(skip)]
    tools: Tools,
    /// What is to be done as soon as it is known what is in view.
    #[serde(skip)]
    wanted: Vec<ChartChange>,
}

impl Chart {
    /// With candles of this width.
    pub(crate) fn of(interval: Interval) -> Self {
        Self { choices: ChartChoices { interval, ..ChartChoices::default() }, ..Self::default() }
    }

    /// What it shows of this ticker.
    pub(crate) fn series(&self, ticker: Option<&TickerKey>) -> Option<SeriesKey> {
        ticker.cloned().map(|ticker| SeriesKey { ticker, interval: self.choices.interval })
    }

    /// Draws it otherwise.
    pub(crate) fn obey(&mut self, change: ChartChange) {
        let choices = &mut self.choices;
        match change {
            ChartChange::Interval(interval) => choices.interval = interval,
            ChartChange::Style(style) => choices.style = style,
            ChartChange::Scale(scale) => choices.scale = scale,
            ChartChange::Indicator(indicator) => {
                if !choices.indicators.remove(&indicator) {
                    choices.indicators.insert(indicator);
                }
            }
            ChartChange::Volume(shown) => choices.volume = shown,
            ChartChange::Reset => self.view.reset(),
            ChartChange::Newest => self.view.follow(),
            ChartChange::Tool(tool) => self.tools = Tools::with(tool),
            ChartChange::Zoom(_)
            | ChartChange::Oldest
            | ChartChange::LevelHere
            | ChartChange::ExportCandles
            | ChartChange::ExportPicture => self.wanted.push(change),
        }
    }

    /// Shows it.
    pub(crate) fn show(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        ticker: Option<&TickerKey>,
        commands: &mut Vec<Command>,
    ) {
        let pane = ui.max_rect();
        header::show(ui, scene, &self.choices, self.tools.tool, ticker, commands);
        let Some(key) = self.series(ticker) else {
            // The busiest market is chosen by itself, as soon as there is one.
            message(ui, "No market to show yet", "It appears here with the first price.", None);
            return;
        };
        if self.shown.as_ref() != Some(&key) {
            self.view.follow();
            self.tools = Tools::with(self.tools.tool);
            self.shown = Some(key.clone());
        }
        let remote = scene.state.series(&key);
        match remote.and_then(Remote::value) {
            Some(series) if !series.bars().is_empty() => {
                if let Some(failure) = remote.and_then(Remote::failure).filter(|_| !scene.state.connection.is_away()) {
                    let next = format::countdown(failure.retry_at - scene.now);
                    let words = format!("These candles are not kept up: {}. Next try {next}.", failure.cause);
                    ui.label(RichText::new(words).color(Palette::of(ui).warn));
                }
                if scene.is_old() || remote.is_some_and(Remote::is_recalled) {
                    ui.multiply_opacity(0.6);
                }
                self.plot(ui, scene, &key, series, commands);
                self.export(scene, &key, series, pane, commands);
            }
            value => without_candles(ui, scene, &key, value.is_some(), commands),
        }
    }

    fn plot(&mut self, ui: &mut Ui, scene: &Scene<'_>, key: &SeriesKey, series: &Series, commands: &mut Vec<Command>) {
        let palette = Palette::of(ui);
        let Some(extent) = extent(series) else { return };
        // The strips below it follow without a gap.
        ui.spacing_mut().item_spacing.y = 0.0;
        let whole = ui.available_rect_before_wrap();
        self.view.fit(whole.width() - 60.0);
        self.zoom_as_wanted(extent);
        let range = self.view.range(extent);
        let shown = in_view(series.bars(), series.interval().seconds(), range);
        let holes = scene.state.holes(&key.ticker);
        self.computed.renew(scene.state, &key.ticker, series, &shown, &self.choices.indicators);
        let count = self.computed.lines(true).count();
        let room = whole.height() / (1.0 + 0.24 * count as f32);
        let below = if room >= 90.0 { count } else { 0 };
        let height = if below > 0 { room } else { whole.height() };
        let pixels = ui.pixels_per_point();
        let bars = series.in_view(range, whole.width() * pixels);
        let scale = Scale::of(self.choices.scale, bars);
        let (zone, interval) = (scene.choices.zone, series.interval());
        let tag_width = tag_width(ui, scene, key, series);
        let busy = self.tools.is_busy(ui);
        let choices = &self.choices;
        let computed = &self.computed;
        let view = &mut self.view;
        let response = bare_plot("chart", palette)
            .height(height)
            .x_grid_spacer(move |input| axes::time_marks(&input, zone, interval))
            .y_grid_spacer(move |input| scale.marks(&input))
            .custom_x_axes(if below == 0 { vec![time_axis(scene, interval, palette)] } else { Vec::new() })
            .custom_y_axes(vec![
                plain_axis(AxisHints::new_y(), palette)
                    .formatter(move |mark, _| scale.label(mark))
                    .placement(HPlacement::Right)
                    .min_thickness(tag_width),
            ])
            .show(ui, |plot| {
                if !busy {
                    steer(view, plot, extent);
                }
                plot.set_plot_bounds_x(range.0..=range.1);
                let (bottom, top) = heights(bars, scale).unwrap_or((0.0, 1.0));
                plot.set_plot_bounds_y(bottom..=top);
                plot.add(Drawing::new("holes", move |_, transform, shapes| {
                    shapes.extend(hole_shapes(holes, transform, palette.warn));
                }));
                draw(plot, bars, series.interval().seconds(), choices, scale, palette);
                plot.add(Drawing::new("indicators", |ui, transform, shapes| {
                    let width = series.interval().seconds();
                    let place = Place { transform, pixels: ui.pixels_per_point(), width, scale };
                    for (indicator, lines) in computed.lines(false) {
                        for line in lines {
                            let colour = palette.lines[indicator.number() % palette.lines.len()];
                            let values = computed.values(line, &shown);
                            shapes.extend(value_shapes(&series.bars()[shown.clone()], values, place, colour));
                        }
                    }
                }));
            });
        let transform = response.transform;
        let plot = response.response;
        let plot = if busy { plot } else { plot.on_hover_cursor(CursorIcon::Crosshair) };
        let ticker = scene.state.ticker(&key.ticker);
        let mut pointer = plot.hover_pos();
        let canvas = Canvas {
            ticker: &key.ticker,
            drawings: scene.choices.drawings.of(&key.ticker),
            transform: &transform,
            scale,
            decimals: ticker.map_or(2, |ticker| ticker.decimals),
            bar: series.interval().seconds() as f64,
        };
        self.tools.interact(ui, &plot, canvas, commands);
        if let (Some(pointer), true) = (pointer, self.take_wanted(ChartChange::LevelHere))
            && let Some(price) = canvas.price(canvas.point(pointer).price)
        {
            commands.push(at_price(scene, &key.ticker, price));
        }
        let wanted = (whole.height() - height) / below.max(1) as f32;
        let main = *transform.frame();
        let frame = self.below(ui, scene, series, (range, extent), (below, wanted, tag_width), &mut pointer);
        let frame =
            Rect::from_x_y_ranges(main.x_range(), main.top()..=frame.map_or(main.bottom(), |last| last.bottom()));
        self.tools.paint_drawings(ui.painter(), palette, canvas, pointer, whole);
        alerts::paint(ui.painter(), palette, scene, canvas, pointer, whole);
        let overlay = Overlay {
            scene,
            series,
            ticker,
            holes,
            computed: &self.computed,
            scale,
            transform: &transform,
            frame,
            whole,
            pointer,
        };
        overlay.paint(ui);
        self.tools.paint_measurement(ui.painter(), palette, canvas);
        // The menu of the chart and of what is drawn into it.
        self.tools.menu(&plot, scene, canvas, commands);
        self.newest_button(ui, main);
        describe(&plot, scene, key, series, &self.computed);
        self.load_older(scene, key, series, extent, commands);
    }

    fn take_wanted(&mut self, change: ChartChange) -> bool {
        let before = self.wanted.len();
        self.wanted.retain(|wanted| *wanted != change);
        self.wanted.len() < before
    }

    fn zoom_as_wanted(&mut self, extent: Extent) {
        for change in std::mem::take(&mut self.wanted) {
            let (left, right) = self.view.range(extent);
            match change {
                ChartChange::Zoom(factor) => {
                    let focus = if self.view.follows() { extent.end } else { f64::midpoint(left, right) };
                    self.view.zoom(factor, focus, extent);
                }
                ChartChange::Oldest => self.view.pan(extent.first - left, extent),
                other => self.wanted.push(other),
            }
        }
    }

    fn export(&mut self, scene: &Scene<'_>, key: &SeriesKey, series: &Series, pane: Rect, commands: &mut Vec<Command>) {
        if self.take_wanted(ChartChange::ExportPicture) {
            let name = format!("{}-{}-{}", key.ticker.ticker, key.ticker.exchange, key.interval);
            commands.push(Command::ExportPicture(pane, name));
        }
        if self.take_wanted(ChartChange::ExportCandles)
            && let Some(extent) = extent(series)
        {
            let (left, right) = self.view.range(extent);
            let at = |second: f64| DateTime::from_timestamp(second.floor() as i64, 0).unwrap_or(scene.now);
            let (from, to) = (at(left.max(extent.first)), at(right.min(extent.end)));
            commands.push(Command::ExportCandles(key.clone(), from, to));
        }
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
            if ui.add(button).on_hover_text("Follow the newest candle again (End)").clicked() {
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
        if series.wants_older(scene.now)
            && left < extent.first + (right - left) * 0.25
            && let Some(before) = DateTime::from_timestamp(extent.first as i64, 0)
        {
            commands.push(Command::LoadOlder(key.clone(), before));
        }
    }
}

/// A plot that only draws.
pub(crate) fn bare_plot<'a>(name: &str, palette: &Palette) -> Plot<'a> {
    Plot::new(name)
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
}

/// An axis in the palette's colours.
pub(crate) fn plain_axis<'a>(hints: AxisHints<'a>, palette: &Palette) -> AxisHints<'a> {
    hints.tick_label_color(palette.weak).tick_label_font(FontId::proportional(SMALL + 0.5))
}

/// The axis of times, on the chosen clocks.
pub(crate) fn time_axis(scene: &Scene<'_>, interval: Interval, palette: &Palette) -> AxisHints<'static> {
    let zone = scene.choices.zone;
    plain_axis(AxisHints::new_x(), palette).formatter(move |mark, _| axes::time_label(mark, zone, interval))
}

fn extent(series: &Series) -> Option<Extent> {
    let bar = series.interval().seconds() as f64;
    let (first, last) = (series.bars().first()?, series.bars().last()?);
    Some(Extent { first: first.open_time as f64, end: last.open_time as f64 + bar, bar })
}

/// Lets the pointer move and stretch time.
pub(crate) fn steer(view: &mut View, plot: &PlotUi<'_>, extent: Extent) {
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

/// Puts the bars in view into the plot.
fn draw<'a>(
    plot: &mut PlotUi<'a>,
    bars: &'a [Bar],
    width: i64,
    choices: &'a ChartChoices,
    scale: Scale,
    palette: &'static Palette,
) {
    plot.add(Drawing::new("bars", move |ui, transform, shapes| {
        let place = Place { transform, pixels: ui.pixels_per_point(), width, scale };
        let soft = |colour: eframe::egui::Color32| colour.gamma_multiply(0.35);
        let volumes = Colours { up: soft(palette.up), down: soft(palette.down) };
        if choices.volume {
            shapes.push(Shape::mesh(volume_mesh(bars, place, volumes)));
        }
        let origins = origin_mesh(bars, place, |origin| palette.of_origin(origin));
        shapes.push(Shape::mesh(origins));
        match choices.style {
            ChartStyle::Candles => {
                let colours = Colours { up: palette.up, down: palette.down };
                shapes.push(Shape::mesh(candle_mesh(bars, place, colours)));
            }
            ChartStyle::Line => shapes.extend(line_shapes(bars, place, palette.accent)),
            ChartStyle::Area => shapes.extend(area_shapes(bars, place, palette.accent)),
        }
    }));
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
fn describe(plot: &Response, scene: &Scene<'_>, key: &SeriesKey, series: &Series, computed: &Computed) {
    plot.widget_info(|| {
        let ticker = scene.state.ticker(&key.ticker);
        let decimals = ticker.map_or(2, |ticker| ticker.decimals);
        let last = series.bars().last().map_or(f64::NAN, |bar| bar.close);
        let stale = ticker.and_then(|ticker| overlay::age_words(ticker, scene.server_time()));
        let missing: i64 = scene.state.holes(&key.ticker).iter().map(|hole| hole.missing).sum();
        let newest = series.bars().len().saturating_sub(1);
        let indicators: String = computed
            .lines(false)
            .chain(computed.lines(true))
            .filter_map(|(one, lines)| Some((one, computed.value(lines.first()?, newest)?)))
            .map(|(one, value)| format!(", {} {}", one.name(), format::price_f64(value, decimals)))
            .collect();
        let words = format!(
            "Chart of {} on {}, {} candles of {}, last {}, {} in 24 hours{indicators}{}{}{}",
            scene.name_of(&key.ticker),
            key.ticker.exchange,
            series.bars().len(),
            key.interval,
            format::price_f64(last, decimals),
            format::percent(ticker.and_then(|ticker| ticker.change_24h)),
            stale.map(|words| format!(", {words}")).unwrap_or_default(),
            if missing > 0 { format!(", {missing} trades missing in all") } else { String::new() },
            alerts::words(scene, &key.ticker, decimals),
        );
        WidgetInfo::labeled(Role::Image, true, words)
    });
}

/// Loading, empty, or why there is neither.
fn without_candles(ui: &mut Ui, scene: &Scene<'_>, key: &SeriesKey, answered: bool, commands: &mut Vec<Command>) {
    let remote = scene.state.series(key);
    let name = scene.name_of(&key.ticker);
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
