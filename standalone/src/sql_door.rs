//! A door for SQL to the embedded database, which has just one connection.
//!
//! Speaks PostgreSQL's protocol, so that psql and its like can connect, and answers each question on the shared
//! connection, inside a read-only transaction: nobody's open session holds up the recording, and nobody changes it by
//! accident. The embedded database cannot be interrupted, a time limit included; so a question that looks as if it would
//! take long is refused beforehand. The only changes that it lets through are an operator's: decisions on dead letters,
//! candles of an exchange to be taken over, accounts, and rates of currencies. Only the simple protocol (questions without parameters) is spoken.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use async_trait::async_trait;
use database::{
    Pool,
    accounts::Change,
    dead_letters::Decision,
    minutes::Page,
    question::{self, Answer},
    rates::Import,
};
use futures_util::stream;
use pgwire::{
    api::{
        ClientInfo, ClientPortalStore, PgWireServerHandlers, Type,
        auth::{StartupHandler, noop::NoopStartupHandler},
        query::SimpleQueryHandler,
        results::{DataRowEncoder, FieldFormat, FieldInfo, QueryResponse, Response, Tag},
        store::PortalStore,
    },
    error::{ErrorInfo, PgWireError, PgWireResult},
};
use process::Shutdown;
use tokio::net::TcpListener;

/// What a question may cost, as PostgreSQL estimates it: some ten million rows looked at, which takes about ten seconds.
/// Recording waits meanwhile.
const MOST_COST: f64 = 250_000.0;
/// Estimates know nothing of these.
const NEVER_ENDING: [&str; 3] = ["recursive", "pg_sleep", "pg_advisory"];
/// For a database that can be interrupted.
const TIME_LIMIT: u32 = 10;

/// Answers questions.
pub(crate) struct SqlDoor {
    pool: Pool,
}

impl SqlDoor {
    /// Listens, and answers until asked to stop. Returns the address.
    pub(crate) async fn open(bind: SocketAddr, pool: Pool, shutdown: Shutdown) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind(bind)
            .await
            .with_context(|| format!("SQL cannot be answered on {bind}; choose another address with --sql-bind"))?;
        let address = listener.local_addr()?;
        let door = Arc::new(Self { pool });
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = shutdown.cancelled() => return,
                };
                let Ok((socket, _)) = accepted else { continue };
                let (door, shutdown) = (door.clone(), shutdown.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        // An error means that the client broke off.
                        _ = pgwire::tokio::process_socket(socket, None, Door(door)) => {}
                        () = shutdown.cancelled() => {}
                    }
                });
            }
        });
        Ok(address)
    }
}

struct Door(Arc<SqlDoor>);

impl PgWireServerHandlers for Door {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        self.0.clone()
    }

    fn startup_handler(&self) -> Arc<impl StartupHandler> {
        self.0.clone()
    }
}

impl NoopStartupHandler for SqlDoor {}

#[async_trait]
impl SimpleQueryHandler for SqlDoor {
    async fn do_query<C>(&self, asker: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
    {
        let client = self.pool.get().await.map_err(|error| refuse(&error.into()))?;
        if let Some(decision) = Decision::parse(query) {
            decision.carry_out(&client).await.map_err(|error| refuse(&error))?;
            return Ok(vec![Response::Execution(Tag::new("CALL"))]);
        }
        if let Some(change) = Change::parse(query) {
            if !asker.socket_addr().ip().to_canonical().is_loopback() {
                return Err(from_elsewhere());
            }
            change.carry_out(&client).await.map_err(|error| refuse(&error))?;
            return Ok(vec![Response::Execution(Tag::new("CALL"))]);
        }
        if let Some(page) = Page::parse(query) {
            let taken = page.carry_out(&client).await.map_err(|error| refuse(&error))?;
            return taken.map(|_| vec![Response::Execution(Tag::new("CALL"))]).ok_or_else(|| unknown(&page));
        }
        if let Some(import) = Import::parse(query) {
            if !asker.socket_addr().ip().to_canonical().is_loopback() {
                return Err(from_elsewhere());
            }
            let changed = import.carry_out(&client).await.map_err(|error| refuse(&error))?;
            let (columns, rows) = (vec!["changed".to_owned()], vec![vec![Some(changed.to_string())]]);
            return Ok(vec![response(Answer::Rows { columns, rows })]);
        }
        let cost = question::estimate(&client, query).await.map_err(|error| refuse(&error))?;
        let lower = query.to_ascii_lowercase();
        if cost.is_some_and(|cost| cost > MOST_COST || NEVER_ENDING.iter().any(|word| lower.contains(word))) {
            return Err(too_long(cost));
        }
        let answers = question::ask_only(&client, query, TIME_LIMIT, true).await.map_err(|error| refuse(&error))?;
        Ok(answers.into_iter().map(response).collect())
    }
}

fn from_elsewhere() -> PgWireError {
    let message = "accounts and rates are changed from the machine that the program runs on".to_owned();
    // 42501: insufficient privilege.
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".to_owned(), "42501".to_owned(), message)))
}

fn unknown(page: &Page) -> PgWireError {
    let message = format!("no catalogue of exchange {} lists ticker {}", page.report.exchange, page.report.ticker);
    // P0002: no data found.
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".to_owned(), "P0002".to_owned(), message)))
}

fn too_long(cost: Option<f64>) -> PgWireError {
    let message = format!(
        "this would hold up the recording for too long (estimated cost {:.0}, at most {MOST_COST:.0}): ask for a shorter \
         time or fewer rows, or keep the data on a PostgreSQL server (DATABASE_URL)",
        cost.unwrap_or_default()
    );
    // 54000: program limit exceeded.
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".to_owned(), "54000".to_owned(), message)))
}

fn refuse(error: &database::Error) -> PgWireError {
    // 57P03: cannot connect now.
    let code = error.sql_state().map_or("57P03", |state| state.code());
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".to_owned(), code.to_owned(), error.to_string())))
}

/// Everything is text: that is how the simple protocol carries it.
fn response(answer: Answer) -> Response {
    match answer {
        Answer::Done(touched) => Response::Execution(Tag::new("OK").with_rows(touched as usize)),
        Answer::Rows { columns, rows } => {
            let field = |name| FieldInfo::new(name, None, None, Type::TEXT, FieldFormat::Text);
            let schema = Arc::new(columns.into_iter().map(field).collect::<Vec<_>>());
            let mut encoder = DataRowEncoder::new(schema.clone());
            let rows = rows.into_iter().map(move |row| {
                row.iter().try_for_each(|cell| encoder.encode_field(cell))?;
                Ok(encoder.take_row())
            });
            Response::Query(QueryResponse::new(schema, stream::iter(rows)))
        }
    }
}
