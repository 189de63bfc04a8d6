//! `/prices`

use std::collections::HashMap;

use actix_web::web;
use api_types::{Data, LatestPrice, Page};
use chrono::{DateTime, TimeDelta, Utc};
use database::prices::{
    DayStatistics, NewestPrice, PriceFilter, find_newest_price, list_day_statistics, list_newest_prices, list_prices_at,
};
use rust_decimal::Decimal;
use utoipa::IntoParams;

use crate::{
    error::{Code, Failure},
    lookup,
    openapi::Failures,
    paging::Paging,
    parameters::{Asked, FromQuery, Query},
    reply::{Answer, One, Reply},
    server::State,
};

/// How many pairs one request may name.
const MOST_TICKERS: usize = 500;

/// Which pairs are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Only of this exchange.
    #[param(example = "binance")]
    pub(crate) exchange: Option<String>,
    /// Only of these pairs, separated by commas, as an exchange spells them or as both coins' codes: `BTCUSDT` is Kraken's `BTC/USDT` too.
    /// Those that are not recorded are left out.
    #[param(value_type = Option<String>, example = "BTCUSDT,ETHUSDT")]
    pub(crate) tickers: Option<Vec<String>>,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["exchange", "tickers"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        Ok(Self { exchange: query.text("exchange")?.map(str::to_owned), tickers: query.list("tickers", MOST_TICKERS)? })
    }
}

/// As of when prices are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Moment {
    /// The newest price at or before this moment instead of the newest of all, and the 24 hours until then: RFC 3339, or seconds
    /// or milliseconds since 1970. Ages are told from there.
    #[param(value_type = Option<String>, example = "2026-11-20T12:00:00Z")]
    pub(crate) at: Option<DateTime<Utc>>,
}

impl FromQuery for Moment {
    const NAMES: &'static [&'static str] = &["at"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        Ok(Self { at: query.moment("at")? })
    }
}

/// The newest price of every recorded pair, or that at a moment, by exchange and ticker
#[utoipa::path(
    get,
    path = "/prices",
    tag = "prices",
    params(Wanted, Moment, Paging),
    responses((status = 200, description = "The prices", body = Page<LatestPrice>), Failures)
)]
pub(crate) async fn list(
    Asked((wanted, moment, paging)): Asked<(Wanted, Moment, Paging)>,
    state: web::Data<State>,
) -> Answer<Vec<LatestPrice>> {
    let Moment { at } = moment;
    let found = state.reader.read(async |client| {
        let exchange = lookup::optional_exchange(client, wanted.exchange.as_deref()).await?;
        let exchange_id = exchange.map(|exchange| exchange.id);
        let tickers = wanted.tickers.as_deref();
        let filter = PriceFilter { exchange_id, tickers, ticker_id: None };
        let newest = match at {
            Some(at) => list_prices_at(client, at, filter).await?,
            None => list_newest_prices(client, filter).await?,
        };
        let now = at.unwrap_or_else(Utc::now);
        let (newest, next) = paging.cut(newest, |price| format!("{} {}", price.exchange, price.ticker))?;
        let ids: Vec<i32> = newest.iter().map(|price| price.ticker_id).collect();
        Ok((newest, next, list_day_statistics(client, &ids, at).await?, now))
    });
    let (newest, next, days, now) = found.await?;
    let days: HashMap<i32, DayStatistics> = days.into_iter().map(|day| (day.ticker_id, day)).collect();
    let rows: Vec<LatestPrice> =
        newest.into_iter().map(|price| row(days.get(&price.ticker_id), price, now, state.stale_after)).collect();
    Ok(Reply::of(rows).page(next).read_at(now))
}

/// The newest price of one pair, or that at a moment
#[utoipa::path(
    get,
    path = "/prices/{exchange}/{ticker}",
    tag = "prices",
    params(
        ("exchange" = String, Path, description = "Name of the exchange", example = "binance"),
        ("ticker" = String, Path, description = "The pair", example = "BTCUSDT"),
        Moment
    ),
    responses((status = 200, description = "The price", body = Data<LatestPrice>), Failures)
)]
pub(crate) async fn find(
    names: web::Path<(String, String)>,
    Asked(Moment { at }): Asked<Moment>,
    state: web::Data<State>,
) -> Answer<One<LatestPrice>> {
    let (exchange, ticker) = names.into_inner();
    let found = state.reader.read(async |client| {
        let exchange = lookup::exchange(client, &exchange).await?;
        let ticker = lookup::ticker(client, &exchange, &ticker).await?;
        let ticker_id = Some(ticker.id);
        let price = match at {
            Some(at) => list_prices_at(client, at, PriceFilter { ticker_id, ..PriceFilter::default() }).await?.pop(),
            None => find_newest_price(client, ticker.id).await?,
        };
        let Some(price) = price else {
            let when = at.map(|at| format!(" of {at:?} or before")).unwrap_or_default();
            let message = format!("{} lists this pair, but no price of it{when} is stored", exchange.name);
            return Err(Failure::new(Code::NotRecorded, message).at("ticker", &ticker.ticker));
        };
        let now = at.unwrap_or_else(Utc::now);
        Ok((price, list_day_statistics(client, &[ticker.id], at).await?, now))
    });
    let (price, days, now) = found.await?;
    Ok(Reply::of(One(row(days.first(), price, now, state.stale_after))).read_at(now))
}

fn row(day: Option<&DayStatistics>, newest: NewestPrice, now: DateTime<Utc>, stale_after: TimeDelta) -> LatestPrice {
    // An exchange's clock may be ahead of ours.
    let age = (now - newest.time).max(TimeDelta::zero());
    let open = day.map(|day| day.open);
    // Not every price is in a candle: one that was polled in a minute with trades is not.
    let of_the_day = (newest.time >= now - TimeDelta::hours(24)).then_some(newest.price);
    LatestPrice {
        exchange: newest.exchange,
        ticker: newest.ticker,
        base: newest.base,
        quote: newest.quote,
        coin: newest.coin,
        price: newest.price,
        exchange_time: (newest.source != "poll").then_some(newest.time),
        received_at: newest.received_at,
        age_ms: age.num_milliseconds(),
        stale: age > stale_after,
        source: newest.source,
        open_24h: open,
        change_24h_percent: open.and_then(|open| change_percent(open, newest.price)),
        high_24h: [day.map(|day| day.high), of_the_day].into_iter().flatten().max(),
        low_24h: [day.map(|day| day.low), of_the_day].into_iter().flatten().min(),
        quote_volume_24h: day.map(|day| day.quote_volume).unwrap_or_default(),
        volume_24h: day.map(|day| day.volume).unwrap_or_default(),
        told_24h_by: day.map(|day| day.told_by.clone()),
    }
}

pub(crate) fn change_percent(open: Decimal, price: Decimal) -> Option<Decimal> {
    let change = price.checked_sub(open)?.checked_div(open)?.checked_mul(Decimal::ONE_HUNDRED)?;
    Some(change.round_dp(2).normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_percent_with_two_decimals() {
        for (open, price, expected) in
            [("63100.5", "64250.01", "1.82"), ("100", "50", "-50"), ("3", "3", "0"), ("1000000", "999999.99", "0")]
        {
            assert_eq!(change_percent(open.parse().unwrap(), price.parse().unwrap()).unwrap().to_string(), expected);
        }
        assert_eq!(change_percent(Decimal::new(1, 28), Decimal::MAX), None);
    }
}
