//! `/rates`

use actix_web::web;
use api_types::{Data, worth::RateRow};
use chrono::{NaiveDate, Utc};
use database::rates::{self, RateFilter, StoredRate};
use utoipa::IntoParams;

use crate::{
    error::Failure,
    handlers::portfolios::currency,
    openapi::Failures,
    parameters::{Asked, FromQuery, Query},
    reply::{Answer, Reply},
    server::State,
};

/// Which rates are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Only of this currency.
    #[param(example = "EUR")]
    base: Option<String>,
    /// Only in this currency.
    #[param(example = "CHF")]
    quote: Option<String>,
    /// From this day on. Where not said, only the newest rate of each pair.
    #[param(value_type = Option<String>, example = "2026-01-01")]
    from: Option<NaiveDate>,
    /// Until this day. Today where not said.
    #[param(value_type = Option<String>, example = "2026-11-20")]
    to: NaiveDate,
    /// How many, newest first. 1000 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 10000, example = 1000)]
    limit: i64,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["base", "quote", "from", "to", "limit"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let (from, to) = (query.day("from")?, query.day("to")?.unwrap_or_else(|| Utc::now().date_naive()));
        if let Some(from) = from.filter(|from| *from > to) {
            let allowed = format!("a day until {to}");
            return Err(Failure::parameter("from", &from.to_string(), "from must not be later than to", allowed));
        }
        Ok(Self {
            base: currency("base", query.text("base")?)?,
            quote: currency("quote", query.text("quote")?)?,
            from,
            to,
            limit: query.number("limit", 1..=10_000)?.unwrap_or(1_000),
        })
    }
}

/// What currencies are worth that no recorded market trades: as banks and services tell it, or as it was taken in from a file
#[utoipa::path(
    get,
    path = "/rates",
    tag = "prices",
    params(Wanted),
    responses((status = 200, description = "The rates, newest first", body = Data<Vec<RateRow>>), Failures)
)]
pub(crate) async fn list(Asked(wanted): Asked<Wanted>, state: web::Data<State>) -> Answer<Vec<RateRow>> {
    let Wanted { base, quote, from, to, limit } = wanted;
    let filter = RateFilter { base, quote, from, to };
    let found = state.reader.read(async |client| Ok(rates::list(client, &filter, limit).await?)).await?;
    let row = |StoredRate { base, quote, day, rate, source }| RateRow { base, quote, day, rate, source };
    Ok(Reply::of(found.into_iter().map(row).collect()))
}
