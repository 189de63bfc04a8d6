//! Folding candles into wider ones: minutes into five minutes, those into hours, those into days.
//!
//! What is to be folded stands in `stale_candle`, marked by the transaction that changed a minute. Five minutes are folded
//! when they are over, anew from their minutes, so that folding twice, or in any order, gives the same. A mark is taken in a
//! statement of its own, before the minutes are read: whoever stores a minute holds the lock of its mark until the commit,
//! and a mark that is locked is left for the next round.
//!
//! Five minutes whose minutes were dropped are never folded anew: there would only be those that came late.
//!
//! Only one at a time folds: two would each make the same hour without the five minutes of the other.

use chrono::{DateTime, Utc};
use deadpool_postgres::{GenericClient, Transaction};

use crate::{Client, Context as _, Result, day_sums};

/// Any number that nobody else locks. Given back with the transaction.
pub(crate) const LOCK: &str = "SELECT pg_try_advisory_xact_lock(7304017183)";

const TAKE: &str = "
    DELETE FROM stale_candle
    USING (
        SELECT open_time, ticker_id FROM stale_candle
        WHERE open_time <= now() - interval '301 seconds' AND NOT EXISTS (
              SELECT FROM dropped WHERE kind = '1m' AND from_time <= open_time AND to_time > open_time)
        ORDER BY open_time, ticker_id LIMIT $1
        FOR UPDATE SKIP LOCKED) AS due
    WHERE stale_candle.open_time = due.open_time AND stale_candle.ticker_id = due.ticker_id
    RETURNING stale_candle.ticker_id, stale_candle.open_time";

/// Writes the candles of one width, each made of what `$parts` says. Nothing is written where nothing changed.
macro_rules! fold {
    ($width:literal, $parts:literal) => {
        concat!(
            "INSERT INTO candle AS old (ticker_id, width, open_time, open, high, low, close, volume, quote_volume, trades, ticks,
                                        price_sum, square_sum, minutes, changes, change_sum, change_square_sum, first_time,
                                        first_trade_id, last_time, last_trade_id, revision, from_exchange, untold)
            SELECT due.ticker_id, '", $width, "', due.open_time, folded.*
            FROM (SELECT DISTINCT ticker_id, date_bin(width_interval('", $width, "'), open_time, '2001-01-01 00:00:00Z')
                  FROM unnest($1::int[], $2::timestamptz[]) AS told (ticker_id, open_time)) AS due (ticker_id, open_time)
            CROSS JOIN LATERAL (
                SELECT (array_agg(open ORDER BY open_time))[1], max(high), min(low),
                       (array_agg(close ORDER BY open_time DESC))[1], sum(volume), sum(quote_volume), sum(trades)::bigint,
                       sum(ticks)::bigint, sum(price_sum), sum(square_sum), sum(minutes)::integer, sum(changes)::integer,
                       coalesce(sum(change_sum), 0), coalesce(sum(change_square_sum), 0), min(first_time),
                       (array_agg(first_trade_id ORDER BY open_time))[1], max(last_time),
                       (array_agg(last_trade_id ORDER BY open_time DESC))[1], sum(revision)::integer, bool_or(from_exchange),
                       sum(untold)::integer
                FROM (", $parts, ") AS part
                HAVING count(*) > 0) AS folded
            ORDER BY due.ticker_id, due.open_time
            ON CONFLICT (ticker_id, width, open_time) DO UPDATE
            SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
                volume = excluded.volume, quote_volume = excluded.quote_volume, trades = excluded.trades,
                ticks = excluded.ticks, price_sum = excluded.price_sum, square_sum = excluded.square_sum,
                minutes = excluded.minutes, changes = excluded.changes, change_sum = excluded.change_sum,
                change_square_sum = excluded.change_square_sum, first_time = excluded.first_time,
                first_trade_id = excluded.first_trade_id, last_time = excluded.last_time,
                last_trade_id = excluded.last_trade_id, revision = excluded.revision,
                from_exchange = excluded.from_exchange, untold = excluded.untold, updated_at = now()
            WHERE (old.open, old.high, old.low, old.close, old.volume, old.quote_volume, old.trades, old.ticks, old.price_sum,
                   old.square_sum, old.minutes, old.changes, old.change_sum, old.change_square_sum, old.revision,
                   old.from_exchange, old.untold)
               IS DISTINCT FROM
                  (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.quote_volume,
                   excluded.trades, excluded.ticks, excluded.price_sum, excluded.square_sum, excluded.minutes,
                   excluded.changes, excluded.change_sum, excluded.change_square_sum, excluded.revision,
                   excluded.from_exchange, excluded.untold)"
        )
    };
}

