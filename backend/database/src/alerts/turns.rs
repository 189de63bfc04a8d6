//! The order in which writers look at prices: that in which the prices were received.
//!
//! Several transactions are at work at the same time, and any of them may be ready first. Each batch takes a turn when it is
//! received, and what rules are watched is looked at when its turn has come. Who looks has the watchers for itself until its commit.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex as StdMutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::Transaction;
use tokio::sync::{Mutex, MutexGuard, Notify};

use super::Watchers;
use crate::{Context as _, Result};

/// How long a batch waits for those before it. One of them may itself be waiting for a row that this one has inserted.
const PATIENCE: Duration = Duration::from_secs(5);

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
    /// The watchers, where rules watch any of these pairs, as soon as it is the turn.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(crate) async fn watchers(
        &self,
        transaction: &Transaction<'_>,
        ticker_ids: &[i32],
    ) -> Result<Option<MutexGuard<'_, Watchers>>> {
        if !self.alerts.0.is_watched.load(Ordering::Relaxed) {
            let doing = "looking for rules";
            let query = "SELECT EXISTS (SELECT FROM alert.watch WHERE ticker_id = ANY($1))";
            let statement = transaction.prepare_cached(query).await.context(doing)?;
            let row = transaction.query_one(&statement, &[&ticker_ids]).await.context(doing)?;
            if !row.get::<_, bool>(0) {
                return Ok(None);
            }
        }
        Ok(Some(self.come().await))
    }

    /// Whether rules watched any of the prices that were looked at.
    pub(crate) fn was_watched(&self, is_watched: bool) {
        self.alerts.0.is_watched.store(is_watched, Ordering::Relaxed);
    }

    /// Waits until those before are over, or for as long as is reasonable, and has the watchers.
    async fn come(&self) -> MutexGuard<'_, Watchers> {
        let served = async {
            loop {
                let moved = self.alerts.0.moved.notified();
                tokio::pin!(moved);
                // From here on nothing is missed.
                moved.as_mut().enable();
                if self.alerts.line().serving >= self.number {
                    return;
                }
                moved.await;
            }
        };
        if tokio::time::timeout(PATIENCE, served).await.is_err() {
            tracing::warn!("prices received earlier are still not stored; rules look at later ones before them");
        }
        self.alerts.0.watchers.lock().await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut guard = self.alerts.line();
        let line = &mut *guard;
        line.over.insert(self.number);
        while line.over.remove(&line.serving) {
            line.serving += 1;
        }
        drop(guard);
        self.alerts.0.moved.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_in_order_whatever_ends_first() {
        let alerts = Alerts::default();
        let (first, second, third) = (alerts.turn(), alerts.turn(), alerts.turn());
        drop(second);
        let order = Arc::new(StdMutex::new(Vec::new()));
        let waiting = tokio::spawn({
            let order = Arc::clone(&order);
            async move {
                drop(third.come().await);
                order.lock().unwrap().push("third");
            }
        });
        tokio::task::yield_now().await;
        drop(first.come().await);
        order.lock().unwrap().push("first");
        drop(first);
        waiting.await.unwrap();
        assert_eq!(*order.lock().unwrap(), ["first", "third"]);
    }
}
