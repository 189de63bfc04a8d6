//! The lowest and the highest price of each of the last minutes.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::Interval;

/// The lowest and the highest price.
type LowHigh = (Decimal, Decimal);

/// The lowest and the highest price of each minute, as far back as the longest window that is asked for.
#[derive(Debug, Clone, Default)]
pub struct Extremes {
    /// Lowest and highest, by the opening of the minute; none where nothing was traded.
    minutes: VecDeque<(DateTime<Utc>, Decimal, Decimal)>,
    longest: u16,
    /// Which minutes were changed since the last confirmation, and what stood there; the newest last.
    unconfirmed: Vec<(DateTime<Utc>, Option<LowHigh>)>,
    /// Of each length: of which minute it was asked last, and what came out without that minute.
    sums: BTreeMap<u16, (DateTime<Utc>, Option<LowHigh>)>,
}

impl Extremes {
    /// Those of the minutes before, oldest first: when each opens, lowest, highest.
    pub fn new(longest: u16, minutes: impl IntoIterator<Item = (DateTime<Utc>, Decimal, Decimal)>) -> Self {
        Self { minutes: minutes.into_iter().collect(), longest, ..Self::default() }
    }

    /// How far back it reaches, in minutes.
    pub fn longest(&self) -> u16 {
        self.longest
    }

    /// Takes note of a price, until it is confirmed.
    pub fn add(&mut self, time: DateTime<Utc>, price: Decimal) {
        let minute = Interval::OneMinute.open_time(time);
        let newest = self.minutes.back().map(|(minute, _, _)| *minute);
        let place = match newest {
            Some(newest) if newest == minute => Ok(self.minutes.len() - 1),
            Some(newest) if newest > minute => {
                // It widens a minute that is over.
                self.sums.clear();
                self.minutes.binary_search_by_key(&minute, |(minute, _, _)| *minute)
            }
            _ => Err(self.minutes.len()),
        };
        let before = place.ok().map(|place| (self.minutes[place].1, self.minutes[place].2));
        if self.unconfirmed.last().is_none_or(|(last, _)| *last != minute) {
            self.unconfirmed.push((minute, before));
        }
        match place {
            Ok(place) => {
                let (low, high) = wider(before.unwrap_or((price, price)), (price, price));
                self.minutes[place] = (minute, low, high);
            }
            Err(place) => self.minutes.insert(place, (minute, price, price)),
        }
    }

    /// What was added is true: it is stored.
    pub fn confirm(&mut self) {
        self.unconfirmed.clear();
        let Some((newest, _, _)) = self.minutes.back() else { return };
        let oldest = *newest - TimeDelta::minutes(i64::from(self.longest));
        while self.minutes.front().is_some_and(|(minute, _, _)| *minute < oldest) {
            self.minutes.pop_front();
        }
    }

    /// Takes back what was added and not confirmed.
    pub fn rewind(&mut self) {
        if !self.unconfirmed.is_empty() {
            self.sums.clear();
        }
        while let Some((minute, before)) = self.unconfirmed.pop() {
            if let Ok(place) = self.minutes.binary_search_by_key(&minute, |(minute, _, _)| *minute) {
                match before {
                    Some((low, high)) => self.minutes[place] = (minute, low, high),
                    None => drop(self.minutes.remove(place)),
                }
            }
        }
    }

    /// The lowest and the highest price of the last so many minutes before `time` and of its own minute, of which only what was
    /// added counts: the window begins with a whole minute.
    pub fn of(&mut self, minutes: u16, time: DateTime<Utc>) -> Option<LowHigh> {
        let minute = Interval::OneMinute.open_time(time);
        let before = match self.sums.get(&minutes) {
            Some((of, before)) if *of == minute => *before,
            _ => {
                let oldest = minute - TimeDelta::minutes(i64::from(minutes));
                let begin = self.minutes.partition_point(|(minute, _, _)| *minute < oldest);
                let before = self.minutes.range(begin..).take_while(|(of, _, _)| *of < minute);
                let before = before.map(|(_, low, high)| (*low, *high)).reduce(wider);
                self.sums.insert(minutes, (minute, before));
                before
            }
        };
        let own = self.minutes.binary_search_by_key(&minute, |(minute, _, _)| *minute).ok();
        let own = own.map(|place| (self.minutes[place].1, self.minutes[place].2));
        match (before, own) {
            (Some(before), Some(own)) => Some(wider(before, own)),
            (before, own) => before.or(own),
        }
    }
}

fn wider(one: LowHigh, other: LowHigh) -> LowHigh {
    (one.0.min(other.0), one.1.max(other.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_window_has_what_its_minutes_have(
            steps in prop::collection::vec((0i64..200, 1i64..1_000), 1..80), minutes in 1u16..8
        ) {
            let mut extremes = Extremes::new(8, []);
            let mut all: Vec<(DateTime<Utc>, Decimal)> = Vec::new();
            let mut time = DateTime::from_timestamp(1_000_000_000, 0).unwrap();
            for (seconds, price) in steps {
                time += TimeDelta::seconds(seconds);
                all.push((time, price.into()));
                extremes.add(time, price.into());
                let begin = Interval::OneMinute.open_time(time) - TimeDelta::minutes(minutes.into());
                let within = || all.iter().filter(|(time, _)| *time >= begin).map(|(_, price)| *price);
                prop_assert_eq!(extremes.of(minutes, time), within().min().zip(within().max()));
            }
        }
    }

    #[test]
    fn a_late_price_widens_its_own_minute() {
        let at = |seconds: i64| DateTime::from_timestamp(6_000 + seconds, 0).unwrap();
        let mut extremes = Extremes::new(5, [(at(0), 10.into(), 20.into())]);
        extremes.add(at(130), 15.into());
        assert_eq!(extremes.of(5, at(130)), Some((10.into(), 20.into())));
        extremes.add(at(70), 5.into());
        extremes.add(at(10), 30.into());
        assert_eq!(extremes.of(5, at(130)), Some((5.into(), 30.into())));
        assert_eq!(extremes.of(1, at(130)), Some((5.into(), 15.into())));
        extremes.rewind();
        assert_eq!(extremes.of(5, at(130)), Some((10.into(), 20.into())));
    }
}
