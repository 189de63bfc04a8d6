//! Alerts: what a rule says, and whether prices meet it.
//!
//! A level is crossed between two prices that follow each other; so nothing is remembered of a rule but whether it is armed and when
//! it last fired, and a price that no level lies near costs two comparisons ([`Watched`]).

mod condition;
mod extremes;
mod past;
mod said;
mod watched;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::Interval;

pub use condition::{Condition, Direction, Step, Unit, Way};
pub use extremes::Extremes;
pub use past::{Bar, bars, likely_prices, on_close, on_value, replay};
pub use said::{Subject, said};
pub use watched::{Firing, Found, Gap, Sequence, State, Watched};

/// How often a rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frequency {
    /// Once, and it is over.
    Once,
    /// Once in each candle of this width.
    OncePerBar(Interval),
    /// Each time, but not again before so much time has passed.
    EveryTime(TimeDelta),
}

impl Frequency {
    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::OncePerBar(_) => "once_per_bar",
            Self::EveryTime(_) => "every_time",
        }
    }

    /// How far two firings of a rule may lie apart and be too close; `None` where it fires once.
    pub fn rest(self) -> Option<TimeDelta> {
        match self {
            Self::Once => None,
            Self::OncePerBar(bar) => Some(bar.duration()),
            Self::EveryTime(cooldown) => Some(cooldown),
        }
    }

    /// Whether a rule that fired for something of `last` may fire for something of `time`.
    pub fn allows(self, last: Option<DateTime<Utc>>, time: DateTime<Utc>) -> bool {
        let Some(last) = last else { return true };
        match self {
            Self::Once => true,
            Self::OncePerBar(bar) => bar.open_time(last) != bar.open_time(time),
            Self::EveryTime(cooldown) => (time - last).abs() >= cooldown,
        }
    }
}

/// A rule at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its key.
    pub id: i64,
    /// What it waits for.
    pub condition: Condition,
    /// How often it fires.
    pub frequency: Frequency,
    /// By how much what it fired for must have passed before it fires again.
    pub hysteresis: Decimal,
    /// Whether trades that were fetched later fire it.
    pub tell_late: bool,
    /// When it was made, or last changed: what happened before concerns it only where it comes in order.
    pub since: DateTime<Utc>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// How it stands.
    pub state: State,
}

/// A price that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub time: DateTime<Utc>,
    /// The number of its trade, where it has one.
    pub trade_id: Option<i64>,
    /// The price.
    pub price: Decimal,
}

impl Seen {
    /// What the order of prices goes by.
    pub fn key(&self) -> (DateTime<Utc>, Option<i64>) {
        (self.time, self.trade_id)
    }

    /// Whether the numbers say that nothing was traded in between.
    pub fn is_followed_by(&self, next: &Self) -> bool {
        self.trade_id.zip(next.trade_id).is_some_and(|(this, next)| this.checked_add(1) == Some(next))
    }
}
