//! Rules that no single price decides, looked at every second: closes of candles, volume and volatility, differences between markets,
//! prices of coins over all markets, and the state of the data itself.
//!
//! Values are read and compared without locks. What fires is written in one transaction that first locks what it changes, and leaves
//! out the rules that changed meanwhile: so several processes may look at the same time, and each firing is written once.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use domain::{
    Interval,
    alert::{Bar, Condition, Firing, Rule, Seen, State, Unit, bars, on_close, on_value, said},
    usd::UsdPrices,
};
use rust_decimal::Decimal;

use super::{
    firings::{self, Written},
    past,
    rules::{self, About, Evaluate, Ticking},
};
use crate::{
    Client, Context as _, Result,
    snapshot::{Markets, PairAtMinute, consolidated_price, list_pairs_at},
};

/// So many rules are looked at in one go.
const PAGE: i64 = 5_000;

/// How long after its end a candle is looked at, at least: what was traded in it may still be on its way.
const GRACE: TimeDelta = TimeDelta::seconds(3);

/// How long it is waited for prices behind the candle, or for what is missing in it.
const PATIENCE: TimeDelta = TimeDelta::seconds(60);

/// Candles that ended longer ago are not looked at any more.
const LONGEST_PAST: TimeDelta = TimeDelta::days(7);

/// Prices that are older are not compared with others.
const FRESH: TimeDelta = TimeDelta::seconds(60);

/// A candle that is looked at so long after its end is late: longer than one waits for what belongs to it.
const LATE: TimeDelta = TimeDelta::seconds(90);

/// How far candles have been looked at from here.
#[derive(Debug, Default)]
pub struct Clock {
    looked_until: Option<DateTime<Utc>>,
    /// Of those pairs and widths that are farther.
    farther: HashMap<(i32, Interval), DateTime<Utc>>,
    ticks: u64,
}

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
    /// Looks once. `is_settled` says that the feeds have had time to deliver what waited: only then it means something that nothing
    /// comes.
    ///
    /// # Errors
    /// When the database cannot be asked or refuses.
    pub async fn look(&mut self, client: &mut Client, now: DateTime<Utc>, is_settled: bool) -> Result<Written> {
        rules::expire(client).await?;
        let looked_until = match self.looked_until {
            Some(looked_until) => looked_until,
            None => looked_until(&*client).await?.max(now - LONGEST_PAST),
        };
        let mut outcome = Outcome::default();
        let mut after = 0;
        loop {
            let rules = rules::list_by_the_clock(&*client, after, PAGE).await?;
            let Some(last) = rules.last() else { break };
            after = last.rule.id;
            let is_last = rules.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            self.look_at(&*client, &rules, now, looked_until, is_settled, &mut outcome).await?;
            if is_last {
                break;
            }
        }
        self.ticks += 1;
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
        coins(client, rules, now, outcome).await?;
        spreads(client, rules, now, outcome).await?;
        missing(client, rules, outcome).await?;
        // These sum up minutes, and need not be known every second.
        if self.ticks.is_multiple_of(5) {
            windows(client, rules, now, outcome).await?;
        }
        if is_settled {
            silences(client, rules, now, outcome).await?;
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
            note_coin_price(&transaction, *coin, *now, *price).await?;
        }
        transaction.commit().await.context("committing what fired")?;
        Ok(written)
    }
}

