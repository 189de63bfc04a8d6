//! What was told, is to be told, or could not be; and how.

use actix_web::{HttpResponse, web};
use api_types::{
    Data, Page,
    notifications::{NotificationRow, PreferenceChange, PreferenceRow, Queued, TemplatePreview},
};
use chrono::{DateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use database::{
    channels::{self, Preference},
    notifications,
};
use domain::notification::{
    Template, Told,
    template::{BODY, SUBJECT},
};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::{
    auth::{Reading, Writing},
    body::Body,
    error::{Code, Failure},
    openapi::{AccountFailures, Failures},
    parameters::{Asked, FromQuery, Own, Query, moment},
    server::State,
};

const STATES: [&str; 3] = ["waiting", "sent", "failed"];

/// Which notifications are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Only those in this state: waiting, sent or failed.
    #[param(value_type = Option<String>, example = "failed", pattern = "^(waiting|sent|failed)$")]
    state: Option<String>,
    /// How many on a page. 100 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, example = 100)]
    limit: i64,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<(DateTime<Utc>, Uuid)>,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["state", "limit", "cursor"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let state = query.non_empty("state")?.map(ToOwned::to_owned);
        if let Some(state) = state.as_deref().filter(|state| !STATES.contains(state)) {
            return Err(Failure::parameter("state", state, "notifications are never in this state", STATES.join(", ")));
        }
        let limit = query.number("limit", 1..=1_000)?.unwrap_or(100);
        let read = |text: &str| {
            let (time, id) = text.split_once('_')?;
            Some((moment(time)?, id.parse().ok()?))
        };
        let cursor = match query.cursor()? {
            None => None,
            Some(text) => Some(read(text).ok_or_else(|| {
                Failure::parameter("cursor", text, "no page begins so", "next_cursor of the page before")
            })?),
        };
        Ok(Self { state, limit, cursor })
    }
}

/// Your notifications, newest first: what waits, what arrived, and what did not
#[utoipa::path(
    get,
    path = "/notifications",
    tag = "notifications",
    security(("bearer" = [])),
    params(Wanted),
    responses((status = 200, description = "A page of them", body = Page<NotificationRow>), AccountFailures, Failures)
)]
pub(crate) async fn list(
    Reading(bearer): Reading,
    Asked(Own(Wanted { state: wanted, limit, cursor })): Asked<Own<Wanted>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let id = bearer.account.id;
    let found = state
        .reader
        .read(async |client| Ok(channels::list_notifications(client, id, wanted.as_deref(), cursor, limit + 1).await?));
    let mut rows = found.await?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > page;
    rows.truncate(page);
    let next_cursor = rows.last().filter(|_| has_more).map(|last| {
        let time = last.created_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        format!("{time}_{}", last.id)
    });
    let data = rows
        .into_iter()
        .map(|row| NotificationRow {
            id: row.id.to_string(),
            channel: row.channel_id,
            said: row.said,
            firing: row.firing_id,
            state: row.state,
            created_at: row.created_at,
            due_at: row.due_at,
            sent_at: row.sent_at,
            attempts: row.attempts,
            error: row.error,
            message: row.message_id.map(|id| id.to_string()),
        })
        .collect();
    Ok(HttpResponse::Ok().json(Page { data, as_of: None, next_cursor }))
}

/// Try a notification again that failed
#[utoipa::path(
    post,
    path = "/notifications/{id}/resend",
    tag = "notifications",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its name", example = "4f1c5f0e-6a0e-4d0f-8a3c-0d2f6c5f7b11")),
    responses((status = 202, description = "It is on its way again", body = Data<Queued>), AccountFailures, Failures)
)]
pub(crate) async fn resend(
    Writing(bearer): Writing,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let unknown = || Failure::new(Code::UnknownNotification, "you have no such notification that failed").at("id", &id);
    let name: Uuid = id.parse().map_err(|_| unknown())?;
    let account_id = bearer.account.id;
    if !state.reader.read(async |client| Ok(notifications::resend(client, account_id, name).await?)).await? {
        return Err(unknown());
    }
    Ok(HttpResponse::Accepted().json(Data { data: Queued { id: name.to_string() }, as_of: None }))
}

/// How you want to be told
#[utoipa::path(
    get,
    path = "/account/notifications",
    tag = "notifications",
    security(("bearer" = [])),
    responses((status = 200, description = "Pace, quiet hours and words", body = Data<PreferenceRow>), AccountFailures, Failures)
)]
pub(crate) async fn preference(Reading(bearer): Reading, state: web::Data<State>) -> Result<HttpResponse, Failure> {
    let id = bearer.account.id;
    let found = state.reader.read(async |client| Ok(channels::preference(client, id).await?)).await?;
    Ok(HttpResponse::Ok().json(Data { data: told(found), as_of: None }))
}

