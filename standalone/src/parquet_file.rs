//! Rows as a Parquet file, exact and in memory that does not grow.
//!
//! What holds: a decimal is written as it is or not at all, as `DECIMAL(38, 18)`; moments are microseconds of UTC; no more rows
//! are in memory than one group has. Only the low-level writer of the crate is used: arrow's arrays would be compiled for
//! nothing but to be taken apart again.

use std::{io::Write, sync::Arc};

use api_types::{CandleRow, TickRow};
use chrono::{DateTime, Utc};
use parquet::{
    basic::{Compression, Encoding, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int64Type},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::{
        parser::parse_message_type,
        types::{ColumnDescriptor, SchemaDescriptor},
    },
};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use smol_str::SmolStr;

/// Rows of a group, which are in memory at once; as many as DuckDB puts into one.
const GROUP: usize = 122_880;
/// Values handed to the writer at once.
const PART: usize = 4_096;
/// Digits behind the point of a `DECIMAL(38, 18)`, and the first whole number that has too many digits.
const SCALE: u32 = 18;
const TOO_LARGE: u128 = 10_u128.pow(38);

/// A row of a file.
pub(crate) trait Record: DeserializeOwned {
    /// The columns, as Parquet writes them down.
    const SCHEMA: &'static str;

    /// The row's cells, in the order of the columns.
    fn cells(self) -> impl Iterator<Item = Cell>;
}

/// What stands in a column of a row.
pub(crate) enum Cell {
    Decimal(Option<Decimal>),
    Time(Option<DateTime<Utc>>),
    Whole(Option<i64>),
    Text(Option<String>),
    Flag(bool),
}

impl Record for TickRow {
    const SCHEMA: &'static str = "message ticks {
        optional int64 trade_id;
        required fixed_len_byte_array(16) price (DECIMAL(38,18));
        optional fixed_len_byte_array(16) quantity (DECIMAL(38,18));
        optional byte_array taker_side (STRING);
        optional int64 exchange_time (TIMESTAMP(MICROS,true));
        required int64 received_at (TIMESTAMP(MICROS,true));
        required int64 stored_at (TIMESTAMP(MICROS,true));
        required byte_array source (STRING);
    }";

    fn cells(self) -> impl Iterator<Item = Cell> {
        [
            Cell::Whole(self.trade_id),
            Cell::Decimal(Some(self.price)),
            Cell::Decimal(self.quantity),
            Cell::Text(self.taker_side),
            Cell::Time(self.exchange_time),
            Cell::Time(Some(self.received_at)),
            Cell::Time(Some(self.stored_at)),
            Cell::Text(Some(self.source)),
        ]
        .into_iter()
    }
}

impl Record for CandleRow {
    const SCHEMA: &'static str = "message candles {
        required int64 open_time (TIMESTAMP(MICROS,true));
        required fixed_len_byte_array(16) open (DECIMAL(38,18));
        required fixed_len_byte_array(16) high (DECIMAL(38,18));
        required fixed_len_byte_array(16) low (DECIMAL(38,18));
        required fixed_len_byte_array(16) close (DECIMAL(38,18));
        required fixed_len_byte_array(16) volume (DECIMAL(38,18));
        required fixed_len_byte_array(16) quote_volume (DECIMAL(38,18));
        required int64 trades;
        required boolean final;
        required int64 revision;
        required byte_array origin (STRING);
        required int64 untold_minutes;
    }";

    fn cells(self) -> impl Iterator<Item = Cell> {
        [
            Cell::Time(Some(self.open_time)),
            Cell::Decimal(Some(self.open)),
            Cell::Decimal(Some(self.high)),
            Cell::Decimal(Some(self.low)),
            Cell::Decimal(Some(self.close)),
            Cell::Decimal(Some(self.volume)),
            Cell::Decimal(Some(self.quote_volume)),
            Cell::Whole(Some(self.trades)),
            Cell::Flag(self.is_final),
            Cell::Whole(Some(self.revision)),
            Cell::Text(Some(self.origin)),
            Cell::Whole(Some(self.untold_minutes)),
        ]
        .into_iter()
    }
}

/// A row cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadFile {
    /// A decimal would have to be rounded.
    #[error(
        "row {row}, column {column}: {value} does not fit DECIMAL(38, 18) exactly, and nothing is rounded; export as csv or jsonl instead (--format)"
    )]
    DoesNotFit { row: u64, column: String, value: Decimal },
    /// A row and its schema disagree.
    #[error("row {row}: what stands in column {column} is of another kind than the column")]
    Kind { row: u64, column: String },
    /// The writer, or the disk below it.
    #[error("the Parquet file cannot be written: {0}")]
    Parquet(#[from] ParquetError),
}

