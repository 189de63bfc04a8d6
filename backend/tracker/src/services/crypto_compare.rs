//! In which order coins stand, from CryptoCompare: `GET /asset/v1/top/list`, by what was traded of them in 24 hours, 100 a page.
//!
//! Described at <https://developers.coindesk.com/documentation/data-api/asset_v1_top_list>. Of CryptoCompare's lists it is the
//! one that tells CoinMarketCap's numbers too, among the alternative ids; its older `top/totalvolfull` has none by which the two
//! could be joined.

use domain::{Half, ListedCoin, listing::CRYPTO_COMPARE};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::{Service, Told, ask, coins::Coins};
use crate::rest::{Rest, RestError};

/// How many a page holds; a shorter one is the last.
const PAGE: usize = 100;
/// 5,000 coins, as many as have prices.
const MOST_PAGES: usize = 50;

pub(super) struct CryptoCompare(pub(super) Rest);

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Data")]
    data: Option<Page>,
    #[serde(rename = "Err")]
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "LIST")]
    list: Option<Vec<Box<RawValue>>>,
}

#[derive(Deserialize)]
struct Failure {
    message: Option<String>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(rename = "SYMBOL")]
    symbol: SmolStr,
    #[serde(rename = "ASSET_ALTERNATIVE_IDS", borrow)]
    alternatives: Vec<Alternative<'a>>,
}

#[derive(Deserialize)]
struct Alternative<'a> {
    #[serde(rename = "NAME")]
    name: SmolStr,
    /// A number, or the text of one.
    #[serde(rename = "ID", borrow)]
    id: &'a RawValue,
}

impl Service for CryptoCompare {
    fn name(&self) -> &'static str {
        CRYPTO_COMPARE
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Told, RestError>> {
        Box::pin(async {
            let mut coins = Coins::new(Half::Ranks);
            for page in 1..=MOST_PAGES {
                let rows = self.page(page).await?;
                for row in &rows {
                    coins.add(coin(row.get()));
                }
                if rows.len() < PAGE {
                    break;
                }
            }
            Ok(coins.told_by(self.name()))
        })
    }
}

impl CryptoCompare {
    async fn page(&self, page: usize) -> Result<Vec<Box<RawValue>>, RestError> {
        let (page, size) = (page.to_string(), PAGE.to_string());
        let query = [
            ("page", page.as_str()),
            ("page_size", size.as_str()),
            ("sort_by", "SPOT_MOVING_24_HOUR_QUOTE_VOLUME_USD"),
            ("sort_direction", "DESC"),
        ];
        let Answer { data, error } = ask(&self.0, "/asset/v1/top/list", &query).await?;
        let said = error.and_then(|error| error.message);
        match (said, data.and_then(|data| data.list)) {
            (None, Some(rows)) => Ok(rows),
            (said, _) => Err(self.0.unreadable(said.unwrap_or_else(|| "there is no field Data.LIST in it".to_owned()))),
        }
    }
}

fn coin(text: &str) -> Option<ListedCoin> {
    let Row { symbol, alternatives } = serde_json::from_str(text).ok()?;
    let known = alternatives.iter().find(|one| one.name == "CMC")?;
    Some(ListedCoin { id: known.id.get().trim_matches('"').parse().ok()?, symbol, price: None })
}
