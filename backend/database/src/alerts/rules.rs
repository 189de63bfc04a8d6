//! Rules: what their owners wrote, and how they stand.

mod changes;

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::{GenericClient, Transaction};
use domain::{
    Interval,
    alert::{Condition, Direction, Frequency, State, Subject, Unit, Way},
};
use rust_decimal::Decimal;
use tokio_postgres::Row;

use crate::{Context as _, Result};

pub use changes::{MOST_RULES, Refused, add, change, expire, set_state};

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
