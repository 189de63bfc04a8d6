//! What Bybit tells of the whole market.
//!
//! It is asked for by REST, all of it at once. The topic `tickers` says the same, up to twenty times a second of every pair,
//! and must be asked for ten pairs at a time.

use chrono::{DateTime, Utc};
use domain::MarketRow;

use super::messages::Ticker;

/// One pair; `None` for one of which nothing was traded in the 24 hours that end now. `prevPrice24h` is the price 24 hours ago. A
/// row has no time of its own: it is as of the answer.
pub(super) fn row(ticker: Ticker, as_of: Option<DateTime<Utc>>, received_at: DateTime<Utc>) -> Option<MarketRow> {
    let is_news = ticker.volume24h.0.is_none_or(|volume| !volume.is_zero());
    let price = ticker.last_price.positive().filter(|_| is_news)?;
    Some(MarketRow {
        ticker: ticker.symbol,
        price,
        open_24h: ticker.prev_price24h.positive(),
        high_24h: ticker.high_price24h.positive(),
        low_24h: ticker.low_price24h.positive(),
        volume_24h: ticker.volume24h.0,
        quote_volume_24h: ticker.turnover24h.0,
        exchange_time: as_of,
        received_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKER: &str = r#"{"symbol":"BTCUSDT","bid1Price":"64250","ask1Price":"64250.1","lastPrice":"64250.01","prevPrice24h":"64000","price24hPcnt":"0.0039","highPrice24h":"65000.5","lowPrice24h":"63000","turnover24h":"803125.125","volume24h":"12.50","usdIndexPrice":"64251.3"}"#;

    fn read(text: &str) -> Option<MarketRow> {
        let as_of = Some("2026-11-20T12:00:00.123Z".parse().unwrap());
        row(serde_json::from_str(text).unwrap(), as_of, "2026-11-20T12:00:00.200Z".parse().unwrap())
    }

    #[test]
    fn a_pair_is_read_exactly() {
        let decimal = |text: &str| Some(text.parse().unwrap());
        let expected = MarketRow {
            ticker: "BTCUSDT".into(),
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
        assert_eq!(read(&TICKER.replace(r#""lastPrice":"64250.01""#, r#""lastPrice":"""#)), None);
        assert_eq!(read(&TICKER.replace(r#""volume24h":"12.50""#, r#""volume24h":"0""#)), None);
    }
}
