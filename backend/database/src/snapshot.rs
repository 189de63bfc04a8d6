//! What every pair cost at a minute, and what was traded of it in the 24 hours until then: what rankings and prices in dollars
//! are made of.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use domain::{
    consolidated::{Opinion, consolidate},
    rounding::significant,
    usd::{PricedPair, UsdPrices},
};
use rust_decimal::Decimal;

use crate::{Context as _, Result};

/// A pair at a minute.
#[derive(Debug, Clone, PartialEq)]
pub struct PairAtMinute {
    /// The exchange's name.
    pub exchange: String,
    /// The exchange's own spelling of the pair.
    pub ticker: String,
    /// Key of the coin that is bought and sold.
    pub base_id: i32,
    /// Its code.
    pub base: String,
    /// Code of what it is priced in.
    pub quote: String,
    /// Where the newest minute begins that has a price.
    pub open_time: DateTime<Utc>,
    /// The last price of that minute.
    pub price: Decimal,
    /// When that price was made.
    pub time: DateTime<Utc>,
    /// Units of the quote that changed hands in the 24 hours that end with the minute.
    pub quote_volume: Decimal,
}

/// A price that is older says what a market thought, not what it thinks.
pub const OLDEST_OPINION: TimeDelta = TimeDelta::minutes(10);

impl PairAtMinute {
    /// It, as prices in dollars are made of it.
    pub fn priced(&self) -> PricedPair {
        PricedPair {
            is_rate: false,
            base: self.base.as_str().into(),
            quote: self.quote.as_str().into(),
            name: format!("{}:{}", self.exchange, self.ticker).into(),
            price: self.price,
            quote_volume: self.quote_volume,
            time: self.time,
        }
    }

    /// What it says of its coin in dollars, at this rate of its quote.
    pub fn opinion(&self, rate: Decimal) -> Option<Opinion> {
        Some(Opinion { price: in_dollars(self.price, rate)?, volume: in_dollars(self.quote_volume, rate)? })
    }
}

/// To twelve digits, unless the rate is one.
pub fn in_dollars(amount: Decimal, rate: Decimal) -> Option<Decimal> {
    if rate == Decimal::ONE {
        return Some(amount);
    }
    let product = amount.checked_mul(rate)?;
    Some(significant(product, 12).normalize())
}

/// The price of a coin in dollars that these pairs tell together; `None` where none tells one that is fresh.
pub fn consolidated_price(code: &str, pairs: &[PairAtMinute], usd: &UsdPrices, now: DateTime<Utc>) -> Option<Decimal> {
    let of_coin = pairs.iter().filter(|pair| pair.base == code && now - pair.time <= OLDEST_OPINION);
    let opinions: Vec<Opinion> = of_coin.filter_map(|pair| pair.opinion(usd.of(&pair.quote)?.price)).collect();
    consolidate(&opinions).map(|together| together.weighted)
}

/// Which exchanges count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markets {
    /// Only this one, by its key.
    Of(i16),
    /// All real ones; where there is none, the simulated one.
    Real,
}

/// Whether an exchange counts where none is named: a real one does; the simulated one where no real one is recorded.
macro_rules! counts {
    () => {
        "(name <> 'simulated' OR NOT EXISTS (
             SELECT FROM ticker JOIN exchange AS real ON real.id = ticker.exchange_id
             LEFT JOIN market ON market.ticker_id = ticker.id
             WHERE real.name <> 'simulated' AND coalesce(ticker.first_tick_at, market.time) IS NOT NULL))"
    };
}
pub(crate) use counts;

