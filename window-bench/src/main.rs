//! What a frame of the window costs, next to a plain chart of the library that it draws with, in one run.
//!
//! A frame counts from the first widget to the meshes that a graphics card would take: layout, drawing and tessellation,
//! on one thread, without a display. Figures move with the machine and its mood; ratios do not. Run it with
//! `cargo xtask bench dashboard`.

#![allow(clippy::print_stdout, reason = "this program's output is its purpose")]

mod clock;
mod plain;

use chrono::{TimeDelta, Utc};
use clap::Parser;
use dashboard::Rehearsal;

use crate::clock::{Clock, resident_mebibytes};

const SIZE: [f32; 2] = [1280.0, 800.0];
const MARKETS: usize = 2_000;
const MILLION: usize = 1_000_000;
/// Live news is folded together for this long: so many frames a second at most.
const BATCH: TimeDelta = TimeDelta::milliseconds(200);
/// A thousand messages a second.
const MESSAGES: usize = 200;

/// Measures the window's frames and those of a plain chart.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench dashboard")]
struct Arguments {
    /// Frames of each kind; the median counts
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    frames: usize,
    /// Draw the window's hardest frame over and over and nothing else, for a profiler
    #[arg(long)]
    window_only: bool,
}

fn main() {
    let Arguments { frames, window_only } = Arguments::parse();
    println!("{:.0} × {:.0} points, median of {frames} frames", SIZE[0], SIZE[1]);
    println!();
    // First, while the process has nothing else in it.
    if !window_only {
        ten_charts(frames);
        println!();
    }
    println!("the window: {MARKETS} markets, 1,000 messages a second");
    let hardest = window(MILLION, frames, true);
    if window_only {
        return;
    }
    for candles in [500, 10_000, 100_000] {
        window(candles, frames, false);
    }
    window(MILLION, frames, false);
    println!();
    println!("a plain egui_plot chart, nothing else in its window");
    let few = plain::candles(SIZE, 500, frames);
    let many = plain::candles(SIZE, 10_000, frames.min(40));
    let line = plain::line(SIZE, MILLION, frames.min(40));
    println!();
    println!("the window with 1,000,000 candles / a plain chart of 500 candles      {:>6.2}", hardest / few);
    println!("the window with 1,000,000 candles / a plain chart of 10,000 candles   {:>6.2}", hardest / many);
    println!("the window with 1,000,000 candles / a plain line of 1,000,000 points  {:>6.2}", hardest / line);
    println!("(aim: the window's frame under 4 ms; here {hardest:.2} ms)");
}

/// Median of a frame in milliseconds, with so many candles in view.
fn window(candles: usize, frames: usize, pointed: bool) -> f64 {
    let mut rehearsal = Rehearsal::new(SIZE, MARKETS, Utc::now());
    rehearsal.load_candles(candles);
    rehearsal.show_all_candles();
    // The first frames lay out every text anew.
    for _ in 0..5 {
        rehearsal.trade(MESSAGES, BATCH);
        rehearsal.frame();
    }
    let (mut taking, mut drawing) = (Clock::new(), Clock::new());
    let mut vertices = 0;
    for number in 0..frames {
        if pointed {
            rehearsal.point(400.0 + (number % 700) as f32, 300.0);
        }
        taking.time(|| rehearsal.trade(MESSAGES, BATCH));
        vertices = drawing.time(|| rehearsal.frame()).vertices;
    }
    assert!(rehearsal.candles() >= candles, "the chart has other candles than those that are measured");
    let (taking, drawing) = (taking.summary(), drawing.summary());
    let name = format!("{candles} candles in view{}", if pointed { ", pointer moving" } else { "" });
    println!(
        "{name:<44} {:>7.2} ms   p95 {:>6.2}   on CPU {:>6.2}   {vertices:>6} vertices   {MESSAGES} messages: {:.2} ms",
        drawing.median, drawing.p95, drawing.on_cpu, taking.median
    );
    drawing.median
}

/// What ten charts cost, and how much memory.
fn ten_charts(frames: usize) {
    let before = resident_mebibytes();
    let mut rehearsal = Rehearsal::new([2_560.0, 1_440.0], MARKETS, Utc::now());
    rehearsal.open_charts(10);
    rehearsal.load_candles(2_000);
    let mut drawing = Clock::new();
    for _ in 0..frames.max(5) {
        rehearsal.trade(MESSAGES, BATCH);
        drawing.time(|| rehearsal.frame());
    }
    let summary = drawing.summary();
    println!(
        "{:<44} {:>7.2} ms   p95 {:>6.2}   on CPU {:>6.2}",
        "ten charts, 2560 × 1440 points", summary.median, summary.p95, summary.on_cpu
    );
    if let (Some(before), Some(after)) = (before, resident_mebibytes()) {
        println!("{:<44} {:>7.1} MiB ({after:.0} in all)", "memory that they add to this process", after - before);
    }
}
