//! A batch of deliveries becomes one transaction: decoded, looked up, stored.

use std::{collections::HashSet, time::Duration};

use broker::{Delivery, Message};
use chrono::{DateTime, Utc};
use database::{
    Client, Pool, Result,
    alerts::{Turn, Written},
    ingest::NewPrice,
};
use domain::{GapReport, ListingReport, MarketReport, MinuteReport, Purpose, RateReport, TickBatch};
use smol_str::SmolStr;
use tokio::time::Instant;

use crate::directory::Directory;

/// How long ticks of an unknown pair wait for the catalogue that makes it known. The tracker publishes the catalogue
/// first, but another writer may still be busy storing it.
pub(crate) const CATALOGUE_PATIENCE: Duration = Duration::from_secs(10);

/// Ticks that were delivered, and the delivery to acknowledge when they are stored.
pub struct Pending {
    /// The delivery.
    pub delivery: Delivery,
    /// What it holds.
    pub batch: TickBatch,
    /// The key of each tick's pair, once all are known.
    ticker_ids: Option<Vec<i32>>,
    /// When it is set aside if its pairs are still unknown; none before they were looked for.
    pub deadline: Option<Instant>,
    /// The database refused the batch that it was in: it is stored on its own, and set aside if refused again.
    pub suspect: bool,
}

impl Pending {
    fn new(delivery: Delivery, batch: TickBatch) -> Self {
        Self { delivery, batch, ticker_ids: None, deadline: None, suspect: false }
    }

    /// The same once more, from the beginning: what was known of its pairs may have been wrong.
    pub fn suspected(self) -> Self {
        Self { suspect: true, ..Self::new(self.delivery, self.batch) }
    }
}

/// What a delivery turns out to be.
pub enum Received {
    /// Ticks to be stored.
    Ticks(Pending),
    /// A catalogue to be stored.
    Catalogue(Delivery, domain::Catalogue),
    /// Something else that is told, to be stored.
    Report(Delivery, Report),
    /// Something that can never be stored, and why.
    Unusable(Delivery, String),
}

/// What is told beside ticks.
pub enum Report {
    /// What is said of gaps.
    Gaps(GapReport),
    /// The exchange's own candles, to be compared with ours or taken over.
    Minutes(MinuteReport),
    /// The last prices of a whole market.
    Market(MarketReport),
    /// Half of a top list from outside.
    Listing(ListingReport),
    /// What currencies are worth.
    Rates(RateReport),
}

impl Report {
    /// The exchange's name; of a listing and of rates, who tells them.
    pub fn exchange(&self) -> &str {
        match self {
            Self::Gaps(report) => &report.exchange,
            Self::Minutes(report) => &report.exchange,
            Self::Market(report) => &report.exchange,
            Self::Listing(report) => &report.source,
            Self::Rates(report) => &report.source,
        }
    }

