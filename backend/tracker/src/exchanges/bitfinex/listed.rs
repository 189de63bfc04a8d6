//! What Bitfinex lists, and what its coins are called elsewhere.
//!
//! It has codes of its own for some coins: `UST` is USDT. It tells them in a map, in which derivatives stand too.

use std::collections::HashMap;

use domain::{Instrument, InstrumentStatus, Steps};
use serde::Deserialize;
use smol_str::SmolStr;

use super::Bitfinex;
use crate::{rest::RestError, wire};

const PAIRS: &str = "/conf/pub:list:pair:exchange";
const NAMES: &str = "/conf/pub:map:currency:sym";
/// The end of a derivative's code: `BTCF0`.
const DERIVATIVE: &str = "F0";
/// The beginning of the codes of what is traded on paper accounts: `TESTBTC`; these are too.
const PAPER: &str = "TEST";
const PAPER_CODES: [&str; 2] = ["AAA", "BBB"];
/// Decimals of a quantity.
const QUANTITY_DECIMALS: i64 = 8;
/// Names that the map may lack.
const KNOWN_NAMES: [(&str, &str); 1] = [("UST", "USDT")];

/// `[["BTCUSD","DUSK:USD"]]`
#[derive(Debug, Deserialize)]
struct Pairs([Vec<SmolStr>; 1]);

/// `[[["UST","USDt"],["IOT","IOTA"]]]`
#[derive(Debug, Deserialize)]
struct Names([Vec<(SmolStr, String)>; 1]);

impl Bitfinex {
    /// Every spot pair that it lists.
    pub(super) async fn listed(&self) -> Result<Vec<Instrument>, RestError> {
        let pairs = self.ask(PAIRS, &[]).await?;
        let Pairs([pairs]) =
            serde_json::from_str(pairs.get()).map_err(|error| self.rest.unreadable(error.to_string()))?;
        let names = match self.ask(NAMES, &[]).await {
            Ok(names) => names_of(names.get()),
            // Whether there is such a map is not certain.
            Err(RestError::Refused { .. }) => names_of("[[]]"),
            Err(error) => return Err(error),
        };
        Ok(pairs.iter().filter_map(|pair| instrument(pair, &names)).collect())
    }
}

fn names_of(text: &str) -> HashMap<SmolStr, SmolStr> {
    let told = match serde_json::from_str(text) {
        Ok(Names([told])) => told,
        Err(error) => {
            tracing::warn!(%error, "Bitfinex's names of coins cannot be read; its own codes are kept");
            Vec::new()
        }
    };
    let known = KNOWN_NAMES.iter().map(|(code, name)| (SmolStr::new_static(code), SmolStr::new_static(name)));
    let told = told.into_iter().map(|(code, name)| (code, SmolStr::from(name.to_uppercase())));
    known.chain(told.filter(|(_, name)| domain::exchange::is_code(name))).collect()
}

/// A pair of the list; `None` for derivatives, for what is traded on paper, and where it cannot be told which coins it is of.
fn instrument(pair: &SmolStr, names: &HashMap<SmolStr, SmolStr>) -> Option<Instrument> {
    let (base, quote) = spot(pair)?;
    let name = |code: &str| names.get(code).cloned().unwrap_or_else(|| code.into());
    // Prices have five significant digits, whatever they are.
    let steps = Steps { price: None, quantity: wire::step_of_decimals(Some(QUANTITY_DECIMALS)) };
    let status = InstrumentStatus::Trading;
    Some(Instrument { ticker: pair.clone(), base: name(base), quote: name(quote), status, steps })
}

/// The codes of a pair of which there is a real market.
pub(super) fn spot(pair: &str) -> Option<(&str, &str)> {
    let (base, quote) = match pair.split_once(':') {
        Some(codes) => codes,
        None if pair.len() == 6 => pair.split_at_checked(3)?,
        None => return None,
    };
    let is_paper = |code: &str| code.starts_with(PAPER) || PAPER_CODES.contains(&code);
    let is_other = pair.contains(DERIVATIVE) || is_paper(base) && is_paper(quote);
    (!is_other && !base.is_empty() && !quote.is_empty()).then_some((base, quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_have_the_names_that_their_coins_have_elsewhere() {
        let names = names_of(r#"[[["UST","USDt"],["IOT","IOTA"],["BAD","no code"],["AAA","TESTAAA"]]]"#);
        for (pair, codes) in [
            ("BTCUSD", Some(("BTC", "USD"))),
            ("IOTUST", Some(("IOTA", "USDT"))),
            ("DUSK:USD", Some(("DUSK", "USD"))),
            ("BADUSD", Some(("BAD", "USD"))),
            ("TESTBTC:TESTUSD", None),
            ("AAABBB", None),
            ("BTCF0:USTF0", None),
            ("BTC", None),
            ("币安人生USD", None),
            (":USD", None),
        ] {
            let listed = instrument(&pair.into(), &names);
            let told = listed.as_ref().map(|listed| (listed.base.as_str(), listed.quote.as_str()));
            assert_eq!(told, codes, "{pair}");
            assert!(listed.is_none_or(|listed| listed.ticker == pair));
        }
        for unreadable in ["[[]]", "{}", "[[[\"UST\"]]]"] {
            assert_eq!(instrument(&"BTCUST".into(), &names_of(unreadable)).unwrap().quote, "USDT");
        }
    }
}
