//! Binance's candle, the kline.
//!
//! It is folded here a second time on purpose, not with `domain::Candle`: the exchange that tests compare our candles
//! with must not share their arithmetic.

use chrono::DateTime;
use domain::Interval;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{frames::text, ledger::PublishedTrade};

/// One interval of one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kline {
    /// Milliseconds since 1970.
    pub(crate) open_time: i64,
    pub(crate) open: Decimal,
    pub(crate) high: Decimal,
    pub(crate) low: Decimal,
    pub(crate) close: Decimal,
    pub(crate) volume: Decimal,
    pub(crate) quote_volume: Decimal,
    pub(crate) taker_buy_volume: Decimal,
    pub(crate) taker_buy_quote_volume: Decimal,
    pub(crate) trades: i64,
    /// −1 where no trade happened, as the last one.
    pub(crate) first_id: i64,
    pub(crate) last_id: i64,
}

impl Kline {
    /// An interval in which nothing was traded: the price stays where it was.
    pub(crate) fn flat(open_time: i64, price: Decimal) -> Self {
        Self {
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Decimal::ZERO,
            quote_volume: Decimal::ZERO,
            taker_buy_volume: Decimal::ZERO,
            taker_buy_quote_volume: Decimal::ZERO,
            trades: 0,
            first_id: -1,
            last_id: -1,
        }
    }

    pub(crate) fn of(open_time: i64, trade: &PublishedTrade) -> Self {
        let quote = trade.price * trade.quantity;
        let (bought, bought_quote) = if trade.buyer_is_maker { Default::default() } else { (trade.quantity, quote) };
        Self {
            volume: trade.quantity,
            quote_volume: quote,
            taker_buy_volume: bought,
            taker_buy_quote_volume: bought_quote,
            trades: 1,
            first_id: trade.id,
            last_id: trade.id,
            ..Self::flat(open_time, trade.price)
        }
    }

    /// Adds what happened later.
    pub(crate) fn append(&mut self, later: &Self) {
        if later.trades == 0 {
            return;
        }
        if self.trades == 0 {
            *self = Self { open_time: self.open_time, ..later.clone() };
            return;
        }
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume += later.volume;
        self.quote_volume += later.quote_volume;
        self.taker_buy_volume += later.taker_buy_volume;
        self.taker_buy_quote_volume += later.taker_buy_quote_volume;
        self.trades += later.trades;
        self.last_id = later.last_id;
    }

    /// A row of `/api/v3/klines`.
    pub(crate) fn row(&self, interval: Interval) -> Value {
        json!([
            self.open_time,
            text(self.open),
            text(self.high),
            text(self.low),
            text(self.close),
            text(self.volume),
            self.close_time(interval),
            text(self.quote_volume),
            self.trades,
            text(self.taker_buy_volume),
            text(self.taker_buy_quote_volume),
            "0"
        ])
    }

    /// The last millisecond that belongs to it.
    pub(crate) fn close_time(&self, interval: Interval) -> i64 {
        self.open_time + interval.seconds() * 1_000 - 1
    }
}

/// When the interval that holds this millisecond opens.
pub(crate) fn open_ms(interval: Interval, ms: i64) -> i64 {
    DateTime::from_timestamp_millis(ms).map_or(ms, |time| interval.open_time(time).timestamp_millis())
}
