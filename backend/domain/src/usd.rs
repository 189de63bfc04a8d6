//! What things are worth in US dollars, or in another currency or coin, by a path that can be told.
//!
//! A thing's dollar price is, in this order: that of its pair with USD; its price in USDT, in USDC, in BTC or in EUR times what these
//! are worth in dollars; or the same by a pair that is listed the other way round. Where nobody trades USDT against USD, a
//! USDT counts as one dollar, and the path says so; the same where nobody has for two days, while others are traded against USDT. Of several pairs that say the same, the one with the most turnover counts. A path that
//! is more than two days older than another is the last choice.
//!
//! Its price in anything else is that of the pair of the two, either way round; where nobody trades that, what the one is worth in
//! dollars divided by what the other is worth.
//!
//! Rates that banks tell serve what no market tells: a code that is traded is worth what it is traded for, since coins may be called
//! like currencies. Of EUR, in which they are counted, a rate counts where the markets' price is more than two days older.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use smol_str::SmolStr;

use crate::rounding::significant;

/// A path whose prices are so much older than those of another leads over a market that is not recorded any more.
const OUTDATED: TimeDelta = TimeDelta::days(2);

/// How many digits a price keeps that was computed. One that was only read keeps all of its own.
const DIGITS: u32 = 12;

/// A pair and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricedPair {
    /// Code of what is bought and sold.
    pub base: SmolStr,
    /// Code of what it is priced in.
    pub quote: SmolStr,
    /// How people tell it from others: `binance:BTCUSDT`.
    pub name: SmolStr,
    /// Units of the quote for one of the base; above 0.
    pub price: Decimal,
    /// Units of the quote that changed hands lately.
    pub quote_volume: Decimal,
    /// When it cost that.
    pub time: DateTime<Utc>,
    /// It is no market's price but what a bank tells.
    pub is_rate: bool,
}

/// What one unit of something is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsdPrice {
    /// In US dollars, or in what was asked for.
    pub price: Decimal,
    /// The pairs by which it is known, each with its price: `binance:ETHBTC 0.05 × binance:BTCUSDT 64000 × USDT 1 (assumed)`.
    pub path: String,
    /// When the oldest of these prices was made; `None` where there is none.
    pub time: Option<DateTime<Utc>>,
}

impl UsdPrice {
    /// What is worth that of itself.
    fn itself() -> Self {
        Self { price: Decimal::ONE, path: String::new(), time: None }
    }
}

/// What everything is worth that some pairs tell of.
#[derive(Debug, Default)]
pub struct UsdPrices {
    /// The pair of the most turnover for each base and quote.
    pairs: Pairs,
    /// What banks tell.
    rates: Pairs,
    known: HashMap<SmolStr, UsdPrice>,
}

/// By base and quote.
type Pairs = HashMap<(SmolStr, SmolStr), PricedPair>;

const USD: &str = "USD";
const EUR: &str = "EUR";
/// Through what prices are told that have no pair with dollars.
const HUBS: [&str; 4] = ["USDT", "USDC", "BTC", EUR];

impl UsdPrices {
    /// Learns from pairs.
    pub fn new(pairs: impl IntoIterator<Item = PricedPair>) -> Self {
        let mut prices = Self::default();
        for pair in pairs {
            let key = (pair.base.clone(), pair.quote.clone());
            let better = |known: &PricedPair| (pair.quote_volume, &known.name) > (known.quote_volume, &pair.name);
            let told = if pair.is_rate { &mut prices.rates } else { &mut prices.pairs };
            if told.get(&key).is_none_or(better) {
                told.insert(key, pair);
            }
        }
        let newest_in_usdt = prices
            .pairs
            .values()
            .filter(|pair| pair.quote == "USDT" || pair.base == "USDT")
            .map(|pair| pair.time)
            .max();
        let is_recorded =
            |usdt: &UsdPrice| usdt.time.zip(newest_in_usdt).is_none_or(|(time, newest)| newest - time <= OUTDATED);
        let usdt = step(&prices.pairs, "USDT", USD, &UsdPrice::itself()).filter(is_recorded);
        let assumed = || UsdPrice { path: "USDT 1 (assumed)".to_owned(), ..UsdPrice::itself() };
        prices.known.insert(USD.into(), UsdPrice::itself());
        prices.known.insert("USDT".into(), usdt.unwrap_or_else(assumed));
        for hub in ["USDC", "BTC"] {
            if let Some(price) = prices.find(hub) {
                prices.known.insert(hub.into(), price);
            }
        }
        let rate = step(&prices.rates, EUR, USD, &UsdPrice::itself());
        if let Some(price) = first_of(prices.find(EUR).into_iter().chain(rate)) {
            prices.known.insert(EUR.into(), price);
        }
        prices
    }

    /// What one unit of this is worth; `None` where no path leads to dollars.
    pub fn of(&self, code: &str) -> Option<UsdPrice> {
        self.known.get(code).cloned().or_else(|| self.find(code)).or_else(|| self.find_by_rates(code))
    }

