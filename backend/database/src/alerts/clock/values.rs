//! What the clock compares: prices of coins, differences between markets, sums of minutes, silence, and holes.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use domain::{
    Interval,
    alert::{Bar, Condition, Extremes, Firing, Found, Frequency, Rule, Seen, Sequence, State, Unit, Watched, on_close},
    rounding::significant,
    usd::UsdPrices,
};
use rust_decimal::Decimal;

use super::{Outcome, Ticking, Windows};
use crate::{
    Context as _, Result,
    alerts::rules::{About, Evaluate},
    snapshot::{Markets, PairAtMinute, consolidated_price, list_pairs_at},
};

/// Prices that are older are not compared with others.
const FRESH: TimeDelta = TimeDelta::seconds(60);

/// Prices of coins over all markets.
pub(super) async fn coins(
    client: &impl GenericClient,
    rules: &[Ticking],
    now: DateTime<Utc>,
    windows: &mut Windows,
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
        let (moves, levels): (Vec<&Ticking>, Vec<&Ticking>) =
            rules.into_iter().partition(|ticking| matches!(ticking.rule.condition, Condition::Moves { .. }));
        look_at_moves(client, coin, &moves, Seen { time: now, trade_id: None, price }, windows, outcome).await?;
        for ticking in levels {
            let bar = Bar { end: now, close: price, volume: Decimal::ZERO };
            let (state, firing) = on_close(&ticking.rule, ticking.rule.state, before, &bar);
            outcome.fired(ticking, firing);
            outcome.stands(ticking, state);
        }
    }
    Ok(())
}

/// How far a coin has moved, as that of a pair is looked at.
async fn look_at_moves(
    client: &impl GenericClient,
    coin: i32,
    rules: &[&Ticking],
    seen: Seen,
    windows: &mut Windows,
    outcome: &mut Outcome,
) -> Result<()> {
    if rules.is_empty() {
        // What it costs from now on is not in it.
        windows.remove(&coin);
        return Ok(());
    }
    let mut watched = Watched::default();
    for ticking in rules {
        watched.set(ticking.rule.clone());
    }
    let longest = watched.longest_window();
    if windows.get(&coin).is_none_or(|window| window.longest() < longest) {
        windows.insert(coin, coin_minutes(client, coin, longest, seen.time).await?);
    }
    let Some(window) = windows.get_mut(&coin) else { return Ok(()) };
    watched.set_extremes(window.clone());
    let mut found = Found::default();
    watched.evaluate(&Sequence { before: None, prices: &[(seen, false)], behind: None, gaps: &[] }, &mut found);
    window.add(seen.time, seen.price);
    window.confirm();
    for ticking in rules {
        let firing = found.firings.iter().find(|firing| firing.rule_id == ticking.rule.id);
        outcome.fired(ticking, firing.cloned());
        if let Some(state) = found.states.get(&ticking.rule.id) {
            outcome.stands(ticking, *state);
        }
    }
    Ok(())
}

/// What a coin cost in the last minutes.
async fn coin_minutes(client: &impl GenericClient, coin: i32, longest: u16, now: DateTime<Utc>) -> Result<Extremes> {
    let doing = "reading what a coin cost";
    let query = "SELECT minute, lowest, highest FROM alert.coin_minute
                 WHERE coin_id = $1 AND minute >= $2 ORDER BY minute";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let from = Interval::OneMinute.open_time(now) - TimeDelta::minutes(longest.into());
    let rows = client.query(&statement, &[&coin, &from]).await.context(doing)?;
    Ok(Extremes::new(longest, rows.iter().map(|row| (row.get(0), row.get(1), row.get(2)))))
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
pub(super) async fn note_coin_price(
    client: &impl GenericClient,
    coin: i32,
    now: DateTime<Utc>,
    price: Decimal,
) -> Result<()> {
    let doing = "noting the price of a coin";
    let query = "INSERT INTO alert.coin_price AS old (coin_id, time, price) VALUES ($1, $2, $3)
                 ON CONFLICT (coin_id) DO UPDATE SET time = excluded.time, price = excluded.price
                 WHERE old.time < excluded.time";
    let statement = client.prepare_cached(query).await.context(doing)?;
    client.execute(&statement, &[&coin, &now, &price]).await.context(doing)?;
    let query = "INSERT INTO alert.coin_minute AS old (coin_id, minute, lowest, highest) VALUES ($1, $2, $3, $3)
                 ON CONFLICT (coin_id, minute) DO UPDATE
                 SET lowest = least(old.lowest, excluded.lowest), highest = greatest(old.highest, excluded.highest)
                 WHERE excluded.lowest < old.lowest OR excluded.highest > old.highest";
    let statement = client.prepare_cached(query).await.context(doing)?;
    client.execute(&statement, &[&coin, &Interval::OneMinute.open_time(now), &price]).await.context(doing)?;
    Ok(())
}

/// Differences between two markets.
pub(super) async fn spreads(
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
            outcome.value(ticking, *change, significant(difference, 12), now);
        }
    }
    Ok(())
}

/// Volume and volatility of the last minutes.
pub(super) async fn windows(
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
pub(super) async fn silences(
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
pub(super) async fn missing(client: &impl GenericClient, rules: &[Ticking], outcome: &mut Outcome) -> Result<()> {
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
            let is_over = ticking.rule.frequency == Frequency::Once;
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
