//! What Kraken tells of the whole market.
//!
//! Its statistics are of the 24 hours that end now, as ours are. What changed hands in units of the quote is the average price by
//! volume times the volume. What a pair opened at is told by the stream alone, as the change since; by REST it is that of the day.

use chrono::{DateTime, TimeDelta, Utc};
use domain::MarketRow;
use rust_decimal::Decimal;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::{
    messages::{Ticker, TickerInfo},
    parse,
};
use crate::{
    exchange::{Found, Frame, UnreadableFrame},
    wire,
};

/// The channel that carries it: of each pair, when it is traded.
pub(super) const CHANNEL: &str = "ticker";

/// Reads one message.
pub(super) fn frame(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    if !text.starts_with(r#"{"channel":"ticker","#) {
        // Answers and notices are the same on every channel.
        let frame = parse::frame(text, received_at, found)?;
        if frame != Frame::Other("ticker") {
            return Ok(frame);
        }
    }
    parse::each(text, |one| {
        found.rows.extend(ticker(one, received_at)?);
        Ok(())
    })?;
    Ok(Frame::Market)
}

/// `None` of a pair of which nothing was traded in the 24 hours that end now: of each that is subscribed the last word is told
/// first, however old it is.
fn ticker(ticker: &RawValue, received_at: DateTime<Utc>) -> Result<Option<MarketRow>, UnreadableFrame> {
    let ticker: Ticker<'_> = serde_json::from_str(ticker.get())?;
    let exchange_time = ticker.timestamp.map(|time| wire::from_rfc3339("timestamp", &time)).transpose()?;
    let (last, volume) = (ticker.last.0, ticker.volume.0);
    let is_news = !last.is_zero()
        && !volume.is_some_and(|volume| volume.is_zero())
        && exchange_time.is_none_or(|exchange_time| received_at - exchange_time <= TimeDelta::days(1));
    let open = ticker.change.0.and_then(|change| last.checked_sub(change));
    Ok(is_news.then(|| MarketRow {
        ticker: ticker.symbol.into(),
        price: last,
        open_24h: open.filter(|open| *open > Decimal::ZERO).map(|open| open.normalize()),
        high_24h: ticker.high.positive(),
        low_24h: ticker.low.positive(),
        volume_24h: volume,
        quote_volume_24h: volume.zip(ticker.vwap.0).and_then(quote_volume),
        exchange_time,
        received_at,
    }))
}

/// A pair of `Ticker`; `None` for one of which nothing was traded in the 24 hours.
pub(super) fn row(ticker: SmolStr, info: &TickerInfo, received_at: DateTime<Utc>) -> Option<MarketRow> {
    let (last, volume) = (info.last.0.0, info.volume.1.0);
    (info.trades.1.0 > 0 && !last.is_zero()).then(|| MarketRow {
        ticker,
        price: last,
        open_24h: None,
        high_24h: info.high.1.positive(),
        low_24h: info.low.1.positive(),
        volume_24h: Some(volume),
        quote_volume_24h: quote_volume((volume, info.average_price.1.0)),
        exchange_time: None,
        received_at,
    })
}

/// What changed hands in units of the quote.
pub(super) fn quote_volume((volume, average_price): (Decimal, Decimal)) -> Option<Decimal> {
    volume.checked_mul(average_price).map(|product| product.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITCOIN: &str = r#"{"symbol":"BTC/USD","bid":64250.0,"bid_qty":2.5,"ask":64250.1,"ask_qty":3.2,"last":64250.01,"volume":12.50000000,"vwap":64250.01000,"low":63000.0,"high":65000.5,"change":250.01,"change_pct":0.39,"timestamp":"2026-11-20T12:00:00.123456Z"}"#;

    fn received_at() -> DateTime<Utc> {
        "2026-11-20T12:00:00.200Z".parse().unwrap()
    }

    fn read(text: &str) -> (Result<Frame, UnreadableFrame>, Vec<MarketRow>) {
        let mut found = Found::default();
        (frame(text, received_at(), &mut found), found.rows)
    }

    fn told(parts: &str) -> String {
        format!(r#"{{"channel":"ticker","type":"snapshot","data":[{parts}]}}"#)
    }

    fn bitcoin() -> MarketRow {
        let decimal = |text: &str| Some(text.parse().unwrap());
        MarketRow {
            ticker: "BTC/USD".into(),
            price: "64250.01".parse().unwrap(),
            open_24h: decimal("64000"),
            high_24h: decimal("65000.5"),
            low_24h: decimal("63000"),
            volume_24h: decimal("12.5"),
            quote_volume_24h: decimal("803125.125"),
            exchange_time: Some("2026-11-20T12:00:00.123456Z".parse().unwrap()),
            received_at: received_at(),
        }
    }

    #[test]
    fn pairs_are_read_exactly_and_one_that_cannot_be_costs_none_of_the_others() {
        assert_eq!(read(&told(BITCOIN)), (Ok(Frame::Market), vec![bitcoin()]));
        assert_eq!(bitcoin().check(), Ok(()));
        assert_eq!(read(&told(BITCOIN).replace("\":", "\": ")), (Ok(Frame::Market), vec![bitcoin()]));
        let broken = BITCOIN.replace("64250.01,", "true,");
        let (frame, rows) = read(&told(&format!("{broken},{BITCOIN}")));
        assert!(frame.unwrap_err().to_string().contains("a decimal number"));
        assert_eq!(rows, [bitcoin()]);
    }

    #[test]
    fn what_is_not_told_is_absent_and_what_was_not_traded_is_no_news() {
        let old = BITCOIN.replace("2026-11-20", "2026-11-18");
        let untraded = BITCOIN.replace("12.50000000", "0.00000000");
        assert_eq!(read(&told(&format!("{old},{untraded}"))), (Ok(Frame::Market), vec![]));
        let fallen = BITCOIN.replace("250.01,\"change_pct", "-250.01,\"change_pct");
        assert_eq!(read(&told(&fallen)).1[0].open_24h, Some("64500.02".parse().unwrap()));
        let (_, rows) = read(&told(r#"{"symbol":"BTC/USD","last":1}"#));
        assert_eq!((rows[0].open_24h, rows[0].quote_volume_24h, rows[0].time()), (None, None, received_at()));
    }

    #[test]
    fn answers_and_notices_are_told_apart_here_too() {
        assert_eq!(read(r#"{"method":"subscribe","success":true}"#).0, Ok(Frame::Acknowledged));
        assert_eq!(read(r#"{"channel":"heartbeat"}"#).0, Ok(Frame::Other("heartbeat")));
        assert!(matches!(read(r#"{"success":false,"error":"no"}"#).0, Ok(Frame::Refused(_))));
    }

    #[test]
    fn by_rest_it_is_the_same_but_for_what_it_opened_at() {
        let json = r#"{"a":["1","1","1"],"b":["1","1","1"],"c":["64250.01","0.01"],"v":["1.5","12.5"],"p":["1","64250.01"],"t":[10,76],"l":["1","63000"],"h":["1","65000.5"],"o":"63999"}"#;
        let read = |json: &str| row("BTC/USD".into(), &serde_json::from_str(json).unwrap(), received_at());
        assert_eq!(read(json), Some(MarketRow { open_24h: None, exchange_time: None, ..bitcoin() }));
        assert_eq!(read(&json.replace("[10,76]", "[0,0]")), None);
    }
}
