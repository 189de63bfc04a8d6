//! Transactions of a portfolio: listed, written down, changed, and found again where they come twice.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
};

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use domain::portfolio::{Entry, Kind, Order};
use rust_decimal::Decimal;
use smol_str::SmolStr;
use tokio_postgres::{Row, types::ToSql};

use super::{MOST_TRANSACTIONS, Refused};
use crate::{Client, Context as _, Result};

/// A transaction, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its key.
    pub id: i64,
    /// Its portfolio.
    pub portfolio_id: i64,
    /// When it was written down.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Why it cannot be valued, whatever the moment: no market or rate is known of its coin, or of what it was paid in.
    pub unknown: Option<Unknown>,
    /// What it says.
    pub entry: Entry,
}

/// A code of which no market or rate is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// In which field it stands: `symbol`, `currency` or `fee_currency`.
    pub field: String,
    /// The code.
    pub code: String,
}

/// Which transactions are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// This one.
    pub id: Option<i64>,
    /// Of this coin.
    pub symbol: Option<String>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// From then on.
    pub from: Option<DateTime<Utc>>,
    /// Before then.
    pub to: Option<DateTime<Utc>>,
}

const COLUMNS: &str =
    "id, portfolio_id, created_at, updated_at, at, symbol, type, order_type, volume, price, value, currency,
    fee, fee_currency, source, source_id, note";

/// Transactions of a portfolio, newest first: how many there are, and a page of them.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_transactions(
    client: &impl GenericClient,
    portfolio_id: i64,
    filter: &Filter,
    (offset, limit): (i64, i64),
) -> Result<(i64, Vec<Transaction>)> {
    let doing = "listing transactions";
    let Filter { id, symbol, kind, from, to } = filter;
    let kind = kind.map(Kind::as_str);
    let which = "portfolio_id = $1 AND ($2::bigint IS NULL OR id = $2) AND ($3::text IS NULL OR symbol = $3)
        AND ($4::text IS NULL OR type = $4) AND ($5::timestamptz IS NULL OR at >= $5) AND ($6::timestamptz IS NULL OR at < $6)";
    let query = format!(
        "WITH RECURSIVE page AS MATERIALIZED (
             SELECT {COLUMNS} FROM portfolio.transaction WHERE {which} ORDER BY at DESC, id DESC OFFSET $7 LIMIT $8
         ), named AS (
             SELECT id, field, code, place
             FROM page, LATERAL (VALUES (1, 'symbol', symbol), (2, 'currency', CASE WHEN type = 'TRADE' THEN currency END),
                                (3, 'fee_currency', CASE WHEN type = 'TRADE' AND fee > 0 THEN fee_currency END)) AS named (place, field, code)
             -- What the portfolio is counted in needs no rate.
             WHERE field = 'symbol' OR code <> (SELECT own.currency FROM portfolio.portfolio AS own WHERE own.id = $1)
         ), base AS (
             -- From one currency to the next, by an index: rates are many, currencies are few.
             SELECT min(base) AS code FROM fiat_rate
             UNION ALL SELECT (SELECT min(rate.base) FROM fiat_rate AS rate WHERE rate.base > base.code) FROM base WHERE code IS NOT NULL
         ), quote AS (
             SELECT min(quote) AS code FROM fiat_rate
             UNION ALL SELECT (SELECT min(rate.quote) FROM fiat_rate AS rate WHERE rate.quote > quote.code) FROM quote WHERE code IS NOT NULL
         ), unknown AS MATERIALIZED (
             SELECT DISTINCT code FROM named
             WHERE code NOT IN ('USD', 'USDT') AND NOT EXISTS (SELECT FROM symbol AS known WHERE known.code = named.code)
               AND NOT EXISTS (SELECT FROM base WHERE base.code = named.code) AND NOT EXISTS (SELECT FROM quote WHERE quote.code = named.code)
         ), first AS (
             SELECT DISTINCT ON (id) id, field, code FROM named JOIN unknown USING (code) ORDER BY id, place
         )
         SELECT page.*, first.field, first.code FROM page LEFT JOIN first USING (id) ORDER BY page.at DESC, page.id DESC"
    );
    let wanted: [&(dyn ToSql + Sync); 6] = [&portfolio_id, id, symbol, &kind, from, to];
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let page: Vec<&(dyn ToSql + Sync)> = wanted.into_iter().chain([&offset as _, &limit as _]).collect();
    let rows = client.query(&statement, &page).await.context(doing)?;
    let found = rows.iter().map(transaction).collect::<Result<_>>()?;
    let query = format!("SELECT count(*) FROM portfolio.transaction WHERE {which}");
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let count = client.query_one(&statement, &wanted).await.context(doing)?.get(0);
    Ok((count, found))
}

