//! The exchange's own candles, taken over for pairs and times of which no trades are recorded.
//!
//! A pair that only the market follows gets its exact candles so, a span after the other as they are over; and any pair, when it
//! is first met, those of the last 24 hours. Pairs whose trades are recorded come first, then what is newest; it all waits while
//! the exchange's allowance or the queue is needed for trades. What was taken is noted in the queue's file together with the
//! message that carries it, so that no span is left out, however often the tracker is stopped in between.

mod progress;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use broker::{LocalQueueError, Message, Note, Publisher};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use domain::{MinuteReport, Purpose};
use process::Shutdown;
use smol_str::SmolStr;
use tokio::time::sleep;

use crate::{
    compare::{self, MOST_MINUTES, RETRY, SETTLED},
    exchange::{Exchange, Minutes},
    market::{Latest, MOST_FILL},
    rest::RestError,
    status::Board,
};
use progress::{Progress, Span};

/// How much is taken over of a pair that is first met.
const FIRST: TimeDelta = TimeDelta::hours(24);
/// How long after its end a span is taken over: those that are compared come first.
const LATER: TimeDelta = TimeDelta::seconds(60);
/// How often it is looked whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Takes over candles of one exchange.
pub struct Takeover {
    exchange: Arc<dyn Exchange>,
    publisher: Publisher,
    board: Board,
    /// The market, where it is followed.
    market: Option<Latest>,
    /// How long a span is.
    every: TimeDelta,
    /// Pairs whose trades are recorded.
    chosen: HashSet<SmolStr>,
    /// Those of them of which something is to be taken: only what was before.
    recorded: BTreeMap<SmolStr, Progress>,
    /// The others.
    followed: BTreeMap<SmolStr, Progress>,
    /// How many pairs the market had told of when it was last looked.
    met: usize,
    /// What was noted of pairs that were not met yet.
    noted: HashMap<SmolStr, Progress>,
    /// The exchange has nothing of what was before now.
    is_new: bool,
}

