//! Top lists that services outside tell, where the user has a key for one: what coins cost, and in which order they stand.
//!
//! (What an exchange lists is another thing, and stands in `listing.rs`.)
//!
//! Every service is asked at whole multiples of the interval, by the clock: a round that takes long does not shift the next one,
//! and one that is not done by then is given up. A request is tried five times, unless the service says that it need not be. A
//! coin of which something is missing is left out and counted; nothing is made up, and no digit is rounded. Keys appear in no
//! log, no status and no message.

mod coin_market_cap;
mod crypto_compare;
mod settings;

use std::{collections::HashSet, time::Duration};

use backon::{ExponentialBuilder, Retryable as _};
use broker::{LocalQueueError, Message, Publisher};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Half, ListedCoin, ListingReport, listing::MOST_COINS};
use futures_util::future::BoxFuture;
use process::{Health, Shutdown};
use serde::de::DeserializeOwned;

use crate::{
    Error,
    rest::{Rest, RestError},
    status::Board,
};

use self::{coin_market_cap::CoinMarketCap, crypto_compare::CryptoCompare};
pub use settings::{ApiKey, Settings};

/// How often a request is tried again before a round is given up.
const RETRIES: usize = 4;
const SHORTEST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// A service that tells one half of a top list.
trait Service: Send + Sync {
    /// Its name, in the manner of exchanges' names.
    fn name(&self) -> &'static str;

    /// Which half it tells.
    fn half(&self) -> Half;

    /// Asks for the whole list.
    fn fetch(&self) -> BoxFuture<'_, Result<Fetched, RestError>>;
}

/// What a service told: coins, each once, in its order.
#[derive(Debug, Default)]
struct Fetched {
    coins: Vec<ListedCoin>,
    met: HashSet<(i32, String)>,
    left_out: u64,
}

impl Fetched {
    /// Takes a coin in, where one could be read, it is fit for its half, was not told before, and there is room.
    fn add(&mut self, half: Half, read: Option<ListedCoin>) {
        let fit = read.filter(|coin| self.coins.len() < MOST_COINS && coin.mistake(half).is_none());
        match fit.filter(|coin| self.met.insert((coin.id, coin.symbol.to_string()))) {
            Some(coin) => self.coins.push(coin),
            None => self.left_out += 1,
        }
    }
}

/// One service, asked for ever.
pub(crate) struct Listings {
    service: Box<dyn Service>,
    key: ApiKey,
    every: Duration,
    publisher: Publisher,
    board: Board,
}

/// Every service for which there is a key.
///
/// # Errors
/// When an address is none, or a key cannot be sent.
pub(crate) fn chosen(settings: &Settings, publisher: &Publisher) -> Result<Vec<Listings>, Error> {
    let mut chosen = Vec::new();
    let mut add = |service: Box<dyn Service>, key: &ApiKey| {
        let board = Board::new(service.name().into());
        let (key, publisher) = (key.clone(), publisher.clone());
        chosen.push(Listings { service, key, every: settings.every(), publisher, board });
    };
    if let Some(key) = settings.coinmarketcap_api_key.as_ref().filter(|key| key.is_set()) {
        let wrong = |reason| Error(format!("COINMARKETCAP_URL, COINMARKETCAP_API_KEY: {reason}"));
        let rest = Rest::keyed(&settings.coinmarketcap_url, "X-CMC_PRO_API_KEY", key.as_str()).map_err(wrong)?;
        add(Box::new(CoinMarketCap(rest)), key);
    }
    if let Some(key) = settings.cryptocompare_api_key.as_ref().filter(|key| key.is_set()) {
        let wrong = |reason| Error(format!("CRYPTOCOMPARE_URL, CRYPTOCOMPARE_API_KEY: {reason}"));
        let words = format!("Apikey {}", key.as_str());
        let rest = Rest::keyed(&settings.cryptocompare_url, "authorization", &words).map_err(wrong)?;
        add(Box::new(CryptoCompare(rest)), key);
    }
    Ok(chosen)
}

