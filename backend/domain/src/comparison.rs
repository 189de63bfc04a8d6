//! The exchange's own candles: to compare ours with, or to take over where there is nothing to compare.

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::decimal_text;

/// How many minutes one report may span: a day is more than is ever asked for at once.
const MOST_MINUTES: i64 = 1_440;

/// One minute, as the exchange has added it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeMinute {
    /// Where the minute begins.
    pub open_time: DateTime<Utc>,
    /// First price.
    #[serde(with = "decimal_text")]
    pub open: Decimal,
    /// Highest price.
    #[serde(with = "decimal_text")]
    pub high: Decimal,
    /// Lowest price.
    #[serde(with = "decimal_text")]
    pub low: Decimal,
    /// Last price.
    #[serde(with = "decimal_text")]
    pub close: Decimal,
    /// Units of the base that changed hands.
    #[serde(with = "decimal_text")]
    pub volume: Decimal,
    /// Units of the quote that changed hands; zero where the exchange tells neither them nor the number of trades.
    #[serde(with = "decimal_text")]
    pub quote_volume: Decimal,
    /// Number of trades; zero where the exchange does not tell.
    pub trades: i64,
}

/// What the exchange's candles are told for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Every trade of that span is recorded here: what differs is written down, and settled.
    #[default]
    Compare,
    /// Trades are not recorded, or were not then: where the exchange counts more of them, or, if it does not tell how many there
    /// were, more volume, its candle counts.
    Take,
}

impl Purpose {
    fn is_compare(&self) -> bool {
        *self == Self::Compare
    }
}

/// The minutes of one pair over a span that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinuteReport {
    /// The exchange's name.
    pub exchange: SmolStr,
    /// The exchange's own spelling of the pair.
    pub ticker: SmolStr,
    /// What they are told for.
    #[serde(default, skip_serializing_if = "Purpose::is_compare")]
    pub purpose: Purpose,
    /// Where the span begins.
    pub from: DateTime<Utc>,
    /// Where it ends.
    pub to: DateTime<Utc>,
    /// The minutes in it in which something was traded, in order.
    pub minutes: Vec<ExchangeMinute>,
}

impl ExchangeMinute {
    /// Whether it can be what was traded in a minute. The quote volume of a tiny trade may be rounded away.
    pub fn is_sound(&self) -> bool {
        let positive =
            [self.low, self.volume].iter().all(|value| *value > Decimal::ZERO) && self.quote_volume >= Decimal::ZERO;
        let between = [self.open, self.close].iter().all(|price| (self.low..=self.high).contains(price));
        positive && between && self.trades >= 0
    }
}

impl MinuteReport {
    /// What makes the report unfit for storing, if anything.
    pub fn mistake(&self) -> Option<String> {
        if !crate::exchange::is_name(&self.exchange) {
            return Some(format!("not the name of an exchange: {:?}", self.exchange));
        }
        if !crate::exchange::is_code(&self.ticker) {
            return Some(format!("not a ticker: {:?}", self.ticker));
        }
        let whole =
            |time: &DateTime<Utc>| time.duration_trunc(TimeDelta::minutes(1)).is_ok_and(|minute| minute == *time);
        let span = self.to - self.from;
        let bounded = span > TimeDelta::zero() && span <= TimeDelta::minutes(MOST_MINUTES);
        if !(whole(&self.from) && whole(&self.to) && bounded) {
            return Some(format!("not a span of whole minutes: {} to {}", self.from, self.to));
        }
        let inside = |minute: &&ExchangeMinute| {
            whole(&minute.open_time) && (self.from..self.to).contains(&minute.open_time) && minute.is_sound()
        };
        if let Some(unsound) = self.minutes.iter().find(|minute| !inside(minute)) {
            return Some(format!("not a minute of that span: {unsound:?}"));
        }
        let ordered = self.minutes.is_sorted_by(|one, next| one.open_time < next.open_time);
        (!ordered).then(|| "minutes are not in order, or come twice".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(at: &str) -> ExchangeMinute {
        let price = |cents| Decimal::new(cents, 2);
        ExchangeMinute {
            open_time: at.parse().unwrap(),
            open: price(100),
            high: price(120),
            low: price(90),
            close: price(110),
            volume: price(300),
            quote_volume: price(310),
            trades: 3,
        }
    }

    fn report(minutes: Vec<ExchangeMinute>) -> MinuteReport {
        MinuteReport {
            exchange: "binance".into(),
            ticker: "BTCUSDT".into(),
            purpose: Purpose::Compare,
            from: "2026-11-20T12:00:00Z".parse().unwrap(),
            to: "2026-11-20T13:00:00Z".parse().unwrap(),
            minutes,
        }
    }

    #[test]
    fn a_report_survives_json_and_unsound_ones_are_told() {
        let (first, last) = (minute("2026-11-20T12:00:00Z"), minute("2026-11-20T12:59:00Z"));
        let sound = report(vec![first.clone(), last.clone()]);
        let json = serde_json::to_string(&sound).unwrap();
        assert_eq!(serde_json::from_str::<MinuteReport>(&json).unwrap(), sound);
        assert_eq!(sound.mistake(), None);
        assert!(!json.contains("purpose"), "what earlier versions wrote");
        let taken = MinuteReport { purpose: Purpose::Take, ..sound.clone() };
        let json = serde_json::to_string(&taken).unwrap();
        assert!(json.contains(r#""purpose":"take""#));
        assert_eq!(serde_json::from_str::<MinuteReport>(&json).unwrap(), taken);
        let untold = vec![ExchangeMinute { trades: 0, quote_volume: Decimal::ZERO, ..minute("2026-11-20T12:00:00Z") }];
        assert_eq!(MinuteReport { purpose: Purpose::Take, ..report(untold) }.mistake(), None);
        for minutes in [
            vec![last, first.clone()],
            vec![first.clone(), first.clone()],
            vec![minute("2026-11-20T13:00:00Z")],
            vec![minute("2026-11-20T12:00:30Z")],
            vec![ExchangeMinute { trades: -1, ..first.clone() }],
            vec![ExchangeMinute { close: Decimal::new(121, 2), ..first.clone() }],
            vec![ExchangeMinute { volume: Decimal::ZERO, ..first }],
        ] {
            assert!(report(minutes.clone()).mistake().is_some(), "{minutes:?}");
        }
        assert!(MinuteReport { to: sound.from, ..sound.clone() }.mistake().is_some());
        assert!(MinuteReport { to: sound.from + TimeDelta::days(2), ..sound }.mistake().is_some());
    }
}
