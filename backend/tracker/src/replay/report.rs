//! What a replay has read.

use std::fmt;

use chrono::{DateTime, Utc};
use domain::{FeedStatus, Gap};

use super::stream::Read;

/// So many reasons why files could not be read to their end are kept, one a file.
const MOST_CUTS: usize = 64;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Messages.
    pub frames: u64,
    /// Trades that passed.
    pub trades: u64,
    /// Trades that did not: of pairs that nobody knows, or not credible.
    pub refused: u64,
    /// Messages that the exchange does not document, and lines that are none of a recording.
    pub unreadable: u64,
    /// Gaps: ranges of numbers, or spans of time, in which the recording lacks trades.
    pub gaps: u64,
    /// Trades that are known to be missing in them; of a span of time nobody knows how many.
    pub lost: u64,
    /// When the first entry was recorded, and the last.
    pub from: Option<DateTime<Utc>>,
    /// When the last one was.
    pub to: Option<DateTime<Utc>>,
    /// Why files could not be read to their end.
    pub cut: Vec<String>,
    /// Unreadable ones that the board counts among the refused.
    on_board: u64,
}

impl Report {
    pub(super) fn frame(&mut self, read: Read) {
        self.frames += 1;
        if let Read::Unreadable { .. } = read {
            self.unreadable(read);
        }
    }

    pub(super) fn unreadable(&mut self, read: Read) {
        self.unreadable += 1;
        self.on_board += u64::from(matches!(read, Read::Unreadable { on_board: true }));
    }

    pub(super) fn cut(&mut self, said: String) {
        tracing::error!("{said}; what was before is kept");
        if self.cut.len() < MOST_CUTS {
            self.cut.push(said);
        }
    }

    pub(super) fn reached(&mut self, at: DateTime<Utc>) {
        self.from = self.from.or(Some(at));
        self.to = self.to.max(Some(at));
    }

    pub(super) fn lost(&mut self, gaps: &[Gap]) {
        self.gaps = gaps.len() as u64;
        self.lost = gaps.iter().map(|gap| gap.missing.max(0).unsigned_abs()).fold(0, u64::saturating_add);
    }

    /// What the board counted.
    pub(super) fn passed(&mut self, status: &FeedStatus) {
        self.trades = status.ticks;
        self.refused = status.rejected.saturating_sub(self.on_board);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, trades, refused, unreadable, gaps, lost, .. } = self;
        write!(
            f,
            "{frames} frames, {trades} trades, {refused} refused, {unreadable} unreadable, {lost} lost in {gaps} gaps"
        )?;
        if let (Some(from), Some(to)) = (self.from, self.to) {
            write!(f, ", recorded from {} to {}", from.format("%F %T"), to.format("%F %T UTC"))?;
        }
        Ok(())
    }
}
