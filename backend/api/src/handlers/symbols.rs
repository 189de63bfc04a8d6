//! `/symbols`

use actix_web::web;
use api_types::{Page, SymbolRow};
use database::symbols::list_symbols;

use crate::{
    openapi::Failures,
    paging::Paging,
    parameters::Asked,
    reply::{Answer, Lasting, Reply},
    server::State,
};

/// Every coin that some exchange lists, by name
#[utoipa::path(
    get,
    path = "/symbols",
    tag = "catalogue",
    params(Paging),
    responses((status = 200, description = "All coins", body = Page<SymbolRow>), Failures)
)]
pub(crate) async fn list(Asked(paging): Asked<Paging>, state: web::Data<State>) -> Answer<Vec<SymbolRow>> {
    let symbols = state.reader.read(async |client| Ok(list_symbols(client).await?)).await?;
    let (symbols, next) = paging.cut(symbols, |symbol| symbol.code.clone())?;
    let rows = symbols.into_iter().map(|symbol| SymbolRow { coin: symbol.name, symbol: symbol.code }).collect();
    Ok(Reply::of(rows).page(next).lasting(Lasting::Catalogue))
}
