//! One row of the list: name, price and age, change and volume.
//!
//! It is painted rather than made of labels, which is faster and leaves the click to the row; what it says is told
//! to assistive technology in one sentence.

use chrono::TimeDelta;
use eframe::egui::{
    Align2, Color32, FontId, Mesh, Pos2, Rect, Response, Role, Stroke, Ui, Vec2, WidgetInfo,
    text::{LayoutJob, TextFormat},
};
use egui_extras::TableRow;
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::Scene;
use crate::{
    choices::FAVOURITES,
    format,
    state::{Freshness, Ticker, TickerKey},
    theme::{BODY, Palette, SMALL},
};

/// For how long the digits that changed keep their colour.
const TINTED: TimeDelta = TimeDelta::milliseconds(900);
const INSET: f32 = 6.0;

/// What a row shows where there is room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    /// Change and volume of a day.
    pub change: bool,
    /// The last day as a line.
    pub line: bool,
    /// Its highest and lowest price.
    pub range: bool,
}

/// Shows the row of this ticker.
pub(super) fn show(
    row: &mut TableRow<'_, '_>,
    key: &TickerKey,
    scene: &Scene<'_>,
    chosen: bool,
    parts: Parts,
) -> Response {
    row.set_selected(chosen);
    let Some(ticker) = scene.state.ticker(key) else {
        // Gone since the list was made; it leaves with the next one.
        let columns = [true, true, parts.change, parts.line, parts.range];
        for _ in columns.iter().filter(|shown| **shown) {
            row.col(|_| {});
        }
        return row.response();
    };
    let freshness = ticker.freshness(scene.server_time());
    let age = format::age(scene.server_time() - ticker.time);
    let favourite = scene.choices.lists.has(FAVOURITES, key);
    row.col(|ui| name(ui, key, ticker, favourite, freshness));
    if parts.line {
        row.col(|ui| line(ui, scene.state.sparkline(key), ticker, freshness));
    }
    row.col(|ui| price_and_age(ui, ticker, freshness, &age, scene));
    if parts.change {
        row.col(|ui| change_and_volume(ui, ticker, freshness));
    }
    if parts.range {
        row.col(|ui| high_and_low(ui, ticker, freshness));
    }
    let response = row.response();
    response.widget_info(|| {
        WidgetInfo::selected(Role::ListBoxOption, true, chosen, sentence(key, ticker, favourite, &age, freshness))
    });
    response
}

/// The last day, from its lowest to its highest close; broken where nothing was traded.
fn line(ui: &Ui, closes: &[Option<f64>], ticker: &Ticker, freshness: Freshness) {
    let palette = Palette::of(ui);
    let place = place(ui).shrink2(Vec2::new(3.0, 9.0));
    let known = || closes.iter().flatten().copied();
    let (low, high) = (known().fold(f64::MAX, f64::min), known().fold(f64::MIN, f64::max));
    if closes.len() < 2 || low > high {
        return;
    }
    let colour = palette.of_change(ticker.change_24h.and_then(|change| change.to_f64()));
    let colour = faded(colour, palette, freshness);
    let span = (high - low).max(high.abs() * 1e-9);
    let at = |(number, close): (usize, &Option<f64>)| {
        let x = place.left() + place.width() * number as f32 / (closes.len() - 1) as f32;
        close.map(|close| Pos2::new(x, place.bottom() - ((close - low) / span) as f32 * place.height()))
    };
    let points: Vec<Option<Pos2>> = closes.iter().enumerate().map(at).collect();
    for run in points.split(Option::is_none) {
        let run: Vec<Pos2> = run.iter().flatten().copied().collect();
        match run.as_slice() {
            [] => {}
            [one] => {
                ui.painter().circle_filled(*one, 1.0, colour);
            }
            _ => {
                ui.painter().line(run, Stroke::new(1.0, colour));
            }
        }
    }
}

fn high_and_low(ui: &Ui, ticker: &Ticker, freshness: Freshness) {
    let palette = Palette::of(ui);
    let place = place(ui);
    let right = place.right() - INSET;
    let words = |price: Option<Decimal>| {
        price.map_or_else(|| format::UNKNOWN.to_owned(), |price| format::price(price, ticker.decimals))
    };
    let font = FontId::monospace(SMALL);
    let colour = faded(palette.weak, palette, freshness);
    let paint = ui.painter();
    let (top, bottom) = (Pos2::new(right, place.top() + 7.0), Pos2::new(right, place.bottom() - 6.0));
    paint.text(top, Align2::RIGHT_TOP, words(ticker.high_24h), font.clone(), colour);
    paint.text(bottom, Align2::RIGHT_BOTTOM, words(ticker.low_24h), font, colour);
}

/// What the row says, in words.
fn sentence(key: &TickerKey, ticker: &Ticker, favourite: bool, age: &str, freshness: Freshness) -> String {
    let stale = if freshness == Freshness::Stale { ", stale" } else { "" };
    format!(
        "{} on {}, last {}, {} in 24 hours, updated {age}{}{stale}{}",
        ticker.name(),
        key.exchange,
        format::price(ticker.price, ticker.decimals),
        format::percent(ticker.change_24h),
        if age == "now" { "" } else { " ago" },
        if favourite { ", favourite" } else { "" },
    )
}

