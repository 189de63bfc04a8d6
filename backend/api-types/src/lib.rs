//! The JSON that the REST API speaks, shared by the server that writes it and the dashboard that reads it.
//!
//! Every answer is `{"data": …}`, every failure a [`Problem`]. Prices and quantities are decimal strings. Moments
//! are RFC 3339 in UTC, except in [`PriceHistoryMinute`], which keeps the date format that its users know.

pub mod accounts;
pub mod alerts;
pub mod earlier_notifications;
pub mod earlier_portfolios;
pub mod live;
pub mod notifications;
mod operation;
pub mod portfolios;
pub mod worth;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use operation::{DeadLetter, DeadLetterBody, DroppedSpan, FeedRow, GapRow, KeptSpan, StorageReport, StoredKind};

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Data<T> {
    /// What was asked for.
    pub data: T,
    /// When it was read, where the answer is about now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
}

/// One page of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows of this page.
    pub data: Vec<T>,
    /// When they were read, where the answer is about now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
    /// Pass as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// A failure: problem details as RFC 9457 has them, sent as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Where the kind of failure is explained, relative to the API's address.
    #[serde(rename = "type")]
    #[schema(example = "/problems/unknown_ticker")]
    pub kind: String,
    /// The kind in words, always the same.
    #[schema(example = "No such pair")]
    pub title: String,
    /// The status of the answer.
    #[schema(example = 404, minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened here, in a sentence for people.
    pub detail: String,
    /// The kind as a fixed word for programs.
    #[schema(example = "unknown_ticker")]
    pub code: String,
    /// The parameter at fault, where one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ticker")]
    pub parameter: Option<String>,
    /// The value that was given for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "BTCUSD")]
    pub value: Option<String>,
    /// What is allowed instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "BTCUSDT, LTCUSDT")]
    pub allowed: Option<String>,
}

/// What a kind of failure means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemRow {
    /// Its fixed word.
    #[schema(example = "unknown_ticker")]
    pub code: String,
    /// The status that it comes with.
    #[schema(example = 404)]
    pub status: u16,
    /// It in a few words.
    #[schema(example = "No such pair")]
    pub title: String,
    /// Why it happens.
    pub why: String,
    /// What helps.
    pub remedy: String,
}

/// A coin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SymbolRow {
    /// Its name, lower-case.
    #[schema(example = "bitcoin")]
    pub coin: String,
    /// Its code.
    #[schema(example = "BTC")]
    pub symbol: String,
}

/// An exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExchangeRow {
    /// Its name, lower-case.
    #[schema(example = "binance")]
    pub exchange: String,
    /// Where it is seated, if known.
    #[schema(example = "malta")]
    pub country: Option<String>,
    /// Whether it numbers the trades of each pair without leaving numbers out, so that holes are exact; elsewhere they are spans of time.
    pub numbers_trades: bool,
    /// What its feed is doing, as `/feeds` has it; null where none was heard of since this server started.
    #[schema(example = "streaming")]
    pub state: Option<String>,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// Valid ticks received in the last minute.
    pub ticks_last_minute: Option<u64>,
    /// How long ago the last valid tick was received, in milliseconds.
    pub age_ms: Option<i64>,
    /// Connections lost since the tracker started.
    pub reconnects: Option<u64>,
    /// How far the exchange's clock is ahead of the tracker's, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
    /// Holes about which something is still to be done.
    pub open_gaps: i64,
}

/// A pair that an exchange trades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TickerRow {
    /// The exchange's own spelling of the pair.
    #[schema(example = "BTCUSDT")]
    pub ticker: String,
    /// The exchange.
    #[schema(example = "binance")]
    pub exchange: String,
    /// Name of the coin that is bought and sold.
    #[schema(example = "bitcoin")]
    pub coin: String,
    /// `trading`; `halted` by the exchange; `delisted`, its history stays.
    #[serde(default)]
    #[schema(example = "trading")]
    pub status: String,
    /// The smallest step of its prices, in units of the quote; null where the exchange does not tell, or has no fixed one.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "0.01")]
    pub price_step: Option<Decimal>,
    /// The smallest step of its quantities, in units of the base; null where the exchange does not tell.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "0.00001")]
    pub quantity_step: Option<Decimal>,
}

