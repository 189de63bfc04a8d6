//! Storing ticks: the one transaction on which everything else hangs.
//!
//! Optimistic: a COPY straight into the days of `price` that succeeds proves that every row is new, and costs half of any other
//! way. When it meets a row that is there already, everything is rolled back and done again by
//! `INSERT … ON CONFLICT DO NOTHING RETURNING`, which tells which rows were new. Candles are folded from the new rows
//! only, in the same transaction, so that storing a batch twice changes nothing. Ticks of a day that was dropped are left out: what
//! they may repeat is gone.
//!
//! Rows (day by day) and candles are written in the order of their keys, so that two writers cannot wait for each other in a circle.

use std::{borrow::Cow, collections::HashSet, pin::pin};

use bytes::{BufMut as _, Bytes, BytesMut};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use deadpool_postgres::{GenericClient, Transaction};
use domain::{Candle, Interval, Tick, TickSource};
use futures_util::SinkExt as _;
use rust_decimal::Decimal;
use tokio_postgres::types::{IsNull, ToSql, Type};

use crate::{
    Client, Context as _, Error, Result,
    alerts::{Looking, Turn, Written},
    partitions,
};

/// One tick and where it belongs.
#[derive(Debug, Clone, Copy)]
pub struct NewPrice<'a> {
    /// Key of its pair.
    pub ticker_id: i32,
    /// How it came.
    pub source: TickSource,
    /// The tick.
    pub tick: &'a Tick,
}

/// What the unique key of `price` is made of.
type Key = (i32, DateTime<Utc>, Option<i64>);

impl NewPrice<'_> {
    /// The day in whose partition it belongs.
    fn day(&self) -> NaiveDate {
        self.tick.time().naive_utc().date()
    }

    fn key(&self) -> Key {
        (self.ticker_id, self.tick.time(), self.tick.trade_id)
    }
}

/// How ticks were stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Rows that were new.
    pub inserted: u64,
    /// Rows that were there already, or twice in the batch.
    pub duplicates: u64,
    /// Ticks of days that were dropped: whether they were stored before cannot be known any more, so they are not stored.
    pub of_dropped_days: u64,
    /// What rules fired for.
    pub alerts: Written,
}

/// Stores prices and folds them into one-minute candles, in one transaction.
///
/// `maybe_stored` says that some rows may be there already (a redelivery), so that the optimistic way is not tried.
/// Pairs in `first_ticks` are marked as recorded. Rules look at the new ones when their `turn` has come.
///
/// # Errors
/// When the database refuses; nothing is stored then, unless the connection broke during the commit: then it is not
/// known, and storing the same again with `maybe_stored` is right either way.
pub async fn store(
    client: &mut Client,
    mut prices: Vec<NewPrice<'_>>,
    first_ticks: &[i32],
    maybe_stored: bool,
    turn: &Turn,
) -> Result<Stored> {
    let received = prices.len();
    prices.sort_unstable_by_key(|price| (price.day(), price.key()));
    prices.dedup_by_key(|price| price.key());
    if !maybe_stored {
        match store_in_turn(client, &prices, first_ticks, turn, Way::Copy).await {
            Err(error) if error.is_misplaced_optimism() => {}
            outcome => return outcome.map(|done| done.counted(received)),
        }
    }
    store_in_turn(client, &prices, first_ticks, turn, Way::Insert).await.map(|done| done.counted(received))
}

/// What a transaction did.
struct Done {
    inserted: usize,
    of_dropped_days: usize,
    alerts: Written,
}

impl Done {
    fn counted(self, received: usize) -> Stored {
        let Self { inserted, of_dropped_days, alerts } = self;
        let duplicates = (received - inserted - of_dropped_days) as u64;
        Stored { inserted: inserted as u64, duplicates, of_dropped_days: of_dropped_days as u64, alerts }
    }
}

#[derive(Clone, Copy)]
enum Way {
    Copy,
    Insert,
}

