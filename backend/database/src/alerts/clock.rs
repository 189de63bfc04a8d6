//! Rules that no single price decides, looked at every second: closes of candles, volume and volatility, differences between markets,
//! prices of coins over all markets, and the state of the data itself.
//!
//! Values are read and compared without locks. What fires is written in one transaction that first locks what it changes, and leaves
//! out the rules that changed meanwhile: so several processes may look at the same time, and each firing is written once.

mod values;

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use domain::{
    Interval,
    alert::{Bar, Extremes, Firing, State, bars, on_close, on_value, said},
};
use rust_decimal::Decimal;

use super::{
    firings::{self, Written},
    forget, past,
    rules::{self, About, Ticking},
};
use crate::{Client, Context as _, Result};

/// So many rules are looked at in one go.
const PAGE: i64 = 5_000;

/// How long after its end a candle is looked at, at least: what was traded in it may still be on its way.
const GRACE: TimeDelta = TimeDelta::seconds(3);

/// How long it is waited for prices behind the candle, or for what is missing in it.
const PATIENCE: TimeDelta = TimeDelta::seconds(60);

/// Candles that ended longer ago are not looked at any more.
const LONGEST_PAST: TimeDelta = TimeDelta::days(7);

/// A candle that is looked at so long after its end is late: longer than one waits for what belongs to it.
const LATE: TimeDelta = TimeDelta::seconds(90);

/// How far candles have been looked at from here.
#[derive(Debug, Default)]
pub struct Clock {
    looked_until: Option<DateTime<Utc>>,
    /// Of those pairs and widths that are farther.
    farther: HashMap<(i32, Interval), DateTime<Utc>>,
    /// What coins of which moves are watched cost in the minutes before.
    windows: Windows,
    ticks: u64,
}

/// The lowest and the highest prices of coins, by their keys.
type Windows = HashMap<i32, Extremes>;

/// What looking found, to be written.
#[derive(Default)]
struct Outcome {
    firings: Vec<firings::NewFiring>,
    states: Vec<firings::NewState>,
    /// The revisions of the rules when they were read, and their pairs.
    read: HashMap<i64, (i64, Option<i32>)>,
    /// How far candles were looked at, true as soon as it is written.
    farther: HashMap<(i32, Interval), DateTime<Utc>>,
    /// Prices of coins that were looked at.
    coins: BTreeMap<i32, (DateTime<Utc>, Decimal)>,
}

impl Clock {
    /// Looks once, which is to be done every second, and now and then forgets what is old. `is_settled` says that the feeds have had time to deliver what waited: only then it means something that nothing
    /// comes.
    ///
    /// # Errors
    /// When the database cannot be asked or refuses.
    pub async fn look(&mut self, client: &mut Client, now: DateTime<Utc>, is_settled: bool) -> Result<Written> {
        rules::expire(client).await?;
        if self.ticks.is_multiple_of(60) {
            forget(&*client).await?;
        }
        let looked_until = match self.looked_until {
            Some(looked_until) => looked_until,
            None => looked_until(&*client).await?.max(now - LONGEST_PAST),
        };
        let mut outcome = Outcome::default();
        // After an error they are read anew.
        let mut windows = std::mem::take(&mut self.windows);
        let mut after = 0;
        loop {
            let rules = rules::list_by_the_clock(&*client, after, PAGE).await?;
            let Some(last) = rules.last() else { break };
            after = last.rule.id;
            let is_last = rules.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            self.look_at(&*client, &rules, now, looked_until, is_settled, &mut outcome).await?;
            values::coins(&*client, &rules, now, &mut windows, &mut outcome).await?;
            if is_last {
                break;
            }
        }
        self.ticks += 1;
        windows.retain(|coin, _| outcome.coins.contains_key(coin));
        self.windows = windows;
        let farther = std::mem::take(&mut outcome.farther);
        let written = outcome.write(client).await?;
        self.farther.extend(farther);
        self.advance(&*client, now).await?;
        Ok(written)
    }

