//! Reading coins.

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

use crate::{Context as _, Error, Result};

/// A coin, or a currency that coins are priced in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSymbol {
    /// Key.
    pub id: i32,
    /// Code: `BTC`.
    pub code: String,
    /// Name, lower-case: `bitcoin`.
    pub name: String,
}

/// Every coin, by name.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_symbols(client: &impl GenericClient) -> Result<Vec<StoredSymbol>> {
    let doing = "listing coins";
    let statement = client.prepare_cached("SELECT id, code, name FROM symbol ORDER BY name").await.context(doing)?;
    client.query(&statement, &[]).await.context(doing)?.iter().map(StoredSymbol::try_from).collect()
}

/// The coin of this name or code, however it is capitalised. A name outranks a code: a coin may be called what another
/// one's code is.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_symbol(client: &impl GenericClient, name_or_code: &str) -> Result<Option<StoredSymbol>> {
    let doing = "looking for a coin";
    let sql = "
        SELECT id, code, name FROM symbol WHERE name = lower($1) OR code IN ($1, upper($1))
        ORDER BY name = lower($1) DESC, code = $1 DESC LIMIT 1";
    let statement = client.prepare_cached(sql).await.context(doing)?;
    client
        .query_opt(&statement, &[&name_or_code])
        .await
        .context(doing)?
        .as_ref()
        .map(StoredSymbol::try_from)
        .transpose()
}

impl TryFrom<&Row> for StoredSymbol {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self> {
        let doing = "reading a coin";
        Ok(Self {
            id: row.try_get(0).context(doing)?,
            code: row.try_get(1).context(doing)?,
            name: row.try_get(2).context(doing)?,
        })
    }
}
