//! What is told regularly: which times are due, and which pairs moved enough to be told of.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::rounding::significant;

/// Which pairs a schedule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movement {
    /// Those that rose.
    Rose,
    /// Those that fell.
    Fell,
    /// Both.
    Moved,
}

impl Movement {
    /// The word in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rose => "rose",
            Self::Fell => "fell",
            Self::Moved => "moved",
        }
    }

    /// The movement of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Rose, Self::Fell, Self::Moved].into_iter().find(|movement| movement.as_str() == word)
    }

    /// By how many percent a price changed, where that is such a movement and not less than the threshold. A price that stayed moved
    /// by no threshold.
    pub fn of(self, from: Decimal, to: Decimal, threshold: Decimal) -> Option<Decimal> {
        let is_meant = match self {
            Self::Rose => to > from,
            Self::Fell => to < from,
            Self::Moved => to != from,
        };
        let percent = (to - from).checked_mul(Decimal::ONE_HUNDRED)?.checked_div(from)?;
        (is_meant && percent.abs() >= threshold).then_some(percent)
    }
}

/// A pair that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The exchange's name.
    pub exchange: String,
    /// The exchange's own spelling of the pair.
    pub ticker: String,
    /// Its price at the beginning.
    #[serde(with = "crate::decimal_text")]
    pub from: Decimal,
    /// Its price at the end.
    #[serde(with = "crate::decimal_text")]
    pub to: Decimal,
    /// By how many percent it moved, to two places.
    #[serde(with = "crate::decimal_text")]
    pub percent: Decimal,
}

/// How many pairs a sentence names.
const NAMED: usize = 10;

/// What a schedule found, in a sentence: those that moved most first, as they are given.
pub fn said(movement: Movement, moved: &[Moved], threshold: Decimal, every_minutes: i32) -> String {
    let count = moved.len();
    let pairs = if count == 1 { "pair" } else { "pairs" };
    let names: Vec<String> = moved.iter().take(NAMED).map(told).collect();
    let more = count.saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let (word, threshold, span) = (movement.as_str(), threshold.normalize(), span(every_minutes));
    format!("{count} {pairs} {word} by {threshold} % or more in {span}: {}{more}", names.join(", "))
}

/// What a portfolio is worth, in a sentence: now, and before the span.
pub fn balance_said(name: &str, currency: &str, value: Decimal, before: Decimal, every_minutes: i32) -> String {
    let (value, worth_before) = (significant(value, 8).normalize(), significant(before, 8).normalize());
    let percent = value.checked_sub(before).and_then(|by| by.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(before));
    let change = match percent.map(|percent| percent.round_dp(2)) {
        Some(percent) => format!("{}{percent:.2} % in", if percent.is_sign_negative() { "" } else { "+" }),
        None => format!("{worth_before} {currency} before"),
    };
    format!("{name} is worth {value} {currency}: {change} {}", span(every_minutes))
}

fn told(moved: &Moved) -> String {
    let sign = if moved.percent.is_sign_negative() { "" } else { "+" };
    format!("{} ({}) {sign}{} % to {}", moved.ticker, moved.exchange, moved.percent, moved.to)
}

