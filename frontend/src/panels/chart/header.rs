//! Above the chart: which ticker it is and how it stands, and how it is drawn.

use domain::Interval;
use eframe::egui::{
    Align, Layout, PopupCloseBehavior, RichText, TextStyle, TextWrapMode, Ui, Vec2,
    containers::menu::{MenuButton, MenuConfig},
};
use rust_decimal::prelude::ToPrimitive;

use super::Tool;
use crate::{
    choices::{ChartChoices, ChartStyle, FAVOURITES, ScaleChoice},
    format,
    indicators::Indicator,
    panels::{ChartChange, Command, Scene},
    state::{Freshness, TickerKey},
    theme::{BODY, LARGE, Palette},
    widgets::choice::choice,
};

/// Narrower than this, what is chosen from many has a menu instead of buttons.
const NARROW: f32 = 640.0;
/// Lower than this, the chart needs all the room there is.
const LOW: f32 = 230.0;

/// Shows it.
pub(super) fn show(
    ui: &mut Ui,
    scene: &Scene<'_>,
    choices: &ChartChoices,
    tool: Tool,
    ticker: Option<&TickerKey>,
    commands: &mut Vec<Command>,
) {
    let (narrow, low) = (ui.available_width() < NARROW, ui.available_height() < LOW);
    // From the right, so that in a narrow pane the button keeps its place and the title gives way.
    let height = ui.text_style_height(&TextStyle::Heading) + 2.0;
    let row = Vec2::new(ui.available_width(), height);
    ui.allocate_ui_with_layout(row, Layout::right_to_left(Align::Center), |ui| {
        favourite(ui, scene, ticker, commands);
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.style_mut().wrap_mode = Some(TextWrapMode::Truncate);
            title(ui, scene, ticker);
        });
    });
    if low {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        let mut change = |change| commands.push(Command::Chart(change));
        intervals(ui, narrow, choices, &mut change);
        gap(ui);
        styles(ui, narrow, choices, &mut change);
        gap(ui);
        scales(ui, choices, &mut change);
        gap(ui);
        ui.spacing_mut().item_spacing.x = 4.0;
        indicators(ui, choices, &mut change);
        tools(ui, tool, &mut change);
        MenuButton::new("Save").ui(ui, |ui| {
            if ui.button("Picture (PNG)").clicked() {
                change(ChartChange::ExportPicture);
            }
            if ui.button("Candles in view (CSV)").clicked() {
                change(ChartChange::ExportCandles);
            }
        });
    });
    ui.add_space(3.0);
}

fn gap(ui: &mut Ui) {
    ui.add_space(4.0);
    ui.separator();
    ui.add_space(4.0);
}

fn intervals(ui: &mut Ui, narrow: bool, choices: &ChartChoices, change: &mut impl FnMut(ChartChange)) {
    let mut choose = |ui: &mut Ui| {
        for interval in Interval::ALL {
            if ui.selectable_label(choices.interval == interval, interval.as_str()).clicked() {
                change(ChartChange::Interval(interval));
            }
        }
    };
    if narrow {
        choice(ui, "Width of the candles", 48.0, choices.interval.as_str(), choose);
    } else {
        choose(ui);
    }
}

fn styles(ui: &mut Ui, narrow: bool, choices: &ChartChoices, change: &mut impl FnMut(ChartChange)) {
    let mut choose = |ui: &mut Ui| {
        for (style, name) in ChartStyle::ALL {
            if ui.selectable_label(choices.style == style, name).on_hover_text("The next one with S").clicked() {
                change(ChartChange::Style(style));
            }
        }
    };
    if narrow {
        let name = ChartStyle::ALL.iter().find(|(style, _)| *style == choices.style).map_or("", |(_, name)| name);
        choice(ui, "How prices are drawn", 70.0, name, choose);
    } else {
        choose(ui);
    }
}

fn scales(ui: &mut Ui, choices: &ChartChoices, change: &mut impl FnMut(ChartChange)) {
    for (name, scale, words) in [
        ("Log", ScaleChoice::Logarithmic, "Equal distances are equal ratios (L)"),
        ("%", ScaleChoice::Percent, "Changes since the first candle in view (P)"),
    ] {
        let chosen = choices.scale == scale;
        if ui.selectable_label(chosen, name).on_hover_text(words).clicked() {
            change(ChartChange::Scale(if chosen { ScaleChoice::Linear } else { scale }));
        }
    }
    if ui.selectable_label(choices.volume, "Vol").on_hover_text("Volumes (V)").clicked() {
        change(ChartChange::Volume(!choices.volume));
    }
}

