//! Trades by REST: those of the last minute, hour or day, with times to the second.
//!
//! A trade that the stream has brought too gets the time that the stream told. Of others the second in which the span begins is
//! uncertain: they may lie before it or in it. Where all trades of that second that were recorded are remembered, the others must be
//! missing ones; where the second is older than we are, they are left out, since a trade must not count twice.

use std::collections::HashMap;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use domain::Tick;
use futures_util::{FutureExt as _, future::BoxFuture};
use smol_str::SmolStr;

use super::{Bitstamp, messages::Transaction, parse};
use crate::{
    exchange::{Recent, Span, UnreadableFrame},
    rest::RestError,
};

/// What can be asked for, shortest first, and how many seconds that is.
const WINDOWS: [(&str, i64); 3] = [("minute", 60), ("hour", 3_600), ("day", 86_400)];
/// What happened so long ago is told by now.
const SETTLED: TimeDelta = TimeDelta::minutes(10);
/// By how much less than they say they are trusted: the clocks differ, and the question took time.
const MARGIN: TimeDelta = TimeDelta::seconds(10);

/// The shortest window that reaches back to a moment, or the longest, and since when its answer is complete.
fn window(from: DateTime<Utc>, now: DateTime<Utc>) -> (&'static str, DateTime<Utc>) {
    let begins = |seconds: i64| now - TimeDelta::seconds(seconds) + MARGIN;
    let [.., longest] = WINDOWS;
    let (name, seconds) = WINDOWS.into_iter().find(|(_, seconds)| begins(*seconds) <= from).unwrap_or(longest);
    (name, begins(seconds))
}

/// From when to when, both included.
type Moments = (DateTime<Utc>, DateTime<Utc>);

/// The trades of an answer that lie in a span.
struct Reading<'a> {
    ticker: &'a SmolStr,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// The times that the stream told.
    times: HashMap<i64, DateTime<Utc>>,
    /// Since when they are remembered.
    since: DateTime<Utc>,
    received_at: DateTime<Utc>,
}

impl Reading<'_> {
    /// One trade; `None` for one that is not of the span.
    fn tick(&self, told: &Transaction) -> Result<Option<Tick>, UnreadableFrame> {
        let id = told.tid.0;
        let second = DateTime::from_timestamp(told.date.0, 0)
            .ok_or_else(|| UnreadableFrame::new(format!("date {} is no time", told.date.0)))?;
        let time = match self.times.get(&id) {
            Some(time) => *time,
            None if second == self.from.trunc_subsecs(0) && second < self.from => {
                if self.from < self.since {
                    return Ok(None);
                }
                self.from
            }
            // It may have been recorded under the time that the stream told.
            None if self.to < self.since && second == self.to.trunc_subsecs(0) => return Ok(None),
            None => second,
        };
        let is_inside = (self.from..=self.to).contains(&time);
        let side = parse::side(told.kind.0)?;
        Ok(is_inside.then(|| Tick {
            ticker: self.ticker.clone(),
            trade_id: Some(id),
            price: told.price.0,
            quantity: Some(told.amount.0),
            taker_side: Some(side),
            exchange_time: Some(time),
            received_at: self.received_at,
        }))
    }

    /// Of which part of the span the answer is complete, and whether what is left cannot be had. `newest` is the second of its newest
    /// trade.
    fn covered(&self, complete_since: DateTime<Utc>, newest: Option<i64>, is_longest: bool) -> (Option<Moments>, bool) {
        // Seconds of which it is not remembered which trades came already cannot be completed.
        let begins_unknown = self.from < self.since && self.from.trunc_subsecs(0) < self.from;
        let first = if begins_unknown { self.from.trunc_subsecs(0) + TimeDelta::seconds(1) } else { self.from };
        let ends_unknown = self.to < self.since;
        let end = if ends_unknown { self.to.trunc_subsecs(0) - TimeDelta::microseconds(1) } else { self.to };
        // Something happened at the end of a span: an answer that does not reach it is behind, unless that was long ago.
        let reached = newest.and_then(|newest| DateTime::from_timestamp(newest, 0));
        let is_reached = reached >= Some(self.to.trunc_subsecs(0)) || self.received_at - self.to >= SETTLED;
        let last = if is_reached { Some(end) } else { reached.map(|reached| reached.min(end)) };
        let covers = last.map(|last| (complete_since.max(first), last)).filter(|(first, last)| first <= last);
        (covers, is_reached && (begins_unknown || ends_unknown || is_longest && complete_since > self.from))
    }

    fn ticks(&self, told: &[Transaction]) -> Result<Vec<Tick>, UnreadableFrame> {
        let mut ticks: Vec<Tick> =
            told.iter().filter_map(|one| self.tick(one).transpose()).collect::<Result<_, _>>()?;
        ticks.sort_by_key(|tick| (tick.exchange_time, tick.trade_id));
        Ok(ticks)
    }
}

