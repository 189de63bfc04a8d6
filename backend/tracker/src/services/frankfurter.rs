//! The reference rates of the European Central Bank, from Frankfurter: `GET /v1/2026-01-01..2026-03-31`, all currencies in euro.
//!
//! Described at <https://frankfurter.dev/v1>. The bank tells rates on working days about 16:00 CET; those of today may change until
//! then. Numbers are read from their text.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use chrono::{Days, NaiveDate, Utc};
use domain::rate::FRANKFURTER;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::{Service, Told, ask, rates::Rates};
use crate::rest::{Rest, RestError};

/// Longer spans may be told by the week.
const SPAN: Days = Days::new(90);
/// So much of the past is asked for again at each round: there are no rates on holidays, and those of today may change.
const AGAIN: Days = Days::new(7);

pub(super) struct Frankfurter {
    rest: Rest,
    from: Option<NaiveDate>,
    /// The past has been told since the start.
    has_past: AtomicBool,
}

#[derive(Deserialize)]
struct Answer {
    base: SmolStr,
    rates: BTreeMap<NaiveDate, BTreeMap<SmolStr, Box<RawValue>>>,
}

impl Frankfurter {
    /// Tells rates from this day on, at first.
    pub(super) fn new(rest: Rest, from: Option<NaiveDate>) -> Self {
        Self { rest, from, has_past: AtomicBool::new(false) }
    }
}

impl Service for Frankfurter {
    fn name(&self) -> &'static str {
        FRANKFURTER
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Told, RestError>> {
        Box::pin(async {
            let today = Utc::now().date_naive();
            let span = if self.has_past.load(Ordering::Relaxed) { AGAIN } else { SPAN };
            let asked = self.from.filter(|_| !self.has_past.load(Ordering::Relaxed));
            let mut from = asked.unwrap_or(today - span).min(today);
            let mut told = Told::default();
            while from <= today {
                let to = (from + SPAN).min(today);
                let Answer { base, rates } = ask(&self.rest, &format!("/v1/{from}..{to}"), &[]).await?;
                let mut read = Rates::new(base);
                for (day, quotes) in rates {
                    for (quote, rate) in quotes {
                        read.add(day, quote, rate.get());
                    }
                }
                read.told_by(self.name(), &mut told);
                from = to + Days::new(1);
            }
            self.has_past.store(true, Ordering::Relaxed);
            Ok(told)
        })
    }
}
