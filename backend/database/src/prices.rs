//! Reading prices.
//!
//! `price` has one partition a day. Every query here names one pair at a time and reads its unique index backwards, so
//! that it touches the newest partitions only, however many there are.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use rust_decimal::Decimal;
use tokio_postgres::Row;

use crate::{Context as _, Error, Result};

/// The newest price of a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct NewestPrice {
    /// Key of the pair.
    pub ticker_id: i32,
    /// The exchange's name.
    pub exchange: String,
    /// The exchange's own spelling of the pair.
    pub ticker: String,
    /// Code of the coin that is bought and sold.
    pub base: String,
    /// Code of what it is priced in.
    pub quote: String,
    /// Name of the coin that is bought and sold.
    pub coin: String,
    /// The price.
    pub price: Decimal,
    /// When it was made; for a polled price, when it was received.
    pub time: DateTime<Utc>,
    /// When it reached the tracker.
    pub received_at: DateTime<Utc>,
    /// `stream`, `poll` or `backfill`; `market` where the exchange told it of its whole market; `candle` where it is the close of
    /// a minute.
    pub source: String,
}

/// What happened to a pair in 24 hours.
#[derive(Debug, Clone, PartialEq)]
pub struct DayStatistics {
    /// Key of the pair.
    pub ticker_id: i32,
    /// The first price within them.
    pub open: Decimal,
    /// The highest price within them.
    pub high: Decimal,
    /// The lowest price within them.
    pub low: Decimal,
    /// Units of the base that changed hands.
    pub volume: Decimal,
    /// Units of the quote that changed hands.
    pub quote_volume: Decimal,
    /// Who tells it: `recorded` where we summed it up, `exchange` where that told it of its whole market.
    pub told_by: String,
}

/// One price as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTick {
    /// When it was made; for a polled price, when it was received.
    pub time: DateTime<Utc>,
    /// The exchange's number of the trade.
    pub trade_id: Option<i64>,
    /// Price.
    pub price: Decimal,
    /// Units of the base that changed hands.
    pub quantity: Option<Decimal>,
    /// `buy` or `sell`.
    pub taker_side: Option<String>,
    /// When it reached the tracker.
    pub received_at: DateTime<Utc>,
    /// When its transaction began.
    pub stored_at: DateTime<Utc>,
    /// `stream` or `poll`.
    pub source: String,
}

/// Where a page of ticks ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickPosition {
    /// [`StoredTick::time`] of its last row.
    pub time: DateTime<Utc>,
    /// [`StoredTick::trade_id`] of its last row.
    pub trade_id: Option<i64>,
}

/// Of the pairs that `$1` (exchange), `$2` (tickers) and `$3` (key) let through, the newest price: a row of `price`, what the
/// exchange told last of its whole market, or the close of a minute whose ticks are not kept (any more). Every price is in a
/// minute that has a candle, so that the newest candle says where to look: of years of days only those since are touched.
macro_rules! prices {
    (minutes $minutes:literal, ticks $ticks:literal, others $others:literal) => {
        concat!(
            "SELECT ticker.id, exchange.name, ticker.ticker, base.code, quote.code, base.name, newest.price, newest.time,
                    newest.received_at, newest.source
            FROM ticker
            JOIN exchange ON exchange.id = ticker.exchange_id
            JOIN symbol base ON base.id = ticker.base_id
            JOIN symbol quote ON quote.id = ticker.quote_id
            LEFT JOIN market ON market.ticker_id = ticker.id
            LEFT JOIN LATERAL (
                SELECT open_time, last_time, close FROM candle
                WHERE candle.ticker_id = ticker.id AND width = '1m' ",
            $minutes,
            " ORDER BY open_time DESC LIMIT 1) AS minute ON true
            CROSS JOIN LATERAL (
                SELECT * FROM (
                    (SELECT price, time, received_at, source::text, 1 AS preference FROM price
                     WHERE price.ticker_id = ticker.id AND time >= coalesce(minute.open_time, '-infinity') ",
            $ticks,
            " ORDER BY time DESC, trade_id DESC LIMIT 1) ",
            $others,
            " UNION ALL
                    SELECT minute.close, minute.last_time, minute.last_time, 'candle', 3 WHERE minute.close IS NOT NULL) AS told
                ORDER BY time DESC, preference LIMIT 1) AS newest
            WHERE coalesce(ticker.first_tick_at, market.time) IS NOT NULL
              AND ($1::smallint IS NULL OR ticker.exchange_id = $1)
              AND ($2::text[] IS NULL OR lower(ticker.ticker) = ANY($2) OR lower(base.code || quote.code) = ANY($2))
              AND ($3::int IS NULL OR ticker.id = $3)
            ORDER BY exchange.name, ticker.ticker"
        )
    };
}

const NEWEST: &str = prices!(
    minutes "",
    ticks "",
    others "UNION ALL
            SELECT market.price, market.time, market.received_at, 'market', 2 WHERE market.time IS NOT NULL"
);

/// At a moment, `$4`: the newest minute before that of the moment has a price for certain, and what comes later until the moment
/// is newer.
const AT: &str = prices!(
    minutes "AND open_time < date_bin('1 minute', $4, '2001-01-01 00:00:00Z')",
    ticks "AND time <= $4",
    others ""
);

/// Which pairs are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct PriceFilter<'a> {
    /// Key of the exchange.
    pub exchange_id: Option<i16>,
    /// These tickers only, in lower-case.
    pub tickers: Option<&'a [String]>,
    /// Key of the only pair.
    pub ticker_id: Option<i32>,
}

/// The newest price of every recorded pair, by exchange and ticker.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_newest_prices(client: &impl GenericClient, filter: PriceFilter<'_>) -> Result<Vec<NewestPrice>> {
    let doing = "listing the newest prices";
    let PriceFilter { exchange_id, tickers, ticker_id } = filter;
    let statement = client.prepare_cached(NEWEST).await.context(doing)?;
    let rows = client.query(&statement, &[&exchange_id, &tickers, &ticker_id]).await.context(doing)?;
    rows.iter().map(NewestPrice::try_from).collect()
}

