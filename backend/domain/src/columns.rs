//! Rows under one line of column names: how many alike things are written short.
//!
//! A message names its columns once and then holds arrays, half as long as with a name before every value, and read and
//! written as much faster. Columns may be added behind those that are known, and elements that nobody knows are ignored; columns
//! that were renamed or moved are refused.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What is written as a row.
pub(crate) trait Row {
    /// Names of its elements, in their order.
    const COLUMNS: &'static [&'static str];
}

/// [`Row::COLUMNS`], written to be read by people and programs, and checked when read.
pub(crate) struct Columns<R>(PhantomData<R>);

impl<R> Default for Columns<R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<R> Clone for Columns<R> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<R> PartialEq for Columns<R> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<R: Row> fmt::Debug for Columns<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&R::COLUMNS.join(", "))
    }
}

impl<R: Row> Serialize for Columns<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        R::COLUMNS.serialize(serializer)
    }
}

impl<'de, R: Row> Deserialize<'de> for Columns<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let columns = Vec::<Cow<'de, str>>::deserialize(deserializer)?;
        if columns.iter().take(R::COLUMNS.len()).eq(R::COLUMNS.iter()) {
            Ok(Self::default())
        } else {
            Err(de::Error::custom(format_args!("columns must begin with {}", R::COLUMNS.join(", "))))
        }
    }
}

/// Reads the known elements of a row of `R` as `T`, a tuple of as many elements, and ignores those behind them.
pub(crate) fn read<'de, R: Row, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Visitor<R, T>(PhantomData<(R, T)>);

    impl<'de, R: Row, T: Deserialize<'de>> de::Visitor<'de> for Visitor<R, T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a row of {}", R::COLUMNS.join(", "))
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut row: A) -> Result<T, A::Error> {
            let known = T::deserialize(de::value::SeqAccessDeserializer::new(&mut row))?;
            while row.next_element::<de::IgnoredAny>()?.is_some() {}
            Ok(known)
        }
    }
    deserializer.deserialize_seq(Visitor::<R, T>(PhantomData))
}
