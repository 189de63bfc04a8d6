//! What coins and currencies were worth.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What something was worth at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorthRow {
    /// Its code.
    #[schema(example = "BTC")]
    pub symbol: String,
    /// What one unit was worth; null where that is not known.
    #[schema(value_type = Option<String>, example = "64000")]
    pub price: Option<Decimal>,
    /// In what.
    #[schema(example = "USD")]
    pub currency: String,
    /// When the oldest price on the way was made.
    pub time: Option<DateTime<Utc>>,
    /// How long that was before the moment, in seconds.
    pub age_seconds: Option<i64>,
    /// By which pairs it is known.
    pub path: Option<String>,
    /// The price at the other moment, where one was asked for.
    #[schema(value_type = Option<String>, example = "60000")]
    pub past_price: Option<Decimal>,
    /// (price − past_price) / price, as an earlier system counted it; null where one of them is not known.
    #[schema(value_type = Option<String>, example = "0.0625")]
    pub change: Option<Decimal>,
    /// (price − past_price) / past_price.
    #[schema(value_type = Option<String>, example = "0.0667")]
    pub growth: Option<Decimal>,
}

/// What a currency was worth, from a day on until the next that is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RateRow {
    /// The currency of which there is one unit.
    #[schema(example = "EUR")]
    pub base: String,
    /// The currency in which that is counted.
    #[schema(example = "CHF")]
    pub quote: String,
    /// From the beginning of this day (UTC) on.
    #[schema(value_type = String, format = Date, example = "2026-11-20")]
    pub day: NaiveDate,
    /// Units of the quote for one of the base.
    #[schema(value_type = String, example = "0.9312")]
    pub rate: Decimal,
    /// Who says so.
    #[schema(example = "frankfurter")]
    pub source: String,
}
