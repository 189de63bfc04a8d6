//! How far the candles of one pair were taken over: up to a moment, but for one span before it that is still to come.
//!
//! The newest is taken first, in pages that end with the last span that is over; what is skipped so is remembered, and taken from
//! its end back. Spans that join it make it longer, and some of it may then be asked for twice, which changes nothing.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};

/// From one moment to another.
pub(super) type Span = (DateTime<Utc>, DateTime<Utc>);

/// The progress of one pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Everything before this moment is taken, but for the span.
    newest: DateTime<Utc>,
    /// What is still to be taken.
    older: Option<Span>,
}

impl Progress {
    /// Nothing is taken; it begins at this moment.
    pub(super) fn from(begin: DateTime<Utc>) -> Self {
        Self { newest: begin, older: None }
    }

    /// Everything up to `end` is to be taken as what is older, and nothing after it.
    pub(super) fn until(self, end: DateTime<Utc>) -> Self {
        if self.newest >= end {
            return self;
        }
        Self { newest: end, older: Some((self.older.map_or(self.newest, |(from, _)| from), end)) }
    }

    /// What is to be taken next, at most so long: first what is new before `closed`, then what is older; nothing before `oldest`.
    pub(super) fn next(&self, closed: DateTime<Utc>, oldest: DateTime<Utc>, most: TimeDelta) -> Option<Span> {
        if self.newest < closed {
            return Some((self.newest.max(closed - most).max(oldest), closed));
        }
        self.older(most).map(|(from, to)| (from.max(oldest), to)).filter(|(from, to)| from < to)
    }

    /// The end of what is older, at most so long.
    pub(super) fn older(&self, most: TimeDelta) -> Option<Span> {
        self.older.map(|(from, to)| (from.max(to - most), to))
    }

    /// A span that [`next`](Self::next) or [`older`](Self::older) told is taken. What was before `oldest` is given up.
    pub(super) fn took(&mut self, from: DateTime<Utc>, to: DateTime<Utc>, oldest: DateTime<Utc>) {
        let begin = self.older.map(|(begin, _)| begin);
        if to > self.newest {
            let begin = if from > self.newest { Some(begin.unwrap_or(self.newest)) } else { None };
            if let Some(begin) = begin {
                self.older = Some((begin, from));
            }
            self.newest = to;
        } else {
            self.older = begin.map(|begin| (begin, from));
        }
        self.older = self.older.map(|(begin, end)| (begin.max(oldest), end)).filter(|(begin, end)| begin < end);
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.newest.to_rfc3339())?;
        match self.older {
            Some((from, to)) => write!(f, " {} {}", from.to_rfc3339(), to.to_rfc3339()),
            None => Ok(()),
        }
    }
}

impl FromStr for Progress {
    type Err = chrono::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut moments = text.split(' ').map(str::parse::<DateTime<Utc>>);
        let newest = moments.next().unwrap_or_else(|| text.parse())?;
        let older = match (moments.next(), moments.next()) {
            (Some(from), Some(to)) => Some((from?, to?)),
            _ => None,
        };
        Ok(Self { newest, older })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        "2026-11-20T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    const MOST: TimeDelta = TimeDelta::minutes(960);

    /// What is taken, in order, until there is nothing more to take.
    fn spans(progress: &mut Progress, closed: i64, oldest: i64) -> Vec<(i64, i64)> {
        let mut spans = Vec::new();
        while let Some((from, to)) = progress.next(at(closed), at(oldest), MOST) {
            progress.took(from, to, at(oldest));
            *progress = progress.to_string().parse().unwrap();
            spans.push(((from - at(0)).num_minutes(), (to - at(0)).num_minutes()));
            assert!(spans.len() < 100, "{spans:?}");
        }
        spans
    }

    #[test]
    fn the_newest_is_taken_first_and_what_was_skipped_from_its_end_back() {
        let mut progress = Progress::from(at(-1_440));
        assert_eq!(spans(&mut progress, 0, -10_080), [(-960, 0), (-1_440, -960)]);
        assert_eq!(spans(&mut progress, 60, -10_020), [(0, 60)]);
        assert_eq!(spans(&mut progress, 60, -10_020), []);
        // After a week and a day, a week is taken.
        let week = spans(&mut progress, 11_580, 1_500);
        assert_eq!((week[0], week.last()), ((10_620, 11_580), Some(&(1_500, 1_980))));
    }

    #[test]
    fn a_new_span_comes_before_what_is_older() {
        let mut progress = Progress::from(at(-1_440));
        progress.took(at(-960), at(0), at(-10_080));
        assert_eq!(spans(&mut progress, 60, -10_020), [(0, 60), (-1_440, -960)]);
    }

    #[test]
    fn a_pair_whose_trades_are_recorded_is_taken_up_to_where_that_begins() {
        let progress = Progress::from(at(-1_440)).until(at(0));
        assert_eq!(progress.older(MOST), Some((at(-960), at(0))));
        let mut progress = progress;
        progress.took(at(-960), at(0), at(-10_080));
        assert_eq!(progress.older(MOST), Some((at(-1_440), at(-960))));
        progress.took(at(-1_440), at(-960), at(-10_080));
        assert_eq!((progress.older(MOST), progress.until(at(0))), (None, progress));
    }

    proptest! {
        #[test]
        fn every_minute_is_taken_whenever_it_is_asked(steps in prop::collection::vec((1i64..3_000, 0usize..4), 1..12)) {
            let mut progress = Progress::from(at(0));
            let (mut closed, mut taken) = (0, Vec::new());
            let oldest = at(-10_080);
            for (minutes, asks) in steps {
                closed += minutes;
                for _ in 0..asks {
                    let Some((from, to)) = progress.next(at(closed), oldest, MOST) else { break };
                    prop_assert!(from < to && to - from <= MOST);
                    progress.took(from, to, oldest);
                    taken.push((from, to));
                }
            }
            while let Some((from, to)) = progress.next(at(closed), oldest, MOST) {
                progress.took(from, to, oldest);
                taken.push((from, to));
            }
            taken.sort();
            let mut covered = at(0);
            for (from, to) in taken {
                prop_assert!(from <= covered, "nothing between {} and {}", covered, from);
                covered = covered.max(to);
            }
            prop_assert_eq!(covered, at(closed));
        }
    }
}
