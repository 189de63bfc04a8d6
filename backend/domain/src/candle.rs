//! Candles, and the one rule by which ticks fold into them.
//!
//! [`Candle::merge`] is associative and commutative, so that any grouping of the same ticks gives the same candle:
//! two writers, a late tick, a wider interval made of narrow ones. It is not idempotent; that each tick is folded
//! once is the database's promise (a row that is already there is not folded again).
//!
//! Trades outrank polled prices: as soon as a candle holds one trade, prices that were only asked for no longer
//! count in it. They fill in while the stream is down and give way when trades are known.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::{Interval, Tick, rounding::significant};

/// When a tick happened, and which came first when two share that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// [`Tick::time`].
    pub time: DateTime<Utc>,
    /// The exchange's trade number; a polled price has none and counts as −1.
    pub trade_id: i64,
}

/// Open, high, low, close and volume of one instrument over one interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candle {
    /// Where the interval begins.
    pub open_time: DateTime<Utc>,
    /// Price of the earliest tick.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Price of the latest tick.
    pub close: Decimal,
    /// Units of the base that changed hands.
    pub volume: Decimal,
    /// Units of the quote that changed hands.
    pub quote_volume: Decimal,
    /// Trades folded in; zero where the candle is made of polled prices.
    pub trades: i64,
    /// Ticks folded in: the trades, or else the polled prices. The divisor of the mean price.
    pub ticks: i64,
    /// Sum of the prices of those ticks.
    pub price_sum: Decimal,
    /// Sum of the squares of those prices, each to [`SQUARE_DIGITS`] digits: what their deviation is made of.
    pub square_sum: Decimal,
    /// When the earliest tick happened.
    pub first: Moment,
    /// When the latest tick happened.
    pub last: Moment,
}

/// How many digits the square of a price keeps. A deviation of a millionth of the price is then told to eight digits, and
/// the sum of a million squares is still exact.
pub const SQUARE_DIGITS: u32 = 20;

/// A sum no longer fits 28 digits. Real markets stay below by ten orders of magnitude.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a candle's sum does not fit 28 digits")]
pub struct CandleOverflow;

impl Candle {
    /// The candle that holds just this tick.
    ///
    /// # Errors
    /// When price times quantity, or price times price, does not fit; a tick that passed its check does.
    pub fn of(tick: &Tick, interval: Interval) -> Result<Self, CandleOverflow> {
        let moment = Moment { time: tick.time(), trade_id: tick.trade_id.unwrap_or(-1) };
        Ok(Self {
            open_time: interval.open_time(tick.time()),
            open: tick.price,
            high: tick.price,
            low: tick.price,
            close: tick.price,
            volume: tick.quantity.unwrap_or_default(),
            quote_volume: tick.quote_volume().ok_or(CandleOverflow)?,
            trades: i64::from(tick.quantity.is_some()),
            ticks: 1,
            price_sum: tick.price,
            square_sum: square(tick.price)?,
            first: moment,
            last: moment,
        })
    }

    /// Takes in a candle of the same instrument, made of other ticks. The earlier open time stays.
    ///
    /// # Errors
    /// When a sum no longer fits; nothing is changed then.
    pub fn merge(&mut self, other: &Self) -> Result<(), CandleOverflow> {
        let open_time = self.open_time.min(other.open_time);
        if (self.trades > 0) != (other.trades > 0) {
            if other.trades > 0 {
                self.clone_from(other);
            }
            self.open_time = open_time;
            return Ok(());
        }
        let sum = |a: Decimal, b: Decimal| a.checked_add(b).ok_or(CandleOverflow);
        let (volume, quote_volume, price_sum, square_sum) = (
            sum(self.volume, other.volume)?,
            sum(self.quote_volume, other.quote_volume)?,
            sum(self.price_sum, other.price_sum)?,
            sum(self.square_sum, other.square_sum)?,
        );
        (self.volume, self.quote_volume) = (volume, quote_volume);
        (self.price_sum, self.square_sum) = (price_sum, square_sum);
        self.open_time = open_time;
        if other.first < self.first {
            (self.open, self.first) = (other.open, other.first);
        }
        if other.last > self.last {
            (self.close, self.last) = (other.close, other.last);
        }
        self.high = self.high.max(other.high);
        self.low = self.low.min(other.low);
        self.trades += other.trades;
        self.ticks += other.ticks;
        Ok(())
    }
}

