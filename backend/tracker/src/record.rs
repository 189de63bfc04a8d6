//! Writing down what an exchange sends: every message of the connections that the tracker would open, as it came.
//!
//! Connections are kept by the same [`Session`] that keeps those of a feed, so that a recording holds what a feed would have been
//! given: subscriptions, losses, what two connections bring while one takes the place of the other. Each connection has a file of
//! its own.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, SubsecRound as _, Utc};
use domain::Instrument;
use process::Shutdown;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};

use crate::{
    Error, Settings,
    exchange::{Exchange, Found, Frame, Reader, StreamRequest, UnreadableFrame},
    exchanges,
    recording::{Carries, Configuration, FrameFile, Lines, Tally},
    selection::to_follow,
    session::{Carried, Door, Session},
    status::Board,
};

/// What is to be recorded.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The exchange, by the name of its connector. The pairs are those of the settings.
    pub exchange: String,
    /// Where it goes. Of several connections, the second one's file is called `name.2.txt`.
    pub out: PathBuf,
    /// Record the news of the whole market too.
    pub market: bool,
}

/// Connections about to be recorded: everything is known, and nothing opened but the files.
pub struct Recording {
    exchange: Arc<dyn Exchange>,
    settings: Settings,
    board: Board,
    tally: Arc<Tally>,
    connections: Vec<(Carries, StreamRequest, FrameFile)>,
}

impl Recording {
    /// Asks the exchange what it lists, and begins the files.
    ///
    /// # Errors
    /// When the exchange is not known or does not answer, when it lists none of the pairs, or when a file cannot be written.
    pub async fn prepare(wanted: &Wanted, settings: &Settings) -> Result<Self, Error> {
        let exchange = exchanges::named("--exchange", &wanted.exchange, &settings.addresses)?;
        let name = exchange.identity().name;
        let listed = exchange.catalogue().await;
        let listed = listed.map_err(|error| Error(format!("what {name} lists cannot be asked for: {error}")))?;
        let tickers = to_follow(&name, &settings.tracker_symbols, &listed);
        let mut requests: Vec<_> =
            exchange.streams(&tickers).into_iter().map(|request| (Carries::Trades, request)).collect();
        if tickers.is_empty() {
            requests.clear();
            if !wanted.market {
                return Err(Error(format!(
                    "{name} lists none of the pairs {}; name others with --tickers",
                    settings.tracker_symbols.join(",")
                )));
            }
        }
        if wanted.market {
            let news = exchange.market().map(|market| market.connections(&listed)).unwrap_or_default();
            if news.is_empty() {
                return Err(Error(format!("--market: {name} has no stream of its whole market; leave it out")));
            }
            requests.extend(news.into_iter().map(|request| (Carries::Market, request)));
        }
        let followed: Vec<Instrument> = listed.iter().filter(|one| tickers.contains(&one.ticker)).cloned().collect();
        let mut connections = Vec::with_capacity(requests.len());
        for (number, (carries, request)) in requests.into_iter().enumerate() {
            let instruments = if carries == Carries::Trades { &followed } else { &listed };
            let connector = wanted.exchange.trim().to_lowercase();
            let configuration = Configuration::new(&connector, carries, instruments.clone());
            let file = FrameFile::create(&numbered(&wanted.out, number + 1), &configuration)?;
            connections.push((carries, request, file));
        }
        let (settings, tally) = (settings.clone(), Arc::default());
        Ok(Self { exchange, settings, board: Board::new(name), tally, connections })
    }

    /// Knows how the connections do.
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// Counts what is recorded.
    pub fn tally(&self) -> Arc<Tally> {
        self.tally.clone()
    }

