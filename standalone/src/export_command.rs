//! `crypto-tracker export`: the ticks or candles of a pair as a file, streamed from an API.
//!
//! Whatever the length, a chunk of the stream and one group of rows are in memory. A file has its name only when the API
//! said that this was all.

#![allow(clippy::print_stdout, reason = "the output of a command line is what it prints")]

use std::{io::Write as _, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use api_types::{CandleRow, Problem, TickRow};
use bytesize::ByteSize;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::Width;
use reqwest::Response;
use tokio::time::Instant;

use crate::{
    parquet_file::{ParquetFile, Record},
    part_file::{PartFile, refuse_existing},
    progress::Progress,
    settings::{Export, Exported, FileFormat},
};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The API tries a page again for so long and a bit less before it gives up.
const SILENT_FOR: Duration = Duration::from_secs(60);
/// No row is that long, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// Does it.
pub(crate) async fn run(wanted: &Export) -> anyhow::Result<()> {
    let shutdown = process::shutdown::on_signal();
    process::tls::install();
    let format = wanted.written_as()?;
    if wanted.from >= wanted.to {
        bail!("--from {} is not before --to {}; choose an earlier beginning", moment(wanted.from), moment(wanted.to));
    }
    refuse_existing(&wanted.output, wanted.force)?;
    let began = Instant::now();
    let exporting = async {
        let response = ask(wanted, format).await?;
        let sink = Sink::begin(wanted, format, PartFile::create(&wanted.output)?)?;
        let progress = match wanted.what {
            Exported::Candles => Progress::new(wanted.from, wanted.to),
            // These come newest first.
            Exported::Ticks => Progress::new(wanted.to, wanted.from),
        };
        let written = copy(response, sink, &progress).await;
        progress.end();
        written
    };
    let (rows, file) = tokio::select! {
        written = exporting => written?,
        () = shutdown.cancelled() => bail!("stopped; nothing is left of the file"),
    };
    let bytes = file.complete(wanted.force)?;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{}: {rows} {} of {} on {}, {}, in {seconds:.1} s ({:.0} rows/s)",
        wanted.output.display(),
        if wanted.what == Exported::Ticks { "ticks" } else { "candles" },
        wanted.ticker,
        wanted.exchange,
        ByteSize::b(bytes).display().si(),
        rows as f64 / seconds.max(0.001)
    );
    Ok(())
}

impl Export {
    fn written_as(&self) -> anyhow::Result<FileFormat> {
        if self.what == Exported::Ticks && self.interval.is_some() {
            bail!("--interval is the width of candles, and ticks have none; leave it away, or say --what candles");
        }
        let ending = self.output.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match (self.format, ending.as_deref()) {
            (Some(format), _) => Ok(format),
            (None, Some("parquet")) => Ok(FileFormat::Parquet),
            (None, Some("csv")) => Ok(FileFormat::Csv),
            (None, Some("jsonl")) => Ok(FileFormat::Jsonl),
            (None, _) => bail!(
                "--output {} does not say how it is written; let it end with .parquet, .csv or .jsonl, or add --format",
                self.output.display()
            ),
        }
    }
}

