//! What the database has of watched pairs and their prices.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::alert::{Gap, Seen, Subject};
use tokio_postgres::{Row, types::ToSql};

use super::{Prices, Run, Watch};
use crate::{Context as _, Result, alerts::past};

/// So many stored prices around late ones are looked at; where there are more, the late ones alone.
const MOST_AROUND: i64 = 20_000;

fn seen(row: &Row, first: usize) -> Option<Seen> {
    let (time, price) = (row.get::<_, Option<DateTime<Utc>>>(first)?, row.get::<_, Option<_>>(first + 2)?);
    Some(Seen { time, trade_id: row.get(first + 1), price })
}

fn watch(row: &Row) -> Watch {
    Watch { ticker_id: row.get(0), version: row.get(1), traded_at: row.get(2), newest: seen(row, 3) }
}

/// Locks the rows of pairs that rules watch, in the order of their keys.
pub(super) async fn lock(transaction: &Transaction<'_>, ticker_ids: &[i32]) -> Result<Vec<Watch>> {
    let doing = "locking watched pairs";
    let query = "SELECT ticker_id, version, traded_at, time, trade_id, price FROM alert.watch
                 WHERE ticker_id = ANY($1) ORDER BY ticker_id FOR UPDATE";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let rows = transaction.query(&statement, &[&ticker_ids]).await.context(doing)?;
    Ok(rows.iter().map(watch).collect())
}

/// The same, in one go with noting that prices are looked at up to these, of which it is told whether there were trades among
/// them. Returns the rows as they were.
pub(super) async fn lock_and_advance(
    transaction: &Transaction<'_>,
    newest: &BTreeMap<i32, (Seen, bool)>,
) -> Result<Vec<Watch>> {
    let doing = "noting how far prices are looked at";
    let query = "
        WITH held AS MATERIALIZED (
            SELECT ticker_id, version, traded_at, time, trade_id, price FROM alert.watch
            WHERE ticker_id = ANY($1) ORDER BY ticker_id FOR UPDATE
        ), advanced AS (
            UPDATE alert.watch
            SET time = now.time, trade_id = now.trade_id, price = now.price,
                traded_at = CASE WHEN now.is_trade THEN now.time ELSE held.traded_at END
            FROM unnest($1::int[], $2::timestamptz[], $3::bigint[], $4::numeric[], $5::boolean[])
                AS now (ticker_id, time, trade_id, price, is_trade)
            JOIN held ON held.ticker_id = now.ticker_id
            WHERE watch.ticker_id = now.ticker_id
              AND (held.time IS NULL OR (now.time, coalesce(now.trade_id, -1)) > (held.time, coalesce(held.trade_id, -1)))
        )
        SELECT * FROM held";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let rows = transaction
        .query(
            &statement,
            &[
                &newest.keys().copied().collect::<Vec<_>>(),
                &newest.values().map(|(seen, _)| seen.time).collect::<Vec<_>>(),
                &newest.values().map(|(seen, _)| seen.trade_id).collect::<Vec<_>>(),
                &newest.values().map(|(seen, _)| seen.price).collect::<Vec<_>>(),
                &newest.values().map(|(_, is_trade)| *is_trade).collect::<Vec<_>>(),
            ],
        )
        .await
        .context(doing)?;
    Ok(rows.iter().map(watch).collect())
}

/// What pairs are called, in the order of these keys.
pub(super) async fn subjects(transaction: &Transaction<'_>, ticker_ids: &[i32]) -> Result<Vec<Subject>> {
    let doing = "looking up watched pairs";
    let query = "SELECT exchange.name, ticker.ticker
                 FROM unnest($1::int[]) WITH ORDINALITY AS wanted (id, place)
                 JOIN ticker ON ticker.id = wanted.id JOIN exchange ON exchange.id = ticker.exchange_id ORDER BY place";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let rows = transaction.query(&statement, &[&ticker_ids]).await.context(doing)?;
    Ok(rows.iter().map(|row| Subject::Pair { exchange: row.get(0), ticker: row.get(1) }).collect())
}

