//! All that the window knows, and how each piece of news changes it.
//!
//! No egui here and no clock: [`State::apply`] gets the time with the news, so that every rule is tested by calling
//! it. Only the window's thread touches a `State`; the worker sends [`Update`]s and never sees it.

mod alerts;
mod connection;
mod feeds;
mod holes;
pub(crate) mod picture;
pub(crate) mod portfolio;
mod rate;
mod series;
mod tickers;
mod update;
mod volatility;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use api_types::{CandleRow, LatestPrice, Sparkline};
use chrono::{DateTime, TimeDelta, Utc};
use domain::Interval;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use smol_str::SmolStr;

pub(crate) use alerts::{Alerts, Done, Order, Refusal, market_of, rule_words, span, state_words};
pub(crate) use connection::Connection;
pub(crate) use feeds::Feed;
pub(crate) use holes::{Hole, words as hole_words};
pub(crate) use series::{Bar, Older, Origin, Series, in_view};
pub(crate) use tickers::{Freshness, Ticker};
pub(crate) use update::{Exported, Update};
pub(crate) use volatility::{Moved, Period, Ranking};

use crate::{
    live::LiveBatch,
    remote::{Failure, Remote},
};

/// Series kept beside those that are shown, so that going back and forth between tickers and intervals shows the old
/// picture at once.
const SERIES_KEPT: usize = 16;

/// Below this, a difference between our clock and the server's is only the answer's time on the wire.
const CLOCKS_AGREE: TimeDelta = TimeDelta::seconds(2);

/// A pair on an exchange.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct TickerKey {
    /// The exchange's name.
    pub exchange: SmolStr,
    /// The exchange's spelling of the pair.
    pub ticker: SmolStr,
}

impl TickerKey {
    /// Of these two words.
    pub(crate) fn new(exchange: &str, ticker: &str) -> Self {
        Self { exchange: exchange.into(), ticker: ticker.into() }
    }
}

/// The candles of one ticker in one width.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(crate) struct SeriesKey {
    /// Whose.
    pub ticker: TickerKey,
    /// How wide.
    #[serde(with = "crate::choices::chart::interval_word")]
    pub interval: Interval,
}

/// Which candles of a series were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The newest.
    Newest,
    /// Those before the ones we had, which began at this moment.
    OlderThan(DateTime<Utc>),
}

/// All that the window knows.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The live feed's connection.
    pub connection: Connection,
    /// All tickers.
    pub tickers: Remote<BTreeMap<TickerKey, Ticker>>,
    /// All feeds.
    pub feeds: Remote<BTreeMap<SmolStr, Feed>>,
    holes: BTreeMap<TickerKey, Vec<Hole>>,
    /// How often they have become others.
    holes_revision: u64,
    sparklines: BTreeMap<TickerKey, Vec<Option<f64>>>,
    volatility: BTreeMap<Period, Remote<Ranking>>,
    /// The account, its rules and what they fired for.
    pub alerts: Alerts,
    /// The account's portfolios.
    pub portfolios: portfolio::Portfolios,
    series: BTreeMap<SeriesKey, Remote<Series>>,
    /// Series that are shown.
    shown: BTreeSet<SeriesKey>,
    /// Those that were, by when they last were, the newest at the back.
    unseen: VecDeque<SeriesKey>,
    /// When the API last told all prices.
    answered_at: Option<DateTime<Utc>>,
    /// When what an earlier run left behind was true.
    recalled_at: Option<DateTime<Utc>>,
    messages: rate::Rate,
    /// When live news last came, and how old the newest price in it was.
    lag: Option<(DateTime<Utc>, TimeDelta)>,
    /// What the user is to be told and has not been yet.
    news: Vec<String>,
    /// How far the server's clock is ahead of ours.
    server_ahead: TimeDelta,
}

