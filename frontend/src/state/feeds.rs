//! How the exchanges' feeds are doing.

use std::collections::BTreeMap;

use api_types::FeedRow;
use chrono::{DateTime, TimeDelta, Utc};
use smol_str::SmolStr;

/// Without a report for this long the tracker is gone, whatever its last words were. The server says so after
/// fifteen seconds; this notices when the server's word does not come either.
const SILENT_AFTER: TimeDelta = TimeDelta::seconds(20);

/// One exchange's feed, as last reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Feed {
    row: FeedRow,
}

impl Feed {
    /// With its name, for a map.
    pub(crate) fn named(row: FeedRow) -> (SmolStr, Self) {
        (row.exchange.as_str().into(), Self { row })
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
            Some(known) if known.row.reported_at > feed.row.reported_at => (name, known),
            _ => (name, feed),
        })
        .collect()
}
