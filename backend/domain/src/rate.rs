//! What currencies are worth, as a bank or a service tells it: one number for each day.

pub mod file;

use std::{collections::HashSet, ops::RangeInclusive};

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

use crate::{columns, decimal_text, exchange};

/// How many rates one report may hold.
pub const MOST_RATES: usize = 20_000;

/// Of other years nobody tells rates: these are mistyped.
const YEARS: RangeInclusive<i32> = 1900..=2100;

/// Name of Frankfurter, which tells the reference rates of the European Central Bank.
pub const FRANKFURTER: &str = "frankfurter";
/// Name of Fixer.
pub const FIXER: &str = "fixer";

/// What one unit of a report's base was worth. In JSON it is a row: day, code, rate as a string. Elements behind them are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// From the beginning of this day (UTC) on it serves, until there is a newer one.
    pub day: NaiveDate,
    /// The currency in which the base is counted: `USD`.
    pub quote: SmolStr,
    /// Units of it for one of the base; above 0.
    pub rate: Decimal,
}

#[derive(Serialize, Deserialize)]
struct Row(NaiveDate, SmolStr, #[serde(with = "decimal_text")] Decimal);

impl columns::Row for Rate {
    const COLUMNS: &'static [&'static str] = &["day", "quote", "rate"];
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Row(self.day, self.quote.clone(), self.rate).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Row(day, quote, rate) = columns::read::<Self, Row, D>(deserializer)?;
        Ok(Self { day, quote, rate })
    }
}

impl Rate {
    /// What makes it unfit for a report of this base, if anything.
    pub fn mistake(&self, base: &str) -> Option<&'static str> {
        if !is_currency(&self.quote) {
            Some("quote_malformed")
        } else if self.quote == base {
            Some("quote_is_base")
        } else if !YEARS.contains(&self.day.year()) {
            Some("day_out_of_bounds")
        } else if self.rate <= Decimal::ZERO {
            Some("rate_not_positive")
        } else {
            None
        }
    }
}

/// Rates of one base, as somebody told them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateReport {
    /// Who tells them: `frankfurter`.
    pub source: SmolStr,
    /// When they were asked for.
    pub at: DateTime<Utc>,
    /// The currency of which there is one unit: `EUR`.
    pub base: SmolStr,
    /// The rates, of each day and quote one.
    pub rates: Vec<Rate>,
}

impl RateReport {
    /// What makes it unfit for storing, if anything.
    pub fn mistake(&self) -> Option<String> {
        if !exchange::is_name(&self.source) {
            return Some(format!("source {:?} is no name: 1 to 32 of a-z, 0-9 and _", self.source));
        }
        if !is_currency(&self.base) {
            return Some(format!("base {:?} is no currency: three letters", self.base));
        }
        if self.rates.len() > MOST_RATES {
            return Some(format!("{} rates; a report has at most {MOST_RATES}", self.rates.len()));
        }
        let mut met = HashSet::new();
        self.rates.iter().enumerate().find_map(|(index, rate)| {
            let again = || (!met.insert((rate.day, &rate.quote))).then_some("told_twice");
            let reason = rate.mistake(&self.base).or_else(again)?;
            Some(format!("rate {index} ({} {}): {reason}", rate.day, rate.quote))
        })
    }
}

/// Whether this can be the code of a currency: three capital letters.
pub fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(day: &str, quote: &str, rate: &str) -> Rate {
        Rate { day: day.parse().unwrap(), quote: quote.into(), rate: rate.parse().unwrap() }
    }

    fn report(rates: Vec<Rate>) -> RateReport {
        RateReport {
            source: FRANKFURTER.into(),
            at: "2026-11-20T16:00:00Z".parse().unwrap(),
            base: "EUR".into(),
            rates,
        }
    }

    #[test]
    fn a_report_is_rows_and_survives_json() {
        let told = report(vec![rate("2026-11-20", "USD", "1.1592"), rate("2026-11-20", "JPY", "181.40")]);
        let json = serde_json::to_string(&told).unwrap();
        assert_eq!(
            json,
            r#"{"source":"frankfurter","at":"2026-11-20T16:00:00Z","base":"EUR","rates":[["2026-11-20","USD","1.1592"],["2026-11-20","JPY","181.40"]]}"#
        );
        assert_eq!(serde_json::from_str::<RateReport>(&json).unwrap(), told);
        assert_eq!(told.mistake(), None);
        assert!(serde_json::from_str::<RateReport>(&json.replace("\"1.1592\"", "1.1592")).is_err(), "a rate is text");
    }

    #[test]
    fn each_unfit_report_is_refused_with_its_reason() {
        let good = || rate("2026-11-20", "USD", "1.1592");
        for (reason, bad) in [
            ("quote_malformed", rate("2026-11-20", "usd", "1")),
            ("quote_is_base", rate("2026-11-20", "EUR", "1")),
            ("rate_not_positive", rate("2026-11-20", "CHF", "0")),
            ("day_out_of_bounds", rate("0026-11-20", "CHF", "1")),
            ("told_twice", good()),
        ] {
            let mistake = report(vec![good(), bad]).mistake().unwrap();
            assert!(mistake.contains("rate 1 ") && mistake.contains(reason), "{mistake}");
        }
        assert!(RateReport { base: "EURO".into(), ..report(Vec::new()) }.mistake().unwrap().contains("EURO"));
        assert!(RateReport { source: "A Bank".into(), ..report(Vec::new()) }.mistake().unwrap().contains("A Bank"));
        assert!(report(vec![good(); MOST_RATES + 1]).mistake().unwrap().contains("at most 20000"));
    }
}
