//! Indicators with a scale of their own, each in a strip below the prices.

use std::ops::RangeInclusive;

use eframe::egui::{FontId, Mesh, Pos2, Rect, Shape, Ui};
use egui_plot::{AxisHints, GridInput, GridMark, HPlacement};

use super::{Chart, Extent, axes, bare_plot, plain_axis, scale::Scale, steer, time_axis};
use crate::{
    format,
    indicators::{Indicator, Line},
    panels::Scene,
    state::{Series, in_view},
    theme::{Palette, SMALL},
    widgets::{candles::Place, line::value_shapes, plot_item::Drawing},
};

impl Chart {
    /// Shows them; tells where the lowest of them is. Where the pointer is over one of them, it becomes known.
    pub(super) fn below(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        series: &Series,
        (range, extent): ((f64, f64), Extent),
        (count, height, tag_width): (usize, f32, f32),
        pointer: &mut Option<Pos2>,
    ) -> Option<Rect> {
        let palette = Palette::of(ui);
        let (zone, interval) = (scene.choices.zone, series.interval());
        let width = interval.seconds();
        let shown = in_view(series.bars(), width, range);
        let bars = &series.bars()[shown.clone()];
        let mut frame = None;
        let computed = &self.computed;
        let view = &mut self.view;
        for (number, (indicator, lines)) in computed.lines(true).take(count).enumerate() {
            let values: Vec<&[Option<f64>]> = lines.iter().map(|line| computed.values(line, &shown)).collect();
            let bounds = bounds(indicator, &values);
            let is_last = number + 1 == count;
            let response = bare_plot(indicator.name(), palette)
                .height(height)
                .x_grid_spacer(move |input| axes::time_marks(&input, zone, interval))
                .y_grid_spacer(move |input| marks(indicator, &input))
                .custom_x_axes(if is_last { vec![time_axis(scene, interval, palette)] } else { Vec::new() })
                .custom_y_axes(vec![
                    plain_axis(AxisHints::new_y(), palette)
                        .formatter(|mark, _| axes::price_label(mark))
                        .placement(HPlacement::Right)
                        .min_thickness(tag_width),
                ])
                .show(ui, |plot| {
                    steer(view, plot, extent);
                    plot.set_plot_bounds_x(range.0..=range.1);
                    plot.set_plot_bounds_y(bounds);
                    plot.add(Drawing::new("lines", |ui, transform, shapes| {
                        let place = Place { transform, pixels: ui.pixels_per_point(), width, scale: Scale::Linear };
                        if let (Indicator::Macd, Some(histogram)) = (indicator, values.get(2)) {
                            let mut mesh = Mesh::default();
                            for (bar, value) in bars.iter().zip(*histogram) {
                                let Some(value) = value else { continue };
                                let colour = if *value >= 0.0 { palette.up } else { palette.down };
                                mesh.add_colored_rect(place.column(bar, 0.0, *value), colour.gamma_multiply(0.5));
                            }
                            shapes.push(Shape::mesh(mesh));
                        }
                        for (line, colour) in values.iter().take(2).zip([palette.lines[0], palette.lines[3]]) {
                            shapes.extend(value_shapes(bars, line, place, colour));
                        }
                    }));
                });
            let strip = *response.transform.frame();
            legend(ui, strip, indicator, lines, series, computed);
            *pointer = pointer.or(response.response.hover_pos());
            frame = Some(strip);
        }
        frame
    }
}

fn legend(
    ui: &Ui,
    strip: Rect,
    indicator: Indicator,
    lines: &[Line],
    series: &Series,
    computed: &super::computed::Computed,
) {
    let palette = Palette::of(ui);
    let newest = series.bars().len().saturating_sub(1);
    let value = lines.first().and_then(|line| computed.value(line, newest));
    let value =
        value.map_or_else(|| format::UNKNOWN.to_owned(), |value| format::price_f64(value, decimals(indicator, value)));
    ui.painter().text(
        strip.left_top() + eframe::egui::vec2(8.0, 4.0),
        eframe::egui::Align2::LEFT_TOP,
        format!("{} {value}", indicator.name()),
        FontId::monospace(SMALL + 0.5),
        palette.weak,
    );
}

/// As many as tell it from nothing.
fn decimals(indicator: Indicator, value: f64) -> u32 {
    if indicator == Indicator::Rsi {
        return 1;
    }
    (2.0 - value.abs().max(1e-12).log10().floor()).clamp(0.0, 12.0) as u32
}

fn bounds(indicator: Indicator, lines: &[&[Option<f64>]]) -> RangeInclusive<f64> {
    if indicator == Indicator::Rsi {
        return 0.0..=100.0;
    }
    let most = lines.iter().flat_map(|line| line.iter().flatten()).fold(0.0_f64, |most, value| most.max(value.abs()));
    let most = if most > 0.0 { most * 1.15 } else { 1.0 };
    -most..=most
}

fn marks(indicator: Indicator, input: &GridInput) -> Vec<GridMark> {
    if indicator == Indicator::Rsi {
        // Above the one it is called overbought, below the other oversold.
        return [30.0, 70.0].map(|value| GridMark { value, step_size: 40.0 }).into();
    }
    axes::price_marks(input)
}
