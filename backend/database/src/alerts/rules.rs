//! Rules: what their owners wrote, and how they stand.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::{GenericClient, Transaction};
use domain::{
    Interval,
    alert::{Condition, Direction, Frequency, State, Subject, Unit, Way},
};
use rust_decimal::Decimal;
use tokio_postgres::Row;

use crate::{Client, Context as _, Result};

/// How many rules an account may have at work or paused.
pub const MOST_RULES: i64 = 2_000;

/// What a rule is about, by keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A pair.
    Pair(i32),
    /// Two pairs that are compared.
    Pairs(i32, i32),
    /// The consolidated price of a coin.
    Coin(i32),
    /// An exchange.
    Exchange(i16),
}

/// Which prices count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evaluate {
    /// Every one.
    Tick,
    /// The last of each candle of this width.
    Close(Interval),
}

/// A rule, as its owner wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// What it is about.
    pub about: About,
    /// What it waits for.
    pub condition: Condition,
    /// Which prices count.
    pub evaluate: Evaluate,
    /// How often it fires.
    pub frequency: Frequency,
    /// By how much what it fired for must have passed before it fires again.
    pub hysteresis: Decimal,
    /// Whether trades that were fetched later fire it.
    pub tell_late: bool,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// What its owner wrote to it.
    pub note: Option<String>,
    /// Where it is told; `None` for every active channel of its owner.
    pub channel_ids: Option<Vec<i64>>,
}

/// A rule, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub id: i64,
    /// Whose it is.
    pub account_id: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its owner last changed it.
    pub updated_at: DateTime<Utc>,
    /// "created", "paused", "triggered", "expired" or "deleted".
    pub state: String,
    /// Whether it is armed, and when it last fired.
    pub standing: State,
    /// The exchange and the pair.
    pub pair: Option<(String, String)>,
    /// The pair that it is compared with.
    pub other_pair: Option<(String, String)>,
    /// The coin: its name.
    pub coin: Option<String>,
    /// The exchange, where the rule is about it.
    pub exchange: Option<String>,
    /// What it says.
    pub definition: Definition,
}

/// A rule that changed since it was last read.
pub(crate) enum Changed {
    /// It is at work, on every price.
    AtWork(Box<domain::alert::Rule>),
    /// It is not, any more.
    Over(i64),
}

/// A rule that the clock looks at.
pub(crate) struct Ticking {
    pub(crate) rule: domain::alert::Rule,
    pub(crate) about: About,
    pub(crate) evaluate: Evaluate,
    pub(crate) subject: Subject,
    pub(crate) revision: i64,
}

impl Ticking {
    /// The pair that it watches.
    pub(crate) fn pair(&self) -> Option<i32> {
        match self.about {
            About::Pair(pair) | About::Pairs(pair, _) => Some(pair),
            About::Coin(_) | About::Exchange(_) => None,
        }
    }

    /// The candles whose closes it waits for.
    pub(crate) fn bar(&self) -> Option<Interval> {
        match (&self.rule.condition, self.evaluate) {
            (Condition::Closes { bar, .. }, _) => Some(*bar),
            (_, Evaluate::Close(bar)) => Some(bar),
            (_, Evaluate::Tick) => None,
        }
    }
}

/// The columns that [`definition`] reads, in this order.
const DEFINITION: &str =
    "rule.kind, rule.direction, rule.unit, rule.level, rule.upper, rule.change, rule.window_minutes,
    rule.seconds, rule.bar, rule.evaluate, rule.frequency, rule.cooldown_seconds, rule.hysteresis, rule.tell_late,
    rule.expires_at, rule.note, rule.channel_ids, rule.ticker_id, rule.other_ticker_id, rule.coin_id, rule.exchange_id,
    rule.is_armed, rule.last_fired_at, rule.fired_count, rule.state";

