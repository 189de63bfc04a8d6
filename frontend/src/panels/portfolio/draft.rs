//! What is written of a transaction, and what that asks for. No egui here.

use std::collections::BTreeMap;

use api_types::{
    alerts::Amount,
    portfolios::{TransactionRequest, TransactionRow},
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use domain::decimal_text::without_commas;
use rust_decimal::Decimal;

use crate::state::Refusal;

/// One thing that a transaction says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Date,
    Kind,
    Side,
    Symbol,
    Volume,
    Price,
    Value,
    Currency,
    Fee,
    FeeCurrency,
    Note,
}

impl Field {
    pub(super) const ALL: [Self; 11] = [
        Self::Date,
        Self::Kind,
        Self::Side,
        Self::Symbol,
        Self::Volume,
        Self::Price,
        Self::Value,
        Self::Currency,
        Self::Fee,
        Self::FeeCurrency,
        Self::Note,
    ];

    /// As the API calls it.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Kind => "type",
            Self::Side => "order_type",
            Self::Symbol => "symbol",
            Self::Volume => "volume",
            Self::Price => "price",
            Self::Value => "value",
            Self::Currency => "currency",
            Self::Fee => "fee",
            Self::FeeCurrency => "fee_currency",
            Self::Note => "note",
        }
    }

    /// The one that the API calls so.
    pub(super) fn called(parameter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.parameter() == parameter)
    }

    /// As people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Date => "Date (UTC)",
            Self::Kind => "Type",
            Self::Side => "Side",
            Self::Symbol => "Coin",
            Self::Volume => "Volume",
            Self::Price => "Price of one",
            Self::Value => "Value of all",
            Self::Currency => "Currency",
            Self::Fee => "Fee",
            Self::FeeCurrency => "Fee in",
            Self::Note => "Note",
        }
    }

    /// What stands in an empty field.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Date => "now",
            Self::Symbol => "BTC",
            _ => "",
        }
    }

    /// What it is one of, where it is chosen.
    pub(super) fn choices(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Kind => Some(&["TRADE", "DEPOSIT", "WITHDRAWAL"]),
            Self::Side => Some(&["BUY", "SELL", "NONE"]),
            _ => None,
        }
    }

    /// How wide its field is.
    pub(super) fn width(self) -> f32 {
        match self {
            Self::Date => 132.0,
            Self::Kind => 100.0,
            Self::Side | Self::Symbol | Self::Currency | Self::FeeCurrency => 58.0,
            Self::Volume | Self::Price | Self::Value => 88.0,
            Self::Fee => 64.0,
            Self::Note => 130.0,
        }
    }
}

/// What is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    texts: BTreeMap<Field, String>,
    /// What was there before, where something is changed.
    before: Option<BTreeMap<Field, String>>,
}

impl Draft {
    /// Of a new trade.
    pub(super) fn new() -> Self {
        let texts = [(Field::Kind, "TRADE"), (Field::Side, "BUY")];
        Self { texts: texts.map(|(field, text)| (field, text.to_owned())).into(), before: None }
    }

    /// For a change of this one.
    pub(super) fn of(row: &TransactionRow) -> Self {
        let number = |value: Decimal| value.normalize().to_string();
        let texts: BTreeMap<Field, String> = [
            (Field::Date, row.date.format("%Y-%m-%d %H:%M:%S").to_string()),
            (Field::Kind, row.kind.clone()),
            (Field::Side, row.order_type.clone()),
            (Field::Symbol, row.symbol.clone()),
            (Field::Volume, number(row.volume)),
            (Field::Price, row.price.map(number).unwrap_or_default()),
            (Field::Value, row.value.map(number).unwrap_or_default()),
            (Field::Currency, row.currency.clone()),
            (Field::Fee, number(row.fee)),
            (Field::FeeCurrency, row.fee_currency.clone().unwrap_or_default()),
            (Field::Note, row.note.clone().unwrap_or_default()),
        ]
        .into();
        Self { before: Some(texts.clone()), texts }
    }

    /// What is written there.
    pub(super) fn text(&self, field: Field) -> &str {
        self.texts.get(&field).map_or("", |text| text.trim())
    }

    /// The same, to be written on.
    pub(super) fn text_mut(&mut self, field: Field) -> &mut String {
        self.texts.entry(field).or_default()
    }

