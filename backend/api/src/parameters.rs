//! Reading parameters: what cannot be used is refused with its name, its value and what is allowed.
//!
//! Every route names its query parameters ([`FromQuery::NAMES`]); any other is a mistake that is told, not ignored,
//! because a misspelt filter would answer a different question. Text that reaches the database holds no control
//! characters, and every moment lies between 1970 and 2262, where PostgreSQL and our arithmetic agree.

use std::{
    future::{Ready, ready},
    ops::RangeInclusive,
    str::FromStr,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use chrono::{DateTime, NaiveDate, TimeZone as _, Utc};
use chrono_tz::Tz;

use crate::{
    error::{Code, Failure},
    format::Format,
};

/// Names of coins, exchanges and pairs are shorter; more is not looked for.
const LONGEST_NAME: usize = 128;

/// Names in hexadecimal, two of them.
const LONGEST_CURSOR: usize = 1_024;

/// The query parameters of a route.
pub(crate) trait FromQuery: Sized {
    /// Every name that may be given; of several parts, none but theirs.
    const NAMES: &'static [&'static str] = &[];

    /// The parameter that may be given several times, where there is one.
    const REPEATED: Option<&'static str> = None;

    /// Whether answers come in the form that `format` names, which every route of data takes.
    const HAS_FORMAT: bool = true;

    /// The names of all parts.
    fn names() -> Vec<&'static str> {
        Self::NAMES.to_vec()
    }

    /// Reads them.
    fn from_query(query: &Query) -> Result<Self, Failure>;
}

macro_rules! parts {
    ($($part:ident)+) => {
        impl<$($part: FromQuery),+> FromQuery for ($($part,)+) {
            const REPEATED: Option<&'static str> = first(&[$($part::REPEATED),+]);

            fn names() -> Vec<&'static str> {
                [$($part::names()),+].concat()
            }

            fn from_query(query: &Query) -> Result<Self, Failure> {
                Ok(($($part::from_query(query)?,)+))
            }
        }
    };
}
/// The first that there is.
const fn first(names: &[Option<&'static str>]) -> Option<&'static str> {
    match names {
        [] => None,
        [Some(name), ..] => Some(name),
        [None, others @ ..] => first(others),
    }
}

parts!(A B);
parts!(A B C);
parts!(A B C D);

/// Hands a route its query parameters.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: FromQuery> FromRequest for Asked<T> {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = || {
            let format: &[&str] = if T::HAS_FORMAT { &[Format::PARAMETER] } else { &[] };
            let query = Query::read(request.query_string(), &[&T::names(), format].concat(), T::REPEATED)?;
            if T::HAS_FORMAT {
                query.text(Format::PARAMETER)?.map(Format::parse).transpose()?;
            }
            T::from_query(&query)
        };
        ready(read().map(Self))
    }
}

/// A route without parameters.
pub(crate) struct Nothing;

impl FromQuery for Nothing {
    const NAMES: &'static [&'static str] = &[];

    fn from_query(_: &Query) -> Result<Self, Failure> {
        Ok(Self)
    }
}

/// The parameters of a route that answers in a form of its own.
pub(crate) struct Own<T>(pub(crate) T);

impl<T: FromQuery> FromQuery for Own<T> {
    const REPEATED: Option<&'static str> = T::REPEATED;
    const HAS_FORMAT: bool = false;

    fn names() -> Vec<&'static str> {
        T::names()
    }

    fn from_query(query: &Query) -> Result<Self, Failure> {
        T::from_query(query).map(Self)
    }
}