fn name(ui: &Ui, key: &TickerKey, ticker: &Ticker, favourite: bool, freshness: Freshness) {
    let palette = Palette::of(ui);
    let place = place(ui);
    let left = place.left() + INSET;
    let paint = ui.painter();
    let text = faded(palette.text, palette, freshness);
    let base = paint.text(
        Pos2::new(left, place.top() + 6.0),
        Align2::LEFT_TOP,
        &ticker.base,
        FontId::proportional(BODY + 0.5),
        text,
    );
    let quote = paint.text(
        Pos2::new(base.right() + 1.0, base.bottom() - 1.0),
        Align2::LEFT_BOTTOM,
        format!("/{}", ticker.quote),
        FontId::proportional(SMALL),
        palette.weak,
    );
    if favourite {
        paint.add(star(Pos2::new(quote.right() + 9.0, base.center().y), palette.warn));
    }
    // Where there is not room for both, the exchange is what tells rows of one coin apart.
    let about = format!("{} · {}", key.exchange, ticker.coin);
    paint.text(
        Pos2::new(left, place.bottom() - 5.0),
        Align2::LEFT_BOTTOM,
        about,
        FontId::proportional(SMALL),
        palette.weak,
    );
}

fn price_and_age(ui: &Ui, ticker: &Ticker, freshness: Freshness, age: &str, scene: &Scene<'_>) {
    let palette = Palette::of(ui);
    let place = place(ui);
    let right = place.right() - INSET;
    let paint = ui.painter();
    let galley = paint.layout_job(price_job(ticker, faded(palette.text, palette, freshness), palette, scene));
    paint.galley(Pos2::new(right - galley.size().x, place.top() + 6.0), galley, palette.text);
    let (words, colour) = match freshness {
        Freshness::Fresh => (age.to_owned(), palette.weak),
        Freshness::Late => (age.to_owned(), palette.warn),
        Freshness::Stale => (format!("STALE {age}"), palette.faded),
    };
    paint.text(
        Pos2::new(right, place.bottom() - 5.0),
        Align2::RIGHT_BOTTOM,
        words,
        FontId::proportional(SMALL),
        colour,
    );
}

fn change_and_volume(ui: &Ui, ticker: &Ticker, freshness: Freshness) {
    let palette = Palette::of(ui);
    let place = place(ui);
    let right = place.right() - INSET;
    let paint = ui.painter();
    let colour = palette.of_change(ticker.change_24h.and_then(|change| change.to_f64()));
    paint.text(
        Pos2::new(right, place.top() + 6.0),
        Align2::RIGHT_TOP,
        format::percent(ticker.change_24h),
        FontId::monospace(BODY - 1.0),
        faded(colour, palette, freshness),
    );
    let volume = ticker.quote_volume_24h.to_f64().map_or_else(|| format::UNKNOWN.to_owned(), format::amount);
    paint.text(
        Pos2::new(right, place.bottom() - 5.0),
        Align2::RIGHT_BOTTOM,
        volume,
        FontId::proportional(SMALL),
        palette.weak,
    );
}

/// The fonts have none.
fn star(middle: Pos2, colour: Color32) -> Mesh {
    const RADIUS: f32 = 5.0;
    let tip = |number: usize| {
        let angle = std::f32::consts::TAU * (number as f32 / 10.0 - 0.25);
        middle + Vec2::angled(angle) * if number.is_multiple_of(2) { RADIUS } else { RADIUS * 0.42 }
    };
    let mut mesh = Mesh::default();
    mesh.colored_vertex(middle, colour);
    for number in 0..10 {
        mesh.colored_vertex(tip(number), colour);
        mesh.add_triangle(0, number as u32 + 1, (number as u32 + 1) % 10 + 1);
    }
    mesh
}

/// The price; for a moment after it changed, the digits that did are coloured.
fn price_job(ticker: &Ticker, colour: Color32, palette: &Palette, scene: &Scene<'_>) -> LayoutJob {
    let text = format::price(ticker.price, ticker.decimals);
    let mut kept = text.len();
    let mut tint = colour;
    if let Some((previous, changed_at)) = ticker.previous
        && scene.now - changed_at < TINTED
    {
        let before = format::price(previous, ticker.decimals);
        kept = text.char_indices().zip(before.chars()).find(|((_, a), b)| a != b).map_or(text.len(), |((at, _), _)| at);
        if before.len() != text.len() {
            kept = 0;
        }
        tint = if ticker.price > previous { palette.up } else { palette.down };
    }
    let mut job = LayoutJob::default();
    for (part, colour) in [(&text[..kept], colour), (&text[kept..], tint)] {
        job.append(part, 0.0, TextFormat::simple(FontId::monospace(BODY - 0.5), colour));
    }
    job
}

fn faded(colour: Color32, palette: &Palette, freshness: Freshness) -> Color32 {
    if freshness == Freshness::Stale { palette.faded } else { colour }
}

fn place(ui: &Ui) -> Rect {
    ui.max_rect()
}
