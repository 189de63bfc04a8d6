//! The protocols by which the simulated exchange is followed, all at once. Each makes an exchange of its own of the same trades.

use std::net::SocketAddr;

use simulator::Simulator;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Binance's; what comes by it is kept under the name `simulated`.
    Binance,
    /// Coinbase's.
    Coinbase,
    /// Kraken's.
    Kraken,
}

impl Protocol {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Binance, Self::Coinbase, Self::Kraken];

    /// Under which exchange's name its trades are kept.
    pub fn exchange(self) -> &'static str {
        match self {
            Self::Binance => "simulated",
            Self::Coinbase => "coinbase",
            Self::Kraken => "kraken",
        }
    }

    /// What it calls a pair that is listed so. No two call one alike.
    pub fn spelled(self, ticker: &str) -> String {
        let mark = match self {
            Self::Binance => "",
            Self::Coinbase => "-",
            Self::Kraken => "/",
        };
        let quote = "USDT";
        ticker.strip_suffix(quote).map_or_else(|| ticker.to_owned(), |base| format!("{base}{mark}{quote}"))
    }

    /// What has a connector speak to the exchange at this address.
    pub fn settings(self, address: SocketAddr) -> Vec<(&'static str, String)> {
        let (rest, stream) = (format!("http://{address}"), format!("ws://{address}"));
        match self {
            Self::Binance => vec![
                ("BINANCE_NAME", self.exchange().to_owned()),
                ("BINANCE_REST_URL", rest),
                ("BINANCE_STREAM_URL", stream),
            ],
            Self::Coinbase => vec![
                ("COINBASE_REST_URL", format!("{rest}/coinbase")),
                ("COINBASE_STREAM_URL", format!("{stream}/coinbase")),
            ],
            Self::Kraken => {
                vec![
                    ("KRAKEN_REST_URL", format!("{rest}/kraken")),
                    ("KRAKEN_STREAM_URL", format!("{stream}/kraken/v2")),
                ]
            }
        }
    }

    /// Whether somebody listens to the trades of each pair.
    pub fn is_subscribed(self, exchange: &Simulator) -> bool {
        let listeners = |ticker: &str| match self {
            Self::Binance => exchange.listeners(&format!("{}@trade", ticker.to_lowercase())),
            Self::Coinbase => exchange.coinbase_listeners("matches", &self.spelled(ticker)),
            Self::Kraken => exchange.kraken_listeners("trade", &self.spelled(ticker)),
        };
        exchange.tickers().iter().all(|ticker| listeners(ticker) > 0)
    }
}
