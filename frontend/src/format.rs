//! Numbers and moments as people read them.
//!
//! Unknown is [`UNKNOWN`] and never 0. The minus is U+2212, as wide as a digit, so that columns of figures stay
//! straight. Nothing here rounds a price further than its ticker's own decimals.

use chrono::{DateTime, TimeDelta, Utc};
use domain::Interval;
use rust_decimal::{Decimal, prelude::ToPrimitive};

use crate::zone::Zone;

/// What stands where a number is not known.
pub(crate) const UNKNOWN: &str = "—";

/// Zeros after the decimal point from which on they are counted instead of written: 0.0₄12 for 0.000012.
const COUNTED_ZEROS: usize = 4;

/// Decimals that a price needs, without trailing zeros.
pub(crate) fn decimals_of(price: Decimal) -> u32 {
    price.normalize().scale()
}

/// A price with its ticker's decimals: `64,250.10`, `0.0₄1234`.
pub(crate) fn price(value: Decimal, decimals: u32) -> String {
    let decimals = decimals as usize;
    dress(&format!("{:.decimals$}", value.round_dp(decimals as u32).abs()), value.is_sign_negative())
}

/// The same for a number that is only drawn.
pub(crate) fn price_f64(value: f64, decimals: u32) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let decimals = decimals as usize;
    dress(&format!("{:.decimals$}", value.abs()), value < 0.0)
}

/// A difference of two prices: always with its sign, except for nothing.
pub(crate) fn signed(value: Decimal, decimals: u32) -> String {
    let text = price(value, decimals);
    if value > Decimal::ZERO && text.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) {
        format!("+{text}")
    } else {
        text
    }
}

/// A change in percent, signed, two decimals: `+1.82%`.
pub(crate) fn percent(value: Option<Decimal>) -> String {
    value.and_then(|value| value.to_f64()).map_or_else(|| UNKNOWN.to_owned(), percent_f64)
}

/// The same for a number that is only drawn.
pub(crate) fn percent_f64(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let digits = format!("{:.2}", value.abs());
    let sign = if digits == "0.00" {
        ""
    } else if value < 0.0 {
        "−"
    } else {
        "+"
    };
    format!("{sign}{}%", dress(&digits, false))
}

/// A part in percent, four decimals: `0.6306%`.
pub(crate) fn share(value: Option<Decimal>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| format!("{}%", price(value, 4)))
}

/// An amount in three digits or so: `12.3M`.
pub(crate) fn amount(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let size = value.abs();
    let (scaled, unit) = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")]
        .into_iter()
        .find(|(unit, _)| size >= *unit)
        .map_or((size, ""), |(unit, name)| (size / unit, name));
    let digits = match scaled {
        _ if size == 0.0 => "0".to_owned(),
        s if s >= 100.0 => format!("{s:.0}"),
        s if s >= 10.0 => format!("{s:.1}"),
        s if s >= 0.01 => format!("{s:.2}"),
        s => format!("{s:.6}"),
    };
    format!("{}{digits}{unit}", if value < 0.0 { "−" } else { "" })
}

/// How long ago something was, short: `now`, `12s`, `3m`, `5h`, `4d`.
pub(crate) fn age(age: TimeDelta) -> String {
    match age.num_seconds() {
        ..1 => "now".to_owned(),
        s @ 1..60 => format!("{s}s"),
        s @ 60..3_600 => format!("{}m", s / 60),
        s @ 3_600..172_800 => format!("{}h", s / 3_600),
        s => format!("{}d", s / 86_400),
    }
}

/// A time that is mostly less than a second: `120 ms`, `2.4 s`.
pub(crate) fn short(time: TimeDelta) -> String {
    match time.num_milliseconds() {
        ms @ ..1_000 => format!("{ms} ms"),
        ms => format!("{:.1} s", ms as f64 / 1e3),
    }
}

/// How long until something is tried: `12 s`, or `now` when it is due.
pub(crate) fn countdown(left: TimeDelta) -> String {
    // Rounded up: "0 s" for most of a second looks stuck.
    match (left.num_milliseconds() + 999) / 1_000 {
        ..1 => "now".to_owned(),
        s @ 1..120 => format!("in {s} s"),
        s => format!("in {} min", s / 60),
    }
}

/// The same in a sentence: `now`, `12s ago`.
pub(crate) fn ago(since: TimeDelta) -> String {
    match age(since).as_str() {
        "now" => "now".to_owned(),
        age => format!("{age} ago"),
    }
}

