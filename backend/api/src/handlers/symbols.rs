//! `/symbols`

use actix_web::web;
use api_types::{Data, SymbolRow};
use database::symbols::list_symbols;

use crate::{
    handlers::{Answer, answer},
    openapi::Failures,
    parameters::{Asked, Nothing},
    server::State,
};

/// Every coin that some exchange lists, by name
#[utoipa::path(
    get,
    path = "/symbols",
    tag = "catalogue",
    responses((status = 200, description = "All coins", body = Data<Vec<SymbolRow>>), Failures)
)]
pub(crate) async fn list(_: Asked<Nothing>, state: web::Data<State>) -> Answer<Vec<SymbolRow>> {
    let symbols = state.reader.read(async |client| Ok(list_symbols(client).await?)).await?;
    answer(symbols.into_iter().map(|symbol| SymbolRow { coin: symbol.name, symbol: symbol.code }).collect())
}
