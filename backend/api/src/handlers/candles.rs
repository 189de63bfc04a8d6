//! `/candles`

use actix_web::web;
use api_types::{CandleRow, Page};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use database::{
    candles::{Span, StoredCandle, list_candles},
    prices::TickPosition,
};
use domain::Width;
use utoipa::IntoParams;

use crate::{
    cursor,
    error::Failure,
    fill::{filled_last, filled_since},
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
    /// Width of a candle: 1m is a minute, 1M a month; weeks open on Monday. 1m where not said.
    #[param(value_type = Option<String>, example = "1m", pattern = "^(1m|3m|5m|15m|30m|1h|2h|4h|6h|8h|12h|1d|1w|1M)$")]
    interval: Width,
    /// On whose clocks days, weeks and months open: a name of the IANA time zone database. UTC where not said.
    #[param(value_type = Option<String>, example = "Europe/Berlin")]
    tz: Tz,
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
    /// What stands for an interval without prices: `none`, or `previous`, a candle without volume at the last close before
    /// it. none where not said.
    #[param(value_type = Option<String>, example = "none", pattern = "^(none|previous)$")]
    fill: bool,
    /// `next_cursor` of the page before: with `from` later candles follow, without it earlier ones.
    #[param(value_type = Option<String>)]
    cursor: Option<DateTime<Utc>>,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["interval", "tz", "from", "to", "limit", "fill", "cursor"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let (from, to) = query.span(Utc::now())?;
        let fill = match query.text("fill")? {
            None | Some("none") => false,
            Some("previous") => true,
            Some(other) => {
                let message = "fill says what stands for an interval without prices";
                return Err(Failure::parameter("fill", other, message, "none, previous"));
            }
        };
        Ok(Self {
            interval: interval(query)?,
            tz: query.zone("tz")?.unwrap_or(Tz::UTC),
            from,
            to,
            limit: query.number("limit", 1..=1000)?.unwrap_or(500),
            fill,
            cursor: query.cursor()?.map(cursor::read).transpose()?.map(|position| position.time),
        })
    }
}

/// The width of a candle, where one is asked for.
pub(crate) fn interval(query: &Query) -> Result<Width, Failure> {
    Ok(query.parsed("interval", Width::NAMES)?.unwrap_or(Width::ONE_MINUTE))
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
    let Wanted { interval, tz, from, to, limit, fill, cursor } = wanted;
    let lasting = Lasting::until(to);
    let now = Utc::now();
    // Candles open within the span, so each is whole: none is made of the part of it that the span happens to hold.
    let to = interval.open_at_or_after(to, tz);
    let from = from.map(|from| interval.open_at_or_after(cursor.unwrap_or(from).max(from), tz).min(to));
    let to = match (from, cursor) {
        (None, Some(cursor)) => interval.open_at_or_after(cursor, tz).min(to),
        _ => to,
    };
    let span = from.map_or(Span::Until(to), |from| Span::Since { from, to });
    // One more than asked for tells whether there is another page.
    let most = limit + 1;
    let found = state.reader.read(async |client| {
        let exchange = lookup::exchange(client, &exchange).await?;
        let ticker = lookup::ticker(client, &exchange, &ticker).await?;
        let candles = list_candles(client, ticker.id, interval, tz, span, most).await?;
        // What is to stand for a hole at the beginning is the close of whatever came last before it.
        let before = match (fill, from) {
            (true, Some(from)) => {
                list_candles(client, ticker.id, Width::ONE_MINUTE, tz, Span::Until(from), 1).await?.pop()
            }
            _ => None,
        };
        Ok((candles, before))
    });
    let (candles, before) = found.await?;
    let row = |candle: &StoredCandle| row(candle, interval, tz, now);
    let rows: Vec<CandleRow> = candles.iter().map(row).collect();
    let mut rows = match (fill, from) {
        (false, _) => rows,
        (true, None) => filled_last(rows, interval, tz, to, now, most as usize),
        (true, Some(from)) => filled_since(rows, before.as_ref().map(row), interval, tz, from..to, now, most as usize),
    };
    let next = (rows.len() as i64 > limit).then(|| match from {
        Some(_) => rows.pop().map(|next| next.open_time),
        None => rows.drain(..1).map(|earlier| interval.next(earlier.open_time, tz)).next(),
    });
    let next = next.flatten().map(|time| cursor::write(TickPosition { time, trade_id: None }));
    Ok(Reply::of(rows).page(next).lasting(lasting))
}

/// What is told of a candle.
pub(crate) fn row(candle: &StoredCandle, width: Width, zone: Tz, now: DateTime<Utc>) -> CandleRow {
    CandleRow {
        open_time: candle.open_time,
        open: candle.open,
        high: candle.high,
        low: candle.low,
        close: candle.close,
        volume: candle.volume,
        quote_volume: candle.quote_volume,
        trades: candle.trades,
        is_final: width.next(candle.open_time, zone) <= now,
        revision: candle.revision,
        origin: candle.origin().to_owned(),
        untold_minutes: candle.untold,
    }
}
