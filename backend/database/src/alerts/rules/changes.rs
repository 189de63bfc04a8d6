//! Making rules, changing what they say, and bringing them into another state.
//!
//! Whoever changes a rule locks its pair before it, as whoever looks at prices does.

use deadpool_postgres::Transaction;
use domain::alert::{Condition, Direction, Frequency, Way};
use rust_decimal::Decimal;
use tokio_postgres::types::ToSql;

use super::{About, Definition, Evaluate};
use crate::{Client, Context as _, Result};

/// How many rules an account may have at work or paused.
pub const MOST_RULES: i64 = 2_000;

/// What stops a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The account has no such rule, or deleted it.
    Unknown,
    /// The account has as many rules at work as it may.
    TooMany,
    /// One of the channels is none of the account's.
    UnknownChannel,
}

/// Whether all of these are channels of the account.
async fn knows_channels(transaction: &Transaction<'_>, account_id: i64, ids: Option<&[i64]>) -> Result<bool> {
    let doing = "looking for channels";
    let Some(ids) = ids else { return Ok(true) };
    let query = "SELECT NOT EXISTS (
                     SELECT FROM unnest($2::bigint[]) AS wanted (id)
                     WHERE NOT EXISTS (SELECT FROM alert.channel WHERE channel.id = wanted.id AND account_id = $1))";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    Ok(transaction.query_one(&statement, &[&account_id, &ids]).await.context(doing)?.get(0))
}

/// Makes a rule. Returns its key.
///
/// # Errors
/// When the database refuses.
pub async fn add(client: &mut Client, account_id: i64, definition: &Definition) -> Result<Result<i64, Refused>> {
    let doing = "making a rule";
    let transaction = client.transaction().await.context(doing)?;
    // Whoever makes rules for the account at the same time waits.
    let locked = "SELECT (SELECT count(*) FROM alert.rule WHERE account_id = $1 AND state IN ('created', 'paused'))
                  FROM secret.account WHERE id = $1 FOR NO KEY UPDATE";
    let count: i64 = transaction.query_one(locked, &[&account_id]).await.context(doing)?.get(0);
    if count >= MOST_RULES {
        return Ok(Err(Refused::TooMany));
    }
    if !knows_channels(&transaction, account_id, definition.channel_ids.as_deref()).await? {
        return Ok(Err(Refused::UnknownChannel));
    }
    let columns = Columns::of(definition);
    let insert = "
        INSERT INTO alert.rule (account_id, ticker_id, other_ticker_id, coin_id, exchange_id, kind, direction, unit, level, upper,
                                change, window_minutes, seconds, bar, evaluate, frequency, cooldown_seconds, hysteresis,
                                tell_late, expires_at, note, channel_ids)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
        RETURNING id";
    let statement = transaction.prepare_cached(insert).await.context(doing)?;
    let mut values: Vec<&(dyn ToSql + Sync)> =
        vec![&account_id, &columns.ticker_id, &columns.other_ticker_id, &columns.coin_id, &columns.exchange_id];
    values.extend(columns.says());
    let row = transaction.query_one(&statement, &values).await.context(doing)?;
    transaction.commit().await.context(doing)?;
    Ok(Ok(row.get(0)))
}

/// Locks a rule of an account, its pair before it, as whoever looks at prices does.
async fn lock(transaction: &Transaction<'_>, account_id: i64, id: i64) -> Result<Option<String>> {
    let doing = "locking a rule";
    let pair =
        "SELECT FROM alert.watch WHERE ticker_id = (SELECT ticker_id FROM alert.rule WHERE id = $1 AND account_id = $2)
                FOR UPDATE";
    let statement = transaction.prepare_cached(pair).await.context(doing)?;
    transaction.query_opt(&statement, &[&id, &account_id]).await.context(doing)?;
    let rule = "SELECT state FROM alert.rule WHERE id = $1 AND account_id = $2 AND state <> 'deleted' FOR UPDATE";
    let statement = transaction.prepare_cached(rule).await.context(doing)?;
    let row = transaction.query_opt(&statement, &[&id, &account_id]).await.context(doing)?;
    Ok(row.map(|row| row.get(0)))
}

