//! `/udf`: the protocol that TradingView's charting tools ask data feeds in (Universal Data Feed).
//!
//! A symbol is called `binance:BTCUSDT`. Prices are numbers, written digit for digit; failures are `{"s":"error","errmsg"}`, as the
//! protocol has it.

use actix_web::{HttpResponse, ResponseError as _, http::StatusCode, web};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use database::{
    candles::{Span, StoredCandle, list_candles},
    exchanges::list_exchanges,
    tickers::{StoredTicker, TickerFilter, list_tickers},
};
use domain::Width;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{json, value::RawValue};
use utoipa::{IntoParams, ToSchema};

use crate::{
    error::Failure,
    lookup,
    openapi::Failures,
    parameters::{Asked, FromQuery, Nothing, Own, Query},
    server::State,
};

/// How many bars one answer holds at most.
const MOST_BARS: i64 = 5_000;
/// How many symbols.
const MOST_SYMBOLS: i64 = 100;

/// Every width, as the protocol names it.
const RESOLUTIONS: [(&str, &str); 14] = [
    ("1", "1m"),
    ("3", "3m"),
    ("5", "5m"),
    ("15", "15m"),
    ("30", "30m"),
    ("60", "1h"),
    ("120", "2h"),
    ("240", "4h"),
    ("360", "6h"),
    ("480", "8h"),
    ("720", "12h"),
    ("1D", "1d"),
    ("1W", "1w"),
    ("1M", "1M"),
];

fn resolutions() -> Vec<&'static str> {
    RESOLUTIONS.iter().map(|(name, _)| *name).collect()
}

/// What this data feed can do
#[utoipa::path(get, path = "/udf/config", tag = "charting",
    responses((status = 200, description = "The configuration", body = serde_json::Value), Failures))]
pub(crate) async fn config(_: Asked<Own<Nothing>>, state: web::Data<State>) -> Result<HttpResponse, Failure> {
    let exchanges = state.reader.read(async |client| Ok(list_exchanges(client).await?)).await?;
    let exchange = |name: &str, title: &str| json!({"value": name, "name": title, "desc": title});
    let mut listed = vec![exchange("", "All exchanges")];
    listed.extend(exchanges.iter().map(|one| exchange(&one.name, &one.name)));
    Ok(HttpResponse::Ok().json(json!({
        "supports_search": true,
        "supports_group_request": false,
        "supports_marks": false,
        "supports_timescale_marks": false,
        "supports_time": true,
        "supported_resolutions": resolutions(),
        "exchanges": listed,
        "symbols_types": [{"name": "All types", "value": ""}, {"name": "Crypto", "value": "crypto"}],
    })))
}

/// What time it is here, in seconds since 1970
#[utoipa::path(get, path = "/udf/time", tag = "charting",
    responses((status = 200, description = "The time", body = String, content_type = "text/plain"), Failures))]
pub(crate) async fn time(_: Asked<Own<Nothing>>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body(Utc::now().timestamp().to_string())
}

/// A symbol.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Named {
    /// Exchange and pair, or the pair alone.
    #[param(example = "binance:BTCUSDT")]
    symbol: String,
}

impl FromQuery for Named {
    const NAMES: &'static [&'static str] = &["symbol"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        Ok(Self { symbol: query.required("symbol", "an exchange and a pair, such as binance:BTCUSDT")?.to_owned() })
    }
}

/// What there is to know of a symbol
#[utoipa::path(get, path = "/udf/symbols", tag = "charting", params(Named),
    responses((status = 200, description = "The symbol", body = serde_json::Value),
              Failures,
              (status = 404, description = "There is none: `{\"s\":\"error\"}`", body = serde_json::Value)))]
pub(crate) async fn symbols(
    Asked(Own(Named { symbol })): Asked<Own<Named>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let found = state.reader.read(async |client| {
        let ticker = find(client, &symbol).await?;
        let lately = list_candles(client, ticker.id, Width::ONE_MINUTE, Tz::UTC, Span::Until(Utc::now()), 50).await?;
        Ok((ticker, lately))
    });
    let (ticker, lately) = match found.await {
        Ok(found) => found,
        Err(failure) => return unknown(failure),
    };
    // As many decimals as prices of late have.
    let decimals = lately.iter().flat_map(|candle| [candle.open, candle.high, candle.low, candle.close]);
    let decimals = decimals.map(|price| price.normalize().scale()).max().unwrap_or(2).min(15);
    Ok(HttpResponse::Ok().json(json!({
        "name": ticker.ticker,
        "ticker": full_name(&ticker),
        "full_name": full_name(&ticker),
        "description": description(&ticker),
        "type": "crypto",
        "session": "24x7",
        "timezone": "Etc/UTC",
        "exchange": ticker.exchange,
        "listed_exchange": ticker.exchange,
        "minmov": 1,
        "pricescale": 10_u64.pow(decimals),
        "format": "price",
        "has_intraday": true,
        "has_daily": true,
        "has_weekly_and_monthly": true,
        "has_empty_bars": false,
        "supported_resolutions": resolutions(),
        "volume_precision": 8,
        "data_status": "streaming",
    })))
}

