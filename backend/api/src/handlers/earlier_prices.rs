//! What coins cost in the account's currency, in the form of an earlier system.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpResponse,
    web::{self, Bytes},
};
use api_types::{
    alerts::Amount,
    earlier_notifications::{EarlierPrice, EarlierPrices, EarlierQuote, EarlierStatus},
};
use chrono::{TimeDelta, Utc};
use database::{
    snapshot::{Markets, list_pairs_at},
    symbols::list_symbols,
    worth,
};
use domain::{portfolio::ratio, top_list::CoinKey, usd::UsdPrices};
use rust_decimal::Decimal;
use tokio::sync::Mutex;

use crate::{
    auth::Reading,
    error::Failure,
    openapi::{AccountFailures, Failures},
    server::State,
    span::minute_of,
    top_halves::by_turnover,
};

/// How many coins are told.
const MOST: usize = 100;
/// For how long an answer serves everybody who counts in its currency.
const SERVES: Duration = Duration::from_secs(5);
/// In how many currencies answers are kept.
const MOST_KEPT: usize = 64;

/// Answers by currency, and since when. Who asks while one is made waits for it. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct KeptPrices(Arc<Mutex<BTreeMap<String, (Instant, Bytes)>>>);

/// What the hundred coins cost of which most is traded, in your currency, in the form of an earlier system
#[utoipa::path(
    get,
    path = "/api/v1/prices",
    tag = "earlier",
    security(("bearer" = [])),
    responses((status = 200, description = "The coins, those of which most is traded first", body = EarlierPrices), AccountFailures, Failures)
)]
pub(crate) async fn list(Reading(bearer): Reading, state: web::Data<State>) -> Result<HttpResponse, Failure> {
    let (now, currency) = (Utc::now(), bearer.account.currency.clone());
    let mut kept = state.kept_prices.0.lock().await;
    if let Some((_, body)) = kept.get(&currency).filter(|(made, _)| made.elapsed() < SERVES) {
        return Ok(told(body.clone()));
    }
    let read = state.reader.read_at_length(async |client| {
        let pairs = list_pairs_at(client, minute_of(now), Markets::Real).await?;
        let usd = UsdPrices::new(pairs.iter().map(database::snapshot::PairAtMinute::priced));
        let mut coins = by_turnover(&pairs, &usd);
        coins.truncate(MOST);
        let codes: Vec<&str> = coins.iter().map(|(key, _)| key.symbol.as_str()).chain([currency.as_str()]).collect();
        let mut worths = Vec::new();
        for ago in [TimeDelta::zero(), TimeDelta::hours(1), TimeDelta::days(1), TimeDelta::days(7)] {
            worths.push(worth::at(client, &codes, now - ago).await?);
        }
        Ok((coins, worths, list_symbols(client).await?))
    });
    let (coins, worths, symbols) = read.await?;
    let names: HashMap<i64, String> = symbols.into_iter().map(|symbol| (symbol.id.into(), symbol.name)).collect();
    let price = |(key, turnover): (CoinKey, Decimal)| {
        let told = |place: usize| worths.get(place)?.of_in(&key.symbol, &currency);
        let now = told(0)?;
        let change = |place: usize| {
            let before = told(place)?.price;
            let part = ratio(now.price.checked_sub(before)?, before)?;
            Some(Amount(part.checked_mul(Decimal::ONE_HUNDRED)?.round_dp(8).normalize()))
        };
        let volume = worths.first()?.of_in("USD", &currency).and_then(|dollar| turnover.checked_mul(dollar.price));
        let quote = EarlierQuote {
            price: Some(Amount(now.price)),
            volume_24h: volume.map(|volume| Amount(volume.round_dp(2).normalize())),
            percent_change_1h: change(1),
            percent_change_24h: change(2),
            percent_change_7d: change(3),
            market_cap: None,
            last_updated: now.time,
        };
        Some(EarlierPrice {
            id: i32::try_from(key.id).ok()?,
            name: names.get(&key.id).cloned().unwrap_or_default(),
            symbol: key.symbol.to_string(),
            quote: BTreeMap::from([(currency.clone(), quote)]),
        })
    };
    let status = EarlierStatus { timestamp: now.timestamp_millis() };
    let prices = EarlierPrices { data: coins.into_iter().filter_map(price).collect(), status };
    let body = Bytes::from(serde_json::to_vec(&prices).unwrap_or_default());
    kept.retain(|_, (made, _)| made.elapsed() < SERVES);
    if kept.len() < MOST_KEPT {
        kept.insert(currency, (Instant::now(), body.clone()));
    }
    Ok(told(body))
}

fn told(body: Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(body)
}
