//! What coins cost, from CoinMarketCap: `GET /v1/cryptocurrency/listings/latest`, everything in one answer.
//!
//! Described at <https://coinmarketcap.com/api/documentation/v1/#operation/getV1CryptocurrencyListingsLatest>. Prices are JSON
//! numbers; they are read from their text.

use domain::{Half, ListedCoin, decimal_text, listing::COIN_MARKET_CAP};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::{Service, Told, ask, coins::Coins};
use crate::rest::{Rest, RestError};

/// As many as it tells at once.
const MOST: &str = "5000";

pub(super) struct CoinMarketCap(pub(super) Rest);

#[derive(Deserialize)]
struct Answer {
    data: Option<Vec<Box<RawValue>>>,
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    error_message: Option<String>,
}

#[derive(Deserialize)]
struct Row<'a> {
    id: i32,
    symbol: SmolStr,
    #[serde(borrow)]
    quote: Quote<'a>,
}

#[derive(Deserialize)]
struct Quote<'a> {
    #[serde(rename = "USD", borrow)]
    usd: Usd<'a>,
}

#[derive(Deserialize)]
struct Usd<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
}

impl Service for CoinMarketCap {
    fn name(&self) -> &'static str {
        COIN_MARKET_CAP
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Told, RestError>> {
        Box::pin(async {
            let query = [("start", "1"), ("limit", MOST), ("convert", "USD")];
            let Answer { data, status } = ask(&self.0, "/v1/cryptocurrency/listings/latest", &query).await?;
            let Some(rows) = data else {
                let said = status.and_then(|status| status.error_message);
                return Err(self.0.unreadable(said.unwrap_or_else(|| "there is no field data in it".to_owned())));
            };
            let mut coins = Coins::new(Half::Prices);
            for row in rows {
                coins.add(coin(row.get()));
            }
            Ok(coins.told_by(self.name()))
        })
    }
}

fn coin(text: &str) -> Option<ListedCoin> {
    let Row { id, symbol, quote } = serde_json::from_str(text).ok()?;
    Some(ListedCoin { id, symbol, price: Some(decimal_text::parse_number(quote.usd.price.get()).ok()?) })
}
