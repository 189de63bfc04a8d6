//! Reading the closes of hours, of many pairs at once.
//!
//! The close of an hour that is folded stands in its candle; what came since is looked for among the minutes.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use rust_decimal::Decimal;
use tokio_postgres::Row;

use crate::{Context as _, Result};

/// The closes of consecutive hours of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourlyCloses {
    /// The exchange's name.
    pub exchange: String,
    /// The exchange's own spelling of the pair.
    pub ticker: String,
    /// One for each hour, oldest first; `None` where no candle is stored in it.
    pub closes: Vec<Option<Decimal>>,
}

const CLOSES: &str = "
    WITH cut AS MATERIALIZED (SELECT date_bin('1 hour', rolled_until(), '2001-01-01 00:00:00Z') AS hour)
    SELECT exchange.name, ticker.ticker, ARRAY(
        SELECT coalesce(folded.close, latest.close)
        FROM generate_series($3::timestamptz, $4::timestamptz - interval '1 hour', interval '1 hour') AS hour
        LEFT JOIN (
            SELECT open_time, close FROM candle
            WHERE ticker_id = ticker.id AND width = '1h' AND open_time >= $3 AND open_time < least($4, (SELECT hour FROM cut))
        ) AS folded ON folded.open_time = hour
        LEFT JOIN LATERAL (
            SELECT close FROM candle
            WHERE ticker_id = ticker.id AND width = '1m' AND open_time >= hour AND open_time < hour + interval '1 hour'
              AND hour >= (SELECT hour FROM cut)
            ORDER BY open_time DESC LIMIT 1) AS latest ON true
        ORDER BY hour)
    FROM ticker
    JOIN exchange ON exchange.id = ticker.exchange_id
    JOIN symbol base ON base.id = ticker.base_id
    JOIN symbol quote ON quote.id = ticker.quote_id
    LEFT JOIN market ON market.ticker_id = ticker.id
    WHERE coalesce(ticker.first_tick_at, market.time) IS NOT NULL
      AND ($1::smallint IS NULL OR ticker.exchange_id = $1)
      AND ($2::text[] IS NULL OR lower(ticker.ticker) = ANY($2) OR lower(base.code || quote.code) = ANY($2))
    ORDER BY exchange.name, ticker.ticker";

/// The closes of every recorded pair, by exchange and ticker, in the hours from `from` until just before `to`, both of
/// which must be where an hour begins; of one exchange only and of these tickers only (in lower-case), where given.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_hourly_closes(
    client: &impl GenericClient,
    exchange_id: Option<i16>,
    tickers: Option<&[String]>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<HourlyCloses>> {
    let doing = "listing closes";
    let statement = client.prepare_cached(CLOSES).await.context(doing)?;
    let rows = client.query(&statement, &[&exchange_id, &tickers, &from, &to]).await.context(doing)?;
    let read = |row: &Row| {
        let closes: Vec<Option<Decimal>> = row.try_get(2).context(doing)?;
        Ok(HourlyCloses {
            exchange: row.try_get(0).context(doing)?,
            ticker: row.try_get(1).context(doing)?,
            closes: closes.into_iter().map(|close| close.map(|close| close.normalize())).collect(),
        })
    };
    rows.iter().map(read).collect()
}
