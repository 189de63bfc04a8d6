//! Holes in a feed: trades that an exchange numbered and that never reached us.
//!
//! Where an exchange numbers the trades of a pair without leaving numbers out, a hole is exact: the first and the last
//! number that are missing. Elsewhere it is the span of time in which trades may be missing. It stays in the ledger for ever, with its cause and with what became of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Why trades are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The tracker did not run.
    TrackerStopped,
    /// The connection to the exchange was lost in between.
    Disconnected,
    /// The connection stood, and the exchange left them out.
    Skipped,
    /// The connection stood, and brought nothing more of this pair.
    Silence,
    /// The queue on disk was full, so that the exchange was not read.
    QueueFull,
}

impl GapCause {
    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrackerStopped => "tracker_stopped",
            Self::Disconnected => "disconnected",
            Self::Skipped => "skipped",
            Self::Silence => "silence",
            Self::QueueFull => "queue_full",
        }
    }
}

/// What became of a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapState {
    /// Found; nothing was asked for yet, or asking failed.
    Open,
    /// A part of it has been fetched.
    Filling,
    /// Every trade of it was fetched, or came late by itself.
    Filled,
    /// What could be fetched was; the exchange says that it has none of the other numbers.
    ConfirmedEmpty,
    /// The exchange gives no such old trades.
    Unfillable,
}

impl GapState {
    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Filling => "filling",
            Self::Filled => "filled",
            Self::ConfirmedEmpty => "confirmed_empty",
            Self::Unfillable => "unfillable",
        }
    }

    /// Whether nothing more is done about it.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Filled | Self::ConfirmedEmpty | Self::Unfillable)
    }
}

/// One hole, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The exchange's own spelling of the pair.
    pub ticker: SmolStr,
    /// Number of the first trade that was missing when the hole was found. With the pair, it names the hole.
    pub first_trade_id: i64,
    /// Number of the last one.
    pub last_trade_id: i64,
    /// When the trade before the hole happened, where it is known.
    pub from: Option<DateTime<Utc>>,
    /// When the trade behind the hole happened, where it is known.
    pub to: Option<DateTime<Utc>>,
    /// Why.
    pub cause: GapCause,
    /// What became of it.
    pub state: GapState,
    /// How many of its trades are still missing; 0 in a hole by time, of which nobody knows.
    pub missing: i64,
    /// The exchange's numbers do not tell what is missing: the hole is a span of time, and microseconds since 1970 stand in the place
    /// of its first and last number.
    #[serde(default, skip_serializing_if = "is_false")]
    pub by_time: bool,
    /// How often the exchange was asked for them.
    pub attempts: u32,
    /// What went wrong last, or why it is closed, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it was found.
    pub found_at: DateTime<Utc>,
    /// When this was said.
    pub updated_at: DateTime<Utc>,
    /// Counts what was said of it; what is said later has the higher number.
    pub revision: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Holes of one exchange, found or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapReport {
    /// The exchange's name.
    pub exchange: SmolStr,
    /// The holes.
    pub gaps: Vec<Gap>,
}

impl GapReport {
    /// What makes the report unfit for storing, if anything.
    pub fn mistake(&self) -> Option<String> {
        if !crate::exchange::is_name(&self.exchange) {
            return Some(format!("not the name of an exchange: {:?}", self.exchange));
        }
        let unsound = self.gaps.iter().find(|gap| {
            !crate::exchange::is_code(&gap.ticker)
                || gap.first_trade_id < 0
                || gap.last_trade_id < gap.first_trade_id
                // So that there is one more than the last, and they can be counted.
                || gap.last_trade_id == i64::MAX
                || !(0..=gap.last_trade_id - gap.first_trade_id + 1).contains(&gap.missing)
        });
        unsound.map(|gap| format!("not a hole: {gap:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap() -> Gap {
        let found_at = "2026-11-20T12:00:00Z".parse().unwrap();
        Gap {
            ticker: "BTCUSDT".into(),
            first_trade_id: 11,
            last_trade_id: 19,
            from: Some(found_at),
            to: None,
            cause: GapCause::Disconnected,
            state: GapState::Open,
            missing: 9,
            by_time: false,
            attempts: 0,
            detail: None,
            found_at,
            updated_at: found_at,
            revision: 1,
        }
    }

    #[test]
    fn a_report_survives_json_and_unsound_ones_are_told() {
        let report = |gap: Gap| GapReport { exchange: "binance".into(), gaps: vec![gap] };
        let sound = report(gap());
        let json = serde_json::to_string(&sound).unwrap();
        assert_eq!(serde_json::from_str::<GapReport>(&json).unwrap(), sound);
        assert_eq!(sound.mistake(), None);
        for bad in [
            Gap { last_trade_id: 10, missing: 0, ..gap() },
            Gap { missing: 10, ..gap() },
            Gap { first_trade_id: -1, ..gap() },
            Gap { ticker: "".into(), ..gap() },
        ] {
            assert!(report(bad.clone()).mistake().is_some(), "{bad:?}");
        }
    }
}
