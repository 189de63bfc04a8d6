//! What stands in the cells of a record, and what is wrong with it.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use csv::StringRecord;
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::table::Header;
use super::{Entry, LineMistake};
use crate::decimal_text::{self, without_commas};
use crate::portfolio::{Kind, Order};

/// A column, by the names that it has in different files.
pub(super) type Column = &'static [&'static str];

/// As many letters of a cell as a mistake tells.
const SHOWN: usize = 200;

/// A mistake was noted.
pub(super) struct Told(());

/// How numbers are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// Digits, and a dot before the decimals.
    Plain,
    /// The same, perhaps with commas between thousands.
    Thousands,
    /// The same, perhaps with the sign of a currency. What lies behind the 18th decimal is rounded.
    Money,
}

/// The cells of one record, and the mistakes that were found in them.
pub(super) struct Cells<'a> {
    header: &'a Header,
    record: &'a StringRecord,
    name: String,
    mistakes: Vec<LineMistake>,
}

impl<'a> Cells<'a> {
    pub(super) fn new(header: &'a Header, record: &'a StringRecord, name: String) -> Self {
        Self { header, record, name, mistakes: Vec::new() }
    }

    /// The header, and what was found wrong.
    pub(super) fn into_mistakes(self) -> (&'a Header, Vec<LineMistake>) {
        (self.header, self.mistakes)
    }

    /// Whether the record reaches these columns, and goes no farther than the header.
    pub(super) fn fits(&mut self, needed: &[Column]) -> Result<(), Told> {
        let (columns, last) = self.header.last();
        let beyond = || self.record.iter().skip(columns);
        if beyond().any(|cell| !cell.trim().is_empty()) {
            let shown: Vec<&str> = beyond().take(SHOWN).collect();
            self.mistakes.push(LineMistake {
                field: last.to_owned(),
                value: shortened(&shown.join(",")),
                detail: "more cells stand in this line than in the header; these are behind the last column".to_owned(),
                allowed: "a cell with a comma in it stands in quotes, and numbers have no commas between thousands"
                    .to_owned(),
            });
            return Err(Told(()));
        }
        let is_missing = |column: &&Column| self.header.place(column).is_none_or(|place| place >= self.record.len());
        match needed.iter().find(is_missing) {
            Some(column) => {
                Err(self.wrong(column, "the line ends before this column", "every column of the header that is needed"))
            }
            None => Ok(()),
        }
    }

    /// Notes a mistake.
    pub(super) fn wrong(&mut self, column: Column, detail: &str, allowed: &str) -> Told {
        self.mistakes.push(LineMistake {
            field: self.header.name(column).to_owned(),
            value: shortened(self.text(column)),
            detail: detail.to_owned(),
            allowed: allowed.to_owned(),
        });
        Told(())
    }

    /// A cell as it is; empty where it is missing.
    pub(super) fn raw(&self, column: Column) -> &'a str {
        self.header.place(column).and_then(|place| self.record.get(place)).unwrap_or_default()
    }

    /// A cell without the spaces around it.
    pub(super) fn text(&self, column: Column) -> &'a str {
        self.raw(column).trim()
    }

    /// A cell in which something stands.
    pub(super) fn word(&mut self, column: Column, allowed: &str) -> Result<&'a str, Told> {
        match self.text(column) {
            "" => Err(self.wrong(column, "this cell is empty", allowed)),
            text => Ok(text),
        }
    }

    /// What the record is called: by this cell, or else by what it says.
    pub(super) fn name(&self, column: Column) -> String {
        match self.text(column) {
            "" => self.made_up(),
            name => name.to_owned(),
        }
    }

    /// What the record is called by what it says.
    pub(super) fn made_up(&self) -> String {
        self.name.clone()
    }

    /// A note, where there is one.
    pub(super) fn note(&self, column: Column) -> Option<String> {
        Some(self.text(column).to_owned()).filter(|note| !note.is_empty())
    }

    /// A moment; of a day alone, its beginning.
    pub(super) fn moment(&mut self, column: Column) -> Result<DateTime<Utc>, Told> {
        moment(self.text(column)).ok_or_else(|| self.no_moment(column))
    }

    /// The same, perhaps with only two digits of the year.
    pub(super) fn short_moment(&mut self, column: Column) -> Result<DateTime<Utc>, Told> {
        short_moment(self.text(column)).ok_or_else(|| self.no_moment(column))
    }

    fn no_moment(&mut self, column: Column) -> Told {
        let allowed = "2024-01-31T12:00:00Z, 2024-01-31 12:00:00 or 2024-01-31, in UTC; a spreadsheet may have changed how it was written";
        self.wrong(column, "this is no moment that can be understood", allowed)
    }

    /// A number, where there is one.
    pub(super) fn number(&mut self, column: Column, writing: Writing) -> Result<Option<Decimal>, Told> {
        match self.text(column) {
            "" => Ok(None),
            text => number(text, writing).map(Some).ok_or_else(|| self.no_number(column, writing)),
        }
    }

    /// A number that must be there.
    pub(super) fn amount(&mut self, column: Column, writing: Writing) -> Result<Decimal, Told> {
        let text = self.text(column);
        number(text, writing).ok_or_else(|| self.no_number(column, writing))
    }

    fn no_number(&mut self, column: Column, writing: Writing) -> Told {
        let text = self.text(column);
        let detail = match writing {
            _ if text.is_empty() => "this cell is empty",
            Writing::Plain if text.contains(',') => "a number with commas may mean one thing or another",
            _ => "this is no number of at most 28 digits",
        };
        let allowed = match writing {
            Writing::Plain => "a number like 1234.5: a dot before the decimals, and no commas between thousands",
            Writing::Thousands | Writing::Money => "a number like 1234.5 or 1,234.5: a dot before the decimals",
        };
        self.wrong(column, detail, allowed)
    }

    /// Whether something was bought or sold.
    pub(super) fn side(&mut self, column: Column) -> Result<Order, Told> {
        let order = Order::parse(self.text(column)).filter(|order| *order != Order::None);
        order.ok_or_else(|| {
            self.wrong(column, "this says neither that it was bought nor that it was sold", "BUY or SELL")
        })
    }
}

