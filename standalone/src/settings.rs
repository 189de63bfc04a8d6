//! What `crypto-tracker` is told from outside.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use dashboard::ApiAddress;
use domain::Width;
use process::LogSettings;
use smol_str::SmolStr;

/// Records cryptocurrency markets: live exchange feeds, kept in a database, served by a REST API, shown in a window. All
/// in one process, with a database and a queue of its own.
#[derive(Debug, Parser)]
#[command(name = "crypto-tracker", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// What to do; without a command, follow the exchanges live
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// What can be done beside following the exchanges live.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Follow a simulated market instead of a real one: no internet, no account, nothing to set up
    Demo(Box<Demo>),
    /// Write down what an exchange sends, message by message, as it comes
    ///
    /// Opens the connections that the tracker would open, and keeps every message with the time when it came, in lines of text
    /// (docs/RECORDINGS.md), until Ctrl-C.
    Record(Box<Record>),
    /// Run everything with a recording in the place of the exchange: database, API and window, in a folder of its own
    Replay(Box<Replay>),
    /// Put a question in SQL to the running program, and print the answer
    Sql(Box<Sql>),
    /// Fetch one-minute candles of the past from an exchange, while the program runs or into a PostgreSQL server
    ///
    /// The exchange's candles take the place of those that count fewer trades, and of no others. Stopped or broken off, the same
    /// command goes on where it was.
    Backfill(Box<Backfill>),
    /// Write the ticks or candles of a pair to a file: Parquet, CSV or lines of JSON
    Export(Box<Export>),
    /// Look through the messages that could not be stored, and put them back or delete them
    #[command(subcommand)]
    DeadLetters(Box<DeadLetters>),
    /// Make accounts, set their passwords anew, disable and enable them
    #[command(subcommand)]
    User(Box<User>),
    /// Take in from files what currencies are worth: those of the European Central Bank, or with a line for each rate
    ///
    /// For currencies that no recorded exchange trades. The files are its eurofxref-hist.csv and eurofxref.csv, whose columns are
    /// currencies, or have the columns day,base,quote,rate. They take the place of rates that are there; taken in again, nothing changes.
    Rates(Box<Rates>),
    /// Show how much room everything takes, for how long it lasts, what was dropped and what may not be
    Storage(Box<Storage>),
}

/// A simulated market.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Trades a second, over all tickers
    #[arg(long, env = "DEMO_TRADES_PER_SECOND", value_name = "NUMBER", default_value_t = 50.0)]
    pub(crate) trades_per_second: f64,
    /// Draws another market
    #[arg(long, env = "DEMO_SEED", value_name = "NUMBER", default_value_t = 42)]
    pub(crate) seed: u64,
    /// Where the simulated exchange listens; port 0 takes a free one
    #[arg(long, env = "DEMO_BIND", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(crate) bind: SocketAddr,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// What is recorded.
#[derive(Debug, Args)]
pub(crate) struct Record {
    /// The exchange
    #[arg(long, value_name = "NAME")]
    pub(crate) exchange: String,
    /// The file, gzipped where its name ends in .gz. Further connections have files of their own: name.2.txt
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// How long to record; without it, until Ctrl-C
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: Option<u32>,
    /// The pairs, separated by commas; without it, those of TRACKER_SYMBOLS
    #[arg(long, value_name = "PAIRS", value_delimiter = ',')]
    pub(crate) tickers: Option<Vec<SmolStr>>,
    /// Record the news of the whole market too: true or false
    #[arg(long, value_name = "BOOL", default_value_t = false,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) market: bool,
    #[command(flatten)]
    pub(crate) tracking: tracker::Settings,
    #[command(flatten)]
    pub(crate) log: LogSettings,
}

impl Record {
    /// What the tracker is told.
    pub(crate) fn tracking(&self) -> tracker::Settings {
        let tickers = self.tickers.clone().unwrap_or_else(|| self.tracking.tracker_symbols.clone());
        tracker::Settings { tracker_symbols: tickers, ..self.tracking.clone() }
    }
}

