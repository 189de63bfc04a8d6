//! Reading a recording from its file, plain or gzipped, ahead of whoever follows it.
//!
//! A thread reads through a bounded channel. What it cannot read any more ends the file, with the reason: whatever was before is
//! good.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    vec,
};

use chrono::{DateTime, Utc};
use flate2::bufread::MultiGzDecoder;
use tokio::sync::mpsc;

use super::{Configuration, Line, parse};
use crate::Error;

/// The longest line: the longest message that is read from an exchange, and its time.
const LONGEST_LINE: usize = (16 << 20) + 256;
/// Lines in one piece of what is read ahead, and their bytes together, unless a single one has more.
const PIECE_LINES: usize = 128;
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that are read ahead.
const PIECES: usize = 2;
/// Begins every gzipped file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A recording that can be read.
#[derive(Debug)]
pub struct RecordingFile {
    path: PathBuf,
    bytes: u64,
    configuration: Configuration,
    read: Arc<AtomicU64>,
}

/// Something that a recording tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, where it says so.
    pub at: Option<DateTime<Utc>>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A connection was opened.
    Connected,
    /// A connection was lost.
    Lost,
    /// A message came.
    Frame(String),
    /// A line is none of a recording.
    Broken(String),
    /// The rest of the file cannot be read, for this reason.
    Cut(String),
}

impl RecordingFile {
    /// Opens a file and reads what it is of.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |error: io::Error| {
            Error(format!("the recording {} cannot be read: {error}; name a file that can", path.display()))
        };
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(Error(format!("the recording {} is a folder; name the files in it", path.display())));
        }
        let read = Arc::<AtomicU64>::default();
        let mut lines = reader(path, Arc::default()).map_err(unreadable)?;
        let mut line = Vec::new();
        // A file that is broken here already is found so when it is read.
        let _ = next_line(&mut *lines, &mut line);
        let configuration = match parse(&String::from_utf8_lossy(&line)) {
            // That of another recorder may say anything.
            Line::Configuration(json) => serde_json::from_str(json).unwrap_or_default(),
            _ => Configuration::default(),
        };
        Ok(Self { path: path.to_owned(), bytes: metadata.len(), configuration, read })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size on the disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counts the bytes that were read of it.
    pub fn progress(&self) -> Arc<AtomicU64> {
        self.read.clone()
    }

    /// What it says that it is of.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Reads all of it, ahead of whoever takes the entries. To be called on a runtime.
    pub fn entries(self) -> Entries {
        let (sender, pieces) = mpsc::channel(PIECES);
        tokio::task::spawn_blocking(move || read_ahead(&self, &sender));
        Entries { pieces, piece: Vec::new().into_iter() }
    }
}

/// What a recording tells, in order.
#[derive(Debug)]
pub struct Entries {
    pieces: mpsc::Receiver<Vec<Entry>>,
    piece: vec::IntoIter<Entry>,
}

impl Entries {
    /// The next one; `None` at the end.
    pub async fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.piece.next() {
                return Some(entry);
            }
            self.piece = self.pieces.recv().await?.into_iter();
        }
    }
}

fn read_ahead(file: &RecordingFile, sender: &mpsc::Sender<Vec<Entry>>) {
    let mut lines = match reader(&file.path, file.read.clone()) {
        Ok(lines) => lines,
        Err(error) => {
            let _ = sender.blocking_send(vec![cut(file, 0, &error)]);
            return;
        }
    };
    let (mut line, mut number) = (Vec::new(), 0u64);
    let (mut piece, mut bytes) = (Vec::with_capacity(PIECE_LINES), 0);
    loop {
        let length = match next_line(&mut *lines, &mut line) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) => {
                piece.push(cut(file, number, &error));
                break;
            }
        };
        number += 1;
        let entry = if length > LONGEST_LINE {
            let said = format!("line {number} is longer than {LONGEST_LINE} bytes");
            Some(Entry { at: None, what: What::Broken(said) })
        } else {
            entry(&String::from_utf8_lossy(&line))
        };
        if let Some(entry) = entry {
            bytes += length;
            piece.push(entry);
        }
        if piece.len() >= PIECE_LINES || bytes >= PIECE_BYTES {
            bytes = 0;
            if sender.blocking_send(std::mem::replace(&mut piece, Vec::with_capacity(PIECE_LINES))).is_err() {
                // Nobody reads on.
                return;
            }
        }
    }
    let _ = sender.blocking_send(piece);
}

fn cut(file: &RecordingFile, lines: u64, error: &io::Error) -> Entry {
    let said = format!("{} cannot be read behind line {lines}: {error}", file.path.display());
    Entry { at: None, what: What::Cut(said) }
}

fn entry(line: &str) -> Option<Entry> {
    let (at, what) = match parse(line) {
        Line::Connected(at) => (Some(at), What::Connected),
        Line::Lost(at) => (Some(at), What::Lost),
        Line::Frame(at, text) => (at, What::Frame(text.to_owned())),
        Line::Broken => (None, What::Broken(line.trim_end().to_owned())),
        Line::Configuration(_) | Line::Other => return None,
    };
    Some(Entry { at, what })
}

/// Reads a line, whose length is returned: 0 at the end. Of one that is too long only the beginning is kept.
fn next_line(lines: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    let mut length = 0;
    loop {
        let read = lines.fill_buf()?;
        let (end, is_whole) = match read.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (read.len(), read.is_empty()),
        };
        let room = LONGEST_LINE.saturating_sub(line.len()).min(end);
        line.extend_from_slice(read.get(..room).unwrap_or_default());
        length += end;
        lines.consume(end);
        if is_whole {
            return Ok(length);
        }
    }
}

fn reader(path: &Path, count: Arc<AtomicU64>) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::with_capacity(64 << 10, Counted { file: File::open(path)?, count });
    if file.fill_buf()?.starts_with(&GZIP) {
        return Ok(Box::new(BufReader::with_capacity(64 << 10, MultiGzDecoder::new(file))));
    }
    Ok(Box::new(file))
}

/// Counts what is read.
struct Counted {
    file: File,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
