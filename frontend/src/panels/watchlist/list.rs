//! Which tickers are listed, and in which order.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    choices::Order,
    state::{Ticker, TickerKey},
};

/// The tickers, of the favourites alone where they are given, that match the filter, in order. With a filter, better matches come first: the base itself, then what
/// begins with it, then what contains it.
pub(super) fn listed(
    tickers: &BTreeMap<TickerKey, Ticker>,
    favourites: Option<&BTreeSet<TickerKey>>,
    filter: &str,
    order: Order,
) -> Vec<TickerKey> {
    let filter = filter.trim().to_lowercase();
    let wanted = tickers.iter().filter(|(key, _)| favourites.is_none_or(|favourites| favourites.contains(*key)));
    let mut rows: Vec<_> =
        wanted.filter_map(|(key, ticker)| Some((rank(key, ticker, &filter)?, key, ticker))).collect();
    rows.sort_by(|(rank_a, key_a, a), (rank_b, key_b, b)| {
        let ordered = match order {
            Order::Volume => b.quote_volume_24h.cmp(&a.quote_volume_24h),
            // An unknown change is none, not a loss: after all known ones.
            Order::Change => Reverse(a.change_24h).cmp(&Reverse(b.change_24h)),
            Order::Name => a.name().cmp(&b.name()),
        };
        rank_a.cmp(rank_b).then(ordered).then_with(|| key_a.cmp(key_b))
    });
    rows.into_iter().map(|(_, key, _)| key.clone()).collect()
}

/// How well it matches, 0 best; none where it does not. All words of the filter must be found.
fn rank(key: &TickerKey, ticker: &Ticker, filter: &str) -> Option<u8> {
    let fields = [
        ticker.base.to_lowercase(),
        key.ticker.to_lowercase(),
        ticker.name().to_lowercase(),
        ticker.coin.to_lowercase(),
        key.exchange.to_lowercase(),
    ];
    filter.split_whitespace().try_fold(0, |worst, word| {
        let best = fields.iter().filter_map(|field| match field {
            field if field == word => Some(0),
            field if field.starts_with(word) => Some(1),
            field if field.contains(word) => Some(2),
            _ => None,
        });
        best.min().map(|rank| worst.max(rank))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::with_prices;

    fn names(filter: &str, order: Order) -> Vec<String> {
        let state = with_prices();
        let keys = listed(state.tickers.value().unwrap(), None, filter, order);
        keys.iter().map(|key| key.ticker.to_string()).collect()
    }

    #[test]
    fn rows_are_sorted_as_asked_and_unknown_comes_last() {
        assert_eq!(names("", Order::Volume), ["BTCUSDT", "ETHUSDT", "PEPEUSDT", "NEWUSDT"]);
        assert_eq!(names("", Order::Change), ["ETHUSDT", "BTCUSDT", "PEPEUSDT", "NEWUSDT"]);
        assert_eq!(names("", Order::Name), ["BTCUSDT", "ETHUSDT", "NEWUSDT", "PEPEUSDT"]);
    }

    #[test]
    fn a_filter_looks_at_code_coin_and_exchange() {
        assert_eq!(names("eth", Order::Volume), ["ETHUSDT"]);
        assert_eq!(names("Bitcoin", Order::Volume), ["BTCUSDT"]);
        assert_eq!(names("binance pepe", Order::Volume), ["PEPEUSDT"]);
        assert_eq!(names("kraken", Order::Volume), [""; 0]);
        assert_eq!(names("new", Order::Volume), ["NEWUSDT"]);
    }
}
