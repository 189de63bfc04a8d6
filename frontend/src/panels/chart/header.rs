//! Above the chart: which ticker it is and how it stands, and how it is drawn.

use domain::Interval;
use eframe::egui::{
    Align, Layout, PopupCloseBehavior, RichText, Role, TextStyle, TextWrapMode, Theme, Ui, Vec2, WidgetInfo,
    containers::menu::{MenuButton, MenuConfig},
};
use rust_decimal::prelude::ToPrimitive;

use crate::{
    choices::{ChartStyle, ScaleChoice},
    format,
    indicators::Indicator,
    panels::{Command, Scene},
    state::Freshness,
    theme::{BODY, LARGE, Palette, ThemeChoice},
};

/// Shows it.
pub(super) fn show(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    // From the right, so that in a narrow window the button keeps its place and the title gives way.
    let height = ui.text_style_height(&TextStyle::Heading) + 4.0;
    let row = Vec2::new(ui.available_width(), height);
    ui.allocate_ui_with_layout(row, Layout::right_to_left(Align::Center), |ui| {
        theme_button(ui, commands);
        colours(ui, scene, commands);
        favourite(ui, scene, commands);
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.style_mut().wrap_mode = Some(TextWrapMode::Truncate);
            title(ui, scene);
        });
    });
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        for interval in Interval::ALL {
            if ui.selectable_label(scene.choices.interval == interval, interval.as_str()).clicked() {
                commands.push(Command::Interval(interval));
            }
        }
        ui.add_space(6.0);
        ui.separator();
        ui.add_space(6.0);
        for (name, style) in [("Candles", ChartStyle::Candles), ("Line", ChartStyle::Line)] {
            if ui.selectable_label(scene.choices.style == style, name).clicked() {
                commands.push(Command::Style(style));
            }
        }
        ui.add_space(6.0);
        ui.separator();
        ui.add_space(6.0);
        for (name, scale, words) in [
            ("Log", ScaleChoice::Logarithmic, "Equal distances are equal ratios (G)"),
            ("%", ScaleChoice::Percent, "Changes since the first candle in view (P)"),
        ] {
            let chosen = scene.choices.scale == scale;
            if ui.selectable_label(chosen, name).on_hover_text(words).clicked() {
                commands.push(Command::Scale(if chosen { ScaleChoice::Linear } else { scale }));
            }
        }
        ui.add_space(6.0);
        ui.separator();
        ui.add_space(6.0);
        indicators(ui, scene, commands);
    });
    ui.add_space(4.0);
}

/// What is drawn over the prices, in a menu that stays open while one chooses.
fn indicators(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    let menu = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    MenuButton::new("Indicators").config(menu).ui(ui, |ui| {
        for indicator in Indicator::ALL {
            let mut shown = scene.choices.indicators.contains(&indicator);
            let name = RichText::new(indicator.name()).color(Palette::of(ui).lines[indicator.number()]);
            if ui.checkbox(&mut shown, name).on_hover_text(indicator.explanation()).changed() {
                commands.push(Command::Indicator(indicator));
            }
        }
    });
}

fn title(ui: &mut Ui, scene: &Scene<'_>) {
    let palette = Palette::of(ui);
    let Some(key) = &scene.choices.ticker else {
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
    ui.add_space(12.0);
    let stale = ticker.freshness(scene.server_time()) == Freshness::Stale;
    let colour = if stale { palette.faded } else { palette.text };
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
}

fn favourite(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    let Some(ticker) = &scene.choices.ticker else { return };
    let chosen = scene.choices.favourites.contains(ticker);
    let words = if chosen { "No longer a favourite (F)" } else { "Among the favourites (F)" };
    if ui.selectable_label(chosen, "Favourite").on_hover_text(words).clicked() {
        commands.push(Command::Favourite(ticker.clone()));
    }
}

/// How rising and falling are coloured.
fn colours(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    let menu = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    MenuButton::new("Colours").config(menu).ui(ui, |ui| {
        let mut hues = scene.choices.hues;
        let blind = "Blue and orange, which nearly everybody can tell apart";
        let changed = ui.checkbox(&mut hues.colour_blind, "Blue and orange").on_hover_text(blind).changed()
            | ui.checkbox(&mut hues.red_up, "Rising in the colour of falling").changed();
        if changed {
            commands.push(Command::Hues(hues));
        }
    });
}

fn theme_button(ui: &mut Ui, commands: &mut Vec<Command>) {
    let (words, choice) = match ui.ctx().theme() {
        Theme::Dark => ("Light theme (T)", ThemeChoice::Light),
        Theme::Light => ("Dark theme (T)", ThemeChoice::Dark),
    };
    let response = ui.button("◐").on_hover_text(words);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, words));
    if response.clicked() {
        commands.push(Command::Theme(choice));
    }
}
