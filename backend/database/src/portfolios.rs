//! Portfolios of accounts, and what was bought and sold.

mod ledger;
mod transactions;

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use domain::portfolio::Method;
use tokio_postgres::Row;

pub use ledger::{Ledger, LedgerVersion, Unvalued, Valued, balances_at, find_ledger, worths};
pub use transactions::{
    Added, Filter, Transaction, Unknown, add, add_all, change, count_known, list_transactions, remove,
};

use crate::{Client, Context as _, Result};

/// How many portfolios an account may have.
pub const MOST_PORTFOLIOS: i64 = 50;
/// How many transactions a portfolio may have.
pub const MOST_TRANSACTIONS: i64 = 500_000;

/// A portfolio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portfolio {
    /// Its key.
    pub id: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Counts changes of its transactions.
    pub version: i64,
    /// What its owner calls it.
    pub name: String,
    /// In what it is counted.
    pub currency: String,
    /// Which coins are sold first.
    pub method: Method,
    /// How many transactions it has, where they were counted.
    pub transactions: i64,
}

/// Why something is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The account has none of this number.
    Unknown,
    /// There are as many as there may be.
    TooMany,
    /// Another one is called so.
    Taken,
}

const PORTFOLIOS: &str = "
    SELECT id, created_at, version, name, currency, method,
           CASE WHEN $3 THEN (SELECT count(*) FROM portfolio.transaction WHERE portfolio_id = portfolio.id) ELSE 0 END
    FROM portfolio.portfolio WHERE account_id = $1 AND ($2::bigint IS NULL OR id = $2) ORDER BY id";

/// The portfolios of an account, or one of them, oldest first; their transactions are not counted.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(client: &impl GenericClient, account_id: i64, id: Option<i64>) -> Result<Vec<Portfolio>> {
    read(client, account_id, id, false).await
}

/// The same, with how many transactions each has.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_counted(client: &impl GenericClient, account_id: i64, id: Option<i64>) -> Result<Vec<Portfolio>> {
    read(client, account_id, id, true).await
}

async fn read(
    client: &impl GenericClient,
    account_id: i64,
    id: Option<i64>,
    is_counted: bool,
) -> Result<Vec<Portfolio>> {
    let doing = "listing portfolios";
    let statement = client.prepare_cached(PORTFOLIOS).await.context(doing)?;
    let rows = client.query(&statement, &[&account_id, &id, &is_counted]).await.context(doing)?;
    let read = |row: &Row| {
        Ok(Portfolio {
            id: row.try_get(0)?,
            created_at: row.try_get(1)?,
            version: row.try_get(2)?,
            name: row.try_get(3)?,
            currency: row.try_get(4)?,
            method: Method::parse(row.try_get(5)?).unwrap_or_default(),
            transactions: row.try_get(6)?,
        })
    };
    rows.iter().map(read).collect::<std::result::Result<_, _>>().context(doing)
}

/// Makes a portfolio, or writes it anew where its number is given. Returns its number.
///
/// # Errors
/// When the database refuses.
pub async fn write(
    client: &impl GenericClient,
    account_id: i64,
    id: Option<i64>,
    (name, currency, method): (&str, &str, Method),
) -> Result<std::result::Result<i64, Refused>> {
    let doing = "writing a portfolio";
    let write = match id {
        None => format!(
            "INSERT INTO portfolio.portfolio (account_id, name, currency, method)
             SELECT account.id, $2, $3, $4 FROM secret.account
             WHERE account.id = $1 AND $5::bigint IS NULL
               AND (SELECT count(*) FROM portfolio.portfolio WHERE account_id = $1) < {MOST_PORTFOLIOS}
             FOR NO KEY UPDATE OF account RETURNING id"
        ),
        Some(_) => "UPDATE portfolio.portfolio SET name = $2, currency = $3, method = $4, updated_at = now()
                    WHERE account_id = $1 AND id = $5 RETURNING id"
            .to_owned(),
    };
    let statement = client.prepare_cached(&write).await.context(doing)?;
    match client.query_opt(&statement, &[&account_id, &name, &currency, &method.as_str(), &id]).await {
        Ok(Some(row)) => Ok(Ok(row.get(0))),
        Ok(None) => Ok(Err(if id.is_some() { Refused::Unknown } else { Refused::TooMany })),
        Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::UNIQUE_VIOLATION) => {
            Ok(Err(Refused::Taken))
        }
        Err(error) => Err(error).context(doing),
    }
}

/// Takes a portfolio away, with its transactions. `false` where the account has none of this number.
///
/// # Errors
/// When the database refuses.
pub async fn delete(client: &mut Client, account_id: i64, id: i64) -> Result<bool> {
    let doing = "deleting a portfolio";
    let transaction = client.transaction().await.context(doing)?;
    // Each of its transactions is written down as removed.
    transaction.batch_execute("SET LOCAL statement_timeout = '60s'").await.context(doing)?;
    let delete = "DELETE FROM portfolio.portfolio WHERE account_id = $1 AND id = $2";
    let deleted = transaction.execute(delete, &[&account_id, &id]).await.context(doing)?;
    transaction.commit().await.context(doing)?;
    Ok(deleted > 0)
}
