//! What somebody is told, where, and prices, in the words of an earlier system.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::alerts::{Amount, maybe_amount, number};

/// What is told regularly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EarlierNotification {
    /// Its number: that of the schedule.
    #[schema(example = 2)]
    pub id: i64,
    /// Whose it is.
    #[schema(example = 1)]
    pub user_id: i64,
    /// What they are called.
    #[schema(example = "ada")]
    pub user_name: String,
    /// Where their mail goes.
    pub user_email: Option<String>,
    /// `BALANCE`, `SYMBOL_VALUE_DROP` or `SYMBOL_VALUE_INCREASE`; `SYMBOL_VALUE_CHANGE` for either.
    #[schema(example = "BALANCE")]
    pub notification_type: String,
    /// How often: hours and minutes; `00:00` is once.
    #[schema(example = "24:00")]
    pub check_every: String,
    /// From when on.
    pub start_date: DateTime<Utc>,
    /// Until when.
    pub end_date: Option<DateTime<Utc>>,
    /// Whether it is.
    pub is_active: bool,
    /// Where: null for everywhere.
    #[schema(example = "TELEGRAM")]
    pub channel_type: Option<String>,
    /// By how many percent a coin must have moved at least.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = Option<f64>, example = 5)]
    pub threshold_value: Option<Amount>,
    /// How changes of it are called: its number.
    #[schema(example = "2")]
    pub source_id: String,
}

/// What is to be told regularly.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EarlierNotificationRequest {
    /// Whose it is: the number that a balance tells.
    pub user_id: Option<i64>,
    /// Not used: the account has a name.
    pub user_name: Option<String>,
    /// Not used: the account has an address.
    pub user_email: Option<String>,
    /// `BALANCE`, `SYMBOL_VALUE_DROP` or `SYMBOL_VALUE_INCREASE`.
    #[schema(example = "BALANCE")]
    pub notification_type: Option<String>,
    /// How often, and over how long changes are counted: hours and minutes, 00:01 to 720:00; `00:00` is once.
    #[schema(example = "24:00")]
    pub check_every: Option<String>,
    /// From when on: RFC 3339, or as a day; now where not said.
    pub start_date: Option<String>,
    /// Until when.
    pub end_date: Option<String>,
    /// Whether it is; true where not said.
    pub is_active: Option<bool>,
    /// Where: the kind of a channel that there is. Everywhere where not said.
    #[schema(example = "TELEGRAM")]
    pub channel_type: Option<String>,
    /// By how many percent a coin must have moved at least.
    #[schema(value_type = Option<f64>, example = 5)]
    pub threshold_value: Option<Amount>,
    /// Not used: it is called by its number.
    pub source_id: Option<String>,
}

/// Where somebody is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarlierChannel {
    /// Its number.
    #[schema(example = 3)]
    pub id: i64,
    /// Whose it is.
    #[schema(example = 1)]
    pub user_id: i64,
    /// `TELEGRAM`, `EMAIL` or another kind.
    #[schema(example = "TELEGRAM")]
    pub channel_type: String,
    /// The chat of Telegram's.
    #[schema(example = "123456789")]
    pub chat_id: Option<String>,
    /// The address of mail.
    pub user_email: Option<String>,
    /// How changes of it are called: its number.
    #[schema(example = "3")]
    pub source_id: String,
}

/// Where somebody is to be told.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EarlierChannelRequest {
    /// Whose it is: the number that a balance tells.
    pub user_id: Option<i64>,
    /// `TELEGRAM` or `EMAIL`.
    #[schema(example = "TELEGRAM")]
    pub channel_type: Option<String>,
    /// The chat of Telegram's: a number, or a text.
    #[schema(value_type = Option<String>, example = "123456789")]
    pub chat_id: Option<Value>,
    /// Of TELEGRAM: the token of the bot, which is new here. That of a channel that there is, where not said.
    pub token: Option<String>,
    /// Of EMAIL: the address. The account's where not said.
    pub user_email: Option<String>,
    /// Not used: it is called by its number.
    pub source_id: Option<String>,
}

/// How somebody counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarlierSettings {
    /// Whose settings they are.
    #[schema(example = 1)]
    pub user_id: i64,
    /// The code of a currency or coin.
    #[schema(example = "EUR")]
    pub preferred_currency: String,
    /// How changes of them are called: the account's number.
    #[schema(example = "1")]
    pub source_id: String,
}

/// How somebody wants to count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EarlierSettingsRequest {
    /// Whose settings they are: the number that a balance tells.
    #[serde(alias = "userId")]
    pub user_id: Option<i64>,
    /// The code of a currency or coin.
    #[schema(example = "EUR")]
    pub preferred_currency: Option<String>,
    /// Not used.
    pub source_id: Option<String>,
}

/// What coins cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EarlierPrices {
    /// The coins of which most is traded, 100 at most.
    pub data: Vec<EarlierPrice>,
    /// As of when.
    pub status: EarlierStatus,
}

/// As of when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarlierStatus {
    /// Milliseconds since 1970.
    #[schema(example = 1_795_176_000_000_i64)]
    pub timestamp: i64,
}

/// What a coin costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EarlierPrice {
    /// Its number.
    #[schema(example = 1)]
    pub id: i32,
    /// Its name.
    #[schema(example = "bitcoin")]
    pub name: String,
    /// Its code.
    #[schema(example = "BTC")]
    pub symbol: String,
    /// By the code of the account's currency.
    pub quote: BTreeMap<String, EarlierQuote>,
}

/// A price, and how it moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EarlierQuote {
    /// What one unit costs.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = f64, example = 64000.5)]
    pub price: Option<Amount>,
    /// What was traded of it in 24 hours.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = Option<f64>, example = 1_000_000)]
    pub volume_24h: Option<Amount>,
    /// By how many percent the price moved in an hour.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = Option<f64>, example = 0.5)]
    pub percent_change_1h: Option<Amount>,
    /// In a day.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = Option<f64>, example = -2.5)]
    pub percent_change_24h: Option<Amount>,
    /// In a week.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = Option<f64>, example = 7)]
    pub percent_change_7d: Option<Amount>,
    /// Always null: how many coins there are is not recorded.
    #[schema(value_type = Option<f64>)]
    pub market_cap: Option<Amount>,
    /// When the oldest price was made that this one was computed from.
    pub last_updated: Option<DateTime<Utc>>,
}
