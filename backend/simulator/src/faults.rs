//! What can be made to go wrong, on command.
//!
//! A fault is what the clients of a real exchange have to live with. The market itself goes on under every one of them,
//! and what was not streamed can be asked for by REST afterwards.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::ledger::PublishedTrade;

/// Something that goes wrong now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// All sockets are closed abruptly, without a closing handshake.
    Disconnect,
    /// Sockets stay open, but no events, heartbeats or pings are sent for that long. Requests are still answered.
    Silence(Duration),
    /// The next so many trades of each symbol get numbers but are not streamed; REST serves them.
    Gap(u32),
    /// The next so many trades of each symbol are sent twice.
    Duplicate(u32),
    /// The next so many pairs of trades of each symbol are sent in the wrong order, the later one first.
    Reorder(u32),
    /// The exchange's clock is that much ahead of ours until [`Recover`](Self::Recover). Set back, it does not date trades before
    /// those that it has dated already.
    ClockAhead(Duration),
    /// This text is sent to all sockets as it is.
    Garbage(String),
    /// Every request by REST is refused for that long: by Coinbase with 429 whatever the status, by Kraken with an error in an
    /// answer of status 200, and by neither with a word on how long.
    RateLimited {
        /// As what.
        status: Refusal,
        /// How long; also told in the header `Retry-After`, in whole seconds rounded up.
        retry_after: Duration,
    },
    /// Every answer by REST takes this much longer, until [`Slow`](Self::Slow) of zero or
    /// [`Recover`](Self::Recover).
    Slow(Duration),
    /// The exchange is gone for that long: all sockets are closed and new connections are refused.
    RefuseConnections(Duration),
    /// All sockets are told that they will be closed: Binance's by `serverShutdown`, Kraken's by the status `maintenance`.
    /// Nothing closes them until [`Disconnect`](Self::Disconnect). Coinbase has no word for it: its sockets are closed, with
    /// a closing handshake.
    ServerShutdown,
    /// The next so many requests to subscribe are refused, though what they name exists. Kraken counts symbols.
    RefuseSubscriptions(u32),
    /// All faults that last are over.
    Recover,
}

/// How a request is refused for asking too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 429: back off.
    TooManyRequests,
    /// 418: banned, for going on after 429.
    Banned,
}

impl Refusal {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::TooManyRequests => 429,
            Self::Banned => 418,
        }
    }
}

/// A fault as it is commanded by HTTP.
#[derive(Debug, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Command {
    Disconnect {},
    Silence { seconds: f64 },
    Gap { trades: u32 },
    Duplicate { trades: u32 },
    Reorder { pairs: u32 },
    ClockAhead { seconds: f64 },
    Garbage { text: String },
    RateLimited { status: u16, seconds: f64 },
    Slow { seconds: f64 },
    RefuseConnections { seconds: f64 },
    ServerShutdown {},
    RefuseSubscriptions { requests: u32 },
    Recover {},
}

/// One example of every command.
pub(crate) const EXAMPLES: [&str; 13] = [
    r#"{"fault":"disconnect"}"#,
    r#"{"fault":"silence","seconds":30}"#,
    r#"{"fault":"gap","trades":5}"#,
    r#"{"fault":"duplicate","trades":5}"#,
    r#"{"fault":"garbage","text":"not json"}"#,
    r#"{"fault":"rate_limited","status":429,"seconds":10}"#,
    r#"{"fault":"slow","seconds":2.5}"#,
    r#"{"fault":"refuse_connections","seconds":10}"#,
    r#"{"fault":"server_shutdown"}"#,
    r#"{"fault":"reorder","pairs":5}"#,
    r#"{"fault":"clock_ahead","seconds":90}"#,
    r#"{"fault":"refuse_subscriptions","requests":2}"#,
    r#"{"fault":"recover"}"#,
];

