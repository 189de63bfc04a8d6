//! What a portfolio was worth from day to day, and what its owner's money earned.
//!
//! Time-weighted: the return of each span between two moments at which money came or went, multiplied. When a coin is traded, the
//! trade itself says what the coin costs; the others count at what they cost last. So it does not matter how much money came when.
//! Money-weighted: the yearly rate at which everything that was paid in would have grown to what came out and is left.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::{Direction, Prices, TooLarge, Trade};
use crate::rounding::significant;

/// How many digits factors keep.
const DIGITS: u32 = 24;

/// What coins cost at the end of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closes {
    /// When that is.
    pub at: DateTime<Utc>,
    /// The prices.
    pub prices: Prices,
}

/// How a portfolio stood at the end of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// When that is.
    pub at: DateTime<Utc>,
    /// What all coins were worth.
    pub value: Decimal,
    /// What was paid in since the first trade, less what came out.
    pub paid_in: Decimal,
    /// What one unit of money had become since the first trade, whenever it came and went.
    pub growth: Decimal,
    /// Coins that are held and had no price of a market until then; they count at what they were last traded for.
    pub unpriced: Vec<SmolStr>,
}

#[derive(Default)]
struct Coin {
    volume: Decimal,
    price: Option<Decimal>,
    has_market: bool,
}

#[derive(Default)]
struct Walk {
    coins: BTreeMap<SmolStr, Coin>,
    value: Decimal,
    paid_in: Decimal,
    /// The value, behind what last came or went.
    begun_with: Decimal,
    growth: Decimal,
}

/// How a portfolio stood at the end of each of these days, which are in order, as are the trades. What is sold without having been bought
/// counts as having come in at that moment.
///
/// # Errors
/// When numbers become too large.
pub fn series<'a>(trades: impl IntoIterator<Item = &'a Trade>, days: &[Closes]) -> Result<Vec<Day>, TooLarge> {
    let mut walk = Walk { growth: Decimal::ONE, ..Walk::default() };
    let mut trades = trades.into_iter().peekable();
    let mut series = Vec::with_capacity(days.len());
    for closes in days {
        while let Some(trade) = trades.next_if(|trade| trade.at <= closes.at) {
            walk.trade(trade).ok_or(TooLarge)?;
        }
        walk.close(&closes.prices).ok_or(TooLarge)?;
        let unpriced = walk.coins.iter().filter(|(_, coin)| !coin.has_market && !coin.volume.is_zero());
        series.push(Day {
            at: closes.at,
            value: walk.value,
            paid_in: walk.paid_in,
            growth: walk.growth,
            unpriced: unpriced.map(|(symbol, _)| symbol.clone()).collect(),
        });
    }
    Ok(series)
}

impl Walk {
    fn trade(&mut self, trade: &Trade) -> Option<()> {
        let price = trade.value.checked_div(trade.volume).filter(|price| *price > Decimal::ZERO);
        if let Some(price) = price {
            self.mark(&trade.symbol, price)?;
        }
        let coin = self.coins.entry(trade.symbol.clone()).or_default();
        let (money, before) = (trade.money()?, self.value);
        match trade.direction {
            Direction::Buy => {
                coin.volume = coin.volume.checked_add(trade.volume)?;
                self.value = before.checked_add(trade.value)?;
                self.paid_in = self.paid_in.checked_add(money)?;
                self.grow(before.checked_add(money)?, self.value)?;
            }
            Direction::Sell => {
                let held = coin.volume.min(trade.volume);
                coin.volume = coin.volume.checked_sub(held)?;
                let gone = match (held == trade.volume, price) {
                    (true, _) => trade.value,
                    (false, Some(price)) => held.checked_mul(price)?,
                    (false, None) => Decimal::ZERO,
                };
                self.value = if self.coins.values().all(|coin| coin.volume.is_zero()) {
                    Decimal::ZERO
                } else {
                    before.checked_sub(gone)?
                };
                // What had not been bought came in at that moment.
                let came = trade.value.checked_sub(gone)?;
                self.paid_in = self.paid_in.checked_add(came)?.checked_sub(money)?;
                self.grow(before.checked_add(came)?, self.value.checked_add(money)?)?;
            }
        }
        self.begun_with = self.value;
        Some(())
    }

    fn close(&mut self, prices: &Prices) -> Option<()> {
        for (symbol, price) in prices {
            if let Some(coin) = self.coins.get_mut(symbol) {
                coin.has_market = true;
                self.mark(symbol, *price)?;
            }
        }
        // Counted anew, so that what was rounded does not add up.
        let worth = |coin: &Coin| coin.volume.checked_mul(coin.price.unwrap_or_default());
        self.value = self.coins.values().try_fold(Decimal::ZERO, |sum, coin| sum.checked_add(worth(coin)?))?;
        self.grow(self.begun_with, self.value)?;
        self.begun_with = self.value;
        Some(())
    }

