//! The statement: what changed on the account, line by line. It tells of a trade in several lines that do not say which belong together,
//! so that trades are not read from it. A line of a conversion is enough for itself: the coin is counted at what it is worth then.

use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::SOURCE;
use crate::portfolio::import::cells::{Cells, Column, Told, Writing, draft};
use crate::portfolio::import::money::{MONEY_OF_A_CONVERSION, is_money};
use crate::portfolio::import::{Entry, Found, Layout};
use crate::portfolio::{Kind, Order};

const USER: Column = &["User_ID", "User ID"];
const TIME: Column = &["UTC_Time", "Time"];
const ACCOUNT: Column = &["Account"];
const OPERATION: Column = &["Operation"];
const COIN: Column = &["Coin"];
const CHANGE: Column = &["Change"];
const REMARK: Column = &["Remark"];

pub(super) const LAYOUT: Layout = Layout {
    needed: &[TIME, OPERATION, COIN, CHANGE],
    optional: &[USER, ACCOUNT, REMARK],
    fields: &[("date", TIME), ("symbol", COIN), ("volume", CHANGE), ("note", REMARK)],
    read: line,
};

const TRANSFERS: [(&str, Kind); 5] = [
    ("Deposit", Kind::Deposit),
    ("Fiat Deposit", Kind::Deposit),
    ("Withdraw", Kind::Withdrawal),
    ("Fiat Withdraw", Kind::Withdrawal),
    ("Fiat Withdrawal", Kind::Withdrawal),
];

const CONVERSIONS: [&str; 4] =
    ["Binance Convert", "Large OTC trading", "Small Assets Exchange BNB", "Small Assets Exchange BNB (Spot)"];

const INCOME: [&str; 32] = [
    "Simple Earn Flexible Interest",
    "Simple Earn Flexible Airdrop",
    "Simple Earn Locked Rewards",
    "Savings Interest",
    "Savings Distribution",
    "POS savings interest",
    "Staking Rewards",
    "ETH 2.0 Staking Rewards",
    "BNB Vault Rewards",
    "DOT Slot Auction Rewards",
    "Liquid Swap rewards",
    "Swap Farming Rewards",
    "Launchpool Interest",
    "Launchpool Airdrop",
    "Launchpool Airdrop - System Distribution",
    "Launchpool Airdrop - User Claim Distribution",
    "HODLer Airdrops Distribution",
    "Megadrop Rewards",
    "Airdrop Assets",
    "Distribution",
    "Pool Distribution",
    "Super BNB Mining",
    "Campaign Related Reward",
    "Mission Reward Distribution",
    "Cash Voucher Distribution",
    "Crypto Box",
    "Commission History",
    "Commission Rebate",
    "Commission Fee Shared With You",
    "Referral Commission",
    "Referral Kickback",
    "Referrer rebates",
];

const TRADES: [&str; 8] = [
    "Buy",
    "Sell",
    "Fee",
    "Transaction Buy",
    "Transaction Spend",
    "Transaction Sold",
    "Transaction Revenue",
    "Transaction Fee",
];

const MOVEMENTS: [&str; 13] = [
    "Simple Earn Flexible Subscription",
    "Simple Earn Flexible Redemption",
    "Simple Earn Locked Subscription",
    "Simple Earn Locked Redemption",
    "Savings purchase",
    "Savings Principal redemption",
    "POS savings purchase",
    "POS savings redemption",
    "Staking Purchase",
    "Staking Redemption",
    "Launchpool Subscription/Redemption",
    "transfer_in",
    "transfer_out",
];

/// Between which places differs; all begin so.
const MOVEMENT: &str = "Transfer Between ";

fn line(cells: &mut Cells<'_>, default_currency: &str) -> Result<Found, Told> {
    let word = cells.text(OPERATION);
    let is = |known: &&str| known.eq_ignore_ascii_case(word);
    if let Some((_, kind)) = TRANSFERS.iter().find(|(known, _)| is(known)) {
        transfer(cells, *kind, default_currency)
    } else if CONVERSIONS.iter().any(is) {
        conversion(cells)
    } else if INCOME.iter().any(is) {
        income(cells, default_currency)
    } else {
        Ok(Found::Skipped(why_not(word, cells.text(ACCOUNT))))
    }
}

