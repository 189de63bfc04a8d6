//! Logging in and out.

use actix_web::{HttpRequest, HttpResponse, web};
use api_types::accounts::{AccessToken, LogIn, Refresh, Tokens};
use chrono::{SubsecRound as _, Utc};
use database::{accounts, sessions};

use crate::{
    auth::LoggedIn,
    body::Body,
    error::{Code, Failure},
    openapi::{AccountFailures, Failures},
    password, rate_limit,
    server::State,
    token::{self, Kind, Token},
};

/// Log in: an access token for some minutes, and a refresh token to get more with
#[utoipa::path(
    post,
    path = "/api/token",
    tag = "accounts",
    request_body = LogIn,
    responses((status = 200, description = "The tokens of a new session", body = Tokens), AccountFailures, Failures)
)]
pub(crate) async fn log_in(
    request: HttpRequest,
    state: web::Data<State>,
    Body(LogIn { username, password }): Body<LogIn>,
) -> Result<HttpResponse, Failure> {
    let username = username.trim().to_lowercase();
    let address = rate_limit::address(&request, state.trust_proxy);
    state.attempts.count(address, &username)?;
    let known = if accounts::is_username(&username) {
        state.reader.read(async |client| Ok(accounts::find_for_login(client, &username).await?)).await?
    } else {
        None
    };
    // What nobody is called is not logged: it may be a password in the wrong field.
    let logged = if known.is_some() { username } else { "(unknown)".to_owned() };
    let refused = || {
        tracing::warn!(username = logged, %address, "a log-in is refused");
        Failure::new(Code::WrongLogin, "nobody is known by this name and password")
    };
    let (account, hash) = known.unzip();
    if !password::is_right(password, hash.clone()).await? {
        return Err(refused());
    }
    let Some((account, hash)) = account.zip(hash) else { return Err(refused()) };
    let (access, refresh) = (Token::new(Kind::Access)?, Token::new(Kind::Refresh)?);
    let (access_lasting, refresh_lasting) = (state.access_lasting, state.refresh_lasting);
    let begin = state.reader.read(async |client| {
        let tokens = ((&refresh.digest(), refresh_lasting), (&access.digest(), access_lasting));
        Ok(sessions::begin(client, (account.id, &hash), tokens.0, tokens.1).await?)
    });
    // It may have been changed, or the account disabled, while it was compared.
    if !begin.await? {
        return Err(refused());
    }
    tracing::info!(username = logged, %address, "logged in");
    let now = Utc::now().trunc_subsecs(0);
    Ok(HttpResponse::Ok().json(Tokens {
        access: access.tell().to_owned(),
        refresh: refresh.tell().to_owned(),
        access_expires_at: now + access_lasting,
        refresh_expires_at: now + refresh_lasting,
    }))
}

/// One more access token of a session
#[utoipa::path(
    post,
    path = "/api/token/refresh",
    tag = "accounts",
    request_body = Refresh,
    responses((status = 200, description = "An access token", body = AccessToken), AccountFailures, Failures)
)]
pub(crate) async fn refresh(
    state: web::Data<State>,
    Body(Refresh { refresh }): Body<Refresh>,
) -> Result<HttpResponse, Failure> {
    let (digest, access) = (token::digest(&refresh), Token::new(Kind::Access)?);
    let lasting = state.access_lasting;
    let more =
        state.reader.read(async |client| Ok(sessions::refresh(client, &digest, &access.digest(), lasting).await?));
    if !Kind::Refresh.is(&refresh) || !more.await? {
        return Err(Failure::new(Code::InvalidToken, "this is no refresh token, or not any more; log in again"));
    }
    let access_expires_at = Utc::now().trunc_subsecs(0) + lasting;
    Ok(HttpResponse::Ok().json(AccessToken { access: access.tell().to_owned(), access_expires_at }))
}

/// Log out: the session of the access token ends, with all of its tokens
#[utoipa::path(
    post,
    path = "/api/logout",
    tag = "accounts",
    security(("bearer" = [])),
    responses((status = 204, description = "It has ended"), AccountFailures, Failures)
)]
pub(crate) async fn log_out(who: LoggedIn, state: web::Data<State>) -> Result<HttpResponse, Failure> {
    state.reader.read(async |client| Ok(sessions::end(client, who.session_id).await?)).await?;
    tracing::info!(username = ?who.bearer.account.username, "logged out");
    Ok(HttpResponse::NoContent().finish())
}
