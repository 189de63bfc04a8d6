//! What accounts want to be told regularly, computed when its time has come.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::{Client, GenericClient};
use domain::{
    notification::schedule::{self, Due, Moved, Movement},
    portfolio::Holding,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    Context as _, Error, Result,
    portfolios::{self, Portfolio},
    prices::{self, PriceFilter},
};

/// How many pairs a result holds at most: those that moved most.
pub const MOST_PAIRS: usize = 100;

/// What became of a schedule whose time had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Computed {
    /// The schedule.
    pub schedule_id: i64,
    /// Whose it is.
    pub account_id: i64,
    /// How many pairs moved enough.
    pub pairs: usize,
    /// How many notifications of it wait now.
    pub notifications: u64,
}

/// What a schedule tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Pairs that moved.
    Moves {
        /// Which way.
        movement: Movement,
        /// By how many percent at least.
        threshold: Decimal,
        /// The pairs; `None` for all that are recorded.
        ticker_ids: Option<Vec<i32>>,
    },
    /// What a portfolio is worth.
    Balance {
        /// Its key.
        portfolio_id: i64,
    },
}

impl What {
    /// The word in JSON and in the database.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Moves { movement, .. } => movement.as_str(),
            Self::Balance { .. } => BALANCE,
        }
    }

    fn read(kind: &str, threshold: Decimal, ticker_ids: Option<Vec<i32>>, portfolio_id: Option<i64>) -> Self {
        match portfolio_id {
            Some(portfolio_id) => Self::Balance { portfolio_id },
            None => {
                let movement = Movement::parse(kind).unwrap_or(Movement::Moved);
                Self::Moves { movement, threshold, ticker_ids }
            }
        }
    }
}

/// The word of a schedule that tells what a portfolio is worth.
pub const BALANCE: &str = "balance";

/// What a schedule found: in a sentence, as JSON, and whether that is to be told.
struct Found {
    said: String,
    result: Value,
    is_told: bool,
}

struct Schedule {
    id: i64,
    account_id: i64,
    ends_at: Option<DateTime<Utc>>,
    next_at: DateTime<Utc>,
    every_minutes: i32,
    what: What,
    channel_ids: Option<Vec<i64>>,
    is_meant: bool,
    now: DateTime<Utc>,
}

/// What is not computed now.
#[derive(Debug, Clone, Default)]
pub struct PassedOver {
    /// These.
    pub schedules: Vec<i64>,
    /// Those of these accounts.
    pub accounts: Vec<i64>,
}

/// A schedule that could not be computed, or all of them.
#[derive(Debug)]
pub struct Failed {
    /// Which, and whose it is; `None` where none can be.
    pub schedule: Option<(i64, i64)>,
    /// Why.
    pub error: Error,
}

/// Computes the schedule that is due longest, but for these, for the newest of its times that has come, and has its channels told where a
/// pair moved enough; all in one transaction. `None` where none is due that nobody else computes.
///
/// # Errors
/// When the database refuses.
pub async fn compute_due(
    client: &mut Client,
    passed_over: &PassedOver,
) -> std::result::Result<Option<Computed>, Failed> {
    let mut schedule = None;
    compute(client, passed_over, &mut schedule).await.map_err(|error| Failed { schedule, error })
}

async fn compute(
    client: &mut Client,
    passed_over: &PassedOver,
    taken: &mut Option<(i64, i64)>,
) -> Result<Option<Computed>> {
    let doing = "computing a schedule";
    let transaction = client.transaction().await.context(doing)?;
    let Some(schedule) = take(&transaction, passed_over, taken).await? else { return Ok(None) };
    let mut computed =
        Computed { schedule_id: schedule.id, account_id: schedule.account_id, pairs: 0, notifications: 0 };
    let due = schedule::due(schedule.next_at, schedule.every_minutes, schedule.ends_at, schedule.now);
    if let Some(Due { at, .. }) = due.filter(|_| schedule.is_meant) {
        let found = match &schedule.what {
            What::Moves { movement, threshold, ticker_ids } => {
                let ticker_ids = ticker_ids.as_deref();
                let moved = moved(&transaction, &schedule, (*movement, *threshold, ticker_ids), at).await?;
                computed.pairs = moved.len();
                found_moves(&schedule, *movement, *threshold, moved)?
            }
            What::Balance { portfolio_id } => found_balance(&transaction, &schedule, *portfolio_id, at).await?,
        };
        computed.notifications = tell(&transaction, &schedule, at, &found).await?;
    }
    let advance = "UPDATE alert.schedule SET next_at = $2 WHERE id = $1";
    transaction.execute(advance, &[&schedule.id, &due.and_then(|due| due.next)]).await.context(doing)?;
    transaction.commit().await.context(doing)?;
    Ok(Some(computed))
}

