//! How long to wait after a failure: longer each time, never beyond a bound, and never in step with others.

use std::time::Duration;

#[derive(Debug, Clone)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, failures: 0 }
    }

    /// Something worked: the next failure is the first again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure.
    pub(super) fn next_wait(&mut self) -> Duration {
        self.wait_with(fastrand::f64())
    }

    /// Between half and all of a wait that doubles; `jitter` is from 0 to 1.
    fn wait_with(&mut self, jitter: f64) -> Duration {
        let full = self.min.saturating_mul(2_u32.saturating_pow(self.failures)).min(self.max);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(0.5 + jitter / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_start_again() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));
        let waits: Vec<_> = (0..6).map(|_| backoff.wait_with(1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 15, 15]);
        assert_eq!(backoff.wait_with(0.0), Duration::from_millis(7_500));
        for _ in 0..100 {
            assert!(backoff.next_wait() <= Duration::from_secs(15));
        }
        backoff.reset();
        assert_eq!(backoff.wait_with(1.0), Duration::from_secs(1));
    }
}
