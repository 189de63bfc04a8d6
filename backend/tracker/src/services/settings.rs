//! Which services outside are asked, with which keys, and how often.

use std::{fmt, time::Duration};

use chrono::NaiveDate;
use clap::Args;

/// Which services outside are asked. One that wants a key is asked where there is one.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Services outside")]
#[group(id = "services")]
pub struct Settings {
    /// Key for CoinMarketCap, whose prices /top tells then; without one it is not asked
    #[arg(long, env = "COINMARKETCAP_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub coinmarketcap_api_key: Option<ApiKey>,
    /// Address of CoinMarketCap's API
    #[arg(long, env = "COINMARKETCAP_URL", value_name = "URL", default_value = "https://pro-api.coinmarketcap.com")]
    pub coinmarketcap_url: String,
    /// Key for CryptoCompare, by whose ranks /top tells coins then; without one it is not asked
    #[arg(long, env = "CRYPTOCOMPARE_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub cryptocompare_api_key: Option<ApiKey>,
    /// Address of CryptoCompare's API
    #[arg(long, env = "CRYPTOCOMPARE_URL", value_name = "URL", default_value = "https://data-api.cryptocompare.com")]
    pub cryptocompare_url: String,
    /// Seconds between two lists of each service, 60 to 86400; they are asked for at whole multiples by the clock. A list serves
    /// /top for a minute, and costs credits: 25 of CoinMarketCap, 50 requests at CryptoCompare
    #[arg(long, env = "TRACKER_LISTING_SECONDS", value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(60..=86_400))]
    pub tracker_listing_seconds: u32,
    /// Ask for the reference rates of the European Central Bank, for currencies that no exchange trades: true or false. Needs no key
    #[arg(long, env = "TRACKER_ECB_RATES", value_name = "BOOL", default_value_t = false,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub tracker_ecb_rates: bool,
    /// Address of Frankfurter, which tells these rates
    #[arg(long, env = "FRANKFURTER_URL", value_name = "URL", default_value = "https://api.frankfurter.dev")]
    pub frankfurter_url: String,
    /// The first day of which these rates are fetched at the start, such as 2020-01-01; without it, 90 days ago
    #[arg(long, env = "TRACKER_RATES_FROM", value_name = "DAY")]
    pub tracker_rates_from: Option<NaiveDate>,
    /// Key for Fixer, which tells what currencies are worth today; without one it is not asked
    #[arg(long, env = "FIXER_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub fixer_api_key: Option<ApiKey>,
    /// Address of Fixer's API
    #[arg(long, env = "FIXER_URL", value_name = "URL", default_value = "https://data.fixer.io/api")]
    pub fixer_url: String,
    /// Hours between two questions for rates, 1 to 24; they are asked at the start and at whole multiples by the clock
    #[arg(long, env = "TRACKER_RATES_HOURS", value_name = "HOURS", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=24))]
    pub tracker_rates_hours: u32,
}

impl Settings {
    /// How often top lists are asked for.
    pub(super) fn lists(&self) -> Duration {
        Duration::from_secs(self.tracker_listing_seconds.max(1).into())
    }

    /// How often rates are asked for.
    pub(super) fn rates(&self) -> Duration {
        Duration::from_secs(u64::from(self.tracker_rates_hours.max(1)) * 3_600)
    }

    /// The same, with nobody to be asked.
    pub fn nobody(self) -> Self {
        Self {
            coinmarketcap_api_key: None,
            cryptocompare_api_key: None,
            fixer_api_key: None,
            tracker_ecb_rates: false,
            ..self
        }
    }
}

/// A key that a service gave its user. Not to be seen.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Whether it is a key at all: a copied `.env` may set an empty one.
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ApiKey {
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn keys_are_not_to_be_seen() {
        let read = Program::try_parse_from(["x", "--coinmarketcap-api-key", "s3cret", "--cryptocompare-api-key", ""]);
        let settings = read.unwrap().settings;
        assert!(!format!("{settings:?}").contains("s3cret"), "{settings:?}");
        let key = settings.coinmarketcap_api_key.as_ref().unwrap();
        assert_eq!((key.is_set(), key.as_str()), (true, "s3cret"));
        assert!(!settings.cryptocompare_api_key.as_ref().unwrap().is_set());
        assert_eq!(settings.nobody().coinmarketcap_api_key, None);
        let command = Program::command();
        let keys: Vec<_> = command.get_arguments().filter(|one| one.get_id().as_str().ends_with("api_key")).collect();
        assert!(keys.len() == 3 && keys.iter().all(|one| one.is_hide_env_values_set()), "--help shows none");
    }

    #[test]
    fn an_interval_that_is_out_of_bounds_is_refused() {
        let error = Program::try_parse_from(["x", "--tracker-listing-seconds", "30"]).unwrap_err().to_string();
        assert!(error.contains("30") && error.contains("60..=86400"), "{error}");
    }
}
