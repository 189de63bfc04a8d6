//! Writing a recording: lines gather in memory for a moment, and a thread puts them into the file.
//!
//! What waits for the disk is bounded; when the bound is reached, reading the exchange waits. What was gathered is handed to the
//! operating system within a second, so that little is missing after a crash.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use flate2::{Compression, write::GzEncoder};
use tokio::sync::Notify;

use super::{CONFIGURATION, CONNECTED, Configuration, LOST, SENT};
use crate::Error;

/// How much may wait for the disk, apart from one message.
const MOST_WAITING: usize = 1 << 20;
/// How long something may lie in our own buffers.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// What was recorded so far, over all files.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages that came.
    pub frames: AtomicU64,
    /// Bytes of lines, before they are compressed.
    pub bytes: AtomicU64,
}

/// Lines on their way into one file. Ends the file when dropped.
pub struct Lines {
    shared: Arc<Shared>,
    tally: Arc<Tally>,
    url: String,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    room: Notify,
}

#[derive(Default)]
struct Waiting {
    text: String,
    /// No more will come.
    ended: bool,
    /// No more can be written.
    failed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    /// A connection was opened.
    pub fn connected(&self, at: DateTime<Utc>) {
        self.put(&format_args!("{}{CONNECTED}{}", self.url, Seconds(at)));
    }

    /// The connection was lost.
    pub fn lost(&self, at: DateTime<Utc>) {
        self.put(&format_args!("{}{LOST}{}", self.url, Seconds(at)));
    }

    /// This was sent.
    pub fn sent(&self, text: &str, at: DateTime<Utc>) {
        self.put(&format_args!("{}{SENT}{}: {}", self.url, Seconds(at), OneLine(text)));
    }

    /// This came.
    pub fn frame(&self, text: &str, at: DateTime<Utc>) {
        self.tally.frames.fetch_add(1, Ordering::Relaxed);
        self.put(&format_args!("{}: {}", Seconds(at), OneLine(text)));
    }

    /// Waits until there is room for more. `false` when no more can be written.
    pub async fn room(&self) -> bool {
        loop {
            {
                let waiting = self.shared.lock();
                if waiting.failed {
                    return false;
                }
                if waiting.text.len() < MOST_WAITING {
                    return true;
                }
            }
            self.shared.room.notified().await;
        }
    }

    fn put(&self, line: &dyn std::fmt::Display) {
        let mut waiting = self.shared.lock();
        let before = waiting.text.len();
        // Writing to a text cannot fail.
        let _ = writeln!(waiting.text, "{line}");
        self.tally.bytes.fetch_add((waiting.text.len() - before) as u64, Ordering::Relaxed);
        self.shared.arrived.notify_one();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.arrived.notify_one();
    }
}

/// The file of one connection.
#[derive(Debug)]
pub struct FrameFile {
    path: PathBuf,
    out: Out,
}

#[derive(Debug)]
enum Out {
    Plain(BufWriter<File>),
    Packed(GzEncoder<BufWriter<File>>),
}

impl FrameFile {
    /// Begins a file, gzipped where its name ends in `.gz`, with what it is of.
    ///
    /// # Errors
    /// When it is there already, or cannot be written.
    pub fn create(path: &Path, configuration: &Configuration) -> Result<Self, Error> {
        if std::fs::metadata(path).is_ok_and(|found| found.is_file()) {
            let path = path.display();
            return Err(Error(format!("{path} is there already; choose another name with --out, or delete it")));
        }
        let out = BufWriter::new(File::create(path).map_err(|error| unwritable(path, &error))?);
        let is_packed = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gz"));
        let out = if is_packed { Out::Packed(GzEncoder::new(out, Compression::default())) } else { Out::Plain(out) };
        let mut file = Self { path: path.to_owned(), out };
        let configuration = serde_json::to_string(configuration)
            .map_err(|error| Error(format!("what is recorded cannot be written down: {error}")))?;
        let written = file.write(&format!("{CONFIGURATION}{configuration}\n")).and_then(|()| file.flush());
        written.map_err(|error| unwritable(path, &error))?;
        Ok(file)
    }

    /// Takes the lines of a connection to `url`, until the lines are dropped. The second result writes them; it blocks, and tells at
    /// the end which file is complete.
    pub fn lines(
        self,
        url: &str,
        tally: Arc<Tally>,
    ) -> (Lines, impl FnOnce() -> Result<PathBuf, Error> + Send + 'static) {
        let shared = Arc::<Shared>::default();
        let lines = Lines { shared: shared.clone(), tally, url: url.to_owned() };
        (lines, move || self.run(&shared))
    }

    fn run(mut self, shared: &Shared) -> Result<PathBuf, Error> {
        let written = self.take(shared).and_then(|()| match self.out {
            Out::Plain(mut out) => out.flush(),
            Out::Packed(out) => out.finish()?.flush(),
        });
        if written.is_err() {
            shared.lock().failed = true;
            shared.room.notify_one();
        }
        written.map(|()| self.path.clone()).map_err(|error| unwritable(&self.path, &error))
    }

    fn take(&mut self, shared: &Shared) -> io::Result<()> {
        let mut flushed_at = Instant::now();
        let mut is_flushed = true;
        loop {
            let (text, ended) = {
                let waiting = shared.lock();
                let patient = |waiting: &mut Waiting| waiting.text.is_empty() && !waiting.ended;
                let waited = shared.arrived.wait_timeout_while(waiting, FLUSH_EVERY, patient);
                let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
                (std::mem::take(&mut waiting.text), waiting.ended)
            };
            shared.room.notify_one();
            if !text.is_empty() {
                self.write(&text)?;
                is_flushed = false;
            } else if ended {
                return Ok(());
            }
            if !is_flushed && flushed_at.elapsed() >= FLUSH_EVERY {
                self.flush()?;
                (flushed_at, is_flushed) = (Instant::now(), true);
            }
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        match &mut self.out {
            Out::Plain(out) => out.write_all(text.as_bytes()),
            Out::Packed(out) => out.write_all(text.as_bytes()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.out {
            Out::Plain(out) => out.flush(),
            Out::Packed(out) => out.flush(),
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error(format!("{} cannot be written: {error}; make room, or choose another file with --out", path.display()))
}

/// A moment as seconds since 1970, with microseconds.
struct Seconds(DateTime<Utc>);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0.timestamp(), self.0.timestamp_subsec_micros())
    }
}

/// A message on one line: breaks between the words of JSON mean what spaces do, and within words there are none.
struct OneLine<'a>(&'a str);

impl std::fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.0.contains(['\n', '\r']) {
            return f.write_str(self.0);
        }
        f.write_str(&self.0.replace(['\n', '\r'], " "))
    }
}
