//! Rules that watch the prices while a fault strikes: what they fired for against what the stored prices say, and whether it arrived.
//!
//! The prices are evaluated by PostgreSQL, in one statement over the whole table, which knows nothing of batches, turns, versions and
//! what else the program keeps. Whatever order prices were stored in, this must hold: a rule fires for nothing but a price that meets
//! it, compared with the price before it; one that is to fire once does so exactly if any price meets it; one that fires every time
//! leaves its cooldown between any two firings, and what met it and did not fire it lies within the cooldown of a firing.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::time::sleep;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{Stage, receiver::Receiver};

/// How long messages may take to arrive when everything works again: a lease of a notifier that was killed, and several tries.
const ARRIVAL: Duration = Duration::from_secs(240);

/// Rules that watch since a moment at which every price was stored.
pub struct Watch {
    /// Rules have higher numbers than this one.
    after: i64,
}

/// What became of rules while one fault struck.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// How many there were.
    pub rules: i64,
    /// How often a price met one.
    pub met: i64,
    /// How often one fired.
    pub fired: i64,
    /// How often late.
    pub late: i64,
    /// Firings for prices that do not meet the rule.
    pub false_firings: i64,
    /// Prices that should have fired a rule and did not.
    pub missed: i64,
    /// Firings too many: of rules that fire once, or within the cooldown.
    pub doubled: i64,
    /// What was to be told.
    pub notifications: i64,
    /// In how many messages it came.
    pub messages: usize,
    /// Notifications of which no message came, or that are still called unsent.
    pub not_arrived: i64,
    /// Messages that came more than once, with their number.
    pub repeated: usize,
    /// What is wrong with some of them, in words.
    pub examples: Vec<String>,
    /// Changes of accounts' records that did not reach whoever follows them, or that the follower's own program has not kept as they are.
    pub changes_missing: usize,
    /// Changes that came behind a newer one of their record, since the beginning.
    pub changes_out_of_order: u64,
    /// Changes that came, and those that came again, since the beginning.
    pub changes: (usize, u64),
}

impl Told {
    /// Whether every rule fired as the prices say, and everything arrived.
    pub fn is_good(&self) -> bool {
        (self.false_firings, self.missed, self.doubled, self.not_arrived) == (0, 0, 0, 0)
            && (self.changes_missing, self.changes_out_of_order) == (0, 0)
            && self.fired > 0
            && self.notifications == self.fired
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<30} {} rules, met {} times, fired {} ({} late), {} false, {} missed, {} doubled; {} notifications in {} messages \
             ({} twice), {} not arrived; of {} changes {} came twice, {} missing, {} out of order{}",
            "",
            self.rules,
            self.met,
            self.fired,
            self.late,
            self.false_firings,
            self.missed,
            self.doubled,
            self.notifications,
            self.messages,
            self.repeated,
            self.not_arrived,
            self.changes.0,
            self.changes.1,
            self.changes_missing,
            self.changes_out_of_order,
            if self.is_good() { "" } else { "   BAD" }
        )?;
        self.examples.iter().try_for_each(|example| write!(f, "\n{:<30} {example}", ""))
    }
}

/// Somebody with a webhook, told at most so often that what a fault held back comes together.
///
/// # Errors
/// When the tables do not take it.
pub async fn settle(client: &Client, url: &str) -> anyhow::Result<()> {
    let settle = "
        WITH owner AS (
            INSERT INTO secret.account (username, password_hash) VALUES ('chaos', 'none can log in') RETURNING id
        ), preference AS (
            INSERT INTO alert.preference (account_id, messages_per_minute) SELECT id, 300 FROM owner
        )
        INSERT INTO alert.channel (account_id, kind, name, settings)
        SELECT id, 'webhook', 'receiver', jsonb_build_object('url', $1::text, 'secret', '0123456789abcdef') FROM owner";
    client.execute(settle, &[&url]).await.context("making an account")?;
    Ok(())
}

