//! One writer: takes deliveries, stores them, acknowledges them, for ever.
//!
//! It shares its connection to the broker with the others. When that fails, everything unacknowledged is dropped and comes again. When
//! the database fails, the batch is kept and tried again, and the broker keeps the rest.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use broker::{Announcer, ConsumeError, Delivery, Message, Stored};
use chrono::Utc;
use database::{Pool, alerts::Turn};
use process::{Check, Shutdown};
use tokio::time::{Instant, timeout_at};

use crate::{
    LONGEST_DELAY, Settings,
    directory::Directory,
    ingest::{self, CATALOGUE_PATIENCE, Pending, Received, Report},
    intake::Intake,
    retry_delays,
};

/// How long a connection must have worked before the delays start anew.
const SUSTAINED: Duration = Duration::from_secs(30);

/// How soon deliveries of unknown pairs are looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Everything one writer needs.
pub struct Writer {
    pub(crate) settings: Settings,
    pub(crate) intake: Arc<Intake>,
    pub(crate) pool: Pool,
    pub(crate) database: Check,
    pub(crate) announcer: Announcer,
}

/// Deliveries that are kept for a later round, unacknowledged.
#[derive(Default)]
struct Held {
    /// Over which connection they came.
    connection: u64,
    /// Those whose pairs are not known yet.
    pending: Vec<Pending>,
    /// Those that can never be stored, and why. What can be stored comes before them: it must not suffer from them.
    unusable: Vec<(Delivery, String)>,
    /// When the dead letters, which took nothing, are tried again.
    next_try: Option<Instant>,
}

/// Why a round ended early.
enum Interrupted {
    Broker(ConsumeError),
    Stopping,
}

impl From<ConsumeError> for Interrupted {
    fn from(error: ConsumeError) -> Self {
        Self::Broker(error)
    }
}

impl Writer {
    /// Works until asked to stop; then the batch at hand is finished first.
    pub async fn run(self, shutdown: Shutdown) {
        let mut directory = Directory::default();
        let mut delays = retry_delays();
        while !shutdown.is_cancelled() {
            let began = Instant::now();
            let mut held = Held::default();
            let interrupted = loop {
                if let Err(interrupted) = self.round(&mut directory, &mut held, &shutdown).await {
                    break interrupted;
                }
            };
            // Each new connection counts as a delivery of what the last one held; one that fails at once must not.
            if began.elapsed() > SUSTAINED {
                delays = retry_delays();
            }
            let Interrupted::Broker(error) = interrupted else {
                return;
            };
            self.intake.close(held.connection, &error).await;
            let delay = delays.next().unwrap_or(LONGEST_DELAY);
            tracing::warn!(%error, retry_in = ?delay, "no messages");
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Gathers a batch, stores it, acknowledges it.
    async fn round(&self, directory: &mut Directory, held: &mut Held, shutdown: &Shutdown) -> Result<(), Interrupted> {
        let (gathered, turn) = self.gather(held, shutdown).await?;
        let Held { pending, unusable, .. } = held;
        for received in gathered {
            match received {
                Received::Ticks(ticks) => pending.push(ticks),
                Received::Catalogue(delivery, catalogue) => match self.store_catalogue(&catalogue, shutdown).await? {
                    Ok(()) => {
                        self.tell_stored([(catalogue.exchange.name.as_str(), catalogue.instruments.len())]);
                        delivery.ack().await?;
                    }
                    Err(error) => unusable.push((delivery, error.to_string())),
                },
                Received::Report(delivery, report) => match self.store_report(&report, &turn, shutdown).await? {
                    Ok(()) => {
                        self.tell_stored([(report.exchange(), report.rows())]);
                        delivery.ack().await?;
                    }
                    Err(reason) => unusable.push((delivery, reason)),
                },
                Received::Unusable(delivery, reason) => unusable.push((delivery, reason)),
            }
        }
        let known = self.known(pending, directory, shutdown).await?;
        self.store(known, pending, unusable, directory, &turn, shutdown).await?;
        let now = Instant::now();
        for one in std::mem::take(pending) {
            if one.deadline.is_none_or(|deadline| deadline > now) {
                pending.push(one);
            } else {
                let reason = ingest::unknown_ticker(directory, &one);
                unusable.push((one.delivery, reason));
            }
        }
        held.set_aside().await?;
        Ok(())
    }

    /// Waits for a first delivery, then for as many more as come within the linger and fit the batch. With deliveries
    /// waiting for their catalogue, it does not wait long for the first.
    async fn gather(&self, held: &mut Held, shutdown: &Shutdown) -> Result<(Vec<Received>, Turn), Interrupted> {
        let mut gathered = Vec::new();
        let kept = held.pending.len() + held.unusable.len();
        let waiting = (kept == 0).then(|| self.settings.idle.wait());
        let look_again = tokio::time::sleep(LOOK_AGAIN);
        tokio::pin!(look_again);
        let mut gathering = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Err(Interrupted::Stopping),
            gathering = self.intake.gather() => gathering?,
            () = &mut look_again, if kept > 0 => return Ok((gathered, self.intake.turn())),
        };
        if held.connection != gathering.connection() {
            // What came over another connection comes again.
            *held = Held { connection: gathering.connection(), ..Held::default() };
        }
        let room = usize::from(self.settings.db_handler_prefetch).saturating_sub(kept);
        let first = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Err(Interrupted::Stopping),
            first = gathering.next(), if room > 0 => first?,
            () = &mut look_again, if kept > 0 => return Ok((gathered, gathering.end())),
        };
        drop(waiting);
        let deadline = Instant::now() + self.settings.linger();
        let mut ticks = 0;
        let mut next = Some(first);
        while let Some(delivery) = next {
            metrics::counter!("messages_received_total").increment(1);
            let received = ingest::read(delivery);
            if let Received::Ticks(pending) = &received {
                ticks += pending.batch.ticks.len();
            }
            gathered.push(received);
            next = if ticks < self.settings.db_handler_batch_ticks && gathered.len() < room {
                match timeout_at(deadline, gathering.next()).await {
                    Ok(delivery) => Some(delivery?),
                    Err(_) => None,
                }
            } else {
                None
            };
        }
        Ok((gathered, gathering.end()))
    }

