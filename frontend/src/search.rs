//! Finding markets and commands by what somebody writes.

use crate::state::{Ticker, TickerKey};

/// How well the words of `wanted`, which is in lower case, are found in these fields, which are too: 0 where each is a
/// whole field, 1 where it begins one, 2 where it is inside one; the worst of them counts. None where one is missing.
pub(crate) fn rank(fields: &[&str], wanted: &str) -> Option<u8> {
    wanted.split_whitespace().try_fold(0, |worst, word| {
        let best = fields.iter().filter_map(|field| match *field {
            field if field == word => Some(0),
            field if field.starts_with(word) => Some(1),
            field if field.contains(word) => Some(2),
            _ => None,
        });
        best.min().map(|rank| worst.max(rank))
    })
}

/// The same for a ticker: its coin's code and name, its own name, its exchange.
pub(crate) fn rank_ticker(key: &TickerKey, ticker: &Ticker, wanted: &str) -> Option<u8> {
    if wanted.is_empty() {
        return Some(0);
    }
    let fields = [
        ticker.base.to_lowercase(),
        key.ticker.to_lowercase(),
        ticker.name().to_lowercase(),
        ticker.coin.to_lowercase(),
        key.exchange.to_lowercase(),
    ];
    rank(&fields.each_ref().map(String::as_str), wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_come_before_beginnings_and_those_before_the_rest() {
        let fields = ["btc", "btcusdt", "wrapped bitcoin"];
        assert_eq!(rank(&fields, "btc"), Some(0));
        assert_eq!(rank(&fields, "btcu"), Some(1));
        assert_eq!(rank(&fields, "bitcoin"), Some(2));
        assert_eq!(rank(&fields, "btc bit"), Some(2));
        assert_eq!(rank(&fields, "btc eth"), None);
        assert_eq!(rank(&fields, " "), Some(0));
    }
}
