//! What rules fired for, and what follows from it: one row for each firing and one for each channel that is to tell it.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::{GenericClient, Transaction};
use domain::alert::{Firing, State};
use rust_decimal::Decimal;

use crate::{Context as _, Result};

/// A firing that stands already is no second one.
const WRITE: &str = "
    WITH fired AS (
        INSERT INTO alert.firing (rule_id, happened_at, trade_id, is_late, said, price, reference)
        SELECT new.* FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::boolean[], $5::text[], $6::numeric[],
                                 $7::numeric[])
            AS new (rule_id, happened_at, trade_id, is_late, said, price, reference)
        ON CONFLICT DO NOTHING
        RETURNING id, rule_id
    ), told AS (
        INSERT INTO alert.notification (channel_id, firing_id)
        SELECT channel.id, fired.id
        FROM fired
        JOIN alert.rule ON rule.id = fired.rule_id
        JOIN alert.channel ON channel.account_id = rule.account_id AND channel.is_active
            AND (rule.channel_ids IS NULL OR channel.id = ANY(rule.channel_ids))
        ORDER BY fired.id, channel.id
        FOR KEY SHARE OF channel
    )
    SELECT count(*) FROM fired";

/// Where the pair's next version is given, it is set once for all; otherwise each change counts for itself.
const CHANGE: &str = "
    WITH versions AS (
        UPDATE alert.watch SET version = now.version FROM unnest($6::int[], $7::bigint[]) AS now (ticker_id, version)
        WHERE watch.ticker_id = now.ticker_id
    )
    UPDATE alert.rule
    SET is_armed = now.is_armed, last_fired_at = now.last_fired_at, fired_count = rule.fired_count + now.fired,
        state = CASE WHEN now.is_over THEN 'triggered' ELSE rule.state END,
        revision = coalesce(version.version, rule.revision)
    FROM unnest($1::bigint[], $2::boolean[], $3::timestamptz[], $4::bigint[], $5::boolean[])
        AS now (id, is_armed, last_fired_at, fired, is_over)
    JOIN alert.rule AS old ON old.id = now.id
    LEFT JOIN unnest($6::int[], $7::bigint[]) AS version (ticker_id, version) ON version.ticker_id = old.ticker_id
    WHERE rule.id = now.id AND rule.state = 'created'";

/// What became of what was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Firings that were written.
    pub fired: u64,
    /// Changes of rules that the database refused: a mistake of ours, which costs the firings, but never the prices.
    pub lost: u64,
}

/// A firing to be written, and what it says.
pub(crate) type NewFiring = (Firing, String);

/// How a rule stands now, and how often it fired since it was read.
pub(crate) type NewState = (i64, State, u64);

/// Writes what rules fired for, and how they stand. `versions` are the next versions of pairs that the transaction holds.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn write(
    transaction: &Transaction<'_>,
    firings: &[NewFiring],
    states: &[NewState],
    versions: &[(i32, i64)],
) -> Result<Written> {
    if states.is_empty() {
        return Ok(Written::default());
    }
    transaction.batch_execute("SAVEPOINT firing").await.context("beginning to write what fired")?;
    match try_write(transaction, firings, states, versions).await {
        Ok(fired) => Ok(Written { fired, lost: 0 }),
        Err(error) if error.is_permanent() => {
            tracing::error!(%error, rules = states.len(), "what rules fired for cannot be written; it is lost");
            transaction.batch_execute("ROLLBACK TO firing").await.context("giving up what fired")?;
            Ok(Written { fired: 0, lost: states.len() as u64 })
        }
        Err(error) => Err(error),
    }
}

