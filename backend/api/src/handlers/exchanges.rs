//! `/exchanges`

use std::collections::HashMap;

use actix_web::web;
use api_types::{Data, ExchangeRow, FeedRow};
use chrono::{DateTime, Utc};
use database::{
    exchanges::{StoredExchange, list_exchanges},
    gaps::count_open_gaps,
};

use crate::{
    openapi::Failures,
    parameters::{Asked, Nothing},
    reply::{Answer, Reply},
    server::State,
};

/// Every exchange that was ever connected, by name, and how it does
#[utoipa::path(
    get,
    path = "/exchanges",
    tag = "catalogue",
    responses((status = 200, description = "All exchanges", body = Data<Vec<ExchangeRow>>), Failures)
)]
pub(crate) async fn list(_: Asked<Nothing>, state: web::Data<State>) -> Answer<Vec<ExchangeRow>> {
    let now = Utc::now();
    let asked = state.reader.read(async |client| Ok((list_exchanges(client).await?, count_open_gaps(client).await?)));
    let (exchanges, open_gaps) = asked.await?;
    let feeds: HashMap<String, FeedRow> =
        state.hub.feeds().into_iter().map(|feed| (feed.exchange.clone(), feed)).collect();
    let row = |one: StoredExchange| {
        let (feed, gaps) = (feeds.get(&one.name), open_gaps.get(&one.id).copied().unwrap_or(0));
        row(one, feed, gaps, now)
    };
    Ok(Reply::of(exchanges.into_iter().map(row).collect::<Vec<_>>()).read_at(now))
}

fn row(one: StoredExchange, feed: Option<&FeedRow>, open_gaps: i64, now: DateTime<Utc>) -> ExchangeRow {
    ExchangeRow {
        exchange: one.name,
        country: one.country,
        numbers_trades: one.numbers_trades,
        state: feed.map(|feed| feed.state.clone()),
        since: feed.map(|feed| feed.since),
        ticks_last_minute: feed.map(|feed| feed.ticks_last_minute),
        age_ms: feed.and_then(|feed| feed.last_tick_at).map(|at| (now - at).num_milliseconds().max(0)),
        reconnects: feed.map(|feed| feed.reconnects),
        clock_ahead_ms: feed.and_then(|feed| feed.clock_ahead_ms),
        open_gaps,
    }
}