/// The mean price of one minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PriceHistoryMinute {
    /// The pair.
    #[schema(example = "BTCUSDT")]
    pub ticker: String,
    /// Mean of the prices seen in that minute, a decimal string.
    #[schema(value_type = String, example = "64250.01")]
    pub price: Decimal,
    /// The minute's beginning, as HTTP writes dates.
    #[schema(example = "Fri, 20 Nov 2026 12:00:00 GMT")]
    pub date: String,
}

/// The newest price of a pair, and how it stands against a day ago.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LatestPrice {
    /// The exchange.
    #[schema(example = "binance")]
    pub exchange: String,
    /// The pair.
    #[schema(example = "BTCUSDT")]
    pub ticker: String,
    /// Code of the coin that is bought and sold.
    #[schema(example = "BTC")]
    pub base: String,
    /// Code of what it is priced in.
    #[schema(example = "USDT")]
    pub quote: String,
    /// Name of the coin that is bought and sold.
    #[schema(example = "bitcoin")]
    pub coin: String,
    /// The newest price.
    #[schema(value_type = String, example = "64250.01")]
    pub price: Decimal,
    /// When the exchange says it was made; null where it does not say (`source` is `poll`).
    pub exchange_time: Option<DateTime<Utc>>,
    /// When it reached the tracker.
    pub received_at: DateTime<Utc>,
    /// Milliseconds between its time and `as_of`.
    pub age_ms: i64,
    /// Whether that is long ago: longer than `API_STALE_SECONDS`, a minute where not said.
    #[serde(default)]
    pub stale: bool,
    /// How it came: `stream`, `poll`, `backfill`; `market` where the exchange told it of its whole market; `candle` where it is the
    /// close of a minute, whose ticks are not kept.
    #[schema(example = "stream")]
    pub source: String,
    /// The price 24 hours ago, or the oldest within them; null while nothing that old is stored.
    #[schema(value_type = Option<String>, example = "63100.5")]
    pub open_24h: Option<Decimal>,
    /// Change since then in percent, two decimals.
    #[schema(value_type = Option<String>, example = "1.82")]
    pub change_24h_percent: Option<Decimal>,
    /// The highest price of the last 24 hours, this one among them, as far as they were recorded; null where nothing is
    /// stored in them.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "64800")]
    pub high_24h: Option<Decimal>,
    /// The lowest price of the last 24 hours, this one among them, as far as they were recorded; null where nothing is
    /// stored in them.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "62950.5")]
    pub low_24h: Option<Decimal>,
    /// Units of the quote that changed hands in the last 24 hours, as far as they were recorded.
    #[schema(value_type = String, example = "18234511.25")]
    pub quote_volume_24h: Decimal,
    /// Units of the base that changed hands in them.
    #[serde(default)]
    #[schema(value_type = String, example = "284.05")]
    pub volume_24h: Decimal,
    /// Whose these 24 hours are: `exchange` where it told them of its whole market, `recorded` where they are summed up from
    /// what was recorded; null where there are none.
    #[serde(default)]
    #[schema(example = "recorded")]
    pub told_24h_by: Option<String>,
}

