//! What is chosen for one chart.

use std::collections::BTreeSet;

use domain::Interval;
use serde::{Deserialize, Serialize};

use crate::indicators::Indicator;

/// How prices are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum ChartStyle {
    /// Open, high, low and close.
    #[default]
    Candles,
    /// The closes, joined.
    Line,
    /// The closes, joined, and the ground below them.
    Area,
}

impl ChartStyle {
    /// All of them, with their names.
    pub(crate) const ALL: [(Self, &'static str); 3] =
        [(Self::Candles, "Candles"), (Self::Line, "Line"), (Self::Area, "Area")];

    /// The one after it, in a circle.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Candles => Self::Line,
            Self::Line => Self::Area,
            Self::Area => Self::Candles,
        }
    }
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

/// How a chart is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ChartChoices {
    /// The width of its candles.
    #[serde(with = "interval_word")]
    pub interval: Interval,
    /// How its prices are drawn.
    pub style: ChartStyle,
    /// How its prices become heights.
    pub scale: ScaleChoice,
    /// What is drawn over the prices and below them.
    pub indicators: BTreeSet<Indicator>,
    /// Whether volumes are drawn.
    pub volume: bool,
}

impl Default for ChartChoices {
    fn default() -> Self {
        Self {
            interval: Interval::OneMinute,
            style: ChartStyle::default(),
            scale: ScaleChoice::default(),
            indicators: BTreeSet::new(),
            volume: true,
        }
    }
}

/// An interval by its name; one that this version does not know becomes one minute.
pub(crate) mod interval_word {
    use domain::Interval;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(interval: &Interval, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(interval.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Interval, D::Error> {
        Ok(String::deserialize(deserializer)?.parse().unwrap_or(Interval::OneMinute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_read_back_and_unknown_ones_do_no_harm() {
        let choices = ChartChoices {
            interval: Interval::FourHours,
            indicators: [Indicator::Vwap].into(),
            ..ChartChoices::default()
        };
        let json = serde_json::to_string(&choices).unwrap();
        assert_eq!(serde_json::from_str::<ChartChoices>(&json).unwrap(), choices);
        let older: ChartChoices = serde_json::from_str(r#"{"interval":"3d","gone":1}"#).unwrap();
        assert_eq!(older, ChartChoices::default());
    }
}
