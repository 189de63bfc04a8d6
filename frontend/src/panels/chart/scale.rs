//! How prices become heights: evenly, evenly in their logarithms, or evenly and told in percent.
//!
//! The plot counts in values: prices, or on the logarithmic scale their logarithms to base 10.

use egui_plot::{GridInput, GridMark};

use super::axes;
use crate::{choices::ScaleChoice, format, state::Bar};

/// Smaller than any price; there is no logarithm of nothing.
const LEAST: f64 = 1e-18;

/// A scale of prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// Equal distances are equal differences.
    Linear,
    /// Equal distances are equal ratios.
    Logarithmic,
    /// As linear, told as the change since this price.
    Percent {
        /// What counts as 0 %.
        base: f64,
    },
}

impl Scale {
    /// The chosen scale for these bars, which are those in view: percent counts from the first of them.
    pub(crate) fn of(choice: ScaleChoice, bars: &[Bar]) -> Self {
        match (choice, bars.first()) {
            (ScaleChoice::Logarithmic, _) => Self::Logarithmic,
            (ScaleChoice::Percent, Some(first)) if first.open > 0.0 => Self::Percent { base: first.open },
            (ScaleChoice::Linear | ScaleChoice::Percent, _) => Self::Linear,
        }
    }

    /// The plot's value of a price.
    pub(crate) fn value(self, price: f64) -> f64 {
        match self {
            Self::Linear | Self::Percent { .. } => price,
            Self::Logarithmic => price.max(LEAST).log10(),
        }
    }

    /// The price of a plot's value.
    pub(crate) fn price(self, value: f64) -> f64 {
        match self {
            Self::Linear | Self::Percent { .. } => value,
            Self::Logarithmic => 10_f64.powf(value),
        }
    }

    /// A price as it is told beside the axis.
    pub(crate) fn text(self, price: f64, decimals: u32) -> String {
        match self {
            Self::Linear | Self::Logarithmic => format::price_f64(price, decimals),
            Self::Percent { base } => format::percent_f64((price / base - 1.0) * 100.0),
        }
    }

    /// Where the grid's lines are.
    pub(super) fn marks(self, input: &GridInput) -> Vec<GridMark> {
        match self {
            Self::Linear => axes::price_marks(input),
            Self::Percent { base } => {
                let percent = |value: f64| (value / base - 1.0) * 100.0;
                let bounds = (percent(input.bounds.0), percent(input.bounds.1));
                let input = GridInput { bounds, base_step_size: input.base_step_size / base * 100.0 };
                let value = |mark: GridMark| GridMark {
                    value: base * (1.0 + mark.value / 100.0),
                    step_size: base * mark.step_size / 100.0,
                };
                axes::price_marks(&input).into_iter().map(value).collect()
            }
            Self::Logarithmic => self.logarithmic_marks(input),
        }
    }

    /// Within a decade round prices; over more of them 1, 2 and 5 and zeros.
    fn logarithmic_marks(self, input: &GridInput) -> Vec<GridMark> {
        let (low, high) = input.bounds;
        if !(low.is_finite() && high.is_finite()) || high <= low || high - low > 40.0 {
            return Vec::new();
        }
        let prices: Vec<f64> = if high - low < 1.0 {
            let (low_price, high_price) = (self.price(low), self.price(high));
            let base_step_size = input.base_step_size / (high - low) * (high_price - low_price);
            let input = GridInput { bounds: (low_price, high_price), base_step_size };
            axes::price_marks(&input).into_iter().map(|mark| mark.value).collect()
        } else {
            let decades = low.floor() as i32..=high.ceil() as i32;
            let of_decade = |decade: i32| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(decade));
            decades.flat_map(of_decade).filter(|price| (low..=high).contains(&price.log10())).collect()
        };
        let value = |(place, price): (usize, &f64)| {
            let neighbour = prices.get(place + 1).or_else(|| prices.get(place.wrapping_sub(1)));
            let step = neighbour.map_or(high - low, |other| (other.log10() - price.log10()).abs());
            GridMark { value: price.log10(), step_size: step }
        };
        prices.iter().enumerate().map(value).collect()
    }

    /// What stands at a line of the grid, with as many decimals as tell it from its neighbours.
    pub(super) fn label(self, mark: GridMark) -> String {
        match self {
            Self::Linear => axes::price_label(mark),
            Self::Percent { base } => {
                let percent = |value: f64| value / base * 100.0;
                let step = GridMark { value: percent(mark.value) - 100.0, step_size: percent(mark.step_size) };
                // Rounded, so that no line is at −0 %.
                let rounded = (step.value / step.step_size).round() * step.step_size;
                format!("{}%", axes::price_label(GridMark { value: rounded + 0.0, ..step }))
            }
            Self::Logarithmic => {
                let price = self.price(mark.value);
                let step_size = price * (10_f64.powf(mark.step_size) - 1.0);
                // One decimal is enough to tell 10 from 20, though the step up from there is 5.
                axes::price_label(GridMark { value: price, step_size: step_size * 1.000_001 })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, from: f64, to: f64) -> Vec<String> {
        let (low, high) = (scale.value(from), scale.value(to));
        let base_step_size = (high - low) / 500.0 * f64::from(axes::SMALLEST_GRID);
        let input = GridInput { bounds: (low, high), base_step_size };
        scale.marks(&input).into_iter().map(|mark| scale.label(mark)).collect()
    }

    #[test]
    fn a_logarithmic_axis_has_round_prices() {
        assert_eq!(labels(Scale::Logarithmic, 0.9, 120.0), ["1", "2", "5", "10", "20", "50", "100"]);
        let narrow = labels(Scale::Logarithmic, 60_012.0, 61_300.0);
        assert_eq!((narrow.first().map(String::as_str), narrow.len()), (Some("60,200"), 6));
        for (from, to) in [(0.000_011, 0.000_013), (1e-9, 1e6), (5.0, 5.01)] {
            let labels = labels(Scale::Logarithmic, from, to);
            let mut told_apart = labels.clone();
            told_apart.dedup();
            assert!(labels.len() >= 3 && told_apart == labels, "{labels:?}");
        }
        assert_eq!(labels(Scale::Logarithmic, 0.0, 0.0), [""; 0]);
    }

    #[test]
    fn a_percent_axis_counts_from_the_first_price_in_view() {
        let scale = Scale::Percent { base: 200.0 };
        assert!(labels(scale, 197.0, 204.1).iter().any(|label| label == "0.0%"));
        assert_eq!(scale.text(203.0, 2), "+1.50%");
    }

    #[test]
    fn prices_survive_the_way_there_and_back() {
        for scale in [Scale::Linear, Scale::Logarithmic, Scale::Percent { base: 3.0 }] {
            for price in [0.000_000_12, 1.0, 64_250.01] {
                assert!((scale.price(scale.value(price)) / price - 1.0).abs() < 1e-12, "{scale:?} {price}");
            }
        }
        assert!(Scale::Logarithmic.value(0.0).is_finite());
    }
}