/// Change how you want to be told: pace, quiet hours on your own clocks, words
#[utoipa::path(
    patch,
    path = "/account/notifications",
    tag = "notifications",
    security(("bearer" = [])),
    request_body = PreferenceChange,
    responses((status = 200, description = "As it is now", body = Data<PreferenceRow>), AccountFailures, Failures)
)]
pub(crate) async fn set_preference(
    Writing(bearer): Writing,
    state: web::Data<State>,
    Body(change): Body<PreferenceChange>,
) -> Result<HttpResponse, Failure> {
    let id = bearer.account.id;
    let set = state.reader.read(async |client| {
        let preference = changed(channels::preference(client, id).await?, &change)?;
        channels::set_preference(client, id, &preference).await?;
        // What was held back for what was wanted before.
        while notifications::reconsider(client, id).await? >= 1_000 {}
        Ok(preference)
    });
    Ok(HttpResponse::Ok().json(Data { data: told(set.await?), as_of: None }))
}

/// See what templates would make of an alert, without keeping them
#[utoipa::path(
    post,
    path = "/account/notifications/preview",
    tag = "notifications",
    security(("bearer" = [])),
    request_body = PreferenceChange,
    responses((status = 200, description = "A subject and a text", body = Data<TemplatePreview>), AccountFailures, Failures)
)]
pub(crate) async fn preview(
    Reading(bearer): Reading,
    state: web::Data<State>,
    Body(change): Body<PreferenceChange>,
) -> Result<HttpResponse, Failure> {
    let id = bearer.account.id;
    let now = state.reader.read(async |client| Ok(channels::preference(client, id).await?)).await?;
    let preference = changed(now, &change)?;
    let told = Told::example(Utc::now(), bearer.account.time_zone.parse().unwrap_or(Tz::UTC));
    let (subject, body) = templates(&preference)?;
    let data = TemplatePreview { subject: subject.render_line(&told), text: body.render(&told) };
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

fn templates(preference: &Preference) -> Result<(Template, Template), Failure> {
    let wrong = |mistake: domain::notification::Mistake| {
        Failure::parameter(
            mistake.field,
            "",
            mistake.to_string(),
            "text with {what}, {exchange}, {ticker}, {coin}, {price}, {reference}, {level}, {note}, {time}, {late}",
        )
    };
    let subject = Template::subject(preference.subject.as_deref().unwrap_or(SUBJECT)).map_err(wrong)?;
    let body = Template::body(preference.body.as_deref().unwrap_or(BODY)).map_err(wrong)?;
    Ok((subject, body))
}

/// What was wanted before, with what is wanted now in its place.
fn changed(before: Preference, change: &PreferenceChange) -> Result<Preference, Failure> {
    let messages_per_minute = change.messages_per_minute.unwrap_or(before.messages_per_minute);
    if !(1..=1_000).contains(&messages_per_minute) {
        let value = messages_per_minute.to_string();
        return Err(Failure::parameter("messages_per_minute", &value, "this is out of bounds", "1 to 1000"));
    }
    let time = |name: &str, text: &Option<Option<String>>, before: Option<NaiveTime>| match text {
        None => Ok(before),
        Some(None) => Ok(None),
        Some(Some(text)) => NaiveTime::parse_from_str(text, "%H:%M")
            .map(Some)
            .map_err(|_| Failure::parameter(name, text, "this is no time of the day", "00:00 to 23:59, or null")),
    };
    let (from, to) = before.quiet.unzip();
    let quiet = (time("quiet_from", &change.quiet_from, from)?, time("quiet_to", &change.quiet_to, to)?);
    let quiet = match quiet {
        (Some(from), Some(to)) => Some((from, to)),
        (None, None) => None,
        (Some(_), None) => return Err(Failure::parameter("quiet_to", "", "quiet hours have an end", "HH:MM")),
        (None, Some(_)) => return Err(Failure::parameter("quiet_from", "", "quiet hours have a beginning", "HH:MM")),
    };
    let subject = change.subject.clone().unwrap_or(before.subject);
    let body = change.body.clone().unwrap_or(before.body);
    let preference = Preference { messages_per_minute, quiet, subject, body };
    templates(&preference)?;
    Ok(preference)
}

fn told(preference: Preference) -> PreferenceRow {
    let Preference { messages_per_minute, quiet, subject, body } = preference;
    let time = |time: NaiveTime| time.format("%H:%M").to_string();
    let (quiet_from, quiet_to) = quiet.map(|(from, to)| (time(from), time(to))).unzip();
    PreferenceRow { messages_per_minute, quiet_from, quiet_to, subject, body }
}
