//! How the exchanges' feeds are doing.

use std::collections::BTreeMap;

use api_types::FeedRow;
use chrono::{DateTime, TimeDelta, Utc};
use smol_str::SmolStr;

/// Without a report for this long the tracker is gone, whatever its last words were. The server says so after
/// fifteen seconds; this notices when the server's word does not come either.
const SILENT_AFTER: TimeDelta = TimeDelta::seconds(20);

/// One exchange's feed, as last reported.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Feed {
    row: FeedRow,
    /// Ticks per second between the last two reports, if they were of the same tracker.
    ticks_per_second: Option<f64>,
}

impl Feed {
    /// With its name, for a map.
    pub(crate) fn named(row: FeedRow) -> (SmolStr, Self) {
        (row.exchange.as_str().into(), Self { row, ticks_per_second: None })
    }

    /// With what the report before it adds.
    pub(super) fn after(mut self, known: Option<&Self>) -> Self {
        let Some(known) = known else { return self };
        let seconds = (self.row.reported_at - known.row.reported_at).as_seconds_f64();
        self.ticks_per_second = if seconds >= 0.5 {
            // A tracker that was started again counts from nothing.
            self.row.ticks.checked_sub(known.row.ticks).map(|ticks| ticks as f64 / seconds)
        } else {
            known.ticks_per_second
        };
        self
    }

    /// Ticks per second, once two reports have come.
    pub(crate) fn ticks_per_second(&self) -> Option<f64> {
        self.ticks_per_second
    }

    /// What it is doing, in the API's word for it.
    pub(crate) fn state(&self, server_time: DateTime<Utc>) -> &str {
        if self.row.state != "stopped" && server_time - self.row.reported_at > SILENT_AFTER {
            "silent"
        } else {
            &self.row.state
        }
    }

    /// Whether prices come from it.
    pub(crate) fn delivers(&self, server_time: DateTime<Utc>) -> bool {
        matches!(self.state(server_time), "streaming" | "polling")
    }

    /// Whether it has nothing to give and says so or says nothing: what a banner is for.
    pub(crate) fn is_down(&self, server_time: DateTime<Utc>) -> bool {
        matches!(self.state(server_time), "waiting" | "silent" | "stopped")
    }

    /// Why, for people, where there is something to explain.
    pub(crate) fn cause(&self, server_time: DateTime<Utc>) -> Option<&str> {
        match self.state(server_time) {
            "silent" => Some("the tracker does not report"),
            _ => self.row.detail.as_deref(),
        }
    }

    /// When the next connection is tried, while waiting.
    pub(crate) fn next_try_at(&self, server_time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.row.next_try_at.filter(|_| self.state(server_time) == "waiting")
    }

    /// What was last reported.
    pub(crate) fn row(&self) -> &FeedRow {
        &self.row
    }
}

/// The answer replaces what was known, except where a live event was newer.
pub(super) fn merge(old: Option<BTreeMap<SmolStr, Feed>>, rows: Vec<FeedRow>) -> BTreeMap<SmolStr, Feed> {
    let mut old = old.unwrap_or_default();
    rows.into_iter()
        .map(Feed::named)
        .map(|(name, feed)| match old.remove(&name) {
            Some(known) if known.row.reported_at >= feed.row.reported_at => (name, known),
            known => (name, feed.after(known.as_ref())),
        })
        .collect()
}
