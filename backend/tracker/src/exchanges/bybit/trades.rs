//! Trades of Bybit that did not come. Of a spot pair it tells the last sixty and nothing older: a longer interruption leaves a
//! hole.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use domain::Tick;
use futures_util::{FutureExt as _, future::BoxFuture};
use smol_str::SmolStr;

use super::{Bybit, messages::PastTrade, parse};
use crate::{
    exchange::{Recent, Span},
    rest::RestError,
};

/// How many trades it tells at most.
const MOST: &str = "60";
/// What is younger may not be told yet.
const SETTLED: TimeDelta = TimeDelta::minutes(10);

impl Recent for Bybit {
    fn trades<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Span, RestError>> {
        async move {
            let query = [("category", "spot"), ("symbol", ticker.as_str()), ("limit", MOST)];
            let rows = self.client.ask_when_spare("/v5/market/recent-trade", &query).await?;
            let now = Utc::now().trunc_subsecs(6);
            let mut trades = rows.all::<PastTrade>()?;
            // Newest first; of the same moment in this order, turned round.
            trades.reverse();
            trades.sort_by_key(|trade| trade.time.0);
            let times = trades.first().zip(trades.last()).and_then(|(oldest, newest)| {
                let moment = |trade: &PastTrade| DateTime::from_timestamp_millis(trade.time.0);
                moment(oldest).zip(moment(newest))
            });
            let read = |trade: &PastTrade| parse::past(ticker, trade, now).map_err(|error| rows.unreadable(&error));
            let ticks = trades.iter().map(read).filter_map(Result::transpose).collect::<Result<_, _>>()?;
            Ok(span(ticks, times, (from, to), now))
        }
        .boxed()
    }
}

/// What its last trades, the times of the oldest and of the newest of which are these, tell of a span.
fn span(
    mut ticks: Vec<Tick>,
    times: Option<(DateTime<Utc>, DateTime<Utc>)>,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Span {
    ticks.retain(|tick| (from..=to).contains(&tick.time()));
    let Some((oldest, newest)) = times else { return Span { ticks, covers: None, is_oldest: now - to >= SETTLED } };
    // Others of the moment of the oldest may be left out.
    let is_oldest = oldest >= from;
    let first = if is_oldest { oldest + TimeDelta::microseconds(1) } else { from };
    let last = if now - to >= SETTLED || newest >= to { to } else { newest };
    // What is newer than the newest may still come.
    Span { ticks, covers: (first <= last).then_some((first, last)), is_oldest: is_oldest && last == to }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-20T12:00:{text}Z").parse().unwrap()
    }

    type Told = (Option<(DateTime<Utc>, DateTime<Utc>)>, bool);

    fn told(from: &str, to: &str, now: &str) -> Told {
        let span = span(Vec::new(), Some((at("03"), at("05.002"))), (at(from), at(to)), at(now));
        (span.covers, span.is_oldest)
    }

    #[test]
    fn its_last_trades_cover_what_is_certain_and_what_is_older_cannot_be_had() {
        assert_eq!(told("03.500", "05.002", "06"), (Some((at("03.500"), at("05.002"))), false));
        for from in ["02", "03"] {
            assert_eq!(told(from, "05", "06"), (Some((at("03.000001"), at("05"))), true), "{from}");
        }
        assert_eq!(told("01", "02", "06"), (None, true));
        // What is very young may come a little later.
        assert_eq!(told("04", "07", "08"), (Some((at("04"), at("05.002"))), false));
        assert_eq!(told("06", "07", "08"), (None, false));
        assert_eq!(
            told("01", "07", "08"),
            (Some((at("03.000001"), at("05.002"))), false),
            "the newest may still be had"
        );
        let settled = |times, from, to| span(Vec::new(), times, (at(from), at(to)), at(to) + SETTLED);
        let times = Some((at("03"), at("05.002")));
        assert_eq!(settled(times, "06", "07").covers, Some((at("06"), at("07"))));
        assert!(settled(times, "01", "07").is_oldest && settled(None, "04", "05").is_oldest);
        let nothing = span(Vec::new(), None, (at("04"), at("05")), at("06"));
        assert_eq!((nothing.covers, nothing.is_oldest), (None, false), "it may come yet");
    }
}
