//! `/service/v1`: prices, deviations and their ranking, in the form of the earlier system that had them.
//!
//! That system asked for one price of each pair a minute; here they are the closes of minutes. A pair is named in any case, a real
//! market before the simulated one; one that is not known is an empty list, as it was there. Fewer than two prices have no
//! deviation: `std` is null and `detail` says so.

use std::cmp::Reverse;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use database::{
    Client,
    prices::find_newest_price,
    statistics::{Closes, list_closes},
    tickers::{StoredTicker, TickerFilter, find_ticker_anywhere, list_tickers},
};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::{
    error::Failure,
    handlers::udf::number,
    openapi::Failures,
    parameters::{Asked, FromQuery, Nothing, Own, Query, checked},
    server::State,
    span::minute_from,
};

/// How many pairs one ranking takes: the prices of a day of each are told.
const MOST_PAIRS: usize = 20;
/// The longest span whose prices are told one by one.
const LONGEST: TimeDelta = TimeDelta::days(7);

/// Where the span begins and ends.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Where it begins. 24 hours before its end where not said; at most 7 days.
    #[param(value_type = Option<String>, example = "2026-11-19T12:00:00Z")]
    from: DateTime<Utc>,
    /// Where it ends. Now where not said.
    #[param(value_type = Option<String>, example = "2026-11-20T12:00:00Z")]
    to: DateTime<Utc>,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["from", "to"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let (from, to) = query.span(Utc::now())?;
        let from = from.unwrap_or(to - TimeDelta::hours(24));
        if to - from > LONGEST {
            let text = query.text("from")?.unwrap_or_default();
            return Err(Failure::parameter("from", text, "the span is longer than 7 days", "at most 7 days before to"));
        }
        // Minutes that begin in it.
        Ok(Self { from: minute_from(from), to: minute_from(to) })
    }
}

/// Pairs to be ranked.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Pairs {
    /// A pair, as often as there are pairs: `pair=btcusdt&pair=ethusdt`.
    #[param(value_type = Option<Vec<String>>, explode, max_items = 20, example = json!(["btcusdt", "ethusdt"]))]
    pair: Vec<String>,
}

impl FromQuery for Pairs {
    const NAMES: &'static [&'static str] = &["pair"];
    const REPEATED: Option<&'static str> = Some("pair");

    fn from_query(query: &Query) -> Result<Self, Failure> {
        Ok(Self { pair: query.every("pair", MOST_PAIRS)?.into_iter().map(str::to_owned).collect() })
    }
}

/// A price.
#[derive(Serialize, ToSchema)]
pub(crate) struct Price {
    /// The pair, lower-case.
    #[schema(example = "btcusdt")]
    pair: String,
    /// When it was made.
    #[schema(example = "2026-11-20T12:00:00.000000Z")]
    ts: String,
    /// The price.
    #[schema(value_type = String, example = "64250.01")]
    price: Decimal,
}

/// How far prices spread.
#[derive(Serialize, ToSchema)]
pub(crate) struct Spread {
    /// The pair, lower-case.
    #[schema(example = "btcusdt")]
    pair: String,
    /// The closes of its minutes, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<f64>>)]
    prices: Option<Vec<Box<RawValue>>>,
    /// Their sample standard deviation; null for fewer than two.
    #[schema(value_type = Option<f64>, example = 402.7713)]
    std: Option<Box<RawValue>>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
}

/// What these addresses are
#[utoipa::path(get, path = "/service/v1/", tag = "earlier",
    responses((status = 200, description = "A page for people", body = String, content_type = "text/html"), Failures))]
pub(crate) async fn help(_: Asked<Own<Nothing>>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(
        "<!doctype html><title>/service/v1</title><h1>/service/v1</h1><ul>\
         <li><code>/service/v1/pairs/all</code> every recorded pair\
         <li><code>/service/v1/pair/{pair}</code> its newest price\
         <li><code>/service/v1/pair_last_day/{pair}</code> its prices of the last 24 hours, one a minute\
         <li><code>/service/v1/std/{pair}</code> their sample standard deviation\
         <li><code>/service/v1/rank?pair=a&amp;pair=b</code> pairs by it, the greatest first\
         </ul><p>More at <a href=\"/docs/\">/docs/</a>.",
    )
}

/// Every recorded pair
#[utoipa::path(get, path = "/service/v1/pairs/all", tag = "earlier",
    responses((status = 200, description = "Names, lower-case", body = Vec<String>), Failures))]
pub(crate) async fn all(_: Asked<Own<Nothing>>, state: web::Data<State>) -> Result<HttpResponse, Failure> {
    let recorded = TickerFilter { recorded: Some(true), ..TickerFilter::default() };
    let tickers = state.reader.read(async |client| Ok(list_tickers(client, recorded).await?)).await?;
    let mut names: Vec<String> = tickers.iter().map(name).collect();
    names.sort_unstable();
    names.dedup();
    Ok(HttpResponse::Ok().json(names))
}

