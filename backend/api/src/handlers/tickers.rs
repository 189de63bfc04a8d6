//! `/tickers`

use actix_web::web;
use api_types::{Page, TickerRow};
use database::tickers::{StoredTicker, TickerFilter, list_tickers};
use utoipa::IntoParams;

use crate::{
    error::Failure,
    lookup,
    openapi::Failures,
    paging::Paging,
    parameters::{Asked, FromQuery, Query},
    reply::{Answer, Lasting, Reply},
    server::State,
};

/// Which pairs are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Only what this exchange lists.
    #[param(example = "binance")]
    exchange: Option<String>,
    /// `true`: only pairs of which prices are stored; `false`: only those of which none are.
    recorded: Option<bool>,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["exchange", "recorded"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        Ok(Self { exchange: query.text("exchange")?.map(str::to_owned), recorded: query.flag("recorded")? })
    }
}

/// Every pair that is listed somewhere, by exchange and ticker
#[utoipa::path(
    get,
    path = "/tickers",
    tag = "catalogue",
    params(Wanted, Paging),
    responses((status = 200, description = "The pairs", body = Page<TickerRow>), Failures)
)]
pub(crate) async fn list(
    Asked((wanted, paging)): Asked<(Wanted, Paging)>,
    state: web::Data<State>,
) -> Answer<Vec<TickerRow>> {
    let found = state.reader.read(async |client| {
        let exchange = lookup::optional_exchange(client, wanted.exchange.as_deref()).await?;
        let exchange_id = exchange.map(|exchange| exchange.id);
        Ok(list_tickers(client, TickerFilter { exchange_id, coin_id: None, recorded: wanted.recorded }).await?)
    });
    page(found.await?, &paging)
}

/// The pairs in which an exchange trades a coin
#[utoipa::path(
    get,
    path = "/tickers/{coin}/{exchange}",
    tag = "catalogue",
    params(
        ("coin" = String, Path, description = "Name or code of the coin", example = "bitcoin"),
        ("exchange" = String, Path, description = "Name of the exchange", example = "binance"),
        Paging
    ),
    responses(
        (status = 200, description = "The pairs; none where the exchange does not trade it", body = Page<TickerRow>),
        Failures
    )
)]
pub(crate) async fn of_coin(
    names: web::Path<(String, String)>,
    Asked(paging): Asked<Paging>,
    state: web::Data<State>,
) -> Answer<Vec<TickerRow>> {
    let (coin, exchange) = names.into_inner();
    let found = state.reader.read(async |client| {
        let exchange_id = Some(lookup::exchange(client, &exchange).await?.id);
        let coin_id = Some(lookup::coin(client, &coin).await?.id);
        Ok(list_tickers(client, TickerFilter { exchange_id, coin_id, recorded: None }).await?)
    });
    page(found.await?, &paging)
}

fn page(tickers: Vec<StoredTicker>, paging: &Paging) -> Answer<Vec<TickerRow>> {
    let (tickers, next) = paging.cut(tickers, |ticker| format!("{} {}", ticker.exchange, ticker.ticker))?;
    Ok(Reply::of(tickers.into_iter().map(row).collect()).page(next).lasting(Lasting::Catalogue))
}

fn row(ticker: StoredTicker) -> TickerRow {
    TickerRow {
        ticker: ticker.ticker,
        exchange: ticker.exchange,
        coin: ticker.coin,
        status: ticker.status,
        price_step: ticker.price_step,
        quantity_step: ticker.quantity_step,
    }
}
