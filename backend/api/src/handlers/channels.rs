//! Channels: where whoever asks is told.

use actix_web::{HttpResponse, web};
use api_types::{
    Data,
    notifications::{ChannelChange, ChannelRow, NewChannel, Queued},
};
use database::{
    Client,
    accounts::Account,
    channels::{self, Channel, Deleted},
    notifications,
};
use domain::notification::ChannelSettings;
use serde::Deserialize as _;
use serde_json::Value;

use crate::{
    auth::{Reading, Writing},
    body::Body,
    error::{Code, Failure},
    openapi::{AccountFailures, Failures},
    server::State,
};

const KINDS: &str = "email, webhook, slack, telegram, discord, pagerduty, desktop, console";

/// Your channels, oldest first, without their secrets
#[utoipa::path(
    get,
    path = "/channels",
    tag = "notifications",
    security(("bearer" = [])),
    responses((status = 200, description = "The channels", body = Data<Vec<ChannelRow>>), AccountFailures, Failures)
)]
pub(crate) async fn list(Reading(bearer): Reading, state: web::Data<State>) -> Result<HttpResponse, Failure> {
    let id = bearer.account.id;
    let found = state.reader.read(async |client| Ok(channels::list(client, id).await?)).await?;
    let data: Vec<ChannelRow> = found.into_iter().map(row).collect();
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

/// Make a channel
#[utoipa::path(
    post,
    path = "/channels",
    tag = "notifications",
    security(("bearer" = [])),
    request_body = NewChannel,
    responses((status = 201, description = "The channel", body = Data<ChannelRow>), AccountFailures, Failures)
)]
pub(crate) async fn make(
    Writing(bearer): Writing,
    state: web::Data<State>,
    Body(NewChannel { name, kind, settings }): Body<NewChannel>,
) -> Result<HttpResponse, Failure> {
    let made = state.reader.read(async |client| made(client, &bearer.account, &name, &kind, &settings).await);
    Ok(HttpResponse::Created().json(Data { data: row(made.await?), as_of: None }))
}

/// Makes a channel.
pub(crate) async fn made(
    client: &Client,
    account: &Account,
    name: &str,
    kind: &str,
    settings: &Value,
) -> Result<Channel, Failure> {
    let (name, settings) = (named(name)?, read(kind, settings)?);
    let made = channels::add(client, account.id, name, settings.kind(), &settings.to_stored()).await?;
    let made = made.ok_or_else(|| {
        let detail = format!("an account has {} channels at most", channels::MOST_CHANNELS);
        Failure::new(Code::TooManyChannels, detail)
    })?;
    tracing::info!(username = ?account.username, channel = made.id, kind = made.kind, "a channel is made");
    Ok(made)
}

/// Change a channel: its name, its settings (all of them), or whether anything is sent there
#[utoipa::path(
    patch,
    path = "/channels/{id}",
    tag = "notifications",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "3")),
    request_body = ChannelChange,
    responses((status = 200, description = "The channel as it is now", body = Data<ChannelRow>), AccountFailures, Failures)
)]
pub(crate) async fn change(
    Writing(bearer): Writing,
    id: web::Path<String>,
    state: web::Data<State>,
    Body(ChannelChange { name, settings, active }): Body<ChannelChange>,
) -> Result<HttpResponse, Failure> {
    let (number, account_id) = (numbered(&id)?, bearer.account.id);
    let name = name.as_deref().map(named).transpose()?;
    let changed = state.reader.read(async |client| {
        let found = channels::find(client, account_id, number).await?.ok_or_else(|| unknown(&id))?;
        let settings = settings.as_ref().map(|settings| read(&found.kind, settings)).transpose()?;
        let stored = settings.map(|settings| settings.to_stored());
        Ok(channels::change(client, account_id, number, name, stored.as_ref(), active).await?)
    });
    let data = row(changed.await?.ok_or_else(|| unknown(&id))?);
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

/// Take a channel away, with what waits there
#[utoipa::path(
    delete,
    path = "/channels/{id}",
    tag = "notifications",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "3")),
    responses((status = 204, description = "It is gone"), AccountFailures, Failures)
)]
pub(crate) async fn delete(
    Writing(bearer): Writing,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let (number, account_id) = (numbered(&id)?, bearer.account.id);
    match state.reader.read(async |client| Ok(channels::delete(client, account_id, number).await?)).await? {
        Deleted::Gone => Ok(HttpResponse::NoContent().finish()),
        Deleted::Unknown => Err(unknown(&id)),
        Deleted::InUse(times) => {
            let detail =
                format!("{times} alerts and schedules name this channel; nobody would be told of them any more");
            Err(Failure::new(Code::ChannelInUse, detail).at("id", &id))
        }
    }
}

