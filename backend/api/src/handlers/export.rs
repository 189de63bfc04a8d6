//! `/export/ticks` and `/export/candles`

use actix_web::{HttpRequest, HttpResponse, web};
use api_types::{CandleRow, TickRow};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use database::{
    candles::{Span, list_candles},
    prices::{StoredTick, TickPosition, list_ticks},
    tickers::StoredTicker,
};
use domain::Width;
use utoipa::IntoParams;

use crate::{
    error::Failure,
    export::{Pages, stream},
    format::Format,
    handlers::{candles, ticks},
    lookup,
    openapi::Failures,
    parameters::{Asked, FromQuery, Own, Query},
    reader::Reader,
    server::State,
};

/// Rows that are read at once.
const PAGE: i64 = 5_000;

/// Candles wider than a minute that are read at once: as many as `/candles` gives.
const WIDE_PAGE: i64 = 1_000;

/// What is exported.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Not before this moment: RFC 3339, or seconds or milliseconds since 1970. Left away: from the beginning.
    #[param(value_type = Option<String>, example = "2026-11-20T12:00:00Z")]
    from: Option<DateTime<Utc>>,
    /// Before this moment. Left away: now.
    #[param(value_type = Option<String>, example = "2026-11-20T18:00:00Z")]
    to: DateTime<Utc>,
    /// How it is written. `csv`, where not said, begins with the names of the columns.
    #[param(value_type = Option<String>, example = "csv", pattern = "^(csv|jsonl)$")]
    format: Format,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["from", "to", "format"];
    const HAS_FORMAT: bool = false;

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let (from, to) = query.span(Utc::now())?;
        let format = match query.text(Format::PARAMETER)? {
            None | Some("csv") => Format::Csv,
            Some("jsonl") => Format::Jsonl,
            Some(other) => {
                let detail = "exports are not written in this format";
                return Err(Failure::parameter(Format::PARAMETER, other, detail, "csv, jsonl"));
            }
        };
        Ok(Self { from, to, format })
    }
}

impl Wanted {
    /// `binance-BTCUSDT-ticks-20261120T120000Z-20261120T180000Z`
    fn file_name(&self, ticker: &StoredTicker, what: &str) -> String {
        let moment = |time: DateTime<Utc>| time.format("%Y%m%dT%H%M%SZ");
        let from = self.from.map_or_else(|| "until".to_owned(), |from| moment(from).to_string());
        format!("{}-{}-{what}-{from}-{}", ticker.exchange, ticker.ticker, moment(self.to))
    }
}

/// Every stored price of a pair in a span, newest first, as one file
///
/// It is streamed. One that cannot be completed ends with its connection, never like a complete one.
#[utoipa::path(
    get,
    path = "/export/ticks/{exchange}/{ticker}",
    tag = "prices",
    params(
        ("exchange" = String, Path, description = "Name of the exchange", example = "binance"),
        ("ticker" = String, Path, description = "The pair", example = "BTCUSDT"),
        Wanted
    ),
    responses(
        (status = 200, description = "The ticks, a line each", content(
            (String = "text/csv"), (String = "application/jsonl")
        ), headers(("Content-Disposition" = String, description = "`attachment`, with a name for the file"))),
        Failures
    )
)]
pub(crate) async fn ticks(
    request: HttpRequest,
    names: web::Path<(String, String)>,
    Asked(wanted): Asked<Wanted>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let ticker = find(&state, names.into_inner()).await?;
    let from = wanted.from.unwrap_or(DateTime::UNIX_EPOCH);
    let pages = TickPages { ticker_id: ticker.id, from, to: wanted.to, after: None, is_over: false };
    stream(&request, state, pages, wanted.format, &wanted.file_name(&ticker, "ticks")).await
}

