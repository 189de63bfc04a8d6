//! One channel, from its lease to giving it back: its messages one after another.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder as _, ExponentialBuilder, Retryable as _};
use chrono_tz::Tz;
use database::{
    Pool, candles,
    notifications::{self, Begun, Head, Lease, Taken},
    notified::{self, About, Notified},
};
use domain::{Width, notification::ChannelSettings};
use process::Shutdown;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{
    channels::{Channel, Means},
    chart,
    failure::Failure,
    message::{Message, Sort, TOLD},
    plan::{Plan, plan},
    settings::Delays,
};

/// So many messages are sent before other channels have their turn.
const MESSAGES: usize = 50;
/// Longer than any kind of channel takes, and shorter than a lease.
const LONGEST_SENDING: Duration = Duration::from_secs(30);
/// How many statements change as many rows as they may, before others have their turn.
const MANY: u64 = 1_000;
/// Kinds of rules whose level is a price.
const LEVELS: [&str; 4] = ["crosses", "reaches", "channel", "closes"];
/// How much of the past a chart shows, in candles of five minutes: six hours.
const CHART_CANDLES: i64 = 72;

#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) pool: Pool,
    pub(crate) means: Arc<Means>,
    pub(crate) attempts: u32,
    pub(crate) delays: Delays,
    pub(crate) shutdown: Shutdown,
}

impl Visit {
    pub(crate) async fn run(self, channel: Taken) {
        let mut lease = channel.lease;
        if let Err(error) = self.serve(&channel, &mut lease).await {
            tracing::warn!(channel = lease.channel_id, %error, "a channel is served again later");
        }
        let release = || async { notifications::release(&self.pool.get().await?, lease).await };
        if let Err(error) = insist(release).await {
            tracing::warn!(channel = lease.channel_id, %error, "a channel waits until its lease is over");
        }
    }