/// Most pairs have a price in the last two minutes, and these are read for all of them together; the others are looked for one by
/// one.
///
/// The 24 hours that the exchange itself told of stand in for ours while the minute is running: it knows those before we began
/// to record.
const SNAPSHOT: &str = concat!(
    "
    WITH counted AS MATERIALIZED (
        SELECT id FROM exchange
        WHERE CASE WHEN $2::smallint IS NOT NULL THEN id = $2
                   ELSE ",
    counts!(),
    " END
    ), fresh AS MATERIALIZED (
        SELECT DISTINCT ON (ticker_id) ticker_id, open_time, close, last_time FROM candle
        WHERE width = '1m' AND open_time <= $1 AND open_time > $1 - interval '2 minutes'
          AND open_time AT TIME ZONE 'UTC' <= $1 AT TIME ZONE 'UTC'
          AND open_time AT TIME ZONE 'UTC' > ($1 - interval '2 minutes') AT TIME ZONE 'UTC'
        ORDER BY ticker_id, open_time DESC
    ), followed AS (
        SELECT ticker.id FROM ticker LEFT JOIN market ON market.ticker_id = ticker.id
        WHERE coalesce(ticker.first_tick_at, market.time) IS NOT NULL AND ticker.exchange_id IN (SELECT id FROM counted)
    ), wanted AS MATERIALIZED (
        SELECT id, open_time, close, last_time FROM followed JOIN fresh ON fresh.ticker_id = followed.id
        UNION ALL
        SELECT id, newest.open_time, newest.close, newest.last_time
        FROM followed
        CROSS JOIN LATERAL (
            SELECT open_time, close, last_time FROM candle
            WHERE ticker_id = followed.id AND width = '1m' AND open_time <= $1 AND open_time > $1 - interval '24 hours'
            ORDER BY open_time DESC LIMIT 1) AS newest
        WHERE id NOT IN (SELECT ticker_id FROM fresh)
    ), told AS (
        SELECT ticker_id, quote_volume_24h AS quote_volume FROM market
        WHERE quote_volume_24h IS NOT NULL AND time > $1 - interval '1 minute' AND $1 > now() - interval '2 minutes'
    ), summed AS (
        SELECT * FROM sum_quote_volumes(ARRAY(SELECT id FROM wanted WHERE id NOT IN (SELECT ticker_id FROM told)),
                                        $1 - interval '1439 minutes', $1 + interval '1 minute')
    )
    SELECT exchange.name, ticker.ticker, base.id, base.code, quote.code, wanted.open_time, wanted.close, wanted.last_time,
           coalesce(told.quote_volume, summed.quote_volume, 0)
    FROM wanted
    JOIN ticker USING (id)
    JOIN exchange ON exchange.id = ticker.exchange_id
    JOIN symbol base ON base.id = ticker.base_id
    JOIN symbol quote ON quote.id = ticker.quote_id
    LEFT JOIN told ON told.ticker_id = wanted.id
    LEFT JOIN summed ON summed.ticker_id = wanted.id
    ORDER BY exchange.name, ticker.ticker"
);

/// Every pair that has a price in the 24 hours that end with this whole minute, by exchange and ticker.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_pairs_at(
    client: &impl GenericClient,
    minute: DateTime<Utc>,
    markets: Markets,
) -> Result<Vec<PairAtMinute>> {
    let doing = "looking at the market at a minute";
    let exchange_id = match markets {
        Markets::Of(id) => Some(id),
        Markets::Real => None,
    };
    let statement = client.prepare_cached(SNAPSHOT).await.context(doing)?;
    let rows = client.query(&statement, &[&minute, &exchange_id]).await.context(doing)?;
    let read = |row: &tokio_postgres::Row| {
        Ok(PairAtMinute {
            exchange: row.try_get(0)?,
            ticker: row.try_get(1)?,
            base_id: row.try_get(2)?,
            base: row.try_get(3)?,
            quote: row.try_get(4)?,
            open_time: row.try_get(5)?,
            price: row.try_get::<_, Decimal>(6)?.normalize(),
            time: row.try_get(7)?,
            quote_volume: row.try_get::<_, Decimal>(8)?.normalize(),
        })
    };
    rows.iter().map(read).collect::<std::result::Result<_, _>>().context(doing)
}
