//! How the connection to an exchange is doing, as the tracker tells it to whoever shows it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// What a feed is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// A connection is being made.
    Connecting,
    /// The stream delivers.
    Streaming,
    /// Prices are asked for by REST, because that was chosen or because the stream is down.
    Polling,
    /// Nothing is delivered; the next try has a time.
    Waiting,
    /// The tracker is stopping.
    Stopped,
}

impl FeedState {
    /// The word used in JSON and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Streaming => "streaming",
            Self::Polling => "polling",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
        }
    }
}

/// One exchange's feed at one moment. Sent at every change and every few seconds, so that silence means that the
/// tracker itself is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedStatus {
    /// The exchange's name.
    pub exchange: SmolStr,
    /// What the feed is doing.
    pub state: FeedState,
    /// Since when it has been doing that.
    pub since: DateTime<Utc>,
    /// When this was said.
    pub reported_at: DateTime<Utc>,
    /// Why, in words for a person, where there is something to explain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When the next connection is tried, while waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_at: Option<DateTime<Utc>>,
    /// When the last valid tick was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_tick_at: Option<DateTime<Utc>>,
    /// Connections lost since the tracker started.
    pub reconnects: u64,
    /// Valid ticks received since the tracker started.
    pub ticks: u64,
    /// Valid ticks received in the last minute, or since the tracker started where that is less.
    #[serde(default)]
    pub ticks_last_minute: u64,
    /// Ticks and frames refused since the tracker started, all reasons together.
    pub rejected: u64,
    /// How far the exchange's clock is ahead of ours, in milliseconds; negative where ours is ahead. Known to within half
    /// of the time that asking took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<i64>,
    /// Messages that wait in the tracker's own queue, of all its exchanges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<u64>,
}
