//! Which part of the live feed a client wants.

use std::collections::HashSet;

use crate::{
    error::Failure,
    live_update::Market,
    parameters::{FromQuery, Query},
};

/// How many pairs one client may name; who wants more leaves the filter away.
const MOST_TICKERS: usize = 500;

/// The parameters of the live feed. Both empty: everything.
#[derive(Debug, Default, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only these pairs, separated by commas: with their exchange as `binance:BTCUSDT`, or `BTCUSDT` of any exchange.
    #[param(value_type = Option<String>, example = "binance:BTCUSDT,binance:ETHUSDT")]
    tickers: Option<Tickers>,
    /// Only this exchange.
    #[param(value_type = Option<String>, example = "binance")]
    exchange: Option<String>,
}

#[derive(Debug)]
struct Tickers {
    /// As they were written, in lower-case: `binance:btcusdt` or `btcusdt`.
    written: HashSet<String>,
    /// The exchanges named in them; `None` when one of them names none.
    exchanges: Option<HashSet<String>>,
}

impl FromQuery for Filter {
    const NAMES: &'static [&'static str] = &["tickers", "exchange"];
    const HAS_FORMAT: bool = false;

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let tickers = query.list("tickers", MOST_TICKERS)?.map(|items| Tickers {
            exchanges: items.iter().map(|item| Some(item.split_once(':')?.0.to_owned())).collect(),
            written: items.into_iter().collect(),
        });
        Ok(Self { tickers, exchange: query.text("exchange")?.map(str::to_lowercase) })
    }
}

impl Filter {
    /// Whether prices of this pair are wanted.
    pub(crate) fn wants(&self, market: &Market) -> bool {
        let exchange = self.exchange.as_ref().is_none_or(|wanted| *wanted == market.exchange);
        exchange
            && self.tickers.as_ref().is_none_or(|tickers| {
                tickers.written.contains(market.qualified()) || tickers.written.contains(market.bare())
            })
    }

    /// Whether news of this exchange's feed is wanted.
    pub(crate) fn wants_exchange(&self, exchange: &str) -> bool {
        self.exchange.as_ref().is_none_or(|wanted| wanted == exchange)
            && self
                .tickers
                .as_ref()
                .and_then(|tickers| tickers.exchanges.as_ref())
                .is_none_or(|exchanges| exchanges.contains(exchange))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(tickers: &[&str], exchange: Option<&str>) -> Filter {
        let items: Vec<String> = tickers.iter().map(|item| (*item).to_owned()).collect();
        let tickers = (!items.is_empty()).then(|| Tickers {
            exchanges: items.iter().map(|item| Some(item.split_once(':')?.0.to_owned())).collect(),
            written: items.into_iter().collect(),
        });
        Filter { tickers, exchange: exchange.map(str::to_owned) }
    }

    #[test]
    fn a_filter_lets_through_what_it_names() {
        let btc = Market::new("binance", "BTCUSDT");
        let other = Market::new("kraken", "BTCUSDT");
        assert!(filter(&[], None).wants(&btc));
        assert!(filter(&["binance:btcusdt"], None).wants(&btc) && !filter(&["binance:btcusdt"], None).wants(&other));
        assert!(filter(&["btcusdt"], None).wants(&btc) && filter(&["btcusdt"], None).wants(&other));
        assert!(!filter(&["btcusdt"], Some("binance")).wants(&other));
        assert!(!filter(&["ethusdt"], Some("binance")).wants(&btc));
    }

    #[test]
    fn feeds_follow_the_exchanges_that_are_named() {
        assert!(filter(&[], None).wants_exchange("binance"));
        assert!(filter(&["kraken:btcusd"], None).wants_exchange("kraken"));
        assert!(!filter(&["kraken:btcusd"], None).wants_exchange("binance"));
        assert!(filter(&["btcusd"], None).wants_exchange("binance"));
        assert!(!filter(&[], Some("kraken")).wants_exchange("binance"));
    }
}
