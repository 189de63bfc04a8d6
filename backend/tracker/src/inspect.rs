//! Every tick is looked at before it goes on. What is not credible is counted by reason, and now and then logged.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use domain::Tick;
use smol_str::SmolStr;

/// One refused tick per reason is logged in this time; the others are only counted.
const SAMPLE_EVERY: Duration = Duration::from_secs(60);
/// How much of a refused message is shown.
const SAMPLE_CHARACTERS: usize = 300;

/// Inspects what one exchange sends.
pub struct Inspector {
    exchange: SmolStr,
    known: HashSet<SmolStr>,
    sampled: Mutex<HashMap<Cow<'static, str>, Instant>>,
}

impl Inspector {
    /// Lets pass the credible ticks of these tickers.
    pub fn new(exchange: SmolStr, tickers: impl IntoIterator<Item = SmolStr>) -> Self {
        Self { exchange, known: tickers.into_iter().collect(), sampled: Mutex::default() }
    }

    /// Whether a tick may go on. If not, it has been counted.
    pub fn passes(&self, tick: &Tick) -> bool {
        let reason = match tick.check() {
            Ok(()) if self.known.contains(&tick.ticker) => return true,
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
        metrics::counter!("ticks_rejected_total", "exchange" => self.exchange.to_string(), "reason" => reason.clone())
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
