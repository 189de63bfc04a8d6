//! Every route, in one table.

use std::sync::LazyLock;

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, ResponseError as _, Route,
    body::BoxBody,
    guard,
    http::StatusCode,
    middleware::{Next, from_fn},
    web::{self, ServiceConfig},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    data_route,
    error::Failure,
    handlers::{
        account, alert_preview, alerts, api_keys, balance, candles, channels, consolidated, dead_letters,
        earlier_notifications, earlier_portfolios, earlier_prices, exchanges, export, feeds, firings, gaps, health,
        index, live, metrics, notifications, pairs, performance, portfolios, price_history, prices, problems, rates,
        schedules, sparklines, statistics, storage, symbols, tickers, ticks, tokens, top, transaction_files,
        transactions, udf, volatility, worth,
    },
    openapi,
};

/// A pattern, and what answers to which methods.
struct Entry {
    path: &'static str,
    routes: Vec<Route>,
    /// The methods that it takes.
    methods: &'static str,
    /// Whether requests may have a body.
    takes_body: bool,
    /// Whether it answers with data: in every format, kept, tagged and compressed.
    is_data: bool,
}

fn table() -> Vec<Entry> {
    vec![
        data("/symbols", symbols::list),
        data("/exchanges", exchanges::list),
        data("/tickers", tickers::list),
        data("/tickers/{coin}/{exchange}", tickers::of_coin),
        data("/price-history-minutes/{window}/{ticker}", price_history::list),
        data("/prices", prices::list),
        data("/prices/{exchange}/{ticker}", prices::find),
        data("/sparklines", sparklines::list),
        data("/statistics", statistics::list),
        data("/statistics/{exchange}/{ticker}", statistics::find),
        data("/volatility", volatility::list),
        data("/consolidated/{coin}", consolidated::find),
        data("/worth", worth::list),
        data("/rates", rates::list),
        data("/candles/{exchange}/{ticker}", candles::list),
        data("/ticks/{exchange}/{ticker}", ticks::list),
        data("/gaps", gaps::list),
        data("/dead-letters", dead_letters::list),
        data("/dead-letters/{id}", dead_letters::find),
        data("/feeds", feeds::list),
        data("/storage", storage::show),
        data("/problems", problems::list),
        data("/problems/{code}", problems::find),
        own("/top", top::list),
        own("/udf/config", udf::config),
        own("/udf/time", udf::time),
        own("/udf/symbols", udf::symbols),
        own("/udf/search", udf::search),
        own("/udf/history", udf::history),
        own("/service/v1/", pairs::help),
        own("/service/v1/pairs/all", pairs::all),
        own("/service/v1/pair/{pair}", pairs::newest),
        own("/service/v1/pair_last_day/{pair}", pairs::last_day),
        own("/service/v1/std/{pair}", pairs::deviation),
        own("/service/v1/rank", pairs::rank),
        other("/export/ticks/{exchange}/{ticker}", get(export::ticks)),
        other("/export/candles/{exchange}/{ticker}", get(export::candles)),
        other("/live", web::get().to(live::socket)),
        other("/live/events", web::get().to(live::events)),
        other("/health/live", get(health::live)),
        other("/health/ready", get(health::ready)),
        other("/metrics", get(metrics::render)),
        other("/openapi.json", get(openapi::serve)),
        changing("/api/token", "POST", vec![web::post().to(tokens::log_in)]),
        changing("/api/token/refresh", "POST", vec![web::post().to(tokens::refresh)]),
        changing("/api/logout", "POST", vec![web::post().to(tokens::log_out)]),
        changing(
            "/account",
            "GET, HEAD, POST, PATCH",
            vec![get(account::show), web::post().to(account::sign_up), web::patch().to(account::change)],
        ),
        changing("/account/password", "POST", vec![web::post().to(account::set_password)]),
        changing("/api-keys", "GET, HEAD, POST", vec![get(api_keys::list), web::post().to(api_keys::make)]),
        changing("/api-keys/{id}", "DELETE", vec![web::delete().to(api_keys::delete)]),
        changing(
            "/account/notifications",
            "GET, HEAD, PATCH",
            vec![get(notifications::preference), web::patch().to(notifications::set_preference)],
        ),
        changing("/account/notifications/preview", "POST", vec![web::post().to(notifications::preview)]),
        changing("/channels", "GET, HEAD, POST", vec![get(channels::list), web::post().to(channels::make)]),
        changing(
            "/channels/{id}",
            "PATCH, DELETE",
            vec![web::patch().to(channels::change), web::delete().to(channels::delete)],
        ),
        changing("/channels/{id}/test", "POST", vec![web::post().to(channels::test)]),
        changing("/notifications", "GET, HEAD", vec![get(notifications::list)]),
        changing("/notifications/{id}/resend", "POST", vec![web::post().to(notifications::resend)]),
        changing("/schedules", "GET, HEAD, POST", vec![get(schedules::list), web::post().to(schedules::make)]),
        changing(
            "/schedules/{id}",
            "PATCH, DELETE",
            vec![web::patch().to(schedules::change), web::delete().to(schedules::delete)],
        ),
        changing("/schedules/{id}/results", "GET, HEAD", vec![get(schedules::results)]),
        changing("/api/v1/transactions/{id}", "GET, HEAD", vec![get(earlier_portfolios::list)]),
        changing(
            "/api/v1/transaction",
            "POST, PUT",
            vec![web::post().to(earlier_portfolios::add), web::put().to(earlier_portfolios::change)],
        ),
        changing("/api/v1/balance/{id}", "GET, HEAD", vec![get(earlier_portfolios::balance)]),
        changing("/api/v1/prices", "GET, HEAD", vec![get(earlier_prices::list)]),
        changing("/api/v1/user-notification", "POST", vec![web::post().to(earlier_notifications::notify)]),
        changing("/api/v1/user-notifications", "GET, HEAD", vec![get(earlier_notifications::notifications)]),
        changing("/api/v1/user-channel", "POST", vec![web::post().to(earlier_notifications::make_channel)]),
        changing(
            "/api/v1/user-channels/{id}/{channel_type}",
            "GET, HEAD",
            vec![get(earlier_notifications::channels_of_kind)],
        ),
        changing("/api/v1/user-settings", "POST", vec![web::post().to(earlier_notifications::set)]),
        changing("/api/v1/user-settings/{id}", "GET, HEAD", vec![get(earlier_notifications::settings)]),
        changing("/portfolios", "GET, HEAD, POST", vec![get(portfolios::list), web::post().to(portfolios::make)]),
        changing(
            "/portfolios/{id}",
            "GET, HEAD, PATCH, DELETE",
            vec![get(portfolios::show), web::patch().to(portfolios::change), web::delete().to(portfolios::delete)],
        ),
        changing(
            "/portfolios/{id}/transactions",
            "GET, HEAD, POST",
            vec![get(transactions::list), web::post().to(transactions::add)],
        ),
        changing(
            "/portfolios/{id}/transactions/{number}",
            "GET, HEAD, PATCH, DELETE",
            vec![
                get(transactions::show),
                web::patch().to(transactions::change),
                web::delete().to(transactions::delete),
            ],
        ),
        changing("/portfolios/{id}/import", "POST", vec![web::post().to(transaction_files::import)]),
        changing("/portfolios/{id}/export", "GET, HEAD", vec![get(transaction_files::export)]),
        changing("/portfolios/{id}/balance", "GET, HEAD", vec![get(balance::show)]),
        changing("/portfolios/{id}/disposals", "GET, HEAD", vec![get(balance::disposals)]),
        changing("/portfolios/{id}/values", "GET, HEAD", vec![get(performance::values)]),
        changing("/portfolios/{id}/performance", "GET, HEAD", vec![get(performance::show)]),
        changing("/alerts", "GET, HEAD, POST", vec![get(alerts::list), web::post().to(alerts::make)]),
        changing("/alerts/create", "POST", vec![web::post().to(alerts::create)]),
        changing("/alerts/preview", "POST", vec![web::post().to(alert_preview::preview)]),
        changing("/alerts/firings", "GET, HEAD", vec![get(firings::list)]),
        changing("/alerts/delete/{id}", "DELETE", vec![web::delete().to(alerts::delete_earlier)]),
        changing("/alerts/{id}/history", "GET, HEAD", vec![get(alerts::history)]),
        changing(
            "/alerts/{id}",
            "GET, HEAD, PATCH, DELETE",
            vec![get(alerts::find), web::patch().to(alerts::change), web::delete().to(alerts::delete)],
        ),
    ]
}

