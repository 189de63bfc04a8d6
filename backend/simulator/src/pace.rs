//! The clockwork of the random walk: a steady number of trades a second, without drift.
//!
//! How many trades are due follows from the time that has passed, never from counting sleeps, so a late wake-up is made
//! up for. A trade is dated when it was due, within the limits that the ledger sets. At high rates trades come in small
//! slices; at low rates the task sleeps until the next one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::{
    listings::{Command, ListingError},
    market::Market,
    settings::{SimulatedSymbol, check_symbols},
    venue::Venue,
};

const SLICE: Duration = Duration::from_millis(2);
/// A longer delay is the machine's sleep or a stopped process: no burst makes up for it.
const FORGIVEN: Duration = Duration::from_secs(2);
/// Trades between two looks at the clients' queues when nothing else sets the pace.
const BATCH: u64 = 256;

/// The walk and the venue that it trades on.
pub(crate) struct Walker {
    venue: Arc<Venue>,
    /// Held while a trade is made and published, so that each symbol's trades are streamed in order.
    market: Mutex<Market>,
}

impl Walker {
    pub(crate) fn new(venue: Arc<Venue>, market: Market) -> Self {
        Self { venue, market: Mutex::new(market) }
    }

    fn market(&self) -> MutexGuard<'_, Market> {
        self.market.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Trades at a steady rate for ever; the caller stops it.
    pub(crate) async fn run(&self, trades_per_second: f64) {
        let mut paused = self.venue.paused.subscribe();
        loop {
            if paused.wait_for(|paused| !paused).await.is_err() {
                return;
            }
            let start = Instant::now();
            let due = |count: u64| start + Duration::from_secs_f64(count as f64 / trades_per_second);
            let mut done = 0;
            loop {
                let wake = due(done + 1).max(Instant::now() + SLICE);
                tokio::select! {
                    () = sleep_until(wake) => {}
                    _ = paused.wait_for(|paused| *paused) => break,
                }
                let (now, wall_ms) = (Instant::now(), self.venue.now_ms());
                if now.duration_since(due(done)) > FORGIVEN {
                    break;
                }
                let mut market = self.market();
                // The lateness is checked again because a pause must take effect at once.
                while due(done + 1) <= now && !*self.venue.paused.borrow() {
                    done += 1;
                    let symbol = market.next_symbol();
                    let late_ms = i64::try_from(now.duration_since(due(done)).as_millis()).unwrap_or(0);
                    self.venue.trade(symbol, market.step(symbol), wall_ms - late_ms);
                }
            }
        }
    }

    /// Makes exactly so many trades of each trading symbol now, as fast as the clients read.
    pub(crate) async fn emit(&self, trades_per_symbol: u64) -> u64 {
        let trading = self.venue.listings.all().into_iter().filter(|(_, listed)| listed.symbol.trading);
        let trading: Vec<usize> = trading.map(|(place, _)| place).collect();
        let mut total = 0;
        for _ in 0..trades_per_symbol {
            for symbol in &trading {
                if total % BATCH == 0 {
                    self.venue.hub.room().await;
                    tokio::task::yield_now().await;
                }
                let mut market = self.market();
                self.venue.trade(*symbol, market.step(*symbol), self.venue.now_ms());
                total += 1;
            }
        }
        total
    }

    /// Changes what is listed.
    pub(crate) fn list(&self, command: Command) -> Result<(), ListingError> {
        // Nothing trades meanwhile.
        let mut market = self.market();
        tracing::info!(?command, "the simulator changes what it lists");
        match command {
            Command::Add { ticker, base, quote, price } => {
                let symbol = SimulatedSymbol::priced(ticker, base, quote, price);
                check_symbols(std::slice::from_ref(&symbol))
                    .map_err(|error| ListingError::Senseless(error.to_string()))?;
                self.venue.list(symbol.clone())?;
                market.add(&symbol);
            }
            Command::Remove { ticker } => market.halt(self.venue.listings.remove(&ticker)?),
            Command::Rename { ticker, to } => {
                let place = self.venue.listings.find(&ticker).ok_or_else(|| ListingError::Unknown(ticker.clone()))?;
                let renamed = SimulatedSymbol { ticker: to.clone(), ..self.venue.at(place).symbol.clone() };
                check_symbols(&[SimulatedSymbol { trading: true, ..renamed }])
                    .map_err(|error| ListingError::Senseless(error.to_string()))?;
                self.venue.listings.rename(&ticker, &to)?;
            }
        }
        Ok(())
    }
}