/// A file that is written.
pub(crate) struct ParquetFile<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Column>,
    /// Of the group that is being filled.
    rows: usize,
    /// Of all groups.
    all: u64,
}

impl<W: Write + Send> ParquetFile<W> {
    /// Begins a file of such rows. What it is about stands in its metadata.
    pub(crate) fn begin<R: Record>(out: W, about: &[(&str, &str)]) -> Result<Self, BadFile> {
        let schema = Arc::new(parse_message_type(R::SCHEMA)?);
        let descriptor = SchemaDescriptor::new(Arc::clone(&schema));
        let about = about.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned())).collect();
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(Default::default()))
            .set_created_by(concat!("crypto-tracker ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(about));
        for column in descriptor.columns().iter().filter(|column| column.physical_type() == Physical::INT64) {
            // Moments and numbers that grow hardly repeat; their differences are small.
            properties = properties
                .set_column_dictionary_enabled(column.path().clone(), false)
                .set_column_encoding(column.path().clone(), Encoding::DELTA_BINARY_PACKED);
        }
        let columns = descriptor.columns().iter().map(|column| Column::of(column)).collect::<Result<_, _>>()?;
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties.build()))?;
        Ok(Self { writer, columns, rows: 0, all: 0 })
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: impl Record) -> Result<(), BadFile> {
        self.all += 1;
        for (column, cell) in self.columns.iter_mut().zip(row.cells()) {
            column.push(cell, self.all)?;
        }
        self.rows += 1;
        if self.rows == GROUP { self.write_group() } else { Ok(()) }
    }

    /// Writes what is left, and gives back what was written to.
    pub(crate) fn end(mut self) -> Result<W, BadFile> {
        if self.rows > 0 {
            self.write_group()?;
        }
        Ok(self.writer.into_inner()?)
    }

    fn write_group(&mut self) -> Result<(), BadFile> {
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            if let Some(mut writer) = group.next_column()? {
                column.write(&mut writer)?;
                writer.close()?;
            }
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

/// The values of a column in the group that is being filled.
struct Column {
    name: String,
    may_miss: bool,
    /// For each row, 1 where there is a value.
    levels: Vec<i16>,
    values: Values,
}

enum Values {
    Decimal(Vec<i128>),
    Whole(Vec<i64>),
    Text(Vec<SmolStr>),
    Flag(Vec<bool>),
}

impl Column {
    fn of(column: &ColumnDescriptor) -> Result<Self, ParquetError> {
        let values = match column.physical_type() {
            Physical::FIXED_LEN_BYTE_ARRAY => Values::Decimal(Vec::new()),
            Physical::INT64 => Values::Whole(Vec::new()),
            Physical::BYTE_ARRAY => Values::Text(Vec::new()),
            Physical::BOOLEAN => Values::Flag(Vec::new()),
            other => return Err(ParquetError::NYI(format!("columns of {other}"))),
        };
        let may_miss = column.max_def_level() > 0;
        Ok(Self { name: column.name().to_owned(), may_miss, levels: Vec::new(), values })
    }

    fn push(&mut self, cell: Cell, row: u64) -> Result<(), BadFile> {
        let is_there = match (&mut self.values, cell) {
            (Values::Decimal(values), Cell::Decimal(value)) => {
                let exact = value.map(|value| {
                    let column = self.name.clone();
                    scaled(value).ok_or(BadFile::DoesNotFit { row, column, value })
                });
                kept(values, exact.transpose()?)
            }
            (Values::Whole(values), Cell::Whole(value)) => kept(values, value),
            (Values::Whole(values), Cell::Time(value)) => kept(values, value.map(|time| time.timestamp_micros())),
            (Values::Text(values), Cell::Text(value)) => kept(values, value.map(SmolStr::from)),
            (Values::Flag(values), Cell::Flag(value)) => kept(values, Some(value)),
            _ => return Err(BadFile::Kind { row, column: self.name.clone() }),
        };
        if !is_there && !self.may_miss {
            return Err(BadFile::Kind { row, column: self.name.clone() });
        }
        self.levels.push(i16::from(is_there));
        Ok(())
    }

    /// Writes the values, and forgets them.
    fn write(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = Levels { levels: &self.levels, may_miss: self.may_miss };
        match &mut self.values {
            Values::Decimal(values) => levels.write::<FixedLenByteArrayType, _>(writer, values, |value| {
                FixedLenByteArray::from(value.to_be_bytes().to_vec())
            }),
            Values::Whole(values) => levels.write::<Int64Type, _>(writer, values, |value| *value),
            Values::Text(values) => {
                levels.write::<ByteArrayType, _>(writer, values, |value| ByteArray::from(value.as_str()))
            }
            Values::Flag(values) => levels.write::<BoolType, _>(writer, values, |value| *value),
        }?;
        self.levels.clear();
        Ok(())
    }
}

fn kept<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let is_there = value.is_some();
    values.extend(value);
    is_there
}