/// What candles are exported.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Kind {
    /// Width of a candle: 1m is a minute, 1M a month; weeks open on Monday. 1m where not said.
    #[param(value_type = Option<String>, example = "1m", pattern = "^(1m|3m|5m|15m|30m|1h|2h|4h|6h|8h|12h|1d|1w|1M)$")]
    interval: Width,
    /// On whose clocks days, weeks and months open: a name of the IANA time zone database. UTC where not said.
    #[param(value_type = Option<String>, example = "Europe/Berlin")]
    tz: Tz,
}

impl FromQuery for Kind {
    const NAMES: &'static [&'static str] = &["interval", "tz"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        Ok(Self { interval: candles::interval(query)?, tz: query.zone("tz")?.unwrap_or(Tz::UTC) })
    }
}

/// Every candle of a pair in a span, oldest first, as one file; an interval without prices is left out
///
/// It is streamed. One that cannot be completed ends with its connection, never like a complete one.
#[utoipa::path(
    get,
    path = "/export/candles/{exchange}/{ticker}",
    tag = "prices",
    params(
        ("exchange" = String, Path, description = "Name of the exchange", example = "binance"),
        ("ticker" = String, Path, description = "The pair", example = "BTCUSDT"),
        Wanted,
        Kind
    ),
    responses(
        (status = 200, description = "The candles, a line each", content(
            (String = "text/csv"), (String = "application/jsonl")
        ), headers(("Content-Disposition" = String, description = "`attachment`, with a name for the file"))),
        Failures
    )
)]
pub(crate) async fn candles(
    request: HttpRequest,
    names: web::Path<(String, String)>,
    Asked(Own((wanted, kind))): Asked<Own<(Wanted, Kind)>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let ticker = find(&state, names.into_inner()).await?;
    let Kind { interval, tz } = kind;
    // Candles open within the span, so each is whole.
    let from = interval.open_at_or_after(wanted.from.unwrap_or(DateTime::UNIX_EPOCH), tz);
    let to = interval.open_at_or_after(wanted.to, tz);
    let pages = CandlePages { ticker_id: ticker.id, interval, tz, from, to };
    stream(&request, state, pages, wanted.format, &wanted.file_name(&ticker, &interval.to_string())).await
}

async fn find(state: &State, (exchange, ticker): (String, String)) -> Result<StoredTicker, Failure> {
    let found = state.reader.read(async |client| {
        let exchange = lookup::exchange(client, &exchange).await?;
        lookup::ticker(client, &exchange, &ticker).await
    });
    found.await
}

struct TickPages {
    ticker_id: i32,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    after: Option<TickPosition>,
    is_over: bool,
}

impl Pages for TickPages {
    type Row = TickRow;

    async fn next(&mut self, reader: &Reader) -> Result<Vec<TickRow>, Failure> {
        if self.is_over {
            return Ok(Vec::new());
        }
        let Self { ticker_id, from, to, after, .. } = *self;
        let found = reader.read(async |client| Ok(list_ticks(client, ticker_id, from, to, after, PAGE).await?));
        let found: Vec<StoredTick> = found.await?;
        self.after = found.last().map(|tick| TickPosition { time: tick.time, trade_id: tick.trade_id });
        self.is_over = (found.len() as i64) < PAGE;
        Ok(found.into_iter().map(ticks::row).collect())
    }
}

struct CandlePages {
    ticker_id: i32,
    interval: Width,
    tz: Tz,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Pages for CandlePages {
    type Row = CandleRow;

    async fn next(&mut self, reader: &Reader) -> Result<Vec<CandleRow>, Failure> {
        let Self { ticker_id, interval, tz, from, to } = *self;
        if from >= to {
            return Ok(Vec::new());
        }
        let limit = if interval == Width::ONE_MINUTE { PAGE } else { WIDE_PAGE };
        let span = Span::Since { from, to };
        let found = reader.read(async |client| Ok(list_candles(client, ticker_id, interval, tz, span, limit).await?));
        let found = found.await?;
        self.from = found.last().map_or(to, |last| interval.next(last.open_time, tz));
        let now = Utc::now();
        Ok(found.iter().map(|candle| candles::row(candle, interval, tz, now)).collect())
    }
}
