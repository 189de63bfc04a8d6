//! Decimals as JSON text, exactly.
//!
//! `Decimal`'s own deserializer rounds what does not fit and takes JSON numbers through `f64`. A price must do
//! neither: it is a string, it is read digit for digit, and what cannot be held exactly is an error.

use std::{borrow::Cow, fmt};

use rust_decimal::Decimal;
use serde::{Deserializer, Serializer, de};

/// Reads a decimal exactly and drops trailing zeros, which carry no value (`"0.00120000"` becomes `0.0012`).
///
/// # Errors
/// When the text is not a plain decimal number (an exponent is not one), or has more digits than 28.
pub fn parse(text: &str) -> Result<Decimal, rust_decimal::Error> {
    // Dropped as text: dividing zeros off a number takes longer than reading it.
    let significant = match text.split_once('.') {
        Some((whole, fraction)) => match fraction.trim_end_matches('0').len() {
            0 => whole,
            digits => &text[..=whole.len() + digits],
        },
        None => text,
    };
    Decimal::from_str_exact(significant)
}

/// Without the commas between thousands (`-1,234.5` is `-1234.5`). `None` where a comma stands elsewhere and may mean something else, as before
/// decimals.
pub fn without_commas(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(',') {
        return Some(Cow::Borrowed(text));
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut groups = whole.trim_start_matches(['-', '+']).split(',');
    let is_first = |group: &str| (1..=3).contains(&group.len()) && !group.starts_with('0');
    let is_right =
        groups.next().is_some_and(is_first) && groups.all(|group| group.len() == 3) && !fraction.contains(',');
    is_right.then(|| Cow::Owned(text.replace(',', "")))
}

/// Reads the text of a JSON number exactly, with an exponent where it has one (`6.1e-7` is `0.00000061`).
///
/// # Errors
/// When it is none, or cannot be held in 28 digits: nothing is rounded.
pub fn parse_number(text: &str) -> Result<Decimal, rust_decimal::Error> {
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else { return parse(text) };
    let too_far = || rust_decimal::Error::ScaleExceedsMaximumPrecision(u32::MAX);
    let exponent: i32 = exponent.parse().map_err(|_| too_far())?;
    let mut number = parse(digits)?;
    if number.is_zero() {
        return Ok(Decimal::ZERO);
    }
    let scale = i64::from(number.scale()) - i64::from(exponent);
    if let Ok(scale) = u32::try_from(scale) {
        number.set_scale(scale)?;
        return Ok(number.normalize());
    }
    number.set_scale(0)?;
    let power = u32::try_from(-scale).ok().filter(|power| *power <= Decimal::MAX_SCALE).ok_or_else(too_far)?;
    let mut unit = Decimal::ONE;
    for _ in 0..power {
        unit = unit.checked_mul(Decimal::TEN).ok_or_else(too_far)?;
    }
    number.checked_mul(unit).ok_or_else(too_far)
}

/// Writes the decimal as a JSON string.
///
/// # Errors
/// Whatever the serializer reports.
pub fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Reads a decimal from a JSON string.
///
/// # Errors
/// When it is not a string, or [`parse`] refuses it.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    deserializer.deserialize_str(TextVisitor)
}

struct TextVisitor;

impl de::Visitor<'_> for TextVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number as a string, such as \"64250.01\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        parse(text).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// The same for a number that may be absent.
pub mod option {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the decimal as a JSON string, or null.
    ///
    /// # Errors
    /// Whatever the serializer reports.
    pub fn serialize<S: Serializer>(value: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a decimal from a JSON string, or null.
    ///
    /// # Errors
    /// When it is neither, or [`super::parse`] refuses it.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
        #[derive(Deserialize)]
        struct Text(#[serde(with = "super")] Decimal);
        Ok(Option::<Text>::deserialize(deserializer)?.map(|text| text.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_digit_and_drops_trailing_zeros() {
        for (text, expected) in [
            ("64250.01000000", "64250.01"),
            ("0.00000001", "0.00000001"),
            ("7922816251426433759354395033.5", "7922816251426433759354395033.5"),
            ("100", "100"),
            ("100.000", "100"),
            ("-0.50", "-0.5"),
            ("0.0", "0"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_number_with_an_exponent_keeps_every_digit_too() {
        for (text, expected) in [
            ("6.1e-7", "0.00000061"),
            ("1.234567890123456E-9", "0.000000001234567890123456"),
            ("1.5e3", "1500"),
            ("1.2345e+2", "123.45"),
            ("12e0", "12"),
            ("0e99", "0"),
            ("64250.0100", "64250.01"),
            ("1e28", "10000000000000000000000000000"),
        ] {
            assert_eq!(parse_number(text).unwrap().to_string(), expected);
        }
        for text in
            ["1e29", "1e-29", "1.5e999999999999", "1e", "e5", "null", "1e2e3", "79228162514264337593543950335e1"]
        {
            assert!(parse_number(text).is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn refuses_what_it_would_have_to_round_or_guess() {
        for text in
            ["", "abc", "1e5", "NaN", "inf", "0.12345678901234567890123456789012345", "1.2.3", "1..0", ".", " 1"]
        {
            assert!(parse(text).is_err(), "{text:?} must be refused");
        }
    }
}
