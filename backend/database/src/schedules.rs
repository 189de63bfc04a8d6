//! What accounts want to be told regularly, computed when its time has come.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::{Client, GenericClient};
use domain::notification::schedule::{self, Due, Moved, Movement};
use rust_decimal::Decimal;

use crate::{
    Context as _, Error, Result,
    prices::{self, PriceFilter},
};

/// How many pairs a result holds at most: those that moved most.
pub const MOST_PAIRS: usize = 100;

/// What became of a schedule whose time had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Computed {
    /// The schedule.
    pub schedule_id: i64,
    /// How many pairs moved enough.
    pub pairs: usize,
    /// How many notifications of it wait now.
    pub notifications: u64,
}

struct Schedule {
    id: i64,
    account_id: i64,
    ends_at: Option<DateTime<Utc>>,
    next_at: DateTime<Utc>,
    every_minutes: i32,
    movement: Movement,
    threshold: Decimal,
    ticker_ids: Option<Vec<i32>>,
    channel_ids: Option<Vec<i64>>,
    is_meant: bool,
    now: DateTime<Utc>,
}

/// Computes the schedule that is due longest, for the newest of its times that has come, and has its channels told where a pair moved
/// enough; all in one transaction. `None` where none is due that nobody else computes.
///
/// # Errors
/// When the database refuses.
pub async fn compute_due(client: &mut Client) -> Result<Option<Computed>> {
    let doing = "computing a schedule";
    let transaction = client.transaction().await.context(doing)?;
    let Some(schedule) = take(&transaction).await? else { return Ok(None) };
    let mut computed = Computed { schedule_id: schedule.id, pairs: 0, notifications: 0 };
    let due = schedule::due(schedule.next_at, schedule.every_minutes, schedule.ends_at, schedule.now);
    if let Some(Due { at, .. }) = due.filter(|_| schedule.is_meant) {
        let moved = moved(&transaction, &schedule, at).await?;
        computed.pairs = moved.len();
        computed.notifications = tell(&transaction, &schedule, at, moved).await?;
    }
    let advance = "UPDATE alert.schedule SET next_at = $2 WHERE id = $1";
    transaction.execute(advance, &[&schedule.id, &due.and_then(|due| due.next)]).await.context(doing)?;
    transaction.commit().await.context(doing)?;
    Ok(Some(computed))
}

async fn take(client: &impl GenericClient) -> Result<Option<Schedule>> {
    let doing = "looking for schedules";
    let query = "
        SELECT schedule.id, account_id, ends_at, next_at, every_minutes, kind, threshold_percent, ticker_ids, channel_ids,
               account.disabled_at IS NULL, now()
        FROM alert.schedule JOIN secret.account ON account.id = account_id
        WHERE is_active AND next_at IS NOT NULL AND next_at <= now()
        ORDER BY next_at LIMIT 1 FOR NO KEY UPDATE OF schedule SKIP LOCKED";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let Some(row) = client.query_opt(&statement, &[]).await.context(doing)? else { return Ok(None) };
    let read = || {
        Ok(Schedule {
            id: row.try_get(0)?,
            account_id: row.try_get(1)?,
            ends_at: row.try_get(2)?,
            next_at: row.try_get(3)?,
            every_minutes: row.try_get(4)?,
            movement: Movement::parse(row.try_get(5)?).unwrap_or(Movement::Moved),
            threshold: row.try_get(6)?,
            ticker_ids: row.try_get(7)?,
            channel_ids: row.try_get(8)?,
            is_meant: row.try_get(9)?,
            now: row.try_get(10)?,
        })
    };
    read().map(Some).context(doing)
}

/// The pairs that moved enough until `at`, those that moved most first. A pair without a price since the beginning did not move.
async fn moved(client: &impl GenericClient, schedule: &Schedule, at: DateTime<Utc>) -> Result<Vec<Moved>> {
    let begin = at - TimeDelta::minutes(schedule.every_minutes.into());
    let (mut before, mut after) = (Vec::new(), Vec::new());
    match &schedule.ticker_ids {
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
            let percent = schedule.movement.of(from, now.price, schedule.threshold)?.round_dp(2);
            Some(Moved { exchange: now.exchange, ticker: now.ticker, from, to: now.price, percent })
        })
        .collect();
    moved.sort_by_key(|moved| std::cmp::Reverse(moved.percent.abs()));
    Ok(moved)
}

/// Stores what was found and has it told. Returns to how many channels.
async fn tell(
    client: &impl GenericClient,
    schedule: &Schedule,
    at: DateTime<Utc>,
    mut moved: Vec<Moved>,
) -> Result<u64> {
    let doing = "storing what a schedule found";
    let said = match moved.len() {
        0 => "no pair moved enough".to_owned(),
        _ => schedule::said(schedule.movement, &moved, schedule.threshold, schedule.every_minutes),
    };
    moved.truncate(MOST_PAIRS);
    let result = serde_json::to_value(&moved).map_err(|error| Error::Encode(error.into()))?;
    let insert = "
        INSERT INTO alert.computed (schedule_id, at, said, result) VALUES ($1, $2, $3, $4)
        ON CONFLICT (schedule_id, at) DO NOTHING RETURNING id";
    let stored = client.query_opt(insert, &[&schedule.id, &at, &said, &result]).await.context(doing)?;
    let Some(computed_id) = stored.filter(|_| !moved.is_empty()).map(|row| row.get::<_, i64>(0)) else { return Ok(0) };
    let notify = "
        INSERT INTO alert.notification (channel_id, computed_id)
        SELECT id, $2 FROM alert.channel
        WHERE account_id = $1 AND is_active AND ($3::bigint[] IS NULL OR id = ANY($3))";
    client.execute(notify, &[&schedule.account_id, &computed_id, &schedule.channel_ids]).await.context(doing)
}
