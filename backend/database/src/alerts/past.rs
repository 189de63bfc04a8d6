//! Stored prices of a pair, for finding out what a rule would have fired for.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use domain::alert::{Gap, Seen};
use rust_decimal::Decimal;

use crate::{Context as _, Result};

/// One minute: when it opened, its open, high, low and close, and what changed hands.
pub type Minute = (DateTime<Utc>, [Decimal; 4], Decimal);

/// Every price of a span, oldest first; `None` where there are more than `most`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_prices(
    client: &impl GenericClient,
    ticker_id: i32,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    most: usize,
) -> Result<Option<Vec<Seen>>> {
    let doing = "reading past prices";
    let query = "SELECT time, trade_id, price FROM price WHERE ticker_id = $1 AND time >= $2 AND time < $3
                 ORDER BY time, trade_id LIMIT $4";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
    let rows = client.query(&statement, &[&ticker_id, &from, &to, &limit]).await.context(doing)?;
    let seen = rows.iter().map(|row| Seen { time: row.get(0), trade_id: row.get(1), price: row.get(2) });
    Ok((rows.len() <= most).then(|| seen.collect()))
}

/// The minutes of a span, oldest first, at most so many.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_minutes(
    client: &impl GenericClient,
    ticker_id: i32,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Minute>> {
    let doing = "reading past minutes";
    let query = "SELECT open_time, open, high, low, close, volume FROM candle
                 WHERE ticker_id = $1 AND width = '1m' AND open_time >= $2 AND open_time < $3 ORDER BY open_time LIMIT $4";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let rows = client.query(&statement, &[&ticker_id, &from, &to, &limit]).await.context(doing)?;
    Ok(rows.iter().map(|row| (row.get(0), [row.get(1), row.get(2), row.get(3), row.get(4)], row.get(5))).collect())
}

/// Where trades of a span are missing.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_gaps(
    client: &impl GenericClient,
    ticker_id: i32,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Gap>> {
    let doing = "looking for gaps between prices";
    // Where the end is not known, it is not later than the moment in which the gap was found; where the beginning is not, the step
    // to the end is not to be trusted.
    let query = "SELECT coalesce(from_time, until - interval '1 microsecond'), until,
                        CASE WHEN NOT by_time THEN first_trade_id END, CASE WHEN NOT by_time THEN last_trade_id END
                 FROM gap, coalesce(to_time, greatest(found_at, from_time + interval '1 microsecond')) AS until
                 WHERE ticker_id = $1 AND state IN ('open', 'filling', 'unfillable')
                   AND coalesce(from_time, until) <= $3 AND (to_time IS NULL OR to_time >= $2)
                 LIMIT 10000";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let rows = client.query(&statement, &[&ticker_id, &from, &to]).await.context(doing)?;
    let numbers = |row: &tokio_postgres::Row| row.get::<_, Option<i64>>(2).zip(row.get(3));
    Ok(rows.iter().map(|row| Gap { from: row.get(0), to: row.get(1), trades: numbers(row) }).collect())
}
