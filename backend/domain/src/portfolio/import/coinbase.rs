//! What Coinbase exports.
//!
//! Whether amounts that leave are negative differs from file to file; the type says which way they went.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::cells::{Cells, Column, Told, Writing, arrived, draft, number};
use super::money::{MONEY_FOR_MONEY, MONEY_OF_A_CONVERSION, PURCHASE, SALE, is_money, traded};
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
    Ok(match traded_for(cells.text(NOTES), common, order) {
        Some(other) => for_a_coin(cells, common, entry, other),
        None => traded(entry),
    })
}

/// A coin was traded for another, and both are counted in the same currency: so much of the other, with the fee, as changed hands. Newer
/// exports leave the note out, and with it the other coin: what the line itself tells is called the same in both.
fn for_a_coin(cells: &Cells<'_>, common: &Common<'_>, entry: Entry, (volume, symbol): (Decimal, &str)) -> Found {
    let value = entry.value.unwrap_or_default();
    let is_purchase = entry.order == Order::Buy;
    let moved = if is_purchase { value.checked_add(entry.fee) } else { value.checked_sub(entry.fee) };
    let (order, side) = if is_purchase { (Order::Sell, SALE) } else { (Order::Buy, PURCHASE) };
    let other = Entry {
        order,
        volume,
        price: None,
        value: Some(moved.unwrap_or(value).max(Decimal::ZERO)),
        ..start(cells, common, symbol)
    };
    let other = called(cells, other, side);
    coins(if is_purchase { [other, entry] } else { [entry, other] })
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

/// One coin was sold and another bought for what came for it. In older exports the line of the coin that was sold tells both, in its note.
/// Newer ones have a line for each coin, both with the same ID: with the same note, of which the line of the coin that was bought need not
/// tell anything; or with none, so that each line tells its own side.
fn conversion(cells: &mut Cells<'_>, common: &Common<'_>) -> Result<Found, Told> {
    let note = cells.text(NOTES);
    let is_own = |code: &str| code.eq_ignore_ascii_case(common.asset);
    match converted(note) {
        Some([sold, bought]) if is_own(sold.1) => {
            let volume = other_amount(sold.0, common.quantity, bought.0);
            both_of_conversion(cells, common, volume, bought.1)
        }
        Some([_, bought]) if is_own(bought.1) => {
            Ok(Found::Skipped("the line of what was sold in this conversion tells also of what was bought"))
        }
        // In older exports there is no minus before what was sold, but always a note.
        _ if !note.is_empty() && common.quantity > Decimal::ZERO => {
            let allowed = format!("Converted 0.1 {} to 1.5 ETH; or nothing, where so much was bought", common.asset);
            Err(cells.wrong(NOTES, "this does not say whether the coin was sold or bought", &allowed))
        }
        _ if is_money(common.asset) => Ok(Found::Skipped(MONEY_OF_A_CONVERSION)),
        _ => one_of_conversion(cells, common),
    }
}

/// The sale has the fee, and the purchase costs exactly what the sale brought.
fn both_of_conversion(
    cells: &mut Cells<'_>,
    common: &Common<'_>,
    bought: Option<Decimal>,
    symbol: &str,
) -> Result<Found, Told> {
    let worth = worth(cells, common);
    let bought = bought.ok_or_else(|| {
        let detail = "this does not say how much the coin was converted to";
        cells.wrong(NOTES, detail, &format!("Converted 0.1 {} to 1.5 ETH", common.asset))
    });
    let ((worth, brought), volume) = (worth?, bought?);
    let fee = worth - brought;
    let sale = Entry {
        order: Order::Sell,
        volume: common.quantity.abs(),
        value: Some(worth),
        fee,
        ..start(cells, common, common.asset)
    };
    let purchase = Entry {
        order: Order::Buy,
        volume,
        price: None,
        value: Some(brought),
        // Where money was sold, the purchase alone is counted.
        fee: if is_money(common.asset) { fee } else { Decimal::ZERO },
        ..start(cells, common, symbol)
    };
    Ok(coins([called(cells, sale, SALE), called(cells, purchase, PURCHASE)]))
}

/// What was sold is negative.
fn one_of_conversion(cells: &mut Cells<'_>, common: &Common<'_>) -> Result<Found, Told> {
    let (worth, brought) = worth(cells, common)?;
    let (order, side, value) =
        if common.quantity < Decimal::ZERO { (Order::Sell, SALE, worth) } else { (Order::Buy, PURCHASE, brought) };
    let entry = Entry {
        order,
        volume: common.quantity.abs(),
        value: Some(value),
        fee: worth - brought,
        ..start(cells, common, common.asset)
    };
    Ok(Found::Entries(vec![arrived(called(cells, entry, side))]))
}

/// What a conversion took, and what was left of that without the fee. Of subtotal and total now one and now the other is larger.
fn worth(cells: &mut Cells<'_>, common: &Common<'_>) -> Result<(Decimal, Decimal), Told> {
    let subtotal = subtotal(cells, common)?;
    let total = common.total.or_else(|| subtotal.checked_add(common.fees?)).unwrap_or(subtotal);
    Ok((subtotal.max(total), subtotal.min(total)))
}

/// Both sides have the same ID, whether one line tells them or two.
fn called(cells: &Cells<'_>, entry: Entry, side: &str) -> Entry {
    Entry { source_id: Some(format!("{}-{side}", cells.name(ID))), ..entry }
}

/// A sale and a purchase, of which that of money does not count.
fn coins(sides: [Entry; 2]) -> Found {
    let coins: Vec<Entry> = sides.into_iter().filter(|entry| !is_money(&entry.symbol)).map(arrived).collect();
    if coins.is_empty() { Found::Skipped(MONEY_FOR_MONEY) } else { Found::Entries(coins) }
}

/// What `Converted 0.1 BTC to 1.5 ETH` says was sold, and what bought: how much, and of what.
fn converted(note: &str) -> Option<[(&str, &str); 2]> {
    let words: Vec<&str> = note.split_whitespace().take(6).collect();
    let [first, sold, from, to, bought, symbol] = words[..] else { return None };
    let is_right = first.eq_ignore_ascii_case("Converted") && to.eq_ignore_ascii_case("to");
    is_right.then_some([(sold, from), (bought, symbol)])
}

/// What `Bought 0.5 ETH for 0.02 BTC on ETH-BTC` says was given for the coin, or came for it, where that is a coin too. The other columns
/// tell nothing of it: they are in the currency of the account.
fn traded_for<'a>(note: &'a str, common: &Common<'_>, order: Order) -> Option<(Decimal, &'a str)> {
    let words: Vec<&str> = note.split_whitespace().take(8).collect();
    let [verb, quantity, asset, _, amount, symbol, _, pair] = words[..] else { return None };
    let is_right = verb.eq_ignore_ascii_case(if order == Order::Buy { "Bought" } else { "Sold" })
        && asset.eq_ignore_ascii_case(common.asset)
        && pair.eq_ignore_ascii_case(&format!("{asset}-{symbol}"));
    let is_coin = !is_money(symbol) && !symbol.eq_ignore_ascii_case(common.currency);
    let amount = other_amount(quantity, common.quantity, amount).filter(|amount| *amount > Decimal::ZERO);
    if is_right && is_coin { Some((amount?, symbol)) } else { None }
}

/// The other number of a note. In some languages a comma stands before decimals: the one that is known tells whether it does.
fn other_amount(known: &str, quantity: Decimal, other: &str) -> Option<Decimal> {
    let with_dot = |text: &str| number(text, Writing::Thousands);
    let with_comma = |text: &str| number(&text.replace('.', "").replace(',', "."), Writing::Plain);
    let is = |number: Option<Decimal>| number == Some(quantity.abs());
    let has_comma = !is(with_dot(known)) && is(with_comma(known));
    if has_comma { with_comma(other) } else { with_dot(other) }
}