/// Which symbols are looked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// A part of the pair's or the coin's name.
    #[param(example = "btc")]
    query: Option<String>,
    /// `crypto`, or nothing: there is nothing else.
    r#type: Option<String>,
    /// Only of this exchange.
    exchange: Option<String>,
    /// How many. 30 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: usize,
}

impl FromQuery for Search {
    const NAMES: &'static [&'static str] = &["query", "type", "exchange", "limit"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let text = |name| Ok::<_, Failure>(query.non_empty(name)?.map(str::to_owned));
        let limit = query.number("limit", 1..=MOST_SYMBOLS)?.and_then(|limit| usize::try_from(limit).ok());
        Ok(Self {
            query: text("query")?,
            r#type: text("type")?,
            exchange: text("exchange")?,
            limit: limit.unwrap_or(30),
        })
    }
}

/// A symbol that was found.
#[derive(Serialize, ToSchema)]
pub(crate) struct Found {
    /// The pair.
    #[schema(example = "BTCUSDT")]
    symbol: String,
    /// Exchange and pair: what the other addresses take.
    #[schema(example = "binance:BTCUSDT")]
    full_name: String,
    /// The same.
    ticker: String,
    /// For people.
    description: String,
    /// The exchange.
    exchange: String,
    /// `crypto`
    r#type: &'static str,
}

/// Symbols whose pair or coin contains a text; recorded ones only
#[utoipa::path(get, path = "/udf/search", tag = "charting", params(Search),
    responses((status = 200, description = "The symbols", body = Vec<Found>), Failures))]
pub(crate) async fn search(
    Asked(Own(wanted)): Asked<Own<Search>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let found = state.reader.read(async |client| {
        let exchange = lookup::optional_exchange(client, wanted.exchange.as_deref()).await?;
        let exchange_id = exchange.map(|exchange| exchange.id);
        Ok(list_tickers(client, TickerFilter { exchange_id, coin_id: None, recorded: Some(true) }).await?)
    });
    let sought = wanted.query.unwrap_or_default().to_lowercase();
    let matches = |ticker: &StoredTicker| {
        full_name(ticker).to_lowercase().contains(&sought) || ticker.coin.to_lowercase().contains(&sought)
    };
    let of_type = wanted.r#type.is_none_or(|kind| kind == "crypto");
    let found = found.await?.into_iter().filter(|ticker| of_type && matches(ticker)).take(wanted.limit);
    let found: Vec<Found> = found
        .map(|ticker| Found {
            full_name: full_name(&ticker),
            ticker: full_name(&ticker),
            description: description(&ticker),
            symbol: ticker.ticker,
            exchange: ticker.exchange,
            r#type: "crypto",
        })
        .collect();
    Ok(HttpResponse::Ok().json(found))
}

/// Which bars are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Exchange and pair, or the pair alone.
    #[param(example = "binance:BTCUSDT")]
    symbol: String,
    /// Width of a bar: minutes as a number, or D, W, M.
    #[param(value_type = String, example = "60")]
    resolution: Width,
    /// Seconds since 1970 at which the first bar opens, or later.
    #[param(value_type = Option<i64>, example = 1795132800)]
    from: Option<DateTime<Utc>>,
    /// Seconds since 1970 before which the last bar opens.
    #[param(value_type = i64, example = 1795176000)]
    to: DateTime<Utc>,
    /// How many bars before `to`; it outranks `from`.
    #[param(minimum = 1, maximum = 5000)]
    countback: Option<i64>,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["symbol", "resolution", "from", "to", "countback"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let allowed = "seconds since 1970";
        let Some(to) = query.moment("to")? else {
            return Err(Failure::parameter("to", "", "to is missing", allowed));
        };
        Ok(Self {
            symbol: query.required("symbol", "an exchange and a pair, such as binance:BTCUSDT")?.to_owned(),
            resolution: resolution(query.required("resolution", &resolutions().join(", "))?)?,
            from: query.moment("from")?,
            to,
            countback: query.number("countback", 1..=1_000_000)?.map(|count| count.min(MOST_BARS)),
        })
    }
}

