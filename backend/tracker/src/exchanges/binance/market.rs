//! What Binance's messages about the whole market mean.
//!
//! Its statistics are of the 24 hours that end now, as ours are. Where it has no price it writes zero.

use chrono::{DateTime, TimeDelta, Utc};
use domain::MarketRow;
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::{
    messages::{Combined, DayStatistics, MiniTicker},
    parse,
};
use crate::exchange::{Found, Frame, UnreadableFrame};

/// The stream that carries it.
pub(super) const STREAM: &str = "!miniTicker@arr";

/// Reads one message.
pub(super) fn frame(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    let events: Vec<&RawValue> = if text.starts_with(r#"{"stream":"!miniTicker@arr""#) {
        serde_json::from_str::<Combined<'_, Vec<&RawValue>>>(text)?.data
    } else if text.starts_with('[') {
        serde_json::from_str(text)?
    } else {
        // Answers and notices are the same on every stream.
        return parse::frame(text, received_at, found);
    };
    let mut unreadable = None;
    for event in events {
        match mini_ticker(event.get(), received_at) {
            Ok(row) => found.rows.push(row),
            // One pair's mistake is not the market's.
            Err(error) => unreadable = Some(error),
        }
    }
    unreadable.map_or(Ok(Frame::Market), Err)
}

fn mini_ticker(event: &str, received_at: DateTime<Utc>) -> Result<MarketRow, UnreadableFrame> {
    let event: MiniTicker<'_> = serde_json::from_str(event)?;
    if event.event != "24hrMiniTicker" {
        return Err(UnreadableFrame { reason: format!("event {:?} on the stream of the market", event.event) });
    }
    let exchange_time = DateTime::from_timestamp_millis(event.time_ms)
        .ok_or_else(|| UnreadableFrame { reason: format!("E {} is no time", event.time_ms) })?;
    Ok(MarketRow {
        ticker: event.symbol.into(),
        price: event.last_price,
        open_24h: told(event.open_price),
        high_24h: told(event.high_price),
        low_24h: told(event.low_price),
        volume_24h: Some(event.volume),
        quote_volume_24h: Some(event.quote_volume),
        exchange_time: Some(exchange_time),
        received_at,
    })
}

/// One pair of `ticker/24hr`; `None` for one of which nothing was traded in the 24 hours that end now: pairs that do not trade any
/// more keep the statistics of their last day.
pub(super) fn row(day: DayStatistics, received_at: DateTime<Utc>) -> Option<MarketRow> {
    let exchange_time = DateTime::from_timestamp_millis(day.close_time)?;
    let is_news = !day.last_price.is_zero() && received_at - exchange_time <= TimeDelta::days(1);
    is_news.then_some(MarketRow {
        ticker: day.symbol,
        price: day.last_price,
        open_24h: told(day.open_price),
        high_24h: told(day.high_price),
        low_24h: told(day.low_price),
        volume_24h: Some(day.volume),
        quote_volume_24h: Some(day.quote_volume),
        exchange_time: Some(exchange_time),
        received_at,
    })
}

fn told(price: Decimal) -> Option<Decimal> {
    (!price.is_zero()).then_some(price)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITCOIN: &str = r#"{"e":"24hrMiniTicker","E":1795176000123,"s":"BTCUSDT","c":"64250.01000000","o":"64000.00000000","h":"65000.50000000","l":"63000.00000000","v":"12.50000000","q":"803125.12500000"}"#;

    fn received_at() -> DateTime<Utc> {
        "2026-11-20T12:00:00.200Z".parse().unwrap()
    }

    fn read(text: &str) -> (Result<Frame, UnreadableFrame>, Vec<MarketRow>) {
        let mut found = Found::default();
        (frame(text, received_at(), &mut found), found.rows)
    }

    fn bitcoin() -> MarketRow {
        let decimal = |text: &str| Some(text.parse().unwrap());
        MarketRow {
            ticker: "BTCUSDT".into(),
            price: "64250.01".parse().unwrap(),
            open_24h: decimal("64000"),
            high_24h: decimal("65000.5"),
            low_24h: decimal("63000"),
            volume_24h: decimal("12.5"),
            quote_volume_24h: decimal("803125.125"),
            exchange_time: Some("2026-11-20T12:00:00.123Z".parse().unwrap()),
            received_at: received_at(),
        }
    }

    #[test]
    fn the_market_is_read_exactly_alone_and_combined() {
        let other = BITCOIN.replace("BTCUSDT", "币安人生USDT");
        let array = format!("[{BITCOIN},{other}]");
        for text in [array.clone(), format!(r#"{{"stream":"!miniTicker@arr","data":{array}}}"#)] {
            let (frame, rows) = read(&text);
            assert_eq!(frame, Ok(Frame::Market));
            assert_eq!(rows, [bitcoin(), MarketRow { ticker: "币安人生USDT".into(), ..bitcoin() }]);
        }
    }

    #[test]
    fn one_pair_that_cannot_be_read_costs_none_of_the_others() {
        let broken = BITCOIN.replace(r#""64250.01000000""#, "64250.01");
        let (frame, rows) = read(&format!("[{broken},{BITCOIN}]"));
        assert!(frame.unwrap_err().to_string().contains("a decimal number as a string"));
        assert_eq!(rows, [bitcoin()]);
        for (text, said) in [
            (format!("[{}]", BITCOIN.replace("24hrMiniTicker", "moonPhase")), "moonPhase"),
            (format!("[{}]", BITCOIN.replace("1795176000123", "9223372036854775807")), "no time"),
            (r#"{"stream":"!miniTicker@arr","data":{}}"#.to_owned(), "expected a sequence"),
        ] {
            let (frame, rows) = read(&text);
            assert!(frame.as_ref().unwrap_err().to_string().contains(said), "{text}: {frame:?}");
            assert_eq!(rows, []);
        }
    }

    #[test]
    fn answers_and_notices_are_told_apart_here_too() {
        assert_eq!(read(r#"{"result":null,"id":1}"#).0, Ok(Frame::Acknowledged));
        assert_eq!(read(r#"{"e":"serverShutdown","E":1795176000140}"#).0, Ok(Frame::Closing));
        assert!(matches!(read(r#"{"error":{"code":2,"msg":"Invalid request"},"id":1}"#).0, Ok(Frame::Refused(_))));
    }

    #[test]
    fn a_pair_that_does_not_trade_any_more_is_no_news() {
        let day = |last: &str, close_time: i64| DayStatistics {
            symbol: "BTCUSDT".into(),
            last_price: last.parse().unwrap(),
            open_price: Decimal::ZERO,
            high_price: Decimal::ONE,
            low_price: Decimal::ONE,
            volume: Decimal::ZERO,
            quote_volume: Decimal::ZERO,
            close_time,
        };
        let now = received_at().timestamp_millis();
        let told = row(day("1", now - 1_000), received_at()).unwrap();
        assert_eq!((told.open_24h, told.high_24h, told.check()), (None, Some(Decimal::ONE), Ok(())));
        assert_eq!(row(day("0", now), received_at()), None);
        assert_eq!(row(day("1", now - 86_400_001), received_at()), None);
    }
}
