//! Which key a pair has: asked once, then remembered.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use database::{Client, Result};
use domain::TickBatch;
use smol_str::SmolStr;

/// The keys of pairs, by exchange and by the exchange's spelling, which pairs have prices already, and which
/// days have a partition.
#[derive(Debug, Default)]
pub struct Directory {
    exchanges: HashMap<SmolStr, HashMap<SmolStr, i32>>,
    recorded: HashSet<i32>,
    days: HashSet<NaiveDate>,
}

impl Directory {
    /// The key of a pair, if it is known.
    pub fn ticker_id(&self, exchange: &str, ticker: &str) -> Option<i32> {
        self.exchanges.get(exchange)?.get(ticker).copied()
    }

    /// The key of each tick's pair, if all are known.
    pub fn ticker_ids(&self, batch: &TickBatch) -> Option<Vec<i32>> {
        let tickers = self.exchanges.get(&batch.exchange)?;
        batch.ticks.iter().map(|tick| tickers.get(&tick.ticker).copied()).collect()
    }

    /// Forgets everything: it is asked again when it is needed.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Asks the database for every pair of an exchange.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn refresh(&mut self, client: &Client, exchange: &SmolStr) -> Result<()> {
        let tickers = database::catalogue::ticker_ids(client, exchange).await?;
        self.exchanges.insert(exchange.clone(), tickers);
        Ok(())
    }

    /// Those of the pairs that had no price so far, as far as is known here.
    pub fn without_prices(&self, ticker_ids: impl Iterator<Item = i32>) -> Vec<i32> {
        let mut new: Vec<i32> = ticker_ids.filter(|id| !self.recorded.contains(id)).collect();
        new.sort_unstable();
        new.dedup();
        new
    }

    /// These pairs have prices now.
    pub fn have_prices(&mut self, ticker_ids: &[i32]) {
        self.recorded.extend(ticker_ids);
    }

    /// The days of these moments that are not known to have a partition.
    pub fn days_without_partition(&self, times: impl Iterator<Item = DateTime<Utc>>) -> Vec<NaiveDate> {
        let mut days: Vec<NaiveDate> = Vec::new();
        for day in times.map(|time| time.date_naive()) {
            // Ticks of one day come together, so that looking at the last one nearly always suffices.
            if days.last() != Some(&day) && !days.contains(&day) {
                days.push(day);
            }
        }
        days.retain(|day| !self.days.contains(day));
        days
    }

    /// A day has a partition.
    pub fn has_partition(&mut self, day: NaiveDate) {
        self.days.insert(day);
    }
}
