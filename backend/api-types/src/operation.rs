//! How the system does: feeds, gaps, messages set aside, and what is kept.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the connection to one exchange is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeedRow {
    /// The exchange.
    #[schema(example = "binance")]
    pub exchange: String,
    /// `connecting`, `streaming`, `polling`, `waiting`, `stopped`; `silent` when the tracker has not reported for
    /// fifteen seconds.
    #[schema(example = "streaming")]
    pub state: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When the tracker last reported.
    pub reported_at: DateTime<Utc>,
    /// Why, in words, where there is something to explain.
    pub detail: Option<String>,
    /// When the next connection is tried, while waiting.
    pub next_try_at: Option<DateTime<Utc>>,
    /// When the last valid tick was received.
    pub last_tick_at: Option<DateTime<Utc>>,
    /// Connections lost since the tracker started.
    pub reconnects: u64,
    /// Valid ticks received since the tracker started.
    pub ticks: u64,
    /// Valid ticks received in the last minute.
    #[serde(default)]
    pub ticks_last_minute: u64,
    /// Ticks and frames refused since the tracker started.
    pub rejected: u64,
    /// How far the exchange's clock is ahead of the tracker's, in milliseconds; negative where the tracker's is ahead.
    #[serde(default)]
    pub clock_ahead_ms: Option<i64>,
    /// Messages that wait in the tracker's own queue, of all its exchanges: near 0 unless what they go to is away.
    #[serde(default)]
    pub queued: Option<u64>,
}

/// A message that could not be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// Its number.
    pub id: i64,
    /// When it was given up.
    pub set_aside_at: DateTime<Utc>,
    /// The routing key that it came with.
    #[schema(example = "market.ticks.binance")]
    pub topic: String,
    /// How long it is.
    pub bytes: i32,
    /// Why it could not be stored.
    pub reason: String,
    /// The message's own name, or one made of its digest.
    pub message_id: String,
    /// When somebody asked for it to be put back in the queue.
    pub replay_asked_at: Option<DateTime<Utc>>,
}

/// A message that could not be stored, with what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterBody {
    /// What is known about it.
    #[serde(flatten)]
    pub letter: DeadLetter,
    /// The message, or its first megabyte; what is no text is shown as U+FFFD.
    pub body: String,
}

/// A hole in what was recorded: trades that did not come when they should have, or may not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GapRow {
    /// The exchange's name.
    #[schema(example = "binance")]
    pub exchange: String,
    /// The exchange's own spelling of the pair.
    #[schema(example = "BTCUSDT")]
    pub ticker: String,
    /// Number of the first trade that was missing; null where `by_time`.
    pub first_trade_id: Option<i64>,
    /// Number of the last one; null where `by_time`.
    pub last_trade_id: Option<i64>,
    /// How many there were; null where `by_time`.
    pub trades: Option<i64>,
    /// How many are missing still; for `confirmed_empty`, how many numbers the exchange has no trade for; null where `by_time`.
    pub missing: Option<i64>,
    /// `tracker_stopped`, `disconnected`, `skipped`, `silence` or `queue_full`.
    #[schema(example = "disconnected")]
    pub cause: String,
    /// `open`, `filling`, `filled`, `confirmed_empty` or `unfillable`.
    #[schema(example = "filled")]
    pub state: String,
    /// When the trade before the hole happened, where it is known.
    pub from: Option<DateTime<Utc>>,
    /// When the trade behind the hole happened, where it is known.
    pub to: Option<DateTime<Utc>>,
    /// How often asking the exchange for them has failed or come to an end.
    pub attempts: i32,
    /// What went wrong last, or why it is closed.
    pub detail: Option<String>,
    /// When it was found.
    pub found_at: DateTime<Utc>,
    /// When something was last said of it.
    pub updated_at: DateTime<Utc>,
    /// The exchange's numbers do not tell what is missing: trades may be, between `from` and `to`, and nobody knows how many.
    pub by_time: bool,
}

/// How much room everything takes, what went, and when the disk or the budget is full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StorageReport {
    /// Size of the database, in bytes.
    pub bytes: i64,
    /// What a day brings, in bytes: the mean of the last seven full days.
    pub bytes_per_day: i64,
    /// What a year of such days takes.
    pub bytes_per_year: i64,
    /// How large the database may be; null for as large as it gets.
    pub budget_bytes: Option<i64>,
    /// When it is that large, if nothing more is dropped; null without a budget, above it, and where a century does
    /// not suffice.
    pub budget_reached_at: Option<DateTime<Utc>>,
    /// For how many days ticks are kept; null for ever.
    pub keep_ticks_days: Option<i32>,
    /// For how many days one-minute candles are kept; null for ever.
    pub keep_minutes_days: Option<i32>,
    /// When a db-handler last looked what may go; these settings are its own.
    pub looked_at: Option<DateTime<Utc>>,
    /// Room left then on the disk of the database; null where that cannot be known.
    pub free_bytes: Option<i64>,
    /// Ticks, candles by width, the ledger, everything else.
    pub kinds: Vec<StoredKind>,
    /// Days and months that should go and may not, with the reason, the oldest hundred of them.
    pub kept: Vec<KeptSpan>,
    /// The last twenty that went, newest first.
    pub dropped: Vec<DroppedSpan>,
}

/// What one kind of data takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoredKind {
    /// `ticks`, candles `1m`, `5m`, `1h`, `1d`, `ledger` (gaps, comparisons, differences) or `other`.
    #[schema(example = "ticks")]
    pub kind: String,
    /// Size in bytes, indexes included.
    pub bytes: i64,
    /// Rows, as the database last estimated; null where it did not.
    pub rows: Option<i64>,
    /// Bytes a row.
    #[schema(example = 141)]
    pub bytes_per_row: Option<i64>,
    /// Rows that a day brings.
    pub rows_per_day: Option<i64>,
    /// Bytes that a day brings.
    pub bytes_per_day: Option<i64>,
    /// Where the oldest day begins; of the ledger, when its oldest hole was found.
    pub oldest: Option<DateTime<Utc>>,
    /// When the newest price was made; of the ledger, when something was last said of a hole.
    pub newest: Option<DateTime<Utc>>,
}

/// A day of ticks or a month of one-minute candles that should go and may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeptSpan {
    /// `ticks` or `1m`.
    #[schema(example = "ticks")]
    pub kind: String,
    /// Where it begins.
    pub from: DateTime<Utc>,
    /// Where it ends.
    pub to: DateTime<Utc>,
    /// Why it may not go.
    #[schema(example = "a hole in it is open or being filled")]
    pub reason: String,
    /// Since when that is the reason.
    pub since: DateTime<Utc>,
}

/// A day of ticks or a month of one-minute candles that went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DroppedSpan {
    /// `ticks` or `1m`.
    #[schema(example = "ticks")]
    pub kind: String,
    /// Where it began.
    pub from: DateTime<Utc>,
    /// Where it ended.
    pub to: DateTime<Utc>,
    /// How many rows went.
    pub rows: i64,
    /// How much room they took, indexes included.
    pub bytes: i64,
    /// Trades in the candles of its days, which stay.
    pub trades: i64,
    /// Their volumes added up over all pairs, a decimal string: a checksum.
    #[schema(example = "18230.55")]
    pub volume: String,
    /// The same of their quote volumes.
    #[schema(example = "1171234567.25")]
    pub quote_volume: String,
    /// Which setting asked for it.
    #[schema(example = "KEEP_TICKS_DAYS=90")]
    pub why: String,
    /// When it went.
    pub dropped_at: DateTime<Utc>,
}
