//! One file of a replay: what was read by one connection.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};
use smol_str::SmolStr;

use crate::{
    exchange::{Exchange, Frame, UnreadableFrame},
    intake::Intake,
    market::{Latest, News},
    recording::{Carries, Configuration},
    session::Carried,
    status::Board,
    trades::Trades,
};

/// A connection, as the recording has it. What it carried is read as trades and as news of the market, unless the recording says
/// which of them it was.
pub(super) struct Stream {
    trades: Option<Trades>,
    news: Option<News>,
    /// Whether the recording says when a connection was lost.
    tells_losses: bool,
    /// Whether pairs that no recording lists are to be told by their names.
    pub(super) names_pairs: bool,
    has_begun: bool,
    is_lost: bool,
    last_at: Option<DateTime<Utc>>,
}

/// What a message was.
#[derive(Clone, Copy)]
pub(super) enum Read {
    /// One that the exchange documents.
    Known,
    /// None that it documents. Whether the board has counted it among the refused ticks.
    Unreadable { on_board: bool },
}

impl Stream {
    pub(super) fn new(
        configuration: &Configuration,
        exchange: &Arc<dyn Exchange>,
        intake: &Intake,
        latest: Option<&Latest>,
        board: &Board,
    ) -> Self {
        let trades = (configuration.carries != Some(Carries::Market)).then(|| intake.trades(exchange, board));
        let of_market =
            (configuration.carries != Some(Carries::Trades)).then(|| latest.zip(exchange.market())).flatten();
        let news = of_market.map(|(latest, market)| News::new(exchange.clone(), market, latest.clone()));
        Self {
            trades,
            news,
            tells_losses: configuration.is_ours(),
            names_pairs: configuration.instruments.is_empty(),
            has_begun: false,
            is_lost: false,
            last_at: None,
        }
    }

    /// A connection was opened. Where the recording does not say so itself, every one but the first took the place of one that was
    /// lost.
    pub(super) fn connected(&mut self) {
        let after_loss = self.has_begun && (self.is_lost || !self.tells_losses);
        (self.has_begun, self.is_lost) = (true, false);
        if let Some(trades) = &mut self.trades {
            trades.begins(after_loss);
        }
        if let Some(news) = &mut self.news {
            news.begins(after_loss);
        }
    }

    /// A connection was lost.
    pub(super) fn lost(&mut self) {
        self.is_lost = true;
    }

    /// Reads a message that came then; without a time, at the time of the one before, or now.
    pub(super) fn read(&mut self, text: &str, at: Option<DateTime<Utc>>) -> Read {
        let at = at.or(self.last_at).unwrap_or_else(|| Utc::now().trunc_subsecs(6));
        self.last_at = Some(at);
        let of_trades = self.trades.as_mut().map(|trades| trades.read(text, at));
        // What it cannot read, it need not, where there are trades: those who read these say so.
        let of_market = self.news.as_mut().map(|news| news.read(text, at));
        match (of_trades, of_market) {
            (Some(Err(error)), _) | (None, Some(Err(error))) => self.unreadable(&error, text),
            (Some(Ok(Frame::Refused(reason))), _) => {
                tracing::debug!(%reason, "the recording holds a subscription that was refused");
                Read::Known
            }
            _ => Read::Known,
        }
    }

    /// A line is none of a recording.
    pub(super) fn broken(&self, text: &str) -> Read {
        self.unreadable(&UnreadableFrame::new("the line is none of a recording"), text)
    }

    fn unreadable(&self, error: &UnreadableFrame, text: &str) -> Read {
        match (&self.trades, &self.news) {
            (Some(trades), _) => trades.unreadable(error, text),
            (None, Some(news)) => news.unreadable(error, text),
            (None, None) => {}
        }
        Read::Unreadable { on_board: self.trades.is_some() }
    }

    /// The pairs of what was read and not yet handed on.
    pub(super) fn tickers(&self) -> impl Iterator<Item = &SmolStr> {
        let trades = self.trades.iter().flat_map(Trades::tickers);
        trades.chain(self.news.iter().flat_map(News::tickers))
    }

    /// Hands on what was read. `false` when nobody takes it any more.
    pub(super) async fn hand_on(&mut self) -> bool {
        if let Some(news) = &mut self.news {
            news.hand_on().await;
        }
        match &mut self.trades {
            Some(trades) => trades.hand_on().await,
            None => true,
        }
    }
}
