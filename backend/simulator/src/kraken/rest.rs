//! The REST routes, below `/kraken/0/public`. Every answer has the status 200 and is `{"error": […], "result": …}`.

use std::{collections::HashMap, sync::Arc};

use actix_web::{
    Error, HttpRequest, HttpResponse,
    middleware::from_fn,
    web::{self, Data, Payload, Query},
};
use chrono::{DateTime, Utc};
use domain::Interval;
use serde_json::{Map, Value, json};

use crate::{
    faults::Refusal,
    frames::text,
    gate::{Refuses, gate},
    kline::{Kline, open_ms},
    ledger::PublishedTrade,
    listings::Listed,
    protocol::Protocol,
    stream,
    tickers::{best_ask, best_bid},
    venue::Venue,
};

use super::{
    assets,
    frames::{order_type, vwap},
};

const MAX_TRADES: usize = 1_000;
const MAX_CANDLES: usize = 720;
const NANOSECONDS: i64 = 1_000_000;

/// Where each route is.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.route("/kraken", web::get().to(connect)).route("/kraken/v2", web::get().to(connect)).service(
        web::scope("/kraken/0/public")
            .wrap(from_fn(gate::<Refusals>))
            .route("/Time", web::get().to(time))
            .route("/SystemStatus", web::get().to(system_status))
            .route("/Assets", web::get().to(list_assets))
            .route("/AssetPairs", web::get().to(asset_pairs))
            .route("/Ticker", web::get().to(ticker))
            .route("/OHLC", web::get().to(ohlc))
            .route("/Trades", web::get().to(trades))
            .default_service(web::to(async || failed("EGeneral:Unknown method"))),
    );
}

async fn connect(venue: Data<Venue>, request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    stream::connect(&venue, &request, body, Protocol::Kraken, &[])
}

struct Refusals;

impl Refuses for Refusals {
    fn refuse(refusal: Refusal) -> HttpResponse {
        failed(match refusal {
            Refusal::TooManyRequests => "EAPI:Rate limit exceeded",
            Refusal::Banned => "EGeneral:Too many requests",
        })
    }
}

fn failed(error: &str) -> HttpResponse {
    HttpResponse::Ok().json(json!({"error": [error]}))
}

fn good(result: impl Into<Value>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"error": [], "result": result.into()}))
}

/// An answer, good or not.
fn answer(result: Result<Map<String, Value>, &str>) -> HttpResponse {
    result.map_or_else(failed, good)
}

type Params = Query<HashMap<String, String>>;

const UNKNOWN_PAIR: &str = "EQuery:Unknown asset pair";
const INVALID: &str = "EGeneral:Invalid arguments";

/// The pairs that are named, divided by commas, in whichever spelling; all where none is.
fn pairs(venue: &Venue, params: &Params) -> Result<Vec<Arc<Listed>>, &'static str> {
    let Some(named) = params.get("pair").filter(|named| !named.is_empty()) else {
        return Ok(venue.listings.all().into_iter().map(|(_, listed)| listed).collect());
    };
    let find = |name: &str| {
        venue.listings.find_by(|listed| {
            let names = &listed.kraken;
            [&names.altname, &names.wsname, &names.symbol].into_iter().any(|known| known == name)
        })
    };
    named.split(',').map(|name| find(name).ok_or(UNKNOWN_PAIR)).collect()
}

/// The one pair that must be named.
fn pair(venue: &Venue, params: &Params) -> Result<Arc<Listed>, &'static str> {
    match params.get("pair").map(|_| pairs(venue, params)).transpose()?.as_deref() {
        Some([pair]) => Ok(pair.clone()),
        Some(_) => Err(UNKNOWN_PAIR),
        None => Err(INVALID),
    }
}

fn number(params: &Params, name: &str) -> Result<Option<i64>, &'static str> {
    params.get(name).map(|text| text.parse().map_err(|_| INVALID)).transpose()
}

fn now(venue: &Venue) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(venue.now_ms()).unwrap_or_default()
}

async fn time(venue: Data<Venue>) -> HttpResponse {
    let now = now(&venue);
    good(json!({"unixtime": now.timestamp(), "rfc1123": now.format("%a, %d %b %y %H:%M:%S +0000").to_string()}))
}

async fn system_status(venue: Data<Venue>) -> HttpResponse {
    good(json!({"status": "online", "timestamp": now(&venue).format("%Y-%m-%dT%H:%M:%SZ").to_string()}))
}

async fn list_assets(venue: Data<Venue>) -> HttpResponse {
    let all = venue.listings.all();
    good(assets::assets(all.iter().map(|(_, listed)| &**listed)))
}

/// An object of the named pairs, each made by `row`.
fn for_pairs(venue: &Venue, params: &Params, row: impl Fn(&Listed) -> Value) -> HttpResponse {
    let rows = |pairs: Vec<Arc<Listed>>| pairs.iter().map(|pair| (pair.kraken.altname.clone(), row(pair))).collect();
    answer(pairs(venue, params).map(rows))
}

async fn asset_pairs(venue: Data<Venue>, params: Params) -> HttpResponse {
    for_pairs(&venue, &params, assets::pair)
}

async fn ticker(venue: Data<Venue>, params: Params) -> HttpResponse {
    for_pairs(&venue, &params, |listed| ticker_row(listed, venue.now_ms()))
}

