//! The candles of one ticker in one width, as they are drawn.
//!
//! Bars are ordered by their time, at most one at each. They come from the API; between two of its answers live news
//! is folded in. The two overlap by what is in flight, so that a volume may be off by a moment's trades until the
//! next answer; prices are not.
//!
//! This is the one place where money becomes `f64`: bars are pixels.

use api_types::{
    CandleRow,
    live::{LiveMinute, LivePrice},
};
use chrono::{DateTime, Utc};
use domain::Interval;
use rust_decimal::{Decimal, prelude::ToPrimitive};

use crate::remote::Failure;

/// Bars kept of one series; further back than that a wider interval serves better.
pub(crate) const BARS_KEPT: usize = 20_000;

/// Where a candle comes from. Of several, the last of these that is true of one is true of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
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
#[derive(Debug, Clone, Copy, PartialEq)]
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
}

impl Series {
    /// Without candles.
    pub(crate) fn new(interval: Interval) -> Self {
        Self { interval, bars: Vec::new(), older: Older::Unknown, synced_to: i64::MIN, newest_minute: i64::MIN }
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
        if self.synced_to < first.open_time {
            self.bars.clear();
            self.older = Older::Unknown;
        }
        self.bars.extend(rows.iter().map(Bar::of));
        self.bars.extend(newer);
        self.synced_to = last.open_time;
    }

    /// The API's candles before our first one. An answer that nobody waits for any more, because what it joins on to
    /// was dropped meanwhile, is not taken.
    pub(super) fn merge_older(&mut self, outcome: Result<Vec<CandleRow>, Failure>) {
        if self.older != Older::Loading {
            return;
        }
        self.older = match outcome {
            Err(failure) => Older::Failed(failure),
            Ok(rows) => {
                let first = self.bars.first().map_or(i64::MAX, |bar| bar.open_time);
                let older: Vec<Bar> = rows.iter().map(Bar::of).filter(|bar| bar.open_time < first).collect();
                let exhausted = older.is_empty() || self.bars.len() + older.len() >= BARS_KEPT;
                self.bars.splice(..0, older);
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
            }
            // Before the first bar is history, which the API tells.
            Err(0) if !self.bars.is_empty() => {}
            Err(index) => self.bars.insert(index, Bar { open_time, ..part }),
        }
    }
}

/// Every decimal has a nearest double.
fn number(decimal: Decimal) -> f64 {
    decimal.to_f64().unwrap_or_default()
}