/// Around the newest price of each pair, a level each hundredth of a percent, of every kind that a single price decides.
const RULES: &str = "
    INSERT INTO alert.rule (account_id, ticker_id, kind, direction, level, upper, frequency, cooldown_seconds)
    SELECT account.id, watch.ticker_id, kind, direction, level, CASE kind WHEN 'channel' THEN level * 1.0002 END,
           CASE WHEN (step + number) % 2 = 0 THEN 'once' ELSE 'every_time' END, 5
    FROM secret.account, (SELECT DISTINCT ON (ticker_id) ticker_id, price FROM price
                          WHERE trade_id IS NOT NULL ORDER BY ticker_id, time DESC, trade_id DESC) AS watch,
         generate_series(-8, 8) AS step,
         (VALUES (1, 'crosses', 'up'), (2, 'crosses', 'down'), (3, 'crosses', 'either'), (4, 'reaches', NULL),
                 (5, 'channel', 'leave'), (6, 'channel', 'enter')) AS sort (number, kind, direction),
         round(watch.price * (1 + step * 0.0001), 8) AS level
    WHERE account.username = 'chaos' AND (step + number) % 3 = 0";

/// Each step from one stored trade to the next, and the rules that it meets. Of each pair, from the newest one on that was stored
/// when the rules were made.
const MET: &str = "
    step AS (
        SELECT ticker_id, time, trade_id, price, lag(price) OVER (PARTITION BY ticker_id ORDER BY time, trade_id) AS before
        FROM price WHERE trade_id IS NOT NULL AND ticker_id IN (SELECT ticker_id FROM watching)
          AND time > (SELECT min(created_at) FROM watching) - interval '1 minute'
    ), met AS (
        SELECT watching.id AS rule_id, step.time AS happened_at, step.trade_id
        FROM watching JOIN step USING (ticker_id)
        WHERE step.before IS NOT NULL AND step.time >= watching.created_at AND CASE
            WHEN kind = 'channel' AND direction = 'enter' THEN
                NOT before BETWEEN level AND upper AND price BETWEEN level AND upper
            WHEN kind = 'channel' THEN before BETWEEN level AND upper AND NOT price BETWEEN level AND upper
            ELSE (coalesce(direction, 'either') <> 'down' AND before < level AND price >= level)
              OR (coalesce(direction, 'either') <> 'up' AND before > level AND price <= level)
            END
    )";

/// What a firing was right to be for: the trade that it names. While trades do not come, prices are asked for, and such a price is right
/// where a trade met the rule shortly before, whenever that is fetched.
fn justifies(firing: &str) -> String {
    format!(
        "SELECT FROM met WHERE met.rule_id = {firing}.rule_id AND CASE
             WHEN {firing}.trade_id IS NULL THEN
                 met.happened_at BETWEEN {firing}.happened_at - interval '30 seconds' AND {firing}.happened_at
             ELSE (met.happened_at, met.trade_id) = ({firing}.happened_at, {firing}.trade_id) END"
    )
}

/// The rules of this watch and their firings, met prices, and what is wrong with them.
fn verdict() -> String {
    format!(
        "WITH watching AS (SELECT * FROM alert.rule WHERE id > $1),
              fired AS (SELECT firing.*, frequency, make_interval(secs => cooldown_seconds) AS rest
                        FROM alert.firing JOIN watching ON watching.id = rule_id),
              {MET}
         SELECT (SELECT count(*) FROM watching), (SELECT count(*) FROM met), (SELECT count(*) FROM fired),
                (SELECT count(*) FROM fired WHERE is_late),
                (SELECT count(*) FROM fired WHERE NOT EXISTS ({})),
                (SELECT count(*) FROM met JOIN watching ON watching.id = met.rule_id
                 WHERE NOT EXISTS (SELECT FROM fired WHERE fired.rule_id = met.rule_id AND (frequency = 'once'
                     OR (fired.happened_at > met.happened_at - rest AND fired.happened_at < met.happened_at + rest)))),
                (SELECT count(*) FROM fired JOIN fired AS other USING (rule_id)
                 WHERE fired.id < other.id AND (fired.frequency = 'once'
                     OR (other.happened_at > fired.happened_at - fired.rest
                         AND other.happened_at < fired.happened_at + fired.rest)))",
        justifies("fired")
    )
}

/// Some firings for prices that do not meet the rule, and what is stored around them.
fn examples() -> String {
    format!(
        "WITH watching AS (SELECT * FROM alert.rule WHERE id > $1), {MET}
         SELECT format('rule %s on pair %s: %s %s %s fired %s at trade %s of %s (%s, %s), noticed %s; before it %s', rule_id, ticker_id,
                       kind, coalesce(direction, ''), level, said, trade_id, happened_at, CASE WHEN is_late THEN 'late' ELSE 'live' END,
                       reference, noticed_at,
                       (SELECT string_agg(format('%s %s (%s, stored %s)', step.trade_id, step.price, price.source, price.stored_at), ', '
                                          ORDER BY step.trade_id)
                        FROM step JOIN price USING (ticker_id, time, trade_id)
                        WHERE step.ticker_id = watching.ticker_id
                          AND step.trade_id BETWEEN firing.trade_id - 3 AND firing.trade_id + 1))
         FROM alert.firing JOIN watching ON watching.id = rule_id
         WHERE NOT EXISTS ({}) ORDER BY firing.id LIMIT 5",
        justifies("firing")
    )
}

