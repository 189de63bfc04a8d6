//! Candles by REST.
//!
//! An answer holds the newest of what was asked for, however far back it was to begin; minutes without a trade have volume zero.
//! Neither the number of trades nor the quote volume is told.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ExchangeMinute;
use futures_util::{FutureExt as _, future::BoxFuture};
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::{
    Bitstamp,
    messages::{Candle, Candles},
};
use crate::{exchange::Minutes, rest::RestError};

/// How many candles one request may ask for.
const MOST: i64 = 1_000;
const MINUTE: i64 = 60;
const DAY: i64 = 86_400;
/// How many pages of days are asked for at most: it is not fifty years old.
const MOST_PAGES: usize = 20;

impl Bitstamp {
    /// Candles of a width that begin from one moment to another, both included, oldest first: the newest thousand of them. Moments are
    /// in seconds since 1970.
    async fn candles(&self, ticker: &str, width: i64, start: i64, end: i64) -> Result<Vec<Candle>, RestError> {
        let most = ((end - start) / width + 1).clamp(1, MOST);
        let (step, limit) = (width.to_string(), most.to_string());
        // Both bounds fit the limit, whichever of them counts.
        let (start, end) = ((end - (most - 1) * width).to_string(), end.to_string());
        let query = [("step", step.as_str()), ("limit", &limit), ("start", &start), ("end", &end)];
        let answer: Candles = self.ask_when_spare(&format!("/ohlc/{ticker}/"), &query).await?;
        let mut candles = answer.data.ohlc;
        candles.sort_by_key(|candle| candle.timestamp.0);
        Ok(candles)
    }

    /// The first day in which a pair was traded, in seconds since 1970.
    async fn first_day(&self, ticker: &str) -> Result<Option<i64>, RestError> {
        let mut end = Utc::now().timestamp() / DAY * DAY;
        let mut first = None;
        for _ in 0..MOST_PAGES {
            let start = end - (MOST - 1) * DAY;
            let days = self.candles(ticker, DAY, start, end).await?;
            let traded = days.iter().filter(|day| (start..=end).contains(&day.timestamp.0)).find(is_traded);
            match traded {
                Some(day) => first = Some(day.timestamp.0),
                None => break,
            }
            end = start - DAY;
        }
        Ok(first)
    }
}

fn is_traded(candle: &&Candle) -> bool {
    candle.volume.0 > Decimal::ZERO
}

/// A minute in which something was traded; `None` for any other, and when its time is none.
fn minute(candle: &Candle) -> Option<ExchangeMinute> {
    let open_time = DateTime::from_timestamp(candle.timestamp.0, 0)?;
    is_traded(&candle).then_some(ExchangeMinute {
        open_time,
        open: candle.open.0,
        high: candle.high.0,
        low: candle.low.0,
        close: candle.close.0,
        volume: candle.volume.0,
        quote_volume: Decimal::ZERO,
        trades: 0,
    })
}

impl Minutes for Bitstamp {
    fn minutes<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Vec<ExchangeMinute>, RestError>> {
        async move {
            let to = to.min(from + TimeDelta::minutes(MOST));
            let candles = self.candles(ticker, MINUTE, from.timestamp(), to.timestamp() - MINUTE).await?;
            let minutes = candles.iter().filter_map(minute);
            Ok(minutes.filter(|minute| (from..to).contains(&minute.open_time)).collect())
        }
        .boxed()
    }

    fn first<'a>(&'a self, ticker: &'a SmolStr) -> BoxFuture<'a, Result<Option<DateTime<Utc>>, RestError>> {
        async move {
            let Some(day) = self.first_day(ticker).await? else { return Ok(None) };
            let half = DAY / 2;
            for start in [day, day + half] {
                let candles = self.candles(ticker, MINUTE, start, start + half - MINUTE).await?;
                let first = candles.iter().filter_map(minute).find(|minute| minute.open_time.timestamp() >= start);
                if let Some(first) = first {
                    return Ok(Some(first.open_time));
                }
            }
            // It has a candle for the day and none for its minutes.
            Ok(DateTime::from_timestamp(day, 0))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_read_exactly_and_one_without_a_trade_is_none() {
        let text = r#"{"data":{"pair":"BTC/USD","ohlc":[
            {"timestamp":"1795176000","open":"10","high":"12.50","low":"9.5","close":"11","volume":"0.08549090"},
            {"timestamp":"1795176060","open":"11","high":"11","low":"11","close":"11","volume":"0.00000000"}]}}"#;
        let told: Candles = serde_json::from_str(text).unwrap();
        let minutes: Vec<_> = told.data.ohlc.iter().filter_map(minute).collect();
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        let [told] = &minutes[..] else { panic!("{minutes:?}") };
        assert_eq!(
            [told.open, told.high, told.low, told.close, told.volume],
            ["10", "12.5", "9.5", "11", "0.0854909"].map(decimal)
        );
        assert_eq!(told.open_time, "2026-11-20T12:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert!(told.is_sound());
    }
}
