//! The simulated market: one random walk per symbol, pure and seeded.
//!
//! The n-th step of a symbol depends only on the seed, the symbol and the rate of trades, never on the clock or on the
//! other symbols. The walk's state is `f64` because it is a model, not money: what leaves this module is a whole number
//! of ticks and lots, as exact decimals.
//!
//! It looks like a market because volatility is a property of time, not of the number of trades; because bursts come
//! now and then in which both the moves and the quantities grow and then calm down; because buyers pay the upper and
//! sellers the lower side of a spread; and because prices are drawn back to the start slowly, and never leave
//! an order of magnitude around it.

use std::f64::consts::TAU;

use rust_decimal::{Decimal, prelude::ToPrimitive};

use crate::settings::SimulatedSymbol;

const DAY_S: f64 = 86_400.0;
/// Time in which a deviation from the start price shrinks to a third.
const REVERSION_S: f64 = 5.0 * DAY_S;
/// Mean time between two bursts of a symbol, and how long one lasts.
const BURST_EVERY_S: f64 = 300.0;
const BURST_LASTS_S: f64 = 25.0;
/// The logarithm of the price stays this close to the start's: a factor of 7.4.
const FARTHEST: f64 = 2.0;

/// What one trade is made of, apart from its number and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) price: Decimal,
    pub(crate) quantity: Decimal,
    pub(crate) buyer_is_maker: bool,
}

/// All symbols' walks, and whose turn it is.
pub(crate) struct Market {
    seed: u64,
    /// Trades a second, over all symbols.
    rate: f64,
    walks: Vec<Walk>,
    /// Each symbol's share of the trades; 0 for one that does not trade.
    activities: Vec<f64>,
    /// Upper ends of the shares, rising to the total.
    shares: Vec<f64>,
    rng: fastrand::Rng,
}

impl Market {
    pub(crate) fn new(seed: u64, symbols: &[SimulatedSymbol], trades_per_second: f64) -> Self {
        // Without a rate of its own (only `emit`) the market moves as if each trade took a second.
        let rate = if trades_per_second > 0.0 { trades_per_second } else { 1.0 };
        let activities: Vec<f64> = symbols.iter().map(share).collect();
        let total: f64 = activities.iter().sum();
        let walks = symbols.iter().map(|symbol| Walk::new(seed, symbol, total / (rate * symbol.activity))).collect();
        let rng = fastrand::Rng::with_seed(seed);
        Self { seed, rate, walks, shares: sums(&activities), activities, rng }
    }

    /// From now on this one trades too, as the last of the symbols.
    pub(crate) fn add(&mut self, symbol: &SimulatedSymbol) {
        self.activities.push(share(symbol));
        self.shares = sums(&self.activities);
        let total: f64 = self.activities.iter().sum();
        self.walks.push(Walk::new(self.seed, symbol, total / (self.rate * symbol.activity)));
    }

    /// This one does not trade any more.
    pub(crate) fn halt(&mut self, symbol: usize) {
        self.activities[symbol] = 0.0;
        self.shares = sums(&self.activities);
    }

    /// Which symbol trades next.
    pub(crate) fn next_symbol(&mut self) -> usize {
        let drawn = self.rng.f64() * self.shares.last().copied().unwrap_or_default();
        self.shares.partition_point(|upper| *upper <= drawn).min(self.shares.len() - 1)
    }

    /// That symbol's next trade.
    pub(crate) fn step(&mut self, symbol: usize) -> Step {
        self.walks[symbol].step()
    }
}

fn share(symbol: &SimulatedSymbol) -> f64 {
    if symbol.trading { symbol.activity } else { 0.0 }
}

/// Each with all before it.
fn sums(activities: &[f64]) -> Vec<f64> {
    let mut upper = 0.0;
    let sum = |activity: &f64| {
        upper += activity;
        upper
    };
    activities.iter().map(sum).collect()
}

struct Walk {
    rng: fastrand::Rng,
    /// Logarithm of the price over the start price.
    offset: f64,
    /// How excited the symbol is; 0 is calm.
    heat: f64,
    bought_last: bool,
    /// Seconds of market time that one trade stands for.
    seconds: f64,
    volatility: f64,
    start_price: f64,
    typical_notional: f64,
    tick_size: Decimal,
    lot_size: Decimal,
}

impl Walk {
    fn new(seed: u64, symbol: &SimulatedSymbol, seconds: f64) -> Self {
        // FNV-1a: the standard library's hash may change between releases, and prices with it.
        let name = symbol
            .ticker
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let float = |number: Decimal| number.to_f64().unwrap_or(1.0);
        Self {
            rng: fastrand::Rng::with_seed(seed ^ name),
            offset: 0.0,
            heat: 0.0,
            bought_last: true,
            seconds,
            volatility: symbol.daily_volatility * (seconds / DAY_S).sqrt(),
            start_price: float(symbol.start_price),
            typical_notional: float(symbol.typical_notional),
            tick_size: symbol.tick_size.normalize(),
            lot_size: symbol.lot_size.normalize(),
        }
    }

