//! Alerts: the rules of whoever asks.

use actix_web::{HttpResponse, web};
use api_types::{
    Data,
    alerts::{AlertPage, AlertRequest, AlertRow, AlertState},
};
use database::alerts::rules::{self, Refused};
use utoipa::IntoParams;

use crate::{
    alert_request::{about, definition},
    alert_row::{merged, row, says},
    auth::{Reading, Writing},
    body::Body,
    error::{Code, Failure},
    openapi::{AccountFailures, Failures},
    parameters::{Asked, FromQuery, Own, Query},
    server::State,
};

/// The states that rules can be in.
const STATES: [&str; 5] = ["created", "paused", "triggered", "expired", "deleted"];

/// Which rules are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Only those in this state: created, paused, triggered, expired or deleted. All but the deleted ones where not said.
    #[param(value_type = Option<String>, example = "created", pattern = "^(created|paused|triggered|expired|deleted)$")]
    status: Option<String>,
    /// Which page. 1 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1_000_000, example = 1)]
    page: i64,
    /// How many on a page. 10 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, example = 10)]
    page_size: i64,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["status", "page", "page_size"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let status = query.non_empty("status")?.map(ToOwned::to_owned);
        if let Some(status) = status.as_deref().filter(|status| !STATES.contains(status)) {
            return Err(Failure::parameter("status", status, "alerts are never in this state", STATES.join(", ")));
        }
        let page = query.number("page", 1..=1_000_000)?.unwrap_or(1);
        let page_size = query.number("page_size", 1..=100)?.unwrap_or(10);
        Ok(Self { status, page, page_size })
    }
}

/// Your alerts, newest first
#[utoipa::path(
    get,
    path = "/alerts",
    tag = "alerts",
    security(("bearer" = [])),
    params(Wanted),
    responses((status = 200, description = "A page of them", body = AlertPage), AccountFailures, Failures)
)]
pub(crate) async fn list(
    Reading(bearer): Reading,
    Asked(Own(Wanted { status, page, page_size })): Asked<Own<Wanted>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let (id, offset) = (bearer.account.id, (page - 1) * page_size);
    let found =
        state.reader.read(async |client| Ok(rules::list(client, id, status.as_deref(), offset, page_size).await?));
    let (count, records) = found.await?;
    if page > 1 && records.is_empty() {
        let last = (count + page_size - 1) / page_size;
        let detail = "there are not so many pages";
        return Err(Failure::new(Code::UnknownAlert, detail)
            .at("page", &page.to_string())
            .allowed(format!("1 to {last}")));
    }
    let address = |page: i64| {
        let status = status.as_deref().map(|status| format!("&status={status}")).unwrap_or_default();
        format!("/alerts?page={page}&page_size={page_size}{status}")
    };
    Ok(HttpResponse::Ok().json(AlertPage {
        count,
        next: (offset + page_size < count).then(|| address(page + 1)),
        previous: (page > 1).then(|| address(page - 1)),
        results: records.into_iter().map(row).collect(),
    }))
}

/// Make an alert
#[utoipa::path(
    post,
    path = "/alerts",
    tag = "alerts",
    security(("bearer" = [])),
    request_body = AlertRequest,
    responses((status = 201, description = "The alert", body = Data<AlertRow>), AccountFailures, Failures)
)]
pub(crate) async fn make(
    Writing(bearer): Writing,
    state: web::Data<State>,
    Body(request): Body<AlertRequest>,
) -> Result<HttpResponse, Failure> {
    let data = made(&state, bearer.account.id, &request).await?;
    Ok(HttpResponse::Created()
        .insert_header(("Location", format!("/alerts/{}", data.id)))
        .json(Data { data, as_of: None }))
}

/// Make an alert, as clients of an earlier system do: `target_price` alone is a price that is to be reached by the pair of
/// bitcoin and USDT
#[utoipa::path(
    post,
    path = "/alerts/create",
    tag = "alerts",
    security(("bearer" = [])),
    request_body = AlertRequest,
    responses((status = 201, description = "The alert", body = AlertRow), AccountFailures, Failures)
)]
pub(crate) async fn create(
    Writing(bearer): Writing,
    state: web::Data<State>,
    Body(mut request): Body<AlertRequest>,
) -> Result<HttpResponse, Failure> {
    request.kind.get_or_insert_with(|| "reaches".to_owned());
    if request.ticker.is_none() {
        // There, a coin is a pair.
        request.ticker = Some(request.coin.take().unwrap_or_else(|| "btcusdt".to_owned()));
    }
    Ok(HttpResponse::Created().json(made(&state, bearer.account.id, &request).await?))
}

async fn made(state: &State, account_id: i64, request: &AlertRequest) -> Result<AlertRow, Failure> {
    refuse_status(request)?;
    let made = state.reader.change(async |client| {
        let definition = definition(about(client, request).await?, request)?;
        let id = rules::add(client, account_id, &definition).await?.map_err(|refused| why(refused, 0))?;
        Ok(rules::find(&*client, account_id, id).await?)
    });
    made.await?.map(row).ok_or_else(|| unknown("0"))
}