    /// When it was received, where only the newest of its kind counts: then pairs that are still unknown a while later are left
    /// out, since other news of them will come.
    pub fn passing_since(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Gaps(_) | Self::Minutes(_) | Self::Listing(_) | Self::Rates(_) => None,
            Self::Market(report) => report.rows.iter().map(|row| row.received_at).max(),
        }
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Gaps(report) => report.gaps.len(),
            Self::Minutes(report) => report.minutes.len(),
            Self::Market(report) => report.rows.len(),
            Self::Listing(report) => report.coins.len(),
            Self::Rates(report) => report.rates.len(),
        }
    }

    /// Stores it. Returns the tickers that no catalogue of the exchange has listed.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn store(&self, client: &mut Client, turn: &Turn) -> Result<Vec<String>> {
        match self {
            Self::Gaps(report) => database::gaps::store(client, report).await,
            Self::Market(report) => {
                let stored = database::market::store(client, report, turn).await?;
                // Some may be strangers for ever; where all are, the catalogue is on its way.
                if stored.applied + stored.outdated == 0 && stored.unknown > 0 {
                    return Ok(report.rows.iter().map(|row| row.ticker.to_string()).collect());
                }
                metrics::counter!("market_rows_applied_total").increment(stored.applied);
                metrics::counter!("market_rows_outdated_total").increment(stored.outdated);
                metrics::counter!("market_rows_unknown_total").increment(stored.unknown);
                count_alerts(stored.alerts);
                Ok(Vec::new())
            }
            Self::Listing(report) => {
                let created = database::listings::create_listing(&*client, report).await?;
                metrics::counter!("listings_stored_total", "source" => report.source.to_string())
                    .increment(u64::from(created));
                Ok(Vec::new())
            }
            Self::Rates(report) => {
                let stored = database::rates::store(&*client, report).await?;
                metrics::counter!("rates_stored_total", "source" => report.source.to_string()).increment(stored);
                Ok(Vec::new())
            }
            Self::Minutes(report) if report.purpose == Purpose::Take => {
                let Some(taken) = database::minutes::take(&*client, report).await? else {
                    return Ok(vec![report.ticker.to_string()]);
                };
                metrics::counter!("minutes_taken_total").increment(taken);
                Ok(Vec::new())
            }
            Self::Minutes(report) => {
                let Some(compared) = database::comparison::store(client, report).await? else {
                    return Ok(vec![report.ticker.to_string()]);
                };
                metrics::counter!("minutes_compared_total").increment(u64::from(compared.minutes.unsigned_abs()));
                metrics::counter!("minutes_different_total").increment(u64::from(compared.different.unsigned_abs()));
                Ok(Vec::new())
            }
        }
    }
}

/// Reads a delivery.
pub fn read(delivery: Delivery) -> Received {
    match Message::decode(delivery.payload()) {
        Ok(Message::Ticks(batch)) => match refused(&batch) {
            None => Received::Ticks(Pending::new(delivery, batch)),
            Some(reason) => Received::Unusable(delivery, reason),
        },
        Ok(Message::Catalogue(catalogue)) => match catalogue.mistake() {
            None => Received::Catalogue(delivery, catalogue),
            Some(reason) => Received::Unusable(delivery, reason),
        },
        Ok(Message::Gaps(report)) => match report.mistake() {
            None => Received::Report(delivery, Report::Gaps(report)),
            Some(reason) => Received::Unusable(delivery, reason),
        },
        Ok(Message::Minutes(report)) => match report.mistake() {
            None => Received::Report(delivery, Report::Minutes(report)),
            Some(reason) => Received::Unusable(delivery, reason),
        },
        Ok(Message::Market(report)) => match report.mistake() {
            None => Received::Report(delivery, Report::Market(report)),
            Some(reason) => Received::Unusable(delivery, reason),
        },
        Ok(Message::Listing(report)) => match report.mistake() {
            None => Received::Report(delivery, Report::Listing(report)),
            Some(reason) => Received::Unusable(delivery, reason),
        },
        Ok(Message::Rates(report)) => match report.mistake() {
            None => Received::Report(delivery, Report::Rates(report)),
            Some(reason) => Received::Unusable(delivery, reason),
        },
        Ok(Message::Feed(_) | Message::Stored(_)) => {
            Received::Unusable(delivery, "passing news are not for storing".to_owned())
        }
        Err(error) => Received::Unusable(delivery, error.to_string()),
    }
}

/// The tracker publishes no such tick; another producer might.
fn refused(batch: &TickBatch) -> Option<String> {
    if !domain::exchange::is_name(&batch.exchange) {
        return Some(format!("not the name of an exchange: {:?}", batch.exchange));
    }
    batch.ticks.iter().enumerate().find_map(|(index, tick)| {
        let rejection = tick.check().err()?;
        Some(format!("tick {index} ({}): {}", tick.ticker, rejection.reason))
    })
}

