//! What the ticks of one exchange pass on their way into the queue, wherever they come from: the inspector, the ledger of gaps,
//! and whoever makes messages of them. A live stream and a recording take the same way.

use std::sync::Arc;

use broker::{LocalQueueError, Message, Publisher};
use chrono::Utc;
use domain::{Gap, GapReport};
use smol_str::SmolStr;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    Error, Settings,
    exchange::Exchange,
    gaps::Ledger,
    inspect::Inspector,
    publish::{Batcher, CHANNEL, Passed},
    status::Board,
    trades::Trades,
};

/// The way into the queue for the ticks of one exchange.
pub struct Intake {
    /// Takes ticks that passed the inspector. When its clones are all gone, [`batching`](Self::batching) ends.
    pub ticks: mpsc::Sender<Passed>,
    /// Who looks at ticks.
    pub inspector: Arc<Inspector>,
    /// Who finds out which trades are missing; nobody where the exchange cannot tell.
    pub ledger: Option<Ledger>,
    /// Puts ticks into the queue, until there are no more.
    pub batching: JoinHandle<Result<(), LocalQueueError>>,
}

impl Intake {
    /// Opens it for these tickers of the exchange that is kept under that name.
    pub fn open(
        exchange: &SmolStr,
        tickers: &[SmolStr],
        ledger: Option<Ledger>,
        publisher: &Publisher,
        settings: &Settings,
    ) -> Self {
        let (ticks, receiver) = mpsc::channel::<Passed>(CHANNEL);
        let batcher = Batcher {
            exchange: exchange.clone(),
            publisher: publisher.clone(),
            ledger: ledger.clone(),
            batch_ticks: settings.tracker_batch_ticks,
            linger: settings.linger(),
        };
        let batching = tokio::spawn(batcher.run(receiver));
        let inspector = Arc::new(Inspector::new(exchange.clone(), tickers.iter().cloned()));
        Self { ticks, inspector, ledger, batching }
    }

    /// A stream of trades that `exchange` can read, which goes this way.
    pub fn trades(&self, exchange: &Arc<dyn Exchange>, board: &Board) -> Trades {
        let (inspector, ticks) = (self.inspector.clone(), self.ticks.clone());
        Trades::new(exchange.clone(), inspector, ticks, board.clone(), self.ledger.clone())
    }
}

/// The ledger of `exchange`, kept under that name, as it was noted beside the queue. Pairs that are not to be kept are forgotten,
/// for this reason. `None` where the exchange cannot tell which trades are missing.
///
/// # Errors
/// When notes cannot be read, or the queue was closed.
pub async fn noted_ledger(
    exchange: &dyn Exchange,
    name: &SmolStr,
    publisher: &Publisher,
    keep: impl Fn(&SmolStr) -> bool,
    reason: &str,
) -> Result<Option<Ledger>, Error> {
    if exchange.history().is_none() && exchange.recent().is_none() {
        return Ok(None);
    }
    let notes = publisher.queue().notes().await;
    let notes = notes.map_err(|error| Error(format!("what was noted of trades cannot be read: {error}")))?;
    let ledger = Ledger::new(name.clone(), exchange.recent().is_some(), &notes);
    give_up(&ledger, name, publisher, keep, reason).await?;
    Ok(Some(ledger))
}

/// Forgets the pairs that are not to be kept, and says the last word on their gaps, which are returned.
///
/// # Errors
/// When the queue was closed.
pub async fn give_up(
    ledger: &Ledger,
    name: &SmolStr,
    publisher: &Publisher,
    keep: impl Fn(&SmolStr) -> bool,
    reason: &str,
) -> Result<Vec<Gap>, Error> {
    let (gaps, forgotten) = ledger.give_up(keep, reason, Utc::now());
    if !forgotten.is_empty() {
        let report = Message::Gaps(GapReport { exchange: name.clone(), gaps: gaps.clone() });
        let told = publisher.publish_noting(report, forgotten).await;
        told.map_err(|error| Error(format!("gaps can no longer be queued: {error}")))?;
    }
    Ok(gaps)
}
