//! Recordings in the place of exchanges: their messages take the way of live ones, at their own pace or another.
//!
//! Read by the connector, looked at, numbered, gathered and queued by the same code. Times are the recorded ones. What is stored
//! is kept under a name of its own, and the exchange is never asked for anything: trades that the recording lacks stand in the
//! ledger of gaps, and are given up at its end.

mod merge;
mod pace;
mod pairs;
mod report;
mod stream;

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use broker::Publisher;
use chrono::{DateTime, TimeDelta, Utc};
use domain::Instrument;
use process::{Health, Shutdown};
use smol_str::SmolStr;

use crate::{
    Error, Settings,
    exchange::Exchange,
    exchanges::{self, KNOWN},
    intake::{Intake, give_up, noted_ledger},
    listing::Listing,
    market::{Latest, PACE, Telling},
    recording::{Entry, RecordingFile, What},
    status::Board,
    until_farewell,
};
use merge::Merged;
use pace::Pace;
use pairs::Pairs;
use stream::Stream;

pub use report::Report;

/// So many files are read at the same time at most.
const MOST_FILES: usize = 64;
/// How often it is said how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// The feed's state is told anew after so long at the latest.
const FRESH: TimeDelta = TimeDelta::seconds(10);

/// What is to be replayed.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The exchange whose messages they are, by the name of its connector.
    pub exchange: String,
    /// Under what name it is stored; without one, that of the exchange and `_replay`.
    pub name: Option<String>,
    /// The files, whose messages are put in the order in which they came.
    pub files: Vec<PathBuf>,
    /// How many times as fast as it was recorded; 0 is as fast as it goes.
    pub speed: f64,
}

/// A recording that can be replayed.
pub struct Replay {
    exchange: Arc<dyn Exchange>,
    name: SmolStr,
    files: Vec<RecordingFile>,
    speed: f64,
    settings: Settings,
}

/// Opens the recordings of each exchange, which are to run side by side. Whose a file is, is told with it, or it says so itself.
///
/// # Errors
/// When that is not known of a file, a name is given to several exchanges, or as [`Replay::open`] says.
pub fn open_all(
    files: &[(Option<String>, PathBuf)],
    name: Option<&str>,
    speed: f64,
    settings: &Settings,
) -> Result<Vec<Replay>, Error> {
    let mut by_exchange: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (told, path) in files {
        let exchange = match told {
            Some(told) => told.trim().to_lowercase(),
            None => {
                let file = RecordingFile::open(path)?;
                let says = file.configuration().exchange.clone().filter(|_| file.configuration().is_ours());
                says.ok_or_else(|| {
                    let path = path.display();
                    Error(format!(
                        "{path} does not say which exchange it is of; write NAME={path} or --exchange NAME, of {}",
                        KNOWN.join(", ")
                    ))
                })?
            }
        };
        by_exchange.entry(exchange).or_default().push(path.clone());
    }
    if let Some(name) = name.filter(|_| by_exchange.len() > 1) {
        return Err(Error(format!(
            "--name {name:?} would be one name for {}; leave it out, or replay one exchange",
            by_exchange.keys().cloned().collect::<Vec<_>>().join(" and ")
        )));
    }
    let open = |(exchange, files)| {
        let wanted = Wanted { exchange, name: name.map(str::to_owned), files, speed };
        Replay::open(&wanted, settings)
    };
    by_exchange.into_iter().map(open).collect()
}

/// What is told of the market, where it is.
struct Market {
    telling: Telling,
    /// The recorded time when it was last told.
    told_at: Option<DateTime<Utc>>,
}

impl Replay {
    /// Opens the files.
    ///
    /// # Errors
    /// When the exchange is not known, the name is none or that of a live market, or a file cannot be read or is of another exchange.
    pub fn open(wanted: &Wanted, settings: &Settings) -> Result<Self, Error> {
        let connector = wanted.exchange.trim().to_lowercase();
        let exchange = exchanges::named("--exchange", &connector, &settings.addresses)?;
        let name = wanted.name.clone().unwrap_or_else(|| format!("{connector}_replay"));
        if !domain::exchange::is_name(&name) {
            return Err(Error(format!(
                "--name {name:?} cannot be an exchange's name; write 1 to 32 of a-z, 0-9 and _"
            )));
        }
        if KNOWN.contains(&name.as_str()) || exchange.identity().name == name {
            return Err(Error(format!(
                "--name {name:?} is the name of the live market; choose another, such as {connector}_replay"
            )));
        }
        let speed = wanted.speed;
        if !(speed.is_finite() && speed >= 0.0) {
            return Err(Error(format!("--speed {speed} is none; write 1 for the recorded pace, 0 for none")));
        }
        if wanted.files.is_empty() || wanted.files.len() > MOST_FILES {
            return Err(Error(format!("{} files; name 1 to {MOST_FILES}", wanted.files.len())));
        }
        let files: Vec<_> = wanted.files.iter().map(|path| RecordingFile::open(path)).collect::<Result<_, _>>()?;
        for file in files.iter().filter(|file| file.configuration().is_ours()) {
            if let Some(recorded) = file.configuration().exchange.as_ref().filter(|recorded| **recorded != connector) {
                let path = file.path().display();
                return Err(Error(format!("{path} was recorded from {recorded}; say --exchange {recorded}")));
            }
        }
        Ok(Self { exchange, name: name.into(), files, speed, settings: settings.clone() })
    }

