//! What proves who asks: sessions with their tokens, and API keys. Only digests are stored, so that who reads the tables can use none.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

use crate::{
    Context as _, Result,
    accounts::{self, Account},
};

/// The digest of a token or key.
pub type Digest = [u8; 32];

/// A session has so many access tokens at most; the oldest go.
const MOST_TOKENS: i64 = 20;
/// An account has so many sessions at most; the oldest end.
const MOST_SESSIONS: i64 = 50;
/// An account has so many keys at most.
pub const MOST_KEYS: i64 = 50;

/// Whether the bearer may change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// May look.
    Read,
    /// May change, too.
    Write,
}

impl Scope {
    /// The word in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// The scope of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Read, Self::Write].into_iter().find(|scope| scope.as_str() == word)
    }
}

/// Who bears a token or a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The account.
    pub account: Account,
    /// What they may do with it.
    pub scope: Scope,
    /// The session, where it is one's token.
    pub session_id: Option<i64>,
}

/// Begins a session of an account, which ends after `lasting`, with a first access token. `false` where the account may not log in any
/// more, or has another password than the one of this hash.
///
/// # Errors
/// When the database refuses.
pub async fn begin(
    client: &impl GenericClient,
    (account_id, password_hash): (i64, &str),
    (refresh, lasting): (&Digest, TimeDelta),
    (access, access_lasting): (&Digest, TimeDelta),
) -> Result<bool> {
    let doing = "beginning a session";
    let begin = "
        WITH ended AS (
            DELETE FROM secret.session WHERE account_id = $1 AND (expires_at <= now() OR id IN (
                SELECT id FROM secret.session WHERE account_id = $1 ORDER BY id DESC OFFSET $6))
        ), begun AS (
            INSERT INTO secret.session (account_id, refresh_hash, expires_at)
            SELECT id, $2, now() + make_interval(secs => $3) FROM secret.account
            WHERE id = $1 AND password_hash = $7 AND disabled_at IS NULL FOR SHARE
            RETURNING id
        )
        INSERT INTO secret.access_token (token_hash, session_id, expires_at)
        SELECT $4, begun.id, now() + make_interval(secs => $5) FROM begun";
    let statement = client.prepare_cached(begin).await.context(doing)?;
    let seconds = |span: TimeDelta| span.as_seconds_f64();
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 7] = [
        &account_id,
        &refresh.as_slice(),
        &seconds(lasting),
        &access.as_slice(),
        &seconds(access_lasting),
        &(MOST_SESSIONS - 1),
        &password_hash,
    ];
    Ok(client.execute(&statement, &parameters).await.context(doing)? > 0)
}

/// Gives the session of a refresh token one more access token. `false` where no session has it, or not any more.
///
/// # Errors
/// When the database refuses.
pub async fn refresh(
    client: &impl GenericClient,
    refresh: &Digest,
    access: &Digest,
    lasting: TimeDelta,
) -> Result<bool> {
    let doing = "refreshing a session";
    let more = "
        WITH known AS (
            SELECT session.id FROM secret.session JOIN secret.account ON account.id = session.account_id
            WHERE refresh_hash = $1 AND expires_at > now() AND account.disabled_at IS NULL
            FOR KEY SHARE OF session
        ), ended AS (
            DELETE FROM secret.access_token USING known
            WHERE session_id = known.id AND (expires_at <= now() OR token_hash IN (
                SELECT token_hash FROM secret.access_token JOIN known ON known.id = session_id
                ORDER BY expires_at DESC OFFSET $4))
        )
        INSERT INTO secret.access_token (token_hash, session_id, expires_at)
        SELECT $2, known.id, now() + make_interval(secs => $3) FROM known";
    let statement = client.prepare_cached(more).await.context(doing)?;
    let given = client
        .execute(&statement, &[&refresh.as_slice(), &access.as_slice(), &lasting.as_seconds_f64(), &(MOST_TOKENS - 1)])
        .await
        .context(doing)?;
    Ok(given > 0)
}

/// Ends a session.
///
/// # Errors
/// When the database refuses.
pub async fn end(client: &impl GenericClient, session_id: i64) -> Result<()> {
    let ended = client.execute("DELETE FROM secret.session WHERE id = $1", &[&session_id]).await;
    ended.context("ending a session")?;
    Ok(())
}

/// Sets another password in the place of the one of this hash, and ends all sessions of an account but one. `false` where it has another
/// meanwhile.
///
/// # Errors
/// When the database refuses.
pub async fn set_password(
    client: &impl GenericClient,
    (account_id, old_hash): (i64, &str),
    password_hash: &str,
    but: i64,
) -> Result<bool> {
    let doing = "setting a password";
    let change = "
        WITH changed AS (
            UPDATE secret.account SET password_hash = $2 WHERE id = $1 AND password_hash = $4 AND disabled_at IS NULL RETURNING id
        ), ended AS (
            DELETE FROM secret.session USING changed WHERE account_id = changed.id AND session.id <> $3
        )
        SELECT count(*) FROM changed";
    let row = client.query_one(change, &[&account_id, &password_hash, &but, &old_hash]).await.context(doing)?;
    Ok(row.get::<_, i64>(0) > 0)
}

