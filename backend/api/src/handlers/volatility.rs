//! `/volatility`

use std::{cmp::Reverse, str::FromStr};

use actix_web::web;
use api_types::{Page, StatisticsRow, VolatilityRow};
use chrono::Utc;
use rust_decimal::Decimal;
use utoipa::IntoParams;

use crate::{
    error::Failure,
    handlers::{prices::Wanted, statistics::of_pairs},
    openapi::Failures,
    paging::Paging,
    parameters::{Asked, FromQuery, Query},
    reply::{Answer, Reply},
    server::State,
    span::Span,
};

/// What is ranked by.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Order {
    /// `deviation_percent`: deviation of the prices in percent of their mean; `return_deviation`: of the one-minute returns;
    /// `deviation`: of the prices in units of the quote. deviation_percent where not said.
    #[param(value_type = Option<String>, example = "deviation_percent", pattern = "^(deviation_percent|return_deviation|deviation)$")]
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    DeviationPercent,
    ReturnDeviation,
    Deviation,
}

const BY: [(&str, By); 3] = [
    ("deviation_percent", By::DeviationPercent),
    ("return_deviation", By::ReturnDeviation),
    ("deviation", By::Deviation),
];

impl FromStr for By {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = BY.into_iter().find(|(name, _)| *name == text);
        known.map(|(_, by)| by).ok_or("pairs are not ranked by this")
    }
}

impl FromQuery for Order {
    const NAMES: &'static [&'static str] = &["by"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let allowed = BY.map(|(name, _)| name).join(", ");
        Ok(Self { by: query.parsed("by", &allowed)?.unwrap_or(By::DeviationPercent) })
    }
}

/// Pairs by how much their prices move, the most first
#[utoipa::path(
    get,
    path = "/volatility",
    tag = "prices",
    params(Wanted, Span, Order, Paging),
    responses((status = 200, description = "The ranking", body = Page<VolatilityRow>), Failures)
)]
pub(crate) async fn list(
    Asked((wanted, span, order, paging)): Asked<(Wanted, Span, Order, Paging)>,
    state: web::Data<State>,
) -> Answer<Vec<VolatilityRow>> {
    let now = Utc::now();
    let rows = state.reader.read(async |client| of_pairs(client, &wanted, span.minutes(now)).await).await?;
    let (rows, next) =
        paging.cut(ranked(rows, order.by), |row| format!("{} {}", row.statistics.exchange, row.statistics.ticker))?;
    Ok(Reply::of(rows).page(next).read_at(now))
}

/// Of equals the one that is named first; those of which too little is known behind the others.
fn ranked(mut rows: Vec<StatisticsRow>, by: By) -> Vec<VolatilityRow> {
    let measure = |row: &StatisticsRow| -> Option<Decimal> {
        match by {
            By::DeviationPercent => row.deviation_percent,
            By::ReturnDeviation => row.return_deviation,
            By::Deviation => row.deviation,
        }
    };
    rows.sort_by_key(|row| Reverse(measure(row)));
    rows.into_iter().enumerate().map(|(index, statistics)| VolatilityRow { rank: index + 1, statistics }).collect()
}