/// Prices of coins over all markets.
async fn coins(
    client: &impl GenericClient,
    rules: &[Ticking],
    now: DateTime<Utc>,
    outcome: &mut Outcome,
) -> Result<()> {
    let mut by_coin: BTreeMap<i32, Vec<&Ticking>> = BTreeMap::new();
    for ticking in rules {
        if let (About::Coin(coin), Evaluate::Tick) = (ticking.about, ticking.evaluate) {
            by_coin.entry(coin).or_default().push(ticking);
        }
    }
    if by_coin.is_empty() {
        return Ok(());
    }
    let minute = Interval::OneMinute.open_time(now);
    let pairs = list_pairs_at(client, minute, Markets::Real).await?;
    let usd = UsdPrices::new(pairs.iter().map(PairAtMinute::priced));
    let codes: HashMap<i32, &str> = pairs.iter().map(|pair| (pair.base_id, pair.base.as_str())).collect();
    for (coin, rules) in by_coin {
        let price = codes.get(&coin).and_then(|code| consolidated_price(code, &pairs, &usd, now));
        let Some(price) = price else { continue };
        let before = coin_price(client, coin).await?;
        outcome.coins.insert(coin, (now, price));
        // Across a span in which nobody looked, nothing fires.
        let before = before.filter(|(time, _)| now - *time <= FRESH).map(|(_, price)| price);
        for ticking in rules {
            let bar = Bar { end: now, close: price, volume: Decimal::ZERO };
            let (state, firing) = on_close(&ticking.rule, ticking.rule.state, before, &bar);
            outcome.fired(ticking, firing);
            outcome.stands(ticking, state);
        }
    }
    Ok(())
}

/// The price of a coin as it was looked at last, and when.
async fn coin_price(client: &impl GenericClient, coin: i32) -> Result<Option<(DateTime<Utc>, Decimal)>> {
    let doing = "reading the price of a coin";
    let statement =
        client.prepare_cached("SELECT time, price FROM alert.coin_price WHERE coin_id = $1").await.context(doing)?;
    let row = client.query_opt(&statement, &[&coin]).await.context(doing)?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}

/// Notes the price of a coin.
async fn note_coin_price(client: &impl GenericClient, coin: i32, now: DateTime<Utc>, price: Decimal) -> Result<()> {
    let doing = "noting the price of a coin";
    let query = "INSERT INTO alert.coin_price AS old (coin_id, time, price) VALUES ($1, $2, $3)
                 ON CONFLICT (coin_id) DO UPDATE SET time = excluded.time, price = excluded.price
                 WHERE old.time < excluded.time";
    let statement = client.prepare_cached(query).await.context(doing)?;
    client.execute(&statement, &[&coin, &now, &price]).await.context(doing)?;
    Ok(())
}

