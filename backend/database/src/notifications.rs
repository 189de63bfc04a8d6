//! What is to be told and has been: the outbox that a notifier empties.
//!
//! A channel is leased to one notifier at a time, which tries its messages one after another. What goes in a message is written down
//! before it is first tried, so that whoever tries it again, after whatever end, sends the same under the same id. Nothing here reads
//! more than it is asked for, or locks a channel in a way that who inserts notifications would wait for.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{Context as _, Result};

/// For how long a channel is leased, from each message on.
pub const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How many notifications one statement changes at most.
const AT_ONCE: i64 = 1_000;
/// How many tests of a channel may wait.
pub const MOST_TESTS: i64 = 10;

/// A channel that nobody else serves until the lease is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The channel.
    pub channel_id: i64,
    /// Proves whose it is, too: no two leases of a channel end at the same moment.
    until: DateTime<Utc>,
}

/// A leased channel, and who owns it. Whoever logs it must leave the settings out.
#[derive(Clone)]
pub struct Taken {
    /// The lease.
    pub lease: Lease,
    /// What it is.
    pub kind: String,
    /// What its owner calls it.
    pub name: String,
    /// Address and secrets.
    pub settings: Value,
    /// Whether anything is sent there: it is switched on, and its owner may log in.
    pub is_active: bool,
    /// Where their mail goes.
    pub email: Option<String>,
    /// On whose clocks their days are.
    pub time_zone: String,
    /// How many messages it gets in a minute.
    pub messages_per_minute: u32,
    /// Since when nothing is sent, and from when on it is again.
    pub quiet: Option<(NaiveTime, NaiveTime)>,
    /// Template of subjects.
    pub subject: Option<String>,
    /// Template of texts.
    pub body: Option<String>,
}

/// The channels that have something due. Where nothing is, that costs one look into an index; otherwise channel by channel is found
/// by skipping over the others' notifications, however many there are.
const TAKE: &str = "
    WITH RECURSIVE waiting AS (
        (SELECT channel_id, due_at FROM alert.notification
         WHERE state = 'waiting' AND (SELECT true FROM alert.notification WHERE state = 'waiting' AND due_at <= now() LIMIT 1)
         ORDER BY channel_id, due_at LIMIT 1)
        UNION ALL
        SELECT following.channel_id, following.due_at FROM waiting CROSS JOIN LATERAL (
            SELECT channel_id, due_at FROM alert.notification
            WHERE state = 'waiting' AND channel_id > waiting.channel_id
            ORDER BY channel_id, due_at LIMIT 1) AS following
    ), free AS (
        SELECT channel.id FROM waiting JOIN alert.channel ON channel.id = waiting.channel_id
        WHERE waiting.due_at <= now() AND (served_until IS NULL OR served_until < now())
        ORDER BY waiting.due_at LIMIT $1
        FOR NO KEY UPDATE OF channel SKIP LOCKED
    ), leased AS (
        UPDATE alert.channel SET served_until = clock_timestamp() + make_interval(secs => $2)
        FROM free WHERE channel.id = free.id
        RETURNING channel.id, served_until, kind, name, settings, is_active, account_id
    )
    SELECT leased.id, served_until, kind, name, settings, is_active AND account.disabled_at IS NULL, email, time_zone,
           coalesce(messages_per_minute, 10), quiet_from, quiet_to, subject, body
    FROM leased JOIN secret.account ON account.id = leased.account_id
    LEFT JOIN alert.preference ON preference.account_id = leased.account_id";

/// Leases channels that have something due, those that wait longest first, at most `limit` of them.
///
/// # Errors
/// When the database refuses.
pub async fn take_channels(client: &impl GenericClient, limit: i64) -> Result<Vec<Taken>> {
    let doing = "looking for notifications";
    let statement = client.prepare_cached(TAKE).await.context(doing)?;
    let rows = client.query(&statement, &[&limit, &LEASE.as_seconds_f64()]).await.context(doing)?;
    let read = |row: &Row| {
        let quiet = row.try_get::<_, Option<NaiveTime>>(9)?.zip(row.try_get(10)?);
        Ok(Taken {
            lease: Lease { channel_id: row.try_get(0)?, until: row.try_get(1)? },
            kind: row.try_get(2)?,
            name: row.try_get(3)?,
            settings: row.try_get(4)?,
            is_active: row.try_get(5)?,
            email: row.try_get(6)?,
            time_zone: row.try_get(7)?,
            messages_per_minute: row.try_get::<_, i32>(8)?.unsigned_abs(),
            quiet,
            subject: row.try_get(11)?,
            body: row.try_get(12)?,
        })
    };
    rows.iter().map(read).collect::<std::result::Result<_, _>>().context(doing)
}

