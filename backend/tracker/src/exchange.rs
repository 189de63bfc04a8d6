//! What differs between exchanges, and only that.
//!
//! A connector says where an exchange is, how to subscribe, and what its messages mean. Connecting, reconnecting,
//! waiting, validating, counting and publishing are written once, elsewhere.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ExchangeMinute, Instrument, MarketRow, Tick};
use futures_util::future::BoxFuture;
use smol_str::SmolStr;

use crate::rest::RestError;

/// One exchange.
pub trait Exchange: Send + Sync + 'static {
    /// Its name and seat.
    fn identity(&self) -> domain::Exchange;

    /// How it wants to be connected to.
    fn manners(&self) -> Manners {
        Manners::default()
    }

    /// Asks what it lists.
    fn catalogue(&self) -> BoxFuture<'_, Result<Vec<Instrument>, RestError>>;

    /// The connections that carry live trades of these tickers; as many as its limits ask for.
    fn streams(&self, tickers: &[SmolStr]) -> Vec<StreamRequest>;

    /// Who reads the messages of one connection, from its first on.
    fn reader(&self) -> Box<dyn Reader>;

    /// Asks for the latest price of each ticker.
    fn prices<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<Tick>, RestError>>;

    /// Asks what time it is there; `None` where it does not tell.
    fn clock(&self) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, RestError>>;

    /// Where it numbers the trades of a pair one after the other, how trades that did not come can be asked for.
    fn history(&self) -> Option<&dyn History> {
        None
    }

    /// Where numbers do not tell which trades did not come, how those of a span of time can be asked for.
    fn recent(&self) -> Option<&dyn Recent> {
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

/// Reads the messages of one connection. What must be remembered from one to the next is remembered here.
pub trait Reader: Send {
    /// Reads one text message, and adds what it holds to `found`.
    ///
    /// # Errors
    /// When the message, or a part of it, is none that the exchange documents, with what is wrong; the rest is in `found`.
    fn read(&mut self, text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame>;
}

/// A reader that remembers nothing.
impl<F> Reader for F
where
    F: Fn(&str, DateTime<Utc>, &mut Found) -> Result<Frame, UnreadableFrame> + Send,
{
    fn read(&mut self, text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
        self(text, received_at, found)
    }
}

/// What messages held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Trades.
    pub ticks: Vec<Tick>,
    /// News of the market.
    pub rows: Vec<MarketRow>,
    /// Numbers of the newest trades of pairs, of which the exchange tells beside the trades.
    pub newest: Vec<(SmolStr, i64)>,
}

/// How an exchange wants to be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manners {
    /// Between two connections that are opened.
    pub connect_every: Duration,
    /// Between two messages on one connection.
    pub send_every: Duration,
    /// Nothing at all for so long means that a connection is dead, unless a shorter time is set.
    pub idle: Duration,
    /// What is sent to keep a connection, and how often; none where the exchange asks for nothing.
    pub keep_alive: Option<(&'static str, Duration)>,
}

impl Manners {
    /// The same, with a connection on which nothing came for so long taken for dead, where that is shorter; but never before the
    /// answer to what keeps it could come.
    #[must_use]
    pub fn patient_for(self, idle: Duration) -> Self {
        let least = self.keep_alive.map_or(Duration::ZERO, |(_, every)| every + Duration::from_secs(10));
        Self { idle: self.idle.min(idle.max(least)), ..self }
    }
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            connect_every: Duration::from_secs(1),
            send_every: Duration::from_millis(300),
            idle: Duration::from_secs(60),
            keep_alive: None,
        }
    }
}

/// The whole market at a glance: of every pair the last price and its statistics of 24 hours, as [`domain::market`] defines
/// them.
pub trait Market: Send + Sync {
    /// The connections that carry news of all these pairs, of each whenever it changes; none where they must be asked for.
    fn connections(&self, listed: &[Instrument]) -> Vec<StreamRequest>;

    /// Who reads the messages of one of those connections.
    fn news_reader(&self) -> Box<dyn Reader>;

    /// Asks for all pairs of which something was traded in the last 24 hours.
    fn all(&self) -> BoxFuture<'_, Result<Vec<MarketRow>, RestError>>;
}

/// Candles as the exchange itself makes them.
pub trait Minutes: Send + Sync {
    /// How far back it tells them; `None` where it has all that there ever were.
    fn reach(&self) -> Option<TimeDelta> {
        None
    }

    /// Asks for the minutes of a ticker from one whole minute to another, which is not included; in order, those in which
    /// something was traded. At most a thousand.
    fn minutes<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Vec<ExchangeMinute>, RestError>>;

    /// Asks for the first minute of a ticker that the exchange has; `None` where it has none.
    fn first<'a>(&'a self, ticker: &'a SmolStr) -> BoxFuture<'a, Result<Option<DateTime<Utc>>, RestError>>;
}

/// Trades that can be asked for by their number.
pub trait History: Send + Sync {
    /// Asks for the trades of a ticker from a number on, in order, `most` of them at most. Where that number is none,
    /// the answer begins with the next that is one. `after` is when an earlier trade happened, for exchanges that must be asked
    /// by time.
    fn trades<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from_id: i64,
        after: Option<DateTime<Utc>>,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Tick>, RestError>>;

    /// Asks for the number of the newest trade of each ticker. Tickers that were not traded lately are left out.
    fn newest_ids<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<(SmolStr, i64)>, RestError>>;
}

/// Trades of which numbers do not tell which ones are missing, so that they are asked for by time.
pub trait Recent: Send + Sync {
    /// Asks for the trades of a ticker from one moment to another, both included: the whole of it or a part, as far as one
    /// request goes.
    fn trades<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Span, RestError>>;
}

/// Trades of a span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The trades, in order.
    pub ticks: Vec<Tick>,
    /// From when to when, both included, these are all that there are; `None` where nothing of the span can be had any more.
    pub covers: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Whether what lies before cannot be had: the exchange tells of the newest trades only.
    pub is_oldest: bool,
}

/// One connection to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRequest {
    /// Where to connect.
    pub url: String,
    /// What to send then, in order.
    pub subscriptions: Vec<Subscription>,
}

/// A message that asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// What is sent.
    pub text: String,
    /// How many answers it gets, each of which acknowledges or refuses.
    pub answers: usize,
}

impl Subscription {
    /// A message that gets so many answers.
    pub fn new(message: &serde_json::Value, answers: usize) -> Self {
        Self { text: message.to_string(), answers }
    }
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
    /// The exchange is about to close the connection, or asks for another.
    Closing,
    /// The exchange says that messages were lost, or it shows: what it was about must be asked for anew, in these words.
    Lost(String),
    /// Something documented that is not followed here, by its kind: `"heartbeat"`.
    Other(&'static str),
}

/// A message that the exchange does not document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct UnreadableFrame {
    /// What is wrong with it.
    pub reason: String,
}

impl UnreadableFrame {
    /// A message with this mistake.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl From<serde_json::Error> for UnreadableFrame {
    fn from(error: serde_json::Error) -> Self {
        Self { reason: error.to_string() }
    }
}
