//! Widths of candles.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};

/// The width of a candle. All are fixed lengths of time, aligned to UTC; a week opens on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interval {
    /// `1m`
    OneMinute,
    /// `5m`
    FiveMinutes,
    /// `15m`
    FifteenMinutes,
    /// `30m`
    ThirtyMinutes,
    /// `1h`
    OneHour,
    /// `4h`
    FourHours,
    /// `1d`
    OneDay,
    /// `1w`
    OneWeek,
}

impl Interval {
    /// All of them, narrow to wide.
    pub const ALL: [Self; 8] = [
        Self::OneMinute,
        Self::FiveMinutes,
        Self::FifteenMinutes,
        Self::ThirtyMinutes,
        Self::OneHour,
        Self::FourHours,
        Self::OneDay,
        Self::OneWeek,
    ];

    /// The word used in URLs, JSON and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneMinute => "1m",
            Self::FiveMinutes => "5m",
            Self::FifteenMinutes => "15m",
            Self::ThirtyMinutes => "30m",
            Self::OneHour => "1h",
            Self::FourHours => "4h",
            Self::OneDay => "1d",
            Self::OneWeek => "1w",
        }
    }

    /// Its length in seconds.
    pub fn seconds(self) -> i64 {
        match self {
            Self::OneMinute => 60,
            Self::FiveMinutes => 300,
            Self::FifteenMinutes => 900,
            Self::ThirtyMinutes => 1_800,
            Self::OneHour => 3_600,
            Self::FourHours => 14_400,
            Self::OneDay => 86_400,
            Self::OneWeek => 604_800,
        }
    }

    /// Its length.
    pub fn duration(self) -> TimeDelta {
        TimeDelta::seconds(self.seconds())
    }

    /// When the candle that holds `time` opens.
    pub fn open_time(self, time: DateTime<Utc>) -> DateTime<Utc> {
        /// The Unix epoch was a Thursday; weeks open on Mondays, four days later.
        const MONDAY: i64 = 4 * 86_400;
        let offset = if self == Self::OneWeek { MONDAY } else { 0 };
        let seconds = time.timestamp();
        let open = seconds - (seconds - offset).rem_euclid(self.seconds());
        // Out of range only within a week of the first moment that can be represented.
        DateTime::from_timestamp(open, 0).unwrap_or(time)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an interval; use one of 1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w")]
pub struct UnknownInterval(pub String);

impl FromStr for Interval {
    type Err = UnknownInterval;

    fn from_str(text: &str) -> Result<Self, UnknownInterval> {
        Self::ALL.into_iter().find(|interval| interval.as_str() == text).ok_or_else(|| UnknownInterval(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn candles_open_where_people_expect_them() {
        let time = at("2026-11-18T13:47:31.5Z"); // a Wednesday
        for (interval, open) in [
            (Interval::OneMinute, "2026-11-18T13:47:00Z"),
            (Interval::FiveMinutes, "2026-11-18T13:45:00Z"),
            (Interval::FifteenMinutes, "2026-11-18T13:45:00Z"),
            (Interval::ThirtyMinutes, "2026-11-18T13:30:00Z"),
            (Interval::OneHour, "2026-11-18T13:00:00Z"),
            (Interval::FourHours, "2026-11-18T12:00:00Z"),
            (Interval::OneDay, "2026-11-18T00:00:00Z"),
            (Interval::OneWeek, "2026-11-16T00:00:00Z"),
        ] {
            assert_eq!(interval.open_time(time), at(open), "{interval}");
            assert_eq!(interval.open_time(at(open)), at(open), "{interval} of its own open");
        }
    }

    #[test]
    fn every_name_reads_back_and_a_month_is_not_a_minute() {
        for interval in Interval::ALL {
            assert_eq!(interval.as_str().parse(), Ok(interval));
        }
        assert!("1M".parse::<Interval>().is_err());
        assert!("90m".parse::<Interval>().unwrap_err().to_string().contains("15m"));
    }
}
