//! `AssetPairs` and `Assets`: what is listed, under Kraken's own names for coins.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{listings::Listed, settings::DECIMALS};

use super::old_name;

/// The key of a coin: the oldest ones and state money have a letter before their name.
fn key(coin: &str) -> String {
    match old_name(coin) {
        old @ ("XBT" | "XDG" | "ETH" | "XRP" | "LTC") => format!("X{old}"),
        state @ ("USD" | "EUR" | "GBP" | "JPY" | "CAD") => format!("Z{state}"),
        other => other.to_owned(),
    }
}

/// One pair of `AssetPairs`.
pub(super) fn pair(listed: &Listed) -> Value {
    let (symbol, names) = (&listed.symbol, &listed.kraken);
    json!({
        "altname": names.altname,
        "wsname": names.wsname,
        "aclass_base": "currency",
        "base": key(&symbol.base),
        "aclass_quote": "currency",
        "quote": key(&symbol.quote),
        "lot": "unit",
        "cost_decimals": DECIMALS,
        "pair_decimals": symbol.tick_size.normalize().scale(),
        "lot_decimals": symbol.lot_size.normalize().scale(),
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, 0.4]],
        "fees_maker": [[0, 0.25]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": symbol.lot_size.to_string(),
        "costmin": "0.5",
        "tick_size": symbol.tick_size.to_string(),
        "status": if symbol.trading { "online" } else { "cancel_only" },
    })
}

/// Every coin of these pairs.
pub(super) fn assets<'a>(listed: impl Iterator<Item = &'a Listed>) -> Map<String, Value> {
    let coins = listed.flat_map(|listed| [&listed.symbol.base, &listed.symbol.quote]);
    let rows: BTreeMap<String, Value> = coins
        .map(|coin| {
            let row = json!({
                "aclass": "currency",
                "altname": old_name(coin),
                "decimals": 10,
                "display_decimals": 5,
                "status": "enabled",
            });
            (key(coin), row)
        })
        .collect();
    rows.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_coins_and_state_money_have_a_letter_before_their_name() {
        for (coin, expected) in [("BTC", "XXBT"), ("DOGE", "XXDG"), ("USD", "ZUSD"), ("USDT", "USDT"), ("SOL", "SOL")] {
            assert_eq!(key(coin), expected);
        }
    }
}
