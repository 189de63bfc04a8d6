//! Our own format.
//!
//! Text that a spreadsheet would take for a formula is written with an apostrophe before it, which reading takes away again.

use std::borrow::Cow;

use chrono::SecondsFormat;
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::cells::{Cells, Column, Told, Writing};
use super::{Entry, Found, Layout};
use crate::portfolio::{Kind, Order};

const DATE: Column = &["date"];
const TYPE: Column = &["type"];
const ORDER_TYPE: Column = &["order_type"];
const SYMBOL: Column = &["symbol"];
const VOLUME: Column = &["volume"];
const PRICE: Column = &["price"];
const VALUE: Column = &["value"];
const CURRENCY: Column = &["currency"];
const FEE: Column = &["fee"];
const FEE_CURRENCY: Column = &["fee_currency"];
const SOURCE: Column = &["source"];
const SOURCE_ID: Column = &["source_id"];
const NOTE: Column = &["note"];

pub(super) const LAYOUTS: &[Layout] = &[Layout {
    needed: &[DATE, TYPE, SYMBOL, VOLUME],
    optional: &[ORDER_TYPE, PRICE, VALUE, CURRENCY, FEE, FEE_CURRENCY, SOURCE, SOURCE_ID, NOTE],
    fields: &[],
    read: entry,
}];

/// With these begins what a spreadsheet takes for a formula; the last four are the full-width forms.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Of an entry that nobody named and that came from nowhere.
const SOURCE_OF_FILES: &str = "csv";

const CODES: &str = "the code of a coin, such as BTC";

fn entry(cells: &mut Cells<'_>, default_currency: &str) -> Result<Found, Told> {
    let at = cells.moment(DATE);
    let kind = match cells.text(TYPE) {
        "" => Ok(Kind::Trade),
        word => Kind::parse(word).ok_or_else(|| {
            cells.wrong(TYPE, "there is no such type", "TRADE, DEPOSIT or WITHDRAWAL; TRADE where it is empty")
        }),
    };
    let order = match cells.text(ORDER_TYPE) {
        "" => Ok(Order::None),
        word => Order::parse(word)
            .ok_or_else(|| cells.wrong(ORDER_TYPE, "there is no such order type", "BUY, SELL or NONE")),
    };
    if matches!((&kind, &order), (Ok(Kind::Trade), Ok(Order::None))) {
        cells.wrong(ORDER_TYPE, "a trade goes one way or the other", "BUY or SELL; NONE for DEPOSIT and WITHDRAWAL");
    }
    let symbol = cells.word(SYMBOL, CODES).map(|_| SmolStr::new(unprotected(cells.raw(SYMBOL))));
    let volume = cells.amount(VOLUME, Writing::Plain);
    let (price, value) = (cells.number(PRICE, Writing::Plain), cells.number(VALUE, Writing::Plain));
    let fee = cells.number(FEE, Writing::Plain);
    let mut source = free(cells, SOURCE);
    let source_id = free(cells, SOURCE_ID).unwrap_or_else(|| {
        source.get_or_insert_with(|| SOURCE_OF_FILES.to_owned());
        cells.made_up()
    });
    let entry = Entry {
        at: at?,
        symbol: symbol?,
        kind: kind?,
        order: order?,
        volume: volume?,
        price: price?,
        value: value?,
        currency: free(cells, CURRENCY).map_or_else(|| SmolStr::new(default_currency), SmolStr::from),
        fee: fee?.unwrap_or_default(),
        fee_currency: free(cells, FEE_CURRENCY).map(SmolStr::from),
        source: source.unwrap_or_default(),
        source_id: Some(source_id),
        note: free(cells, NOTE),
    };
    Ok(Found::Entries(vec![entry]))
}

/// Text as its owner wrote it; nothing but spaces is none.
fn free(cells: &Cells<'_>, column: Column) -> Option<String> {
    (!cells.text(column).is_empty()).then(|| unprotected(cells.raw(column)).to_owned())
}

/// Writes entries as a file of our own format, with the header. Reading it gives the same entries; those without a name get a made-up one,
/// and text of nothing but spaces is none.
pub fn write<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let columns =
        [DATE, TYPE, ORDER_TYPE, SYMBOL, VOLUME, PRICE, VALUE, CURRENCY, FEE, FEE_CURRENCY, SOURCE, SOURCE_ID, NOTE];
    let mut file = columns.concat().join(",");
    file.push('\n');
    for entry in entries {
        let number = |number: Option<Decimal>| number.map_or(Cow::Borrowed(""), |number| number.to_string().into());
        let cells: [Cow<'_, str>; 13] = [
            entry.at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into(),
            entry.kind.as_str().into(),
            entry.order.as_str().into(),
            protected(&entry.symbol),
            entry.volume.to_string().into(),
            number(entry.price),
            number(entry.value),
            protected(&entry.currency),
            entry.fee.to_string().into(),
            protected(entry.fee_currency.as_deref().unwrap_or_default()),
            protected(&entry.source),
            protected(entry.source_id.as_deref().unwrap_or_default()),
            protected(entry.note.as_deref().unwrap_or_default()),
        ];
        for (place, cell) in cells.iter().enumerate() {
            if place > 0 {
                file.push(',');
            }
            push_cell(&mut file, cell);
        }
        file.push('\n');
    }
    file
}

fn push_cell(file: &mut String, cell: &str) {
    if cell.contains([',', '"', '\n', '\r']) {
        file.push('"');
        file.push_str(&cell.replace('"', "\"\""));
        file.push('"');
    } else {
        file.push_str(cell);
    }
}

/// Whether a spreadsheet takes it for a formula, or would once the apostrophes before it are gone.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}

fn protected(text: &str) -> Cow<'_, str> {
    if is_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

fn unprotected(text: &str) -> &str {
    text.strip_prefix('\'').filter(|text| is_formula(text)).unwrap_or(text)
}