/// Gives a channel back. Nothing happens where it is another's by now.
///
/// # Errors
/// When the database refuses.
pub async fn release(client: &impl GenericClient, lease: Lease) -> Result<()> {
    let give = "UPDATE alert.channel SET served_until = NULL WHERE id = $1 AND served_until = $2";
    client.execute(give, &[&lease.channel_id, &lease.until]).await.context("giving a channel back")?;
    Ok(())
}

/// What is due longest of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The notification.
    pub id: Uuid,
    /// The message in which it was tried before.
    pub message_id: Option<Uuid>,
    /// Whether it was held back and others wait with it, so that they go together.
    pub goes_together: bool,
    /// Whether it is a test of the channel.
    pub is_test: bool,
    /// Since when it is due.
    pub due_at: DateTime<Utc>,
    /// What was sent there is paid for until then.
    pub paid_until: Option<DateTime<Utc>>,
    /// The database's clock.
    pub now: DateTime<Utc>,
}

/// What is due longest of a channel; `None` where nothing is.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_due(client: &impl GenericClient, channel_id: i64) -> Result<Option<Head>> {
    let doing = "looking for what is due";
    let query = "
        SELECT notification.id, message_id,
               is_held AND EXISTS (
                   SELECT FROM alert.notification AS other
                   WHERE other.channel_id = $1 AND other.state = 'waiting' AND other.due_at <= now()
                     AND other.message_id IS NULL AND num_nonnulls(other.firing_id, other.computed_id) = 1
                     AND other.id <> notification.id),
               num_nonnulls(firing_id, computed_id) = 0, due_at, paced_until, now()
        FROM alert.notification JOIN alert.channel ON channel.id = channel_id
        WHERE channel_id = $1 AND state = 'waiting' AND due_at <= now()
        ORDER BY due_at, notification.id LIMIT 1";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let row = client.query_opt(&statement, &[&channel_id]).await.context(doing)?;
    let read = |row: &Row| {
        Ok(Head {
            id: row.try_get(0)?,
            message_id: row.try_get(1)?,
            goes_together: row.try_get(2)?,
            is_test: row.try_get(3)?,
            due_at: row.try_get(4)?,
            paid_until: row.try_get(5)?,
            now: row.try_get(6)?,
        })
    };
    row.as_ref().map(read).transpose().context(doing)
}

/// What goes in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goes {
    /// This one, under its own id.
    Alone(Uuid),
    /// All that is due and was never tried, under this id.
    Together(Uuid),
    /// What this message held when it was tried before.
    Again(Uuid),
}

impl Goes {
    /// The message's id.
    pub fn message_id(self) -> Uuid {
        let (Self::Alone(id) | Self::Together(id) | Self::Again(id)) = self;
        id
    }
}

/// A message that is to be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// How many notifications go in it.
    pub count: i64,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

/// `$1` and `$2` the lease, `$3` the message, `$4` until when it is paid for, `$5` for how long the lease is prolonged.
macro_rules! begin {
    ($which:literal) => {
        concat!(
            "WITH leased AS (
                UPDATE alert.channel
                SET served_until = clock_timestamp() + make_interval(secs => $5), paced_until = coalesce($4, paced_until)
                WHERE id = $1 AND served_until = $2 RETURNING id, served_until
            ), chosen AS (
                SELECT notification.id FROM leased JOIN alert.notification ON channel_id = leased.id
                WHERE state = 'waiting' AND ",
            $which,
            " FOR NO KEY UPDATE OF notification
            ), begun AS (
                UPDATE alert.notification SET message_id = $3, attempts = attempts + 1
                FROM chosen WHERE notification.id = chosen.id RETURNING attempts
            )
            SELECT served_until, (SELECT count(*) FROM begun), coalesce((SELECT max(attempts) FROM begun), 0) FROM leased"
        )
    };
}

