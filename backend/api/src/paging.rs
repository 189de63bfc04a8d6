//! Lists that are read whole and answered in pages.
//!
//! A cursor is the name of the last row of the page before, in hexadecimal. The next page begins behind that row,
//! wherever it stands by then; a row that is gone is told.

use utoipa::IntoParams;

use crate::{
    error::Failure,
    parameters::{FromQuery, Query},
};

/// Which part of a list is wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// How many on a page. All where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, example = 1000)]
    pub(crate) limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    pub(crate) cursor: Option<String>,
}

impl FromQuery for Paging {
    const NAMES: &'static [&'static str] = &["limit", "cursor"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let limit = query.number("limit", 1..=1_000)?.and_then(|limit| usize::try_from(limit).ok());
        let cursor = query.cursor()?.map(decode).transpose()?;
        Ok(Self { limit, cursor })
    }
}

impl Paging {
    /// How many rows must be read for this page, where at most so many are: one more than are told, which says whether there
    /// is another page; behind the first page all, since nobody knows where the last one ended.
    pub(crate) fn rows_to_read(&self, most: i64) -> i64 {
        match (self.limit.map(i64::try_from), &self.cursor) {
            (Some(Ok(limit)), None) => most.min(limit + 1),
            _ => most,
        }
    }

    /// The page, and the cursor of the next one. Each row has a name of its own.
    ///
    /// # Errors
    /// When the row that the cursor names is not there.
    pub(crate) fn cut<R>(
        &self,
        rows: Vec<R>,
        name: impl Fn(&R) -> String,
    ) -> Result<(Vec<R>, Option<String>), Failure> {
        let begin = match &self.cursor {
            None => 0,
            Some(last) => match rows.iter().position(|row| name(row) == *last) {
                Some(index) => index + 1,
                None => return Err(not_there(last)),
            },
        };
        let end = self.limit.map_or(rows.len(), |limit| rows.len().min(begin + limit));
        let next = (end < rows.len()).then(|| rows[..end].last().map(|row| encode(&name(row)))).flatten();
        Ok((rows.into_iter().take(end).skip(begin).collect(), next))
    }
}

fn not_there(name: &str) -> Failure {
    let detail = "the row behind which this page begins is not in this list; begin with the first page";
    Failure::parameter(
        "cursor",
        &encode(name),
        detail,
        "next_cursor of the page before, with the same other parameters",
    )
}

fn encode(name: &str) -> String {
    name.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn decode(text: &str) -> Result<String, Failure> {
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        let detail = "this is not a cursor that an earlier answer gave";
        Failure::parameter("cursor", text, detail, "next_cursor of the page before, unchanged")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_any_size_hold_every_row_once() {
        let rows: Vec<u32> = (0..10).collect();
        for limit in 1..=11 {
            let (mut all, mut cursor, mut pages) = (Vec::new(), None, 0);
            loop {
                let paging = Paging { limit: Some(limit), cursor };
                let (page, next) = paging.cut(rows.clone(), ToString::to_string).unwrap();
                all.extend(page);
                pages += 1;
                match next {
                    Some(next) => cursor = Some(decode(&next).unwrap()),
                    None => break,
                }
            }
            assert_eq!((all, pages), (rows.clone(), 10_usize.div_ceil(limit)), "{limit}");
        }
    }

    #[test]
    fn a_cursor_is_read_back_and_anything_else_is_refused() {
        for name in ["", "binance BTCUSDT", "ä"] {
            assert_eq!(decode(&encode(name)).unwrap(), name);
        }
        for text in ["0", "xy", "ff", "4A", "é"] {
            assert!(decode(text).is_err(), "{text}");
        }
        let gone = Paging { limit: None, cursor: Some("11".to_owned()) }.cut(vec![1, 2], ToString::to_string);
        assert_eq!(gone.unwrap_err().problem().parameter.as_deref(), Some("cursor"));
    }
}
