//! Portfolios: what was bought and sold, what it is worth, and what it earned.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Problem,
    alerts::{Amount, given},
};

/// A portfolio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortfolioRow {
    /// Its number.
    #[schema(example = 1)]
    pub id: i64,
    /// What its owner calls it.
    #[schema(example = "savings")]
    pub name: String,
    /// In what it is counted where nothing else is said: the code of a currency or coin.
    #[schema(example = "USD")]
    pub currency: String,
    /// Which coins are sold first: `fifo`, `lifo`, `hifo` or `average`.
    #[schema(example = "fifo")]
    pub method: String,
    /// How many transactions it has.
    #[schema(example = 12)]
    pub transactions: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What a portfolio is to be; what is left out is as it is by default, or in a change stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PortfolioRequest {
    /// What its owner calls it: 1 to 100 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "savings")]
    pub name: Option<String>,
    /// In what it is counted. The account's currency where not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "USD")]
    pub currency: Option<String>,
    /// Which coins are sold first: `fifo` (where not said), `lifo`, `hifo` or `average`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "fifo")]
    pub method: Option<String>,
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransactionRow {
    /// Its number.
    #[schema(example = 1)]
    pub id: i64,
    /// When it happened.
    pub date: DateTime<Utc>,
    /// `TRADE`, `DEPOSIT` or `WITHDRAWAL`.
    #[serde(rename = "type")]
    #[schema(example = "TRADE")]
    pub kind: String,
    /// `BUY`, `SELL` or `NONE`.
    #[schema(example = "BUY")]
    pub order_type: String,
    /// Code of the coin.
    #[schema(example = "BTC")]
    pub symbol: String,
    /// Units of the coin.
    #[schema(value_type = String, example = "0.5")]
    pub volume: Decimal,
    /// What one unit cost, where it was told.
    #[schema(value_type = Option<String>, example = "64000")]
    pub price: Option<Decimal>,
    /// What all of it cost or brought, without the fee.
    #[schema(value_type = Option<String>, example = "32000")]
    pub value: Option<Decimal>,
    /// In what price and value are counted.
    #[schema(example = "USD")]
    pub currency: String,
    /// What was paid for it.
    #[schema(value_type = String, example = "16")]
    pub fee: Decimal,
    /// In what.
    pub fee_currency: Option<String>,
    /// Where it was written down first; empty for by hand.
    pub source: String,
    /// How it is called there.
    pub source_id: Option<String>,
    /// What its owner wrote to it.
    pub note: Option<String>,
    /// Whether it can be valued.
    pub is_valid: bool,
    /// Why not; empty where it can.
    pub invalid_reason: String,
    /// When it was written down.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a transaction is to be; what is left out is as it is by default, or in a change stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TransactionRequest {
    /// When it happened: RFC 3339. Now where not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<DateTime<Utc>>,
    /// `TRADE` (where not said), `DEPOSIT` or `WITHDRAWAL`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(example = "TRADE")]
    pub kind: Option<String>,
    /// `BUY` or `SELL`; `NONE` for what is no trade.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "BUY")]
    pub order_type: Option<String>,
    /// Code of the coin.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "BTC")]
    pub symbol: Option<String>,
    /// Units of the coin.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "0.5")]
    pub volume: Option<Amount>,
    /// What one unit cost; null for unknown.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "64000")]
    pub price: Option<Option<Amount>>,
    /// What all of it cost or brought, without the fee. Price times volume where not said.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "32000")]
    pub value: Option<Option<Amount>>,
    /// In what price and value are counted. The portfolio's currency where not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "USD")]
    pub currency: Option<String>,
    /// What was paid for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "16")]
    pub fee: Option<Amount>,
    /// In what. The currency where not said.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub fee_currency: Option<Option<String>>,
    /// Where it was written down first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How it is called there: the same is written down once.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub source_id: Option<Option<String>>,
    /// What its owner writes to it.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub note: Option<Option<String>>,
}

/// A page of transactions, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransactionPage {
    /// How many there are, on all pages.
    pub count: i64,
    /// Where the next page is.
    pub next: Option<String>,
    /// Where the page before is.
    pub previous: Option<String>,
    /// They.
    pub results: Vec<TransactionRow>,
}

