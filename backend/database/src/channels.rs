//! Channels of accounts, how their owners want to be told, and what was or is to be told there.

use chrono::{DateTime, NaiveTime, Utc};
use deadpool_postgres::GenericClient;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{Context as _, Result};

/// How many channels an account may have.
pub const MOST_CHANNELS: i64 = 20;

/// A channel. Whoever logs it must leave the settings out.
#[derive(Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its number.
    pub id: i64,
    /// What its owner calls it.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// Address and secrets.
    pub settings: Value,
    /// Whether anything is sent there.
    pub is_active: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When something last arrived there.
    pub last_sent_at: Option<DateTime<Utc>>,
    /// Why the last message did not.
    pub last_error: Option<String>,
}

const COLUMNS: &str = "id, name, kind, settings, is_active, created_at, last_sent_at, last_error";

fn read(row: &Row) -> std::result::Result<Channel, tokio_postgres::Error> {
    Ok(Channel {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        kind: row.try_get(2)?,
        settings: row.try_get(3)?,
        is_active: row.try_get(4)?,
        created_at: row.try_get(5)?,
        last_sent_at: row.try_get(6)?,
        last_error: row.try_get(7)?,
    })
}

/// The channels of an account, oldest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(client: &impl GenericClient, account_id: i64) -> Result<Vec<Channel>> {
    let doing = "listing channels";
    let query = format!("SELECT {COLUMNS} FROM alert.channel WHERE account_id = $1 ORDER BY id");
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let rows = client.query(&statement, &[&account_id]).await.context(doing)?;
    rows.iter().map(read).collect::<std::result::Result<_, _>>().context(doing)
}

/// A channel of an account.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(client: &impl GenericClient, account_id: i64, id: i64) -> Result<Option<Channel>> {
    let doing = "looking for a channel";
    let query = format!("SELECT {COLUMNS} FROM alert.channel WHERE account_id = $1 AND id = $2");
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let row = client.query_opt(&statement, &[&account_id, &id]).await.context(doing)?;
    row.as_ref().map(read).transpose().context(doing)
}

/// Makes a channel; `None` where the account has as many as it may.
///
/// # Errors
/// When the database refuses.
pub async fn add(
    client: &impl GenericClient,
    account_id: i64,
    name: &str,
    kind: &str,
    settings: &Value,
) -> Result<Option<Channel>> {
    let doing = "making a channel";
    let make = format!(
        "INSERT INTO alert.channel (account_id, name, kind, settings)
         SELECT account.id, $2, $3, $4 FROM secret.account
         WHERE account.id = $1 AND (SELECT count(*) FROM alert.channel WHERE account_id = $1) < {MOST_CHANNELS}
         FOR NO KEY UPDATE OF account
         RETURNING {COLUMNS}"
    );
    let statement = client.prepare_cached(&make).await.context(doing)?;
    let row = client.query_opt(&statement, &[&account_id, &name, &kind, settings]).await.context(doing)?;
    row.as_ref().map(read).transpose().context(doing)
}

/// Changes a channel; what is `None` stays. `None` where the account has no such channel.
///
/// # Errors
/// When the database refuses.
pub async fn change(
    client: &impl GenericClient,
    account_id: i64,
    id: i64,
    name: Option<&str>,
    settings: Option<&Value>,
    is_active: Option<bool>,
) -> Result<Option<Channel>> {
    let doing = "changing a channel";
    let change = format!(
        "UPDATE alert.channel
         SET name = coalesce($3, name), settings = coalesce($4, settings), is_active = coalesce($5, is_active),
             last_error = CASE WHEN $4::jsonb IS NULL THEN last_error END, updated_at = now()
         WHERE account_id = $1 AND id = $2
         RETURNING {COLUMNS}"
    );
    let statement = client.prepare_cached(&change).await.context(doing)?;
    let row = client.query_opt(&statement, &[&account_id, &id, &name, &settings, &is_active]).await.context(doing)?;
    row.as_ref().map(read).transpose().context(doing)
}

/// What became of a channel that was to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone, with what waited there.
    Gone,
    /// There was none.
    Unknown,
    /// So many rules and schedules are told there by name.
    InUse(i64),
}

/// Takes a channel away, unless rules or schedules name it: nobody would be told of them any more.
///
/// # Errors
/// When the database refuses.
pub async fn delete(client: &impl GenericClient, account_id: i64, id: i64) -> Result<Deleted> {
    let doing = "deleting a channel";
    let delete = "
        WITH used AS (
            SELECT (SELECT count(*) FROM alert.rule
                    WHERE account_id = $1 AND $2 = ANY(channel_ids) AND state IN ('created', 'paused'))
                 + (SELECT count(*) FROM alert.schedule WHERE account_id = $1 AND $2 = ANY(channel_ids)) AS times
        ), deleted AS (
            DELETE FROM alert.channel USING used WHERE account_id = $1 AND id = $2 AND used.times = 0 RETURNING id
        )
        SELECT used.times, (SELECT count(*) FROM deleted),
               EXISTS (SELECT FROM alert.channel WHERE account_id = $1 AND id = $2)
        FROM used";
    let statement = client.prepare_cached(delete).await.context(doing)?;
    let row = client.query_one(&statement, &[&account_id, &id]).await.context(doing)?;
    let (times, deleted, was_there): (i64, i64, bool) = (row.get(0), row.get(1), row.get(2));
    Ok(match (deleted, was_there) {
        (1.., _) => Deleted::Gone,
        (_, false) => Deleted::Unknown,
        (_, true) => Deleted::InUse(times),
    })
}