/// Why what this operation says is left out.
fn why_not(operation: &str, account: &str) -> &'static str {
    let is = |known: &&str| known.eq_ignore_ascii_case(operation);
    let begin = operation.get(..MOVEMENT.len()).unwrap_or_default();
    if TRADES.iter().any(is) && (account.is_empty() || account.eq_ignore_ascii_case("Spot")) {
        "trades and their fees are not read from this file: they come from the history of spot trades"
    } else if MOVEMENTS.iter().any(is) || begin.eq_ignore_ascii_case(MOVEMENT) {
        "coins that only changed their place within Binance are not read"
    } else {
        "this operation is not read: what was bought or sold by it, and is not in the history of spot trades, is to be written down by hand"
    }
}

fn transfer(cells: &mut Cells<'_>, kind: Kind, default_currency: &str) -> Result<Found, Told> {
    let at = cells.short_moment(TIME);
    let coin = coin(cells);
    let change = cells.amount(CHANGE, Writing::Thousands).and_then(|change| {
        let is_right = if kind == Kind::Deposit { change > Decimal::ZERO } else { change < Decimal::ZERO };
        let detail = "it changes what is there in the wrong direction";
        if is_right {
            Ok(change)
        } else {
            Err(cells.wrong(CHANGE, detail, "above 0 for a deposit, below 0 for a withdrawal"))
        }
    });
    let entry = Entry {
        kind,
        volume: change?.abs(),
        note: cells.note(REMARK),
        ..draft(at?, &coin?, default_currency, SOURCE, cells.made_up())
    };
    Ok(Found::Entries(vec![entry]))
}

/// One coin of a conversion: what left was sold, what came was bought, for what it was worth then.
fn conversion(cells: &mut Cells<'_>) -> Result<Found, Told> {
    let at = cells.short_moment(TIME);
    let (coin, change) = (coin(cells), cells.amount(CHANGE, Writing::Thousands));
    let (at, coin, change) = (at?, coin?, change?);
    if is_money(&coin) {
        return Ok(Found::Skipped(MONEY_OF_A_CONVERSION));
    }
    if change.is_zero() {
        return Ok(Found::Skipped(NOTHING));
    }
    let entry = Entry {
        order: if change < Decimal::ZERO { Order::Sell } else { Order::Buy },
        volume: change.abs(),
        value: Some(change.abs()),
        note: Some(note(cells)),
        ..draft(at, &coin, &coin, SOURCE, cells.made_up())
    };
    Ok(Found::Entries(vec![entry]))
}

/// What came without being paid for; the note says what it was.
fn income(cells: &mut Cells<'_>, default_currency: &str) -> Result<Found, Told> {
    let at = cells.short_moment(TIME);
    let (coin, change) = (coin(cells), cells.amount(CHANGE, Writing::Thousands));
    let (at, coin, change) = (at?, coin?, change?);
    if change.is_zero() {
        return Ok(Found::Skipped(NOTHING));
    }
    if change < Decimal::ZERO {
        return Ok(Found::Skipped("what was taken away again is not read: it is to be written down by hand"));
    }
    let entry = Entry {
        order: Order::Buy,
        volume: change,
        value: Some(Decimal::ZERO),
        note: Some(note(cells)),
        ..draft(at, &coin, default_currency, SOURCE, cells.made_up())
    };
    Ok(Found::Entries(vec![entry]))
}

const NOTHING: &str = "it changes nothing";

fn coin(cells: &mut Cells<'_>) -> Result<SmolStr, Told> {
    cells.word(COIN, "the code of a coin, such as BTC").map(SmolStr::new)
}

/// The operation, and what else was written to it.
fn note(cells: &Cells<'_>) -> String {
    let remark = cells.note(REMARK).map_or_else(String::new, |remark| format!(": {remark}"));
    format!("{}{remark}", cells.text(OPERATION))
}
