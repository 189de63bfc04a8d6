//! What the tracker follows, and how.

use std::time::Duration;

use chrono::TimeDelta;
use clap::{Args, ValueEnum};
use smol_str::SmolStr;

/// What is followed, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tracking")]
#[group(id = "tracking")]
pub struct Settings {
    /// Exchanges to follow, separated by commas
    #[arg(long, env = "EXCHANGES", value_name = "NAMES", value_delimiter = ',', default_value = "binance")]
    pub exchanges: Vec<String>,
    /// Pairs of which every trade is recorded, separated by commas: BTCUSDT, BTC-USDT and BTC/USDT mean the same, BTC alone the coin
    /// in dollars on each exchange (USD, else USDT, USDC, EUR), kraken:BTC/EUR a pair of one exchange
    #[arg(long, env = "TRACKER_SYMBOLS", value_name = "PAIRS", value_delimiter = ',', default_value = DEFAULT_SYMBOLS)]
    pub tracker_symbols: Vec<SmolStr>,
    /// Follow the whole market too: of every pair that is listed the newest price, 24-hour statistics and candles; true or
    /// false
    #[arg(long, env = "TRACKER_MARKET", value_name = "BOOL", default_value_t = true,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub tracker_market: bool,
    /// How prices are followed
    #[arg(long, env = "TRACKER_MODE", value_name = "MODE", default_value = "stream")]
    pub tracker_mode: Mode,
    /// Seconds between two rounds of asking for prices, in mode poll and while the stream is down
    #[arg(long, env = "TRACKER_WAITING_TIME", value_name = "SECONDS", default_value_t = 10)]
    pub tracker_waiting_time: u32,
    /// Seconds without any message after which a stream is taken for dead and opened anew
    #[arg(long, env = "TRACKER_IDLE_SECONDS", value_name = "SECONDS", default_value_t = 60)]
    pub tracker_idle_seconds: u32,
    /// Seconds without a trade of a pair after which the exchange is asked whether there was one
    #[arg(long, env = "TRACKER_SILENCE_SECONDS", value_name = "SECONDS", default_value_t = 15)]
    pub tracker_silence_seconds: u32,
    /// Seconds after which a connection is replaced by a new one; exchanges cut old ones (Binance after 24 hours)
    #[arg(long, env = "TRACKER_CONNECTION_SECONDS", value_name = "SECONDS", default_value_t = 84_600)]
    pub tracker_connection_seconds: u32,
    /// How long a span is, in minutes, whose candles are compared with the exchange's own when it is over, or taken over for pairs
    /// that only the market follows: 1 to 1440; 0: never
    #[arg(long, env = "TRACKER_COMPARE_MINUTES", value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u16).range(..=1_440))]
    pub tracker_compare_minutes: u16,
    /// How many ticks one message holds at most
    #[arg(long, env = "TRACKER_BATCH_TICKS", value_name = "COUNT", default_value_t = 500)]
    pub tracker_batch_ticks: usize,
    /// How long a message may wait to fill, in milliseconds
    #[arg(long, env = "TRACKER_LINGER_MS", value_name = "MS", default_value_t = 3)]
    pub tracker_linger_ms: u64,
    /// The exchange began to exist with this process, as a simulated one does: it has nothing of what was missing before
    #[arg(skip)]
    pub exchange_is_new: bool,
    /// Where the exchanges are.
    #[command(flatten)]
    pub addresses: crate::exchanges::Addresses,
    /// What is asked of services outside.
    #[command(flatten)]
    pub services: crate::services::Settings,
}

/// A handful of coins that every newcomer knows.
const DEFAULT_SYMBOLS: &str = "BTC,ETH,BNB,SOL,XRP,ADA,DOGE,LTC,AVAX,LINK";

/// How prices are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Live trades; prices are asked for while the stream is down.
    Stream,
    /// Prices are asked for, and nothing else.
    Poll,
}

impl Settings {
    pub(crate) fn waiting_time(&self) -> Duration {
        Duration::from_secs(self.tracker_waiting_time.max(1).into())
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs(self.tracker_idle_seconds.max(1).into())
    }

    pub(crate) fn silence(&self) -> Duration {
        Duration::from_secs(self.tracker_silence_seconds.max(1).into())
    }

    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_secs(self.tracker_connection_seconds.max(1).into())
    }

    /// How long the spans are that are compared; none where nothing is to be.
    pub(crate) fn compare_every(&self) -> Option<TimeDelta> {
        Some(TimeDelta::minutes(self.tracker_compare_minutes.into())).filter(|every| !every.is_zero())
    }

    pub(crate) fn linger(&self) -> Duration {
        Duration::from_millis(self.tracker_linger_ms)
    }
}
