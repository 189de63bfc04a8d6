//! `/consolidated`

use std::cmp::Reverse;

use actix_web::web;
use api_types::{ConsolidatedPrice, Contribution, Data};
use chrono::{DateTime, Utc};
use database::snapshot::{Markets, OLDEST_OPINION, PairAtMinute, list_pairs_at};
use domain::{
    consolidated::{Opinion, consolidate, percent},
    usd::UsdPrices,
};
use rust_decimal::Decimal;

use crate::{
    error::{Code, Failure},
    handlers::prices::Moment,
    lookup,
    openapi::Failures,
    parameters::Asked,
    reply::{Answer, One, Reply},
    server::State,
    span::minute_of,
};

/// The price of a coin in US dollars over every market that trades it, now or at a moment: weighted by volume, and the median; who
/// contributed, and whose price is too far from the others to count
#[utoipa::path(
    get,
    path = "/consolidated/{coin}",
    tag = "prices",
    params(("coin" = String, Path, description = "Name or code of the coin", example = "bitcoin"), Moment),
    responses((status = 200, description = "The price", body = Data<ConsolidatedPrice>), Failures)
)]
pub(crate) async fn find(
    name: web::Path<String>,
    Asked(Moment { at }): Asked<Moment>,
    state: web::Data<State>,
) -> Answer<One<ConsolidatedPrice>> {
    let now = at.unwrap_or_else(Utc::now);
    let found = state.reader.read(async |client| {
        let coin = lookup::coin(client, &name).await?;
        Ok((coin, list_pairs_at(client, minute_of(now), Markets::Real).await?))
    });
    let (coin, pairs) = found.await?;
    let (symbol, coin) = (coin.code, coin.name);
    let none = || {
        let detail = format!("no market tells a price of {coin} in dollars as of {now:?}, or by coins that have one");
        Failure::new(Code::NotRecorded, detail).at("coin", &symbol)
    };
    let mut contributions = contributions(&symbol, &pairs, now);
    contributions.sort_by_key(|contribution| Reverse(contribution.volume_usd));
    let fresh: Vec<usize> = (0..contributions.len()).filter(|index| contributions[*index].counts).collect();
    let opinions: Vec<Opinion> = fresh
        .iter()
        .map(|index| Opinion { price: contributions[*index].price, volume: contributions[*index].volume_usd })
        .collect();
    let together = consolidate(&opinions).ok_or_else(none)?;
    for (index, counts) in fresh.into_iter().zip(&together.counts) {
        if !counts {
            contributions[index].counts = false;
            contributions[index].reason = Some("too far from what the other markets say".to_owned());
        }
    }
    for contribution in &mut contributions {
        let above = contribution.price - together.weighted;
        contribution.premium_percent = percent(above, together.weighted).unwrap_or_default();
    }
    let price = ConsolidatedPrice {
        symbol,
        coin,
        price: together.weighted,
        median: together.median,
        spread_percent: together.spread_percent,
        contributions,
    };
    Ok(Reply::of(One(price)).read_at(now))
}

/// What each market says, in dollars; too old ones among them.
fn contributions(symbol: &str, pairs: &[PairAtMinute], now: DateTime<Utc>) -> Vec<Contribution> {
    let usd = UsdPrices::new(pairs.iter().map(PairAtMinute::priced));
    let contribution = |pair: &PairAtMinute| {
        let quote = usd.of(&pair.quote)?;
        let own = format!("{}:{} {}", pair.exchange, pair.ticker, pair.price);
        let is_old = now - pair.time > OLDEST_OPINION;
        let Opinion { price, volume } = pair.opinion(quote.price)?;
        Some(Contribution {
            exchange: pair.exchange.clone(),
            ticker: pair.ticker.clone(),
            price,
            path: if quote.path.is_empty() { own } else { format!("{own} × {}", quote.path) },
            time: pair.time,
            volume_usd: volume,
            premium_percent: Decimal::ZERO,
            counts: !is_old,
            reason: is_old.then(|| format!("older than {} minutes", OLDEST_OPINION.num_minutes())),
        })
    };
    pairs.iter().filter(|pair| pair.base == symbol).filter_map(contribution).collect()
}
