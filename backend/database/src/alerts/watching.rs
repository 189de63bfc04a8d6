//! Looking at prices in the transaction that stores them.
//!
//! Who looks holds the row of the pair in `alert.watch` until the commit, so that the prices of a pair are looked at batch after
//! batch, each from where the last one ended. Rules are kept in memory; the version in that row says which of them changed since,
//! so that a rule counts from the first transaction on that begins after it was made, and a batch costs one query.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;
use domain::{
    Interval, TickSource,
    alert::{Extremes, Firing, Found, Gap, Seen, Sequence, State, Subject, Watched, said},
};
use tokio_postgres::Row;

use super::{
    Turn,
    firings::{self, Written},
    past, rules,
};
use crate::{Context as _, Result, ingest::NewPrice};

/// What is looked at so long after it happened is late.
const LATE: TimeDelta = TimeDelta::seconds(60);

/// So many stored prices around late ones are looked at; where there are more, the late ones alone.
const MOST_AROUND: i64 = 20_000;

/// The state of a market serves where no trade of the pair was seen for so long.
const NOT_TRADED: TimeDelta = TimeDelta::minutes(10);

/// The rules of all pairs that were met, as they were last read.
#[derive(Debug, Default)]
pub struct Watchers {
    pairs: HashMap<i32, Pair>,
}

#[derive(Debug)]
struct Pair {
    subject: Subject,
    version: i64,
    /// The newest price that was looked at from here, where nothing was missed: then the last minutes are known.
    newest: Option<Seen>,
    watched: Watched,
    unconfirmed: Option<Unconfirmed>,
}

/// What is true as soon as the transaction is committed.
#[derive(Debug)]
struct Unconfirmed {
    newest: Option<Seen>,
    version: i64,
    /// How rules stand that changed.
    states: HashMap<i64, State>,
}

/// The row of a pair in `alert.watch`.
#[derive(Debug, Clone, Copy)]
struct Watch {
    ticker_id: i32,
    version: i64,
    newest: Option<Seen>,
    traded_at: Option<DateTime<Utc>>,
}

/// A run of late prices, and of each whether it is late; with the price before it.
type Run = (Option<Seen>, Vec<(Seen, bool)>);

/// Prices of one pair, ordered.
struct Prices {
    watch: Watch,
    /// Those that come after everything that was looked at, and whether they are late.
    in_order: Vec<(Seen, bool)>,
    /// Trades that come before something that was. A price that was asked for tells nothing then.
    behind: Vec<(Seen, bool)>,
}

