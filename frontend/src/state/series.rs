//! The candles of one ticker in one width, as they are drawn.
//!
//! Bars are ordered by their time, at most one at each. They come from the API; between two of its answers live news
//! is folded in. The two overlap by what is in flight, so that a volume may be off by a moment's trades until the
//! next answer; prices are not.
//!
//! This is the one place where money becomes `f64`: bars are pixels.

use std::ops::Range;

use api_types::{
    CandleRow,
    live::{LiveMinute, LivePrice},
};
use chrono::{DateTime, Utc};
use domain::Interval;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};

use crate::remote::Failure;

/// Bars kept of a series that is shown: two years of minutes. Further back a wider interval serves better.
pub(crate) const BARS_KEPT: usize = 1_000_000;
/// Bars kept of one that is not.
const BARS_KEPT_UNSEEN: usize = 2_000;

/// How many bars are merged into one.
const MERGED: usize = 16;
/// Merged bars that a column of pixels is made of, at least, so that it shows where they belong.
const FINE: f64 = 4.0;

/// Where a candle comes from. Of several, the last of these that is true of one is true of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// The stream brought its trades.
    #[default]
    Stream,
    /// Only prices that were asked for are known.
    Polls,
    /// Trades in it were fetched afterwards.
    Backfill,
    /// It is the exchange's own candle, since trades could not be had.
    Exchange,
}

impl Origin {
    fn of(word: &str) -> Self {
        match word {
            "polls" => Self::Polls,
            "backfill" => Self::Backfill,
            "exchange" => Self::Exchange,
            _ => Self::Stream,
        }
    }

    /// What is to be said of it, where that is not the usual.
    pub(crate) fn words(self) -> Option<&'static str> {
        match self {
            Self::Stream => None,
            Self::Polls => Some("polled prices only"),
            Self::Backfill => Some("trades fetched afterwards"),
            Self::Exchange => Some("the exchange's own candle"),
        }
    }
}

/// One candle. All numbers are finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bar {
    /// Where it begins, in seconds since 1970.
    pub open_time: i64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Units of the base that changed hands.
    pub volume: f64,
    /// Where it comes from.
    pub origin: Origin,
}

impl Bar {
    /// Whether it closed no lower than it opened.
    pub(crate) fn is_up(&self) -> bool {
        self.close >= self.open
    }

    /// Change from open to close in percent.
    pub(crate) fn change_percent(&self) -> f64 {
        (self.close / self.open - 1.0) * 100.0
    }

    /// This one and the one after it, as one.
    pub(crate) fn merge(self, next: Self) -> Self {
        Self {
            open_time: self.open_time,
            open: self.open,
            high: self.high.max(next.high),
            low: self.low.min(next.low),
            close: next.close,
            volume: self.volume + next.volume,
            origin: self.origin.max(next.origin),
        }
    }

    fn of(row: &CandleRow) -> Self {
        Self {
            open_time: row.open_time.timestamp(),
            open: number(row.open),
            high: number(row.high),
            low: number(row.low),
            close: number(row.close),
            volume: number(row.volume),
            origin: Origin::of(&row.origin),
        }
    }
}

/// How it stands with the candles before the first one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Older {
    /// There may be some.
    #[default]
    Unknown,
    /// They were asked for.
    Loading,
    /// They did not come.
    Failed(Failure),
    /// There are none, or as many are kept as may be.
    Exhausted,
}

/// The candles of one ticker in one width.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    interval: Interval,
    bars: Vec<Bar>,
    /// How it stands with the candles before the first one.
    pub older: Older,
    /// Time of the newest bar that the API gave: up to here there is no hole.
    synced_to: i64,
    /// The newest minute folded in: an earlier one no longer decides what the close is.
    newest_minute: i64,
    /// How often the bars have changed.
    revision: u64,
    /// The bars, sixteen of them merged into one; those, sixteen into one; and so on.
    coarse: Vec<Vec<Bar>>,
}

