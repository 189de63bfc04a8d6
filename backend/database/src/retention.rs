//! Dropping days of ticks and months of one-minute candles: which should go, which may go, and how one goes.
//!
//! A span goes only when nothing is lost that wide candles do not say (`obstacles.rs`). Looking takes long and locks nothing. What
//! could change meanwhile is looked at again, under the lock and at once, in the transaction that drops it; that transaction
//! also writes the span into `dropped`, from where on nothing of it is stored any more.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::{Row, error::SqlState};

use crate::{Client, Context as _, Error, Result, obstacles::unsettled};

/// What is dropped at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The ticks of a UTC day.
    Ticks,
    /// The one-minute candles of a UTC month.
    Minutes,
}

impl Kind {
    /// Its name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ticks => "ticks",
            Self::Minutes => "1m",
        }
    }

    fn parent(self) -> &'static str {
        match self {
            Self::Ticks => "price",
            Self::Minutes => "candle_1m",
        }
    }

    /// How old the end of a span must be before it may go, whatever was asked for. The API serves a week of minutes.
    pub fn shortest(self) -> TimeDelta {
        match self {
            Self::Ticks => TimeDelta::days(2),
            Self::Minutes => TimeDelta::days(8),
        }
    }
}

/// What is to be kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// How large the database may be, in bytes; `None`: as large as it gets.
    pub budget: Option<i64>,
    /// For how many days ticks are kept; `None`: for ever.
    pub ticks_days: Option<u16>,
    /// For how many days one-minute candles are kept; `None`: for ever.
    pub minutes_days: Option<u16>,
}

impl Limits {
    /// Whether the database is larger than it may be.
    pub fn is_over(&self, bytes: i64) -> bool {
        self.budget.is_some_and(|budget| bytes > budget)
    }

    /// Whether it is larger than it should be once room is made: 95 % of the budget, so that room lasts a while.
    pub fn is_over_target(&self, bytes: i64) -> bool {
        self.budget.is_some_and(|budget| bytes > budget - budget / 20)
    }

    /// Which setting wants a span gone. `room` says that room must be made, for the budget.
    pub fn why(&self, span: &StoredSpan, room: bool, now: DateTime<Utc>) -> Option<String> {
        let age = now - span.to;
        let (setting, days) = match span.kind {
            Kind::Ticks => ("KEEP_TICKS_DAYS", self.ticks_days),
            Kind::Minutes => ("KEEP_MINUTES_DAYS", self.minutes_days),
        };
        if age < span.kind.shortest() {
            return None;
        }
        match (days, self.budget) {
            (Some(days), _) if age >= TimeDelta::days(days.into()) => Some(format!("{setting}={days}")),
            (_, Some(budget)) if room => Some(format!("STORAGE_BUDGET={budget}")),
            _ => None,
        }
    }
}

/// A day of ticks or a month of one-minute candles, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSpan {
    /// Which of the two.
    pub kind: Kind,
    /// Its table.
    pub(crate) partition: String,
    /// Where it begins.
    pub from: DateTime<Utc>,
    /// Where it ends.
    pub to: DateTime<Utc>,
    /// The room it takes, indexes included.
    pub bytes: i64,
}

/// Every span that stands and is over, ticks first, the oldest of each first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_spans(client: &impl GenericClient) -> Result<Vec<StoredSpan>> {
    let rows = client
        .query(
            "SELECT kind, partition::text, from_time, to_time, bytes FROM stored_span
             WHERE to_time <= now() ORDER BY kind DESC, from_time",
            &[],
        )
        .await;
    let span = |row: &Row| StoredSpan {
        kind: if row.get::<_, &str>(0) == Kind::Ticks.as_str() { Kind::Ticks } else { Kind::Minutes },
        partition: row.get(1),
        from: row.get(2),
        to: row.get(3),
        bytes: row.get(4),
    };
    Ok(rows.context("listing what is kept")?.iter().map(span).collect())
}

/// Tells what is to be kept, for the report, and how large the database is. `free` is the room on its disk, where known.
///
/// # Errors
/// When the database refuses.
pub async fn update_keeping(client: &impl GenericClient, limits: &Limits, free: Option<i64>) -> Result<i64> {
    let days = |days: Option<u16>| days.map(i32::from);
    let row = client
        .query_one(
            "INSERT INTO keeping (bytes, free_bytes, budget_bytes, ticks_days, minutes_days)
             VALUES (pg_database_size(current_database()), $1, $2, $3, $4)
             ON CONFLICT (one) DO UPDATE
             SET looked_at = now(), bytes = excluded.bytes, free_bytes = excluded.free_bytes,
                 budget_bytes = excluded.budget_bytes, ticks_days = excluded.ticks_days, minutes_days = excluded.minutes_days
             RETURNING bytes",
            &[&free, &limits.budget, &days(limits.ticks_days), &days(limits.minutes_days)],
        )
        .await;
    Ok(row.context("telling what is to be kept")?.get(0))
}

/// Where the server keeps its files, where it runs on this machine and tells.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_data_folder(client: &impl GenericClient) -> Result<Option<String>> {
    let row = client
        .query_one(
            "SELECT CASE WHEN coalesce(host(inet_server_addr()) IN ('127.0.0.1', '::1'), true)
                          AND pg_has_role('pg_read_all_settings', 'usage')
                    THEN current_setting('data_directory', true) END",
            &[],
        )
        .await;
    Ok(row.context("looking for the server's files")?.get(0))
}

/// What the days' candles of a span say, which stay when it goes. Numbers as text: a sum over all pairs may have more digits
/// than our decimals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    minutes: i64,
    trades: i64,
    volume: String,
    quote_volume: String,
}

