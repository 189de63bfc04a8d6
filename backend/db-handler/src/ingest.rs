//! A batch of deliveries becomes one transaction: decoded, looked up, stored.

use std::{collections::HashSet, time::Duration};

use broker::{Delivery, Message};
use chrono::{NaiveDate, Utc};
use database::{Client, Pool, Result, ingest::NewPrice};
use domain::TickBatch;
use smol_str::SmolStr;
use tokio::time::Instant;

use crate::directory::Directory;

/// How long ticks of an unknown pair wait for the catalogue that makes it known. The tracker publishes the catalogue
/// first, but another writer may still be busy storing it.
const CATALOGUE_PATIENCE: Duration = Duration::from_secs(5);

/// Ticks that were delivered, and the delivery to acknowledge when they are stored.
pub struct Pending {
    /// The delivery.
    pub delivery: Delivery,
    /// What it holds.
    pub batch: TickBatch,
    /// When it is set aside if its pairs are still unknown.
    pub deadline: Instant,
}

/// What a delivery turns out to be.
pub enum Received {
    /// Ticks to be stored.
    Ticks(Pending),
    /// A catalogue to be stored.
    Catalogue(Delivery, domain::Catalogue),
    /// Something that can never be stored, and why.
    Unusable(Delivery, String),
}

/// Reads a delivery.
pub fn read(delivery: Delivery) -> Received {
    match Message::decode(delivery.payload()) {
        Ok(Message::Ticks(batch)) => match refused(&batch) {
            None => Received::Ticks(Pending { delivery, batch, deadline: Instant::now() + CATALOGUE_PATIENCE }),
            Some(reason) => Received::Unusable(delivery, reason),
        },
        Ok(Message::Catalogue(catalogue)) => Received::Catalogue(delivery, catalogue),
        Ok(Message::Feed(_)) => Received::Unusable(delivery, "feed news are not for storing".to_owned()),
        Err(error) => Received::Unusable(delivery, error.to_string()),
    }
}

/// The tracker publishes no such tick; another producer might.
fn refused(batch: &TickBatch) -> Option<String> {
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
    let is_known = |directory: &Directory, one: &Pending| {
        one.batch.ticks.iter().all(|tick| directory.ticker_id(&one.batch.exchange, &tick.ticker).is_some())
    };
    let unknown: HashSet<SmolStr> =
        pending.iter().filter(|one| !is_known(directory, one)).map(|one| one.batch.exchange.clone()).collect();
    for exchange in &unknown {
        directory.refresh(client, exchange).await?;
    }
    let (known, waiting) = std::mem::take(pending).into_iter().partition(|one| is_known(directory, one));
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
pub async fn store(pool: &Pool, directory: &mut Directory, known: &[Pending], maybe_stored: bool) -> Result<()> {
    let mut client = pool.get().await?;
    let mut prices = Vec::with_capacity(known.iter().map(|one| one.batch.ticks.len()).sum());
    for Pending { batch, .. } in known {
        prices.extend(batch.ticks.iter().filter_map(|tick| {
            let ticker_id = directory.ticker_id(&batch.exchange, &tick.ticker)?;
            Some(NewPrice { ticker_id, source: batch.source, tick })
        }));
    }
    let days: HashSet<NaiveDate> = prices.iter().map(|price| price.tick.time().date_naive()).collect();
    for day in days.into_iter().filter(|day| directory.is_new_day(*day)).collect::<Vec<_>>() {
        database::partitions::create(&client, day).await?;
        directory.has_partition(day);
    }
    let first_ticks = directory.without_prices(prices.iter().map(|price| price.ticker_id));
    let maybe_stored = maybe_stored || known.iter().any(|one| one.delivery.redelivered());
    let stored = database::ingest::store(&mut client, prices, &first_ticks, maybe_stored).await?;
    directory.have_prices(&first_ticks);

    metrics::counter!("ticks_inserted_total").increment(stored.inserted);
    metrics::counter!("ticks_duplicate_total").increment(stored.duplicates);
    let now = Utc::now();
    let latency = metrics::histogram!("tick_received_to_committed_seconds");
    for tick in known.iter().filter_map(|one| one.batch.ticks.first()) {
        latency.record((now - tick.received_at).as_seconds_f64());
    }
    Ok(())
}
