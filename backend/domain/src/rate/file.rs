//! Rates from a file: of the European Central Bank, which has a column for each currency, or with a line for each rate.
//!
//! `Date,USD,JPY,…` counts in the currency of which the file is; where nothing is told stands `N/A` or nothing. `day,base,quote,rate`
//! says of each line by itself. Described at
//! <https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates>.

use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;
use csv::{ReaderBuilder, StringRecord, Trim};
use smol_str::SmolStr;

use super::{Rate, is_currency};
use crate::decimal_text;

/// So many mistakes are told; whoever has more finds them when these are mended.
const MOST_TOLD: usize = 20;

/// A file from which no rates can be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no CSV.
    #[error("this is no CSV: {0}")]
    NoCsv(String),
    /// Its first line says nothing that is known.
    #[error(
        "the first line is {found:?}; it must be day,base,quote,rate or Date,USD,JPY,… (with codes of three letters)"
    )]
    NoHeader {
        /// What it says, shortened.
        found: String,
    },
    /// Lines are wrong: each with its number, and what would be right.
    #[error("{}", .0.join("\n"))]
    Mistakes(Vec<String>),
    /// There is nothing below its first line.
    #[error("there is no rate in it")]
    Empty,
}

/// Where the columns are.
enum Layout {
    /// A currency in each column behind the day; `None` where the column has no name.
    Wide(Vec<Option<SmolStr>>),
    /// Places of day, base, quote and rate.
    Long([usize; 4]),
}

impl Layout {
    fn of(header: &StringRecord) -> Result<Self, Unreadable> {
        let names: Vec<String> = header.iter().map(|name| name.trim_start_matches('\u{feff}').to_lowercase()).collect();
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        if let [Some(day), Some(base), Some(quote), Some(rate)] = ["day", "base", "quote", "rate"].map(place) {
            return Ok(Self::Long([day, base, quote, rate]));
        }
        let codes: Vec<Option<SmolStr>> =
            header.iter().skip(1).map(|code| (!code.is_empty()).then(|| code.to_uppercase().into())).collect();
        let are_codes = codes.iter().flatten().all(|code| is_currency(code)) && codes.iter().any(Option::is_some);
        if names.first().is_some_and(|name| name == "date" || name == "day") && are_codes {
            return Ok(Self::Wide(codes));
        }
        let found: String = header.iter().collect::<Vec<_>>().join(",").chars().take(80).collect();
        Err(Unreadable::NoHeader { found })
    }
}

/// Reads a file: rates by their base. `base` is the currency in which a file counts that does not say.
///
/// # Errors
/// When it is no such file, or a line is wrong; then nothing of it counts.
pub fn read(text: &str, base: &str) -> Result<BTreeMap<SmolStr, Vec<Rate>>, Unreadable> {
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let header = cells(lines.next().map_or("", |(_, line)| line))?;
    let layout = Layout::of(&header)?;
    let (mut told, mut met, mut mistakes) = (BTreeMap::<SmolStr, Vec<Rate>>::new(), HashSet::new(), Vec::new());
    for (number, line) in lines {
        let record = cells(line)?;
        // A comma in a number makes one more.
        if record.iter().skip(header.len()).any(|cell| !cell.is_empty()) {
            let (most, found) = (header.len(), record.len());
            mistakes.push(format!(
                "line {number}: {found} cells, and the first line has {most}; write numbers with a point: 1.0823"
            ));
            continue;
        }
        for read in rates(&layout, &record, base) {
            let checked = read.and_then(|(base, rate)| match rate.mistake(&base) {
                Some("quote_is_base") => Err(format!("{base} is counted in itself")),
                Some("day_out_of_bounds") => Err(format!("day {} is none of 1900 to 2100", rate.day)),
                Some("rate_not_positive") => Err(format!("rate {} must be above 0", rate.rate)),
                Some(_) => Err(format!("quote {:?} is no code of a currency; write three letters: USD", rate.quote)),
                None if !met.insert((base.clone(), rate.quote.clone(), rate.day)) => {
                    Err(format!("{base}{} of {} is told twice", rate.quote, rate.day))
                }
                None => Ok((base, rate)),
            });
            match checked {
                Ok((base, rate)) => told.entry(base).or_default().push(rate),
                Err(mistake) => mistakes.push(format!("line {number}: {mistake}")),
            }
        }
        mistakes.truncate(MOST_TOLD);
    }
    match (mistakes.is_empty(), told.is_empty()) {
        (false, _) => Err(Unreadable::Mistakes(mistakes)),
        (true, true) => Err(Unreadable::Empty),
        (true, false) => Ok(told),
    }
}

/// The cells of a line.
fn cells(line: &str) -> Result<StringRecord, Unreadable> {
    let mut reader = ReaderBuilder::new().has_headers(false).trim(Trim::All).from_reader(line.as_bytes());
    let read = reader.records().next().transpose();
    read.map(Option::unwrap_or_default).map_err(|error| Unreadable::NoCsv(error.to_string()))
}

