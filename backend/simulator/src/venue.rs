//! The exchange itself, apart from sockets and tasks: what it lists, what it has published, who listens, what is wrong.
//!
//! Every trade, walked or replayed, is first in the ledger and then streamed, so that REST never lags behind the stream.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::Utc;
use tokio::sync::{mpsc, watch};

use crate::{
    faults::{Fault, Lasting},
    hub::Hub,
    ledger::{Ledger, PublishedTrade},
    limits::Meter,
    listings::{Listed, ListingError, Listings},
    market::Step,
    protocol,
    settings::{Settings, SimulatedSymbol},
};

pub(crate) struct Venue {
    pub(crate) listings: Listings,
    pub(crate) hub: Hub,
    pub(crate) faults: Lasting,
    pub(crate) ping_interval: Duration,
    meter: Mutex<Meter>,
    retained_trades: usize,
    pub(crate) paused: watch::Sender<bool>,
    /// Outages, for the task that holds the listening socket.
    outages: mpsc::Sender<Duration>,
    replayed: AtomicBool,
    /// How far the exchange's clock is ahead of the system's, in milliseconds.
    ahead_ms: AtomicI64,
}

/// Milliseconds since 1970, by the system's clock.
pub(crate) fn now_ms() -> i64 {
    Utc::now().timestamp_millis()
}

impl Venue {
    pub(crate) fn new(
        settings: &Settings,
        symbols: Vec<SimulatedSymbol>,
        first_id: i64,
        outages: mpsc::Sender<Duration>,
    ) -> Self {
        let ledger = || Ledger::new(first_id, settings.retained_trades);
        Self {
            listings: Listings::new(symbols.into_iter().map(|symbol| Listed::new(symbol, ledger()))),
            retained_trades: settings.retained_trades,
            hub: Hub::new(settings.client_queue),
            faults: Lasting::default(),
            ping_interval: settings.ping_interval,
            meter: Mutex::new(Meter::new(settings.weight_limit)),
            paused: watch::Sender::new(settings.start_paused),
            outages,
            replayed: AtomicBool::new(false),
            ahead_ms: AtomicI64::new(0),
        }
    }

    /// Lists a pair, whose trades are numbered by the clock as at a start.
    pub(crate) fn list(&self, symbol: SimulatedSymbol) -> Result<(), ListingError> {
        self.listings.add(symbol, Ledger::new(now_ms() * 1_000, self.retained_trades))
    }

    /// The symbol at a place. Each keeps its place for ever.
    pub(crate) fn at(&self, index: usize) -> Arc<Listed> {
        self.listings.at(index)
    }

    pub(crate) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a recorded trade and streams it, unless its number was published before.
    pub(crate) fn publish(&self, index: usize, trade: &PublishedTrade) {
        let is_new = self.at(index).ledger().enter(trade);
        if is_new {
            self.stream(index, trade);
        }
    }

    /// Makes a trade of the walk's step and streams it.
    pub(crate) fn trade(&self, index: usize, step: Step, due_ms: i64) {
        let trade = self.at(index).ledger().append(step, due_ms);
        self.stream(index, &trade);
    }

    fn stream(&self, index: usize, trade: &PublishedTrade) {
        let listed = self.at(index);
        for trade in self.faults.in_order(index, trade).iter().flatten() {
            for _ in 0..self.faults.copies(index) {
                protocol::stream(self, &listed, trade);
            }
        }
    }

    /// Waits for as long as answers are late.
    pub(crate) async fn slow_down(&self) {
        let delay = self.faults.delay();
        if !delay.is_zero() {
            actix_web::rt::time::sleep(delay).await;
        }
    }

    /// Milliseconds since 1970, by the exchange's clock.
    pub(crate) fn now_ms(&self) -> i64 {
        now_ms().saturating_add(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Makes something go wrong.
    pub(crate) fn inject(&self, fault: Fault) {
        tracing::info!(?fault, "the simulator has a fault");
        match fault {
            Fault::Disconnect => self.hub.cut_all(),
            Fault::Silence(length) => self.faults.silence(length),
            Fault::Gap(trades) => self.faults.gap(self.listings.places(), trades),
            Fault::Duplicate(trades) => self.faults.duplicate(self.listings.places(), trades),
            Fault::Garbage(text) => self.hub.broadcast_raw(text),
            Fault::RateLimited { status, retry_after } => self.faults.refuse(status, retry_after),
            Fault::Slow(delay) => self.faults.slow(delay),
            Fault::RefuseConnections(length) => {
                // When the queue is full an outage is under way already.
                let _ = self.outages.try_send(length);
            }
            Fault::ServerShutdown => protocol::announce_shutdown(self),
            Fault::RefuseSubscriptions(requests) => self.faults.refuse_subscriptions(requests),
            Fault::Reorder(pairs) => self.faults.reorder(self.listings.places(), pairs),
            Fault::ClockAhead(by) => {
                self.ahead_ms.store(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
            }
            Fault::Recover => {
                self.ahead_ms.store(0, Ordering::Relaxed);
                for (index, trade) in self.faults.recover() {
                    self.stream(index, &trade);
                }
            }
        }
    }

    pub(crate) fn replay_ended(&self) -> bool {
        self.replayed.load(Ordering::Acquire)
    }

    pub(crate) fn end_replay(&self) {
        self.replayed.store(true, Ordering::Release);
    }
}
