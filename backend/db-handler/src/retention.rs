//! Keeping what fits: old days of ticks and old months of one-minute candles go when a setting asks for it and nothing is lost
//! that wide candles do not say; and top lists from outside, when they are old.
//!
//! What should go and may not is told (`/storage`, the log once), and looked at again. No connection is held while
//! another is asked for, and none for long: the embedded database has one, and recording goes on.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use database::{
    Pool, Result, listings, obstacles, packing,
    retention::{self, Kind, Outcome, StoredSpan},
    rollup,
};
use process::{Check, Shutdown};

use crate::settings::KeepSettings;

/// How often it is looked what may go.
const EVERY: Duration = Duration::from_secs(600);
/// How long others may have to wait for us, try after try.
const PATIENCE: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(2)];
/// How long a span whose rows do not add up is left alone: adding them up reads all of it.
const LEFT_ALONE: Duration = Duration::from_secs(6 * 3_600);

/// Looks what may go, and drops it.
#[derive(Debug)]
pub struct Keeper {
    pool: Pool,
    settings: KeepSettings,
    unequal: BTreeMap<(Kind, DateTime<Utc>), (Instant, String)>,
    too_large: bool,
}

/// Works until asked to stop. Several db-handlers may: a span goes once.
pub async fn run(pool: Pool, settings: KeepSettings, check: Check, shutdown: Shutdown) {
    // It takes a minute, for which everybody else would wait where there is one connection.
    let pack = pool.status().max_size > 1;
    let mut keeper = Keeper::new(pool.clone(), settings);
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            () = shutdown.cancelled() => return,
        }
        match keeper.round(&shutdown).await {
            Ok(()) => check.ok(),
            Err(error) => {
                tracing::warn!(%error, "it could not be looked what may be dropped; it is tried again");
                check.failed(error.to_string());
            }
        }
        if pack && !shutdown.is_cancelled() {
            tokio::select! {
                packed = pack_one(&pool) => packed.unwrap_or_else(|error| tracing::warn!(%error, "a day's index is not packed; it is tried again")),
                () = shutdown.cancelled() => return,
            }
        }
    }
}

/// One day a round, so that the disk has time for others.
async fn pack_one(pool: &Pool) -> Result<()> {
    if let Some(packed) = packing::round(&pool.get().await?).await? {
        tracing::info!(index = packed.index, before = packed.before, after = packed.after, "packed the index of a day");
        metrics::counter!("index_bytes_packed_total").increment((packed.before - packed.after).max(0).unsigned_abs());
    }
    Ok(())
}

impl Keeper {
    /// Knows nothing yet.
    pub fn new(pool: Pool, settings: KeepSettings) -> Self {
        Self { pool, settings, unequal: BTreeMap::new(), too_large: false }
    }

    /// Drops what should and may go, the oldest first, ticks before minutes; for the budget no more than is needed.
    ///
    /// # Errors
    /// When the database refuses. What went until then is gone.
    pub async fn round(&mut self, shutdown: &Shutdown) -> Result<()> {
        self.drop_listings().await?;
        let limits = self.settings.limits();
        let mut bytes = self.look().await?;
        let mut room = limits.is_over(bytes);
        let mut kept = Vec::new();
        let spans = retention::list_spans(&self.pool.get().await?).await?;
        for span in spans {
            let Some(why) = limits.why(&span, room, Utc::now()) else { continue };
            if shutdown.is_cancelled() {
                return Ok(());
            }
            match self.attempt(&span, &why).await? {
                Ok(rows) => {
                    tell_dropped(&span, rows, &why);
                    bytes = self.look().await?;
                    room = room && limits.is_over_target(bytes);
                }
                Err(reason) => kept.push((span, reason)),
            }
        }
        self.tell_kept(&kept).await?;
        let too_large = limits.is_over(bytes);
        if too_large && !self.too_large {
            tracing::warn!(
                bytes,
                budget = limits.budget,
                "the database is larger than STORAGE_BUDGET, and no more may go"
            );
        }
        self.too_large = too_large;
        Ok(())
    }

    /// Nothing else is made of lists from outside, so that their age alone decides.
    async fn drop_listings(&self) -> Result<()> {
        let Some(days) = self.settings.keep_listings_days else { return Ok(()) };
        let before = Utc::now() - TimeDelta::days(days.into());
        let gone = listings::delete_listings(&self.pool.get().await?, before).await?;
        if gone > 0 {
            tracing::info!(lists = gone, %before, setting = "KEEP_LISTINGS_DAYS", "dropped old top lists");
            metrics::counter!("listings_dropped_total").increment(gone);
        }
        Ok(())
    }