/// What a pair did over a span of time. Deviations are sample standard deviations, null for fewer than two values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatisticsRow {
    /// The exchange.
    #[schema(example = "binance")]
    pub exchange: String,
    /// The pair.
    #[schema(example = "BTCUSDT")]
    pub ticker: String,
    /// Where the span begins: a whole minute.
    pub from: DateTime<Utc>,
    /// Where it ends: a whole minute, which is not in it.
    pub to: DateTime<Utc>,
    /// How many prices there are: those of the trades; in minutes without trades, those that were asked for.
    #[schema(example = 48211)]
    pub count: i64,
    /// How many trades; the least there were, where some are untold.
    #[schema(example = 48211)]
    pub trades: i64,
    /// First price.
    #[schema(value_type = String, example = "63100.5")]
    pub open: Decimal,
    /// Highest price.
    #[schema(value_type = String, example = "64800")]
    pub max: Decimal,
    /// Lowest price.
    #[schema(value_type = String, example = "62950.5")]
    pub min: Decimal,
    /// Last price.
    #[schema(value_type = String, example = "64250.01")]
    pub close: Decimal,
    /// Change from the first to the last, in percent, two decimals.
    #[schema(value_type = Option<String>, example = "1.82")]
    pub change_percent: Option<Decimal>,
    /// Mean of the prices.
    #[schema(value_type = String, example = "63871.204")]
    pub mean: Decimal,
    /// Deviation of the prices.
    #[schema(value_type = Option<String>, example = "402.7713")]
    pub deviation: Option<Decimal>,
    /// The same in percent of the mean, four decimals: comparable between pairs.
    #[schema(value_type = Option<String>, example = "0.6306")]
    pub deviation_percent: Option<Decimal>,
    /// Mean price of what changed hands; null where nothing did.
    #[schema(value_type = Option<String>, example = "63880.11")]
    pub vwap: Option<Decimal>,
    /// Units of the base that changed hands.
    #[schema(value_type = String, example = "284.05")]
    pub volume: Decimal,
    /// Units of the quote that changed hands.
    #[schema(value_type = String, example = "18145233.2")]
    pub quote_volume: Decimal,
    /// Minutes of the span that have prices.
    #[schema(example = 1440)]
    pub minutes: i64,
    /// How many one-minute returns are known: close / close of the minute right before − 1.
    #[schema(example = 1439)]
    pub returns: i64,
    /// Deviation of those returns.
    #[schema(value_type = Option<String>, example = "0.000412")]
    pub return_deviation: Option<Decimal>,
    /// What is to be said of it: that there are too few prices for a deviation.
    pub remark: Option<String>,
    /// Minutes of which the exchange, whose own candle was taken over, does not tell how many trades they had: each counts as
    /// one.
    #[serde(default)]
    pub untold_minutes: i64,
}

/// A place in the ranking by volatility.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VolatilityRow {
    /// From 1 on. Pairs with too few prices come last.
    #[schema(example = 1)]
    pub rank: usize,
    /// What it did.
    #[serde(flatten)]
    pub statistics: StatisticsRow,
}

/// The price of a coin over all markets, in US dollars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsolidatedPrice {
    /// Code of the coin.
    #[schema(example = "BTC")]
    pub symbol: String,
    /// Its name.
    #[schema(example = "bitcoin")]
    pub coin: String,
    /// Mean of the prices that count, weighted by what was traded in 24 hours.
    #[schema(value_type = String, example = "64250.01")]
    pub price: Decimal,
    /// The middle one of the prices that count.
    #[schema(value_type = String, example = "64249.5")]
    pub median: Decimal,
    /// The highest of them above the lowest, in percent of the median.
    #[schema(value_type = String, example = "0.021")]
    pub spread_percent: Decimal,
    /// What each market says, the most traded first.
    pub contributions: Vec<Contribution>,
}

/// What one market says of a coin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contribution {
    /// The exchange.
    #[schema(example = "binance")]
    pub exchange: String,
    /// The pair.
    #[schema(example = "BTCUSDT")]
    pub ticker: String,
    /// Its price in US dollars.
    #[schema(value_type = String, example = "64250.01")]
    pub price: Decimal,
    /// By which pairs, each with its price.
    #[schema(example = "binance:BTCUSDT 64250.01 × USDT 1 (assumed)")]
    pub path: String,
    /// When it was made.
    pub time: DateTime<Utc>,
    /// What was traded in 24 hours, in US dollars: its weight.
    #[schema(value_type = String, example = "18145233.2")]
    pub volume_usd: Decimal,
    /// How far it is above the weighted price, in percent; negative where it is below.
    #[schema(value_type = String, example = "-0.004")]
    pub premium_percent: Decimal,
    /// Whether it counts.
    pub counts: bool,
    /// Why it does not.
    pub reason: Option<String>,
}

