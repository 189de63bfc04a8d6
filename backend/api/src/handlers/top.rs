//! `/top`, and `/` with its parameters: the top list, in the form of the earlier system that had it.
//!
//! Its two halves, prices and ranks, are made by themselves and joined by minute.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError as _,
    http::header::{self, HeaderName},
    web,
};
use chrono::{DateTime, DurationRound as _, NaiveDateTime, TimeDelta, Utc};
use database::snapshot::{Markets, PairAtMinute, list_pairs_at};
use domain::{
    top_list::{CoinKey, Listing, Ranked, merge},
    usd::UsdPrices,
};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{json, value::RawValue};
use utoipa::{IntoParams, ToSchema};

use crate::{
    handlers::consolidated::{in_dollars, priced},
    openapi::Failures,
    parameters,
    server::State,
};

/// Who told the prices.
pub(crate) const PRICES: HeaderName = HeaderName::from_static("top-list-prices");
/// Who told the ranks.
pub(crate) const RANKS: HeaderName = HeaderName::from_static("top-list-ranks");
/// Of which minute the list is.
pub(crate) const MINUTE: HeaderName = HeaderName::from_static("top-list-minute");

/// The source of both halves that is always there: what we recorded.
const RECORDED: &str = "recorded";

/// What exchanges list among coins, and what is none.
const FIAT: [&str; 24] = [
    "USD", "EUR", "GBP", "JPY", "TRY", "BRL", "AUD", "ARS", "COP", "CZK", "MXN", "PLN", "UAH", "ZAR", "IDR", "NGN",
    "RUB", "CHF", "CAD", "KRW", "INR", "SGD", "HKD", "NZD",
];

/// What is wanted.
#[derive(Debug, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Described {
    /// How many coins.
    #[param(minimum = 1, example = 200)]
    limit: i64,
    /// As of which minute: ISO 8601, or seconds since 1970. The current one where not said.
    #[param(example = "2026-11-20T12:00:00Z")]
    datetime: Option<String>,
    /// `JSON` or `CSV`, in any case; anything else counts as JSON.
    #[param(example = "CSV")]
    format: Option<String>,
}

/// A line of the top list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Line<'a> {
    /// From 1 on.
    #[serde(rename = "Rank")]
    #[schema(example = 1)]
    rank: usize,
    /// The coin's code.
    #[serde(rename = "Symbol")]
    #[schema(example = "BTC")]
    symbol: &'a str,
    /// What it costs.
    #[serde(rename = "Price USD")]
    #[schema(value_type = f64, example = 64250.01)]
    price: Box<RawValue>,
}

#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    limit: usize,
    datetime: Option<DateTime<Utc>>,
    csv: bool,
}

/// Coins by what is traded of them in 24 hours, in US dollars, with their prices. Not in `{"data"}`, and prices are numbers, as in the
/// system whose answers these were; headers say who told prices and ranks, and of which minute
#[utoipa::path(
    get,
    path = "/top",
    tag = "earlier",
    params(Described),
    responses(
        (status = 200, description = "The list", content(
            (Vec<Line<'_>> = "application/json"), (String = "application/csv", example = "Rank,Symbol,Price USD\n1,BTC,64250.01\n"))),
        (status = 404, description = "Nothing is stored of this minute: `{\"detail\"}`"),
        (status = 422, description = "A parameter cannot be used: `{\"detail\": [{\"loc\", \"msg\", \"type\"}]}`"),
        Failures
    )
)]
pub(crate) async fn list(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let wanted = match read(request.query_string()) {
        Ok(wanted) => wanted,
        Err(mistakes) => return HttpResponse::UnprocessableEntity().json(json!({ "detail": mistakes })),
    };
    let now = Utc::now();
    let minute = floor(wanted.datetime.unwrap_or(now));
    let found = state.reader.read(async |client| {
        let pairs = list_pairs_at(client, minute, Markets::Real).await?;
        // The minute that is running may hold nothing yet.
        if wanted.datetime.is_none() && !has_minute(&pairs, minute) {
            let before = minute - TimeDelta::minutes(1);
            return Ok((list_pairs_at(client, before, Markets::Real).await?, before));
        }
        Ok((pairs, minute))
    });
    match found.await {
        Err(failure) => failure.error_response(),
        Ok((pairs, minute)) if has_minute(&pairs, minute) => told(&pairs, minute, &wanted),
        Ok(_) => HttpResponse::NotFound().json(json!({ "detail": "Data not found for the specified timestamp" })),
    }
}

fn has_minute(pairs: &[PairAtMinute], minute: DateTime<Utc>) -> bool {
    pairs.iter().any(|pair| pair.open_time == minute)
}

fn told(pairs: &[PairAtMinute], minute: DateTime<Utc>, wanted: &Wanted) -> HttpResponse {
    let (ranks, prices) = listings(pairs, minute);
    let mut lines = merge(&ranks, &prices).unwrap_or_default();
    lines.truncate(wanted.limit);
    let mut response = HttpResponse::Ok();
    response
        .insert_header((PRICES, RECORDED))
        .insert_header((RANKS, RECORDED))
        .insert_header((MINUTE, minute.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)))
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    if wanted.csv {
        response.content_type("application/csv").body(csv(&lines))
    } else {
        response.json(lines.iter().filter_map(line).collect::<Vec<_>>())
    }
}

