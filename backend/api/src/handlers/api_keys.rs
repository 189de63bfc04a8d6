//! API keys: what scripts bear.

use actix_web::{HttpResponse, web};
use api_types::{
    Data,
    accounts::{ApiKeyRow, MadeApiKey, NewApiKey},
};
use chrono::Utc;
use database::sessions::{self, ApiKey, Scope};

use crate::{
    auth::LoggedIn,
    body::Body,
    error::{Code, Failure},
    openapi::{AccountFailures, Failures},
    server::State,
    token::{Kind, Token},
};

/// Your API keys, oldest first
#[utoipa::path(
    get,
    path = "/api-keys",
    tag = "accounts",
    security(("bearer" = [])),
    responses((status = 200, description = "The keys, without what they are", body = Data<Vec<ApiKeyRow>>), AccountFailures, Failures)
)]
pub(crate) async fn list(who: LoggedIn, state: web::Data<State>) -> Result<HttpResponse, Failure> {
    let id = who.bearer.account.id;
    let keys = state.reader.read(async |client| Ok(sessions::list_keys(client, id).await?)).await?;
    let data: Vec<ApiKeyRow> = keys.into_iter().map(row).collect();
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

/// Make an API key; the answer tells it, this once
#[utoipa::path(
    post,
    path = "/api-keys",
    tag = "accounts",
    security(("bearer" = [])),
    request_body = NewApiKey,
    responses((status = 201, description = "The key", body = Data<MadeApiKey>), AccountFailures, Failures)
)]
pub(crate) async fn make(
    who: LoggedIn,
    state: web::Data<State>,
    Body(NewApiKey { name, scope, expires_at }): Body<NewApiKey>,
) -> Result<HttpResponse, Failure> {
    let name = name.trim();
    if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(Failure::parameter("name", name, "this is no name", "1 to 100 characters that can be seen"));
    }
    let scope = Scope::parse(&scope)
        .ok_or_else(|| Failure::parameter("scope", &scope, "a key has no such scope", "read, write"))?;
    if let Some(expires_at) = expires_at.filter(|expires_at| *expires_at <= Utc::now()) {
        let value = expires_at.to_rfc3339();
        return Err(Failure::parameter("expires_at", &value, "this is over already", "a moment to come, or null"));
    }
    let token = Token::new(Kind::Key)?;
    let id = who.bearer.account.id;
    let made = state.reader.read(async |client| {
        let key = sessions::NewApiKey { name, scope, hint: token.hint(), expires_at, digest: &token.digest() };
        Ok(sessions::add_key(client, id, &key).await?)
    });
    let Some(made) = made.await? else {
        let detail = format!("an account has {} keys at most", sessions::MOST_KEYS);
        return Err(Failure::new(Code::TooManyApiKeys, detail));
    };
    tracing::info!(username = ?who.bearer.account.username, key = made.id, "an API key is made");
    let data = MadeApiKey { row: row(made), key: token.tell().to_owned() };
    Ok(HttpResponse::Created().json(Data { data, as_of: None }))
}

/// Take an API key away
#[utoipa::path(
    delete,
    path = "/api-keys/{id}",
    tag = "accounts",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Its number, as `/api-keys` lists it", example = "7")),
    responses((status = 204, description = "It serves no more"), AccountFailures, Failures)
)]
pub(crate) async fn delete(
    who: LoggedIn,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let unknown = || Failure::new(Code::UnknownApiKey, "you have no such API key").at("id", &id);
    let number = id.parse().map_err(|_| unknown())?;
    let account_id = who.bearer.account.id;
    let gone = state.reader.read(async |client| Ok(sessions::delete_key(client, account_id, number).await?));
    if !gone.await? {
        return Err(unknown());
    }
    tracing::info!(username = ?who.bearer.account.username, key = number, "an API key is taken away");
    Ok(HttpResponse::NoContent().finish())
}

fn row(key: ApiKey) -> ApiKeyRow {
    let ApiKey { id, name, scope, hint, created_at, expires_at, last_used_at } = key;
    ApiKeyRow { id, name, scope: scope.as_str().to_owned(), hint, created_at, expires_at, last_used_at }
}
