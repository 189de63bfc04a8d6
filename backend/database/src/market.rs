//! The newest word about every pair of a market.
//!
//! A row is applied only where it is newer than what is stored, and what follows from it (a sample of the price in the candle
//! of its minute) is written in the same transaction, for the rows that were applied alone. So a report that is delivered twice
//! changes nothing the second time, and one that comes late does not turn anything back.
//!
//! Rows are written in the order of their keys, candles day by day, as whoever stores ticks does: two writers cannot wait for
//! each other in a circle.

use std::{cmp::Reverse, collections::HashSet};

use domain::{MarketReport, MarketRow, Tick, TickSource};
use rust_decimal::Decimal;

use crate::{
    Client, Context as _, Result,
    alerts::{Looking, Turn, Written},
    ingest::{self, NewPrice},
    partitions,
};

/// What became of the rows of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Newer than what was known.
    pub applied: u64,
    /// Not newer, or twice in the report.
    pub outdated: u64,
    /// Of pairs that no catalogue of the exchange has listed.
    pub unknown: u64,
    /// What rules fired for.
    pub alerts: Written,
}

const STORE: &str = "
    INSERT INTO market AS old (ticker_id, time, received_at, price, open_24h, high_24h, low_24h, volume_24h,
                               quote_volume_24h)
    SELECT * FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[], $4::numeric[], $5::numeric[], $6::numeric[],
                         $7::numeric[], $8::numeric[], $9::numeric[])
    ON CONFLICT (ticker_id) DO UPDATE
    SET time = excluded.time, received_at = excluded.received_at, price = excluded.price,
        open_24h = excluded.open_24h, high_24h = excluded.high_24h, low_24h = excluded.low_24h,
        volume_24h = excluded.volume_24h, quote_volume_24h = excluded.quote_volume_24h, updated_at = now()
    WHERE old.time < excluded.time
    RETURNING ticker_id";

/// Stores a report, in one transaction.
///
/// # Errors
/// When the database refuses; nothing is stored then.
pub async fn store(client: &mut Client, report: &MarketReport, turn: &Turn) -> Result<Stored> {
    let doing = "storing the state of a market";
    // The keys are looked up here: PostgreSQL, which cannot know how many rows there are, joins them in the slowest way.
    let ids = crate::catalogue::ticker_ids(client, &report.exchange).await?;
    let mut rows: Vec<(i32, &MarketRow)> =
        report.rows.iter().filter_map(|row| Some((*ids.get(&row.ticker)?, row))).collect();
    let unknown = report.rows.len() - rows.len();
    rows.sort_unstable_by_key(|(ticker_id, row)| (*ticker_id, Reverse(row.time())));
    rows.dedup_by_key(|(ticker_id, _)| *ticker_id);
    let days = rows.iter().map(|(_, row)| row.time().date_naive());
    // Of what came long ago, as from a recording.
    let dropped = partitions::create_months(&*client, days).await?;
    let each = |part: fn(&MarketRow) -> Option<Decimal>| rows.iter().map(|(_, row)| part(row)).collect::<Vec<_>>();
    // Reports are few: they wait with no row in their hands.
    turn.comes().await;
    let transaction = client.transaction().await.context("beginning a transaction")?;
    let statement = transaction.prepare_cached(STORE).await.context(doing)?;
    let applied = transaction
        .query(
            &statement,
            &[
                &rows.iter().map(|(ticker_id, _)| *ticker_id).collect::<Vec<_>>(),
                &rows.iter().map(|(_, row)| row.time()).collect::<Vec<_>>(),
                &rows.iter().map(|(_, row)| row.received_at).collect::<Vec<_>>(),
                &each(|row| Some(row.price)),
                &each(|row| row.open_24h),
                &each(|row| row.high_24h),
                &each(|row| row.low_24h),
                &each(|row| row.volume_24h),
                &each(|row| row.quote_volume_24h),
            ],
        )
        .await
        .context(doing)?;
    let applied: HashSet<i32> = applied.iter().map(|row| row.get(0)).collect();
    let mut samples: Vec<(i32, Tick)> = rows
        .iter()
        .filter(|(ticker_id, row)| {
            applied.contains(ticker_id) && !dropped.contains(&partitions::first_of_month(row.time().date_naive()))
        })
        .map(|(ticker_id, row)| (*ticker_id, sample(row)))
        .collect();
    samples.sort_unstable_by_key(|(ticker_id, tick)| (tick.time().date_naive(), *ticker_id));
    let price = |ticker_id, tick| NewPrice { ticker_id, source: TickSource::Poll, tick };
    let prices: Vec<NewPrice<'_>> = samples.iter().map(|(ticker_id, tick)| price(*ticker_id, tick)).collect();
    let ticker_ids: Vec<i32> = prices.iter().map(|price| price.ticker_id).collect();
    let mut looking = turn.looking(&transaction, &ticker_ids).await?;
    let mut alerts = Written::default();
    if let Looking::Watchers(watchers) = &mut looking {
        alerts = watchers.look_at_market(&transaction, &ticker_ids, &prices.iter().collect::<Vec<_>>()).await?;
    }
    ingest::fold(&transaction, prices.iter()).await?;
    transaction.commit().await.context("committing the state of a market")?;
    if let Looking::Watchers(mut watchers) = looking {
        watchers.confirm();
    }
    let outdated = report.rows.len() - unknown - applied.len();
    Ok(Stored { applied: applied.len() as u64, outdated: outdated as u64, unknown: unknown as u64, alerts })
}

/// The price as one that was asked for: neither trade nor quantity are known of it.
fn sample(row: &MarketRow) -> Tick {
    Tick {
        ticker: row.ticker.clone(),
        trade_id: None,
        price: row.price,
        quantity: None,
        taker_side: None,
        exchange_time: row.exchange_time,
        received_at: row.received_at,
    }
}
