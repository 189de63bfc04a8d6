//! What Kraken tells of the past: trades from a moment on, the minutes of the last twelve hours.
//!
//! Trades are asked for by time, and numbered. So it is remembered where a page ended: the next of the same hole begins there. A page
//! is believed to hold what follows a number only when it shows that number or an earlier one.

use std::{collections::HashMap, sync::PoisonError};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use domain::{ExchangeMinute, Tick};
use futures_util::{FutureExt as _, future::BoxFuture};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use serde::de::DeserializeOwned;
use smol_str::SmolStr;

use super::{
    Kraken, market,
    messages::{Candle, OfOnePair, PastTrade},
};
use crate::{
    exchange::{History, Minutes},
    rest::RestError,
    wire,
};

/// How many trades one answer holds at most.
const MOST_TRADES: &str = "1000";
/// How many answers are gone through in search of a number.
const MOST_ANSWERS: usize = 5;
/// How far before the earlier trade the search begins: a moment, since it may be of the same one; farther where that shows no earlier
/// trade.
const BACK: [TimeDelta; 3] = [TimeDelta::milliseconds(1), TimeDelta::seconds(10), TimeDelta::minutes(10)];
/// So many ends of pages are remembered.
const MOST_ENDS: usize = 1_000;
/// How many minutes there are, the one that is not over among them.
const MOST_MINUTES: i64 = 720;
/// How far back minutes are told, with some time left for asking.
const REACH: TimeDelta = TimeDelta::minutes(MOST_MINUTES - 15);

/// Where pages ended: of a pair, the number that follows, and from which nanosecond since 1970 on it is found.
pub(super) type Ends = HashMap<(SmolStr, i64), i64>;

/// Trades in the order of their numbers, and from where to go on.
struct Page {
    trades: Vec<PastTrade>,
    next: Option<i64>,
}

impl Kraken {
    /// Trades from a moment on, in nanoseconds since 1970; the newest where none is named.
    async fn page(&self, name: &str, since: Option<i64>) -> Result<Page, RestError> {
        let since = since.map(|since| since.to_string());
        let mut query = vec![("pair", name)];
        if let Some(since) = &since {
            query.extend([("since", since.as_str()), ("count", MOST_TRADES)]);
        }
        let (mut trades, next): (Vec<PastTrade>, _) = self.of_one_pair("/0/public/Trades", &query).await?;
        trades.sort_by_key(|trade| trade.6.0);
        Ok(Page { trades, next })
    }

    /// What an answer tells of the one pair that was asked about, whatever it calls it, and where to go on.
    async fn of_one_pair<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<(T, Option<i64>), RestError> {
        let unreadable = |error: serde_json::Error| self.rest.unreadable(error.to_string());
        let mut told: OfOnePair = self.ask_when_spare(path, query).await?;
        let next = told.remove("last");
        let next = next.map(|next| serde_json::from_str::<wire::Whole>(next.get())).transpose().map_err(unreadable)?;
        let Some(of_pair) = told.into_values().next() else {
            return Err(self.rest.unreadable("nothing is told of the pair".to_owned()));
        };
        Ok((serde_json::from_str(of_pair.get()).map_err(unreadable)?, next.map(|next| next.0)))
    }

    /// Goes through trades from `since` on until `from_id` is reached. `None` where they begin after it, so that it is not known what is
    /// between.
    async fn search(
        &self,
        name: &str,
        ticker: &SmolStr,
        from_id: i64,
        mut since: i64,
    ) -> Result<Option<Vec<PastTrade>>, RestError> {
        for answer in 0..MOST_ANSWERS {
            let mut page = self.page(name, Some(since)).await?;
            let Some(lowest) = page.trades.first().map(|trade| trade.6.0) else { return Ok(Some(Vec::new())) };
            if answer == 0 && lowest > from_id {
                return Ok(None);
            }
            page.trades.retain(|trade| trade.6.0 >= from_id);
            let Some(next) = page.next.filter(|_| page.trades.is_empty()) else { return Ok(Some(page.trades)) };
            // Others of the same moment may not have found room.
            let next = if next - 1 > since { next - 1 } else { next };
            if next <= since {
                return Ok(Some(Vec::new()));
            }
            since = next;
            self.remember(ticker, from_id, since);
        }
        // It goes on there the next time; nothing was refused.
        Err(self.rest.unfinished("more pages are to be read to reach the trades that are missing"))
    }

    fn remember(&self, ticker: &SmolStr, next_id: i64, since: i64) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if ends.len() >= MOST_ENDS {
            ends.clear();
        }
        ends.insert((ticker.clone(), next_id), since);
    }

    fn remembered(&self, ticker: &SmolStr, from_id: i64) -> Option<i64> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(&(ticker.clone(), from_id)).copied()
    }

    fn tick(&self, ticker: &SmolStr, trade: &PastTrade, received_at: DateTime<Utc>) -> Result<Tick, RestError> {
        let side = match trade.3.as_str() {
            "b" => domain::Side::Buy,
            "s" => domain::Side::Sell,
            other => return Err(self.rest.unreadable(format!("side {other:?} is neither b nor s"))),
        };
        let time = micros(trade.2.0).and_then(DateTime::from_timestamp_micros);
        let time = time.ok_or_else(|| self.rest.unreadable(format!("{} is no time", trade.2.0)))?;
        Ok(Tick {
            ticker: ticker.clone(),
            trade_id: Some(trade.6.0),
            price: trade.0.0,
            quantity: Some(trade.1.0),
            taker_side: Some(side),
            exchange_time: Some(time),
            received_at,
        })
    }
}

