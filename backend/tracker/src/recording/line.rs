//! What one line of a recording says.
//!
//! Three ways of writing are understood at once, line by line: ours, which is cryptofeed's (`1618677408.499744: {…}`, and lines that
//! begin with an address), hftbacktest's (`1721347021080838061 {…}`), and frames alone.

use chrono::{DateTime, Utc};

use super::{CONFIGURATION, CONNECTED, LOST};

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// What the recording is of, as JSON.
    Configuration(&'a str),
    /// A connection was opened.
    Connected(DateTime<Utc>),
    /// A connection was lost.
    Lost(DateTime<Utc>),
    /// This came, at this time where it is told.
    Frame(Option<DateTime<Utc>>, &'a str),
    /// What was sent, an answer by REST, or nothing.
    Other,
    /// Nothing that a recording says.
    Broken,
}

/// Reads a line.
pub fn parse(line: &str) -> Line<'_> {
    let line = line.trim_end_matches(['\n', '\r']);
    if line.trim().is_empty() {
        return Line::Other;
    }
    if let Some(json) = line.strip_prefix(CONFIGURATION) {
        return Line::Configuration(json);
    }
    if ["wss://", "ws://"].iter().any(|scheme| line.starts_with(scheme)) {
        return of_connection(line);
    }
    if line.starts_with("https://") || line.starts_with("http://") {
        return Line::Other;
    }
    if line.starts_with(['{', '[']) {
        return Line::Frame(None, line);
    }
    timed(line).unwrap_or(Line::Broken)
}

fn of_connection(line: &str) -> Line<'_> {
    // Addresses hold no spaces, so that the first mark is the one that counts.
    let Some((_, rest)) = line.split_once(' ') else { return Line::Broken };
    let at = |mark: &str| rest.strip_prefix(mark.trim_start()).map(|time| seconds(time.trim()));
    match (at(CONNECTED), at(LOST)) {
        (Some(Some(at)), _) => Line::Connected(at),
        (_, Some(Some(at))) => Line::Lost(at),
        (Some(None), _) | (_, Some(None)) => Line::Broken,
        _ => Line::Other,
    }
}

/// A frame behind the time when it came.
fn timed(line: &str) -> Option<Line<'_>> {
    let end = line.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (time, rest) = line.split_at(end);
    let (at, text) = match rest.strip_prefix(": ") {
        Some(text) => (seconds(time)?, text),
        None => (whole(time)?, rest.strip_prefix(' ')?),
    };
    (!text.is_empty()).then_some(Line::Frame(Some(at), text))
}

/// Seconds since 1970 with a fraction, of which microseconds are kept.
fn seconds(text: &str) -> Option<DateTime<Utc>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.get(..fraction.len().min(6))?;
    let micros: i64 = format!("{digits:0<6}").parse().ok()?;
    let whole: i64 = whole.parse().ok()?;
    DateTime::from_timestamp_micros(whole.checked_mul(1_000_000)?.checked_add(micros)?)
}

/// A whole number since 1970, of which the size tells the unit: nanoseconds, microseconds, milliseconds or seconds.
fn whole(text: &str) -> Option<DateTime<Utc>> {
    let number: i64 = text.parse().ok()?;
    let micros = match number {
        100_000_000_000_000_000.. => number / 1_000,
        100_000_000_000_000.. => number,
        100_000_000_000.. => number.checked_mul(1_000)?,
        _ => number.checked_mul(1_000_000)?,
    };
    DateTime::from_timestamp_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(micros).unwrap()
    }

    #[test]
    fn each_way_of_writing_is_understood_to_the_microsecond() {
        let moment = at(1_618_677_408_499_744);
        for (line, expected) in [
            ("wss://x.example/ws <-> 1618677408.499744", Line::Connected(moment)),
            ("ws://127.0.0.1:1/ws >-< 1618677408.4997449", Line::Lost(moment)),
            (r#"wss://x.example/ws <- 1618677408.5: {"a":" <-> "}"#, Line::Other),
            (r#"https://x.example/time -> 1618677408.5: {"a":1}"#, Line::Other),
            (r#"configuration: {"a":1}"#, Line::Configuration(r#"{"a":1}"#)),
            ("1618677408.499744: {\"a\":1}\r\n", Line::Frame(Some(moment), r#"{"a":1}"#)),
            ("1618677408.499744: pong", Line::Frame(Some(moment), "pong")),
            ("1618677408: [1]", Line::Frame(Some(at(1_618_677_408_000_000)), "[1]")),
            ("1618677408499744123 {}", Line::Frame(Some(moment), "{}")),
            ("1618677408499744 {}", Line::Frame(Some(moment), "{}")),
            (r#"{"a":1}"#, Line::Frame(None, r#"{"a":1}"#)),
            ("[1]", Line::Frame(None, "[1]")),
            ("", Line::Other),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_none_of_it_is_broken() {
        for line in
            ["hello", "1618677408", "1618677408.4: ", "99999999999999999999 {}", "1.2.3: {}", "wss://x <-> noon"]
        {
            assert_eq!(parse(line), Line::Broken, "{line}");
        }
    }
}