/// What is drawn over the prices and below them, in a menu that stays open while one chooses.
fn indicators(ui: &mut Ui, choices: &ChartChoices, change: &mut impl FnMut(ChartChange)) {
    let menu = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    MenuButton::new("Indicators").config(menu).ui(ui, |ui| {
        let lines = Palette::of(ui).lines;
        for indicator in Indicator::ALL {
            let mut shown = choices.indicators.contains(&indicator);
            let name = RichText::new(indicator.name());
            let name = if indicator.is_below() { name } else { name.color(lines[indicator.number() % lines.len()]) };
            if ui.checkbox(&mut shown, name).on_hover_text(indicator.explanation()).changed() {
                change(ChartChange::Indicator(indicator));
            }
        }
    });
}

fn tools(ui: &mut Ui, tool: Tool, change: &mut impl FnMut(ChartChange)) {
    let words = match tool {
        Tool::Pointer => "Draw",
        Tool::Level => "Draw: click for a level",
        Tool::Trend => "Draw: click from and to",
        Tool::Ruler => "Draw: drag to measure",
    };
    MenuButton::new(words).ui(ui, |ui| {
        for (choice, name, about) in [
            (Tool::Pointer, "Pointer", "Moves the chart and what is drawn into it (Esc)"),
            (Tool::Level, "Level", "A price that stays (D); with A one that rings, where the pointer is"),
            (Tool::Trend, "Trend line", "From one click to another (N)"),
            (Tool::Ruler, "Ruler", "Measures what is dragged over (M, or hold Shift)"),
        ] {
            if ui.selectable_label(tool == choice, name).on_hover_text(about).clicked() {
                change(ChartChange::Tool(choice));
                ui.close();
            }
        }
    });
}

fn title(ui: &mut Ui, scene: &Scene<'_>, ticker: Option<&TickerKey>) {
    let palette = Palette::of(ui);
    let Some(key) = ticker else {
        ui.label(RichText::new("No market yet").heading());
        return;
    };
    let Some(ticker) = scene.state.ticker(key) else {
        ui.label(RichText::new(key.ticker.as_str()).heading());
        ui.label(RichText::new(key.exchange.as_str()).color(palette.weak));
        return;
    };
    ui.label(RichText::new(ticker.name()).heading().strong());
    if ui.available_width() > 440.0 {
        ui.label(RichText::new(format!("{} · {}", ticker.coin, key.exchange)).color(palette.weak));
    }
    ui.add_space(8.0);
    let stale = ticker.freshness(scene.server_time()) == Freshness::Stale;
    let colour = if stale || scene.is_old() { palette.faded } else { palette.text };
    let price = format::price(ticker.price, ticker.decimals);
    ui.label(RichText::new(price).monospace().size(LARGE - 2.0).color(colour));
    let change = ticker.change_24h.and_then(|change| change.to_f64());
    let arrow = match change {
        Some(change) if change > 0.0 => "▲ ",
        Some(change) if change < 0.0 => "▼ ",
        _ => "",
    };
    let words = format!("{arrow}{} in 24h", format::percent(ticker.change_24h));
    ui.label(RichText::new(words).size(BODY).color(palette.of_change(change)));
    if ui.available_width() > 250.0
        && let (Some(low), Some(high)) = (ticker.low_24h, ticker.high_24h)
    {
        let words = format!("{} – {}", format::price(low, ticker.decimals), format::price(high, ticker.decimals));
        ui.label(RichText::new(words).color(palette.weak)).on_hover_text("Lowest and highest price in 24 hours");
    }
}

fn favourite(ui: &mut Ui, scene: &Scene<'_>, ticker: Option<&TickerKey>, commands: &mut Vec<Command>) {
    let Some(ticker) = ticker else { return };
    let chosen = scene.choices.lists.has(FAVOURITES, ticker);
    let words = if chosen { "No longer a favourite (F)" } else { "Among the favourites (F)" };
    if ui.selectable_label(chosen, "Favourite").on_hover_text(words).clicked() {
        commands.push(Command::List(FAVOURITES.to_owned(), ticker.clone()));
    }
}