async fn take(
    client: &impl GenericClient,
    passed_over: &PassedOver,
    taken: &mut Option<(i64, i64)>,
) -> Result<Option<Schedule>> {
    let doing = "looking for schedules";
    let query = "
        SELECT schedule.id, account_id, ends_at, next_at, every_minutes, kind, threshold_percent, ticker_ids, channel_ids,
               account.disabled_at IS NULL, now(), portfolio_id
        FROM alert.schedule JOIN secret.account ON account.id = account_id
        WHERE is_active AND next_at IS NOT NULL AND next_at <= now() AND schedule.id <> ALL($1::bigint[])
          AND account_id <> ALL($2::bigint[])
        ORDER BY next_at LIMIT 1 FOR NO KEY UPDATE OF schedule SKIP LOCKED";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let Some(row) =
        client.query_opt(&statement, &[&passed_over.schedules, &passed_over.accounts]).await.context(doing)?
    else {
        return Ok(None);
    };
    *taken = row.try_get(0).ok().zip(row.try_get(1).ok());
    let read = || {
        Ok(Schedule {
            id: row.try_get(0)?,
            account_id: row.try_get(1)?,
            ends_at: row.try_get(2)?,
            next_at: row.try_get(3)?,
            every_minutes: row.try_get(4)?,
            what: What::read(row.try_get(5)?, row.try_get(6)?, row.try_get(7)?, row.try_get(11)?),
            channel_ids: row.try_get(8)?,
            is_meant: row.try_get(9)?,
            now: row.try_get(10)?,
        })
    };
    read().map(Some).context(doing)
}

/// The pairs that moved enough until `at`, those that moved most first. A pair without a price since the beginning did not move.
async fn moved(
    client: &impl GenericClient,
    schedule: &Schedule,
    (movement, threshold, ticker_ids): (Movement, Decimal, Option<&[i32]>),
    at: DateTime<Utc>,
) -> Result<Vec<Moved>> {
    let begin = at - TimeDelta::minutes(schedule.every_minutes.into());
    let (mut before, mut after) = (Vec::new(), Vec::new());
    match ticker_ids {
        None => {
            before = prices::list_prices_at(client, begin, PriceFilter::default()).await?;
            after = prices::list_prices_at(client, at, PriceFilter::default()).await?;
        }
        Some(ids) => {
            for id in ids {
                let filter = PriceFilter { ticker_id: Some(*id), ..PriceFilter::default() };
                before.extend(prices::list_prices_at(client, begin, filter).await?);
                after.extend(prices::list_prices_at(client, at, filter).await?);
            }
        }
    }
    let before: std::collections::HashMap<i32, Decimal> =
        before.into_iter().map(|price| (price.ticker_id, price.price)).collect();
    let mut moved: Vec<Moved> = after
        .into_iter()
        .filter_map(|now| {
            let from = *before.get(&now.ticker_id)?;
            let percent = movement.of(from, now.price, threshold)?.round_dp(2);
            Some(Moved { exchange: now.exchange, ticker: now.ticker, from, to: now.price, percent })
        })
        .collect();
    moved.sort_by_key(|moved| std::cmp::Reverse(moved.percent.abs()));
    Ok(moved)
}

fn found_moves(schedule: &Schedule, movement: Movement, threshold: Decimal, mut moved: Vec<Moved>) -> Result<Found> {
    let said = match moved.len() {
        0 => "no pair moved enough".to_owned(),
        _ => schedule::said(movement, &moved, threshold, schedule.every_minutes),
    };
    moved.truncate(MOST_PAIRS);
    let result = serde_json::to_value(&moved).map_err(|error| Error::Encode(error.into()))?;
    Ok(Found { said, result, is_told: !moved.is_empty() })
}

/// What a portfolio is worth, and was before the span.
async fn found_balance(
    client: &impl GenericClient,
    schedule: &Schedule,
    portfolio_id: i64,
    at: DateTime<Utc>,
) -> Result<Found> {
    let Some(portfolio) = portfolios::list(client, schedule.account_id, Some(portfolio_id)).await?.pop() else {
        return Ok(Found { said: "there is no such portfolio".to_owned(), result: Value::Null, is_told: false });
    };
    let Portfolio { name, currency, .. } = portfolio;
    let begin = at - TimeDelta::minutes(schedule.every_minutes.into());
    let balances = portfolios::balances_at(client, portfolio_id, &currency, (begin, at)).await?;
    let Ok((before, now)) = balances else {
        let said = format!("the amounts of {name} are too large to be added up");
        return Ok(Found { said, result: Value::Null, is_told: true });
    };
    let text = |amount: Decimal| amount.round_dp(12).normalize().to_string();
    let value = now.total.converted_value;
    let positions: Vec<Value> = now
        .holdings
        .iter()
        .map(|(symbol, holding)| {
            let Holding { volume, price, worth, .. } = holding;
            json!({"symbol": symbol, "volume": text(*volume), "price": text(*price), "converted_value": text(worth.converted_value)})
        })
        .collect();
    let result = json!({
        "portfolio": portfolio_id, "currency": currency, "converted_value": text(value),
        "before": text(before.total.converted_value), "transaction_value": text(now.total.value_bought),
        "roi": now.total.roi().map(text), "positions": positions,
        "unpriced": now.unpriced.keys().collect::<Vec<_>>(),
    });
    let said = schedule::balance_said(&name, &currency, value, before.total.converted_value, schedule.every_minutes);
    Ok(Found { said, result, is_told: true })
}

