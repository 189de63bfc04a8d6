//! The exchange's own candles, asked for when they are over, so that ours can be compared with them.
//!
//! What was compared is noted in the queue's file together with the message that carries it, so that no span is left out,
//! however often the tracker is stopped in between.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use broker::{LocalQueueError, Message, Note, Publisher};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use domain::{ExchangeMinute, MinuteReport, Purpose};
use process::Shutdown;
use smol_str::SmolStr;
use tokio::time::sleep;

use crate::{
    exchange::{Exchange, Minutes},
    rest::RestError,
    status::Board,
};

/// How long after its end a span is asked for: the exchange has added it up by then.
pub(crate) const SETTLED: TimeDelta = TimeDelta::seconds(5);
/// What is older is not compared any more.
pub(crate) const OLDEST: TimeDelta = TimeDelta::days(7);
/// How many minutes are asked for at once.
pub(crate) const MOST_MINUTES: i64 = 960;
/// How often it is tried again while the exchange does not answer.
pub(crate) const RETRY: Duration = Duration::from_secs(30);

/// Compares the pairs of one exchange.
pub struct Comparison {
    /// Who is asked.
    pub exchange: Arc<dyn Exchange>,
    /// Where the answers go.
    pub publisher: Publisher,
    /// Who knows how far the exchange's clock is ahead.
    pub board: Board,
    /// How long a span is; at most a day.
    pub every: TimeDelta,
    /// Up to where each pair was compared.
    pub compared: BTreeMap<SmolStr, DateTime<Utc>>,
}

impl Comparison {
    /// Up to where each pair was compared, as it is noted. A pair of which nothing is noted is compared from the span on in
    /// which it is first followed; where the exchange `is_new`, from the next one.
    ///
    /// # Errors
    /// When the queue was closed.
    pub async fn begin(
        exchange: &str,
        tickers: &[SmolStr],
        every: TimeDelta,
        is_new: bool,
        publisher: &Publisher,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<SmolStr, DateTime<Utc>>, LocalQueueError> {
        let notes: BTreeMap<String, String> = publisher.queue().notes().await?.into_iter().collect();
        let this_span = now.duration_trunc(every).unwrap_or(now);
        let first = if is_new { this_span + every } else { this_span };
        let (mut compared, mut new) = (BTreeMap::new(), Vec::new());
        for ticker in tickers {
            let noted = notes.get(&key(exchange, ticker)).and_then(|text| text.parse::<DateTime<Utc>>().ok());
            let from = match noted.filter(|_| !is_new) {
                // Another length of spans may have been chosen since.
                Some(noted) => noted.duration_trunc(every).unwrap_or(noted).min(this_span),
                None => {
                    new.push(note(exchange, ticker, first));
                    first
                }
            };
            compared.insert(ticker.clone(), from);
        }
        publisher.queue().note(new).await?;
        Ok(compared)
    }

    /// Works until asked to stop.
    ///
    /// # Errors
    /// When the queue was closed.
    pub async fn run(mut self, shutdown: Shutdown) -> Result<(), LocalQueueError> {
        let exchange = self.exchange.clone();
        let Some(minutes) = exchange.minutes() else { return Ok(()) };
        let work = async {
            self.board.wait_for_the_clock().await;
            loop {
                let all = self.round(minutes, self.board.both_clocks()).await?;
                let now = self.board.both_clocks();
                let next = (now - SETTLED).duration_trunc(self.every).unwrap_or(now) + self.every + SETTLED;
                // Everybody who records this exchange would otherwise ask in the same second.
                let company = Duration::from_millis(fastrand::u64(0..2_000));
                let delay = (next - now).to_std().unwrap_or_default() + company;
                sleep(if all { delay } else { RETRY.min(delay) }).await;
            }
        };
        tokio::select! {
            done = work => done,
            () = shutdown.cancelled() => Ok(()),
        }
    }

    /// Asks for every span that is over. `false` when the exchange did not answer for some.
    async fn round(&mut self, minutes: &dyn Minutes, now: DateTime<Utc>) -> Result<bool, LocalQueueError> {
        let name = self.exchange.identity().name;
        let closed = (now - SETTLED).duration_trunc(self.every).unwrap_or(now);
        let mut all = true;
        let oldest = oldest(minutes, closed, now);
        for (ticker, compared) in &mut self.compared {
            if *compared < oldest {
                tracing::warn!(exchange = %name, %ticker, from = %compared, "candles so old are not compared any more");
                *compared = oldest;
            }
            while *compared < closed {
                let (from, to) = (*compared, closed.min(*compared + TimeDelta::minutes(MOST_MINUTES)));
                let mut asked = match minutes.minutes(ticker, from, to).await {
                    Ok(asked) => asked,
                    // It will say no the next time too, as it does of a pair that it no longer lists.
                    Err(error @ RestError::Refused { status: 400..500, .. }) => {
                        tracing::warn!(exchange = %name, %ticker, %from, %to, %error, "candles are not compared");
                        self.publisher.queue().note(vec![note(&name, ticker, to)]).await?;
                        *compared = to;
                        continue;
                    }
                    Err(error) => {
                        tracing::warn!(exchange = %name, %ticker, %error, "the exchange's candles cannot be had now");
                        if matches!(error, RestError::Limited { .. } | RestError::Unreachable { .. }) {
                            // The next pair would fare no better.
                            return Ok(false);
                        }
                        all = false;
                        break;
                    }
                };
                let left_out = only_credible(&mut asked, from, to);
                if left_out > 0 {
                    tracing::warn!(exchange = %name, %ticker, left_out, "some of the exchange's candles are not credible");
                }
                let report = MinuteReport {
                    exchange: name.clone(),
                    ticker: ticker.clone(),
                    purpose: Purpose::Compare,
                    from,
                    to,
                    minutes: asked,
                };
                self.publisher.publish_noting(Message::Minutes(report), vec![note(&name, ticker, to)]).await?;
                *compared = to;
            }
        }
        Ok(all)
    }
}

/// From when on minutes are asked for, where everything before `closed` is over: what is older is not wanted any more, or not told.
pub(crate) fn oldest(minutes: &dyn Minutes, closed: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    let minute = TimeDelta::minutes(1);
    let told = minutes.reach().and_then(|reach| (now - reach + minute).duration_trunc(minute).ok());
    told.map_or(closed - OLDEST, |told| told.max(closed - OLDEST))
}

/// Leaves out what cannot be a minute of that span, and says how many that were.
pub(crate) fn only_credible(minutes: &mut Vec<ExchangeMinute>, from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
    let told = minutes.len();
    minutes.retain(|minute| (from..to).contains(&minute.open_time) && minute.is_sound());
    minutes.sort_by_key(|minute| minute.open_time);
    minutes.dedup_by_key(|minute| minute.open_time);
    told - minutes.len()
}

pub(crate) fn key(exchange: &str, ticker: &str) -> String {
    format!("compared/{exchange}/{ticker}")
}

fn note(exchange: &str, ticker: &str, to: DateTime<Utc>) -> Note {
    Note { key: key(exchange, ticker), text: Some(to.to_rfc3339()) }
}
