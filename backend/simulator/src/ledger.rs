//! What one symbol has published: its latest trades and its one-minute candles. Every answer, frame and test oracle
//! is read from here.
//!
//! Trades are in rising order of number, and in a walk also of time. What was served as past does not change: reading
//! the ledger seals it, and a trade that is entered afterwards happens at that moment or later.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use domain::Interval;
use rust_decimal::Decimal;

use crate::{
    kline::{Kline, open_ms},
    market::Step,
};

/// Eight days, so that a weekly candle is always whole once it could be.
const RETAINED_MINUTES: usize = 8 * 24 * 60;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// A trade as the exchange published it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedTrade {
    /// Number of the trade, rising by one per symbol.
    pub id: i64,
    /// Units of the quote for one of the base.
    pub price: Decimal,
    /// Units of the base.
    pub quantity: Decimal,
    /// When, in whole milliseconds.
    pub time: DateTime<Utc>,
    /// Whether the taker sold.
    pub buyer_is_maker: bool,
}

pub(crate) struct Ledger {
    next_id: i64,
    retained: usize,
    trades: VecDeque<PublishedTrade>,
    /// By open time in milliseconds; only minutes in which something was traded.
    minutes: BTreeMap<i64, Kline>,
    /// No later trade of a walk is dated before this.
    sealed_ms: i64,
}

impl Ledger {
    pub(crate) fn new(first_id: i64, retained: usize) -> Self {
        Self { next_id: first_id, retained, trades: VecDeque::new(), minutes: BTreeMap::new(), sealed_ms: 0 }
    }

    /// Makes the next trade of this step: it gets the next number, and the time at which it is due unless that is past.
    pub(crate) fn append(&mut self, step: Step, due_ms: i64) -> PublishedTrade {
        let trade = PublishedTrade {
            id: self.next_id,
            price: step.price,
            quantity: step.quantity,
            time: DateTime::from_timestamp_millis(due_ms.max(self.sealed_ms)).unwrap_or_default(),
            buyer_is_maker: step.buyer_is_maker,
        };
        self.enter(&trade);
        trade
    }

    /// Everything before `ms` was shown to somebody.
    pub(crate) fn seal(&mut self, ms: i64) {
        self.sealed_ms = self.sealed_ms.max(ms);
    }

    /// Enters a trade; one whose number does not rise was published before and is refused.
    pub(crate) fn enter(&mut self, trade: &PublishedTrade) -> bool {
        if trade.id < self.next_id {
            return false;
        }
        self.next_id = trade.id + 1;
        let ms = trade.time.timestamp_millis();
        self.seal(ms);
        let open_time = ms - ms.rem_euclid(MINUTE_MS);
        let kline = Kline::of(open_time, trade);
        self.minutes.entry(open_time).and_modify(|minute| minute.append(&kline)).or_insert(kline);
        if self.minutes.len() > RETAINED_MINUTES {
            self.minutes.pop_first();
        }
        if self.trades.len() == self.retained {
            self.trades.pop_front();
        }
        self.trades.push_back(trade.clone());
        true
    }

    pub(crate) fn last(&self) -> Option<&PublishedTrade> {
        self.trades.back()
    }

    pub(crate) fn all(&self) -> Vec<PublishedTrade> {
        self.trades.iter().cloned().collect()
    }

    /// The latest `limit` trades, oldest first.
    pub(crate) fn latest(&self, limit: usize) -> Vec<PublishedTrade> {
        self.trades.range(self.trades.len().saturating_sub(limit)..).cloned().collect()
    }

    /// From this number on, oldest first.
    pub(crate) fn since_id(&self, id: i64, limit: usize) -> Vec<PublishedTrade> {
        let first = self.trades.partition_point(|trade| trade.id < id);
        self.trades.range(first..).take(limit).cloned().collect()
    }