/// Every path that answers, as its pattern; the documentation's own pages are left out.
pub fn paths() -> Vec<&'static str> {
    table().into_iter().map(|entry| entry.path).collect()
}

/// Those of them that answer with data.
pub(crate) fn data_paths() -> Vec<&'static str> {
    table().into_iter().filter(|entry| entry.is_data).map(|entry| entry.path).collect()
}

/// A route of data. The handler returns an [`Answer`](crate::reply::Answer).
fn data<F, Args>(path: &'static str, handler: F) -> Entry
where
    F: Handler<Args>,
    F::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    let serve = move |request, next: Next<BoxBody>| data_route::serve(path, request, next);
    Entry { is_data: true, ..other(path, get(handler).wrap(from_fn(serve))) }
}

/// A route of data that answers in a form of its own.
fn own<F, Args>(path: &'static str, handler: F) -> Entry
where
    F: Handler<Args>,
    F::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    let serve = move |request, next: Next<BoxBody>| data_route::serve(path, request, next);
    other(path, get(handler).wrap(from_fn(serve)))
}

fn other(path: &'static str, route: Route) -> Entry {
    Entry { path, routes: vec![route], methods: "GET, HEAD", takes_body: false, is_data: false }
}

/// Routes that change something.
fn changing(path: &'static str, methods: &'static str, routes: Vec<Route>) -> Entry {
    Entry { path, routes, methods, takes_body: true, is_data: false }
}

