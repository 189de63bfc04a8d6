//! What somebody bought and sold, what it is worth, and what it earned.
//!
//! Everything here is counted in one currency: whoever calls has converted what was paid, each at the rate of its time. The rules are
//! written down for users, with worked examples, in docs/PORTFOLIO.md.

mod balance;
mod entry;
pub mod import;
mod lots;
mod performance;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use smol_str::SmolStr;

pub use balance::{Balance, Holding, Worth, balance};
pub use entry::{Entry, Kind, Mistake, Order};
pub use lots::{Disposal, Lot, Method, Profits, profits};
pub use performance::{Closes, Day, Money, money_weighted, series};

/// Whether a coin was bought or sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// It was bought.
    Buy,
    /// It was sold.
    Sell,
}

/// A coin that was bought or sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Code of the coin.
    pub symbol: SmolStr,
    /// Which way.
    pub direction: Direction,
    /// Units of the coin; above 0.
    pub volume: Decimal,
    /// What all of it cost or brought, without the fee; 0 or more.
    pub value: Decimal,
    /// What was paid for the trade itself; 0 or more.
    pub fee: Decimal,
}

impl Trade {
    /// What it cost to buy, or brought when sold, with the fee.
    pub fn money(&self) -> Option<Decimal> {
        match self.direction {
            Direction::Buy => self.value.checked_add(self.fee),
            Direction::Sell => self.value.checked_sub(self.fee),
        }
    }

    /// In this order trades count: by time; at the same moment what was bought before what was sold. What is left is told apart by
    /// what they say, so that it does not matter in which order they were written down.
    pub fn order(&self) -> impl Ord + '_ {
        (self.at, &self.symbol, self.direction, self.volume, self.value, self.fee, self.id)
    }
}

/// Numbers became larger than can be computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amounts are too large to be added up")]
pub struct TooLarge;

/// Prices of one unit, by code.
pub type Prices = BTreeMap<SmolStr, Decimal>;

/// `part` of `whole`, as a number like 0.5; `None` where the whole is zero.
pub fn ratio(part: Decimal, whole: Decimal) -> Option<Decimal> {
    part.checked_div(whole).map(|ratio| ratio.round_dp(12).normalize())
}

#[cfg(test)]
mod tests;