impl Command {
    /// Reads a command.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub(crate) fn read(body: &[u8]) -> Result<Fault, String> {
        let command: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let length = |seconds: f64| match Duration::try_from_secs_f64(seconds) {
            Ok(length) if length <= Duration::from_secs(86_400) => Ok(length),
            _ => Err(format!("seconds must be between 0 and 86400, not {seconds}")),
        };
        Ok(match command {
            Self::Disconnect {} => Fault::Disconnect,
            Self::Silence { seconds } => Fault::Silence(length(seconds)?),
            Self::Gap { trades } => Fault::Gap(trades),
            Self::Duplicate { trades } => Fault::Duplicate(trades),
            Self::Reorder { pairs } => Fault::Reorder(pairs),
            Self::ClockAhead { seconds } => Fault::ClockAhead(length(seconds)?),
            Self::Garbage { text } => Fault::Garbage(text),
            Self::RateLimited { status, seconds } => {
                let status = match status {
                    429 => Refusal::TooManyRequests,
                    418 => Refusal::Banned,
                    _ => return Err(format!("status must be 429 or 418, not {status}")),
                };
                Fault::RateLimited { status, retry_after: length(seconds)? }
            }
            Self::Slow { seconds } => Fault::Slow(length(seconds)?),
            Self::RefuseConnections { seconds } => Fault::RefuseConnections(length(seconds)?),
            Self::ServerShutdown {} => Fault::ServerShutdown,
            Self::RefuseSubscriptions { requests } => Fault::RefuseSubscriptions(requests),
            Self::Recover {} => Fault::Recover,
        })
    }
}

/// The faults that last, and how much of each is left.
#[derive(Default)]
pub(crate) struct Lasting(Mutex<State>);

#[derive(Default)]
struct State {
    silent_until: Option<Instant>,
    refused: Option<(Refusal, Instant)>,
    slow: Duration,
    /// Requests to subscribe that are still to be refused.
    unsubscribable: u32,
    /// Trades still to be withheld and doubled, by symbol.
    gaps: HashMap<usize, u32>,
    duplicates: HashMap<usize, u32>,
    /// Pairs still to be swapped, and the first of one that waits for the second, by symbol.
    swaps: HashMap<usize, u32>,
    waiting: HashMap<usize, PublishedTrade>,
}

impl Lasting {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn silence(&self, length: Duration) {
        self.state().silent_until = Some(Instant::now() + length);
    }

    pub(crate) fn refuse(&self, status: Refusal, length: Duration) {
        self.state().refused = Some((status, Instant::now() + length));
    }

    pub(crate) fn slow(&self, delay: Duration) {
        self.state().slow = delay;
    }

    pub(crate) fn gap(&self, symbols: usize, trades: u32) {
        self.state().gaps = (0..symbols).map(|symbol| (symbol, trades)).collect();
    }

    pub(crate) fn duplicate(&self, symbols: usize, trades: u32) {
        self.state().duplicates = (0..symbols).map(|symbol| (symbol, trades)).collect();
    }

    pub(crate) fn reorder(&self, symbols: usize, pairs: u32) {
        self.state().swaps = (0..symbols).map(|symbol| (symbol, pairs)).collect();
    }

    pub(crate) fn refuse_subscriptions(&self, requests: u32) {
        self.state().unsubscribable = requests;
    }

    /// Whether this request to subscribe is to be refused; it counts as one.
    pub(crate) fn refuses_subscription(&self) -> bool {
        let mut state = self.state();
        let refused = state.unsubscribable > 0;
        state.unsubscribable = state.unsubscribable.saturating_sub(1);
        refused
    }

    /// What is to be sent now that this trade was made, in this order.
    pub(crate) fn in_order(&self, symbol: usize, trade: &PublishedTrade) -> [Option<PublishedTrade>; 2] {
        let mut state = self.state();
        if let Some(earlier) = state.waiting.remove(&symbol) {
            return [Some(trade.clone()), Some(earlier)];
        }
        if take_one(&mut state.swaps, symbol) {
            state.waiting.insert(symbol, trade.clone());
            return [None, None];
        }
        [Some(trade.clone()), None]
    }

    /// Everything is over. Returns the trades that waited for another, by symbol: they are to be sent now.
    pub(crate) fn recover(&self) -> HashMap<usize, PublishedTrade> {
        std::mem::take(&mut *self.state()).waiting
    }

    /// Whether nothing may be sent now.
    pub(crate) fn silent(&self) -> bool {
        self.state().silent()
    }

