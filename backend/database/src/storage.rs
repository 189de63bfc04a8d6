//! What everything takes, what a day and a year bring, and what went: `storage_report()` of the database, read.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use serde::{Deserialize, Serialize};

use crate::{Context as _, Error, Result};

/// How much room the database takes and will take, as the function `storage_report()` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Size of the database, in bytes.
    pub bytes: i64,
    /// What a day brings, in bytes: the mean of the last seven full days.
    pub bytes_per_day: i64,
    /// What a year of such days takes.
    pub bytes_per_year: i64,
    /// How large the database may be; `None`: as large as it gets.
    pub budget_bytes: Option<i64>,
    /// When it is that large, if nothing more is dropped; `None` without a budget, above it, and where a century
    /// does not suffice.
    pub budget_reached_at: Option<DateTime<Utc>>,
    /// For how many days ticks are kept; `None`: for ever.
    pub keep_ticks_days: Option<i32>,
    /// For how many days one-minute candles are kept; `None`: for ever.
    pub keep_minutes_days: Option<i32>,
    /// When a db-handler last looked what may go; these settings are its own.
    pub looked_at: Option<DateTime<Utc>>,
    /// Room left then on the disk of the database, where that can be known.
    pub free_bytes: Option<i64>,
    /// Ticks, candles by width, the ledger, everything else.
    pub kinds: Vec<KindReport>,
    /// The oldest hundred days and months that should go and may not.
    pub kept: Vec<Kept>,
    /// The last twenty that went, newest first.
    pub dropped: Vec<Dropped>,
}

/// What one kind of data takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindReport {
    /// `ticks`, `1m`, `5m`, `1h`, `1d`, `ledger` (gaps, comparisons, differences) or `other`.
    pub kind: String,
    /// Size in bytes, indexes included.
    pub bytes: i64,
    /// Rows, as PostgreSQL last estimated; `None` where it did not.
    pub rows: Option<i64>,
    /// Bytes a row.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// `ticks` or `1m`.
    pub kind: String,
    /// Where it begins.
    pub from_time: DateTime<Utc>,
    /// Where it ends.
    pub to_time: DateTime<Utc>,
    /// Why it may not go.
    pub reason: String,
    /// Since when that is the reason.
    pub since: DateTime<Utc>,
}

/// A day of ticks or a month of one-minute candles that went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// `ticks` or `1m`.
    pub kind: String,
    /// Where it began.
    pub from_time: DateTime<Utc>,
    /// Where it ended.
    pub to_time: DateTime<Utc>,
    /// How many rows went.
    pub rows: i64,
    /// How much room they took, indexes included.
    pub bytes: i64,
    /// Trades in the candles of its days, which stay.
    pub trades: i64,
    /// Their volumes, added up over all pairs: a checksum.
    pub volume: String,
    /// Their quote volumes.
    pub quote_volume: String,
    /// Which setting asked for it.
    pub why: String,
    /// When it went.
    pub dropped_at: DateTime<Utc>,
}

/// The question whose one answer [`parse`] reads.
pub const QUESTION: &str = "SELECT storage_report()::text";

/// Reads what the database answered to [`QUESTION`].
///
/// # Errors
/// When that is no report.
pub fn parse(answer: &str) -> Result<Report> {
    serde_json::from_str(answer).map_err(Error::Report)
}

/// Asks for the report. Costs little, however much is stored: rows are estimates.
///
/// # Errors
/// When the database cannot be asked.
pub async fn report(client: &impl GenericClient) -> Result<Report> {
    let row = client.query_one(QUESTION, &[]).await.context("asking what everything takes")?;
    parse(row.get(0))
}
