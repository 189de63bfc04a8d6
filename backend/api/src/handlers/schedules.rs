//! What whoever asks is told regularly.

use actix_web::{HttpResponse, web};
use api_types::{
    Data,
    alerts::Amount,
    notifications::{ComputedRow, PairName, ScheduleRequest, ScheduleRow},
};
use chrono::{DateTime, SubsecRound as _, Utc};
use database::{
    Client,
    schedules::{self, BALANCE, ScheduleDefinition, ScheduleRecord, What},
};
use domain::notification::schedule::Movement;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::{
    auth::{Reading, Writing},
    body::Body,
    error::{Code, Failure},
    handlers::channels::named,
    lookup,
    openapi::{AccountFailures, Failures},
    server::State,
};

/// How many pairs a schedule may name.
const MOST_PAIRS: usize = 200;

/// Your schedules, oldest first
#[utoipa::path(
    get,
    path = "/schedules",
    tag = "notifications",
    security(("bearer" = [])),
    responses((status = 200, description = "The schedules", body = Data<Vec<ScheduleRow>>), AccountFailures, Failures)
)]
pub(crate) async fn list(Reading(bearer): Reading, state: web::Data<State>) -> Result<HttpResponse, Failure> {
    let id = bearer.account.id;
    let found = state.reader.read(async |client| Ok(schedules::list(client, id, None).await?)).await?;
    let data: Vec<ScheduleRow> = found.into_iter().map(row).collect();
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

/// Be told regularly which pairs moved, or what a portfolio is worth
#[utoipa::path(
    post,
    path = "/schedules",
    tag = "notifications",
    security(("bearer" = [])),
    request_body = ScheduleRequest,
    responses((status = 201, description = "The schedule", body = Data<ScheduleRow>), AccountFailures, Failures)
)]
pub(crate) async fn make(
    Writing(bearer): Writing,
    state: web::Data<State>,
    Body(request): Body<ScheduleRequest>,
) -> Result<HttpResponse, Failure> {
    let id = bearer.account.id;
    let made = state.reader.read(async |client| made(client, id, &request).await);
    Ok(HttpResponse::Created().json(Data { data: row(made.await?), as_of: None }))
}

/// Makes a schedule.
pub(crate) async fn made(
    client: &Client,
    account_id: i64,
    request: &ScheduleRequest,
) -> Result<ScheduleRecord, Failure> {
    let definition = definition(client, request, None).await?;
    let written = schedules::write(client, account_id, None, &definition).await?;
    let Some(written) = written else { return Err(refused(client, account_id, &definition).await?) };
    schedules::list(client, account_id, Some(written)).await?.pop().ok_or_else(|| unknown("0"))
}

/// Change a schedule
#[utoipa::path(
    patch,
    path = "/schedules/{id}",
    tag = "notifications",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "2")),
    request_body = ScheduleRequest,
    responses((status = 200, description = "The schedule as it is now", body = Data<ScheduleRow>), AccountFailures, Failures)
)]
pub(crate) async fn change(
    Writing(bearer): Writing,
    id: web::Path<String>,
    state: web::Data<State>,
    Body(request): Body<ScheduleRequest>,
) -> Result<HttpResponse, Failure> {
    let number: i64 = id.parse().map_err(|_| unknown(&id))?;
    let account_id = bearer.account.id;
    let changed = state.reader.read(async |client| {
        let before = schedules::list(client, account_id, Some(number)).await?.pop().ok_or_else(|| unknown(&id))?;
        let definition = definition(client, &request, Some(before)).await?;
        let written = schedules::write(client, account_id, Some(number), &definition).await?;
        if written.is_none() {
            return Err(refused(client, account_id, &definition).await?);
        }
        Ok(schedules::list(client, account_id, Some(number)).await?)
    });
    let data = changed.await?.pop().map(row).ok_or_else(|| unknown(&id))?;
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

/// Take a schedule away, with its results
#[utoipa::path(
    delete,
    path = "/schedules/{id}",
    tag = "notifications",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "2")),
    responses((status = 204, description = "It is gone"), AccountFailures, Failures)
)]
pub(crate) async fn delete(
    Writing(bearer): Writing,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let number: i64 = id.parse().map_err(|_| unknown(&id))?;
    let account_id = bearer.account.id;
    if !state.reader.read(async |client| Ok(schedules::delete(client, account_id, number).await?)).await? {
        return Err(unknown(&id));
    }
    Ok(HttpResponse::NoContent().finish())
}