/// What is to be asked for next.
struct Need {
    ticker: SmolStr,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Takeover {
    /// Finds what was noted. `chosen` are the pairs whose trades are recorded; this must be called before they are noted as
    /// compared ([`compare::Comparison::begin`]), since those that were never are new.
    ///
    /// # Errors
    /// When the queue was closed.
    pub async fn begin(
        exchange: Arc<dyn Exchange>,
        publisher: Publisher,
        board: Board,
        chosen: &[SmolStr],
        market: Option<Latest>,
        every: TimeDelta,
        is_new: bool,
    ) -> Result<Self, LocalQueueError> {
        let name = exchange.identity().name;
        let notes: BTreeMap<String, String> = publisher.queue().notes().await?.into_iter().collect();
        let prefix = key(&name, "");
        let progress = |(key, text): (&String, &String)| {
            Some((SmolStr::new(key.strip_prefix(&prefix)?), text.parse::<Progress>().ok()?))
        };
        let mut noted: HashMap<SmolStr, Progress> =
            if is_new { HashMap::new() } else { notes.iter().filter_map(progress).collect() };
        let now = Utc::now();
        let this_span = now.duration_trunc(every).unwrap_or(now);
        let (mut recorded, mut new) = (BTreeMap::new(), Vec::new());
        for ticker in chosen {
            let known = noted.remove(ticker);
            let first_chosen = !is_new && !notes.contains_key(&compare::key(&name, ticker));
            let progress = match known {
                Some(known) if !first_chosen => known,
                known if first_chosen => known.unwrap_or_else(|| Progress::from(this_span - FIRST)).until(this_span),
                _ => continue,
            };
            if first_chosen {
                new.push(note(&name, ticker, &progress));
            }
            recorded.insert(ticker.clone(), progress);
        }
        publisher.queue().note(new).await?;
        let (chosen, followed) = (chosen.iter().cloned().collect(), BTreeMap::new());
        Ok(Self { exchange, publisher, board, market, every, chosen, recorded, followed, met: 0, noted, is_new })
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
                let now = self.board.both_clocks();
                let closed = (now - SETTLED - LATER).duration_trunc(self.every).unwrap_or(now);
                let oldest = compare::oldest(minutes, closed, now);
                self.meet(closed);
                let has_room = self.publisher.queue().fill() < MOST_FILL;
                let pause = match self.next(closed, oldest).filter(|_| has_room) {
                    Some(need) => self.take(minutes, need, oldest).await?,
                    None => LOOK_EVERY,
                };
                sleep(pause).await;
            }
        };
        tokio::select! {
            done = work => done,
            () = shutdown.cancelled() => Ok(()),
        }
    }

    /// Pairs that the market has told of since.
    fn meet(&mut self, closed: DateTime<Utc>) {
        let Some(market) = &self.market else { return };
        let met = market.met_count();
        if met == std::mem::replace(&mut self.met, met) {
            return;
        }
        let first = if self.is_new { closed } else { closed - FIRST };
        for ticker in market.met() {
            if !self.chosen.contains(&ticker) && !self.followed.contains_key(&ticker) {
                let progress = self.noted.remove(&ticker).unwrap_or_else(|| Progress::from(first));
                self.followed.insert(ticker, progress);
            }
        }
    }

    fn next(&self, closed: DateTime<Utc>, oldest: DateTime<Utc>) -> Option<Need> {
        let most = TimeDelta::minutes(MOST_MINUTES);
        let need = |(ticker, span): (&SmolStr, Option<Span>)| {
            let (from, to) = span.map(|(from, to)| (from.max(oldest), to)).filter(|(from, to)| from < to)?;
            Some(Need { ticker: ticker.clone(), from, to })
        };
        let recorded = self.recorded.iter().map(|(ticker, progress)| (ticker, progress.older(most)));
        let followed = self.followed.iter().map(|(ticker, progress)| (ticker, progress.next(closed, oldest, most)));
        recorded
            .filter_map(need)
            .max_by_key(|need| need.to)
            .or_else(|| followed.filter_map(need).max_by_key(|need| need.to))
    }

    /// Asks for a span and publishes it. Returns how long to wait before the next.
    async fn take(
        &mut self,
        minutes: &dyn Minutes,
        need: Need,
        oldest: DateTime<Utc>,
    ) -> Result<Duration, LocalQueueError> {
        let Need { ticker, from, to } = need;
        let name = self.exchange.identity().name;
        let mut asked = match minutes.minutes(&ticker, from, to).await {
            Ok(asked) => asked,
            // It will say no the next time too, as it does of a pair that it no longer lists.
            Err(error @ RestError::Refused { status: 400..500, .. }) => {
                tracing::warn!(exchange = %name, %ticker, %error, "candles are not taken over any more");
                self.recorded.remove(&ticker);
                self.followed.remove(&ticker);
                return Ok(Duration::ZERO);
            }
            Err(error) => {
                tracing::warn!(exchange = %name, %ticker, %error, "the exchange's candles cannot be had now");
                return Ok(RETRY);
            }
        };
        let left_out = compare::only_credible(&mut asked, from, to);
        if left_out > 0 {
            tracing::warn!(exchange = %name, %ticker, left_out, "some of the exchange's candles are not credible");
        }
        let progress = self.recorded.get_mut(&ticker).or_else(|| self.followed.get_mut(&ticker));
        let Some(progress) = progress else { return Ok(Duration::ZERO) };
        progress.took(from, to, oldest);
        let notes = vec![note(&name, &ticker, progress)];
        if asked.is_empty() {
            self.publisher.queue().note(notes).await?;
        } else {
            let report = MinuteReport { exchange: name, ticker, purpose: Purpose::Take, from, to, minutes: asked };
            self.publisher.publish_noting(Message::Minutes(report), notes).await?;
        }
        Ok(Duration::ZERO)
    }
}

fn key(exchange: &str, ticker: &str) -> String {
    format!("taken/{exchange}/{ticker}")
}

fn note(exchange: &str, ticker: &str, progress: &Progress) -> Note {
    Note { key: key(exchange, ticker), text: Some(progress.to_string()) }
}
