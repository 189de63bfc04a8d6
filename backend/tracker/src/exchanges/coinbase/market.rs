//! What Coinbase tells of the whole market.
//!
//! Its statistics are of the 24 hours that end now, as ours are; what changed hands it tells in units of the base alone.

use chrono::{DateTime, TimeDelta, Utc};
use domain::MarketRow;
use smol_str::SmolStr;

use super::{
    messages::{Statistics, Ticker},
    parse,
};
use crate::{
    exchange::{Found, Frame, UnreadableFrame},
    wire,
};

/// The channel that carries it: of each product that was traded, every five seconds.
pub(super) const CHANNEL: &str = "ticker_batch";

/// Reads one message.
pub(super) fn frame(text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
    let frame = if text.starts_with(r#"{"type":"ticker""#) {
        Frame::Other("ticker")
    } else {
        // Answers and notices are the same on every channel.
        parse::frame(text, received_at, found)?
    };
    if frame != Frame::Other("ticker") {
        return Ok(frame);
    }
    found.rows.extend(ticker(text, received_at)?);
    Ok(Frame::Market)
}

/// `None` of a product of which nothing was traded in the 24 hours that end now: of each that is subscribed the last word is
/// told first, however old it is.
fn ticker(text: &str, received_at: DateTime<Utc>) -> Result<Option<MarketRow>, UnreadableFrame> {
    let ticker: Ticker<'_> = serde_json::from_str(text)?;
    let exchange_time = ticker.time.map(|time| wire::from_rfc3339("time", &time)).transpose()?;
    let is_news = !ticker.price.0.is_zero()
        && exchange_time.is_none_or(|exchange_time| received_at - exchange_time <= TimeDelta::days(1));
    Ok(is_news.then(|| MarketRow {
        ticker: ticker.product_id.into(),
        price: ticker.price.0,
        open_24h: ticker.open_24h.positive(),
        high_24h: ticker.high_24h.positive(),
        low_24h: ticker.low_24h.positive(),
        volume_24h: ticker.volume_24h.0,
        quote_volume_24h: None,
        exchange_time,
        received_at,
    }))
}

/// A product of `/products/stats`; `None` for one of which nothing was traded in the 24 hours.
pub(super) fn row(ticker: SmolStr, statistics: Statistics, received_at: DateTime<Utc>) -> Option<MarketRow> {
    let day = statistics.day?;
    let volume = day.volume.positive()?;
    Some(MarketRow {
        ticker,
        price: day.last.positive()?,
        open_24h: day.open.positive(),
        high_24h: day.high.positive(),
        low_24h: day.low.positive(),
        volume_24h: Some(volume),
        quote_volume_24h: None,
        exchange_time: None,
        received_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITCOIN: &str = r#"{"type":"ticker","sequence":37475248783,"product_id":"BTC-USD","price":"64250.01","open_24h":"64000","volume_24h":"12.50000000","low_24h":"63000","high_24h":"65000.5","volume_30d":"9788783.60117027","best_bid":"64250","best_bid_size":"0.46688654","best_ask":"64250.01","best_ask_size":"1.56637040","side":"buy","time":"2026-11-20T12:00:00.123456Z","trade_id":370843401,"last_size":"11.4396987"}"#;

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
            ticker: "BTC-USD".into(),
            price: "64250.01".parse().unwrap(),
            open_24h: decimal("64000"),
            high_24h: decimal("65000.5"),
            low_24h: decimal("63000"),
            volume_24h: decimal("12.5"),
            quote_volume_24h: None,
            exchange_time: Some("2026-11-20T12:00:00.123456Z".parse().unwrap()),
            received_at: received_at(),
        }
    }

    #[test]
    fn a_product_is_read_exactly_and_an_old_word_is_no_news() {
        assert_eq!(read(BITCOIN), (Ok(Frame::Market), vec![bitcoin()]));
        assert_eq!(bitcoin().check(), Ok(()));
        assert_eq!(read(&BITCOIN.replace("\":", "\": ")), (Ok(Frame::Market), vec![bitcoin()]));
        assert_eq!(read(&BITCOIN.replace("2026-11-20", "2026-11-18")), (Ok(Frame::Market), vec![]));
        let (_, rows) = read(&BITCOIN.replace("\"64000\"", "\"0\"").replace("\"63000\"", "\"\""));
        assert_eq!(rows, [MarketRow { open_24h: None, low_24h: None, ..bitcoin() }]);
    }

    #[test]
    fn answers_and_notices_are_told_apart_here_too() {
        assert_eq!(read(r#"{"type":"subscriptions","channels":[]}"#).0, Ok(Frame::Acknowledged));
        assert!(matches!(read(r#"{"type":"error","message":"no"}"#).0, Ok(Frame::Refused(_))));
        assert!(read(&BITCOIN.replace("\"64250.01\",\"open", "null,\"open")).0.is_err());
        assert!(
            read(&BITCOIN.replace("2026-11-20T12:00:00.123456Z", "noon")).0.unwrap_err().to_string().contains("noon")
        );
    }

    #[test]
    fn all_statistics_are_read_and_products_that_were_not_traded_left_out() {
        let read = |json: &str| row("BTC-USD".into(), serde_json::from_str(json).unwrap(), received_at());
        let told = r#"{"stats_30day":{"volume":"31.5"},"stats_24hour":{"open":"64000","high":"65000.5","low":"63000","volume":"12.5","last":"64250.01"}}"#;
        assert_eq!(read(told), Some(MarketRow { exchange_time: None, ..bitcoin() }));
        for untraded in ["{}", r#"{"stats_24hour":null}"#, r#"{"stats_24hour":{}}"#, &told.replace("12.5", "0")] {
            assert_eq!(read(untraded), None, "{untraded}");
        }
    }
}
