//! What Coinbase tells of the past: trades by their number, minutes.

use chrono::{DateTime, DurationRound as _, SecondsFormat, SubsecRound as _, TimeDelta, Utc};
use domain::{ExchangeMinute, Tick};
use futures_util::{FutureExt as _, future::BoxFuture};
use smol_str::SmolStr;

use super::{
    Coinbase,
    messages::{Candle, PastTrade},
    parse,
};
use crate::{
    exchange::{History, Minutes},
    rest::{Rest, RestError},
};

/// How many trades one answer holds at most.
const MOST_TRADES: i64 = 1_000;
/// How many answers are put together at most to be certain of one page, should they hold fewer than they may.
const MOST_ANSWERS: usize = 20;
/// How many pages of numbers without a trade are gone over to find the next one.
const MOST_EMPTY_PAGES: i64 = 5;
/// How many candles one answer holds at most. It is not told whether the end of the span is one of them, so that one fewer is
/// asked for.
const MOST_CANDLES: i64 = 300 - 1;

/// The trades of a product with these numbers, in order.
///
/// They are asked for backwards, from a cursor on. Whether the trade at the cursor is one of the answer, and how many an answer holds, is told
/// in more than one way: so one more is asked for, and the range is known when an answer reaches down to its beginning.
async fn range(rest: &Rest, ticker: &SmolStr, (first, last): (i64, i64)) -> Result<Vec<Tick>, RestError> {
    let mut cursor = last.saturating_add(1);
    let limit = (last - first + 2).min(MOST_TRADES).to_string();
    let mut ticks: Vec<Tick> = Vec::new();
    for _ in 0..MOST_ANSWERS {
        let after = cursor.to_string();
        let query = [("after", after.as_str()), ("limit", limit.as_str())];
        let page: Vec<PastTrade> = rest.get_when_spare(&format!("/products/{ticker}/trades"), &query).await?;
        let received_at = Utc::now().trunc_subsecs(6);
        let lowest = page.iter().map(|trade| trade.trade_id.0).min();
        for trade in page.iter().filter(|trade| (first..=last).contains(&trade.trade_id.0)) {
            ticks.push(parse::past(ticker, trade, received_at).map_err(|error| rest.unreadable(error.reason))?);
        }
        match lowest {
            Some(lowest) if lowest > first && lowest < cursor => cursor = lowest,
            // It reaches the beginning, or there is nothing before it.
            _ => {
                ticks.sort_by_key(|tick| tick.trade_id);
                ticks.dedup_by_key(|tick| tick.trade_id);
                return Ok(ticks);
            }
        }
    }
    Err(rest.unreadable(format!("trades {first} to {last} take more than {MOST_ANSWERS} answers")))
}

impl History for Coinbase {
    fn trades<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from_id: i64,
        _: Option<DateTime<Utc>>,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Tick>, RestError>> {
        async move {
            let most = i64::try_from(most).unwrap_or(MOST_TRADES).clamp(1, MOST_TRADES - 1);
            for page in 0..MOST_EMPTY_PAGES {
                let first = from_id.saturating_add(page * most);
                let ticks = range(&self.rest, ticker, (first, first.saturating_add(most - 1))).await?;
                if !ticks.is_empty() {
                    return Ok(ticks);
                }
            }
            Ok(Vec::new())
        }
        .boxed()
    }

    fn newest_ids<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<(SmolStr, i64)>, RestError>> {
        async move {
            let mut ids = Vec::with_capacity(tickers.len());
            for ticker in tickers {
                let path = format!("/products/{ticker}/trades");
                let newest: Vec<PastTrade> = match self.rest.get_when_spare(&path, &[("limit", "1")]).await {
                    // It is no longer listed.
                    Err(RestError::Refused { status: 400..500, .. }) => continue,
                    asked => asked?,
                };
                let newest = newest.iter().map(|trade| trade.trade_id.0).max();
                ids.extend(newest.map(|newest| (ticker.clone(), newest)));
            }
            Ok(ids)
        }
        .boxed()
    }
}

impl Minutes for Coinbase {
    fn minutes<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Vec<ExchangeMinute>, RestError>> {
        async move { Ok(self.candles(ticker, from, to).await?.iter().filter_map(parse::minute).collect()) }.boxed()
    }

    fn first<'a>(&'a self, ticker: &'a SmolStr) -> BoxFuture<'a, Result<Option<DateTime<Utc>>, RestError>> {
        async move {
            let first = self.first_trade(ticker).await?;
            Ok(first.and_then(|first| first.duration_trunc(TimeDelta::minutes(1)).ok()))
        }
        .boxed()
    }
}

