//! What the pointer draws and measures.

use eframe::egui::{CursorIcon, FontId, Key, Painter, Pos2, Rect, Response, Stroke, Ui};
use egui_plot::PlotTransform;
use rust_decimal::Decimal;

use super::{measure, scale::Scale};
use crate::{
    choices::{Drawing, drawings::Point},
    format,
    panels::{Command, DrawingChange, Scene, alerts::at_price},
    state::TickerKey,
    theme::{Palette, SMALL},
    widgets::{bell::bell_shapes, tag::Tag},
};

/// How near the pointer must come to a line to take it, in points.
const REACH: f32 = 6.0;

/// What the pointer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tool {
    /// Moves the chart, and takes drawings.
    #[default]
    Pointer,
    /// Puts a level.
    Level,
    /// Draws a trend line from one click to another.
    Trend,
    /// Measures from where it is pressed to where it is let go.
    Ruler,
}

/// Which part of a drawing is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handle {
    Whole,
    From,
    To,
}

/// What is being drawn.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tools {
    /// What the pointer does now.
    pub tool: Tool,
    /// Where a trend line or a measurement began.
    begun: Option<Point>,
    /// The last measurement, which stays until the next click.
    measured: Option<(Point, Point)>,
    /// The drawing under the pointer.
    near: Option<(usize, Handle)>,
    /// The drawing that is being moved, and where the pointer was.
    held: Option<(usize, Handle, Point)>,
    /// The drawing whose menu is open.
    menu: Option<usize>,
    /// Where it was opened.
    menu_at: Option<Point>,
}

/// The chart that is drawn into.
#[derive(Clone, Copy)]
pub(super) struct Canvas<'a> {
    pub(super) ticker: &'a TickerKey,
    pub(super) drawings: &'a [Drawing],
    pub(super) transform: &'a PlotTransform,
    pub(super) scale: Scale,
    pub(super) decimals: u32,
    /// Seconds a candle.
    pub(super) bar: f64,
}

impl Canvas<'_> {
    pub(super) fn place(&self, point: Point) -> Pos2 {
        let value = self.scale.value(point.price);
        Pos2::new(self.transform.position_from_point_x(point.second), self.transform.position_from_point_y(value))
    }

    pub(super) fn point(&self, place: Pos2) -> Point {
        let value = self.transform.value_from_position(place);
        Point { second: value.x, price: self.scale.price(value.y) }
    }

    /// The price there, with the ticker's decimals.
    pub(super) fn price(&self, price: f64) -> Option<Decimal> {
        let price = Decimal::from_f64_retain(price)?.round_dp(self.decimals).normalize();
        (price > Decimal::ZERO).then_some(price)
    }

    fn level(&self, price: f64, bell: bool) -> Option<Drawing> {
        Some(Drawing::Level { price: self.price(price)?, bell })
    }

    /// The drawing at this place of the screen.
    fn near(&self, place: Pos2) -> Option<(usize, Handle)> {
        let found = self.drawings.iter().enumerate().rev().filter_map(|(number, drawing)| {
            let (distance, handle) = match drawing {
                Drawing::Level { price, .. } => {
                    let y = self.transform.position_from_point_y(self.scale.value(number_of(*price)));
                    ((place.y - y).abs(), Handle::Whole)
                }
                Drawing::Trend { from, to } => {
                    let (from, to) = (self.place(*from), self.place(*to));
                    match (place.distance(from), place.distance(to)) {
                        (distance, _) if distance <= REACH => (0.0, Handle::From),
                        (_, distance) if distance <= REACH => (0.0, Handle::To),
                        _ => (distance_to_segment(place, from, to), Handle::Whole),
                    }
                }
            };
            (distance <= REACH).then_some((distance, number, handle))
        });
        found.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, number, handle)| (number, handle))
    }

    /// The drawing, taken by its handle from one point to another.
    fn moved(&self, drawing: &Drawing, handle: Handle, from: Point, to: Point) -> Option<Drawing> {
        let by = |point: Point| Point {
            second: point.second + to.second - from.second,
            // On any scale, what is moved up by a finger's width is.
            price: self
                .scale
                .price(self.scale.value(point.price) + self.scale.value(to.price) - self.scale.value(from.price)),
        };
        match (drawing, handle) {
            (Drawing::Level { bell, .. }, _) => self.level(to.price, *bell),
            (Drawing::Trend { to: end, .. }, Handle::From) => Some(Drawing::Trend { from: to, to: *end }),
            (Drawing::Trend { from: begin, .. }, Handle::To) => Some(Drawing::Trend { from: *begin, to }),
            (Drawing::Trend { from: begin, to: end }, Handle::Whole) => {
                Some(Drawing::Trend { from: by(*begin), to: by(*end) })
            }
        }
    }
}