/// Writes down what goes in a message that is about to be sent, and prolongs the lease. `None` where the channel is another's by now, or
/// nothing is left of the message.
///
/// # Errors
/// When the database refuses.
pub async fn begin(
    client: &impl GenericClient,
    lease: &mut Lease,
    goes: Goes,
    paid_until: Option<DateTime<Utc>>,
) -> Result<Option<Begun>> {
    let doing = "beginning a message";
    let sql = match goes {
        Goes::Alone(_) => begin!("notification.id = $3"),
        Goes::Again(_) => begin!("message_id = $3"),
        Goes::Together(_) => begin!(
            "due_at <= now() AND message_id IS NULL AND num_nonnulls(firing_id, computed_id) = 1 ORDER BY due_at LIMIT 1000"
        ),
    };
    let statement = client.prepare_cached(sql).await.context(doing)?;
    let (message_id, seconds) = (goes.message_id(), LEASE.as_seconds_f64());
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&lease.channel_id, &lease.until, &message_id, &paid_until, &seconds];
    let Some(row) = client.query_opt(&statement, &parameters).await.context(doing)? else { return Ok(None) };
    let mut read = || {
        lease.until = row.try_get(0)?;
        let attempts = row.try_get::<_, i32>(2)?.unsigned_abs();
        Ok(Begun { count: row.try_get(1)?, attempts })
    };
    Ok(Some(read().context(doing)?).filter(|begun| begun.count > 0))
}

/// A message arrived. Returns how many notifications went in it.
///
/// # Errors
/// When the database refuses.
pub async fn record_sent(client: &impl GenericClient, lease: Lease, message_id: Uuid) -> Result<u64> {
    let doing = "recording that a message arrived";
    let record = "
        WITH told AS (
            UPDATE alert.channel SET last_sent_at = clock_timestamp(), last_error = NULL WHERE id = $1
        )
        UPDATE alert.notification SET state = 'sent', sent_at = clock_timestamp(), is_held = false, error = NULL
        WHERE channel_id = $1 AND message_id = $2 AND state = 'waiting'";
    let statement = client.prepare_cached(record).await.context(doing)?;
    client.execute(&statement, &[&lease.channel_id, &message_id]).await.context(doing)
}

/// A message did not arrive. It is tried again after `delay`, and so that a receiver that is away is left alone, what else is due
/// there waits too; without a delay it failed for good. Returns how many notifications were to go in it.
///
/// # Errors
/// When the database refuses.
pub async fn record_failed(
    client: &impl GenericClient,
    lease: Lease,
    message_id: Uuid,
    reason: &str,
    delay: Option<std::time::Duration>,
) -> Result<u64> {
    let doing = "recording that a message did not arrive";
    let record = "
        WITH told AS (
            UPDATE alert.channel SET last_error = $3 WHERE id = $1
        ), others AS (
            UPDATE alert.notification SET due_at = clock_timestamp() + make_interval(secs => $4)
            WHERE id IN (
                SELECT id FROM alert.notification
                WHERE $4::float8 IS NOT NULL AND channel_id = $1 AND state = 'waiting' AND due_at <= now()
                  AND message_id IS DISTINCT FROM $2 AND num_nonnulls(firing_id, computed_id) = 1
                ORDER BY due_at LIMIT $5)
        )
        UPDATE alert.notification
        SET error = $3, state = CASE WHEN $4 IS NULL THEN 'failed' ELSE 'waiting' END,
            due_at = coalesce(clock_timestamp() + make_interval(secs => $4), due_at)
        WHERE channel_id = $1 AND message_id = $2 AND state = 'waiting'";
    let statement = client.prepare_cached(record).await.context(doing)?;
    let seconds = delay.map(|delay| delay.as_secs_f64());
    client.execute(&statement, &[&lease.channel_id, &message_id, &reason, &seconds, &AT_ONCE]).await.context(doing)
}