    /// Within these milliseconds, both included: the oldest of them, or the newest where there is no start.
    pub(crate) fn between(&self, start: Option<i64>, end: Option<i64>, limit: usize) -> Vec<PublishedTrade> {
        let inside = |trade: &&PublishedTrade| {
            let ms = trade.time.timestamp_millis();
            start.is_none_or(|start| ms >= start) && end.is_none_or(|end| ms <= end)
        };
        if start.is_some() {
            return self.trades.iter().filter(inside).take(limit).cloned().collect();
        }
        let mut newest: Vec<_> = self.trades.iter().rev().filter(inside).take(limit).cloned().collect();
        newest.reverse();
        newest
    }

    /// Candles that open within these milliseconds, both included: the oldest of them, or the newest where there is no
    /// start. From the first retained trade to the last there is a candle for every interval, flat where nothing was
    /// traded, as Binance sends them.
    pub(crate) fn klines(&self, interval: Interval, start: Option<i64>, end: Option<i64>, limit: usize) -> Vec<Kline> {
        let (Some((first, _)), Some((last, _))) = (self.minutes.first_key_value(), self.minutes.last_key_value())
        else {
            return Vec::new();
        };
        let step = interval.seconds() * 1_000;
        let mut from = open_ms(interval, *first);
        let to = open_ms(interval, end.unwrap_or(i64::MAX).min(*last));
        match start {
            // Only a candle that opens at the start or later counts.
            Some(start) if start > from => from = open_ms(interval, start.min(*last).saturating_add(step - 1)),
            Some(_) => {}
            None => from = from.max(to - (limit as i64 - 1) * step),
        }
        let mut price = self.minutes.range(..from).next_back().map(|(_, minute)| minute.close);
        let mut klines = Vec::new();
        while from <= to && start.is_none_or(|start| from >= start) && klines.len() < limit {
            if let Some(kline) = self.candle(from, step, price) {
                price = Some(kline.close);
                klines.push(kline);
            }
            from += step;
        }
        klines
    }

    /// The newest trades whose numbers lie between these two, both excluded; newest first.
    pub(crate) fn newest_between_ids(
        &self,
        above: Option<i64>,
        below: Option<i64>,
        limit: usize,
    ) -> Vec<PublishedTrade> {
        let end = below.map_or(self.trades.len(), |below| self.trades.partition_point(|trade| trade.id < below));
        let newest = self.trades.range(..end).rev();
        newest.take_while(|trade| above.is_none_or(|above| trade.id > above)).take(limit).cloned().collect()
    }

    /// Candles of any whole number of minutes, aligned to 1970, that open within these milliseconds, both included; none
    /// where nothing was traded. Oldest first. The caller bounds their number.
    pub(crate) fn traded_bars(&self, step: i64, start: i64, end: i64) -> Vec<Kline> {
        let mut bars: Vec<Kline> = Vec::new();
        for (minute, kline) in self.minutes.range(start..end.saturating_add(step).max(start)) {
            let open_time = minute - minute.rem_euclid(step);
            match bars.last_mut().filter(|bar| bar.open_time == open_time) {
                Some(bar) => bar.append(kline),
                None if (start..=end).contains(&open_time) => bars.push(Kline { open_time, ..kline.clone() }),
                None => {}
            }
        }
        bars
    }

    /// The last 24 hours, from a whole minute on; nothing where nothing was traded.
    pub(crate) fn day(&self, now_ms: i64) -> Option<Kline> {
        self.last_days(now_ms, 1)
    }

    /// The last 30 days, as far as they are retained.
    pub(crate) fn month(&self, now_ms: i64) -> Option<Kline> {
        self.last_days(now_ms, 30)
    }

    /// The day that holds this moment, from midnight UTC on.
    pub(crate) fn today(&self, now_ms: i64) -> Option<Kline> {
        self.candle(now_ms - now_ms.rem_euclid(DAY_MS), DAY_MS, None)
    }

    fn last_days(&self, now_ms: i64, days: i64) -> Option<Kline> {
        let from = now_ms - days * DAY_MS;
        self.candle(from - from.rem_euclid(MINUTE_MS), days * DAY_MS + MINUTE_MS, None)
    }

