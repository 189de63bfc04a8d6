//! The exchange's patience as Binance has it: request weights and the meter that adds them up.
//!
//! The weights of a rolling minute may not exceed the limit. What exceeds it is refused with 429 and costs nothing;
//! a client that goes on all the same is banned with 418 for two minutes.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::faults::Refusal;

const WINDOW: Duration = Duration::from_secs(60);
/// Refusals in a row after which a client is banned.
const PATIENCE: u32 = 10;
const BAN: Duration = Duration::from_secs(120);

/// What a request costs, by the table of Binance's documentation.
pub(crate) fn weight(path: &str, symbol_count: Option<usize>) -> u32 {
    match path.rsplit('/').next().unwrap_or_default() {
        "exchangeInfo" => 20,
        "trades" | "historicalTrades" => 25,
        "aggTrades" => 4,
        "klines" => 2,
        "price" if symbol_count == Some(1) => 2,
        "price" => 4,
        "24hr" => match symbol_count {
            Some(0..=20) => 2,
            Some(21..=100) => 40,
            _ => 80,
        },
        _ => 1,
    }
}

/// The weight used in the last minute.
pub(crate) struct Meter {
    limit: u32,
    used: u32,
    spent: VecDeque<(Instant, u32)>,
    refused_in_a_row: u32,
    banned_until: Option<Instant>,
}

impl Meter {
    pub(crate) fn new(limit: u32) -> Self {
        Self { limit, used: 0, spent: VecDeque::new(), refused_in_a_row: 0, banned_until: None }
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    pub(crate) fn used(&self) -> u32 {
        self.used
    }

    /// Spends the weight, or says how it is refused and when to try again.
    pub(crate) fn spend(&mut self, now: Instant, weight: u32) -> Result<(), (Refusal, Duration)> {
        while let Some((_, weight)) = self.spent.pop_front_if(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.used -= weight;
        }
        if let Some(left) = self.banned_until.map(|until| until.saturating_duration_since(now)) {
            if !left.is_zero() {
                return Err((Refusal::Banned, left));
            }
            self.banned_until = None;
        }
        if self.used + weight <= self.limit {
            self.used += weight;
            self.spent.push_back((now, weight));
            self.refused_in_a_row = 0;
            return Ok(());
        }
        self.refused_in_a_row += 1;
        if self.refused_in_a_row > PATIENCE {
            self.refused_in_a_row = 0;
            self.banned_until = Some(now + BAN);
            return Err((Refusal::Banned, BAN));
        }
        // Enough has fallen out of the window when the oldest requests that make up the excess are a minute old.
        let mut excess = self.used + weight - self.limit;
        let frees = self.spent.iter().find(|(_, weight)| {
            excess = excess.saturating_sub(*weight);
            excess == 0
        });
        let wait = frees.map_or(WINDOW, |(at, _)| WINDOW.saturating_sub(now.duration_since(*at)));
        Err((Refusal::TooManyRequests, wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_follow_the_table() {
        for (path, symbols, expected) in [
            ("/api/v3/ping", None, 1),
            ("/api/v3/exchangeInfo", None, 20),
            ("/api/v3/historicalTrades", Some(1), 25),
            ("/api/v3/aggTrades", Some(1), 4),
            ("/api/v3/klines", Some(1), 2),
            ("/api/v3/ticker/price", Some(1), 2),
            ("/api/v3/ticker/price", Some(2), 4),
            ("/api/v3/ticker/price", None, 4),
            ("/api/v3/ticker/24hr", Some(20), 2),
            ("/api/v3/ticker/24hr", Some(21), 40),
            ("/api/v3/ticker/24hr", None, 80),
        ] {
            assert_eq!(weight(path, symbols), expected, "{path} {symbols:?}");
        }
    }

    #[test]
    fn weight_returns_after_a_minute_and_the_wait_is_told() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut meter = Meter::new(100);
        meter.spend(at(0), 60).unwrap();
        meter.spend(at(10), 40).unwrap();
        assert_eq!(meter.spend(at(20), 1), Err((Refusal::TooManyRequests, Duration::from_secs(40))));
        assert_eq!(meter.spend(at(20), 61), Err((Refusal::TooManyRequests, Duration::from_secs(50))));
        assert_eq!(meter.used(), 100);
        meter.spend(at(60), 60).unwrap();
        meter.spend(at(70), 40).unwrap();
        assert_eq!(meter.used(), 100);
    }

    #[test]
    fn who_goes_on_is_banned_for_a_while() {
        let start = Instant::now();
        let mut meter = Meter::new(10);
        meter.spend(start, 10).unwrap();
        for _ in 0..PATIENCE {
            assert_eq!(meter.spend(start, 1).unwrap_err().0, Refusal::TooManyRequests);
        }
        assert_eq!(meter.spend(start, 1), Err((Refusal::Banned, BAN)));
        assert_eq!(meter.spend(start + WINDOW, 1), Err((Refusal::Banned, BAN - WINDOW)));
        meter.spend(start + BAN, 1).unwrap();
    }
}
