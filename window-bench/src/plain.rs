//! Charts as the library draws them by itself.

use eframe::egui::{CentralPanel, Context, Pos2, RawInput, Rect, Ui};
use egui_plot::{BoxElem, BoxPlot, BoxSpread, Line, Plot, PlotPoints};

use crate::clock::Clock;

/// Median of a frame with so many candles, in milliseconds.
pub(crate) fn candles(size: [f32; 2], count: usize, frames: usize) -> f64 {
    let boxes: Vec<BoxElem> = (0..count)
        .map(|number| {
            let (open, close) = (height(number), height(number + 1));
            let (low, high) = (open.min(close), open.max(close));
            let spread = BoxSpread::new(low - 1.0, low, f64::midpoint(low, high), high, high + 1.0);
            BoxElem::new(number as f64, spread)
        })
        .collect();
    let median = measure(size, frames, |ui| {
        Plot::new("plain").show(ui, |plot| plot.box_plot(BoxPlot::new("candles", boxes.clone())));
    });
    println!("{:<44} {median:>7.2} ms", format!("{count} candles (BoxPlot)"));
    median
}

/// Median of a frame with a line of so many points, in milliseconds.
pub(crate) fn line(size: [f32; 2], count: usize, frames: usize) -> f64 {
    let points: Vec<[f64; 2]> = (0..count).map(|number| [number as f64, height(number)]).collect();
    let points = PlotPoints::from(points);
    let median = measure(size, frames, |ui| {
        Plot::new("plain").show(ui, |plot| {
            plot.line(Line::new("closes", PlotPoints::Borrowed(points.points())).allow_hover(false));
        });
    });
    println!("{:<44} {median:>7.2} ms", format!("a line of {count} points"));
    median
}

fn measure(size: [f32; 2], frames: usize, mut show: impl FnMut(&mut Ui)) -> f64 {
    let context = Context::default();
    let mut clock = Clock::new();
    for number in 0..frames + 3 {
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, size.into())),
            time: Some(number as f64 * 0.2),
            ..RawInput::default()
        };
        clock.time(|| {
            let mut output = context.run_ui(input, |ui| {
                CentralPanel::no_frame().show(ui, |ui| show(ui));
            });
            output.textures_delta.clear();
            context.tessellate(output.shapes, output.pixels_per_point).len()
        });
    }
    clock.summary().median
}

fn height(number: usize) -> f64 {
    let x = number as f64;
    1_000.0 + 40.0 * (x * 0.000_9).sin() + 8.0 * (x * 0.031).sin()
}
