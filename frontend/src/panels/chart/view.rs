//! Which part of a series the chart shows.
//!
//! Time is the only thing the user moves; heights always fit what is in view. While the newest candle is in view the
//! chart follows it, with the gap to the right edge that the user left; once it is panned out of view, the chart
//! stays where it was put.

use super::scale::Scale;
use crate::state::Bar;

/// Bars in view at first: as many as there are, but not fewer than this.
const FEWEST_AT_FIRST: f64 = 30.0;
/// Points that each of them has at first, at least.
const FIRST_SLOT: f64 = 7.0;
/// Fewest and most bars in view.
const WIDTHS: (f64, f64) = (12.0, 1_000_000.0);
/// Bars between the newest one and the right edge at first.
const GAP: f64 = 4.0;
/// Share of the height left free above the highest price, where the legend is, and below the lowest, where the
/// volumes are.
const MARGINS: (f64, f64) = (0.10, 0.22);
/// Least height, as a share of the price: a market that stands still is a line, not an earthquake.
const LEAST_HEIGHT: f64 = 0.000_5;

/// Where the right edge is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Right {
    /// So many bars after the newest one.
    Following { gap: f64 },
    /// At this second.
    At(f64),
}

/// Which part of a series the chart shows.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// Bars from edge to edge; none while the user has not chosen.
    width: Option<f64>,
    /// Bars that have room at first.
    room: f64,
    right: Right,
}

impl Default for View {
    fn default() -> Self {
        Self { width: None, room: 120.0, right: Right::Following { gap: GAP } }
    }
}

/// The series that is looked at: its edges in seconds, and the width of its bars.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// Where the first bar begins.
    pub first: f64,
    /// Where the newest bar ends.
    pub end: f64,
    /// Seconds a bar.
    pub bar: f64,
}

impl View {
    /// Left and right edge in seconds.
    pub(crate) fn range(&self, extent: Extent) -> (f64, f64) {
        let right = match self.right {
            Right::Following { gap } => extent.end + gap * extent.bar,
            Right::At(right) => right,
        };
        (right - self.width(extent) * extent.bar, right)
    }

    /// Bars from edge to edge.
    fn width(&self, extent: Extent) -> f64 {
        let bars = (extent.end - extent.first) / extent.bar + 2.0 * GAP;
        self.width.unwrap_or_else(|| bars.max(FEWEST_AT_FIRST).min(self.room))
    }

    /// The chart is so many points wide.
    pub(crate) fn fit(&mut self, points: f32) {
        self.room = (f64::from(points) / FIRST_SLOT).max(WIDTHS.0);
    }

    /// Whether the chart moves on with the newest candle.
    pub(crate) fn follows(&self) -> bool {
        matches!(self.right, Right::Following { .. })
    }

    /// As at first.
    pub(crate) fn reset(&mut self) {
        *self = Self { room: self.room, ..Self::default() };
    }

    /// Back to the newest candle, as wide as it is.
    pub(crate) fn follow(&mut self) {
        self.right = Right::Following { gap: self.width.map_or(GAP, |width| GAP.min(width / 4.0)) };
    }

    /// Moves the edges by so many seconds, as far as there is something to see.
    pub(crate) fn pan(&mut self, seconds: f64, extent: Extent) {
        let (_, right) = self.range(extent);
        self.put_right(right + seconds, extent);
    }

    /// Shows `factor` times fewer bars; the second `focus` keeps its place.
    pub(crate) fn zoom(&mut self, factor: f64, focus: f64, extent: Extent) {
        if !factor.is_finite() || factor <= 0.0 {
            return;
        }
        let (_, right) = self.range(extent);
        let before = self.width(extent);
        let width = (before / factor).clamp(WIDTHS.0, WIDTHS.1);
        let scale = width / before;
        self.width = Some(width);
        self.put_right(focus + (right - focus) * scale, extent);
    }

    fn put_right(&mut self, right: f64, extent: Extent) {
        let span = self.width(extent) * extent.bar;
        // Some candle stays in view on either side.
        let (least, most) = (extent.first + span * 0.1, extent.end + span * 0.6);
        let right = right.max(least).min(most.max(least));
        self.right = if right >= extent.end {
            Right::Following { gap: (right - extent.end) / extent.bar }
        } else {
            Right::At(right)
        };
    }
}

