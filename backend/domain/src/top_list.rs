//! The top list: coins by what is traded of them, with their prices, out of two lists that may come from different places.
//!
//! A coin is the same in both where its id *and* its symbol are: symbols are not unique, and neither side's ids are beyond doubt.
//! Ranks are counted anew after the two were joined, in the order of the ranking. Lists of different minutes belong together
//! only when they are close.
//!
//! Where the two number coins differently, only the code is left to tell by; then a code that means several coins on either side
//! is left out, since nobody can say which of them is meant.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use smol_str::SmolStr;

/// How far apart the two lists may be.
pub const SKEW: TimeDelta = TimeDelta::seconds(60);

/// What makes a coin the same in two lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CoinKey {
    /// Its number, by the list's numbering.
    pub id: i64,
    /// Its code: `BTC`.
    pub symbol: SmolStr,
}

/// Whose numbers coins carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// Keys of our own database.
    Ours,
    /// CoinMarketCap's.
    CoinMarketCap,
}

/// Coins in some order, as of a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Whose numbers they carry.
    pub numbering: Numbering,
    /// The coins.
    pub coins: Vec<(CoinKey, T)>,
}

/// One line of the top list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// From 1 on.
    pub rank: usize,
    /// Its code.
    pub symbol: SmolStr,
    /// What it costs, digit for digit as the prices told it.
    pub price: Decimal,
}

/// Joins prices to a ranking, best first. `None` where the two are too far apart to be told together.
pub fn merge(ranks: &Listing<()>, prices: &Listing<Decimal>) -> Option<Vec<Ranked>> {
    if (ranks.at - prices.at).abs() > SKEW {
        return None;
    }
    let priced: Vec<(SmolStr, Decimal)> = if ranks.numbering == prices.numbering {
        let known: HashMap<&CoinKey, Decimal> = prices.coins.iter().map(|(key, price)| (key, *price)).collect();
        ranks.coins.iter().filter_map(|(key, ())| Some((key.symbol.clone(), *known.get(key)?))).collect()
    } else {
        let (ranked, known) = (by_symbol(ranks), by_symbol(prices));
        let price = |symbol: &SmolStr| ranked.get(symbol)?.and(*known.get(symbol)?);
        ranks.coins.iter().filter_map(|(key, ())| Some((key.symbol.clone(), *price(&key.symbol)?))).collect()
    };
    let line = |(index, (symbol, price))| Ranked { rank: index + 1, symbol, price };
    Some(priced.into_iter().enumerate().map(line).collect())
}

/// What is told under each code; `None` where the code means several coins.
fn by_symbol<T>(list: &Listing<T>) -> HashMap<&SmolStr, Option<&T>> {
    let mut known = HashMap::with_capacity(list.coins.len());
    for (key, told) in &list.coins {
        known.entry(&key.symbol).and_modify(|several| *several = None).or_insert(Some(told));
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: i64, symbol: &str) -> CoinKey {
        CoinKey { id, symbol: symbol.into() }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn ranks(time: &str, keys: &[(i64, &str)]) -> Listing<()> {
        Listing {
            at: at(time),
            numbering: Numbering::CoinMarketCap,
            coins: keys.iter().map(|(id, symbol)| (key(*id, symbol), ())).collect(),
        }
    }

    fn prices(time: &str, keys: &[(i64, &str, &str)]) -> Listing<Decimal> {
        let coins = keys.iter().map(|(id, symbol, price)| (key(*id, symbol), price.parse().unwrap())).collect();
        Listing { at: at(time), numbering: Numbering::CoinMarketCap, coins }
    }

    fn told(list: Option<Vec<Ranked>>) -> Option<Vec<String>> {
        Some(list?.iter().map(|line| format!("{} {} {}", line.rank, line.symbol, line.price)).collect())
    }

    #[test]
    fn the_order_is_that_of_the_ranking() {
        let ranks = ranks("2026-11-20T12:00:00Z", &[(1, "BTC"), (1027, "ETH"), (5426, "SOL")]);
        let prices = prices(
            "2026-11-20T12:01:00Z",
            &[(5426, "SOL", "60.10"), (1, "BTC", "45216.1156"), (1027, "ETH", "2450.000")],
        );
        let expected = ["1 BTC 45216.1156", "2 ETH 2450.000", "3 SOL 60.10"].map(str::to_owned).to_vec();
        assert_eq!(told(merge(&ranks, &prices)), Some(expected));
    }

    #[test]
    fn id_and_symbol_must_both_agree_and_ranks_have_no_holes() {
        let ranks = ranks("2026-11-20T12:00:00Z", &[(1, "BTC"), (7, "X"), (8, "X"), (9, "GONE"), (1027, "ETH")]);
        let prices =
            prices("2026-11-20T12:00:00Z", &[(1027, "ETH", "2"), (8, "X", "3"), (7, "Y", "4"), (1, "BTC", "1")]);
        let expected = ["1 BTC 1", "2 X 3", "3 ETH 2"].map(str::to_owned).to_vec();
        assert_eq!(told(merge(&ranks, &prices)), Some(expected));
    }

    #[test]
    fn lists_too_far_apart_are_not_told_together() {
        let ranks = ranks("2026-11-20T12:00:00Z", &[(1, "BTC")]);
        let near = prices("2026-11-20T11:59:00Z", &[(1, "BTC", "1")]);
        let far = prices("2026-11-20T11:58:59Z", &[(1, "BTC", "1")]);
        assert!(merge(&ranks, &near).is_some());
        assert_eq!(merge(&ranks, &far), None);
    }

    #[test]
    fn between_two_numberings_the_code_decides_where_it_means_one_coin_on_both_sides() {
        let noon = "2026-11-20T12:00:00Z";
        let prices = prices(
            noon,
            &[(1, "BTC", "64000.5"), (2, "SAME", "1"), (3, "SAME", "2"), (4, "TWO", "3"), (5, "ONE", "4")],
        );
        let mut ranks = ranks(noon, &[(5, "ONE"), (70, "SAME"), (71, "TWO"), (72, "TWO"), (9, "BTC")]);
        ranks.numbering = Numbering::Ours;
        let expected = ["1 ONE 4", "2 BTC 64000.5"].map(str::to_owned).to_vec();
        assert_eq!(told(merge(&ranks, &prices)), Some(expected));
    }
}