/// Begins the stream.
async fn ask(wanted: &Export, format: FileFormat) -> anyhow::Result<Response> {
    let what = if wanted.what == Exported::Ticks { "ticks" } else { "candles" };
    let mut url = wanted.api.route(&["export", what, &wanted.exchange, &wanted.ticker]);
    url.query_pairs_mut()
        .append_pair("format", if format == FileFormat::Csv { "csv" } else { "jsonl" })
        .append_pair("from", &moment(wanted.from))
        .append_pair("to", &moment(wanted.to));
    if wanted.what == Exported::Candles {
        url.query_pairs_mut().append_pair("interval", &wanted.interval.unwrap_or(Width::ONE_MINUTE).to_string());
    }
    let http = reqwest::Client::builder()
        .user_agent(concat!("crypto-tracker/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_WITHIN)
        .read_timeout(SILENT_FOR)
        .no_proxy()
        .build()?;
    let answer = http.get(url).send().await.map_err(reqwest::Error::without_url);
    let answer = answer.with_context(|| {
        format!("nobody answers at {}; start crypto-tracker first, or name the API's address with --api", wanted.api)
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let problem: Problem = answer.json().await.map_err(|_| {
        anyhow!(
            "what answers at {} is no API of this version (HTTP {status}); name the API's address with --api",
            wanted.api
        )
    })?;
    match problem.allowed {
        Some(allowed) => bail!("{} ({}); possible: {allowed}", problem.detail, problem.code),
        None => bail!("{} ({})", problem.detail, problem.code),
    }
}

/// Writes what comes, a whole line at a time. Returns how many rows there were.
async fn copy(mut response: Response, mut sink: Sink, progress: &Progress) -> anyhow::Result<(u64, PartFile)> {
    let broken = |rows: u64| format!("the API broke off after {rows} rows; nothing is left of the file, try again");
    let (mut rest, mut rows) = (Vec::new(), 0);
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url).with_context(|| broken(rows))? {
        rest.extend_from_slice(&chunk);
        let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let lines = &rest[..whole];
        rows += sink.take(lines)?;
        if let Some(time) = lines.split(|byte| *byte == b'\n').rev().find_map(first_time) {
            progress.reached(time);
        }
        rest.drain(..whole);
        if rest.len() > LONGEST_LINE {
            bail!("the API sends a line of more than {LONGEST_LINE} bytes, which is no row");
        }
    }
    if !rest.is_empty() {
        bail!(broken(rows));
    }
    Ok((rows, sink.end()?))
}

/// When a row was, in whatever format: the first moment that stands in it.
fn first_time(line: &[u8]) -> Option<DateTime<Utc>> {
    let cells = std::str::from_utf8(line).ok()?.split([',', '"']);
    cells.filter_map(|cell| DateTime::parse_from_rfc3339(cell).ok()).map(|time| time.to_utc()).next()
}

/// What lines become.
enum Sink {
    Csv { file: PartFile, has_names: bool },
    Jsonl(PartFile),
    Ticks(ParquetFile<PartFile>),
    Candles(ParquetFile<PartFile>),
}

impl Sink {
    fn begin(wanted: &Export, format: FileFormat, file: PartFile) -> anyhow::Result<Self> {
        let interval = wanted.interval.unwrap_or(Width::ONE_MINUTE).to_string();
        let about = [("exchange", wanted.exchange.as_str()), ("ticker", wanted.ticker.as_str())];
        Ok(match (format, wanted.what) {
            (FileFormat::Csv, _) => Self::Csv { file, has_names: false },
            (FileFormat::Jsonl, _) => Self::Jsonl(file),
            (FileFormat::Parquet, Exported::Ticks) => Self::Ticks(ParquetFile::begin::<TickRow>(file, &about)?),
            (FileFormat::Parquet, Exported::Candles) => {
                let about = [&about[..], &[("interval", interval.as_str())]].concat();
                Self::Candles(ParquetFile::begin::<CandleRow>(file, &about)?)
            }
        })
    }

    /// Takes whole lines. Returns how many rows they are.
    fn take(&mut self, lines: &[u8]) -> anyhow::Result<u64> {
        let count = || lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        match self {
            Self::Csv { file, has_names } => {
                file.write_all(lines).context(DISK)?;
                let names = u64::from(!*has_names && !lines.is_empty());
                *has_names |= names > 0;
                Ok(count() - names)
            }
            Self::Jsonl(file) => {
                file.write_all(lines).context(DISK)?;
                Ok(count())
            }
            Self::Ticks(file) => add::<TickRow>(file, lines),
            Self::Candles(file) => add::<CandleRow>(file, lines),
        }
    }

    fn end(self) -> anyhow::Result<PartFile> {
        match self {
            Self::Csv { file, .. } | Self::Jsonl(file) => Ok(file),
            Self::Ticks(file) | Self::Candles(file) => Ok(file.end()?),
        }
    }
}

const DISK: &str = "the file cannot be written";

fn add<R: Record>(file: &mut ParquetFile<PartFile>, lines: &[u8]) -> anyhow::Result<u64> {
    let mut rows = 0;
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let row: R = serde_json::from_slice(line)
            .with_context(|| format!("the API sends what is no row: {}", String::from_utf8_lossy(line)))?;
        file.push(row)?;
        rows += 1;
    }
    Ok(rows)
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
