//! The portfolios of whoever asks.

use actix_web::{HttpResponse, web};
use api_types::{
    Data,
    portfolios::{PortfolioRequest, PortfolioRow},
};
use database::{
    Client,
    portfolios::{self, Portfolio, Refused},
};
use domain::portfolio::Method;

use crate::{
    auth::{Reading, Writing},
    body::Body,
    error::{Code, Failure},
    handlers::channels::named,
    openapi::{AccountFailures, Failures},
    server::State,
};

/// Your portfolios, oldest first
#[utoipa::path(
    get,
    path = "/portfolios",
    tag = "portfolios",
    security(("bearer" = [])),
    responses((status = 200, description = "The portfolios", body = Data<Vec<PortfolioRow>>), AccountFailures, Failures)
)]
pub(crate) async fn list(Reading(bearer): Reading, state: web::Data<State>) -> Result<HttpResponse, Failure> {
    let id = bearer.account.id;
    let found = state.reader.read(async |client| Ok(portfolios::list_counted(client, id, None).await?)).await?;
    let data: Vec<PortfolioRow> = found.into_iter().map(row).collect();
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

/// Make a portfolio
#[utoipa::path(
    post,
    path = "/portfolios",
    tag = "portfolios",
    security(("bearer" = [])),
    request_body = PortfolioRequest,
    responses((status = 201, description = "The portfolio", body = Data<PortfolioRow>), AccountFailures, Failures)
)]
pub(crate) async fn make(
    Writing(bearer): Writing,
    state: web::Data<State>,
    Body(request): Body<PortfolioRequest>,
) -> Result<HttpResponse, Failure> {
    let account = &bearer.account;
    let name = request
        .name
        .as_deref()
        .ok_or_else(|| Failure::parameter("name", "", "this field is missing", "1 to 100 characters"));
    let name = named(name?)?;
    let currency = currency("currency", request.currency.as_deref())?.unwrap_or_else(|| account.currency.clone());
    let method = method(request.method.as_deref())?.unwrap_or_default();
    let made = state.reader.read(async |client| {
        let written = portfolios::write(client, account.id, None, (name, &currency, method)).await?;
        let id = written.map_err(|why| refused(why, "0", name))?;
        find(client, account.id, id).await
    });
    let data = row(made.await?);
    Ok(HttpResponse::Created()
        .insert_header(("Location", format!("/portfolios/{}", data.id)))
        .json(Data { data, as_of: None }))
}

/// One of your portfolios
#[utoipa::path(
    get,
    path = "/portfolios/{id}",
    tag = "portfolios",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "1")),
    responses((status = 200, description = "The portfolio", body = Data<PortfolioRow>), AccountFailures, Failures)
)]
pub(crate) async fn show(
    Reading(bearer): Reading,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let number: i64 = id.parse().map_err(|_| unknown(&id))?;
    let found = state.reader.read(async |client| find(client, bearer.account.id, number).await).await?;
    Ok(HttpResponse::Ok().json(Data { data: row(found), as_of: None }))
}

/// Change a portfolio
#[utoipa::path(
    patch,
    path = "/portfolios/{id}",
    tag = "portfolios",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "1")),
    request_body = PortfolioRequest,
    responses((status = 200, description = "The portfolio as it is now", body = Data<PortfolioRow>), AccountFailures, Failures)
)]
pub(crate) async fn change(
    Writing(bearer): Writing,
    id: web::Path<String>,
    state: web::Data<State>,
    Body(request): Body<PortfolioRequest>,
) -> Result<HttpResponse, Failure> {
    let name = request.name.as_deref().map(named).transpose()?;
    let currency = currency("currency", request.currency.as_deref())?;
    let method = method(request.method.as_deref())?;
    let account_id = bearer.account.id;
    let changed = state.reader.read(async |client| {
        let before = of_account(client, account_id, &id).await?;
        let name = name.unwrap_or(&before.name);
        let currency = currency.as_deref().unwrap_or(&before.currency);
        let written =
            portfolios::write(client, account_id, Some(before.id), (name, currency, method.unwrap_or(before.method)));
        written.await?.map_err(|why| refused(why, &id, name))?;
        find(client, account_id, before.id).await
    });
    Ok(HttpResponse::Ok().json(Data { data: row(changed.await?), as_of: None }))
}

/// Take a portfolio away, with its transactions
#[utoipa::path(
    delete,
    path = "/portfolios/{id}",
    tag = "portfolios",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "1")),
    responses((status = 204, description = "It is gone"), AccountFailures, Failures)
)]
pub(crate) async fn delete(
    Writing(bearer): Writing,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let account_id = bearer.account.id;
    let number: i64 = id.parse().map_err(|_| unknown(&id))?;
    let deleted =
        state.reader.change_at_length(async |client| Ok(portfolios::delete(client, account_id, number).await?));
    if !deleted.await? {
        return Err(unknown(&id));
    }
    Ok(HttpResponse::NoContent().finish())
}

/// The portfolio that a path names.
pub(crate) async fn of_account(client: &Client, account_id: i64, id: &str) -> Result<Portfolio, Failure> {
    let number: i64 = id.parse().map_err(|_| unknown(id))?;
    portfolios::list(client, account_id, Some(number)).await?.pop().ok_or_else(|| unknown(id))
}

/// One of an account's portfolios, with how many transactions it has.
async fn find(client: &Client, account_id: i64, id: i64) -> Result<Portfolio, Failure> {
    portfolios::list_counted(client, account_id, Some(id)).await?.pop().ok_or_else(|| unknown(&id.to_string()))
}

/// A currency or coin, in upper-case.
pub(crate) fn currency(name: &str, code: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(code) = code else { return Ok(None) };
    let upper = code.to_uppercase();
    if !(1..=20).contains(&upper.len()) || !upper.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let allowed = "1 to 20 letters and digits, such as USD, EUR or BTC";
        return Err(Failure::parameter(name, code, "this is no code of a currency or coin", allowed));
    }
    Ok(Some(upper))
}

/// Which coins are sold first.
pub(crate) fn method(word: Option<&str>) -> Result<Option<Method>, Failure> {
    let Some(word) = word else { return Ok(None) };
    let unknown = || Failure::parameter("method", word, "there is no such method", "fifo, lifo, hifo, average");
    Method::parse(word).map(Some).ok_or_else(unknown)
}

pub(crate) fn unknown(id: &str) -> Failure {
    Failure::new(Code::UnknownPortfolio, "you have no such portfolio").at("id", id)
}

fn refused(why: Refused, id: &str, name: &str) -> Failure {
    match why {
        Refused::Unknown => unknown(id),
        Refused::TooMany => {
            let most = portfolios::MOST_PORTFOLIOS;
            Failure::new(Code::TooManyPortfolios, format!("an account has {most} portfolios at most"))
        }
        Refused::Taken => Failure::new(Code::NameTaken, "you have a portfolio of this name").at("name", name),
    }
}

fn row(portfolio: Portfolio) -> PortfolioRow {
    PortfolioRow {
        id: portfolio.id,
        name: portfolio.name,
        currency: portfolio.currency,
        method: portfolio.method.as_str().to_owned(),
        transactions: portfolio.transactions,
        created_at: portfolio.created_at,
    }
}
