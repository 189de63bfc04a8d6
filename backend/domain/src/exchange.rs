//! Trading venues and what they trade.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A trading venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Lower-case name, unique: `binance`.
    pub name: SmolStr,
    /// Where it is seated, lower-case, if known: `malta`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
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
}

/// Everything that one exchange lists, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// The exchange that lists them.
    pub exchange: Exchange,
    /// What it lists.
    pub instruments: Vec<Instrument>,
}