/// Whole microseconds of seconds, the rest cut off.
fn micros(seconds: Decimal) -> Option<i64> {
    seconds.checked_mul(Decimal::from(1_000_000))?.trunc().to_i64()
}

impl History for Kraken {
    fn trades<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from_id: i64,
        after: Option<DateTime<Utc>>,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Tick>, RestError>> {
        async move {
            let name = self.name(ticker).await?;
            let known = self.remembered(ticker, from_id);
            let Some(begin) = known.or(after.and_then(|after| after.timestamp_nanos_opt())) else {
                return Err(self.rest.refused(400, "trades are asked for by time, and no earlier one is known"));
            };
            for back in BACK {
                let since = begin.saturating_sub(back.num_nanoseconds().unwrap_or_default());
                let Some(trades) = self.search(&name, ticker, from_id, since).await? else { continue };
                let received_at = Utc::now().trunc_subsecs(6);
                let trades = trades.iter().take(most.max(1));
                let ticks: Vec<Tick> =
                    trades.map(|trade| self.tick(ticker, trade, received_at)).collect::<Result<_, _>>()?;
                if let Some((id, time)) = ticks.last().and_then(|tick| tick.trade_id.zip(tick.exchange_time)) {
                    self.remember(ticker, id + 1, time.timestamp_nanos_opt().unwrap_or(begin));
                }
                return Ok(ticks);
            }
            Err(self
                .rest
                .unreadable(format!("no trade as early as number {from_id}, although it was asked from then on")))
        }
        .boxed()
    }

    fn newest_ids<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<(SmolStr, i64)>, RestError>> {
        async move {
            let mut ids = Vec::with_capacity(tickers.len());
            for ticker in tickers {
                let page = match self.name(ticker).await {
                    Ok(name) => self.page(&name, None).await,
                    Err(error) => Err(error),
                };
                match page {
                    // It is no longer listed.
                    Err(RestError::Refused { status: 400..500, .. }) => {}
                    page => ids.extend(page?.trades.last().map(|trade| (ticker.clone(), trade.6.0))),
                }
            }
            Ok(ids)
        }
        .boxed()
    }
}

impl Kraken {
    /// The minutes that there are, from one on.
    async fn candles(&self, ticker: &SmolStr, since: Option<DateTime<Utc>>) -> Result<Vec<Candle>, RestError> {
        let name = self.name(ticker).await?;
        let since = since.map(|since| since.timestamp().to_string());
        let mut query = vec![("pair", name.as_str()), ("interval", "1")];
        query.extend(since.as_deref().map(|since| ("since", since)));
        let (candles, _) = self.of_one_pair("/0/public/OHLC", &query).await?;
        Ok(candles)
    }
}

/// A minute in which something was traded; `None` for any other, and when its time is none.
fn minute(candle: &Candle) -> Option<ExchangeMinute> {
    let open_time = DateTime::from_timestamp(candle.0.0, 0)?;
    (candle.7.0 > 0).then_some(ExchangeMinute {
        open_time,
        open: candle.1.0,
        high: candle.2.0,
        low: candle.3.0,
        close: candle.4.0,
        volume: candle.6.0,
        quote_volume: market::quote_volume((candle.6.0, candle.5.0))?,
        trades: candle.7.0,
    })
}

impl Minutes for Kraken {
    fn reach(&self) -> Option<TimeDelta> {
        Some(REACH)
    }

    fn minutes<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Vec<ExchangeMinute>, RestError>> {
        async move {
            if from <= Utc::now() - TimeDelta::minutes(MOST_MINUTES) {
                return Err(self.rest.refused(400, "minutes that are older than twelve hours are not told"));
            }
            // Whether the minute that is named is one of the answer is not certain.
            let mut candles = self.candles(ticker, Some(from - TimeDelta::minutes(1))).await?;
            candles.sort_by_key(|candle| candle.0.0);
            let span = from..to;
            Ok(candles.iter().filter_map(minute).filter(|minute| span.contains(&minute.open_time)).collect())
        }
        .boxed()
    }

    fn first<'a>(&'a self, ticker: &'a SmolStr) -> BoxFuture<'a, Result<Option<DateTime<Utc>>, RestError>> {
        async move {
            let candles = self.candles(ticker, None).await?;
            Ok(candles.iter().filter_map(minute).map(|minute| minute.open_time).min())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::answering, tests::told},
        *,
    };