    async fn known(
        &self,
        pending: &mut Vec<Pending>,
        directory: &mut Directory,
        shutdown: &Shutdown,
    ) -> Result<Vec<Pending>, Interrupted> {
        let mut delays = retry_delays();
        loop {
            let outcome = match self.pool.get().await {
                Ok(client) => ingest::take_known(pending, directory, &client).await,
                Err(error) => Err(error.into()),
            };
            match outcome {
                Ok(known) => return Ok(known),
                Err(error) => self.wait(&error, &mut delays, shutdown).await?,
            }
        }
    }

    /// Tries until the database takes it, or refuses the data itself (the inner error).
    async fn store_catalogue(
        &self,
        catalogue: &domain::Catalogue,
        shutdown: &Shutdown,
    ) -> Result<Result<(), database::Error>, Interrupted> {
        let mut delays = retry_delays();
        loop {
            let outcome = match self.pool.get().await {
                Ok(mut client) => database::catalogue::store(&mut client, catalogue).await,
                Err(error) => Err(error.into()),
            };
            match outcome {
                Ok(changed) => {
                    self.database.ok();
                    tracing::info!(exchange = %catalogue.exchange.name, changed, "stored a catalogue");
                    return Ok(Ok(()));
                }
                Err(error) if error.is_permanent() => return Ok(Err(error)),
                Err(error) => self.wait(&error, &mut delays, shutdown).await?,
            }
        }
    }

    /// Tries until the database takes it, or refuses the data itself, or still does not know a pair (the inner error).
    async fn store_report(
        &self,
        report: &Report,
        turn: &Turn,
        shutdown: &Shutdown,
    ) -> Result<Result<(), String>, Interrupted> {
        let mut delays = retry_delays();
        if let Report::Gaps(_) = report {
            // A gap that is called filled before all of it was looked at would be fired across.
            turn.comes().await;
        }
        // News that waited elsewhere for so long wait no longer here: else those behind them would add up.
        let waited = report.passing_since().and_then(|since| (Utc::now() - since).to_std().ok()).unwrap_or_default();
        let patience = Instant::now() + CATALOGUE_PATIENCE.saturating_sub(waited);
        loop {
            let outcome = match self.pool.get().await {
                Ok(mut client) => report.store(&mut client, turn).await,
                Err(error) => Err(error.into()),
            };
            match outcome {
                Ok(unknown) if unknown.is_empty() => {
                    self.database.ok();
                    return Ok(Ok(()));
                }
                Ok(unknown) if report.passing_since().is_some() && Instant::now() >= patience => {
                    metrics::counter!("market_rows_unknown_total").increment(unknown.len() as u64);
                    return Ok(Ok(()));
                }
                Ok(unknown) if Instant::now() >= patience => {
                    let exchange = report.exchange();
                    return Ok(Err(format!("no catalogue of exchange {exchange:?} lists {unknown:?}")));
                }
                // Another writer may be busy storing the catalogue.
                Ok(_) => tokio::time::sleep(LOOK_AGAIN).await,
                Err(error) if error.is_permanent() => return Ok(Err(error.to_string())),
                Err(error) => {
                    turn.fails();
                    self.wait(&error, &mut delays, shutdown).await?;
                }
            }
        }
    }