/// Have a message sent there, to see whether it arrives
#[utoipa::path(
    post,
    path = "/channels/{id}/test",
    tag = "notifications",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number", example = "3")),
    responses((status = 202, description = "It is on its way; /notifications tells what became of it", body = Data<Queued>), AccountFailures, Failures)
)]
pub(crate) async fn test(
    Writing(bearer): Writing,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let (number, account_id) = (numbered(&id)?, bearer.account.id);
    let queued = state.reader.read(async |client| {
        channels::find(client, account_id, number).await?.ok_or_else(|| unknown(&id))?;
        Ok(notifications::create_test(client, account_id, number).await?)
    });
    let queued = queued.await?.ok_or_else(|| {
        let detail = format!("a channel is tested {} times an hour at most", notifications::MOST_TESTS);
        Failure::new(Code::TooManyTests, detail).at("id", &id)
    })?;
    Ok(HttpResponse::Accepted().json(Data { data: Queued { id: queued.to_string() }, as_of: None }))
}

fn numbered(id: &str) -> Result<i64, Failure> {
    id.parse().map_err(|_| unknown(id))
}

fn unknown(id: &str) -> Failure {
    Failure::new(Code::UnknownChannel, "you have no such channel").at("id", id)
}

/// A name that can be seen.
pub(crate) fn named(name: &str) -> Result<&str, Failure> {
    let name = name.trim();
    if (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        return Ok(name);
    }
    Err(Failure::parameter("name", name, "this is no name", "1 to 100 characters that can be seen"))
}

/// The settings of a kind. What is wrong with them is told without what may be secret.
fn read(kind: &str, settings: &Value) -> Result<ChannelSettings, Failure> {
    let mut whole = settings.as_object().cloned().ok_or_else(|| {
        Failure::parameter(
            "settings",
            "",
            "these are no settings",
            "a JSON object, as docs/NOTIFICATIONS.md has it for the kind",
        )
    })?;
    if !KINDS.split(", ").any(|known| known == kind) {
        return Err(Failure::parameter("kind", kind, "there is no such kind of channel", KINDS));
    }
    whole.insert("kind".to_owned(), kind.into());
    let settings = ChannelSettings::deserialize(Value::Object(whole)).map_err(|error| {
        let said = error.to_string();
        let is_plain = ["missing field", "unknown field"].iter().any(|begin| said.starts_with(begin));
        let detail = if is_plain { said } else { "one of the settings is not of its type".to_owned() };
        Failure::parameter("settings", "", detail, "what docs/NOTIFICATIONS.md has for the kind")
    })?;
    match settings.mistake() {
        None => Ok(settings),
        Some(mistake) => Err(Failure::parameter(
            mistake.field,
            "",
            mistake.to_string(),
            "what docs/NOTIFICATIONS.md has for the kind",
        )),
    }
}

fn row(channel: Channel) -> ChannelRow {
    let Channel { id, name, kind, settings, is_active, created_at, last_sent_at, last_error } = channel;
    let shown = ChannelSettings::from_stored(&kind, &settings).map(|settings| settings.redacted().to_stored());
    let settings = shown.unwrap_or_default();
    ChannelRow { id, name, kind, settings, active: is_active, created_at, last_sent_at, last_error }
}
