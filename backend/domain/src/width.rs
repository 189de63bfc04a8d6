//! Widths of candles, from a minute to a month, on the clocks of any time zone.
//!
//! Up to half a day a width is a fixed length of time, aligned to UTC. Days, weeks and months are the calendar's: they open
//! at midnight of a time zone, weeks on Monday, and may be an hour longer or shorter where clocks change.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

/// The width of a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Width(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Minutes(u16),
    Hours(u16),
    Day,
    Week,
    Month,
}

/// A width of which candles are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `1m`
    OneMinute,
    /// `5m`
    FiveMinutes,
    /// `1h`
    OneHour,
    /// `1d`, of UTC
    OneDay,
}

impl Level {
    /// The word used in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneMinute => "1m",
            Self::FiveMinutes => "5m",
            Self::OneHour => "1h",
            Self::OneDay => "1d",
        }
    }

    /// Its length in seconds.
    pub fn seconds(self) -> i64 {
        match self {
            Self::OneMinute => 60,
            Self::FiveMinutes => 300,
            Self::OneHour => 3_600,
            Self::OneDay => 86_400,
        }
    }
}

impl Width {
    /// All of them, narrow to wide: 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1w 1M.
    pub const ALL: [Self; 14] = [
        Self(Kind::Minutes(1)),
        Self(Kind::Minutes(3)),
        Self(Kind::Minutes(5)),
        Self(Kind::Minutes(15)),
        Self(Kind::Minutes(30)),
        Self(Kind::Hours(1)),
        Self(Kind::Hours(2)),
        Self(Kind::Hours(4)),
        Self(Kind::Hours(6)),
        Self(Kind::Hours(8)),
        Self(Kind::Hours(12)),
        Self(Kind::Day),
        Self(Kind::Week),
        Self(Kind::Month),
    ];

    /// `1m`
    pub const ONE_MINUTE: Self = Self(Kind::Minutes(1));

    /// Their names, for people.
    pub const NAMES: &str = "1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d, 1w, 1M";

    /// Its length in seconds, where it is the same at all times and places.
    pub fn fixed_seconds(self) -> Option<i64> {
        match self.0 {
            Kind::Minutes(count) => Some(i64::from(count) * 60),
            Kind::Hours(count) => Some(i64::from(count) * 3_600),
            Kind::Day | Kind::Week | Kind::Month => None,
        }
    }

    /// The longest that it can be, in seconds.
    pub fn most_seconds(self) -> i64 {
        match self.0 {
            Kind::Day => 90_000,
            Kind::Week => 7 * 86_400 + 3_600,
            Kind::Month => 31 * 86_400 + 3_600,
            Kind::Minutes(_) | Kind::Hours(_) => self.fixed_seconds().unwrap_or_default(),
        }
    }

    /// The widest stored candles of which those of this width can be put together, on the clocks of `zone` between `from`
    /// and `to`: hours only where its clocks are whole hours from UTC.
    pub fn level(self, zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Level {
        match self.0 {
            Kind::Minutes(count) if count % 5 != 0 => Level::OneMinute,
            Kind::Minutes(_) => Level::FiveMinutes,
            Kind::Hours(_) => Level::OneHour,
            Kind::Day | Kind::Week | Kind::Month if zone == Tz::UTC => Level::OneDay,
            Kind::Day | Kind::Week | Kind::Month => {
                let ahead = |time: DateTime<Utc>| time.with_timezone(&zone).offset().fix().local_minus_utc();
                // Zones that keep to whole hours do so in winter and in summer.
                let middle = from + (to - from) / 2;
                let whole = |time| ahead(time) % 3_600 == 0;
                if whole(from) && whole(middle) && whole(to) { Level::OneHour } else { Level::FiveMinutes }
            }
        }
    }

    /// When the candle that holds `time` opens.
    pub fn open_time(self, time: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        if let Some(seconds) = self.fixed_seconds() {
            let open = time.timestamp() - time.timestamp().rem_euclid(seconds);
            // Out of range only at the first moment that can be represented.
            return DateTime::from_timestamp(open, 0).unwrap_or(time);
        }
        midnight(self.first_day(time.with_timezone(&zone).date_naive()), zone).unwrap_or(time)
    }

    /// When the candle behind the one that opens at `open` does.
    pub fn next(self, open: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        if let Some(seconds) = self.fixed_seconds() {
            return open + TimeDelta::seconds(seconds);
        }
        let day = self.first_day(open.with_timezone(&zone).date_naive());
        let next = match self.0 {
            Kind::Week => day.checked_add_days(Days::new(7)),
            Kind::Month => day.checked_add_months(Months::new(1)),
            _ => day.checked_add_days(Days::new(1)),
        };
        next.and_then(|next| midnight(next, zone)).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// When the candle before the one that opens at `open` does.
    pub fn previous(self, open: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        self.open_time(open - TimeDelta::microseconds(1), zone)
    }

    /// `time`, where a candle opens there, or else when the next one does.
    pub fn open_at_or_after(self, time: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        let open = self.open_time(time, zone);
        if open == time { time } else { self.next(open, zone) }
    }

    fn first_day(self, day: NaiveDate) -> NaiveDate {
        match self.0 {
            Kind::Week => day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())),
            Kind::Month => day.with_day(1),
            Kind::Day | Kind::Minutes(_) | Kind::Hours(_) => Some(day),
        }
        .unwrap_or(day)
    }
}

