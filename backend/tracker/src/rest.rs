//! Asking an exchange by REST, politely.
//!
//! One [`Rest`] stands for one host, shared by everyone who asks it. When the host says "too many requests" or "banned"
//! (429 and 418, and what else its [`Terms`] name), nobody asks again before the time that it named. Hosts that count
//! requests are asked at their pace, and what can wait takes half of it at most; of hosts that tell what was spent, half
//! is left to what cannot.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::Utc;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to stay away when the host does not say.
const DEFAULT_PENALTY: Duration = Duration::from_secs(60);
/// The longest ban that Binance speaks of has three days; anything above is a mistake in the header.
const LONGEST_PENALTY: Duration = Duration::from_secs(7 * 86_400);
/// An answer longer than this is none of what we ask for: Binance's whole catalogue has about 20 MB.
const LONGEST_ANSWER: usize = 64 << 20;

/// A host that is asked by REST.
#[derive(Debug, Clone)]
pub struct Rest {
    client: reqwest::Client,
    base: reqwest::Url,
    closed_until: Arc<Mutex<Option<Instant>>>,
    budget: Arc<Budget>,
    pace: Option<Arc<Pace>>,
    closing: &'static [(u16, Duration)],
    /// What is not to be repeated of what it says.
    secret: Option<Arc<[String]>>,
}

/// What a host allows.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The header of every answer that tells what was spent in this minute, and what may be.
    pub weight: Option<(&'static str, u64)>,
    /// How many requests may be made, in which time; any number where it is told by weight alone.
    pub pace: Option<(NonZeroU32, Duration)>,
    /// Answers after which the host is left alone, and for how long where it does not say itself.
    pub closing: &'static [(u16, Duration)],
}

impl Default for Terms {
    fn default() -> Self {
        Self { weight: None, pace: None, closing: &[(429, DEFAULT_PENALTY), (418, DEFAULT_PENALTY)] }
    }
}

/// How often may be asked, and how often for what can wait.
#[derive(Debug)]
struct Pace {
    all: DefaultDirectRateLimiter,
    spare: DefaultDirectRateLimiter,
}

impl Pace {
    fn new((count, time): (NonZeroU32, Duration)) -> Option<Self> {
        // One after the other, and not all at once: hosts count in windows that we do not know.
        let all = Quota::with_period(time / count.get())?;
        let spare = Quota::with_period(time * 2 / count.get())?;
        Some(Self { all: RateLimiter::direct(all), spare: RateLimiter::direct(spare) })
    }
}

/// What is spent of the minute's allowance.
#[derive(Debug)]
struct Budget {
    header: Option<&'static str>,
    limit: AtomicU64,
    used: AtomicU64,
}

