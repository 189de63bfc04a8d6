//! Why a day of ticks or a month of minutes may not be dropped: something in it is still to come, to be filled, compared or folded,
//! or its rows do not add up to the candles that stay. Nothing here locks anything.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;

use crate::{
    Context as _, Result,
    retention::{Kind, StoredSpan},
};

/// What can still change in a span `$1` to `$2`, told at once.
const UNSETTLED: &str = "
    SELECT CASE
        WHEN EXISTS (SELECT FROM stale_candle WHERE open_time >= $1 AND open_time < $2)
            THEN 'wide candles are not folded yet'
        WHEN EXISTS (SELECT FROM gap WHERE state IN ('open', 'filling') AND coalesce(from_time, '-infinity') < $2
                                       AND coalesce(to_time, 'infinity') >= $1)
            THEN 'a hole in it is open or being filled'
        WHEN EXISTS (SELECT FROM difference WHERE state = 'open' AND open_time >= $1 AND open_time < $2)
            THEN 'a difference from the exchange''s candles is not settled'
    END";

/// Hours with trades of a pair that is compared with the exchange, and that may still be: a tracker looks a week back, and a
/// span is a day long at most.
const AWAITED: &str = "
    SELECT format('the comparison with the exchange of %s on %s is awaited', ticker.ticker,
                  to_char(hour.open_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'))
    FROM ticker
    CROSS JOIN LATERAL (
        SELECT open_time FROM candle
        WHERE candle.ticker_id = ticker.id AND width = '1h' AND trades > 0 AND open_time >= greatest($1, now() - interval '8 days')
          AND open_time < $2) AS hour
    WHERE EXISTS (SELECT FROM comparison WHERE comparison.ticker_id = ticker.id)
      AND NOT coalesce((
          SELECT range_agg(tstzrange(from_time, to_time)) @> tstzrange(hour.open_time, hour.open_time + interval '1 hour')
          FROM comparison
          WHERE comparison.ticker_id = ticker.id AND from_time > hour.open_time - interval '24 hours'
            AND from_time < hour.open_time + interval '1 hour'), false)
    ORDER BY hour.open_time LIMIT 1";

/// Why a span may not go, as far as can be told without reading it; `None` when nothing is in the way.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_obstacle(client: &impl GenericClient, span: &StoredSpan) -> Result<Option<String>> {
    let doing = "looking whether a span may go";
    if span.kind == Kind::Minutes {
        let ticks = "SELECT count(*) FROM stored_span WHERE kind = 'ticks' AND from_time >= $1 AND from_time < $2
                     AND pg_relation_size(partition) > 0";
        let days: i64 = client.query_one(ticks, &[&span.from, &span.to]).await.context(doing)?.get(0);
        if days > 0 {
            return Ok(Some(format!("{days} days of its ticks are kept, and its minutes are made of them")));
        }
    }
    let twice = client.query_one("SELECT is_dropped($1, $2)", &[&span.kind.as_str(), &span.from]).await;
    if twice.context(doing)?.get(0) {
        return Ok(Some("it was dropped before and put back by hand; delete its row in table dropped".to_owned()));
    }
    if let Some(reason) = unsettled(client, span).await? {
        return Ok(Some(reason));
    }
    Ok(client.query_opt(AWAITED, &[&span.from, &span.to]).await.context(doing)?.map(|row| row.get(0)))
}

/// What can still change in a span.
pub(crate) async fn unsettled(client: &impl GenericClient, span: &StoredSpan) -> Result<Option<String>> {
    let row = client.query_one(UNSETTLED, &[&span.from, &span.to]).await;
    Ok(row.context("looking what can still change")?.get(0))
}

/// Into how many parts the pairs are divided where a day is added up: a whole market has millions of minutes a day, and nobody should
/// hold a connection for all of them.
pub const PARTS: i32 = 16;

/// A day's candles of every width must say the same trades and volume.
const UNEQUAL_DAY: &str = "
    SELECT format('%s: the sums of its candles of one minute, five minutes, an hour and the day differ', ticker.ticker)
    FROM ticker
    CROSS JOIN LATERAL (
        SELECT width, sum(trades) AS trades, sum(volume) AS volume, sum(coalesce(minutes, 1)) AS minutes
        FROM candle
        WHERE candle.ticker_id = ticker.id AND width IN ('1m', '5m', '1h', '1d') AND open_time >= $1
          AND open_time < $1::timestamptz + interval '24 hours'
        GROUP BY width) AS sums
    WHERE ticker.id % $2 = $3
    GROUP BY ticker.id
    HAVING count(*) <> 4 OR count(DISTINCT (trades, volume, minutes)) > 1
    LIMIT 1";

/// Whether the candles of a UTC day add up, pair by pair, for a part of the pairs (0 until [`PARTS`]); else which do not.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_unequal_day(client: &impl GenericClient, day: DateTime<Utc>, part: i32) -> Result<Option<String>> {
    let statement = client.prepare_cached(UNEQUAL_DAY).await.context("adding up a day")?;
    let unequal = client.query_opt(&statement, &[&day, &PARTS, &part]).await.context("adding up a day")?;
    Ok(unequal.map(|row| row.get(0)))
}

/// Ticks and minutes of an hour: minute by minute, the same trades and volume. A candle of the exchange counts more, since
/// trades could not be had.
fn unequal_hour(partition: &str) -> String {
    format!(
        "WITH ticked AS (
            SELECT ticker.id AS ticker_id, tick.*
            FROM ticker
            CROSS JOIN LATERAL (
                SELECT date_trunc('minute', time, 'UTC') AS open_time, count(*) AS rows,
                       count(*) FILTER (WHERE source <> 'poll') AS trades, coalesce(sum(quantity), 0) AS volume
                FROM {partition} AS price
                WHERE ticker_id = ticker.id AND time >= $1 AND time < $1::timestamptz + interval '1 hour' GROUP BY 1) AS tick
         ), folded AS (
            SELECT candle.*
            FROM ticker
            CROSS JOIN LATERAL (
                SELECT ticker_id, open_time, trades, volume, from_exchange, untold FROM candle
                WHERE ticker_id = ticker.id AND width = '1m' AND open_time >= $1
                  AND open_time < $1::timestamptz + interval '1 hour') AS candle)
         SELECT coalesce(sum(ticked.rows), 0)::bigint,
                min(format('%s at %s: its ticks are %s trades, its candle says %s', ticker.ticker,
                           to_char(open_time AT TIME ZONE 'UTC', 'HH24:MI'), coalesce(ticked.trades, 0), coalesce(folded.trades, 0)))
                FILTER (WHERE CASE WHEN untold > 0 THEN folded.volume * 1.0000000001 < ticked.volume
                              WHEN from_exchange THEN folded.trades < ticked.trades
                              ELSE (ticked.trades, ticked.volume) IS DISTINCT FROM (folded.trades, folded.volume) END)
         FROM ticked FULL JOIN folded USING (ticker_id, open_time) JOIN ticker ON ticker.id = ticker_id"
    )
}

/// How many ticks an hour of a day has; or where they do not add up to its candles.
///
/// # Errors
/// When the database cannot be asked.
pub async fn count_equal_hour(
    client: &impl GenericClient,
    span: &StoredSpan,
    hour: DateTime<Utc>,
) -> Result<Result<i64, String>> {
    let row = client.query_one(&unequal_hour(&span.partition), &[&hour]).await.context("adding up an hour of ticks")?;
    Ok(row.get::<_, Option<String>>(1).map_or_else(|| Ok(row.get(0)), Err))
}
