//! How often somebody may try to log in: from one address, and to one account from anywhere.

use std::{hash::RandomState, net::IpAddr, num::NonZeroU32};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};

use crate::{
    error::{Code, Failure},
    rate_limit::Buckets,
};

/// A minute, from one address.
const FROM_ADDRESS: NonZeroU32 = NonZeroU32::new(20).expect("it is not zero");
/// A minute, to one account.
const TO_ACCOUNT: NonZeroU32 = NonZeroU32::new(30).expect("it is not zero");

/// The tries.
pub(crate) struct Attempts {
    from: RateLimiter<IpAddr, Buckets<IpAddr>, DefaultClock>,
    to: RateLimiter<String, Buckets<String>, DefaultClock>,
    clock: DefaultClock,
}

impl Attempts {
    /// None yet.
    pub(crate) fn new() -> Self {
        let clock = DefaultClock::default();
        Self {
            from: RateLimiter::new(Quota::per_minute(FROM_ADDRESS), Buckets::new(RandomState::new()), clock.clone()),
            to: RateLimiter::new(Quota::per_minute(TO_ACCOUNT), Buckets::new(RandomState::new()), clock.clone()),
            clock,
        }
    }

    /// Counts a try.
    pub(crate) fn count(&self, from: IpAddr, to: &str) -> Result<(), Failure> {
        // What is refused to an address takes nothing from the account: else anybody could lock out anybody.
        let counted = self.from.check_key(&from).and_then(|()| self.to.check_key(&to.to_owned()));
        let Err(refused) = counted else { return Ok(()) };
        let wait = refused.wait_time_from(self.clock.now());
        tracing::warn!(address = %from, "too many tries to log in");
        let failure =
            Failure::new(Code::TooManyLogins, "too many tries to log in from this address, or to this account");
        Err(failure.retry_after(wait.as_secs_f64().ceil().max(1.0) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_and_one_account_have_their_tries_and_others_theirs() {
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        let attempts = Attempts::new();
        assert!((0..20).all(|number| attempts.count(address(1), &format!("user{number}")).is_ok()));
        assert!(attempts.count(address(1), "ada").is_err() && attempts.count(address(2), "ada").is_ok());
        let guessed = (10..60).filter(|last| attempts.count(address(*last), "grace").is_ok()).count();
        assert_eq!(guessed, 30);
        let flooded = Attempts::new();
        assert_eq!((0..1_000).filter(|_| flooded.count(address(1), "ada").is_ok()).count(), 20);
        assert!(flooded.count(address(2), "ada").is_ok(), "one address locks nobody out");
    }
}