/// Reads a rule that begins in this column; `None` where a later program wrote what this one does not understand.
fn definition(row: &Row, first: usize) -> std::result::Result<Option<(Definition, State)>, tokio_postgres::Error> {
    let word = |column: usize| row.try_get::<_, Option<&str>>(first + column);
    let number = |column: usize| row.try_get::<_, Option<i32>>(first + column);
    let amount = |column: usize| row.try_get::<_, Option<Decimal>>(first + column);
    let direction = match word(1)? {
        Some("up") => Direction::Up,
        Some("down") => Direction::Down,
        _ => Direction::Either,
    };
    let way = if word(1)? == Some("enter") { Way::Enter } else { Way::Leave };
    let unit = if word(2)? == Some("price") { Unit::Price } else { Unit::Percent };
    let level = amount(3)?.unwrap_or_default();
    let change = amount(5)?.unwrap_or_default();
    let minutes = number(6)?.and_then(|minutes| u16::try_from(minutes).ok()).unwrap_or_default();
    let seconds = number(7)?.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or_default();
    let bar: Interval = word(8)?.and_then(|bar| bar.parse().ok()).unwrap_or(Interval::OneMinute);
    let condition = match word(0)? {
        Some("crosses") => Condition::Crosses { level, direction },
        Some("reaches") => Condition::Reaches { level },
        Some("channel") => Condition::Channel { lower: level, upper: amount(4)?.unwrap_or_default(), way },
        Some("moves") => Condition::Moves { change, unit, direction, minutes },
        Some("closes") => Condition::Closes { level, direction, bar },
        Some("volume") => Condition::Volume { threshold: level, minutes },
        Some("volatility") => Condition::Volatility { threshold: level, minutes },
        Some("spread") => Condition::Spread { change, unit },
        Some("stale") => Condition::Stale { seconds },
        Some("exchange_down") => Condition::ExchangeDown { seconds },
        Some("gap") => Condition::Gap,
        _ => return Ok(None),
    };
    let cooldown = TimeDelta::seconds(number(11)?.unwrap_or_default().into());
    let frequency = match word(10)? {
        Some("once_per_bar") => Frequency::OncePerBar(bar),
        Some("every_time") => Frequency::EveryTime(cooldown),
        _ => Frequency::Once,
    };
    let about = match (number(17)?, number(18)?, number(19)?, row.try_get::<_, Option<i16>>(first + 20)?) {
        (Some(one), Some(other), _, _) => About::Pairs(one, other),
        (Some(pair), ..) => About::Pair(pair),
        (None, _, Some(coin), _) => About::Coin(coin),
        (None, _, None, Some(exchange)) => About::Exchange(exchange),
        (None, _, None, None) => return Ok(None),
    };
    let definition = Definition {
        about,
        condition,
        evaluate: if word(9)? == Some("close") { Evaluate::Close(bar) } else { Evaluate::Tick },
        frequency,
        hysteresis: amount(12)?.unwrap_or_default(),
        tell_late: row.try_get(first + 13)?,
        expires_at: row.try_get(first + 14)?,
        note: row.try_get(first + 15)?,
        channel_ids: row.try_get(first + 16)?,
    };
    let state = State {
        is_armed: row.try_get(first + 21)?,
        last_fired_at: row.try_get(first + 22)?,
        fired: u64::try_from(row.try_get::<_, i64>(first + 23)?).unwrap_or_default(),
        is_over: word(24)? != Some("created"),
    };
    Ok(Some((definition, state)))
}

