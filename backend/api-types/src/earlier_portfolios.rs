//! Portfolios in the words of an earlier system: numbers are JSON numbers, and people have a number.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::alerts::{Amount, maybe_amount, number};

/// A transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EarlierTransaction {
    /// Its number.
    #[schema(example = 1)]
    pub id: i64,
    /// Whose it is.
    #[schema(example = 1)]
    pub user_id: i64,
    /// Units of the coin.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = f64, example = 30)]
    pub volume: Option<Amount>,
    /// Code of the coin.
    #[schema(example = "ADA")]
    pub symbol: String,
    /// What all of it cost or brought.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = Option<f64>, example = 50)]
    pub value: Option<Amount>,
    /// What one unit cost, where it was told.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = Option<f64>, example = 1.5)]
    pub price: Option<Amount>,
    /// When it happened.
    pub date: DateTime<Utc>,
    /// Where it was written down first.
    pub source: String,
    /// How it is called there.
    pub source_id: Option<String>,
    /// In what price and value are counted.
    #[schema(example = "EUR")]
    pub currency: String,
    /// `BUY`, `SELL` or `NONE`.
    #[schema(example = "BUY")]
    pub order_type: String,
    /// `TRADE`, `DEPOSIT` or `WITHDRAWAL`.
    #[serde(rename = "type")]
    #[schema(example = "TRADE")]
    pub kind: String,
    /// Whether it can be valued.
    pub is_valid: bool,
    /// Why not; empty where it can.
    pub invalid_reason: String,
    /// In a balance: what it is worth.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = Option<f64>, example = 60)]
    pub converted_value: Option<Amount>,
    /// In a balance: (converted_value − value) / value.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = Option<f64>, example = 0.2)]
    pub roi: Option<Amount>,
}

/// What a transaction is to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EarlierTransactionRequest {
    /// Of one that is changed: its number.
    pub id: Option<i64>,
    /// Whose it is: the number that a balance tells.
    pub user_id: Option<i64>,
    /// Units of the coin.
    #[schema(value_type = Option<f64>, example = 30)]
    pub volume: Option<Amount>,
    /// Code of the coin.
    #[schema(example = "ADA")]
    pub symbol: Option<String>,
    /// What all of it cost or brought.
    #[schema(value_type = Option<f64>, example = 50)]
    pub value: Option<Amount>,
    /// What one unit cost.
    #[schema(value_type = Option<f64>, example = 1.5)]
    pub price: Option<Amount>,
    /// When it happened: RFC 3339, or as a day.
    pub date: Option<String>,
    /// Where it was written down first.
    pub source: Option<String>,
    /// How it is called there; empty for nothing.
    pub source_id: Option<String>,
    /// In what price and value are counted. The account's currency where not said.
    pub currency: Option<String>,
    /// `BUY`, `SELL` or `NONE`.
    #[schema(example = "BUY")]
    pub order_type: Option<String>,
    /// `TRADE` (where not said), `DEPOSIT` or `WITHDRAWAL`.
    #[serde(rename = "type")]
    #[schema(example = "TRADE")]
    pub kind: Option<String>,
}

/// A balance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EarlierBalance {
    /// Whose it is.
    #[schema(example = 1)]
    pub user_id: i64,
    /// In what everything is counted.
    #[schema(example = "EUR")]
    pub converted_currency: String,
    /// What the coins are worth.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = f64, example = 120)]
    pub converted_value: Option<Amount>,
    /// What was paid for what was bought, less what came for what was sold.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = f64, example = 71.182)]
    pub transaction_value: Option<Amount>,
    /// (converted_value − transaction_value) / transaction_value; null where that is zero.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = Option<f64>, example = 0.68)]
    pub roi: Option<Amount>,
    /// When it was computed.
    pub date_time_calculated: DateTime<Utc>,
    /// Transactions until then count.
    pub max_transaction_date: DateTime<Utc>,
    /// Prices of then, or the newest before.
    pub max_symbol_date: DateTime<Utc>,
    /// The transactions, oldest first: the newest ten thousand.
    pub transactions: Vec<EarlierTransaction>,
    /// By coin.
    pub user_grouped_symbol_values: BTreeMap<String, EarlierSymbolValue>,
}

/// A coin of a balance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EarlierSymbolValue {
    /// Units that were bought, less those that were sold.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = f64, example = 20)]
    pub volume: Option<Amount>,
    /// What one unit is worth.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = f64, example = 3)]
    pub price: Option<Amount>,
    /// What was paid, less what came.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = f64, example = 50)]
    pub value_bought: Option<Amount>,
    /// What the coins are worth.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = f64, example = 60)]
    pub converted_value: Option<Amount>,
    /// (converted_value − value_bought) / value_bought; null where that is zero.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = Option<f64>, example = 0.2)]
    pub roi: Option<Amount>,
    /// Its transactions.
    pub user_symbol_values: Vec<EarlierTransaction>,
}
