//! What rules fired for.

use actix_web::{HttpResponse, web};
use api_types::{Page, alerts::FiringRow};
use database::alerts::firings;
use utoipa::IntoParams;

use crate::{
    auth::Reading,
    error::Failure,
    openapi::{AccountFailures, Failures},
    parameters::{Asked, FromQuery, Own, Query},
    server::State,
};

/// Which firings are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Only those of the alert with this number.
    #[param(value_type = Option<i64>, minimum = 1, example = 7)]
    alert: Option<i64>,
    /// How many on a page. 100 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, example = 100)]
    limit: i64,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<i64>,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["alert", "limit", "cursor"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let alert = query.number("alert", 1..=i64::MAX)?;
        let limit = query.number("limit", 1..=1_000)?.unwrap_or(100);
        let cursor = query.number("cursor", 1..=i64::MAX)?;
        Ok(Self { alert, limit, cursor })
    }
}

/// What your alerts fired for, newest first
#[utoipa::path(
    get,
    path = "/alerts/firings",
    tag = "alerts",
    security(("bearer" = [])),
    params(Wanted),
    responses((status = 200, description = "A page of firings", body = Page<FiringRow>), AccountFailures, Failures)
)]
pub(crate) async fn list(
    Reading(bearer): Reading,
    Asked(Own(Wanted { alert, limit, cursor })): Asked<Own<Wanted>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let id = bearer.account.id;
    let found = state.reader.read(async |client| Ok(firings::list(client, id, alert, cursor, limit + 1).await?));
    let mut rows = found.await?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > page;
    rows.truncate(page);
    let next_cursor = rows.last().filter(|_| has_more).map(|last| last.id.to_string());
    let data = rows
        .into_iter()
        .map(|firing| FiringRow {
            id: firing.id,
            alert: firing.rule_id,
            happened_at: firing.happened_at,
            noticed_at: firing.noticed_at,
            late: firing.is_late,
            said: firing.said,
            price: firing.price.map(|price| price.normalize()),
            reference: firing.reference.map(|reference| reference.normalize()),
            trade_id: firing.trade_id,
        })
        .collect();
    Ok(HttpResponse::Ok().json(Page { data, as_of: None, next_cursor }))
}