/// Stores what was found and has it told. Returns to how many channels.
async fn tell(
    client: &impl GenericClient,
    schedule: &Schedule,
    at: DateTime<Utc>,
    Found { said, result, is_told }: &Found,
) -> Result<u64> {
    let doing = "storing what a schedule found";
    let insert = "
        INSERT INTO alert.computed (schedule_id, at, said, result) VALUES ($1, $2, $3, $4)
        ON CONFLICT (schedule_id, at) DO NOTHING RETURNING id";
    let stored = client.query_opt(insert, &[&schedule.id, &at, said, result]).await.context(doing)?;
    let Some(computed_id) = stored.filter(|_| *is_told).map(|row| row.get::<_, i64>(0)) else { return Ok(0) };
    let notify = "
        INSERT INTO alert.notification (channel_id, computed_id)
        SELECT id, $2 FROM alert.channel
        WHERE account_id = $1 AND is_active AND ($3::bigint[] IS NULL OR id = ANY($3))";
    client.execute(notify, &[&schedule.account_id, &computed_id, &schedule.channel_ids]).await.context(doing)
}

/// How many schedules an account may have.
pub const MOST_SCHEDULES: i64 = 50;

/// A schedule, as its owner wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleDefinition {
    /// What its owner calls it.
    pub name: String,
    /// What it tells.
    pub what: What,
    /// How often, and over how many minutes.
    pub every_minutes: i32,
    /// From when on.
    pub starts_at: DateTime<Utc>,
    /// Until when.
    pub ends_at: Option<DateTime<Utc>>,
    /// Whether it is.
    pub is_active: bool,
    /// Where it is told; `None` for every active channel.
    pub channel_ids: Option<Vec<i64>>,
}

/// A schedule, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRecord {
    /// Its number.
    pub id: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it is computed next; `None` when it is over.
    pub next_at: Option<DateTime<Utc>>,
    /// The pairs: exchange and ticker.
    pub pairs: Option<Vec<(String, String)>>,
    /// What it says.
    pub definition: ScheduleDefinition,
}

const SCHEDULES: &str = "
    SELECT schedule.id, schedule.created_at, schedule.next_at, schedule.name, schedule.kind, schedule.threshold_percent,
           schedule.every_minutes, schedule.starts_at, schedule.ends_at, schedule.is_active, schedule.ticker_ids,
           schedule.channel_ids, schedule.portfolio_id,
           ARRAY(SELECT exchange.name FROM unnest(schedule.ticker_ids) WITH ORDINALITY AS wanted (id, place)
                 JOIN ticker ON ticker.id = wanted.id JOIN exchange ON exchange.id = ticker.exchange_id ORDER BY place),
           ARRAY(SELECT ticker.ticker FROM unnest(schedule.ticker_ids) WITH ORDINALITY AS wanted (id, place)
                 JOIN ticker ON ticker.id = wanted.id ORDER BY place)
    FROM alert.schedule WHERE account_id = $1 AND ($2::bigint IS NULL OR schedule.id = $2) ORDER BY schedule.id";

/// The schedules of an account, or one of them.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(client: &impl GenericClient, account_id: i64, id: Option<i64>) -> Result<Vec<ScheduleRecord>> {
    let doing = "listing schedules";
    let statement = client.prepare_cached(SCHEDULES).await.context(doing)?;
    let rows = client.query(&statement, &[&account_id, &id]).await.context(doing)?;
    let read = |row: &tokio_postgres::Row| {
        let ticker_ids: Option<Vec<i32>> = row.try_get(10)?;
        let has_pairs = ticker_ids.is_some();
        let (exchanges, tickers): (Vec<String>, Vec<String>) = (row.try_get(13)?, row.try_get(14)?);
        Ok(ScheduleRecord {
            id: row.try_get(0)?,
            created_at: row.try_get(1)?,
            next_at: row.try_get(2)?,
            pairs: has_pairs.then(|| exchanges.into_iter().zip(tickers).collect()),
            definition: ScheduleDefinition {
                name: row.try_get(3)?,
                what: What::read(row.try_get(4)?, row.try_get(5)?, ticker_ids, row.try_get(12)?),
                every_minutes: row.try_get(6)?,
                starts_at: row.try_get(7)?,
                ends_at: row.try_get(8)?,
                is_active: row.try_get(9)?,
                channel_ids: row.try_get(11)?,
            },
        })
    };
    rows.iter().map(read).collect::<std::result::Result<_, _>>().context(doing)
}

