//! What exchanges write in more than one way: numbers, times, sides.

use std::fmt;

use chrono::{DateTime, Utc};
use domain::{Side, decimal_text};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::exchange::UnreadableFrame;

/// A decimal, whether the exchange writes it as a number of JSON or as a string, with an exponent or without: read digit for
/// digit, never through a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(pub Decimal);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let text = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(raw);
        decimal_text::parse_number(text)
            .map(Self)
            .map_err(|_| de::Error::invalid_value(de::Unexpected::Str(text), &"a decimal number, such as 64250.01"))
    }
}

/// A decimal that may be left out: absent, null, or the empty string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Perhaps(pub Option<Decimal>);

impl<'de> Deserialize<'de> for Perhaps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if matches!(raw, "null" | "\"\"") {
            return Ok(Self(None));
        }
        serde_json::from_str::<Number>(raw).map(|number| Self(Some(number.0))).map_err(de::Error::custom)
    }
}

impl Perhaps {
    /// The number, unless it is zero, which some exchanges write where there is none.
    pub fn positive(self) -> Option<Decimal> {
        self.0.filter(|number| !number.is_zero())
    }
}

/// The step of a pair's prices or quantities. What is no positive number is none: a catalogue does not fail for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step(pub Option<Decimal>);

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let number = serde_json::from_str::<Number>(raw).ok();
        Ok(Self(number.map(|number| number.0).filter(|number| *number > Decimal::ZERO)))
    }
}

/// The step of numbers that are written with so many decimals.
pub fn step_of_decimals(decimals: Option<i64>) -> Option<Decimal> {
    let decimals = decimals.and_then(|decimals| u32::try_from(decimals).ok());
    decimals.filter(|decimals| *decimals <= Decimal::MAX_SCALE).map(|decimals| Decimal::new(1, decimals))
}

/// A whole number, whether it is written as a number of JSON or as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Whole;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole(number))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
                i64::try_from(number).map(Whole).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Whole, E> {
                text.parse().map(Whole).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The moment so many milliseconds after 1970 began.
///
/// # Errors
/// When there is none; `field` is named.
pub fn from_ms(field: &str, ms: i64) -> Result<DateTime<Utc>, UnreadableFrame> {
    DateTime::from_timestamp_millis(ms).ok_or_else(|| UnreadableFrame::new(format!("{field} {ms} is no time")))
}

/// The moment so many microseconds after 1970 began.
///
/// # Errors
/// When there is none; `field` is named.
pub fn from_us(field: &str, us: i64) -> Result<DateTime<Utc>, UnreadableFrame> {
    DateTime::from_timestamp_micros(us).ok_or_else(|| UnreadableFrame::new(format!("{field} {us} is no time")))
}

/// The moment in an RFC 3339 text, to the microsecond, which is what is kept.
///
/// # Errors
/// When it is none; `field` is named.
pub fn from_rfc3339(field: &str, text: &str) -> Result<DateTime<Utc>, UnreadableFrame> {
    let moment =
        DateTime::parse_from_rfc3339(text).map_err(|_| UnreadableFrame::new(format!("{field} {text:?} is no time")))?;
    Ok(to_microseconds(moment.to_utc()))
}

/// What is kept of a moment: whole microseconds, the rest cut off.
pub fn to_microseconds(moment: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(moment.timestamp_micros()).unwrap_or(moment)
}

/// The side that took the liquidity, of a word for it in any case.
///
/// # Errors
/// When it is neither `buy` nor `sell`.
pub fn side(word: &str) -> Result<Side, UnreadableFrame> {
    if word.eq_ignore_ascii_case("buy") {
        Ok(Side::Buy)
    } else if word.eq_ignore_ascii_case("sell") {
        Ok(Side::Sell)
    } else {
        Err(UnreadableFrame::new(format!("side {word:?} is neither buy nor sell")))
    }
}

/// The other side: of a maker's, the taker's.
pub fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_digit_for_digit_however_they_are_written() {
        for (text, expected) in [
            ("64250.010", "64250.01"),
            (r#""64250.010""#, "64250.01"),
            ("4.9e-7", "0.00000049"),
            (r#""1.431E-05""#, "0.00001431"),
            ("0.1000000000000000055511151231", "0.1000000000000000055511151231"),
        ] {
            let Number(number) = serde_json::from_str(text).unwrap();
            assert_eq!(number.to_string(), expected, "{text}");
        }
        for text in ["true", "[]", r#""""#, r#""x""#, "1e99", "null"] {
            assert!(serde_json::from_str::<Number>(text).is_err(), "{text}");
        }
        for text in ["null", r#""""#] {
            assert_eq!(serde_json::from_str::<Perhaps>(text).unwrap(), Perhaps(None), "{text}");
        }
        assert_eq!(serde_json::from_str::<Perhaps>("0.0").unwrap().positive(), None);
        assert_eq!(serde_json::from_str::<Whole>(r#""17""#).unwrap(), serde_json::from_str::<Whole>("17").unwrap());
        assert!(serde_json::from_str::<Whole>("1.5").is_err());
    }

    #[test]
    fn times_that_are_none_are_named() {
        assert!(from_ms("ts", i64::MAX).unwrap_err().to_string().contains("ts"));
        assert!(from_rfc3339("time", "noon").unwrap_err().to_string().contains("noon"));
        let moment = from_rfc3339("time", "2026-11-20T12:00:00.123456789+01:00").unwrap();
        assert_eq!(moment, from_us("x", moment.timestamp_micros()).unwrap());
    }
}
