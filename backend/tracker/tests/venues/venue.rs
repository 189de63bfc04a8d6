//! What differs between the protocols, as far as tests must know it.

use std::time::Duration;

use simulator::Simulator;
use tracker::Settings;

/// A protocol of the simulated exchange, and the connector that speaks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Venue {
    Binance,
    Coinbase,
    Kraken,
}

impl Venue {
    pub(crate) const ALL: [Self; 3] = [Self::Binance, Self::Coinbase, Self::Kraken];

    /// The name in `EXCHANGES`, under which prices are kept.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::Coinbase => "coinbase",
            Self::Kraken => "kraken",
        }
    }

    /// What it calls a coin in Tethers.
    pub(crate) fn ticker(self, coin: &str) -> String {
        match self {
            Self::Binance => format!("{coin}USDT"),
            Self::Coinbase => format!("{coin}-USDT"),
            Self::Kraken => format!("{coin}/USDT"),
        }
    }

    /// Whether its candles tell how many trades they have, and their quote volume.
    pub(crate) fn counts_trades(self) -> bool {
        self != Self::Coinbase
    }

    /// Has the connector speak to this exchange.
    pub(crate) fn point(self, settings: &mut Settings, exchange: &Simulator) {
        let addresses = &mut settings.addresses;
        let (rest, stream) = match self {
            Self::Binance => (&mut addresses.binance.binance_rest_url, &mut addresses.binance.binance_stream_url),
            Self::Coinbase => (&mut addresses.coinbase.coinbase_rest_url, &mut addresses.coinbase.coinbase_stream_url),
            Self::Kraken => (&mut addresses.kraken.kraken_rest_url, &mut addresses.kraken.kraken_stream_url),
        };
        (*rest, *stream) = match self {
            Self::Binance => (exchange.rest_url(), exchange.stream_url()),
            Self::Coinbase => (exchange.coinbase_rest_url(), exchange.coinbase_stream_url()),
            Self::Kraken => (exchange.kraken_rest_url(), exchange.kraken_stream_url()),
        };
    }

    /// How many connections listen to the trades of a coin.
    pub(crate) fn listeners(self, exchange: &Simulator, coin: &str) -> usize {
        let ticker = self.ticker(coin);
        match self {
            Self::Binance => exchange.listeners(&format!("{}@trade", ticker.to_lowercase())),
            Self::Coinbase => exchange.coinbase_listeners("matches", &ticker),
            Self::Kraken => exchange.kraken_listeners("trade", &ticker),
        }
    }

    /// How many connections listen to the news of the market, by those of one coin.
    pub(crate) fn market_listeners(self, exchange: &Simulator, coin: &str) -> usize {
        let ticker = self.ticker(coin);
        match self {
            Self::Binance => exchange.listeners("!miniTicker@arr"),
            Self::Coinbase => exchange.coinbase_listeners("ticker_batch", &ticker),
            Self::Kraken => exchange.kraken_listeners("ticker", &ticker),
        }
    }

    /// For how long the exchange is left alone that was asked too often and does not say for how long.
    pub(crate) fn penalty(self) -> Duration {
        Duration::from_secs(match self {
            Self::Binance => 60,
            Self::Coinbase => 5,
            Self::Kraken => 15,
        })
    }
}
