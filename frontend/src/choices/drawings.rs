//! What users draw into charts: it belongs to the ticker, so that every chart of it shows the same.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{panels::DrawingChange, state::TickerKey};

/// Drawings kept of one ticker; the oldest gives way.
const KEPT: usize = 100;

/// A point of a chart: seconds since 1970, and a price as it was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    /// When.
    pub second: f64,
    /// How high.
    pub price: f64,
}

/// One drawing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Drawing {
    /// A price, at all times.
    Level {
        /// Which, with as many decimals as the ticker's prices have.
        price: Decimal,
        /// Whether the user wants to hear of it when the price gets there.
        bell: bool,
    },
    /// From one point to another.
    Trend {
        /// The one.
        from: Point,
        /// The other.
        to: Point,
    },
}

/// All drawings, by ticker.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Drawings(BTreeMap<TickerKey, Vec<Drawing>>);

impl Drawings {
    /// Those of the ticker.
    pub(crate) fn of(&self, ticker: &TickerKey) -> &[Drawing] {
        self.0.get(ticker).map_or(&[], Vec::as_slice)
    }

    /// Makes them others.
    pub(crate) fn obey(&mut self, ticker: &TickerKey, change: DrawingChange) {
        let drawings = self.0.entry(ticker.clone()).or_default();
        match change {
            DrawingChange::Add(drawing) if drawings.contains(&drawing) => {}
            DrawingChange::Add(drawing) => {
                drawings.push(drawing);
                let surplus = drawings.len().saturating_sub(KEPT);
                drawings.drain(..surplus);
            }
            DrawingChange::Replace(place, drawing) => {
                if let Some(known) = drawings.get_mut(place) {
                    *known = drawing;
                }
            }
            DrawingChange::Remove(place) if place < drawings.len() => {
                drawings.remove(place);
            }
            DrawingChange::Remove(_) => {}
            DrawingChange::Clear => drawings.clear(),
        }
        if drawings.is_empty() {
            self.0.remove(ticker);
        }
    }

    /// A level that rang rings no more.
    pub(crate) fn silence(&mut self, ticker: &TickerKey, level: Decimal) {
        for drawing in self.0.get_mut(ticker).into_iter().flatten() {
            if let Drawing::Level { price, bell } = drawing
                && *price == level
            {
                *bell = false;
            }
        }
    }

    /// Prices that somebody wants to hear of, by ticker.
    pub(crate) fn bells(&self) -> impl Iterator<Item = (&TickerKey, Decimal)> {
        self.0.iter().flat_map(|(ticker, drawings)| {
            drawings.iter().filter_map(move |drawing| match drawing {
                Drawing::Level { price, bell: true } => Some((ticker, *price)),
                Drawing::Level { .. } | Drawing::Trend { .. } => None,
            })
        })
    }
}

// A ticker is no word, and only words are keys in JSON: kept as a list of pairs.
impl Serialize for Drawings {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de> Deserialize<'de> for Drawings {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<(TickerKey, Vec<Drawing>)>::deserialize(deserializer).map(|pairs| Self(pairs.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_are_kept_by_ticker_and_bounded() {
        let (btc, eth) = (TickerKey::new("binance", "BTCUSDT"), TickerKey::new("binance", "ETHUSDT"));
        let level = |price: i64, bell| Drawing::Level { price: price.into(), bell };
        let mut drawings = Drawings::default();
        for price in 0..200 {
            drawings.obey(&btc, DrawingChange::Add(level(price, price == 150)));
        }
        drawings.obey(&btc, DrawingChange::Add(level(199, false)));
        assert_eq!((drawings.of(&btc).len(), drawings.of(&eth).len()), (KEPT, 0), "the same twice is one");
        assert_eq!(drawings.of(&btc)[0], level(100, false));
        assert_eq!(drawings.bells().collect::<Vec<_>>(), [(&btc, 150.into())]);
        drawings.obey(&btc, DrawingChange::Replace(0, level(7, true)));
        drawings.obey(&btc, DrawingChange::Remove(50));
        drawings.obey(&btc, DrawingChange::Remove(5_000));
        assert_eq!(drawings.bells().collect::<Vec<_>>(), [(&btc, 7.into())]);
        drawings.silence(&btc, 7.into());
        assert_eq!((drawings.bells().count(), drawings.of(&btc).len()), (0, KEPT - 1));
        drawings.obey(&btc, DrawingChange::Clear);
        assert!(drawings.of(&btc).is_empty());
    }
}