impl State {
    /// Takes in one piece of news that came at `now`.
    pub(crate) fn apply(&mut self, update: Update, now: DateTime<Utc>) {
        match update {
            Update::Connection(connection) => self.connection = connection,
            Update::Prices(outcome) => self.apply_prices(outcome, now),
            Update::Feeds(outcome) => self.feeds.settle(outcome, feeds::merge),
            Update::Holes(Ok(rows)) => {
                let holes = holes::by_ticker(rows);
                self.holes_revision += u64::from(holes != self.holes);
                self.holes = holes;
            }
            // The chart goes on with those that it knew; the banner says that the API is away.
            Update::Holes(Err(_)) => {}
            Update::Sparklines(Ok(rows)) => self.sparklines = rows.into_iter().map(sparkline).collect(),
            // A picture of a day is still one of nearly that day.
            Update::Sparklines(Err(_)) => {}
            Update::Candles { series, part, outcome } => self.apply_candles(&series, part, outcome),
            Update::Volatility { period, outcome } => {
                self.volatility.entry(period).or_default().settle(outcome, |_, rows| Ranking::of(rows));
            }
            Update::Live(batch) => self.apply_live(batch, now),
            Update::Account(standing) => {
                let before = self.alerts.username().map(str::to_owned);
                self.news.extend(self.alerts.apply(Update::Account(standing)));
                // What is one account's is not shown to another.
                if self.alerts.username() != before.as_deref() {
                    self.portfolios.forget();
                }
            }
            Update::Portfolio { topic, outcome } => self.portfolios.take_in(&topic, outcome, now),
            Update::PortfolioImport { number, progress } => self.portfolios.imports(number, progress),
            Update::PortfolioAnswered { number, order, outcome } => {
                self.news.extend(self.portfolios.answered(number, &order, outcome));
            }
            Update::LogInFailed(_)
            | Update::LogOutFailed(_)
            | Update::Rules(_)
            | Update::Firings { .. }
            | Update::Answered { .. } => {
                self.news.extend(self.alerts.apply(update));
            }
            Update::Exported { path, outcome } => {
                let words = match outcome {
                    Ok((1, Exported::Candles)) => format!("1 candle is in {}", path.display()),
                    Ok((count, Exported::Candles)) => format!("{count} candles are in {}", path.display()),
                    Ok((1, Exported::Transactions)) => format!("1 transaction is in {}", path.display()),
                    Ok((count, Exported::Transactions)) => format!("{count} transactions are in {}", path.display()),
                    Err(cause) => format!("{} could not be written: {cause}", path.display()),
                };
                self.news.push(words);
            }
        }
    }

    /// These series are shown from now on; of those that no longer are, the ones not shown for longest are given up.
    pub(crate) fn show(&mut self, series: BTreeSet<SeriesKey>) {
        if self.shown == series {
            return;
        }
        let before = std::mem::replace(&mut self.shown, series);
        for key in before.difference(&self.shown) {
            self.unseen.push_back(key.clone());
            if let Some(series) = self.series.get_mut(key).and_then(Remote::value_mut) {
                series.hide();
            }
        }
        self.unseen.retain(|key| !self.shown.contains(key));
        for key in &self.shown {
            self.series.entry(key.clone()).or_default();
        }
        let surplus = self.unseen.len().saturating_sub(SERIES_KEPT);
        for key in self.unseen.drain(..surplus) {
            self.series.remove(&key);
        }
    }

    /// The closes of the last day, an hour apart; none where nothing was traded.
    pub(crate) fn sparkline(&self, key: &TickerKey) -> &[Option<f64>] {
        self.sparklines.get(key).map_or(&[], Vec::as_slice)
    }

    /// How much prices moved, once it was asked for.
    pub(crate) fn volatility(&self, period: Period) -> Option<&Remote<Ranking>> {
        self.volatility.get(&period)
    }

    /// When what is shown was true, while the API has not said anything in this run.
    pub(crate) fn recalled_at(&self) -> Option<DateTime<Utc>> {
        self.recalled_at.filter(|_| self.tickers.is_recalled())
    }