    /// A coin costs that from now on.
    fn mark(&mut self, symbol: &SmolStr, price: Decimal) -> Option<()> {
        let coin = self.coins.entry(symbol.clone()).or_default();
        let difference = match coin.price {
            Some(before) => price.checked_sub(before)?,
            None => price,
        };
        coin.price = Some(price);
        let change = coin.volume.checked_mul(difference)?;
        let marked = self.value.checked_add(change)?;
        self.grow(self.begun_with, marked)?;
        (self.value, self.begun_with) = (marked, marked);
        Some(())
    }

    /// So much became so much, without anything coming or going. What was lost whole, such as coins that cost nothing but a fee, begins anew:
    /// nothing that is multiplied by 0 is ever more again.
    fn grow(&mut self, from: Decimal, to: Decimal) -> Option<()> {
        if from > Decimal::ZERO && to > Decimal::ZERO && from != to {
            let growth = self.growth.checked_mul(to.checked_div(from)?)?;
            self.growth = significant(growth, DIGITS);
        }
        Some(())
    }
}

/// Money that came in (above 0) or went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    /// On which day.
    pub on: NaiveDate,
    /// How much.
    pub amount: Decimal,
}

/// The rate at which money would have become what it became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoneyWeighted {
    /// Over the whole span: 0.1 for ten percent.
    pub over_all: Decimal,
    /// A year; `None` where it is too large to be told, as of much that was earned in few days.
    pub yearly: Option<Decimal>,
}

/// The rate at which this money, in the order of days, would have become `value` on the day `until`. `None` where no rate explains it, or
/// nothing lies between.
pub fn money_weighted(money: &[Money], value: Decimal, until: NaiveDate) -> Option<MoneyWeighted> {
    let first = money.first()?.on;
    if until <= first {
        return None;
    }
    // What is over when everything grows by this factor a day; each step is one multiplication.
    let over = |factor: Decimal| -> Option<Decimal> {
        let (mut sum, mut at) = (Decimal::ZERO, first);
        for money in money {
            sum = grown(sum, factor, (money.on - at).num_days())?.checked_add(money.amount)?;
            at = money.on;
        }
        grown(sum, factor, (until - at).num_days())?.checked_sub(value)
    };
    // Where money went in and out, several rates may explain the end, or lie so close together that none is seen: it is looked for near to none
    // first, and one of them is told.
    let (mut low, mut high) = FACTORS.into_iter().find_map(|(low, high)| {
        let (low, high) = (Decimal::new(low, 4), largest(over, Decimal::new(high, 4)));
        (over(low)?.is_sign_negative() != over(high)?.is_sign_negative()).then_some((low, high))
    })?;
    let ends_negative = over(high)?.is_sign_negative();
    for _ in 0..90 {
        let middle = (low + high) / Decimal::TWO;
        if over(middle)?.is_sign_negative() == ends_negative {
            high = middle;
        } else {
            low = middle;
        }
    }
    let factor = (low + high) / Decimal::TWO;
    let rate = |days: u32| Some(power(factor, days)?.checked_sub(Decimal::ONE)?.round_dp(8).normalize());
    Some(MoneyWeighted { over_all: rate(u32::try_from((until - first).num_days()).ok()?)?, yearly: rate(365) })
}

/// Between which factors a day the rate is looked for, in ten-thousandths: first between a loss of all but a tenth of a percent a year and
/// a fiftyfold of it.
const FACTORS: [(i64, i64); 7] = [
    (9_812, 10_108),
    (9_000, 11_000),
    (7_000, 15_000),
    (5_000, 20_000),
    (2_000, 50_000),
    (100, 1_000_000),
    (1, 1_000_000),
];

/// The largest factor up to `most` with which can be computed: over many years, the highest rates are more than that.
fn largest(over: impl Fn(Decimal) -> Option<Decimal>, most: Decimal) -> Decimal {
    if over(most).is_some() {
        return most;
    }
    let (mut known, mut beyond) = (Decimal::ONE, most);
    for _ in 0..40 {
        let middle = (known + beyond) / Decimal::TWO;
        if over(middle).is_some() {
            known = middle;
        } else {
            beyond = middle;
        }
    }
    known
}

/// `sum` after so many days.
fn grown(sum: Decimal, factor: Decimal, days: i64) -> Option<Decimal> {
    if sum.is_zero() || days == 0 {
        return Some(sum);
    }
    sum.checked_mul(power(factor, u32::try_from(days).ok()?)?)
}

/// By squaring, to the digits that decimals have.
fn power(base: Decimal, exponent: u32) -> Option<Decimal> {
    let (mut result, mut square, mut left) = (Decimal::ONE, base, exponent);
    while left > 0 {
        if left % 2 == 1 {
            result = result.checked_mul(square)?;
        }
        left /= 2;
        if left > 0 {
            square = square.checked_mul(square)?;
        }
    }
    Some(result)
}
