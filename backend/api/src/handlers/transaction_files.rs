//! Transactions out of files, and into one.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{
    HttpResponse,
    web::{self, Bytes},
};
use api_types::{
    Data,
    portfolios::{ImportLine, ImportMistake, ImportNews, ImportProgress, ImportRow},
};
use chrono::Utc;
use database::{
    Client,
    portfolios::{self, Portfolio, find_ledger},
};
use domain::portfolio::{
    Entry, Kind,
    import::{self, Format, Line, LineMistake, Outcome, Unreadable},
};
use futures_util::stream;
use tokio::sync::{Semaphore, mpsc};
use utoipa::IntoParams;

use crate::{
    apart::apart,
    auth::{Reading, Writing},
    body::text,
    error::{Code, Failure},
    handlers::{portfolios::of_account, transactions::not_added},
    openapi::{AccountFailures, Failures},
    parameters::{Asked, FromQuery, Own, Query},
    server::State,
};

/// How many lines are told.
const MOST_LINES: usize = 1_000;

/// Files that are read at the same time: each may take some hundred megabytes.
static SEATS: Semaphore = Semaphore::const_new(2);

/// Files that arrive, wait for that, or are read: they take room, too.
const MOST_PRESENT: usize = 32;

/// Lines about how far it is that wait for who asked.
const LINES_AHEAD: usize = 16;

/// How a file is taken.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Taking {
    /// Whose file it is: own, binance, coinbase or kraken. By its header where not said.
    #[param(value_type = Option<String>, example = "own", pattern = "^(own|binance|coinbase|kraken)$")]
    format: Option<Format>,
    /// true tells line by line what would be, and writes nothing.
    #[param(value_type = Option<bool>, example = true)]
    preview: bool,
    /// true leaves lines out that are wrong; otherwise nothing is written where one is.
    #[param(value_type = Option<bool>)]
    skip_mistakes: bool,
    /// true tells how far it is, in lines of JSON: `{"progress": …}`, and `{"data": …}` or `{"error": …}` as the last.
    #[param(value_type = Option<bool>)]
    progress: bool,
}

impl FromQuery for Taking {
    const NAMES: &'static [&'static str] = &["format", "preview", "skip_mistakes", "progress"];
    const HAS_FORMAT: bool = false;

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let format = query.text("format")?;
        let unknown = |word: &str| Failure::parameter("format", word, "there is no such format", Format::words());
        Ok(Self {
            format: format.map(|word| Format::parse(word).ok_or_else(|| unknown(word))).transpose()?,
            preview: query.flag("preview")?.unwrap_or(false),
            skip_mistakes: query.flag("skip_mistakes")?.unwrap_or(false),
            progress: query.flag("progress")?.unwrap_or(false),
        })
    }
}

/// Take transactions over from a CSV file: our own, or what Binance, Coinbase or Kraken export. With `preview=true` it is told line by line
/// what they say, or what is wrong. What was taken over before is known by its source_id, and not written twice
#[utoipa::path(
    post,
    path = "/portfolios/{id}/import",
    tag = "portfolios",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The portfolio's number", example = "1"), Taking),
    request_body(content = String, content_type = "text/csv", description = "The file, in UTF-8, 32 MB at most"),
    responses(
        (status = 200, description = "What became of it; with progress=true, line by line", content(
            (Data<ImportRow> = "application/json"),
            (ImportNews = "application/x-ndjson"),
        )),
        AccountFailures, Failures
    )
)]
pub(crate) async fn import(
    Writing(bearer): Writing,
    id: web::Path<String>,
    Asked(Own(taking)): Asked<Own<Taking>>,
    state: web::Data<State>,
    payload: web::Payload,
) -> Result<HttpResponse, Failure> {
    let account_id = bearer.account.id;
    let portfolio = state.reader.read(async |client| of_account(client, account_id, &id).await).await?;
    let place = state.present.place(account_id)?;
    let file = File { text: text(payload).await?, place };
    if taking.progress {
        return Ok(line_by_line(async move |told| take(&state, &portfolio, &taking, file, told).await));
    }
    let row = take(&state, &portfolio, &taking, file, &|_| ()).await?;
    Ok(HttpResponse::Ok().json(Data { data: row, as_of: None }))
}

/// A file, which has a place as long as it is there.
struct File {
    text: String,
    place: Place,
}