/// Both halves, made of what every pair cost and what was traded of it.
fn listings(pairs: &[PairAtMinute], minute: DateTime<Utc>) -> (Listing<()>, Listing<Decimal>) {
    let usd = UsdPrices::new(pairs.iter().map(priced));
    let mut coins: Vec<(CoinKey, Decimal)> = Vec::new();
    let mut of_base: Vec<&PairAtMinute> = pairs.iter().filter(|pair| !FIAT.contains(&pair.base.as_str())).collect();
    of_base.sort_by_key(|pair| pair.base_id);
    for same in of_base.chunk_by(|one, next| one.base_id == next.base_id) {
        let volume = same.iter().filter_map(|pair| in_dollars(pair.quote_volume, usd.of(&pair.quote)?.price));
        let volume = volume.fold(Decimal::ZERO, |sum, volume| sum.saturating_add(volume));
        coins.push((CoinKey { id: same[0].base_id.into(), symbol: same[0].base.as_str().into() }, volume));
    }
    coins.sort_by(|(one, of_one), (other, of_other)| of_other.cmp(of_one).then_with(|| one.symbol.cmp(&other.symbol)));
    let prices = coins.iter().filter_map(|(key, _)| Some((key.clone(), usd.of(&key.symbol)?.price))).collect();
    let ranks = coins.into_iter().map(|(key, _)| (key, ())).collect();
    (Listing { at: minute, coins: ranks }, Listing { at: minute, coins: prices })
}

/// The price digit for digit: as a number of JSON, but never through a float.
fn line(ranked: &Ranked) -> Option<Line<'_>> {
    let price = RawValue::from_string(ranked.price.to_string()).ok()?;
    Some(Line { rank: ranked.rank, symbol: &ranked.symbol, price })
}

fn csv(lines: &[Ranked]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    let mut write = |cells: [&str; 3]| drop(writer.write_record(cells));
    write(["Rank", "Symbol", "Price USD"]);
    for Ranked { rank, symbol, price } in lines {
        write([&rank.to_string(), symbol, &price.to_string()]);
    }
    writer.into_inner().unwrap_or_default()
}

/// What one parameter says wrongly, as the earlier system told it.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct Mistake {
    loc: [&'static str; 2],
    msg: String,
    r#type: &'static str,
}