/// Every pair by itself, since the key begins with it.
const TOTALS: &str = "
    SELECT coalesce(sum(minutes), 0)::bigint, coalesce(sum(trades), 0)::bigint, coalesce(sum(volume), 0)::text,
           coalesce(sum(quote_volume), 0)::text
    FROM ticker
    CROSS JOIN LATERAL (
        SELECT minutes, trades, volume, quote_volume FROM candle
        WHERE candle.ticker_id = ticker.id AND width = '1d' AND open_time >= $1 AND open_time < $2) AS day";

/// Sums up the days' candles of a span.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_totals(client: &impl GenericClient, span: &StoredSpan) -> Result<Totals> {
    let doing = "summing up the days of a span";
    let row = client.query_one(TOTALS, &[&span.from, &span.to]).await.context(doing)?;
    Ok(Totals { minutes: row.get(0), trades: row.get(1), volume: row.get(2), quote_volume: row.get(3) })
}

/// What became of the attempt to drop a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is gone, with so many rows.
    Dropped(i64),
    /// It changed since it was looked at; or somebody else dropped it.
    Changed,
    /// Somebody used the table for longer than we may make others wait.
    Busy,
}

/// Drops a span, for which `totals` were found before everything else was looked at; `rows` of its ticks were counted.
/// Whoever wants the whole table waits meanwhile: for `patience` at most, and then as long as it takes to look into a few indexes.
///
/// # Errors
/// When the database refuses; nothing is dropped then.
pub async fn drop_span(
    client: &mut Client,
    span: &StoredSpan,
    totals: &Totals,
    rows: Option<i64>,
    why: &str,
    patience: Duration,
) -> Result<Outcome> {
    let transaction = client.transaction().await.context("beginning to drop a span")?;
    match drop_in(&transaction, span, totals, rows.unwrap_or(totals.minutes), why, patience).await {
        Ok(true) => {
            transaction.commit().await.context("dropping a span")?;
            Ok(Outcome::Dropped(rows.unwrap_or(totals.minutes)))
        }
        Ok(false) => Ok(Outcome::Changed),
        Err(error) => match error.sql_state() {
            Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(Outcome::Busy),
            Some(&SqlState::UNDEFINED_TABLE) => Ok(Outcome::Changed),
            _ => Err(error),
        },
    }
}

/// The whole table first: who waits for the span while holding the table would wait for us in a circle.
async fn drop_in(
    transaction: &Transaction<'_>,
    span: &StoredSpan,
    totals: &Totals,
    rows: i64,
    why: &str,
    patience: Duration,
) -> Result<bool, Error> {
    let doing = "dropping a span";
    let (parent, partition) = (span.kind.parent(), &span.partition);
    let lock = format!(
        "SET LOCAL lock_timeout = '{}ms';
         LOCK TABLE ONLY {parent} IN ACCESS EXCLUSIVE MODE;
         LOCK TABLE ONLY {partition} IN ACCESS EXCLUSIVE MODE",
        patience.as_millis().max(1)
    );
    transaction.batch_execute(&lock).await.context(doing)?;
    if unsettled(transaction, span).await?.is_some() || find_totals(transaction, span).await? != *totals {
        return Ok(false);
    }
    transaction
        .execute(
            "INSERT INTO dropped (kind, from_time, to_time, rows, bytes, trades, volume, quote_volume, why)
             VALUES ($1, $2, $3, $4, $5, $6, $7::text::numeric, $8::text::numeric, $9)",
            &[
                &span.kind.as_str(),
                &span.from,
                &span.to,
                &rows,
                &span.bytes,
                &totals.trades,
                &totals.volume,
                &totals.quote_volume,
                &why,
            ],
        )
        .await
        .context(doing)?;
    transaction.batch_execute(&format!("DROP TABLE {partition}")).await.context(doing)?;
    Ok(true)
}

/// Remembers which spans should go and may not, and why; those that were remembered before and are not told any more are
/// forgotten. Returns the places in `kept` of those whose reason is new.
///
/// # Errors
/// When the database refuses.
pub async fn update_kept(client: &mut Client, kept: &[(StoredSpan, String)]) -> Result<Vec<usize>> {
    let doing = "remembering what may not go";
    let transaction = client.transaction().await.context(doing)?;
    let kinds: Vec<&str> = kept.iter().map(|(span, _)| span.kind.as_str()).collect();
    let from: Vec<DateTime<Utc>> = kept.iter().map(|(span, _)| span.from).collect();
    let to: Vec<DateTime<Utc>> = kept.iter().map(|(span, _)| span.to).collect();
    let reasons: Vec<&str> = kept.iter().map(|(_, reason)| reason.as_str()).collect();
    transaction
        .execute(
            "DELETE FROM kept WHERE (kind, from_time) NOT IN (SELECT * FROM unnest($1::text[], $2::timestamptz[]))",
            &[&kinds, &from],
        )
        .await
        .context(doing)?;
    let changed = transaction
        .query(
            "INSERT INTO kept (kind, from_time, to_time, reason)
             SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[]) ORDER BY 1, 2
             ON CONFLICT (kind, from_time) DO UPDATE SET reason = excluded.reason, since = now()
             WHERE kept.reason <> excluded.reason
             RETURNING kind, from_time",
            &[&kinds, &from, &to, &reasons],
        )
        .await
        .context(doing)?;
    transaction.commit().await.context(doing)?;
    let changed: Vec<(String, DateTime<Utc>)> = changed.iter().map(|row| (row.get(0), row.get(1))).collect();
    let is_new = |(span, _): &(StoredSpan, String)| {
        changed.iter().any(|(kind, from)| kind == span.kind.as_str() && *from == span.from)
    };
    Ok((0..kept.len()).filter(|place| is_new(&kept[*place])).collect())
}