    fn candle(&self, open_time: i64, length: i64, price_before: Option<Decimal>) -> Option<Kline> {
        let mut minutes = self.minutes.range(open_time..open_time + length).map(|(_, minute)| minute);
        let Some(first) = minutes.next() else {
            return price_before.map(|price| Kline::flat(open_time, price));
        };
        let mut kline = Kline { open_time, ..first.clone() };
        minutes.for_each(|minute| kline.append(minute));
        Some(kline)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-16, a Monday, at midnight.
    const START: i64 = 1_794_787_200_000;

    fn trade(id: i64, ms: i64, price: i64, quantity: i64) -> PublishedTrade {
        PublishedTrade {
            id,
            price: Decimal::new(price, 2),
            quantity: Decimal::new(quantity, 3),
            time: Utc.timestamp_millis_opt(ms).unwrap(),
            buyer_is_maker: id % 3 == 0,
        }
    }

    fn ledger(trades: &[PublishedTrade]) -> Ledger {
        let mut ledger = Ledger::new(0, 1_000);
        for trade in trades {
            assert!(ledger.enter(trade));
        }
        ledger
    }

    fn ids(trades: &[PublishedTrade]) -> Vec<i64> {
        trades.iter().map(|trade| trade.id).collect()
    }

    #[test]
    fn trades_are_found_by_number_and_by_time() {
        let ledger = ledger(&(0..10).map(|id| trade(id, START + id * 100, 100, 1)).collect::<Vec<_>>());
        assert_eq!(ids(&ledger.latest(3)), [7, 8, 9]);
        assert_eq!(ids(&ledger.since_id(4, 2)), [4, 5]);
        assert_eq!(ids(&ledger.since_id(-5, 1)), [0]);
        assert_eq!(ids(&ledger.since_id(10, 2)), [0; 0]);
        assert_eq!(ids(&ledger.newest_between_ids(None, None, 2)), [9, 8]);
        assert_eq!(ids(&ledger.newest_between_ids(Some(3), Some(7), 2)), [6, 5], "the newest of 4, 5 and 6");
        assert_eq!(ids(&ledger.newest_between_ids(Some(7), None, 9)), [9, 8]);
        assert_eq!(ids(&ledger.newest_between_ids(None, Some(0), 9)), [0; 0]);
        assert_eq!(ids(&ledger.between(Some(START + 200), Some(START + 400), 10)), [2, 3, 4]);
        assert_eq!(ids(&ledger.between(Some(START + 200), None, 2)), [2, 3], "a start gives the oldest");
        assert_eq!(ids(&ledger.between(None, Some(START + 400), 2)), [3, 4], "an end alone gives the newest");
        assert_eq!(ids(&ledger.between(None, None, 2)), [8, 9]);
    }

    #[test]
    fn the_ring_forgets_the_oldest_and_the_candles_do_not() {
        let mut ledger = Ledger::new(0, 5);
        for id in 0..20 {
            ledger.enter(&trade(id, START, 100, 1));
        }
        assert_eq!(ids(&ledger.all()), [15, 16, 17, 18, 19]);
        assert_eq!(ledger.klines(Interval::OneMinute, None, None, 1)[0].trades, 20);
        assert!(!ledger.enter(&trade(19, START, 100, 1)), "the same number twice");
        let step = Step { price: Decimal::ONE, quantity: Decimal::ONE, buyer_is_maker: true };
        assert_eq!(ledger.append(step, START).id, 20);
    }

    #[test]
    fn minutes_without_a_trade_are_flat_and_bounds_are_open_times() {
        let minutes =
            |kline: &[Kline]| kline.iter().map(|kline| (kline.open_time - START) / MINUTE_MS).collect::<Vec<_>>();
        let ledger = ledger(&[
            trade(1, START + 90_000, 100, 1),
            trade(2, START + 100_000, 300, 1),
            trade(3, START + 4 * MINUTE_MS, 200, 1),
        ]);
        let all = ledger.klines(Interval::OneMinute, None, None, 500);
        assert_eq!(minutes(&all), [1, 2, 3, 4]);
        assert_eq!(all[1], Kline::flat(START + 2 * MINUTE_MS, Decimal::new(300, 2)));
        let from_to = |start, end, limit| {
            minutes(&ledger.klines(
                Interval::OneMinute,
                Option::map(start, |start: i64| START + start),
                Option::map(end, |end: i64| START + end),
                limit,
            ))
        };
        assert_eq!(from_to(Some(60_001), None, 500), [2, 3, 4]);
        assert_eq!(from_to(Some(60_000), Some(120_000), 500), [1, 2]);
        assert_eq!(from_to(Some(0), None, 2), [1, 2]);
        assert_eq!(from_to(None, Some(200_000), 2), [2, 3]);
        assert_eq!(from_to(Some(999_000), None, 5), [0; 0]);
        assert_eq!(from_to(None, Some(-1), 5), [0; 0]);
        assert_eq!(from_to(Some(200_000), Some(100_000), 5), [0; 0]);
        let bars = |start, end| ledger.traded_bars(2 * MINUTE_MS, START + start, START + end);
        assert_eq!(minutes(&bars(0, 240_000)), [0, 4], "none where nothing was traded");
        assert_eq!((bars(0, 0)[0].trades, bars(0, 0)[0].volume), (2, Decimal::new(2, 3)));
        assert_eq!(minutes(&bars(60_000, 239_999)), [0; 0], "bounds are open times");
        let alone = &ledger.klines(Interval::OneMinute, Some(START + 120_000), Some(START + 120_000), 1)[0];
        assert_eq!(alone.close, Decimal::new(300, 2), "a flat candle knows the price before it");
    }

    #[test]
    fn what_was_shown_does_not_change() {
        let mut ledger = Ledger::new(0, 10);
        let step = Step { price: Decimal::ONE, quantity: Decimal::ONE, buyer_is_maker: true };
        let mut next = |seal, due| {
            ledger.seal(seal);
            ledger.append(step, due).time.timestamp_millis()
        };
        assert_eq!(next(0, START), START);
        assert_eq!(next(START + 5, START + 3), START + 5);
        assert_eq!(next(START + 5, START + 9), START + 9);
        assert_eq!(next(START + 5, START), START + 9);
    }

    proptest! {
        #[test]
        fn candles_of_every_width_say_what_the_trades_say(
            rows in prop::collection::vec((0i64..2_000_000, 1i64..100_000, 1i64..100_000), 1..100),
        ) {
            let mut ms = START;
            let trades: Vec<_> = rows
                .iter()
                .enumerate()
                .map(|(id, (wait, price, quantity))| {
                    ms += wait;
                    trade(id as i64, ms, *price, *quantity)
                })
                .collect();
            let ledger = ledger(&trades);
            for interval in Interval::ALL {
                let klines = ledger.klines(interval, Some(START), None, usize::MAX);
                prop_assert_eq!(klines.iter().map(|kline| kline.trades).sum::<i64>(), trades.len() as i64);
                for kline in klines {
                    let inside: Vec<_> = trades
                        .iter()
                        .filter(|trade| (kline.open_time..=kline.close_time(interval)).contains(&trade.time.timestamp_millis()))
                        .collect();
                    prop_assert_eq!(kline.trades, inside.len() as i64);
                    let Some((first, last)) = inside.first().zip(inside.last()) else { continue };
                    prop_assert_eq!((kline.open, kline.close), (first.price, last.price));
                    prop_assert_eq!((kline.first_id, kline.last_id), (first.id, last.id));
                    prop_assert_eq!(kline.high, inside.iter().map(|trade| trade.price).max().unwrap());
                    prop_assert_eq!(kline.low, inside.iter().map(|trade| trade.price).min().unwrap());
                    prop_assert_eq!(kline.volume, inside.iter().map(|trade| trade.quantity).sum::<Decimal>());
                    let quote = |taker_bought: bool| inside
                        .iter()
                        .filter(|trade| !(taker_bought && trade.buyer_is_maker))
                        .map(|trade| trade.price * trade.quantity)
                        .sum::<Decimal>();
                    prop_assert_eq!(kline.quote_volume, quote(false));
                    prop_assert_eq!(kline.taker_buy_quote_volume, quote(true));
                }
            }
        }
    }
}
