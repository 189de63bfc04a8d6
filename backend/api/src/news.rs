//! What the live feed tells about the answers that are kept: that something was stored, and whether one would hear of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts what changes answers.
#[derive(Debug, Default)]
pub(crate) struct News {
    changes: AtomicU64,
    connected: AtomicBool,
}

impl News {
    /// Something was stored.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Says whether the live feed is connected. What it missed while it was not counts as a change.
    pub(crate) fn set_connected(&self, connected: bool) {
        if self.connected.swap(connected, Ordering::AcqRel) != connected {
            self.changed();
        }
    }

    /// How often something changed since the process began.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whether one would hear of a change.
    pub(crate) fn connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }
}
