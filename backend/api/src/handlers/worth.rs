//! `/worth`

use actix_web::web;
use api_types::{Data, worth::WorthRow};
use chrono::{DateTime, Utc};
use database::worth;
use domain::portfolio::ratio;
use rust_decimal::Decimal;
use utoipa::IntoParams;

use crate::{
    error::Failure,
    handlers::portfolios::currency,
    openapi::Failures,
    parameters::{Asked, FromQuery, Query},
    reply::{Answer, Reply},
    server::State,
};

/// How many may be asked for at once.
const MOST: usize = 100;

/// What is valued, when, in what.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Codes of coins and currencies, separated by commas, 100 at most.
    #[param(example = "BTC,ETH")]
    symbols: Vec<String>,
    /// In what: the code of a currency or coin. USD where not said.
    #[param(value_type = Option<String>, example = "USD")]
    currency: String,
    /// At or before this moment. Now where not said.
    #[param(value_type = Option<String>)]
    at: Option<DateTime<Utc>>,
    /// Compared with this moment.
    #[param(value_type = Option<String>)]
    past: Option<DateTime<Utc>>,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["symbols", "currency", "at", "past"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let symbols = query.list("symbols", MOST)?;
        let missing = || Failure::parameter("symbols", "", "symbols is missing", "codes such as BTC,ETH");
        Ok(Self {
            symbols: symbols.ok_or_else(missing)?.into_iter().map(|symbol| symbol.to_uppercase()).collect(),
            currency: currency("currency", query.text("currency")?)?.unwrap_or_else(|| "USD".to_owned()),
            at: query.moment("at")?,
            past: query.moment("past")?,
        })
    }
}

/// What coins and currencies were worth at a moment, in any currency or coin, by which pairs; and compared with another moment
#[utoipa::path(
    get,
    path = "/worth",
    tag = "prices",
    params(Wanted),
    responses((status = 200, description = "What they were worth, in the order asked for", body = Data<Vec<WorthRow>>), Failures)
)]
pub(crate) async fn list(
    Asked(Wanted { symbols, currency, at, past }): Asked<Wanted>,
    state: web::Data<State>,
) -> Answer<Vec<WorthRow>> {
    let now = at.unwrap_or_else(Utc::now);
    let codes: Vec<&str> = symbols.iter().map(String::as_str).chain([currency.as_str()]).collect();
    let read = state.reader.read(async |client| {
        let then = match past {
            Some(past) => Some(worth::at(client, &codes, past).await?),
            None => None,
        };
        Ok((worth::at(client, &codes, now).await?, then))
    });
    let (worths, then) = read.await?;
    let row = |symbol: &String| {
        let worth = worths.of_in(symbol, &currency);
        let price = worth.as_ref().map(|worth| worth.price);
        let past_price = then.as_ref().and_then(|then| then.of_in(symbol, &currency)).map(|worth| worth.price);
        let part = |whole: Option<Decimal>| ratio(price?.checked_sub(past_price?)?, whole?);
        let time = worth.as_ref().and_then(|worth| worth.time);
        WorthRow {
            symbol: symbol.clone(),
            price,
            currency: currency.clone(),
            time,
            age_seconds: time.map(|time| (now - time).num_seconds()),
            path: worth.map(|worth| worth.path),
            past_price,
            change: part(price),
            growth: part(past_price),
        }
    };
    Ok(Reply::of(symbols.iter().map(row).collect()).read_at(now))
}
