//! The parts of the window.
//!
//! A panel draws what it is shown and says what the user wants as [`Command`]s; it changes nothing but its own
//! scroll positions and text fields. Time comes from the [`Scene`], so that a test decides what time it is.

pub(crate) mod banner;
pub(crate) mod chart;
pub(crate) mod health;
pub(crate) mod help;
pub(crate) mod status;
pub(crate) mod watchlist;

use chrono::{DateTime, Utc};
use domain::Interval;

use crate::{
    choices::{ChartStyle, Choices, Order, ScaleChoice},
    indicators::Indicator,
    state::{Feed, SeriesKey, State, TickerKey},
    theme::{Hues, ThemeChoice},
};

/// What all panels look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// All that is known.
    pub state: &'a State,
    /// All that was chosen.
    pub choices: &'a Choices,
    /// Where the API listens, for people.
    pub api: &'a str,
    /// The time on our clock.
    pub now: DateTime<Utc>,
}

impl<'a> Scene<'a> {
    /// The time on the server's clock.
    pub(crate) fn server_time(&self) -> DateTime<Utc> {
        self.state.server_time(self.now)
    }

    /// The feeds, by name.
    pub(crate) fn feeds(&self) -> impl Iterator<Item = (&'a str, &'a Feed)> {
        let feeds = self.state.feeds.value().into_iter().flatten();
        feeds.map(|(name, feed)| (name.as_str(), feed))
    }
}

/// What the user wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// This ticker in the chart.
    Select(TickerKey),
    /// Candles this wide.
    Interval(Interval),
    /// Prices drawn like this.
    Style(ChartStyle),
    /// Prices on this scale.
    Scale(ScaleChoice),
    /// This drawn over the prices, or no longer.
    Indicator(Indicator),
    /// The watchlist sorted by this.
    Order(Order),
    /// This ticker among the favourites, or no longer.
    Favourite(TickerKey),
    /// The favourites alone in the watchlist, or all tickers.
    FavouritesOnly(bool),
    /// How the recording does, shown or hidden.
    Health(bool),
    /// This theme.
    Theme(ThemeChoice),
    /// Rising and falling coloured like this.
    Hues(Hues),
    /// Candles before the first one.
    LoadOlder(SeriesKey, DateTime<Utc>),
    /// To try now what would be tried later.
    Retry,
}