fn transaction(row: &Row) -> Result<Transaction> {
    let doing = "reading a transaction";
    let read = || {
        Ok(Transaction {
            id: row.try_get(0)?,
            portfolio_id: row.try_get(1)?,
            created_at: row.try_get(2)?,
            updated_at: row.try_get(3)?,
            unknown: row.try_get::<_, Option<String>>(17)?.map(|field| Unknown { field, code: row.get(18) }),
            entry: entry(row, 4)?,
        })
    };
    read().context(doing)
}

/// An entry out of the columns from `at` on, in the order of [`COLUMNS`].
pub(super) fn entry(row: &Row, first: usize) -> std::result::Result<Entry, tokio_postgres::Error> {
    let code = |place: usize| row.try_get::<_, &str>(first + place).map(SmolStr::new);
    let amount = |amount: Option<Decimal>| amount.map(|amount| amount.normalize());
    Ok(Entry {
        at: row.try_get(first)?,
        symbol: code(1)?,
        kind: Kind::parse(row.try_get(first + 2)?).unwrap_or(Kind::Trade),
        order: Order::parse(row.try_get(first + 3)?).unwrap_or(Order::None),
        volume: row.try_get::<_, Decimal>(first + 4)?.normalize(),
        price: amount(row.try_get(first + 5)?),
        value: amount(row.try_get(first + 6)?),
        currency: code(7)?,
        fee: row.try_get::<_, Decimal>(first + 8)?.normalize(),
        fee_currency: row.try_get::<_, Option<&str>>(first + 9)?.map(SmolStr::new),
        source: row.try_get(first + 10)?,
        source_id: row.try_get(first + 11)?,
        note: row.try_get(first + 12)?,
    })
}

/// What became of entries that were to be written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// The numbers of those that were.
    pub ids: Vec<i64>,
    /// How many are written down already: the same source calls them the same.
    pub known: usize,
}

/// Entries as columns, `$2` to `$15`.
const NEW: &str = "unnest($2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::numeric[], $8::numeric[], $9::text[],
        $10::numeric[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[])
    AS new (at, symbol, type, order_type, volume, price, value, currency, fee, fee_currency, source, source_id, note, ordinal)";

/// Whether a portfolio, `$1`, has a new entry already: by its name; or, where it comes out of a file, by all that it says, as what was written
/// down by hand has no name. Of several that say the same, each is known by another one.
const IS_KNOWN: &str = "(
    EXISTS (SELECT FROM portfolio.transaction AS known
            WHERE known.portfolio_id = $1 AND known.source = new.source AND known.source_id = new.source_id)
    OR new.ordinal > 0 AND new.ordinal <= (
        SELECT count(*) FROM portfolio.transaction AS known
        WHERE known.portfolio_id = $1 AND known.at = new.at AND known.source_id IS NULL
          AND (known.source = new.source OR known.source = '' AND new.source = 'csv')
          AND (known.symbol, known.type, known.order_type, known.volume, known.currency, known.fee)
            = (new.symbol, new.type, new.order_type, new.volume, new.currency, new.fee)
          AND (known.price, known.value, known.fee_currency, known.note)
              IS NOT DISTINCT FROM (new.price, new.value, new.fee_currency, new.note)))";

/// Of entries out of a file: how many of those before each say the same, and it itself. Of others, 0.
fn ordinals(entries: &[Entry]) -> Vec<i64> {
    let (hasher, mut seen) = (RandomState::new(), HashMap::<u64, i64>::new());
    let ordinal = |entry: &Entry| {
        let unnamed = Entry { source_id: None, ..entry.clone() };
        let count = seen.entry(hasher.hash_one(unnamed)).or_default();
        *count += 1;
        *count
    };
    entries.iter().map(ordinal).collect()
}

