//! Answers of many parts, of which one that cannot be read does not spoil the others.

use std::{collections::HashMap, fmt::Display};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::value::RawValue;
use smol_str::SmolStr;

/// The parts of a list, or of an object, that can be read; the others are logged. An error where there are parts and none can
/// be read: then the answer is another than we know. Of JSON alone.
#[derive(Debug)]
pub(crate) struct Readable<C>(pub(crate) C);

impl<T: DeserializeOwned> Readable<Vec<T>> {
    /// Of parts that have been taken from their answer.
    pub(crate) fn of(parts: &[Box<RawValue>]) -> Result<Self, serde_json::Error> {
        let parts = read(parts.iter().map(AsRef::as_ref).enumerate())?;
        Ok(Self(parts.into_iter().map(|(_, part)| part).collect()))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Readable<Vec<T>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(&Vec::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Readable<HashMap<SmolStr, T>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = HashMap::<SmolStr, Box<RawValue>>::deserialize(deserializer)?;
        let parts = read(parts.iter().map(|(name, part)| (name.clone(), part.as_ref()))).map_err(D::Error::custom)?;
        Ok(Self(parts.into_iter().collect()))
    }
}

/// `name` is what a part is logged by.
fn read<'a, N: Display, T: DeserializeOwned>(
    parts: impl Iterator<Item = (N, &'a RawValue)>,
) -> Result<Vec<(N, T)>, serde_json::Error> {
    let mut unreadable = None;
    let mut readable = Vec::with_capacity(parts.size_hint().0);
    for (name, part) in parts {
        match serde_json::from_str(part.get()) {
            Ok(part) => readable.push((name, part)),
            Err(error) => {
                tracing::warn!(%error, %name, part = %part.get(), "a part of the exchange's answer cannot be read");
                unreadable = Some(error);
            }
        }
    }
    match unreadable {
        Some(error) if readable.is_empty() => Err(error),
        _ => Ok(readable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_does_not_spoil_the_others() {
        let list = |text| serde_json::from_str::<Readable<Vec<u8>>>(text);
        assert_eq!(list("[1,\"x\",3]").unwrap().0, [1, 3]);
        assert!(list("[]").unwrap().0.is_empty());
        assert!(list("[\"x\",300]").unwrap_err().to_string().contains("300"));
        assert!(list("{}").is_err());
        let named = |text| serde_json::from_str::<Readable<HashMap<SmolStr, u8>>>(text);
        assert_eq!(named("{\"a\":1,\"b\":{}}").unwrap().0, HashMap::from([("a".into(), 1)]));
        assert!(named("{}").unwrap().0.is_empty());
        assert!(named("{\"b\":{}}").is_err());
    }
}
