//! Writing what exchanges list: exchanges, coins and pairs.

use std::collections::HashMap;

use deadpool_postgres::GenericClient;
use domain::Catalogue;
use smol_str::SmolStr;

use crate::{Client, Context as _, Result};

const STORE_EXCHANGE: &str = "
    INSERT INTO exchange (name, country) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET country = coalesce(excluded.country, exchange.country)
    RETURNING id";

/// A coin without a known name is called by its code; where that is another coin's name, it is told apart.
const STORE_SYMBOLS: &str = "
    INSERT INTO symbol (code, name)
    SELECT listed.code, coalesce(
        named.name,
        CASE WHEN EXISTS (SELECT FROM coin_name WHERE name = lower(listed.code))
             THEN lower(listed.code) || '-token' ELSE lower(listed.code) END)
    FROM (SELECT DISTINCT unnest($1::text[]) AS code) AS listed
    LEFT JOIN coin_name named ON named.code = listed.code
    WHERE NOT EXISTS (SELECT FROM symbol WHERE symbol.code = listed.code)
    ORDER BY listed.code
    ON CONFLICT DO NOTHING";

/// Two codes may differ only in case; the second is told apart by a digest, so that no pair is left without its coins.
const STORE_CLASHING_SYMBOLS: &str = "
    INSERT INTO symbol (code, name)
    SELECT listed.code, lower(listed.code) || '-' || left(md5(listed.code), 8)
    FROM (SELECT DISTINCT unnest($1::text[]) AS code) AS listed
    WHERE NOT EXISTS (SELECT FROM symbol WHERE symbol.code = listed.code)
    ON CONFLICT DO NOTHING";

const STORE_TICKERS: &str = "
    INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status)
    SELECT DISTINCT ON (listed.ticker) $1, listed.ticker, base.id, quote.id, listed.status
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS listed (ticker, base, quote, status)
    JOIN symbol base ON base.code = listed.base
    JOIN symbol quote ON quote.code = listed.quote
    ORDER BY listed.ticker
    ON CONFLICT (exchange_id, ticker) DO UPDATE
    SET base_id = excluded.base_id, quote_id = excluded.quote_id, status = excluded.status, updated_at = now()
    WHERE (ticker.base_id, ticker.quote_id, ticker.status)
        IS DISTINCT FROM (excluded.base_id, excluded.quote_id, excluded.status)";

/// Stores what an exchange lists, in one transaction: new coins and pairs are created, changed ones corrected. The same
/// catalogue again changes nothing. Returns the number of pairs created or corrected.
///
/// # Errors
/// When the database refuses.
pub async fn store(client: &mut Client, catalogue: &Catalogue) -> Result<u64> {
    let transaction = client.transaction().await.context("beginning a transaction")?;
    let exchange_id: i16 = transaction
        .query_one(STORE_EXCHANGE, &[&catalogue.exchange.name.as_str(), &catalogue.exchange.country])
        .await
        .context("storing an exchange")?
        .get(0);
    let listed = &catalogue.instruments;
    let codes: Vec<&str> = listed.iter().flat_map(|one| [one.base.as_str(), one.quote.as_str()]).collect();
    transaction.execute(STORE_SYMBOLS, &[&codes]).await.context("storing coins")?;
    transaction.execute(STORE_CLASHING_SYMBOLS, &[&codes]).await.context("storing coins of one name")?;
    let tickers: Vec<&str> = listed.iter().map(|one| one.ticker.as_str()).collect();
    let bases: Vec<&str> = listed.iter().map(|one| one.base.as_str()).collect();
    let quotes: Vec<&str> = listed.iter().map(|one| one.quote.as_str()).collect();
    let statuses: Vec<&str> = listed.iter().map(|one| one.status.as_str()).collect();
    let changed = transaction
        .execute(STORE_TICKERS, &[&exchange_id, &tickers, &bases, &quotes, &statuses])
        .await
        .context("storing pairs")?;
    transaction.commit().await.context("committing a catalogue")?;
    Ok(changed)
}

/// The key of every pair of an exchange, by the exchange's spelling.
///
/// # Errors
/// When the database cannot be asked.
pub async fn ticker_ids(client: &impl GenericClient, exchange: &str) -> Result<HashMap<SmolStr, i32>> {
    let statement = client
        .prepare_cached(
            "SELECT ticker.ticker, ticker.id FROM ticker JOIN exchange ON exchange.id = ticker.exchange_id
             WHERE exchange.name = $1",
        )
        .await
        .context("preparing to list pairs")?;
    let rows = client.query(&statement, &[&exchange]).await.context("listing an exchange's pairs")?;
    Ok(rows.iter().map(|row| (SmolStr::new(row.get::<_, &str>(0)), row.get(1))).collect())
}
