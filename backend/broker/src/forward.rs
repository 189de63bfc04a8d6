//! From the local queue to RabbitMQ, in order, until each message is confirmed.
//!
//! A message leaves the local queue only when RabbitMQ confirmed that it has it on disk. When anything goes wrong, the
//! connection is dropped and everything unconfirmed is sent again, oldest first, under the same ids.

use std::{collections::VecDeque, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::StreamExt as _;
use lapin::{PublisherConfirm, options::BasicPublishOptions};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::{
    ConsumeError, Message, Publisher, RabbitMqSettings, announce,
    live::LiveReceiver,
    local_queue::LocalDelivery,
    rabbitmq::{Link, RabbitMqError, check, persistent},
    topology,
};

/// How many messages may be unconfirmed.
const CONFIRM_WINDOW: usize = 64;
/// The longest delay between two tries to connect.
const LONGEST_DELAY: Duration = Duration::from_secs(4);
/// How long a confirm may take. A broker that is blocked (out of memory or disk) confirms nothing; a new connection
/// then does no harm and shows when it is back.
const CONFIRM_DEADLINE: Duration = Duration::from_secs(30);

/// Forwards until asked to stop, then sends what is left, for a few seconds at most. What stays is sent at the next
/// start. `tell` is called with how it goes: connected, or why not.
pub async fn forward(
    publisher: Publisher,
    settings: RabbitMqSettings,
    shutdown: CancellationToken,
    tell: impl Fn(Result<(), String>),
) {
    /// How long the last messages may take.
    const FAREWELL: Duration = Duration::from_secs(3);
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        // Jitter may double it.
        .with_max_delay(LONGEST_DELAY / 2)
        .with_jitter()
        .without_max_times();
    let mut delays = backoff.build();
    let mut news = publisher.live().subscribe();
    let work = async {
        loop {
            let worked = || delays = backoff.build();
            match forward_on_one_connection(&publisher, &settings, &mut news, &shutdown, &tell, worked).await {
                Ok(()) => return,
                Err(error) => {
                    let delay = delays.next().unwrap_or(LONGEST_DELAY);
                    tracing::warn!(%error, waiting = publisher.queue().len(), retry_in = ?delay, "RabbitMQ does not take messages");
                    metrics::counter!("broker_publish_failures_total").increment(1);
                    tell(Err(error.to_string()));
                    tokio::time::sleep(delay).await;
                }
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = async { shutdown.cancelled().await; tokio::time::sleep(FAREWELL).await } => {
            tracing::info!(waiting = publisher.queue().len(), "messages stay in the local queue until the next start");
        }
    }
}

/// A message that was sent.
struct Sent {
    delivery: LocalDelivery,
    confirm: PublisherConfirm,
    deadline: Instant,
}

async fn forward_on_one_connection(
    publisher: &Publisher,
    settings: &RabbitMqSettings,
    news: &mut LiveReceiver,
    shutdown: &CancellationToken,
    tell: &impl Fn(Result<(), String>),
    mut worked: impl FnMut(),
) -> Result<(), ConsumeError> {
    let link = Link::open(settings, "tracker").await?;
    topology::declare(&link.channel, settings).await?;
    link.confirm().await?;
    // News go their own way: on the confirming channel each would take a place in the window.
    let news_channel =
        link.connection.create_channel().await.map_err(|error| RabbitMqError::new("opening a channel", error))?;
    let mut events = Box::pin(link.connection.events_listener());
    tracing::info!(broker = %settings.location(), "RabbitMQ takes messages");
    tell(Ok(()));
    let mut sent: VecDeque<Sent> = VecDeque::with_capacity(CONFIRM_WINDOW);
    loop {
        let stopping = shutdown.is_cancelled();
        if stopping && sent.is_empty() && publisher.queue().is_empty() {
            return Ok(());
        }
        tokio::select! {
            biased;
            confirmed = confirm_oldest(&mut sent), if !sent.is_empty() => {
                confirmed?;
                worked();
            }
            delivery = publisher.queue().receive(), if sent.len() < CONFIRM_WINDOW => {
                let delivery = delivery?;
                // A blocked connection takes nothing at all.
                let published = timeout(CONFIRM_DEADLINE, publish(&link, settings, &delivery)).await;
                let confirm = published.map_err(|_| RabbitMqError::Silent { doing: "publishing" })??;
                sent.push_back(Sent { delivery, confirm, deadline: Instant::now() + CONFIRM_DEADLINE });
            }
            message = news.recv() => {
                if let Some(message) = message.filter(|message| matches!(**message, Message::Feed(_))) {
                    let told = timeout(CONFIRM_DEADLINE, announce::tell(&news_channel, settings, &message)).await;
                    told.map_err(|_| RabbitMqError::Silent { doing: "telling news" })??;
                }
            }
            event = events.next() => match event {
                Some(lapin::Event::ConnectionBlocked(reason)) => {
                    tracing::warn!(%reason, "RabbitMQ blocks publishing");
                    tell(Err(format!("RabbitMQ blocks publishing: {reason}")));
                }
                Some(lapin::Event::ConnectionUnblocked) => tell(Ok(())),
                Some(lapin::Event::Error(error)) => return Err(RabbitMqError::new("publishing", error).into()),
                Some(_) => {}
                None => return Err(RabbitMqError::Gone.into()),
            },
            () = shutdown.cancelled(), if !stopping => {}
            // Waiting for company while stopping: the queue may have become empty.
            () = tokio::time::sleep(Duration::from_millis(50)), if stopping => {}
        }
    }
}

async fn publish(
    link: &Link,
    settings: &RabbitMqSettings,
    delivery: &LocalDelivery,
) -> Result<PublisherConfirm, RabbitMqError> {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    link.channel
        .basic_publish(
            settings.amqp_exchange().into(),
            settings.routing_key(delivery.topic()).into(),
            options,
            delivery.payload(),
            persistent(delivery.id()),
        )
        .await
        .map_err(|error| RabbitMqError::new("publishing", error))
}

/// Waits for the oldest confirm, then takes that message off the local queue. Given up halfway, nothing is forgotten.
async fn confirm_oldest(sent: &mut VecDeque<Sent>) -> Result<(), ConsumeError> {
    let Some(oldest) = sent.front_mut() else { return Ok(()) };
    let confirmation = match timeout_at(oldest.deadline, &mut oldest.confirm).await {
        Ok(confirmation) => confirmation.map_err(|error| RabbitMqError::new("awaiting a confirm", error))?,
        Err(_) => {
            return Err(RabbitMqError::Silent { doing: "awaiting a confirm" }.into());
        }
    };
    check(confirmation)?;
    if let Some(Sent { delivery, .. }) = sent.pop_front() {
        metrics::counter!("broker_messages_confirmed_total").increment(1);
        delivery.ack().await?;
    }
    Ok(())
}
