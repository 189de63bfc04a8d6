//! Hours in which nobody wants to be told.

use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

/// From when to when, by somebody's clocks; over midnight where the end comes before the beginning. Where both are the same, never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// Since when nothing is sent.
    pub from: NaiveTime,
    /// From when on it is again.
    pub to: NaiveTime,
}

impl QuietHours {
    /// When they end, where they are now.
    pub fn until(&self, now: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let mut until = None;
        let mut moment = now;
        // Twice at most: where the clocks jump over the end, what follows may be quiet again.
        for _ in 0..3 {
            let local = moment.with_timezone(&zone).naive_local();
            if !self.contain(local.time()) {
                break;
            }
            let day = if local.time() < self.to { local.date() } else { local.date() + TimeDelta::days(1) };
            moment = first_after(moment, day.and_time(self.to), zone);
            until = Some(moment);
        }
        until
    }

    fn contain(&self, time: NaiveTime) -> bool {
        if self.from <= self.to { self.from <= time && time < self.to } else { time >= self.from || time < self.to }
    }
}

/// When clocks show this, for the first time after a moment; or, where they jump over it, what comes next.
fn first_after(moment: DateTime<Utc>, mut local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    // Clocks have jumped over a day at most.
    for _ in 0..=24 * 4 {
        let shown = zone.from_local_datetime(&local);
        let found = [shown.earliest(), shown.latest()].into_iter().flatten().map(|time| time.to_utc());
        if let Some(time) = found.into_iter().find(|time| *time > moment) {
            return time;
        }
        local += TimeDelta::minutes(15);
    }
    moment + TimeDelta::days(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(from: &str, to: &str) -> QuietHours {
        QuietHours { from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn nights_span_midnight_on_the_owners_clocks() {
        let night = hours("22:00:00", "07:30:00");
        let berlin = Tz::Europe__Berlin;
        for (now, until) in [
            ("2026-01-10T20:59:59Z", None),
            ("2026-01-10T21:00:00Z", Some("2026-01-11T06:30:00Z")),
            ("2026-01-11T03:00:00Z", Some("2026-01-11T06:30:00Z")),
            ("2026-01-11T06:30:00Z", None),
            // Clocks go forward in this night, and back in that.
            ("2026-03-28T22:00:00Z", Some("2026-03-29T05:30:00Z")),
            ("2026-10-24T21:00:00Z", Some("2026-10-25T06:30:00Z")),
        ] {
            assert_eq!(night.until(at(now), berlin), until.map(at), "{now}");
        }
    }

    #[test]
    fn an_end_that_clocks_jump_over_is_the_next_they_show() {
        let until = hours("00:00:00", "02:30:00").until(at("2026-03-28T23:30:00Z"), Tz::Europe__Berlin);
        assert_eq!(until, Some(at("2026-03-29T01:00:00Z")));
        // Shown twice: the first time counts, and between the two it is quiet again.
        let night = hours("00:00:00", "02:30:00");
        assert_eq!(night.until(at("2026-10-24T23:30:00Z"), Tz::Europe__Berlin), Some(at("2026-10-25T00:30:00Z")));
        assert_eq!(night.until(at("2026-10-25T01:10:00Z"), Tz::Europe__Berlin), Some(at("2026-10-25T01:30:00Z")));
    }

    #[test]
    fn equal_ends_are_never() {
        assert_eq!(hours("08:00:00", "08:00:00").until(at("2026-01-10T08:00:00Z"), Tz::UTC), None);
    }

    proptest! {
        #[test]
        fn they_end_soon_and_not_before(
            seconds in 0i64..2_500_000_000, from in 0u32..1_440, to in 0u32..1_440, zone in 0..chrono_tz::TZ_VARIANTS.len()
        ) {
            let time = |minute: u32| NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0).unwrap();
            let quiet = QuietHours { from: time(from), to: time(to) };
            let zone = chrono_tz::TZ_VARIANTS[zone];
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            let is_quiet = |moment: DateTime<Utc>| quiet.contain(moment.with_timezone(&zone).time());
            match quiet.until(now, zone) {
                None => prop_assert!(!is_quiet(now) || from == to),
                Some(until) => {
                    prop_assert!(is_quiet(now) && until > now);
                    prop_assert!(!is_quiet(until), "{until} is quiet too");
                    prop_assert!(until - now <= TimeDelta::hours(49), "{}", until - now);
                }
            }
        }
    }
}
