//! How much prices moved over a span, as the API ranks it.

use std::collections::BTreeMap;

use api_types::VolatilityRow;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::TickerKey;

/// Over how long, until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) enum Period {
    /// An hour.
    Hour,
    /// 24 hours.
    #[default]
    Day,
    /// Seven days.
    Week,
}

impl Period {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// As it is asked for, and shown where there is little room.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Hour => "an hour",
            Self::Day => "24 hours",
            Self::Week => "7 days",
        }
    }
}

/// How much the price of one ticker moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Deviation of the prices in percent of their mean.
    pub deviation: Option<Decimal>,
    /// Deviation of the one-minute returns, in percent.
    pub return_deviation: Option<Decimal>,
    /// From the first price to the last, in percent.
    pub change: Option<Decimal>,
}

/// All tickers by how much their prices moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranking {
    /// The most first.
    pub order: Vec<TickerKey>,
    rows: BTreeMap<TickerKey, Moved>,
}

impl Ranking {
    /// As the API told it.
    pub(crate) fn of(rows: Vec<VolatilityRow>) -> Self {
        let mut ranking = Self::default();
        for VolatilityRow { statistics, .. } in rows {
            let key = TickerKey::new(&statistics.exchange, &statistics.ticker);
            let moved = Moved {
                deviation: statistics.deviation_percent,
                return_deviation: statistics.return_deviation.and_then(|part| part.checked_mul(Decimal::ONE_HUNDRED)),
                change: statistics.change_percent,
            };
            ranking.order.push(key.clone());
            ranking.rows.insert(key, moved);
        }
        ranking
    }

    /// How much this one moved.
    pub(crate) fn moved(&self, key: &TickerKey) -> Option<&Moved> {
        self.rows.get(key)
    }
}