/// The newest price of one pair; `None` while none is stored.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_newest_price(client: &impl GenericClient, ticker_id: i32) -> Result<Option<NewestPrice>> {
    let filter = PriceFilter { ticker_id: Some(ticker_id), ..PriceFilter::default() };
    Ok(list_newest_prices(client, filter).await?.pop())
}

/// The newest price of every pair at or before a moment, by exchange and ticker; a pair without one is left out.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_prices_at(
    client: &impl GenericClient,
    moment: DateTime<Utc>,
    filter: PriceFilter<'_>,
) -> Result<Vec<NewestPrice>> {
    let doing = "looking for prices at a moment";
    let PriceFilter { exchange_id, tickers, ticker_id } = filter;
    let statement = client.prepare_cached(AT).await.context(doing)?;
    let rows = client.query(&statement, &[&exchange_id, &tickers, &ticker_id, &moment]).await.context(doing)?;
    rows.iter().map(NewestPrice::try_from).collect()
}

/// Of the minutes that began within them. An exchange's clock may be ahead of ours.
const DAY: &str = "
    SELECT ticker_id, open, high, low, volume, quote_volume, 'recorded'
    FROM sum_candles($1, date_bin('1 minute', $2::timestamptz - interval '23:59:00.000001', '2001-01-01 00:00:00Z'),
                     date_bin('1 minute', $2::timestamptz + interval '1 minute', '2001-01-01 00:00:00Z'))";

/// What the exchange itself told within the last minutes, and for the other pairs the same as above.
const LAST_DAY: &str = "
    WITH told AS MATERIALIZED (
        SELECT ticker_id, open_24h, high_24h, low_24h, volume_24h, quote_volume_24h FROM market
        WHERE ticker_id = ANY($1) AND time > now() - interval '5 minutes'
          AND (open_24h, high_24h, low_24h, volume_24h, quote_volume_24h) IS NOT NULL
    )
    SELECT ticker_id, open_24h, high_24h, low_24h, volume_24h, quote_volume_24h, 'exchange' FROM told
    UNION ALL
    SELECT ticker_id, open, high, low, volume, quote_volume, 'recorded'
    FROM sum_candles(ARRAY(SELECT id FROM unnest($1::int[]) AS id WHERE id NOT IN (SELECT ticker_id FROM told)),
                     date_bin('1 minute', now() - interval '23:59:00.000001', '2001-01-01 00:00:00Z'),
                     date_bin('1 minute', now() + interval '2 minutes', '2001-01-01 00:00:00Z'))";

