//! Windows of time that people write in words.

use std::{fmt, str::FromStr};

use chrono::TimeDelta;

/// A length of time looking back from now, written as PostgreSQL and people write it: `120 minute`, `2 hours`,
/// `1 day 6 hours`, `90m`, `2h`; or as ISO 8601 does: `P1D`, `PT2H30M`, `P1W`. Always positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window(TimeDelta);

impl Window {
    /// The length.
    pub fn length(self) -> TimeDelta {
        self.0
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} seconds", self.0.num_seconds())
    }
}

/// The text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a length of time; write a positive whole number and a unit (second, minute, hour, day, week), \
     such as \"120 minute\", \"2 hours\", \"90m\" or \"P1D\""
)]
pub struct InvalidWindow(pub String);

impl FromStr for Window {
    type Err = InvalidWindow;

    fn from_str(text: &str) -> Result<Self, InvalidWindow> {
        let invalid = || InvalidWindow(text.to_owned());
        let mut rest = text.trim();
        let mut total: i64 = 0;
        if let Some(duration) = rest.strip_prefix('P') {
            let (date, time) = duration.split_once('T').unwrap_or((duration, ""));
            // In its date part, M would be months, which have no fixed length.
            if duration.ends_with('T') || date.contains('M') || time.contains(['D', 'W']) {
                return Err(invalid());
            }
            return format!("{date} {time}").to_ascii_lowercase().parse().map_err(|_: InvalidWindow| invalid());
        }
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            let after = after.trim_start();
            let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
            let (unit, after) = after.split_at(letters);
            let number: i64 = number.parse().map_err(|_| invalid())?;
            let seconds = unit_seconds(unit).ok_or_else(invalid)?;
            total = number.checked_mul(seconds).and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
            rest = after.trim_start();
        }
        let length = TimeDelta::try_seconds(total).ok_or_else(invalid)?;
        if length <= TimeDelta::zero() {
            return Err(invalid());
        }
        Ok(Self(length))
    }
}

fn unit_seconds(unit: &str) -> Option<i64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [
            ("120 minute", 7_200),
            ("120 minutes", 7_200),
            ("2 hours", 7_200),
            ("2h", 7_200),
            ("90m", 5_400),
            ("1 day 6 hours", 108_000),
            (" 1 WEEK ", 604_800),
            ("30s", 30),
            ("P1D", 86_400),
            ("PT2H", 7_200),
            ("P1DT2H30M", 95_400),
            ("P2W", 1_209_600),
        ] {
            assert_eq!(text.parse::<Window>().unwrap().length().num_seconds(), seconds, "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_and_says_what_is_allowed() {
        for text in [
            "",
            "minute",
            "120",
            "-5 minutes",
            "0 minutes",
            "1.5 hours",
            "5 fortnights",
            "9999999999999999999 days",
            "9223372036854775807 weeks",
            "1 hour; DROP TABLE price",
            "P",
            "PT",
            "P1M",
            "P1DT",
            "PT1D",
            "PP1D",
        ] {
            let error = text.parse::<Window>().unwrap_err().to_string();
            assert!(error.contains("120 minute"), "{text}: {error}");
        }
    }
}