/// Where rules must wait for prices that were received earlier, what was inserted is given up meanwhile.
async fn store_in_turn(
    client: &mut Client,
    prices: &[NewPrice<'_>],
    first_ticks: &[i32],
    turn: &Turn,
    way: Way,
) -> Result<Done> {
    loop {
        if let Some(done) = store_in_transaction(client, prices, first_ticks, turn, way).await? {
            return Ok(done);
        }
        turn.comes().await;
    }
}

/// `None` where it is not yet the turn: nothing is stored then.
async fn store_in_transaction(
    client: &mut Client,
    prices: &[NewPrice<'_>],
    first_ticks: &[i32],
    turn: &Turn,
    way: Way,
) -> Result<Option<Done>> {
    let transaction = client.transaction().await.context("beginning a transaction")?;
    let received = prices.len();
    let open = in_open_days(&transaction, prices).await?;
    let mut new: Vec<&NewPrice<'_>> = open.iter().collect();
    match way {
        Way::Copy => {
            for of_one_day in open.chunk_by(|one, next| one.day() == next.day()) {
                copy(&transaction, of_one_day[0].day(), of_one_day).await?;
            }
        }
        Way::Insert => {
            let inserted = insert(&transaction, &open).await?;
            new.retain(|price| inserted.contains(&price.key()));
        }
    }
    let mut ticker_ids: Vec<i32> = new.iter().map(|price| price.ticker_id).collect();
    ticker_ids.sort_unstable();
    ticker_ids.dedup();
    let mut looking = turn.looking(&transaction, &ticker_ids).await?;
    let alerts = match &mut looking {
        Looking::Nobody => Written::default(),
        Looking::Watchers(watchers) => watchers.look(&transaction, &new, turn).await?,
        Looking::Later => {
            transaction.rollback().await.context("giving way to earlier prices")?;
            return Ok(None);
        }
    };
    fold(&transaction, new.iter().copied()).await?;
    if !first_ticks.is_empty() {
        transaction
            .execute(
                "UPDATE ticker SET first_tick_at = now() WHERE id = ANY($1) AND first_tick_at IS NULL",
                &[&first_ticks],
            )
            .await
            .context("marking pairs as recorded")?;
    }
    transaction.commit().await.context("committing prices")?;
    if let Looking::Watchers(mut watchers) = looking {
        watchers.confirm();
    }
    Ok(Some(Done { inserted: new.len(), of_dropped_days: received - open.len(), alerts }))
}

/// How old a tick is at least before it is asked whether its day was dropped: the last two days never are.
const MAYBE_DROPPED: TimeDelta = TimeDelta::days(1);

/// The prices without those of days that were dropped. The prices come sorted by day.
async fn in_open_days<'a, 'b>(
    transaction: &Transaction<'_>,
    prices: &'a [NewPrice<'b>],
) -> Result<Cow<'a, [NewPrice<'b>]>> {
    let Some(oldest) =
        prices.first().map(|price| price.day()).filter(|day| *day < (Utc::now() - MAYBE_DROPPED).date_naive())
    else {
        return Ok(Cow::Borrowed(prices));
    };
    let dropped = "SELECT (from_time AT TIME ZONE 'UTC')::date FROM dropped
                   WHERE kind = 'ticks' AND from_time >= $1::date::timestamp AT TIME ZONE 'UTC'";
    let statement = transaction.prepare_cached(dropped).await.context("looking for dropped days")?;
    let days = transaction.query(&statement, &[&oldest]).await.context("looking for dropped days")?;
    let days: HashSet<NaiveDate> = days.iter().map(|row| row.get(0)).collect();
    Ok(prices.iter().filter(|price| !days.contains(&price.day())).copied().collect())
}

/// Copies the prices of one day into that day's partition. `price` itself would take them too, but row by row: the
/// trigger that looks for tickers makes PostgreSQL do so. Here the foreign key of the candles finds one that is missing.
async fn copy(transaction: &Transaction<'_>, day: NaiveDate, prices: &[NewPrice<'_>]) -> Result<()> {
    let doing = "copying prices";
    let partition = partitions::name(day);
    // What COPY takes anyway. But where it cannot be had, a COPY would leave the connection unusable: the driver then
    // ends the exchange of messages twice.
    let lock = format!("LOCK TABLE {partition} IN ROW EXCLUSIVE MODE");
    transaction.batch_execute(&lock).await.context(doing)?;
    let copy = format!(
        "COPY {partition} (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
         FROM STDIN (FORMAT binary)"
    );
    let mut sink = pin!(transaction.copy_in(&copy).await.context(doing)?);
    // In one piece: the driver's own writer wakes the connection every forty rows.
    sink.send(binary_rows(prices)?).await.context(doing)?;
    sink.finish().await.context(doing)?;
    Ok(())
}