impl Watchers {
    /// Looks at new prices, which were inserted in this transaction but not yet folded into candles. What rules fire for is written
    /// in it; it must be committed before anything else is looked at from here, and [`confirm`](Self::confirm)ed then.
    ///
    /// # Errors
    /// When the database cannot be asked or refuses.
    pub(crate) async fn look(
        &mut self,
        transaction: &Transaction<'_>,
        prices: &[&NewPrice<'_>],
        turn: &Turn,
    ) -> Result<Written> {
        self.rewind();
        let of_pairs = || prices.chunk_by(|one, next| one.ticker_id == next.ticker_id);
        let mut newest: BTreeMap<i32, (Seen, bool)> = BTreeMap::new();
        for of_pair in of_pairs() {
            let last = seen_of(of_pair[of_pair.len() - 1]);
            let has_trades = of_pair.iter().any(|price| is_trade(price));
            let (newest, had_trades) = newest.entry(of_pair[0].ticker_id).or_insert((last, false));
            *newest = if last.key() > newest.key() { last } else { *newest };
            *had_trades |= has_trades;
        }
        let watches = lock_and_advance(transaction, &newest).await?;
        turn.was_watched(!watches.is_empty());
        let mut by_pair: BTreeMap<i32, Prices> =
            watches.into_iter().map(|watch| (watch.ticker_id, Prices::of(watch))).collect();
        let now = Utc::now();
        for of_pair in of_pairs() {
            if let Some(prices) = by_pair.get_mut(&of_pair[0].ticker_id) {
                of_pair.iter().for_each(|price| prices.add(price, now));
            }
        }
        let by_pair: Vec<Prices> = by_pair.into_values().collect();
        self.look_at(transaction, &by_pair).await
    }

    fn rewind(&mut self) {
        for pair in self.pairs.values_mut() {
            pair.watched.rewind();
            if pair.unconfirmed.take().is_some() {
                // Whether it was committed is not known.
                pair.newest = None;
            }
        }
    }

    /// Looks at the last prices of a market, each the newest of its pair; those of pairs whose trades are recorded tell nothing new.
    ///
    /// # Errors
    /// When the database cannot be asked or refuses.
    pub(crate) async fn look_at_market(
        &mut self,
        transaction: &Transaction<'_>,
        ticker_ids: &[i32],
        prices: &[&NewPrice<'_>],
    ) -> Result<Written> {
        self.rewind();
        let mut watches: HashMap<i32, Watch> =
            lock(transaction, ticker_ids).await?.into_iter().map(|watch| (watch.ticker_id, watch)).collect();
        let now = Utc::now();
        let mut by_pair = Vec::new();
        for price in prices {
            let Some(watch) = watches.remove(&price.ticker_id) else { continue };
            let time = price.tick.time();
            let is_traded = watch.traded_at.is_some_and(|traded_at| time - traded_at < NOT_TRADED);
            if is_traded || watch.newest.is_some_and(|newest| newest.time >= time) {
                continue;
            }
            let mut of_pair = Prices::of(watch);
            of_pair.add(price, now);
            by_pair.push(of_pair);
        }
        by_pair.sort_unstable_by_key(|of_pair| of_pair.watch.ticker_id);
        let written = self.look_at(transaction, &by_pair).await?;
        let newest = by_pair.iter().filter_map(|of| Some((of.watch.ticker_id, (of.newest()?, false)))).collect();
        lock_and_advance(transaction, &newest).await?;
        Ok(written)
    }

    async fn look_at(&mut self, transaction: &Transaction<'_>, by_pair: &[Prices]) -> Result<Written> {
        if by_pair.is_empty() {
            return Ok(Written::default());
        }
        self.read_changes(transaction, by_pair).await?;
        let (mut firings, mut states, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        for of_pair in by_pair {
            let Some(pair) = self.pairs.get_mut(&of_pair.watch.ticker_id) else { continue };
            let found = pair.find(transaction, of_pair).await?;
            for firing in found.firings {
                if let Some(rule) = pair.watched.rule(firing.rule_id) {
                    let said = said(&pair.subject, &rule.condition, firing.at.price, firing.reference);
                    firings.push((firing, said));
                }
            }
            for (id, state) in &found.states {
                if let Some(rule) = pair.watched.rule(*id) {
                    states.push((*id, *state, state.fired - rule.state.fired));
                }
            }
            let mut version = pair.version;
            if !found.states.is_empty() {
                version += 1;
                versions.push((of_pair.watch.ticker_id, version));
            }
            let newest = of_pair.newest().filter(|_| !of_pair.in_order.is_empty());
            pair.unconfirmed = Some(Unconfirmed { newest, version, states: found.states });
        }
        let written = firings::write(transaction, &firings, &states, &versions).await?;
        if written.lost > 0 {
            // What stands here is not what stands there.
            for (ticker_id, _) in versions {
                self.pairs.remove(&ticker_id);
            }
        }
        Ok(written)
    }

    /// What was looked at last is committed.
    pub fn confirm(&mut self) {
        for pair in self.pairs.values_mut() {
            pair.watched.confirm();
            if let Some(Unconfirmed { newest, version, states }) = pair.unconfirmed.take() {
                (pair.newest, pair.version) = (newest, version);
                for (id, state) in states {
                    pair.watched.set_state(id, state);
                }
            }
        }
    }

    /// Reads those rules that changed since they were last read.
    async fn read_changes(&mut self, transaction: &Transaction<'_>, by_pair: &[Prices]) -> Result<()> {
        let (mut changed, mut since) = (Vec::new(), Vec::new());
        for Prices { watch, .. } in by_pair {
            let known = self.pairs.get(&watch.ticker_id).map_or(-1, |pair| pair.version);
            if known != watch.version {
                changed.push(watch.ticker_id);
                // A version that went back belongs to a database that was restored.
                since.push(if known > watch.version { -1 } else { known });
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        if since.iter().any(|since| *since < 0) {
            let subjects = subjects(transaction, &changed).await?;
            let new = changed.iter().zip(subjects.into_iter().zip(&since)).filter(|(_, (_, since))| **since < 0);
            for (ticker_id, (subject, _)) in new {
                let pair = Pair { subject, version: -1, newest: None, watched: Watched::default(), unconfirmed: None };
                self.pairs.insert(*ticker_id, pair);
            }
        }
        for (rule, ticker_id) in rules::list_changed(transaction, &changed, &since).await? {
            let Some(pair) = self.pairs.get_mut(&ticker_id) else { continue };
            match rule {
                rules::Changed::AtWork(rule) => pair.watched.set(*rule),
                rules::Changed::Over(id) => pair.watched.remove(id),
            }
        }
        for Prices { watch, .. } in by_pair {
            if let Some(pair) = self.pairs.get_mut(&watch.ticker_id) {
                pair.version = watch.version;
            }
        }
        Ok(())
    }
}

impl Pair {
    /// What prices mean to the rules.
    async fn find(&mut self, transaction: &Transaction<'_>, prices: &Prices) -> Result<Found> {
        if self.watched.is_empty() {
            return Ok(Found::default());
        }
        self.know_window(transaction, prices).await?;
        let around = around(transaction, prices).await?;
        let before = before(transaction, prices).await?;
        let found = self.evaluate(prices, before, &around, &[], HashMap::new());
        let times = self.times(transaction, prices, &found).await?;
        let gaps = match found.is_doubtful || !times.is_empty() {
            true => gaps(transaction, prices, &around).await?,
            false => Vec::new(),
        };
        if gaps.is_empty() && times.is_empty() {
            return Ok(found);
        }
        self.watched.rewind();
        Ok(self.evaluate(prices, before, &around, &gaps, times))
    }

    /// When that happened which rules fired for that late prices fired: these may lie within the rest before or behind another firing.
    async fn times(
        &self,
        transaction: &Transaction<'_>,
        prices: &Prices,
        found: &Found,
    ) -> Result<HashMap<i64, Vec<DateTime<Utc>>>> {
        let is_late = |firing: &&Firing| firing.is_late || prices.is_behind(&firing.at);
        let late = || found.firings.iter().filter(is_late);
        let rest = |firing: &Firing| Some((firing.rule_id, self.watched.rule(firing.rule_id)?.frequency.rest()?));
        let rules: BTreeMap<i64, TimeDelta> = late().filter_map(rest).collect();
        // Another late price may fire it, where this one may not.
        let times = || prices.behind.iter().chain(&prices.in_order).map(|(seen, _)| seen.time);
        let (Some(first), Some(last), false) = (times().min(), times().max(), rules.is_empty()) else {
            return Ok(HashMap::new());
        };
        firings::list_times(transaction, &rules.into_iter().collect::<Vec<_>>(), (first, last)).await
    }

    fn evaluate(
        &mut self,
        prices: &Prices,
        before: Option<Seen>,
        around: &[Run],
        gaps: &[Gap],
        times: HashMap<i64, Vec<DateTime<Utc>>>,
    ) -> Found {
        let mut found = Found { times, ..Found::default() };
        let newest = prices.watch.newest.map(|seen| seen.price);
        for (before, prices) in around {
            let sequence = Sequence { before: *before, prices, behind: newest, gaps };
            self.watched.evaluate(&sequence, &mut found);
        }
        let sequence = Sequence { before, prices: &prices.in_order, behind: None, gaps };
        self.watched.evaluate(&sequence, &mut found);
        found
    }

    /// Reads the last minutes, where rules look back and they are not known, or others looked at prices in between.
    async fn know_window(&mut self, transaction: &Transaction<'_>, prices: &Prices) -> Result<()> {
        let longest = self.watched.longest_window();
        if longest == 0 || (self.watched.knows_its_window() && self.newest == prices.watch.newest) {
            return Ok(());
        }
        let doing = "reading the last minutes of a pair";
        let Some((first, _)) = prices.in_order.first() else { return Ok(()) };
        let oldest = Interval::OneMinute.open_time(first.time) - TimeDelta::minutes(i64::from(longest));
        let query = "SELECT open_time, low, high FROM candle
                     WHERE ticker_id = $1 AND width = '1m' AND open_time >= $2 AND open_time <= $3 ORDER BY open_time";
        let statement = transaction.prepare_cached(query).await.context(doing)?;
        let rows =
            transaction.query(&statement, &[&prices.watch.ticker_id, &oldest, &first.time]).await.context(doing)?;
        let minutes = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2)));
        self.watched.set_extremes(Extremes::new(longest, minutes));
        Ok(())
    }
}

impl Prices {
    fn of(watch: Watch) -> Self {
        Self { watch, in_order: Vec::new(), behind: Vec::new() }
    }

    fn add(&mut self, price: &NewPrice<'_>, now: DateTime<Utc>) {
        let seen = seen_of(price);
        let is_late = price.source == TickSource::Backfill || now - seen.time > LATE;
        if !self.is_behind(&seen) {
            self.in_order.push((seen, is_late));
        } else if seen.trade_id.is_some() {
            self.behind.push((seen, is_late));
        }
    }

    fn is_behind(&self, seen: &Seen) -> bool {
        self.watch.newest.is_some_and(|newest| seen.key() <= newest.key())
    }

    fn newest(&self) -> Option<Seen> {
        self.in_order.last().map(|(seen, _)| *seen).or(self.watch.newest)
    }
}

fn seen_of(price: &NewPrice<'_>) -> Seen {
    Seen { time: price.tick.time(), trade_id: price.tick.trade_id, price: price.tick.price }
}

fn is_trade(price: &NewPrice<'_>) -> bool {
    price.tick.trade_id.is_some() || price.tick.quantity.is_some()
}

fn seen(row: &Row, first: usize) -> Option<Seen> {
    let (time, price) = (row.get::<_, Option<DateTime<Utc>>>(first)?, row.get::<_, Option<_>>(first + 2)?);
    Some(Seen { time, trade_id: row.get(first + 1), price })
}

fn watch(row: &Row) -> Watch {
    Watch { ticker_id: row.get(0), version: row.get(1), traded_at: row.get(2), newest: seen(row, 3) }
}

/// Locks the rows of pairs that rules watch, in the order of their keys.
async fn lock(transaction: &Transaction<'_>, ticker_ids: &[i32]) -> Result<Vec<Watch>> {
    let doing = "locking watched pairs";
    let query = "SELECT ticker_id, version, traded_at, time, trade_id, price FROM alert.watch
                 WHERE ticker_id = ANY($1) ORDER BY ticker_id FOR UPDATE";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let rows = transaction.query(&statement, &[&ticker_ids]).await.context(doing)?;
    Ok(rows.iter().map(watch).collect())
}

/// The same, in one go with noting that prices are looked at up to these, of which it is told whether there were trades among
/// them. Returns the rows as they were.
async fn lock_and_advance(transaction: &Transaction<'_>, newest: &BTreeMap<i32, (Seen, bool)>) -> Result<Vec<Watch>> {
    let doing = "noting how far prices are looked at";
    let query = "
        WITH held AS MATERIALIZED (
            SELECT ticker_id, version, traded_at, time, trade_id, price FROM alert.watch
            WHERE ticker_id = ANY($1) ORDER BY ticker_id FOR UPDATE
        ), advanced AS (
            UPDATE alert.watch
            SET time = now.time, trade_id = now.trade_id, price = now.price,
                traded_at = CASE WHEN now.is_trade THEN now.time ELSE held.traded_at END
            FROM unnest($1::int[], $2::timestamptz[], $3::bigint[], $4::numeric[], $5::boolean[])
                AS now (ticker_id, time, trade_id, price, is_trade)
            JOIN held ON held.ticker_id = now.ticker_id
            WHERE watch.ticker_id = now.ticker_id
              AND (held.time IS NULL OR (now.time, coalesce(now.trade_id, -1)) > (held.time, coalesce(held.trade_id, -1)))
        )
        SELECT * FROM held";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let rows = transaction
        .query(
            &statement,
            &[
                &newest.keys().copied().collect::<Vec<_>>(),
                &newest.values().map(|(seen, _)| seen.time).collect::<Vec<_>>(),
                &newest.values().map(|(seen, _)| seen.trade_id).collect::<Vec<_>>(),
                &newest.values().map(|(seen, _)| seen.price).collect::<Vec<_>>(),
                &newest.values().map(|(_, is_trade)| *is_trade).collect::<Vec<_>>(),
            ],
        )
        .await
        .context(doing)?;
    Ok(rows.iter().map(watch).collect())
}

/// What pairs are called, in the order of these keys.
async fn subjects(transaction: &Transaction<'_>, ticker_ids: &[i32]) -> Result<Vec<Subject>> {
    let doing = "looking up watched pairs";
    let query = "SELECT exchange.name, ticker.ticker
                 FROM unnest($1::int[]) WITH ORDINALITY AS wanted (id, place)
                 JOIN ticker ON ticker.id = wanted.id JOIN exchange ON exchange.id = ticker.exchange_id ORDER BY place";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let rows = transaction.query(&statement, &[&ticker_ids]).await.context(doing)?;
    Ok(rows.iter().map(|row| Subject::Pair { exchange: row.get(0), ticker: row.get(1) }).collect())
}

/// The price before the first that comes in order: the newest that was looked at; but where that was asked for while trades did not come,
/// and the trade before the first one has been fetched since, that trade.
async fn before(transaction: &Transaction<'_>, prices: &Prices) -> Result<Option<Seen>> {
    let doing = "looking for the trade before a trade";
    let newest = prices.watch.newest;
    let (Some(asked), Some((first, _))) = (newest.filter(|newest| newest.trade_id.is_none()), prices.in_order.first())
    else {
        return Ok(newest);
    };
    let query = "SELECT time, trade_id, price FROM price
                 WHERE ticker_id = $1 AND trade_id < $3 AND time <= $2 AND time > $2 - interval '1 day'
                 ORDER BY time DESC, trade_id DESC LIMIT 1";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
        [&prices.watch.ticker_id, &first.time, &first.trade_id];
    let row = transaction.query_opt(&statement, &parameters).await.context(doing)?;
    let trade = row.and_then(|row| seen(&row, 0)).filter(|trade| trade.is_followed_by(first));
    Ok(Some(trade.unwrap_or(asked)))
}

/// Late trades among those that were stored before: each run of them, with the trade before it and the trade behind it. What lies
/// between two runs was looked at already. Prices that were asked for while trades did not come are left out: beside the trades they
/// tell nothing, and stand between two of which the numbers say that they follow each other.
async fn around(transaction: &Transaction<'_>, prices: &Prices) -> Result<Vec<Run>> {
    let doing = "reading prices around late ones";
    let (Some((first, _)), Some((last, _))) = (prices.behind.first(), prices.behind.last()) else {
        return Ok(Vec::new());
    };
    let query = "
        (SELECT time, trade_id, price FROM price
         WHERE ticker_id = $1 AND trade_id IS NOT NULL AND time <= $2 AND time > $2 - interval '7 days'
           AND (time < $2 OR trade_id < $3) ORDER BY time DESC, trade_id DESC LIMIT 1)
        UNION ALL
        (SELECT time, trade_id, price FROM price
         WHERE ticker_id = $1 AND trade_id IS NOT NULL AND time >= $2 AND time <= $4
           AND (time > $2 OR trade_id >= $3) AND (time < $4 OR trade_id <= $5) ORDER BY time, trade_id LIMIT $6)
        UNION ALL
        (SELECT time, trade_id, price FROM price
         WHERE ticker_id = $1 AND trade_id IS NOT NULL AND time >= $4 AND time < $4 + interval '7 days'
           AND (time > $4 OR trade_id > $5) ORDER BY time, trade_id LIMIT 1)";
    let statement = transaction.prepare_cached(query).await.context(doing)?;
    let rows = transaction
        .query(
            &statement,
            &[&prices.watch.ticker_id, &first.time, &first.trade_id, &last.time, &last.trade_id, &MOST_AROUND],
        )
        .await
        .context(doing)?;
    let mut stored: Vec<Seen> = rows.iter().filter_map(|row| seen(row, 0)).collect();
    stored.sort_unstable_by_key(Seen::key);
    let new: HashMap<_, bool> = prices.behind.iter().map(|(seen, is_late)| (seen.key(), *is_late)).collect();
    if stored.len() >= usize::try_from(MOST_AROUND).unwrap_or(usize::MAX) {
        // Too many lie between: only those are compared of which the numbers say that they follow each other.
        let follow = |(one, _): &(Seen, bool), (next, _): &(Seen, bool)| one.is_followed_by(next);
        return Ok(prices.behind.chunk_by(follow).map(|run| (None, run.to_vec())).collect());
    }
    let mut runs: Vec<Run> = Vec::new();
    // The price before, and whether it is a new one, and late.
    let mut before: Option<(Seen, Option<bool>)> = None;
    for seen in stored {
        let is_late = new.get(&seen.key()).copied();
        let follows = before.and_then(|(_, is_late)| is_late);
        if is_late.is_some() && follows.is_none() {
            runs.push((before.map(|(seen, _)| seen), Vec::new()));
        }
        if let (Some(is_late), Some((_, run))) = (is_late.or(follows), runs.last_mut()) {
            run.push((seen, is_late));
        }
        before = Some((seen, is_late));
    }
    Ok(runs)
}

/// Where trades are missing between the prices that are looked at.
async fn gaps(transaction: &Transaction<'_>, prices: &Prices, around: &[Run]) -> Result<Vec<Gap>> {
    let mut times: Vec<DateTime<Utc>> = Vec::new();
    times.extend(prices.watch.newest.iter().map(|seen| seen.time));
    times.extend(prices.in_order.iter().map(|(seen, _)| seen.time));
    for (before, run) in around {
        times.extend(before.iter().map(|seen| seen.time));
        times.extend(run.iter().map(|(seen, _)| seen.time));
    }
    let (Some(from), Some(to)) = (times.iter().min(), times.iter().max()) else { return Ok(Vec::new()) };
    past::list_gaps(transaction, prices.watch.ticker_id, *from, *to).await
}
