//! Trades of OKX that did not come: asked for by time, since it does not promise that its numbers follow each other.
//!
//! Its history holds three months and is told from the newest on, a hundred a page. The stream's channel has the same trades
//! under the same numbers, so that what both bring is published once.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use domain::Tick;
use futures_util::{FutureExt as _, future::BoxFuture};
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::{Okx, messages::Trade, parse};
use crate::{
    exchange::{Recent, Span},
    rest::RestError,
};

/// How many trades a page holds.
const PAGE: &str = "100";
/// How many pages are asked for at most where all trades of one are of the same moment.
const MOST_PAGES: usize = 10;
/// So far back its history certainly goes: three months, some of which have 28 days.
const KEPT: TimeDelta = TimeDelta::days(88);
/// What is younger may not be in the history yet.
const SETTLED: TimeDelta = TimeDelta::minutes(10);

impl Okx {
    /// The page of trades before a moment, in milliseconds (`by` is 2), or before a trade (`by` is 1).
    async fn page(&self, ticker: &str, by: &str, after: &str) -> Result<Vec<Tick>, RestError> {
        let query = [("instId", ticker), ("type", by), ("after", after), ("limit", PAGE)];
        let rows = self.client.ask_when_spare("/api/v5/market/history-trades", &query).await?;
        let received_at = Utc::now().trunc_subsecs(6);
        let read = |row: &RawValue| {
            let trade: Trade<'_> = serde_json::from_str(row.get()).map_err(|error| rows.unreadable(&error))?;
            parse::tick(&trade, received_at).map_err(|error| rows.unreadable(&error))
        };
        rows.raw().map(read).collect()
    }
}

impl Recent for Okx {
    fn trades<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Span, RestError>> {
        async move {
            // "After" are those that are older, and its times are whole milliseconds.
            let last_ms = to.timestamp_millis();
            let (mut by, mut after) = ("2", (last_ms + 1).to_string());
            let (mut ticks, mut is_end) = (Vec::new(), false);
            for _ in 0..MOST_PAGES {
                let page = self.page(ticker, by, &after).await?;
                let oldest = page.iter().min_by_key(|tick| (tick.exchange_time, tick.trade_id));
                let Some((time, id)) = oldest.map(|oldest| (oldest.time(), oldest.trade_id)) else {
                    is_end = true;
                    break;
                };
                ticks.extend(page);
                if time.timestamp_millis() < last_ms {
                    break;
                }
                (by, after) = ("1", id.unwrap_or_default().to_string());
            }
            Ok(span(ticks, is_end, (from, to), Utc::now()))
        }
        .boxed()
    }
}

/// What pages of trades, of which the last was empty if this `is_end`, tell of a span.
fn span(mut ticks: Vec<Tick>, is_end: bool, (from, to): (DateTime<Utc>, DateTime<Utc>), now: DateTime<Utc>) -> Span {
    ticks.sort_by_key(|tick| (tick.exchange_time, tick.trade_id));
    let (oldest, newest) = (ticks.first().map(Tick::time), ticks.last().map(Tick::time));
    let kept_since = now - KEPT;
    let first = match oldest {
        _ if is_end => from.max(kept_since),
        Some(oldest) if oldest >= from => oldest + TimeDelta::microseconds(1), // Others of that moment may be on the next page.
        _ => from,
    };
    let is_told = now - to >= SETTLED || newest.is_some_and(|newest| newest >= to);
    let last = if is_told { Some(to) } else { newest };
    ticks.retain(|tick| (from..=to).contains(&tick.time()));
    let covers = last.filter(|last| first <= *last).map(|last| (first, last));
    Span { ticks, covers, is_oldest: is_end && from < kept_since }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-20T12:00:{text}Z").parse().unwrap()
    }

    fn tick(time: &str, id: i64) -> Tick {
        Tick {
            ticker: "BTC-USDT".into(),
            trade_id: Some(id),
            price: 1.into(),
            quantity: Some(1.into()),
            taker_side: None,
            exchange_time: Some(at(time)),
            received_at: at("50"),
        }
    }

    fn ids(span: &Span) -> Vec<i64> {
        span.ticks.iter().filter_map(|tick| tick.trade_id).collect()
    }

    #[test]
    fn a_page_covers_what_is_certain_and_no_more() {
        let page = || vec![tick("05.002", 4), tick("05.001", 3), tick("04", 2), tick("03", 1)];
        let whole = span(page(), false, (at("03.500"), at("05.002")), at("06"));
        assert_eq!((ids(&whole), whole.covers), (vec![2, 3, 4], Some((at("03.500"), at("05.002")))));
        assert!(!whole.is_oldest);
        // Of the moment of the oldest, others may be on the next page.
        for from in ["02", "03"] {
            let cut = span(page(), false, (at(from), at("05.002")), at("06"));
            assert_eq!((ids(&cut).len(), cut.covers), (4, Some((at("03.000001"), at("05.002")))));
        }
        // The history may lag a little behind the stream.
        let lagging = span(page(), false, (at("03.500"), at("07")), at("08"));
        assert_eq!(lagging.covers, Some((at("03.500"), at("05.002"))));
        let settled = span(page(), false, (at("03.500"), at("07")), at("07") + SETTLED);
        assert_eq!(settled.covers, Some((at("03.500"), at("07"))));
        let of_one_moment = span(vec![tick("05", 2), tick("05", 1)], false, (at("03"), at("05")), at("06"));
        assert_eq!(of_one_moment.covers, None);
    }

    #[test]
    fn where_there_is_nothing_older_it_is_complete_as_far_back_as_its_history_goes() {
        let young = span(Vec::new(), true, (at("03"), at("05")), at("05") + SETTLED);
        assert_eq!((young.covers, young.is_oldest), (Some((at("03"), at("05"))), false));
        let not_yet = span(Vec::new(), true, (at("03"), at("05")), at("06"));
        assert_eq!((not_yet.covers, not_yet.is_oldest), (None, false));
        let later = at("40") + TimeDelta::days(100);
        let old = span(Vec::new(), true, (at("03"), at("05")), later);
        assert_eq!((old.covers, old.is_oldest), (None, true));
        let half = span(Vec::new(), true, (at("03"), later), later);
        assert_eq!((half.covers, half.is_oldest), (None, true), "the newest is not told yet");
        let half = span(Vec::new(), true, (at("03"), later - SETTLED), later);
        assert_eq!((half.covers, half.is_oldest), (Some((later - KEPT, later - SETTLED)), true));
    }
}
