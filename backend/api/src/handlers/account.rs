//! The account of whoever asks.

use actix_web::{HttpRequest, HttpResponse, web};
use api_types::{
    Data,
    accounts::{AccountChange, AccountRow, NewAccount, PasswordChange},
};
use chrono_tz::Tz;
use database::{
    accounts::{self, Account, Change, Role},
    sessions,
};

use crate::{
    auth::{LoggedIn, Reading, Writing},
    body::Body,
    error::{Code, Failure},
    handlers,
    openapi::{AccountFailures, Failures},
    password, rate_limit,
    server::State,
};

/// The longest address of mail.
const LONGEST_EMAIL: usize = 254;

/// Your account
#[utoipa::path(
    get,
    path = "/account",
    tag = "accounts",
    security(("bearer" = [])),
    responses((status = 200, description = "The account", body = Data<AccountRow>), AccountFailures, Failures)
)]
pub(crate) async fn show(Reading(bearer): Reading) -> HttpResponse {
    told(&bearer.account)
}

/// Make an account for yourself, where the operator allows that
#[utoipa::path(
    post,
    path = "/account",
    tag = "accounts",
    request_body = NewAccount,
    responses((status = 201, description = "It is made; log in with POST /api/token"), AccountFailures, Failures)
)]
pub(crate) async fn sign_up(
    request: HttpRequest,
    state: web::Data<State>,
    Body(NewAccount { username, password, email }): Body<NewAccount>,
) -> Result<HttpResponse, Failure> {
    if !state.sign_up {
        return Err(Failure::new(Code::SignUpClosed, "accounts are made by the operator here"));
    }
    let username = username.trim().to_lowercase();
    if !accounts::is_username(&username) {
        let allowed = "1 to 64 of a-z, 0-9, dot, underscore and hyphen, the first a letter or digit";
        return Err(Failure::parameter("username", "", "nobody can be called so", allowed));
    }
    if let Some(email) = email.as_deref().filter(|email| !is_email(email)) {
        return Err(Failure::parameter(
            "email",
            email,
            "this is no address of mail",
            "ada@example.org, or null for none",
        ));
    }
    if let Some(mistake) = password::mistake(&password) {
        return Err(Failure::parameter("password", "", mistake, "10 to 256 characters"));
    }
    let address = rate_limit::address(&request, state.trust_proxy);
    state.attempts.count(address, &username)?;
    let password_hash = password::hash_beside(password).await?;
    let change = Change::Add { username: username.clone(), role: Role::User, email, password_hash };
    let made = state.reader.read(async |client| match change.carry_out(client).await {
        Err(error) if error.sql_state().is_some_and(|state| state.code() == "23505") => Ok(false),
        made => Ok(made.map(|()| true)?),
    });
    if !made.await? {
        return Err(Failure::new(Code::NameTaken, "there is an account of this name").at("username", &username));
    }
    tracing::info!(username, %address, "somebody has made an account");
    Ok(HttpResponse::Created().finish())
}

/// Change where your mail goes, on whose clocks your days are, or in what you count
#[utoipa::path(
    patch,
    path = "/account",
    tag = "accounts",
    security(("bearer" = [])),
    request_body = AccountChange,
    responses((status = 200, description = "The account as it is now", body = Data<AccountRow>), AccountFailures, Failures)
)]
pub(crate) async fn change(
    Writing(bearer): Writing,
    state: web::Data<State>,
    Body(AccountChange { email, time_zone, currency }): Body<AccountChange>,
) -> Result<HttpResponse, Failure> {
    if let Some(Some(email)) = &email
        && !is_email(email)
    {
        return Err(Failure::parameter(
            "email",
            email,
            "this is no address of mail",
            "ada@example.org, or null for none",
        ));
    }
    if let Some(zone) = &time_zone
        && zone.parse::<Tz>().is_err()
    {
        let allowed = "a name of the IANA database, such as Europe/Berlin";
        return Err(Failure::parameter("time_zone", zone, "no time zone is called so", allowed));
    }
    let currency = handlers::portfolios::currency("currency", currency.as_deref())?;
    let email = email.as_ref().map(|email| email.as_deref());
    let id = bearer.account.id;
    let changed = state
        .reader
        .read(async |client| Ok(accounts::change(client, id, email, time_zone.as_deref(), currency.as_deref()).await?));
    Ok(told(&changed.await?))
}

/// Set another password; your other sessions end
#[utoipa::path(
    post,
    path = "/account/password",
    tag = "accounts",
    security(("bearer" = [])),
    request_body = PasswordChange,
    responses((status = 204, description = "It is set"), AccountFailures, Failures)
)]
pub(crate) async fn set_password(
    who: LoggedIn,
    request: HttpRequest,
    state: web::Data<State>,
    Body(PasswordChange { current_password, new_password }): Body<PasswordChange>,
) -> Result<HttpResponse, Failure> {
    let account = &who.bearer.account;
    if let Some(mistake) = password::mistake(&new_password) {
        return Err(Failure::new(Code::InvalidParameter, mistake).at("new_password", "…"));
    }
    let address = rate_limit::address(&request, state.trust_proxy);
    state.attempts.count(address, &account.username)?;
    let wrong = || {
        tracing::warn!(username = account.username, %address, "a change of password is refused");
        Failure::new(Code::InvalidParameter, "the current password is another").at("current_password", "…")
    };
    let find = state.reader.read(async |client| Ok(accounts::find_for_login(client, &account.username).await?));
    let Some((_, current)) = find.await? else { return Err(wrong()) };
    if !password::is_right(current_password, Some(current.clone())).await? {
        return Err(wrong());
    }
    let hash = password::hash_beside(new_password).await?;
    let set = state
        .reader
        .read(async |client| Ok(sessions::set_password(client, (account.id, &current), &hash, who.session_id).await?));
    if !set.await? {
        return Err(wrong());
    }
    tracing::info!(username = ?account.username, "a password is changed");
    Ok(HttpResponse::NoContent().finish())
}

fn told(account: &Account) -> HttpResponse {
    let row = AccountRow {
        username: account.username.clone(),
        role: account.role.as_str().to_owned(),
        email: account.email.clone(),
        time_zone: account.time_zone.clone(),
        currency: account.currency.clone(),
        created_at: account.created_at,
    };
    HttpResponse::Ok().json(Data { data: row, as_of: None })
}

/// Whether mail can be sent there, as far as the text tells.
fn is_email(text: &str) -> bool {
    let halves =
        text.split_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    halves.is_some() && text.len() <= LONGEST_EMAIL && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}