/// What a portfolio is worth at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BalanceRow {
    /// In what everything is counted.
    #[schema(example = "USD")]
    pub currency: String,
    /// Transactions until then count.
    pub at: DateTime<Utc>,
    /// Prices of then, or the newest before.
    pub prices_at: DateTime<Utc>,
    /// Which coins are sold first.
    #[schema(example = "fifo")]
    pub method: String,
    /// What the coins are worth.
    #[schema(value_type = String, example = "64000")]
    pub converted_value: Decimal,
    /// What was paid for what was bought, less what came for what was sold; without fees.
    #[schema(value_type = String, example = "60000")]
    pub transaction_value: Decimal,
    /// (converted_value − transaction_value) / transaction_value; null where that is zero, or more came than was paid.
    #[schema(value_type = Option<String>, example = "0.0667")]
    pub roi: Option<Decimal>,
    /// What the coins that are left cost, with fees.
    #[schema(value_type = String, example = "60010")]
    pub cost: Decimal,
    /// What they would earn if they were sold now.
    #[schema(value_type = String, example = "3990")]
    pub unrealised: Decimal,
    /// What those that were sold earned.
    #[schema(value_type = String, example = "0")]
    pub realised: Decimal,
    /// All fees. They are part of cost and of what was earned.
    #[schema(value_type = String, example = "10")]
    pub fees: Decimal,
    /// The coins, those of the highest value first.
    pub positions: Vec<PositionRow>,
    /// Coins without a price in this currency: they count in what was earned by selling and in fees, and in nothing else.
    #[serde(default)]
    pub unpriced: Vec<UnpricedRow>,
    /// Transactions that count nowhere, and why: the first hundred.
    pub invalid: Vec<InvalidRow>,
    /// How many those are.
    pub invalid_count: usize,
    /// How many transactions bring coins in or take them out, which changes nothing here.
    pub transfers: usize,
}

/// A coin of a portfolio of which no price is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnpricedRow {
    /// Its code.
    #[schema(example = "LUNA9")]
    pub symbol: String,
    /// Units that were bought, less those that were sold.
    #[schema(value_type = String, example = "7")]
    pub volume: Decimal,
    /// What they cost, with fees.
    #[schema(value_type = String, example = "21")]
    pub cost: Decimal,
    /// What those that were sold earned.
    #[schema(value_type = String, example = "0")]
    pub realised: Decimal,
    /// How many trades of it there are.
    #[schema(example = 2)]
    pub transactions: usize,
}

/// A coin of a portfolio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PositionRow {
    /// Its code.
    #[schema(example = "BTC")]
    pub symbol: String,
    /// Units that were bought, less those that were sold.
    #[schema(value_type = String, example = "1")]
    pub volume: Decimal,
    /// What one unit is worth.
    #[schema(value_type = String, example = "64000")]
    pub price: Decimal,
    /// When it cost that; null for the currency itself.
    pub price_time: Option<DateTime<Utc>>,
    /// How long that was before the moment that was asked for, in seconds.
    pub price_age_seconds: Option<i64>,
    /// By which pairs that is known.
    #[schema(example = "binance:BTCUSDT 64000 × USDT 1 (assumed)")]
    pub price_path: String,
    /// What was paid, less what came.
    #[schema(value_type = String, example = "60000")]
    pub value_bought: Decimal,
    /// What the coins are worth.
    #[schema(value_type = String, example = "64000")]
    pub converted_value: Decimal,
    /// (converted_value − value_bought) / value_bought; null where that is zero, or more came than was paid.
    #[schema(value_type = Option<String>, example = "0.0667")]
    pub roi: Option<Decimal>,
    /// Its part of the whole value; null where that is zero.
    #[schema(value_type = Option<String>, example = "1")]
    pub share: Option<Decimal>,
    /// What the coins that are left cost, with fees.
    #[schema(value_type = String, example = "60010")]
    pub cost: Decimal,
    /// What they would earn if they were sold now.
    #[schema(value_type = String, example = "3990")]
    pub unrealised: Decimal,
    /// What those that were sold earned.
    #[schema(value_type = String, example = "0")]
    pub realised: Decimal,
    /// All fees of its trades.
    #[schema(value_type = String, example = "10")]
    pub fees: Decimal,
    /// Units that were sold without having been bought; they cost nothing.
    #[schema(value_type = String, example = "0")]
    pub uncovered: Decimal,
}

/// A transaction that counts nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvalidRow {
    /// Its number.
    pub transaction_id: i64,
    /// When it happened.
    pub date: DateTime<Utc>,
    /// Code of its coin.
    pub symbol: String,
    /// Why.
    pub reason: String,
}

/// A portfolio at the end of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ValueRow {
    /// The day, of UTC.
    pub day: NaiveDate,
    /// When the value was taken: the end of the day, or now.
    pub at: DateTime<Utc>,
    /// What the coins were worth.
    #[schema(value_type = String, example = "64000")]
    pub value: Decimal,
    /// What had been paid in until then, less what came out; with fees.
    #[schema(value_type = String, example = "60010")]
    pub paid_in: Decimal,
    /// What one unit of money had become since the first trade, whenever it came and went.
    #[schema(value_type = String, example = "1.0665")]
    pub growth: Decimal,
    /// Coins without a price of a market until then; they count at what they were last traded for.
    pub unpriced: Vec<String>,
}

