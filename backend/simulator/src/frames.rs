//! The JSON of what is streamed, as Binance writes it: numbers as strings with eight decimals, times as integers.
//!
//! Trade frames are formatted by hand because they are made tens of thousands of times a second; that they are valid
//! JSON follows from a ticker being letters and digits.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::Interval;
use rust_decimal::Decimal;

use crate::{kline::Kline, ledger::PublishedTrade, settings::DECIMALS};

/// The unit in which a client asked for times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TimeUnit {
    #[default]
    Millisecond,
    Microsecond,
}

impl TimeUnit {
    fn of(self, ms: i64) -> i64 {
        match self {
            Self::Millisecond => ms,
            Self::Microsecond => ms * 1_000,
        }
    }
}

/// Eight decimals; more only where a recording has more, never fewer, never rounded.
pub(crate) fn text(value: Decimal) -> String {
    let mut value = value;
    if value.scale() > DECIMALS {
        value = value.normalize();
    }
    if value.scale() < DECIMALS {
        value.rescale(DECIMALS);
    }
    value.to_string()
}

/// A time as Coinbase and Kraken write it, with microseconds.
pub(crate) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

pub(crate) fn trade(ticker: &str, trade: &PublishedTrade, unit: TimeUnit) -> String {
    let time = unit.of(trade.time.timestamp_millis());
    format!(
        r#"{{"e":"trade","E":{time},"s":"{ticker}","t":{},"p":"{}","q":"{}","T":{time},"m":{},"M":true}}"#,
        trade.id,
        text(trade.price),
        text(trade.quantity),
        trade.buyer_is_maker
    )
}

/// Each trade is an aggregate of one: its number is the aggregate's, the first and the last.
pub(crate) fn agg_trade(ticker: &str, trade: &PublishedTrade, unit: TimeUnit) -> String {
    let (id, time) = (trade.id, unit.of(trade.time.timestamp_millis()));
    format!(
        r#"{{"e":"aggTrade","E":{time},"s":"{ticker}","a":{id},"p":"{}","q":"{}","f":{id},"l":{id},"T":{time},"m":{},"M":true}}"#,
        text(trade.price),
        text(trade.quantity),
        trade.buyer_is_maker
    )
}

pub(crate) fn mini_ticker(ticker: &str, day: &Kline, now_ms: i64, unit: TimeUnit) -> String {
    format!(
        r#"{{"e":"24hrMiniTicker","E":{},"s":"{ticker}","c":"{}","o":"{}","h":"{}","l":"{}","v":"{}","q":"{}"}}"#,
        unit.of(now_ms),
        text(day.close),
        text(day.open),
        text(day.high),
        text(day.low),
        text(day.volume),
        text(day.quote_volume)
    )
}

pub(crate) fn kline(
    ticker: &str,
    interval: Interval,
    kline: &Kline,
    closed: bool,
    now_ms: i64,
    unit: TimeUnit,
) -> String {
    format!(
        r#"{{"e":"kline","E":{},"s":"{ticker}","k":{{"t":{},"T":{},"s":"{ticker}","i":"{interval}","f":{},"L":{},"o":"{}","c":"{}","h":"{}","l":"{}","v":"{}","n":{},"x":{closed},"q":"{}","V":"{}","Q":"{}","B":"0"}}}}"#,
        unit.of(now_ms),
        unit.of(kline.open_time),
        unit.of(kline.close_time(interval)),
        kline.first_id,
        kline.last_id,
        text(kline.open),
        text(kline.close),
        text(kline.high),
        text(kline.low),
        text(kline.volume),
        kline.trades,
        text(kline.quote_volume),
        text(kline.taker_buy_volume),
        text(kline.taker_buy_quote_volume)
    )
}

pub(crate) fn server_shutdown(now_ms: i64, unit: TimeUnit) -> String {
    format!(r#"{{"e":"serverShutdown","E":{}}}"#, unit.of(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> PublishedTrade {
        PublishedTrade {
            id: 7,
            price: "64250.01".parse().unwrap(),
            quantity: "0.5".parse().unwrap(),
            time: "2026-11-20T12:00:00.123Z".parse().unwrap(),
            buyer_is_maker: true,
        }
    }

    #[test]
    fn numbers_have_eight_decimals_and_lose_nothing() {
        for (value, written) in [
            ("64250.01", "64250.01000000"),
            ("0.00001234", "0.00001234"),
            ("5", "5.00000000"),
            ("1.2300000000", "1.23000000"),
            ("0.123456789", "0.123456789"),
        ] {
            assert_eq!(text(value.parse().unwrap()), written);
        }
    }

    #[test]
    fn frames_are_written_as_binance_writes_them() {
        assert_eq!(
            trade("BTCUSDT", &example(), TimeUnit::Millisecond),
            r#"{"e":"trade","E":1795176000123,"s":"BTCUSDT","t":7,"p":"64250.01000000","q":"0.50000000","T":1795176000123,"m":true,"M":true}"#
        );
        assert_eq!(
            agg_trade("BTCUSDT", &example(), TimeUnit::Microsecond),
            r#"{"e":"aggTrade","E":1795176000123000,"s":"BTCUSDT","a":7,"p":"64250.01000000","q":"0.50000000","f":7,"l":7,"T":1795176000123000,"m":true,"M":true}"#
        );
    }

    #[test]
    fn every_frame_is_json() {
        let candle = Kline::of(0, &example());
        for frame in [
            trade("BTCUSDT", &example(), TimeUnit::Millisecond),
            agg_trade("币安人生USDT", &example(), TimeUnit::Millisecond),
            mini_ticker("BTCUSDT", &candle, 5, TimeUnit::Microsecond),
            kline("BTCUSDT", Interval::OneMinute, &candle, true, 5, TimeUnit::Millisecond),
            server_shutdown(5, TimeUnit::Millisecond),
        ] {
            let value: serde_json::Value = serde_json::from_str(&frame).unwrap();
            assert!(value["e"].is_string() && value["E"].is_i64(), "{frame}");
        }
    }
}
