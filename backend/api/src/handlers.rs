//! One file per resource: read the parameters, ask, say it in the words of `api-types`.
#![allow(unused_qualifications, reason = "utoipa's macros qualify what they are given")]

pub(crate) mod candles;
pub(crate) mod dead_letters;
pub(crate) mod exchanges;
pub(crate) mod feeds;
pub(crate) mod gaps;
pub(crate) mod health;
pub(crate) mod index;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod price_history;
pub(crate) mod prices;
pub(crate) mod sparklines;
pub(crate) mod storage;
pub(crate) mod symbols;
pub(crate) mod tickers;
pub(crate) mod ticks;

use actix_web::web::Json;
use api_types::Data;

use crate::error::Failure;

/// What a handler of data returns.
type Answer<T> = Result<Json<Data<T>>, Failure>;

fn answer<T>(data: T) -> Answer<T> {
    Ok(Json(Data { data }))
}
