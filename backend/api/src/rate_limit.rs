//! How often one address may ask: a token bucket each, in a fixed amount of memory.
//!
//! An address has its bucket by a hash with a random seed, among [`BUCKETS`]. So memory does not grow with the number of
//! addresses, nothing must be cleared away, and who floods from many addresses pushes nobody out. Now and then two addresses
//! share a bucket; with a hundred active at once the odds of any such pair are one in thirteen, and a pair notices only when
//! both together ask too much.

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    marker::PhantomData,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use actix_web::{
    HttpRequest,
    dev::ServiceRequest,
    http::header::{HeaderName, HeaderValue},
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};

use crate::{
    Settings,
    error::{Code, Failure},
};

/// Half a megabyte of them.
const BUCKETS: usize = 1 << 16;

/// How many seconds' worth of requests may come at once.
const BURST_SECONDS: u32 = 10;

/// What is promised to each address: draft-ietf-httpapi-ratelimit-headers.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is left of it, and when all of it is back.
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// The buckets of all keys.
pub(crate) struct Buckets<K> {
    seed: RandomState,
    buckets: Vec<InMemoryState>,
    of: PhantomData<fn(K)>,
}

impl<K> Buckets<K> {
    /// All full.
    pub(crate) fn new(seed: RandomState) -> Self {
        Self { seed, buckets: std::iter::repeat_with(InMemoryState::default).take(BUCKETS).collect(), of: PhantomData }
    }
}

impl<K: Hash + Eq + Clone> StateStore for Buckets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let bucket = self.seed.hash_one(key) as usize % BUCKETS;
        self.buckets[bucket].measure_and_replace(&NotKeyed::NonKey, decide)
    }
}

/// The limit.
pub(crate) struct RateLimit {
    limiter: RateLimiter<IpAddr, Buckets<IpAddr>, DefaultClock, StateInformationMiddleware>,
    clock: DefaultClock,
    per_second: u32,
    policy: HeaderValue,
    trust_proxy: bool,
}

/// What an answer says of the limit.
pub(crate) struct Standing {
    policy: HeaderValue,
    left: HeaderValue,
}

impl RateLimit {
    /// The limit that the settings name; none where they say 0.
    pub(crate) fn new(settings: &Settings) -> Option<Self> {
        let per_second = NonZeroU32::new(settings.api_rate_limit)?;
        let burst = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_SECONDS - 1));
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let clock = DefaultClock::default();
        let limiter = RateLimiter::new(quota, Buckets::new(RandomState::new()), clock.clone());
        let policy = HeaderValue::try_from(format!("\"address\";q={burst};w={BURST_SECONDS}")).ok()?;
        Some(Self { limiter, clock, per_second: per_second.get(), policy, trust_proxy: settings.api_trust_proxy })
    }

    /// Counts a request. The failure is the answer where there were too many.
    pub(crate) fn count(&self, request: &ServiceRequest) -> (Result<(), Failure>, Standing) {
        let (outcome, left) = match self.limiter.check_key(&address(request.request(), self.trust_proxy)) {
            Ok(state) => (Ok(()), state.remaining_burst_capacity()),
            Err(refused) => {
                let wait = refused.wait_time_from(self.clock.now());
                (Err(self.failure(wait)), 0)
            }
        };
        let burst = self.per_second.saturating_mul(BURST_SECONDS);
        let back = burst.saturating_sub(left).div_ceil(self.per_second);
        let left = HeaderValue::try_from(format!("\"address\";r={left};t={back}"));
        // An error cannot happen: digits are always a header.
        let left = left.unwrap_or_else(|_| HeaderValue::from_static("\"address\";r=0"));
        (outcome, Standing { policy: self.policy.clone(), left })
    }

    fn failure(&self, wait: Duration) -> Failure {
        let detail = format!("this address asks more than {} times a second", self.per_second);
        Failure::new(Code::RateLimited, detail).retry_after(wait.as_secs_f64().ceil().max(1.0) as u64)
    }
}

/// Who asks. Behind a proxy that is trusted, whom it names last; nobody can forge what it adds.
pub(crate) fn address(request: &HttpRequest, trust_proxy: bool) -> IpAddr {
    let peer = || request.peer_addr().map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip());
    network(if trust_proxy { forwarded(request).unwrap_or_else(peer) } else { peer() })
}

impl Standing {
    /// The headers.
    pub(crate) fn headers(self) -> [(HeaderName, HeaderValue); 2] {
        [(POLICY, self.policy), (LEFT, self.left)]
    }
}

fn forwarded(request: &HttpRequest) -> Option<IpAddr> {
    let named = request.headers().get_all("x-forwarded-for").last()?.to_str().ok()?;
    let last = named.rsplit(',').next()?.trim();
    last.parse().ok().or_else(|| last.parse().ok().map(|address: SocketAddr| address.ip()))
}

/// Whoever has one IPv6 address has a whole network of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn limit(per_second: u32) -> RateLimit {
        let settings = Settings { api_rate_limit: per_second, ..Settings::default() };
        RateLimit::new(&settings).unwrap()
    }

    fn from(peer: &str, forwarded: &[&str]) -> ServiceRequest {
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        let mut request = TestRequest::default().peer_addr(peer);
        for line in forwarded {
            request = request.append_header(("x-forwarded-for", *line));
        }
        request.to_srv_request()
    }

    #[test]
    fn an_address_has_its_burst_and_others_have_their_own() {
        let limit = limit(1);
        let taken = |peer: &str| limit.count(&from(peer, &[])).0.is_ok();
        assert!((0..10).all(|_| taken("1.2.3.4")));
        assert!(!taken("1.2.3.4") && !taken("::ffff:1.2.3.4"), "an address in two forms is one");
        assert!(taken("1.2.3.5"));
        assert!((0..10).all(|index| taken(&format!("2001:db8:1:2::{index}"))));
        assert!(!taken("2001:db8:1:2:ffff::1") && taken("2001:db8:1:3::1"), "a network of IPv6 counts as one");
    }

    #[test]
    fn whom_a_proxy_names_last_counts_only_where_it_is_trusted() {
        for (lines, expected) in [
            (&["9.9.9.9, 8.8.8.8"][..], "8.8.8.8"),
            (&["9.9.9.9", "8.8.8.8:1234"], "8.8.8.8"),
            (&["8.8.8.8, nonsense"], "127.0.0.1"),
            (&[], "127.0.0.1"),
        ] {
            assert_eq!(address(from("127.0.0.1", lines).request(), true).to_string(), expected, "{lines:?}");
        }
        assert_eq!(address(from("127.0.0.1", &["8.8.8.8"]).request(), false).to_string(), "127.0.0.1");
    }

    #[test]
    fn a_flood_from_any_number_of_addresses_takes_no_more_memory() {
        let limit = limit(1);
        for number in 0..1_000_000_u32 {
            let _ = limit.limiter.check_key(&IpAddr::V4(number.into()));
        }
        assert_eq!(limit.limiter.into_state_store().buckets.len(), BUCKETS);
    }
}
