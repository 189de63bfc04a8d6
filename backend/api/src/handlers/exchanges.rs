//! `/exchanges`

use actix_web::web;
use api_types::{Data, ExchangeRow};
use database::exchanges::{StoredExchange, list_exchanges};

use crate::{
    openapi::Failures,
    parameters::{Asked, Nothing},
    reply::{Answer, Lasting, Reply},
    server::State,
};

/// Every exchange that was ever connected, by name
#[utoipa::path(
    get,
    path = "/exchanges",
    tag = "catalogue",
    responses((status = 200, description = "All exchanges", body = Data<Vec<ExchangeRow>>), Failures)
)]
pub(crate) async fn list(_: Asked<Nothing>, state: web::Data<State>) -> Answer<Vec<ExchangeRow>> {
    let exchanges = state.reader.read(async |client| Ok(list_exchanges(client).await?)).await?;
    let row = |one: StoredExchange| ExchangeRow { exchange: one.name, country: one.country };
    Ok(Reply::of(exchanges.into_iter().map(row).collect::<Vec<_>>()).lasting(Lasting::Catalogue))
}
