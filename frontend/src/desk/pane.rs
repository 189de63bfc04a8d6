//! One pane: what it shows, and whom it follows.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    panels::{
        alerts::Alerts,
        chart::Chart,
        compare::Compare,
        market::{Movers, Top},
        portfolio::Portfolio,
        volatility::Volatility,
        watchlist::Watchlist,
    },
    state::{Period, SeriesKey, State, TickerKey, portfolio::Topic},
};

/// Panes that show the same ticker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) enum Group {
    /// The first, in which everything is at first.
    #[default]
    A,
    /// The second.
    B,
    /// The third.
    C,
    /// The fourth.
    D,
}

impl Group {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::D];

    /// Its letter.
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
        }
    }

    /// Which of [`ALL`](Self::ALL) it is: this is also its colour.
    pub(crate) fn number(self) -> usize {
        self as usize
    }
}

/// What a pane can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All tickers.
    Markets,
    /// One ticker's candles.
    Chart,
    /// Several tickers on one axis.
    Compare,
    /// What trades most.
    Top,
    /// What rose and fell most.
    Movers,
    /// Whose price moves most.
    Volatility,
    /// What the account waits for.
    Alerts,
    /// What the account owns.
    Portfolio,
    /// How the recording does.
    Health,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Markets,
        Self::Chart,
        Self::Compare,
        Self::Top,
        Self::Movers,
        Self::Volatility,
        Self::Alerts,
        Self::Portfolio,
        Self::Health,
    ];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Markets => "Markets",
            Self::Chart => "Chart",
            Self::Compare => "Compare",
            Self::Top => "Top list",
            Self::Movers => "Movers",
            Self::Volatility => "Volatility",
            Self::Alerts => "Alerts",
            Self::Portfolio => "Portfolio",
            Self::Health => "Health",
        }
    }
}

/// What a pane shows, with what is chosen and remembered for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Content {
    /// All tickers.
    Markets(Watchlist),
    /// One ticker's candles.
    Chart(Box<Chart>),
    /// Several tickers on one axis.
    Compare(Compare),
    /// What trades most.
    Top(Top),
    /// What rose and fell most.
    Movers(Movers),
    /// Whose price moves most.
    Volatility(Volatility),
    /// What the account waits for.
    Alerts(Box<Alerts>),
    /// What the account owns.
    Portfolio(Box<Portfolio>),
    /// How the recording does.
    Health,
}

impl Content {
    /// What it is.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Markets(_) => Kind::Markets,
            Self::Chart(_) => Kind::Chart,
            Self::Compare(_) => Kind::Compare,
            Self::Top(_) => Kind::Top,
            Self::Movers(_) => Kind::Movers,
            Self::Volatility(_) => Kind::Volatility,
            Self::Alerts(_) => Kind::Alerts,
            Self::Portfolio(_) => Kind::Portfolio,
            Self::Health => Kind::Health,
        }
    }

    /// The series that it shows.
    pub(crate) fn series(&self, ticker: Option<&TickerKey>, state: &State) -> BTreeSet<SeriesKey> {
        match self {
            Self::Chart(chart) => chart.series(ticker).into_iter().collect(),
            Self::Compare(compare) => compare.series(ticker, state).into_iter().collect(),
            Self::Markets(_)
            | Self::Top(_)
            | Self::Movers(_)
            | Self::Volatility(_)
            | Self::Alerts(_)
            | Self::Portfolio(_)
            | Self::Health => BTreeSet::new(),
        }
    }

    /// What it shows of the account's portfolios.
    pub(crate) fn topics(&self, state: &State) -> BTreeSet<Topic> {
        match self {
            Self::Portfolio(portfolio) => portfolio.topics(state),
            _ => BTreeSet::new(),
        }
    }

    /// Over how long it shows how much prices moved, if it does.
    pub(crate) fn period(&self) -> Option<Period> {
        match self {
            Self::Volatility(volatility) => Some(volatility.period()),
            _ => None,
        }
    }
}

/// One pane.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pane {
    /// Whom it follows.
    pub group: Option<Group>,
    /// What it shows where it follows nobody.
    pub ticker: Option<TickerKey>,
    /// What it shows of that.
    pub content: Content,
}

impl Pane {
    /// As it is at first.
    pub(crate) fn new(kind: Kind) -> Self {
        let content = match kind {
            Kind::Markets => Content::Markets(Watchlist::default()),
            Kind::Chart => Content::Chart(Box::default()),
            Kind::Compare => Content::Compare(Compare::default()),
            Kind::Top => Content::Top(Top::default()),
            Kind::Movers => Content::Movers(Movers::default()),
            Kind::Volatility => Content::Volatility(Volatility::default()),
            Kind::Alerts => Content::Alerts(Box::default()),
            Kind::Portfolio => Content::Portfolio(Box::default()),
            Kind::Health => Content::Health,
        };
        Self { group: Some(Group::default()), ticker: None, content }
    }

    /// The chart, if it shows one.
    pub(crate) fn chart(&self) -> Option<&Chart> {
        match &self.content {
            Content::Chart(chart) => Some(chart),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn chart_mut(&mut self) -> Option<&mut Chart> {
        match &mut self.content {
            Content::Chart(chart) => Some(chart),
            _ => None,
        }
    }

    /// The list of tickers, if it shows one, to be changed.
    pub(crate) fn watchlist_mut(&mut self) -> Option<&mut Watchlist> {
        match &mut self.content {
            Content::Markets(watchlist) => Some(watchlist),
            _ => None,
        }
    }
}
