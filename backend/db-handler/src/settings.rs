//! How the db-handler works.

use std::{path::PathBuf, time::Duration};

use bytesize::ByteSize;
use clap::{Args, value_parser};
use database::retention::Limits;

use crate::Idle;

/// How prices are gathered and stored.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storing")]
#[group(id = "storing")]
pub struct Settings {
    /// Transactions at work at the same time, each with its own connection to the database
    #[arg(long, env = "DB_HANDLER_WRITERS", value_name = "COUNT", default_value_t = 3)]
    pub db_handler_writers: u16,
    /// How many ticks are gathered before a transaction is begun without waiting for more
    #[arg(long, env = "DB_HANDLER_BATCH_TICKS", value_name = "COUNT", default_value_t = 5_000)]
    pub db_handler_batch_ticks: usize,
    /// How long a batch may wait to grow, in milliseconds
    #[arg(long, env = "DB_HANDLER_LINGER_MS", value_name = "MS", default_value_t = 3)]
    pub db_handler_linger_ms: u64,
    /// How many messages a writer may hold unacknowledged
    #[arg(long, env = "DB_HANDLER_PREFETCH", value_name = "COUNT", default_value_t = 128)]
    pub db_handler_prefetch: u16,
    /// Vacuum and analyze the database from here, for one that does not by itself (the embedded one)
    #[arg(skip)]
    pub vacuum: bool,
    /// Where it is told how many writers have nothing to do
    #[arg(skip)]
    pub idle: Idle,
    /// What is kept.
    #[command(flatten)]
    pub keeping: KeepSettings,
}

/// The smallest budget: less would not hold two days of a busy market.
const SMALLEST_BUDGET: ByteSize = ByteSize::gb(1);

/// What is kept. Candles of five minutes, hours and days, and the gap ledger, always are.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Keeping")]
#[group(id = "keeping")]
pub struct KeepSettings {
    /// How large the database may be, such as 50GB or 1TB: above it the oldest ticks go, then the oldest one-minute candles.
    /// Without it, nothing goes for its size
    #[arg(long, env = "STORAGE_BUDGET", value_name = "SIZE", value_parser = budget)]
    pub storage_budget: Option<i64>,
    /// For how many days ticks are kept, 3 at least; without it, for ever
    #[arg(long, env = "KEEP_TICKS_DAYS", value_name = "DAYS", value_parser = value_parser!(u16).range(3..=36_500))]
    pub keep_ticks_days: Option<u16>,
    /// For how many days one-minute candles are kept, 8 at least and not less than ticks; without it, for ever. They go by months
    #[arg(long, env = "KEEP_MINUTES_DAYS", value_name = "DAYS", value_parser = value_parser!(u16).range(8..=36_500))]
    pub keep_minutes_days: Option<u16>,
    /// For how many days top lists from outside are kept, 1 at least; without it, for ever
    #[arg(long, env = "KEEP_LISTINGS_DAYS", value_name = "DAYS", value_parser = value_parser!(u16).range(1..=36_500))]
    pub keep_listings_days: Option<u16>,
    /// Where the database's files are, where that is known: to tell how much room there is
    #[arg(skip)]
    pub folder: Option<PathBuf>,
}

fn budget(text: &str) -> Result<i64, String> {
    let size: ByteSize = text.parse().map_err(|_| "write a size such as 50GB, 500GiB or 1TB".to_owned())?;
    if size < SMALLEST_BUDGET {
        return Err(format!("{size} is too little; write {SMALLEST_BUDGET} or more"));
    }
    i64::try_from(size.as_u64()).map_err(|_| "no disk is that large; write a size such as 50GB or 1TB".to_owned())
}

impl KeepSettings {
    /// What cannot be meant, in words for whoever set it.
    pub fn mistake(&self) -> Option<String> {
        let minutes = self.keep_minutes_days?;
        let ticks = self.keep_ticks_days;
        if ticks.is_some_and(|ticks| ticks <= minutes) {
            return None;
        }
        let told = ticks.map_or("not set".to_owned(), |ticks| ticks.to_string());
        Some(format!(
            "KEEP_MINUTES_DAYS is {minutes} and KEEP_TICKS_DAYS is {told}: minutes cannot go before the ticks of which they are \
             made; set KEEP_TICKS_DAYS to {minutes} or less"
        ))
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { budget: self.storage_budget, ticks_days: self.keep_ticks_days, minutes_days: self.keep_minutes_days }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            db_handler_writers: 3,
            db_handler_batch_ticks: 5_000,
            db_handler_linger_ms: 3,
            db_handler_prefetch: 128,
            vacuum: false,
            idle: Idle::default(),
            keeping: KeepSettings::default(),
        }
    }
}

impl Settings {
    pub(crate) fn linger(&self) -> Duration {
        Duration::from_millis(self.db_handler_linger_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read_with_units_and_refused_with_a_remedy() {
        assert_eq!(budget("50GB"), Ok(50_000_000_000));
        assert_eq!(budget("1 TiB"), Ok(1 << 40));
        assert_eq!(budget("2000000000"), Ok(2_000_000_000));
        for (text, remedy) in [("20MB", "or more"), ("0", "or more"), ("-5GB", "50GB"), ("much", "50GB"), ("", "50GB")]
        {
            let error = budget(text).unwrap_err();
            assert!(error.contains(remedy), "{text:?}: {error}");
        }
    }

    #[test]
    fn minutes_outlive_the_ticks_of_which_they_are_made() {
        let settings = |ticks, minutes| KeepSettings {
            keep_ticks_days: ticks,
            keep_minutes_days: minutes,
            ..KeepSettings::default()
        };
        for (ticks, minutes) in [(None, None), (Some(30), None), (Some(30), Some(30)), (Some(3), Some(90))] {
            assert_eq!(settings(ticks, minutes).mistake(), None);
        }
        for (ticks, told) in [(None, "not set"), (Some(31), "31")] {
            let mistake = settings(ticks, Some(30)).mistake().unwrap();
            assert!(mistake.contains(told) && mistake.contains("KEEP_TICKS_DAYS to 30 or less"), "{mistake}");
        }
    }
}
