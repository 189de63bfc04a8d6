//! The order in which writers look at prices: that in which the prices were received.
//!
//! Several transactions are at work at the same time, and any of them may be ready first. Each batch takes a turn when it is
//! received, and what rules are watched is looked at when its turn has come. Who looks has the watchers for itself until its commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex as StdMutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool_postgres::Transaction;
use tokio::{
    sync::{Mutex, MutexGuard, Notify},
    time::timeout,
};

use super::Watchers;
use crate::{Context as _, Result};

/// How long a batch waits for those before it with its rows inserted: one of those may be waiting for a row of it. Then it gives its
/// rows up, and waits without.
const WITH_ROWS: Duration = Duration::from_millis(250);

/// How long a batch without rows waits until another one before it is over; then those before it are passed over.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it waits for one that tells that the database does not take it now, as where the disk is nearly full, and smaller ones find room.
const PATIENCE_WITH_FAILING: Duration = Duration::from_secs(60);

/// The watchers of all writers of a process, and whose turn it is. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Alerts(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    watchers: Mutex<Watchers>,
    /// Whether rules watched any of the prices that were stored last: then nobody asks beforehand.
    is_watched: AtomicBool,
    line: StdMutex<Line>,
    moved: Notify,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    serving: u64,
    /// Those behind the one that is served that are over already.
    over: BTreeSet<u64>,
    /// Those that wait.
    waiting: BTreeSet<u64>,
    /// Those that the database did not take: since when, and when that was last.
    failing: BTreeMap<u64, (Instant, Instant)>,
}

/// Who looks at prices.
pub(crate) enum Looking<'a> {
    /// Nobody: no rule watches them.
    Nobody,
    /// The watchers, until the commit.
    Watchers(MutexGuard<'a, Watchers>),
    /// It is not known yet: those before are not over. What was inserted is to be given up until [`Turn::comes`].
    Later,
}

/// A place in the line, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    alerts: Alerts,
    number: u64,
}

impl Alerts {
    /// The next place in the line.
    pub fn turn(&self) -> Turn {
        let mut line = self.line();
        line.next += 1;
        Turn { alerts: self.clone(), number: line.next - 1 }
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Who looks at prices of these pairs, which were inserted.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(crate) async fn looking(&self, transaction: &Transaction<'_>, ticker_ids: &[i32]) -> Result<Looking<'_>> {
        if !self.alerts.0.is_watched.load(Ordering::Relaxed) {
            let doing = "looking for rules";
            let query = "SELECT EXISTS (SELECT FROM alert.watch WHERE ticker_id = ANY($1))";
            let statement = transaction.prepare_cached(query).await.context(doing)?;
            let row = transaction.query_one(&statement, &[&ticker_ids]).await.context(doing)?;
            if !row.get::<_, bool>(0) {
                return Ok(Looking::Nobody);
            }
        }
        let served = timeout(WITH_ROWS, self.moved_until(|line, number| line.serving >= number));
        Ok(match served.await {
            Ok(()) => Looking::Watchers(self.alerts.0.watchers.lock().await),
            Err(_) => Looking::Later,
        })
    }

    /// Waits until those before are over, or passed over. Whoever waits should hold neither rows nor a connection.
    pub async fn comes(&self) {
        self.alerts.line().waiting.insert(self.number);
        loop {
            let served = self.alerts.line().serving;
            let moved = self.moved_until(|line, number| line.serving >= number || line.serving > served);
            let has_moved = timeout(PATIENCE, moved).await.is_ok();
            let mut line = self.alerts.line();
            // Of those that wait, the first one passes over what holds them all up: so they stay in order.
            if !has_moved
                && line.serving < self.number
                && line.waiting.first() == Some(&self.number)
                && !line.is_failing()
            {
                tracing::warn!("prices received earlier are still not stored; rules look at later ones before them");
                line.serve(self.number);
            }
            if line.serving >= self.number {
                line.waiting.remove(&self.number);
                drop(line);
                self.alerts.0.moved.notify_waiters();
                return;
            }
        }
    }

    /// The database did not take the batch, and it is tried again: those behind it wait longer.
    pub fn fails(&self) {
        let now = Instant::now();
        self.alerts.line().failing.entry(self.number).or_insert((now, now)).1 = now;
    }

    async fn moved_until(&self, is_reached: impl Fn(&Line, u64) -> bool + Send) {
        loop {
            let moved = self.alerts.0.moved.notified();
            tokio::pin!(moved);
            // From here on nothing is missed.
            moved.as_mut().enable();
            if is_reached(&self.alerts.line(), self.number) {
                return;
            }
            moved.await;
        }
    }

    /// Whether rules watched any of the prices that were looked at.
    pub(crate) fn was_watched(&self, is_watched: bool) {
        self.alerts.0.is_watched.store(is_watched, Ordering::Relaxed);
    }
}

impl Line {
    /// Whether the one that is served is being tried again, and not for too long.
    fn is_failing(&self) -> bool {
        self.failing
            .get(&self.serving)
            .is_some_and(|(since, last)| last.elapsed() < PATIENCE && since.elapsed() < PATIENCE_WITH_FAILING)
    }

    /// It is this one's turn, and of those behind it that are over already.
    fn serve(&mut self, number: u64) {
        self.serving = number;
        self.over = self.over.split_off(&number);
        while self.over.remove(&self.serving) {
            self.serving += 1;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut line = self.alerts.line();
        line.waiting.remove(&self.number);
        line.failing.remove(&self.number);
        // One that was passed over is not counted again.
        if self.number >= line.serving {
            line.over.insert(self.number);
            let serving = line.serving;
            line.serve(serving);
        }
        drop(line);
        self.alerts.0.moved.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits, and notes when it came.
    fn waiting(turn: Turn, order: &Arc<StdMutex<Vec<u64>>>) -> tokio::task::JoinHandle<()> {
        let order = Arc::clone(order);
        tokio::spawn(async move {
            turn.comes().await;
            order.lock().unwrap().push(turn.number);
        })
    }

    #[tokio::test]
    async fn turns_come_in_order_whatever_ends_first() {
        let (alerts, order) = (Alerts::default(), Arc::default());
        let (first, second, third) = (alerts.turn(), alerts.turn(), alerts.turn());
        drop(second);
        let third = waiting(third, &order);
        tokio::task::yield_now().await;
        waiting(first, &order).await.unwrap();
        third.await.unwrap();
        assert_eq!(*order.lock().unwrap(), [0, 2]);
    }

    #[tokio::test]
    async fn one_that_is_never_over_is_passed_over_and_the_others_stay_in_order() {
        let (alerts, order) = (Alerts::default(), Arc::default());
        let stuck = alerts.turn();
        let mut others: Vec<Turn> = (0..5).map(|_| alerts.turn()).collect();
        others.reverse();
        let waiting: Vec<_> = others.into_iter().map(|turn| waiting(turn, &order)).collect();
        for one in waiting {
            one.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [1, 2, 3, 4, 5]);
        drop(stuck);
        let last = alerts.turn();
        last.comes().await;
        assert_eq!(alerts.line().serving, last.number);
    }

    #[tokio::test]
    async fn one_that_is_tried_again_is_waited_for() {
        let (alerts, order) = (Alerts::default(), Arc::default());
        let (failing, next) = (alerts.turn(), alerts.turn());
        let begun = Instant::now();
        let next = waiting(next, &order);
        while begun.elapsed() < PATIENCE + Duration::from_secs(1) {
            failing.fails();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(!next.is_finished(), "it was not passed over");
        drop(failing);
        next.await.unwrap();
        assert!(alerts.line().failing.is_empty());
    }
}
