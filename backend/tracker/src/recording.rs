//! Recorded traffic of exchanges: what a line of a recording says, reading files of them, and writing one.
//!
//! A recording is lines of text, as docs/RECORDINGS.md tells, written and read piece by piece: a file of any length takes the same
//! little memory.

mod file;
mod line;
mod writer;

use domain::Instrument;
use serde::{Deserialize, Serialize};

pub use file::{Entries, Entry, RecordingFile, What};
pub use line::{Line, parse};
pub use writer::{FrameFile, Lines, Tally};

/// Who writes recordings of our own.
const RECORDER: &str = "crypto-tracker";
/// How the line begins that tells what a recording is of.
const CONFIGURATION: &str = "configuration: ";
/// Between the address and the time of a connection that was opened.
const CONNECTED: &str = " <-> ";
/// The same, of one that was lost.
const LOST: &str = " >-< ";
/// The same, of something that was sent.
const SENT: &str = " <- ";

/// What a connection was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carries {
    /// Trades of chosen pairs.
    Trades,
    /// News of the whole market.
    Market,
}

/// The first line of a recording: what it is of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// The program that wrote it.
    #[serde(default)]
    pub recorder: Option<String>,
    /// The exchange, by the name of its connector.
    #[serde(default)]
    pub exchange: Option<String>,
    /// What the connection was opened for; trades and news alike where it does not say.
    #[serde(default)]
    pub carries: Option<Carries>,
    /// What the exchange listed of the recorded pairs.
    #[serde(default)]
    pub instruments: Vec<Instrument>,
}

impl Configuration {
    /// Of a recording that this program writes.
    pub fn new(exchange: &str, carries: Carries, instruments: Vec<Instrument>) -> Self {
        let (recorder, exchange) = (Some(RECORDER.to_owned()), Some(exchange.to_owned()));
        Self { recorder, exchange, carries: Some(carries), instruments }
    }

    /// Whether this program wrote the recording, which tells when a connection was lost, then.
    pub fn is_ours(&self) -> bool {
        self.recorder.as_deref() == Some(RECORDER)
    }
}
