//! `/ticks`

use actix_web::web;
use api_types::{Page, TickRow};
use chrono::{DateTime, TimeZone as _, Utc};
use database::prices::{StoredTick, TickPosition, list_ticks};
use utoipa::IntoParams;

use crate::{
    cursor,
    error::Failure,
    lookup,
    openapi::Failures,
    parameters::{Asked, FromQuery, Query},
    reply::{Answer, Lasting, Reply},
    server::State,
};

/// Which ticks are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Not before this moment: RFC 3339, or seconds or milliseconds since 1970.
    #[param(value_type = Option<String>, example = "2026-11-20T12:00:00Z")]
    from: Option<DateTime<Utc>>,
    /// Before this moment.
    #[param(value_type = Option<String>, example = "2026-11-20T18:00:00Z")]
    to: DateTime<Utc>,
    /// How many on a page. 100 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, example = 100)]
    limit: i64,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<TickPosition>,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["from", "to", "limit", "cursor"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let end_of_time = Utc.with_ymd_and_hms(2262, 1, 1, 0, 0, 0).single().unwrap_or_default();
        let (from, to) = query.span(end_of_time)?;
        let limit = query.number("limit", 1..=1000)?.unwrap_or(100);
        Ok(Self { from, to, limit, cursor: query.cursor()?.map(cursor::read).transpose()? })
    }
}

/// Every single stored price of a pair, newest first, page by page
#[utoipa::path(
    get,
    path = "/ticks/{exchange}/{ticker}",
    tag = "prices",
    params(
        ("exchange" = String, Path, description = "Name of the exchange", example = "binance"),
        ("ticker" = String, Path, description = "The pair", example = "BTCUSDT"),
        Wanted
    ),
    responses((status = 200, description = "A page of ticks", body = Page<TickRow>), Failures)
)]
pub(crate) async fn list(
    names: web::Path<(String, String)>,
    Asked(wanted): Asked<Wanted>,
    state: web::Data<State>,
) -> Answer<Vec<TickRow>> {
    let (exchange, ticker) = names.into_inner();
    let Wanted { from, to, limit, cursor } = wanted;
    let from = from.unwrap_or(DateTime::UNIX_EPOCH);
    let found = state.reader.read(async |client| {
        let exchange = lookup::exchange(client, &exchange).await?;
        let ticker = lookup::ticker(client, &exchange, &ticker).await?;
        // One more than asked for tells whether there is another page.
        Ok(list_ticks(client, ticker.id, from, to, cursor, limit + 1).await?)
    });
    let mut ticks = found.await?;
    let is_last = ticks.len() as i64 <= limit;
    ticks.truncate(limit as usize);
    let position = |tick: &StoredTick| TickPosition { time: tick.time, trade_id: tick.trade_id };
    let next_cursor = ticks.last().filter(|_| !is_last).map(|tick| cursor::write(position(tick)));
    Ok(Reply::of(ticks.into_iter().map(row).collect::<Vec<_>>()).page(next_cursor).lasting(Lasting::until(to)))
}

fn row(tick: StoredTick) -> TickRow {
    TickRow {
        trade_id: tick.trade_id,
        price: tick.price,
        quantity: tick.quantity,
        taker_side: tick.taker_side,
        exchange_time: (tick.source != "poll").then_some(tick.time),
        received_at: tick.received_at,
        stored_at: tick.stored_at,
        source: tick.source,
    }
}
