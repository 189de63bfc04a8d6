//! What whoever asks is told, where, and in what they count, in the forms of an earlier system.

use actix_web::{HttpResponse, web};
use api_types::{
    alerts::Amount,
    earlier_notifications::{
        EarlierChannel, EarlierChannelRequest, EarlierNotification, EarlierNotificationRequest, EarlierSettings,
        EarlierSettingsRequest,
    },
    notifications::ScheduleRequest,
};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use database::{
    Client,
    accounts::{self, Account},
    channels::{self, Channel},
    schedules::{self, BALANCE, ScheduleRecord, What},
};
use domain::notification::{ChannelSettings, schedule::Movement};
use serde_json::{Value, json};

use crate::{
    auth::{Reading, Writing},
    body::Body,
    error::Failure,
    handlers::{
        channels::made as made_channel,
        earlier_portfolios::{date, own, portfolio_of},
        portfolios::currency,
        schedules::{every, made as made_schedule},
    },
    openapi::{AccountFailures, Failures},
    server::State,
};

/// How many notifications are listed.
const LISTED: usize = 10;
/// What is told once is told every so often, and ends before the second time.
const SELDOM: &str = "720:00";
const ONCE: &str = "00:00";
/// What is to begin now begins behind that which the database's clock says, should it be ahead.
const SOON: TimeDelta = TimeDelta::seconds(60);

const TYPES: &str = "BALANCE, SYMBOL_VALUE_DROP, SYMBOL_VALUE_INCREASE";

/// Be told regularly what your first portfolio is worth, or which coins moved, in the form of an earlier system
#[utoipa::path(
    post,
    path = "/api/v1/user-notification",
    tag = "earlier",
    security(("bearer" = [])),
    request_body = EarlierNotificationRequest,
    responses((status = 201, description = "What is told", body = EarlierNotification), AccountFailures, Failures)
)]
pub(crate) async fn notify(
    Writing(bearer): Writing,
    state: web::Data<State>,
    Body(request): Body<EarlierNotificationRequest>,
) -> Result<HttpResponse, Failure> {
    let account = meant(&bearer.account, request.user_id)?;
    let made = state.reader.read(async |client| {
        let own_channels = channels::list(client, account.id).await?;
        let wanted = wanted(client, account, &own_channels, &request).await?;
        let made = made_schedule(client, account.id, &wanted).await?;
        Ok(notification(account, &own_channels, made))
    });
    Ok(HttpResponse::Created().json(made.await?))
}

/// What you are told regularly: the ten oldest, in the form of an earlier system
#[utoipa::path(
    get,
    path = "/api/v1/user-notifications",
    tag = "earlier",
    security(("bearer" = [])),
    responses((status = 200, description = "What is told", body = Vec<EarlierNotification>), AccountFailures, Failures)
)]
pub(crate) async fn notifications(Reading(bearer): Reading, state: web::Data<State>) -> Result<HttpResponse, Failure> {
    let account = &bearer.account;
    let listed = state.reader.read(async |client| {
        let own_channels = channels::list(client, account.id).await?;
        let all = schedules::list(client, account.id, None).await?;
        Ok(all.into_iter().take(LISTED).map(|one| notification(account, &own_channels, one)).collect::<Vec<_>>())
    });
    Ok(HttpResponse::Ok().json(listed.await?))
}

/// Make a channel to Telegram or by mail, in the form of an earlier system
#[utoipa::path(
    post,
    path = "/api/v1/user-channel",
    tag = "earlier",
    security(("bearer" = [])),
    request_body = EarlierChannelRequest,
    responses((status = 201, description = "The channel", body = EarlierChannel), AccountFailures, Failures)
)]
pub(crate) async fn make_channel(
    Writing(bearer): Writing,
    state: web::Data<State>,
    Body(request): Body<EarlierChannelRequest>,
) -> Result<HttpResponse, Failure> {
    let account = meant(&bearer.account, request.user_id)?;
    let made = state.reader.read(async |client| {
        let (kind, settings) = match request.channel_type.as_deref().map(str::to_lowercase).as_deref() {
            Some("telegram") => ("telegram", telegram(client, account, &request).await?),
            Some("email") => ("email", filled(&request.user_email).map_or(json!({}), |to| json!({ "address": to }))),
            other => {
                let allowed = "TELEGRAM or EMAIL; POST /channels makes the others";
                let detail = "no channel of this kind is made here";
                return Err(Failure::parameter("channel_type", other.unwrap_or_default(), detail, allowed));
            }
        };
        Ok(channel(account, &made_channel(client, account, kind, kind, &settings).await?))
    });
    Ok(HttpResponse::Created().json(made.await?))
}