impl Tools {
    /// With this tool, and nothing begun.
    pub(super) fn with(tool: Tool) -> Self {
        Self { tool, ..Self::default() }
    }

    /// Whether the pointer is wanted here, so that it must not move the chart.
    pub(super) fn is_busy(&self, ui: &Ui) -> bool {
        self.tool != Tool::Pointer
            || self.held.is_some()
            || self.near.is_some()
            || self.begun.is_some()
            || ui.input(|input| input.modifiers.shift)
    }

    /// Lets the pointer draw, measure and take what is drawn.
    pub(super) fn interact(&mut self, ui: &Ui, plot: &Response, canvas: Canvas<'_>, commands: &mut Vec<Command>) {
        let mut draw = |change| commands.push(Command::Draw(canvas.ticker.clone(), change));
        let pointed = plot.interact_pointer_pos().or(plot.hover_pos());
        let point = pointed.map(|place| canvas.point(place));
        let writing = ui.ctx().text_edit_focused();
        if plot.contains_pointer() && !writing && ui.input(|input| input.key_pressed(Key::Escape)) {
            *self = Self::default();
        }
        let shift = ui.input(|input| input.modifiers.shift);
        let measures = self.tool == Tool::Ruler || (self.tool == Tool::Pointer && shift);
        if measures && plot.drag_started() {
            (self.begun, self.measured) =
                (ui.input(|input| input.pointer.press_origin()).map(|at| canvas.point(at)), None);
        } else if plot.clicked() && self.measured.take().is_some() {
            // The click takes the measurement away and does nothing else.
            return;
        }
        match self.tool {
            Tool::Level if plot.clicked() => {
                if let Some(level) = point.and_then(|point| canvas.level(point.price, false)) {
                    draw(DrawingChange::Add(level));
                }
                self.tool = Tool::Pointer;
            }
            Tool::Trend if plot.clicked() => match (self.begun.take(), point) {
                (None, point) => self.begun = point,
                (Some(from), Some(to)) => {
                    draw(DrawingChange::Add(Drawing::Trend { from, to }));
                    self.tool = Tool::Pointer;
                }
                (Some(_), None) => {}
            },
            Tool::Ruler | Tool::Pointer if self.begun.is_some() => {
                self.measured = self.begun.zip(point);
                if plot.drag_stopped() {
                    self.begun = None;
                    self.tool = Tool::Pointer;
                }
            }
            Tool::Pointer => self.take(ui, plot, canvas, point, commands),
            Tool::Level | Tool::Trend | Tool::Ruler => {}
        }
    }

    fn take(
        &mut self,
        ui: &Ui,
        plot: &Response,
        canvas: Canvas<'_>,
        point: Option<Point>,
        commands: &mut Vec<Command>,
    ) {
        let mut draw = |change| commands.push(Command::Draw(canvas.ticker.clone(), change));
        if plot.drag_started()
            && let Some((number, handle)) = self.near
            && let Some(origin) = ui.input(|input| input.pointer.press_origin())
        {
            self.held = Some((number, handle, canvas.point(origin)));
        }
        if let (Some((number, handle, from)), Some(to)) = (self.held, point) {
            if let Some(moved) = canvas.drawings.get(number).and_then(|drawing| canvas.moved(drawing, handle, from, to))
            {
                draw(DrawingChange::Replace(number, moved));
            }
            self.held = (!plot.drag_stopped()).then_some((number, handle, to));
            return;
        }
        self.near = plot.hover_pos().and_then(|place| canvas.near(place));
        if plot.secondary_clicked() {
            self.menu_at = point;
        }
        if let Some((number, _)) = self.near {
            ui.ctx().set_cursor_icon(CursorIcon::Grab);
            let deletes = ui.input(|input| input.key_pressed(Key::Delete) || input.key_pressed(Key::Backspace));
            if deletes && !ui.ctx().text_edit_focused() {
                draw(DrawingChange::Remove(number));
                self.near = None;
            }
            if plot.secondary_clicked() {
                self.menu = Some(number);
            }
        } else if plot.secondary_clicked() {
            self.menu = None;
        }
    }

