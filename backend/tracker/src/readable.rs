//! Answers of many parts, of which one that cannot be read does not spoil the others.

use std::{collections::HashMap, fmt::Display};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use crate::rest::{Rest, RestError};

impl Rest {
    /// The parts of a list that can be read; the others are logged. An error where there are parts and none can be read: then
    /// the answer is another than we know.
    pub(crate) fn readable<T: DeserializeOwned>(&self, parts: &[Box<RawValue>]) -> Result<Vec<T>, RestError> {
        let parts = self.read(parts.iter().enumerate())?;
        Ok(parts.into_iter().map(|(_, part)| part).collect())
    }

    /// Those of an object, likewise.
    pub(crate) fn readable_by_name<T: DeserializeOwned>(
        &self,
        parts: HashMap<SmolStr, Box<RawValue>>,
    ) -> Result<HashMap<SmolStr, T>, RestError> {
        Ok(self.read(parts.into_iter())?.into_iter().collect())
    }

    /// `name` is what a part is logged by.
    fn read<N: Display, T: DeserializeOwned>(
        &self,
        parts: impl Iterator<Item = (N, impl AsRef<RawValue>)>,
    ) -> Result<Vec<(N, T)>, RestError> {
        let mut unreadable = None;
        let mut readable = Vec::with_capacity(parts.size_hint().0);
        for (name, part) in parts {
            let part = part.as_ref().get();
            match serde_json::from_str(part) {
                Ok(part) => readable.push((name, part)),
                Err(error) => {
                    tracing::warn!(host = self.host(), %name, part, %error, "a part of the answer cannot be read");
                    unreadable = Some(error);
                }
            }
        }
        match unreadable {
            Some(error) if readable.is_empty() => Err(self.unreadable(error.to_string())),
            _ => Ok(readable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::Terms;

    #[test]
    fn one_part_does_not_spoil_the_others() {
        process::tls::install();
        let rest = Rest::new("http://127.0.0.1:1", Terms::default()).unwrap();
        let list = |text| rest.readable::<u8>(&serde_json::from_str::<Vec<_>>(text).unwrap());
        assert_eq!(list("[1,\"x\",3]").unwrap(), [1, 3]);
        assert!(list("[]").unwrap().is_empty());
        assert!(list("[\"x\",300]").unwrap_err().to_string().contains("300"));
        let named = |text| rest.readable_by_name::<u8>(serde_json::from_str(text).unwrap());
        assert_eq!(named("{\"a\":1,\"b\":{}}").unwrap(), HashMap::from([("a".into(), 1)]));
        assert!(named("{}").unwrap().is_empty());
        assert!(named("{\"b\":{}}").is_err());
    }
}
