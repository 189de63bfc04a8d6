//! What rules wait for.

use rust_decimal::Decimal;

use crate::Interval;

/// Which way a price goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It rises.
    Up,
    /// It falls.
    Down,
    /// One or the other.
    Either,
}

/// Which way out of, or into, a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From outside to inside.
    Enter,
    /// From inside to outside.
    Leave,
}

/// What a difference of prices is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Hundredths of the price it is measured from.
    Percent,
    /// As the price.
    Price,
}

impl Unit {
    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Price => "price",
        }
    }

    /// How far `to` lies above `from`; below 0 where it lies beneath.
    pub fn difference(self, from: Decimal, to: Decimal) -> Option<Decimal> {
        let above = to.checked_sub(from)?;
        match self {
            Self::Price => Some(above),
            Self::Percent => above.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(from),
        }
    }
}

/// What a rule waits for. Levels, changes of the unit `price` and the edges of channels are prices of the pair, `bar` is the width of
/// the candles that count.
#[expect(missing_docs, reason = "the fields are named as the sentence above each says")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The price comes from one side of the level to it or beyond.
    Crosses { level: Decimal, direction: Direction },
    /// The price comes to the level, from wherever.
    Reaches { level: Decimal },
    /// The price enters or leaves what lies between two edges, which belong to it.
    Channel { lower: Decimal, upper: Decimal, way: Way },
    /// The price is so far above the lowest (below the highest) of the last minutes.
    Moves { change: Decimal, unit: Unit, direction: Direction, minutes: u16 },
    /// A candle closes above (below) the level.
    Closes { level: Decimal, direction: Direction, bar: Interval },
    /// So much of the coin changed hands in the last minutes.
    Volume { threshold: Decimal, minutes: u16 },
    /// Prices of the last minutes deviate so much: the standard deviation of the price of one minute, in percent of their mean.
    Volatility { threshold: Decimal, minutes: u16 },
    /// Two markets differ by so much.
    Spread { change: Decimal, unit: Unit },
    /// Nothing was heard of a pair for so many seconds.
    Stale { seconds: u32 },
    /// Nothing was heard of any pair of an exchange for so many seconds.
    ExchangeDown { seconds: u32 },
    /// Trades of a pair are missing.
    Gap,
}

/// What the step from one price to the next means to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// What it waits for has happened.
    Meets,
    /// What it fired for has passed.
    Rearms,
}

impl Condition {
    /// The word used in JSON and in the database.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Crosses { .. } => "crosses",
            Self::Reaches { .. } => "reaches",
            Self::Channel { .. } => "channel",
            Self::Moves { .. } => "moves",
            Self::Closes { .. } => "closes",
            Self::Volume { .. } => "volume",
            Self::Volatility { .. } => "volatility",
            Self::Spread { .. } => "spread",
            Self::Stale { .. } => "stale",
            Self::ExchangeDown { .. } => "exchange_down",
            Self::Gap => "gap",
        }
    }

    /// Prices at which a step may mean something, in this state. Empty for rules that wait for no level.
    pub fn levels(&self, is_armed: bool, hysteresis: Decimal) -> Vec<Decimal> {
        let around = |level: Decimal| [level.checked_sub(hysteresis), level.checked_add(hysteresis)];
        match (self, is_armed) {
            (Self::Crosses { level, .. } | Self::Reaches { level }, true) => vec![*level],
            (Self::Crosses { level, .. } | Self::Reaches { level }, false) => {
                around(*level).into_iter().flatten().collect()
            }
            (Self::Channel { lower, upper, .. }, true) => vec![*lower, *upper],
            (Self::Channel { lower, upper, .. }, false) => {
                around(*lower).into_iter().chain(around(*upper)).flatten().collect()
            }
            _ => Vec::new(),
        }
    }

    /// What it means to a rule that waits for a level when `before` is followed by `price`.
    pub fn step(&self, is_armed: bool, hysteresis: Decimal, before: Decimal, price: Decimal) -> Step {
        let met = match self {
            Self::Crosses { level, direction } => {
                let rose = before < *level && *level <= price;
                let fell = before > *level && *level >= price;
                match direction {
                    Direction::Up => rose,
                    Direction::Down => fell,
                    Direction::Either => rose || fell,
                }
            }
            Self::Reaches { level } => (before < *level && *level <= price) || (before > *level && *level >= price),
            Self::Channel { lower, upper, way } => {
                let inside = |price: Decimal| *lower <= price && price <= *upper;
                match way {
                    Way::Enter => !inside(before) && inside(price),
                    Way::Leave => inside(before) && !inside(price),
                }
            }
            _ => false,
        };
        match (is_armed, met) {
            (true, true) => Step::Meets,
            (false, _) if hysteresis.is_zero() || self.has_passed(hysteresis, price) => Step::Rearms,
            _ => Step::Nothing,
        }
    }

    /// Whether what a rule fired for has passed by more than the hysteresis.
    fn has_passed(&self, hysteresis: Decimal, price: Decimal) -> bool {
        match self {
            Self::Crosses { level, direction: Direction::Up } => price <= level - hysteresis,
            Self::Crosses { level, direction: Direction::Down } => price >= level + hysteresis,
            Self::Crosses { level, .. } | Self::Reaches { level } => (price - level).abs() >= hysteresis,
            Self::Channel { lower, upper, way: Way::Leave } => {
                lower + hysteresis <= price && price <= upper - hysteresis
            }
            Self::Channel { lower, upper, way: Way::Enter } => {
                price <= lower - hysteresis || price >= upper + hysteresis
            }
            _ => true,
        }
    }
}
