//! `/top`, and `/` with its parameters: the top list, in the form of the earlier system that had it.
//!
//! Its two halves, prices and ranks, are found by themselves and joined by minute (`top_halves.rs`).

use actix_web::{
    HttpRequest, HttpResponse, ResponseError as _,
    http::header::{self, HeaderName},
    web,
};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use domain::top_list::Ranked;
use serde::Serialize;
use serde_json::{json, value::RawValue};
use utoipa::{IntoParams, ToSchema};

use crate::{openapi::Failures, parameters, server::State, span::minute_of, top_halves::TopList};

/// Who told the prices.
pub(crate) const PRICES: HeaderName = HeaderName::from_static("top-list-prices");
/// Who told the ranks.
pub(crate) const RANKS: HeaderName = HeaderName::from_static("top-list-ranks");
/// Of which minute the list is.
pub(crate) const MINUTE: HeaderName = HeaderName::from_static("top-list-minute");

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
        Failures,
        (status = 404, description = "Nothing is stored of this minute: `{\"detail\"}`", body = serde_json::Value),
        (status = 422, description = "A parameter cannot be used: `{\"detail\": [{\"loc\", \"msg\", \"type\"}]}`",
            body = serde_json::Value)
    )
)]
pub(crate) async fn list(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let wanted = match read(request.query_string()) {
        Ok(wanted) => wanted,
        Err(mistakes) => return HttpResponse::UnprocessableEntity().json(json!({ "detail": mistakes })),
    };
    let now = Utc::now();
    let minute = minute_of(wanted.datetime.unwrap_or(now));
    let found = state.reader.read(async |client| {
        let found = state.top_sources.find(client, minute).await?;
        // The minute that is running may hold nothing yet.
        if found.is_none() && wanted.datetime.is_none() {
            return Ok(state.top_sources.find(client, minute - TimeDelta::minutes(1)).await?);
        }
        Ok(found)
    });
    match found.await {
        Err(failure) => failure.error_response(),
        Ok(Some(list)) => told(list, &wanted),
        Ok(None) => HttpResponse::NotFound().json(json!({ "detail": "Data not found for the specified timestamp" })),
    }
}

fn told(list: TopList, wanted: &Wanted) -> HttpResponse {
    let TopList { minute, prices_from, ranks_from, mut lines } = list;
    lines.truncate(wanted.limit);
    let mut response = HttpResponse::Ok();
    response
        .insert_header((PRICES, prices_from))
        .insert_header((RANKS, ranks_from))
        .insert_header((MINUTE, minute.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)))
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    if wanted.csv {
        response.content_type("application/csv").body(csv(&lines))
    } else {
        response.json(lines.iter().filter_map(line).collect::<Vec<_>>())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_told_digit_for_digit_and_as_numbers() {
        let ranked =
            |rank, symbol: &str, price: &str| Ranked { rank, symbol: symbol.into(), price: price.parse().unwrap() };
        let lines = [ranked(1, "ETH", "3200"), ranked(2, "TINY", "0.0000000012345678901234567890")];
        assert_eq!(
            String::from_utf8(csv(&lines)).unwrap(),
            "Rank,Symbol,Price USD\n1,ETH,3200\n2,TINY,0.0000000012345678901234567890\n"
        );
        let json = serde_json::to_string(&lines.iter().filter_map(line).collect::<Vec<_>>()).unwrap();
        assert_eq!(
            json,
            r#"[{"Rank":1,"Symbol":"ETH","Price USD":3200},{"Rank":2,"Symbol":"TINY","Price USD":0.0000000012345678901234567890}]"#
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
