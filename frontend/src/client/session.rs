//! Who is logged in, and the tokens that prove it. Shared by everything that asks: a token is renewed once, however many
//! questions need it, and who needs an account waits here until there is one.

use std::{fmt, time::Duration};

use api_types::accounts::{AccessToken, LogIn, Refresh, Tokens};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};

use super::{Client, ClientError};

/// An access token is renewed so long before it ends.
const AHEAD: TimeDelta = TimeDelta::seconds(60);
/// But not sooner than this after the last one: where the clocks disagree, each of them would seem to be over.
const LEAST: Duration = Duration::from_secs(60);

/// A text that no log and no message shows.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    /// This text.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A session that goes on until its log-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    /// Whose.
    pub username: String,
    /// What access tokens are asked for with.
    pub refresh: Secret,
    /// Whether later runs are to go on with it.
    pub stays: bool,
}

/// How it stands with the account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    /// Whoever is logged in.
    pub login: Option<Login>,
    /// Whether the API tells nothing without an account.
    pub is_needed: bool,
    /// Whether the API ended the last session.
    pub has_ended: bool,
}

/// Whose answers a question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Everybody, unless the API wants to know who asks.
    Anybody,
    /// The account alone.
    Account,
}

/// The account and its tokens.
#[derive(Debug)]
pub(super) struct Session {
    access: Mutex<Option<Access>>,
    standing: watch::Sender<Standing>,
}

struct Access {
    token: String,
    expires_at: DateTime<Utc>,
    got_at: Instant,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Access {
    fn new(token: String, expires_at: DateTime<Utc>) -> Self {
        Self { token, expires_at, got_at: Instant::now() }
    }
}

/// Whether a token is to be renewed that ends then and is so old.
fn is_due(expires_at: DateTime<Utc>, age: Duration, now: DateTime<Utc>) -> bool {
    now + AHEAD >= expires_at && age >= LEAST
}

impl Session {
    /// Of whoever was logged in before, if somebody was.
    pub(super) fn new(login: Option<Login>) -> Self {
        let standing = Standing { login, ..Standing::default() };
        Self { access: Mutex::new(None), standing: watch::Sender::new(standing) }
    }

    fn end(&self, has_ended: bool) {
        self.standing.send_modify(|standing| {
            standing.login = None;
            standing.has_ended = has_ended;
        });
    }
}

impl Client {
    /// How it stands with the account, now and whenever it changes.
    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.session.standing.subscribe()
    }

    /// Logs in; whoever was before is so no more.
    pub(crate) async fn log_in(&self, username: &str, password: &Secret, stays: bool) -> Result<(), ClientError> {
        let mut access = self.session.access.lock().await;
        let proof = LogIn { username: username.trim().to_owned(), password: password.0.clone() };
        let tokens: Tokens = self.ask_tokens(&["api", "token"], &proof).await?;
        *access = Some(Access::new(tokens.access, tokens.access_expires_at));
        let login = Login { username: username.trim().to_lowercase(), refresh: Secret(tokens.refresh), stays };
        self.session.standing.send_modify(|standing| {
            standing.login = Some(login);
            standing.has_ended = false;
        });
        Ok(())
    }

    /// Ends the session: here at once, at the API as soon as that hears of it.
    pub(crate) async fn log_out(&self) -> Result<(), ClientError> {
        let token = self.access(None).await;
        *self.session.access.lock().await = None;
        self.session.end(false);
        self.end_session(&token?).await
    }

    /// Waits until the API tells nothing any more, since whoever was logged in no longer is.
    pub(crate) async fn shut_out(&self) {
        let mut standing = self.standing();
        if standing.wait_for(|standing| standing.is_needed && standing.login.is_none()).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The API tells nothing without an account.
    pub(super) fn need_account(&self) {
        self.session.standing.send_if_modified(|standing| !std::mem::replace(&mut standing.is_needed, true));
    }

    /// What a question is to be sent with. Where everybody needs an account, waits until there is one.
    pub(super) async fn token_for(&self, whose: For) -> Result<Option<String>, ClientError> {
        loop {
            let mut standing = self.standing();
            let is_needed = standing.borrow().is_needed;
            if whose == For::Anybody && !is_needed {
                return Ok(None);
            }
            if whose == For::Anybody && standing.wait_for(|standing| standing.login.is_some()).await.is_err() {
                return Err(ClientError::LoggedOut);
            }
            match self.access(None).await {
                Err(ClientError::LoggedOut) if whose == For::Anybody => {}
                other => return other.map(Some),
            }
        }
    }

    /// A token that serves, another one than the one that was refused.
    pub(super) async fn access(&self, refused: Option<&str>) -> Result<String, ClientError> {
        let mut access = self.session.access.lock().await;
        let login = self.session.standing.borrow().login.clone().ok_or(ClientError::LoggedOut)?;
        let known = access.as_ref().filter(|known| Some(known.token.as_str()) != refused);
        if let Some(known) = known.filter(|known| !is_due(known.expires_at, known.got_at.elapsed(), Utc::now())) {
            return Ok(known.token.clone());
        }
        let unusable = known.is_none();
        let proof = Refresh { refresh: login.refresh.0.clone() };
        match self.ask_tokens::<AccessToken>(&["api", "token", "refresh"], &proof).await {
            Ok(token) => Ok(access.insert(Access::new(token.access, token.access_expires_at)).token.clone()),
            Err(ClientError::Refused(problem)) if problem.status == 401 => {
                tracing::info!(code = problem.code, "the session has ended");
                *access = None;
                self.session.end(true);
                Err(ClientError::LoggedOut)
            }
            // One that is only about to end serves as long as it does.
            Err(error) => match access.as_ref().filter(|_| !unusable) {
                Some(known) => Ok(known.token.clone()),
                None => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends_and_not_all_the_time_where_clocks_disagree() {
        let at = |minute: i64| DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
        let minutes = |count: u64| Duration::from_secs(60 * count);
        assert!(!is_due(at(15), minutes(13), at(13)));
        assert!(is_due(at(15), minutes(14), at(14)));
        assert!(is_due(at(15), minutes(100), at(100)));
        assert!(!is_due(at(15), Duration::ZERO, at(100)), "our clock is fast");
    }

    #[test]
    fn secrets_are_not_told() {
        let login = Login { username: "ada".into(), refresh: Secret("ctr_x".into()), stays: true };
        let access = Access::new("cta_x".into(), DateTime::UNIX_EPOCH);
        let told = format!("{login:?} {access:?}");
        assert!(told.contains("ada") && !told.contains("ct"), "{told}");
    }
}