/// How an account wants to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preference {
    /// How many messages a channel gets in a minute.
    pub messages_per_minute: i32,
    /// When nothing is sent, on the owner's clocks.
    pub quiet: Option<(NaiveTime, NaiveTime)>,
    /// Template of subjects; `None` for ours.
    pub subject: Option<String>,
    /// Template of texts; `None` for ours.
    pub body: Option<String>,
}

/// How an account wants to be told.
///
/// # Errors
/// When the database cannot be asked.
pub async fn preference(client: &impl GenericClient, account_id: i64) -> Result<Preference> {
    let doing = "looking how somebody wants to be told";
    let query =
        "SELECT messages_per_minute, quiet_from, quiet_to, subject, body FROM alert.preference WHERE account_id = $1";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let row = client.query_opt(&statement, &[&account_id]).await.context(doing)?;
    Ok(row.map_or(Preference { messages_per_minute: 10, ..Preference::default() }, |row| Preference {
        messages_per_minute: row.get(0),
        quiet: row.get::<_, Option<_>>(1).zip(row.get(2)),
        subject: row.get(3),
        body: row.get(4),
    }))
}

/// Notes how an account wants to be told.
///
/// # Errors
/// When the database refuses.
pub async fn set_preference(client: &impl GenericClient, account_id: i64, preference: &Preference) -> Result<()> {
    let doing = "noting how somebody wants to be told";
    let set = "INSERT INTO alert.preference (account_id, messages_per_minute, quiet_from, quiet_to, subject, body)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (account_id) DO UPDATE
               SET messages_per_minute = excluded.messages_per_minute, quiet_from = excluded.quiet_from,
                   quiet_to = excluded.quiet_to, subject = excluded.subject, body = excluded.body";
    let statement = client.prepare_cached(set).await.context(doing)?;
    let Preference { messages_per_minute, quiet, subject, body } = preference;
    let (from, to) = quiet.unzip();
    client.execute(&statement, &[&account_id, messages_per_minute, &from, &to, subject, body]).await.context(doing)?;
    Ok(())
}

/// A notification, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationRow {
    /// Its key.
    pub id: Uuid,
    /// The channel.
    pub channel_id: i64,
    /// What it tells, in a sentence; `None` for a test.
    pub said: Option<String>,
    /// The firing that it tells.
    pub firing_id: Option<i64>,
    /// "waiting", "sent" or "failed".
    pub state: String,
    /// Since when it waits.
    pub created_at: DateTime<Utc>,
    /// When it is tried next.
    pub due_at: DateTime<Utc>,
    /// When it arrived.
    pub sent_at: Option<DateTime<Utc>>,
    /// How often it was tried.
    pub attempts: i32,
    /// Why the last try failed.
    pub error: Option<String>,
    /// The message it went in.
    pub message_id: Option<Uuid>,
}

/// The notifications of an account, of one state and behind one of them where that is said, newest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_notifications(
    client: &impl GenericClient,
    account_id: i64,
    state: Option<&str>,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<NotificationRow>> {
    let doing = "listing notifications";
    let query = "
        SELECT notification.id, notification.channel_id, coalesce(firing.said, computed.said), notification.firing_id,
               notification.state, notification.created_at, notification.due_at, notification.sent_at, notification.attempts,
               notification.error, notification.message_id
        FROM alert.notification
        JOIN alert.channel ON channel.id = notification.channel_id
        LEFT JOIN alert.firing ON firing.id = notification.firing_id
        LEFT JOIN alert.computed ON computed.id = notification.computed_id
        WHERE channel.account_id = $1 AND ($2::text IS NULL OR notification.state = $2)
          AND ($3::timestamptz IS NULL OR (notification.created_at, notification.id) < ($3, $4))
        ORDER BY notification.created_at DESC, notification.id DESC LIMIT $5";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let (moment, id) = before.unzip();
    let rows = client.query(&statement, &[&account_id, &state, &moment, &id, &limit]).await.context(doing)?;
    let read = |row: &Row| NotificationRow {
        id: row.get(0),
        channel_id: row.get(1),
        said: row.get(2),
        firing_id: row.get(3),
        state: row.get(4),
        created_at: row.get(5),
        due_at: row.get(6),
        sent_at: row.get(7),
        attempts: row.get(8),
        error: row.get(9),
        message_id: row.get(10),
    };
    Ok(rows.iter().map(read).collect())
}