    /// The name under which it is stored.
    pub fn name(&self) -> &SmolStr {
        &self.name
    }

    /// Replays it to its end, or until asked to stop; then everything is in the queue.
    ///
    /// # Errors
    /// When the queue takes no more.
    pub async fn run(self, publisher: Publisher, health: Health, shutdown: Shutdown) -> Result<Report, Error> {
        let board = Board::new(self.name.clone());
        let (check, tell_to) = (health.register(format!("feed {}", self.name)), publisher.clone());
        // Beside the replay: it is told at its end too, and until asked to stop.
        tokio::spawn(board.clone().tell(tell_to, check, FRESH, shutdown.clone()));
        let work = self.play(&publisher, &board, &shutdown);
        until_farewell(work, &shutdown).await.unwrap_or_else(|| Ok(Report::default()))
    }

    async fn play(self, publisher: &Publisher, board: &Board, shutdown: &Shutdown) -> Result<Report, Error> {
        let Self { exchange, name, files, speed, settings } = self;
        let anew = "the recording is replayed anew";
        let ledger = noted_ledger(&*exchange, &name, publisher, |_| false, anew).await?;
        let listing = Listing::default();
        let mut pairs = Pairs::new(&*exchange, name.clone(), publisher.clone(), listing.clone());
        let instruments = listed(&files);
        let tickers: Vec<SmolStr> = instruments.iter().map(|one| one.ticker.clone()).collect();
        tracing::info!(exchange = %name, files = files.len(), pairs = tickers.len(), speed, "replaying");
        pairs.list(instruments).await?;
        let intake = Intake::open(&name, &tickers, ledger, publisher, &settings);
        let latest = Latest::new(name.clone(), listing);
        let mut market = (settings.tracker_market && exchange.market().is_some()).then(|| Market {
            telling: Telling { exchange: name.clone(), publisher: publisher.clone(), latest: latest.clone() },
            told_at: None,
        });
        let news = market.is_some().then_some(&latest);
        let streams = files.iter().map(|file| Stream::new(file.configuration(), &exchange, &intake, news, board));
        let mut streams: Vec<Stream> = streams.collect();
        let mut merged = Merged::new(files);
        let (mut pace, mut report) = (Pace::new(speed), Report::default());
        let mut told = tokio::time::Instant::now();
        board.streaming(0);
        loop {
            let next = tokio::select! {
                next = merged.next() => next,
                () = shutdown.cancelled() => break,
            };
            let Some((number, entry)) = next else { break };
            let Some(stream) = streams.get_mut(number) else { continue };
            if let Some(at) = entry.at {
                tokio::select! {
                    () = pace.wait(at) => {}
                    () = shutdown.cancelled() => break,
                }
                report.reached(at);
            }
            let Entry { at, what } = entry;
            match what {
                What::Connected => stream.connected(),
                What::Lost => stream.lost(),
                What::Broken(text) => report.unreadable(stream.broken(&text)),
                What::Cut(said) => report.cut(said),
                What::Frame(text) => {
                    report.frame(stream.read(&text, at));
                    let named = pairs.named(stream, &intake.inspector);
                    pairs.list(named).await?;
                    if !stream.hand_on().await {
                        break;
                    }
                    if let Some(market) = &mut market {
                        market.tell(at).await?;
                    }
                }
            }
            if told.elapsed() >= TELL_EVERY {
                told = tokio::time::Instant::now();
                tracing::info!(percent = merged.percent(), frames = report.frames, reached = ?report.to, "replaying");
            }
        }
        drop(streams);
        let Intake { ticks, ledger, batching, .. } = intake;
        drop(ticks);
        match batching.await {
            Ok(Ok(())) => {}
            broken => return Err(Error(format!("ticks can no longer be queued: {broken:?}"))),
        }
        if let Some(market) = &market {
            market.tell_rest().await?;
        }
        if let Some(ledger) = ledger {
            let gaps = give_up(&ledger, &name, publisher, |_| false, "the recording lacks them").await?;
            report.lost(&gaps);
        }
        report.passed(&board.status(FRESH));
        board.stopped();
        Ok(report)
    }
}

impl Market {
    /// Tells what is new once so much recorded time has passed as passes between two messages of a live market.
    async fn tell(&mut self, at: Option<DateTime<Utc>>) -> Result<(), Error> {
        let pace = TimeDelta::from_std(PACE).unwrap_or_default();
        match (at, self.told_at) {
            (Some(at), Some(told_at)) if at - told_at < pace => Ok(()),
            (Some(_), _) => {
                self.told_at = at;
                self.tell_rest().await
            }
            (None, _) => Ok(()),
        }
    }

    /// Tells what is new.
    async fn tell_rest(&self) -> Result<(), Error> {
        self.telling.once().await.map_err(|error| Error(format!("the market can no longer be queued: {error}")))
    }
}

/// What the files say that was listed, each pair once.
fn listed(files: &[RecordingFile]) -> Vec<Instrument> {
    let mut met = HashSet::new();
    let all = files.iter().flat_map(|file| &file.configuration().instruments);
    all.filter(|one| met.insert(one.ticker.clone())).cloned().collect()
}