/// Differences between two markets.
async fn spreads(
    client: &impl GenericClient,
    rules: &[Ticking],
    now: DateTime<Utc>,
    outcome: &mut Outcome,
) -> Result<()> {
    let doing = "reading the newest prices of markets";
    let mut ids: Vec<i32> = Vec::new();
    for ticking in rules {
        if let About::Pairs(one, other) = ticking.about {
            ids.extend([one, other]);
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    ids.sort_unstable();
    ids.dedup();
    let query = "SELECT DISTINCT ON (wanted.id) wanted.id, newest.price
                 FROM unnest($1::int[]) AS wanted (id)
                 CROSS JOIN LATERAL (
                     SELECT time, price FROM market WHERE market.ticker_id = wanted.id AND time >= $2
                     UNION ALL
                     (SELECT time, price FROM price WHERE price.ticker_id = wanted.id AND time >= $2
                      ORDER BY time DESC, trade_id DESC LIMIT 1)) AS newest
                 ORDER BY wanted.id, newest.time DESC";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let rows = client.query(&statement, &[&ids, &(now - FRESH)]).await.context(doing)?;
    let prices: HashMap<i32, Decimal> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for ticking in rules {
        let (About::Pairs(one, other), Condition::Spread { change, unit }) = (ticking.about, &ticking.rule.condition)
        else {
            continue;
        };
        let (Some(one), Some(other)) = (prices.get(&one), prices.get(&other)) else { continue };
        let (low, high) = (one.min(other), one.max(other));
        if let Some(difference) = Unit::difference(*unit, *low, *high) {
            outcome.value(ticking, *change, difference.round_sf(12).unwrap_or(difference), now);
        }
    }
    Ok(())
}

/// Volume and volatility of the last minutes.
async fn windows(
    client: &impl GenericClient,
    rules: &[Ticking],
    now: DateTime<Utc>,
    outcome: &mut Outcome,
) -> Result<()> {
    let doing = "summing up the last minutes";
    let mut wanted: Vec<(i32, i32)> = Vec::new();
    for ticking in rules {
        if let (About::Pair(pair), Condition::Volume { minutes, .. } | Condition::Volatility { minutes, .. }) =
            (ticking.about, &ticking.rule.condition)
        {
            wanted.push((pair, i32::from(*minutes)));
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    wanted.sort_unstable();
    wanted.dedup();
    let query = "
        SELECT wanted.ticker_id, wanted.minutes, summed.volume,
               CASE WHEN summed.ticks > 1 AND summed.total > 0 THEN
                   sqrt(greatest(summed.squares - summed.total * summed.total / summed.ticks, 0) / (summed.ticks - 1))
                   * 100 * summed.ticks / summed.total END
        FROM unnest($1::int[], $2::int[]) AS wanted (ticker_id, minutes)
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(volume), 0) AS volume, sum(ticks) AS ticks, sum(price_sum) AS total, sum(square_sum) AS squares
            FROM candle WHERE candle.ticker_id = wanted.ticker_id AND width = '1m'
              AND open_time > $3::timestamptz - wanted.minutes * interval '1 minute' AND open_time <= $3) AS summed";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let (pairs, minutes): (Vec<i32>, Vec<i32>) = wanted.into_iter().unzip();
    let rows = client.query(&statement, &[&pairs, &minutes, &now]).await.context(doing)?;
    let mut sums: HashMap<(i32, i32), (Decimal, Option<Decimal>)> = HashMap::new();
    for row in &rows {
        // PostgreSQL's roots have more digits than fit.
        let deviation: Option<Decimal> = row.try_get(3).ok().flatten();
        sums.insert((row.get(0), row.get(1)), (row.get(2), deviation));
    }
    for ticking in rules {
        let About::Pair(pair) = ticking.about else { continue };
        let sum = |minutes: u16| sums.get(&(pair, i32::from(minutes)));
        match &ticking.rule.condition {
            Condition::Volume { threshold, minutes } => {
                if let Some((volume, _)) = sum(*minutes) {
                    outcome.value(ticking, *threshold, volume.normalize(), now);
                }
            }
            Condition::Volatility { threshold, minutes } => {
                if let Some((_, Some(deviation))) = sum(*minutes) {
                    outcome.value(ticking, *threshold, deviation.round_dp(6).normalize(), now);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Pairs and exchanges of which nothing comes.
async fn silences(
    client: &impl GenericClient,
    rules: &[Ticking],
    now: DateTime<Utc>,
    outcome: &mut Outcome,
) -> Result<()> {
    let doing = "looking when something last came";
    let (mut pairs, mut exchanges) = (Vec::new(), Vec::new());
    for ticking in rules {
        match (ticking.about, &ticking.rule.condition) {
            (About::Pair(pair), Condition::Stale { .. }) => pairs.push(pair),
            (About::Exchange(exchange), _) => exchanges.push(exchange),
            _ => {}
        }
    }
    // What was not heard for longer than any rule waits need not be found.
    let longest = rules.iter().map(|ticking| match ticking.rule.condition {
        Condition::Stale { seconds } | Condition::ExchangeDown { seconds } => seconds,
        _ => 0,
    });
    let oldest = now - TimeDelta::seconds(i64::from(longest.max().unwrap_or_default())) - TimeDelta::hours(1);
    let mut last: HashMap<(bool, i32), DateTime<Utc>> = HashMap::new();
    if !pairs.is_empty() {
        let query = "SELECT ticker.id, greatest(market.received_at, newest.received_at, $2)
                     FROM ticker LEFT JOIN market ON market.ticker_id = ticker.id
                     LEFT JOIN LATERAL (SELECT received_at FROM price WHERE price.ticker_id = ticker.id AND time > $2
                                        ORDER BY time DESC, trade_id DESC LIMIT 1) AS newest ON true
                     WHERE ticker.id = ANY($1) AND (market.ticker_id IS NOT NULL OR ticker.first_tick_at IS NOT NULL)";
        let statement = client.prepare_cached(query).await.context(doing)?;
        let rows = client.query(&statement, &[&pairs, &oldest]).await.context(doing)?;
        last.extend(rows.iter().map(|row| ((true, row.get(0)), row.get(1))));
    }
    if !exchanges.is_empty() {
        let query = "SELECT ticker.exchange_id, greatest(max(market.received_at), max(newest.received_at), $2)
                     FROM ticker LEFT JOIN market ON market.ticker_id = ticker.id
                     LEFT JOIN LATERAL (SELECT received_at FROM price WHERE price.ticker_id = ticker.id AND time > $2
                                        AND ticker.first_tick_at IS NOT NULL
                                        ORDER BY time DESC, trade_id DESC LIMIT 1) AS newest ON true
                     WHERE ticker.exchange_id = ANY($1)
                       AND (market.ticker_id IS NOT NULL OR ticker.first_tick_at IS NOT NULL)
                     GROUP BY ticker.exchange_id";
        let statement = client.prepare_cached(query).await.context(doing)?;
        let rows = client.query(&statement, &[&exchanges, &oldest]).await.context(doing)?;
        last.extend(rows.iter().map(|row| ((false, i32::from(row.get::<_, i16>(0))), row.get(1))));
    }
    for ticking in rules {
        let (key, seconds) = match (ticking.about, &ticking.rule.condition) {
            (About::Pair(pair), Condition::Stale { seconds }) => ((true, pair), *seconds),
            (About::Exchange(exchange), Condition::ExchangeDown { seconds }) => {
                ((false, i32::from(exchange)), *seconds)
            }
            _ => continue,
        };
        // Of what never was heard, silence is no news.
        if let Some(last) = last.get(&key) {
            let silent = Decimal::from((now - *last).num_seconds().max(0));
            outcome.value(ticking, seconds.into(), silent, now);
        }
    }
    Ok(())
}

/// Trades that are missing, each hole once.
async fn missing(client: &impl GenericClient, rules: &[Ticking], outcome: &mut Outcome) -> Result<()> {
    let doing = "looking for new gaps";
    let waiting: Vec<&Ticking> = rules.iter().filter(|ticking| ticking.rule.condition == Condition::Gap).collect();
    let mut since_when: BTreeMap<i32, DateTime<Utc>> = BTreeMap::new();
    for ticking in &waiting {
        if let Some(pair) = ticking.pair() {
            let since = since(&ticking.rule);
            since_when.entry(pair).and_modify(|oldest| *oldest = since.min(*oldest)).or_insert(since);
        }
    }
    if since_when.is_empty() {
        return Ok(());
    }
    let query = "SELECT wanted.ticker_id, hole.found_at, hole.first_trade_id, hole.missing
                 FROM unnest($1::int[], $2::timestamptz[]) AS wanted (ticker_id, since)
                 CROSS JOIN LATERAL (
                     SELECT found_at, first_trade_id, missing FROM gap
                     WHERE gap.ticker_id = wanted.ticker_id AND found_at > wanted.since
                       AND state IN ('open', 'filling', 'unfillable')
                     ORDER BY found_at DESC, first_trade_id LIMIT 100) AS hole
                 ORDER BY hole.found_at, hole.first_trade_id";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let (pairs, since_when): (Vec<i32>, Vec<DateTime<Utc>>) = since_when.into_iter().unzip();
    let rows = client.query(&statement, &[&pairs, &since_when]).await.context(doing)?;
    for ticking in waiting {
        let mut state = ticking.rule.state;
        for row in rows.iter().filter(|row| Some(row.get(0)) == ticking.pair()) {
            let found_at: DateTime<Utc> = row.get(1);
            let is_new =
                found_at > since(&ticking.rule) && ticking.rule.frequency.allows(state.last_fired_at, found_at);
            if state.is_over || !is_new {
                continue;
            }
            let missing = Decimal::from(row.get::<_, i64>(3));
            let at = Seen { time: found_at, trade_id: row.get(2), price: missing };
            let firing = Firing { rule_id: ticking.rule.id, at, reference: Decimal::ZERO, is_late: false };
            outcome.fired(ticking, Some(firing));
            let is_over = ticking.rule.frequency == domain::alert::Frequency::Once;
            state = State { last_fired_at: Some(found_at), fired: state.fired + 1, is_over, ..state };
        }
        outcome.stands(ticking, state);
    }
    Ok(())
}

/// From when on gaps are news to a rule.
fn since(rule: &Rule) -> DateTime<Utc> {
    rule.state.last_fired_at.map_or(rule.since, |last| last.max(rule.since))
}
