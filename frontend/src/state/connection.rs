//! The connection to the API, which is the live feed's.

use chrono::{DateTime, Utc};

/// How it is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Connection {
    /// The first one is being made.
    #[default]
    Connecting,
    /// News comes.
    Connected,
    /// It is away.
    Away {
        /// Why, for people.
        cause: String,
        /// Since when.
        since: DateTime<Utc>,
        /// When the next one is tried.
        next_try_at: DateTime<Utc>,
    },
}

impl Connection {
    /// Whether it is known to be away.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}