/// Your channels of a kind, in the form of an earlier system
#[utoipa::path(
    get,
    path = "/api/v1/user-channels/{id}/{channel_type}",
    tag = "earlier",
    security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "Your number or name", example = "ada"),
        ("channel_type" = String, Path, description = "The kind", example = "TELEGRAM"),
    ),
    responses((status = 200, description = "The channels, oldest first", body = Vec<EarlierChannel>), AccountFailures, Failures)
)]
pub(crate) async fn channels_of_kind(
    Reading(bearer): Reading,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let (id, kind) = path.into_inner();
    let account = own(&bearer.account, &id)?;
    let all = state.reader.read(async |client| Ok(channels::list(client, account.id).await?)).await?;
    let of_kind = all.iter().filter(|one| one.kind.eq_ignore_ascii_case(&kind));
    Ok(HttpResponse::Ok().json(of_kind.map(|one| channel(account, one)).collect::<Vec<_>>()))
}

/// In what you count, in the form of an earlier system
#[utoipa::path(
    get,
    path = "/api/v1/user-settings/{id}",
    tag = "earlier",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Your number or name", example = "ada")),
    responses((status = 200, description = "The settings", body = EarlierSettings), AccountFailures, Failures)
)]
pub(crate) async fn settings(Reading(bearer): Reading, id: web::Path<String>) -> Result<HttpResponse, Failure> {
    Ok(HttpResponse::Ok().json(told(own(&bearer.account, &id)?)))
}

/// Set in what you count, in the form of an earlier system
#[utoipa::path(
    post,
    path = "/api/v1/user-settings",
    tag = "earlier",
    security(("bearer" = [])),
    request_body = EarlierSettingsRequest,
    responses((status = 200, description = "The settings as they are now", body = EarlierSettings), AccountFailures, Failures)
)]
pub(crate) async fn set(
    Writing(bearer): Writing,
    state: web::Data<State>,
    Body(request): Body<EarlierSettingsRequest>,
) -> Result<HttpResponse, Failure> {
    let account = meant(&bearer.account, request.user_id)?;
    let code = currency("preferred_currency", request.preferred_currency.as_deref())?;
    let id = account.id;
    let changed =
        state.reader.read(async |client| Ok(accounts::change(client, id, None, None, code.as_deref()).await?)).await?;
    Ok(HttpResponse::Ok().json(told(&changed)))
}

fn told(account: &Account) -> EarlierSettings {
    EarlierSettings {
        user_id: account.id,
        preferred_currency: account.currency.clone(),
        source_id: account.id.to_string(),
    }
}

/// Whoever asks, where they ask for themselves.
fn meant(account: &Account, user_id: Option<i64>) -> Result<&Account, Failure> {
    user_id.map_or(Ok(account), |id| own(account, &id.to_string()))
}

/// What is asked for, in our words.
async fn wanted(
    client: &Client,
    account: &Account,
    own_channels: &[Channel],
    request: &EarlierNotificationRequest,
) -> Result<ScheduleRequest, Failure> {
    let word = request.notification_type.as_deref().unwrap_or_default();
    let kind = match word.to_uppercase().as_str() {
        "BALANCE" => BALANCE,
        "SYMBOL_VALUE_DROP" => Movement::Fell.as_str(),
        "SYMBOL_VALUE_INCREASE" => Movement::Rose.as_str(),
        _ => return Err(Failure::parameter("notification_type", word, "there is no such type", TYPES)),
    };
    if kind != BALANCE && request.threshold_value.is_none() {
        return Err(Failure::parameter("threshold_value", "", "this field is missing", "percents, 0 to 1000"));
    }
    let text = request.check_every.as_deref().unwrap_or_default().trim();
    let is_once = text == ONCE;
    if !is_once && every(text).is_none() {
        let allowed = "hours and minutes, 00:01 to 720:00; 00:00 for once";
        return Err(Failure::parameter("check_every", text, "this is no interval", allowed));
    }
    let moment = |name, text: &Option<String>| filled(text).map(|text| date(name, text)).transpose();
    let begin = moment("start_date", &request.start_date)?;
    let now = Utc::now().trunc_subsecs(0);
    let begin = if is_once { begin.unwrap_or(now).max(now + SOON) } else { begin.unwrap_or(now) };
    let end = moment("end_date", &request.end_date)?;
    let end = if is_once { Some(begin + TimeDelta::minutes(1)) } else { end };
    if let Some(end) = end.filter(|end| *end <= begin) {
        let allowed = "a moment behind start_date";
        return Err(Failure::parameter("end_date", &end.to_rfc3339(), "it would end before it begins", allowed));
    }
    let portfolio = if kind == BALANCE { Some(portfolio_of(client, account).await?) } else { None };
    Ok(ScheduleRequest {
        name: Some(format!("{} {text}", word.to_lowercase().replace('_', " "))),
        kind: Some(kind.to_owned()),
        portfolio,
        threshold_percent: request.threshold_value,
        every: Some(if is_once { SELDOM } else { text }.to_owned()),
        starts_at: Some(begin),
        ends_at: Some(end),
        active: request.is_active,
        pairs: None,
        channels: Some(of_kind(own_channels, filled(&request.channel_type))?),
    })
}

