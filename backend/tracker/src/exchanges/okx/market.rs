//! What OKX tells of the whole market.
//!
//! It is asked for by REST, all of it at once. The channel `tickers` says the same, but speaks with every change of the best
//! bid and ask, up to ten times a second of every pair: a hundred times the data for nothing that is kept here.

use chrono::{DateTime, TimeDelta, Utc};
use domain::MarketRow;

use super::messages::Ticker;

/// One pair; `None` for one of which nothing was traded in the 24 hours that end now. On spot `vol24h` counts the base and
/// `volCcy24h` the quote; `open24h` is the price 24 hours ago.
pub(super) fn row(ticker: Ticker, received_at: DateTime<Utc>) -> Option<MarketRow> {
    let exchange_time = DateTime::from_timestamp_millis(ticker.ts.0)?;
    let is_news =
        received_at - exchange_time <= TimeDelta::days(1) && ticker.volume_24h.0.is_none_or(|volume| !volume.is_zero());
    let price = ticker.last.positive().filter(|_| is_news)?;
    Some(MarketRow {
        ticker: ticker.inst_id,
        price,
        open_24h: ticker.open_24h.positive(),
        high_24h: ticker.high_24h.positive(),
        low_24h: ticker.low_24h.positive(),
        volume_24h: ticker.volume_24h.0,
        quote_volume_24h: ticker.quote_volume_24h.0,
        exchange_time: Some(exchange_time),
        received_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKER: &str = r#"{"instType":"SPOT","instId":"BTC-USDT","last":"64250.01","lastSz":"0.1","askPx":"64250.1","bidPx":"64250","open24h":"64000","high24h":"65000.5","low24h":"63000","volCcy24h":"803125.125","vol24h":"12.50","sodUtc0":"64100","ts":"1795176000123"}"#;

    fn read(text: &str) -> Option<MarketRow> {
        row(serde_json::from_str(text).unwrap(), "2026-11-20T12:00:00.200Z".parse().unwrap())
    }

    #[test]
    fn a_pair_is_read_exactly() {
        let decimal = |text: &str| Some(text.parse().unwrap());
        let expected = MarketRow {
            ticker: "BTC-USDT".into(),
            price: "64250.01".parse().unwrap(),
            open_24h: decimal("64000"),
            high_24h: decimal("65000.5"),
            low_24h: decimal("63000"),
            volume_24h: decimal("12.5"),
            quote_volume_24h: decimal("803125.125"),
            exchange_time: Some("2026-11-20T12:00:00.123Z".parse().unwrap()),
            received_at: "2026-11-20T12:00:00.200Z".parse().unwrap(),
        };
        assert_eq!(read(TICKER), Some(expected.clone()));
        assert_eq!(expected.check(), Ok(()));
        let untold = read(&TICKER.replace(r#""64000""#, r#""""#)).unwrap();
        assert_eq!(untold, MarketRow { open_24h: None, ..expected });
    }

    #[test]
    fn a_pair_that_does_not_trade_is_no_news() {
        for (from, to) in [
            (r#""last":"64250.01""#, r#""last":"""#),
            (r#""vol24h":"12.50""#, r#""vol24h":"0""#),
            ("1795176000123", "1795000000000"),
            ("1795176000123", "9223372036854775807"),
        ] {
            assert_eq!(read(&TICKER.replace(from, to)), None, "{to}");
        }
    }
}
