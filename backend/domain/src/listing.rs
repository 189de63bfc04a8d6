//! A list of coins as a service that compares exchanges tells it: half of a top list, either what coins cost or in which order
//! they stand.
//!
//! Coins carry CoinMarketCap's numbers, whoever tells of them, so that halves of two services can be joined. A list belongs to
//! the minute in which it was fetched; of each minute, source and half there is one.

use std::{collections::HashSet, fmt};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

use crate::{
    columns, decimal_text, exchange,
    top_list::{CoinKey, Listing, Numbering},
};

/// How many coins one list may hold.
pub const MOST_COINS: usize = 10_000;

/// Name of CoinMarketCap, which tells prices.
pub const COIN_MARKET_CAP: &str = "coinmarketcap";
/// Name of CryptoCompare, which tells ranks.
pub const CRYPTO_COMPARE: &str = "cryptocompare";

/// Which half of a top list it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Half {
    /// What coins cost, in US dollars.
    Prices,
    /// In which order they stand, best first.
    Ranks,
}

impl Half {
    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prices => "prices",
            Self::Ranks => "ranks",
        }
    }
}

impl fmt::Display for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One coin of a list. In JSON it is a row: number, code, price as a string or null. Elements behind them are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCoin {
    /// CoinMarketCap's number of it.
    pub id: i32,
    /// Its code: `BTC`. Codes are not unique.
    pub symbol: SmolStr,
    /// What it costs in US dollars; of ranks, none.
    pub price: Option<Decimal>,
}

#[derive(Serialize, Deserialize)]
struct Row(i32, SmolStr, #[serde(with = "decimal_text::option")] Option<Decimal>);

impl columns::Row for ListedCoin {
    const COLUMNS: &'static [&'static str] = &["id", "symbol", "price"];
}

impl Serialize for ListedCoin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Row(self.id, self.symbol.clone(), self.price).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ListedCoin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Row(id, symbol, price) = columns::read::<Self, Row, D>(deserializer)?;
        Ok(Self { id, symbol, price })
    }
}

impl ListedCoin {
    /// What makes the coin unfit for this half, if anything.
    pub fn mistake(&self, half: Half) -> Option<&'static str> {
        if self.id < 1 {
            Some("id_not_positive")
        } else if !exchange::is_code(&self.symbol) {
            Some("symbol_malformed")
        } else {
            match (half, self.price) {
                (Half::Prices, None) => Some("price_missing"),
                (Half::Prices, Some(price)) if price <= Decimal::ZERO => Some("price_not_positive"),
                (Half::Ranks, Some(_)) => Some("price_among_ranks"),
                _ => None,
            }
        }
    }

    fn key(&self) -> CoinKey {
        CoinKey { id: self.id.into(), symbol: self.symbol.clone() }
    }
}

/// One half of a top list, as fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingReport {
    /// Who tells it: `coinmarketcap`.
    pub source: SmolStr,
    /// Which half.
    pub half: Half,
    /// When it was fetched.
    pub at: DateTime<Utc>,
    /// The coins; of ranks, best first.
    pub coins: Vec<ListedCoin>,
}

impl ListingReport {
    /// The minute to which it belongs.
    pub fn minute(&self) -> DateTime<Utc> {
        self.at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(self.at)
    }

    /// What makes the list unfit for storing, if anything.
    pub fn mistake(&self) -> Option<String> {
        if !exchange::is_name(&self.source) {
            return Some(format!("source {:?} is no name: 1 to 32 of a-z, 0-9 and _", self.source));
        }
        if self.coins.len() > MOST_COINS {
            return Some(format!("{} coins; a list has at most {MOST_COINS}", self.coins.len()));
        }
        let mut met = HashSet::new();
        self.coins.iter().enumerate().find_map(|(index, coin)| {
            let again = || (!met.insert((coin.id, &coin.symbol))).then_some("told_twice");
            let reason = coin.mistake(self.half).or_else(again)?;
            Some(format!("coin {index} ({} {}): {reason}", coin.id, coin.symbol))
        })
    }

    /// What coins cost, for a top list.
    pub fn prices(&self) -> Listing<Decimal> {
        let coins = self.coins.iter().filter_map(|coin| Some((coin.key(), coin.price?))).collect();
        Listing { at: self.minute(), numbering: Numbering::CoinMarketCap, coins }
    }

    /// In which order they stand, for a top list.
    pub fn ranks(&self) -> Listing<()> {
        let coins = self.coins.iter().map(|coin| (coin.key(), ())).collect();
        Listing { at: self.minute(), numbering: Numbering::CoinMarketCap, coins }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coin(id: i32, symbol: &str, price: Option<&str>) -> ListedCoin {
        ListedCoin { id, symbol: symbol.into(), price: price.map(|price| price.parse().unwrap()) }
    }

    fn report(half: Half, coins: Vec<ListedCoin>) -> ListingReport {
        ListingReport { source: COIN_MARKET_CAP.into(), half, at: "2026-11-20T12:00:02.5Z".parse().unwrap(), coins }
    }

    #[test]
    fn a_list_is_rows_and_survives_json() {
        let prices = report(Half::Prices, vec![coin(1, "BTC", Some("64250.010000000001"))]);
        let json = serde_json::to_string(&prices).unwrap();
        assert_eq!(
            json,
            r#"{"source":"coinmarketcap","half":"prices","at":"2026-11-20T12:00:02.500Z","coins":[[1,"BTC","64250.010000000001"]]}"#
        );
        assert_eq!(serde_json::from_str::<ListingReport>(&json).unwrap(), prices);
        let grown = json.replace("\"]]", "\",\"new\"]]");
        assert_eq!(serde_json::from_str::<ListingReport>(&grown).unwrap(), prices);
        let as_number = json.replace("\"64250.010000000001\"", "64250.01");
        assert!(serde_json::from_str::<ListingReport>(&as_number).is_err(), "a price is text");
        assert_eq!(prices.minute(), "2026-11-20T12:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!(prices.mistake(), None);
    }

    #[test]
    fn each_unfit_list_is_refused_with_its_reason() {
        let good = || coin(1, "BTC", Some("1"));
        for (reason, half, bad) in [
            ("id_not_positive", Half::Prices, coin(0, "BTC", Some("1"))),
            ("symbol_malformed", Half::Prices, coin(2, "B TC", Some("1"))),
            ("price_missing", Half::Prices, coin(2, "BTC", None)),
            ("price_not_positive", Half::Prices, coin(2, "BTC", Some("0"))),
            ("told_twice", Half::Prices, good()),
        ] {
            let mistake = report(half, vec![good(), bad]).mistake().unwrap();
            assert!(mistake.contains("coin 1 ") && mistake.contains(reason), "{mistake}");
        }
        assert!(report(Half::Ranks, vec![good()]).mistake().unwrap().contains("price_among_ranks"));
        assert_eq!(report(Half::Ranks, vec![coin(1, "BTC", None), coin(1, "WBTC", None)]).mistake(), None);
        let nameless = ListingReport { source: "Coin Market".into(), ..report(Half::Ranks, Vec::new()) };
        assert!(nameless.mistake().unwrap().contains("Coin Market"));
        let long = report(Half::Ranks, vec![coin(1, "A", None); MOST_COINS + 1]);
        assert!(long.mistake().unwrap().contains("at most 10000"));
    }
}
