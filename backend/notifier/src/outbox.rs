//! Looking for what is due, and having it sent, so many channels at a time.

use std::{sync::Arc, time::Duration};

use database::{Pool, notifications};
use process::{Check, Shutdown};
use tokio::task::{JoinError, JoinSet};

use crate::{Error, FAREWELL, Settings, channels::Means, visit::Visit};

/// How long is waited between looks while the database cannot be asked.
const AWAY: Duration = Duration::from_secs(2);

pub(crate) struct Outbox {
    visit: Visit,
    most: usize,
    poll: Duration,
    shutdown: Shutdown,
}

impl Outbox {
    pub(crate) fn new(settings: &Settings, pool: Pool, shutdown: Shutdown) -> Result<Self, Error> {
        let means = Arc::new(Means::new(settings)?);
        let (most, poll) = (usize::from(settings.notifier_channels.max(1)), settings.delays.poll);
        let visit = Visit {
            pool,
            means,
            attempts: settings.notifier_attempts.max(1),
            delays: settings.delays,
            shutdown: shutdown.clone(),
        };
        Ok(Self { visit, most, poll, shutdown })
    }

    /// Works until asked to stop; then what is being sent is finished.
    pub(crate) async fn run(self, check: Check) -> Result<(), Error> {
        tracing::info!(channels = self.most, "sending notifications");
        let mut visits = JoinSet::new();
        let mut rounds = tokio::time::interval(self.poll);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Whether there may be more than could be taken, so that it is looked again as soon as there is room.
        let (mut is_more, mut is_away) = (false, false);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => break,
                Some(ended) = visits.join_next() => {
                    survived(ended)?;
                    if !is_more {
                        continue;
                    }
                }
                _ = rounds.tick() => {}
            }
            let room = self.most.saturating_sub(visits.len());
            if room == 0 {
                is_more = true;
                continue;
            }
            match self.take(room).await {
                Ok(taken) => {
                    is_more = taken.len() == room;
                    for channel in taken {
                        visits.spawn(self.visit.clone().run(channel));
                    }
                    check.ok();
                    is_away = false;
                }
                Err(error) => {
                    if !is_away {
                        tracing::warn!(%error, "notifications wait");
                    }
                    check.failed(error.to_string());
                    (is_more, is_away) = (false, true);
                    rounds.reset_after(AWAY);
                }
            }
        }
        let finished = async {
            while let Some(ended) = visits.join_next().await {
                survived(ended)?;
            }
            Ok(())
        };
        tokio::time::timeout(FAREWELL, finished).await.unwrap_or_else(|_| {
            tracing::warn!("a receiver takes too long; what did not arrive is sent again at the next start");
            Ok(())
        })
    }

    async fn take(&self, room: usize) -> database::Result<Vec<notifications::Taken>> {
        let client = self.visit.pool.get().await?;
        notifications::take_channels(&client, room as i64).await
    }
}

fn survived(ended: Result<(), JoinError>) -> Result<(), Error> {
    ended.map_err(Error::Broke)
}