    /// Records until asked to stop; then the files are complete, whose names are returned.
    ///
    /// # Errors
    /// When a file can no longer be written. The others are complete then.
    pub async fn run(self, shutdown: Shutdown) -> Result<Vec<PathBuf>, Error> {
        let Self { exchange, settings, board, tally, connections } = self;
        let (door, (_quiet, stale)) = (Door::default(), watch::channel(0));
        let stop = shutdown.child_token();
        let (mut sessions, mut writing) = (JoinSet::new(), JoinSet::new());
        for (number, (carries, request, file)) in connections.into_iter().enumerate() {
            let (lines, write) = file.lines(&request.url, tally.clone());
            writing.spawn_blocking(write);
            let recorder = Recorder::new(exchange.clone(), carries, lines);
            let session = Session::new(&*exchange, &settings, (number, request), &door, board.clone(), stale.clone());
            sessions.spawn(session.run(recorder, stop.clone()));
        }
        let (mut files, mut failed) = (Vec::new(), None);
        while let Some(ended) = writing.join_next().await {
            match ended.unwrap_or_else(|broken: JoinError| Err(Error(format!("writing broke: {broken}")))) {
                Ok(file) => files.push(file),
                Err(error) => failed = failed.or(Some(error)),
            }
            // A file ends before the others only because it cannot be written.
            stop.cancel();
        }
        while sessions.join_next().await.is_some() {}
        // In the order of the connections: a longer number is a later one's.
        files.sort_unstable_by_key(|file: &PathBuf| (file.as_os_str().len(), file.clone()));
        failed.map_or(Ok(files), Err)
    }
}

/// The name of the file of the connection with this number: `frames.txt.gz`, `frames.2.txt.gz`.
fn numbered(out: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return out.to_owned();
    }
    let is_packed = out.extension().is_some_and(|end| end.eq_ignore_ascii_case("gz"));
    let named = if is_packed { out.with_extension("") } else { out.to_owned() };
    let mut name = named.file_stem().map(OsString::from).unwrap_or_default();
    name.push(format!(".{number}"));
    for end in [named.extension(), out.extension().filter(|_| is_packed)].into_iter().flatten() {
        name.push(".");
        name.push(end);
    }
    out.with_file_name(name)
}

/// What a connection carries, written down. It is read too, since a session must know what was acknowledged and what is lost.
struct Recorder {
    exchange: Arc<dyn Exchange>,
    carries: Carries,
    reader: Box<dyn Reader>,
    found: Found,
    lines: Lines,
    /// Whether a connection was opened, so that there is one to be lost.
    is_open: bool,
}

impl Recorder {
    fn new(exchange: Arc<dyn Exchange>, carries: Carries, lines: Lines) -> Self {
        let reader = reader(&*exchange, carries);
        Self { exchange, carries, reader, found: Found::default(), lines, is_open: false }
    }
}

fn reader(exchange: &dyn Exchange, carries: Carries) -> Box<dyn Reader> {
    match (carries, exchange.market()) {
        (Carries::Market, Some(market)) => market.news_reader(),
        _ => exchange.reader(),
    }
}

impl Carried for Recorder {
    fn begins(&mut self, after_loss: bool) {
        self.reader = reader(&*self.exchange, self.carries);
        if after_loss && std::mem::take(&mut self.is_open) {
            self.lines.lost(Utc::now().trunc_subsecs(6));
        }
    }

    fn opened(&mut self, at: DateTime<Utc>) {
        self.is_open = true;
        self.lines.connected(at);
    }

    fn sent(&mut self, text: &str, at: DateTime<Utc>) {
        self.lines.sent(text, at);
    }

    fn read(&mut self, text: &str, received_at: DateTime<Utc>) -> Result<Frame, UnreadableFrame> {
        self.lines.frame(text, received_at);
        let frame = self.reader.read(text, received_at, &mut self.found);
        self.found.ticks.clear();
        self.found.rows.clear();
        self.found.newest.clear();
        frame
    }

    fn unreadable(&self, error: &UnreadableFrame, text: &str) {
        // It is in the file as it came.
        tracing::debug!(%error, text, "recorded, although it is none that the exchange documents");
    }

    async fn hand_on(&mut self) -> bool {
        self.lines.room().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_further_connections_are_numbered_before_their_endings() {
        for (out, second) in [
            ("a/frames.txt", "a/frames.2.txt"),
            ("frames.txt.gz", "frames.2.txt.gz"),
            ("kraken.2026.txt", "kraken.2026.2.txt"),
            ("frames", "frames.2"),
            ("frames.gz", "frames.2.gz"),
        ] {
            assert_eq!(numbered(Path::new(out), 1), Path::new(out));
            assert_eq!(numbered(Path::new(out), 2), Path::new(second));
        }
    }
}
