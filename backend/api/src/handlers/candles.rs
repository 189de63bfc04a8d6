//! `/candles`

use actix_web::web;
use api_types::{CandleRow, Page};
use chrono::{DateTime, Utc};
use database::{
    candles::{Span, StoredCandle, list_candles},
    prices::TickPosition,
};
use domain::Interval;
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

/// Which candles are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Width of a candle. Weeks open on Monday, everything in UTC.
    #[param(value_type = Option<String>, example = "1m", pattern = "^(1m|5m|15m|30m|1h|4h|1d|1w)$")]
    interval: Interval,
    /// Where the first candle opens, or later: RFC 3339, or seconds or milliseconds since 1970. Left away: as far back
    /// as the limit reaches.
    #[param(value_type = Option<String>, example = "2026-11-20T12:00:00Z")]
    from: Option<DateTime<Utc>>,
    /// Before which the last candle opens. Left away: now.
    #[param(value_type = Option<String>, example = "2026-11-20T18:00:00Z")]
    to: DateTime<Utc>,
    /// How many: the first ones after `from`, or without it the last ones before `to`. 500 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, example = 500)]
    limit: i64,
    /// `next_cursor` of the page before: with `from` later candles follow, without it earlier ones.
    #[param(value_type = Option<String>)]
    cursor: Option<DateTime<Utc>>,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["interval", "from", "to", "limit", "cursor"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let interval = interval(query)?;
        let (from, to) = query.span(Utc::now())?;
        let cursor = query.cursor()?.map(cursor::read).transpose()?.map(|position| position.time);
        Ok(Self { interval, from, to, limit: query.number("limit", 1..=1000)?.unwrap_or(500), cursor })
    }
}

/// Reads `interval`.
pub(crate) fn interval(query: &Query) -> Result<Interval, Failure> {
    let allowed = Interval::ALL.map(Interval::as_str).join(", ");
    Ok(query.parsed("interval", &allowed)?.unwrap_or(Interval::OneMinute))
}

/// Open, high, low, close and volume, oldest first; an interval without prices is left out
#[utoipa::path(
    get,
    path = "/candles/{exchange}/{ticker}",
    tag = "prices",
    params(
        ("exchange" = String, Path, description = "Name of the exchange", example = "binance"),
        ("ticker" = String, Path, description = "The pair", example = "BTCUSDT"),
        Wanted
    ),
    responses((status = 200, description = "The candles", body = Page<CandleRow>), Failures)
)]
pub(crate) async fn list(
    names: web::Path<(String, String)>,
    Asked(wanted): Asked<Wanted>,
    state: web::Data<State>,
) -> Answer<Vec<CandleRow>> {
    let (exchange, ticker) = names.into_inner();
    let Wanted { interval, from, to, limit, cursor } = wanted;
    let lasting = Lasting::until(to);
    // Candles open within the span, so each is whole: none is made of the part of it that the span happens to hold.
    let to = next_open(interval, to);
    let span = match from {
        Some(from) => Span::Since { from: next_open(interval, cursor.unwrap_or(from).max(from)).min(to), to },
        None => Span::Until(next_open(interval, cursor.unwrap_or(to).min(to))),
    };
    let found = state.reader.read(async |client| {
        let exchange = lookup::exchange(client, &exchange).await?;
        let ticker = lookup::ticker(client, &exchange, &ticker).await?;
        // One more than asked for tells whether there is another page.
        Ok(list_candles(client, ticker.id, interval, span, limit + 1).await?)
    });
    let now = Utc::now();
    let mut rows: Vec<CandleRow> = found.await?.iter().map(|candle| row(candle, interval, now)).collect();
    let next = (rows.len() as i64 > limit).then(|| match from {
        Some(_) => rows.pop().map(|next| next.open_time),
        None => rows.drain(..1).map(|earlier| earlier.open_time + interval.duration()).next(),
    });
    let next = next.flatten().map(|time| cursor::write(TickPosition { time, trade_id: None }));
    Ok(Reply::of(rows).page(next).lasting(lasting))
}

/// Where the next candle opens, or this one if it opens right here.
pub(crate) fn next_open(interval: Interval, time: DateTime<Utc>) -> DateTime<Utc> {
    let open = interval.open_time(time);
    if open == time { time } else { open + interval.duration() }
}

/// What is told of a candle.
pub(crate) fn row(candle: &StoredCandle, interval: Interval, now: DateTime<Utc>) -> CandleRow {
    CandleRow {
        open_time: candle.open_time,
        open: candle.open,
        high: candle.high,
        low: candle.low,
        close: candle.close,
        volume: candle.volume,
        quote_volume: candle.quote_volume,
        trades: candle.trades,
        is_final: candle.open_time + interval.duration() <= now,
        revision: candle.revision,
        origin: candle.origin().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_begins_and_ends_where_candles_open() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (interval, time, open) in [
            (Interval::OneHour, "2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z"),
            (Interval::OneHour, "2026-11-20T12:00:00.000001Z", "2026-11-20T13:00:00Z"),
            (Interval::OneWeek, "2026-11-18T00:00:00Z", "2026-11-23T00:00:00Z"),
            (Interval::OneWeek, "1970-01-01T00:00:00Z", "1970-01-05T00:00:00Z"),
        ] {
            assert_eq!(next_open(interval, at(time)), at(open));
        }
    }
}
