//! What Coinbase exports.
//!
//! Whether amounts that leave are negative differs from file to file; the type says which way they went.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::cells::{Cells, Column, Told, Writing, arrived, draft, number};
use super::{Entry, Found, Layout};
use crate::portfolio::{Kind, Order};

const SOURCE: &str = "coinbase";

const ID: Column = &["ID"];
const TIME: Column = &["Timestamp"];
const TYPE: Column = &["Transaction Type"];
const ASSET: Column = &["Asset"];
const QUANTITY: Column = &["Quantity Transacted"];
const CURRENCY: Column = &["Price Currency", "Spot Price Currency"];
const PRICE: Column = &["Price at Transaction", "Spot Price at Transaction"];
const SUBTOTAL: Column = &["Subtotal"];
const TOTAL: Column = &["Total (inclusive of fees and/or spread)", "Total (inclusive of fees)"];
const FEES: Column = &["Fees and/or Spread", "Fees"];
const NOTES: Column = &["Notes"];

pub(super) const LAYOUTS: &[Layout] = &[Layout {
    needed: &[TIME, TYPE, ASSET, QUANTITY, CURRENCY, PRICE, SUBTOTAL, TOTAL, FEES],
    optional: &[ID, NOTES],
    fields: &[
        ("date", TIME),
        ("symbol", ASSET),
        ("currency", CURRENCY),
        ("volume", QUANTITY),
        ("price", PRICE),
        ("value", SUBTOTAL),
        ("fee", FEES),
        ("fee_currency", CURRENCY),
        ("source_id", ID),
        ("note", NOTES),
    ],
    read: transaction,
}];

/// What a record is about.
#[derive(Clone, Copy)]
enum Type {
    Trade(Order),
    Transfer(Kind),
    Income,
    Conversion,
}

const TYPES: [(&str, Type); 21] = [
    ("Buy", Type::Trade(Order::Buy)),
    ("Advanced Trade Buy", Type::Trade(Order::Buy)),
    ("Advance Trade Buy", Type::Trade(Order::Buy)),
    ("Sell", Type::Trade(Order::Sell)),
    ("Advanced Trade Sell", Type::Trade(Order::Sell)),
    ("Advance Trade Sell", Type::Trade(Order::Sell)),
    ("Receive", Type::Transfer(Kind::Deposit)),
    ("Deposit", Type::Transfer(Kind::Deposit)),
    ("Send", Type::Transfer(Kind::Withdrawal)),
    ("Withdrawal", Type::Transfer(Kind::Withdrawal)),
    ("Staking Income", Type::Income),
    ("Reward Income", Type::Income),
    ("Rewards Income", Type::Income),
    ("Learning Reward", Type::Income),
    ("Inflation Reward", Type::Income),
    ("Coinbase Earn", Type::Income),
    ("Incentives Rewards Payout", Type::Income),
    ("Interest payout", Type::Income),
    ("Subscription Rebate", Type::Income),
    ("Subscription Rebates (24 Hours)", Type::Income),
    ("Convert", Type::Conversion),
];

/// Types of what stays within Coinbase.
const MOVEMENTS: [&str; 7] = [
    "Exchange Deposit",
    "Exchange Withdrawal",
    "Pro Deposit",
    "Pro Withdrawal",
    "Retail Staking Transfer",
    "Retail Unstaking Transfer",
    "Vault Withdrawal",
];

/// What stands in every record.
struct Common<'a> {
    at: DateTime<Utc>,
    asset: &'a str,
    currency: &'a str,
    quantity: Decimal,
    price: Option<Decimal>,
    subtotal: Option<Decimal>,
    total: Option<Decimal>,
    fees: Option<Decimal>,
}

fn transaction(cells: &mut Cells<'_>, _: &str) -> Result<Found, Told> {
    let word = cells.text(TYPE);
    if MOVEMENTS.iter().any(|known| known.eq_ignore_ascii_case(word)) {
        return Ok(Found::Skipped("coins that only changed their place within Coinbase are not read"));
    }
    let kind = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
    if kind.is_none() && !word.is_empty() {
        return Ok(Found::Skipped(
            "this type of transaction is not known: if it is a purchase or a sale, it is to be written down by hand",
        ));
    }
    let kind = kind.ok_or_else(|| cells.wrong(TYPE, "this cell is empty", "the type of transaction, such as Buy"));
    let common = common(cells);
    let ((_, kind), common) = (kind?, common?);
    match kind {
        Type::Trade(order) => trade(cells, &common, *order),
        Type::Transfer(kind) => Ok(transfer(cells, &common, *kind)),
        Type::Income => Ok(income(cells, &common)),
        Type::Conversion => conversion(cells, &common),
    }
}

fn common<'a>(cells: &mut Cells<'a>) -> Result<Common<'a>, Told> {
    let at = cells.moment(TIME);
    let asset = cells.word(ASSET, "the code of a coin, such as BTC");
    let currency = cells.word(CURRENCY, "the code of a currency, such as USD");
    let quantity = cells.amount(QUANTITY, Writing::Thousands);
    let [price, subtotal, total, fees] = [PRICE, SUBTOTAL, TOTAL, FEES]
        .map(|column| cells.number(column, Writing::Money).map(|money| money.map(|money| money.abs())));
    Ok(Common {
        at: at?,
        asset: asset?,
        currency: currency?,
        quantity: quantity?,
        price: price?,
        subtotal: subtotal?,
        total: total?,
        fees: fees?,
    })
}