/// The numbers of the channels of a kind; `None` for all.
fn of_kind(own_channels: &[Channel], kind: Option<&str>) -> Result<Option<Vec<i64>>, Failure> {
    let Some(kind) = kind else { return Ok(None) };
    let found: Vec<i64> =
        own_channels.iter().filter(|one| one.kind.eq_ignore_ascii_case(kind)).map(|one| one.id).collect();
    if found.is_empty() {
        let allowed = "the kind of one that there is; POST /api/v1/user-channel makes one";
        return Err(Failure::parameter("channel_type", kind, "you have no channel of this kind", allowed));
    }
    Ok(Some(found))
}

fn notification(account: &Account, own_channels: &[Channel], record: ScheduleRecord) -> EarlierNotification {
    let ScheduleRecord { id, definition, .. } = record;
    let (notification_type, threshold) = match &definition.what {
        What::Balance { .. } => ("BALANCE", None),
        What::Moves { movement, threshold, .. } => {
            let word = match movement {
                Movement::Fell => "SYMBOL_VALUE_DROP",
                Movement::Rose => "SYMBOL_VALUE_INCREASE",
                Movement::Moved => "SYMBOL_VALUE_CHANGE",
            };
            (word, Some(threshold.normalize()))
        }
    };
    let minutes = definition.every_minutes;
    let is_once = is_once(minutes, definition.starts_at, definition.ends_at);
    let first = definition.channel_ids.as_ref().and_then(|ids| ids.first());
    let kind = first.and_then(|id| own_channels.iter().find(|one| one.id == *id)).map(|one| one.kind.to_uppercase());
    EarlierNotification {
        id,
        user_id: account.id,
        user_name: account.username.clone(),
        user_email: account.email.clone(),
        notification_type: notification_type.to_owned(),
        check_every: if is_once { ONCE.to_owned() } else { format!("{:02}:{:02}", minutes / 60, minutes % 60) },
        start_date: definition.starts_at,
        end_date: definition.ends_at,
        is_active: definition.is_active,
        channel_type: kind,
        threshold_value: threshold.map(Amount),
        source_id: id.to_string(),
    }
}

/// Whether there is no second time.
fn is_once(minutes: i32, begin: DateTime<Utc>, end: Option<DateTime<Utc>>) -> bool {
    end.is_some_and(|end| end - begin < TimeDelta::minutes(minutes.into()))
}

/// The settings of a channel to Telegram.
async fn telegram(client: &Client, account: &Account, request: &EarlierChannelRequest) -> Result<Value, Failure> {
    let chat_id = match &request.chat_id {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(Failure::parameter("chat_id", "", "this is no chat", "the number of a chat, or @name")),
    };
    let token = match filled(&request.token) {
        Some(token) => token.to_owned(),
        None => {
            let known =
                channels::list(client, account.id).await?.into_iter().find_map(
                    |one| match ChannelSettings::from_stored(&one.kind, &one.settings)? {
                        ChannelSettings::Telegram { token, .. } => Some(token),
                        _ => None,
                    },
                );
            let missing = || {
                Failure::parameter("token", "", "this field is missing", "the token of your bot, as BotFather told it")
            };
            known.ok_or_else(missing)?
        }
    };
    Ok(json!({ "token": token, "chat_id": chat_id }))
}

/// A text that says something: clients of the earlier system send empty ones.
fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn channel(account: &Account, channel: &Channel) -> EarlierChannel {
    let (chat_id, user_email) = match ChannelSettings::from_stored(&channel.kind, &channel.settings) {
        Some(ChannelSettings::Telegram { chat_id, .. }) => (Some(chat_id), None),
        Some(ChannelSettings::Email { address }) => (None, address.or_else(|| account.email.clone())),
        _ => (None, None),
    };
    EarlierChannel {
        id: channel.id,
        user_id: account.id,
        channel_type: channel.kind.to_uppercase(),
        chat_id,
        user_email,
        source_id: channel.id.to_string(),
    }
}