    /// How old the newest price of the last live news was when it came here, as far as the clocks agree. Of news that
    /// came long ago there is nothing to tell.
    pub(crate) fn lag(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let (at, lag) = self.lag.filter(|_| self.connection == Connection::Connected)?;
        (now - at < TimeDelta::seconds(10)).then_some(lag)
    }

    /// Whether something is told in seconds, so that it is another in the next one: an age, or when something is tried.
    pub(crate) fn moves_each_second(&self, now: DateTime<Utc>) -> bool {
        let young = |time: DateTime<Utc>| self.server_time(now) - time < TimeDelta::seconds(61);
        self.connection != Connection::Connected
            || self.tickers.value().is_none()
            || self.tickers.value().into_iter().flatten().any(|(_, ticker)| young(ticker.time))
            || self.feeds.value().into_iter().flatten().any(|(_, feed)| !feed.delivers(self.server_time(now)))
            || self.series.values().any(|series| series.failure().is_some())
            || self.alerts.rules.failure().is_some()
            || self.portfolios.has_failed()
    }

    /// Another worker asks from now on: what was on its way does not come any more.
    pub(crate) fn begin_anew(&mut self) {
        for series in self.series.values_mut().filter_map(Remote::value_mut) {
            if series.older == Older::Loading {
                series.older = Older::Unknown;
            }
        }
        // An API that was away stays so until it answers.
        if !self.connection.is_away() {
            self.connection = Connection::Connecting;
        }
    }

    /// When the API last told all prices.
    pub(crate) fn answered_at(&self) -> Option<DateTime<Utc>> {
        self.answered_at
    }

    /// What the user is to be told, once.
    pub(crate) fn take_news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// Lowest and highest live price of the ticker since this was last asked for.
    pub(crate) fn take_swing(&mut self, key: &TickerKey) -> Option<(Decimal, Decimal)> {
        self.tickers.value_mut()?.get_mut(key)?.take_swing()
    }

    /// Keeps this series, as if the API had told it.
    pub(crate) fn put(&mut self, key: SeriesKey, series: Series) {
        let mut remote = Remote::default();
        remote.settle(Ok(series), |_, series| series);
        self.series.insert(key, remote);
    }

    /// The series, if it is kept.
    pub(crate) fn series(&self, key: &SeriesKey) -> Option<&Remote<Series>> {
        self.series.get(key)
    }

    /// Older candles of the series were asked for.
    pub(crate) fn older_requested(&mut self, key: &SeriesKey) {
        if let Some(series) = self.series.get_mut(key).and_then(Remote::value_mut) {
            series.older = Older::Loading;
        }
    }

    /// The ticker, if it is known.
    pub(crate) fn ticker(&self, key: &TickerKey) -> Option<&Ticker> {
        self.tickers.value()?.get(key)
    }

    /// Where trades of the ticker are missing.
    pub(crate) fn holes(&self, key: &TickerKey) -> &[Hole] {
        self.holes.get(key).map_or(&[], Vec::as_slice)
    }

    /// How often the holes have become others: what was computed with them holds as long as this does.
    pub(crate) fn holes_revision(&self) -> u64 {
        self.holes_revision
    }

    /// Where trades of any ticker are missing.
    pub(crate) fn all_holes(&self) -> impl Iterator<Item = (&TickerKey, &Hole)> {
        self.holes.iter().flat_map(|(ticker, holes)| holes.iter().map(move |hole| (ticker, hole)))
    }

    /// The ticker with the largest volume: what to show somebody who chose nothing yet.
    pub(crate) fn busiest(&self) -> Option<&TickerKey> {
        let tickers = self.tickers.value()?;
        tickers.iter().max_by_key(|(_, ticker)| ticker.quote_volume_24h).map(|(key, _)| key)
    }

    /// The time on the server's clock: what ages of its data are counted against.
    pub(crate) fn server_time(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.server_ahead
    }

