//! The REST routes, below `/coinbase`. Errors are `{"message": …}`.

use std::{collections::HashMap, fmt::Write, sync::Arc};

use actix_web::{
    Error, HttpRequest, HttpResponse, ResponseError,
    http::StatusCode,
    middleware::from_fn,
    web::{self, Data, Json, Path, Payload, Query},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{
    faults::Refusal,
    frames::{rfc3339, text},
    gate::{Refuses, gate},
    kline::Kline,
    ledger::PublishedTrade,
    listings::Listed,
    protocol::Protocol,
    stream,
    tickers::{best_ask, best_bid},
    venue::Venue,
};

use super::{find, frames::maker_side};

/// Rows of a page of trades, and its default.
const MAX_TRADES: usize = 1_000;
const MAX_CANDLES: i64 = 300;
/// Widths of candles, in seconds.
const GRANULARITIES: [i64; 6] = [60, 300, 900, 3_600, 21_600, 86_400];

/// Where each route is.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.route("/coinbase", web::get().to(connect)).service(
        web::scope("/coinbase")
            .wrap(from_fn(gate::<Refusals>))
            .route("/time", web::get().to(time))
            .route("/products", web::get().to(products))
            .route("/products/stats", web::get().to(all_stats))
            .route("/products/{id}", web::get().to(product))
            .route("/products/{id}/trades", web::get().to(trades))
            .route("/products/{id}/ticker", web::get().to(ticker))
            .route("/products/{id}/stats", web::get().to(stats))
            .route("/products/{id}/candles", web::get().to(candles))
            .default_service(web::to(async || Problem::not_found().error_response())),
    );
}

async fn connect(venue: Data<Venue>, request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    stream::connect(&venue, &request, body, Protocol::Coinbase, &[])
}

/// Coinbase knows no ban: it is 429 either way, and does not say for how long.
struct Refusals;

impl Refuses for Refusals {
    fn refuse(_: Refusal) -> HttpResponse {
        Problem { status: StatusCode::TOO_MANY_REQUESTS, message: "Public rate limit exceeded".to_owned() }
            .error_response()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Problem {
    status: StatusCode,
    message: String,
}

impl Problem {
    fn bad(message: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.to_owned() }
    }

    fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, message: "NotFound".to_owned() }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status).json(json!({"message": self.message}))
    }
}

type Params = Query<HashMap<String, String>>;

fn listed(venue: &Venue, product: &str) -> Result<Arc<Listed>, Problem> {
    find(venue, product).ok_or_else(Problem::not_found)
}

fn number(params: &Params, name: &str) -> Result<Option<i64>, Problem> {
    params.get(name).map(|text| text.parse().map_err(|_| Problem::bad(&format!("Invalid {name}")))).transpose()
}

async fn time(venue: Data<Venue>) -> Json<Value> {
    let now = venue.now_ms();
    let iso = rfc3339(DateTime::from_timestamp_millis(now).unwrap_or_default());
    Json(json!({"iso": iso, "epoch": now as f64 / 1_000.0}))
}

async fn products(venue: Data<Venue>) -> Json<Value> {
    Json(venue.listings.all().iter().map(|(_, listed)| product_row(listed)).collect())
}

async fn product(venue: Data<Venue>, id: Path<String>) -> Result<Json<Value>, Problem> {
    Ok(Json(product_row(&*listed(&venue, &id)?)))
}

fn product_row(listed: &Listed) -> Value {
    let symbol = &listed.symbol;
    json!({
        "id": listed.coinbase.product,
        "base_currency": symbol.base,
        "quote_currency": symbol.quote,
        "quote_increment": symbol.tick_size.to_string(),
        "base_increment": symbol.lot_size.to_string(),
        "display_name": listed.coinbase.product,
        "min_market_funds": "1",
        "margin_enabled": false,
        "post_only": false,
        "limit_only": false,
        "cancel_only": false,
        "status": if symbol.trading { "online" } else { "offline" },
        "status_message": "",
        "trading_disabled": !symbol.trading,
        "fx_stablecoin": false,
        "auction_mode": false,
    })
}

/// Newest first. `after` asks for older trades than that one, `before` for newer ones, of which the newest are given.
async fn trades(venue: Data<Venue>, id: Path<String>, params: Params) -> Result<HttpResponse, Problem> {
    let listed = listed(&venue, &id)?;
    let (after, before) = (number(&params, "after")?, number(&params, "before")?);
    let limit = match number(&params, "limit")? {
        None => MAX_TRADES,
        Some(limit @ 1..) => usize::try_from(limit).unwrap_or(MAX_TRADES).min(MAX_TRADES),
        Some(_) => return Err(Problem::bad("Invalid limit")),
    };
    let page = listed.ledger().newest_between_ids(before, after, limit);
    let row = |trade: &PublishedTrade| {
        json!({
            "trade_id": trade.id,
            "side": maker_side(trade),
            "size": text(trade.quantity),
            "price": text(trade.price),
            "time": rfc3339(trade.time),
        })
    };
    let mut response = HttpResponse::Ok();
    if let Some((newest, oldest)) = page.first().zip(page.last()) {
        response.insert_header(("CB-BEFORE", newest.id.to_string())).insert_header(("CB-AFTER", oldest.id.to_string()));
    }
    Ok(response.json(page.iter().map(row).collect::<Vec<_>>()))
}