/// The part of a URL behind the question mark.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    fn read(text: &str, names: &[&str], repeated: Option<&str>) -> Result<Self, Failure> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let pairs = web::Query::<Vec<(String, String)>>::from_query(text)
            .map_err(|_| Failure::new(Code::BadRequest, "the part behind the question mark cannot be read"))?
            .into_inner();
        for (index, (name, value)) in pairs.iter().enumerate() {
            if !names.contains(&name.as_str()) {
                let allowed = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return Err(Failure::new(Code::UnknownParameter, "this parameter is not known here")
                    .at(name, value)
                    .allowed(allowed));
            }
            if repeated != Some(name.as_str()) && pairs[..index].iter().any(|(other, _)| other == name) {
                return Err(Failure::new(Code::RepeatedParameter, format!("{name} is given twice")).at(name, value));
            }
        }
        Ok(Self(pairs))
    }

    /// The text of a parameter.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        let Some((_, value)) = self.0.iter().find(|(other, _)| other == name) else { return Ok(None) };
        checked(name, value).map(Some)
    }

    /// The text of a parameter that must be given.
    pub(crate) fn required(&self, name: &str, allowed: &str) -> Result<&str, Failure> {
        self.text(name)?.ok_or_else(|| Failure::parameter(name, "", format!("{name} is missing"), allowed))
    }

    /// The text of a parameter that some clients give without a value.
    pub(crate) fn non_empty(&self, name: &str) -> Result<Option<&str>, Failure> {
        let is_empty = self.0.iter().any(|(other, value)| other == name && value.is_empty());
        if is_empty { Ok(None) } else { self.text(name) }
    }

    /// The values of a parameter that may be given several times.
    pub(crate) fn every(&self, name: &str, most: usize) -> Result<Vec<&str>, Failure> {
        let values: Vec<&str> =
            self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
        if values.len() > most {
            let detail = format!("{name} is given {} times", values.len());
            return Err(Failure::parameter(name, values[most], detail, format!("at most {most} times")));
        }
        values.into_iter().map(|value| checked(name, value)).collect()
    }

    /// The text of `cursor`.
    pub(crate) fn cursor(&self) -> Result<Option<&str>, Failure> {
        let Some((name, value)) = self.0.iter().find(|(other, _)| other == "cursor") else { return Ok(None) };
        bounded(name, value, LONGEST_CURSOR).map(Some)
    }

    /// A parameter of a type that says itself what it allows.
    pub(crate) fn parsed<T: FromStr<Err: ToString>>(&self, name: &str, allowed: &str) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error: T::Err| Failure::parameter(name, text, error.to_string(), allowed))
    }

    /// A whole number within bounds.
    pub(crate) fn number(&self, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Failure> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match text.parse::<i64>() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let allowed = format!("a whole number from {} to {}", range.start(), range.end());
                Err(Failure::parameter(name, text, format!("{name} must be {allowed}"), allowed))
            }
        }
    }

    /// A time zone, by its name in any case.
    pub(crate) fn zone(&self, name: &str) -> Result<Option<Tz>, Failure> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        Tz::from_str_insensitive(text).map(Some).map_err(|_| {
            let allowed = "a name of the IANA time zone database, such as UTC, Europe/Berlin or Asia/Tokyo";
            Failure::parameter(name, text, format!("{name} is not a known time zone"), allowed)
        })
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| Failure::parameter(name, text, format!("{name} must be true or false"), "true, false"))
    }

    /// A day that is not to come, as 2026-11-20.
    pub(crate) fn day(&self, name: &str) -> Result<Option<NaiveDate>, Failure> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let first = NaiveDate::from_ymd_opt(1990, 1, 1);
        let is_askable = |day: &NaiveDate| Some(*day) >= first && *day <= Utc::now().date_naive();
        text.parse().ok().filter(is_askable).map(Some).ok_or_else(|| {
            let allowed = "a day such as 2026-11-20, from 1990-01-01 to today";
            Failure::parameter(name, text, "this is no day that can be asked for", allowed)
        })
    }

    /// A moment, as RFC 3339 or as a number of seconds or milliseconds since 1970.
    pub(crate) fn moment(&self, name: &str) -> Result<Option<DateTime<Utc>>, Failure> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        moment(text).map(Some).ok_or_else(|| {
            let allowed = "RFC 3339 such as 2026-11-20T12:00:00Z, or seconds or milliseconds since 1970, before 2262";
            Failure::parameter(name, text, format!("{name} is not a moment that can be asked for"), allowed)
        })
    }

    /// `from` and `to`, of which the first must be the earlier one. The default of `to` is given.
    pub(crate) fn span(&self, to_by_default: DateTime<Utc>) -> Result<(Option<DateTime<Utc>>, DateTime<Utc>), Failure> {
        let from = self.moment("from")?;
        let to = self.moment("to")?.unwrap_or(to_by_default);
        match from {
            Some(moment) if moment >= to => {
                let value = self.text("from")?.unwrap_or_default();
                Err(Failure::parameter(
                    "from",
                    value,
                    "from must be earlier than to",
                    format!("a moment before {to:?}"),
                ))
            }
            from => Ok((from, to)),
        }
    }

    /// Things separated by commas, in lower-case.
    pub(crate) fn list(&self, name: &str, most: usize) -> Result<Option<Vec<String>>, Failure> {
        let Some((_, text)) = self.0.iter().find(|(other, _)| other == name) else { return Ok(None) };
        let items: Vec<&str> = text.split(',').map(str::trim).collect();
        if items.len() > most {
            let allowed = format!("at most {most}, separated by commas");
            return Err(Failure::parameter(name, text, format!("{name} holds {} items", items.len()), allowed));
        }
        items.into_iter().map(|item| checked(name, item).map(str::to_lowercase)).collect::<Result<_, _>>().map(Some)
    }
}

