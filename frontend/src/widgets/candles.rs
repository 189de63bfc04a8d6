//! Candles and volumes, each as one mesh.
//!
//! Only bars in view are looked at, and bars narrower than a pixel are merged, so that a mesh never holds more than
//! a few rectangles a column of pixels, however long the history is. Edges lie on whole pixels: candles stay crisp.

use eframe::egui::{Color32, Mesh, Pos2, Rect};
use egui_plot::PlotTransform;

use crate::{
    panels::chart::Scale,
    state::{Bar, Origin},
};

/// Part of its slot that a candle's body takes.
const BODY: f32 = 0.72;
/// Part of the chart's height that the largest volume takes.
pub(crate) const VOLUME_SHARE: f32 = 0.18;

/// Rising and falling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Colours {
    /// Of a bar that closed no lower than it opened.
    pub up: Color32,
    /// Of one that closed lower.
    pub down: Color32,
}

impl Colours {
    fn of(self, bar: &Bar) -> Color32 {
        if bar.is_up() { self.up } else { self.down }
    }
}

/// Where a chart's bars go on the screen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// From values to points.
    pub transform: &'a PlotTransform,
    /// Pixels a point.
    pub pixels: f32,
    /// Width of a bar in seconds.
    pub width: i64,
    /// From prices to values.
    pub scale: Scale,
}

impl Place<'_> {
    /// Pixels between two neighbouring bars.
    pub(super) fn slot(&self) -> f32 {
        (self.transform.dpos_dvalue_x() * self.width as f64) as f32 * self.pixels
    }

    /// Middle of the bar in pixels.
    pub(super) fn middle(&self, bar: &Bar) -> f32 {
        self.transform.position_from_point_x(bar.open_time as f64 + self.width as f64 / 2.0) * self.pixels
    }

    /// Height of a price in points.
    pub(super) fn height(&self, price: f64) -> f32 {
        self.transform.position_from_point_y(self.scale.value(price))
    }

    /// Height of a price in pixels.
    fn y(&self, price: f64) -> f32 {
        self.height(price) * self.pixels
    }

    /// A rectangle given in pixels, at least one of them high, in points.
    fn rect(&self, (left, right): (f32, f32), (top, bottom): (f32, f32)) -> Rect {
        let (top, bottom) = (top.round(), bottom.round().max(top.round() + 1.0));
        Rect::from_min_max(Pos2::new(left, top) / self.pixels, Pos2::new(right, bottom) / self.pixels)
    }

    /// A column of the bar's width from one height to another, in points.
    pub(crate) fn column(&self, bar: &Bar, from: f64, to: f64) -> Rect {
        let (left, width) = self.body(bar);
        let (from, to) = (self.y(from), self.y(to));
        self.rect((left, left + width), (from.min(to), from.max(to)))
    }

    /// Left edge and width of a body in whole pixels; odd, so that the wick stands in its middle.
    fn body(&self, bar: &Bar) -> (f32, f32) {
        let mut width = (self.slot() * BODY).floor().max(1.0);
        if width % 2.0 < 0.5 && width > 1.0 {
            width -= 1.0;
        }
        ((self.middle(bar) - width / 2.0).round(), width)
    }
}

/// The candles of these bars, which are those in view.
pub(crate) fn candle_mesh(bars: &[Bar], place: Place<'_>, colours: Colours) -> Mesh {
    let mut mesh = Mesh::default();
    if place.slot() < 1.0 {
        for (column, bar) in merged(bars, |bar| place.middle(bar).floor() as i64) {
            let x = column as f32;
            mesh.add_colored_rect(place.rect((x, x + 1.0), (place.y(bar.high), place.y(bar.low))), colours.of(&bar));
        }
        return mesh;
    }
    for bar in bars {
        let (left, width) = place.body(bar);
        let wick = left + (width - 1.0) / 2.0;
        let colour = colours.of(bar);
        mesh.add_colored_rect(place.rect((wick, wick + 1.0), (place.y(bar.high), place.y(bar.low))), colour);
        let (top, bottom) = (place.y(bar.open.max(bar.close)), place.y(bar.open.min(bar.close)));
        mesh.add_colored_rect(place.rect((left, left + width), (top, bottom)), colour);
    }
    mesh
}

/// The volumes of these bars, which are those in view, standing on the chart's floor.
pub(crate) fn volume_mesh(bars: &[Bar], place: Place<'_>, colours: Colours) -> Mesh {
    let mut mesh = Mesh::default();
    let frame = place.transform.frame();
    let floor = frame.bottom() * place.pixels;
    let height = frame.height() * VOLUME_SHARE * place.pixels;
    let mut add = |left: f32, width: f32, bar: &Bar, most: f64| {
        if bar.volume > 0.0 {
            let top = floor - (bar.volume / most) as f32 * height;
            mesh.add_colored_rect(place.rect((left, left + width), (top, floor)), colours.of(bar));
        }
    };
    let most = |bars: &mut dyn Iterator<Item = f64>| bars.fold(f64::MIN_POSITIVE, f64::max);
    if place.slot() < 1.0 {
        let columns = merged(bars, |bar| place.middle(bar).floor() as i64);
        let most = most(&mut columns.iter().map(|(_, bar)| bar.volume));
        for (column, bar) in &columns {
            add(*column as f32, 1.0, bar, most);
        }
    } else {
        let most = most(&mut bars.iter().map(|bar| bar.volume));
        for bar in bars {
            let (left, width) = place.body(bar);
            add(left, width, bar, most);
        }
    }
    mesh
}