    /// What is asked for; of a change only what is to be different.
    ///
    /// # Errors
    /// Where a number or a date is none.
    pub(super) fn request(&self) -> Result<TransactionRequest, Refusal> {
        let mut request = TransactionRequest::default();
        for field in Field::ALL {
            let text = self.text(field);
            let is_asked = match &self.before {
                Some(before) => before.get(&field).map(String::as_str) != Some(text),
                None => !text.is_empty(),
            };
            if !is_asked {
                continue;
            }
            let word = || Some(text.to_owned());
            // Where something may be unknown, an empty field says that it is.
            let optional = || Some((!text.is_empty()).then(|| text.to_owned()));
            match field {
                Field::Date => request.date = Some(date(text)?),
                Field::Kind => request.kind = word(),
                Field::Side => request.order_type = word(),
                Field::Symbol => request.symbol = Some(text.to_uppercase()),
                Field::Volume => request.volume = Some(decimal(field, text)?),
                Field::Price => request.price = Some(maybe(field, text)?),
                Field::Value => request.value = Some(maybe(field, text)?),
                Field::Currency => request.currency = Some(text.to_uppercase()),
                Field::Fee => request.fee = Some(maybe(field, text)?.unwrap_or(Amount(Decimal::ZERO))),
                Field::FeeCurrency => {
                    request.fee_currency = optional().map(|code| code.map(|code| code.to_uppercase()));
                }
                Field::Note => request.note = optional(),
            }
        }
        Ok(request)
    }
}

/// `2026-01-02`, `2026-01-02 10:00`, `2026-01-02 10:00:00`, or as computers write it.
fn date(text: &str) -> Result<DateTime<Utc>, Refusal> {
    let whole = text.parse::<DateTime<Utc>>().ok();
    let plain = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let plain = || plain.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN));
    let found = whole.or_else(|| plain().or_else(day).map(|time| time.and_utc()));
    found.ok_or_else(|| wrong(Field::Date, "write a date, such as 2026-01-02 10:00"))
}

fn maybe(field: Field, text: &str) -> Result<Option<Amount>, Refusal> {
    if text.is_empty() { Ok(None) } else { decimal(field, text).map(Some) }
}

/// A number as it is written or as it is shown: `64,250.10`.
fn decimal(field: Field, text: &str) -> Result<Amount, Refusal> {
    let wrong = || wrong(field, "write a number with a dot before the decimals and no commas, such as 0.5");
    // Of `1,500` coins nobody sees afterwards whether they were meant to be one and a half.
    let is_sure = text.contains('.') || text.matches(',').count() != 1;
    let text = without_commas(text).filter(|_| is_sure);
    text.and_then(|text| text.parse().ok()).map(Amount).ok_or_else(wrong)
}

fn wrong(field: Field, words: &str) -> Refusal {
    Refusal { words: words.to_owned(), parameter: Some(field.parameter().to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::portfolio::tests::transaction;

    fn json(draft: &Draft) -> String {
        serde_json::to_string(&draft.request().unwrap()).unwrap()
    }

    #[test]
    fn a_new_one_says_what_is_written_and_leaves_the_rest_to_the_api() {
        let mut draft = Draft::new();
        for (field, text) in
            [(Field::Symbol, " btc "), (Field::Volume, "0.5"), (Field::Value, "32,000.0"), (Field::Date, "2026-01-02")]
        {
            *draft.text_mut(field) = text.to_owned();
        }
        assert_eq!(
            json(&draft),
            r#"{"date":"2026-01-02T00:00:00Z","type":"TRADE","order_type":"BUY","symbol":"BTC","volume":"0.5","value":"32000"}"#
        );
    }

    #[test]
    fn a_change_says_what_is_different_and_an_empty_field_that_nothing_is_known() {
        let mut draft = Draft::of(&transaction(7, "2026-01-02T10:00:00Z", "BUY", "BTC", "0.5", "30000"));
        assert_eq!(json(&draft), "{}");
        *draft.text_mut(Field::Value) = String::new();
        *draft.text_mut(Field::Price) = "60000".to_owned();
        *draft.text_mut(Field::Fee) = String::new();
        assert_eq!(json(&draft), r#"{"price":"60000","value":null,"fee":"0"}"#);
    }

    #[test]
    fn dates_are_read_as_people_write_them_and_what_is_none_is_told() {
        for (text, read) in [
            ("2026-01-02 10:00", "2026-01-02T10:00:00Z"),
            ("2026-01-02 10:00:30.5", "2026-01-02T10:00:30.500Z"),
            ("2026-01-02T10:00:00+02:00", "2026-01-02T08:00:00Z"),
        ] {
            assert_eq!(date(text).unwrap(), read.parse::<DateTime<Utc>>().unwrap(), "{text}");
        }
        assert_eq!(date("yesterday").unwrap_err().parameter.as_deref(), Some("date"));
        let mut draft = Draft::new();
        // A comma may stand before decimals.
        for wrong in ["much", "0,5", "1,5", "64,250", "1,23.5", "1.234,5"] {
            *draft.text_mut(Field::Volume) = wrong.to_owned();
            assert_eq!(draft.request().unwrap_err().parameter.as_deref(), Some("volume"), "{wrong}");
        }
    }
}
