//! Messages that can never be stored.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

use crate::{Client, Context as _, Result};

/// How many are kept, and how many bytes of them. Very many have one reason, and more of them explain nothing.
const MOST: i64 = 10_000;
const MOST_BYTES: i64 = 1_000_000_000;

/// A message that can never be stored, as it is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NewDeadLetter<'a> {
    /// Its name, where it has one.
    pub message_id: Option<&'a str>,
    /// The routing key that it came with.
    pub topic: &'a str,
    /// Why it can never be stored.
    pub reason: &'a str,
    /// When it was given up.
    pub set_aside_at: DateTime<Utc>,
    /// The message.
    pub body: &'a [u8],
}

/// What a message without a name is called is made of what it says. The same one is kept once, however often it comes.
const STORE: &str = "
    INSERT INTO dead_letter (message_id, topic, reason, set_aside_at, body)
    SELECT coalesce($1, 'md5:' || md5(convert_to($2, 'UTF8') || '\\x00'::bytea || $5)), $2, $3, $4, $5
    FROM (SELECT count(*) AS kept, coalesce(sum(octet_length(body)), 0) AS bytes FROM dead_letter) AS full_at
    WHERE kept < $6 AND bytes < $7
    ON CONFLICT (message_id, md5(body)) DO UPDATE SET reason = excluded.reason, set_aside_at = excluded.set_aside_at";

/// Keeps one, if it is not kept already. `false` when there are too many.
///
/// # Errors
/// When the database refuses.
pub async fn store(client: &impl GenericClient, letter: &NewDeadLetter<'_>) -> Result<bool> {
    let doing = "storing a dead letter";
    let statement = client.prepare_cached(STORE).await.context(doing)?;
    // The only character that no text of PostgreSQL holds.
    let text = |text: &str| text.replace('\0', "\u{fffd}");
    let (message_id, topic, reason) = (letter.message_id.map(text), text(letter.topic), text(letter.reason));
    let stored = client
        .execute(&statement, &[&message_id, &topic, &reason, &letter.set_aside_at, &letter.body, &MOST, &MOST_BYTES])
        .await
        .context(doing)?;
    Ok(stored > 0)
}

/// How many there are.
///
/// # Errors
/// When the database cannot be asked.
pub async fn count(client: &impl GenericClient) -> Result<i64> {
    let counted = client.query_one("SELECT count(*) FROM dead_letter", &[]).await;
    Ok(counted.context("counting dead letters")?.get(0))
}

/// Whether somebody wants one to be replayed.
///
/// # Errors
/// When the database cannot be asked.
pub async fn any_to_replay(client: &impl GenericClient) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM dead_letter WHERE replay_asked_at IS NOT NULL)";
    let statement = client.prepare_cached(sql).await.context("looking for replays")?;
    Ok(client.query_one(&statement, &[]).await.context("looking for replays")?.get(0))
}

/// One that is to be put back in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Its key.
    pub id: i64,
    /// Its name.
    pub message_id: String,
    /// The routing key that it came with.
    pub topic: String,
    /// The message.
    pub body: Vec<u8>,
}

// Deleted before it is put back, and committed after: should it be set aside once more meanwhile, that waits for the
// commit and finds its name free.
const TAKE: &str = "
    DELETE FROM dead_letter
    WHERE id = (SELECT id FROM dead_letter WHERE replay_asked_at IS NOT NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, message_id, topic, body";

/// Takes the next one that somebody wants to be replayed, and forgets it if `put_back` takes it. `None` when there is none.
/// A crash in between puts it back twice, which is harmless.
///
/// # Errors
/// When the database refuses; whatever `put_back` refuses is the inner error, and nothing is forgotten then.
pub async fn replay_next<E>(
    client: &mut Client,
    put_back: impl AsyncFnOnce(&Replay) -> std::result::Result<(), E>,
) -> Result<Option<std::result::Result<Replay, E>>> {
    let doing = "replaying a dead letter";
    let transaction = client.transaction().await.context("beginning a transaction")?;
    let Some(row) = transaction.query_opt(TAKE, &[]).await.context(doing)? else { return Ok(None) };
    let replay = Replay { id: row.get(0), message_id: row.get(1), topic: row.get(2), body: row.get(3) };
    if let Err(error) = put_back(&replay).await {
        transaction.rollback().await.context(doing)?;
        return Ok(Some(Err(error)));
    }
    transaction.commit().await.context(doing)?;
    Ok(Some(Ok(replay)))
}

/// A dead letter, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDeadLetter {
    /// Its key.
    pub id: i64,
    /// When it was given up.
    pub set_aside_at: DateTime<Utc>,
    /// The routing key that it came with.
    pub topic: String,
    /// How long it is.
    pub bytes: i32,
    /// Why it can never be stored.
    pub reason: String,
    /// Its name.
    pub message_id: String,
    /// When somebody wanted it to be replayed.
    pub replay_asked_at: Option<DateTime<Utc>>,
}