impl Listings {
    fn name(&self) -> &'static str {
        self.service.name()
    }

    /// Works until asked to stop, and tells how it goes.
    ///
    /// # Errors
    /// When the queue takes nothing any more.
    pub(crate) async fn run(self, shutdown: Shutdown) -> Result<(), Error> {
        // A list counts as fresh for two rounds and a bit.
        let fresh = TimeDelta::from_std(self.every * 2 + LONGEST_DELAY).unwrap_or(TimeDelta::MAX);
        // How it goes is told at /feeds; that a service outside is away does not make this process unready.
        let check = Health::new().register(self.name());
        let telling = self.board.clone().tell(self.publisher.clone(), check, fresh, shutdown.clone());
        let telling = tokio::spawn(telling);
        let broken = tokio::select! {
            Err(error) = self.rounds() => Some(error),
            () = shutdown.cancelled() => None,
        };
        let Some(error) = broken else {
            // It says that this has stopped; a mistake in it costs news alone.
            let _ = telling.await;
            return Ok(());
        };
        telling.abort();
        Err(Error(format!("publishing a list of {}: {error}", self.name())))
    }

    async fn rounds(&self) -> Result<(), LocalQueueError> {
        let mut last = DateTime::UNIX_EPOCH;
        loop {
            let due = next_round(Utc::now(), last, self.every);
            tokio::time::sleep((due - Utc::now()).to_std().unwrap_or_default()).await;
            last = due;
            match tokio::time::timeout(self.every, self.service.fetch()).await {
                Ok(Ok(fetched)) => self.publish(fetched).await?,
                Ok(Err(error)) => self.failed(&error.to_string()),
                Err(_) => self.failed(&format!("it takes longer than {} s to tell its list", self.every.as_secs())),
            }
        }
    }

    async fn publish(&self, fetched: Fetched) -> Result<(), LocalQueueError> {
        let Fetched { coins, left_out, .. } = fetched;
        let (source, half) = (self.name(), self.service.half());
        tracing::debug!(source, %half, coins = coins.len(), left_out, "a list of coins was fetched");
        metrics::counter!("listing_coins_total", "source" => source).increment(coins.len() as u64);
        metrics::counter!("listing_coins_left_out_total", "source" => source).increment(left_out);
        self.board.count(0, left_out);
        if coins.is_empty() {
            self.failed("its list holds no coin that can be used");
            return Ok(());
        }
        let report = ListingReport { source: source.into(), half, at: Utc::now(), coins };
        self.publisher.publish(Message::Listing(report)).await?;
        self.board.polled(true);
        Ok(())
    }

    fn failed(&self, reason: &str) {
        let reason = self.key.hidden_in(reason);
        tracing::warn!(source = self.name(), error = reason, "a list of coins cannot be had");
        metrics::counter!("listings_failed_total", "source" => self.name()).increment(1);
        let now = Utc::now();
        let wait = next_round(now, now, self.every) - now;
        self.board.waiting(0, reason, wait.to_std().unwrap_or(self.every));
    }
}

/// The next whole multiple of the interval, by the clock, that is later than the last.
fn next_round(now: DateTime<Utc>, last: DateTime<Utc>, every: Duration) -> DateTime<Utc> {
    let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX).max(1);
    let after = |time: DateTime<Utc>| (time.timestamp().div_euclid(every) + 1).saturating_mul(every);
    DateTime::from_timestamp(after(now).max(after(last)), 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Asks, and asks again where that may help.
async fn ask<T: DeserializeOwned>(rest: &Rest, path: &str, query: &[(&str, &str)]) -> Result<T, RestError> {
    let may_help = |error: &RestError| match error {
        RestError::Refused { status, .. } => !(400..500).contains(status),
        RestError::Limited { wait, .. } => *wait <= LONGEST_DELAY,
        RestError::Unreachable { .. } | RestError::Unreadable { .. } => true,
    };
    let delays = ExponentialBuilder::default()
        .with_min_delay(SHORTEST_DELAY)
        // Jitter may double it.
        .with_max_delay(LONGEST_DELAY / 2)
        .with_jitter()
        .with_max_times(RETRIES);
    (|| rest.get(path, query)).retry(delays).when(may_help).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_begin_at_whole_multiples_and_none_twice() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let noon = at("2026-11-20T12:00:00Z");
        let next = |now, last| next_round(at(now), last, Duration::from_secs(60));
        assert_eq!(next("2026-11-20T11:59:00.001Z", DateTime::UNIX_EPOCH), noon);
        assert_eq!(next("2026-11-20T12:00:00Z", noon), at("2026-11-20T12:01:00Z"));
        assert_eq!(next("2026-11-20T11:59:59.999Z", noon), at("2026-11-20T12:01:00Z"), "the clock was turned back");
        assert_eq!(next("2026-11-20T12:02:30Z", noon), at("2026-11-20T12:03:00Z"), "a late round shifts none");
    }
}