/// Splits off those whose pairs are all known, asking the database about unknown ones.
///
/// # Errors
/// When the database cannot be asked; nothing is lost from `pending` then.
pub async fn take_known(
    pending: &mut Vec<Pending>,
    directory: &mut Directory,
    client: &Client,
) -> Result<Vec<Pending>> {
    let mut asked: HashSet<SmolStr> = HashSet::new();
    for one in pending.iter_mut() {
        one.ticker_ids = directory.ticker_ids(&one.batch);
        if one.ticker_ids.is_none() && asked.insert(one.batch.exchange.clone()) {
            directory.refresh(client, &one.batch.exchange).await?;
            one.ticker_ids = directory.ticker_ids(&one.batch);
        }
    }
    // Only now is it known that the database does not know them.
    for one in pending.iter_mut().filter(|one| one.ticker_ids.is_none()) {
        one.deadline.get_or_insert_with(|| Instant::now() + CATALOGUE_PATIENCE);
    }
    let (known, waiting) = std::mem::take(pending).into_iter().partition(|one| one.ticker_ids.is_some());
    *pending = waiting;
    Ok(known)
}

/// Says which pair of a delivery is unknown.
pub fn unknown_ticker(directory: &Directory, pending: &Pending) -> String {
    let exchange = &pending.batch.exchange;
    let unknown = pending.batch.ticks.iter().find(|tick| directory.ticker_id(exchange, &tick.ticker).is_none());
    let ticker = unknown.map(|tick| tick.ticker.as_str()).unwrap_or_default();
    format!("no catalogue of exchange {exchange:?} lists ticker {ticker:?}")
}

/// Stores ticks whose pairs are all known, in one transaction.
///
/// # Errors
/// When the database refuses; nothing is stored then, or (the connection broke during the commit) it is not known.
pub async fn store(
    pool: &Pool,
    directory: &mut Directory,
    known: &[Pending],
    maybe_stored: bool,
    turn: &Turn,
) -> Result<()> {
    let mut client = pool.get().await?;
    let mut prices = Vec::with_capacity(known.iter().map(|one| one.batch.ticks.len()).sum());
    for Pending { batch, ticker_ids, .. } in known {
        let ids = ticker_ids.iter().flatten();
        let source = batch.source;
        prices.extend(batch.ticks.iter().zip(ids).map(|(tick, ticker_id)| NewPrice {
            ticker_id: *ticker_id,
            source,
            tick,
        }));
    }
    for day in directory.days_without_partition(prices.iter().map(|price| price.tick.time())) {
        database::partitions::create(&client, day).await?;
        directory.has_partition(day);
    }
    let first_ticks = directory.without_prices(prices.iter().map(|price| price.ticker_id));
    let maybe_stored = maybe_stored || known.iter().any(|one| one.delivery.redelivered());
    let stored = database::ingest::store(&mut client, prices, &first_ticks, maybe_stored, turn).await?;
    directory.have_prices(&first_ticks);

    metrics::counter!("ticks_inserted_total").increment(stored.inserted);
    metrics::counter!("ticks_duplicate_total").increment(stored.duplicates);
    count_alerts(stored.alerts);
    if stored.of_dropped_days > 0 {
        tracing::warn!(ticks = stored.of_dropped_days, "ticks of days that were dropped are not stored");
        metrics::counter!("ticks_of_dropped_days_total").increment(stored.of_dropped_days);
    }
    let now = Utc::now();
    let latency = metrics::histogram!("tick_received_to_committed_seconds");
    for tick in known.iter().filter_map(|one| one.batch.ticks.first()) {
        latency.record((now - tick.received_at).as_seconds_f64());
    }
    Ok(())
}

/// Counts what rules fired for.
pub(crate) fn count_alerts(alerts: Written) {
    metrics::counter!("alerts_fired_total").increment(alerts.fired);
    metrics::counter!("alerts_lost_total").increment(alerts.lost);
}
