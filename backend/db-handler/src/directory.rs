//! Which key a pair has: asked once, then remembered.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use database::{Client, Result};
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
        let new: HashSet<i32> = ticker_ids.filter(|id| !self.recorded.contains(id)).collect();
        let mut new: Vec<i32> = new.into_iter().collect();
        new.sort_unstable();
        new
    }

    /// These pairs have prices now.
    pub fn have_prices(&mut self, ticker_ids: &[i32]) {
        self.recorded.extend(ticker_ids);
    }

    /// Whether it is not known that a day has a partition.
    pub fn is_new_day(&self, day: NaiveDate) -> bool {
        !self.days.contains(&day)
    }

    /// A day has a partition.
    pub fn has_partition(&mut self, day: NaiveDate) {
        self.days.insert(day);
    }
}
