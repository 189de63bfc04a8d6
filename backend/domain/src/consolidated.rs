//! One price of a coin out of what several markets say.
//!
//! A market whose price is far from the middle of all is left out: farther from the median than five times the median
//! distance, and than half a percent at least, so that markets which agree closely do not throw each other out. With two
//! markets nobody can say who is right, and both count.

use rust_decimal::Decimal;

use crate::rounding::significant;

/// How many digits the weighted price keeps: more than the markets know.
const DIGITS: u32 = 12;

/// What one market says, in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// Its price; above 0.
    pub price: Decimal,
    /// What changed hands there lately, in the same currency: its weight.
    pub volume: Decimal,
}

/// What they say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consolidated {
    /// The mean of the prices that count, weighted by volume; unweighted where nothing changed hands.
    pub weighted: Decimal,
    /// The middle one of the prices that count.
    pub median: Decimal,
    /// The highest of them above the lowest, in percent of the median.
    pub spread_percent: Decimal,
    /// Of each opinion, in the order in which they came, whether it counts.
    pub counts: Vec<bool>,
}

/// Puts prices together; `None` where there are none, or where they are too large to be computed with.
pub fn consolidate(opinions: &[Opinion]) -> Option<Consolidated> {
    let all = median(opinions.iter().map(|opinion| opinion.price))?;
    let distance = |price: Decimal| (price - all).abs();
    let usual = median(opinions.iter().map(|opinion| distance(opinion.price)))?;
    let farthest = (usual * Decimal::from(5)).max(all * Decimal::new(5, 3));
    let counts: Vec<bool> =
        opinions.iter().map(|opinion| opinions.len() < 3 || distance(opinion.price) <= farthest).collect();
    let counting = || opinions.iter().zip(&counts).filter(|(_, counts)| **counts).map(|(opinion, _)| opinion);
    let median = median(counting().map(|opinion| opinion.price))?;
    let total = counting().try_fold(Decimal::ZERO, |sum, opinion| sum.checked_add(opinion.volume))?;
    let weighted = if total.is_zero() {
        let sum = counting().try_fold(Decimal::ZERO, |sum, opinion| sum.checked_add(opinion.price))?;
        sum.checked_div(Decimal::from(counting().count()))?
    } else {
        // Weights first: price times volume may be too large.
        counting().try_fold(Decimal::ZERO, |sum, opinion| {
            sum.checked_add(opinion.volume.checked_div(total)?.checked_mul(opinion.price)?)
        })?
    };
    let weighted = significant(weighted, DIGITS).normalize();
    let highest = counting().map(|opinion| opinion.price).max()?;
    let lowest = counting().map(|opinion| opinion.price).min()?;
    Some(Consolidated { weighted, median, spread_percent: percent(highest - lowest, median)?, counts })
}

/// How many hundredths of `whole` a part is, to four decimals.
pub fn percent(part: Decimal, whole: Decimal) -> Option<Decimal> {
    let percent = part.checked_div(whole)?.checked_mul(Decimal::ONE_HUNDRED)?;
    Some(percent.round_dp(4).normalize())
}

fn median(values: impl Iterator<Item = Decimal>) -> Option<Decimal> {
    let mut values: Vec<Decimal> = values.collect();
    values.sort_unstable();
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = values[middle - 1];
    Some(lower + (upper - lower) / Decimal::TWO)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opinions(told: &[(&str, i64)]) -> Vec<Opinion> {
        told.iter().map(|(price, volume)| Opinion { price: price.parse().unwrap(), volume: (*volume).into() }).collect()
    }

    #[test]
    fn the_weighted_price_follows_volume_and_the_median_does_not() {
        let told = consolidate(&opinions(&[("100", 1), ("100.2", 3), ("100.1", 0)])).unwrap();
        assert_eq!((told.weighted, told.median), (Decimal::new(10_015, 2), Decimal::new(1_001, 1)));
        assert_eq!(told.spread_percent.to_string(), "0.1998");
        assert_eq!(told.counts, [true; 3]);
    }

    #[test]
    fn an_outlier_does_not_count_however_much_is_traded_there() {
        let told = consolidate(&opinions(&[("100", 1), ("100.1", 1), ("130", 1_000_000), ("99.9", 1)])).unwrap();
        assert_eq!(told.counts, [true, true, false, true]);
        assert_eq!((told.weighted, told.median), (Decimal::ONE_HUNDRED, Decimal::ONE_HUNDRED));
    }

    #[test]
    fn two_markets_both_count_and_none_is_no_price() {
        let told = consolidate(&opinions(&[("100", 1), ("200", 3)])).unwrap();
        assert_eq!((told.weighted, told.median, told.counts), (175.into(), 150.into(), vec![true, true]));
        assert_eq!(consolidate(&[]), None);
        let silent = consolidate(&opinions(&[("100", 0), ("101", 0)])).unwrap();
        assert_eq!(silent.weighted, Decimal::new(1_005, 1));
    }

    proptest! {
        #[test]
        fn it_lies_between_the_prices_that_count(told in prop::collection::vec((1i64..1_000_000, 0i64..1_000_000), 1..12)) {
            let opinions: Vec<Opinion> = told.iter().map(|(price, volume)| Opinion { price: Decimal::new(*price, 2), volume: (*volume).into() }).collect();
            let consolidated = consolidate(&opinions).unwrap();
            let counting: Vec<Decimal> = opinions.iter().zip(&consolidated.counts).filter(|(_, counts)| **counts).map(|(opinion, _)| opinion.price).collect();
            prop_assert!(!counting.is_empty());
            let (low, high) = (*counting.iter().min().unwrap(), *counting.iter().max().unwrap());
            let tolerance = Decimal::new(1, 6);
            for price in [consolidated.weighted, consolidated.median] {
                prop_assert!(low - tolerance <= price && price <= high + tolerance);
            }
        }
    }
}