async fn try_write(
    transaction: &Transaction<'_>,
    firings: &[NewFiring],
    states: &[NewState],
    versions: &[(i32, i64)],
) -> Result<u64> {
    let mut written = 0;
    if !firings.is_empty() {
        let doing = "writing what fired";
        let statement = transaction.prepare_cached(WRITE).await.context(doing)?;
        let row = transaction
            .query_one(
                &statement,
                &[
                    &firings.iter().map(|(firing, _)| firing.rule_id).collect::<Vec<_>>(),
                    &firings.iter().map(|(firing, _)| firing.at.time).collect::<Vec<_>>(),
                    &firings.iter().map(|(firing, _)| firing.at.trade_id).collect::<Vec<_>>(),
                    &firings.iter().map(|(firing, _)| firing.is_late).collect::<Vec<_>>(),
                    &firings.iter().map(|(_, said)| said.as_str()).collect::<Vec<_>>(),
                    &firings.iter().map(|(firing, _)| firing.at.price).collect::<Vec<_>>(),
                    &firings.iter().map(|(firing, _)| firing.reference).collect::<Vec<_>>(),
                ],
            )
            .await
            .context(doing)?;
        written = u64::try_from(row.get::<_, i64>(0)).unwrap_or_default();
    }
    let doing = "noting that rules fired";
    let statement = transaction.prepare_cached(CHANGE).await.context(doing)?;
    transaction
        .execute(
            &statement,
            &[
                &states.iter().map(|(id, _, _)| *id).collect::<Vec<_>>(),
                &states.iter().map(|(_, state, _)| state.is_armed).collect::<Vec<_>>(),
                &states.iter().map(|(_, state, _)| state.last_fired_at).collect::<Vec<_>>(),
                &states.iter().map(|(_, _, fired)| i64::try_from(*fired).unwrap_or_default()).collect::<Vec<_>>(),
                &states.iter().map(|(_, state, _)| state.is_over).collect::<Vec<_>>(),
                &versions.iter().map(|(ticker_id, _)| *ticker_id).collect::<Vec<_>>(),
                &versions.iter().map(|(_, version)| *version).collect::<Vec<_>>(),
            ],
        )
        .await
        .context(doing)?;
    Ok(written)
}

/// When that happened which these rules fired for, each so long before the first and behind the last of two moments.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn list_times(
    transaction: &Transaction<'_>,
    rules: &[(i64, TimeDelta)],
    (first, last): (DateTime<Utc>, DateTime<Utc>),
) -> Result<HashMap<i64, Vec<DateTime<Utc>>>> {
    let doing = "looking when rules fired";
    let query = "SELECT firing.rule_id, firing.happened_at
                 FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS wanted (rule_id, first, last)
                 JOIN alert.firing ON firing.rule_id = wanted.rule_id AND firing.happened_at BETWEEN first AND last";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let ids: Vec<i64> = rules.iter().map(|(id, _)| *id).collect();
    let before: Vec<DateTime<Utc>> = rules.iter().map(|(_, span)| first - *span).collect();
    let behind: Vec<DateTime<Utc>> = rules.iter().map(|(_, span)| last + *span).collect();
    let mut times: HashMap<i64, Vec<DateTime<Utc>>> = HashMap::new();
    for row in transaction.query(&statement, &[&ids, &before, &behind]).await.context(doing)? {
        times.entry(row.get(0)).or_default().push(row.get(1));
    }
    Ok(times)
}

/// A firing, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiringRow {
    /// Its key.
    pub id: i64,
    /// The rule.
    pub rule_id: i64,
    /// When that happened which it fired for.
    pub happened_at: DateTime<Utc>,
    /// When it was noticed.
    pub noticed_at: DateTime<Utc>,
    /// The trade, where it has a number.
    pub trade_id: Option<i64>,
    /// Whether it was fetched, or stored, long after it happened.
    pub is_late: bool,
    /// It in a sentence.
    pub said: String,
    /// The price, or what else was compared.
    pub price: Option<Decimal>,
    /// What it was compared with.
    pub reference: Option<Decimal>,
}

/// The firings of an account's rules, or of one of them, newest first, before one of them.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(
    client: &impl GenericClient,
    account_id: i64,
    rule_id: Option<i64>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<FiringRow>> {
    let doing = "listing firings";
    let query = "SELECT firing.id, rule_id, happened_at, noticed_at, trade_id, is_late, said, price, reference
                 FROM alert.firing JOIN alert.rule ON rule.id = firing.rule_id
                 WHERE rule.account_id = $1 AND ($2::bigint IS NULL OR rule.id = $2) AND ($3::bigint IS NULL OR firing.id < $3)
                 ORDER BY firing.id DESC LIMIT $4";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let rows = client.query(&statement, &[&account_id, &rule_id, &before, &limit]).await.context(doing)?;
    Ok(rows
        .iter()
        .map(|row| FiringRow {
            id: row.get(0),
            rule_id: row.get(1),
            happened_at: row.get(2),
            noticed_at: row.get(3),
            trade_id: row.get(4),
            is_late: row.get(5),
            said: row.get(6),
            price: row.get(7),
            reference: row.get(8),
        })
        .collect())
}
