//! The gap ledger.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use domain::{Gap, GapReport};

use crate::{Client, Context as _, Result};

const STORE: &str = "
    INSERT INTO gap (ticker_id, first_trade_id, last_trade_id, from_time, to_time, cause, state, missing, attempts, detail,
                     found_at, updated_at, revision, by_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT (ticker_id, first_trade_id) DO UPDATE
    SET last_trade_id = excluded.last_trade_id, from_time = excluded.from_time, to_time = excluded.to_time,
        cause = excluded.cause, state = excluded.state, missing = excluded.missing, attempts = excluded.attempts,
        detail = excluded.detail, found_at = excluded.found_at, updated_at = excluded.updated_at,
        revision = excluded.revision, by_time = excluded.by_time
    WHERE (gap.found_at, gap.revision) < (excluded.found_at, excluded.revision)";

/// Stores what is said of gaps, in one transaction; what is known to be newer stays. Returns the tickers that no
/// catalogue of the exchange has listed; nothing is stored of theirs.
///
/// # Errors
/// When the database refuses.
pub async fn store(client: &mut Client, report: &GapReport) -> Result<Vec<String>> {
    let doing = "storing gaps";
    let transaction = client.transaction().await.context("beginning a transaction")?;
    let ids = crate::catalogue::ticker_ids(&transaction, &report.exchange).await?;
    let statement = transaction.prepare_cached(STORE).await.context(doing)?;
    let mut unknown = Vec::new();
    // In the order of their keys, so that two writers cannot wait for each other in a circle.
    let mut gaps: Vec<&Gap> = report.gaps.iter().collect();
    gaps.sort_by_key(|gap| (ids.get(&gap.ticker), gap.first_trade_id, gap.revision));
    for gap in gaps {
        let Some(ticker_id) = ids.get(&gap.ticker) else {
            unknown.push(gap.ticker.to_string());
            continue;
        };
        let (attempts, revision) = (whole(gap.attempts), whole(gap.revision));
        let (cause, state) = (gap.cause.as_str(), gap.state.as_str());
        transaction
            .execute(
                &statement,
                &[
                    ticker_id,
                    &gap.first_trade_id,
                    &gap.last_trade_id,
                    &gap.from,
                    &gap.to,
                    &cause,
                    &state,
                    &gap.missing,
                    &attempts,
                    &gap.detail,
                    &gap.found_at,
                    &gap.updated_at,
                    &revision,
                    &gap.by_time,
                ],
            )
            .await
            .context(doing)?;
    }
    transaction.commit().await.context("committing gaps")?;
    Ok(unknown)
}

fn whole(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A hole, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGap {
    /// The exchange's name.
    pub exchange: String,
    /// The exchange's own spelling of the pair.
    pub ticker: String,
    /// Number of the first trade that was missing.
    pub first_trade_id: i64,
    /// Number of the last one.
    pub last_trade_id: i64,
    /// How many are missing still.
    pub missing: i64,
    /// It is a span of time: how many trades are missing is not known, and microseconds stand in the place of their numbers.
    pub by_time: bool,
    /// Why, as [`domain::GapCause`] names it.
    pub cause: String,
    /// What became of it, as [`domain::GapState`] names it.
    pub state: String,
    /// When the trade before it happened.
    pub from: Option<DateTime<Utc>>,
    /// When the trade behind it happened.
    pub to: Option<DateTime<Utc>>,
    /// How often the exchange was asked in vain.
    pub attempts: i32,
    /// What went wrong last, or why it is closed.
    pub detail: Option<String>,
    /// When it was found.
    pub found_at: DateTime<Utc>,
    /// When something was last said of it.
    pub updated_at: DateTime<Utc>,
}

/// Which gaps are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct GapFilter {
    /// Name of the exchange.
    pub exchange: Option<String>,
    /// The exchange's own spelling of the pair.
    pub ticker: Option<String>,
    /// `true`: only those about which something is still to be done; `false`: only those that are closed.
    pub open: Option<bool>,
    /// `true`: only those of which trades are missing still; `false`: only the others.
    pub missing: Option<bool>,
}

macro_rules! list {
    ($condition:literal) => {
        concat!(
            "SELECT exchange.name, ticker.ticker, first_trade_id, last_trade_id, missing, cause, state, from_time, to_time,
                    attempts, detail, found_at, gap.updated_at, by_time
            FROM gap
            JOIN ticker ON ticker.id = gap.ticker_id
            JOIN exchange ON exchange.id = ticker.exchange_id
            WHERE ($1::text IS NULL OR exchange.name = $1)
              AND ($2::text IS NULL OR ticker.ticker = $2)
              AND ($3::bool IS NULL OR (state IN ('open', 'filling')) = $3) ",
            $condition,
            " ORDER BY found_at DESC, exchange.name, ticker.ticker, first_trade_id DESC
            LIMIT $4"
        )
    };
}

const LIST: &str = list!("");
// Apart, so that the index of these few is used.
const LIST_MISSING: &str = list!("AND state IN ('open', 'filling', 'unfillable')");
const LIST_OTHERS: &str = list!("AND state NOT IN ('open', 'filling', 'unfillable')");

/// Up to `limit` gaps, those found last first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_gaps(client: &impl GenericClient, filter: &GapFilter, limit: i64) -> Result<Vec<StoredGap>> {
    let doing = "listing gaps";
    let sql = match filter.missing {
        None => LIST,
        Some(true) => LIST_MISSING,
        Some(false) => LIST_OTHERS,
    };
    let statement = client.prepare_cached(sql).await.context(doing)?;
    let rows = client.query(&statement, &[&filter.exchange, &filter.ticker, &filter.open, &limit]).await;
    let gap = |row: &tokio_postgres::Row| -> std::result::Result<StoredGap, tokio_postgres::Error> {
        Ok(StoredGap {
            exchange: row.try_get(0)?,
            ticker: row.try_get(1)?,
            first_trade_id: row.try_get(2)?,
            last_trade_id: row.try_get(3)?,
            missing: row.try_get(4)?,
            cause: row.try_get(5)?,
            state: row.try_get(6)?,
            from: row.try_get(7)?,
            to: row.try_get(8)?,
            attempts: row.try_get(9)?,
            detail: row.try_get(10)?,
            found_at: row.try_get(11)?,
            updated_at: row.try_get(12)?,
            by_time: row.try_get(13)?,
        })
    };
    rows.context(doing)?.iter().map(gap).collect::<std::result::Result<_, _>>().context(doing)
}

const COUNT_OPEN: &str = "
    SELECT ticker.exchange_id, count(*) FROM gap JOIN ticker ON ticker.id = gap.ticker_id
    WHERE state IN ('open', 'filling') GROUP BY 1";

/// How many gaps of each exchange, by its key, are such that something is still to be done about them. Others are left out.
///
/// # Errors
/// When the database cannot be asked.
pub async fn count_open_gaps(client: &impl GenericClient) -> Result<HashMap<i16, i64>> {
    let doing = "counting open gaps";
    let statement = client.prepare_cached(COUNT_OPEN).await.context(doing)?;
    let rows = client.query(&statement, &[]).await.context(doing)?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
