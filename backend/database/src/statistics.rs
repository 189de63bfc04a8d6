//! What prices did over a span of time, from the sums that candles keep: no tick is looked at.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use rust_decimal::Decimal;
use tokio_postgres::Row;

use crate::{Context as _, Result};

/// What a pair did over a span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Key of the pair.
    pub ticker_id: i32,
    /// The first price.
    pub open: Decimal,
    /// The highest price.
    pub high: Decimal,
    /// The lowest price.
    pub low: Decimal,
    /// The last price.
    pub close: Decimal,
    /// Units of the base that changed hands.
    pub volume: Decimal,
    /// Units of the quote that changed hands.
    pub quote_volume: Decimal,
    /// Trades.
    pub trades: i64,
    /// Prices of which mean and deviation are: those of the trades; in minutes without trades, those that were asked for.
    pub ticks: i64,
    /// Mean of the prices.
    pub mean: Decimal,
    /// Sample standard deviation of the prices; `None` for fewer than two.
    pub deviation: Option<Decimal>,
    /// Mean price of what changed hands; `None` where nothing did.
    pub vwap: Option<Decimal>,
    /// Minutes that have prices.
    pub minutes: i64,
    /// Minutes of which it is known how the close changed against that of the minute right before: one return each.
    pub returns: i64,
    /// Sample standard deviation of those returns (close / close before − 1); `None` for fewer than two.
    pub return_deviation: Option<Decimal>,
    /// Minutes of which the exchange does not tell how many trades they had; each counts as one.
    pub untold: i64,
}

const STATISTICS: &str = "
    SELECT ticker_id, open, high, low, close, volume, quote_volume, trades, ticks, price_sum / ticks,
           deviation(ticks, price_sum, square_sum), quote_volume / nullif(volume, 0), minutes, changes,
           deviation(changes, change_sum, change_square_sum), untold
    FROM sum_candles($1, $2, $3)
    ORDER BY ticker_id";

/// What each of these pairs did from `from` until just before `to`, both whole minutes; a pair without prices in between is
/// left out.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_statistics(
    client: &impl GenericClient,
    ticker_ids: &[i32],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Statistics>> {
    let doing = "summing up a span of time";
    let statement = client.prepare_cached(STATISTICS).await.context(doing)?;
    let rows = client.query(&statement, &[&ticker_ids, &from, &to]).await.context(doing)?;
    rows.iter().map(|row| read(row).context(doing)).collect()
}

fn read(row: &Row) -> std::result::Result<Statistics, tokio_postgres::Error> {
    let decimal = |column: usize| row.try_get::<_, Decimal>(column).map(|value| value.normalize());
    let optional =
        |column: usize| row.try_get::<_, Option<Decimal>>(column).map(|value| value.map(|value| value.normalize()));
    Ok(Statistics {
        ticker_id: row.try_get(0)?,
        open: decimal(1)?,
        high: decimal(2)?,
        low: decimal(3)?,
        close: decimal(4)?,
        volume: decimal(5)?,
        quote_volume: decimal(6)?,
        trades: row.try_get(7)?,
        ticks: row.try_get(8)?,
        mean: decimal(9)?,
        deviation: optional(10)?,
        vwap: optional(11)?,
        minutes: row.try_get(12)?,
        returns: row.try_get(13)?,
        return_deviation: optional(14)?,
        untold: row.try_get(15)?,
    })
}

/// The closes of a pair's minutes, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Closes {
    /// Key of the pair.
    pub ticker_id: i32,
    /// Where each minute begins.
    pub open_times: Vec<DateTime<Utc>>,
    /// Its last price.
    pub prices: Vec<Decimal>,
    /// Their sample standard deviation; `None` for fewer than two.
    pub deviation: Option<Decimal>,
}

const CLOSES: &str = "
    SELECT ticker_id, array_agg(open_time ORDER BY open_time), array_agg(close ORDER BY open_time), stddev_samp(close)
    FROM candle
    WHERE ticker_id = ANY($1) AND width = '1m' AND open_time >= $2 AND open_time < $3
    GROUP BY ticker_id";

/// What each of these pairs cost at the end of each minute from `from` until just before `to`; a pair without prices in between
/// is left out. Reads every minute.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_closes(
    client: &impl GenericClient,
    ticker_ids: &[i32],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Closes>> {
    let doing = "listing closes of minutes";
    let statement = client.prepare_cached(CLOSES).await.context(doing)?;
    let rows = client.query(&statement, &[&ticker_ids, &from, &to]).await.context(doing)?;
    let read = |row: &Row| {
        let prices: Vec<Decimal> = row.try_get(2)?;
        let deviation: Option<Decimal> = row.try_get(3)?;
        Ok(Closes {
            ticker_id: row.try_get(0)?,
            open_times: row.try_get(1)?,
            prices: prices.into_iter().map(|price| price.normalize()).collect(),
            deviation: deviation.map(|deviation| deviation.normalize()),
        })
    };
    rows.iter().map(|row| read(row).context(doing)).collect()
}
