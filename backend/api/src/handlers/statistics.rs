//! `/statistics`

use std::collections::HashMap;

use actix_web::web;
use api_types::{Data, Page, StatisticsRow};
use chrono::{DateTime, Utc};
use database::{
    Client,
    statistics::{Statistics, list_statistics},
    tickers::{StoredTicker, TickerFilter, list_tickers},
};
use domain::{consolidated::percent, rounding::significant};
use rust_decimal::Decimal;

use crate::{
    error::{Code, Failure},
    handlers::prices::{Wanted, change_percent},
    lookup,
    openapi::Failures,
    paging::Paging,
    parameters::Asked,
    reply::{Answer, One, Reply},
    server::State,
    span::Span,
};

/// How many digits a mean or a deviation is told with.
const DIGITS: u32 = 12;

/// What every recorded pair did over a span of time, by exchange and ticker: count, least, greatest and mean price, deviations, VWAP
#[utoipa::path(
    get,
    path = "/statistics",
    tag = "prices",
    params(Wanted, Span, Paging),
    responses(
        (status = 200, description = "A row for each pair that has prices in it", body = Page<StatisticsRow>),
        Failures
    )
)]
pub(crate) async fn list(
    Asked((wanted, span, paging)): Asked<(Wanted, Span, Paging)>,
    state: web::Data<State>,
) -> Answer<Vec<StatisticsRow>> {
    let now = Utc::now();
    let rows = state.reader.read(async |client| of_pairs(client, &wanted, span.minutes(now)).await).await?;
    let (rows, next) = paging.cut(rows, |row| format!("{} {}", row.exchange, row.ticker))?;
    Ok(Reply::of(rows).page(next).read_at(now))
}

/// What one pair did over a span of time
#[utoipa::path(
    get,
    path = "/statistics/{exchange}/{ticker}",
    tag = "prices",
    params(
        ("exchange" = String, Path, description = "Name of the exchange", example = "binance"),
        ("ticker" = String, Path, description = "The pair", example = "BTCUSDT"),
        Span
    ),
    responses((status = 200, description = "The statistics", body = Data<StatisticsRow>), Failures)
)]
pub(crate) async fn find(
    names: web::Path<(String, String)>,
    Asked(span): Asked<Span>,
    state: web::Data<State>,
) -> Answer<One<StatisticsRow>> {
    let (exchange, ticker) = names.into_inner();
    let now = Utc::now();
    let (from, to) = span.minutes(now);
    let found = state.reader.read(async |client| {
        let exchange = lookup::exchange(client, &exchange).await?;
        let ticker = lookup::ticker(client, &exchange, &ticker).await?;
        let Some(told) = list_statistics(client, &[ticker.id], from, to).await?.pop() else {
            let detail = format!("no price of this pair is stored from {from:?} until {to:?}");
            return Err(Failure::new(Code::NotRecorded, detail).at("ticker", &ticker.ticker));
        };
        Ok(row(&ticker, &told, (from, to)))
    });
    Ok(Reply::of(One(found.await?)).read_at(now))
}

/// The statistics of the wanted pairs that have prices in the span.
pub(crate) async fn of_pairs(
    client: &Client,
    wanted: &Wanted,
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<StatisticsRow>, Failure> {
    let exchange = lookup::optional_exchange(client, wanted.exchange.as_deref()).await?;
    let exchange_id = exchange.map(|exchange| exchange.id);
    let filter = TickerFilter { exchange_id, coin_id: None, recorded: Some(true) };
    let mut tickers = list_tickers(client, filter).await?;
    if let Some(names) = &wanted.tickers {
        tickers.retain(|ticker| names.contains(&ticker.ticker.to_lowercase()) || names.contains(&ticker.codes));
    }
    let ids: Vec<i32> = tickers.iter().map(|ticker| ticker.id).collect();
    let told = list_statistics(client, &ids, span.0, span.1).await?;
    let told: HashMap<i32, Statistics> = told.into_iter().map(|told| (told.ticker_id, told)).collect();
    Ok(tickers.iter().filter_map(|ticker| Some(row(ticker, told.get(&ticker.id)?, span))).collect())
}

fn row(ticker: &StoredTicker, told: &Statistics, (from, to): (DateTime<Utc>, DateTime<Utc>)) -> StatisticsRow {
    let remark = match (told.deviation, told.return_deviation) {
        (None, _) => Some("fewer than two prices: no deviation"),
        (_, None) => Some("fewer than two minutes right behind another: no deviation of returns"),
        _ => None,
    };
    StatisticsRow {
        exchange: ticker.exchange.clone(),
        ticker: ticker.ticker.clone(),
        from,
        to,
        count: told.ticks,
        trades: told.trades,
        open: told.open,
        max: told.high,
        min: told.low,
        close: told.close,
        change_percent: change_percent(told.open, told.close),
        mean: short(told.mean),
        deviation: told.deviation.map(short),
        deviation_percent: told.deviation.and_then(|deviation| percent(deviation, told.mean)),
        vwap: told.vwap.map(short),
        volume: told.volume,
        quote_volume: told.quote_volume,
        minutes: told.minutes,
        returns: told.returns,
        return_deviation: told.return_deviation.map(short),
        remark: remark.map(str::to_owned),
        untold_minutes: told.untold,
    }
}

fn short(value: Decimal) -> Decimal {
    significant(value, DIGITS).normalize()
}
