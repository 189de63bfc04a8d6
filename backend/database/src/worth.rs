//! What coins and currencies were worth at a moment, or from day to day: by the pairs that exchanges trade and the rates of currencies
//! that were imported.
//!
//! Of several markets that trade the same pair, the one counts that traded most on the last whole day, so that what is told of a
//! moment of the past does not change. [`UsdPrices`] finds the path.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use deadpool_postgres::GenericClient;
use domain::usd::{PricedPair, UsdPrices};
use futures_util::TryStreamExt as _;
use rust_decimal::Decimal;
use smol_str::SmolStr;
use tokio_postgres::{Row, types::ToSql};

use crate::{Context as _, Error, Result, snapshot::counts};

/// Through what everything else is valued.
const HUBS: [&str; 5] = ["USD", "USDT", "USDC", "BTC", "EUR"];

/// Pairs of two of these, of all real exchanges; of the simulated one where there is no other.
const WANTED: &str = concat!(
    "
    counted AS MATERIALIZED (
        SELECT id FROM exchange
        WHERE ",
    counts!(),
    "
    ), wanted AS MATERIALIZED (
        SELECT ticker.id, exchange.name || ':' || ticker.ticker AS name, base.code AS base, quote.code AS quote,
               market.time AS told_at, market.price AS told
        FROM symbol AS base
        JOIN ticker ON ticker.base_id = base.id
        JOIN symbol AS quote ON quote.id = ticker.quote_id
        JOIN exchange ON exchange.id = ticker.exchange_id AND exchange.id IN (SELECT id FROM counted)
        LEFT JOIN market ON market.ticker_id = ticker.id
        WHERE coalesce(ticker.first_tick_at, market.time) IS NOT NULL
          AND base.code = ANY($1) AND quote.code = ANY($1)
    )"
);

/// The newest price of each pair at or before a moment, `$2`.
const AT: &str = "
    , ranked AS (
        SELECT DISTINCT ON (base, quote) wanted.*, day.open_time AS day, day.close, day.last_time, day.quote_volume
        FROM wanted
        LEFT JOIN LATERAL (
            SELECT open_time, close, last_time, quote_volume FROM candle
            WHERE candle.ticker_id = wanted.id AND width = '1d' AND open_time <= $2::timestamptz - interval '1 day'
            ORDER BY open_time DESC LIMIT 1) AS day ON true
        LEFT JOIN LATERAL (
            SELECT open_time FROM candle
            WHERE candle.ticker_id = wanted.id AND width = '1m' AND open_time <= $2::timestamptz AND open_time > $2::timestamptz - interval '1 day'
            ORDER BY open_time DESC LIMIT 1) AS minute ON true
        ORDER BY base, quote, greatest(date_trunc('day', minute.open_time, 'UTC'), day.open_time,
                          CASE WHEN told_at <= $2::timestamptz THEN date_trunc('day', told_at, 'UTC') END) DESC NULLS LAST,
                 day.quote_volume DESC NULLS LAST, name
    )
    SELECT ranked.base, ranked.quote, ranked.name, newest.price, coalesce(ranked.quote_volume, 0), newest.time, false
    FROM ranked
    LEFT JOIN LATERAL (
        SELECT open_time, close, last_time FROM candle
        WHERE candle.ticker_id = ranked.id AND width = '1m' AND open_time > $2::timestamptz - interval '2 days'
          AND open_time < date_bin('1 minute', $2::timestamptz, '2001-01-01 00:00:00Z')
        ORDER BY open_time DESC LIMIT 1) AS minute ON true
    LEFT JOIN LATERAL (
        SELECT close, last_time FROM candle
        WHERE candle.ticker_id = ranked.id AND width = '1h' AND open_time <= $2::timestamptz - interval '1 hour'
          AND open_time > coalesce(ranked.day, '-infinity')
        ORDER BY open_time DESC LIMIT 1) AS hour ON true
    CROSS JOIN LATERAL (
        SELECT price, time FROM (
            (SELECT price, time FROM price
             WHERE price.ticker_id = ranked.id AND time <= $2::timestamptz
               AND time >= coalesce(minute.open_time, $2::timestamptz - interval '2 days')
             ORDER BY time DESC, trade_id DESC LIMIT 1)
            UNION ALL SELECT minute.close, minute.last_time
            UNION ALL SELECT hour.close, hour.last_time
            UNION ALL SELECT ranked.close, ranked.last_time
            UNION ALL SELECT ranked.told, ranked.told_at WHERE ranked.told_at <= $2::timestamptz) AS newest (price, time)
        WHERE price IS NOT NULL ORDER BY time DESC LIMIT 1) AS newest
    UNION ALL
    (SELECT DISTINCT ON (base, quote) base, quote, source || ':' || base || quote, rate, 0, day::timestamp AT TIME ZONE 'UTC', true
     FROM fiat_rate
     WHERE base = ANY($1) AND quote = ANY($1) AND day <= ($2::timestamptz AT TIME ZONE 'UTC')::date
     ORDER BY base, quote, day DESC)";

/// The last price of each pair on each day from `$2` to `$3`, by day; the last day may not be over.
const DAILY: &str = "
    SELECT DISTINCT ON (day, base, quote, is_rate) * FROM (
        SELECT (candle.open_time AT TIME ZONE 'UTC')::date AS day, base, quote, name, close AS price, quote_volume, last_time, false AS is_rate
        FROM wanted JOIN candle ON candle.ticker_id = wanted.id AND width = '1d'
                               AND open_time >= $2::date::timestamp AT TIME ZONE 'UTC'
                               AND open_time <= $3::date::timestamp AT TIME ZONE 'UTC'
        UNION ALL
        SELECT day, base, quote, source || ':' || base || quote, rate, 0, day::timestamp AT TIME ZONE 'UTC', true
        FROM fiat_rate
        WHERE base = ANY($1) AND quote = ANY($1) AND day <= $3::date
          -- However old the newest rate before them is.
          AND day >= coalesce((SELECT max(older.day) FROM fiat_rate AS older
                               WHERE older.base = fiat_rate.base AND older.quote = fiat_rate.quote AND older.day <= $2::date),
                              $2::date)) AS told
    ORDER BY day, base, quote, is_rate, quote_volume DESC, name";

