//! `/storage`

use actix_web::web;
use api_types::{Data, DroppedSpan, KeptSpan, StorageReport, StoredKind};
use database::storage::{Dropped, Kept, KindReport, Report, report};

use crate::{
    openapi::Failures,
    parameters::{Asked, Nothing},
    reply::{Answer, One, answer},
    server::State,
};

/// How much room everything takes, when it is full, what was dropped, and what may not be
#[utoipa::path(
    get,
    path = "/storage",
    tag = "operation",
    responses((status = 200, description = "The report", body = Data<StorageReport>), Failures)
)]
pub(crate) async fn show(_: Asked<Nothing>, state: web::Data<State>) -> Answer<One<StorageReport>> {
    let report: Report = state.reader.read(async |client| Ok(report(client).await?)).await?;
    answer(One(StorageReport {
        bytes: report.bytes,
        bytes_per_day: report.bytes_per_day,
        bytes_per_year: report.bytes_per_year,
        budget_bytes: report.budget_bytes,
        budget_reached_at: report.budget_reached_at,
        keep_ticks_days: report.keep_ticks_days,
        keep_minutes_days: report.keep_minutes_days,
        looked_at: report.looked_at,
        free_bytes: report.free_bytes,
        kinds: report.kinds.into_iter().map(kind).collect(),
        kept: report.kept.into_iter().map(kept).collect(),
        dropped: report.dropped.into_iter().map(dropped).collect(),
    }))
}

fn kind(told: KindReport) -> StoredKind {
    let KindReport { kind, bytes, rows, bytes_per_row, rows_per_day, bytes_per_day, oldest, newest } = told;
    StoredKind { kind, bytes, rows, bytes_per_row, rows_per_day, bytes_per_day, oldest, newest }
}

fn kept(told: Kept) -> KeptSpan {
    let Kept { kind, from_time: from, to_time: to, reason, since } = told;
    KeptSpan { kind, from, to, reason, since }
}

fn dropped(told: Dropped) -> DroppedSpan {
    let Dropped { kind, from_time: from, to_time: to, rows, bytes, trades, volume, quote_volume, why, dropped_at } =
        told;
    DroppedSpan { kind, from, to, rows, bytes, trades, volume, quote_volume, why, dropped_at }
}
