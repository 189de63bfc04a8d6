//! A stream of trades: read by the connector, looked at, and handed to whoever makes messages of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::TickSource;
use smol_str::SmolStr;
use tokio::sync::mpsc;

use crate::{
    exchange::{Exchange, Found, Frame, Reader, UnreadableFrame},
    gaps::Ledger,
    inspect::Inspector,
    publish::Passed,
    session::Carried,
    status::Board,
};

/// The trades of one stream, whichever connection carries it.
pub struct Trades {
    exchange: Arc<dyn Exchange>,
    inspector: Arc<Inspector>,
    ticks: mpsc::Sender<Passed>,
    board: Board,
    ledger: Option<Ledger>,
    reader: Box<dyn Reader>,
    /// Counts the connections that were lost.
    losses: u64,
    /// What was read and not yet handed on.
    found: Found,
}

impl Trades {
    /// Trades that `exchange` can read and that go to `ticks` when `inspector` lets them pass; `ledger` is told of what the exchange
    /// says is the newest.
    pub fn new(
        exchange: Arc<dyn Exchange>,
        inspector: Arc<Inspector>,
        ticks: mpsc::Sender<Passed>,
        board: Board,
        ledger: Option<Ledger>,
    ) -> Self {
        let reader = exchange.reader();
        Self { exchange, inspector, ticks, board, ledger, reader, losses: 0, found: Found::default() }
    }

    /// The pairs of what was read and not yet handed on.
    pub(crate) fn tickers(&self) -> impl Iterator<Item = &SmolStr> {
        self.found.ticks.iter().map(|tick| &tick.ticker)
    }
}

impl Carried for Trades {
    fn begins(&mut self, after_loss: bool) {
        self.reader = self.exchange.reader();
        self.losses += u64::from(after_loss);
    }

    fn lost(&mut self) {
        self.losses += 1;
    }

    fn read(&mut self, text: &str, received_at: DateTime<Utc>) -> Result<Frame, UnreadableFrame> {
        self.reader.read(text, received_at, &mut self.found)
    }

    fn unreadable(&self, error: &UnreadableFrame, text: &str) {
        self.inspector.unreadable(error, text);
        self.board.count(0, 1);
    }

    /// Hands credible ticks on. Waits while the disk does.
    async fn hand_on(&mut self) -> bool {
        let (mut valid, mut rejected) = (0, 0);
        for tick in self.found.ticks.drain(..) {
            if self.inspector.passes(&tick) {
                valid += 1;
                let passed = Passed { source: TickSource::Stream, tick, losses: Some(self.losses) };
                if self.ticks.send(passed).await.is_err() {
                    return false;
                }
            } else {
                rejected += 1;
            }
        }
        if valid + rejected > 0 {
            self.board.count(valid, rejected);
        }
        for (ticker, id) in self.found.newest.drain(..) {
            if let Some(ledger) = &self.ledger {
                ledger.hear_of(&ticker, id, Utc::now());
            }
        }
        self.found.rows.clear();
        true
    }
}
