//! What differs between exchanges, and only that.
//!
//! A connector says where an exchange is, how to subscribe, and what its messages mean. Connecting, reconnecting,
//! waiting, validating, counting and publishing are written once, elsewhere.

use chrono::{DateTime, Utc};
use domain::{ExchangeMinute, Instrument, MarketRow, Tick};
use futures_util::future::BoxFuture;
use smol_str::SmolStr;

use crate::rest::RestError;

/// One exchange.
pub trait Exchange: Send + Sync + 'static {
    /// Its name and seat.
    fn identity(&self) -> domain::Exchange;

    /// Asks what it lists.
    fn catalogue(&self) -> BoxFuture<'_, Result<Vec<Instrument>, RestError>>;

    /// The connections that carry live trades of these tickers; as many as its limits ask for.
    fn streams(&self, tickers: &[SmolStr]) -> Vec<StreamRequest>;

    /// Reads one text message of a stream, and adds the ticks that it holds to `ticks`.
    ///
    /// # Errors
    /// When the message is none that the exchange documents, with what is wrong.
    fn read(&self, text: &str, received_at: DateTime<Utc>, ticks: &mut Vec<Tick>) -> Result<Frame, UnreadableFrame>;

    /// Asks for the latest price of each ticker.
    fn prices<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<Tick>, RestError>>;

    /// Asks what time it is there; `None` where it does not tell.
    fn clock(&self) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, RestError>>;

    /// Where it numbers the trades of a pair one after the other, how trades that did not come can be asked for.
    fn history(&self) -> Option<&dyn History> {
        None
    }

    /// Where it tells its own candles, how to ask for them.
    fn minutes(&self) -> Option<&dyn Minutes> {
        None
    }

    /// Where it tells of all its pairs at once, how to follow that.
    fn market(&self) -> Option<&dyn Market> {
        None
    }
}

/// The whole market at a glance: of every pair the last price and its statistics of 24 hours, as [`domain::market`] defines
/// them.
pub trait Market: Send + Sync {
    /// The connection that carries news of all pairs, of each whenever it changes.
    fn stream(&self) -> StreamRequest;

    /// Reads one text message of that stream, and adds what it tells to `rows`.
    ///
    /// # Errors
    /// When the message, or a part of it, is none that the exchange documents, with what is wrong; the rest is in `rows`.
    fn read(&self, text: &str, received_at: DateTime<Utc>, rows: &mut Vec<MarketRow>)
    -> Result<Frame, UnreadableFrame>;

    /// Asks for all pairs of which something was traded in the last 24 hours.
    fn all(&self) -> BoxFuture<'_, Result<Vec<MarketRow>, RestError>>;
}

/// Candles as the exchange itself makes them.
pub trait Minutes: Send + Sync {
    /// Asks for the minutes of a ticker from one whole minute to another, which is not included; in order, those in which
    /// something was traded. At most a thousand.
    fn minutes<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Vec<ExchangeMinute>, RestError>>;
}

/// Trades that can be asked for by their number.
pub trait History: Send + Sync {
    /// Asks for the trades of a ticker from a number on, in order, `most` of them at most. Where that number is none,
    /// the answer begins with the next that is one.
    fn trades<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from_id: i64,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Tick>, RestError>>;

    /// Asks for the number of the newest trade of each ticker. Tickers that were not traded lately are left out.
    fn newest_ids<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<(SmolStr, i64)>, RestError>>;
}

/// One connection to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRequest {
    /// Where to connect.
    pub url: String,
    /// What to send then, in order, each to be acknowledged.
    pub subscriptions: Vec<String>,
}

/// What a message was, beside what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Trades.
    Trades,
    /// News of the market.
    Market,
    /// A subscription is acknowledged.
    Acknowledged,
    /// A subscription is refused, in the exchange's words.
    Refused(String),
    /// The exchange is about to close the connection.
    Closing,
    /// Something documented that is not followed here.
    Other,
}

/// A message that the exchange does not document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct UnreadableFrame {
    /// What is wrong with it.
    pub reason: String,
}

impl From<serde_json::Error> for UnreadableFrame {
    fn from(error: serde_json::Error) -> Self {
        Self { reason: error.to_string() }
    }
}
