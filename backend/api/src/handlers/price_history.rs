//! `/price-history-minutes`

use actix_web::web;
use api_types::{Page, PriceHistoryMinute};
use chrono::{TimeDelta, Utc};
use database::candles::{PriceSum, list_sums};
use domain::{Window, rounding::significant};
use rust_decimal::Decimal;
use utoipa::IntoParams;

use crate::{
    error::Failure,
    lookup,
    openapi::Failures,
    paging::Paging,
    parameters::{Asked, FromQuery, Query, checked},
    reply::{Answer, Reply},
    server::State,
};

/// The longest window; `/candles` goes further back.
const LONGEST: TimeDelta = TimeDelta::days(7);

/// How many decimals, or for tiny prices digits, a mean is told with.
const DIGITS: u32 = 12;

/// Whose prices are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The exchange. Left away: where several record the pair, a real market before the simulated one, then the one
    /// that was known first.
    #[param(example = "binance")]
    exchange: Option<String>,
    /// Over how many minutes each mean is. 1 where not said; intervals of an hour's or a day's parts begin with the hour or the day.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1440, example = 5)]
    every: i32,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["exchange", "every"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let every = query.number("every", 1..=1_440)?.and_then(|every| i32::try_from(every).ok()).unwrap_or(1);
        Ok(Self { exchange: query.text("exchange")?.map(str::to_owned), every })
    }
}

/// The mean price of every minute, or of every so many, in a window of time, newest first
#[utoipa::path(
    get,
    path = "/price-history-minutes/{window}/{ticker}",
    tag = "prices",
    params(
        ("window" = String, Path, description = "How far back: minutes that began within it. At most 7 days",
            example = "120 minute"),
        ("ticker" = String, Path, description = "The pair", example = "BTCUSDT"),
        Wanted,
        Paging
    ),
    responses(
        (status = 200, description = "A row for each minute, or so many, that has prices", body = Page<PriceHistoryMinute>),
        Failures
    )
)]
pub(crate) async fn list(
    parts: web::Path<(String, String)>,
    Asked((wanted, paging)): Asked<(Wanted, Paging)>,
    state: web::Data<State>,
) -> Answer<Vec<PriceHistoryMinute>> {
    let (window, ticker) = parts.into_inner();
    let window = read_window(&window)?;
    let found = state.reader.read(async |client| {
        let ticker = match lookup::optional_exchange(client, wanted.exchange.as_deref()).await? {
            Some(exchange) => lookup::ticker(client, &exchange, &ticker).await?,
            None => lookup::ticker_anywhere(client, &ticker).await?,
        };
        let minutes = list_sums(client, ticker.id, Utc::now() - window, wanted.every).await?;
        Ok((ticker.ticker, minutes))
    });
    let (ticker, minutes) = found.await?;
    let (minutes, next) = paging.cut(minutes, |minute| minute.open_time.timestamp().to_string())?;
    Ok(Reply::of(minutes.iter().map(|minute| row(&ticker, minute)).collect::<Vec<_>>()).page(next))
}

fn read_window(text: &str) -> Result<TimeDelta, Failure> {
    let allowed = "a length of time up to 7 days, such as \"120 minute\", \"2 hours\", \"1 day 6 hours\" or \"90m\"";
    let window: Window = checked("window", text).map_err(|failure| failure.allowed(allowed))?.parse().map_err(
        |error: domain::window::InvalidWindow| Failure::parameter("window", text, error.to_string(), allowed),
    )?;
    if window.length() > LONGEST {
        return Err(Failure::parameter("window", text, "the window is longer than 7 days", allowed));
    }
    Ok(window.length())
}

fn row(ticker: &str, minute: &PriceSum) -> PriceHistoryMinute {
    PriceHistoryMinute {
        ticker: ticker.to_owned(),
        price: mean(minute.price_sum, minute.ticks),
        date: minute.open_time.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    }
}

fn mean(sum: Decimal, count: i64) -> Decimal {
    // A minute without prices does not exist.
    let mean = sum.checked_div(Decimal::from(count)).unwrap_or_default();
    let rounded = if mean >= Decimal::ONE { mean.round_dp(DIGITS) } else { significant(mean, DIGITS) };
    rounded.normalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_short_and_keeps_tiny_prices() {
        for (sum, count, expected) in [
            ("192750.03", 3, "64250.01"),
            ("100", 3, "33.333333333333"),
            ("0.00001234", 1, "0.00001234"),
            ("0.00000000000000100", 3, "0.000000000000000333333333333"),
            ("64250.00", 1, "64250"),
        ] {
            assert_eq!(mean(sum.parse().unwrap(), count).to_string(), expected);
        }
    }

    #[test]
    fn a_window_is_at_most_a_week() {
        assert_eq!(read_window("120 minute").unwrap(), TimeDelta::hours(2));
        assert_eq!(read_window("7 days").unwrap(), LONGEST);
        for text in ["8 days", "10081 minutes", "0 minutes", "soon", "", "1 day\0"] {
            assert_eq!(read_window(text).unwrap_err().problem().parameter.as_deref(), Some("window"), "{text:?}");
        }
    }
}
