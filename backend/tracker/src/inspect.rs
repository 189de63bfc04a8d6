//! Every tick, and every row of a market, is looked at before it goes on. What is not credible is counted by reason, and now and then logged.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use domain::{MarketRow, Tick};
use smol_str::SmolStr;

/// One refused tick per reason is logged in this time; the others are only counted.
const SAMPLE_EVERY: Duration = Duration::from_secs(60);
/// How much of a refused message is shown.
const SAMPLE_CHARACTERS: usize = 300;

/// Inspects what one exchange sends.
pub struct Inspector {
    exchange: SmolStr,
    /// The metric that counts what is refused.
    counter: &'static str,
    known: RwLock<HashSet<SmolStr>>,
    sampled: Mutex<HashMap<Cow<'static, str>, Instant>>,
}

impl Inspector {
    /// Lets pass the credible ticks of these tickers.
    pub fn new(exchange: SmolStr, tickers: impl IntoIterator<Item = SmolStr>) -> Self {
        let counter = "ticks_rejected_total";
        Self { exchange, counter, known: RwLock::new(tickers.into_iter().collect()), sampled: Mutex::default() }
    }

    /// Lets pass the ticks of this one too from now on.
    pub fn know(&self, ticker: SmolStr) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(ticker);
    }

    /// Looks at the rows of its market, of which [`passes_row`](Self::passes_row) is asked.
    pub fn of_market(exchange: SmolStr) -> Self {
        let counter = "market_rows_rejected_total";
        Self { exchange, counter, known: RwLock::default(), sampled: Mutex::default() }
    }

    /// Whether a row of the market may go on, as far as can be told by itself. If not, it has been counted.
    pub fn passes_row(&self, row: &MarketRow) -> bool {
        let Err(rejection) = row.check() else { return true };
        self.refuse(rejection.reason, &format_args!("{row:?}"));
        false
    }

    /// Whether a tick may go on. If not, it has been counted.
    pub fn passes(&self, tick: &Tick) -> bool {
        let reason = match tick.check() {
            Ok(()) if self.known.read().unwrap_or_else(PoisonError::into_inner).contains(&tick.ticker) => return true,
            Ok(()) => Cow::Borrowed("symbol_unknown"),
            Err(rejection) => rejection.reason,
        };
        self.refuse(reason, &format_args!("{tick:?}"));
        false
    }

    /// Counts a message that cannot be read.
    pub fn unreadable(&self, reason: &dyn std::fmt::Display, text: &str) {
        self.refuse(Cow::Borrowed("frame_unreadable"), &format_args!("{reason}: {text}"));
    }

    fn refuse(&self, reason: Cow<'static, str>, sample: &dyn std::fmt::Display) {
        metrics::counter!(self.counter, "exchange" => self.exchange.to_string(), "reason" => reason.clone())
            .increment(1);
        let now = Instant::now();
        let mut sampled = self.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        if sampled.get(&reason).is_none_or(|last| now - *last >= SAMPLE_EVERY) {
            // What an exchange sends is not trusted to be short or printable.
            let sample: String = sample.to_string().chars().take(SAMPLE_CHARACTERS).collect();
            tracing::warn!(exchange = %self.exchange, %reason, sample = ?sample, "refused; more of the kind are counted, not logged, for a minute");
            sampled.insert(reason, now);
        }
    }
}
