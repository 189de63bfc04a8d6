//! What trades are worth at prices: of each coin, and together.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::{Direction, Prices, TooLarge, Trade, ratio};

/// What was paid for something, and what it is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Worth {
    /// What it is worth at the prices.
    pub converted_value: Decimal,
    /// What was paid for what was bought, less what came for what was sold.
    pub value_bought: Decimal,
}

impl Worth {
    /// What it earned, as a part of what was paid; `None` where nothing was, on balance, or more came out than was paid: nothing is left then
    /// of which it could be a part.
    pub fn roi(&self) -> Option<Decimal> {
        if self.value_bought <= Decimal::ZERO {
            return None;
        }
        ratio(self.converted_value.checked_sub(self.value_bought)?, self.value_bought)
    }

    fn add(&mut self, other: &Self) -> Option<()> {
        self.converted_value = self.converted_value.checked_add(other.converted_value)?;
        self.value_bought = self.value_bought.checked_add(other.value_bought)?;
        Some(())
    }
}

/// One coin of a balance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// Units that were bought, less those that were sold.
    pub volume: Decimal,
    /// The price of one unit.
    pub price: Decimal,
    /// What was paid, and what it is worth.
    pub worth: Worth,
    /// How many trades it is made of.
    pub trades: usize,
}

/// What trades are worth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balance {
    /// Each coin that has a price.
    pub holdings: BTreeMap<SmolStr, Holding>,
    /// All of them together.
    pub total: Worth,
    /// The coins that have none, and how many trades were left out therefore.
    pub unpriced: BTreeMap<SmolStr, usize>,
}

/// Adds trades up. Those of coins without a price are left out, and told.
///
/// # Errors
/// When numbers become too large.
pub fn balance<'a>(trades: impl IntoIterator<Item = &'a Trade>, prices: &Prices) -> Result<Balance, TooLarge> {
    let mut balance = Balance::default();
    for trade in trades {
        let Some(price) = prices.get(&trade.symbol) else {
            *balance.unpriced.entry(trade.symbol.clone()).or_default() += 1;
            continue;
        };
        let holding = match balance.holdings.get_mut(&trade.symbol) {
            Some(holding) => holding,
            None => {
                balance.holdings.entry(trade.symbol.clone()).or_insert(Holding { price: *price, ..Holding::default() })
            }
        };
        let signed = |amount: Decimal| if trade.direction == Direction::Buy { amount } else { -amount };
        let worth = &mut holding.worth;
        holding.volume = holding.volume.checked_add(signed(trade.volume)).ok_or(TooLarge)?;
        worth.value_bought = worth.value_bought.checked_add(signed(trade.value)).ok_or(TooLarge)?;
        holding.trades += 1;
    }
    for holding in balance.holdings.values_mut() {
        holding.worth.converted_value = holding.volume.checked_mul(holding.price).ok_or(TooLarge)?;
        balance.total.add(&holding.worth).ok_or(TooLarge)?;
    }
    Ok(balance)
}