/// Whose files are there. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Present(Arc<Mutex<BTreeSet<i64>>>);

/// A place for one file of an account, until it is dropped.
struct Place {
    account_id: i64,
    present: Present,
}

impl Present {
    /// Each account has one place, so that nobody keeps others out who sends a file slowly.
    fn place(&self, account_id: i64) -> Result<Place, Failure> {
        let mut present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |detail: &str| Failure::new(Code::TooManyImports, detail);
        if present.contains(&account_id) {
            return Err(busy("another file of yours is being taken; wait until that is done"));
        }
        if present.len() >= MOST_PRESENT {
            return Err(busy("files of many others are being taken"));
        }
        present.insert(account_id);
        Ok(Place { account_id, present: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.present.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account_id);
    }
}

/// How far an import is, for whoever wants to know.
type Telling<'a> = &'a dyn Fn(ImportProgress);

/// Answers while the work goes on. Who does not wait for its end takes it away, with all that it has written.
fn line_by_line(work: impl AsyncFnOnce(Telling<'_>) -> Result<ImportRow, Failure> + 'static) -> HttpResponse {
    let (sender, receiver) = mpsc::channel::<Bytes>(LINES_AHEAD);
    actix_web::rt::spawn(async move {
        // Of who listens slowly some lines are kept back.
        let told = |progress| drop(sender.try_send(written(&ImportNews::Progress(progress))));
        let outcome = tokio::select! {
            outcome = work(&told) => outcome,
            () = sender.closed() => return,
        };
        let last = outcome.map_or_else(|failure| ImportNews::Error(failure.problem()), ImportNews::Data);
        let _ = sender.send(written(&last)).await;
    });
    let lines = stream::unfold(receiver, async |mut lines| Some((Ok::<_, Infallible>(lines.recv().await?), lines)));
    HttpResponse::Ok().content_type("application/x-ndjson").streaming(lines)
}

fn written(news: &ImportNews) -> Bytes {
    let mut line = serde_json::to_vec(news).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

/// Takes a file over.
async fn take(
    state: &State,
    portfolio: &Portfolio,
    taking: &Taking,
    file: File,
    told: Telling<'_>,
) -> Result<ImportRow, Failure> {
    let stage = |stage: &str, done, of| told(ImportProgress { stage: stage.to_owned(), done, of });
    let format = taking.format.or_else(|| Format::recognise(&file.text)).ok_or_else(|| {
        let detail = "its header is that of no file that is known here";
        Failure::new(Code::UnreadableFile, detail).at("format", "").allowed(Format::words())
    })?;
    let currency = portfolio.currency.clone();
    stage("waiting", 0, None);
    let seat = SEATS.acquire().await;
    stage("reading", 0, None);
    let unreadable = |error: Unreadable| Failure::new(Code::UnreadableFile, error.to_string());
    let read = apart(move || {
        // Whoever goes away gives place and seat up when this is done, not before.
        let File { text, place } = file;
        let lines = import::read(format, &text, &currency, Utc::now()).map_err(unreadable)?;
        Ok((lines, place, seat))
    });
    let (lines, _place, _seat) = read.await?;
    let mut row = counted(format, taking.preview, &lines);
    if !taking.preview && !taking.skip_mistakes && row.mistakes > 0 {
        return Err(wrong(&row));
    }
    let entries: Vec<Entry> = lines.into_iter().flat_map(|line| entries(line.outcome)).collect();
    row.added = entries.len();
    row.known = match taking.preview {
        true => {
            let known = async |client: &Client| Ok(portfolios::count_known(client, portfolio.id, &entries).await?);
            state.reader.read_at_length(known).await?
        }
        false => write(state, portfolio, &entries, |done| stage("writing", done, Some(entries.len()))).await?,
    };
    row.added -= row.known;
    Ok(row)
}

fn entries(outcome: Outcome) -> Vec<Entry> {
    match outcome {
        Outcome::Entries(entries) => entries,
        Outcome::Skipped(_) | Outcome::Mistakes(_) => Vec::new(),
    }
}

/// Writes them down, all or none of them. Returns how many were known.
async fn write(
    state: &State,
    portfolio: &Portfolio,
    entries: &[Entry],
    told: impl Fn(usize),
) -> Result<usize, Failure> {
    let written = state.reader.change_at_length(async |client| {
        let added = portfolios::add_all(client, portfolio.id, entries, told).await?;
        Ok(added.map_err(|why| not_added(why, portfolio.id))?.known)
    });
    let known = written.await?;
    tracing::info!(portfolio = portfolio.id, transactions = entries.len(), known, "transactions were taken over");
    Ok(known)
}

fn counted(format: Format, preview: bool, lines: &[Line]) -> ImportRow {
    let (mut skipped, mut mistakes, mut read) = (BTreeMap::new(), 0, 0);
    for line in lines {
        match &line.outcome {
            Outcome::Entries(entries) => read += entries.len(),
            Outcome::Skipped(reason) => *skipped.entry((*reason).to_owned()).or_default() += 1,
            Outcome::Mistakes(_) => mistakes += 1,
        }
    }
    let is_wrong = |line: &&Line| matches!(line.outcome, Outcome::Mistakes(_));
    let wrong = lines.iter().filter(is_wrong);
    let others = lines.iter().filter(|line| preview && !is_wrong(line));
    let lines = wrong.chain(others).take(MOST_LINES).map(line).collect();
    let format = format.as_str().to_owned();
    ImportRow { format, preview, read, added: 0, known: 0, skipped, mistakes, lines }
}

fn line(line: &Line) -> ImportLine {
    let none = ImportLine { line: line.number, says: None, skipped: None, mistakes: Vec::new() };
    match &line.outcome {
        Outcome::Entries(entries) => {
            let says = entries.iter().map(says).collect::<Vec<_>>().join("; ");
            ImportLine { says: Some(says), ..none }
        }
        Outcome::Skipped(reason) => ImportLine { skipped: Some((*reason).to_owned()), ..none },
        Outcome::Mistakes(mistakes) => ImportLine { mistakes: mistakes.iter().map(mistake).collect(), ..none },
    }
}

fn says(entry: &Entry) -> String {
    let what = if entry.kind == Kind::Trade { entry.order.as_str() } else { entry.kind.as_str() };
    let value = entry.value.map(|value| format!(" for {value} {}", entry.currency)).unwrap_or_default();
    let fee = match &entry.fee_currency {
        Some(currency) if !entry.fee.is_zero() => format!(", fee {} {currency}", entry.fee),
        _ => String::new(),
    };
    format!("{} {what} {} {}{value}{fee}", entry.at.format("%Y-%m-%d %H:%M:%S"), entry.volume, entry.symbol)
}

fn mistake(mistake: &LineMistake) -> ImportMistake {
    let LineMistake { field, value, detail, allowed } = mistake.clone();
    ImportMistake { field, value, detail, allowed }
}

/// Nothing is written, since lines are wrong.
fn wrong(row: &ImportRow) -> Failure {
    let first = row.lines.first();
    let example = first.and_then(|line| {
        let mistake = line.mistakes.first()?;
        Some(format!("; line {}, {}: {} ({})", line.line, mistake.field, mistake.detail, mistake.allowed))
    });
    let lines = if row.mistakes == 1 { "1 line is".to_owned() } else { format!("{} lines are", row.mistakes) };
    let detail = format!("{lines} wrong, and nothing is written{}", example.unwrap_or_default());
    let value = first.and_then(|line| line.mistakes.first()).map(|mistake| mistake.value.clone()).unwrap_or_default();
    let allowed = "preview=true, which tells every line, or skip_mistakes=true, which leaves these out";
    Failure::new(Code::UnreadableFile, detail).at("body", &value).allowed(allowed)
}

/// All transactions of a portfolio as a CSV file, which can be taken over again
#[utoipa::path(
    get,
    path = "/portfolios/{id}/export",
    tag = "portfolios",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The portfolio's number", example = "1")),
    responses((status = 200, description = "The file, oldest first", body = String, content_type = "text/csv"), AccountFailures, Failures)
)]
pub(crate) async fn export(
    Reading(bearer): Reading,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let read = state.reader.read(async |client| {
        let portfolio = of_account(client, bearer.account.id, &id).await?;
        Ok(find_ledger(client, portfolio.id, None).await?.unwrap_or_default())
    });
    let ledger = read.await?;
    let csv = apart(move || Ok(import::write(ledger.entries.iter().map(|(_, entry)| entry)))).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("Content-Disposition", format!("attachment; filename=\"portfolio-{id}.csv\"")))
        .body(csv))
}