fn span(minutes: i32) -> String {
    let (count, unit) = match minutes {
        minutes if minutes % 1_440 == 0 => (minutes / 1_440, "day"),
        minutes if minutes % 60 == 0 => (minutes / 60, "hour"),
        minutes => (minutes, "minute"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

/// A time of a schedule that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The newest of its times that has come: what was missed before is not told any more.
    pub at: DateTime<Utc>,
    /// The one after it; `None` where the schedule is over.
    pub next: Option<DateTime<Utc>>,
}

/// Which of its times has come, from `next_at` on every so many minutes, the last not after `ends_at`.
pub fn due(
    next_at: DateTime<Utc>,
    every_minutes: i32,
    ends_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<Due> {
    let every = TimeDelta::minutes(i64::from(every_minutes.max(1)));
    let until = ends_at.map_or(now, |end| end.min(now));
    if next_at > now || next_at > until {
        return None;
    }
    let missed = (until - next_at).num_microseconds()? / every.num_microseconds()?;
    let at = next_at + every * i32::try_from(missed).ok()?;
    let next = Some(at + every).filter(|next| ends_at.is_none_or(|end| *next <= end));
    Some(Due { at, next })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_movement_has_a_direction_and_a_size() {
        let of = |movement: Movement, from: i64, to: i64, threshold: i64| {
            movement.of(from.into(), to.into(), threshold.into()).map(|percent| percent.to_string())
        };
        assert_eq!(of(Movement::Rose, 100, 105, 5).as_deref(), Some("5"));
        assert_eq!(of(Movement::Rose, 100, 104, 5), None);
        assert_eq!(of(Movement::Rose, 100, 95, 5), None);
        assert_eq!(of(Movement::Fell, 100, 95, 5).as_deref(), Some("-5"));
        assert_eq!(of(Movement::Moved, 100, 95, 5).as_deref(), Some("-5"));
        assert_eq!(of(Movement::Moved, 100, 100, 0), None);
        assert_eq!(of(Movement::Moved, 0, 100, 0), None, "nothing is a percentage of zero");
        assert_eq!(Movement::Rose.of(Decimal::ONE, Decimal::MAX, Decimal::ONE), None, "too far to be told");
    }

    #[test]
    fn a_sentence_names_the_first() {
        let moved = |ticker: &str, percent: &str| Moved {
            exchange: "binance".into(),
            ticker: ticker.into(),
            from: 100.into(),
            to: 106.into(),
            percent: percent.parse().unwrap(),
        };
        let balance = |value: &str, before: &str| {
            balance_said("savings", "USD", value.parse().unwrap(), before.parse().unwrap(), 1_440)
        };
        assert_eq!(balance("110.00", "100"), "savings is worth 110 USD: +10.00 % in 1 day");
        assert_eq!(balance("64000.123456789", "80000"), "savings is worth 64000.123 USD: -20.00 % in 1 day");
        assert_eq!(balance("5", "0"), "savings is worth 5 USD: 0 USD before 1 day");
        let one = said(Movement::Rose, &[moved("BTCUSDT", "6.00")], "5.0".parse().unwrap(), 60);
        assert_eq!(one, "1 pair rose by 5 % or more in 1 hour: BTCUSDT (binance) +6.00 % to 106");
        let many = said(Movement::Moved, &vec![moved("X", "-6.25"); 12], 5.into(), 2_880);
        assert!(many.starts_with("12 pairs moved by 5 % or more in 2 days: X (binance) -6.25 %"), "{many}");
        assert!(many.ends_with("and 2 more"), "{many}");
    }

    proptest! {
        #[test]
        fn only_the_newest_time_that_was_missed_is_due(
            first in 0i64..1_000_000, later in -1_000i64..10_000_000, every in 1i32..=43_200,
            ends in prop::option::of(0i64..12_000_000)
        ) {
            let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
            let (next_at, now, ends_at) = (at(first), at(first + later), ends.map(at));
            let step = TimeDelta::minutes(every.into());
            match due(next_at, every, ends_at, now) {
                None => prop_assert!(next_at > now || ends_at.is_some_and(|end| next_at > end)),
                Some(Due { at, next }) => {
                    prop_assert!(at >= next_at && at <= now && ends_at.is_none_or(|end| at <= end));
                    prop_assert_eq!((at - next_at).num_seconds() % step.num_seconds(), 0);
                    match next {
                        Some(next) => prop_assert!(next == at + step && ends_at.is_none_or(|end| next <= end)),
                        None => prop_assert!(ends_at.is_some_and(|end| at + step > end)),
                    }
                    prop_assert!(at + step > now || next.is_none());
                }
            }
        }
    }
}