async fn ticker(venue: Data<Venue>, id: Path<String>) -> Result<Json<Value>, Problem> {
    let listed = listed(&venue, &id)?;
    let (last, day) = {
        let ledger = listed.ledger();
        (ledger.last().cloned(), ledger.day(venue.now_ms()))
    };
    let last = last.ok_or_else(Problem::not_found)?;
    Ok(Json(json!({
        "trade_id": last.id,
        "price": text(last.price),
        "size": text(last.quantity),
        "time": rfc3339(last.time),
        "bid": text(best_bid(&listed.symbol, last.price)),
        "ask": text(best_ask(&listed.symbol, last.price)),
        "volume": text(day.map(|day| day.volume).unwrap_or_default()),
    })))
}

/// Of the last 24 hours; all zero where nothing was traded.
async fn stats(venue: Data<Venue>, id: Path<String>) -> Result<Json<Value>, Problem> {
    let (day, month) = day_and_month(&*listed(&venue, &id)?, venue.now_ms());
    let mut stats = day_row(&day);
    stats["volume_30day"] = month.volume.to_string().into();
    Ok(Json(stats))
}

/// The same of all products, by their names.
async fn all_stats(venue: Data<Venue>) -> Json<Value> {
    let now = venue.now_ms();
    let row = |(_, listed): &(_, Arc<Listed>)| {
        let (day, month) = day_and_month(listed, now);
        let stats = json!({ "stats_24hour": day_row(&day), "stats_30day": { "volume": month.volume.to_string() } });
        (listed.coinbase.product.to_string(), stats)
    };
    Json(Value::Object(venue.listings.all().iter().map(row).collect()))
}

fn day_and_month(listed: &Listed, now: i64) -> (Kline, Kline) {
    let mut ledger = listed.ledger();
    ledger.seal(now);
    let or_nothing = |kline: Option<Kline>| kline.unwrap_or_else(|| Kline::flat(now, Default::default()));
    (or_nothing(ledger.day(now)), or_nothing(ledger.month(now)))
}

fn day_row(day: &Kline) -> Value {
    json!({
        "open": day.open.to_string(),
        "high": day.high.to_string(),
        "low": day.low.to_string(),
        "last": day.close.to_string(),
        "volume": day.volume.to_string(),
    })
}

/// Rows of numbers, newest first: open time in seconds, low, high, open, close, volume. Where nothing was traded there is no
/// row. A start without an end and an end without a start do not count.
async fn candles(venue: Data<Venue>, id: Path<String>, params: Params) -> Result<HttpResponse, Problem> {
    let listed = listed(&venue, &id)?;
    let width = number(&params, "granularity")?.unwrap_or(60);
    if !GRANULARITIES.contains(&width) {
        return Err(Problem::bad("Unsupported granularity"));
    }
    let moment = |name: &str| {
        params.get(name).map(|text| seconds(text).ok_or_else(|| Problem::bad(&format!("Invalid {name}")))).transpose()
    };
    let span = moment("start")?.zip(moment("end")?);
    if let Some((start, end)) = span {
        let rows = end.div_euclid(width) - (start.saturating_add(width - 1)).div_euclid(width) + 1;
        if rows > MAX_CANDLES {
            return Err(Problem::bad(
                "granularity too small for the requested time range. Count of aggregations requested exceeds 300",
            ));
        }
    }
    let now = venue.now_ms();
    let (start, end) = span.unwrap_or_else(|| {
        let open = now / 1_000 - (now / 1_000).rem_euclid(width);
        (open - (MAX_CANDLES - 1) * width, open)
    });
    let bars = {
        let mut ledger = listed.ledger();
        ledger.seal(now);
        ledger.traded_bars(width * 1_000, start.saturating_mul(1_000), end.saturating_mul(1_000))
    };
    // Prices are JSON numbers with all their decimals, which a float would not keep.
    let mut body = String::from("[");
    for (place, bar) in bars.iter().rev().enumerate() {
        let Kline { open_time, low, high, open, close, volume, .. } = bar;
        let comma = if place == 0 { "" } else { "," };
        // Writing to a string never fails.
        let _ = write!(body, "{comma}[{},{low},{high},{open},{close},{}]", open_time / 1_000, volume.normalize());
    }
    body.push(']');
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}

/// Seconds since 1970, of such a number or of a time in ISO 8601. Bounded, so that reckoning with them cannot overflow.
fn seconds(text: &str) -> Option<i64> {
    let seconds = text.parse().ok().or_else(|| Some(text.parse::<DateTime<Utc>>().ok()?.timestamp()))?;
    (0..=253_402_300_799).contains(&seconds).then_some(seconds)
}