/// What a pair cost at the end of each of the last hours: enough for a small picture in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sparkline {
    /// The exchange.
    #[schema(example = "binance")]
    pub exchange: String,
    /// The pair.
    #[schema(example = "BTCUSDT")]
    pub ticker: String,
    /// Where the first hour begins.
    pub from: DateTime<Utc>,
    /// Seconds from where one hour begins to where the next one does: 3600.
    #[schema(example = 3600)]
    pub step_seconds: u32,
    /// The last price of each hour, oldest first; null where none is recorded in it. Always 25 of them: the last is the hour
    /// that is not over yet, the first is 24 hours before.
    #[schema(value_type = Vec<Option<String>>, min_items = 25, max_items = 25)]
    pub closes: Vec<Option<Decimal>>,
}

/// Open, high, low, close and volume of one interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CandleRow {
    /// Where the interval begins.
    pub open_time: DateTime<Utc>,
    /// First price.
    #[schema(value_type = String, example = "64250.01")]
    pub open: Decimal,
    /// Highest price.
    #[schema(value_type = String, example = "64290")]
    pub high: Decimal,
    /// Lowest price.
    #[schema(value_type = String, example = "64201.5")]
    pub low: Decimal,
    /// Last price.
    #[schema(value_type = String, example = "64277.77")]
    pub close: Decimal,
    /// Units of the base that changed hands.
    #[schema(value_type = String, example = "12.25")]
    pub volume: Decimal,
    /// Units of the quote that changed hands.
    #[schema(value_type = String, example = "787062.62")]
    pub quote_volume: Decimal,
    /// Number of trades; zero where only polled prices are known; the least there were, where some are untold.
    pub trades: i64,
    /// Whether the interval is over. A late tick may still correct it.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// How often it was corrected, by trades that were fetched afterwards or by the exchange's own candle: 0 as long as it is
    /// made of what came by itself.
    #[serde(default)]
    pub revision: i64,
    /// Where it comes from: `stream`; `backfill` where trades in it were fetched afterwards; `exchange` where it is, in
    /// part, the exchange's own candle, since trades could not be had; `polls` where only polled prices are known; `filled`
    /// where nothing is and `fill=previous` was asked for.
    #[serde(default)]
    #[schema(example = "stream")]
    pub origin: String,
    /// Of how many of its minutes the exchange, whose own candle was taken over, does not tell how many trades they had: each
    /// counts as one. Most such exchanges do not tell what changed hands in units of the quote either: `quote_volume` is then the
    /// volume times the mean of open, high, low and close.
    #[serde(default)]
    pub untold_minutes: i64,
}

/// One stored price observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TickRow {
    /// The exchange's number of the trade; null for a polled price.
    pub trade_id: Option<i64>,
    /// Price.
    #[schema(value_type = String, example = "64250.01")]
    pub price: Decimal,
    /// Units of the base that changed hands; null for a polled price.
    #[schema(value_type = Option<String>, example = "0.0012")]
    pub quantity: Option<Decimal>,
    /// `buy` or `sell`, as the taker did; null for a polled price.
    #[schema(example = "buy")]
    pub taker_side: Option<String>,
    /// When the exchange says it happened.
    pub exchange_time: Option<DateTime<Utc>>,
    /// When it reached the tracker.
    pub received_at: DateTime<Utc>,
    /// When its transaction began.
    pub stored_at: DateTime<Utc>,
    /// How it came: `stream`, `poll` or `backfill`.
    #[schema(example = "stream")]
    pub source: String,
}
