//! The two halves of a top list at a minute, each from where the settings say: what services outside told, or what we recorded.
//!
//! A half from outside is the newest that was stored at or before the minute, within the skew that a top list allows; ours is
//! made of the markets as they stood then, and is there only where something was recorded in that minute. The query for ours, which
//! takes longest, is made only where one is needed.

use chrono::{DateTime, Utc};
use database::{
    GenericClient,
    listings::find_listing,
    snapshot::{self, Markets, PairAtMinute, list_pairs_at},
};
use domain::{
    Half,
    listing::{COIN_MARKET_CAP, CRYPTO_COMPARE},
    top_list::{CoinKey, Listing, Numbering, Ranked, merge},
    usd::UsdPrices,
};
use rust_decimal::Decimal;

use crate::settings::{PricesFrom, RanksFrom};

/// The name of the source that is always there: what we recorded.
pub(crate) const RECORDED: &str = "recorded";

/// What exchanges list among coins, and what is none.
const FIAT: [&str; 24] = [
    "USD", "EUR", "GBP", "JPY", "TRY", "BRL", "AUD", "ARS", "COP", "CZK", "MXN", "PLN", "UAH", "ZAR", "IDR", "NGN",
    "RUB", "CHF", "CAD", "KRW", "INR", "SGD", "HKD", "NZD",
];

/// Where the halves may come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources {
    pub(crate) prices: PricesFrom,
    pub(crate) ranks: RanksFrom,
}

/// A top list, and who served its halves.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TopList {
    pub(crate) minute: DateTime<Utc>,
    pub(crate) prices_from: &'static str,
    pub(crate) ranks_from: &'static str,
    pub(crate) lines: Vec<Ranked>,
}

impl Sources {
    /// The top list of a whole minute; `None` where a half is missing.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(crate) async fn find(
        self,
        client: &impl GenericClient,
        minute: DateTime<Utc>,
    ) -> database::Result<Option<TopList>> {
        let (mut prices, mut ranks) = (None, None);
        if let Some(source) = self.prices.outside() {
            let told = find_listing(client, source, Half::Prices, minute).await?;
            prices = told.map(|told| (told.prices(), COIN_MARKET_CAP));
        }
        if let Some(source) = self.ranks.outside() {
            let told = find_listing(client, source, Half::Ranks, minute).await?;
            ranks = told.map(|told| (told.ranks(), CRYPTO_COMPARE));
        }
        let prices_wanted = prices.is_none() && self.prices.may_be_recorded();
        let ranks_wanted = ranks.is_none() && self.ranks.may_be_recorded();
        if prices_wanted || ranks_wanted {
            let pairs = list_pairs_at(client, minute, Markets::Real).await?;
            if pairs.iter().any(|pair| pair.open_time == minute) {
                let (our_ranks, our_prices) = recorded(&pairs, minute);
                prices = prices.or_else(|| prices_wanted.then_some((our_prices, RECORDED)));
                ranks = ranks.or_else(|| ranks_wanted.then_some((our_ranks, RECORDED)));
            }
        }
        let (Some((prices, prices_from)), Some((ranks, ranks_from))) = (prices, ranks) else { return Ok(None) };
        Ok(merge(&ranks, &prices).map(|lines| TopList { minute, prices_from, ranks_from, lines }))
    }
}

/// Both halves, made of what every pair cost and what was traded of it.
fn recorded(pairs: &[PairAtMinute], minute: DateTime<Utc>) -> (Listing<()>, Listing<Decimal>) {
    let usd = UsdPrices::new(pairs.iter().map(PairAtMinute::priced));
    let coins = by_turnover(pairs, &usd);
    let prices = coins.iter().filter_map(|(key, _)| Some((key.clone(), usd.of(&key.symbol)?.price))).collect();
    let ranks = coins.into_iter().map(|(key, _)| (key, ())).collect();
    let numbering = Numbering::Ours;
    (Listing { at: minute, numbering, coins: ranks }, Listing { at: minute, numbering, coins: prices })
}

/// The coins of these pairs, with what was traded of them in dollars, those of which most was traded first.
pub(crate) fn by_turnover(pairs: &[PairAtMinute], usd: &UsdPrices) -> Vec<(CoinKey, Decimal)> {
    let mut coins: Vec<(CoinKey, Decimal)> = Vec::new();
    let mut of_base: Vec<&PairAtMinute> = pairs.iter().filter(|pair| !FIAT.contains(&pair.base.as_str())).collect();
    of_base.sort_by_key(|pair| pair.base_id);
    for same in of_base.chunk_by(|one, next| one.base_id == next.base_id) {
        let volume = same.iter().filter_map(|pair| snapshot::in_dollars(pair.quote_volume, usd.of(&pair.quote)?.price));
        let volume = volume.fold(Decimal::ZERO, |sum, volume| sum.saturating_add(volume));
        coins.push((CoinKey { id: same[0].base_id.into(), symbol: same[0].base.as_str().into() }, volume));
    }
    coins.sort_by(|(one, of_one), (other, of_other)| of_other.cmp(of_one).then_with(|| one.symbol.cmp(&other.symbol)));
    coins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(exchange: &str, base: (i32, &str), quote: &str, price: &str, quote_volume: i64) -> PairAtMinute {
        let open_time = "2026-11-20T12:00:00Z".parse().unwrap();
        PairAtMinute {
            exchange: exchange.into(),
            ticker: format!("{}{quote}", base.1),
            base_id: base.0,
            base: base.1.into(),
            quote: quote.into(),
            open_time,
            price: price.parse().unwrap(),
            time: open_time,
            quote_volume: quote_volume.into(),
        }
    }

    #[test]
    fn coins_are_ranked_by_all_that_is_traded_of_them_in_dollars() {
        let pairs = [
            pair("binance", (1, "BTC"), "USDT", "64000.10", 1_000),
            pair("binance", (2, "ETH"), "BTC", "0.05", 1),
            pair("kraken", (2, "ETH"), "USDT", "3200", 5),
            pair("binance", (3, "EUR"), "USDT", "1.1", 1_000_000_000),
            pair("binance", (4, "LOST"), "XYZ", "1", 1_000_000_000),
        ];
        let (ranks, prices) = recorded(&pairs, pairs[0].open_time);
        let lines = merge(&ranks, &prices).unwrap();
        let told: Vec<String> =
            lines.iter().map(|line| format!("{} {} {}", line.rank, line.symbol, line.price)).collect();
        assert_eq!(told, ["1 ETH 3200", "2 BTC 64000.10"]);
    }
}