impl Coinbase {
    /// Candles that open from one moment to another, which is not included; in order.
    async fn candles(&self, ticker: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Candle>, RestError> {
        let path = format!("/products/{ticker}/candles");
        let mut candles: Vec<Candle> = Vec::new();
        let mut begin = from;
        while begin < to {
            let end = to.min(begin + TimeDelta::minutes(MOST_CANDLES));
            let (start, stop) = (text(begin), text(end));
            let query = [("granularity", "60"), ("start", start.as_str()), ("end", stop.as_str())];
            let page: Vec<Candle> = self.rest.get_when_spare(&path, &query).await?;
            let span = begin.timestamp()..end.timestamp();
            candles.extend(page.into_iter().filter(|candle| span.contains(&candle.0.0)));
            begin = end;
        }
        candles.sort_by_key(|candle| candle.0.0);
        candles.dedup_by_key(|candle| candle.0.0);
        Ok(candles)
    }

    /// When the first trade was made. Numbers begin at one, but for what was moved here from elsewhere.
    async fn first_trade(&self, ticker: &SmolStr) -> Result<Option<DateTime<Utc>>, RestError> {
        let first = range(&self.rest, ticker, (1, MOST_TRADES - 1)).await?;
        Ok(first.first().and_then(|tick| tick.exchange_time))
    }
}

fn text(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::answering, tests::at},
        *,
    };

    /// A host that has trades 10 to 40 but for 20 to 24, and tells of so many at most; of the one at the cursor too, or not.
    fn trades(most: usize, with_cursor: bool) -> String {
        answering::serve(move |target| {
            let number = |name: &str| answering::parameter(target, name).map(|text| text.parse::<i64>().unwrap());
            let (after, limit) = (number("after").unwrap_or(1_000), number("limit").unwrap_or(1_000));
            let last = if with_cursor { after } else { after - 1 };
            let ids = (10..=40i64).rev().filter(|id| *id <= last && !(20..25).contains(id));
            let trade = |id: i64| {
                let time = format!("2026-11-20T12:00:{:02}.5Z", id % 60);
                serde_json::json!({ "trade_id": id, "side": "sell", "size": "0.10", "price": "5.50", "time": time })
            };
            let page: Vec<_> = ids.take(most.min(usize::try_from(limit).unwrap())).map(trade).collect();
            serde_json::Value::from(page).to_string()
        })
    }

    #[tokio::test]
    async fn a_range_is_told_whole_however_the_exchange_counts() {
        for (most, with_cursor) in [(1_000, false), (1_000, true), (4, false), (4, true)] {
            let coinbase = at(&trades(most, with_cursor));
            let asked = coinbase.trades(&"BTC-USD".into(), 15, None, 9).await.unwrap();
            let ids: Vec<i64> = asked.iter().filter_map(|tick| tick.trade_id).collect();
            assert_eq!(ids, [15, 16, 17, 18, 19], "{most} {with_cursor}");
            // Nothing has these numbers; the answer begins with the next.
            let asked = coinbase.trades(&"BTC-USD".into(), 20, None, 2).await.unwrap();
            assert_eq!(asked.iter().filter_map(|tick| tick.trade_id).collect::<Vec<_>>(), [25], "{most} {with_cursor}");
        }
    }

    #[tokio::test]
    async fn a_past_trade_is_what_the_stream_would_have_brought() {
        let coinbase = at(&trades(1_000, false));
        let tick = &coinbase.trades(&"BTC-USD".into(), 17, None, 1).await.unwrap()[0];
        assert_eq!((tick.trade_id, tick.taker_side), (Some(17), Some(domain::Side::Buy)));
        assert_eq!((tick.price.to_string(), tick.quantity.unwrap().to_string()), ("5.5".into(), "0.1".into()));
        assert_eq!(tick.exchange_time, Some("2026-11-20T12:00:17.5Z".parse().unwrap()));
        assert_eq!(coinbase.newest_ids(&["BTC-USD".into()]).await.unwrap(), [("BTC-USD".into(), 40)]);
    }

    #[tokio::test]
    async fn minutes_are_put_together_from_pages_in_order_and_what_was_not_traded_is_none() {
        // Whether the end of the span is told too does not matter.
        for with_end in [0, 1] {
            let coinbase = at(&answering::serve(move |target| {
                let moment = |name: &str| {
                    let text = answering::parameter(target, name).unwrap().replace("%3A", ":");
                    text.parse::<DateTime<Utc>>().unwrap().timestamp() / 60
                };
                let (start, end) = (moment("start"), moment("end") + with_end);
                assert!(end - start <= 300, "a longer span is refused");
                // Every hundredth minute nothing is traded.
                let opens = (start..end).rev().filter(|minute| minute % 100 != 0);
                let rows: Vec<String> = opens.map(|minute| format!("[{},1.0,4,2,3,0.5]", minute * 60)).collect();
                format!("[{}]", rows.join(","))
            }));
            let from: DateTime<Utc> = "2026-11-20T00:00:00Z".parse().unwrap();
            let to = from + TimeDelta::minutes(960);
            let minutes = Minutes::minutes(&coinbase, &"BTC-USD".into(), from, to).await.unwrap();
            let untraded = (from.timestamp() / 60..to.timestamp() / 60).filter(|minute| minute % 100 == 0).count();
            assert_eq!(minutes.len(), 960 - untraded);
            assert!(minutes.is_sorted_by(|one, next| one.open_time < next.open_time));
            let last = minutes.last().unwrap();
            assert_eq!(last.open_time, to - TimeDelta::minutes(1));
            let told = [last.low, last.high, last.open, last.close, last.volume].map(|number| number.to_string());
            assert_eq!((told, last.trades), (["1", "4", "2", "3", "0.5"].map(str::to_owned), 0));
        }
    }

    #[tokio::test]
    async fn the_first_minute_is_that_of_the_first_trade() {
        let first = Minutes::first(&at(&trades(1_000, false)), &"BTC-USD".into()).await.unwrap();
        assert_eq!(first, Some("2026-11-20T12:00:00Z".parse().unwrap()));
        let nothing = at(&answering::serve(|_| "[]".to_owned()));
        assert_eq!(Minutes::first(&nothing, &"BTC-USD".into()).await.unwrap(), None);
    }
}
