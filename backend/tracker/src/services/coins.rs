//! Lists of coins, as services tell them.

use std::collections::HashSet;

use broker::Message;
use chrono::Utc;
use domain::{Half, ListedCoin, ListingReport, listing::MOST_COINS};

use super::Told;

/// Half of a top list while it is fetched: coins, each once, in their order.
#[derive(Debug)]
pub(super) struct Coins {
    half: Half,
    coins: Vec<ListedCoin>,
    met: HashSet<(i32, String)>,
    left_out: u64,
}

impl Coins {
    pub(super) fn new(half: Half) -> Self {
        Self { half, coins: Vec::new(), met: HashSet::new(), left_out: 0 }
    }

    /// Takes a coin in, where one could be read, it is fit for its half, was not told before, and there is room.
    pub(super) fn add(&mut self, read: Option<ListedCoin>) {
        let fit = read.filter(|coin| self.coins.len() < MOST_COINS && coin.mistake(self.half).is_none());
        match fit.filter(|coin| self.met.insert((coin.id, coin.symbol.to_string()))) {
            Some(coin) => self.coins.push(coin),
            None => self.left_out += 1,
        }
    }

    /// What this service has told.
    pub(super) fn told_by(self, source: &str) -> Told {
        let Self { half, coins, left_out, .. } = self;
        let rows = coins.len();
        let report = ListingReport { source: source.into(), half, at: Utc::now(), coins };
        Told { messages: vec![Message::Listing(report)], rows, left_out }
    }
}
