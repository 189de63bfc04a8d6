//! What Kraken's pairs are called: one name on its streams, another by REST.
//!
//! The streams' second version, and so the catalogue here, says `BTC/USD`. REST says `XXBTZUSD`, and tells of each pair how the
//! first version spelled it, `XBT/USD`: that is the second's name, but for the two coins that were renamed.

use std::collections::HashMap;

use domain::{Instrument, InstrumentStatus, Steps};
use smol_str::{SmolStr, format_smolstr};

use super::messages::{AssetPair, AssetPairs};
use crate::wire;

/// Names of all pairs, in both directions.
#[derive(Debug, Default)]
pub(super) struct Names {
    in_rest: HashMap<SmolStr, SmolStr>,
    on_streams: HashMap<SmolStr, SmolStr>,
}

impl Names {
    /// The names of these pairs.
    pub(super) fn of(pairs: &AssetPairs) -> Self {
        let mut names = Self::default();
        for (name, pair) in pairs {
            let Some((base, quote)) = coins(pair) else { continue };
            let ticker = format_smolstr!("{base}/{quote}");
            // Either may be the name under which an answer tells of it.
            names.on_streams.insert(pair.altname.clone(), ticker.clone());
            names.on_streams.insert(name.clone(), ticker.clone());
            names.in_rest.insert(ticker, name.clone());
        }
        names
    }

    /// What REST calls a pair.
    pub(super) fn in_rest(&self, ticker: &str) -> Option<&SmolStr> {
        self.in_rest.get(ticker)
    }

    /// The ticker of what REST calls so.
    pub(super) fn ticker(&self, name: &str) -> Option<&SmolStr> {
        self.on_streams.get(name)
    }

    /// Whether nothing is known yet.
    pub(super) fn is_empty(&self) -> bool {
        self.in_rest.is_empty()
    }
}

/// A pair as it is listed; `None` for those that are not streamed, such as those of the dark pool.
pub(super) fn instrument(pair: &AssetPair) -> Option<Instrument> {
    let (base, quote) = coins(pair)?;
    let status = match pair.status.as_deref() {
        // Orders meet in these; in the others, such as cancel_only and post_only, none do.
        None | Some("online" | "limit_only" | "reduce_only") => InstrumentStatus::Trading,
        Some(_) => InstrumentStatus::Halted,
    };
    let steps = Steps {
        price: pair.tick_size.0.or_else(|| wire::step_of_decimals(pair.pair_decimals)),
        quantity: wire::step_of_decimals(pair.lot_decimals),
    };
    Some(Instrument { ticker: format_smolstr!("{base}/{quote}"), base, quote, status, steps })
}

fn coins(pair: &AssetPair) -> Option<(SmolStr, SmolStr)> {
    let (base, quote) = pair.wsname.as_deref()?.split_once('/')?;
    Some((coin(base), coin(quote)))
}

/// A coin as everybody else calls it. What Kraken calls UST is not Tether, but a coin of that name.
fn coin(name: &str) -> SmolStr {
    match name {
        "XBT" => "BTC".into(),
        "XDG" => "DOGE".into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: &str = r#"{
        "XXBTZUSD": {"altname": "XBTUSD", "wsname": "XBT\/USD", "base": "XXBT", "quote": "ZUSD", "status": "online"},
        "XDGXBT": {"altname": "XDGXBT", "wsname": "XDG/XBT", "base": "XXDG", "quote": "XXBT", "status": "post_only"},
        "AAVEAUD": {"altname": "AAVEAUD", "wsname": "AAVE/AUD", "base": "AAVE", "quote": "ZAUD"},
        "XXBTZEUR.d": {"altname": "XBTEUR.d", "base": "XXBT", "quote": "ZEUR", "status": "online"}
    }"#;

    #[test]
    fn pairs_are_listed_as_the_streams_call_them() {
        let pairs: AssetPairs = serde_json::from_str(PAIRS).unwrap();
        let mut listed: Vec<Instrument> = pairs.values().filter_map(instrument).collect();
        listed.sort_by(|one, next| one.ticker.cmp(&next.ticker));
        let told: Vec<_> =
            listed.iter().map(|one| (one.ticker.as_str(), one.base.as_str(), one.quote.as_str(), one.status)).collect();
        let (trading, halted) = (InstrumentStatus::Trading, InstrumentStatus::Halted);
        assert_eq!(
            told,
            [
                ("AAVE/AUD", "AAVE", "AUD", trading),
                ("BTC/USD", "BTC", "USD", trading),
                ("DOGE/BTC", "DOGE", "BTC", halted)
            ]
        );
    }

    #[test]
    fn each_name_is_found_by_the_other() {
        let names = Names::of(&serde_json::from_str(PAIRS).unwrap());
        assert_eq!(names.in_rest("BTC/USD").unwrap(), "XXBTZUSD");
        for name in ["XXBTZUSD", "XBTUSD"] {
            assert_eq!(names.ticker(name).unwrap(), "BTC/USD");
        }
        assert!(names.in_rest("XBT/USD").is_none() && names.ticker("XXBTZEUR.d").is_none());
        assert!(!names.is_empty() && Names::default().is_empty());
    }
}