/// Most are of today and of the last 24 hours; all zero where nothing was traded.
fn ticker_row(listed: &Listed, now: i64) -> Value {
    let symbol = &listed.symbol;
    let (last, today, day) = {
        let mut ledger = listed.ledger();
        ledger.seal(now);
        (ledger.last().cloned(), ledger.today(now), ledger.day(now))
    };
    let or_nothing = |kline: Option<Kline>| kline.unwrap_or_else(|| Kline::flat(now, Default::default()));
    let (today, day) = (or_nothing(today), or_nothing(day));
    let (price, quantity) = last.map(|trade| (trade.price, trade.quantity)).unwrap_or_default();
    let offer = |price| json!([text(price), "1", text(symbol.lot_size)]);
    json!({
        "a": offer(best_ask(symbol, price)),
        "b": offer(best_bid(symbol, price)),
        "c": [text(price), text(quantity)],
        "v": [text(today.volume), text(day.volume)],
        "p": [text(vwap(&today)), text(vwap(&day))],
        "t": [today.trades, day.trades],
        "l": [text(today.low), text(day.low)],
        "h": [text(today.high), text(day.high)],
        "o": text(today.open),
    })
}

/// The latest rows, oldest first, however far back `since` (in seconds, excluded) lies; the last is still running.
/// `last` is the open time of the last that is not.
async fn ohlc(venue: Data<Venue>, params: Params) -> HttpResponse {
    answer(ohlc_result(&venue, &params))
}

fn ohlc_result(venue: &Venue, params: &Params) -> Result<Map<String, Value>, &'static str> {
    let listed = pair(venue, params)?;
    let minutes = number(params, "interval")?.unwrap_or(1);
    let interval = Interval::ALL.into_iter().find(|interval| Some(interval.seconds()) == minutes.checked_mul(60));
    let interval = interval.ok_or(INVALID)?;
    let since = number(params, "since")?;
    let now = venue.now_ms();
    let klines = {
        let mut ledger = listed.ledger();
        ledger.seal(now);
        ledger.klines(interval, None, None, MAX_CANDLES)
    };
    let klines = to_now(klines, interval, now);
    let last = klines.iter().rev().find(|kline| kline.close_time(interval) < now);
    let last = last.map(|kline| kline.open_time / 1_000).or(since).unwrap_or_default();
    let wanted = klines.iter().filter(|kline| since.is_none_or(|since| kline.open_time / 1_000 > since));
    let rows: Vec<Value> = wanted.map(ohlc_row).collect();
    Ok(Map::from_iter([(listed.kraken.altname.clone(), json!(rows)), ("last".to_owned(), json!(last))]))
}

/// Goes on to the interval that is running, where nothing was traded lately.
fn to_now(mut klines: Vec<Kline>, interval: Interval, now: i64) -> Vec<Kline> {
    let running = open_ms(interval, now);
    let step = interval.seconds() * 1_000;
    if let Some(Kline { open_time, close, .. }) = klines.last() {
        // No more than will be kept.
        let first = (open_time + step).max(running - (MAX_CANDLES as i64 - 1) * step);
        let flat = |at: i64| Kline::flat(at, *close);
        let quiet: Vec<Kline> = std::iter::successors(Some(first), |at| Some(at + step))
            .take_while(|at| *at <= running)
            .map(flat)
            .collect();
        klines.extend(quiet);
    }
    klines.drain(..klines.len().saturating_sub(MAX_CANDLES));
    klines
}

fn ohlc_row(kline: &Kline) -> Value {
    json!([
        kline.open_time / 1_000,
        text(kline.open),
        text(kline.high),
        text(kline.low),
        text(kline.close),
        text(vwap(kline)),
        text(kline.volume),
        kline.trades,
    ])
}

/// The oldest trades after `since`, oldest first; without it the newest. `last` is the `since` of the next page.
async fn trades(venue: Data<Venue>, params: Params) -> HttpResponse {
    answer(trades_result(&venue, &params))
}

fn trades_result(venue: &Venue, params: &Params) -> Result<Map<String, Value>, &'static str> {
    let listed = pair(venue, params)?;
    let count = match number(params, "count")? {
        None => MAX_TRADES,
        Some(count @ 1..) => usize::try_from(count).unwrap_or(MAX_TRADES).min(MAX_TRADES),
        Some(_) => return Err(INVALID),
    };
    let since = number(params, "since")?;
    let page = match since {
        None => listed.ledger().latest(count),
        Some(since) => after(&listed, since, count),
    };
    let last = page.last().map(cursor).or(since).unwrap_or_default();
    let rows: Vec<Value> = page.iter().map(trade_row).collect();
    Ok(Map::from_iter([(listed.kraken.altname.clone(), json!(rows)), ("last".to_owned(), json!(last.to_string()))]))
}

/// The nanosecond by which a trade is told from the others of its millisecond: no two of them have the same, unless there
/// were a million.
fn cursor(trade: &PublishedTrade) -> i64 {
    trade.time.timestamp_millis() * NANOSECONDS + trade.id.rem_euclid(NANOSECONDS - 1) + 1
}

/// What happened after this nanosecond: after the trade whose cursor it is, or else by time, with all of the millisecond
/// that it begins.
fn after(listed: &Listed, since: i64, count: usize) -> Vec<PublishedTrade> {
    let ledger = listed.ledger();
    let ms = since.div_euclid(NANOSECONDS);
    let same = ledger.between(Some(ms), Some(ms), usize::MAX);
    match same.iter().find(|trade| cursor(trade) == since) {
        Some(trade) => ledger.since_id(trade.id + 1, count),
        None => ledger.between(Some(ms + i64::from(since.rem_euclid(NANOSECONDS) > 0)), None, count),
    }
}

fn trade_row(trade: &PublishedTrade) -> Value {
    json!([
        text(trade.price),
        text(trade.quantity),
        trade.time.timestamp_millis() as f64 / 1_000.0,
        if trade.buyer_is_maker { "s" } else { "b" },
        &order_type(trade)[..1],
        "",
        trade.id,
    ])
}