    async fn serve(&self, channel: &Taken, lease: &mut Lease) -> database::Result<()> {
        if !channel.is_active {
            return self.settle(channel, Some("the channel is switched off")).await;
        }
        let Some(settings) = ChannelSettings::from_stored(&channel.kind, &channel.settings) else {
            return self.settle(channel, Some("the channel's settings cannot be read; set them anew")).await;
        };
        let Some(way) = self.means.channel(settings, channel.email.as_deref()) else {
            return self.settle(channel, None).await;
        };
        for _ in 0..MESSAGES {
            if self.shutdown.is_cancelled() {
                break;
            }
            let begun = Instant::now();
            let client = self.pool.get().await?;
            let Some(head) = notifications::find_due(&client, lease.channel_id).await? else { break };
            match plan(&head, channel) {
                Plan::Hold(until) => while notifications::hold(&client, lease.channel_id, until).await? >= MANY {},
                Plan::Send(goes, paid_until) => {
                    let Some(message) = notifications::begin(&client, lease, goes, paid_until).await? else { break };
                    let id = goes.message_id();
                    if message.attempts > self.attempts {
                        // What keeps it from coming to an end would do so for ever.
                        drop(client);
                        let ended = Failure::permanent(format!(
                            "it was tried {} times, and no try came to an end",
                            self.attempts
                        ));
                        self.record_failure(channel, *lease, id, &ended, None).await?;
                        continue;
                    }
                    let notified = notified::list_of_message(&client, lease.channel_id, id, TOLD).await?;
                    if notified.is_empty() {
                        // Their rule was deleted meanwhile, and they with it.
                        continue;
                    }
                    let chart = if channel.kind == "email" { closes(&client, &notified).await? } else { None };
                    drop(client);
                    let chart = chart.and_then(|(closes, level)| chart::draw(&closes, level));
                    let words = Message { chart, ..Message::new(id, message, channel, &notified) };
                    if !self.send(channel, *lease, way.as_ref(), (&head, message, begun), words).await? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends a message and records what became of it. `false` where the receiver is to be left alone.
    async fn send(
        &self,
        channel: &Taken,
        lease: Lease,
        way: &dyn Channel,
        (head, begun, since): (&Head, Begun, Instant),
        message: Message,
    ) -> database::Result<bool> {
        let kind = channel.kind.clone();
        let sent = tokio::time::timeout(LONGEST_SENDING, way.send(&message)).await;
        let failure = match sent.unwrap_or_else(|_| Err(Failure::transient("the receiver did not answer in time"))) {
            Ok(()) => {
                let record = || async { notifications::record_sent(&self.pool.get().await?, lease, message.id).await };
                let count = insist(record).await?;
                metrics::counter!("notifications_sent_total", "kind" => kind.clone()).increment(count);
                if message.sort == Sort::Digest {
                    metrics::counter!("notifications_digested_total", "kind" => kind.clone()).increment(count);
                }
                let waited = (head.now - head.due_at).to_std().unwrap_or_default() + since.elapsed();
                metrics::histogram!("notification_seconds", "kind" => kind).record(waited.as_secs_f64());
                return Ok(true);
            }
            Err(failure) => failure,
        };
        let delay = self.delay(&failure, begun.attempts);
        self.record_failure(channel, lease, message.id, &failure, delay).await?;
        // Refused for what it is, it says nothing of the next.
        Ok(delay.is_none())
    }

    async fn record_failure(
        &self,
        channel: &Taken,
        lease: Lease,
        message_id: Uuid,
        failure: &Failure,
        delay: Option<Duration>,
    ) -> database::Result<()> {
        let reason = match (failure, delay) {
            (Failure::Transient { reason, .. }, None) => format!("{reason}; given up after {} tries", self.attempts),
            _ => failure.to_string(),
        };
        let record =
            || async { notifications::record_failed(&self.pool.get().await?, lease, message_id, &reason, delay).await };
        let count = insist(record).await?;
        let (kind, id) = (channel.kind.clone(), lease.channel_id);
        match delay {
            Some(delay) => {
                metrics::counter!("notifications_retried_total", "kind" => kind).increment(count);
                tracing::debug!(channel = id, message = %message_id, reason, retry_in = ?delay, "a message did not arrive");
            }
            None => {
                metrics::counter!("notifications_failed_total", "kind" => kind.clone()).increment(count);
                tracing::warn!(channel = id, kind, message = %message_id, reason, "a message is given up");
            }
        }
        Ok(())
    }

    /// When a message is tried again that failed so often; `None` where it is not.
    fn delay(&self, failure: &Failure, attempts: u32) -> Option<Duration> {
        let Failure::Transient { rest, .. } = failure else { return None };
        if attempts >= self.attempts {
            return None;
        }
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(self.delays.first)
            .with_factor(3.0)
            // Jitter may double it.
            .with_max_delay(self.delays.longest / 2)
            .with_jitter()
            .without_max_times()
            .build();
        let delay = delays.nth(attempts.saturating_sub(1) as usize).unwrap_or(self.delays.longest);
        Some(rest.map_or(delay, |rest| rest.max(delay)))
    }

    /// Ends the waiting of all that is due without a message.
    async fn settle(&self, channel: &Taken, failed: Option<&str>) -> database::Result<()> {
        let outcome = if failed.is_some() { "notifications_failed_total" } else { "notifications_sent_total" };
        loop {
            let client = self.pool.get().await?;
            let count = notifications::settle(&client, channel.lease.channel_id, failed).await?;
            metrics::counter!(outcome, "kind" => channel.kind.clone()).increment(count);
            if count < MANY {
                return Ok(());
            }
        }
    }
}

/// What a chart shows: of one firing of a pair the closes before it, and the level.
async fn closes(
    client: &database::Client,
    notified: &[Notified],
) -> database::Result<Option<(Vec<Decimal>, Option<Decimal>)>> {
    let [Notified { about: About::Firing(fired), .. }] = notified else { return Ok(None) };
    let Some((ticker_id, width)) = fired.ticker_id.zip("5m".parse::<Width>().ok()) else { return Ok(None) };
    let until = width.next(width.open_time(fired.happened_at, Tz::UTC), Tz::UTC);
    let span = candles::Span::Until(until);
    let candles = candles::list_candles(client, ticker_id, width, Tz::UTC, span, CHART_CANDLES).await?;
    let level = fired.level.filter(|_| LEVELS.contains(&fired.rule_kind.as_str()));
    Ok(Some((candles.into_iter().map(|candle| candle.close).collect(), level)))
}

/// Tries a few times: what is not recorded of a message that arrived is sent again.
async fn insist<T, F: Future<Output = database::Result<T>>>(record: impl FnMut() -> F) -> database::Result<T> {
    let delays = ExponentialBuilder::default().with_min_delay(Duration::from_millis(100)).with_max_times(5);
    record.retry(delays).when(|error| !error.is_permanent()).await
}
