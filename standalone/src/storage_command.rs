//! `crypto-tracker storage`: what everything takes, for how long there is room, what went and what may not go.

use std::fmt::Write as _;

use anyhow::Context as _;
use bytesize::ByteSize;
use chrono::{DateTime, Utc};
use database::{
    question::Answer,
    storage::{self, KindReport, Report},
};

use crate::{
    settings::Storage,
    sql_command::{ask, connect, print_text},
};

/// Asks, and prints the report.
pub(crate) async fn run(arguments: &Storage) -> anyhow::Result<()> {
    let answers = ask(&connect(&arguments.asked).await?, storage::QUESTION).await?;
    let told = match answers.as_slice() {
        [Answer::Rows { rows, .. }] => rows.first().and_then(|row| row.first()?.as_deref()),
        _ => None,
    };
    let report = storage::parse(told.context("the database answers something else than was asked")?)?;
    let text = if arguments.json { serde_json::to_string_pretty(&report)? + "\n" } else { table(&report)? };
    print_text(&text)
}

fn table(report: &Report) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    writeln!(
        out,
        "{:<8} {:>10} {:>14} {:>10} {:>14} {:>12}  {:<10}  newest",
        "kind", "size", "rows", "bytes/row", "rows a day", "size a day", "oldest"
    )?;
    for kind in &report.kinds {
        line(&mut out, kind)?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "in all       {}; a day brings {}, a year {}",
        size(report.bytes),
        size(report.bytes_per_day),
        size(report.bytes_per_year)
    )?;
    match (report.budget_bytes, report.budget_reached_at) {
        (None, _) => writeln!(out, "budget       none (STORAGE_BUDGET)")?,
        (Some(budget), Some(at)) => {
            writeln!(out, "budget       {}, reached on {} if nothing more is dropped", size(budget), day(at))?;
        }
        (Some(budget), None) if report.bytes > budget => writeln!(out, "budget       {}, exceeded", size(budget))?,
        (Some(budget), None) => writeln!(out, "budget       {}", size(budget))?,
    }
    let days = |days: Option<i32>| days.map_or("for ever".to_owned(), |days| format!("for {days} days"));
    writeln!(
        out,
        "kept         ticks {}, one-minute candles {}, everything else for ever",
        days(report.keep_ticks_days),
        days(report.keep_minutes_days)
    )?;
    let free = report.free_bytes.map_or("not known here".to_owned(), size);
    writeln!(out, "room on disk {free}")?;
    if !report.kept.is_empty() {
        writeln!(out, "\nshould go, and may not:")?;
    }
    for span in &report.kept {
        writeln!(out, "  {:<5} of {}: {}", span.kind, day(span.from_time), span.reason)?;
    }
    if !report.dropped.is_empty() {
        writeln!(out, "\nwent:")?;
    }
    for span in &report.dropped {
        let (from, freed, at) = (day(span.from_time), size(span.bytes), day(span.dropped_at));
        writeln!(out, "  {:<5} of {from}: {} rows, {freed}, on {at}, {}", span.kind, span.rows, span.why)?;
    }
    Ok(out)
}

fn line(out: &mut String, kind: &KindReport) -> std::fmt::Result {
    let number = |number: Option<i64>| number.map_or("-".to_owned(), |number| number.to_string());
    let date = |time: Option<DateTime<Utc>>| time.map_or("-".to_owned(), day);
    let newest = kind.newest.map_or("-".to_owned(), |time| time.format("%Y-%m-%d %H:%M").to_string());
    writeln!(
        out,
        "{:<8} {:>10} {:>14} {:>10} {:>14} {:>12}  {:<10}  {newest}",
        kind.kind,
        size(kind.bytes),
        number(kind.rows),
        number(kind.bytes_per_row),
        number(kind.rows_per_day),
        kind.bytes_per_day.map_or("-".to_owned(), size),
        date(kind.oldest),
    )
}

/// In powers of ten, as disks are sold and as STORAGE_BUDGET is written.
fn size(bytes: i64) -> String {
    ByteSize::b(bytes.max(0).unsigned_abs()).display().si().to_string()
}

fn day(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d").to_string()
}