/// A definition as the columns of its row.
struct Columns {
    ticker_id: Option<i32>,
    other_ticker_id: Option<i32>,
    coin_id: Option<i32>,
    exchange_id: Option<i16>,
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

impl Columns {
    fn of(definition: &Definition) -> Self {
        let mut columns = Self {
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
}

/// The rules on every price of these pairs that changed since these versions, each with its pair; since −1, those at work.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn list_changed(
    transaction: &Transaction<'_>,
    ticker_ids: &[i32],
    since: &[i64],
) -> Result<Vec<(Changed, i32)>> {
    let doing = "reading rules";
    let query = format!(
        "SELECT rule.id, rule.ticker_id, rule.updated_at, {DEFINITION}
         FROM unnest($1::int[], $2::bigint[]) AS known (ticker_id, revision)
         JOIN alert.rule ON rule.ticker_id = known.ticker_id AND rule.revision > known.revision
         WHERE known.revision >= 0 OR rule.state = 'created'"
    );
    let statement = transaction.prepare_cached(&query).await.context(doing)?;
    let rows = transaction.query(&statement, &[&ticker_ids, &since]).await.context(doing)?;
    rows.iter()
        .map(|row| {
            let (id, ticker_id) = (row.try_get(0)?, row.try_get(1)?);
            let Some((definition, state)) = definition(row, 3)? else { return Ok((Changed::Over(id), ticker_id)) };
            let is_of_prices = !definition.condition.levels(true, Decimal::ZERO).is_empty()
                || matches!(definition.condition, Condition::Moves { .. });
            if state.is_over || definition.evaluate != Evaluate::Tick || !is_of_prices {
                return Ok((Changed::Over(id), ticker_id));
            }
            let rule = definition.rule(id, row.try_get(2)?, state);
            Ok((Changed::AtWork(Box::new(rule)), ticker_id))
        })
        .collect::<std::result::Result<_, _>>()
        .context(doing)
}

impl Definition {
    fn rule(self, id: i64, since: DateTime<Utc>, state: State) -> domain::alert::Rule {
        let Self { condition, frequency, hysteresis, tell_late, expires_at, .. } = self;
        domain::alert::Rule { id, condition, frequency, hysteresis, tell_late, since, expires_at, state }
    }
}

/// The rules at work that the clock looks at, by their keys, those behind `after`.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn list_by_the_clock(client: &impl GenericClient, after: i64, limit: i64) -> Result<Vec<Ticking>> {
    let doing = "reading rules that the clock looks at";
    let query = format!(
        "SELECT {NAMES}, {DEFINITION}, rule.revision FROM {FROM}
         WHERE rule.id > $1 AND rule.state = 'created' AND (rule.ticker_id IS NULL OR rule.evaluate = 'close'
            OR rule.kind NOT IN ('crosses', 'reaches', 'moves', 'channel'))
         ORDER BY rule.id LIMIT $2"
    );
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let rows = client.query(&statement, &[&after, &limit]).await.context(doing)?;
    let ticking = |row: &Row| {
        let Some(record) = record(row)? else { return Ok(None) };
        let subject = match (record.pair, record.other_pair, record.coin, record.exchange) {
            (Some(one), Some(other), ..) => Subject::Pairs { one, other },
            (Some((exchange, ticker)), ..) => Subject::Pair { exchange, ticker },
            (None, _, Some(coin), _) => Subject::Coin(coin),
            (None, _, None, exchange) => Subject::Exchange(exchange.unwrap_or_default()),
        };
        let (about, evaluate) = (record.definition.about, record.definition.evaluate);
        let state = State { is_over: false, ..record.standing };
        let rule = record.definition.rule(record.id, record.updated_at, state);
        Ok(Some(Ticking { rule, about, evaluate, subject, revision: row.try_get(36)? }))
    };
    let rules: Vec<Option<Ticking>> = rows.iter().map(ticking).collect::<std::result::Result<_, _>>().context(doing)?;
    Ok(rules.into_iter().flatten().collect())
}

/// Where rules and the names of what they are about come from.
const FROM: &str = "alert.rule
    LEFT JOIN ticker ON ticker.id = rule.ticker_id LEFT JOIN exchange ON exchange.id = ticker.exchange_id
    LEFT JOIN ticker other ON other.id = rule.other_ticker_id LEFT JOIN exchange venue ON venue.id = other.exchange_id
    LEFT JOIN symbol coin ON coin.id = rule.coin_id LEFT JOIN exchange watched ON watched.id = rule.exchange_id";

const NAMES: &str =
    "rule.id, rule.account_id, rule.created_at, rule.updated_at, rule.state, exchange.name, ticker.ticker,
    venue.name, other.ticker, coin.name, watched.name";

fn record(row: &Row) -> std::result::Result<Option<Record>, tokio_postgres::Error> {
    let Some((definition, standing)) = definition(row, 11)? else { return Ok(None) };
    let name = |column: usize| row.try_get::<_, Option<String>>(column);
    Ok(Some(Record {
        id: row.try_get(0)?,
        account_id: row.try_get(1)?,
        created_at: row.try_get(2)?,
        updated_at: row.try_get(3)?,
        state: row.try_get(4)?,
        pair: name(5)?.zip(name(6)?),
        other_pair: name(7)?.zip(name(8)?),
        coin: name(9)?,
        exchange: name(10)?,
        standing,
        definition,
    }))
}

/// A rule of an account, deleted ones too.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(client: &impl GenericClient, account_id: i64, id: i64) -> Result<Option<Record>> {
    let doing = "looking for a rule";
    let query = format!("SELECT {NAMES}, {DEFINITION} FROM {FROM} WHERE rule.account_id = $1 AND rule.id = $2");
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let row = client.query_opt(&statement, &[&account_id, &id]).await.context(doing)?;
    row.as_ref().map(record).transpose().map(Option::flatten).context(doing)
}