/// Recordings in the place of exchanges.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The recordings, plain or gzipped: those of `record`, of cryptofeed, of hftbacktest, and lines of messages alone. Those of one
    /// exchange are put in the order in which their messages came; several exchanges run side by side, from their beginnings
    #[arg(value_name = "[EXCHANGE=]FILE", required = true)]
    pub(crate) files: Vec<RecordingPath>,
    /// The exchange whose messages they are, where neither the file nor a name before it says so
    #[arg(long, value_name = "NAME")]
    pub(crate) exchange: Option<String>,
    /// How many times as fast as it was recorded: 1 is the recorded pace, 0 as fast as it goes
    #[arg(long, env = "REPLAY_SPEED", value_name = "NUMBER", default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// Name under which it is stored, where it is one exchange; without it, that of the exchange with _replay behind
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// End when everything is stored instead of serving on until Ctrl-C: true or false
    #[arg(long, value_name = "BOOL", default_value_t = false,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) exit: bool,
    #[command(flatten)]
    pub(crate) run: Run,
}

impl Replay {
    /// Opens the recordings, those of each exchange together.
    pub(crate) fn open(&self) -> Result<Vec<tracker::replay::Replay>, tracker::Error> {
        let told = |file: &RecordingPath| (file.exchange.clone().or_else(|| self.exchange.clone()), file.path.clone());
        let files: Vec<_> = self.files.iter().map(told).collect();
        tracker::replay::open_all(&files, self.name.as_deref(), self.speed, &self.run.tracking)
    }
}

/// A recording, and perhaps whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordingPath {
    exchange: Option<String>,
    path: PathBuf,
}

impl std::str::FromStr for RecordingPath {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = text
            .split_once('=')
            .filter(|(name, _)| tracker::exchanges::KNOWN.contains(&name.trim().to_lowercase().as_str()));
        Ok(match named {
            Some((name, path)) => Self { exchange: Some(name.to_owned()), path: path.into() },
            None => Self { exchange: None, path: text.into() },
        })
    }
}

/// A question in SQL.
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// The question, such as "SELECT * FROM tickers"
    pub(crate) query: String,
    /// Print comma-separated values instead of a table
    #[arg(long)]
    pub(crate) csv: bool,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// What everything takes.
#[derive(Debug, Args)]
pub(crate) struct Storage {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Who is asked.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// Where the running program answers SQL
    #[arg(long, env = "SQL_BIND", value_name = "ADDRESS:PORT", default_value = SQL_BIND)]
    pub(crate) sql_bind: SocketAddr,
    /// A server is asked instead, where one is named.
    #[command(flatten)]
    pub(crate) database: database::DatabaseSettings,
}

/// Candles of the past.
#[derive(Debug, Args)]
pub(crate) struct Backfill {
    /// Name under which the exchange's prices are kept
    #[arg(long, value_name = "NAME", default_value = "binance")]
    pub(crate) exchange: String,
    /// The pair, as the exchange writes it: BTCUSDT
    #[arg(long)]
    pub(crate) ticker: String,
    /// Where to begin: a day (2026-01-01) or a moment (2026-01-01T12:00:00Z), in UTC
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) from: DateTime<Utc>,
    /// Where to end: a day, a moment, or now
    #[arg(long, value_name = "TIME", default_value = "now", value_parser = moment)]
    pub(crate) to: DateTime<Utc>,
    #[command(flatten)]
    pub(crate) addresses: tracker::exchanges::Addresses,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// What is done about accounts. Passwords are typed, or come as a line of standard input.
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Make an account that may log in
    Add {
        /// The name to log in with
        name: String,
        /// Make it an administrator's
        #[arg(long)]
        admin: bool,
        /// Where its mail goes
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        #[command(flatten)]
        asked: Asked,
    },
    /// Set another password, and end all sessions
    Password {
        /// Whose
        name: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Let nobody log in any more, end all sessions, and take the API keys away
    Disable {
        /// Whose
        name: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Let them log in again
    Enable {
        /// Whose
        name: String,
        #[command(flatten)]
        asked: Asked,
    },
}

/// Files with rates of currencies.
#[derive(Debug, Args)]
pub(crate) struct Rates {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The currency in which a file counts that does not say
    #[arg(long, value_name = "CODE", default_value = "EUR")]
    pub(crate) base: String,
    /// Who says so: 1 to 32 of a-z, 0-9 and _
    #[arg(long, value_name = "NAME", default_value = "imported")]
    pub(crate) source: SmolStr,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Ticks or candles, written to a file.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Name of the exchange
    #[arg(long, value_name = "NAME", default_value = "binance")]
    pub(crate) exchange: String,
    /// The pair, as the exchange writes it: BTCUSDT
    #[arg(long)]
    pub(crate) ticker: String,
    /// Every stored price, newest first, or candles, oldest first
    #[arg(long, value_enum)]
    pub(crate) what: Exported,
    /// Width of a candle, such as 5m, 1h or 1d; without it, 1m
    #[arg(long, value_name = "WIDTH")]
    pub(crate) interval: Option<Width>,
    /// Where to begin: a day (2026-01-01) or a moment (2026-01-01T12:00:00Z), in UTC
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) from: DateTime<Utc>,
    /// Where to end: a day, a moment, or now
    #[arg(long, value_name = "TIME", default_value = "now", value_parser = moment)]
    pub(crate) to: DateTime<Utc>,
    /// The file. Until it is complete, it is called so with .part behind
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// How it is written; without it, as the file's name ends
    #[arg(long, value_enum)]
    pub(crate) format: Option<FileFormat>,
    /// Take the place of a file that is there already
    #[arg(long)]
    pub(crate) force: bool,
    /// Where the API listens that is asked
    #[arg(long, env = "API_HOST", value_name = "URL", default_value = "http://localhost:5001")]
    pub(crate) api: ApiAddress,
}