    async fn look_at(
        &self,
        client: &impl GenericClient,
        rules: &[Ticking],
        now: DateTime<Utc>,
        looked_until: DateTime<Utc>,
        is_settled: bool,
        outcome: &mut Outcome,
    ) -> Result<()> {
        self.look_at_closes(client, rules, now, looked_until, outcome).await?;
        values::spreads(client, rules, now, outcome).await?;
        values::missing(client, rules, outcome).await?;
        // These sum up minutes, and need not be known every second.
        if self.ticks.is_multiple_of(5) {
            values::windows(client, rules, now, outcome).await?;
        }
        if is_settled {
            values::silences(client, rules, now, outcome).await?;
        }
        Ok(())
    }

    /// Candles that ended since they were looked at last.
    async fn look_at_closes(
        &self,
        client: &impl GenericClient,
        rules: &[Ticking],
        now: DateTime<Utc>,
        looked_until: DateTime<Utc>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let mut by_bar: BTreeMap<(i32, Interval), Vec<&Ticking>> = BTreeMap::new();
        for ticking in rules {
            if let (About::Pair(pair), Some(bar)) = (ticking.about, ticking.bar()) {
                by_bar.entry((pair, bar)).or_default().push(ticking);
            }
        }
        for ((pair, bar), rules) in by_bar {
            let from = self.farther.get(&(pair, bar)).copied().unwrap_or(looked_until);
            // The last end that is over.
            let to = bar.open_time(now - GRACE);
            if to <= from || (now - to < PATIENCE && !is_complete(client, pair, bar, to).await?) {
                continue;
            }
            let closes = Closes::read(client, pair, bar, from, to).await?;
            for ticking in rules {
                let (mut state, mut before) = (ticking.rule.state, closes.before);
                for (candle, is_whole) in &closes.bars {
                    let is_due = candle.end > from && candle.end > ticking.rule.since && *is_whole;
                    let is_late = now - candle.end > LATE;
                    if is_due && (ticking.rule.tell_late || !is_late) {
                        let (after, firing) = on_close(&ticking.rule, state, before, candle);
                        state = after;
                        outcome.fired(ticking, firing.map(|firing| Firing { is_late, ..firing }));
                    }
                    before = Some(candle.close);
                }
                outcome.stands(ticking, state);
            }
            outcome.farther.insert((pair, bar), to);
        }
        Ok(())
    }

    /// Notes how far all candles have been looked at: what was waited for is over by then.
    async fn advance(&mut self, client: &impl GenericClient, now: DateTime<Utc>) -> Result<()> {
        let doing = "noting how far candles were looked at";
        let minute = (now - PATIENCE - GRACE).duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
        if self.looked_until.is_none_or(|before| before < minute) {
            let update = "UPDATE alert.clock SET looked_until = $1 WHERE looked_until < $1";
            client.execute(update, &[&minute]).await.context(doing)?;
            self.looked_until = Some(minute);
            self.farther.retain(|_, until| *until > minute);
        }
        Ok(())
    }
}

async fn looked_until(client: &impl GenericClient) -> Result<DateTime<Utc>> {
    let doing = "reading how far candles were looked at";
    Ok(client.query_one("SELECT looked_until FROM alert.clock", &[]).await.context(doing)?.get(0))
}

/// Whether prices behind the end of a candle were stored already, and nothing of it is being fetched.
async fn is_complete(client: &impl GenericClient, pair: i32, bar: Interval, end: DateTime<Utc>) -> Result<bool> {
    let doing = "looking whether a candle is complete";
    let query = "SELECT EXISTS (SELECT FROM alert.watch WHERE ticker_id = $1 AND time >= $3)
                        AND NOT EXISTS (SELECT FROM gap WHERE ticker_id = $1 AND state IN ('open', 'filling')
                                        AND coalesce(from_time, to_time) < $3 AND coalesce(to_time, from_time) >= $2)";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let row = client.query_one(&statement, &[&pair, &(end - bar.duration()), &end]).await.context(doing)?;
    Ok(row.get(0))
}

/// Candles of a pair that are over, and whether nothing is missing in each.
struct Closes {
    before: Option<Decimal>,
    bars: Vec<(Bar, bool)>,
}