/// The newest hundred results of a schedule, newest first
#[utoipa::path(
    get,
    path = "/schedules/{id}/results",
    tag = "notifications",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "2")),
    responses((status = 200, description = "The results", body = Data<Vec<ComputedRow>>), AccountFailures, Failures)
)]
pub(crate) async fn results(
    Reading(bearer): Reading,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let number: i64 = id.parse().map_err(|_| unknown(&id))?;
    let account_id = bearer.account.id;
    let found = state.reader.read(async |client| {
        if schedules::list(client, account_id, Some(number)).await?.is_empty() {
            return Err(unknown(&id));
        }
        Ok(schedules::list_computed(client, account_id, number, 100).await?)
    });
    let row = |(at, said, result): (DateTime<Utc>, String, Value)| {
        let is_of_pairs = result.is_array();
        let (pairs, balance) = if is_of_pairs { (Some(result), None) } else { (None, Some(result)) };
        ComputedRow { at, said, pairs, balance }
    };
    let data: Vec<ComputedRow> = found.await?.into_iter().map(row).collect();
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

fn unknown(id: &str) -> Failure {
    Failure::new(Code::UnknownSchedule, "you have no such schedule").at("id", id)
}

/// Why one was not written.
async fn refused(client: &Client, account_id: i64, definition: &ScheduleDefinition) -> Result<Failure, Failure> {
    let own = database::channels::list(client, account_id).await?;
    let wanted = definition.channel_ids.as_deref().unwrap_or_default();
    if wanted.iter().any(|id| !own.iter().any(|channel| channel.id == *id)) {
        let allowed = "numbers that /channels lists, or null";
        return Ok(Failure::parameter("channels", "", "one of these is no channel of yours", allowed));
    }
    if let What::Balance { portfolio_id } = &definition.what
        && database::portfolios::list(client, account_id, Some(*portfolio_id)).await?.is_empty()
    {
        let detail = "this is no portfolio of yours";
        return Ok(Failure::parameter(
            "portfolio",
            &portfolio_id.to_string(),
            detail,
            "a number that /portfolios lists",
        ));
    }
    let detail = format!("an account has {} schedules at most", schedules::MOST_SCHEDULES);
    Ok(Failure::new(Code::TooManySchedules, detail))
}

/// What is asked for, with what was before where nothing is said.
async fn definition(
    client: &Client,
    request: &ScheduleRequest,
    before: Option<ScheduleRecord>,
) -> Result<ScheduleDefinition, Failure> {
    let before = before.map(|before| before.definition);
    let missing = |name: &str, allowed: &str| Failure::parameter(name, "", "this field is missing", allowed);
    let name = match (&request.name, &before) {
        (Some(name), _) => named(name)?.to_owned(),
        (None, Some(before)) => before.name.clone(),
        (None, None) => return Err(missing("name", "1 to 100 characters")),
    };
    let every_minutes = match (request.every.as_deref(), &before) {
        (Some(text), _) => every(text).ok_or_else(|| {
            Failure::parameter("every", text, "this is no interval", "hours and minutes, 00:01 to 720:00")
        })?,
        (None, Some(before)) => before.every_minutes,
        (None, None) => return Err(missing("every", "hours and minutes, 00:01 to 720:00")),
    };
    let starts_at = request.starts_at.or(before.as_ref().map(|before| before.starts_at));
    let starts_at = starts_at.unwrap_or_else(|| Utc::now().trunc_subsecs(0));
    let ends_at = request.ends_at.unwrap_or(before.as_ref().and_then(|before| before.ends_at));
    if let Some(ends_at) = ends_at.filter(|ends_at| *ends_at <= starts_at) {
        let detail = "it would end before it begins";
        return Err(Failure::parameter("ends_at", &ends_at.to_rfc3339(), detail, "a moment behind starts_at, or null"));
    }
    let what = what(client, request, before.as_ref().map(|before| &before.what)).await?;
    let channel_ids = match &request.channels {
        None => before.as_ref().and_then(|before| before.channel_ids.clone()),
        Some(channels) => channels.clone(),
    };
    if channel_ids.as_ref().is_some_and(|ids| ids.len() > 50) {
        return Err(Failure::parameter("channels", "", "these are too many", "50 at most, or null for all"));
    }
    let is_active = request.active.unwrap_or(before.is_none_or(|before| before.is_active));
    Ok(ScheduleDefinition { name, what, every_minutes, starts_at, ends_at, is_active, channel_ids })
}

/// What it is to tell.
async fn what(client: &Client, request: &ScheduleRequest, before: Option<&What>) -> Result<What, Failure> {
    let missing = |name: &str, allowed: &str| Failure::parameter(name, "", "this field is missing", allowed);
    let kinds = "rose, fell, moved, balance";
    let kind = request.kind.as_deref().or(before.map(What::kind)).ok_or_else(|| missing("kind", kinds))?;
    if kind == BALANCE {
        let of_before = match before {
            Some(What::Balance { portfolio_id }) => Some(*portfolio_id),
            _ => None,
        };
        let numbers = "a number that /portfolios lists";
        let portfolio_id = request.portfolio.or(of_before).ok_or_else(|| missing("portfolio", numbers))?;
        return Ok(What::Balance { portfolio_id });
    }
    let movement =
        Movement::parse(kind).ok_or_else(|| Failure::parameter("kind", kind, "there is no such kind", kinds))?;
    let (threshold_before, pairs_before) = match before {
        Some(What::Moves { threshold, ticker_ids, .. }) => (Some(*threshold), ticker_ids.clone()),
        _ => (None, None),
    };
    let threshold = request.threshold_percent.map(|Amount(amount)| amount.normalize()).or(threshold_before);
    let threshold = threshold.ok_or_else(|| missing("threshold_percent", "0 to 1000"))?;
    if threshold < Decimal::ZERO || threshold > Decimal::ONE_THOUSAND || threshold.scale() > 8 {
        let value = threshold.to_string();
        return Err(Failure::parameter("threshold_percent", &value, "this is out of bounds", "0 to 1000"));
    }
    let ticker_ids = match &request.pairs {
        None => pairs_before,
        Some(None) => None,
        Some(Some(pairs)) if pairs.is_empty() || pairs.len() > MOST_PAIRS => {
            let allowed = format!("1 to {MOST_PAIRS}, or null for all");
            return Err(Failure::parameter("pairs", "", "so many cannot be named", allowed));
        }
        Some(Some(pairs)) => {
            let mut ids = Vec::with_capacity(pairs.len());
            for PairName { exchange, ticker } in pairs {
                let exchange = lookup::exchange(client, exchange).await?;
                ids.push(lookup::ticker(client, &exchange, ticker).await?.id);
            }
            ids.sort_unstable();
            ids.dedup();
            Some(ids)
        }
    };
    Ok(What::Moves { movement, threshold, ticker_ids })
}

/// An interval in minutes: "01:30" is 90.
pub(crate) fn every(text: &str) -> Option<i32> {
    let (hours, minutes) = text.split_once(':')?;
    let number =
        |text: &str| (text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse::<i32>().ok()).flatten();
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
    let all = hours.checked_mul(60)?.checked_add(minutes)?;
    (1..=43_200).contains(&all).then_some(all)
}

fn row(record: ScheduleRecord) -> ScheduleRow {
    let ScheduleRecord { id, created_at, next_at, pairs, definition } = record;
    let pair = |(exchange, ticker)| PairName { exchange, ticker };
    let (threshold, portfolio) = match &definition.what {
        What::Moves { threshold, .. } => (threshold.normalize(), None),
        What::Balance { portfolio_id } => (Decimal::ZERO, Some(*portfolio_id)),
    };
    ScheduleRow {
        id,
        name: definition.name,
        kind: definition.what.kind().to_owned(),
        portfolio,
        threshold_percent: threshold,
        every: format!("{:02}:{:02}", definition.every_minutes / 60, definition.every_minutes % 60),
        starts_at: definition.starts_at,
        ends_at: definition.ends_at,
        active: definition.is_active,
        pairs: pairs.map(|pairs| pairs.into_iter().map(pair).collect()),
        channels: definition.channel_ids,
        next_at,
        created_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_hours_and_minutes() {
        for (text, expected) in [("01:30", Some(90)), ("00:01", Some(1)), ("720:00", Some(43_200)), ("5:05", Some(305))]
        {
            assert_eq!(every(text), expected, "{text}");
        }
        for wrong in ["", "00:00", "1", "1:60", "720:01", "-1:00", "a:b", "1:2:3", "99999999999:00"] {
            assert_eq!(every(wrong), None, "{wrong}");
        }
    }
}