    /// When the newest price of all was made.
    pub(crate) fn newest_price_at(&self) -> Option<DateTime<Utc>> {
        self.tickers.value()?.values().map(|ticker| ticker.time).max()
    }

    /// Live messages per second over the last few seconds.
    pub(crate) fn messages_per_second(&self, now: DateTime<Utc>) -> f64 {
        self.messages.per_second(now)
    }

    fn apply_prices(&mut self, outcome: Result<Vec<LatestPrice>, Failure>, now: DateTime<Utc>) {
        if let Ok(rows) = &outcome {
            self.answered_at = Some(now);
            let mut ahead: Vec<TimeDelta> =
                rows.iter().map(|row| tickers::time_of(row) + TimeDelta::milliseconds(row.age_ms) - now).collect();
            ahead.sort_unstable();
            if let Some(median) = ahead.get(ahead.len() / 2) {
                self.server_ahead = if median.abs() > CLOCKS_AGREE { *median } else { TimeDelta::zero() };
            }
        }
        self.tickers.settle(outcome, tickers::merge);
        // Where there is no live feed, this is what moves the charts on.
        for (key, remote) in &mut self.series {
            if let Some(series) = remote.value_mut()
                && let Some(ticker) = self.tickers.value().and_then(|tickers| tickers.get(&key.ticker))
            {
                series.absorb_price(ticker.time, ticker.price);
            }
        }
    }

    fn apply_candles(&mut self, key: &SeriesKey, part: Part, outcome: Result<Vec<CandleRow>, Failure>) {
        let ticker = self.ticker(&key.ticker).filter(|_| !self.tickers.is_recalled());
        let newest = ticker.map(|ticker| (ticker.time, ticker.price));
        let Some(remote) = self.series.get_mut(key) else { return };
        match part {
            Part::Newest => remote.settle(outcome, |old, rows| {
                let mut series = old.unwrap_or_else(|| Series::new(key.interval));
                series.merge_newest(&rows);
                // The live feed runs ahead of what is stored; its price must not jump back.
                if let Some((time, price)) = newest.filter(|_| !rows.is_empty()) {
                    series.absorb_price(time, price);
                }
                series
            }),
            Part::OlderThan(before) => {
                if let Some(series) = remote.value_mut() {
                    series.merge_older(before, outcome);
                }
            }
        }
    }

    fn apply_live(&mut self, batch: LiveBatch, now: DateTime<Utc>) {
        self.messages.add(batch.messages, now);
        let server_time = self.server_time(now);
        if let Some(newest) = batch.prices.values().map(|price| price.time).max() {
            self.lag = Some((now, (server_time - newest).max(TimeDelta::zero())));
        }
        for (key, remote) in &mut self.series {
            if let Some(series) = remote.value_mut()
                && let Some(price) = batch.prices.get(&key.ticker)
            {
                series.absorb_live(price);
            }
        }
        for (key, price) in batch.prices {
            // A ticker that is not listed yet comes with the next answer to /prices, which knows its coins.
            if let Some(ticker) = self.tickers.value_mut().and_then(|tickers| tickers.get_mut(&key)) {
                ticker.absorb(&price, now);
            }
        }
        if !batch.feeds.is_empty() {
            let feeds = self.feeds.value_or_default();
            for (name, feed) in batch.feeds.into_values().map(Feed::named) {
                let feed = feed.after(feeds.get(&name));
                feeds.insert(name, feed);
            }
        }
    }
}

fn sparkline(row: Sparkline) -> (TickerKey, Vec<Option<f64>>) {
    let closes = row.closes.into_iter().map(|close| close.and_then(|close| close.to_f64())).collect();
    (TickerKey::new(&row.exchange, &row.ticker), closes)
}

#[cfg(test)]
pub(crate) use alerts::tests as alert_tests;

#[cfg(test)]
pub(crate) mod tests;
