//! What Bitfinex tells of its whole market.
//!
//! Its statistics are of the 24 hours that end now. It tells how far the last price is from the one 24 hours ago, and neither the
//! quote volume nor a time.

use chrono::{DateTime, Utc};
use domain::{MarketRow, Tick};
use futures_util::{FutureExt as _, future::BoxFuture};
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::{Bitfinex, listed, messages::List};
use crate::{
    exchange::{Exchange as _, Market, Reader, StreamRequest},
    rest::RestError,
    wire::Perhaps,
};

/// Asks for all pairs.
pub(super) const ALL: &str = "ALL";

impl Market for Bitfinex {
    /// None: a channel for each pair would need many connections, while one question is answered for all.
    fn connections(&self, _: &[domain::Instrument]) -> Vec<StreamRequest> {
        Vec::new()
    }

    fn news_reader(&self) -> Box<dyn Reader> {
        self.reader()
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<MarketRow>, RestError>> {
        self.day().boxed()
    }
}

/// `["tBTCUSD",BID,BID_SIZE,ASK,ASK_SIZE,DAILY_CHANGE,DAILY_CHANGE_RELATIVE,LAST_PRICE,VOLUME,HIGH,LOW]`; of currencies that
/// are lent, whose names begin with f, another list.
struct Day {
    ticker: SmolStr,
    change: Option<Decimal>,
    last: Decimal,
    volume: Option<Decimal>,
    high: Option<Decimal>,
    low: Option<Decimal>,
}

impl Day {
    /// `None` for anything but a spot pair that has a price.
    fn parse(text: &str) -> Option<Self> {
        let list = List::parse(text).ok()?;
        let symbol: String = list.get(0, "SYMBOL").ok()?;
        let ticker = symbol.strip_prefix('t').filter(|ticker| listed::spot(ticker).is_some())?;
        let number = |place, name| list.get::<Perhaps>(place, name).ok();
        Some(Self {
            ticker: ticker.into(),
            change: number(5, "DAILY_CHANGE")?.0,
            last: number(7, "LAST_PRICE")?.positive()?,
            volume: number(8, "VOLUME")?.0,
            high: number(9, "HIGH")?.positive(),
            low: number(10, "LOW")?.positive(),
        })
    }
}

/// One pair; `None` for one of which nothing was traded in 24 hours.
pub(super) fn row(text: &str, received_at: DateTime<Utc>) -> Option<MarketRow> {
    let day = Day::parse(text)?;
    let open = day.change.and_then(|change| day.last.checked_sub(change));
    day.volume.is_some_and(|volume| volume > Decimal::ZERO).then_some(MarketRow {
        ticker: day.ticker,
        price: day.last,
        open_24h: open.filter(|open| *open > Decimal::ZERO),
        high_24h: day.high,
        low_24h: day.low,
        volume_24h: day.volume,
        quote_volume_24h: None,
        exchange_time: None,
        received_at,
    })
}

/// The last price of one pair.
pub(super) fn price(text: &str, received_at: DateTime<Utc>) -> Option<Tick> {
    let day = Day::parse(text)?;
    Some(Tick {
        ticker: day.ticker,
        trade_id: None,
        price: day.last,
        quantity: None,
        taker_side: None,
        exchange_time: None,
        received_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITCOIN: &str = r#"["tBTCUSD",64250,20.5,64251,18.1,-1292.5,-0.0197,64250.01,12.5,65000.5,63000,"new"]"#;

    fn received_at() -> DateTime<Utc> {
        "2026-11-20T12:00:00.200Z".parse().unwrap()
    }

    #[test]
    fn a_day_is_read_exactly_and_its_open_from_the_change() {
        let decimal = |text: &str| Some(text.parse().unwrap());
        let told = row(BITCOIN, received_at()).unwrap();
        assert_eq!(
            told,
            MarketRow {
                ticker: "BTCUSD".into(),
                price: "64250.01".parse().unwrap(),
                open_24h: decimal("65542.51"),
                high_24h: decimal("65000.5"),
                low_24h: decimal("63000"),
                volume_24h: decimal("12.5"),
                quote_volume_24h: None,
                exchange_time: None,
                received_at: received_at(),
            }
        );
        assert_eq!(told.check(), Ok(()));
        let odd = row(&BITCOIN.replace("-1292.5", "null").replace("64250.01", "4.9e-7"), received_at()).unwrap();
        assert_eq!((odd.price, odd.open_24h), ("0.00000049".parse().unwrap(), None));
    }

    #[test]
    fn what_is_no_spot_pair_or_was_not_traded_is_left_out() {
        for text in [
            &BITCOIN.replace("12.5,", "0,"),
            &BITCOIN.replace("64250.01", "null"),
            &BITCOIN.replace("tBTCUSD", "tBTCF0:USTF0"),
            &BITCOIN.replace("tBTCUSD", "tTESTBTC:TESTUSD"),
            r#"["fUSD",0.0003,0.0002,30,1,0.0004,2,1,0,0,0.0003,1,0.0004,0.0001,null,null,1]"#,
            r#"["tBTCUSD",1]"#,
            "{}",
        ] {
            assert_eq!(row(text, received_at()), None, "{text}");
        }
        let quiet = price(&BITCOIN.replace("12.5,", "0,"), received_at()).unwrap();
        assert_eq!((quiet.ticker.as_str(), quiet.check()), ("BTCUSD", Ok(())));
    }
}
