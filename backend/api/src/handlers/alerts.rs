//! Alerts: the rules of whoever asks.

use actix_web::{HttpResponse, web};
use api_types::{
    Data,
    alerts::{AlertPage, AlertRequest, AlertRow, AlertSays, AlertState, Amount},
};
use database::alerts::rules::{self, Definition, Evaluate, Record, Refused};
use domain::alert::{Condition, Direction, Frequency, Way};
use rust_decimal::Decimal;
use utoipa::IntoParams;

use crate::{
    alert_request::{about, definition},
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

/// What a rule says, with what is asked for in its place. What it is about stays; another kind begins from nothing.
fn merged(record: &Record, request: &AlertRequest) -> Result<AlertRequest, Failure> {
    let subject = [
        ("exchange", &request.exchange),
        ("ticker", &request.ticker),
        ("coin", &request.coin),
        ("other_exchange", &request.other_exchange),
        ("other_ticker", &request.other_ticker),
    ];
    for (name, value) in subject {
        if let Some(value) = value {
            let detail = "what an alert is about cannot be changed; make another one";
            return Err(Failure::parameter(name, value, detail, "nothing"));
        }
    }
    let now = says(record);
    if let Some(kind) = request.kind.as_ref().filter(|kind| Some(*kind) != now.kind.as_ref()) {
        let detail = "the kind of an alert cannot be changed; make another one";
        return Err(Failure::parameter("kind", kind, detail, now.kind.unwrap_or_default()));
    }
    let request = request.clone();
    Ok(AlertRequest {
        kind: now.kind,
        direction: request.direction.or(now.direction),
        level: request.level.or(request.target_price).or(now.level),
        lower: request.lower.or(now.lower),
        upper: request.upper.or(now.upper),
        change: request.change.or(now.change),
        unit: request.unit.or(now.unit),
        window_minutes: request.window_minutes.or(now.window_minutes),
        threshold: request.threshold.or(now.threshold),
        seconds: request.seconds.or(now.seconds),
        bar: request.bar.or(now.bar),
        evaluate: request.evaluate.or(now.evaluate),
        frequency: request.frequency.or(now.frequency),
        cooldown_seconds: request.cooldown_seconds.or(now.cooldown_seconds),
        hysteresis: request.hysteresis.or(now.hysteresis),
        late: request.late.or(now.late),
        expires_at: request.expires_at.or(now.expires_at),
        note: request.note.or(now.note),
        channels: request.channels.or(now.channels),
        ..AlertRequest::default()
    })
}

/// A rule as a request that would make it, without what it is about.
fn says(record: &Record) -> AlertRequest {
    let AlertSays {
        kind,
        direction,
        level,
        lower,
        upper,
        change,
        unit,
        window_minutes,
        threshold,
        seconds,
        bar,
        evaluate,
        frequency,
        cooldown_seconds,
        hysteresis,
        late,
        expires_at,
        note,
        channels,
        ..
    } = described(record);
    AlertRequest {
        kind: Some(kind),
        direction,
        level: level.map(Amount),
        lower: lower.map(Amount),
        upper: upper.map(Amount),
        change: change.map(Amount),
        unit,
        window_minutes,
        threshold: threshold.map(Amount),
        seconds,
        bar,
        evaluate: Some(evaluate),
        frequency: Some(frequency),
        cooldown_seconds,
        hysteresis: hysteresis.map(Amount),
        late: Some(late),
        expires_at: Some(expires_at),
        note: Some(note),
        channels: Some(channels),
        ..AlertRequest::default()
    }
}

/// What a rule says, in words and numbers.
fn described(record: &Record) -> AlertSays {
    let Definition { condition, evaluate, frequency, hysteresis, tell_late, expires_at, note, channel_ids, .. } =
        &record.definition;
    let pair = |pair: &Option<(String, String)>| pair.clone().unzip();
    let (exchange, ticker) = pair(&record.pair);
    let (other_exchange, other_ticker) = pair(&record.other_pair);
    let mut says = AlertSays {
        kind: condition.kind().to_owned(),
        exchange: exchange.or_else(|| record.exchange.clone()),
        ticker,
        other_exchange,
        other_ticker,
        evaluate: "tick".to_owned(),
        frequency: frequency.as_str().to_owned(),
        hysteresis: (!hysteresis.is_zero()).then(|| hysteresis.normalize()),
        late: *tell_late,
        expires_at: *expires_at,
        note: note.clone(),
        channels: channel_ids.clone(),
        ..AlertSays::default()
    };
    let some = |amount: &Decimal| Some(amount.normalize());
    let word = |direction: &Direction| {
        let word = match direction {
            Direction::Up => "up",
            Direction::Down => "down",
            Direction::Either => "either",
        };
        Some(word.to_owned())
    };
    match condition {
        Condition::Crosses { level, direction } => (says.level, says.direction) = (some(level), word(direction)),
        Condition::Reaches { level } => says.level = some(level),
        Condition::Channel { lower, upper, way } => {
            (says.lower, says.upper) = (some(lower), some(upper));
            says.direction = Some(if *way == Way::Enter { "enter" } else { "leave" }.to_owned());
        }
        Condition::Moves { change, unit, direction, minutes } => {
            (says.change, says.unit) = (some(change), Some(unit.as_str().to_owned()));
            (says.direction, says.window_minutes) = (word(direction), Some(i64::from(*minutes)));
        }
        Condition::Closes { level, direction, bar } => {
            (says.level, says.direction) = (some(level), word(direction));
            says.bar = Some(bar.as_str().to_owned());
        }
        Condition::Volume { threshold, minutes } | Condition::Volatility { threshold, minutes } => {
            (says.threshold, says.window_minutes) = (some(threshold), Some(i64::from(*minutes)));
        }
        Condition::Spread { change, unit } => {
            (says.change, says.unit) = (some(change), Some(unit.as_str().to_owned()));
        }
        Condition::Stale { seconds } | Condition::ExchangeDown { seconds } => says.seconds = Some(i64::from(*seconds)),
        Condition::Gap => {}
    }
    if let Evaluate::Close(bar) = evaluate {
        (says.evaluate, says.bar) = ("close".to_owned(), Some(bar.as_str().to_owned()));
    }
    match frequency {
        Frequency::Once => {}
        Frequency::OncePerBar(bar) => says.bar = Some(bar.as_str().to_owned()),
        Frequency::EveryTime(cooldown) => says.cooldown_seconds = Some(cooldown.num_seconds()),
    }
    says
}

fn row(record: Record) -> AlertRow {
    let says = described(&record);
    AlertRow {
        id: record.id,
        coin: says.ticker.as_ref().map(|ticker| ticker.to_lowercase()).or_else(|| record.coin.clone()),
        target_price: says.level.map(Amount),
        status: record.state,
        says,
        armed: record.standing.is_armed,
        last_fired_at: record.standing.last_fired_at,
        fired_count: i64::try_from(record.standing.fired).unwrap_or(i64::MAX),
        created_at: record.created_at,
        updated_at: record.updated_at,
    }
}
