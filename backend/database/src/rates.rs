//! What currencies are worth, a rate a day: those that services outside tell, and those that an operator took in from a file.

use chrono::NaiveDate;
use deadpool_postgres::GenericClient;
use domain::RateReport;
use rust_decimal::Decimal;
use tokio_postgres::{Row, SimpleQueryMessage};

use crate::{Client, Context as _, Error, Result, minutes::json_of_call};

/// Stores what a service outside was asked for. Of each day, whoever told it first counts, in the newest version: what is delivered
/// twice, or late, changes nothing. Returns how many rates are new, or other than they were.
///
/// # Errors
/// When the database refuses.
pub async fn store(client: &impl GenericClient, report: &RateReport) -> Result<u64> {
    let doing = "storing rates of currencies";
    let json = serde_json::to_string(report).map_err(|error| Error::Encode(error.into()))?;
    let statement = client.prepare_cached("CALL import_rates($1::text::json, false, 0)").await.context(doing)?;
    Ok(client.query_one(&statement, &[&json]).await.context(doing)?.get::<_, i64>(0).unsigned_abs())
}

/// Rates that an operator takes in: they take the place of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import(pub RateReport);

impl Import {
    /// What a statement asks to take in, if it is exactly that, and sound: `CALL import_rates($${…}$$)`.
    pub fn parse(statement: &str) -> Option<Self> {
        json_of_call(statement, "import_rates").filter(|report: &RateReport| report.mistake().is_none()).map(Self)
    }

    /// The statement that asks for it.
    ///
    /// # Errors
    /// Never in practice: every part of it can be written as JSON.
    pub fn statement(&self) -> Result<String> {
        let json = serde_json::to_string(&self.0).map_err(|error| Error::Encode(error.into()))?;
        Ok(format!("CALL import_rates($${json}$$)"))
    }

    /// Takes them in. Returns how many are new, or other than they were.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn carry_out(&self, client: &Client) -> Result<u64> {
        let doing = "taking in rates of currencies";
        let answered = client.simple_query(&self.statement()?).await.context(doing)?;
        let changed = answered.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        });
        Ok(changed.unwrap_or_default())
    }
}

/// A rate as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRate {
    /// The currency of which there is one unit.
    pub base: String,
    /// The currency in which it is counted.
    pub quote: String,
    /// From when on it serves.
    pub day: NaiveDate,
    /// Units of the quote for one of the base.
    pub rate: Decimal,
    /// Who tells it.
    pub source: String,
}

/// Which rates are wanted.
#[derive(Debug, Clone)]
pub struct RateFilter {
    /// Only those of this base.
    pub base: Option<String>,
    /// Only those in this quote.
    pub quote: Option<String>,
    /// From this day on; without it, of each pair only the newest.
    pub from: Option<NaiveDate>,
    /// Until this day, with it.
    pub to: NaiveDate,
}

const LIST: &str = "
    SELECT base, quote, day, rate, source FROM fiat_rate
    WHERE ($1::text IS NULL OR base = $1) AND ($2::text IS NULL OR quote = $2) AND day <= $3 AND day >= $5
    ORDER BY day DESC, base, quote LIMIT $4";

const LIST_NEWEST: &str = "
    SELECT base, quote, newest.day, newest.rate, newest.source
    FROM (SELECT DISTINCT base, quote FROM fiat_rate
          WHERE ($1::text IS NULL OR base = $1) AND ($2::text IS NULL OR quote = $2)) AS pair
    CROSS JOIN LATERAL (
        SELECT day, rate, source FROM fiat_rate
        WHERE fiat_rate.base = pair.base AND fiat_rate.quote = pair.quote AND day <= $3 ORDER BY day DESC LIMIT 1) AS newest
    ORDER BY newest.day DESC, base, quote LIMIT $4";

/// Rates, newest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(client: &impl GenericClient, filter: &RateFilter, limit: i64) -> Result<Vec<StoredRate>> {
    let doing = "reading rates of currencies";
    let RateFilter { base, quote, from, to } = filter;
    let rows = match from {
        Some(from) => {
            let statement = client.prepare_cached(LIST).await.context(doing)?;
            client.query(&statement, &[base, quote, to, &limit, from]).await
        }
        None => {
            let statement = client.prepare_cached(LIST_NEWEST).await.context(doing)?;
            client.query(&statement, &[base, quote, to, &limit]).await
        }
    };
    let rows = rows.context(doing)?;
    let read = |row: &Row| StoredRate {
        base: row.get(0),
        quote: row.get(1),
        day: row.get(2),
        rate: row.get(3),
        source: row.get(4),
    };
    Ok(rows.iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use domain::Rate;

    use super::*;

    #[test]
    fn only_a_single_call_with_a_sound_report_is_an_import() {
        let rate = Rate { day: "2026-11-20".parse().unwrap(), quote: "USD".into(), rate: Decimal::new(116, 2) };
        let report = RateReport {
            source: "imported".into(),
            at: "2026-11-20T12:00:00Z".parse().unwrap(),
            base: "EUR".into(),
            rates: vec![rate.clone()],
        };
        let import = Import(report.clone());
        let statement = import.statement().unwrap();
        assert_eq!(Import::parse(&statement), Some(import));
        let unsound = Import(RateReport { rates: vec![rate.clone(), rate], ..report });
        for other in [
            unsound.statement().unwrap(),
            statement.replace("import_rates", "take_minutes"),
            format!("{statement}; DROP TABLE fiat_rate"),
            statement.replace("EUR", "$$); DROP TABLE fiat_rate; CALL import_rates($$"),
        ] {
            assert_eq!(Import::parse(&other), None, "{other}");
        }
    }
}
