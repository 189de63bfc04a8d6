//! Writes candles to a CSV file, with the digits that the API gave.

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
    state::{SeriesKey, Update},
};

/// What is to be written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Export {
    /// Whose candles.
    pub series: SeriesKey,
    /// From here on.
    pub from: DateTime<Utc>,
    /// To before here.
    pub to: DateTime<Utc>,
    /// The file, which must not be there yet.
    pub path: PathBuf,
}

/// Writes what is wanted until the window is gone.
pub(super) async fn write_all(
    client: &Client,
    outbox: &Outbox,
    mut wanted: mpsc::Receiver<Export>,
    unfinished: &AtomicUsize,
) {
    while let Some(export) = wanted.recv().await {
        let outcome = match fetch(client, &export).await {
            Ok(rows) => write(&export, &rows).map(|()| rows.len()).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        unfinished.fetch_sub(1, Ordering::Relaxed);
        if outbox.put(Update::Exported { path: export.path, outcome }).await.is_err() {
            return;
        }
    }
}

/// All of them, oldest first, page by page.
async fn fetch(client: &Client, export: &Export) -> Result<Vec<CandleRow>, ClientError> {
    let mut rows: Vec<CandleRow> = Vec::new();
    let mut from = export.from;
    while from < export.to {
        let page = client.list_candles_between(&export.series, from, export.to).await?;
        let Some(last) = page.last() else { break };
        from = last.open_time + TimeDelta::seconds(export.series.interval.seconds());
        rows.extend(page);
    }
    Ok(rows)
}

fn write(export: &Export, rows: &[CandleRow]) -> io::Result<()> {
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
    let SeriesKey { ticker, interval } = &export.series;
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
    let text = csv.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    create(&export.path, &text)
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
