//! Writes candles and transactions to CSV files, with the digits that the API gave.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use api_types::CandleRow;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use tokio::sync::mpsc;

use super::outbox::Outbox;
use crate::{
    client::{Client, ClientError},
    state::{Exported, SeriesKey, Update},
};

/// What is to be written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Export {
    /// What.
    pub what: Wanted,
    /// The file, which must not be there yet.
    pub path: PathBuf,
}

/// What a file is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Candles.
    Candles {
        /// Whose.
        series: SeriesKey,
        /// From here on.
        from: DateTime<Utc>,
        /// To before here.
        to: DateTime<Utc>,
    },
    /// All transactions of the portfolio with this number.
    Transactions(i64),
}

/// Writes what is wanted until the window is gone.
pub(super) async fn write_all(
    client: &Client,
    outbox: &Outbox,
    mut wanted: mpsc::Receiver<Export>,
    unfinished: &AtomicUsize,
) {
    while let Some(export) = wanted.recv().await {
        let outcome = match contents(client, &export.what).await {
            Ok((content, count, what)) => {
                create(&export.path, &content).map(|()| (count, what)).map_err(|error| error.to_string())
            }
            Err(cause) => Err(cause),
        };
        unfinished.fetch_sub(1, Ordering::Relaxed);
        if outbox.put(Update::Exported { path: export.path, outcome }).await.is_err() {
            return;
        }
    }
}

/// What goes into the file, and how many of what that are.
async fn contents(client: &Client, what: &Wanted) -> Result<(Vec<u8>, usize, Exported), String> {
    match what {
        Wanted::Candles { series, from, to } => {
            let rows = fetch(client, series, (*from, *to)).await.map_err(|error| error.to_string())?;
            let text = written(series, &rows).map_err(|error| error.to_string())?;
            Ok((text, rows.len(), Exported::Candles))
        }
        Wanted::Transactions(portfolio) => {
            let text = client.export(*portfolio).await.map_err(|error| error.to_string())?;
            let count = csv::Reader::from_reader(text.as_slice()).records().count();
            Ok((text, count, Exported::Transactions))
        }
    }
}

/// All of them, oldest first, page by page.
async fn fetch(
    client: &Client,
    series: &SeriesKey,
    (mut from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<CandleRow>, ClientError> {
    let mut rows: Vec<CandleRow> = Vec::new();
    while from < to {
        let page = client.list_candles_between(series, from, to).await?;
        let Some(last) = page.last() else { break };
        from = last.open_time + TimeDelta::seconds(series.interval.seconds());
        rows.extend(page);
    }
    Ok(rows)
}

fn written(series: &SeriesKey, rows: &[CandleRow]) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "exchange",
        "ticker",
        "interval",
        "open_time",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "quote_volume",
        "trades",
        "final",
        "origin",
        "untold_minutes",
    ])?;
    let SeriesKey { ticker, interval } = series;
    for row in rows {
        csv.write_record([
            ticker.exchange.as_str(),
            ticker.ticker.as_str(),
            interval.as_str(),
            &row.open_time.to_rfc3339_opts(SecondsFormat::Secs, true),
            &row.open.to_string(),
            &row.high.to_string(),
            &row.low.to_string(),
            &row.close.to_string(),
            &row.volume.to_string(),
            &row.quote_volume.to_string(),
            &row.trades.to_string(),
            &row.is_final.to_string(),
            &row.origin,
            &row.untold_minutes.to_string(),
        ])?;
    }
    csv.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// A new file; what is there already is not written over.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
