//! Candles for intervals without prices, where they are asked for: at the last close, without volume.
//!
//! A hole is a hole unless somebody wants it otherwise. Intervals before the first known price stay away, and so do those that
//! have not begun.

use std::ops::Range;

use api_types::CandleRow;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain::Width;
use rust_decimal::Decimal;

/// The first `limit` candles that open in the span. `before` tells the last close before it.
pub(crate) fn filled_since(
    candles: Vec<CandleRow>,
    before: Option<CandleRow>,
    width: Width,
    zone: Tz,
    span: Range<DateTime<Utc>>,
    now: DateTime<Utc>,
    limit: usize,
) -> Vec<CandleRow> {
    let end = span.end.min(now);
    let mut rows: Vec<CandleRow> = Vec::new();
    let mut last = before.map(|before| before.close);
    let mut known = candles.into_iter().peekable();
    let mut open = match (last, known.peek()) {
        (None, Some(first)) => first.open_time,
        _ => span.start,
    };
    // A candle that is known counts even where the exchange's clock is ahead of ours.
    while rows.len() < limit && (open < end || known.peek().is_some()) {
        match (known.next_if(|candle| candle.open_time <= open), last) {
            (Some(candle), _) => {
                last = Some(candle.close);
                rows.push(candle);
            }
            (None, Some(close)) => rows.push(flat(open, close, width, zone, now)),
            (None, None) => break,
        }
        open = width.next(open, zone);
    }
    rows
}

/// The last `limit` candles that open before `to`.
pub(crate) fn filled_last(
    candles: Vec<CandleRow>,
    width: Width,
    zone: Tz,
    to: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: usize,
) -> Vec<CandleRow> {
    let Some(newest) = candles.last().map(|candle| candle.open_time) else { return candles };
    let mut open = width.open_time(now, zone).max(newest);
    if open >= to {
        open = width.previous(to, zone);
    }
    let mut rows: Vec<CandleRow> = Vec::new();
    let mut known = candles.into_iter().rev().peekable();
    while rows.len() < limit {
        let Some(candle) = known.peek() else { break };
        if candle.open_time < open {
            rows.push(flat(open, candle.close, width, zone, now));
        } else {
            rows.extend(known.next());
        }
        open = width.previous(open, zone);
    }
    rows.reverse();
    rows
}

fn flat(open_time: DateTime<Utc>, close: Decimal, width: Width, zone: Tz, now: DateTime<Utc>) -> CandleRow {
    CandleRow {
        open_time,
        open: close,
        high: close,
        low: close,
        close,
        volume: Decimal::ZERO,
        quote_volume: Decimal::ZERO,
        trades: 0,
        is_final: width.next(open_time, zone) <= now,
        revision: 0,
        origin: "filled".to_owned(),
        untold_minutes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u32) -> DateTime<Utc> {
        format!("2026-11-20T12:{minute:02}:00Z").parse().unwrap()
    }

    fn known(minute: u32) -> CandleRow {
        let mut candle = flat(at(minute), Decimal::from(minute), Width::ONE_MINUTE, Tz::UTC, at(59));
        candle.origin = "stream".to_owned();
        candle
    }

    /// The minutes and closes of candles; filled ones are marked.
    fn told(rows: &[CandleRow]) -> String {
        let one = |row: &CandleRow| {
            let mark = if row.origin == "filled" { "~" } else { "" };
            format!("{}={mark}{}", row.open_time.format("%M"), row.close)
        };
        rows.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn since(minutes: &[u32], before: Option<u32>, from: u32, to: u32, limit: usize) -> String {
        let candles = minutes.iter().copied().map(known).collect();
        told(&filled_since(candles, before.map(known), Width::ONE_MINUTE, Tz::UTC, at(from)..at(to), at(10), limit))
    }

    fn last(minutes: &[u32], to: u32, limit: usize) -> String {
        let candles = minutes.iter().copied().map(known).collect();
        told(&filled_last(candles, Width::ONE_MINUTE, Tz::UTC, at(to), at(10), limit))
    }

    #[test]
    fn holes_are_filled_from_what_came_before_them() {
        assert_eq!(since(&[3, 5], Some(1), 2, 7, 10), "02=~1 03=3 04=~3 05=5 06=~5");
        assert_eq!(since(&[3, 5], None, 2, 7, 10), "03=3 04=~3 05=5 06=~5");
        assert_eq!(since(&[3, 5], Some(1), 2, 7, 3), "02=~1 03=3 04=~3");
        assert_eq!(since(&[], Some(1), 8, 30, 10), "08=~1 09=~1");
        assert_eq!(since(&[], None, 8, 30, 10), "");
    }

    #[test]
    fn the_last_ones_end_now_or_where_they_are_to_end() {
        assert_eq!(last(&[3, 5], 7, 10), "03=3 04=~3 05=5 06=~5");
        assert_eq!(last(&[3, 5], 7, 2), "05=5 06=~5");
        assert_eq!(last(&[8], 30, 10), "08=8 09=~8 10=~8");
        assert_eq!(last(&[], 30, 10), "");
    }
}