/// A part of an account's rules, newest first, and how many there are. Deleted ones are told only where that state is asked for.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(
    client: &impl GenericClient,
    account_id: i64,
    state: Option<&str>,
    offset: i64,
    limit: i64,
) -> Result<(i64, Vec<Record>)> {
    let doing = "listing rules";
    let which =
        "rule.account_id = $1 AND CASE WHEN $2::text IS NULL THEN rule.state <> 'deleted' ELSE rule.state = $2 END";
    let count = format!("SELECT count(*) FROM alert.rule WHERE {which}");
    let statement = client.prepare_cached(&count).await.context(doing)?;
    let count = client.query_one(&statement, &[&account_id, &state]).await.context(doing)?.get(0);
    let query =
        format!("SELECT {NAMES}, {DEFINITION} FROM {FROM} WHERE {which} ORDER BY rule.id DESC OFFSET $3 LIMIT $4");
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let rows = client.query(&statement, &[&account_id, &state, &offset, &limit]).await.context(doing)?;
    let records: Vec<Option<Record>> = rows.iter().map(record).collect::<std::result::Result<_, _>>().context(doing)?;
    Ok((count, records.into_iter().flatten().collect()))
}

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
    let c = Columns::of(definition);
    let insert = "
        INSERT INTO alert.rule (account_id, ticker_id, other_ticker_id, coin_id, exchange_id, kind, direction, unit, level, upper,
                                change, window_minutes, seconds, bar, evaluate, frequency, cooldown_seconds, hysteresis,
                                tell_late, expires_at, note, channel_ids)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
        RETURNING id";
    let statement = transaction.prepare_cached(insert).await.context(doing)?;
    let Definition { condition, frequency, hysteresis, tell_late, expires_at, note, channel_ids, .. } = definition;
    let row = transaction
        .query_one(
            &statement,
            &[
                &account_id,
                &c.ticker_id,
                &c.other_ticker_id,
                &c.coin_id,
                &c.exchange_id,
                &condition.kind(),
                &c.direction,
                &c.unit,
                &c.level,
                &c.upper,
                &c.change,
                &c.minutes,
                &c.seconds,
                &c.bar,
                &c.evaluate,
                &frequency.as_str(),
                &c.cooldown_seconds,
                hysteresis,
                tell_late,
                expires_at,
                note,
                channel_ids,
            ],
        )
        .await
        .context(doing)?;
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
    let c = Columns::of(definition);
    let update = "
        UPDATE alert.rule
        SET kind = $2, direction = $3, unit = $4, level = $5, upper = $6, change = $7, window_minutes = $8, seconds = $9,
            bar = $10, evaluate = $11, frequency = $12, cooldown_seconds = $13, hysteresis = $14, tell_late = $15,
            expires_at = $16, note = $17, channel_ids = $18, is_armed = true, updated_at = now()
        WHERE id = $1";
    let statement = transaction.prepare_cached(update).await.context(doing)?;
    let Definition { condition, frequency, hysteresis, tell_late, expires_at, note, channel_ids, .. } = definition;
    transaction
        .execute(
            &statement,
            &[
                &id,
                &condition.kind(),
                &c.direction,
                &c.unit,
                &c.level,
                &c.upper,
                &c.change,
                &c.minutes,
                &c.seconds,
                &c.bar,
                &c.evaluate,
                &frequency.as_str(),
                &c.cooldown_seconds,
                hysteresis,
                tell_late,
                expires_at,
                note,
                channel_ids,
            ],
        )
        .await
        .context(doing)?;
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

/// The states that a rule of an account came into, oldest first: when, and which.
///
/// # Errors
/// When the database cannot be asked.
pub async fn history(client: &impl GenericClient, account_id: i64, id: i64) -> Result<Vec<(DateTime<Utc>, String)>> {
    let doing = "reading the history of a rule";
    let query = "SELECT history.at, history.state FROM alert.history JOIN alert.rule ON rule.id = history.rule_id
                 WHERE rule.account_id = $1 AND rule.id = $2 ORDER BY history.id DESC LIMIT 1000";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let rows = client.query(&statement, &[&account_id, &id]).await.context(doing)?;
    Ok(rows.iter().rev().map(|row| (row.get(0), row.get(1))).collect())
}