/// A question that was not answered.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// The host cannot be reached, or broke off.
    #[error("{host}: {reason}")]
    Unreachable {
        /// Who was asked.
        host: String,
        /// The deepest cause that is known.
        reason: String,
    },
    /// The host asks to be left alone.
    #[error("{host} refuses further requests for {} s (HTTP {status})", wait.as_secs())]
    Limited {
        /// Who was asked.
        host: String,
        /// What it answered: 429, 418, 403.
        status: u16,
        /// For how long.
        wait: Duration,
    },
    /// The host refuses this request.
    #[error("{host} answers HTTP {status}: {body}")]
    Refused {
        /// Who was asked.
        host: String,
        /// What it answered.
        status: u16,
        /// The beginning of what it said.
        body: String,
    },
    /// The answer is not what the exchange documents.
    #[error("{host} answers something unreadable: {reason}")]
    Unreadable {
        /// Who was asked.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Rest {
    /// A host at `base`, on these terms.
    ///
    /// # Errors
    /// When that is not an http or https address, in words that name it.
    pub fn new(base: &str, terms: Terms) -> Result<Self, String> {
        Self::with_headers(base, terms, HeaderMap::new())
    }

    /// A host at `base` that counts by a key, which every request carries in a header. It tells nothing of what was spent.
    ///
    /// # Errors
    /// When that is not an http or https address, in words that name it; or when the key cannot be sent, in words that do not.
    pub fn keyed(base: &str, header: &'static str, key: &str) -> Result<Self, String> {
        let mut key = HeaderValue::from_str(key)
            .map_err(|_| "the key holds characters that no header can carry; copy it once more".to_owned())?;
        key.set_sensitive(true);
        let headers = HeaderMap::from_iter([(
            HeaderName::from_bytes(header.as_bytes()).map_err(|error| error.to_string())?,
            key,
        )]);
        Self::with_headers(base, Terms::default(), headers)
    }

    fn with_headers(base: &str, terms: Terms, headers: HeaderMap) -> Result<Self, String> {
        let wrong = |reason: &dyn fmt::Display| format!("{base:?} is not an address ({reason}); write https://host");
        let base = base.parse::<reqwest::Url>().map_err(|error| wrong(&error))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(wrong(&"it must begin with http:// or https://"));
        }
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("crypto-tracker/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| wrong(&error))?;
        let (header, limit) = terms.weight.map_or((None, u64::MAX), |(header, limit)| (Some(header), limit));
        let budget = Arc::new(Budget { header, limit: AtomicU64::new(limit), used: AtomicU64::new(0) });
        let pace = terms.pace.and_then(Pace::new).map(Arc::new);
        Ok(Self { client, base, closed_until: Arc::default(), budget, pace, closing: terms.closing, secret: None })
    }

    /// The same; where the host repeats this, as it is or as it stands in an address, that is told to nobody.
    pub fn hiding(self, secret: &str) -> Self {
        let mut address = self.base.clone();
        address.query_pairs_mut().clear().append_key_only(secret);
        let encoded = address.query().unwrap_or_default().to_owned();
        Self { secret: Some([secret.to_owned(), encoded].into()), ..self }
    }

    fn hidden(&self, text: String) -> String {
        let secrets = self.secret.iter().flat_map(|secrets| secrets.iter()).filter(|secret| !secret.is_empty());
        secrets.fold(text, |text, secret| text.replace(secret, "(the key)"))
    }

    /// So much may be spent in a minute, as the host itself said.
    pub fn allow(&self, limit: u64) {
        self.budget.limit.store(limit, Ordering::Relaxed);
    }

    /// Asks something that can wait: after waiting until enough of the minute's allowance is left for what cannot.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn get_when_spare<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, RestError> {
        if let Some(pace) = &self.pace {
            pace.spare.until_ready().await;
        }
        loop {
            self.wait_until_open().await;
            if self.budget.used.load(Ordering::Relaxed) < self.budget.limit.load(Ordering::Relaxed) / 2 {
                break;
            }
            // The allowance is counted anew every minute of the clock.
            let into_the_minute = Utc::now().timestamp().rem_euclid(60).unsigned_abs();
            tokio::time::sleep(Duration::from_secs(60 - into_the_minute)).await;
            self.budget.used.store(0, Ordering::Relaxed);
        }
        self.get(path, query).await
    }

    /// Asks, after waiting as long as the host asked to be left alone.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, RestError> {
        // Whoever waits for it to open goes in turn then.
        self.wait_until_open().await;
        if let Some(pace) = &self.pace {
            pace.all.until_ready().await;
        }
        self.wait_until_open().await;
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let response = self.client.get(url).send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let used = self.budget.header.and_then(|header| response.headers().get(header)?.to_str().ok()?.parse().ok());
        if let Some(used) = used {
            self.budget.used.store(used, Ordering::Relaxed);
        }
        if let Some((_, penalty)) = self.closing.iter().find(|(closing, _)| *closing == status.as_u16()) {
            let named = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            return Err(self.limited(status.as_u16(), named.map_or(*penalty, Duration::from_secs)));
        }
        let body = self.body(response).await?;
        if !status.is_success() {
            let body = self.hidden(String::from_utf8_lossy(&body).into_owned()).chars().take(200).collect();
            return Err(RestError::Refused { host: self.host(), status: status.as_u16(), body });
        }
        serde_json::from_slice(&body).map_err(|error| self.unreadable(error.to_string()))
    }

    /// That the host has had enough: nobody asks it for so long. For those who say so in the body of an answer.
    pub(crate) fn limited(&self, status: u16, wait: Duration) -> RestError {
        let wait = wait.min(LONGEST_PENALTY);
        self.close_for(wait);
        metrics::counter!("exchange_rate_limited_total", "host" => self.host()).increment(1);
        RestError::Limited { host: self.host(), status, wait }
    }

    /// That the answer is not complete yet, and asking goes on later: nobody refused anything.
    pub(crate) fn unfinished(&self, reason: &str) -> RestError {
        RestError::Unreachable { host: self.host(), reason: reason.to_owned() }
    }

    /// That the host refuses what was asked, in the body of an answer: `status` as its words mean it.
    pub(crate) fn refused(&self, status: u16, body: &str) -> RestError {
        RestError::Refused { host: self.host(), status, body: body.chars().take(200).collect() }
    }

    /// That an answer is none of what we asked for.
    pub(crate) fn unreadable(&self, reason: String) -> RestError {
        RestError::Unreadable { host: self.host(), reason: self.hidden(reason) }
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, RestError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(self.unreadable("it is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    pub(crate) fn host(&self) -> String {
        self.base.host_str().unwrap_or_default().to_owned()
    }

    fn unreachable(&self, error: &reqwest::Error) -> RestError {
        RestError::Unreachable { host: self.host(), reason: root_cause(error) }
    }

    async fn wait_until_open(&self) {
        loop {
            // It may be prolonged while we wait.
            let until = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return,
            }
        }
    }

    fn close_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = Some(closed.map_or(until, |known| known.max(until)));
    }
}

/// The deepest cause: "Connection refused" says more than "error sending request".
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_repeats_of_a_key_is_not_told() {
        process::tls::install();
        let rest = Rest::new("https://example.org", Terms::default()).unwrap().hiding("s3cret/+ key");
        let told = |text: &str| rest.unreadable(text.to_owned()).to_string();
        assert_eq!(told("s3cret/+ key is no key"), "example.org answers something unreadable: (the key) is no key");
        let address = "no such path: /latest?access_key=s3cret%2F%2B+key";
        let hidden = "example.org answers something unreadable: no such path: /latest?access_key=(the key)";
        assert_eq!(told(address), hidden);
    }
}
