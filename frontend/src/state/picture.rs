//! What was known when the window was closed, to be looked at until the API answers in the next run.
//!
//! It is never taken for the truth: see [`crate::remote::Remote::recalled`].

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Bar, Series, SeriesKey, State, Ticker, TickerKey};
use crate::remote::Remote;

/// Bars kept of each series that was shown: what fits into a window.
const BARS: usize = 500;
/// Tickers kept.
const TICKERS: usize = 10_000;

/// What was known at some time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Picture {
    /// When.
    pub at: DateTime<Utc>,
    tickers: Vec<(TickerKey, Ticker)>,
    series: Vec<(SeriesKey, Vec<Bar>)>,
    sparklines: Vec<(TickerKey, Vec<Option<f64>>)>,
}

impl State {
    /// What is known, as of this time of the server; nothing while the API has not answered in this run.
    pub(crate) fn picture(&self, now: DateTime<Utc>) -> Option<Picture> {
        let tickers = self.tickers.value().filter(|_| !self.tickers.is_recalled())?;
        let newest = |series: &Series| series.bars()[series.bars().len().saturating_sub(BARS)..].to_vec();
        let shown = self.shown.iter().filter_map(|key| {
            let remote = self.series.get(key).filter(|remote| !remote.is_recalled())?;
            Some((key.clone(), newest(remote.value()?)))
        });
        // As old as the newest price: a picture of an API that was away for hours is that old.
        let at = self.newest_price_at().map_or(now, |newest| newest.min(self.server_time(now)));
        Some(Picture {
            at,
            tickers: tickers.iter().take(TICKERS).map(|(key, ticker)| (key.clone(), ticker.clone())).collect(),
            series: shown.collect(),
            sparklines: self.sparklines.iter().take(TICKERS).map(|(key, line)| (key.clone(), line.clone())).collect(),
        })
    }

    /// As it was then, until the API answers.
    pub(crate) fn recall(picture: Picture) -> Self {
        let finite = |bar: &Bar| [bar.open, bar.high, bar.low, bar.close, bar.volume].iter().all(|n| n.is_finite());
        let series = picture.series.into_iter().map(|(key, bars)| {
            let mut bars: Vec<Bar> = bars.into_iter().filter(finite).collect();
            bars.sort_by_key(|bar| bar.open_time);
            bars.dedup_by_key(|bar| bar.open_time);
            let series = Series::kept(key.interval, bars);
            (key, Remote::recalled(series))
        });
        let tickers: BTreeMap<_, _> = picture.tickers.into_iter().collect();
        Self {
            tickers: Remote::recalled(tickers),
            series: series.collect(),
            sparklines: picture.sparklines.into_iter().collect(),
            recalled_at: Some(picture.at),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{
        Part, Update,
        tests::{at, candles, live_batch, with_prices},
    };
    use domain::Interval;

    fn key() -> SeriesKey {
        SeriesKey { ticker: TickerKey::new("binance", "BTCUSDT"), interval: Interval::OneMinute }
    }

    fn recalled() -> State {
        let mut state = with_prices();
        state.show([key()].into());
        let outcome = Ok(candles("01:00", 650));
        state.apply(Update::Candles { series: key(), part: Part::Newest, outcome }, at("12:00:00"));
        let picture = state.picture(at("12:05:00")).unwrap();
        let json = serde_json::to_string(&picture).unwrap();
        State::recall(serde_json::from_str(&json).unwrap())
    }

    #[test]
    fn a_picture_shows_what_was_and_since_when() {
        let state = recalled();
        assert_eq!(state.recalled_at(), Some(at("12:00:00")));
        let price = state.ticker(&key().ticker).unwrap().price;
        assert_eq!(price, "64250.01".parse().unwrap());
        assert_eq!(state.series(&key()).unwrap().value().unwrap().bars().len(), BARS);
        assert!(State::default().picture(at("12:00:00")).is_none());
        assert!(state.picture(at("12:00:00")).is_none(), "a picture of a picture would look younger than it is");
    }

    #[test]
    fn nothing_is_mixed_with_it_and_the_first_answer_replaces_it() {
        let mut state = recalled();
        state.show([key()].into());
        state.apply(Update::Live(live_batch("BTCUSDT", "12:30:00", "1")), at("12:30:00"));
        assert_eq!(state.ticker(&key().ticker).unwrap().price, "64250.01".parse().unwrap());
        let rows = vec![crate::state::tests::price("BTCUSDT", "70000", None, "1")];
        state.apply(Update::Prices(Ok(rows)), at("12:30:01"));
        assert_eq!(state.recalled_at(), None);
        assert_eq!(state.tickers.value().unwrap().len(), 1);
        state.apply(
            Update::Candles { series: key(), part: Part::Newest, outcome: Ok(candles("12:29", 1)) },
            at("12:30:01"),
        );
        let bars = state.series(&key()).unwrap().value().unwrap().bars();
        assert!(bars.iter().all(|bar| bar.open_time >= at("12:00:00").timestamp()), "{}", bars.len());
    }
}