fn square(price: Decimal) -> Result<Decimal, CandleOverflow> {
    let square = price.checked_mul(price).ok_or(CandleOverflow)?;
    Ok(significant(square, SQUARE_DIGITS))
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone};
    use proptest::prelude::*;

    use super::*;

    /// A tick within one minute: distinct ids for trades, none for polls.
    fn ticks() -> impl Strategy<Value = Vec<Tick>> {
        prop::collection::vec((1i64..1_000_000, 1i64..1_000_000, 0i64..60_000, prop::bool::weighted(0.7)), 1..40)
            .prop_map(|rows| {
                let open = Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).unwrap();
                rows.into_iter()
                    .enumerate()
                    .map(|(index, (price, quantity, offset_ms, is_trade))| {
                        let time = open + TimeDelta::milliseconds(offset_ms);
                        Tick {
                            ticker: "BTCUSDT".into(),
                            trade_id: is_trade.then_some(index as i64),
                            price: Decimal::new(price, 4),
                            quantity: is_trade.then(|| Decimal::new(quantity, 6)),
                            taker_side: None,
                            exchange_time: is_trade.then_some(time),
                            received_at: time + TimeDelta::microseconds(index as i64),
                        }
                    })
                    .collect()
            })
    }

    fn joined(mut a: Candle, b: &Candle) -> Candle {
        a.merge(b).unwrap();
        a
    }

    #[test]
    fn prices_with_many_zeros_are_squared_and_summed() {
        for price in [Decimal::new(1, 8), Decimal::new(1_234, 8), Decimal::new(5, 14)] {
            let time = Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).unwrap();
            let tick = |id| Tick {
                ticker: "SHIBUSDT".into(),
                trade_id: Some(id),
                price,
                quantity: Some(Decimal::ONE),
                taker_side: None,
                exchange_time: Some(time),
                received_at: time,
            };
            let candle = fold(&[tick(1), tick(2)]).unwrap();
            assert_eq!(candle.square_sum, price * price * Decimal::TWO);
        }
    }

    fn fold(ticks: &[Tick]) -> Option<Candle> {
        ticks.iter().map(|tick| Candle::of(tick, Interval::OneMinute).unwrap()).reduce(|a, b| joined(a, &b))
    }

    #[test]
    fn the_lowest_prices_are_folded_too() {
        for decimals in [7, 8, 12, 14] {
            let price = Decimal::new(1, decimals);
            let time = Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).unwrap();
            let tick = Tick {
                ticker: "PEPEUSDT".into(),
                trade_id: Some(1),
                price,
                quantity: Some(Decimal::ONE),
                taker_side: None,
                exchange_time: Some(time),
                received_at: time,
            };
            let later = Tick { trade_id: Some(2), ..tick.clone() };
            assert_eq!(fold(&[tick, later]).unwrap().square_sum, price * price * Decimal::TWO);
        }
    }

    proptest! {
        #[test]
        fn any_order_and_any_grouping_give_the_same_candle(ticks in ticks(), split in 0usize..40, seed in any::<u64>()) {
            let whole = fold(&ticks);
            let mut shuffled = ticks;
            let mut state = seed;
            for index in (1..shuffled.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(index, (state >> 33) as usize % (index + 1));
            }
            prop_assert_eq!(&fold(&shuffled), &whole);
            let (left, right) = shuffled.split_at(split.min(shuffled.len()));
            let joined = match (fold(left), fold(right)) {
                (Some(a), Some(b)) => Some(joined(a, &b)),
                (one, other) => one.or(other),
            };
            prop_assert_eq!(&joined, &whole);
        }

        #[test]
        fn a_candle_says_of_its_trades_what_a_list_of_them_says(ticks in ticks()) {
            let candle = fold(&ticks).unwrap();
            let trades: Vec<_> = ticks.iter().filter(|tick| tick.quantity.is_some()).collect();
            let counted: Vec<&Tick> = if trades.is_empty() { ticks.iter().collect() } else { trades.clone() };
            let moment = |tick: &&&Tick| (tick.time(), tick.trade_id);
            prop_assert_eq!(candle.trades, trades.len() as i64);
            prop_assert_eq!(candle.ticks, counted.len() as i64);
            prop_assert_eq!(candle.open, counted.iter().min_by_key(moment).unwrap().price);
            prop_assert_eq!(candle.close, counted.iter().max_by_key(moment).unwrap().price);
            prop_assert_eq!(candle.high, counted.iter().map(|tick| tick.price).max().unwrap());
            prop_assert_eq!(candle.low, counted.iter().map(|tick| tick.price).min().unwrap());
            prop_assert_eq!(candle.price_sum, counted.iter().map(|tick| tick.price).sum::<Decimal>());
            prop_assert_eq!(candle.square_sum, counted.iter().map(|tick| tick.price * tick.price).sum::<Decimal>());
            prop_assert_eq!(candle.volume, trades.iter().filter_map(|tick| tick.quantity).sum::<Decimal>());
        }
    }
}