/// Text that may be looked for in the database.
pub(crate) fn checked<'a>(name: &str, value: &'a str) -> Result<&'a str, Failure> {
    bounded(name, value, LONGEST_NAME)
}

fn bounded<'a>(name: &str, value: &'a str, longest: usize) -> Result<&'a str, Failure> {
    let message = if value.is_empty() {
        "is empty"
    } else if value.len() > longest {
        "is too long"
    } else if value.chars().any(char::is_control) {
        "holds a control character"
    } else {
        return Ok(value);
    };
    let allowed = format!("1 to {longest} bytes of text without control characters");
    Err(Failure::parameter(name, value, format!("{name} {message}"), allowed))
}

/// A moment that can be asked for; see [`Query::moment`].
pub(crate) fn moment(text: &str) -> Option<DateTime<Utc>> {
    /// As seconds, this is the year 5138; as milliseconds, 1973.
    const MILLISECONDS_FROM: i64 = 100_000_000_000;
    let moment = match text.parse::<i64>() {
        Ok(number) if number < MILLISECONDS_FROM => Utc.timestamp_opt(number, 0).single()?,
        Ok(number) => Utc.timestamp_millis_opt(number).single()?,
        // A plus sign that was not escaped arrives as a space.
        Err(_) => DateTime::parse_from_rfc3339(&text.replacen(' ', "+", 1)).ok()?.to_utc(),
    };
    is_askable(moment).then_some(moment)
}

/// Whether PostgreSQL and our arithmetic agree about it.
pub(crate) fn is_askable(moment: DateTime<Utc>) -> bool {
    let last = Utc.with_ymd_and_hms(2262, 1, 1, 0, 0, 0).single().unwrap_or_default();
    (DateTime::UNIX_EPOCH..last).contains(&moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_documented_form() {
        let noon: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        for text in [
            "2026-11-20T12:00:00Z",
            "2026-11-20T14:00:00+02:00",
            "2026-11-20T14:00:00 02:00",
            "1795176000",
            "1795176000000",
        ] {
            assert_eq!(moment(text), Some(noon), "{text}");
        }
        for text in [
            "",
            "noon",
            "-1",
            "9223372036854775807",
            "9e9",
            "2262-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-20",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_or_said_twice_is_refused_by_name() {
        let refused = |text: &str| Query::read(text, &["limit", "from"], None).err().unwrap().problem();
        let unknown = refused("limit=5&limti=6");
        assert_eq!((unknown.code.as_str(), unknown.parameter.as_deref()), ("unknown_parameter", Some("limti")));
        assert_eq!(unknown.allowed.as_deref(), Some("limit, from"));
        assert_eq!(refused("limit=5&limit=6").code, "repeated_parameter");
    }

    #[test]
    fn bounds_are_checked_and_told() {
        let query = |text: &str| Query::read(text, &["limit", "from", "to", "tickers"], None).unwrap();
        for text in
            ["limit=0", "limit=1001", "limit=abc", "limit=", "limit=99999999999999999999", "limit=1.5", "limit=%00"]
        {
            assert!(query(text).number("limit", 1..=1000).is_err(), "{text}");
        }
        assert_eq!(query("limit=1000").number("limit", 1..=1000).unwrap(), Some(1000));
        assert!(query("from=2&to=1").span(Utc::now()).is_err());
        assert!(query("from=4000000000").span(Utc::now()).is_err());
        assert_eq!(query("tickers=BTCUSDT,%20ethusdt").list("tickers", 2).unwrap().unwrap(), ["btcusdt", "ethusdt"]);
        assert!(query("tickers=a,b,c").list("tickers", 2).is_err());
        assert!(query("tickers=a,,c").list("tickers", 5).is_err());
    }
}