    /// What one unit of this is worth in units of `currency`; `None` where no path leads there.
    pub fn of_in(&self, code: &str, currency: &str) -> Option<UsdPrice> {
        if code == currency {
            return Some(UsdPrice::itself());
        }
        if currency == USD {
            return self.of(code);
        }
        let direct = step(&self.pairs, code, currency, &UsdPrice::itself());
        // What is traded is no currency of the same name.
        let is_told = |quote: &str, base: &str| [USD, EUR].contains(&base) && !self.is_traded(quote);
        let by_rate = step(&self.rates, code, currency, &UsdPrice::itself())
            .filter(|_| is_told(code, currency) || is_told(currency, code));
        let by_dollars = || {
            let (code, currency) = (self.of(code)?, self.of(currency)?);
            let price = if currency.price == Decimal::ONE {
                code.price
            } else {
                rounded(code.price.checked_div(currency.price)?)
            };
            let path = match (code.path.is_empty(), currency.path.is_empty()) {
                (_, true) => code.path,
                (true, false) => format!("1 / ({})", currency.path),
                (false, false) => format!("{} / ({})", code.path, currency.path),
            };
            let time = code.time.into_iter().chain(currency.time).min();
            (price > Decimal::ZERO).then_some(UsdPrice { price, path, time })
        };
        first_of(direct.into_iter().chain(by_rate).chain(by_dollars()))
    }

    /// By markets alone.
    fn find(&self, code: &str) -> Option<UsdPrice> {
        let hubs = [USD].into_iter().chain(HUBS).filter(|hub| *hub != code);
        first_of(hubs.filter_map(|hub| step(&self.pairs, code, hub, self.known.get(hub)?)))
    }

    /// By what banks tell, in dollars or in euro.
    fn find_by_rates(&self, code: &str) -> Option<UsdPrice> {
        first_of([USD, EUR].into_iter().filter_map(|base| step(&self.rates, code, base, self.known.get(base)?)))
    }

    fn is_traded(&self, code: &str) -> bool {
        code == USD || self.find(code).is_some()
    }
}

/// By the pair of `code` and `hub`, either way round.
fn step(pairs: &Pairs, code: &str, hub: &str, worth: &UsdPrice) -> Option<UsdPrice> {
    let pair = |base: &str, quote: &str| pairs.get(&(SmolStr::new(base), SmolStr::new(quote)));
    let (price, name, time) = if let Some(pair) = pair(code, hub) {
        let price =
            if worth.price == Decimal::ONE { pair.price } else { rounded(pair.price.checked_mul(worth.price)?) };
        (price, format!("{} {}", pair.name, pair.price.normalize()), pair.time)
    } else {
        let pair = pair(hub, code)?;
        let price = rounded(worth.price.checked_div(pair.price)?);
        (price, format!("1 / {} {}", pair.name, pair.price.normalize()), pair.time)
    };
    let path = if worth.path.is_empty() { name } else { format!("{name} × {}", worth.path) };
    let time = Some(worth.time.map_or(time, |worth| worth.min(time)));
    (price > Decimal::ZERO).then_some(UsdPrice { price, path, time })
}

/// The first of several paths that is not much older than the newest of them.
fn first_of(paths: impl Iterator<Item = UsdPrice>) -> Option<UsdPrice> {
    let paths: Vec<UsdPrice> = paths.collect();
    let newest = paths.iter().filter_map(|path| path.time).max();
    let is_outdated = |path: &UsdPrice| path.time.zip(newest).is_some_and(|(time, newest)| newest - time > OUTDATED);
    paths.into_iter().find(|path| !is_outdated(path))
}

