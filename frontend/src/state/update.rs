//! What the worker tells the window.

use std::path::PathBuf;

use api_types::{
    CandleRow, FeedRow, GapRow, LatestPrice, Sparkline, VolatilityRow,
    alerts::{AlertRow, FiringRow},
    portfolios::ImportProgress,
};

use super::{Connection, Done, Order, Part, Period, Refusal, SeriesKey, portfolio};
use crate::{client::Standing, live::LiveBatch, remote::Failure};

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exported {
    Candles,
    Transactions,
}

/// One piece of news.
#[derive(Debug)]
pub(crate) enum Update {
    /// The live feed's connection changed.
    Connection(Connection),
    /// Answer to the question for all prices.
    Prices(Result<Vec<LatestPrice>, Failure>),
    /// Answer to the question for all feeds.
    Feeds(Result<Vec<FeedRow>, Failure>),
    /// Answer to the question for holes of which trades are missing.
    Holes(Result<Vec<GapRow>, Failure>),
    /// Answer to the question for candles.
    Candles {
        /// Of this series.
        series: SeriesKey,
        /// Its newest, or older ones.
        part: Part,
        /// Oldest first.
        outcome: Result<Vec<CandleRow>, Failure>,
    },
    /// Answer to the question for the last day's closes.
    Sparklines(Result<Vec<Sparkline>, Failure>),
    /// Answer to the question how much prices moved.
    Volatility {
        /// Over this long.
        period: Period,
        /// The most first.
        outcome: Result<Vec<VolatilityRow>, Failure>,
    },
    /// How it stands with the account.
    Account(Standing),
    /// Why nobody is logged in now.
    LogInFailed(String),
    /// Why the API did not hear of the log-out.
    LogOutFailed(String),
    /// Answer to the question for the account's rules.
    Rules(Result<Vec<AlertRow>, Failure>),
    /// What the account's rules fired for since this was last told.
    Firings {
        /// Newest first.
        rows: Vec<FiringRow>,
        /// Whether that happened while somebody was logged in here.
        are_news: bool,
    },
    /// What became of an order.
    Answered {
        /// Its number.
        number: u64,
        /// It.
        order: Box<Order>,
        /// What was done, or why not.
        outcome: Result<Done, Refusal>,
    },
    /// Answer to a question about the account's portfolios.
    Portfolio {
        /// The question.
        topic: portfolio::Topic,
        /// The answer.
        outcome: Result<portfolio::Told, Failure>,
    },
    /// How far an import is.
    PortfolioImport {
        /// The order's number.
        number: u64,
        /// How far.
        progress: ImportProgress,
    },
    /// What became of an order about them.
    PortfolioAnswered {
        /// Its number.
        number: u64,
        /// It.
        order: Box<portfolio::Order>,
        /// What was done, or why not.
        outcome: Result<portfolio::Done, Refusal>,
    },
    /// What became of something that was to be written to a file.
    Exported {
        /// The file.
        path: PathBuf,
        /// How many of what are in it, or why it is not there.
        outcome: Result<(usize, Exported), String>,
    },
    /// What the live feed said since the last batch.
    Live(LiveBatch),
}
