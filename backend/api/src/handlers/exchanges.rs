//! `/exchanges`

use actix_web::web;
use api_types::{Data, ExchangeRow};
use database::exchanges::list_exchanges;

use crate::{
    handlers::{Answer, answer},
    openapi::Failures,
    parameters::{Asked, Nothing},
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
    answer(exchanges.into_iter().map(|one| ExchangeRow { exchange: one.name, country: one.country }).collect())
}
