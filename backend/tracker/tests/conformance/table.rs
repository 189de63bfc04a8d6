//! The table of what was read.

use std::{collections::BTreeMap, fmt::Write as _};

use tracker::exchange::{Frame, UnreadableFrame};

/// What the frames of one file were.
#[derive(Debug)]
pub(crate) struct Row {
    venue: &'static str,
    file: String,
    frames: usize,
    trades: usize,
    tickers: usize,
    control: usize,
    ignored: BTreeMap<String, usize>,
    errors: BTreeMap<String, usize>,
}

impl Row {
    pub(crate) fn new(venue: &'static str, file: &str) -> Self {
        let (ignored, errors) = (BTreeMap::new(), BTreeMap::new());
        Self { venue, file: file.to_owned(), frames: 0, trades: 0, tickers: 0, control: 0, ignored, errors }
    }

    pub(crate) fn count(&mut self, outcome: Result<Frame, UnreadableFrame>, text: &str, trades: usize, tickers: usize) {
        self.frames += 1;
        self.trades += trades;
        self.tickers += tickers;
        match outcome {
            Ok(Frame::Trades | Frame::Market) => {}
            Ok(Frame::Other(kind)) => *self.ignored.entry(kind.to_owned()).or_default() += 1,
            Ok(_) => self.control += 1,
            Err(error) => {
                let start: String = text.chars().take(150).collect();
                *self.errors.entry(format!("{error}: {start}")).or_default() += 1;
            }
        }
    }

    /// A frame that is knowingly not read, for this reason.
    pub(crate) fn foreign(&mut self, reason: &str) {
        self.frames += 1;
        *self.ignored.entry(reason.to_owned()).or_default() += 1;
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }
}

/// The rows, one a line.
pub(crate) fn text(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<10} {:<56} {:>7} {:>7} {:>8} {:>7} {:>6}  ignored\n",
        "exchange", "file", "frames", "trades", "tickers", "control", "errors"
    );
    for Row { venue, file, frames, trades, tickers, control, ignored, errors } in rows {
        let name: String = file.chars().rev().take(56).collect::<Vec<_>>().into_iter().rev().collect();
        let ignored: Vec<String> = ignored.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let (errors, ignored) = (errors.values().sum::<usize>(), ignored.join(", "));
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "{venue:<10} {name:<56} {frames:>7} {trades:>7} {tickers:>8} {control:>7} {errors:>6}  {ignored}"
        );
    }
    text
}
