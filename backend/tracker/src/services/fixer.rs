//! What currencies are worth today, from Fixer: `GET /latest`, all currencies in euro.
//!
//! Described at <https://fixer.io/documentation>. Refusals come with HTTP 200. Numbers are read from their text.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::rate::FIXER;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::{ApiKey, Service, Told, ask, rates::Rates};
use crate::rest::{Rest, RestError};

pub(super) struct Fixer {
    pub(super) rest: Rest,
    pub(super) key: ApiKey,
}

#[derive(Deserialize)]
struct Answer {
    base: Option<SmolStr>,
    date: Option<NaiveDate>,
    rates: Option<BTreeMap<SmolStr, Box<RawValue>>>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    info: Option<String>,
}

impl Service for Fixer {
    fn name(&self) -> &'static str {
        FIXER
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Told, RestError>> {
        Box::pin(async {
            let answer: Answer = ask(&self.rest, "/latest", &[("access_key", self.key.as_str())]).await?;
            let Answer { base: Some(base), date: Some(day), rates: Some(rates), error: None } = answer else {
                let said =
                    answer.error.map(|error| format!("error {}: {}", error.code, error.info.unwrap_or_default()));
                let lacks = || "there are no fields base, date and rates in it".to_owned();
                return Err(self.rest.unreadable(said.unwrap_or_else(lacks)));
            };
            let mut read = Rates::new(base);
            for (quote, rate) in rates {
                // No currency: what it is worth is told by the markets.
                if quote != "BTC" {
                    read.add(day, quote, rate.get());
                }
            }
            let mut told = Told::default();
            read.told_by(self.name(), &mut told);
            Ok(told)
        })
    }
}