/// What entries say, column by column, as [`NEW`] takes it.
struct Columns<'a> {
    at: Vec<DateTime<Utc>>,
    texts: [Vec<Option<&'a str>>; 8],
    amounts: [Vec<Option<Decimal>>; 4],
    ordinals: &'a [i64],
}

impl<'a> Columns<'a> {
    fn of(entries: &'a [Entry], ordinals: &'a [i64]) -> Self {
        let text = |of: fn(&'a Entry) -> Option<&'a str>| entries.iter().map(of).collect();
        let amount = |of: fn(&Entry) -> Option<Decimal>| entries.iter().map(of).collect();
        Self {
            at: entries.iter().map(|entry| entry.at).collect(),
            texts: [
                text(|entry| Some(&entry.symbol)),
                text(|entry| Some(entry.kind.as_str())),
                text(|entry| Some(entry.order.as_str())),
                text(|entry| Some(&entry.currency)),
                text(|entry| entry.fee_currency.as_deref()),
                text(|entry| Some(&entry.source)),
                text(|entry| entry.source_id.as_deref()),
                text(|entry| entry.note.as_deref()),
            ],
            amounts: [
                amount(|entry| Some(entry.volume)),
                amount(|entry| entry.price),
                amount(|entry| entry.value),
                amount(|entry| Some(entry.fee)),
            ],
            ordinals,
        }
    }

    /// As parameters of a statement, behind the portfolio's key.
    fn behind<'b>(&'b self, portfolio_id: &'b i64) -> [&'b (dyn ToSql + Sync); 15] {
        let [symbol, kind, order, currency, fee_currency, source, source_id, note] = &self.texts;
        let [volume, price, value, fee] = &self.amounts;
        [
            portfolio_id,
            &self.at,
            symbol,
            kind,
            order,
            volume,
            price,
            value,
            currency,
            fee,
            fee_currency,
            source,
            source_id,
            note,
            &self.ordinals,
        ]
    }
}

/// Writes an entry down that was checked. What the same source calls the same is written once.
///
/// # Errors
/// When the database refuses.
pub async fn add(
    client: &impl GenericClient,
    portfolio_id: i64,
    entry: &Entry,
) -> Result<std::result::Result<Added, Refused>> {
    add_some(client, portfolio_id, std::slice::from_ref(entry), &[0]).await
}

/// Writes entries down, all of them in one statement.
async fn add_some(
    client: &impl GenericClient,
    portfolio_id: i64,
    entries: &[Entry],
    ordinals: &[i64],
) -> Result<std::result::Result<Added, Refused>> {
    let doing = "writing transactions";
    let insert = format!(
        "WITH unknown AS MATERIALIZED (
             SELECT new.* FROM {NEW} WHERE NOT {IS_KNOWN}
         ), owner AS (
             SELECT id FROM portfolio.portfolio
             WHERE id = $1 AND (SELECT count(*) FROM portfolio.transaction WHERE portfolio_id = $1) + (SELECT count(*) FROM unknown)
                               <= {MOST_TRANSACTIONS}
             FOR NO KEY UPDATE
         ), added AS (
             INSERT INTO portfolio.transaction (portfolio_id, at, symbol, type, order_type, volume, price, value, currency, fee,
                                                fee_currency, source, source_id, note)
             SELECT owner.id, at, symbol, type, order_type, volume, price, value, currency, fee, fee_currency, source, source_id, note
             FROM owner, unknown
             ON CONFLICT ON CONSTRAINT transaction_once DO NOTHING
             RETURNING id
         )
         SELECT EXISTS (SELECT FROM owner), ARRAY(SELECT id FROM added ORDER BY id)"
    );
    let statement = client.prepare_cached(&insert).await.context(doing)?;
    let row =
        client.query_one(&statement, &Columns::of(entries, ordinals).behind(&portfolio_id)).await.context(doing)?;
    if !row.get::<_, bool>(0) {
        // It may have been deleted meanwhile.
        let statement = client.prepare_cached("SELECT FROM portfolio.portfolio WHERE id = $1").await.context(doing)?;
        let is_there = client.query_opt(&statement, &[&portfolio_id]).await.context(doing)?.is_some();
        return Ok(Err(if is_there { Refused::TooMany } else { Refused::Unknown }));
    }
    let ids: Vec<i64> = row.get(1);
    let known = entries.len().saturating_sub(ids.len());
    Ok(Ok(Added { ids, known }))
}

