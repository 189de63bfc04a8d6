//! A span of whole minutes, however it is said: from one moment to another, or so long until now.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use domain::{Width, Window};
use utoipa::IntoParams;

use crate::{
    error::Failure,
    parameters::{FromQuery, Query},
};

/// The span where none is said.
const DAY: TimeDelta = TimeDelta::hours(24);
/// The longest: what is older than the first coin is nothing.
const LONGEST: TimeDelta = TimeDelta::days(20 * 366);

/// Which span of time is wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// How long it is: `24h`, `120 minute`, `P1D`. A day where not said. It ends with `to`, or begins with `from`.
    #[param(value_type = Option<String>, example = "24h")]
    window: Option<TimeDelta>,
    /// Where it begins: RFC 3339, or seconds or milliseconds since 1970; a part of a minute counts as all of it.
    #[param(value_type = Option<String>, example = "2026-11-19T12:00:00Z")]
    from: Option<DateTime<Utc>>,
    /// Where it ends. Now where not said, the minute that is running included.
    #[param(value_type = Option<String>, example = "2026-11-20T12:00:00Z")]
    to: Option<DateTime<Utc>>,
}

impl FromQuery for Span {
    const NAMES: &'static [&'static str] = &["window", "from", "to"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let allowed = "a length of time up to 20 years, such as \"24h\", \"120 minute\", \"1 day 6 hours\" or \"P1D\"";
        let window: Option<Window> = query.parsed("window", allowed)?;
        let window = window.map(Window::length);
        let (from, to) = (query.moment("from")?, query.moment("to")?);
        if let Some(text) = query.text("window")?.filter(|_| window.is_some_and(|window| window > LONGEST)) {
            return Err(Failure::parameter("window", text, "the window is longer than 20 years", allowed));
        }
        let three = from.is_some() && to.is_some() && window.is_some();
        if let Some(text) = query.text("window")?.filter(|_| three) {
            let detail = "window, from and to say more than one span; leave one of them away";
            return Err(Failure::parameter("window", text, detail, "two of window, from and to"));
        }
        let end = to.unwrap_or_else(Utc::now);
        if let Some(begin) = from.filter(|begin| *begin >= end) {
            let text = query.text("from")?.unwrap_or_default();
            let allowed = format!("a moment before {end:?}");
            return Err(Failure::parameter("from", text, format!("{begin:?} is not before the end"), allowed));
        }
        Ok(Self { window, from, to })
    }
}

impl Span {
    /// Where it begins and ends, as whole minutes.
    pub(crate) fn minutes(&self, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        let length = up(self.window.unwrap_or(DAY));
        let this_minute = minute_of(now) + TimeDelta::minutes(1);
        match (self.from.map(minute_of), self.to.map(minute_from)) {
            (Some(from), Some(to)) => (from, to),
            (Some(from), None) if self.window.is_some() => (from, from + length),
            (Some(from), None) => (from, this_minute.max(from + TimeDelta::minutes(1))),
            (None, to) => {
                let to = to.unwrap_or(this_minute);
                (to - length, to)
            }
        }
    }
}

/// Where the minute that holds `time` begins.
pub(crate) fn minute_of(time: DateTime<Utc>) -> DateTime<Utc> {
    Width::ONE_MINUTE.open_time(time, Tz::UTC)
}

/// Where the next minute begins, or this one if it begins right then.
pub(crate) fn minute_from(time: DateTime<Utc>) -> DateTime<Utc> {
    Width::ONE_MINUTE.open_at_or_after(time, Tz::UTC)
}

fn up(length: TimeDelta) -> TimeDelta {
    TimeDelta::minutes((length.num_seconds() + 59) / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn every_way_to_say_a_span_gives_whole_minutes() {
        let now = at("2026-11-20T12:34:56Z");
        let span = |window: Option<i64>, from: Option<&str>, to: Option<&str>| {
            Span { window: window.map(TimeDelta::seconds), from: from.map(at), to: to.map(at) }.minutes(now)
        };
        let expected = |from: &str, to: &str| (at(from), at(to));
        assert_eq!(span(None, None, None), expected("2026-11-19T12:35:00Z", "2026-11-20T12:35:00Z"));
        assert_eq!(span(Some(61), None, None), expected("2026-11-20T12:33:00Z", "2026-11-20T12:35:00Z"));
        let from = Some("2026-11-20T10:00:30Z");
        assert_eq!(span(None, from, None), expected("2026-11-20T10:00:00Z", "2026-11-20T12:35:00Z"));
        assert_eq!(span(Some(3_600), from, None), expected("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z"));
        let to = Some("2026-11-20T11:00:30Z");
        assert_eq!(span(None, from, to), expected("2026-11-20T10:00:00Z", "2026-11-20T11:01:00Z"));
        assert_eq!(span(Some(60), None, to), expected("2026-11-20T11:00:00Z", "2026-11-20T11:01:00Z"));
    }
}
