//! What lies over the chart: the legend, the last price, the crosshair, and how old it all is.

use chrono::{DateTime, Utc};
use eframe::egui::{
    Align2, Color32, FontId, Painter, Pos2, Rect, Shape, Stroke, Ui,
    text::{LayoutJob, TextFormat},
};
use egui_plot::PlotTransform;

use super::{axes, computed::Computed, scale::Scale};
use crate::{
    format,
    panels::Scene,
    state::{Bar, Freshness, Hole, Series, Ticker, hole_words},
    theme::{Palette, SMALL},
    widgets::tag::Tag,
};

/// The chart that is drawn over.
pub(super) struct Overlay<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) series: &'a Series,
    pub(super) ticker: Option<&'a Ticker>,
    pub(super) holes: &'a [Hole],
    pub(super) computed: &'a Computed,
    pub(super) scale: Scale,
    pub(super) transform: &'a PlotTransform,
    /// The chart and the strips below it, without axes.
    pub(super) frame: Rect,
    /// The chart with its axes.
    pub(super) whole: Rect,
    /// Where the pointer is, if it is in the chart.
    pub(super) pointer: Option<Pos2>,
}

impl Overlay<'_> {
    /// Paints all of it.
    pub(super) fn paint(&self, ui: &Ui) {
        let palette = Palette::of(ui);
        let painter = ui.painter();
        self.last_price(painter, palette);
        let pointed = self.pointer.map(|pointer| self.crosshair(painter, palette, pointer));
        // Without a pointer the legend tells of the newest bar; over a hole in the data, of nothing.
        let bar = match pointed {
            Some(bar) => bar,
            None => self.series.bars().last().copied(),
        };
        let missing = self.pointer.and_then(|pointer| self.missing_at(pointer));
        self.legend(&painter.with_clip_rect(self.main()), palette, bar, missing.as_deref());
        self.age(painter, palette);
    }

    fn decimals(&self) -> u32 {
        self.ticker.map_or(2, |ticker| ticker.decimals)
    }

    /// The chart of the prices.
    fn main(&self) -> Rect {
        *self.transform.frame()
    }

    /// The bar whose slot holds this second.
    fn bar_at(&self, second: f64) -> Option<Bar> {
        let bars = self.series.bars();
        let bar = bars.get(bars.partition_point(|bar| bar.open_time as f64 <= second).checked_sub(1)?)?;
        (second < (bar.open_time + self.series.interval().seconds()) as f64).then_some(*bar)
    }

    /// What is missing in the bar at the pointer, or in the place of one.
    fn missing_at(&self, pointer: Pos2) -> Option<String> {
        let (from, to) = self.slot_at(self.transform.value_from_position(pointer).x)?;
        let touching = self.holes.iter().filter(|hole| hole.touches(from as f64, to as f64));
        hole_words(&touching.collect::<Vec<_>>())
    }

    /// Where the bar begins and ends that holds this second, whether there is one or not.
    fn slot_at(&self, second: f64) -> Option<(i64, i64)> {
        let interval = self.series.interval();
        let from = axes::slot(second, interval)?.timestamp();
        Some((from, from + interval.seconds()))
    }

    fn last_price(&self, painter: &Painter, palette: &Palette) {
        let Some(last) = self.series.bars().last() else { return };
        let colour = if last.is_up() { palette.up } else { palette.down };
        let frame = self.main();
        let y = self.transform.position_from_point_y(self.scale.value(last.close));
        if frame.y_range().contains(y) {
            let y = (y * painter.pixels_per_point()).round() / painter.pixels_per_point();
            let line = [Pos2::new(frame.left(), y), Pos2::new(frame.right(), y)];
            let painter = painter.with_clip_rect(frame);
            painter.extend(Shape::dashed_line(&line, Stroke::new(1.0, colour), 4.0, 3.0));
        }
        let tag = Tag {
            text: self.scale.text(last.close, self.decimals()),
            ground: colour,
            colour: palette.on_tag,
            font: FontId::monospace(SMALL + 1.0),
        };
        // A last price out of view is told at the edge behind which it is.
        let place = Pos2::new(frame.right() + 2.0, y.clamp(frame.top(), frame.bottom()));
        tag.paint(painter, place, Align2::LEFT_CENTER, self.whole);
    }

    fn crosshair(&self, painter: &Painter, palette: &Palette, pointer: Pos2) -> Option<Bar> {
        let (frame, main) = (self.frame, self.main());
        let value = self.transform.value_from_position(pointer);
        let width = self.series.interval().seconds() as f64;
        let bar = self.bar_at(value.x);
        let x = bar.map_or(pointer.x, |bar| self.transform.position_from_point_x(bar.open_time as f64 + width / 2.0));
        let stroke = Stroke::new(1.0, palette.crosshair);
        let within = painter.with_clip_rect(frame);
        let across = [Pos2::new(frame.left(), pointer.y), Pos2::new(frame.right(), pointer.y)];
        let down = [Pos2::new(x, frame.top()), Pos2::new(x, frame.bottom())];
        within.extend(Shape::dashed_line(&across, stroke, 3.0, 3.0));
        within.extend(Shape::dashed_line(&down, stroke, 3.0, 3.0));
        let tag = |text: String| Tag {
            text,
            ground: palette.tag,
            colour: palette.text,
            font: FontId::monospace(SMALL + 1.0),
        };
        if main.contains(pointer) {
            let price = self.scale.text(self.scale.price(value.y), self.decimals());
            tag(price).paint(painter, Pos2::new(frame.right() + 2.0, pointer.y), Align2::LEFT_CENTER, self.whole);
        }
        let slot = self.slot_at(value.x).map(|(from, _)| from);
        if let Some(time) = slot.and_then(|from| DateTime::from_timestamp(from, 0)) {
            let text = format::candle_time(time, self.series.interval(), self.scene.choices.zone);
            tag(text).paint(painter, Pos2::new(x, frame.bottom() + 1.0), Align2::CENTER_TOP, self.whole);
        }
        bar
    }

    fn legend(&self, painter: &Painter, palette: &Palette, bar: Option<Bar>, missing: Option<&str>) {
        let font = FontId::monospace(SMALL + 1.0);
        let mut job = LayoutJob::default();
        let mut add = |text: &str, colour: Color32| job.append(text, 0.0, TextFormat::simple(font.clone(), colour));
        let number_of = |value: f64| format::price_f64(value, self.decimals());
        match bar {
            Some(bar) => {
                let colour = if bar.is_up() { palette.up } else { palette.down };
                for (name, value) in [
                    ("O", number_of(bar.open)),
                    ("  H", number_of(bar.high)),
                    ("  L", number_of(bar.low)),
                    ("  C", number_of(bar.close)),
                    ("  ", format::percent_f64(bar.change_percent())),
                    ("  Vol", format::amount(bar.volume)),
                ] {
                    add(name, palette.weak);
                    add(&format!(" {value}"), colour);
                }
                if let (Some(words), Some(colour)) = (bar.origin.words(), palette.of_origin(bar.origin)) {
                    add(&format!("  {words}"), colour);
                }
            }
            None => add("no candle here", palette.weak),
        }
        let place =
            bar.and_then(|bar| self.series.bars().binary_search_by_key(&bar.open_time, |known| known.open_time).ok());
        for (number, (indicator, lines)) in self.computed.lines(false).enumerate() {
            let value = place.and_then(|place| self.computed.value(lines.first()?, place));
            let value = value.map_or_else(|| "—".to_owned(), number_of);
            let before = if number == 0 { "\n" } else { "  " };
            add(&format!("{before}{}", indicator.name()), palette.weak);
            add(&format!(" {value}"), palette.lines[indicator.number() % palette.lines.len()]);
        }
        if self.computed.is_left_out() {
            add("\nindicators appear with fewer candles", palette.weak);
        }
        if let Some(words) = missing {
            add(&format!("\n{words}"), palette.warn);
        }
        job.wrap.max_width = self.main().width() - 16.0;
        let galley = painter.layout_job(job);
        let place = self.main().left_top() + eframe::egui::vec2(8.0, 7.0);
        let ground = Rect::from_min_size(place, galley.size()).expand2(eframe::egui::vec2(4.0, 2.0));
        painter.rect_filled(ground, 3.0, palette.ground.gamma_multiply(0.75));
        painter.galley(place, galley, palette.text);
    }

    /// The badge of a price that is late or stale.
    fn age(&self, painter: &Painter, palette: &Palette) {
        let Some(ticker) = self.ticker else { return };
        let server_time = self.scene.server_time();
        let Some(text) = age_words(ticker, server_time) else {
            return;
        };
        let frame = self.main();
        let tag =
            Tag { text, ground: palette.warn_ground, colour: palette.warn, font: FontId::proportional(SMALL + 1.0) };
        let place = frame.right_top() + eframe::egui::vec2(-8.0, 6.0);
        let rect = tag.paint(painter, place, Align2::RIGHT_TOP, frame);
        painter.rect_stroke(rect, 3.0, Stroke::new(1.0, palette.warn), eframe::egui::StrokeKind::Inside);
    }
}

/// What the badge says, if there is one.
pub(super) fn age_words(ticker: &Ticker, server_time: DateTime<Utc>) -> Option<String> {
    let age = format::age(server_time - ticker.time);
    match ticker.freshness(server_time) {
        Freshness::Fresh => None,
        Freshness::Late => Some(format!("last price {age} ago")),
        Freshness::Stale => Some(format!("STALE · last price {age} ago")),
    }
}