/// In which rows there is a value.
struct Levels<'a> {
    levels: &'a [i16],
    may_miss: bool,
}

impl Levels<'_> {
    fn write<T: DataType, V>(
        &self,
        writer: &mut SerializedColumnWriter<'_>,
        values: &mut Vec<V>,
        as_written: impl Fn(&V) -> T::T,
    ) -> Result<(), ParquetError> {
        let writer = writer.typed::<T>();
        let mut rest = values.iter();
        for levels in self.levels.chunks(PART) {
            let count = levels.iter().filter(|level| **level == 1).count();
            let part: Vec<T::T> = rest.by_ref().take(count).map(&as_written).collect();
            writer.write_batch(&part, self.may_miss.then_some(levels), None)?;
        }
        values.clear();
        Ok(())
    }
}

/// The number of 10⁻¹⁸ that it is, if it is a whole one of at most 38 digits.
fn scaled(value: Decimal) -> Option<i128> {
    let value = value.normalize();
    let up = SCALE.checked_sub(value.scale())?;
    let scaled = value.mantissa().checked_mul(10_i128.checked_pow(up)?)?;
    (scaled.unsigned_abs() < TOO_LARGE).then_some(scaled)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::{
        file::reader::{FileReader as _, SerializedFileReader},
        record::RowAccessor as _,
    };

    use super::*;

    fn tick(number: i64, price: &str) -> TickRow {
        let time = DateTime::from_timestamp_micros(1_780_000_000_000_000 + number).unwrap();
        let is_trade = number % 3 != 0;
        TickRow {
            trade_id: is_trade.then_some(number),
            price: price.parse().unwrap(),
            quantity: is_trade.then(|| Decimal::new(number, 8)),
            taker_side: is_trade.then(|| "buy".to_owned()),
            exchange_time: is_trade.then_some(time),
            received_at: time,
            stored_at: time,
            source: if is_trade { "stream" } else { "poll" }.to_owned(),
        }
    }

    #[test]
    fn rows_of_several_groups_are_read_back_as_they_were() {
        let mut file = ParquetFile::begin::<TickRow>(Vec::new(), &[("ticker", "BTCUSDT")]).unwrap();
        let count = GROUP as i64 + 10_000;
        for number in 0..count {
            file.push(tick(number, "64250.01")).unwrap();
        }
        let reader = SerializedFileReader::new(Bytes::from(file.end().unwrap())).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
        let about = reader.metadata().file_metadata().key_value_metadata().unwrap();
        assert!(about.iter().any(|pair| pair.key == "ticker" && pair.value.as_deref() == Some("BTCUSDT")));
        let mut number = 0;
        for row in reader.get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let expected = tick(number, "64250.01");
            assert_eq!(row.get_long(0).ok(), expected.trade_id, "{number}");
            assert_eq!(row.get_timestamp_micros(5).unwrap(), expected.received_at.timestamp_micros());
            assert_eq!(row.get_string(7).unwrap(), &expected.source);
            let quantity = row.get_decimal(2).ok().map(|value| i128::from_be_bytes(value.data().try_into().unwrap()));
            assert_eq!(quantity, expected.trade_id.map(|number| i128::from(number) * 10_i128.pow(10)));
            number += 1;
        }
        assert_eq!(number, count);
    }

    #[test]
    fn what_would_be_rounded_is_refused_and_named() {
        for price in ["0.0000000000000000001", "100000000000000000000", "-79228162514264337593543950335"] {
            let mut file = ParquetFile::begin::<TickRow>(Vec::new(), &[]).unwrap();
            file.push(tick(1, "1")).unwrap();
            let error = file.push(tick(2, price)).unwrap_err().to_string();
            let names = ["row 2", "column price", price, "--format"];
            assert!(names.iter().all(|name| error.contains(name)), "{error}");
        }
    }

    #[test]
    fn what_fits_is_exact_to_the_last_digit() {
        for (text, expected) in [
            ("0.000000000000000001", 1),
            ("-0.5", -500_000_000_000_000_000),
            ("0.1000000000000000000000", 100_000_000_000_000_000),
            ("99999999999999999999", 99_999_999_999_999_999_999_000_000_000_000_000_000),
        ] {
            assert_eq!(scaled(text.parse().unwrap()), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_file_without_rows_has_its_columns_all_the_same() {
        let file = ParquetFile::begin::<CandleRow>(Vec::new(), &[]).unwrap();
        let reader = SerializedFileReader::new(Bytes::from(file.end().unwrap())).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
        assert_eq!(reader.metadata().file_metadata().schema_descr().num_columns(), 12);
    }
}