type Read = Result<(SmolStr, Rate), String>;

/// What a line tells.
fn rates(layout: &Layout, record: &StringRecord, base: &str) -> Vec<Read> {
    let cell = |place: usize| record.get(place).unwrap_or_default();
    match layout {
        Layout::Long([day, base, quote, rate]) => {
            let base = cell(*base).to_uppercase();
            if !is_currency(&base) {
                return vec![Err(format!("base {base:?} is no code of a currency; write three letters: EUR"))];
            }
            vec![read_day(cell(*day)).and_then(|day| one(&base, day, &cell(*quote).to_uppercase(), cell(*rate)))]
        }
        Layout::Wide(codes) => {
            let day = match read_day(cell(0)) {
                Ok(day) => day,
                Err(mistake) => return vec![Err(mistake)],
            };
            let told = codes.iter().enumerate().filter_map(|(place, code)| Some((code.as_ref()?, cell(place + 1))));
            let told = told.filter(|(_, rate)| !rate.is_empty() && !rate.eq_ignore_ascii_case("n/a"));
            told.map(|(code, rate)| one(base, day, code, rate)).collect()
        }
    }
}

fn one(base: &str, day: NaiveDate, quote: &str, rate: &str) -> Read {
    let read = decimal_text::parse(rate);
    let rate = read.map_err(|_| format!("rate {rate:?} is no number; write it with a point: 1.0823"))?;
    Ok((base.into(), Rate { day, quote: quote.into(), rate }))
}

/// A day, as files have it and as the bank's newest has it: `27 November 2026`.
fn read_day(text: &str) -> Result<NaiveDate, String> {
    let read = text.parse().or_else(|_| NaiveDate::parse_from_str(text, "%d %B %Y"));
    read.map_err(|_| format!("day {text:?} is none; write it as 2026-11-27"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let one = |base: &str, rate: &Rate| format!("{} {base}{} {}", rate.day, rate.quote, rate.rate);
        let read = read(text, "EUR").unwrap();
        read.iter().flat_map(|(base, rates)| rates.iter().map(|rate| one(base, rate)).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn files_of_the_bank_are_read() {
        let history = "Date,USD,JPY,CYP,\n2026-11-27,1.1592,181.40,N/A,\n2026-11-26,1.1570,181.1,,\n";
        assert_eq!(
            told(history),
            [
                "2026-11-27 EURUSD 1.1592",
                "2026-11-27 EURJPY 181.4",
                "2026-11-26 EURUSD 1.157",
                "2026-11-26 EURJPY 181.1"
            ]
        );
        let newest = "\u{feff}Date, USD, JPY, \r\n27 November 2026, 1.1592, 181.40, \r\n";
        assert_eq!(told(newest), ["2026-11-27 EURUSD 1.1592", "2026-11-27 EURJPY 181.4"]);
    }

    #[test]
    fn lines_of_their_own_are_read_whatever_the_order_of_columns() {
        let text = "rate,day,base,quote,note\n0.92,2026-11-27,usd,eur,x\n1.16,2026-11-27,EUR,USD,\n";
        assert_eq!(told(text), ["2026-11-27 EURUSD 1.16", "2026-11-27 USDEUR 0.92"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("", "the first line is \"\""),
            ("a,b\n1,2\n", "the first line is \"a,b\"; it must be day,base,quote,rate"),
            ("Date,Dollar\n2026-11-27,1\n", "Date,Dollar"),
            ("Date,USD\n", "there is no rate"),
            ("Date,USD\n27/11/2026,1.1\n", "line 2: day \"27/11/2026\" is none"),
            ("Date,USD\n2026-11-27,\"1,1\"\n", "line 2: rate \"1,1\" is no number"),
            ("Date,USD\n2026-11-27,1,1592\n", "line 2: 3 cells, and the first line has 2"),
            ("Date,USD\n26-11-27,1\n", "line 2: day 0026-11-27 is none of 1900 to 2100"),
            ("Date,USD\n2026-11-27,0\n", "line 2: rate 0 must be above 0"),
            ("Date,EUR\n2026-11-27,1\n", "line 2: EUR is counted in itself"),
            ("Date,USD\n2026-11-27,1\n\n2026-11-27,2\n", "line 4: EURUSD of 2026-11-27 is told twice"),
            ("day,base,quote,rate\n2026-11-27,EURO,USD,1\n", "line 2: base \"EURO\" is no code"),
            ("day,base,quote,rate\n2026-11-27,EUR,$,1\n", "line 2: quote \"$\" is no code"),
        ] {
            let error = read(text, "EUR").unwrap_err().to_string();
            assert!(error.contains(said), "{text:?}: {error}");
        }
        let many = format!("Date,USD\n{}", "x,1\n".repeat(30));
        assert_eq!(read(&many, "EUR").unwrap_err().to_string().lines().count(), MOST_TOLD);
    }
}
