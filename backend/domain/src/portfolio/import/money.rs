//! What is money, and what a trade does to both things that change hands.
//!
//! Trades do not count how much money somebody has: a coin is bought for it, or sold for it. Of two coins, one is bought and one sold.

use rust_decimal::Decimal;

use super::cells::{arrived, draft};
use super::{Entry, Found};
use crate::portfolio::Order;

/// Currencies that exchanges trade, and the coins that are worth a dollar or a euro.
const MONEY: [&str; 65] = [
    "AED", "ARS", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF",
    "IDR", "ILS", "INR", "JPY", "KES", "KRW", "KZT", "MXN", "MYR", "NGN", "NOK", "NZD", "PEN", "PHP", "PLN", "RON",
    "RUB", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "UGX", "USD", "VND", "ZAR", "BUSD", "DAI", "FDUSD", "GUSD",
    "HUSD", "PAX", "PYUSD", "RLUSD", "TUSD", "USD1", "USDC", "USDG", "USDP", "USDS", "USDT", "AEUR", "EURC", "EURI",
    "EUROC", "EURS", "EURT",
];

/// How the names of the two sides end.
pub(super) const SALE: &str = "sale";
pub(super) const PURCHASE: &str = "purchase";

pub(super) const MONEY_FOR_MONEY: &str =
    "money was exchanged for money: what is bought for it counts when it is bought";

pub(super) const MONEY_OF_A_CONVERSION: &str =
    "money of a conversion is not read: the coin that was bought or sold for it is in another line";

/// Currencies that are traded for nothing themselves, but share their code with a coin that is: Ronin.
const COINS_TOO: [&str; 1] = ["RON"];

/// Whether this is the code of a currency, or of a coin that is worth as much as a dollar or a euro.
pub(super) fn is_money(code: &str) -> bool {
    MONEY.iter().any(|money| money.eq_ignore_ascii_case(code))
}

/// What a trade of an exchange says, which is told as that of its first coin.
pub(super) fn traded(entry: Entry) -> Found {
    let is_coin = COINS_TOO.iter().any(|code| code.eq_ignore_ascii_case(&entry.symbol));
    match (is_money(&entry.symbol) && !is_coin, is_money(&entry.currency)) {
        (true, true) => Found::Skipped(MONEY_FOR_MONEY),
        (true, false) => Found::Entries(vec![arrived(turned(entry))]),
        (false, true) => Found::Entries(vec![arrived(entry)]),
        (false, false) => Found::Entries(both_sides(entry)),
    }
}

/// Money was bought for a coin: the coin was sold for it.
fn turned(entry: Entry) -> Entry {
    Entry {
        symbol: entry.currency,
        order: opposite(entry.order),
        volume: entry.value.unwrap_or_default(),
        price: None,
        value: Some(entry.volume),
        currency: entry.symbol,
        ..entry
    }
}

/// One coin was traded for another. The other is counted in itself, as much of it as changed hands with the fee: what the one brings is
/// what the other costs, whatever either is worth then.
fn both_sides(entry: Entry) -> Vec<Entry> {
    let is_paid_in_other = entry.fee_currency.as_ref().is_some_and(|code| code.eq_ignore_ascii_case(&entry.currency));
    let fee = if is_paid_in_other { entry.fee } else { Decimal::ZERO };
    let value = entry.value.unwrap_or_default();
    let is_purchase = entry.order == Order::Buy;
    let moved = if is_purchase { value.checked_add(fee) } else { value.checked_sub(fee) };
    let called = |is_purchase: bool| {
        let side = if is_purchase { PURCHASE } else { SALE };
        entry.source_id.as_ref().map(|name| format!("{name}-{side}"))
    };
    let (main_name, other_name) = (called(is_purchase), called(!is_purchase));
    // Of a trade of next to nothing perhaps nothing came, or nothing but the fee.
    let other = moved.filter(|moved| *moved > Decimal::ZERO).map(|moved| Entry {
        order: opposite(entry.order),
        volume: moved,
        value: Some(moved),
        source_id: other_name,
        ..draft(entry.at, &entry.currency, &entry.currency, &entry.source, String::new())
    });
    let main = Some(arrived(Entry { source_id: main_name, ..entry }));
    let sides = if is_purchase { [other, main] } else { [main, other] };
    sides.into_iter().flatten().collect()
}

fn opposite(order: Order) -> Order {
    match order {
        Order::Buy => Order::Sell,
        Order::Sell => Order::Buy,
        Order::None => Order::None,
    }
}
