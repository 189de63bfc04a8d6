//! The settings of the API.

use std::{net::SocketAddr, time::Duration};

use chrono::TimeDelta;
use clap::{Args, ValueEnum};
use domain::listing::{COIN_MARKET_CAP, CRYPTO_COMPARE};

/// How the API serves. Each has a default that suits one machine.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "API")]
#[group(id = "api")]
pub struct Settings {
    /// Address and port to serve on; 0.0.0.0 serves other machines too
    #[arg(long, env = "API_BIND", value_name = "ADDRESS:PORT", default_value = BIND)]
    pub api_bind: SocketAddr,
    /// Threads that serve requests
    #[arg(long, env = "API_WORKERS", value_name = "COUNT", default_value_t = WORKERS)]
    pub api_workers: usize,
    /// How long a request may take to arrive, in milliseconds
    #[arg(long, env = "API_REQUEST_TIMEOUT_MS", value_name = "MS", default_value_t = REQUEST_MS)]
    pub api_request_timeout_ms: u64,
    /// How long a request waits for a free database connection before it is turned away, in milliseconds
    #[arg(long, env = "API_DATABASE_WAIT_MS", value_name = "MS", default_value_t = DATABASE_WAIT_MS)]
    pub api_database_wait_ms: u64,
    /// How long a request's queries may take before they are given up, in milliseconds
    #[arg(long, env = "API_QUERY_TIMEOUT_MS", value_name = "MS", default_value_t = QUERY_MS)]
    pub api_query_timeout_ms: u64,
    /// How long an answer is served again as long as nothing is stored, in milliseconds; 0 asks the database each time
    #[arg(long, env = "API_CACHE_MS", value_name = "MS", default_value_t = CACHE_MS)]
    pub api_cache_ms: u64,
    /// How much memory kept answers may take, in bytes
    #[arg(long, env = "API_CACHE_BYTES", value_name = "BYTES", default_value_t = CACHE_BYTES)]
    pub api_cache_bytes: u64,
    /// How many requests a second one address may make; ten times as many at once. 0: any number
    #[arg(long, env = "API_RATE_LIMIT", value_name = "COUNT", default_value_t = RATE_LIMIT)]
    pub api_rate_limit: u32,
    /// Whether a proxy of ours stands before the API: whom it names last in X-Forwarded-For is who asks
    #[arg(long, env = "API_TRUST_PROXY", value_name = "BOOL", default_value_t = false,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub api_trust_proxy: bool,
    /// Whether prices are told to accounts only, too: every request but those to log in, about health and metrics, and for the description needs a token or key
    #[arg(long, env = "API_REQUIRE_AUTH", value_name = "BOOL", default_value_t = false,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub api_require_auth: bool,
    /// Whether anybody may make an account, by POST /account; otherwise the operator does
    #[arg(long, env = "API_SIGN_UP", value_name = "BOOL", default_value_t = false,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub api_sign_up: bool,
    /// From which age on a newest price is called stale, in seconds
    #[arg(long, env = "API_STALE_SECONDS", value_name = "SECONDS", default_value_t = STALE_SECONDS)]
    pub api_stale_seconds: u32,
    /// How long an access token serves, in minutes
    #[arg(long, env = "API_ACCESS_MINUTES", value_name = "MINUTES", default_value_t = ACCESS_MINUTES,
          value_parser = clap::value_parser!(u32).range(1..=1_440))]
    pub api_access_minutes: u32,
    /// How long a session lasts from its log-in, in days
    #[arg(long, env = "API_REFRESH_DAYS", value_name = "DAYS", default_value_t = REFRESH_DAYS,
          value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub api_refresh_days: u32,
    /// Whose prices the top list tells
    #[arg(long, env = "API_TOP_PRICES", value_name = "SOURCE", default_value = "auto")]
    pub api_top_prices: PricesFrom,
    /// By whose ranks the top list is sorted
    #[arg(long, env = "API_TOP_RANKS", value_name = "SOURCE", default_value = "auto")]
    pub api_top_ranks: RanksFrom,
    /// How many exports may run at once
    #[arg(long, env = "API_EXPORTS", value_name = "COUNT", default_value_t = EXPORTS)]
    pub api_exports: usize,
    /// How many clients may listen to the live feed at once
    #[arg(long, env = "API_LIVE_CLIENTS", value_name = "COUNT", default_value_t = LIVE_CLIENTS)]
    pub api_live_clients: usize,
    /// How often a live client gets news at most, in milliseconds
    #[arg(long, env = "API_LIVE_PACE_MS", value_name = "MS", default_value_t = LIVE_PACE_MS)]
    pub api_live_pace_ms: u64,
    /// How long a live client may refuse to take a message before it is cut off, in milliseconds
    #[arg(long, env = "API_LIVE_SEND_TIMEOUT_MS", value_name = "MS", default_value_t = LIVE_SEND_MS)]
    pub api_live_send_timeout_ms: u64,
    /// How often a live client is asked for a sign of life, in milliseconds; after three times as long without one it
    /// is cut off
    #[arg(long, env = "API_LIVE_PING_MS", value_name = "MS", default_value_t = LIVE_PING_MS)]
    pub api_live_ping_ms: u64,
    /// How long requests may finish after the process was asked to stop, in seconds
    #[arg(long, env = "API_DRAIN_SECONDS", value_name = "SECONDS", default_value_t = DRAIN_SECONDS)]
    pub api_drain_seconds: u64,
}

