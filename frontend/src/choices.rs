//! What the user chose, kept from one run to the next. Choices only: never data.

use std::collections::BTreeSet;

use domain::Interval;
use serde::{Deserialize, Serialize};

use crate::{
    indicators::Indicator,
    state::{SeriesKey, TickerKey},
    theme::{Hues, ThemeChoice},
};

/// How prices are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum ChartStyle {
    /// Open, high, low and close.
    #[default]
    Candles,
    /// The closes, joined.
    Line,
}

/// How prices become heights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum ScaleChoice {
    /// Equal distances are equal differences.
    #[default]
    Linear,
    /// Equal distances are equal ratios.
    Logarithmic,
    /// Changes since the first candle in view.
    Percent,
}

/// What the watchlist is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Order {
    /// What traded most comes first.
    #[default]
    Volume,
    /// What rose most comes first.
    Change,
    /// By name.
    Name,
}

/// All choices. Fields that an older version did not write get their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Choices {
    /// The theme.
    pub theme: ThemeChoice,
    /// How rising and falling are coloured.
    pub hues: Hues,
    /// The ticker in the chart.
    pub ticker: Option<TickerKey>,
    /// The width of its candles.
    #[serde(with = "interval_word")]
    pub interval: Interval,
    /// How its prices are drawn.
    pub style: ChartStyle,
    /// How its prices become heights.
    pub scale: ScaleChoice,
    /// What is drawn over the prices.
    pub indicators: BTreeSet<Indicator>,
    /// What the watchlist is sorted by.
    pub order: Order,
    /// Tickers that are looked at often.
    pub favourites: BTreeSet<TickerKey>,
    /// Whether the watchlist shows those alone.
    pub favourites_only: bool,
    /// Whether it is shown how the recording does.
    pub health: bool,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::default(),
            hues: Hues::default(),
            ticker: None,
            interval: Interval::OneMinute,
            style: ChartStyle::default(),
            scale: ScaleChoice::default(),
            indicators: BTreeSet::new(),
            order: Order::default(),
            favourites: BTreeSet::new(),
            favourites_only: false,
            health: false,
        }
    }
}

impl Choices {
    /// The series in the chart.
    pub(crate) fn series(&self) -> Option<SeriesKey> {
        self.ticker.clone().map(|ticker| SeriesKey { ticker, interval: self.interval })
    }
}

/// An interval by its name; one that this version does not know becomes one minute.
mod interval_word {
    use domain::Interval;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(interval: &Interval, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(interval.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Interval, D::Error> {
        Ok(String::deserialize(deserializer)?.parse().unwrap_or(Interval::OneMinute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_read_back_and_unknown_ones_do_no_harm() {
        let choices = Choices {
            ticker: Some(TickerKey::new("binance", "BTCUSDT")),
            interval: Interval::FourHours,
            indicators: [Indicator::Vwap].into(),
            favourites: [TickerKey::new("binance", "ETHUSDT")].into(),
            ..Choices::default()
        };
        let json = serde_json::to_string(&choices).unwrap();
        assert_eq!(serde_json::from_str::<Choices>(&json).unwrap(), choices);
        let older: Choices = serde_json::from_str(r#"{"interval":"3d","gone":1}"#).unwrap();
        assert_eq!(older, Choices::default());
    }
}
