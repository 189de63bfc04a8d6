//! Which tickers are listed, and in which order.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{Order, Wanted};
use crate::{
    search::rank_ticker,
    state::{Ticker, TickerKey},
};

/// The tickers that are wanted, in order. With a filter, better matches come first: the base itself, then what begins
/// with it, then what contains it.
pub(super) fn listed(tickers: &BTreeMap<TickerKey, Ticker>, wanted: &Wanted) -> Vec<TickerKey> {
    let filter = wanted.filter.trim().to_lowercase();
    let all = tickers
        .iter()
        .filter(|(key, _)| wanted.among.as_ref().is_none_or(|among| among.contains(*key)))
        .filter(|(key, _)| wanted.exchange.as_ref().is_none_or(|exchange| key.exchange == *exchange));
    let mut rows: Vec<_> =
        all.filter_map(|(key, ticker)| Some((rank_ticker(key, ticker, &filter)?, key, ticker))).collect();
    rows.sort_by(|(rank_a, key_a, a), (rank_b, key_b, b)| {
        let ordered = match wanted.order {
            Order::Volume => b.quote_volume_24h.cmp(&a.quote_volume_24h),
            // An unknown change is none, not a loss: after all known ones.
            Order::Change => Reverse(a.change_24h).cmp(&Reverse(b.change_24h)),
            Order::Name => (&a.base, &a.quote).cmp(&(&b.base, &b.quote)),
        };
        rank_a.cmp(rank_b).then(ordered).then_with(|| key_a.cmp(key_b))
    });
    rows.into_iter().map(|(_, key, _)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::with_prices;

    fn names(filter: &str, order: Order) -> Vec<String> {
        let state = with_prices();
        let wanted = Wanted { filter: filter.to_owned(), order, among: None, exchange: None };
        let keys = listed(state.tickers.value().unwrap(), &wanted);
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

    #[test]
    fn a_list_and_an_exchange_confine_the_rows() {
        let state = with_prices();
        let tickers = state.tickers.value().unwrap();
        let among = Some([TickerKey::new("binance", "ETHUSDT"), TickerKey::new("kraken", "GONE")].into());
        let wanted = Wanted { filter: String::new(), order: Order::Name, among, exchange: None };
        assert_eq!(listed(tickers, &wanted), [TickerKey::new("binance", "ETHUSDT")]);
        let wanted = Wanted { among: None, exchange: Some("kraken".into()), ..wanted };
        assert_eq!(listed(tickers, &wanted), []);
    }
}
