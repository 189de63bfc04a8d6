//! Reading candles.
//!
//! Only one-minute candles are stored; wider ones are made from them here. What is read is bounded by the number of
//! minutes that the wanted candles can hold, so that a small question stays cheap over any amount of history.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use domain::Interval;
use rust_decimal::Decimal;
use tokio_postgres::Row;

use crate::{Context as _, Error, Result};

/// Open, high, low, close and volume of one interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCandle {
    /// Where the interval begins.
    pub open_time: DateTime<Utc>,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Units of the base that changed hands.
    pub volume: Decimal,
    /// Units of the quote that changed hands.
    pub quote_volume: Decimal,
    /// Number of trades.
    pub trades: i64,
    /// How often it was corrected: by trades that were fetched afterwards, or by the exchange's own candle.
    pub revision: i64,
    /// Whether a part of it is the exchange's own candle.
    pub from_exchange: bool,
}

impl StoredCandle {
    /// Where it comes from, in the words of the view `candles`; of a wider one, the first that is true of a part of it.
    pub fn origin(&self) -> &'static str {
        if self.from_exchange {
            "exchange"
        } else if self.trades == 0 {
            "polls"
        } else if self.revision > 0 {
            "backfill"
        } else {
            "stream"
        }
    }
}

/// Which candles are wanted. Every bound must be a place where a candle of the wanted interval opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The last ones that open before this moment.
    Until(DateTime<Utc>),
    /// The first ones that open at or after `from` and before `to`.
    Since {
        /// Where the first one may open.
        from: DateTime<Utc>,
        /// Where none may open any more.
        to: DateTime<Utc>,
    },
}

/// What the prices of one minute add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinuteSum {
    /// Where the minute begins.
    pub open_time: DateTime<Utc>,
    /// Sum of its prices.
    pub price_sum: Decimal,
    /// How many there are; never zero.
    pub ticks: i64,
}

// Every statement is bounded on one side only: for a span, PostgreSQL's plan for all values of its parameters guesses
// that few rows lie in it, and may read and sort all of them instead of stopping at the limit.

macro_rules! minutes {
    ($bound:literal, $order:literal) => {
        concat!(
            "SELECT * FROM (
                SELECT open_time, open, high, low, close, volume, quote_volume, trades, revision::bigint, from_exchange FROM candle
                WHERE ticker_id = $1 AND width = '1m' AND open_time ",
            $bound,
            " $2 ORDER BY open_time ",
            $order,
            " LIMIT $3) AS minute ORDER BY open_time"
        )
    };
}

/// The minutes are limited first: as many as the wanted candles can hold. If they do not suffice for all wanted
/// candles, each minute that belongs to one was read; a candle cut in two is always one too many and falls away.
/// Open and close are looked up, which costs two index probes a candle and spares sorting every minute.
macro_rules! wider {
    ($bound:literal, $order:literal) => {
        concat!(
            "SELECT wide.open_time, first.open, wide.high, wide.low, last.close, wide.volume, wide.quote_volume, wide.trades,
                    wide.revision, wide.from_exchange
            FROM (
                SELECT date_bin(make_interval(secs => $4), open_time, '2001-01-01 00:00:00Z') AS open_time,
                       min(open_time) AS first_minute, max(open_time) AS last_minute, max(high) AS high, min(low) AS low,
                       sum(volume) AS volume, sum(quote_volume) AS quote_volume, sum(trades)::bigint AS trades,
                       sum(revision)::bigint AS revision, bool_or(from_exchange) AS from_exchange
                FROM (
                    SELECT open_time, high, low, volume, quote_volume, trades, revision, from_exchange FROM candle
                    WHERE ticker_id = $1 AND width = '1m' AND open_time ",
            $bound,
            " $2 ORDER BY open_time ",
            $order,
            " LIMIT $5) AS minute
                GROUP BY 1 ORDER BY 1 ",
            $order,
            " LIMIT $3) AS wide
            JOIN candle first ON first.ticker_id = $1 AND first.width = '1m' AND first.open_time = wide.first_minute
            JOIN candle last ON last.ticker_id = $1 AND last.width = '1m' AND last.open_time = wide.last_minute
            ORDER BY wide.open_time"
        )
    };
}

/// Candles within the span, oldest first, at most `limit` of them. An interval without prices is left out.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_candles(
    client: &impl GenericClient,
    ticker_id: i32,
    interval: Interval,
    span: Span,
    limit: i64,
) -> Result<Vec<StoredCandle>> {
    let doing = "listing candles";
    let (bound, narrow, wide, limit) = match span {
        Span::Until(to) => (to, minutes!("<", "DESC"), wider!("<", "DESC"), limit),
        Span::Since { from, to } => {
            let fitting = (to - from).num_seconds() / interval.seconds();
            (from, minutes!(">=", "ASC"), wider!(">=", "ASC"), limit.min(fitting))
        }
    };
    let rows = if interval == Interval::OneMinute {
        let statement = client.prepare_cached(narrow).await.context(doing)?;
        client.query(&statement, &[&ticker_id, &bound, &limit]).await
    } else {
        let statement = client.prepare_cached(wide).await.context(doing)?;
        let minutes = limit.saturating_mul(interval.seconds() / 60);
        let seconds = interval.seconds() as f64;
        client.query(&statement, &[&ticker_id, &bound, &limit, &seconds, &minutes]).await
    };
    let mut candles = rows.context(doing)?.iter().map(StoredCandle::try_from).collect::<Result<Vec<_>>>()?;
    if let Span::Since { to, .. } = span {
        candles.retain(|candle| candle.open_time < to);
    }
    Ok(candles)
}

const SUMS: &str = "
    SELECT open_time, price_sum, ticks FROM candle
    WHERE ticker_id = $1 AND width = '1m' AND open_time >= $2
    ORDER BY open_time DESC";

/// What the prices of each minute since `from` add up to, newest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_minute_sums(
    client: &impl GenericClient,
    ticker_id: i32,
    from: DateTime<Utc>,
) -> Result<Vec<MinuteSum>> {
    let doing = "listing minutes";
    let statement = client.prepare_cached(SUMS).await.context(doing)?;
    let rows = client.query(&statement, &[&ticker_id, &from]).await.context(doing)?;
    let read = |row: &Row| {
        Ok(MinuteSum {
            open_time: row.try_get(0).context(doing)?,
            price_sum: row.try_get(1).context(doing)?,
            ticks: row.try_get(2).context(doing)?,
        })
    };
    rows.iter().map(read).collect()
}

impl TryFrom<&Row> for StoredCandle {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self> {
        let decimal = |column: usize| {
            row.try_get::<_, Decimal>(column).map(|value| value.normalize()).context("reading a candle")
        };
        Ok(Self {
            open_time: row.try_get(0).context("reading a candle")?,
            open: decimal(1)?,
            high: decimal(2)?,
            low: decimal(3)?,
            close: decimal(4)?,
            volume: decimal(5)?,
            quote_volume: decimal(6)?,
            trades: row.try_get(7).context("reading a candle")?,
            revision: row.try_get(8).context("reading a candle")?,
            from_exchange: row.try_get(9).context("reading a candle")?,
        })
    }
}
