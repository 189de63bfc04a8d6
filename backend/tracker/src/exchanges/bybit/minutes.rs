//! Bybit's own candles: a thousand a page, told from the newest on.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ExchangeMinute;
use futures_util::{FutureExt as _, future::BoxFuture};
use smol_str::SmolStr;

use super::{Bybit, messages::Kline, parse};
use crate::{exchange::Minutes, rest::RestError};

/// How many candles one page holds.
const PAGE: &str = "1000";
/// Where the first minute is looked for: months, the days of one, the hours of one, the minutes of one.
const WIDTHS: [(&str, TimeDelta); 4] =
    [("M", TimeDelta::days(31)), ("D", TimeDelta::days(1)), ("60", TimeDelta::hours(1)), ("1", TimeDelta::minutes(1))];

impl Bybit {
    /// Candles that open from a moment on and before another; in order, oldest first.
    async fn klines(
        &self,
        ticker: &str,
        interval: &str,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Vec<Kline>, RestError> {
        let (start, end) = (from.timestamp_millis().to_string(), (to.timestamp_millis() - 1).to_string());
        let query = [
            ("category", "spot"),
            ("symbol", ticker),
            ("interval", interval),
            ("start", &start),
            ("end", &end),
            ("limit", PAGE),
        ];
        let mut klines: Vec<Kline> = self.client.ask_when_spare("/v5/market/kline", &query).await?.all()?;
        klines.retain(|kline| (from.timestamp_millis()..to.timestamp_millis()).contains(&kline.0.0));
        klines.sort_by_key(|kline| kline.0.0);
        Ok(klines)
    }
}

impl Minutes for Bybit {
    fn minutes<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Vec<ExchangeMinute>, RestError>> {
        async move { Ok(self.klines(ticker, "1", (from, to)).await?.iter().filter_map(parse::minute).collect()) }
            .boxed()
    }

    fn first<'a>(&'a self, ticker: &'a SmolStr) -> BoxFuture<'a, Result<Option<DateTime<Utc>>, RestError>> {
        async move {
            let (mut first, mut span) = (None, (DateTime::UNIX_EPOCH, Utc::now()));
            for (interval, width) in WIDTHS {
                let klines = self.klines(ticker, interval, span).await?;
                // Where narrow candles do not go back so far, the wider one is as near as can be told.
                let Some(oldest) = klines.first().and_then(|kline| DateTime::from_timestamp_millis(kline.0.0)) else {
                    break;
                };
                first = Some(oldest);
                span = (oldest, oldest + width);
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
    use crate::exchanges::bybit::tests::bybit_that_answers;

    #[tokio::test]
    async fn minutes_come_oldest_first_without_those_in_which_nothing_was_traded() {
        let from: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
        let to = from + TimeDelta::minutes(3);
        let bybit = bybit_that_answers(move |_, query| {
            let row = |minute: i64, volume: &str| {
                let ms = (from + TimeDelta::minutes(minute)).timestamp_millis();
                json!([ms.to_string(), "64250", "64260.5", "64240.1", "64251", volume, "96376.6"])
            };
            assert_eq!(query["start"], from.timestamp_millis().to_string());
            assert_eq!(query["end"], (to.timestamp_millis() - 1).to_string());
            vec![row(3, "1"), row(2, "1.5"), row(1, "0"), row(0, "2")]
        });
        let minutes = Minutes::minutes(&bybit, &"BTCUSDT".into(), from, to).await.unwrap();
        let told: Vec<_> = minutes.iter().map(|minute| (minute.open_time - from).num_minutes()).collect();
        assert_eq!(told, [0, 2]);
        let one = &minutes[1];
        let parts = [one.open, one.high, one.low, one.close, one.volume, one.quote_volume];
        assert_eq!(parts.map(|part| part.to_string()), ["64250", "64260.5", "64240.1", "64251", "1.5", "96376.6"]);
    }

    #[tokio::test]
    async fn the_first_minute_is_found_from_the_month_down() {
        let bybit = bybit_that_answers(move |_, query| {
            let open: DateTime<Utc> = match query["interval"].as_str() {
                "M" => "2021-07-01T00:00:00Z",
                "D" => "2021-07-05T00:00:00Z",
                "60" => "2021-07-05T12:00:00Z",
                _ => "2021-07-05T12:07:00Z",
            }
            .parse()
            .unwrap();
            vec![json!([open.timestamp_millis().to_string(), "1", "1", "1", "1", "1", "1"])]
        });
        let first = bybit.first(&"BTCUSDT".into()).await.unwrap();
        assert_eq!(first, Some("2021-07-05T12:07:00Z".parse().unwrap()));
        let unknown = bybit_that_answers(|_, _| Vec::new());
        assert_eq!(unknown.first(&"BTCUSDT".into()).await.unwrap(), None);
    }
}
