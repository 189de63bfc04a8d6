//! The exchange's own minutes, taken over.
//!
//! What is done stands once, in the database: the procedure `take_minutes`, which an operator's program may call too. It is
//! idempotent: an exchange's candle replaces one that counts fewer trades (or less volume, where it does not tell how many trades
//! there were), and no other.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use domain::MinuteReport;
use serde::{Deserialize, Serialize};

use crate::{Context as _, Error, Result};

/// Minutes to be taken over, and of which backfill they are a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The minutes.
    #[serde(flatten)]
    pub report: MinuteReport,
    /// Where the backfill begins and is to end; it is noted how far it got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<Span>,
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Where it begins.
    pub from: DateTime<Utc>,
    /// Where it ends.
    pub to: DateTime<Utc>,
}

/// Takes minutes over. Returns how many candles are different now; `None` when no catalogue of the exchange has listed the
/// pair.
///
/// # Errors
/// When the database refuses.
pub async fn take(client: &impl GenericClient, report: &MinuteReport) -> Result<Option<u64>> {
    carry_out(client, report).await
}

async fn carry_out(client: &impl GenericClient, page: &impl Serialize) -> Result<Option<u64>> {
    let doing = "taking over the exchange's minutes";
    let json = serde_json::to_string(page).map_err(|error| Error::Encode(error.into()))?;
    let statement = client.prepare_cached("CALL take_minutes($1::text::json, 0)").await.context(doing)?;
    match client.query_one(&statement, &[&json]).await.context(doing) {
        Ok(row) => Ok(Some(row.get::<_, i64>(0).unsigned_abs())),
        // No data found: the pair is unknown.
        Err(error) if error.sql_state().is_some_and(|state| state.code() == "P0002") => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a procedure is called with, where a statement is exactly that call: `CALL procedure($${…}$$)`.
pub(crate) fn json_of_call<T: serde::de::DeserializeOwned>(statement: &str, wanted: &str) -> Option<T> {
    let statement = statement.trim().trim_end_matches(';').trim_end();
    let call = statement.split_once(char::is_whitespace).filter(|(word, _)| word.eq_ignore_ascii_case("call"))?.1;
    let (procedure, json) = call.trim_start().strip_suffix(')')?.split_once('(')?;
    let json = json.trim().strip_prefix("$$")?.strip_suffix("$$")?;
    let is_it = procedure.trim_end().eq_ignore_ascii_case(wanted) && !json.contains("$$");
    serde_json::from_str(json).ok().filter(|_| is_it)
}

impl Page {
    /// The page that a statement asks to take over, if it is exactly that, and sound: `CALL take_minutes($${…}$$)`.
    pub fn parse(statement: &str) -> Option<Self> {
        let page: Self = json_of_call(statement, "take_minutes")?;
        page.report.mistake().is_none().then_some(page)
    }

    /// The statement that asks to take it over.
    ///
    /// # Errors
    /// Never in practice: every part of it can be written as JSON.
    pub fn statement(&self) -> Result<String> {
        let json = serde_json::to_string(self).map_err(|error| Error::Encode(error.into()))?;
        Ok(format!("CALL take_minutes($${json}$$)"))
    }

    /// Takes it over; `None` when no catalogue of the exchange has listed the pair.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn carry_out(&self, client: &impl GenericClient) -> Result<Option<u64>> {
        carry_out(client, self).await
    }
}

#[cfg(test)]
mod tests {
    use domain::{ExchangeMinute, Purpose};
    use rust_decimal::Decimal;

    use super::*;

    fn page() -> Page {
        let from: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let price = Decimal::new(6_425_001, 2);
        let minute = ExchangeMinute {
            open_time: from,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Decimal::ONE,
            quote_volume: price,
            trades: 3,
        };
        let to = from + chrono::TimeDelta::hours(1);
        let report = MinuteReport {
            exchange: "binance".into(),
            ticker: "BTCUSDT".into(),
            purpose: Purpose::Take,
            from,
            to,
            minutes: vec![minute],
        };
        Page { report, backfill: Some(Span { from, to }) }
    }

    #[test]
    fn only_a_single_call_with_a_sound_report_is_a_page() {
        let page = page();
        let statement = page.statement().unwrap();
        assert_eq!(Page::parse(&statement), Some(page.clone()));
        assert_eq!(Page::parse(&format!("  {} ; ", statement.replace("CALL ", "call\n"))), Some(page.clone()));
        let unsound = Page { report: MinuteReport { to: page.report.from, ..page.report.clone() }, ..page };
        for other in [
            String::new(),
            unsound.statement().unwrap(),
            statement.replace("take_minutes", "drop_everything"),
            statement.replace("$$)", "$$, 7)"),
            format!("{statement}; DROP TABLE price"),
            format!("SELECT 1; {statement}"),
            statement.replace("BTCUSDT", "$$); DROP TABLE price; CALL take_minutes($$"),
            "CALL take_minutes($$not json$$)".to_owned(),
        ] {
            assert_eq!(Page::parse(&other), None, "{other}");
        }
    }
}
