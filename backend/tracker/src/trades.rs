//! A stream of trades: read by the connector, looked at, and handed to whoever makes messages of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{Tick, TickSource};
use tokio::sync::mpsc;

use crate::{
    exchange::{Exchange, Frame, UnreadableFrame},
    inspect::Inspector,
    publish::Passed,
    session::Carried,
    status::Board,
};

/// The trades of one connection.
pub struct Trades {
    /// Who can read them.
    pub exchange: Arc<dyn Exchange>,
    /// Who looks at them.
    pub inspector: Arc<Inspector>,
    /// Where they go.
    pub ticks: mpsc::Sender<Passed>,
    /// Who counts them.
    pub board: Board,
    /// What was read and not yet handed on.
    pub found: Vec<Tick>,
}

impl Carried for Trades {
    fn read(&mut self, text: &str, received_at: DateTime<Utc>) -> Result<Frame, UnreadableFrame> {
        self.exchange.read(text, received_at, &mut self.found)
    }

    fn unreadable(&self, error: &UnreadableFrame, text: &str) {
        self.inspector.unreadable(error, text);
        self.board.count(0, 1);
    }

    /// Hands credible ticks on. Waits while the disk does.
    async fn hand_on(&mut self) -> bool {
        let (mut valid, mut rejected) = (0, 0);
        for tick in self.found.drain(..) {
            if self.inspector.passes(&tick) {
                valid += 1;
                if self.ticks.send((TickSource::Stream, tick)).await.is_err() {
                    return false;
                }
            } else {
                rejected += 1;
            }
        }
        if valid + rejected > 0 {
            self.board.count(valid, rejected);
        }
        true
    }
}
