//! The indicators of what is in view, computed anew only when something has changed.

use std::{collections::BTreeSet, ops::Range};

use crate::{
    indicators::{Indicator, Line, WARM_UP},
    state::{Series, State, TickerKey},
};

/// Bars in view above which no indicator is drawn: its lines would lie within those of the prices.
const MOST: usize = 20_000;

#[derive(Debug, Clone, PartialEq)]
struct Of {
    interval: domain::Interval,
    first: i64,
    revision: u64,
    ticker: TickerKey,
    holes: u64,
    shown: Range<usize>,
    indicators: BTreeSet<Indicator>,
}

/// Indicators, and what they were computed from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Computed {
    of: Option<Of>,
    /// Which bar the first value of each line belongs to.
    offset: usize,
    lines: Vec<(Indicator, Vec<Line>)>,
}

impl Computed {
    /// Sees that they are those of these bars of the ticker's series.
    pub(super) fn renew(
        &mut self,
        state: &State,
        ticker: &TickerKey,
        series: &Series,
        shown: &Range<usize>,
        indicators: &BTreeSet<Indicator>,
    ) {
        let of = Of {
            interval: series.interval(),
            first: series.bars().first().map_or(0, |bar| bar.open_time),
            revision: series.revision(),
            ticker: ticker.clone(),
            holes: state.holes_revision(),
            shown: shown.clone(),
            indicators: indicators.clone(),
        };
        if self.of.as_ref() == Some(&of) {
            return;
        }
        self.offset = shown.start.saturating_sub(WARM_UP);
        let bars = series.bars().get(self.offset..shown.end).unwrap_or_default();
        let width = series.interval().seconds();
        self.lines = if shown.len() > MOST {
            Vec::new()
        } else {
            indicators.iter().map(|one| (*one, one.lines(bars, width, state.holes(ticker)))).collect()
        };
        self.of = Some(of);
    }

    /// Those over the prices, or those below them.
    pub(super) fn lines(&self, below: bool) -> impl Iterator<Item = (Indicator, &[Line])> {
        let wanted = self.lines.iter().filter(move |(indicator, _)| indicator.is_below() == below);
        wanted.map(|(indicator, lines)| (*indicator, lines.as_slice()))
    }

    /// The values of a line for these bars of the series.
    pub(super) fn values<'a>(&self, line: &'a Line, shown: &Range<usize>) -> &'a [Option<f64>] {
        let place = |bar: usize| bar.saturating_sub(self.offset).min(line.len());
        &line[place(shown.start)..place(shown.end)]
    }

    /// The value of a line for one bar of the series.
    pub(super) fn value(&self, line: &Line, bar: usize) -> Option<f64> {
        *line.get(bar.checked_sub(self.offset)?)?
    }

    /// Whether there are too many bars in view for any.
    pub(super) fn is_left_out(&self) -> bool {
        self.lines.is_empty() && self.of.as_ref().is_some_and(|of| !of.indicators.is_empty())
    }
}
