//! What can go wrong between us and PostgreSQL, and whether trying again can help.

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

/// The result of asking the database for something.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed dealing with the database. Each says what was being done; none holds a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection could be had.
    #[error("no database connection: {0}")]
    Pool(#[from] PoolError),
    /// A statement failed.
    #[error("{doing}: {}", describe(.source))]
    Query {
        /// What was being done.
        doing: &'static str,
        /// What PostgreSQL or the connection said.
        source: tokio_postgres::Error,
    },
    /// The settings do not make a connection.
    #[error("{0}")]
    Settings(String),
    /// The server is older than what the schema needs.
    #[error("PostgreSQL {found} is too old: version 15 or later is needed")]
    ServerTooOld {
        /// The version that answered.
        found: String,
    },
    /// The schema could not be brought up to date.
    #[error("migrating the database: {0}")]
    Migration(#[from] refinery::Error),
    /// A value cannot be written in PostgreSQL's form.
    #[error("encoding a value: {0}")]
    Encode(Box<dyn std::error::Error + Send + Sync>),
    /// The answer to somebody's question is longer than is good for anybody.
    #[error("the answer is longer than {megabytes} MB; ask for fewer rows (LIMIT) or for sums")]
    AnswerTooLong {
        /// How long it may be.
        megabytes: usize,
    },
    /// What so many things were worth is not told day by day.
    #[error(
        "these are {found} different coins and currencies; at most {} are counted day by day",
        crate::worth::MOST_DAILY
    )]
    TooManyCoins {
        /// How many were asked for.
        found: usize,
    },
    /// The database reports in words that this program does not know.
    #[error("reading the report on storage: {0}")]
    Report(serde_json::Error),
    /// A candle's sums no longer fit.
    #[error("folding ticks: {0}")]
    Candle(#[from] domain::candle::CandleOverflow),
}

impl Error {
    /// Whether the data itself was refused, so that the same data will be refused again. Everything else (no
    /// connection, no disk, no schema yet, a deadlock) may pass, and is tried again.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Query { .. } => {
                self.sql_state().is_some_and(|state| matches!(&state.code()[..2], "21" | "22" | "23" | "54"))
            }
            Self::Candle(_) | Self::Encode(_) => true,
            Self::Pool(_)
            | Self::Settings(_)
            | Self::ServerTooOld { .. }
            | Self::Migration(_)
            | Self::Report(_)
            | Self::TooManyCoins { .. }
            | Self::AnswerTooLong { .. } => false,
        }
    }

    /// Whether this program and this database can never work together.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Settings(_) | Self::ServerTooOld { .. } => true,
            Self::Migration(error) => !matches!(error.kind(), refinery::error::Kind::Connection(..)),
            Self::Pool(_)
            | Self::Query { .. }
            | Self::Candle(_)
            | Self::Encode(_)
            | Self::Report(_)
            | Self::TooManyCoins { .. }
            | Self::AnswerTooLong { .. } => false,
        }
    }

    /// PostgreSQL's code for what went wrong, where it was PostgreSQL that said it.
    pub fn sql_state(&self) -> Option<&SqlState> {
        match self {
            Self::Query { source, .. } => source.code(),
            Self::Pool(PoolError::Backend(source)) => source.code(),
            _ => None,
        }
    }

    /// Whether a COPY found a row that was there already, or no partition where there should be one.
    pub(crate) fn is_misplaced_optimism(&self) -> bool {
        matches!(self.sql_state(), Some(&SqlState::UNIQUE_VIOLATION | &SqlState::UNDEFINED_TABLE))
    }
}

/// tokio-postgres prints only "db error" or "error connecting to server" and keeps the cause apart.
fn describe(source: &tokio_postgres::Error) -> String {
    match (source.as_db_error(), std::error::Error::source(source)) {
        (Some(db), _) => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
        (None, Some(cause)) => format!("{source}: {cause}"),
        (None, None) => source.to_string(),
    }
}

/// Says what was being done when a statement failed.
pub trait Context<T> {
    /// Attaches it.
    ///
    /// # Errors
    /// The failure, with what was being done.
    fn context(self, doing: &'static str) -> Result<T>;
}

impl<T> Context<T> for std::result::Result<T, tokio_postgres::Error> {
    fn context(self, doing: &'static str) -> Result<T> {
        self.map_err(|source| Error::Query { doing, source })
    }
}