    fn step(&mut self) -> Step {
        self.heat *= (-self.seconds / BURST_LASTS_S).exp();
        if self.rng.f64() < self.seconds / BURST_EVERY_S {
            self.heat = (self.heat + 0.5 + 1.5 * self.rng.f64()).min(4.0);
        }
        self.offset -= self.offset * (self.seconds / REVERSION_S).min(1.0);
        self.offset += self.volatility * (1.0 + self.heat) * self.normal();
        self.offset = self.offset.clamp(-FARTHEST, FARTHEST);
        // Orders are split over several trades, so the same side tends to trade again.
        let bought = if self.rng.f64() < 0.65 { self.bought_last } else { !self.bought_last };
        self.bought_last = bought;

        let price = self.start_price * self.offset.exp();
        let ticks = price / self.tick_size.to_f64().unwrap_or(1.0);
        let ticks = if bought { ticks.ceil() } else { ticks.floor() };
        let notional = self.typical_notional * (1.0 + 2.0 * self.heat) * (1.2 * self.normal()).exp();
        let lots = (notional / price / self.lot_size.to_f64().unwrap_or(1.0)).round();
        Step {
            price: multiple(ticks, self.tick_size),
            quantity: multiple(lots, self.lot_size),
            buyer_is_maker: !bought,
        }
    }

    /// A draw from the normal distribution with deviation 1 (Box and Muller), at most about 6 by construction.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.rng.f64()).max(1e-9).ln()).sqrt();
        radius * (TAU * self.rng.f64()).cos()
    }
}

/// At least one unit: a trade has a price and a quantity.
fn multiple(count: f64, unit: Decimal) -> Decimal {
    // A float becomes the nearest whole number that fits: `as` saturates.
    Decimal::from((count as u64).max(1)) * unit
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::default_symbols;

    fn run(seed: u64, trades: usize, rate: f64) -> Vec<(usize, Step)> {
        let mut market = Market::new(seed, &default_symbols(), rate);
        (0..trades)
            .map(|_| {
                let symbol = market.next_symbol();
                (symbol, market.step(symbol))
            })
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_market_and_another_seed_another() {
        assert_eq!(run(7, 5_000, 20.0), run(7, 5_000, 20.0));
        assert_ne!(run(7, 5_000, 20.0), run(8, 5_000, 20.0));
    }

    #[test]
    fn a_symbol_walks_the_same_whatever_the_others_do() {
        let mut interleaved = Market::new(7, &default_symbols(), 20.0);
        let mut alone = Market::new(7, &default_symbols(), 20.0);
        for _ in 0..500 {
            interleaved.step(1);
            assert_eq!(interleaved.step(0), alone.step(0));
        }
    }

    #[test]
    fn the_share_of_trades_follows_the_activity_and_a_halted_symbol_has_none() {
        let mut symbols = default_symbols();
        symbols[9].trading = false;
        let mut market = Market::new(1, &symbols, 20.0);
        let mut counts = [0; 10];
        for _ in 0..21_000 {
            counts[market.next_symbol()] += 1;
        }
        assert_eq!(counts[9], 0);
        assert!((4_700..5_300).contains(&counts[0]), "{counts:?}");
        assert!((800..1_200).contains(&counts[8]), "{counts:?}");
    }

    #[test]
    fn a_day_moves_about_as_much_as_it_should_and_volume_comes_in_bursts() {
        // One trade stands for a minute; sixty days of Bitcoin.
        let bitcoin = &default_symbols()[..1];
        let mut market = Market::new(3, bitcoin, 1.0 / 60.0);
        let steps: Vec<Step> = (0..60 * 1_440).map(|_| market.step(0)).collect();
        let closes: Vec<f64> = steps.chunks(1_440).map(|day| day[1_439].price.to_f64().unwrap()).collect();
        let moves: Vec<f64> = closes.windows(2).map(|pair| (pair[1] / pair[0]).ln().powi(2)).collect();
        let deviation = (moves.iter().sum::<f64>() / moves.len() as f64).sqrt();
        assert!((0.02..0.08).contains(&deviation), "{deviation}");

        let mut market = Market::new(3, bitcoin, 10.0);
        let mut sorted: Vec<Decimal> = (0..60).map(|_| (0..600).map(|_| market.step(0).quantity).sum()).collect();
        sorted.sort();
        assert!(sorted[59] > sorted[30] * Decimal::TWO, "the busiest of sixty minutes stands out: {sorted:?}");
    }

    proptest! {
        #[test]
        fn prices_are_ticks_near_the_start_and_quantities_lots(seed in any::<u64>(), rate in 0.001f64..10_000.0) {
            let symbols = default_symbols();
            for (symbol, step) in run(seed, 2_000, rate) {
                let symbol = &symbols[symbol];
                prop_assert!((step.price % symbol.tick_size).is_zero());
                prop_assert!((step.quantity % symbol.lot_size).is_zero());
                prop_assert!(step.quantity > Decimal::ZERO);
                prop_assert!(step.price < symbol.start_price * Decimal::TEN);
                prop_assert!(step.price * Decimal::TEN > symbol.start_price);
                prop_assert!((step.price * step.quantity).normalize().scale() <= 8);
            }
        }
    }
}
