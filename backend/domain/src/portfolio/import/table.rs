//! A file as a header and records, the lines in which they stand, and made-up names for them.

use std::collections::HashMap;

use csv::{Reader, ReaderBuilder, StringRecord};

use super::cells::{Column, spelled_alike};
use super::{Format, Layout, Unreadable};

/// Among so many lines that are not empty the header is looked for.
const HEADER_WITHIN: usize = 50;

/// A header has at most so many bytes; what is longer is cut.
const LONGEST_HEADER: usize = 10_000;

/// The names of columns.
pub(super) struct Header {
    names: Vec<String>,
}

impl Header {
    /// A line of a file, taken for a header.
    pub(super) fn of(line: &str, delimiter: u8) -> Self {
        let line = line.get(..line.floor_char_boundary(LONGEST_HEADER)).unwrap_or(line);
        let cells = reader(line, delimiter).into_records().next().and_then(Result::ok).unwrap_or_default();
        Self { names: cells.iter().map(|name| name.trim().to_owned()).collect() }
    }

    /// Where a column stands.
    pub(super) fn place(&self, column: Column) -> Option<usize> {
        self.names.iter().position(|name| column.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }

    /// What the file calls a column.
    pub(super) fn name(&self, column: Column) -> &str {
        let name = self.place(column).and_then(|place| self.names.get(place));
        name.map_or_else(|| column.first().copied().unwrap_or_default(), String::as_str)
    }

    /// Which of these columns are not there.
    pub(super) fn missing(&self, columns: &[Column]) -> Vec<&'static str> {
        let missing = columns.iter().filter(|column| self.place(column).is_none());
        missing.filter_map(|column| column.first().copied()).collect()
    }

    /// How many columns there are, and the name of the last.
    pub(super) fn last(&self) -> (usize, &str) {
        (self.names.len(), self.names.last().map_or("", String::as_str))
    }
}

/// A file with a header.
pub(super) struct Table<'a> {
    pub(super) layout: &'static Layout,
    pub(super) header: Header,
    text: &'a str,
    /// Where the header ends.
    behind_header: usize,
}

impl<'a> Table<'a> {
    /// Looks for the header. What stands before it is passed over.
    pub(super) fn of(format: Format, text: &'a str) -> Result<Self, Unreadable> {
        let text = without_mark(text);
        let mut nearest: Option<Vec<&'static str>> = None;
        for (begin, line) in first_lines(text) {
            let header = Header::of(line, b',');
            for layout in format.layouts() {
                let missing = header.missing(layout.needed);
                if missing.is_empty() {
                    return Ok(Self { layout, header, text, behind_header: begin + line.len() });
                }
                if nearest.as_ref().is_none_or(|nearest| missing.len() < nearest.len()) {
                    nearest = Some(missing);
                }
            }
        }
        let missing = nearest.ok_or(Unreadable::Empty)?;
        Err(Unreadable::NoHeader { format, missing, advice: advice(format, text) })
    }

    /// What stands below the header.
    pub(super) fn records(&self) -> Records<'a> {
        let below = self.text.get(self.behind_header..).unwrap_or_default();
        Records { reader: reader(below, b','), text: self.text, begin: self.behind_header, counted: 0, number: 1 }
    }
}

/// What may help who gave a file that has no header of this format.
fn advice(format: Format, text: &str) -> &'static str {
    match Format::recognise(text) {
        Some(Format::Own) => return "; it is a file of the format own",
        Some(Format::Binance) => return "; it is a file of the format binance",
        Some(Format::Coinbase) => return "; it is a file of the format coinbase",
        Some(Format::Kraken) => return "; it is a file of the format kraken",
        None => {}
    }
    let is_divided_by = |delimiter: u8| {
        first_lines(text).any(|(_, line)| {
            let header = Header::of(line, delimiter);
            format.layouts().iter().any(|layout| header.missing(layout.needed).is_empty())
        })
    };
    match [b';', b'\t'].into_iter().find(|delimiter| is_divided_by(*delimiter)) {
        Some(b';') => "; its cells are divided by semicolons: save it with commas",
        Some(_) => "; its cells are divided by tabs: save it with commas",
        None => "",
    }
}

/// The records of a file, one after the other.
pub(super) struct Records<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    /// Where the reader began.
    begin: usize,
    /// Up to where lines are counted.
    counted: usize,
    number: u64,
}

impl Records<'_> {
    /// Reads the next record in which something stands, and tells in which line it begins.
    pub(super) fn next(&mut self, record: &mut StringRecord) -> Result<Option<u64>, Unreadable> {
        loop {
            // Of the reader's own count of lines: it stands before the line breaks and empty lines that it passes over.
            let begin = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
            if !self.reader.read_record(record).map_err(|error| Unreadable::NoCsv(error.to_string()))? {
                return Ok(None);
            }
            if record.iter().any(|cell| !cell.trim().is_empty()) {
                return Ok(Some(self.line(self.begin.saturating_add(begin))));
            }
        }
    }

    /// The number of the line that begins here, or behind the line breaks that stand here.
    fn line(&mut self, begin: usize) -> u64 {
        let mut rest = self.text.as_bytes().get(self.counted..).unwrap_or_default();
        while let [byte, behind @ ..] = rest {
            if self.counted >= begin && !matches!(byte, b'\n' | b'\r') {
                break;
            }
            // Lines end with \n, with \r\n, or, on old machines, with \r.
            if *byte == b'\n' || (*byte == b'\r' && behind.first() != Some(&b'\n')) {
                self.number += 1;
            }
            self.counted += 1;
            rest = behind;
        }
        self.number
    }
}

/// Names made of what records say.
#[derive(Default)]
pub(super) struct Names {
    seen: HashMap<u64, u32>,
}

impl Names {
    /// The same for the same cells, however their numbers and moments are written, in whatever order the columns stand and whatever
    /// other columns there are. Records that say the same are numbered.
    pub(super) fn of(&mut self, table: &Table<'_>, record: &StringRecord) -> String {
        let columns = table.layout.needed.iter().chain(table.layout.optional);
        let cells =
            columns.map(|column| table.header.place(column).and_then(|place| record.get(place)).unwrap_or_default());
        let hash = fingerprint(cells);
        let seen = self.seen.entry(hash).or_default();
        *seen += 1;
        if *seen == 1 { format!("{hash:016x}") } else { format!("{hash:016x}-{seen}") }
    }
}

/// FNV-1a over what the cells say, a separator behind each.
fn fingerprint<'a>(cells: impl Iterator<Item = &'a str>) -> u64 {
    let of_byte = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    cells.fold(0xcbf2_9ce4_8422_2325, |hash, cell| of_byte(spelled_alike(cell).bytes().fold(hash, of_byte), 0x1f))
}

/// The first lines that are not empty, and where they begin.
pub(super) fn first_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    let lines = text.split(['\n', '\r']).map(move |line| {
        let begin = next;
        next += line.len() + 1;
        (begin, line)
    });
    lines.filter(|(_, line)| !without_mark(line).trim().is_empty()).take(HEADER_WITHIN)
}

/// Without the mark that some programs put before UTF-8.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn reader(text: &str, delimiter: u8) -> Reader<&[u8]> {
    let text = without_mark(text).as_bytes();
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text)
}
