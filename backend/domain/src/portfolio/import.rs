//! Somebody's transactions as CSV files: reading our own format and what exchanges export, and writing our own.
//!
//! Every record of a file is told of: what was read from it, why it was left out, or what is wrong with it. An entry keeps the name that
//! the exchange gave it; where the file has none, the name follows from what the record says, so that reading a file again, or a later
//! one that holds the same records, gives the same names.

mod binance;
mod cells;
mod coinbase;
mod kraken;
mod money;
mod own;
mod table;

use chrono::{DateTime, Utc};
use csv::StringRecord;

use super::{Entry, Mistake};
use cells::{Cells, Column, Told, shortened};
use table::{Header, Names, Table, first_lines};

pub use own::write;

/// A file has at most so many records.
pub const MOST_RECORDS: usize = 200_000;

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One of ours, see [`write()`].
    Own,
    /// Binance: the history of spot trades, in its present and in its older forms, and the history of transactions, of which deposits,
    /// withdrawals, conversions and rewards are read.
    Binance,
    /// Coinbase: the history of transactions, in its present and in its older form.
    Coinbase,
    /// Kraken: trades; and ledgers, of which deposits, withdrawals and rewards are read.
    Kraken,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Own, Self::Binance, Self::Coinbase, Self::Kraken];

    /// The word used in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Binance => "binance",
            Self::Coinbase => "coinbase",
            Self::Kraken => "kraken",
        }
    }

    /// All these words, for whoever asks which there are.
    pub fn words() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    /// The format of this word, however it is capitalised.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str().eq_ignore_ascii_case(word))
    }

    /// The format of a file, by its header: the header line, or the beginning of the file, of which the first line that is a header counts.
    pub fn recognise(beginning: &str) -> Option<Self> {
        first_lines(beginning).find_map(|(_, line)| {
            let header = Header::of(line, b',');
            let is_header =
                |format: &Self| format.layouts().iter().any(|layout| header.missing(layout.needed).is_empty());
            Self::ALL.into_iter().find(is_header)
        })
    }

    fn layouts(self) -> &'static [Layout] {
        match self {
            Self::Own => own::LAYOUTS,
            Self::Binance => binance::LAYOUTS,
            Self::Coinbase => coinbase::LAYOUTS,
            Self::Kraken => kraken::LAYOUTS,
        }
    }
}

/// A header that files of a format have, and how their records are read.
struct Layout {
    /// The columns without which it is another header; every record reaches all of them.
    needed: &'static [Column],
    /// Those that may be missing. Of these and the needed ones a made-up name is made.
    optional: &'static [Column],
    /// Which column says what a field of an entry says; where none is told, it is called as the field is.
    fields: &'static [(&'static str, Column)],
    /// What a record says; told is also the currency of what names none.
    read: fn(&mut Cells<'_>, &str) -> Result<Found, Told>,
}

/// What a record that has no mistakes says.
enum Found {
    Entries(Vec<Entry>),
    Skipped(&'static str),
}

/// A record of a file, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// In which line of the file it begins; the first is 1.
    pub number: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was read. A trade of one coin for another makes two entries, the sale and then the purchase; everything else makes one.
    Entries(Vec<Entry>),
    /// It is left out on purpose; why.
    Skipped(&'static str),
    /// It cannot be read; all that was found wrong, at least one mistake.
    Mistakes(Vec<LineMistake>),
}

/// Something wrong in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineMistake {
    /// In which column, as the file calls it.
    pub field: String,
    /// What stands there, cut where it is long.
    pub value: String,
    /// Why that cannot be.
    pub detail: String,
    /// What can be.
    pub allowed: String,
}

/// Why nothing of a file can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nothing stands in it.
    #[error("the file is empty")]
    Empty,
    /// It has no header that the format knows.
    #[error("the file has no header of the format {}: {}{advice}", .format.as_str(), lacks(.missing))]
    NoHeader {
        /// As which format it was read.
        format: Format,
        /// The columns that the line most like a header lacks.
        missing: Vec<&'static str>,
        /// What may help, behind a semicolon; or nothing.
        advice: &'static str,
    },
    /// It is too long.
    #[error("the file has more than {MOST_RECORDS} records: divide it into several, each with the header")]
    TooMany,
    /// It is no CSV.
    #[error("the file is no CSV: {0}")]
    NoCsv(String),
}

fn lacks(missing: &[&str]) -> String {
    match missing {
        [column] => format!("the column {column} is missing"),
        columns => format!("the columns {} are missing", columns.join(", ")),
    }
}

/// Reads a file. What names no currency is counted in `default_currency`; `now` tells which moments lie ahead. Lines in which nothing
/// stands are no records.
///
/// # Errors
/// When it is empty, has no header of the format, or is too long. What is wrong with single records is told with them.
pub fn read(format: Format, text: &str, default_currency: &str, now: DateTime<Utc>) -> Result<Vec<Line>, Unreadable> {
    let table = Table::of(format, text)?;
    let (mut records, mut names, mut lines) = (table.records(), Names::default(), Vec::new());
    let mut record = StringRecord::new();
    while let Some(number) = records.next(&mut record)? {
        if lines.len() == MOST_RECORDS {
            return Err(Unreadable::TooMany);
        }
        let name = names.of(&table, &record);
        let cells = Cells::new(&table.header, &record, name);
        lines.push(Line { number, outcome: outcome(table.layout, cells, default_currency, now) });
    }
    Ok(lines)
}

fn outcome(layout: &Layout, mut cells: Cells<'_>, default_currency: &str, now: DateTime<Utc>) -> Outcome {
    let found = match cells.fits(layout.needed) {
        Ok(()) => (layout.read)(&mut cells, default_currency),
        Err(told) => Err(told),
    };
    let (header, mut mistakes) = cells.into_mistakes();
    match found {
        Ok(Found::Skipped(reason)) if mistakes.is_empty() => Outcome::Skipped(reason),
        Ok(Found::Entries(entries)) if mistakes.is_empty() => {
            let mut checked = Vec::with_capacity(entries.len());
            for entry in entries {
                match entry.checked(now) {
                    Ok(entry) => checked.push(entry),
                    // Both sides of a trade may have the same.
                    Err(mistake) => {
                        let mistake = in_file(&mistake, layout, header);
                        if !mistakes.contains(&mistake) {
                            mistakes.push(mistake);
                        }
                    }
                }
            }
            if mistakes.is_empty() { Outcome::Entries(checked) } else { Outcome::Mistakes(mistakes) }
        }
        _ => Outcome::Mistakes(mistakes),
    }
}

/// A mistake in an entry, as one in the file.
fn in_file(mistake: &Mistake, layout: &Layout, header: &Header) -> LineMistake {
    let column = layout.fields.iter().find(|(field, _)| *field == mistake.field);
    LineMistake {
        field: column.map_or(mistake.field, |(_, column)| header.name(column)).to_owned(),
        value: shortened(&mistake.value),
        detail: mistake.detail.to_owned(),
        allowed: mistake.allowed.to_owned(),
    }
}

#[cfg(test)]
mod tests;
