//! Who asks. What a handler demands stands in its signature: [`Reading`], [`Writing`] or [`LoggedIn`].

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};
use database::sessions::{self, Bearer, Scope};

use crate::{
    error::{Code, Failure},
    server::State,
    token::{self, Kind},
};

/// Somebody who may look at what is their own: logged in, or with a key.
pub(crate) struct Reading(pub(crate) Bearer);

/// Somebody who may change what is their own: logged in, or with a key that may write.
pub(crate) struct Writing(pub(crate) Bearer);

/// Somebody who has logged in: for what a key must not be used for.
pub(crate) struct LoggedIn {
    pub(crate) bearer: Bearer,
    pub(crate) session_id: i64,
}

/// What the database says of whoever bears what the request brings.
pub(crate) async fn bearer(request: HttpRequest) -> Result<Bearer, Failure> {
    let header = request.headers().get(header::AUTHORIZATION);
    let Some(header) = header else {
        return Err(Failure::new(
            Code::NotLoggedIn,
            "this needs an account: send Authorization: Bearer and a token of POST /api/token, or an API key",
        ));
    };
    let words = header.to_str().ok().and_then(|text| text.split_once(' '));
    let token = words.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let Some(token) = token else {
        return Err(Failure::new(Code::InvalidToken, "Authorization is not of the form: Bearer and a token or key"));
    };
    let state = request.app_data::<web::Data<State>>();
    let state = state.ok_or_else(|| Failure::new(Code::Internal, "the server has no state"))?;
    let digest = token::digest(token);
    let found = if Kind::Access.is(token) {
        state.reader.read(async |client| Ok(sessions::bearer_of_token(client, &digest).await?)).await?
    } else if Kind::Key.is(token) {
        state.reader.read(async |client| Ok(sessions::bearer_of_key(client, &digest).await?)).await?
    } else if Kind::Refresh.is(token) {
        return Err(Failure::new(
            Code::InvalidToken,
            "this is a refresh token; POST /api/token/refresh gives an access token",
        ));
    } else {
        return Err(Failure::new(Code::InvalidToken, "this is no token of ours"));
    };
    found.ok_or_else(|| Failure::new(Code::InvalidToken, "this token has expired, was revoked, or never was one"))
}

macro_rules! extract {
    ($($demand:ty: $of:expr;)+) => {$(
        impl FromRequest for $demand {
            type Error = Failure;
            type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let request = request.clone();
                Box::pin(async move { bearer(request).await.and_then($of) })
            }
        }
    )+};
}

extract! {
    Reading: |bearer| Ok(Self(bearer));
    Writing: |bearer| match bearer.scope {
        Scope::Write => Ok(Self(bearer)),
        Scope::Read => Err(Failure::new(Code::OnlyReading, "this key may only read; make one of scope write, or log in")),
    };
    LoggedIn: |bearer| match bearer.session_id {
        Some(session_id) => Ok(Self { bearer, session_id }),
        None => Err(Failure::new(Code::LogInNeeded, "a key does not serve here; log in with POST /api/token")),
    };
}