/// The label of a candle's time: its day, and its minute where candles are narrower than a day.
pub(crate) fn candle_time(time: DateTime<Utc>, interval: Interval, zone: Zone) -> String {
    if interval >= Interval::OneDay { time.format("%a %Y-%m-%d").to_string() } else { clock(time, zone) }
}

/// The time of day on a clock without seconds: one with them would be drawn anew each second.
pub(crate) fn clock(time: DateTime<Utc>, zone: Zone) -> String {
    zone.of(time).format("%Y-%m-%d %H:%M %Z").to_string()
}

/// A moment to the second: `2026-11-20 12:00:08 UTC`.
pub(crate) fn moment(time: DateTime<Utc>, zone: Zone) -> String {
    zone.of(time).format("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// Puts in thousands separators and the sign, and counts the zeros of tiny numbers.
fn dress(digits: &str, negative: bool) -> String {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut text = String::with_capacity(digits.len() + 8);
    if negative && digits.bytes().any(|digit| digit.is_ascii_digit() && digit != b'0') {
        text.push('−');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let zeros = fraction.bytes().take_while(|digit| *digit == b'0').count();
    if fraction.is_empty() {
        return text;
    }
    text.push('.');
    if whole == "0" && zeros >= COUNTED_ZEROS && zeros < fraction.len() {
        text.push('0');
        text.extend(zeros.to_string().bytes().filter_map(subscript));
        text.push_str(&fraction[zeros..]);
    } else {
        text.push_str(fraction);
    }
    text
}

fn subscript(digit: u8) -> Option<char> {
    char::from_u32(u32::from('₀') + u32::from(digit.checked_sub(b'0')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn prices_keep_their_tickers_decimals() {
        assert_eq!(price(decimal("64250.1"), 2), "64,250.10");
        assert_eq!(price(decimal("1234567"), 0), "1,234,567");
        assert_eq!(price(decimal("999.99"), 2), "999.99");
        assert_eq!(price(decimal("-1234.5"), 1), "−1,234.5");
        assert_eq!(price(decimal("0.10"), 4), "0.1000");
        assert_eq!(price_f64(60_362.7, 2), "60,362.70");
        assert_eq!(price_f64(f64::NAN, 2), UNKNOWN);
        assert_eq!(decimals_of(decimal("64250.0100")), 2);
        assert_eq!(decimals_of(decimal("100")), 0);
    }

    #[test]
    fn tiny_prices_count_their_zeros() {
        assert_eq!(price(decimal("0.00001234"), 8), "0.0₄1234");
        assert_eq!(price(decimal("0.0000000000012"), 13), "0.0₁₁12");
        assert_eq!(price(decimal("0.0001234"), 7), "0.0001234");
        assert_eq!(price(decimal("0.00000000"), 8), "0.00000000");
    }

    #[test]
    fn changes_carry_a_sign_that_is_as_wide_as_a_digit() {
        assert_eq!(percent(Some(decimal("1.82"))), "+1.82%");
        assert_eq!(percent(Some(decimal("-0.11"))), "−0.11%");
        assert_eq!(percent(Some(decimal("0.001"))), "0.00%");
        assert_eq!(percent(Some(decimal("12345.6"))), "+12,345.60%");
        assert_eq!(percent(None), "—");
    }

    #[test]
    fn amounts_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.5, "0.50"),
            (0.0012, "0.001200"),
            (12.25, "12.2"),
            (112.0, "112"),
            (1_234.0, "1.23K"),
            (18_234_511.25, "18.2M"),
            (2.5e9, "2.50B"),
            (3e12, "3.00T"),
        ] {
            assert_eq!(amount(value), text);
        }
    }

    #[test]
    fn ages_and_waits_are_words() {
        for (seconds, text) in [(-5, "now"), (0, "now"), (12, "12s"), (185, "3m"), (7_300, "2h"), (400_000, "4d")] {
            assert_eq!(age(TimeDelta::seconds(seconds)), text);
        }
        assert_eq!([12, 2_430].map(|ms| short(TimeDelta::milliseconds(ms))), ["12 ms", "2.4 s"]);
        assert_eq!(countdown(TimeDelta::milliseconds(11_200)), "in 12 s");
        assert_eq!(countdown(TimeDelta::milliseconds(-3)), "now");
        assert_eq!(countdown(TimeDelta::seconds(600)), "in 10 min");
    }
}
