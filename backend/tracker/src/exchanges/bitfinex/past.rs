//! Trades and candles of the past, by REST. It keeps all that there ever were.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use domain::{ExchangeMinute, Tick};
use futures_util::{FutureExt as _, future::BoxFuture};
use smol_str::SmolStr;

use super::{Bitfinex, messages::Candle, parse};
use crate::{
    exchange::{Minutes, Recent, Span, UnreadableFrame},
    rest::RestError,
    wire,
};

/// How many trades one request may ask for.
const MOST_TRADES: usize = 10_000;
/// How many candles we ask for at once.
const MOST_CANDLES: i64 = 1_000;

impl Bitfinex {
    /// Candles, oldest first.
    async fn candles<T>(
        &self,
        ticker: &str,
        query: &[(&str, &str)],
        read: impl Fn(&str) -> Result<T, UnreadableFrame>,
    ) -> Result<Vec<T>, RestError> {
        let path = format!("/candles/trade:1m:{}/hist", parse::symbol(ticker));
        let answer = self.ask_when_spare(&path, &[query, &[("sort", "1")]].concat()).await?;
        self.each(&answer, read)
    }
}

impl Recent for Bitfinex {
    fn trades<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Span, RestError>> {
        async move {
            // A millisecond more on both sides, whether the exchange includes its bounds or not.
            let start = (from.timestamp_millis() - 1).to_string();
            let end = (to.timestamp_millis() + 1).to_string();
            let limit = MOST_TRADES.to_string();
            let query = [("start", start.as_str()), ("end", &end), ("limit", &limit), ("sort", "1")];
            let path = format!("/trades/{}/hist", parse::symbol(ticker));
            let answer = self.ask_when_spare(&path, &query).await?;
            let received_at = Utc::now().trunc_subsecs(6);
            let (ticks, unreadable) = parse::ticks(ticker, answer.get(), received_at)
                .map_err(|error| self.rest.unreadable(error.to_string()))?;
            match unreadable {
                Some(error) => Err(self.rest.unreadable(error.to_string())),
                None => Ok(span(ticks, (from, to), MOST_TRADES, received_at)),
            }
        }
        .boxed()
    }
}

/// What happened so long ago is told by now.
const SETTLED: TimeDelta = TimeDelta::minutes(10);

/// What an answer tells of a span, of which it has the oldest trades, `most` of them at most.
fn span(mut ticks: Vec<Tick>, (from, to): (DateTime<Utc>, DateTime<Utc>), most: usize, now: DateTime<Utc>) -> Span {
    let until = match ticks.last() {
        // It is cut off, perhaps between trades of the same millisecond.
        Some(last) if ticks.len() >= most => last.time() - TimeDelta::microseconds(1),
        Some(last) if last.time() >= to => to,
        // Something happened at the end of a span: an answer that does not reach it is behind, unless that was long ago.
        _ if now - to >= SETTLED => to,
        Some(last) => last.time(),
        None => from - TimeDelta::microseconds(1),
    };
    ticks.retain(|tick| (from..=to).contains(&tick.time()));
    Span { ticks, covers: (until >= from).then_some((from, until.min(to))), is_oldest: false }
}

impl Minutes for Bitfinex {
    fn minutes<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Vec<ExchangeMinute>, RestError>> {
        async move {
            let (start, end) = (from.timestamp_millis().to_string(), (to.timestamp_millis() - 1).to_string());
            let limit = MOST_CANDLES.to_string();
            let query = [("start", start.as_str()), ("end", &end), ("limit", &limit)];
            let minutes = self.candles(ticker, &query, parse::minute).await?;
            Ok(minutes.into_iter().flatten().filter(|minute| (from..to).contains(&minute.open_time)).collect())
        }
        .boxed()
    }

    fn first<'a>(&'a self, ticker: &'a SmolStr) -> BoxFuture<'a, Result<Option<DateTime<Utc>>, RestError>> {
        async move {
            let opened = |candle: &str| wire::from_ms("MTS", Candle::parse(candle)?.time_ms);
            Ok(self.candles(ticker, &[("limit", "1")], opened).await?.into_iter().min())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_795_176_000_000 + ms).unwrap()
    }

    fn trades(times: &[i64]) -> Vec<Tick> {
        let text = times.iter().map(|ms| format!("[{ms},{},1,2]", moment(*ms).timestamp_millis())).collect::<Vec<_>>();
        parse::ticks(&"BTCUSD".into(), &format!("[{}]", text.join(",")), moment(0)).unwrap().0
    }

    #[test]
    fn a_page_that_is_cut_off_is_complete_up_to_before_its_last_millisecond() {
        let whole = (moment(0), moment(100));
        let soon = whole.1 + TimeDelta::seconds(1);
        let told = span(trades(&[-1, 0, 50, 100, 101]), whole, 10, soon);
        assert_eq!((told.ticks.len(), told.covers, told.is_oldest), (3, Some(whole), false));
        let cut = span(trades(&[0, 50, 50]), whole, 3, soon);
        assert_eq!(cut.covers, Some((moment(0), moment(50) - TimeDelta::microseconds(1))));
        assert_eq!(span(trades(&[0, 0]), whole, 2, soon).covers, None);
        assert_eq!(span(Vec::new(), whole, 2, soon).covers, None, "it is behind");
        assert_eq!(span(Vec::new(), whole, 2, soon + SETTLED).covers, Some(whole));
    }
}