fn read(query: &str) -> Result<Wanted, Vec<Mistake>> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(query).map(web::Query::into_inner).unwrap_or_default();
    let value = |name: &str| pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    let mistake = |name, msg: &str, kind| Mistake { loc: ["query", name], msg: msg.to_owned(), r#type: kind };
    let mut mistakes = Vec::new();
    let limit = match value("limit").map(str::parse::<i64>) {
        None => Err(mistake("limit", "field required", "value_error.missing")),
        Some(Err(_)) => Err(mistake("limit", "value is not a valid integer", "type_error.integer")),
        Some(Ok(limit)) if limit < 1 => {
            Err(mistake("limit", "ensure this value is greater than or equal to 1", "value_error.number.not_ge"))
        }
        Some(Ok(limit)) => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
    };
    let datetime = value("datetime")
        .map(|text| moment(text).ok_or_else(|| mistake("datetime", "invalid datetime format", "value_error.datetime")));
    let csv = value("format").is_some_and(|format| format.eq_ignore_ascii_case("csv"));
    let limit = limit.map_err(|one| mistakes.push(one)).ok();
    let datetime = datetime.transpose().map_err(|one| mistakes.push(one)).ok();
    match (limit, datetime) {
        (Some(limit), Some(datetime)) => Ok(Wanted { limit, datetime, csv }),
        _ => Err(mistakes),
    }
}

/// Any moment that the other routes take, or one without a zone, which is UTC's.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let without_zone = || {
        let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
        let moment = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text.trim(), form).ok())?.and_utc();
        parameters::is_askable(moment).then_some(moment)
    };
    parameters::moment(text).or_else(without_zone)
}

fn floor(moment: DateTime<Utc>) -> DateTime<Utc> {
    moment.duration_trunc(TimeDelta::minutes(1)).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(exchange: &str, base: (i32, &str), quote: &str, price: &str, quote_volume: i64) -> PairAtMinute {
        let open_time = floor("2026-11-20T12:00:00Z".parse().unwrap());
        PairAtMinute {
            exchange: exchange.into(),
            ticker: format!("{}{quote}", base.1),
            base_id: base.0,
            base: base.1.into(),
            quote: quote.into(),
            open_time,
            price: price.parse().unwrap(),
            time: open_time,
            quote_volume: quote_volume.into(),
        }
    }

    #[test]
    fn coins_are_ranked_by_all_that_is_traded_of_them_in_dollars() {
        let pairs = [
            pair("binance", (1, "BTC"), "USDT", "64000.10", 1_000),
            pair("binance", (2, "ETH"), "BTC", "0.05", 1),
            pair("kraken", (2, "ETH"), "USDT", "3200", 5),
            pair("binance", (3, "EUR"), "USDT", "1.1", 1_000_000_000),
            pair("binance", (4, "LOST"), "XYZ", "1", 1_000_000_000),
        ];
        let (ranks, prices) = listings(&pairs, pairs[0].open_time);
        let lines = merge(&ranks, &prices).unwrap();
        assert_eq!(String::from_utf8(csv(&lines)).unwrap(), "Rank,Symbol,Price USD\n1,ETH,3200\n2,BTC,64000.10\n");
        let json = serde_json::to_string(&lines.iter().filter_map(line).collect::<Vec<_>>()).unwrap();
        assert_eq!(
            json,
            r#"[{"Rank":1,"Symbol":"ETH","Price USD":3200},{"Rank":2,"Symbol":"BTC","Price USD":64000.10}]"#
        );
    }

    #[test]
    fn parameters_are_read_as_the_earlier_system_did_and_every_mistake_is_told() {
        let noon: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        for datetime in [
            "2026-11-20T12:00:00Z",
            "2026-11-20T12:00",
            "2026-11-20 12:00:00",
            "1795176000",
            "2026-11-20T13:00:00%2B01:00",
        ] {
            let wanted = read(&format!("limit=5&datetime={datetime}&format=csv")).unwrap();
            assert_eq!(wanted, Wanted { limit: 5, datetime: Some(noon), csv: true }, "{datetime}");
        }
        assert_eq!(read("limit=1&format=xml").unwrap(), Wanted { limit: 1, datetime: None, csv: false });
        let told = |query| read(query).unwrap_err().into_iter().map(|one| (one.loc[1], one.r#type)).collect::<Vec<_>>();
        assert_eq!(told(""), [("limit", "value_error.missing")]);
        assert_eq!(told("limit=0"), [("limit", "value_error.number.not_ge")]);
        assert_eq!(
            told("limit=many&datetime=noon"),
            [("limit", "type_error.integer"), ("datetime", "value_error.datetime")]
        );
    }
}