impl Closes {
    async fn read(
        client: &impl GenericClient,
        pair: i32,
        bar: Interval,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Self> {
        let doing = "reading the close before a candle";
        let open = bar.open_time(from);
        let query = "SELECT close FROM candle WHERE ticker_id = $1 AND width = '1m' AND open_time < $2
                     ORDER BY open_time DESC LIMIT 1";
        let statement = client.prepare_cached(query).await.context(doing)?;
        let before = client.query_opt(&statement, &[&pair, &open]).await.context(doing)?.map(|row| row.get(0));
        let most = (LONGEST_PAST + TimeDelta::days(8)).num_minutes();
        let minutes = past::list_minutes(client, pair, open, to, most).await?;
        let gaps = past::list_gaps(client, pair, open, to).await?;
        let minutes = minutes.into_iter().map(|(open, [.., close], volume)| (open, close, volume));
        let is_whole = |candle: &Bar| {
            let open = candle.end - bar.duration();
            !gaps.iter().any(|gap| gap.from < candle.end && open < gap.to)
        };
        let bars = bars(minutes, bar, to).into_iter().map(|candle| (candle, is_whole(&candle))).collect();
        Ok(Self { before, bars })
    }
}

impl Outcome {
    fn fired(&mut self, ticking: &Ticking, firing: Option<Firing>) {
        if let Some(firing) = firing {
            let Ticking { rule, subject, .. } = ticking;
            let said = said(subject, &rule.condition, firing.at.price, firing.reference);
            self.firings.push((firing, said));
        }
    }

    /// Notes how a rule stands, where that changed.
    fn stands(&mut self, ticking: &Ticking, state: State) {
        let Ticking { rule, revision, .. } = ticking;
        if state != rule.state {
            self.states.push((rule.id, state, state.fired - rule.state.fired));
            self.read.insert(rule.id, (*revision, ticking.pair()));
        }
    }

    /// Looks at a value that grows and shrinks.
    fn value(&mut self, ticking: &Ticking, threshold: Decimal, value: Decimal, now: DateTime<Utc>) {
        let (state, firing) = on_value(&ticking.rule, ticking.rule.state, threshold, value, now);
        self.fired(ticking, firing);
        self.stands(ticking, state);
    }

    /// Writes it, without the rules that somebody changed since they were read.
    async fn write(mut self, client: &mut Client) -> Result<Written> {
        if self.read.is_empty() && self.coins.is_empty() {
            return Ok(Written::default());
        }
        let doing = "locking rules that fired";
        let transaction = client.transaction().await.context(doing)?;
        let mut pairs: Vec<i32> = self.read.values().filter_map(|(_, pair)| *pair).collect();
        pairs.sort_unstable();
        pairs.dedup();
        // Pairs first, as whoever looks at prices does.
        let lock = "SELECT FROM alert.watch WHERE ticker_id = ANY($1) ORDER BY ticker_id FOR UPDATE";
        transaction.query(lock, &[&pairs]).await.context(doing)?;
        let ids: Vec<i64> = self.read.keys().copied().collect();
        let lock =
            "SELECT id, revision FROM alert.rule WHERE id = ANY($1) AND state = 'created' ORDER BY id FOR UPDATE";
        let rows = transaction.query(lock, &[&ids]).await.context(doing)?;
        let unchanged: HashSet<i64> = rows
            .iter()
            .map(|row| (row.get::<_, i64>(0), row.get::<_, i64>(1)))
            .filter(|(id, revision)| self.read.get(id).is_some_and(|(read, _)| read == revision))
            .map(|(id, _)| id)
            .collect();
        self.firings.retain(|(firing, _)| unchanged.contains(&firing.rule_id));
        self.states.retain(|(id, ..)| unchanged.contains(id));
        let written = firings::write(&transaction, &self.firings, &self.states, &[]).await?;
        for (coin, (now, price)) in &self.coins {
            values::note_coin_price(&transaction, *coin, *now, *price).await?;
        }
        transaction.commit().await.context("committing what fired")?;
        Ok(written)
    }
}
