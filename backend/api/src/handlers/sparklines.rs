//! `/sparklines`

use actix_web::web;
use api_types::{Page, Sparkline};
use chrono::Utc;
use database::sparklines::{HourlyCloses, list_hourly_closes};
use domain::Interval;

use crate::{
    handlers::prices::Wanted,
    lookup,
    openapi::Failures,
    paging::Paging,
    parameters::Asked,
    reply::{Answer, Reply},
    server::State,
};

/// Twenty-four steps need one point more.
const HOURS: i32 = 25;

/// What every recorded pair cost at the end of each of the last hours, by exchange and ticker
#[utoipa::path(
    get,
    path = "/sparklines",
    tag = "prices",
    params(Wanted, Paging),
    responses((status = 200, description = "The closes", body = Page<Sparkline>), Failures)
)]
pub(crate) async fn list(
    Asked((wanted, paging)): Asked<(Wanted, Paging)>,
    state: web::Data<State>,
) -> Answer<Vec<Sparkline>> {
    let step = Interval::OneHour.duration();
    let now = Utc::now();
    let to = Interval::OneHour.open_time(now) + step;
    let from = to - step * HOURS;
    let found = state.reader.read(async |client| {
        let exchange = lookup::optional_exchange(client, wanted.exchange.as_deref()).await?;
        let exchange_id = exchange.map(|exchange| exchange.id);
        Ok(list_hourly_closes(client, exchange_id, wanted.tickers.as_deref(), from, to).await?)
    });
    let row = |pair: HourlyCloses| Sparkline {
        exchange: pair.exchange,
        ticker: pair.ticker,
        from,
        step_seconds: 3_600,
        closes: pair.closes,
    };
    let (pairs, next) = paging.cut(found.await?, |pair| format!("{} {}", pair.exchange, pair.ticker))?;
    Ok(Reply::of(pairs.into_iter().map(row).collect::<Vec<_>>()).page(next).read_at(now))
}
