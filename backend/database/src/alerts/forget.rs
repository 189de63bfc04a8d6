//! What was told long ago is forgotten, a little at a time.

use deadpool_postgres::GenericClient;

use crate::{Context as _, Result};

/// So many rows of a kind go at once.
const AT_ONCE: i64 = 1_000;

/// What goes: firings after a year, with what was told of them; results of schedules, tests of channels and deleted rules after a
/// quarter; what coins cost once no window reaches back so far. Each in the order of an index.
const FORGET: [&str; 5] = [
    "DELETE FROM alert.firing WHERE id IN (
         SELECT id FROM alert.firing WHERE happened_at < now() - interval '365 days' AND noticed_at < now() - interval '365 days'
         ORDER BY happened_at LIMIT $1)",
    "DELETE FROM alert.computed WHERE id IN (
         SELECT computed.id FROM alert.schedule JOIN alert.computed ON computed.schedule_id = schedule.id
         WHERE computed.at < now() - interval '90 days' LIMIT $1)",
    "DELETE FROM alert.notification WHERE id IN (
         SELECT notification.id FROM alert.channel JOIN alert.notification ON notification.channel_id = channel.id
         WHERE notification.created_at < now() - interval '90 days' AND num_nonnulls(firing_id, computed_id) = 0 LIMIT $1)",
    "DELETE FROM alert.rule WHERE id IN (
         SELECT id FROM alert.rule WHERE state = 'deleted' AND updated_at < now() - interval '90 days' LIMIT $1)",
    "DELETE FROM alert.coin_minute WHERE (coin_id, minute) IN (
         SELECT coin_id, minute FROM alert.coin_minute WHERE minute < now() - interval '8 days' ORDER BY minute LIMIT $1)",
];

/// Forgets some of it. Returns how many rows.
///
/// # Errors
/// When the database refuses.
pub async fn forget(client: &impl GenericClient) -> Result<u64> {
    let doing = "forgetting old notifications";
    let mut forgotten = 0;
    for statement in FORGET {
        let statement = client.prepare_cached(statement).await.context(doing)?;
        forgotten += client.execute(&statement, &[&AT_ONCE]).await.context(doing)?;
    }
    Ok(forgotten)
}