/// How many are written in one statement.
const AT_ONCE: usize = 10_000;

/// Writes the entries of a file down, all or none of them: what is there already is left out; now and then it is `told` how many are written.
///
/// # Errors
/// When the database refuses.
pub async fn add_all(
    client: &mut Client,
    portfolio_id: i64,
    entries: &[Entry],
    told: impl Fn(usize),
) -> Result<std::result::Result<Added, Refused>> {
    let doing = "writing many transactions";
    let transaction = client.transaction().await.context(doing)?;
    let mut all = Added::default();
    let ordinals = ordinals(entries);
    for (part, ordinals) in entries.chunks(AT_ONCE).zip(ordinals.chunks(AT_ONCE)) {
        told(all.ids.len() + all.known);
        match add_some(&transaction, portfolio_id, part, ordinals).await? {
            Ok(Added { ids, known }) => {
                all.ids.extend(ids);
                all.known += known;
            }
            Err(refused) => return Ok(Err(refused)),
        }
    }
    transaction.commit().await.context(doing)?;
    Ok(Ok(all))
}

/// How many entries of a file a portfolio has already, or are named before among them.
///
/// # Errors
/// When the database cannot be asked.
pub async fn count_known(client: &impl GenericClient, portfolio_id: i64, entries: &[Entry]) -> Result<usize> {
    let doing = "looking for transactions that are known";
    let query = format!(
        "SELECT count(*) - count(DISTINCT (new.source, new.source_id)) FILTER (WHERE NOT {IS_KNOWN}) FROM {NEW}"
    );
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let row = client
        .query_one(&statement, &Columns::of(entries, &ordinals(entries)).behind(&portfolio_id))
        .await
        .context(doing)?;
    Ok(usize::try_from(row.get::<_, i64>(0)).unwrap_or_default())
}

/// Writes a transaction anew that nobody changed since then. `false` where somebody did, or took it away.
///
/// # Errors
/// When the database refuses.
pub async fn change(
    client: &impl GenericClient,
    portfolio_id: i64,
    (id, since): (i64, DateTime<Utc>),
    entry: &Entry,
) -> Result<std::result::Result<bool, Refused>> {
    let doing = "changing a transaction";
    let update = "
        UPDATE portfolio.transaction
        SET at = $3, symbol = $4, type = $5, order_type = $6, volume = $7, price = $8, value = $9, currency = $10, fee = $11,
            fee_currency = $12, source = $13, source_id = $14, note = $15, updated_at = clock_timestamp()
        WHERE portfolio_id = $1 AND id = $2 AND updated_at = $16";
    let statement = client.prepare_cached(update).await.context(doing)?;
    let Entry { at, symbol, kind, order, volume, price, value, currency, fee, fee_currency, source, source_id, note } =
        entry;
    let changed = client
        .execute(
            &statement,
            &[
                &portfolio_id,
                &id,
                at,
                &symbol.as_str(),
                &kind.as_str(),
                &order.as_str(),
                volume,
                price,
                value,
                &currency.as_str(),
                fee,
                &fee_currency.as_deref(),
                source,
                source_id,
                note,
                &since,
            ],
        )
        .await;
    match changed {
        Ok(changed) => Ok(Ok(changed > 0)),
        Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::UNIQUE_VIOLATION) => {
            Ok(Err(Refused::Taken))
        }
        Err(error) => Err(error).context(doing),
    }
}

/// Takes a transaction away. `false` where the portfolio has none of this number.
///
/// # Errors
/// When the database refuses.
pub async fn remove(client: &impl GenericClient, portfolio_id: i64, id: i64) -> Result<bool> {
    let delete = "DELETE FROM portfolio.transaction WHERE portfolio_id = $1 AND id = $2";
    Ok(client.execute(delete, &[&portfolio_id, &id]).await.context("deleting a transaction")? > 0)
}
