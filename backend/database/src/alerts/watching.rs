//! Looking at prices in the transaction that stores them.
//!
//! Who looks holds the row of the pair in `alert.watch` until the commit, so that the prices of a pair are looked at batch after
//! batch, each from where the last one ended. Rules are kept in memory; the version in that row says which of them changed since,
//! so that a rule counts from the first transaction on that begins after it was made, and a batch costs one query.

mod stored;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;
use domain::{
    Interval, TickSource,
    alert::{Extremes, Firing, Found, Gap, Seen, Sequence, State, Subject, Watched, said},
};

use self::stored::{around, before, gaps, lock, lock_and_advance, subjects};
use super::{
    Turn,
    firings::{self, Written},
    rules,
};
use crate::{Context as _, Result, ingest::NewPrice};

/// What is looked at so long after it happened is late.
const LATE: TimeDelta = TimeDelta::seconds(60);

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
