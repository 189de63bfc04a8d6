//! Halves of top lists as services outside told them: one for each source, half and minute.
//!
//! The first that is stored of a minute stays, so that a message delivered twice changes nothing.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use domain::{Half, ListedCoin, ListingReport, top_list::SKEW};
use rust_decimal::Decimal;

use crate::{Context as _, Result};

const CREATE: &str = "
    INSERT INTO listing (minute, fetched_at, source, half, ids, symbols, prices)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT DO NOTHING";

/// Stores a list. `false` where there is one of its minute already.
///
/// # Errors
/// When the database refuses.
pub async fn create_listing(client: &impl GenericClient, report: &ListingReport) -> Result<bool> {
    let doing = "storing a list of coins";
    let statement = client.prepare_cached(CREATE).await.context(doing)?;
    let ids: Vec<i32> = report.coins.iter().map(|coin| coin.id).collect();
    let symbols: Vec<&str> = report.coins.iter().map(|coin| coin.symbol.as_str()).collect();
    let prices: Option<Vec<Option<Decimal>>> =
        (report.half == Half::Prices).then(|| report.coins.iter().map(|coin| coin.price).collect());
    let (minute, source, half) = (report.minute(), report.source.as_str(), report.half.as_str());
    let created = client
        .execute(&statement, &[&minute, &report.at, &source, &half, &ids, &symbols, &prices])
        .await
        .context(doing)?;
    Ok(created == 1)
}

const FIND: &str = "
    SELECT fetched_at, ids, symbols, prices FROM listing
    WHERE source = $1 AND half = $2 AND minute <= $3 AND minute >= $4
    ORDER BY minute DESC LIMIT 1";

/// The newest list of a source at or before this whole minute, at most [`SKEW`] older.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_listing(
    client: &impl GenericClient,
    source: &str,
    half: Half,
    minute: DateTime<Utc>,
) -> Result<Option<ListingReport>> {
    let doing = "looking for a list of coins";
    let statement = client.prepare_cached(FIND).await.context(doing)?;
    let found = client.query_opt(&statement, &[&source, &half.as_str(), &minute, &(minute - SKEW)]).await;
    let Some(row) = found.context(doing)? else { return Ok(None) };
    let read = || {
        let (ids, symbols): (Vec<i32>, Vec<&str>) = (row.try_get(1)?, row.try_get(2)?);
        let prices = row.try_get::<_, Option<Vec<Option<Decimal>>>>(3)?.unwrap_or_default();
        let prices = prices.into_iter().chain(std::iter::repeat(None));
        let coins = ids.into_iter().zip(symbols).zip(prices);
        let coins = coins.map(|((id, symbol), price)| ListedCoin { id, symbol: symbol.into(), price });
        Ok(ListingReport { source: source.into(), half, at: row.try_get(0)?, coins: coins.collect() })
    };
    read().context(doing).map(Some)
}

/// So many lists go at once, so that no statement takes long.
const DELETE: &str = "
    DELETE FROM listing WHERE (source, half, minute) IN (
        SELECT source, half, minute FROM listing WHERE minute < $1 ORDER BY minute LIMIT 2000)";

/// Deletes the oldest lists of minutes before this moment, 2,000 at most. Returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn delete_listings(client: &impl GenericClient, before: DateTime<Utc>) -> Result<u64> {
    client.execute(DELETE, &[&before]).await.context("deleting old lists of coins")
}