fn resolution(text: &str) -> Result<Width, Failure> {
    let full = if matches!(text, "D" | "W" | "M") { format!("1{text}") } else { text.to_owned() };
    let known = RESOLUTIONS.iter().find(|(name, _)| *name == full);
    known
        .and_then(|(_, width)| width.parse().ok())
        .ok_or_else(|| Failure::parameter("resolution", text, "bars are not this wide", resolutions().join(", ")))
}

/// Bars, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Bars {
    /// `ok`, or `no_data`.
    s: &'static str,
    /// Where each opens, in seconds since 1970.
    t: Vec<i64>,
    /// Their first prices.
    #[schema(value_type = Vec<f64>)]
    o: Vec<Box<RawValue>>,
    /// Their highest prices.
    #[schema(value_type = Vec<f64>)]
    h: Vec<Box<RawValue>>,
    /// Their lowest prices.
    #[schema(value_type = Vec<f64>)]
    l: Vec<Box<RawValue>>,
    /// Their last prices.
    #[schema(value_type = Vec<f64>)]
    c: Vec<Box<RawValue>>,
    /// Units of the base that changed hands.
    #[schema(value_type = Vec<f64>)]
    v: Vec<Box<RawValue>>,
    /// With `no_data`: where the newest bar before opens, if there is one.
    #[serde(rename = "nextTime", skip_serializing_if = "Option::is_none")]
    next_time: Option<i64>,
}

/// Bars of a symbol; at most 5,000, the newest of the span
#[utoipa::path(get, path = "/udf/history", tag = "charting", params(Wanted),
    responses((status = 200, description = "The bars", body = Bars),
              Failures,
              (status = 404, description = "There is no such symbol: `{\"s\":\"error\"}`", body = serde_json::Value)))]
pub(crate) async fn history(
    Asked(Own(wanted)): Asked<Own<Wanted>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let Wanted { symbol, resolution, from, to, countback } = wanted;
    let to = resolution.open_at_or_after(to, Tz::UTC);
    let found = state.reader.read(async |client| {
        let ticker = find(client, &symbol).await?;
        let list =
            async |until, most| list_candles(client, ticker.id, resolution, Tz::UTC, Span::Until(until), most).await;
        let mut bars = list(to, countback.unwrap_or(MOST_BARS)).await?;
        if let (Some(from), None) = (from, countback) {
            bars.retain(|bar| bar.open_time >= from);
        }
        let before = match (bars.is_empty(), from) {
            (true, Some(from)) => list(resolution.open_at_or_after(from.min(to), Tz::UTC), 1).await?.pop(),
            _ => None,
        };
        Ok((bars, before))
    });
    let (bars, before) = match found.await {
        Ok(found) => found,
        Err(failure) => return unknown(failure),
    };
    let each = |part: fn(&StoredCandle) -> Decimal| bars.iter().filter_map(|bar| number(part(bar))).collect::<Vec<_>>();
    Ok(HttpResponse::Ok().json(Bars {
        s: if bars.is_empty() { "no_data" } else { "ok" },
        t: bars.iter().map(|bar| bar.open_time.timestamp()).collect(),
        o: each(|bar| bar.open),
        h: each(|bar| bar.high),
        l: each(|bar| bar.low),
        c: each(|bar| bar.close),
        v: each(|bar| bar.volume),
        next_time: before.map(|bar| bar.open_time.timestamp()),
    }))
}

/// A number of JSON that never went through a float. Every decimal is one.
pub(crate) fn number(value: Decimal) -> Option<Box<RawValue>> {
    RawValue::from_string(value.normalize().to_string()).ok()
}

/// `binance:BTCUSDT`, or `BTCUSDT` where it is listed first.
async fn find(client: &database::Client, symbol: &str) -> Result<StoredTicker, Failure> {
    match symbol.split_once(':') {
        Some((exchange, ticker)) => {
            let exchange = lookup::exchange(client, exchange).await?;
            lookup::ticker(client, &exchange, ticker).await
        }
        None => lookup::ticker_anywhere(client, symbol).await,
    }
}

/// The protocol's own way to say that there is no such symbol; the other failures are ours.
fn unknown(failure: Failure) -> Result<HttpResponse, Failure> {
    if failure.status_code() != StatusCode::NOT_FOUND {
        return Err(failure);
    }
    Ok(HttpResponse::NotFound().json(json!({"s": "error", "errmsg": failure.problem().detail})))
}

fn full_name(ticker: &StoredTicker) -> String {
    format!("{}:{}", ticker.exchange, ticker.ticker)
}

fn description(ticker: &StoredTicker) -> String {
    format!("{} ({}) on {}", ticker.coin, ticker.ticker, ticker.exchange)
}