impl Recent for Bitstamp {
    fn trades<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Span, RestError>> {
        async move {
            let path = format!("/transactions/{ticker}/");
            let (name, _) = window(from, Utc::now());
            let told: Vec<Transaction> = self.ask_when_spare(&path, &[("time", name)]).await?;
            // It may have waited: what the answer reaches back to counts from when it came.
            let received_at = Utc::now().trunc_subsecs(6);
            let seconds = WINDOWS.into_iter().find(|(window, _)| *window == name).map_or(0, |(_, seconds)| seconds);
            let complete_since = received_at - TimeDelta::seconds(seconds) + MARGIN;
            let since = self.known.since;
            let reading = Reading { ticker, from, to, times: self.known.times(ticker), since, received_at };
            let ticks = reading.ticks(&told).map_err(|error| self.rest.unreadable(error.to_string()))?;
            let is_longest = WINDOWS.last().is_some_and(|(longest, _)| *longest == name);
            let newest = told.iter().map(|one| one.date.0).max();
            let (covers, is_oldest) = reading.covered(complete_since, newest, is_longest);
            Ok(Span { ticks, covers, is_oldest })
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> DateTime<Utc> {
        format!("2026-11-20T{text}Z").parse().unwrap()
    }

    #[test]
    fn the_shortest_window_that_reaches_back_is_asked_for() {
        let now = moment("12:00:00");
        for (ago, name) in
            [(0, "minute"), (50, "minute"), (51, "hour"), (3_590, "hour"), (3_591, "day"), (200_000, "day")]
        {
            assert_eq!(window(now - TimeDelta::seconds(ago), now).0, name, "{ago} s ago");
        }
    }

    fn reading(since: &str, ticker: &SmolStr) -> Vec<Tick> {
        let reading = Reading {
            ticker,
            from: moment("11:59:58.5"),
            to: moment("12:00:00.4"),
            times: HashMap::from([(10, moment("11:59:58.2")), (11, moment("11:59:58.5")), (20, moment("12:00:00.4"))]),
            since: moment(since),
            received_at: moment("12:00:05"),
        };
        let at = |text: &str| moment(text).timestamp();
        let told = [
            (21, at("12:00:01")),
            (20, at("12:00:00")),
            (19, at("12:00:00")),
            (13, at("11:59:59")),
            (12, at("11:59:58")),
            (11, at("11:59:58")),
            (10, at("11:59:58")),
            (9, at("11:59:57")),
        ];
        let told = told.map(|(id, date)| {
            format!(r#"{{"date":"{date}","tid":"{id}","price":"8194.79","type":"1","amount":"1E-8"}}"#)
        });
        let told: Vec<Transaction> = serde_json::from_str(&format!("[{}]", told.join(","))).unwrap();
        reading.ticks(&told).unwrap()
    }

    #[test]
    fn trades_have_the_times_of_the_stream_and_those_that_it_did_not_bring_their_second() {
        let ticker = "btcusd".into();
        let ticks = reading("11:00:00", &ticker);
        let told: Vec<_> = ticks.iter().map(|tick| (tick.trade_id.unwrap(), tick.time())).collect();
        let known = [
            (11, moment("11:59:58.5")),
            (12, moment("11:59:58.5")),
            (13, moment("11:59:59")),
            (19, moment("12:00:00")),
            (20, moment("12:00:00.4")),
        ];
        assert_eq!(told, known);
        assert_eq!(ticks[0].quantity, Some("0.00000001".parse().unwrap()));
        let told: Vec<_> = reading("11:59:59", &ticker).iter().map(|tick| tick.trade_id.unwrap()).collect();
        assert_eq!(told, [11, 13, 19, 20], "what may be known under another time is left out");
    }
}