    /// How often this symbol's next trade is to be sent: usually once.
    pub(crate) fn copies(&self, symbol: usize) -> usize {
        let mut state = self.state();
        // A trade withheld for one reason counts for the other too: it is the next trade either way.
        let withheld = take_one(&mut state.gaps, symbol) | state.silent();
        match (withheld, take_one(&mut state.duplicates, symbol)) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        }
    }

    /// How requests are refused now, and for how much longer.
    pub(crate) fn refusal(&self) -> Option<(Refusal, Duration)> {
        let mut state = self.state();
        let (status, until) = state.refused?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            state.refused = None;
            return None;
        }
        Some((status, left))
    }

    /// How much longer an answer takes.
    pub(crate) fn delay(&self) -> Duration {
        self.state().slow
    }
}

impl State {
    fn silent(&mut self) -> bool {
        if self.silent_until.is_some_and(|until| until <= Instant::now()) {
            self.silent_until = None;
        }
        self.silent_until.is_some()
    }
}

fn take_one(left: &mut HashMap<usize, u32>, symbol: usize) -> bool {
    let Some(count) = left.get_mut(&symbol).filter(|count| **count > 0) else {
        return false;
    };
    *count -= 1;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_a_command_and_there_is_one_for_each() {
        let faults: Vec<Fault> = EXAMPLES.iter().map(|text| Command::read(text.as_bytes()).unwrap()).collect();
        assert_eq!(faults[1], Fault::Silence(Duration::from_secs(30)));
        assert_eq!(
            faults[5],
            Fault::RateLimited { status: Refusal::TooManyRequests, retry_after: Duration::from_secs(10) }
        );
        assert_eq!(faults[6], Fault::Slow(Duration::from_millis(2_500)));
        let kinds: std::collections::HashSet<_> = faults.iter().map(std::mem::discriminant).collect();
        assert_eq!(kinds.len(), 13);
    }

    #[test]
    fn what_is_no_command_is_told_why() {
        for (body, says) in [
            ("", "EOF"),
            (r#"{"fault":"earthquake"}"#, "unknown variant `earthquake`, expected one of `disconnect`"),
            (r#"{"fault":"gap"}"#, "missing field `trades`"),
            (r#"{"fault":"gap","trades":1,"mood":2}"#, "mood"),
            (r#"{"fault":"silence","seconds":-1}"#, "between 0 and 86400"),
            (r#"{"fault":"rate_limited","status":500,"seconds":1}"#, "429 or 418"),
        ] {
            let error = Command::read(body.as_bytes()).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn gaps_and_duplicates_count_trades_per_symbol() {
        let lasting = Lasting::default();
        lasting.gap(2, 1);
        lasting.duplicate(2, 2);
        assert_eq!([0; 4].map(|symbol| lasting.copies(symbol)), [0, 2, 1, 1]);
        assert_eq!(lasting.copies(1), 0, "the other symbol has its own count");
        lasting.silence(Duration::from_secs(60));
        assert_eq!(lasting.copies(0), 0);
        lasting.recover();
        assert_eq!([lasting.copies(0), lasting.copies(1)], [1, 1]);
    }

    #[test]
    fn pairs_are_swapped_and_nothing_is_lost() {
        let trade = |id| PublishedTrade {
            id,
            price: rust_decimal::Decimal::ONE,
            quantity: rust_decimal::Decimal::ONE,
            time: chrono::DateTime::default(),
            buyer_is_maker: false,
        };
        let lasting = Lasting::default();
        lasting.reorder(1, 2);
        let sent: Vec<i64> =
            (1..=6).flat_map(|id| lasting.in_order(0, &trade(id))).flatten().map(|trade| trade.id).collect();
        assert_eq!(sent, [2, 1, 4, 3, 5, 6]);
    }

    #[test]
    fn a_refusal_ends_by_itself() {
        let lasting = Lasting::default();
        lasting.refuse(Refusal::Banned, Duration::from_secs(60));
        assert_eq!(lasting.refusal().map(|(status, _)| status.status()), Some(418));
        lasting.refuse(Refusal::Banned, Duration::ZERO);
        assert_eq!(lasting.refusal(), None);
    }
}