/// Lowest and highest value of the chart, so that these bars fill it. None without bars.
pub(crate) fn heights(bars: &[Bar], scale: Scale) -> Option<(f64, f64)> {
    let low = bars.iter().map(|bar| bar.low).reduce(f64::min)?;
    let high = bars.iter().map(|bar| bar.high).reduce(f64::max)?;
    let least = scale.value(high * (1.0 + LEAST_HEIGHT)) - scale.value(high);
    let (low, high) = (scale.value(low), scale.value(high));
    let middle = (low + high) / 2.0;
    let height = (high - low).max(least).max(f64::MIN_POSITIVE * 1e6);
    let full = height / (1.0 - MARGINS.0 - MARGINS.1);
    let bottom = middle - height / 2.0 - full * MARGINS.1;
    Some((bottom, bottom + full))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Origin;

    const EXTENT: Extent = Extent { first: 0.0, end: 60_000.0, bar: 60.0 };

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn a_young_series_is_not_lost_in_an_empty_chart() {
        for (bars, shown) in [(1.0, 30.0), (40.0, 48.0), (1_000.0, 120.0)] {
            let extent = Extent { first: 60_000.0 - bars * 60.0, ..EXTENT };
            let (left, right) = View::default().range(extent);
            assert!(close((right - left) / 60.0, shown), "{bars} bars");
        }
    }

    #[test]
    fn a_narrow_chart_shows_fewer_bars_at_first() {
        let mut view = View::default();
        view.fit(350.0);
        let (left, right) = view.range(EXTENT);
        assert!(close((right - left) / 60.0, 50.0));
        view.zoom(0.5, 0.0, EXTENT);
        view.fit(700.0);
        let (left, right) = view.range(EXTENT);
        assert!(close((right - left) / 60.0, 100.0), "who has zoomed is not zoomed");
    }

    #[test]
    fn it_follows_the_newest_candle_until_it_is_panned_away() {
        let mut view = View::default();
        let (_, right) = view.range(EXTENT);
        let next = Extent { end: EXTENT.end + 60.0, ..EXTENT };
        assert!(close(view.range(next).1, right + 60.0));
        view.pan(-6_000.0, EXTENT);
        assert!(!view.follows());
        assert!(close(view.range(next).1, view.range(EXTENT).1));
        view.pan(5_800.0, EXTENT);
        assert!(view.follows(), "the newest candle is in view again");
        view.pan(-6_000.0, EXTENT);
        view.follow();
        assert!(view.follows());
    }

    #[test]
    fn something_always_stays_in_view() {
        let mut view = View::default();
        view.pan(-1e12, EXTENT);
        assert!(view.range(EXTENT).1 > EXTENT.first);
        view.pan(1e12, EXTENT);
        assert!(view.range(EXTENT).0 < EXTENT.end);
        for _ in 0..100 {
            view.zoom(0.5, 30_000.0, EXTENT);
        }
        let (left, right) = view.range(EXTENT);
        assert!(close((right - left) / EXTENT.bar, WIDTHS.1));
        view.zoom(f64::NAN, 0.0, EXTENT);
        view.zoom(0.0, 0.0, EXTENT);
        assert!(view.range(EXTENT).0.is_finite());
    }

    #[test]
    fn zoom_keeps_what_is_looked_at_in_its_place() {
        let mut view = View::default();
        let place = |view: &View, second: f64| {
            let (left, right) = view.range(EXTENT);
            (second - left) / (right - left)
        };
        let before = place(&view, EXTENT.end);
        view.zoom(2.0, EXTENT.end, EXTENT);
        assert!(close(place(&view, EXTENT.end), before) && view.follows());
        let looked_at = EXTENT.end - 1_200.0;
        let before = place(&view, looked_at);
        view.zoom(1.1, looked_at, EXTENT);
        assert!(close(place(&view, looked_at), before));
        view.pan(-20_000.0, EXTENT);
        let (left, right) = view.range(EXTENT);
        let focus = left + (right - left) * 0.25;
        view.zoom(1.3, focus, EXTENT);
        let (left, right) = view.range(EXTENT);
        assert!(close((focus - left) / (right - left), 0.25));
    }

    #[test]
    fn heights_fit_the_bars_and_never_vanish() {
        let bar = |low: f64, high: f64| Bar {
            open_time: 0,
            open: low,
            high,
            low,
            close: high,
            volume: 0.0,
            origin: Origin::Stream,
        };
        assert_eq!(heights(&[], Scale::Linear), None);
        let (bottom, top) = heights(&[bar(100.0, 110.0), bar(90.0, 105.0)], Scale::Linear).unwrap();
        assert!(bottom < 90.0 && top > 110.0 && top - bottom < 40.0);
        for flat in [100.0, 0.000_000_01, 0.0] {
            let (bottom, top) = heights(&[bar(flat, flat)], Scale::Linear).unwrap();
            assert!(bottom < flat && flat < top, "{flat}: {bottom} to {top}");
        }
    }
}