    /// What can be done with the place or the drawing that was clicked with the other button.
    pub(super) fn menu(&mut self, plot: &Response, scene: &Scene<'_>, canvas: Canvas<'_>, commands: &mut Vec<Command>) {
        let ticker = canvas.ticker;
        plot.context_menu(|ui| {
            let here = self.menu.and_then(|number| Some((number, canvas.drawings.get(number)?)));
            let price = match here {
                Some((_, Drawing::Level { price, .. })) => {
                    Some(*price).filter(|_| scene.state.alerts.username().is_some())
                }
                Some((_, Drawing::Trend { .. })) => None,
                None => self.menu_at.and_then(|point| canvas.price(point.price)),
            };
            if let Some(price) = price
                && ui.button(format!("Alert at {}", format::price(price, canvas.decimals))).clicked()
            {
                commands.push(at_price(scene, ticker, price));
                ui.close();
            }
            let mut draw = |change| commands.push(Command::Draw(ticker.clone(), change));
            match here {
                Some((number, drawing)) => {
                    if let Drawing::Level { price, bell } = drawing {
                        let mut rings = *bell;
                        if ui.checkbox(&mut rings, "Ring when the price gets there").changed() {
                            draw(DrawingChange::Replace(number, Drawing::Level { price: *price, bell: rings }));
                            ui.close();
                        }
                    }
                    if ui.button("Remove").clicked() {
                        draw(DrawingChange::Remove(number));
                        ui.close();
                    }
                }
                None => {
                    for (tool, name) in
                        [(Tool::Level, "Draw a level"), (Tool::Trend, "Draw a trend line"), (Tool::Ruler, "Measure")]
                    {
                        if ui.button(name).clicked() {
                            self.tool = tool;
                            ui.close();
                        }
                    }
                }
            }
            if !canvas.drawings.is_empty() && ui.button("Remove all drawings").clicked() {
                draw(DrawingChange::Clear);
                ui.close();
            }
        });
    }

    /// Paints the drawings, and what is being drawn.
    pub(super) fn paint_drawings(
        &self,
        painter: &Painter,
        palette: &Palette,
        canvas: Canvas<'_>,
        pointer: Option<Pos2>,
        whole: Rect,
    ) {
        let frame = *canvas.transform.frame();
        let within = painter.with_clip_rect(frame);
        for (number, drawing) in canvas.drawings.iter().enumerate() {
            let is_near = self.near.is_some_and(|(near, _)| near == number);
            let stroke = Stroke::new(if is_near { 2.0 } else { 1.2 }, palette.accent);
            match drawing {
                Drawing::Level { price, bell } => level(painter, palette, canvas, (*price, *bell), stroke, whole),
                Drawing::Trend { from, to } => {
                    let (from, to) = (canvas.place(*from), canvas.place(*to));
                    within.line_segment([from, to], stroke);
                    for end in [from, to] {
                        within.circle_filled(end, if is_near { 4.0 } else { 2.5 }, palette.accent);
                    }
                }
            }
        }
        if let (Tool::Trend, Some(from), Some(pointer)) = (self.tool, self.begun, pointer) {
            within.line_segment([canvas.place(from), pointer], Stroke::new(1.2, palette.accent));
        }
    }

    /// Paints what was measured, over everything else.
    pub(super) fn paint_measurement(&self, painter: &Painter, palette: &Palette, canvas: Canvas<'_>) {
        if let Some((from, to)) = self.measured {
            measure::paint(&painter.with_clip_rect(*canvas.transform.frame()), palette, canvas, from, to);
        }
    }
}

fn level(
    painter: &Painter,
    palette: &Palette,
    canvas: Canvas<'_>,
    (price, bell): (Decimal, bool),
    stroke: Stroke,
    whole: Rect,
) {
    let frame = *canvas.transform.frame();
    let y = canvas.transform.position_from_point_y(canvas.scale.value(number_of(price)));
    if !frame.y_range().contains(y) {
        return;
    }
    painter.hline(frame.x_range(), y, stroke);
    let text = canvas.scale.text(number_of(price), canvas.decimals);
    let tag = Tag { text, ground: palette.accent, colour: palette.on_tag, font: FontId::monospace(SMALL + 1.0) };
    tag.paint(painter, Pos2::new(frame.right() + 2.0, y), eframe::egui::Align2::LEFT_CENTER, whole);
    if bell {
        painter.with_clip_rect(frame).extend(bell_shapes(Pos2::new(frame.left() + 12.0, y - 9.0), palette.accent));
    }
}

fn number_of(price: Decimal) -> f64 {
    use rust_decimal::prelude::ToPrimitive;
    price.to_f64().unwrap_or_default()
}

fn distance_to_segment(place: Pos2, from: Pos2, to: Pos2) -> f32 {
    let (line, to_place) = (to - from, place - from);
    let share = if line.length_sq() > 0.0 { (to_place.dot(line) / line.length_sq()).clamp(0.0, 1.0) } else { 0.0 };
    place.distance(from + line * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_near_along_its_whole_length_and_not_beyond() {
        let (from, to) = (Pos2::new(0.0, 0.0), Pos2::new(100.0, 0.0));
        for (x, y, distance) in [(50.0, 3.0, 3.0), (-4.0, 3.0, 5.0), (0.0, 0.0, 0.0), (103.0, 4.0, 5.0)] {
            assert!((distance_to_segment(Pos2::new(x, y), from, to) - distance).abs() < 1e-4, "{x}, {y}");
        }
        assert!((distance_to_segment(Pos2::new(3.0, 4.0), from, from) - 5.0).abs() < 1e-4);
    }
}
