//! Binance's REST routes, and the gate before them that slows, refuses and counts.
//!
//! The faults' own routes are outside of the gate, so that a fault can always be commanded and ended.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpResponse, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue, RETRY_AFTER},
    middleware::{Next, from_fn},
    web::{self, Bytes, Data, Json, Query},
};
use serde_json::{Value, json};

use crate::{
    faults::{Command, EXAMPLES, Fault, Refusal},
    frames::text,
    ledger::PublishedTrade,
    limits::weight,
    listings::{self, ListingError},
    pace::Walker,
    params::{ApiError, Params, Selection},
    tickers,
    venue::Venue,
};

type Answer = Result<Json<Value>, ApiError>;

/// Where each route is.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::scope("/api/v3")
                .wrap(from_fn(gate))
                .route("/ping", web::get().to(ping))
                .route("/time", web::get().to(time))
                .route("/exchangeInfo", web::get().to(exchange_info))
                .route("/ticker/price", web::get().to(ticker_price))
                .route("/ticker/24hr", web::get().to(ticker_day))
                .route("/trades", web::get().to(trades))
                .route("/historicalTrades", web::get().to(historical_trades))
                .route("/aggTrades", web::get().to(agg_trades))
                .route("/klines", web::get().to(klines)),
        )
        .route("/simulator/faults", web::get().to(list_faults))
        .route("/simulator/faults", web::post().to(command_fault))
        .route("/simulator/listings", web::get().to(list_listings))
        .route("/simulator/listings", web::post().to(command_listing));
}

async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(venue) = request.app_data::<Data<Venue>>().cloned() else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    venue.slow_down().await;
    let symbol_count =
        Query::<Params>::from_query(request.query_string()).ok().and_then(|params| params.symbol_count());
    let weight = weight(request.path(), symbol_count);
    let (refusal, used) = {
        let mut meter = venue.meter();
        let refusal = venue.faults.refusal().or_else(|| meter.spend(Instant::now(), weight).err());
        (refusal, meter.used())
    };
    let mut response = match refusal {
        None => next.call(request).await?.map_into_left_body(),
        Some((refusal, wait)) => request.into_response(refuse(refusal, wait)).map_into_right_body(),
    };
    response.headers_mut().insert(HeaderName::from_static("x-mbx-used-weight-1m"), HeaderValue::from(used));
    Ok(response)
}

