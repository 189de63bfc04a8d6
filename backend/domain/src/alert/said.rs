//! What a firing says, in a sentence.

use rust_decimal::Decimal;

use super::{Condition, Direction, Unit, Way};

/// What a rule is about, by names.
#[expect(missing_docs, reason = "the fields are named as what they hold")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A pair of an exchange.
    Pair { exchange: String, ticker: String },
    /// A coin, at the price that all markets tell together, in US dollars.
    Coin(String),
    /// Two pairs that are compared.
    Pairs { one: (String, String), other: (String, String) },
    /// An exchange.
    Exchange(String),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pair { exchange, ticker } => write!(f, "{ticker} ({exchange})"),
            Self::Coin(coin) => write!(f, "{coin} (all markets, USD)"),
            Self::Pairs { one, other } => write!(f, "{} ({}) and {} ({})", one.1, one.0, other.1, other.0),
            Self::Exchange(exchange) => f.write_str(exchange),
        }
    }
}

/// The sentence: what happened, to what, at which value, compared with what.
pub fn said(subject: &Subject, condition: &Condition, value: Decimal, reference: Decimal) -> String {
    let value = value.normalize();
    let percent = |amount: Decimal| amount.round_dp(2).normalize();
    match condition {
        Condition::Crosses { level, .. } => {
            let way = if reference < *level { "rose" } else { "fell" };
            format!("{subject} {way} through {}: {value}", level.normalize())
        }
        Condition::Reaches { level } => format!("{subject} reached {}: {value}", level.normalize()),
        Condition::Channel { lower, upper, way } => {
            let what = match way {
                Way::Leave if value > *upper => "rose out of",
                Way::Leave => "fell out of",
                Way::Enter => "came into",
            };
            format!("{subject} {what} {} to {}: {value}", lower.normalize(), upper.normalize())
        }
        Condition::Moves { unit, minutes, .. } => {
            let way = if value >= reference { "rose" } else { "fell" };
            let size = unit.difference(reference, value).unwrap_or_default().abs();
            let size = match unit {
                Unit::Percent => format!("{} %", percent(size)),
                Unit::Price => size.normalize().to_string(),
            };
            format!("{subject} {way} by {size} within {minutes} min: from {} to {value}", reference.normalize())
        }
        Condition::Closes { level, direction, bar } => {
            let side = if *direction == Direction::Down { "below" } else { "above" };
            format!("{subject} closed {bar} {side} {}: {value}", level.normalize())
        }
        Condition::Volume { threshold, minutes } => {
            format!("{subject}: {value} traded in {minutes} min, over {}", threshold.normalize())
        }
        Condition::Volatility { threshold, minutes } => {
            let value = percent(value);
            format!("{subject}: volatility of {minutes} min is {value} %, over {} %", threshold.normalize())
        }
        Condition::Spread { unit: Unit::Percent, .. } => format!("{subject} differ by {} %", percent(value)),
        Condition::Spread { unit: Unit::Price, .. } => format!("{subject} differ by {value}"),
        Condition::Stale { .. } => format!("{subject}: no price for {value} s"),
        Condition::ExchangeDown { .. } => format!("{subject}: nothing heard for {value} s"),
        Condition::Gap => format!("{subject}: trades are missing ({value})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Interval;

    #[test]
    fn a_sentence_says_what_happened() {
        let pair = Subject::Pair { exchange: "binance".into(), ticker: "BTCUSDT".into() };
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        for (condition, value, reference, sentence) in [
            (
                Condition::Crosses { level: d("70000.00"), direction: Direction::Either },
                "70000.10",
                "69999",
                "BTCUSDT (binance) rose through 70000: 70000.1",
            ),
            (Condition::Reaches { level: d("1") }, "0.99", "2", "BTCUSDT (binance) reached 1: 0.99"),
            (
                Condition::Moves { change: d("5"), unit: Unit::Percent, direction: Direction::Either, minutes: 60 },
                "94",
                "100",
                "BTCUSDT (binance) fell by 6 % within 60 min: from 100 to 94",
            ),
            (
                Condition::Channel { lower: d("1"), upper: d("2"), way: Way::Leave },
                "2.5",
                "2",
                "BTCUSDT (binance) rose out of 1 to 2: 2.5",
            ),
            (
                Condition::Closes { level: d("3"), direction: Direction::Down, bar: Interval::OneHour },
                "2.5",
                "3",
                "BTCUSDT (binance) closed 1h below 3: 2.5",
            ),
        ] {
            assert_eq!(said(&pair, &condition, d(value), d(reference)), sentence);
        }
    }
}