fn start(cells: &Cells<'_>, common: &Common<'_>, symbol: &str) -> Entry {
    let entry = draft(common.at, symbol, common.currency, SOURCE, cells.name(ID));
    Entry { price: common.price, fee_currency: Some(SmolStr::new(common.currency)), note: cells.note(NOTES), ..entry }
}

/// What is worth so much without the fee.
fn subtotal(cells: &mut Cells<'_>, common: &Common<'_>) -> Result<Decimal, Told> {
    common.subtotal.ok_or_else(|| {
        cells.wrong(SUBTOTAL, "this cell is empty", "what it was worth without the fee, such as $1,234.56")
    })
}

fn trade(cells: &mut Cells<'_>, common: &Common<'_>, order: Order) -> Result<Found, Told> {
    let value = subtotal(cells, common)?;
    let difference = common.total.map(|total| (total - value).abs());
    let entry = Entry {
        order,
        // What was bought and is negative was not bought.
        volume: if order == Order::Sell { common.quantity.abs() } else { common.quantity },
        value: Some(value),
        fee: common.fees.or(difference).unwrap_or_default(),
        ..start(cells, common, common.asset)
    };
    Ok(Found::Entries(vec![arrived(entry)]))
}

fn transfer(cells: &Cells<'_>, common: &Common<'_>, kind: Kind) -> Found {
    let entry = Entry {
        kind,
        volume: if kind == Kind::Withdrawal { common.quantity.abs() } else { common.quantity },
        price: None,
        fee: common.fees.unwrap_or_default(),
        ..start(cells, common, common.asset)
    };
    Found::Entries(vec![arrived(entry)])
}

/// What came without being paid for; the note says what it was.
fn income(cells: &Cells<'_>, common: &Common<'_>) -> Found {
    let worth = common.subtotal.map_or_else(String::new, |worth| format!(", worth {worth} {} then", common.currency));
    let told = cells.note(NOTES).map_or_else(String::new, |note| format!(": {note}"));
    let entry = Entry {
        order: Order::Buy,
        volume: common.quantity,
        price: None,
        value: Some(Decimal::ZERO),
        note: Some(format!("{}{worth}{told}", cells.text(TYPE))),
        ..start(cells, common, common.asset)
    };
    Found::Entries(vec![arrived(entry)])
}

/// One coin was sold and another bought for what came for it. The total is what the sold one was worth, the subtotal what is left of that
/// without the fee: the sale has the fee, and the purchase costs exactly what the sale brought.
fn conversion(cells: &mut Cells<'_>, common: &Common<'_>) -> Result<Found, Told> {
    let subtotal = subtotal(cells, common);
    let quantity = common.quantity.abs();
    let note = cells.text(NOTES);
    let bought = converted(note, common.asset, quantity).ok_or_else(|| {
        let detail = "this does not say what the coin was converted to";
        cells.wrong(NOTES, detail, &format!("Converted 0.1 {} to 1.5 ETH", common.asset))
    });
    let (subtotal, (volume, symbol)) = (subtotal?, bought?);
    let total = common.total.or_else(|| subtotal.checked_add(common.fees?)).unwrap_or(subtotal);
    let (worth, brought) = (subtotal.max(total), subtotal.min(total));
    let name = cells.name(ID);
    let sale = Entry {
        order: Order::Sell,
        volume: quantity,
        value: Some(worth),
        fee: worth - brought,
        source_id: Some(format!("{name}-sale")),
        ..start(cells, common, common.asset)
    };
    let purchase = Entry {
        order: Order::Buy,
        volume,
        price: None,
        value: Some(brought),
        source_id: Some(format!("{name}-purchase")),
        ..start(cells, common, symbol)
    };
    Ok(Found::Entries(vec![arrived(sale), arrived(purchase)]))
}

/// What `Converted 0.1 BTC to 1.5 ETH` says was bought, where so much of that asset was sold.
fn converted<'a>(note: &'a str, asset: &str, quantity: Decimal) -> Option<(Decimal, &'a str)> {
    let words: Vec<&str> = note.split_whitespace().take(6).collect();
    let [first, sold, from, to, bought, symbol] = words[..] else { return None };
    if !first.eq_ignore_ascii_case("Converted") || !to.eq_ignore_ascii_case("to") || !from.eq_ignore_ascii_case(asset) {
        return None;
    }
    let with_dot = |text: &str| number(text, Writing::Thousands);
    let with_comma = |text: &str| number(&text.replace('.', "").replace(',', "."), Writing::Plain);
    // In some languages a comma stands before decimals: the amount that was sold tells whether it does.
    let has_comma = with_dot(sold) != Some(quantity) && with_comma(sold) == Some(quantity);
    Some((if has_comma { with_comma(bought) } else { with_dot(bought) }?, symbol))
}
