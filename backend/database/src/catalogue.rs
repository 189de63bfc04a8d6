//! Writing what exchanges list: exchanges, coins and pairs.
//!
//! A catalogue lists everything, so that a pair which it leaves out is delisted; its row and its history stay. Catalogues may
//! come late and twice: only the newest that was taken is stored, and one that lists nothing delists nothing.

use std::collections::HashMap;

use deadpool_postgres::GenericClient;
use domain::Catalogue;
use smol_str::SmolStr;
use tokio_postgres::types::ToSql;

use crate::{Client, Context as _, Result};

/// Returns no row where a newer catalogue is stored already. None is dated in the future: it would keep all others out.
const STORE_EXCHANGE: &str = "
    INSERT INTO exchange (name, country, catalogue_at, numbers_trades)
    VALUES ($1, $2, CASE WHEN $3::timestamptz < now() THEN $3 WHEN $3 IS NOT NULL THEN now() END, $4)
    ON CONFLICT (name) DO UPDATE
    SET country = coalesce(excluded.country, exchange.country),
        catalogue_at = coalesce(excluded.catalogue_at, exchange.catalogue_at), numbers_trades = excluded.numbers_trades
    WHERE excluded.catalogue_at IS NULL OR exchange.catalogue_at IS NULL
       OR exchange.catalogue_at <= excluded.catalogue_at
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
    INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status, price_step, quantity_step)
    SELECT DISTINCT ON (listed.ticker) $1, listed.ticker, base.id, quote.id, listed.status, listed.price_step, listed.quantity_step
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::numeric[])
        AS listed (ticker, base, quote, status, price_step, quantity_step)
    JOIN symbol base ON base.code = listed.base
    JOIN symbol quote ON quote.code = listed.quote
    ORDER BY listed.ticker
    ON CONFLICT (exchange_id, ticker) DO UPDATE
    SET base_id = excluded.base_id, quote_id = excluded.quote_id, status = excluded.status,
        price_step = excluded.price_step, quantity_step = excluded.quantity_step, updated_at = now(), delisted_at = NULL,
        renamed_to = NULL
    WHERE (ticker.base_id, ticker.quote_id, ticker.status, ticker.price_step, ticker.quantity_step)
        IS DISTINCT FROM (excluded.base_id, excluded.quote_id, excluded.status, excluded.price_step, excluded.quantity_step)";

/// Pairs of the same coins that this catalogue lists for the first time, or again, go on where those it leaves out end; where there
/// are several, nobody knows which.
const DELIST: &str = "
    UPDATE ticker AS gone
    SET status = 'delisted', delisted_at = now(), updated_at = now(),
        renamed_to = (
            SELECT CASE WHEN count(*) = 1 THEN min(successor.id) END FROM ticker AS successor
            WHERE successor.exchange_id = $1 AND successor.base_id = gone.base_id AND successor.quote_id = gone.quote_id
              AND successor.ticker = ANY($3))
    WHERE gone.exchange_id = $1 AND gone.status <> 'delisted' AND gone.ticker <> ALL($2)";

/// Which of the listed are not known as listed.
const NEW: &str = "
    SELECT listed.ticker FROM (SELECT DISTINCT unnest($2::text[]) AS ticker) AS listed
    WHERE NOT EXISTS (
        SELECT FROM ticker
        WHERE ticker.exchange_id = $1 AND ticker.ticker = listed.ticker AND ticker.status <> 'delisted')";

/// Stores what an exchange lists, in one transaction: new coins and pairs are created, changed ones corrected, and those that
/// are not listed any more marked. The same catalogue again changes nothing. Returns the number of pairs created or changed.
///
/// # Errors
/// When the database refuses.
pub async fn store(client: &mut Client, catalogue: &Catalogue) -> Result<u64> {
    let transaction = client.transaction().await.context("beginning a transaction")?;
    let parameters: [&(dyn ToSql + Sync); 4] = [
        &catalogue.exchange.name.as_str(),
        &catalogue.exchange.country,
        &catalogue.taken_at,
        &catalogue.numbers_trades,
    ];
    let row = transaction.query_opt(STORE_EXCHANGE, &parameters).await.context("storing an exchange")?;
    let Some(exchange_id) = row.map(|row| row.get::<_, i16>(0)) else { return Ok(0) };
    let listed = &catalogue.instruments;
    let codes: Vec<&str> = listed.iter().flat_map(|one| [one.base.as_str(), one.quote.as_str()]).collect();
    transaction.execute(STORE_SYMBOLS, &[&codes]).await.context("storing coins")?;
    transaction.execute(STORE_CLASHING_SYMBOLS, &[&codes]).await.context("storing coins of one name")?;
    let tickers: Vec<&str> = listed.iter().map(|one| one.ticker.as_str()).collect();
    let bases: Vec<&str> = listed.iter().map(|one| one.base.as_str()).collect();
    let quotes: Vec<&str> = listed.iter().map(|one| one.quote.as_str()).collect();
    let statuses: Vec<&str> = listed.iter().map(|one| one.status.as_str()).collect();
    let price_steps: Vec<_> = listed.iter().map(|one| one.steps.price).collect();
    let quantity_steps: Vec<_> = listed.iter().map(|one| one.steps.quantity).collect();
    let new = transaction.query(NEW, &[&exchange_id, &tickers]).await.context("looking for new pairs")?;
    let new: Vec<&str> = new.iter().map(|row| row.get(0)).collect();
    let mut changed = transaction
        .execute(STORE_TICKERS, &[&exchange_id, &tickers, &bases, &quotes, &statuses, &price_steps, &quantity_steps])
        .await
        .context("storing pairs")?;
    if catalogue.taken_at.is_some() && !tickers.is_empty() {
        let delisted = transaction.execute(DELIST, &[&exchange_id, &tickers, &new]).await;
        changed += delisted.context("marking pairs that are not listed any more")?;
    }
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