    /// Measures, and tells it to the database, for the report.
    async fn look(&self) -> Result<i64> {
        let client = self.pool.get().await?;
        let folder = match &self.settings.folder {
            Some(folder) => Some(folder.clone()),
            None => retention::find_data_folder(&client).await?.map(Into::into),
        };
        let free = folder.and_then(|folder| free_bytes(&folder));
        let bytes = retention::update_keeping(&client, &self.settings.limits(), free).await?;
        metrics::gauge!("database_bytes").set(bytes as f64);
        if let Some(free) = free {
            metrics::gauge!("database_free_bytes").set(free as f64);
        }
        let marks = rollup::delete_dropped_marks(&client).await?;
        metrics::counter!("candle_marks_of_dropped_minutes_total").increment(marks);
        Ok(bytes)
    }

    /// Drops a span; or says why it may not go.
    async fn attempt(&mut self, span: &StoredSpan, why: &str) -> Result<Result<i64, String>> {
        let client = self.pool.get().await?;
        if let Some(reason) = obstacles::find_obstacle(&client, span).await? {
            return Ok(Err(reason));
        }
        let totals = retention::find_totals(&client, span).await?;
        drop(client);
        let key = (span.kind, span.from);
        if let Some((when, reason)) = self.unequal.get(&key)
            && when.elapsed() < LEFT_ALONE
        {
            return Ok(Err(reason.clone()));
        }
        let rows = match self.add_up(span).await? {
            Ok(rows) => rows,
            Err(reason) => {
                self.unequal.insert(key, (Instant::now(), reason.clone()));
                return Ok(Err(reason));
            }
        };
        self.unequal.remove(&key);
        for patience in PATIENCE {
            let mut client = self.pool.get().await?;
            match retention::drop_span(&mut client, span, &totals, rows, why, patience).await? {
                Outcome::Dropped(rows) => return Ok(Ok(rows)),
                Outcome::Changed => return Ok(Err("it changed while it was looked at".to_owned())),
                Outcome::Busy => {}
            }
            drop(client);
            // Those who had to wait for us go first.
            tokio::time::sleep(patience).await;
        }
        Ok(Err("somebody reads or writes the table for so long that others would have to wait".to_owned()))
    }

    /// How many ticks a day has, where it adds up to its candles; of a month, only whether its minutes do.
    async fn add_up(&self, span: &StoredSpan) -> Result<Result<Option<i64>, String>> {
        for day in every(span, TimeDelta::days(1)) {
            for part in 0..obstacles::PARTS {
                if let Some(unequal) = obstacles::find_unequal_day(&self.pool.get().await?, day, part).await? {
                    return Ok(Err(unequal));
                }
            }
        }
        if span.kind == Kind::Minutes {
            return Ok(Ok(None));
        }
        let mut rows = 0;
        for hour in every(span, TimeDelta::hours(1)) {
            match obstacles::count_equal_hour(&self.pool.get().await?, span, hour).await? {
                Ok(more) => rows += more,
                Err(unequal) => return Ok(Err(unequal)),
            }
        }
        Ok(Ok(Some(rows)))
    }

    async fn tell_kept(&self, kept: &[(StoredSpan, String)]) -> Result<()> {
        let new = retention::update_kept(&mut self.pool.get().await?, kept).await?;
        for (span, reason) in new.iter().filter_map(|place| kept.get(*place)) {
            tracing::warn!(kind = span.kind.as_str(), from = %span.from, reason, "what should be dropped may not be");
        }
        for kind in [Kind::Ticks, Kind::Minutes] {
            let count = kept.iter().filter(|(span, _)| span.kind == kind).count();
            metrics::gauge!("spans_kept", "kind" => kind.as_str()).set(count as f64);
        }
        Ok(())
    }
}

fn tell_dropped(span: &StoredSpan, rows: i64, why: &str) {
    let kind = span.kind.as_str();
    tracing::info!(kind, from = %span.from, to = %span.to, rows, bytes = span.bytes, why, "dropped");
    metrics::counter!("spans_dropped_total", "kind" => kind).increment(1);
    metrics::counter!("rows_dropped_total", "kind" => kind).increment(rows.unsigned_abs());
}

fn every(span: &StoredSpan, step: TimeDelta) -> impl Iterator<Item = DateTime<Utc>> {
    let end = span.to;
    std::iter::successors(Some(span.from), move |time| Some(*time + step)).take_while(move |time| *time < end)
}

/// Room on the disk that holds a folder; `None` where that cannot be known.
#[cfg(unix)]
fn free_bytes(folder: &std::path::Path) -> Option<i64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    i64::try_from(disk.f_bavail.saturating_mul(disk.f_frsize)).ok()
}

#[cfg(not(unix))]
fn free_bytes(_folder: &std::path::Path) -> Option<i64> {
    None
}