/// What can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Exported {
    /// Every stored price, newest first
    Ticks,
    /// Open, high, low, close and volume, oldest first
    Candles,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    /// Columns with types, compressed: for pandas, DuckDB and their like
    Parquet,
    /// Comma-separated values
    Csv,
    /// A JSON object a line
    Jsonl,
}

/// A moment in UTC; of a day, its beginning.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    if text == "now" {
        return Ok(Utc::now());
    }
    let day = text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0)).map(|time| time.and_utc());
    let time = day.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()));
    time.ok_or_else(|| "write a day as 2026-01-31, a moment as 2026-01-31T12:00:00Z, or now".to_owned())
}

/// What to do with messages that could not be stored.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// Show which there are, newest first
    List {
        /// How many at most
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: u32,
        /// Print comma-separated values instead of a table
        #[arg(long)]
        csv: bool,
        #[command(flatten)]
        asked: Asked,
    },
    /// Show one of them, with the whole message
    Show {
        /// Its id
        id: i64,
        /// Print the message alone, byte for byte
        #[arg(long)]
        body: bool,
        #[command(flatten)]
        asked: Asked,
    },
    /// Put messages back in the queue: after an upgrade, or once their pair is known
    Replay(Chosen),
    /// Delete messages for good
    Drop(Chosen),
}

/// Some of the dead letters.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// Their ids
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub(crate) ids: Vec<i64>,
    /// All there are
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

const SQL_BIND: &str = "127.0.0.1:5433";

/// Everything that runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
    /// No window: only the API, the database and the feeds
    #[arg(long, env = "HEADLESS", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) headless: bool,
    /// Where the database and the queue are kept; without it, a folder of its own among the user's data
    #[arg(long, env = "DATA_FOLDER", value_name = "FOLDER")]
    pub(crate) data_folder: Option<PathBuf>,
    /// Where SQL is answered from the embedded database; PostgreSQL's own programs, such as psql, can connect
    #[arg(long, env = "SQL_BIND", value_name = "ADDRESS:PORT", default_value = SQL_BIND)]
    pub(crate) sql_bind: SocketAddr,
    #[command(flatten)]
    pub(crate) tracking: tracker::Settings,
    #[command(flatten)]
    pub(crate) api: api::Settings,
    #[command(flatten)]
    pub(crate) storing: db_handler::Settings,
    #[command(flatten)]
    pub(crate) notifying: notifier::Settings,
    #[command(flatten)]
    pub(crate) database: database::DatabaseSettings,
    #[command(flatten)]
    pub(crate) rabbitmq: broker::RabbitMqSettings,
    #[command(flatten)]
    pub(crate) window: dashboard::WindowSettings,
    #[command(flatten)]
    pub(crate) log: LogSettings,
}

impl Run {
    /// The folder that holds everything, made where it is missing. A simulated market and recordings are kept apart from real ones.
    pub(crate) fn folder(&self, market: &str) -> anyhow::Result<PathBuf> {
        let folder = match &self.data_folder {
            Some(folder) => folder.clone(),
            None => directories::ProjectDirs::from("", "", "crypto-tracker")
                .context("no home folder is known; say where data is kept with --data-folder or DATA_FOLDER")?
                .data_local_dir()
                .join(market),
        };
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("the data folder {} cannot be made (--data-folder)", folder.display()))?;
        folder.canonicalize().with_context(|| format!("the data folder {} cannot be read", folder.display()))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn no_two_settings_share_a_name() {
        super::Arguments::command().debug_assert();
    }
}