/// Who bears this access token; `None` where it is none, or not any more.
///
/// # Errors
/// When the database cannot be asked.
pub async fn bearer_of_token(client: &impl GenericClient, token: &Digest) -> Result<Option<Bearer>> {
    let doing = "looking for a session";
    let query = format!(
        "SELECT {}, session.id FROM secret.access_token
         JOIN secret.session ON session.id = access_token.session_id
         JOIN secret.account ON account.id = session.account_id
         WHERE token_hash = $1 AND access_token.expires_at > now() AND session.expires_at > now()
           AND account.disabled_at IS NULL",
        accounts::COLUMNS
    );
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let row = client.query_opt(&statement, &[&token.as_slice()]).await.context(doing)?;
    let read = |row: &Row| {
        Ok(Bearer { account: accounts::read(row)?, scope: Scope::Write, session_id: Some(row.try_get(7)?) })
    };
    row.as_ref().map(read).transpose().context(doing)
}

/// Who bears this API key; `None` where it is none, or not any more. Notes that it was used.
///
/// # Errors
/// When the database cannot be asked.
pub async fn bearer_of_key(client: &impl GenericClient, key: &Digest) -> Result<Option<Bearer>> {
    let doing = "looking for an API key";
    let query = format!(
        "WITH used AS (
             UPDATE secret.api_key SET last_used_at = now()
             WHERE key_hash = $1 AND coalesce(expires_at > now(), true)
               AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
         )
         SELECT {}, api_key.scope FROM secret.api_key JOIN secret.account ON account.id = api_key.account_id
         WHERE key_hash = $1 AND coalesce(api_key.expires_at > now(), true) AND account.disabled_at IS NULL",
        accounts::COLUMNS
    );
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let row = client.query_opt(&statement, &[&key.as_slice()]).await.context(doing)?;
    let read = |row: &Row| {
        let scope = Scope::parse(row.try_get(7)?).unwrap_or(Scope::Read);
        Ok(Bearer { account: accounts::read(row)?, scope, session_id: None })
    };
    row.as_ref().map(read).transpose().context(doing)
}

/// An API key, without what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its number.
    pub id: i64,
    /// What its owner calls it.
    pub name: String,
    /// What it may be used for.
    pub scope: Scope,
    /// Its last four characters.
    pub hint: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it serves; `None` for as long as it is there.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to about a minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A key to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewApiKey<'a> {
    /// What its owner calls it.
    pub name: &'a str,
    /// What it may be used for.
    pub scope: Scope,
    /// Its last four characters.
    pub hint: &'a str,
    /// Until when it serves.
    pub expires_at: Option<DateTime<Utc>>,
    /// Its digest.
    pub digest: &'a Digest,
}

const KEY_COLUMNS: &str = "id, name, scope, hint, created_at, expires_at, last_used_at";

fn read_key(row: &Row) -> std::result::Result<ApiKey, tokio_postgres::Error> {
    Ok(ApiKey {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        scope: Scope::parse(row.try_get(2)?).unwrap_or(Scope::Read),
        hint: row.try_get(3)?,
        created_at: row.try_get(4)?,
        expires_at: row.try_get(5)?,
        last_used_at: row.try_get(6)?,
    })
}

/// Makes a key; `None` where the account has as many as it may, or was disabled.
///
/// # Errors
/// When the database refuses.
pub async fn add_key(client: &impl GenericClient, account_id: i64, key: &NewApiKey<'_>) -> Result<Option<ApiKey>> {
    let doing = "making an API key";
    let make = format!(
        "INSERT INTO secret.api_key (account_id, name, scope, hint, expires_at, key_hash)
         SELECT account.id, $2, $3, $4, $5, $6 FROM secret.account
         WHERE account.id = $1 AND disabled_at IS NULL
           AND (SELECT count(*) FROM secret.api_key WHERE account_id = $1) < {MOST_KEYS}
         FOR SHARE OF account
         RETURNING {KEY_COLUMNS}"
    );
    let statement = client.prepare_cached(&make).await.context(doing)?;
    let NewApiKey { name, scope, hint, expires_at, digest } = key;
    let row = client
        .query_opt(&statement, &[&account_id, name, &scope.as_str(), hint, expires_at, &digest.as_slice()])
        .await
        .context(doing)?;
    row.as_ref().map(read_key).transpose().context(doing)
}

/// The keys of an account, oldest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_keys(client: &impl GenericClient, account_id: i64) -> Result<Vec<ApiKey>> {
    let doing = "listing API keys";
    let query = format!("SELECT {KEY_COLUMNS} FROM secret.api_key WHERE account_id = $1 ORDER BY id");
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let rows = client.query(&statement, &[&account_id]).await.context(doing)?;
    rows.iter().map(read_key).collect::<std::result::Result<_, _>>().context(doing)
}

/// Takes a key away. `false` where the account has none of this number.
///
/// # Errors
/// When the database refuses.
pub async fn delete_key(client: &impl GenericClient, account_id: i64, id: i64) -> Result<bool> {
    let delete = "DELETE FROM secret.api_key WHERE account_id = $1 AND id = $2";
    Ok(client.execute(delete, &[&account_id, &id]).await.context("deleting an API key")? > 0)
}