fn rounded(price: Decimal) -> Decimal {
    significant(price, DIGITS).normalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, price: &str, quote_volume: i64) -> PricedPair {
        let (base, quote) = name.rsplit_once(':').unwrap().1.split_once('/').unwrap();
        PricedPair {
            base: base.into(),
            quote: quote.into(),
            name: name.into(),
            price: price.parse().unwrap(),
            quote_volume: quote_volume.into(),
            time: DateTime::from_timestamp(quote_volume, 0).unwrap(),
            is_rate: false,
        }
    }

    fn rate(name: &str, price: &str, seconds: i64) -> PricedPair {
        PricedPair { is_rate: true, ..pair(name, price, seconds) }
    }

    fn told(prices: &UsdPrices, code: &str) -> String {
        prices.of(code).map_or("none".to_owned(), |price| format!("{} by {}", price.price, price.path))
    }

    #[test]
    fn the_path_is_the_documented_one() {
        let binance = [
            pair("b:BTC/USDT", "64000.00", 9),
            pair("b:ETH/BTC", "0.05", 9),
            pair("b:ETH/USDT", "3210.10", 9),
            pair("b:RARE/BTC", "0.00001", 9),
            pair("b:USDT/TRY", "40", 9),
            pair("b:LOST/XYZ", "1", 9),
        ];
        let prices = UsdPrices::new(binance.clone());
        assert_eq!(told(&prices, "BTC"), "64000.00 by b:BTC/USDT 64000 × USDT 1 (assumed)");
        assert_eq!(told(&prices, "ETH"), "3210.10 by b:ETH/USDT 3210.1 × USDT 1 (assumed)");
        assert_eq!(told(&prices, "RARE"), "0.64 by b:RARE/BTC 0.00001 × b:BTC/USDT 64000 × USDT 1 (assumed)");
        assert_eq!(told(&prices, "TRY"), "0.025 by 1 / b:USDT/TRY 40 × USDT 1 (assumed)");
        assert_eq!(told(&prices, "LOST"), "none");
        assert_eq!(told(&prices, "USD"), "1 by ");
        // What is not recorded any more is the last choice, and no choice of another is no choice at all.
        let old =
            |name: &str, price: &str| PricedPair { time: DateTime::UNIX_EPOCH - OUTDATED, ..pair(name, price, 99) };
        let outdated = UsdPrices::new(binance.clone().into_iter().chain([
            old("k:ETH/USD", "1"),
            old("k:ETH/EUR", "2"),
            old("k:OLD/USD", "3"),
        ]));
        assert_eq!(told(&outdated, "ETH"), "3210.10 by b:ETH/USDT 3210.1 × USDT 1 (assumed)");
        assert_eq!(told(&outdated, "OLD"), "3 by k:OLD/USD 3");
        // Where USDT is not traded against dollars any more, either, that does not make old what is counted in it.
        let old_exchange = [old("k:BTC/USD", "40000"), old("k:USDT/USD", "0.9")];
        let outdated = UsdPrices::new(binance.clone().into_iter().chain(old_exchange));
        assert_eq!(told(&outdated, "BTC"), "64000.00 by b:BTC/USDT 64000 × USDT 1 (assumed)");
        // With dollars somewhere, nothing is assumed, and a direct pair comes first.
        let more = [pair("k:USDT/USD", "0.999", 9), pair("k:ETH/USD", "3200.5", 1), pair("k:BTC/USDT", "63999", 10)];
        let prices = UsdPrices::new(binance.into_iter().chain(more));
        assert_eq!(told(&prices, "ETH"), "3200.5 by k:ETH/USD 3200.5");
        assert_eq!(told(&prices, "BTC"), "63935.001 by k:BTC/USDT 63999 × k:USDT/USD 0.999");
    }

    #[test]
    fn rates_serve_what_no_market_tells_and_coins_that_are_called_like_currencies_keep_their_price() {
        let markets = [pair("b:EUR/USDT", "1.16", 9), pair("b:RON/USDT", "0.2", 9), pair("k:RARE/EUR", "2", 9)];
        let rates = [rate("ecb:EUR/USD", "1.1", 5), rate("ecb:EUR/RON", "5", 5), rate("ecb:EUR/CHF", "0.8", 5)];
        let prices = UsdPrices::new(markets.clone().into_iter().chain(rates.clone()));
        assert_eq!(told(&prices, "EUR"), "1.16 by b:EUR/USDT 1.16 × USDT 1 (assumed)", "a market is nearer to now");
        assert_eq!(told(&prices, "RON"), "0.2 by b:RON/USDT 0.2 × USDT 1 (assumed)", "the coin");
        assert_eq!(told(&prices, "RARE"), "2.32 by k:RARE/EUR 2 × b:EUR/USDT 1.16 × USDT 1 (assumed)");
        assert_eq!(told(&prices, "CHF"), "1.45 by 1 / ecb:EUR/CHF 0.8 × b:EUR/USDT 1.16 × USDT 1 (assumed)");
        let told_in = |prices: &UsdPrices, code, currency| {
            prices.of_in(code, currency).map(|worth| format!("{} by {}", worth.price, worth.path)).unwrap_or_default()
        };
        assert_eq!(told_in(&prices, "CHF", "EUR"), "1.25 by 1 / ecb:EUR/CHF 0.8");
        assert_eq!(told_in(&prices, "EUR", "CHF"), "0.8 by ecb:EUR/CHF 0.8");
        let ron = prices.of_in("RON", "EUR").unwrap();
        assert!(ron.path.starts_with("b:RON/USDT") && !ron.path.contains("ecb"), "{ron:?}");
        // A market that is not recorded any more is no better than a bank, but no coin becomes a currency for that.
        let later = rates.map(|rate| PricedPair { time: rate.time + OUTDATED + TimeDelta::days(1), ..rate });
        let prices = UsdPrices::new(markets.into_iter().chain(later.clone()));
        assert_eq!(told(&prices, "EUR"), "1.1 by ecb:EUR/USD 1.1");
        assert_eq!(told(&prices, "RON"), "0.2 by b:RON/USDT 0.2 × USDT 1 (assumed)");
        // Without any market.
        let prices = UsdPrices::new(later);
        assert_eq!(told(&prices, "CHF"), "1.375 by 1 / ecb:EUR/CHF 0.8 × ecb:EUR/USD 1.1");
    }

    #[test]
    fn what_cannot_be_computed_is_not_known() {
        let prices =
            UsdPrices::new([pair("b:BIG/BTC", "79228162514264337593543950335", 1), pair("b:BTC/USDT", "64000", 1)]);
        assert_eq!(prices.of("BIG"), None);
    }
}