fn read(row: &Row) -> std::result::Result<StoredDeadLetter, tokio_postgres::Error> {
    Ok(StoredDeadLetter {
        id: row.try_get(0)?,
        set_aside_at: row.try_get(1)?,
        topic: row.try_get(2)?,
        bytes: row.try_get(3)?,
        reason: row.try_get(4)?,
        message_id: row.try_get(5)?,
        replay_asked_at: row.try_get(6)?,
    })
}

/// Up to `limit` of them, those that came last first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_dead_letters(client: &impl GenericClient, limit: i64) -> Result<Vec<StoredDeadLetter>> {
    let doing = "listing dead letters";
    let sql = "SELECT id, set_aside_at, topic, bytes, reason, message_id, replay_asked_at FROM dead_letters
        ORDER BY id DESC LIMIT $1";
    let statement = client.prepare_cached(sql).await.context(doing)?;
    let rows = client.query(&statement, &[&limit]).await.context(doing)?;
    rows.iter().map(read).collect::<std::result::Result<_, _>>().context(doing)
}

/// One of them with its body, of which at most so many bytes are read.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_dead_letter(
    client: &impl GenericClient,
    id: i64,
    most: i32,
) -> Result<Option<(StoredDeadLetter, Vec<u8>)>> {
    let doing = "finding a dead letter";
    let sql = "SELECT id, set_aside_at, topic, octet_length(body), reason, message_id, replay_asked_at, substring(body FROM 1 FOR $2)
        FROM dead_letter WHERE id = $1";
    let statement = client.prepare_cached(sql).await.context(doing)?;
    let Some(row) = client.query_opt(&statement, &[&id, &most]).await.context(doing)? else { return Ok(None) };
    Ok(Some((read(&row).context(doing)?, row.try_get(7).context(doing)?)))
}

/// What an operator can decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Puts it back in the queue.
    Replay(i64),
    /// Deletes it.
    Drop(i64),
}

impl Decision {
    /// The decision that a statement calls for, if it is exactly one: `CALL replay_dead_letter(7)`.
    pub fn parse(statement: &str) -> Option<Self> {
        let statement = statement.trim().trim_end_matches(';').trim_end();
        let call = statement.split_once(char::is_whitespace).filter(|(word, _)| word.eq_ignore_ascii_case("call"))?.1;
        let (procedure, id) = call.trim_start().strip_suffix(')')?.split_once('(')?;
        let id = id.trim().parse().ok()?;
        match procedure.trim_end().to_ascii_lowercase().as_str() {
            "replay_dead_letter" => Some(Self::Replay(id)),
            "drop_dead_letter" => Some(Self::Drop(id)),
            _ => None,
        }
    }

    /// The statement that calls for it.
    pub fn statement(self) -> String {
        match self {
            Self::Replay(id) => format!("CALL replay_dead_letter({id})"),
            Self::Drop(id) => format!("CALL drop_dead_letter({id})"),
        }
    }

    /// Carries it out.
    ///
    /// # Errors
    /// When there is no such dead letter, or the database refuses.
    pub async fn carry_out(self, client: &impl GenericClient) -> Result<()> {
        client.batch_execute(&self.statement()).await.context("deciding on a dead letter")
    }
}

#[cfg(test)]
mod tests {
    use super::Decision;

    #[test]
    fn only_a_single_call_is_a_decision() {
        for decision in [Decision::Replay(7), Decision::Drop(i64::MAX)] {
            assert_eq!(Decision::parse(&decision.statement()), Some(decision));
        }
        assert_eq!(Decision::parse("  call\n Drop_Dead_Letter ( 7 ) ; "), Some(Decision::Drop(7)));
        for other in [
            "",
            "CALL drop_dead_letter(7); DROP TABLE price",
            "CALL drop_dead_letter(7) + (8)",
            "CALL drop_dead_letter((SELECT 7))",
            "CALL drop_everything(7)",
            "CALLdrop_dead_letter(7)",
            "SELECT drop_dead_letter(7)",
            "CALL drop_dead_letter(7",
        ] {
            assert_eq!(Decision::parse(other), None, "{other}");
        }
    }
}