/// What a portfolio earned in a span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PerformanceRow {
    /// In what everything is counted.
    #[schema(example = "USD")]
    pub currency: String,
    /// The end of this day is where it begins.
    pub from: NaiveDate,
    /// The end of this day, or now, is where it ends.
    pub to: NaiveDate,
    /// What the coins were worth in the beginning.
    #[schema(value_type = String, example = "0")]
    pub value_begin: Decimal,
    /// What they were worth in the end.
    #[schema(value_type = String, example = "64000")]
    pub value_end: Decimal,
    /// What was paid in, less what came out; with fees.
    #[schema(value_type = String, example = "60010")]
    pub paid_in: Decimal,
    /// value_end − value_begin − paid_in.
    #[schema(value_type = String, example = "3990")]
    pub gain: Decimal,
    /// The return of the coins, whenever money came and went: 0.1 for ten percent. Null where nothing was held.
    #[schema(value_type = Option<String>, example = "0.0665")]
    pub time_weighted: Option<Decimal>,
    /// The rate that the owner's money earned over the whole span, each sum since the day on which it came; null where that is no day, or
    /// no rate explains it.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "0.11")]
    pub money_weighted: Option<Decimal>,
    /// The same a year; null also where that is too large to be told, as of much that was earned in few days.
    #[schema(value_type = Option<String>, example = "0.12")]
    pub money_weighted_yearly: Option<Decimal>,
    /// The day of the highest return.
    pub best_day: Option<DayReturn>,
    /// The day of the lowest return.
    pub worst_day: Option<DayReturn>,
    /// The coin of the highest return on what was paid for it, of those that are held at the end.
    pub best_coin: Option<CoinReturn>,
    /// The coin of the lowest.
    pub worst_coin: Option<CoinReturn>,
    /// The same money in another coin.
    pub benchmark: Option<BenchmarkRow>,
    /// Coins without a price of a market at the end; they count at what they were last traded for.
    pub unpriced: Vec<String>,
}

/// A day and its return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayReturn {
    /// The day.
    pub day: NaiveDate,
    /// 0.1 for ten percent.
    #[serde(rename = "return")]
    #[schema(value_type = String, example = "0.021")]
    pub gain: Decimal,
}

/// A coin and its return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CoinReturn {
    /// Its code.
    pub symbol: String,
    /// 0.1 for ten percent.
    #[serde(rename = "return")]
    #[schema(value_type = String, example = "0.021")]
    pub gain: Decimal,
}

/// What the same money would be in another coin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BenchmarkRow {
    /// Its code.
    #[schema(example = "BTC")]
    pub symbol: String,
    /// Its return over the span.
    #[serde(rename = "return")]
    #[schema(value_type = String, example = "0.05")]
    pub gain: Decimal,
    /// What would be there in the end if the value of the beginning, and everything that was paid in, had gone into it at the end of its day,
    /// and everything that came out had been taken from it.
    #[schema(value_type = String, example = "63000")]
    pub value_end: Decimal,
}

/// Coins that were sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DisposalRow {
    /// When they were sold.
    pub sold_at: DateTime<Utc>,
    /// When they had been bought; null where that is not known, and by the mean cost.
    pub bought_at: Option<DateTime<Utc>>,
    /// For how many whole days they were held.
    pub days_held: Option<i64>,
    /// Code of the coin.
    pub symbol: String,
    /// How many.
    #[schema(value_type = String, example = "0.5")]
    pub volume: Decimal,
    /// What they brought, less their part of the fee.
    #[schema(value_type = String, example = "32000")]
    pub proceeds: Decimal,
    /// What they had cost, with their part of the fee.
    #[schema(value_type = String, example = "30000")]
    pub cost: Decimal,
    /// proceeds − cost.
    #[schema(value_type = String, example = "2000")]
    pub gain: Decimal,
    /// In what these are counted.
    pub currency: String,
    /// The transaction that sold them.
    pub sell_id: i64,
    /// The transaction that had bought them.
    pub buy_id: Option<i64>,
    /// Whether they had been bought at all; else they cost nothing.
    pub covered: bool,
}

/// A line of an import that is told while it goes on. The last one holds what became of it, or why it failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportNews {
    /// How far it is.
    Progress(ImportProgress),
    /// What became of it.
    Data(ImportRow),
    /// Why nothing is written.
    Error(Problem),
}

/// How far an import is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportProgress {
    /// `waiting` for others to end, `reading`, or `writing`.
    #[schema(example = "writing")]
    pub stage: String,
    /// Transactions that are written.
    #[schema(example = 30000)]
    pub done: usize,
    /// How many there are, once they are read.
    #[schema(example = 100000)]
    pub of: Option<usize>,
}

/// What became of a file of transactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportRow {
    /// How the file was read: `own`, `binance`, `coinbase` or `kraken`.
    pub format: String,
    /// Whether nothing was written.
    pub preview: bool,
    /// Transactions that were read.
    pub read: usize,
    /// Those that were written down, or would be.
    pub added: usize,
    /// Those that are written down already.
    pub known: usize,
    /// Lines that are left out, for these reasons.
    pub skipped: BTreeMap<String, usize>,
    /// Lines that cannot be read.
    pub mistakes: usize,
    /// Line by line, what they say or what is wrong: all that are wrong before the others, a thousand at most.
    pub lines: Vec<ImportLine>,
}

/// A line of such a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportLine {
    /// Its number; the header is 1.
    pub line: u64,
    /// What it says in a sentence, where it can be read.
    pub says: Option<String>,
    /// Why it is left out.
    pub skipped: Option<String>,
    /// What is wrong with it.
    pub mistakes: Vec<ImportMistake>,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportMistake {
    /// The column.
    pub field: String,
    /// What stands there.
    pub value: String,
    /// Why that cannot be.
    pub detail: String,
    /// What can.
    pub allowed: String,
}