/// The price before the first that comes in order: the newest that was looked at; but where that was asked for while trades did not come,
/// and the trade before the first one has been fetched since, that trade.
pub(super) async fn before(transaction: &Transaction<'_>, prices: &Prices) -> Result<Option<Seen>> {
    let doing = "looking for the trade before a trade";
    let newest = prices.watch.newest;
    let (Some(asked), Some((first, _))) = (newest.filter(|newest| newest.trade_id.is_none()), prices.in_order.first())
    else {
        return Ok(newest);
    };
    let query = "SELECT time, trade_id, price FROM price
                 WHERE ticker_id = $1 AND trade_id < $3 AND time <= $2 AND time > $2 - interval '1 day'
                 ORDER BY time DESC, trade_id DESC LIMIT 1";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let parameters: [&(dyn ToSql + Sync); 3] = [&prices.watch.ticker_id, &first.time, &first.trade_id];
    let row = transaction.query_opt(&statement, &parameters).await.context(doing)?;
    let trade = row.and_then(|row| seen(&row, 0)).filter(|trade| trade.is_followed_by(first));
    Ok(Some(trade.unwrap_or(asked)))
}

/// Late trades among those that were stored before: each run of them, with the trade before it and the trade behind it. What lies
/// between two runs was looked at already. Prices that were asked for while trades did not come are left out: beside the trades they
/// tell nothing, and stand between two of which the numbers say that they follow each other.
pub(super) async fn around(transaction: &Transaction<'_>, prices: &Prices) -> Result<Vec<Run>> {
    let doing = "reading prices around late ones";
    let (Some((first, _)), Some((last, _))) = (prices.behind.first(), prices.behind.last()) else {
        return Ok(Vec::new());
    };
    let query = "
        (SELECT time, trade_id, price FROM price
         WHERE ticker_id = $1 AND trade_id IS NOT NULL AND time <= $2 AND time > $2 - interval '7 days'
           AND (time < $2 OR trade_id < $3) ORDER BY time DESC, trade_id DESC LIMIT 1)
        UNION ALL
        (SELECT time, trade_id, price FROM price
         WHERE ticker_id = $1 AND trade_id IS NOT NULL AND time >= $2 AND time <= $4
           AND (time > $2 OR trade_id >= $3) AND (time < $4 OR trade_id <= $5) ORDER BY time, trade_id LIMIT $6)
        UNION ALL
        (SELECT time, trade_id, price FROM price
         WHERE ticker_id = $1 AND trade_id IS NOT NULL AND time >= $4 AND time < $4 + interval '7 days'
           AND (time > $4 OR trade_id > $5) ORDER BY time, trade_id LIMIT 1)";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let rows = transaction
        .query(
            &statement,
            &[&prices.watch.ticker_id, &first.time, &first.trade_id, &last.time, &last.trade_id, &MOST_AROUND],
        )
        .await
        .context(doing)?;
    let mut stored: Vec<Seen> = rows.iter().filter_map(|row| seen(row, 0)).collect();
    stored.sort_unstable_by_key(Seen::key);
    let new: HashMap<_, bool> = prices.behind.iter().map(|(seen, is_late)| (seen.key(), *is_late)).collect();
    if stored.len() >= usize::try_from(MOST_AROUND).unwrap_or(usize::MAX) {
        // Too many lie between: only those are compared of which the numbers say that they follow each other.
        let follow = |(one, _): &(Seen, bool), (next, _): &(Seen, bool)| one.is_followed_by(next);
        return Ok(prices.behind.chunk_by(follow).map(|run| (None, run.to_vec())).collect());
    }
    let mut runs: Vec<Run> = Vec::new();
    // The price before, and whether it is a new one, and late.
    let mut before: Option<(Seen, Option<bool>)> = None;
    for seen in stored {
        let is_late = new.get(&seen.key()).copied();
        let follows = before.and_then(|(_, is_late)| is_late);
        if is_late.is_some() && follows.is_none() {
            runs.push((before.map(|(seen, _)| seen), Vec::new()));
        }
        if let (Some(is_late), Some((_, run))) = (is_late.or(follows), runs.last_mut()) {
            run.push((seen, is_late));
        }
        before = Some((seen, is_late));
    }
    Ok(runs)
}

/// Where trades are missing between the prices that are looked at.
pub(super) async fn gaps(transaction: &Transaction<'_>, prices: &Prices, around: &[Run]) -> Result<Vec<Gap>> {
    let mut times: Vec<DateTime<Utc>> = Vec::new();
    times.extend(prices.watch.newest.iter().map(|seen| seen.time));
    times.extend(prices.in_order.iter().map(|(seen, _)| seen.time));
    for (before, run) in around {
        times.extend(before.iter().map(|seen| seen.time));
        times.extend(run.iter().map(|(seen, _)| seen.time));
    }
    let (Some(from), Some(to)) = (times.iter().min(), times.iter().max()) else { return Ok(Vec::new()) };
    past::list_gaps(transaction, prices.watch.ticker_id, *from, *to).await
}
