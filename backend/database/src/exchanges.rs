//! Reading exchanges.

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

use crate::{Context as _, Error, Result};

/// A trading venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredExchange {
    /// Key.
    pub id: i16,
    /// Name, lower-case: `binance`.
    pub name: String,
    /// Where it is seated, if known.
    pub country: Option<String>,
    /// Whether it numbers the trades of each pair without leaving numbers out.
    pub numbers_trades: bool,
}

/// Every exchange, by name.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_exchanges(client: &impl GenericClient) -> Result<Vec<StoredExchange>> {
    let doing = "listing exchanges";
    let sql = "SELECT id, name, country, numbers_trades FROM exchange ORDER BY name";
    let statement = client.prepare_cached(sql).await.context(doing)?;
    client.query(&statement, &[]).await.context(doing)?.iter().map(StoredExchange::try_from).collect()
}

/// The exchange of this name, however it is capitalised.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_exchange(client: &impl GenericClient, name: &str) -> Result<Option<StoredExchange>> {
    let doing = "looking for an exchange";
    let sql = "SELECT id, name, country, numbers_trades FROM exchange WHERE name = lower($1)";
    let statement = client.prepare_cached(sql).await.context(doing)?;
    client.query_opt(&statement, &[&name]).await.context(doing)?.as_ref().map(StoredExchange::try_from).transpose()
}

impl TryFrom<&Row> for StoredExchange {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self> {
        let doing = "reading an exchange";
        Ok(Self {
            id: row.try_get(0).context(doing)?,
            name: row.try_get(1).context(doing)?,
            country: row.try_get(2).context(doing)?,
            numbers_trades: row.try_get(3).context(doing)?,
        })
    }
}