impl Series {
    /// Without candles.
    pub(crate) fn new(interval: Interval) -> Self {
        Self {
            interval,
            bars: Vec::new(),
            older: Older::Unknown,
            synced_to: i64::MIN,
            newest_minute: i64::MIN,
            revision: 0,
            coarse: Vec::new(),
        }
    }

    /// As it was kept: these bars, about which nothing else is known.
    pub(crate) fn kept(interval: Interval, bars: Vec<Bar>) -> Self {
        let mut series = Self { bars, older: Older::Exhausted, ..Self::new(interval) };
        series.changed_from(0);
        series
    }

    /// The bars in this range of seconds, merged so far that at least [`FINE`] of them fall into each of so many
    /// columns, if there are that many. What is merged keeps its extremes, its sum, and the time of its first bar.
    pub(crate) fn in_view(&self, range: (f64, f64), columns: f32) -> &[Bar] {
        let width = self.interval.seconds();
        let shown = in_view(&self.bars, width, range);
        let mut a_column = shown.len() as f64 / f64::from(columns.max(1.0)) / FINE;
        let (mut bars, mut merged) = (&self.bars, 1);
        for level in &self.coarse {
            a_column /= MERGED as f64;
            if a_column < 1.0 {
                break;
            }
            (bars, merged) = (level, merged * MERGED);
        }
        // The first and the last may reach beyond the edges.
        let end = shown.end.div_ceil(merged).min(bars.len());
        bars.get((shown.start / merged).min(end)..end).unwrap_or_default()
    }

    /// The bars from this one on are others than they were.
    fn changed_from(&mut self, first: usize) {
        self.revision += 1;
        let (mut level, mut first) = (0, first);
        loop {
            let (finer, coarser) = self.coarse.split_at_mut(level);
            let fine: &[Bar] = finer.last().unwrap_or(&self.bars);
            if fine.len() < MERGED * MERGED {
                self.coarse.truncate(level);
                return;
            }
            let known = coarser.first_mut().map(std::mem::take).unwrap_or_default();
            first = (first / MERGED).min(known.len());
            let merged =
                fine[first * MERGED..].chunks(MERGED).filter_map(|bars| bars.iter().copied().reduce(Bar::merge));
            let mut renewed = known;
            renewed.truncate(first);
            renewed.extend(merged);
            match coarser.first_mut() {
                Some(coarse) => *coarse = renewed,
                None => self.coarse.push(renewed),
            }
            level += 1;
        }
    }

    /// How often the bars have changed: what was computed from them holds as long as this does.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether candles before the first one are to be asked for, if somebody looks there.
    pub(crate) fn wants_older(&self, now: DateTime<Utc>) -> bool {
        match &self.older {
            Older::Unknown => true,
            Older::Failed(failure) => failure.retry_at <= now,
            Older::Loading | Older::Exhausted => false,
        }
    }

    /// Nobody looks at it any more: what goes far back is given up.
    pub(super) fn hide(&mut self) {
        let surplus = self.bars.len().saturating_sub(BARS_KEPT_UNSEEN);
        if surplus > 0 {
            self.bars.drain(..surplus);
            self.bars.shrink_to_fit();
            self.older = Older::Unknown;
            self.changed_from(0);
        }
    }

    /// Oldest first.
    pub(crate) fn bars(&self) -> &[Bar] {
        &self.bars
    }

    /// How wide they are.
    pub(crate) fn interval(&self) -> Interval {
        self.interval
    }