/// An entry in which most has to be told yet.
pub(super) fn draft(at: DateTime<Utc>, symbol: &str, currency: &str, source: &str, name: String) -> Entry {
    Entry {
        at,
        symbol: SmolStr::new(symbol),
        kind: Kind::Trade,
        order: Order::None,
        volume: Decimal::ZERO,
        price: None,
        value: None,
        currency: SmolStr::new(currency),
        fee: Decimal::ZERO,
        fee_currency: None,
        source: source.to_owned(),
        source_id: Some(name),
        note: None,
    }
}

/// What was bought less the fee that was kept of it: so much arrived. Every other fee stays beside.
pub(super) fn arrived(mut entry: Entry) -> Entry {
    let is_kept = entry.fee_currency.as_ref().is_some_and(|code| code.eq_ignore_ascii_case(&entry.symbol));
    // Both above 0, so that the difference cannot be too large.
    if entry.order == Order::Buy && is_kept && entry.fee > Decimal::ZERO && entry.volume > Decimal::ZERO {
        let kept =
            format!("{} {} of {} were kept as the fee", entry.fee.normalize(), entry.symbol, entry.volume.normalize());
        entry.note = Some(entry.note.map_or_else(|| kept.clone(), |note| format!("{note}; {kept}")));
        entry.volume -= entry.fee;
        entry.fee = Decimal::ZERO;
    }
    if entry.fee.is_zero() {
        entry.fee_currency = None;
    }
    entry
}

/// A text, cut where it is long.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// What a number says.
pub(super) fn number(text: &str, writing: Writing) -> Option<Decimal> {
    match writing {
        Writing::Plain => plain(text),
        Writing::Thousands => plain(&without_commas(text)?),
        Writing::Money => money(text),
    }
}

/// Digit for digit, also with an exponent.
fn plain(text: &str) -> Option<Decimal> {
    is_numeric(text).then(|| decimal_text::parse_number(text).ok()).flatten()
}

fn money(text: &str) -> Option<Decimal> {
    let is_sign = |letter: char| {
        letter.is_alphabetic() || letter.is_whitespace() || matches!(letter, '$' | '£' | '¥' | '\u{20a0}'..='\u{20cf}')
    };
    // -$3.20, $-3.20, CA$3.20 and 3.20 € all occur.
    let (minus, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let number = format!("{minus}{}", without_commas(rest.trim_matches(is_sign))?);
    let rounded = || is_numeric(&number).then(|| number.parse::<Decimal>().ok()).flatten();
    Some(plain(&number).or_else(rounded)?.round_dp(18).normalize())
}

fn is_numeric(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
}

/// What a cell says, however its number or moment is written: zeros behind the decimals, commas between thousands, and the first two
/// digits of a year do not matter. A number may have the sign of a currency before it, or a code behind it.
pub(super) fn spelled_alike(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    // Most cells are no moment, and that takes a while to find out.
    let may_be_moment = text.contains('-') && text.starts_with(|letter: char| letter.is_ascii_digit());
    if let Some(moment) = may_be_moment.then(|| short_moment(text)).flatten() {
        return moment.format("%Y-%m-%d %H:%M:%S%.f").to_string().into();
    }
    let is_of_number = |letter: char| letter.is_ascii_digit() || letter == '.';
    let ends = text.find(is_of_number).zip(text.rfind(is_of_number));
    let parts =
        ends.and_then(|(first, last)| Some((text.get(..first)?, text.get(first..=last)?, text.get(last + 1..)?)));
    let spelled = parts.and_then(|(before, digits, behind)| {
        let number = number(digits, Writing::Thousands)?;
        Some(format!("{before}{}{behind}", number.normalize()).into())
    });
    spelled.unwrap_or(Cow::Borrowed(text))
}

/// What a moment says of whose year perhaps only two digits are written.
fn short_moment(text: &str) -> Option<DateTime<Utc>> {
    if text.find('-') == Some(2) { moment(&format!("20{text}")) } else { moment(text) }
}

/// What a moment says that is written in one of the usual ways, in UTC where it does not say otherwise.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc());
    }
    let text = text.strip_suffix("UTC").or_else(|| text.strip_suffix('Z')).unwrap_or(text).trim_end();
    let with_time = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let local = with_time.into_iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN));
    local.or_else(day).map(|local| local.and_utc())
}
