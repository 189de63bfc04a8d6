//! What a message tells of: the notifications that go in it, with what they are about.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use rust_decimal::Decimal;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{Context as _, Result};

/// A notification, and what it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Notified {
    /// Its id.
    pub id: Uuid,
    /// Since when it waits.
    pub created_at: DateTime<Utc>,
    /// What it is about.
    pub about: About,
}

/// What a notification is about.
#[derive(Debug, Clone, PartialEq)]
pub enum About {
    /// A rule fired.
    Firing(Box<Fired>),
    /// A schedule found something.
    Computed(Box<Found>),
    /// The channel is tested.
    Test,
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq)]
pub struct Fired {
    /// The rule.
    pub rule_id: i64,
    /// Its kind.
    pub rule_kind: String,
    /// What its owner wrote to it.
    pub note: Option<String>,
    /// The level that was set.
    pub level: Option<Decimal>,
    /// Key of the pair that it watches.
    pub ticker_id: Option<i32>,
    /// The exchange's name.
    pub exchange: Option<String>,
    /// The exchange's own spelling of the pair.
    pub ticker: Option<String>,
    /// Name of the coin.
    pub coin: Option<String>,
    /// When that happened which it fired for.
    pub happened_at: DateTime<Utc>,
    /// When it was noticed.
    pub noticed_at: DateTime<Utc>,
    /// Whether the trade was fetched later.
    pub is_late: bool,
    /// What happened, in a sentence.
    pub said: String,
    /// The price, or what else was measured.
    pub price: Option<Decimal>,
    /// What that was compared with.
    pub reference: Option<Decimal>,
}

/// What a schedule found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The schedule.
    pub schedule_id: i64,
    /// What its owner calls it.
    pub name: String,
    /// For which of its times.
    pub at: DateTime<Utc>,
    /// It in a sentence.
    pub said: String,
    /// The pairs, with their prices and changes.
    pub result: Value,
}

const OF_A_MESSAGE: &str = "
    SELECT notification.id, notification.created_at,
           rule.id, rule.kind, rule.note, rule.level, rule.ticker_id, exchange.name, ticker.ticker, coin.name,
           happened_at, noticed_at, is_late, firing.said, firing.price, firing.reference,
           schedule.id, schedule.name, computed.at, computed.said, computed.result
    FROM alert.notification
    LEFT JOIN alert.firing ON firing.id = firing_id
    LEFT JOIN alert.rule ON rule.id = firing.rule_id
    LEFT JOIN ticker ON ticker.id = rule.ticker_id
    LEFT JOIN exchange ON exchange.id = coalesce(ticker.exchange_id, rule.exchange_id)
    LEFT JOIN symbol AS coin ON coin.id = coalesce(rule.coin_id, ticker.base_id)
    LEFT JOIN alert.computed ON computed.id = computed_id
    LEFT JOIN alert.schedule ON schedule.id = computed.schedule_id
    WHERE channel_id = $1 AND message_id = $2 AND notification.state = 'waiting'
    ORDER BY notification.created_at, notification.id LIMIT $3";

/// What goes in a message that was begun, oldest first, at most `limit` of it.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_of_message(
    client: &impl GenericClient,
    channel_id: i64,
    message_id: Uuid,
    limit: i64,
) -> Result<Vec<Notified>> {
    let doing = "reading what is to be told";
    let statement = client.prepare_cached(OF_A_MESSAGE).await.context(doing)?;
    let rows = client.query(&statement, &[&channel_id, &message_id, &limit]).await.context(doing)?;
    rows.iter().map(read).collect::<std::result::Result<_, _>>().context(doing)
}

fn read(row: &Row) -> std::result::Result<Notified, tokio_postgres::Error> {
    let decimal =
        |column: usize| row.try_get::<_, Option<Decimal>>(column).map(|value| value.map(|value| value.normalize()));
    let about = if let Some(rule_id) = row.try_get(2)? {
        About::Firing(Box::new(Fired {
            rule_id,
            rule_kind: row.try_get(3)?,
            note: row.try_get(4)?,
            level: decimal(5)?,
            ticker_id: row.try_get(6)?,
            exchange: row.try_get(7)?,
            ticker: row.try_get(8)?,
            coin: row.try_get(9)?,
            happened_at: row.try_get(10)?,
            noticed_at: row.try_get(11)?,
            is_late: row.try_get(12)?,
            said: row.try_get(13)?,
            price: decimal(14)?,
            reference: decimal(15)?,
        }))
    } else if let Some(schedule_id) = row.try_get(16)? {
        About::Computed(Box::new(Found {
            schedule_id,
            name: row.try_get(17)?,
            at: row.try_get(18)?,
            said: row.try_get(19)?,
            result: row.try_get(20)?,
        }))
    } else {
        About::Test
    };
    Ok(Notified { id: row.try_get(0)?, created_at: row.try_get(1)?, about })
}
