//! Reading pairs.

use deadpool_postgres::GenericClient;
use rust_decimal::Decimal;
use tokio_postgres::Row;

use crate::{Context as _, Error, Result};

/// A pair that an exchange lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTicker {
    /// Key.
    pub id: i32,
    /// The exchange's own spelling: `BTCUSDT`.
    pub ticker: String,
    /// The exchange's name.
    pub exchange: String,
    /// Name of the coin that is bought and sold.
    pub coin: String,
    /// Whether a price of it is stored.
    pub recorded: bool,
    /// The codes of both coins in lower-case, without a mark between: `btcusdt`, however the exchange spells it.
    pub codes: String,
    /// `trading`, `halted`, or `delisted`.
    pub status: String,
    /// The smallest step of its prices, where the exchange tells a fixed one.
    pub price_step: Option<Decimal>,
    /// The smallest step of its quantities.
    pub quantity_step: Option<Decimal>,
}

/// Which pairs are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct TickerFilter {
    /// Key of the exchange that lists them.
    pub exchange_id: Option<i16>,
    /// Key of the coin that is bought and sold.
    pub coin_id: Option<i32>,
    /// Whether prices of them are stored.
    pub recorded: Option<bool>,
}

const LIST: &str = "
    SELECT ticker.id, ticker.ticker, exchange.name, base.name, coalesce(ticker.first_tick_at, market.time) IS NOT NULL,
           lower(base.code || quote.code), ticker.status, ticker.price_step, ticker.quantity_step
    FROM ticker
    LEFT JOIN market ON market.ticker_id = ticker.id
    JOIN exchange ON exchange.id = ticker.exchange_id
    JOIN symbol base ON base.id = ticker.base_id
    JOIN symbol quote ON quote.id = ticker.quote_id
    WHERE ($1::smallint IS NULL OR ticker.exchange_id = $1)
      AND ($2::int IS NULL OR ticker.base_id = $2)
      AND ($3::bool IS NULL OR (coalesce(ticker.first_tick_at, market.time) IS NOT NULL) = $3)
    ORDER BY exchange.name, ticker.ticker";

/// The pairs that the filter lets through, by exchange and ticker.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_tickers(client: &impl GenericClient, filter: TickerFilter) -> Result<Vec<StoredTicker>> {
    let doing = "listing pairs";
    let statement = client.prepare_cached(LIST).await.context(doing)?;
    let rows = client.query(&statement, &[&filter.exchange_id, &filter.coin_id, &filter.recorded]).await;
    rows.context(doing)?.iter().map(StoredTicker::try_from).collect()
}

/// The index finds the usual spellings; only what it does not find is looked for by reading all of the exchange's
/// pairs, and last by the coins: `BTCUSDT` finds `BTC-USDT`. `Append` runs its later parts only while the limit is not reached.
const FIND: &str = "
    SELECT found.id, found.ticker, exchange.name, base.name, coalesce(found.first_tick_at, market.time) IS NOT NULL,
           lower(base.code || quote.code), found.status, found.price_step, found.quantity_step
    FROM (SELECT * FROM ticker WHERE exchange_id = $1 AND ticker IN ($2, upper($2))
          UNION ALL
          SELECT * FROM ticker WHERE exchange_id = $1 AND lower(ticker) = lower($2)
          UNION ALL
          (SELECT ticker.* FROM ticker
           JOIN symbol coin ON coin.id = ticker.base_id JOIN symbol money ON money.id = ticker.quote_id
           WHERE exchange_id = $1 AND lower(coin.code || money.code) = lower(translate($2, '-/_:', ''))
           ORDER BY ticker.status <> 'trading', ticker.id)
          LIMIT 1) AS found
    LEFT JOIN market ON market.ticker_id = found.id
    JOIN exchange ON exchange.id = found.exchange_id
    JOIN symbol base ON base.id = found.base_id
    JOIN symbol quote ON quote.id = found.quote_id";

/// A pair of one exchange, however it is capitalised, and with or without a mark between its coins.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_ticker(client: &impl GenericClient, exchange_id: i16, ticker: &str) -> Result<Option<StoredTicker>> {
    let doing = "looking for a pair";
    let statement = client.prepare_cached(FIND).await.context(doing)?;
    let row = client.query_opt(&statement, &[&exchange_id, &ticker]).await.context(doing)?;
    row.as_ref().map(StoredTicker::try_from).transpose()
}

const FIND_ANYWHERE: &str = "
    SELECT ticker.id, ticker.ticker, exchange.name, base.name, coalesce(ticker.first_tick_at, market.time) IS NOT NULL,
           lower(base.code || quote.code), ticker.status, ticker.price_step, ticker.quantity_step
    FROM ticker
    LEFT JOIN market ON market.ticker_id = ticker.id
    JOIN exchange ON exchange.id = ticker.exchange_id
    JOIN symbol base ON base.id = ticker.base_id
    JOIN symbol quote ON quote.id = ticker.quote_id
    WHERE lower(ticker.ticker) = lower($1) OR lower(base.code || quote.code) = lower(translate($1, '-/_:', ''))
    ORDER BY coalesce(ticker.first_tick_at, market.time) IS NULL, exchange.name = 'simulated',
             lower(ticker.ticker) <> lower($1), exchange.id, ticker.ticker
    LIMIT 1";

/// The pair that is meant by a ticker without an exchange, however it is capitalised, and with or without a mark between its coins: a
/// recorded one before one that is only listed, a real market before the simulated one, one that is written so, then the exchange that
/// was known first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_ticker_anywhere(client: &impl GenericClient, ticker: &str) -> Result<Option<StoredTicker>> {
    let doing = "looking for a pair on every exchange";
    let statement = client.prepare_cached(FIND_ANYWHERE).await.context(doing)?;
    let row = client.query_opt(&statement, &[&ticker]).await.context(doing)?;
    row.as_ref().map(StoredTicker::try_from).transpose()
}

impl TryFrom<&Row> for StoredTicker {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self> {
        let doing = "reading a pair";
        Ok(Self {
            id: row.try_get(0).context(doing)?,
            ticker: row.try_get(1).context(doing)?,
            exchange: row.try_get(2).context(doing)?,
            coin: row.try_get(3).context(doing)?,
            recorded: row.try_get(4).context(doing)?,
            codes: row.try_get(5).context(doing)?,
            status: row.try_get(6).context(doing)?,
            price_step: row.try_get(7).context(doing)?,
            quantity_step: row.try_get(8).context(doing)?,
        })
    }
}

/// What a pair is called: the exchange, and the exchange's own spelling.
///
/// # Errors
/// When the database cannot be asked, or there is no such pair.
pub async fn names(client: &impl GenericClient, id: i32) -> Result<(String, String)> {
    let doing = "looking up a pair";
    let query = "SELECT exchange.name, ticker.ticker FROM ticker JOIN exchange ON exchange.id = exchange_id WHERE ticker.id = $1";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let row = client.query_one(&statement, &[&id]).await.context(doing)?;
    Ok((row.get(0), row.get(1)))
}
