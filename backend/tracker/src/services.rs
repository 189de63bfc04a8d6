//! Services outside that tell what no exchange does: top lists, and what currencies are worth.
//!
//! Every service is asked at whole multiples of its interval, by the clock: a round that takes long does not shift the next one,
//! and one that is not done by then is given up. A request is tried five times, unless the service says that it need not be. What
//! cannot be read is left out and counted; nothing is made up, and no digit is rounded. Keys appear in no log, no status and no
//! message.

mod coin_market_cap;
mod coins;
mod crypto_compare;
mod fixer;
mod frankfurter;
mod rates;
mod settings;

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use broker::{LocalQueueError, Message, Publisher};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use process::{Health, Shutdown};
use serde::de::DeserializeOwned;

use crate::{
    Error,
    rest::{Rest, RestError, Terms},
    status::Board,
};

use self::{coin_market_cap::CoinMarketCap, crypto_compare::CryptoCompare, fixer::Fixer, frankfurter::Frankfurter};
pub use settings::{ApiKey, Settings};

/// How often a request is tried again before a round is given up.
const RETRIES: usize = 4;
const SHORTEST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// After a round that brought nothing, the next one begins within this time.
const AGAIN: Duration = Duration::from_secs(3_600);

/// A service outside.
trait Service: Send + Sync {
    /// Its name, in the manner of exchanges' names.
    fn name(&self) -> &'static str;

    /// Asks for everything that it tells.
    fn fetch(&self) -> BoxFuture<'_, Result<Told, RestError>>;
}

/// What a service told.
#[derive(Debug, Default)]
struct Told {
    messages: Vec<Message>,
    /// How many coins or rates these hold.
    rows: usize,
    /// How many could not be used.
    left_out: u64,
}

/// One service, asked for ever.
pub(crate) struct Asked {
    service: Box<dyn Service>,
    every: Duration,
    /// The first round begins at the start, whatever the clock says.
    is_asked_at_once: bool,
    publisher: Publisher,
    board: Board,
}

/// Every service that the settings name, or for which there is a key.
///
/// # Errors
/// When an address is none, or a key cannot be sent.
pub(crate) fn chosen(settings: &Settings, publisher: &Publisher) -> Result<Vec<Asked>, Error> {
    // A list belongs to its minute; the newest rates serve until there are others.
    let (lists, rates) = ((settings.lists(), false), (settings.rates(), true));
    let mut chosen = Vec::new();
    let mut add = |service: Box<dyn Service>, (every, is_asked_at_once): (Duration, bool)| {
        let board = Board::new(service.name().into());
        chosen.push(Asked { service, every, is_asked_at_once, publisher: publisher.clone(), board });
    };
    if let Some(key) = settings.coinmarketcap_api_key.as_ref().filter(|key| key.is_set()) {
        let wrong = |reason| Error(format!("COINMARKETCAP_URL, COINMARKETCAP_API_KEY: {reason}"));
        let rest = Rest::keyed(&settings.coinmarketcap_url, "X-CMC_PRO_API_KEY", key.as_str()).map_err(wrong)?;
        add(Box::new(CoinMarketCap(rest.hiding(key.as_str()))), lists);
    }
    if let Some(key) = settings.cryptocompare_api_key.as_ref().filter(|key| key.is_set()) {
        let wrong = |reason| Error(format!("CRYPTOCOMPARE_URL, CRYPTOCOMPARE_API_KEY: {reason}"));
        let words = format!("Apikey {}", key.as_str());
        let rest = Rest::keyed(&settings.cryptocompare_url, "authorization", &words).map_err(wrong)?;
        add(Box::new(CryptoCompare(rest.hiding(key.as_str()))), lists);
    }
    if settings.tracker_ecb_rates {
        let wrong = |reason| Error(format!("FRANKFURTER_URL: {reason}"));
        let rest = Rest::new(&settings.frankfurter_url, Terms::default()).map_err(wrong)?;
        add(Box::new(Frankfurter::new(rest, settings.tracker_rates_from)), rates);
    }
    if let Some(key) = settings.fixer_api_key.as_ref().filter(|key| key.is_set()) {
        let wrong = |reason| Error(format!("FIXER_URL: {reason}"));
        let rest = Rest::new(&settings.fixer_url, Terms::default()).map_err(wrong)?;
        add(Box::new(Fixer { rest: rest.hiding(key.as_str()), key: key.clone() }), rates);
    }
    Ok(chosen)
}

impl Asked {
    fn name(&self) -> &'static str {
        self.service.name()
    }

    /// Works until asked to stop, and tells how it goes.
    ///
    /// # Errors
    /// When the queue takes nothing any more.
    pub(crate) async fn run(self, shutdown: Shutdown) -> Result<(), Error> {
        // What was told counts as fresh for two rounds and a bit.
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
        Err(Error(format!("publishing what {} tells: {error}", self.name())))
    }

    async fn rounds(&self) -> Result<(), LocalQueueError> {
        let now = Utc::now();
        let mut due = if self.is_asked_at_once { now } else { next_round(now, DateTime::UNIX_EPOCH, self.every) };
        loop {
            tokio::time::sleep((due - Utc::now()).to_std().unwrap_or_default()).await;
            let reason = match tokio::time::timeout(self.every, self.service.fetch()).await {
                Ok(Ok(told)) => self.publish(told).await?,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("it takes longer than {} s to tell everything", self.every.as_secs())),
            };
            due = next_round(Utc::now(), due, if reason.is_some() { self.every.min(AGAIN) } else { self.every });
            if let Some(reason) = reason {
                self.failed(reason, due);
            }
        }
    }

    /// Publishes what was told. Returns what is wrong where that is nothing.
    async fn publish(&self, told: Told) -> Result<Option<String>, LocalQueueError> {
        let Told { messages, rows, left_out } = told;
        let source = self.name();
        tracing::debug!(source, rows, left_out, "a service outside was asked");
        metrics::counter!("service_rows_total", "source" => source).increment(rows as u64);
        metrics::counter!("service_rows_left_out_total", "source" => source).increment(left_out);
        self.board.count(0, left_out);
        if rows == 0 {
            return Ok(Some("it tells nothing that can be used".to_owned()));
        }
        for message in messages {
            self.publisher.publish(message).await?;
        }
        self.board.polled(true);
        Ok(None)
    }

    fn failed(&self, reason: String, again: DateTime<Utc>) {
        tracing::warn!(source = self.name(), error = reason, "a service outside tells nothing");
        metrics::counter!("service_rounds_failed_total", "source" => self.name()).increment(1);
        self.board.waiting(0, reason, (again - Utc::now()).to_std().unwrap_or_default());
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
