//! Every route, in one table.

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Responder, ResponseError as _, Route, guard,
    http::StatusCode,
    web::{self, ServiceConfig},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    error::Failure,
    handlers::{
        candles, dead_letters, exchanges, feeds, gaps, health, index, live, metrics, price_history, prices, sparklines,
        storage, symbols, tickers, ticks,
    },
    openapi,
};

fn table() -> Vec<(&'static str, Route)> {
    vec![
        ("/symbols", get(symbols::list)),
        ("/exchanges", get(exchanges::list)),
        ("/tickers", get(tickers::list)),
        ("/tickers/{coin}/{exchange}", get(tickers::of_coin)),
        ("/price-history-minutes/{window}/{ticker}", get(price_history::list)),
        ("/prices", get(prices::list)),
        ("/prices/{exchange}/{ticker}", get(prices::find)),
        ("/sparklines", get(sparklines::list)),
        ("/candles/{exchange}/{ticker}", get(candles::list)),
        ("/ticks/{exchange}/{ticker}", get(ticks::list)),
        ("/gaps", get(gaps::list)),
        ("/dead-letters", get(dead_letters::list)),
        ("/dead-letters/{id}", get(dead_letters::find)),
        ("/feeds", get(feeds::list)),
        ("/storage", get(storage::show)),
        ("/live", web::get().to(live::socket)),
        ("/live/events", web::get().to(live::events)),
        ("/health/live", get(health::live)),
        ("/health/ready", get(health::ready)),
        ("/metrics", get(metrics::render)),
        ("/openapi.json", get(openapi::serve)),
    ]
}

/// Every path that answers, as its pattern; the documentation's own pages are left out.
pub fn paths() -> Vec<&'static str> {
    table().into_iter().map(|(path, _)| path).collect()
}

pub(crate) fn configure(app: &mut ServiceConfig) {
    for (path, route) in table().into_iter().chain([("/", get(index::show)), ("/docs", get(index::docs))]) {
        app.service(web::resource(path).route(route).default_service(web::to(wrong_method)));
    }
    let docs = SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json"));
    app.service(docs).default_service(web::to(unknown));
}

/// HEAD is GET without the body.
fn get<F, Args>(handler: F) -> Route
where
    F: Handler<Args>,
    F::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler)
}

async fn wrong_method(request: HttpRequest) -> HttpResponse {
    let failure = Failure::of_status(StatusCode::METHOD_NOT_ALLOWED);
    failure.at("method", request.method().as_str()).allowed("GET, HEAD").error_response()
}

async fn unknown(request: HttpRequest) -> HttpResponse {
    Failure::of_status(StatusCode::NOT_FOUND).at("path", request.path()).error_response()
}
