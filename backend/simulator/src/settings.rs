//! What a simulated exchange is told before it starts, and the checks that make the rest of the crate simple: every
//! symbol's price, quantity and their product fit the eight decimals in which Binance writes them.

use std::{collections::HashSet, io, net::SocketAddr, path::PathBuf, time::Duration};

use rust_decimal::Decimal;

/// Decimals in which Binance writes every price, quantity and volume.
pub(crate) const DECIMALS: u32 = 8;

/// How the exchange behaves. [`Default`] is a lively small market on a free loopback port.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Same seed, symbols and rate: same prices.
    pub seed: u64,
    /// Where trades come from.
    pub source: Source,
    /// What is listed. A replay lists what its recording holds instead.
    pub symbols: Vec<SimulatedSymbol>,
    /// Trades per second over all symbols; 0 generates only what [`Simulator::emit`](crate::Simulator::emit) asks for.
    pub trades_per_second: f64,
    /// Trades kept per symbol for REST and [`Simulator::published`](crate::Simulator::published). A trade takes 56 bytes.
    pub retained_trades: usize,
    /// How often a client of Binance's protocol is sent a ping; one that answers none for three times as long is cut.
    pub ping_interval: Duration,
    /// Frames that may wait for one client before it is cut for not keeping up.
    pub client_queue: usize,
    /// Request weight of Binance's REST allowed in a rolling minute.
    pub weight_limit: u32,
    /// Number of every symbol's first trade; `None` takes the start time in milliseconds times 1,000.
    pub first_trade_id: Option<i64>,
    /// Wait for [`Simulator::resume`](crate::Simulator::resume) before the first trade.
    pub start_paused: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 42,
            source: Source::RandomWalk,
            symbols: default_symbols(),
            trades_per_second: 20.0,
            retained_trades: 100_000,
            ping_interval: Duration::from_secs(20),
            client_queue: 65_536,
            weight_limit: 6_000,
            first_trade_id: None,
            start_paused: false,
        }
    }
}

/// Where trades come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A seeded random walk per symbol.
    RandomWalk,
    /// A recording of Binance's stream, plain or `.gz`: lines of a receive time and a raw frame, as cryptofeed
    /// (`1618677408.49: {…}`) and hftbacktest (`1721347021080838061 {…}`) write them.
    ///
    /// Trades keep their recorded numbers and prices. Where a symbol was recorded only as `aggTrade`, each aggregate is
    /// replayed as one trade under the aggregate's number.
    Replay {
        /// The recording.
        path: PathBuf,
        /// 1.0 as recorded, by receive time; 2.0 twice as fast; 0 as fast as the clients read.
        speed: f64,
        /// Adds one constant to every trade time, such that the first trade happens now.
        shift_times: bool,
    },
}

/// One pair that the exchange lists.
#[derive(Debug, Clone)]
pub struct SimulatedSymbol {
    /// The pair as Binance spells it, `BTCUSDT`; others spell it with its two halves.
    pub ticker: String,
    /// What is bought and sold: `BTC`.
    pub base: String,
    /// What it is priced in: `USDT`.
    pub quote: String,
    /// Where the walk starts, and to where it slowly returns.
    pub start_price: Decimal,
    /// Prices are multiples of it.
    pub tick_size: Decimal,
    /// Quantities are multiples of it.
    pub lot_size: Decimal,
    /// Median value of a trade, in the quote.
    pub typical_notional: Decimal,
    /// Standard deviation of a day's change in calm times, as a fraction: 0.03.
    pub daily_volatility: f64,
    /// Share of the market's trades, relative to the other symbols.
    pub activity: f64,
    /// Whether it is listed as TRADING; otherwise it is listed as BREAK and never trades.
    pub trading: bool,
}

impl SimulatedSymbol {
    /// A middling pair that starts at this price, which says by its decimals how finely it is priced.
    pub fn priced(ticker: String, base: String, quote: String, price: Decimal) -> Self {
        let decimals = price.scale().min(DECIMALS);
        Self {
            ticker,
            base,
            quote,
            start_price: price,
            tick_size: Decimal::new(1, decimals),
            lot_size: Decimal::new(1, (DECIMALS - decimals).min(3)),
            typical_notional: Decimal::from(180),
            daily_volatility: 0.05,
            activity: 1.0,
            trading: true,
        }
    }
}

/// Ten pairs that everyone knows, with prices from tens of thousands to hundred-thousandths.
pub fn default_symbols() -> Vec<SimulatedSymbol> {
    // Base, price in ticks, decimals of the price and of the quantity, daily volatility, activity.
    let rows = [
        ("BTC", 6_425_001, 2, 5, 0.030, 5.0),
        ("ETH", 312_045, 2, 4, 0.038, 4.0),
        ("SOL", 14_837, 2, 3, 0.055, 3.0),
        ("BNB", 58_420, 2, 3, 0.032, 2.0),
        ("XRP", 5_234, 4, 1, 0.045, 2.0),
        ("DOGE", 12_345, 5, 0, 0.060, 2.0),
        ("ADA", 3_876, 4, 1, 0.048, 1.0),
        ("LINK", 1_342, 2, 2, 0.050, 1.0),
        ("LTC", 7_183, 2, 3, 0.040, 1.0),
        ("SHIB", 1_234, 8, 0, 0.065, 1.5),
    ];
    rows.into_iter()
        .map(|(base, price, tick, lot, daily_volatility, activity)| SimulatedSymbol {
            ticker: format!("{base}USDT"),
            base: base.to_owned(),
            quote: "USDT".to_owned(),
            start_price: Decimal::new(price, tick),
            tick_size: Decimal::new(1, tick),
            lot_size: Decimal::new(1, lot),
            typical_notional: Decimal::from(180),
            daily_volatility,
            activity,
            trading: true,
        })
        .collect()
}

