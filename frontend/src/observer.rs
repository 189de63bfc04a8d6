//! What the window would show, without a window: for tests of the whole way from an exchange to here.

use std::{io, time::Duration};

use chrono::{DateTime, Utc};
use domain::Interval;
use rust_decimal::Decimal;

use crate::{
    choices::Refresh,
    settings::ApiAddress,
    state::{Connection, SeriesKey, State, TickerKey},
    worker::{Timing, Worker},
};

/// Follows one ticker as the window does: same worker, same state.
#[derive(Debug)]
pub struct Observer {
    state: State,
    worker: Worker,
    series: SeriesKey,
}

/// What the window would show of the ticker.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Whether the live feed is connected.
    pub connected: bool,
    /// The newest price in the watchlist.
    pub price: Option<Decimal>,
    /// When it was made.
    pub time: Option<DateTime<Utc>>,
    /// The chart's candles: open time in seconds since 1970, close and volume, as they are drawn.
    pub candles: Vec<(i64, f64, f64)>,
}

impl Observer {
    /// Begins to follow a ticker's one-minute candles.
    ///
    /// # Errors
    /// When the worker's thread does not start.
    pub fn start(api: ApiAddress, exchange: &str, ticker: &str) -> io::Result<Self> {
        let worker = Worker::start(api, None, Refresh::Live, Timing::default(), Box::new(|_: Duration| ()))?;
        let series = SeriesKey { ticker: TickerKey::new(exchange, ticker), interval: Interval::OneMinute };
        let shown = [series.clone()].into();
        worker.follow(&shown);
        let mut state = State::default();
        state.show(shown);
        Ok(Self { state, worker, series })
    }

    /// What the window would show now.
    pub fn look(&mut self) -> Shown {
        while let Some(update) = self.worker.next_update() {
            self.state.apply(update, Utc::now());
        }
        let ticker = self.state.ticker(&self.series.ticker);
        let series = self.state.series(&self.series).and_then(|remote| remote.value());
        Shown {
            connected: self.state.connection == Connection::Connected,
            price: ticker.map(|ticker| ticker.price),
            time: ticker.map(|ticker| ticker.time),
            candles: series
                .map(|series| series.bars().iter().map(|bar| (bar.open_time, bar.close, bar.volume)).collect())
                .unwrap_or_default(),
        }
    }
}
