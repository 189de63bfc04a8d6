//! Notifications: where somebody is told, how, what was told, and what is told regularly.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::alerts::{Amount, given};

/// A channel, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelRow {
    /// Its number.
    #[schema(example = 3)]
    pub id: i64,
    /// What its owner calls it.
    #[schema(example = "phone")]
    pub name: String,
    /// `email`, `webhook`, `slack`, `telegram`, `discord`, `pagerduty`, `desktop` or `console`.
    #[schema(example = "telegram")]
    pub kind: String,
    /// Where to; in the place of secrets stands `…`.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// Whether anything is sent there.
    pub active: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When something last arrived there.
    pub last_sent_at: Option<DateTime<Utc>>,
    /// Why the last message did not.
    pub last_error: Option<String>,
}

/// A channel to be made. Which settings a kind has is in docs/NOTIFICATIONS.md.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    /// What its owner calls it: 1 to 100 characters.
    #[schema(example = "phone")]
    pub name: String,
    /// What it is.
    #[schema(example = "telegram")]
    pub kind: String,
    /// Address and secrets.
    #[serde(default = "nothing")]
    #[schema(value_type = Object)]
    pub settings: Value,
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

/// What is to be different about a channel; what is left out stays. Settings are given whole.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelChange {
    /// What its owner calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address and secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Value>,
    /// Whether anything is sent there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

/// A notification that is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Queued {
    /// Its name, which the message bears.
    #[schema(example = "4f1c5f0e-6a0e-4d0f-8a3c-0d2f6c5f7b11")]
    pub id: String,
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotificationRow {
    /// Its name, which the message bears.
    #[schema(example = "4f1c5f0e-6a0e-4d0f-8a3c-0d2f6c5f7b11")]
    pub id: String,
    /// The channel's number.
    pub channel: i64,
    /// What it tells; null for a test.
    pub said: Option<String>,
    /// The firing that it tells, where it is one.
    pub firing: Option<i64>,
    /// `waiting`, `sent`, or `failed` after too many tries.
    #[schema(example = "sent")]
    pub state: String,
    /// Since when it waits.
    pub created_at: DateTime<Utc>,
    /// When it is tried next.
    pub due_at: DateTime<Utc>,
    /// When it arrived.
    pub sent_at: Option<DateTime<Utc>>,
    /// How often it was tried.
    pub attempts: i32,
    /// Why the last try failed.
    pub error: Option<String>,
    /// The name of the message that it went in: its own, or that of several together.
    pub message: Option<String>,
}

/// How somebody wants to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreferenceRow {
    /// How many messages a channel gets in a minute; beyond, several go in one.
    #[schema(example = 10)]
    pub messages_per_minute: i32,
    /// Since when nothing is sent, on the account's own clocks; null for never.
    #[schema(example = "22:00")]
    pub quiet_from: Option<String>,
    /// Until when.
    #[schema(example = "07:30")]
    pub quiet_to: Option<String>,
    /// Template of subjects; null for ours.
    #[schema(example = "{ticker}: {price}")]
    pub subject: Option<String>,
    /// Template of texts; null for ours.
    pub body: Option<String>,
}

/// What is to be different about how somebody is told; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PreferenceChange {
    /// How many messages a channel gets in a minute: 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_per_minute: Option<i32>,
    /// Since when nothing is sent, HH:MM; null for never.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub quiet_from: Option<Option<String>>,
    /// Until when, HH:MM.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub quiet_to: Option<Option<String>>,
    /// Template of subjects; null for ours.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub subject: Option<Option<String>>,
    /// Template of texts; null for ours.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub body: Option<Option<String>>,
}

/// What templates make of something that might have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplatePreview {
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// A pair, by its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PairName {
    /// The exchange.
    #[schema(example = "binance")]
    pub exchange: String,
    /// The exchange's own spelling of the pair.
    #[schema(example = "BTCUSDT")]
    pub ticker: String,
}

/// What is told regularly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleRow {
    /// Its number.
    #[schema(example = 2)]
    pub id: i64,
    /// What its owner calls it.
    #[schema(example = "the morning's movers")]
    pub name: String,
    /// Which pairs it tells: those that `rose`, `fell`, or either (`moved`); or the `balance` of a portfolio.
    #[schema(example = "moved")]
    pub kind: String,
    /// Of a `balance`: the portfolio's number.
    pub portfolio: Option<i64>,
    /// By how many percent at least; 0 for a balance.
    #[schema(value_type = String, example = "5")]
    pub threshold_percent: Decimal,
    /// How often, and over how long changes are counted: hours and minutes.
    #[schema(example = "24:00")]
    pub every: String,
    /// From when on.
    pub starts_at: DateTime<Utc>,
    /// Until when; null for ever.
    pub ends_at: Option<DateTime<Utc>>,
    /// Whether it is.
    pub active: bool,
    /// The pairs; null for all that are recorded.
    pub pairs: Option<Vec<PairName>>,
    /// The numbers of the channels that tell it; null for all active ones.
    pub channels: Option<Vec<i64>>,
    /// When it is computed next; null when it is over.
    pub next_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What is to be told regularly. In a change, what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleRequest {
    /// What its owner calls it: 1 to 100 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "the morning's movers")]
    pub name: Option<String>,
    /// Which pairs it tells: those that `rose`, `fell`, or either (`moved`); or the `balance` of a portfolio.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "moved")]
    pub kind: Option<String>,
    /// Of a `balance`: the portfolio's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub portfolio: Option<i64>,
    /// By how many percent at least: 0 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "5")]
    pub threshold_percent: Option<Amount>,
    /// How often, and over how long changes are counted: hours and minutes, 00:01 to 720:00.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "24:00")]
    pub every: Option<String>,
    /// From when on; now where not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// Until when; null for ever.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub ends_at: Option<Option<DateTime<Utc>>>,
    /// Whether it is; true where not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// The pairs, 200 at most; null for all that are recorded.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<PairName>>)]
    pub pairs: Option<Option<Vec<PairName>>>,
    /// The numbers of the channels that tell it; null for all active ones.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<i64>>)]
    pub channels: Option<Option<Vec<i64>>>,
}

/// What a schedule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComputedRow {
    /// For which of its times.
    pub at: DateTime<Utc>,
    /// It in a sentence.
    #[schema(example = "2 pairs moved by 5 % or more in 24 h: …")]
    pub said: String,
    /// The pairs, those that moved most first: `exchange`, `ticker`, `from`, `to` and `percent` of each; null for a balance.
    #[schema(value_type = Option<Vec<Object>>)]
    pub pairs: Option<Value>,
    /// The balance: `converted_value`, what that was `before`, `positions` and more; null for pairs.
    #[schema(value_type = Option<Object>)]
    pub balance: Option<Value>,
}
