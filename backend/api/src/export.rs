//! Streams everything in a span to one client, page by page, in memory that does not grow.
//!
//! What holds: a database connection is held while one page is read, never while the client takes it; a client that takes
//! nothing is cut off; so many exports run at once as `API_EXPORTS` says. A stream that cannot go on ends with its
//! connection, without the mark that ends an answer, so that nobody takes a part for the whole.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::header, rt, web};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};

use crate::{
    connection::Connection,
    error::{Code, Failure},
    format::Format,
    reader::Reader,
    server::State,
    table,
};

/// So much is handed to the connection at once, in bytes.
const PIECE: usize = 64 * 1024;

/// How long a client may take for a piece.
const SLOWEST: Duration = Duration::from_secs(60);

/// A page that cannot be read just now is tried so often, so long apart.
const TRIES: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(500);

/// Where rows come from.
pub(crate) trait Pages {
    /// What a line tells.
    type Row: Serialize + DeserializeOwned;

    /// Reads the next page. An empty one is behind the last. What has failed can be tried again.
    async fn next(&mut self, reader: &Reader) -> Result<Vec<Self::Row>, Failure>;
}

/// The stream cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("an export is broken off: {0}")]
struct BrokenOff(String);

type Piece = Result<Bytes, BrokenOff>;

/// How many exports may run.
pub(crate) fn seats(most: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)))
}

/// Answers with all rows, as a file of this name (without what the format adds). What fails before the first page is told
/// as any failure is.
pub(crate) async fn stream<P: Pages + 'static>(
    request: &HttpRequest,
    state: web::Data<State>,
    mut pages: P,
    format: Format,
    name: &str,
) -> Result<HttpResponse, Failure> {
    let seat = state.exports.clone().try_acquire_owned().map_err(|_| {
        Failure::new(Code::TooManyExports, "as many exports as are allowed run already; one may be over in a moment")
    })?;
    let first = pages.next(&state.reader).await?;
    let connection = Connection::of(request);
    let (sender, receiver) = mpsc::channel(1);
    rt::spawn(async move {
        let end = send_all(&state, &sender, pages, first, format, seat).await;
        metrics::counter!("api_exports_ended_total", "reason" => end.word()).increment(1);
        if end == End::Slow
            && let Some(connection) = connection
        {
            connection.cut();
        }
    });
    let body = futures_util::stream::unfold(receiver, async |mut receiver: mpsc::Receiver<Piece>| {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    let ending = Format::ALL.iter().find(|(_, known)| *known == format).map_or("csv", |(ending, _)| ending);
    Ok(HttpResponse::Ok()
        .content_type(format.content_type())
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.{ending}\"", harmless(name))))
        .streaming(body))
}

/// How an export ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    Gone,
    Slow,
    Broken,
    Stopping,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Gone => "gone",
            Self::Slow => "slow",
            Self::Broken => "broken",
            Self::Stopping => "stopping",
        }
    }
}

async fn send_all<P: Pages>(
    state: &State,
    sender: &mpsc::Sender<Piece>,
    mut pages: P,
    first: Vec<P::Row>,
    format: Format,
    _seat: OwnedSemaphorePermit,
) -> End {
    let (mut rows, mut is_first) = (first, true);
    loop {
        let text = match written(&rows, format, is_first) {
            Ok(text) => Bytes::from(text),
            Err(error) => return broken(sender, error.to_string()).await,
        };
        metrics::counter!("api_export_rows_total").increment(rows.len() as u64);
        for begin in (0..text.len()).step_by(PIECE) {
            let piece = text.slice(begin..text.len().min(begin + PIECE));
            let taken = tokio::select! {
                taken = timeout(SLOWEST, sender.send(Ok(piece))) => taken,
                () = state.shutdown.cancelled() => {
                    let _ = broken(sender, "the server stops".to_owned()).await;
                    return End::Stopping;
                }
            };
            match taken {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return End::Gone,
                Err(_) => return End::Slow,
            }
        }
        if rows.is_empty() {
            return End::Complete;
        }
        is_first = false;
        rows = match read(state, sender, &mut pages).await {
            Ok(rows) => rows,
            Err(_) if sender.is_closed() => return End::Gone,
            Err(failure) => return broken(sender, failure.to_string()).await,
        };
    }
}

/// Reads a page, and again where that cannot be done just now.
async fn read<P: Pages>(state: &State, sender: &mpsc::Sender<Piece>, pages: &mut P) -> Result<Vec<P::Row>, Failure> {
    for _ in 1..TRIES {
        match pages.next(&state.reader).await {
            Err(failure) if failure.may_pass() && !state.shutdown.is_cancelled() => {
                tokio::select! {
                    () = sleep(BETWEEN) => {}
                    () = sender.closed() => return Err(failure),
                }
            }
            outcome => return outcome,
        }
    }
    pages.next(&state.reader).await
}

/// Ends the connection visibly.
async fn broken(sender: &mpsc::Sender<Piece>, why: String) -> End {
    tracing::warn!(why, "an export is broken off");
    // Errors mean that the client is gone, or takes nothing.
    let _ = timeout(SLOWEST, sender.send(Err(BrokenOff(why)))).await;
    End::Broken
}

fn written<R: Serialize + DeserializeOwned>(
    rows: &[R],
    format: Format,
    is_first: bool,
) -> Result<Vec<u8>, serde_json::Error> {
    match format {
        Format::Jsonl => table::write_lines(rows),
        Format::Csv | Format::Json if is_first => table::write_csv(rows),
        Format::Csv | Format::Json => table::write_more_csv(rows),
    }
}

/// A name that is a file's name everywhere.
fn harmless(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect()
}