/// The change of a minute is known where there is a candle of the minute right before it; or, where that was dropped with its
/// month, where the five minutes before have prices up to their end.
const FIVE_MINUTES: &str = fold!(
    "5m",
    "SELECT open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum, 1 AS minutes,
            (change IS NOT NULL)::integer AS changes, change AS change_sum, change * change AS change_square_sum, first_time,
            first_trade_id, last_time, last_trade_id, revision, from_exchange, untold
     FROM (
         SELECT *, CASE WHEN lag(open_time) OVER in_order = open_time - interval '1 minute'
                        THEN round(close / lag(close) OVER in_order - 1, 12)
                        WHEN open_time = due.open_time
                        THEN round(close / (
                            SELECT close FROM candle AS before
                            WHERE before.ticker_id = due.ticker_id AND before.width = '5m'
                              AND before.open_time = due.open_time - interval '5 minutes'
                              AND before.last_time >= due.open_time - interval '1 minute') - 1, 12) END AS change
         FROM candle
         WHERE ticker_id = due.ticker_id AND width = '1m' AND open_time >= due.open_time - interval '1 minute'
           AND open_time < due.open_time + interval '5 minutes'
         WINDOW in_order AS (ORDER BY open_time)) AS minute
     WHERE open_time >= due.open_time"
);
const HOURS: &str = fold!(
    "1h",
    "SELECT * FROM candle
     WHERE ticker_id = due.ticker_id AND width = '5m' AND open_time >= due.open_time
       AND open_time < due.open_time + interval '1 hour'"
);
const DAYS: &str = fold!(
    "1d",
    "SELECT * FROM candle
     WHERE ticker_id = due.ticker_id AND width = '1h' AND open_time >= due.open_time
       AND open_time < due.open_time + interval '24 hours'"
);

/// Folds what is stale and over, oldest first, `most` times five minutes at most, in one transaction. Returns how many
/// there were: fewer than `most` says that no more are left for now, or that somebody else is at it.
///
/// # Errors
/// When the database refuses; nothing is folded then, and the marks stay.
pub async fn round(client: &mut Client, most: i64) -> Result<usize> {
    let doing = "folding wider candles";
    let transaction = client.transaction().await.context(doing)?;
    let lock = transaction.prepare_cached(LOCK).await.context(doing)?;
    if !transaction.query_one(&lock, &[]).await.context(doing)?.get::<_, bool>(0) {
        return Ok(0);
    }
    let statement = transaction.prepare_cached(TAKE).await.context(doing)?;
    let taken = transaction.query(&statement, &[&most]).await.context(doing)?;
    if !taken.is_empty() {
        let ticker_ids: Vec<i32> = taken.iter().map(|row| row.get(0)).collect();
        let open_times: Vec<DateTime<Utc>> = taken.iter().map(|row| row.get(1)).collect();
        fold(&transaction, &ticker_ids, &open_times).await?;
        day_sums::forget(&transaction, &ticker_ids, &open_times).await?;
    }
    transaction.commit().await.context(doing)?;
    Ok(taken.len())
}

/// Takes away the marks of five minutes whose minutes were dropped. Returns how many there were.
///
/// # Errors
/// When the database refuses.
pub async fn delete_dropped_marks(client: &impl GenericClient) -> Result<u64> {
    let marks = "DELETE FROM stale_candle USING dropped
                 WHERE kind = '1m' AND open_time >= from_time AND open_time < to_time";
    client.execute(marks, &[]).await.context("taking away marks of dropped minutes")
}

async fn fold(transaction: &Transaction<'_>, ticker_ids: &[i32], open_times: &[DateTime<Utc>]) -> Result<()> {
    let doing = "folding wider candles";
    for width in [FIVE_MINUTES, HOURS, DAYS] {
        let statement = transaction.prepare_cached(width).await.context(doing)?;
        transaction.execute(&statement, &[&ticker_ids, &open_times]).await.context(doing)?;
    }
    Ok(())
}
