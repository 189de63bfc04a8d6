//! A stream of the market's news: read by the connector, and taken in.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use smol_str::SmolStr;

use super::Latest;
use crate::{
    exchange::{Exchange, Found, Frame, Market, Reader, UnreadableFrame},
    session::Carried,
};

/// What a stream of the market carries.
pub(crate) struct News {
    exchange: Arc<dyn Exchange>,
    latest: Latest,
    reader: Box<dyn Reader>,
    found: Found,
}

impl News {
    /// News of `market`, which is the exchange's; `latest` takes them in.
    pub(crate) fn new(exchange: Arc<dyn Exchange>, market: &dyn Market, latest: Latest) -> Self {
        let reader = market.news_reader();
        Self { exchange, latest, reader, found: Found::default() }
    }

    /// The pairs of what was read and not yet handed on.
    pub(crate) fn tickers(&self) -> impl Iterator<Item = &SmolStr> {
        self.found.rows.iter().map(|row| &row.ticker)
    }
}

impl Carried for News {
    fn begins(&mut self, _: bool) {
        if let Some(market) = self.exchange.market() {
            self.reader = market.news_reader();
        }
    }

    fn read(&mut self, text: &str, received_at: DateTime<Utc>) -> Result<Frame, UnreadableFrame> {
        self.reader.read(text, received_at, &mut self.found)
    }

    fn unreadable(&self, error: &UnreadableFrame, text: &str) {
        self.latest.unreadable(error, text);
    }

    async fn hand_on(&mut self) -> bool {
        if !self.found.rows.is_empty() {
            self.latest.heard();
            self.latest.take_in(std::mem::take(&mut self.found.rows));
        }
        self.found.ticks.clear();
        self.found.newest.clear();
        true
    }
}