/// Holds back what is due of a channel until a moment, but for tests. What was never tried goes in one message then. Returns how many
/// there were; where it is many, more may be left.
///
/// # Errors
/// When the database refuses.
pub async fn hold(client: &impl GenericClient, channel_id: i64, until: DateTime<Utc>) -> Result<u64> {
    let doing = "holding notifications back";
    let hold = "
        UPDATE alert.notification SET due_at = $2, is_held = true WHERE id IN (
            SELECT id FROM alert.notification
            WHERE channel_id = $1 AND state = 'waiting' AND due_at <= now() AND num_nonnulls(firing_id, computed_id) = 1
            ORDER BY due_at LIMIT $3)";
    let statement = client.prepare_cached(hold).await.context(doing)?;
    client.execute(&statement, &[&channel_id, &until, &AT_ONCE]).await.context(doing)
}

/// Ends the waiting of what is due of a channel without a message: as failed for a reason, or as sent where others deliver it. Returns
/// how many there were; where it is many, more may be left.
///
/// # Errors
/// When the database refuses.
pub async fn settle(client: &impl GenericClient, channel_id: i64, failed: Option<&str>) -> Result<u64> {
    let doing = "settling notifications";
    let settle = "
        WITH told AS (
            UPDATE alert.channel
            SET last_error = $2, last_sent_at = CASE WHEN $2::text IS NULL THEN clock_timestamp() ELSE last_sent_at END
            WHERE id = $1
        )
        UPDATE alert.notification
        SET error = $2, attempts = attempts + 1,
            state = CASE WHEN $2::text IS NULL THEN 'sent' ELSE 'failed' END,
            sent_at = CASE WHEN $2::text IS NULL THEN clock_timestamp() END,
            message_id = CASE WHEN $2::text IS NULL THEN id ELSE message_id END
        WHERE id IN (
            SELECT id FROM alert.notification WHERE channel_id = $1 AND state = 'waiting' AND due_at <= now()
            ORDER BY due_at LIMIT $3)";
    let statement = client.prepare_cached(settle).await.context(doing)?;
    client.execute(&statement, &[&channel_id, &failed, &AT_ONCE]).await.context(doing)
}

/// Tries a notification again that failed for good, alone and from the beginning. `false` where the account has none that did.
///
/// # Errors
/// When the database refuses.
pub async fn resend(client: &impl GenericClient, account_id: i64, notification_id: Uuid) -> Result<bool> {
    let again = "
        UPDATE alert.notification
        SET state = 'waiting', due_at = clock_timestamp(), attempts = 0, is_held = false, message_id = NULL
        FROM alert.channel
        WHERE channel.id = channel_id AND account_id = $1 AND notification.id = $2 AND state = 'failed'";
    Ok(client.execute(again, &[&account_id, &notification_id]).await.context("resending a notification")? > 0)
}

/// Lets what pace or quiet hours hold back be looked at again, after the account changed these. Returns how many there were; where it is
/// many, more may be left.
///
/// # Errors
/// When the database refuses.
pub async fn reconsider(client: &impl GenericClient, account_id: i64) -> Result<u64> {
    let hurry = "
        UPDATE alert.notification SET due_at = clock_timestamp() WHERE id IN (
            SELECT notification.id FROM alert.channel JOIN alert.notification ON channel_id = channel.id
            WHERE account_id = $1 AND state = 'waiting' AND is_held AND due_at > now() LIMIT $2)";
    client.execute(hurry, &[&account_id, &AT_ONCE]).await.context("looking again at what was held back")
}

/// Has a channel tested. Returns the notification's id; `None` where the account has no such channel, or tested it often enough in
/// the last hour.
///
/// # Errors
/// When the database refuses.
pub async fn create_test(client: &impl GenericClient, account_id: i64, channel_id: i64) -> Result<Option<Uuid>> {
    let doing = "testing a channel";
    let create = "
        INSERT INTO alert.notification (channel_id)
        SELECT id FROM alert.channel
        WHERE id = $2 AND account_id = $1 AND (
            SELECT count(*) FROM alert.notification
            WHERE channel_id = $2 AND created_at > now() - interval '1 hour'
              AND num_nonnulls(firing_id, computed_id) = 0) < $3
        RETURNING id";
    let row = client.query_opt(create, &[&account_id, &channel_id, &MOST_TESTS]).await.context(doing)?;
    row.map(|row| row.try_get(0)).transpose().context(doing)
}