/// What happened to these pairs in the 24 hours that end at a moment (its minute included), or now, one row for each that has
/// prices in them. What an exchange tells of its whole market is the same thing, rolling, and knows the time before we began.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_day_statistics(
    client: &impl GenericClient,
    ticker_ids: &[i32],
    until: Option<DateTime<Utc>>,
) -> Result<Vec<DayStatistics>> {
    let doing = "summing up a day";
    let rows = match until {
        Some(until) => {
            let statement = client.prepare_cached(DAY).await.context(doing)?;
            client.query(&statement, &[&ticker_ids, &until]).await
        }
        None => {
            let statement = client.prepare_cached(LAST_DAY).await.context(doing)?;
            client.query(&statement, &[&ticker_ids]).await
        }
    };
    let decimal =
        |row: &Row, column: usize| row.try_get::<_, Decimal>(column).map(|value| value.normalize()).context(doing);
    let read = |row: &Row| {
        Ok(DayStatistics {
            ticker_id: row.try_get(0).context(doing)?,
            open: decimal(row, 1)?,
            high: decimal(row, 2)?,
            low: decimal(row, 3)?,
            volume: decimal(row, 4)?,
            quote_volume: decimal(row, 5)?,
            told_by: row.try_get(6).context(doing)?,
        })
    };
    rows.context(doing)?.iter().map(read).collect()
}

/// The index holds the row without a trade number after the others of its time; read backwards it comes first.
///
/// Bounded on one side only: for a span, PostgreSQL's plan for all values of its parameters guesses that few rows lie
/// in it, and then reads and sorts all of them instead of stopping at the limit.
const TICKS: &str = "
    SELECT time, trade_id, price, quantity, taker_side::text, received_at, stored_at, source::text FROM price
    WHERE ticker_id = $1 AND time < $2
    ORDER BY time DESC, trade_id DESC LIMIT $3";

const TICKS_AFTER: &str = "
    SELECT time, trade_id, price, quantity, taker_side::text, received_at, stored_at, source::text FROM price
    WHERE ticker_id = $1 AND time <= $2
      AND (time < $2 OR trade_id < $4 OR ($4::bigint IS NULL AND trade_id IS NOT NULL))
    ORDER BY time DESC, trade_id DESC LIMIT $3";

/// Stored prices of one pair from `from` until just before `to`, newest first, at most `limit`; those after a position
/// in that order, where one is given.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_ticks(
    client: &impl GenericClient,
    ticker_id: i32,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    after: Option<TickPosition>,
    limit: i64,
) -> Result<Vec<StoredTick>> {
    let doing = "listing prices";
    let rows = match after.filter(|position| position.time < to) {
        None => {
            let statement = client.prepare_cached(TICKS).await.context(doing)?;
            client.query(&statement, &[&ticker_id, &to, &limit]).await
        }
        Some(TickPosition { time, trade_id }) => {
            let statement = client.prepare_cached(TICKS_AFTER).await.context(doing)?;
            client.query(&statement, &[&ticker_id, &time, &limit, &trade_id]).await
        }
    };
    let mut ticks = rows.context(doing)?.iter().map(StoredTick::try_from).collect::<Result<Vec<_>>>()?;
    ticks.retain(|tick| tick.time >= from);
    Ok(ticks)
}

impl TryFrom<&Row> for NewestPrice {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self> {
        let doing = "reading a newest price";
        Ok(Self {
            ticker_id: row.try_get(0).context(doing)?,
            exchange: row.try_get(1).context(doing)?,
            ticker: row.try_get(2).context(doing)?,
            base: row.try_get(3).context(doing)?,
            quote: row.try_get(4).context(doing)?,
            coin: row.try_get(5).context(doing)?,
            price: row.try_get::<_, Decimal>(6).context(doing)?.normalize(),
            time: row.try_get(7).context(doing)?,
            received_at: row.try_get(8).context(doing)?,
            source: row.try_get(9).context(doing)?,
        })
    }
}

impl TryFrom<&Row> for StoredTick {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self> {
        let doing = "reading a price";
        Ok(Self {
            time: row.try_get(0).context(doing)?,
            trade_id: row.try_get(1).context(doing)?,
            price: row.try_get::<_, Decimal>(2).context(doing)?.normalize(),
            quantity: row.try_get::<_, Option<Decimal>>(3).context(doing)?.map(|quantity| quantity.normalize()),
            taker_side: row.try_get(4).context(doing)?,
            received_at: row.try_get(5).context(doing)?,
            stored_at: row.try_get(6).context(doing)?,
            source: row.try_get(7).context(doing)?,
        })
    }
}