    /// The API's newest candles: they replace ours, except for what is newer than they are. After an outage longer
    /// than they reach back, what was before the hole is dropped rather than shown as if nothing had been between.
    pub(super) fn merge_newest(&mut self, rows: &[CandleRow]) {
        let (Some(first), Some(last)) = (rows.first().map(Bar::of), rows.last().map(Bar::of)) else {
            return;
        };
        let newer = self.bars.split_off(self.bars.partition_point(|bar| bar.open_time <= last.open_time));
        self.bars.truncate(self.bars.partition_point(|bar| bar.open_time < first.open_time));
        let mut kept = self.bars.len();
        if self.synced_to < first.open_time {
            self.bars.clear();
            kept = 0;
            self.older = Older::Unknown;
        }
        self.bars.extend(rows.iter().map(Bar::of));
        self.bars.extend(newer);
        self.changed_from(kept);
        self.synced_to = last.open_time;
    }

    /// The API's candles before this moment, which was that of our first one. An answer that nobody waits for any more,
    /// because what it joins on to was dropped or joined meanwhile, is not taken.
    pub(super) fn merge_older(&mut self, before: DateTime<Utc>, outcome: Result<Vec<CandleRow>, Failure>) {
        let joins = self.bars.first().is_some_and(|first| first.open_time == before.timestamp());
        if self.older != Older::Loading || !joins {
            return;
        }
        self.older = match outcome {
            Err(failure) => Older::Failed(failure),
            Ok(rows) => {
                let first = self.bars.first().map_or(i64::MAX, |bar| bar.open_time);
                let older: Vec<Bar> = rows.iter().map(Bar::of).filter(|bar| bar.open_time < first).collect();
                let exhausted = older.is_empty() || self.bars.len() + older.len() >= BARS_KEPT;
                self.bars.splice(..0, older);
                self.changed_from(0);
                if exhausted { Older::Exhausted } else { Older::Unknown }
            }
        };
    }

    /// What was traded since the last news.
    pub(super) fn absorb_live(&mut self, live: &LivePrice) {
        for minute in &live.minutes {
            self.absorb_minute(minute);
        }
        self.absorb_price(live.time, live.price);
    }

    /// The newest price: the last bar closes at it, or a new one opens with it.
    pub(super) fn absorb_price(&mut self, time: DateTime<Utc>, price: Decimal) {
        let minute = Interval::OneMinute.open_time(time).timestamp();
        let price = number(price);
        let part = Bar {
            open_time: minute,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0.0,
            origin: Origin::Stream,
        };
        self.absorb(minute, part);
    }

    fn absorb_minute(&mut self, minute: &LiveMinute) {
        let open_time = minute.open_time.timestamp();
        let part = Bar {
            open_time,
            open: number(minute.open),
            high: number(minute.high),
            low: number(minute.low),
            close: number(minute.close),
            volume: number(minute.volume),
            origin: Origin::Stream,
        };
        self.absorb(open_time, part);
    }

    /// Folds a part of a minute into the bar that holds that minute.
    fn absorb(&mut self, minute: i64, part: Bar) {
        let Some(time) = DateTime::from_timestamp(minute, 0) else {
            return;
        };
        let open_time = self.interval.open_time(time).timestamp();
        let closes = minute >= self.newest_minute;
        self.revision += 1;
        self.newest_minute = self.newest_minute.max(minute);
        match self.bars.binary_search_by_key(&open_time, |bar| bar.open_time) {
            Ok(index) => {
                let bar = &mut self.bars[index];
                bar.high = bar.high.max(part.high);
                bar.low = bar.low.min(part.low);
                bar.volume += part.volume;
                if closes {
                    bar.close = part.close;
                }
                self.changed_from(index);
            }
            // Before the first bar is history, which the API tells.
            Err(0) if !self.bars.is_empty() => {}
            Err(index) => {
                self.bars.insert(index, Bar { open_time, ..part });
                self.changed_from(index);
            }
        }
    }
}

/// The bars that touch the range, in seconds. Bars are ordered and `width` seconds wide.
pub(crate) fn in_view(bars: &[Bar], width: i64, range: (f64, f64)) -> Range<usize> {
    let start = bars.partition_point(|bar| ((bar.open_time + width) as f64) < range.0);
    let end = bars.partition_point(|bar| (bar.open_time as f64) <= range.1);
    start..end.max(start)
}