/// Where a day begins. Where clocks leave midnight out, it begins when they go on; where they show it twice, the first time.
fn midnight(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let quarter = TimeDelta::minutes(15);
    let mut local = day.and_time(NaiveTime::MIN);
    // No clock was ever put forward by more than a day.
    for _ in 0..=96 {
        if let Some(time) = zone.from_local_datetime(&local).earliest() {
            return Some(time.to_utc());
        }
        local += quarter;
    }
    None
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Minutes(count) => write!(f, "{count}m"),
            Kind::Hours(count) => write!(f, "{count}h"),
            Kind::Day => f.write_str("1d"),
            Kind::Week => f.write_str("1w"),
            Kind::Month => f.write_str("1M"),
        }
    }
}

/// The text names no width.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the width of a candle; use one of {names} (1m is a minute, 1M a month)", names = Width::NAMES)]
pub struct UnknownWidth(pub String);

impl FromStr for Width {
    type Err = UnknownWidth;

    fn from_str(text: &str) -> Result<Self, UnknownWidth> {
        Self::ALL.into_iter().find(|width| width.to_string() == text).ok_or_else(|| UnknownWidth(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn width(text: &str) -> Width {
        text.parse().unwrap()
    }

    #[test]
    fn candles_open_where_people_expect_them() {
        let time = at("2026-11-18T13:47:31.5Z"); // a Wednesday
        for (name, zone, open, next) in [
            ("1m", Tz::UTC, "2026-11-18T13:47:00Z", "2026-11-18T13:48:00Z"),
            ("3m", Tz::UTC, "2026-11-18T13:45:00Z", "2026-11-18T13:48:00Z"),
            ("15m", Tz::Asia__Kathmandu, "2026-11-18T13:45:00Z", "2026-11-18T14:00:00Z"),
            ("8h", Tz::UTC, "2026-11-18T08:00:00Z", "2026-11-18T16:00:00Z"),
            ("1d", Tz::UTC, "2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z"),
            ("1d", Tz::Asia__Kathmandu, "2026-11-17T18:15:00Z", "2026-11-18T18:15:00Z"),
            ("1w", Tz::UTC, "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
            ("1w", Tz::America__New_York, "2026-11-16T05:00:00Z", "2026-11-23T05:00:00Z"),
            ("1M", Tz::UTC, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("1M", Tz::Europe__Berlin, "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        ] {
            let (width, open, next) = (width(name), at(open), at(next));
            assert_eq!(width.open_time(time, zone), open, "{name} {zone}");
            assert_eq!(width.next(open, zone), next, "{name} {zone}");
            assert_eq!(width.previous(next, zone), open, "{name} {zone}");
            assert_eq!(width.open_at_or_after(time, zone), next, "{name} {zone}");
            assert_eq!(width.open_at_or_after(open, zone), open, "{name} {zone}");
        }
    }

    #[test]
    fn days_follow_clocks_that_change() {
        let day = width("1d");
        let berlin = Tz::Europe__Berlin;
        // The day on which clocks are put forward has 23 hours, the one on which they are put back 25.
        assert_eq!(day.next(at("2026-03-28T23:00:00Z"), berlin), at("2026-03-29T22:00:00Z"));
        assert_eq!(day.next(at("2026-10-24T22:00:00Z"), berlin), at("2026-10-25T23:00:00Z"));
        // In Beirut midnight is left out: the day begins at one o'clock.
        let beirut = Tz::Asia__Beirut;
        assert_eq!(day.open_time(at("2026-03-29T12:00:00Z"), beirut), at("2026-03-28T22:00:00Z"));
    }

    #[test]
    fn every_name_reads_back_and_a_month_is_not_a_minute() {
        let names: Vec<String> = Width::ALL.iter().map(Width::to_string).collect();
        assert_eq!(names.join(", "), Width::NAMES);
        for width in Width::ALL {
            assert_eq!(width.to_string().parse(), Ok(width));
        }
        assert_ne!(width("1m"), width("1M"));
        assert!("90m".parse::<Width>().unwrap_err().to_string().contains("15m"));
    }

    proptest! {
        #[test]
        fn every_moment_lies_in_one_candle(seconds in 0i64..4_000_000_000, width in 0..Width::ALL.len(), zone in 0..chrono_tz::TZ_VARIANTS.len()) {
            let (width, zone) = (Width::ALL[width], chrono_tz::TZ_VARIANTS[zone]);
            let time = DateTime::from_timestamp(seconds, 0).unwrap();
            let open = width.open_time(time, zone);
            let next = width.next(open, zone);
            prop_assert!(open <= time && time < next, "{width} {zone}: {open} {time} {next}");
            prop_assert!((next - open).num_seconds() <= width.most_seconds() + 86_400);
            prop_assert_eq!(width.open_time(open, zone), open);
        }
    }
}
