//! What Bitstamp tells of its whole market.
//!
//! Its statistics are of the 24 hours that end now; of its two opens, `open_24` is the price 24 hours ago. The quote volume is the
//! volume at its average price, as exact as that is told.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use domain::{Instrument, MarketRow, Tick};
use futures_util::{FutureExt as _, future::BoxFuture};
use rust_decimal::Decimal;

use super::{Bitstamp, TICKERS, messages::Day, parse};
use crate::{
    exchange::{Exchange as _, Market, Reader, StreamRequest},
    rest::RestError,
};

impl Market for Bitstamp {
    /// None: no channel carries it.
    fn connections(&self, _: &[Instrument]) -> Vec<StreamRequest> {
        Vec::new()
    }

    fn news_reader(&self) -> Box<dyn Reader> {
        self.reader()
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<MarketRow>, RestError>> {
        async {
            let days: Vec<Day> = self.rest.readable(&self.ask_when_spare::<Vec<_>>(TICKERS, &[]).await?)?;
            let received_at = Utc::now().trunc_subsecs(6);
            Ok(days.iter().filter_map(|day| row(day, received_at)).collect())
        }
        .boxed()
    }
}

/// One pair; `None` for derivatives, and for one of which nothing was traded in the 24 hours that end now.
fn row(day: &Day, received_at: DateTime<Utc>) -> Option<MarketRow> {
    let exchange_time = DateTime::from_timestamp(day.timestamp.0, 0)?;
    let volume = day.volume.positive()?;
    let is_news = received_at - exchange_time <= TimeDelta::days(1) && volume > Decimal::ZERO;
    Some(MarketRow {
        ticker: parse::ticker(&day.pair).filter(|_| is_news)?,
        price: day.last.positive()?,
        open_24h: day.open_24.positive(),
        high_24h: day.high.positive(),
        low_24h: day.low.positive(),
        volume_24h: Some(volume),
        quote_volume_24h: day
            .vwap
            .positive()
            .and_then(|average| average.checked_mul(volume))
            .map(|sum| sum.normalize()),
        exchange_time: Some(exchange_time),
        received_at,
    })
}

/// The last price of one pair.
pub(super) fn price(day: &Day, received_at: DateTime<Utc>) -> Option<Tick> {
    Some(Tick {
        ticker: parse::ticker(&day.pair)?,
        trade_id: None,
        price: day.last.positive()?,
        quantity: None,
        taker_side: None,
        exchange_time: None,
        received_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITCOIN: &str = r#"{"pair":"BTC/USD","timestamp":"1795176000","open":"2100","high":"2811.00","low":"2188.97","last":"2211.00","volume":"213.26801100","vwap":"2189.80","bid":"2188.97","ask":"2211.00","side":"0","open_24":"2000.50","percent_change_24":"10.52"}"#;

    fn received_at() -> DateTime<Utc> {
        "2026-11-20T12:00:00.200Z".parse().unwrap()
    }

    fn read(text: &str) -> Option<MarketRow> {
        row(&serde_json::from_str(text).unwrap(), received_at())
    }

    #[test]
    fn a_day_is_read_exactly() {
        let decimal = |text: &str| Some(text.parse().unwrap());
        let told = read(BITCOIN).unwrap();
        assert_eq!(
            told,
            MarketRow {
                ticker: "btcusd".into(),
                price: "2211".parse().unwrap(),
                open_24h: decimal("2000.5"),
                high_24h: decimal("2811"),
                low_24h: decimal("2188.97"),
                volume_24h: decimal("213.268011"),
                quote_volume_24h: decimal("467014.2904878"),
                exchange_time: Some("2026-11-20T12:00:00Z".parse().unwrap()),
                received_at: received_at(),
            }
        );
        assert_eq!(told.check(), Ok(()));
        let untold =
            read(r#"{"pair":"BTC/USD","timestamp":"1795176000","last":2211,"volume":1,"open_24":null}"#).unwrap();
        assert_eq!((untold.open_24h, untold.quote_volume_24h, untold.check()), (None, None, Ok(())));
    }

    #[test]
    fn what_is_no_spot_pair_or_was_not_traded_is_left_out() {
        for text in [
            BITCOIN.replace("213.26801100", "0.00000000"),
            BITCOIN.replace("1795176000", "1795000000"),
            BITCOIN.replace("\"2211.00\",\"volume", "\"\",\"volume"),
            BITCOIN.replace("BTC/USD", "BTC/USD-PERP"),
        ] {
            assert_eq!(read(&text), None, "{text}");
        }
        let quiet = serde_json::from_str(&BITCOIN.replace("213.26801100", "0")).unwrap();
        assert_eq!(price(&quiet, received_at()).unwrap().check(), Ok(()));
    }
}