/// Every decimal has a nearest double.
fn number(decimal: Decimal) -> f64 {
    decimal.to_f64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bar(minute: i64, price: f64) -> Bar {
        Bar {
            open_time: minute * 60,
            open: price,
            high: price + 1.0,
            low: price - 1.0,
            close: price,
            volume: 1.0,
            origin: Origin::Stream,
        }
    }

    /// What all levels of a series must be, whatever was changed in which order.
    fn levels_agree(series: &Series) -> bool {
        let fresh = Series::kept(series.interval, series.bars.clone());
        fresh.coarse == series.coarse
    }

    #[test]
    fn only_bars_in_view_are_looked_at() {
        let bars: Vec<Bar> = (0..1_000).map(|minute| bar(minute, 100.0)).collect();
        assert_eq!(in_view(&bars, 60, (600.0, 1_200.0)), 9..21);
        assert_eq!(in_view(&bars, 60, (-500.0, -100.0)), 0..0);
        assert_eq!(in_view(&bars, 60, (1e9, 2e9)).len(), 0);
        assert_eq!(in_view(&[], 60, (0.0, 1.0)), 0..0);
    }

    #[test]
    fn few_bars_are_not_merged_and_many_are_only_as_far_as_pixels_go() {
        let series = Series::kept(Interval::OneMinute, (0..1_000_000).map(|minute| bar(minute, 100.0)).collect());
        let range = |bars: i64| (0.0, (bars * 60) as f64 - 1.0);
        assert_eq!(series.in_view(range(1_000), 800.0).len(), 1_000);
        let all = series.in_view(range(1_000_000), 800.0);
        assert!((3_200..100_000).contains(&all.len()), "{}", all.len());
        assert_eq!(Series::new(Interval::OneMinute).in_view(range(100), 800.0), []);
    }

    proptest! {
        #[test]
        fn merging_keeps_the_extremes_and_the_sum(
            prices in prop::collection::vec(1.0_f64..1e6, 300..3_000),
            columns in 1.0_f32..50.0,
        ) {
            let bars: Vec<Bar> = prices.iter().enumerate().map(|(minute, price)| bar(minute as i64, *price)).collect();
            let series = Series::kept(Interval::OneMinute, bars.clone());
            let range = (0.0, (bars.len() * 60) as f64);
            let merged = series.in_view(range, columns);
            let high = |bars: &[Bar]| bars.iter().map(|bar| bar.high).fold(f64::MIN, f64::max);
            let low = |bars: &[Bar]| bars.iter().map(|bar| bar.low).fold(f64::MAX, f64::min);
            let volume = |bars: &[Bar]| bars.iter().map(|bar| bar.volume).sum::<f64>();
            prop_assert!(high(merged).total_cmp(&high(&bars)).is_eq() && low(merged).total_cmp(&low(&bars)).is_eq());
            prop_assert!((volume(merged) - volume(&bars)).abs() < 1e-6);
            prop_assert!(merged.is_sorted_by(|a, b| a.open_time < b.open_time));
            prop_assert_eq!(merged.last().map(|bar| bar.close.to_bits()), bars.last().map(|bar| bar.close.to_bits()));
        }

        #[test]
        fn levels_follow_every_change(
            count in 1_usize..700,
            news in prop::collection::vec((0_i64..800, 1.0_f64..1e3), 0..40),
        ) {
            let bars: Vec<Bar> = (0..count).map(|minute| bar(minute as i64, 100.0)).collect();
            let mut series = Series::kept(Interval::OneMinute, bars);
            for (minute, price) in news {
                series.absorb(minute * 60, bar(minute, price));
                prop_assert!(levels_agree(&series));
            }
            series.hide();
            prop_assert!(levels_agree(&series));
        }
    }
}