/// Makes a schedule, or writes it anew where its number is given. `None` where the account has as many as it may, no such schedule, or
/// one of the channels, or the portfolio, is none of its own.
///
/// # Errors
/// When the database refuses.
pub async fn write(
    client: &impl GenericClient,
    account_id: i64,
    id: Option<i64>,
    definition: &ScheduleDefinition,
) -> Result<Option<i64>> {
    let doing = "writing a schedule";
    let own_channels = "($10::bigint[] IS NULL OR NOT EXISTS (
        SELECT FROM unnest($10::bigint[]) AS wanted (id)
        WHERE NOT EXISTS (SELECT FROM alert.channel WHERE channel.id = wanted.id AND channel.account_id = $1)))
        AND ($12::bigint IS NULL OR EXISTS (SELECT FROM portfolio.portfolio WHERE id = $12 AND account_id = $1))";
    let first = "CASE WHEN $4::timestamptz > now() THEN $4 ELSE
                     $4 + ceil(extract(epoch FROM now() - $4) / ($6::int * 60)) * $6 * interval '1 minute' END";
    let write = match id {
        None => format!(
            "INSERT INTO alert.schedule (account_id, name, kind, starts_at, ends_at, every_minutes, is_active, threshold_percent,
                                         ticker_ids, channel_ids, portfolio_id, next_at)
             SELECT account.id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $12, {first} FROM secret.account
             WHERE account.id = $1 AND $11::bigint IS NULL AND {own_channels}
               AND (SELECT count(*) FROM alert.schedule WHERE account_id = $1) < {MOST_SCHEDULES}
             FOR NO KEY UPDATE OF account
             RETURNING id"
        ),
        Some(_) => format!(
            "UPDATE alert.schedule
             SET name = $2, kind = $3, starts_at = $4, ends_at = $5, every_minutes = $6, is_active = $7, threshold_percent = $8,
                 ticker_ids = $9, channel_ids = $10, portfolio_id = $12, next_at = {first}
             WHERE account_id = $1 AND id = $11 AND {own_channels} RETURNING id"
        ),
    };
    let statement = client.prepare_cached(&write).await.context(doing)?;
    let ScheduleDefinition { name, what, every_minutes, starts_at, ends_at, is_active, channel_ids } = definition;
    let (threshold, ticker_ids, portfolio_id) = match what {
        What::Moves { threshold, ticker_ids, .. } => (*threshold, ticker_ids.as_deref(), None),
        What::Balance { portfolio_id } => (Decimal::ZERO, None, Some(portfolio_id)),
    };
    let row = client
        .query_opt(
            &statement,
            &[
                &account_id,
                name,
                &what.kind(),
                starts_at,
                ends_at,
                every_minutes,
                is_active,
                &threshold,
                &ticker_ids,
                channel_ids,
                &id,
                &portfolio_id,
            ],
        )
        .await
        .context(doing)?;
    Ok(row.map(|row| row.get(0)))
}

/// Takes a schedule away, with its results. `false` where the account has none of this number.
///
/// # Errors
/// When the database refuses.
pub async fn delete(client: &impl GenericClient, account_id: i64, id: i64) -> Result<bool> {
    let delete = "DELETE FROM alert.schedule WHERE account_id = $1 AND id = $2";
    Ok(client.execute(delete, &[&account_id, &id]).await.context("deleting a schedule")? > 0)
}

/// The newest results of a schedule, newest first: for which of its times, in a sentence, and the pairs.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_computed(
    client: &impl GenericClient,
    account_id: i64,
    id: i64,
    limit: i64,
) -> Result<Vec<(DateTime<Utc>, String, Value)>> {
    let doing = "listing results of a schedule";
    let query = "SELECT computed.at, computed.said, computed.result FROM alert.computed
                 JOIN alert.schedule ON schedule.id = computed.schedule_id
                 WHERE schedule.account_id = $1 AND schedule.id = $2 ORDER BY computed.at DESC LIMIT $3";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let rows = client.query(&statement, &[&account_id, &id, &limit]).await.context(doing)?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}
