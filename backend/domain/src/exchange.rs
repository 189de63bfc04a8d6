//! Trading venues and what they trade.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::decimal_text;

/// A trading venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Lower-case name, unique: `binance`.
    pub name: SmolStr,
    /// Where it is seated, lower-case, if known: `malta`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// Whether a text can be the name of an exchange: 1 to 32 of a-z, 0-9 and _. It becomes part of URLs and routing keys.
pub fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=32).contains(&text.len()) && text.bytes().all(is_plain)
}

/// Whether a text can be a ticker or a coin's code: 1 to 64 characters that can be seen. Exchanges do use letters outside
/// ASCII.
pub fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.chars().count()) && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// Whether an instrument can be traded now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstrumentStatus {
    /// Trading goes on.
    Trading,
    /// Listed, but halted by the exchange.
    Halted,
}

impl InstrumentStatus {
    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trading => "trading",
            Self::Halted => "halted",
        }
    }
}

/// A pair that an exchange trades: `BTCUSDT` is the coin `BTC` priced in `USDT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// The exchange's own spelling of the pair, unique on that exchange.
    pub ticker: SmolStr,
    /// Code of the coin that is bought and sold, in the project's spelling.
    pub base: SmolStr,
    /// Code of what it is priced in, in the project's spelling.
    pub quote: SmolStr,
    /// Whether it can be traded now.
    pub status: InstrumentStatus,
    /// How finely it is traded.
    #[serde(flatten)]
    pub steps: Steps,
}

/// The smallest steps of a pair's prices and quantities; `None` where the exchange does not tell, or has no fixed one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// Between two prices, in units of the quote (tick size).
    #[serde(default, with = "decimal_text::option", rename = "price_step", skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// Between two quantities, in units of the base (lot size).
    #[serde(default, with = "decimal_text::option", rename = "quantity_step", skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Decimal>,
}

/// Everything that one exchange lists, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// The exchange that lists them.
    pub exchange: Exchange,
    /// Everything that it lists: what is not here is not listed any more.
    pub instruments: Vec<Instrument>,
    /// When it was asked. Without it nothing is taken for delisted, since a newer catalogue may be known already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<DateTime<Utc>>,
    /// The exchange numbers the trades of each pair without leaving numbers out. Where it does not say, it does.
    #[serde(default = "yes")]
    pub numbers_trades: bool,
}

fn yes() -> bool {
    true
}

impl Catalogue {
    /// What makes the catalogue unusable, if anything does.
    pub fn mistake(&self) -> Option<String> {
        if !is_name(&self.exchange.name) {
            return Some(format!("not the name of an exchange: {:?}", self.exchange.name));
        }
        let is_pair = |one: &&Instrument| is_code(&one.ticker) && is_code(&one.base) && is_code(&one.quote);
        if let Some(broken) = self.instruments.iter().find(|one| !is_pair(one)) {
            return Some(format!("not a pair: {:?}, {:?} in {:?}", broken.ticker, broken.base, broken.quote));
        }
        let is_step = |step: Option<Decimal>| step.is_none_or(|step| step > Decimal::ZERO);
        let broken = self.instruments.iter().find(|one| !is_step(one.steps.price) || !is_step(one.steps.quantity))?;
        Some(format!("{}: steps of prices and quantities are above 0: {:?}", broken.ticker, broken.steps))
    }
}