/// The newest price of a pair
#[utoipa::path(get, path = "/service/v1/pair/{pair}", tag = "earlier",
    params(("pair" = String, Path, description = "The pair", example = "btcusdt")),
    responses((status = 200, description = "It, or nothing", body = Vec<Price>), Failures))]
pub(crate) async fn newest(
    pair: web::Path<String>,
    _: Asked<Own<Nothing>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let found = state.reader.read(async |client| {
        let Some(ticker) = find(client, &pair).await? else { return Ok(None) };
        let newest = find_newest_price(client, ticker.id).await?;
        Ok(newest.map(|newest| Price { pair: name(&ticker), ts: moment(newest.time), price: newest.price }))
    });
    Ok(HttpResponse::Ok().json(found.await?.into_iter().collect::<Vec<_>>()))
}

/// The prices of a pair, one a minute, oldest first
#[utoipa::path(get, path = "/service/v1/pair_last_day/{pair}", tag = "earlier",
    params(("pair" = String, Path, description = "The pair", example = "btcusdt"), Wanted),
    responses((status = 200, description = "The prices", body = Vec<Price>), Failures))]
pub(crate) async fn last_day(
    pair: web::Path<String>,
    Asked(Own(wanted)): Asked<Own<Wanted>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let found = state.reader.read(async |client| {
        let Some(ticker) = find(client, &pair).await? else { return Ok(None) };
        let closes = list_closes(client, &[ticker.id], wanted.from, wanted.to).await?.pop();
        Ok(closes.map(|closes| (name(&ticker), closes)))
    });
    let prices = found.await?.map(|(pair, Closes { open_times, prices, .. })| {
        let price = |(time, price)| Price { pair: pair.clone(), ts: moment(time), price };
        open_times.into_iter().zip(prices).map(price).collect::<Vec<_>>()
    });
    Ok(HttpResponse::Ok().json(prices.unwrap_or_default()))
}

/// The sample standard deviation of those prices
#[utoipa::path(get, path = "/service/v1/std/{pair}", tag = "earlier",
    params(("pair" = String, Path, description = "The pair", example = "btcusdt"), Wanted),
    responses((status = 200, description = "It", body = Spread), Failures))]
pub(crate) async fn deviation(
    pair: web::Path<String>,
    Asked(Own(wanted)): Asked<Own<Wanted>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let named = [pair.into_inner()];
    let mut spreads = spreads(&state, &named, &wanted).await?;
    Ok(HttpResponse::Ok().json(spreads.pop().map(|(spread, _)| Spread { prices: None, ..spread })))
}

/// Pairs by the sample standard deviation of their prices, the greatest first
#[utoipa::path(get, path = "/service/v1/rank", tag = "earlier", params(Pairs, Wanted),
    responses((status = 200, description = "The ranking", body = Vec<Spread>), Failures))]
pub(crate) async fn rank(
    Asked(Own((pairs, wanted))): Asked<Own<(Pairs, Wanted)>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let mut spreads = spreads(&state, &pairs.pair, &wanted).await?;
    spreads.sort_by_key(|(_, deviation)| Reverse(*deviation));
    Ok(HttpResponse::Ok().json(spreads.into_iter().map(|(spread, _)| spread).collect::<Vec<_>>()))
}

/// The prices of each pair and their deviation, in the order in which the pairs are named.
async fn spreads(state: &State, named: &[String], wanted: &Wanted) -> Result<Vec<(Spread, Option<Decimal>)>, Failure> {
    let found = state.reader.read(async |client| {
        let mut tickers = Vec::new();
        for pair in named {
            tickers.push(find(client, pair).await?);
        }
        let ids: Vec<i32> = tickers.iter().flatten().map(|ticker| ticker.id).collect();
        Ok((tickers, list_closes(client, &ids, wanted.from, wanted.to).await?))
    });
    let (tickers, closes) = found.await?;
    let spread = |(pair, ticker): (&String, &Option<StoredTicker>)| {
        let told = ticker.as_ref().and_then(|ticker| closes.iter().find(|closes| closes.ticker_id == ticker.id));
        let prices = told.map(|told| told.prices.iter().copied().filter_map(number).collect()).unwrap_or_default();
        let deviation = told.and_then(|told| told.deviation);
        let spread = Spread {
            pair: pair.to_lowercase(),
            prices: Some(prices),
            std: deviation.and_then(number),
            detail: deviation.is_none().then_some("fewer than two prices"),
        };
        (spread, deviation)
    };
    Ok(named.iter().zip(&tickers).map(spread).collect())
}

async fn find(client: &Client, pair: &str) -> Result<Option<StoredTicker>, Failure> {
    Ok(find_ticker_anywhere(client, checked("pair", pair)?).await?)
}

fn name(ticker: &StoredTicker) -> String {
    ticker.ticker.to_lowercase()
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
