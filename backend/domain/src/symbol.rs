//! Coins.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A coin, or a national currency that coins are priced in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Symbol {
    /// The code that markets use, upper-case: `BTC`.
    pub code: SmolStr,
    /// The name that people use, lower-case: `bitcoin`. The lower-case code where no name is known.
    pub name: String,
}
