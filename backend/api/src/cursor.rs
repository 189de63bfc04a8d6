//! Where a page ended, as text that goes through a URL.
//!
//! Hexadecimal: eight bytes of microseconds since 1970, then eight of the trade's number where the row has one. Clients
//! pass it back as they got it and must not read it.

use chrono::DateTime;
use database::prices::TickPosition;

use crate::error::Failure;

/// Writes a position.
pub(crate) fn write(position: TickPosition) -> String {
    let time = position.time.timestamp_micros();
    match position.trade_id {
        Some(trade_id) => format!("{time:016x}{trade_id:016x}"),
        None => format!("{time:016x}"),
    }
}

/// Reads a position.
pub(crate) fn read(text: &str) -> Result<TickPosition, Failure> {
    parse(text).ok_or_else(|| {
        let message = "this is not a cursor that an earlier answer gave";
        Failure::parameter("cursor", text, message, "next_cursor of the page before, unchanged")
    })
}

fn parse(text: &str) -> Option<TickPosition> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return None;
    }
    let number = |part: &str| u64::from_str_radix(part, 16).ok().and_then(|number| i64::try_from(number).ok());
    let (time, trade_id) = match text.len() {
        16 => (number(text)?, None),
        32 => (number(&text[..16])?, Some(number(&text[16..])?)),
        _ => return None,
    };
    /// The first moment of 2262, before which all our moments lie.
    const END: i64 = 9_214_646_400_000_000;
    let time = (time < END).then(|| DateTime::from_timestamp_micros(time)).flatten()?;
    Some(TickPosition { time, trade_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_anything_else_is_refused() {
        let time = DateTime::from_timestamp_micros(1_795_176_000_123_456).unwrap();
        for trade_id in [None, Some(0), Some(i64::MAX)] {
            let position = TickPosition { time, trade_id };
            assert_eq!(parse(&write(position)), Some(position));
        }
        for text in [
            "",
            "0",
            "xyz",
            "0006",
            "000660b7c9d5e2c0 ",
            "ffffffffffffffff",
            "7fffffffffffffff",
            "+00660b7c9d5e2c0",
            "ä".repeat(8).as_str(),
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
