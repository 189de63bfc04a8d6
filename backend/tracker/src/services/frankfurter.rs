//! The reference rates of the European Central Bank, from Frankfurter: `GET /v1/2026-01-01..2026-03-31`, all currencies in euro.
//!
//! Described at <https://frankfurter.dev/v1>. The bank tells rates on working days about 16:00 CET; those of today may change until
//! then. Numbers are read from their text.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate, Utc};
use domain::rate::FRANKFURTER;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;
use tokio::sync::Mutex;

use super::{Service, Told, ask, rates::Rates};
use crate::rest::{Rest, RestError};

/// Longer spans may be told by the week.
const SPAN: Days = Days::new(90);
/// So much of the past is asked for again at each round: there are no rates on holidays, and those of today may change.
const AGAIN: Days = Days::new(7);

/// There are none before this day.
const FIRST: NaiveDate = NaiveDate::from_ymd_opt(1999, 1, 4).expect("it is a day");

pub(super) struct Frankfurter {
    rest: Rest,
    /// What is before this day has been told.
    next: Mutex<NaiveDate>,
}

#[derive(Deserialize)]
struct Answer {
    base: SmolStr,
    rates: BTreeMap<NaiveDate, BTreeMap<SmolStr, Box<RawValue>>>,
}

impl Frankfurter {
    /// Tells rates from this day on, at first.
    pub(super) fn new(rest: Rest, from: Option<NaiveDate>) -> Self {
        let from = from.unwrap_or_else(|| Utc::now().date_naive() - SPAN);
        Self { rest, next: Mutex::new(from.max(FIRST)) }
    }

    async fn span(&self, from: NaiveDate, to: NaiveDate, told: &mut Told) -> Result<(), RestError> {
        let Answer { base, rates } = ask(&self.rest, &format!("/v1/{from}..{to}"), &[]).await?;
        let mut read = Rates::new(base);
        for (day, quotes) in rates {
            for (quote, rate) in quotes {
                read.add(day, quote, rate.get());
            }
        }
        read.told_by(self.name(), told);
        Ok(())
    }
}

impl Service for Frankfurter {
    fn name(&self) -> &'static str {
        FRANKFURTER
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Told, RestError>> {
        Box::pin(async {
            let today = Utc::now().date_naive();
            let mut next = self.next.lock().await;
            let mut from = (*next).min(today - AGAIN);
            let mut told = Told::default();
            while from <= today {
                let to = (from + SPAN).min(today);
                match self.span(from, to, &mut told).await {
                    Ok(()) => from = to + Days::new(1),
                    Err(error) if told.rows > 0 => {
                        tracing::warn!(%error, %from, "rates of the past are not all told; the next round goes on there");
                        break;
                    }
                    Err(error) => return Err(error),
                }
                *next = from;
            }
            Ok(told)
        })
    }
}