/// Why the exchange could not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// A setting makes no sense.
    #[error("simulator setting {setting}: {reason}")]
    Setting {
        /// Which one.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The address is taken or not ours.
    #[error("the simulator cannot listen on {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The recording cannot be read.
    #[error("the simulator cannot read the recording {}", path.display())]
    Recording {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Settings {
    pub(crate) fn check(&self) -> Result<(), SimulatorError> {
        let refuse = |setting, reason: &str| Err(SimulatorError::Setting { setting, reason: reason.to_owned() });
        if !self.trades_per_second.is_finite() || self.trades_per_second < 0.0 {
            return refuse("trades_per_second", "must be zero or more");
        }
        if self.retained_trades == 0 {
            return refuse("retained_trades", "must be one or more");
        }
        if self.client_queue < 1_024 {
            return refuse("client_queue", "must be 1024 or more");
        }
        if self.ping_interval.is_zero() {
            return refuse("ping_interval", "must be longer than nothing");
        }
        if self.first_trade_id.is_some_and(|id| id < 0) {
            return refuse("first_trade_id", "must be zero or more");
        }
        match &self.source {
            Source::Replay { speed, .. } if !speed.is_finite() || *speed < 0.0 => {
                refuse("source", "the speed of a replay must be zero or more")
            }
            Source::Replay { .. } => Ok(()),
            Source::RandomWalk => check_symbols(&self.symbols),
        }
    }
}

pub(crate) fn check_symbols(symbols: &[SimulatedSymbol]) -> Result<(), SimulatorError> {
    let mut seen = HashSet::new();
    for symbol in symbols {
        let positive = |number: Decimal| {
            number > Decimal::ZERO && number.normalize().scale() <= DECIMALS && number < Decimal::from(1_000_000_000)
        };
        let problem = if symbol.ticker.is_empty() || !symbol.ticker.chars().all(char::is_alphanumeric) {
            "the ticker must be letters and digits"
        } else if !seen.insert(&symbol.ticker) {
            "the ticker is listed twice"
        } else if ![symbol.start_price, symbol.tick_size, symbol.lot_size, symbol.typical_notional]
            .into_iter()
            .all(positive)
        {
            "price, tick, lot and notional must be above zero, below a billion, and have at most eight decimals"
        } else if symbol.tick_size.normalize().scale() + symbol.lot_size.normalize().scale() > DECIMALS {
            "tick times lot must have at most eight decimals, or volumes in the quote would be rounded"
        } else if !(0.0..=1.0).contains(&symbol.daily_volatility) {
            "the daily volatility must be between 0 and 1"
        } else if !symbol.activity.is_finite() || symbol.activity <= 0.0 {
            "the activity must be above zero"
        } else {
            continue;
        };
        return Err(SimulatorError::Setting { setting: "symbols", reason: format!("{:?}: {problem}", symbol.ticker) });
    }
    if symbols.iter().any(|symbol| symbol.trading) {
        return Ok(());
    }
    Err(SimulatorError::Setting { setting: "symbols", reason: "at least one must be trading".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_allowed() {
        Settings::default().check().unwrap();
    }

    #[test]
    fn each_senseless_setting_is_refused_by_name() {
        let symbol = |change: fn(&mut SimulatedSymbol)| {
            let mut symbols = default_symbols();
            change(&mut symbols[0]);
            Settings { symbols, ..Settings::default() }
        };
        let replay = Source::Replay { path: "x".into(), speed: -1.0, shift_times: false };
        for (name, settings) in [
            ("trades_per_second", Settings { trades_per_second: f64::NAN, ..Settings::default() }),
            ("retained_trades", Settings { retained_trades: 0, ..Settings::default() }),
            ("client_queue", Settings { client_queue: 0, ..Settings::default() }),
            ("ping_interval", Settings { ping_interval: Duration::ZERO, ..Settings::default() }),
            ("first_trade_id", Settings { first_trade_id: Some(-1), ..Settings::default() }),
            ("source", Settings { source: replay, ..Settings::default() }),
            ("symbols", Settings { symbols: Vec::new(), ..Settings::default() }),
            ("symbols: \"B\\\"\"", symbol(|symbol| symbol.ticker = "B\"".to_owned())),
            ("symbols: \"ETHUSDT\"", symbol(|symbol| symbol.ticker = "ETHUSDT".to_owned())),
            ("symbols", symbol(|symbol| symbol.start_price = Decimal::ZERO)),
            ("symbols", symbol(|symbol| symbol.lot_size = Decimal::new(1, 7))),
            ("symbols", symbol(|symbol| symbol.daily_volatility = 2.0)),
            ("symbols", symbol(|symbol| symbol.activity = 0.0)),
        ] {
            let error = settings.check().unwrap_err().to_string();
            assert!(error.contains(name), "{error} names {name}");
        }
    }
}
