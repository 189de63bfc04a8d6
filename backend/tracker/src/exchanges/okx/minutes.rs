//! OKX's own candles. They are told from the newest on: three hundred a page of the last day, else a hundred.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ExchangeMinute;
use futures_util::{FutureExt as _, future::BoxFuture};
use smol_str::SmolStr;

use super::{Okx, messages::Candle, parse};
use crate::{
    exchange::{Minutes, UnreadableFrame},
    rest::RestError,
};

/// Candles of all times, and how many a page holds.
const HISTORY: (&str, i64) = ("/api/v5/market/history-candles", 100);
/// Those of the last 1,440 minutes only.
const LATEST: (&str, i64) = ("/api/v5/market/candles", 300);
/// What is younger is asked for there: a day, but for an hour, so that nothing is cut off.
const IS_LATEST: TimeDelta = TimeDelta::hours(23);
/// Of a minute that is over for so long, the candle is final, whatever it says.
const SETTLED: TimeDelta = TimeDelta::minutes(10);
/// Where the first minute is looked for: months, the days of one, the hours of one, the minutes of one. Those of a day and
/// longer begin at midnight in Hong Kong without `utc`.
const WIDTHS: [(&str, TimeDelta); 4] = [
    ("1Mutc", TimeDelta::days(31)),
    ("1Dutc", TimeDelta::days(1)),
    ("1H", TimeDelta::hours(1)),
    ("1m", TimeDelta::minutes(1)),
];

impl Okx {
    /// Candles that open before a moment: the newest of them, which come first.
    async fn candles(
        &self,
        path: &str,
        ticker: &str,
        bar: &str,
        before: DateTime<Utc>,
        most: i64,
    ) -> Result<Vec<(DateTime<Utc>, Candle)>, RestError> {
        // "After" are those that are older.
        let (after, limit) = (before.timestamp_millis().to_string(), most.to_string());
        let query = [("instId", ticker), ("bar", bar), ("after", &after), ("limit", &limit)];
        let rows = self.client.ask_when_spare(path, &query).await?;
        let unreadable = |error: UnreadableFrame| self.client.0.unreadable(error.to_string());
        let read = |candle: Candle| Ok((parse::open_time(&candle)?, candle));
        let mut candles = rows.all()?.into_iter().map(read).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        candles.retain(|(open_time, _)| *open_time < before);
        candles.sort_by_key(|(open_time, _)| std::cmp::Reverse(*open_time));
        Ok(candles)
    }
}

impl Minutes for Okx {
    fn minutes<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Vec<ExchangeMinute>, RestError>> {
        async move {
            let now = Utc::now();
            let (path, page) = if now - from < IS_LATEST { LATEST } else { HISTORY };
            let unreadable = |reason: &dyn std::fmt::Display| self.client.0.unreadable(reason.to_string());
            let (mut minutes, mut before) = (Vec::new(), to);
            while before > from {
                let most = (before - from).num_minutes().clamp(1, page);
                let candles = self.candles(path, ticker, "1m", before, most).await?;
                let Some((oldest, _)) = candles.last() else { break };
                before = *oldest;
                for (open_time, candle) in candles.iter().filter(|(open_time, _)| *open_time >= from) {
                    if parse::is_running(candle) && now - *open_time < SETTLED {
                        return Err(unreadable(&format_args!("the candle of {open_time} is not final yet")));
                    }
                    minutes.extend(parse::minute(candle).map_err(|error| unreadable(&error))?);
                }
            }
            minutes.reverse();
            Ok(minutes)
        }
        .boxed()
    }

    fn first<'a>(&'a self, ticker: &'a SmolStr) -> BoxFuture<'a, Result<Option<DateTime<Utc>>, RestError>> {
        async move {
            let (mut first, mut before) = (None, Utc::now());
            for (bar, width) in WIDTHS {
                // A page holds the days of a month, the hours of a day, and more months than OKX has been there.
                let candles = self.candles(HISTORY.0, ticker, bar, before, HISTORY.1).await?;
                let inside = candles.iter().rev().find(|(open_time, _)| first.is_none_or(|first| *open_time >= first));
                // Where narrow candles do not go back so far, the wider one is as near as can be told.
                let Some((open_time, _)) = inside else { break };
                first = Some(*open_time);
                before = *open_time + width;
            }
            Ok(first)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exchanges::okx::tests::okx_that_answers;

    #[tokio::test]
    async fn minutes_are_asked_for_page_by_page_and_come_oldest_first() {
        let day: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
        // A pair that has been listed for 150 minutes, of which every third is quiet.
        let okx = okx_that_answers(move |query| {
            let after: i64 = query["after"].parse().unwrap();
            let most: usize = query["limit"].parse().unwrap();
            let minutes = (0..150).rev().map(|minute| (minute, (day + TimeDelta::minutes(minute)).timestamp_millis()));
            let row = |(minute, ms): (i64, i64)| {
                let volume = if minute % 3 == 0 { "0" } else { "2" };
                json!([ms.to_string(), "1", "1", "1", "1", volume, "2", "2", "1"])
            };
            minutes.filter(|(_, ms)| *ms < after).take(most).map(row).collect()
        });
        let (from, to) = (day - TimeDelta::minutes(60), day + TimeDelta::minutes(140));
        let minutes = Minutes::minutes(&okx, &"BTC-USDT".into(), from, to).await.unwrap();
        let expected = (0..140).filter(|minute| minute % 3 != 0).map(|minute| day + TimeDelta::minutes(minute));
        assert!(minutes.iter().map(|minute| minute.open_time).eq(expected));
        assert_eq!(minutes[0].quote_volume, 2.into());
    }

    #[tokio::test]
    async fn the_first_minute_is_found_from_the_month_down() {
        let first: DateTime<Utc> = "2021-05-17T13:42:00Z".parse().unwrap();
        let okx = okx_that_answers(move |query| {
            let after: i64 = query["after"].parse().unwrap();
            let open: DateTime<Utc> = match query["bar"].as_str() {
                "1Mutc" => "2021-05-01T00:00:00Z",
                "1Dutc" => "2021-05-17T00:00:00Z",
                "1H" => "2021-05-17T13:00:00Z",
                _ => "2021-05-17T13:42:00Z",
            }
            .parse()
            .unwrap();
            assert!(after > open.timestamp_millis());
            vec![json!([open.timestamp_millis().to_string(), "1", "1", "1", "1", "1", "1", "1", "1"])]
        });
        assert_eq!(okx.first(&"BTC-USDT".into()).await.unwrap(), Some(first));
        let unknown = okx_that_answers(|_| Vec::new());
        assert_eq!(unknown.first(&"BTC-USDT".into()).await.unwrap(), None);
    }
}