/// What was to be told of these rules' firings: the message that it went in, where it was sent.
const NOTIFICATIONS: &str = "
    SELECT CASE WHEN notification.state = 'sent' THEN coalesce(message_id, notification.id) END
    FROM alert.notification JOIN alert.firing ON firing.id = firing_id WHERE rule_id > $1";

impl Watch {
    /// Makes rules in the place of those that there were. Everything published must be stored by now.
    ///
    /// # Errors
    /// When the tables do not take them.
    pub async fn begin(stage: &Stage) -> anyhow::Result<Self> {
        let client = stage.client().await?;
        let after: i64 = client.query_one("SELECT coalesce(max(id), 0) FROM alert.rule", &[]).await?.get(0);
        client.execute("UPDATE alert.rule SET state = 'deleted' WHERE state <> 'deleted'", &[]).await?;
        client.execute(RULES, &[]).await.context("making rules")?;
        Ok(Self { after })
    }

    /// Compares, when everything published is stored, and waits until what was to be told has arrived.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn end(&self, stage: &Stage) -> anyhow::Result<Told> {
        let client = stage.client().await?;
        let row = client.query_one(&verdict(), &[&self.after]).await.context("evaluating the stored prices")?;
        let mut told = Told {
            rules: row.get(0),
            met: row.get(1),
            fired: row.get(2),
            late: row.get(3),
            false_firings: row.get(4),
            missed: row.get(5),
            doubled: row.get(6),
            ..Told::default()
        };
        if told.false_firings > 0 {
            let rows = client.query(&examples(), &[&self.after]).await.context("looking at false firings")?;
            told.examples = rows.iter().map(|row| row.get(0)).collect();
        }
        let clock = Instant::now();
        loop {
            self.look_what_arrived(&client, &stage.receiver, &mut told).await?;
            self.look_what_was_followed(&client, stage, &mut told).await?;
            if told.not_arrived == 0 && told.changes_missing == 0 || clock.elapsed() > ARRIVAL {
                return Ok(told);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn look_what_was_followed(&self, client: &Client, stage: &Stage, told: &mut Told) -> anyhow::Result<()> {
        // Since the follower's program kept its first one. The record is compared too, digit for digit.
        let query = "SELECT log.version, known.version IS NOT NULL OR log.version < (SELECT min(version) FROM followed.change)
                     FROM change.log AS log LEFT JOIN followed.change AS known
                         ON known.version = log.version AND (known.kind, known.source_id, known.operation, known.at)
                            = (log.kind, log.source_id, log.operation, log.at) AND known.record IS NOT DISTINCT FROM log.record";
        let rows = client.query(query, &[]).await?;
        let missing = rows.iter().filter(|row| !stage.follower.has(row.get(0)) || !row.get::<_, bool>(1)).count();
        let (came, again, out_of_order) = stage.follower.counts();
        (told.changes, told.changes_missing, told.changes_out_of_order) = ((came, again), missing, out_of_order);
        Ok(())
    }

    async fn look_what_arrived(&self, client: &Client, receiver: &Receiver, told: &mut Told) -> anyhow::Result<()> {
        let rows = client.query(NOTIFICATIONS, &[&self.after]).await?;
        let arrived = receiver.messages();
        let sent: Vec<Option<Uuid>> = rows.iter().map(|row| row.get(0)).collect();
        let mut in_message = std::collections::HashMap::<Uuid, u64>::new();
        for message in sent.iter().flatten() {
            *in_message.entry(*message).or_default() += 1;
        }
        // A message holds what its sender says, and a notification that it does not hold has not arrived.
        let is_whole = |(message, count): &(&Uuid, &u64)| arrived.get(*message).is_some_and(|(held, _)| held >= *count);
        let came: u64 = in_message.iter().filter(is_whole).map(|(_, count)| count).sum();
        told.notifications = rows.len() as i64;
        told.messages = in_message.len();
        told.not_arrived = told.notifications - came as i64;
        told.repeated = in_message.keys().filter(|id| arrived.get(*id).is_some_and(|(_, times)| *times > 1)).count();
        Ok(())
    }
}