fn refuse(refusal: Refusal, wait: Duration) -> HttpResponse {
    let mut response = ApiError::refused(refusal).error_response();
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

async fn ping() -> Json<Value> {
    Json(json!({}))
}

async fn time(venue: Data<Venue>) -> Json<Value> {
    Json(json!({"serverTime": venue.now_ms()}))
}

async fn exchange_info(venue: Data<Venue>, params: Query<Params>) -> Answer {
    let indexes = match params.selection(&venue)? {
        Selection::One(index) => vec![index],
        Selection::Many(indexes) => indexes,
    };
    let limit = venue.meter().limit();
    let now = venue.now_ms();
    Ok(Json(tickers::exchange_info(now, indexes.into_iter().map(|index| venue.at(index)), limit)))
}

/// One object for one symbol, an array for several.
fn for_selection(venue: &Venue, params: &Params, row: impl Fn(usize) -> Value) -> Answer {
    Ok(Json(match params.selection(venue)? {
        Selection::One(index) => row(index),
        Selection::Many(indexes) => indexes.into_iter().map(row).collect(),
    }))
}

async fn ticker_price(venue: Data<Venue>, params: Query<Params>) -> Answer {
    for_selection(
        &venue,
        &params,
        |index| json!({"symbol": venue.at(index).symbol.ticker, "price": text(tickers::price(&venue, index))}),
    )
}

async fn ticker_day(venue: Data<Venue>, params: Query<Params>) -> Answer {
    for_selection(&venue, &params, |index| tickers::day(&venue, index))
}

async fn trades(venue: Data<Venue>, params: Query<Params>) -> Answer {
    let (index, limit) = (params.symbol(&venue)?, params.limit()?);
    let rows = venue.at(index).ledger().latest(limit);
    Ok(Json(rows.iter().map(trade_row).collect()))
}

async fn historical_trades(venue: Data<Venue>, params: Query<Params>) -> Answer {
    let (index, limit) = (params.symbol(&venue)?, params.limit()?);
    let rows = match params.number("fromId")? {
        Some(id) => venue.at(index).ledger().since_id(id, limit),
        None => venue.at(index).ledger().latest(limit),
    };
    Ok(Json(rows.iter().map(trade_row).collect()))
}

fn trade_row(trade: &PublishedTrade) -> Value {
    json!({
        "id": trade.id,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "quoteQty": text(trade.price * trade.quantity),
        "time": trade.time.timestamp_millis(),
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": true,
    })
}

async fn agg_trades(venue: Data<Venue>, params: Query<Params>) -> Answer {
    let (index, limit) = (params.symbol(&venue)?, params.limit()?);
    let (start, end) = params.times()?;
    let rows = match params.first_id()? {
        Some(id) => venue.at(index).ledger().since_id(id, limit),
        None => {
            let listed = venue.at(index);
            let mut ledger = listed.ledger();
            ledger.seal(venue.now_ms());
            ledger.between(start, end, limit)
        }
    };
    let row = |trade: &PublishedTrade| {
        json!({
            "a": trade.id,
            "p": text(trade.price),
            "q": text(trade.quantity),
            "f": trade.id,
            "l": trade.id,
            "T": trade.time.timestamp_millis(),
            "m": trade.buyer_is_maker,
            "M": true,
        })
    };
    Ok(Json(rows.iter().map(row).collect()))
}

async fn klines(venue: Data<Venue>, params: Query<Params>) -> Answer {
    let (index, interval, limit) = (params.symbol(&venue)?, params.interval()?, params.limit()?);
    let (start, end) = params.times()?;
    let rows = {
        let listed = venue.at(index);
        let mut ledger = listed.ledger();
        ledger.seal(venue.now_ms());
        ledger.klines(interval, start, end, limit)
    };
    Ok(Json(rows.iter().map(|kline| kline.row(interval)).collect()))
}

async fn list_faults() -> Json<Value> {
    let examples: Vec<Value> = EXAMPLES.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    Json(json!({"usage": "POST one of these to /simulator/faults", "faults": examples}))
}

async fn list_listings() -> Json<Value> {
    let examples: Vec<Value> = listings::EXAMPLES.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    Json(json!({"usage": "POST one of these to /simulator/listings", "listings": examples}))
}

async fn command_listing(walker: Data<Option<Arc<Walker>>>, body: Bytes) -> HttpResponse {
    let done = serde_json::from_slice(&body).map_err(|error| error.to_string()).and_then(|command| {
        let walker = walker.as_ref().as_ref().ok_or(ListingError::Replay);
        walker.and_then(|walker| walker.list(command)).map_err(|error| error.to_string())
    });
    match done {
        Err(problem) => HttpResponse::BadRequest()
            .json(json!({"error": problem, "help": "GET /simulator/listings lists what can be commanded"})),
        Ok(()) => HttpResponse::Accepted().json(json!({"accepted": true})),
    }
}

async fn command_fault(venue: Data<Venue>, body: Bytes) -> HttpResponse {
    match Command::read(&body) {
        Err(problem) => HttpResponse::BadRequest()
            .json(json!({"error": problem, "help": "GET /simulator/faults lists what can be commanded"})),
        Ok(fault) => {
            if matches!(fault, Fault::RefuseConnections(_)) {
                // This answer travels on a connection that the fault is about to cut.
                actix_web::rt::spawn(async move {
                    actix_web::rt::time::sleep(Duration::from_millis(100)).await;
                    venue.inject(fault);
                });
            } else {
                venue.inject(fault);
            }
            HttpResponse::Accepted().json(json!({"accepted": true}))
        }
    }
}