fn refuse_status(request: &AlertRequest) -> Result<(), Failure> {
    match request.status.as_deref() {
        None | Some("created") => Ok(()),
        Some(other) => Err(Failure::parameter("status", other, "an alert begins at work; PATCH pauses it", "created")),
    }
}

/// One of your alerts, deleted ones too
#[utoipa::path(
    get,
    path = "/alerts/{id}",
    tag = "alerts",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "7")),
    responses((status = 200, description = "The alert", body = Data<AlertRow>), AccountFailures, Failures)
)]
pub(crate) async fn find(
    Reading(bearer): Reading,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let number = numbered(&id)?;
    let account_id = bearer.account.id;
    let found = state.reader.read(async |client| Ok(rules::find(client, account_id, number).await?));
    let data = row(found.await?.ok_or_else(|| unknown(&id))?);
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

/// The states that one of your alerts came into
#[utoipa::path(
    get,
    path = "/alerts/{id}/history",
    tag = "alerts",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "7")),
    responses((status = 200, description = "The states, oldest first", body = Data<Vec<AlertState>>), AccountFailures, Failures)
)]
pub(crate) async fn history(
    Reading(bearer): Reading,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let number = numbered(&id)?;
    let account_id = bearer.account.id;
    let states = state.reader.read(async |client| Ok(rules::history(client, account_id, number).await?)).await?;
    if states.is_empty() {
        return Err(unknown(&id));
    }
    let data: Vec<AlertState> = states.into_iter().map(|(at, status)| AlertState { at, status }).collect();
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

/// Change one of your alerts: what it says, or `status` to pause it (`paused`) and to have it at work again (`created`); it is armed
/// then
#[utoipa::path(
    patch,
    path = "/alerts/{id}",
    tag = "alerts",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "7")),
    request_body = AlertRequest,
    responses((status = 200, description = "The alert as it is now", body = Data<AlertRow>), AccountFailures, Failures)
)]
pub(crate) async fn change(
    Writing(bearer): Writing,
    id: web::Path<String>,
    state: web::Data<State>,
    Body(request): Body<AlertRequest>,
) -> Result<HttpResponse, Failure> {
    let number = numbered(&id)?;
    let account_id = bearer.account.id;
    if let Some(status) = request.status.as_deref().filter(|status| !matches!(*status, "created" | "paused")) {
        let detail = "nobody brings an alert into this state; DELETE deletes it";
        return Err(Failure::parameter("status", status, detail, "created, paused"));
    }
    let changed = state.reader.change(async |client| {
        let record = rules::find(&*client, account_id, number).await?.filter(|record| record.state != "deleted");
        let record = record.ok_or_else(|| unknown(&id))?;
        let merged = merged(&record, &request)?;
        if merged != says(&record) {
            let definition = definition(record.definition.about, &merged)?;
            let changed = rules::change(client, account_id, number, &definition).await?;
            changed.map_err(|refused| why(refused, number))?;
        }
        if let Some(status) = request.status.as_deref() {
            let changed = rules::set_state(client, account_id, number, status).await?;
            changed.map_err(|refused| why(refused, number))?;
        }
        Ok(rules::find(&*client, account_id, number).await?)
    });
    let data = row(changed.await?.ok_or_else(|| unknown(&id))?);
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

/// Delete one of your alerts; it stays listed as deleted
#[utoipa::path(
    delete,
    path = "/alerts/{id}",
    tag = "alerts",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "7")),
    responses((status = 204, description = "It is deleted"), AccountFailures, Failures)
)]
pub(crate) async fn delete(
    Writing(bearer): Writing,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    delete_of(&state, bearer.account.id, &id).await
}

/// Delete one of your alerts, as clients of an earlier system do
#[utoipa::path(
    delete,
    path = "/alerts/delete/{id}",
    tag = "alerts",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "7")),
    responses((status = 204, description = "It is deleted"), AccountFailures, Failures)
)]
pub(crate) async fn delete_earlier(
    Writing(bearer): Writing,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    delete_of(&state, bearer.account.id, &id).await
}

async fn delete_of(state: &State, account_id: i64, id: &str) -> Result<HttpResponse, Failure> {
    let number = numbered(id)?;
    let deleted =
        state.reader.change(async |client| Ok(rules::set_state(client, account_id, number, "deleted").await?));
    deleted.await?.map_err(|refused| why(refused, number))?;
    Ok(HttpResponse::NoContent().finish())
}

fn numbered(id: &str) -> Result<i64, Failure> {
    id.parse().map_err(|_| unknown(id))
}

fn unknown(id: &str) -> Failure {
    Failure::new(Code::UnknownAlert, "you have no such alert").at("id", id)
}

fn why(refused: Refused, id: i64) -> Failure {
    match refused {
        Refused::Unknown => unknown(&id.to_string()),
        Refused::TooMany => {
            let detail = format!("an account has {} alerts at work or paused at most", rules::MOST_RULES);
            Failure::new(Code::TooManyAlerts, detail)
        }
        Refused::UnknownChannel => Failure::parameter(
            "channels",
            "",
            "one of these is no channel of yours",
            "numbers that /channels lists, or null",
        ),
    }
}