/// Changes what a rule says, except what it is about. It is armed again.
///
/// # Errors
/// When the database refuses.
pub async fn change(
    client: &mut Client,
    account_id: i64,
    id: i64,
    definition: &Definition,
) -> Result<Result<(), Refused>> {
    let doing = "changing a rule";
    let transaction = client.transaction().await.context(doing)?;
    if lock(&transaction, account_id, id).await?.is_none() {
        return Ok(Err(Refused::Unknown));
    }
    if !knows_channels(&transaction, account_id, definition.channel_ids.as_deref()).await? {
        return Ok(Err(Refused::UnknownChannel));
    }
    let columns = Columns::of(definition);
    let update = "
        UPDATE alert.rule
        SET kind = $2, direction = $3, unit = $4, level = $5, upper = $6, change = $7, window_minutes = $8, seconds = $9,
            bar = $10, evaluate = $11, frequency = $12, cooldown_seconds = $13, hysteresis = $14, tell_late = $15,
            expires_at = $16, note = $17, channel_ids = $18, is_armed = true, updated_at = now()
        WHERE id = $1";
    let statement = transaction.prepare_cached(update).await.context(doing)?;
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&id];
    values.extend(columns.says());
    transaction.execute(&statement, &values).await.context(doing)?;
    transaction.commit().await.context(doing)?;
    Ok(Ok(()))
}

/// Brings a rule into another state; back at work, it is armed.
///
/// # Errors
/// When the database refuses.
pub async fn set_state(client: &mut Client, account_id: i64, id: i64, state: &str) -> Result<Result<(), Refused>> {
    let doing = "changing the state of a rule";
    let transaction = client.transaction().await.context(doing)?;
    let Some(before) = lock(&transaction, account_id, id).await? else { return Ok(Err(Refused::Unknown)) };
    let is_at_work = |state: &str| matches!(state, "created" | "paused");
    if is_at_work(state) && !is_at_work(&before) {
        let count = "SELECT count(*) FROM alert.rule WHERE account_id = $1 AND state IN ('created', 'paused')";
        if transaction.query_one(count, &[&account_id]).await.context(doing)?.get::<_, i64>(0) >= MOST_RULES {
            return Ok(Err(Refused::TooMany));
        }
    }
    let update = "UPDATE alert.rule
                  SET state = $2, is_armed = is_armed OR $2 = 'created', updated_at = now()
                  WHERE id = $1 AND state <> $2";
    let statement = transaction.prepare_cached(update).await.context(doing)?;
    transaction.execute(&statement, &[&id, &state]).await.context(doing)?;
    transaction.commit().await.context(doing)?;
    Ok(Ok(()))
}

/// Ends the rules whose time is over. Returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn expire(client: &mut Client) -> Result<u64> {
    let doing = "ending rules whose time is over";
    let transaction = client.transaction().await.context(doing)?;
    let query = "SELECT id, ticker_id FROM alert.rule
                 WHERE state IN ('created', 'paused') AND expires_at <= now() ORDER BY expires_at LIMIT 1000";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let rows = transaction.query(&statement, &[]).await.context(doing)?;
    if rows.is_empty() {
        return Ok(0);
    }
    let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    let pairs: Vec<i32> = rows.iter().filter_map(|row| row.get(1)).collect();
    let pairs_locked = "SELECT FROM alert.watch WHERE ticker_id = ANY($1) ORDER BY ticker_id FOR UPDATE";
    transaction.query(pairs_locked, &[&pairs]).await.context(doing)?;
    let update = "UPDATE alert.rule SET state = 'expired'
                  WHERE id = ANY($1) AND state IN ('created', 'paused') AND expires_at <= now()";
    let expired = transaction.execute(update, &[&ids]).await.context(doing)?;
    transaction.commit().await.context(doing)?;
    Ok(expired)
}

