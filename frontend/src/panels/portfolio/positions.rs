//! The coins, those of the highest value first. A coin that nobody knows a price of is told as that, and counts nowhere.

use std::collections::BTreeSet;

use api_types::portfolios::{BalanceRow, PositionRow, UnpricedRow};
use eframe::egui::{CornerRadius, Role, Sense, Ui, WidgetInfo, vec2};
use rust_decimal::Decimal;

use super::{
    columns::{Cell, Column, Places, ROW_HEIGHT},
    weak, words,
};
use crate::{format, theme::Palette};

const fn column(title: &'static str, rank: u8) -> Column {
    Column { title, is_left: rank == 0, rank }
}

const COLUMNS: [Column; 9] = [
    column("Coin", 0),
    column("Volume", 5),
    column("Price", 4),
    column("Value", 1),
    column("Share", 6),
    column("Cost", 7),
    column("ROI", 2),
    column("Unrealised", 3),
    column("Realised", 8),
];

/// A coin, and what is known of it.
struct Row<'a> {
    symbol: &'a str,
    /// Nothing where its price is not known.
    position: Option<&'a PositionRow>,
    /// What is known of it then.
    without: Option<&'a UnpricedRow>,
}

/// Shows them.
pub(super) fn show(ui: &mut Ui, balance: &BalanceRow) {
    let rows = rows(balance);
    if rows.is_empty() {
        weak(ui, "Nothing was bought yet. \"Transactions\" writes it down, \"Import\" reads it from a file.");
        return;
    }
    let palette = Palette::of(ui);
    let cells: Vec<Vec<Cell>> = rows.iter().map(|row| cells(row, &balance.currency, palette)).collect();
    let places = Places::of(ui, &COLUMNS, &cells, ui.available_width());
    ui.spacing_mut().item_spacing.y = 0.0;
    places.header(ui, &COLUMNS);
    for (row, cells) in rows.iter().zip(&cells) {
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW_HEIGHT), Sense::hover());
        let sentence = sentence(row, &balance.currency);
        response.widget_info(|| WidgetInfo::labeled(Role::Row, true, &sentence));
        if response.hovered() {
            ui.painter().rect_filled(rect, CornerRadius::same(3), palette.hover);
        }
        places.row(ui.painter(), rect, &COLUMNS, cells);
        response.on_hover_ui(|ui| {
            for line in sentence.split("; ") {
                ui.label(line);
            }
        });
    }
}

/// Those of the highest value first; at the end those without a price, of which the API says only that they do not count.
fn rows(balance: &BalanceRow) -> Vec<Row<'_>> {
    let is_priced = |row: &&PositionRow| row.symbol == balance.currency || !row.price_path.is_empty();
    let (mut priced, unpriced): (Vec<_>, Vec<_>) = balance.positions.iter().partition(is_priced);
    priced.sort_by_key(|row| std::cmp::Reverse(row.converted_value));
    let known: BTreeSet<&str> = priced.iter().map(|row| row.symbol.as_str()).collect();
    let others = balance.unpriced.iter().map(|row| row.symbol.as_str());
    let others = others.chain(unpriced.into_iter().map(|row| row.symbol.as_str()));
    let others: BTreeSet<&str> = others.filter(|symbol| !known.contains(symbol)).collect();
    let without = |symbol: &str| balance.unpriced.iter().find(|row| row.symbol == symbol);
    let priced = priced.into_iter().map(|row| Row { symbol: &row.symbol, position: Some(row), without: None });
    let others = others.into_iter().map(|symbol| Row { symbol, position: None, without: without(symbol) });
    priced.chain(others).collect()
}

fn cells(row: &Row<'_>, currency: &str, palette: &Palette) -> Vec<Cell> {
    let cell = |text: String, colour| Cell { text, colour };
    let Some(position) = row.position else {
        let mut cells = vec![cell(format::UNKNOWN.to_owned(), palette.weak); COLUMNS.len()];
        cells[0] = cell(row.symbol.to_owned(), palette.text);
        cells[2] = cell("no price".to_owned(), palette.warn);
        cells[3] = cell("no price".to_owned(), palette.warn);
        if let Some(without) = row.without {
            cells[1] = cell(words::volume(without.volume), palette.weak);
            cells[5] = cell(words::money(without.cost, currency), palette.weak);
            cells[8] = cell(words::gain(without.realised, currency), words::colour(palette, Some(without.realised)));
        }
        return cells;
    };
    let price = words::price(position.price, currency);
    let price = match words::old(position.price_age_seconds) {
        Some(age) => cell(format!("! {age} {price}"), palette.warn),
        None => cell(price, palette.text),
    };
    let gain = |value: Decimal| cell(words::gain(value, currency), words::colour(palette, Some(value)));
    vec![
        cell(row.symbol.to_owned(), palette.text),
        cell(words::volume(position.volume), palette.weak),
        price,
        cell(words::money(position.converted_value, currency), palette.text),
        cell(words::share(position.share), palette.weak),
        cell(words::money(position.cost, currency), palette.weak),
        cell(words::percent(position.roi), words::colour(palette, position.roi)),
        gain(position.unrealised),
        gain(position.realised),
    ]
}

/// All of it, also what there is no room for.
fn sentence(row: &Row<'_>, currency: &str) -> String {
    let Some(position) = row.position else {
        let held = row.without.map(|without| {
            let [volume, cost] = [words::volume(without.volume), words::money(without.cost, currency)];
            format!("; {volume} that cost {cost} {currency}; realised {}", words::gain(without.realised, currency))
        });
        return format!("{}: no price, so it is worth nothing here{}", row.symbol, held.unwrap_or_default());
    };
    let mut parts = vec![
        format!("{}: {} at {}", row.symbol, words::volume(position.volume), words::price(position.price, currency)),
        format!("worth {} {currency}, {} of the whole", money(position, currency), words::share(position.share)),
        format!("cost {}, ROI {}", words::money(position.cost, currency), words::percent(position.roi)),
        format!(
            "unrealised {}, realised {}",
            words::gain(position.unrealised, currency),
            words::gain(position.realised, currency)
        ),
    ];
    if let Some(age) = words::old(position.price_age_seconds) {
        parts.push(format!("the price is {age} old"));
    }
    if position.uncovered > Decimal::ZERO {
        parts.push(format!("{} sold without having been bought", words::volume(position.uncovered)));
    }
    if !position.price_path.is_empty() {
        parts.push(format!("price by {}", position.price_path));
    }
    parts.join("; ")
}

fn money(position: &PositionRow, currency: &str) -> String {
    words::money(position.converted_value, currency)
}