/// A mark on the chart's floor below each of these bars that is not made of what the stream brought alone.
pub(crate) fn origin_mesh(bars: &[Bar], place: Place<'_>, colour: impl Fn(Origin) -> Option<Color32>) -> Mesh {
    /// Height in pixels.
    const HEIGHT: f32 = 3.0;
    let mut mesh = Mesh::default();
    let floor = place.transform.frame().bottom() * place.pixels;
    let mut add = |left: f32, width: f32, origin: Origin| {
        if let Some(colour) = colour(origin) {
            mesh.add_colored_rect(place.rect((left, left + width), (floor - HEIGHT, floor)), colour);
        }
    };
    if place.slot() < 1.0 {
        for (column, bar) in merged(bars, |bar| place.middle(bar).floor() as i64) {
            add(column as f32, 1.0, bar.origin);
        }
    } else {
        for bar in bars {
            let (left, width) = place.body(bar);
            add(left, width, bar.origin);
        }
    }
    mesh
}

/// Bars that fall into the same column become one: its open, high, low, close and volume.
pub(crate) fn merged(bars: &[Bar], column: impl Fn(&Bar) -> i64) -> Vec<(i64, Bar)> {
    let mut columns: Vec<(i64, Bar)> = Vec::new();
    for bar in bars {
        let at = column(bar);
        match columns.last_mut() {
            Some((last, known)) if *last == at => *known = known.merge(*bar),
            _ => columns.push((at, *bar)),
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use eframe::egui::Vec2b;
    use egui_plot::PlotBounds;

    use super::*;

    const COLOURS: Colours = Colours { up: Color32::GREEN, down: Color32::RED };

    fn bars(count: i64) -> Vec<Bar> {
        let bar = |n: i64| Bar {
            open_time: n * 60,
            open: 100.0 + (n % 7) as f64,
            high: 110.0,
            low: 90.0,
            close: 100.0 + (n % 5) as f64,
            volume: 1.0,
            origin: if n % 2 == 0 { Origin::Stream } else { Origin::Backfill },
        };
        (0..count).map(bar).collect()
    }

    fn transform(from: f64, to: f64) -> PlotTransform {
        let frame = Rect::from_min_max(Pos2::ZERO, Pos2::new(800.0, 400.0));
        PlotTransform::new(frame, PlotBounds::from_min_max([from, 80.0], [to, 120.0]), Vec2b::FALSE)
    }

    #[test]
    fn a_mesh_grows_with_the_window_not_with_the_history() {
        for count in [100, 10_000, 1_000_000] {
            let bars = bars(count);
            let transform = transform(0.0, (count * 60) as f64);
            let place = Place { transform: &transform, pixels: 1.0, width: 60, scale: Scale::Linear };
            let candles = candle_mesh(&bars, place, COLOURS);
            let volumes = volume_mesh(&bars, place, COLOURS);
            let marks = origin_mesh(&bars, place, |origin| (origin != Origin::Stream).then_some(COLOURS.up));
            assert!(candles.is_valid() && volumes.is_valid() && marks.is_valid());
            assert!((1..=801 * 4).contains(&marks.vertices.len()), "{count} bars: {} vertices", marks.vertices.len());
            assert!(candles.vertices.len() <= 801 * 8, "{count} bars: {} vertices", candles.vertices.len());
            assert!(volumes.vertices.len() <= 801 * 4, "{count} bars: {} vertices", volumes.vertices.len());
        }
    }

    #[test]
    fn merging_keeps_the_extremes_and_the_sum() {
        let mut bars = bars(10);
        bars[3].high = 150.0;
        bars[4].low = 50.0;
        let columns = merged(&bars, |bar| bar.open_time / 300);
        assert_eq!(columns.len(), 2);
        let (_, first) = columns[0];
        assert!((first.high - 150.0).abs() < 1e-9 && (first.low - 50.0).abs() < 1e-9);
        assert!((first.volume - 5.0).abs() < 1e-9);
        assert!((first.open - bars[0].open).abs() < 1e-9 && (first.close - bars[4].close).abs() < 1e-9);
    }

    #[test]
    fn a_flat_candle_can_still_be_seen() {
        let flat = [Bar {
            open_time: 0,
            open: 100.0,
            high: 100.0,
            low: 100.0,
            close: 100.0,
            volume: 0.0,
            origin: Origin::Stream,
        }];
        let transform = transform(-600.0, 600.0);
        let mesh =
            candle_mesh(&flat, Place { transform: &transform, pixels: 2.0, width: 60, scale: Scale::Linear }, COLOURS);
        assert!(mesh.calc_bounds().height() >= 0.5);
        assert!(mesh.vertices.iter().all(|vertex| vertex.color == COLOURS.up));
    }
}
