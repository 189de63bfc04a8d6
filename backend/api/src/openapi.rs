//! The API's description, made from the code that answers.

use std::sync::LazyLock;

use actix_web::{HttpResponse, http::header};
use api_types::Problem;
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::conventions::Conventions;
use crate::handlers::{
    account, alert_preview, alerts, api_keys, balance, candles, channels, consolidated, dead_letters,
    earlier_notifications, earlier_portfolios, earlier_prices, exchanges, export, feeds, firings, gaps, health, live,
    metrics, notifications, pairs, performance, portfolios, price_history, prices, problems, rates, schedules,
    sparklines, statistics, storage, symbols, tickers, ticks, tokens, top, transaction_files, transactions, udf,
    volatility, worth,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "crypto-tracker",
        description = "Prices of cryptocurrencies, recorded and live. Every answer is `{\"data\": …}`, every failure a problem \
            (RFC 9457) with a fixed `code`, which /problems/{code} explains. Prices are decimal strings, moments RFC 3339 in UTC. Names of coins, \
            exchanges and pairs may be written in any case."
    ),
    paths(
        symbols::list, exchanges::list, tickers::list, tickers::of_coin, price_history::list, prices::list, prices::find,
        sparklines::list, statistics::list, statistics::find, volatility::list, consolidated::find, top::list, udf::config, udf::time, udf::symbols, udf::search, udf::history,
        pairs::help, pairs::all, pairs::newest, pairs::last_day, pairs::deviation, pairs::rank, candles::list, ticks::list, gaps::list, dead_letters::list, dead_letters::find, feeds::list, live::socket, live::events, health::live, health::ready,
        metrics::render, export::ticks, export::candles, storage::show, problems::list, problems::find, serve,
        tokens::log_in, tokens::refresh, tokens::log_out, account::show, account::sign_up, account::change, account::set_password, api_keys::list,
        api_keys::make, api_keys::delete, alerts::list, alerts::make, alerts::create, alert_preview::preview, alerts::find, alerts::history,
        alerts::change, alerts::delete, alerts::delete_earlier, firings::list, channels::list, channels::make, channels::change,
        channels::delete, channels::test, notifications::list, notifications::resend, notifications::preference,
        notifications::set_preference, notifications::preview, schedules::list, schedules::make, schedules::change, schedules::delete,
        schedules::results, portfolios::list, portfolios::make, portfolios::show, portfolios::change, portfolios::delete,
        transactions::list, transactions::add, transactions::show, transactions::change, transactions::delete, earlier_portfolios::list, earlier_portfolios::add, earlier_portfolios::change,
        earlier_portfolios::balance, earlier_prices::list, earlier_notifications::notify, earlier_notifications::notifications,
        earlier_notifications::make_channel, earlier_notifications::channels_of_kind, earlier_notifications::settings, earlier_notifications::set,
        transaction_files::import, transaction_files::export, balance::show,
        balance::disposals, performance::values, performance::show, worth::list, rates::list
    ),
    components(schemas(api_types::live::LiveEvent)),
    modifiers(&Conventions, &Bearer),
    tags(
        (name = "catalogue", description = "What there is"),
        (name = "prices", description = "What it costs and did cost"),
        (name = "charting", description = "TradingView's UDF, for charting tools"),
        (name = "earlier", description = "Answers in the forms of earlier systems, for scripts that know those"),
        (name = "live", description = "What is happening now"),
        (name = "accounts", description = "Who you are, and what proves it"),
        (name = "alerts", description = "What you want to be told of, and what was"),
        (name = "notifications", description = "Where and how you are told, and what was"),
        (name = "portfolios", description = "What you bought and sold, what it is worth, and what it earned"),
        (name = "operation", description = "For whoever keeps it running")
    )
)]
struct Description;

/// How a token or key is sent.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An access token of `POST /api/token`, or an API key"))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// How requests about accounts fail, beside that.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made")]
pub(crate) enum AccountFailures {
    /// It is not known who asks: `not_logged_in`, `invalid_token`, `wrong_login`.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// What was sent does not allow that: `only_reading`, `log_in_needed`, `sign_up_closed`.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// There are as many as there may be: `too_many_api_keys`, `too_many_alerts`, `too_many_channels`, `too_many_schedules`, `too_many_tests`,
    /// `channel_in_use`, `name_taken`, `too_many_portfolios`, `too_many_transactions`, `transaction_known`, `amounts_too_large`.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// `body_too_large`.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
}

/// How requests fail.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made")]
pub(crate) enum Failures {
    /// A parameter cannot be used or is not known: `invalid_parameter`, `unknown_parameter`, `repeated_parameter`, `invalid_body`.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// No encoding that is accepted is spoken here: `not_acceptable`.
    #[response(status = 406, content_type = "application/problem+json")]
    NotAcceptable(Problem),
    /// There is no such thing: `unknown_coin`, `unknown_exchange`, `unknown_ticker`, `not_recorded`,
    /// `unknown_dead_letter`, `unknown_problem`, `unknown_api_key`, `unknown_route`.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// A failure of ours; the server's log says what.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// Not just now; `Retry-After` says when: `database_busy`, `database_unavailable`, `query_timeout`,
    /// `too_many_clients`, `too_many_exports`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// The description as an OpenAPI document.
pub fn document() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// This description, as OpenAPI
#[utoipa::path(get, path = "/openapi.json", tag = "operation", responses((status = 200, description = "OpenAPI 3.1")))]
pub(crate) async fn serve() -> HttpResponse {
    static JSON: LazyLock<String> = LazyLock::new(|| document().to_pretty_json().unwrap_or_default());
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "max-age=300"))
        .body(JSON.as_str())
}