    /// Stores ticks and acknowledges them. Where the database refuses the data itself, the deliveries come back to
    /// `pending` as suspects, and are stored one by one in the next round, with nothing taken for known: perhaps a
    /// partition or a pair is gone that stood there before. The one that is refused even so is set aside.
    async fn store(
        &self,
        known: Vec<Pending>,
        pending: &mut Vec<Pending>,
        unusable: &mut Vec<(Delivery, String)>,
        directory: &mut Directory,
        turn: &Turn,
        shutdown: &Shutdown,
    ) -> Result<(), Interrupted> {
        let (suspects, known): (Vec<_>, Vec<_>) = known.into_iter().partition(|one| one.suspect);
        for one in suspects {
            match self.store_until_it_works(std::slice::from_ref(&one), directory, turn, shutdown).await? {
                Ok(()) => {
                    self.tell_stored([(one.batch.exchange.as_str(), one.batch.ticks.len())]);
                    one.delivery.ack().await?;
                }
                Err(error) => unusable.push((one.delivery, error.to_string())),
            }
        }
        if known.is_empty() {
            return Ok(());
        }
        let Err(error) = self.store_until_it_works(&known, directory, turn, shutdown).await? else {
            self.tell_stored(known.iter().map(|one| (one.batch.exchange.as_str(), one.batch.ticks.len())));
            return acknowledge(known).await;
        };
        tracing::warn!(%error, deliveries = known.len(), "a batch is refused; storing its deliveries one by one");
        directory.forget();
        pending.extend(known.into_iter().map(Pending::suspected));
        Ok(())
    }

    /// Tries until the database takes it, or refuses the data itself (the inner error).
    async fn store_until_it_works(
        &self,
        known: &[Pending],
        directory: &mut Directory,
        turn: &Turn,
        shutdown: &Shutdown,
    ) -> Result<Result<(), database::Error>, Interrupted> {
        let mut delays = retry_delays();
        let mut maybe_stored = false;
        loop {
            match ingest::store(&self.pool, directory, known, maybe_stored, turn).await {
                Ok(()) => {
                    self.database.ok();
                    return Ok(Ok(()));
                }
                Err(error) if error.is_permanent() => return Ok(Err(error)),
                Err(error) => {
                    turn.fails();
                    self.wait(&error, &mut delays, shutdown).await?;
                }
            }
            // The connection may have broken after the commit.
            maybe_stored = true;
        }
    }

    /// Tells those who keep answers that a transaction is committed. Takes no time, and nobody waits for them.
    fn tell_stored<'a>(&self, stored: impl IntoIterator<Item = (&'a str, usize)>) {
        let mut exchanges: BTreeMap<&str, u64> = BTreeMap::new();
        for (exchange, rows) in stored {
            *exchanges.entry(exchange).or_default() += rows as u64;
        }
        for (exchange, rows) in exchanges {
            self.announcer.announce(Message::Stored(Stored { exchange: exchange.into(), rows }));
        }
    }

    async fn wait(
        &self,
        error: &database::Error,
        delays: &mut (impl Iterator<Item = Duration> + Send),
        shutdown: &Shutdown,
    ) -> Result<(), Interrupted> {
        let delay = delays.next().unwrap_or(LONGEST_DELAY);
        tracing::warn!(%error, retry_in = ?delay, "the database does not store; messages wait");
        metrics::counter!("database_failures_total").increment(1);
        self.database.failed(error.to_string());
        tokio::select! {
            () = tokio::time::sleep(delay) => Ok(()),
            () = shutdown.cancelled() => Err(Interrupted::Stopping),
        }
    }
}

async fn acknowledge(known: Vec<Pending>) -> Result<(), Interrupted> {
    for one in known {
        one.delivery.ack().await?;
    }
    Ok(())
}

impl Held {
    /// Hands what can never be stored to the dead letters. What they do not take is kept and tried again later; dropping
    /// the connection instead would count as one more delivery of every good message on it.
    async fn set_aside(&mut self) -> Result<(), Interrupted> {
        /// What was wrong can quote all of what was sent, and must fit the header of a message.
        const LONGEST_REASON: usize = 1_000;
        if self.next_try.is_some_and(|time| time > Instant::now()) {
            return Ok(());
        }
        self.next_try = None;
        while let Some((mut delivery, reason)) = self.unusable.pop() {
            let reason: String = reason.chars().take(LONGEST_REASON).collect();
            match delivery.dead_letter(&reason).await {
                Ok(()) => {
                    tracing::warn!(message = %delivery.id(), reason, "a message can never be stored; it is set aside");
                    metrics::counter!("messages_dead_lettered_total").increment(1);
                    delivery.ack().await?;
                }
                Err(error) if error.is_refusal() => {
                    let waiting = self.unusable.len() + 1;
                    tracing::error!(%error, waiting, "the dead letters take nothing; look through them and make room");
                    self.unusable.push((delivery, reason));
                    self.next_try = Some(Instant::now() + LONGEST_DELAY);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
