//! Reading a query as Binance does, and refusing it with Binance's own codes.

use std::collections::HashMap;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use domain::Interval;
use serde_json::json;

use crate::{faults::Refusal, venue::Venue};

const MAX_ROWS: usize = 1_000;
const DEFAULT_ROWS: usize = 500;

/// `{"code": -1121, "msg": "Invalid symbol."}` and its like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{msg}")]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: i32,
    pub(crate) msg: String,
}

impl ApiError {
    fn bad(code: i32, msg: impl Into<String>) -> Self {
        Self { status: 400, code, msg: msg.into() }
    }

    fn illegal(name: &str, range: &str) -> Self {
        Self::bad(-1100, format!("Illegal characters found in parameter '{name}'; legal range is '{range}'."))
    }

    pub(crate) fn refused(refusal: Refusal) -> Self {
        let msg = match refusal {
            Refusal::TooManyRequests => "Too much request weight used; please use WebSocket Streams for live updates.",
            Refusal::Banned => {
                "Way too much request weight used; IP banned. Please use WebSocket Streams for live updates to avoid bans."
            }
        };
        Self { status: refusal.status(), code: -1003, msg: msg.to_owned() }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({"code": self.code, "msg": self.msg}))
    }
}

/// The parameters of a request.
#[derive(serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Params(HashMap<String, String>);

/// Which symbols a request is about.
pub(crate) enum Selection {
    /// It named one, and is answered with an object.
    One(usize),
    /// It named several or none, and is answered with an array.
    Many(Vec<usize>),
}

impl Params {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// How many symbols are named; nothing where all are meant.
    pub(crate) fn symbol_count(&self) -> Option<usize> {
        match (self.get("symbol"), self.get("symbols")) {
            (Some(_), _) => Some(1),
            (None, Some(symbols)) => Some(symbols.split(',').count()),
            (None, None) => None,
        }
    }

    /// The one symbol that must be named.
    pub(crate) fn symbol(&self, venue: &Venue) -> Result<usize, ApiError> {
        let ticker = self.get("symbol").ok_or_else(|| {
            ApiError::bad(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        })?;
        find(venue, "symbol", ticker)
    }

    /// `symbol`, or `symbols` as a JSON array, or else all.
    pub(crate) fn selection(&self, venue: &Venue) -> Result<Selection, ApiError> {
        match (self.get("symbol"), self.get("symbols")) {
            (Some(_), Some(_)) => Err(ApiError::bad(-1128, "Combination of optional parameters invalid.")),
            (Some(_), None) => self.symbol(venue).map(Selection::One),
            (None, None) => Ok(Selection::Many(venue.listings.all().into_iter().map(|(index, _)| index).collect())),
            (None, Some(symbols)) => {
                let tickers: Vec<String> = serde_json::from_str(symbols).map_err(|_| {
                    ApiError::illegal("symbols", r#"^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\]$"#)
                })?;
                let indexes = tickers.iter().map(|ticker| find(venue, "symbols", ticker));
                Ok(Selection::Many(indexes.collect::<Result<_, _>>()?))
            }
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let digits = text.chars().all(|c| c.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.map(Some).ok_or_else(|| ApiError::illegal(name, "^[0-9]{1,20}$"))
    }

    /// `startTime` and `endTime`.
    pub(crate) fn times(&self) -> Result<(Option<i64>, Option<i64>), ApiError> {
        Ok((self.number("startTime")?, self.number("endTime")?))
    }

    /// Rows asked for, at most a thousand.
    pub(crate) fn limit(&self) -> Result<usize, ApiError> {
        match self.number("limit")? {
            None => Ok(DEFAULT_ROWS),
            Some(0) => Err(ApiError::bad(-1130, "Data sent for parameter 'limit' is not valid.")),
            Some(limit) => Ok(usize::try_from(limit).unwrap_or(MAX_ROWS).min(MAX_ROWS)),
        }
    }

    /// One of the widths that the project knows; Binance has more.
    pub(crate) fn interval(&self) -> Result<Interval, ApiError> {
        let text = self.get("interval").ok_or_else(|| {
            ApiError::bad(-1102, "Mandatory parameter 'interval' was not sent, was empty/null, or malformed.")
        })?;
        text.parse().map_err(|_| ApiError::bad(-1120, "Invalid interval."))
    }

    /// `fromId`, which excludes times.
    pub(crate) fn first_id(&self) -> Result<Option<i64>, ApiError> {
        let id = self.number("fromId")?;
        if id.is_some() && self.times()? != (None, None) {
            return Err(ApiError::bad(-1128, "Combination of optional parameters invalid."));
        }
        Ok(id)
    }
}

fn find(venue: &Venue, name: &str, ticker: &str) -> Result<usize, ApiError> {
    venue.listings.find(ticker).ok_or_else(|| {
        let legal = ticker.len() <= 20
            && ticker.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || "-_.".contains(c));
        if legal { ApiError::bad(-1121, "Invalid symbol.") } else { ApiError::illegal(name, "^[A-Z0-9-_.]{1,20}$") }
    })
}
