//! The last 24 hours of each pair, added up whenever candles are folded: what [`sum_candles`](crate::statistics) begins with.
//!
//! A sum is of folded candles, from 23 hours and 50 minutes before their end up to it, and is used as long as folded candles
//! end there. Who folds one of them anew takes the sum away in the same transaction, so that no answer is made of an old
//! one; until it is made again, the candles themselves are added up.

use chrono::{DateTime, Utc};
use deadpool_postgres::{GenericClient, Transaction};

use crate::{Client, Context as _, Result, rollup::LOCK};

const FORGET: &str = "
    DELETE FROM day_sum
    USING unnest($1::int[], $2::timestamptz[]) AS folded (ticker_id, open_time)
    WHERE day_sum.ticker_id = folded.ticker_id AND folded.open_time >= day_sum.from_time";

/// Takes away the sums of pairs of which candles were folded anew.
pub(crate) async fn forget(
    transaction: &Transaction<'_>,
    ticker_ids: &[i32],
    open_times: &[DateTime<Utc>],
) -> Result<()> {
    let doing = "forgetting sums of folded candles";
    let statement = transaction.prepare_cached(FORGET).await.context(doing)?;
    transaction.execute(&statement, &[&ticker_ids, &open_times]).await.context(doing)?;
    Ok(())
}

const DUE: &str = "
    SELECT array_agg(id ORDER BY id) FROM (
        SELECT ticker.id FROM ticker LEFT JOIN day_sum ON day_sum.ticker_id = ticker.id
        WHERE ticker.id > $1 AND day_sum.to_time IS DISTINCT FROM rolled_until()
        ORDER BY ticker.id LIMIT $2) AS due";

const ADD_UP: &str = "
    WITH span AS MATERIALIZED (
        SELECT rolled_until() - interval '1430 minutes' AS from_time, rolled_until() AS to_time
    )
    INSERT INTO day_sum (from_time, to_time, ticker_id, open, high, low, close, volume, quote_volume, trades, ticks, price_sum,
                         square_sum, minutes, changes, change_sum, change_square_sum, untold)
    SELECT span.from_time, span.to_time, summed.*
    FROM span CROSS JOIN sum_candles($1, span.from_time, span.to_time) AS summed
    ON CONFLICT (ticker_id) DO UPDATE
    SET from_time = excluded.from_time, to_time = excluded.to_time, open = excluded.open, high = excluded.high,
        low = excluded.low, close = excluded.close, volume = excluded.volume, quote_volume = excluded.quote_volume,
        trades = excluded.trades, ticks = excluded.ticks, price_sum = excluded.price_sum,
        square_sum = excluded.square_sum, minutes = excluded.minutes, changes = excluded.changes,
        change_sum = excluded.change_sum, change_square_sum = excluded.change_square_sum,
        untold = excluded.untold";

/// Adds up pairs whose sums are not made or end before folded candles do: those after the key `after`, `most` of them at
/// most, in one transaction. Returns the key to go on after; `None` when no more are left, or somebody else folds.
///
/// # Errors
/// When the database refuses; then no sum has changed.
pub async fn round(client: &mut Client, after: i32, most: i64) -> Result<Option<i32>> {
    let doing = "adding up the last 24 hours";
    let transaction = client.transaction().await.context(doing)?;
    let lock = transaction.prepare_cached(LOCK).await.context(doing)?;
    if !transaction.query_one(&lock, &[]).await.context(doing)?.get::<_, bool>(0) {
        return Ok(None);
    }
    let due = transaction.prepare_cached(DUE).await.context(doing)?;
    let due: Option<Vec<i32>> = transaction.query_one(&due, &[&after, &most]).await.context(doing)?.get(0);
    let Some(due) = due else { return Ok(None) };
    let add_up = transaction.prepare_cached(ADD_UP).await.context(doing)?;
    transaction.execute(&add_up, &[&due]).await.context(doing)?;
    transaction.commit().await.context(doing)?;
    Ok(due.last().copied().filter(|_| due.len() as i64 == most))
}