/// What requests of a path may do, other than read: the methods, where bodies are taken.
pub(crate) fn changes(path: &str) -> Option<&'static str> {
    static CHANGING: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        table().into_iter().filter(|entry| entry.takes_body).map(|entry| (entry.path, entry.methods)).collect()
    });
    let path = path.strip_suffix('/').unwrap_or(path);
    let fits = |pattern: &str| {
        let mut parts = path.split('/');
        let all_fit = pattern.split('/').all(|wanted| {
            parts.next().is_some_and(|part| part == wanted || (wanted.starts_with('{') && !part.is_empty()))
        });
        all_fit && parts.next().is_none()
    };
    CHANGING.iter().find(|(pattern, _)| fits(pattern)).map(|(_, methods)| *methods)
}

pub(crate) fn configure(app: &mut ServiceConfig) {
    let undescribed = [own("/", index::show), other("/docs", get(index::docs))];
    for Entry { path, routes, methods, takes_body, .. } in table().into_iter().chain(undescribed) {
        // Those of an earlier system end with a slash.
        let patterns = if takes_body { vec![path.to_owned(), format!("{path}/")] } else { vec![path.to_owned()] };
        let resource = routes.into_iter().fold(web::resource(patterns), Resource::route);
        app.service(resource.default_service(web::to(move |request| wrong_method(request, methods))));
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

async fn wrong_method(request: HttpRequest, methods: &'static str) -> HttpResponse {
    let failure = Failure::of_status(StatusCode::METHOD_NOT_ALLOWED);
    failure.at("method", request.method().as_str()).allowed(methods).error_response()
}

async fn unknown(request: HttpRequest) -> HttpResponse {
    Failure::of_status(StatusCode::NOT_FOUND).at("path", request.path()).error_response()
}
