//! Filling spans of time in which trades may be missing.

use super::*;
use crate::exchange::Span;

/// A pair of which nothing comes is asked for every so many times as long as it may be silent.
const QUIET_ROUNDS: u32 = 4;
/// How many are asked for in one round: the exchange has other questions to answer.
const MOST_ASKED: usize = 5;
/// Said of what is older than the exchange tells.
const TOO_OLD: &str =
    "the exchange does not number trades and tells only its newest; those of this time that are older cannot be had";

impl Backfill {
    /// Asks for the newest of what is left of a hole.
    pub(super) async fn fill_span(
        &self,
        recent: &dyn Recent,
        hole: &Hole,
    ) -> Result<Result<(), RestError>, LocalQueueError> {
        let Some((from_us, to_us)) = hole.left.last().copied() else { return Ok(Ok(())) };
        let (Some(from), Some(to)) = (DateTime::from_timestamp_micros(from_us), DateTime::from_timestamp_micros(to_us))
        else {
            return Ok(Ok(()));
        };
        let Span { mut ticks, covers, is_oldest } = match recent.trades(&hole.gap.ticker, from, to).await {
            Ok(span) => span,
            Err(error) => return Ok(Err(error)),
        };
        let covers = covers.map(|(from, to)| (from.timestamp_micros(), to.timestamp_micros()));
        let covers = covers.filter(|(first, last)| first <= last && *first <= to_us && *last >= from_us);
        if covers.is_none() && !is_oldest {
            let host = self.exchange.identity().name.to_string();
            let reason = format!("nothing that lies between {from} and {to}");
            return Ok(Err(RestError::Unreadable { host, reason }));
        }
        ticks.retain(|tick| tick.time() >= from && tick.time() <= to);
        let told = ticks.len();
        ticks.retain(|tick| self.inspector.passes(tick));
        let refused = (told - ticks.len()) as i64;
        self.ledger.keep_unseen(&mut ticks);
        self.publish(ticks).await?;
        self.tell(hole, |hole| {
            if let Some(covers) = covers {
                hole.covered(covers);
            }
            hole.refused += refused;
            // Said of a hole in which nothing is left, it is filled.
            let (state, detail) =
                if is_oldest { (GapState::Unfillable, Some(TOO_OLD)) } else { (GapState::Filling, None) };
            hole.gap.attempts += u32::from(is_oldest && !hole.left.is_empty());
            hole.say(state, detail, Utc::now());
        })
        .await?;
        Ok(Ok(()))
    }

    /// Never ends by itself. A pair of which nothing comes is either quiet, or its stream is dead although the connection lives.
    pub(super) async fn watch_quiet(&self, recent: &dyn Recent) -> Result<(), LocalQueueError> {
        self.ledger.begin_by_time(&self.tickers, Utc::now());
        let mut asked: HashMap<SmolStr, Instant> = HashMap::new();
        loop {
            sleep(self.silence * QUIET_ROUNDS).await;
            let mut quiet = self.ledger.quiet_since(Utc::now() - self.silence);
            // Those first that were not asked for longest.
            quiet.sort_by_key(|(ticker, _)| asked.get(ticker).copied());
            let mut traded = Vec::new();
            for (ticker, last_time) in quiet.into_iter().take(MOST_ASKED) {
                asked.insert(ticker.clone(), Instant::now());
                let newest = match recent.trades(&ticker, last_time, Utc::now()).await {
                    Ok(span) => span.ticks.iter().map(Tick::time).max(),
                    Err(error) => {
                        tracing::warn!(%ticker, %error, "it cannot be asked whether a silent pair was traded");
                        continue;
                    }
                };
                traded.extend(newest.filter(|newest| *newest > last_time).map(|newest| (ticker, newest)));
            }
            if traded.is_empty() {
                continue;
            }
            // What the exchange tells may be on its way.
            sleep(STREAM_PATIENCE).await;
            let now = Utc::now();
            let behind = traded.iter().map(|(ticker, newest)| self.ledger.is_behind_by_time(ticker, *newest, now));
            self.publish_found(behind.collect()).await?;
        }
    }
}
