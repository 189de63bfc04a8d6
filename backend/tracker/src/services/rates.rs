//! Rates of currencies, as services tell them.

use broker::Message;
use chrono::{NaiveDate, Utc};
use domain::{
    Rate, RateReport, decimal_text,
    rate::{MOST_RATES, is_currency},
};
use smol_str::SmolStr;

use super::Told;

/// Rates of one base while they are fetched.
pub(super) struct Rates {
    base: SmolStr,
    rates: Vec<Rate>,
    left_out: u64,
}

impl Rates {
    pub(super) fn new(base: SmolStr) -> Self {
        Self { base, rates: Vec::new(), left_out: 0 }
    }

    /// Whether what they are told of can be a currency.
    fn has_base(&self) -> bool {
        is_currency(&self.base)
    }

    /// Takes one in, where it is a rate and there is room.
    pub(super) fn add(&mut self, day: NaiveDate, quote: SmolStr, text: &str) {
        let read = decimal_text::parse_number(text).ok().map(|rate| Rate { day, quote, rate });
        match read.filter(|rate| self.has_base() && self.rates.len() < MOST_RATES && rate.mistake(&self.base).is_none())
        {
            Some(rate) => self.rates.push(rate),
            None => self.left_out += 1,
        }
    }

    /// What this service has told now, beside what it told before.
    pub(super) fn told_by(self, source: &str, told: &mut Told) {
        let Self { base, rates, left_out } = self;
        told.left_out += left_out;
        if rates.is_empty() {
            return;
        }
        told.rows += rates.len();
        told.messages.push(Message::Rates(RateReport { source: source.into(), at: Utc::now(), base, rates }));
    }
}