/// A definition as the columns of its row.
struct Columns<'a> {
    definition: &'a Definition,
    ticker_id: Option<i32>,
    other_ticker_id: Option<i32>,
    coin_id: Option<i32>,
    exchange_id: Option<i16>,
    kind: &'static str,
    frequency: &'static str,
    direction: Option<&'static str>,
    unit: Option<&'static str>,
    level: Option<Decimal>,
    upper: Option<Decimal>,
    change: Option<Decimal>,
    minutes: Option<i32>,
    seconds: Option<i32>,
    bar: Option<&'static str>,
    evaluate: &'static str,
    cooldown_seconds: i32,
}

impl<'a> Columns<'a> {
    fn of(definition: &'a Definition) -> Self {
        let mut columns = Self {
            definition,
            kind: definition.condition.kind(),
            frequency: definition.frequency.as_str(),
            ticker_id: None,
            other_ticker_id: None,
            coin_id: None,
            exchange_id: None,
            direction: None,
            unit: None,
            level: None,
            upper: None,
            change: None,
            minutes: None,
            seconds: None,
            bar: None,
            evaluate: "tick",
            cooldown_seconds: 300,
        };
        match definition.about {
            About::Pair(id) => columns.ticker_id = Some(id),
            About::Pairs(id, other) => (columns.ticker_id, columns.other_ticker_id) = (Some(id), Some(other)),
            About::Coin(id) => columns.coin_id = Some(id),
            About::Exchange(id) => columns.exchange_id = Some(id),
        }
        let word = |direction: &Direction| match direction {
            Direction::Up => "up",
            Direction::Down => "down",
            Direction::Either => "either",
        };
        match &definition.condition {
            Condition::Crosses { level, direction } => {
                (columns.level, columns.direction) = (Some(*level), Some(word(direction)));
            }
            Condition::Reaches { level } => columns.level = Some(*level),
            Condition::Channel { lower, upper, way } => {
                (columns.level, columns.upper) = (Some(*lower), Some(*upper));
                columns.direction = Some(if *way == Way::Enter { "enter" } else { "leave" });
            }
            Condition::Moves { change, unit, direction, minutes } => {
                (columns.change, columns.unit) = (Some(*change), Some(unit.as_str()));
                (columns.direction, columns.minutes) = (Some(word(direction)), Some((*minutes).into()));
            }
            Condition::Closes { level, direction, bar } => {
                (columns.level, columns.direction) = (Some(*level), Some(word(direction)));
                columns.bar = Some(bar.as_str());
            }
            Condition::Volume { threshold, minutes } | Condition::Volatility { threshold, minutes } => {
                (columns.level, columns.minutes) = (Some(*threshold), Some((*minutes).into()));
            }
            Condition::Spread { change, unit } => {
                (columns.change, columns.unit) = (Some(*change), Some(unit.as_str()));
            }
            Condition::Stale { seconds } | Condition::ExchangeDown { seconds } => {
                columns.seconds = i32::try_from(*seconds).ok();
            }
            Condition::Gap => {}
        }
        if let Evaluate::Close(bar) = definition.evaluate {
            (columns.evaluate, columns.bar) = ("close", Some(bar.as_str()));
        }
        match definition.frequency {
            Frequency::Once => {}
            Frequency::OncePerBar(bar) => columns.bar = Some(bar.as_str()),
            Frequency::EveryTime(cooldown) => {
                columns.cooldown_seconds = i32::try_from(cooldown.num_seconds()).unwrap_or(i32::MAX);
            }
        }
        columns
    }

    /// What a rule says, from `kind` to `channel_ids`, in the order in which both statements have it.
    fn says(&self) -> [&(dyn ToSql + Sync); 17] {
        let Definition { hysteresis, tell_late, expires_at, note, channel_ids, .. } = self.definition;
        [
            &self.kind,
            &self.direction,
            &self.unit,
            &self.level,
            &self.upper,
            &self.change,
            &self.minutes,
            &self.seconds,
            &self.bar,
            &self.evaluate,
            &self.frequency,
            &self.cooldown_seconds,
            hysteresis,
            tell_late,
            expires_at,
            note,
            channel_ids,
        ]
    }
}