/// The rows in PostgreSQL's binary COPY format.
fn binary_rows(prices: &[NewPrice<'_>]) -> Result<Bytes> {
    let mut rows = BytesMut::with_capacity(32 + prices.len() * 128);
    rows.put_slice(b"PGCOPY\n\xff\r\n\0");
    rows.put_i64(0);
    for NewPrice { ticker_id, source, tick } in prices {
        rows.put_i16(8);
        put(&mut rows, &tick.time(), &Type::TIMESTAMPTZ)?;
        put(&mut rows, &tick.received_at, &Type::TIMESTAMPTZ)?;
        put(&mut rows, &tick.trade_id, &Type::INT8)?;
        put(&mut rows, ticker_id, &Type::INT4)?;
        // PostgreSQL reads an enum's binary form as its label, so that text serves.
        put(&mut rows, &source.as_str(), &Type::TEXT)?;
        put(&mut rows, &tick.taker_side.map(domain::Side::as_str), &Type::TEXT)?;
        put(&mut rows, &tick.price, &Type::NUMERIC)?;
        put(&mut rows, &tick.quantity, &Type::NUMERIC)?;
    }
    rows.put_i16(-1);
    Ok(rows.freeze())
}

/// One field: its length, then its value; for null, the length −1.
fn put(rows: &mut BytesMut, value: &impl ToSql, kind: &Type) -> Result<()> {
    let start = rows.len();
    rows.put_i32(-1);
    if let IsNull::No = value.to_sql(kind, rows).map_err(Error::Encode)? {
        let length = i32::try_from(rows.len() - start - 4).unwrap_or(i32::MAX);
        rows[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

const INSERT: &str = "
    INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
    SELECT time, received_at, trade_id, ticker_id, source::tick_source, taker_side::side, price, quantity
    FROM unnest($1::timestamptz[], $2::timestamptz[], $3::bigint[], $4::int[], $5::text[], $6::text[], $7::numeric[],
                $8::numeric[]) AS new (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
    ON CONFLICT DO NOTHING
    RETURNING ticker_id, time, trade_id";

async fn insert(transaction: &Transaction<'_>, prices: &[NewPrice<'_>]) -> Result<HashSet<Key>> {
    let doing = "inserting prices";
    let statement = transaction.prepare_cached(INSERT).await.context(doing)?;
    let times: Vec<DateTime<Utc>> = prices.iter().map(|price| price.tick.time()).collect();
    let received_at: Vec<DateTime<Utc>> = prices.iter().map(|price| price.tick.received_at).collect();
    let trade_ids: Vec<Option<i64>> = prices.iter().map(|price| price.tick.trade_id).collect();
    let ticker_ids: Vec<i32> = prices.iter().map(|price| price.ticker_id).collect();
    let sources: Vec<&str> = prices.iter().map(|price| price.source.as_str()).collect();
    let sides: Vec<Option<&str>> = prices.iter().map(|price| price.tick.taker_side.map(domain::Side::as_str)).collect();
    let amounts: Vec<Decimal> = prices.iter().map(|price| price.tick.price).collect();
    let quantities: Vec<Option<Decimal>> = prices.iter().map(|price| price.tick.quantity).collect();
    let rows = transaction
        .query(&statement, &[&times, &received_at, &trade_ids, &ticker_ids, &sources, &sides, &amounts, &quantities])
        .await
        .context(doing)?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

/// [`Candle::merge`], said in SQL: candles of one kind join; one of trades outranks one of polled prices.
const FOLD: &str = "
    INSERT INTO candle AS old (ticker_id, width, open_time, open, high, low, close, volume, quote_volume, trades, ticks,
                               price_sum, square_sum, first_time, first_trade_id, last_time, last_trade_id, revision)
    SELECT ticker_id, '1m', open_time, open, high, low, close, volume, quote_volume, trades, ticks,
           price_sum, square_sum, first_time, first_trade_id, last_time, last_trade_id, revision
    FROM unnest($1::int[], $2::timestamptz[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[],
                $8::numeric[], $9::bigint[], $10::bigint[], $11::numeric[], $12::numeric[], $13::timestamptz[],
                $14::bigint[], $15::timestamptz[], $16::bigint[], $17::int[])
        AS folded (ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
                   first_time, first_trade_id, last_time, last_trade_id, revision)
    ON CONFLICT (ticker_id, width, open_time) DO UPDATE
    SET (open, first_time, first_trade_id) = (
            SELECT candidate.open, candidate.first_time, candidate.first_trade_id
            FROM (VALUES (old.open, old.first_time, old.first_trade_id, old.trades),
                         (excluded.open, excluded.first_time, excluded.first_trade_id, excluded.trades))
                AS candidate (open, first_time, first_trade_id, trades)
            ORDER BY candidate.trades > 0 DESC, candidate.first_time, candidate.first_trade_id LIMIT 1),
        (close, last_time, last_trade_id) = (
            SELECT candidate.close, candidate.last_time, candidate.last_trade_id
            FROM (VALUES (old.close, old.last_time, old.last_trade_id, old.trades),
                         (excluded.close, excluded.last_time, excluded.last_trade_id, excluded.trades))
                AS candidate (close, last_time, last_trade_id, trades)
            ORDER BY candidate.trades > 0 DESC, candidate.last_time DESC, candidate.last_trade_id DESC LIMIT 1),
        high = CASE WHEN old.trades = 0 AND excluded.trades > 0 THEN excluded.high
                    ELSE greatest(old.high, excluded.high) END,
        low = CASE WHEN old.trades = 0 AND excluded.trades > 0 THEN excluded.low
                   ELSE least(old.low, excluded.low) END,
        ticks = CASE WHEN old.trades = 0 AND excluded.trades > 0 THEN excluded.ticks
                     ELSE old.ticks + excluded.ticks END,
        price_sum = CASE WHEN old.trades = 0 AND excluded.trades > 0 THEN excluded.price_sum
                         ELSE old.price_sum + excluded.price_sum END,
        square_sum = CASE WHEN old.trades = 0 AND excluded.trades > 0 THEN excluded.square_sum
                          ELSE old.square_sum + excluded.square_sum END,
        volume = old.volume + excluded.volume,
        quote_volume = old.quote_volume + excluded.quote_volume,
        trades = old.trades + excluded.trades,
        revision = old.revision + excluded.revision,
        updated_at = now()
    WHERE NOT old.from_exchange AND NOT (old.trades > 0 AND excluded.trades = 0)";

/// Folds new prices, sorted by pair and time, into candles.
pub(crate) async fn fold<'a>(
    client: &impl GenericClient,
    prices: impl Iterator<Item = &'a NewPrice<'a>>,
) -> Result<()> {
    let mut folded: Vec<(i32, Candle)> = Vec::new();
    let mut revisions: Vec<i32> = Vec::new();
    for price in prices {
        let candle = Candle::of(price.tick, Interval::OneMinute)?;
        match folded.last_mut() {
            Some((ticker_id, last)) if *ticker_id == price.ticker_id && last.open_time == candle.open_time => {
                last.merge(&candle)?;
            }
            _ => {
                folded.push((price.ticker_id, candle));
                revisions.push(0);
            }
        }
        if let (TickSource::Backfill, Some(revision)) = (price.source, revisions.last_mut()) {
            *revision = 1;
        }
    }
    if folded.is_empty() {
        return Ok(());
    }
    let statement = client.prepare_cached(FOLD).await.context("preparing candles")?;
    let each = |part: fn(&Candle) -> Decimal| folded.iter().map(|(_, candle)| part(candle)).collect::<Vec<_>>();
    let number = |part: fn(&Candle) -> i64| folded.iter().map(|(_, candle)| part(candle)).collect::<Vec<_>>();
    let moment = |part: fn(&Candle) -> DateTime<Utc>| folded.iter().map(|(_, candle)| part(candle)).collect::<Vec<_>>();
    client
        .execute(
            &statement,
            &[
                &folded.iter().map(|(ticker_id, _)| *ticker_id).collect::<Vec<_>>(),
                &moment(|candle| candle.open_time),
                &each(|candle| candle.open),
                &each(|candle| candle.high),
                &each(|candle| candle.low),
                &each(|candle| candle.close),
                &each(|candle| candle.volume),
                &each(|candle| candle.quote_volume),
                &number(|candle| candle.trades),
                &number(|candle| candle.ticks),
                &each(|candle| candle.price_sum),
                &each(|candle| candle.square_sum),
                &moment(|candle| candle.first.time),
                &number(|candle| candle.first.trade_id),
                &moment(|candle| candle.last.time),
                &number(|candle| candle.last.trade_id),
                &revisions,
            ],
        )
        .await
        .context("folding candles")?;
    Ok(())
}