const BIND: &str = "127.0.0.1:5001";
const WORKERS: usize = 2;
const REQUEST_MS: u64 = 5_000;
const DATABASE_WAIT_MS: u64 = 250;
const QUERY_MS: u64 = 2_000;
const CACHE_MS: u64 = 1_000;
const CACHE_BYTES: u64 = 64_000_000;
const RATE_LIMIT: u32 = 50;
const STALE_SECONDS: u32 = 60;
const ACCESS_MINUTES: u32 = 15;
const REFRESH_DAYS: u32 = 14;
const EXPORTS: usize = 4;
const LIVE_CLIENTS: usize = 1_000;
const LIVE_PACE_MS: u64 = 100;
const LIVE_SEND_MS: u64 = 10_000;
const LIVE_PING_MS: u64 = 15_000;
const DRAIN_SECONDS: u64 = 5;

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_bind: SocketAddr::from(([127, 0, 0, 1], 5001)),
            api_workers: WORKERS,
            api_request_timeout_ms: REQUEST_MS,
            api_database_wait_ms: DATABASE_WAIT_MS,
            api_query_timeout_ms: QUERY_MS,
            api_cache_ms: CACHE_MS,
            api_cache_bytes: CACHE_BYTES,
            api_rate_limit: RATE_LIMIT,
            api_trust_proxy: false,
            api_require_auth: false,
            api_sign_up: false,
            api_stale_seconds: STALE_SECONDS,
            api_access_minutes: ACCESS_MINUTES,
            api_refresh_days: REFRESH_DAYS,
            api_top_prices: PricesFrom::Auto,
            api_top_ranks: RanksFrom::Auto,
            api_exports: EXPORTS,
            api_live_clients: LIVE_CLIENTS,
            api_live_pace_ms: LIVE_PACE_MS,
            api_live_send_timeout_ms: LIVE_SEND_MS,
            api_live_ping_ms: LIVE_PING_MS,
            api_drain_seconds: DRAIN_SECONDS,
        }
    }
}

/// Whose prices the top list tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum PricesFrom {
    /// CoinMarketCap's where they are stored of that minute, else ours.
    Auto,
    /// Ours: what the recorded markets paid.
    Recorded,
    /// CoinMarketCap's alone.
    CoinMarketCap,
}

/// By whose ranks the top list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum RanksFrom {
    /// CryptoCompare's where they are stored of that minute, else ours.
    Auto,
    /// Ours: what was traded on the recorded markets.
    Recorded,
    /// CryptoCompare's alone.
    CryptoCompare,
}

impl PricesFrom {
    /// The service outside that may serve, if one may.
    pub(crate) fn outside(self) -> Option<&'static str> {
        (self != Self::Recorded).then_some(COIN_MARKET_CAP)
    }

    /// Whether what we recorded may serve.
    pub(crate) fn may_be_recorded(self) -> bool {
        self != Self::CoinMarketCap
    }
}

impl RanksFrom {
    /// The service outside that may serve, if one may.
    pub(crate) fn outside(self) -> Option<&'static str> {
        (self != Self::Recorded).then_some(CRYPTO_COMPARE)
    }

    /// Whether what we recorded may serve.
    pub(crate) fn may_be_recorded(self) -> bool {
        self != Self::CryptoCompare
    }
}

/// How live clients are treated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LiveLimits {
    /// How many there may be.
    pub(crate) clients: usize,
    /// How often they get news.
    pub(crate) pace: Duration,
    /// How long one may refuse to take a message.
    pub(crate) send: Duration,
    /// How often one is asked for a sign of life.
    pub(crate) ping: Duration,
    /// How long one may go without giving it.
    pub(crate) silence: Duration,
}

impl Settings {
    /// From which age on a newest price is stale.
    pub(crate) fn stale_after(&self) -> TimeDelta {
        TimeDelta::seconds(self.api_stale_seconds.into())
    }

    pub(crate) fn live_limits(&self) -> LiveLimits {
        let ping = Duration::from_millis(self.api_live_ping_ms.max(1));
        LiveLimits {
            clients: self.api_live_clients,
            pace: Duration::from_millis(self.api_live_pace_ms.max(1)),
            send: Duration::from_millis(self.api_live_send_timeout_ms.max(1)),
            ping,
            silence: ping * 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn no_flags_give_the_defaults() {
        let read = Program::parse_from(["api"]).settings;
        assert_eq!(format!("{read:?}"), format!("{:?}", Settings::default()));
    }

    #[test]
    fn sources_of_the_top_list_are_called_as_their_headers_call_them() {
        let read =
            Program::try_parse_from(["api", "--api-top-prices", "coinmarketcap", "--api-top-ranks", "cryptocompare"]);
        let settings = read.map(|program| program.settings).unwrap();
        assert_eq!(settings.api_top_prices.outside(), Some("coinmarketcap"));
        assert_eq!(settings.api_top_ranks.outside(), Some("cryptocompare"));
        assert!(!settings.api_top_prices.may_be_recorded() && !settings.api_top_ranks.may_be_recorded());
        let error = Program::try_parse_from(["api", "--api-top-prices", "cryptocompare"]).err().unwrap().to_string();
        assert!(error.contains("auto, recorded, coinmarketcap"), "{error}");
    }
}