    /// Trades 10 to 39, two of each second from the tenth on, of which an answer holds ten, from after the moment that is asked for.
    fn trades(target: &str) -> String {
        let since = answering::parameter(target, "since").map_or(i64::MIN, |since| since.parse::<i64>().unwrap());
        let nanos = |id: i64| (1_795_176_000 + id / 2) * 1_000_000_000 + 123_456_700;
        let mut ids: Vec<i64> = (10..40).filter(|id| nanos(*id) > since).collect();
        if since == i64::MIN {
            ids.drain(..20);
        }
        ids.truncate(10);
        let last = ids.last().map_or(since, |id| nanos(*id));
        let row = |id: i64| format!(r#"["64250.010","0.0012",{}.1234567,"s","m","",{id}]"#, 1_795_176_000 + id / 2);
        let rows: Vec<String> = ids.into_iter().map(row).collect();
        format!(r#"{{"error":[],"result":{{"XXBTZUSD":[{}],"last":"{last}"}}}}"#, rows.join(","))
    }

    fn ids(ticks: &[Tick]) -> Vec<i64> {
        ticks.iter().filter_map(|tick| tick.trade_id).collect()
    }

    #[tokio::test]
    async fn a_hole_is_gone_through_by_time_and_goes_on_where_a_page_ended() {
        let kraken = told(trades);
        let (ticker, after) = ("BTC/USD".into(), DateTime::from_timestamp(1_795_176_006, 123_456_000));
        let first = kraken.trades(&ticker, 13, after, 4).await.unwrap();
        assert_eq!(ids(&first), [13, 14, 15, 16]);
        assert_eq!(
            first[0],
            Tick {
                ticker: "BTC/USD".into(),
                trade_id: Some(13),
                price: "64250.01".parse().unwrap(),
                quantity: Some("0.0012".parse().unwrap()),
                taker_side: Some(domain::Side::Sell),
                exchange_time: DateTime::from_timestamp(1_795_176_006, 123_456_000),
                received_at: first[0].received_at,
            }
        );
        // Which moment is meant is remembered; the one that is given is far before.
        let next = kraken.trades(&ticker, 17, DateTime::from_timestamp(0, 0), 100).await.unwrap();
        assert_eq!(ids(&next), (17..26).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn it_is_looked_for_farther_back_until_an_earlier_trade_shows_and_forward_until_the_number_does() {
        let kraken = told(trades);
        let ticker = "BTC/USD".into();
        let late = DateTime::from_timestamp(1_795_176_012, 500_000_000);
        assert_eq!(ids(&kraken.trades(&ticker, 20, late, 2).await.unwrap()), [20, 21]);
        let early = DateTime::from_timestamp(1_795_176_006, 0);
        assert_eq!(ids(&kraken.trades(&ticker, 38, early, 2).await.unwrap()), [38, 39]);
        assert!(matches!(kraken.trades(&ticker, 12, None, 2).await, Err(RestError::Refused { status: 400, .. })));
        let error = kraken.trades(&ticker, 5, early, 2).await.unwrap_err().to_string();
        assert!(error.contains("as early as number 5"), "{error}");
    }

    #[tokio::test]
    async fn the_newest_number_is_that_of_the_last_trade() {
        let kraken = told(trades);
        assert_eq!(kraken.newest_ids(&["BTC/USD".into(), "GONE/USD".into()]).await.unwrap(), [("BTC/USD".into(), 39)]);
    }

    #[tokio::test]
    async fn minutes_are_those_of_the_span_in_which_something_was_traded() {
        let begin = (Utc::now().timestamp() / 60 - 10) * 60;
        let kraken = told(move |target| {
            assert_eq!(answering::parameter(target, "since"), Some((begin - 60).to_string()));
            let row = |minute: i64, trades: i64| {
                format!(r#"[{},"2.0","4.0","1.0","3.0","2.5","10.00",{trades}]"#, begin + minute * 60)
            };
            format!(
                r#"{{"error":[],"result":{{"XXBTZUSD":[{},{},{},{}],"last":{begin}}}}}"#,
                row(-1, 1),
                row(0, 7),
                row(1, 0),
                row(2, 1)
            )
        });
        let (from, to) =
            (DateTime::from_timestamp(begin, 0).unwrap(), DateTime::from_timestamp(begin + 120, 0).unwrap());
        let ticker = "BTC/USD".into();
        let minutes = Minutes::minutes(&kraken, &ticker, from, to).await.unwrap();
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(
            minutes,
            [ExchangeMinute {
                open_time: from,
                open: decimal("2"),
                high: decimal("4"),
                low: decimal("1"),
                close: decimal("3"),
                volume: decimal("10"),
                quote_volume: decimal("25"),
                trades: 7,
            }]
        );
        assert!(minutes[0].is_sound());
        let long_ago = from - TimeDelta::minutes(MOST_MINUTES);
        let refused = Minutes::minutes(&kraken, &ticker, long_ago, to).await;
        assert!(matches!(refused, Err(RestError::Refused { status: 400, .. })));
    }
}