/// What these were worth at a moment, and through which pairs; and what else lies on the way.
///
/// # Errors
/// When the database cannot be asked.
pub async fn at(client: &impl GenericClient, codes: &[&str], moment: DateTime<Utc>) -> Result<UsdPrices> {
    let doing = "valuing coins";
    let codes = names(codes);
    let statement = client.prepare_cached(&format!("WITH {WANTED} {AT}")).await.context(doing)?;
    let rows = client.query(&statement, &[&codes, &moment]).await.context(doing)?;
    Ok(UsdPrices::new(rows.iter().map(|row| pair(row, 0))))
}

/// What things were worth at the ends of days, in one currency.
#[derive(Debug, Default)]
pub struct Daily {
    first: NaiveDate,
    /// Day by day, without a hole.
    prices: HashMap<SmolStr, Vec<Option<Decimal>>>,
}

/// How long before the first day is looked for what has no price on it.
const BEFORE: Days = Days::new(30);
/// Of how many things it is told day by day what they were worth.
pub const MOST_DAILY: usize = 1_000;

/// What these were worth in a currency at the end of each day from the first to the last of them. What has no price on a day keeps that of the day
/// before.
///
/// # Errors
/// When the database cannot be asked, or these are too many.
pub async fn daily(
    client: &impl GenericClient,
    codes: &[&str],
    currency: &str,
    (first, last): (NaiveDate, NaiveDate),
) -> Result<Daily> {
    let doing = "valuing coins day by day";
    if codes.len() > MOST_DAILY {
        return Err(Error::TooManyCoins { found: codes.len() });
    }
    let from = first.checked_sub_days(BEFORE).unwrap_or(first);
    let statement = client.prepare_cached(&format!("WITH {WANTED} {DAILY}")).await.context(doing)?;
    let all = names(&codes.iter().copied().chain([currency]).collect::<Vec<_>>());
    let parameters: [&(dyn ToSql + Sync); 3] = [&all, &from, &last];
    // Years of thousands of pairs are never in memory at once: of each day it is kept what was asked for.
    let rows = client.query_raw(&statement, parameters).await.context(doing)?;
    let mut rows = std::pin::pin!(rows);
    let mut next = rows.try_next().await.context(doing)?;
    let mut known: HashMap<(SmolStr, SmolStr, bool), PricedPair> = HashMap::new();
    let mut prices: Vec<Vec<Option<Decimal>>> = vec![Vec::new(); codes.len()];
    for day in first.iter_days().take_while(|day| *day <= last) {
        while let Some(row) = next.take_if(|row| row.get::<_, NaiveDate>(0) <= day) {
            let pair = pair(&row, 1);
            known.insert((pair.base.clone(), pair.quote.clone(), pair.is_rate), pair);
            next = rows.try_next().await.context(doing)?;
        }
        let usd = UsdPrices::new(known.values().cloned());
        for (code, prices) in codes.iter().zip(&mut prices) {
            prices.push(usd.of_in(code, currency).map(|worth| worth.price));
        }
        tokio::task::yield_now().await;
    }
    Ok(Daily { first, prices: codes.iter().map(SmolStr::new).zip(prices).collect() })
}

impl Daily {
    /// The end of a day.
    pub fn end_of(day: NaiveDate) -> DateTime<Utc> {
        day.succ_opt().unwrap_or(day).and_time(NaiveTime::MIN).and_utc()
    }

    /// The last day is not over: so much things are worth now, in the same currency.
    pub fn set_last(&mut self, worths: &UsdPrices, currency: &str) {
        for (code, prices) in &mut self.prices {
            if let Some(last) = prices.last_mut() {
                *last = worths.of_in(code, currency).map(|worth| worth.price);
            }
        }
    }

    /// What one unit of something was worth at the end of this day; `None` where that is not known, or was not asked for.
    pub fn price(&self, code: &str, day: NaiveDate) -> Option<Decimal> {
        *self.prices.get(code)?.get(usize::try_from((day - self.first).num_days()).ok()?)?
    }

    /// What one unit of `code` was worth when something was paid: at the end of the day before; where nothing is known of that, at the end of
    /// the day itself.
    pub fn rate(&self, code: &str, at: DateTime<Utc>) -> Option<Decimal> {
        let day = at.date_naive();
        day.pred_opt().and_then(|before| self.price(code, before)).or_else(|| self.price(code, day))
    }
}

/// What is valued, with what it is valued through.
fn names<'a>(codes: &[&'a str]) -> Vec<&'a str> {
    let mut all: Vec<&str> = codes.iter().copied().chain(HUBS).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn pair(row: &Row, first: usize) -> PricedPair {
    PricedPair {
        base: SmolStr::new(row.get::<_, &str>(first)),
        quote: SmolStr::new(row.get::<_, &str>(first + 1)),
        name: SmolStr::new(row.get::<_, &str>(first + 2)),
        price: row.get::<_, Decimal>(first + 3).normalize(),
        quote_volume: row.get(first + 4),
        time: row.get(first + 5),
        is_rate: row.get(first + 6),
    }
}
