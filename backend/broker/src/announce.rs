//! Passing news of those who store: for whoever listens now, never kept.
//!
//! Announcing takes no time and cannot fail. With RabbitMQ, a task of its own publishes on a connection of its own: RabbitMQ
//! blocks connections that publish when it runs short of memory, and acknowledgements must not wait for that. What it cannot
//! publish soon is dropped and counted.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use lapin::{BasicProperties, Channel, options::BasicPublishOptions};
use tokio::{
    sync::{broadcast, mpsc},
    time::timeout,
};

use crate::{
    Message, RabbitMqSettings, Source,
    rabbitmq::{Link, RabbitMqError},
    topology,
};

/// How many news may wait.
const WAITING: usize = 256;

/// The longest delay between two tries to connect.
const LONGEST_DELAY: Duration = Duration::from_secs(4);

/// How long publishing may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells passing news. Clones tell the same way.
#[derive(Clone)]
pub struct Announcer(Way);

#[derive(Clone)]
enum Way {
    Local(broadcast::Sender<Arc<Message>>),
    RabbitMq(mpsc::Sender<Message>),
}

impl Source {
    /// For telling those who listen to the live feed of this source. With RabbitMQ each call makes a connection, mended for
    /// ever: one is enough for a process. Must be called within a tokio runtime.
    pub fn announcer(&self) -> Announcer {
        Announcer(match self {
            Self::Local(queue) => Way::Local(queue.live()),
            Self::RabbitMq(settings) => {
                let (sender, news) = mpsc::channel(WAITING);
                tokio::spawn(announce_for_ever(settings.clone(), news));
                Way::RabbitMq(sender)
            }
        })
    }
}

impl Announcer {
    /// Tells it to those who listen now.
    pub fn announce(&self, message: Message) {
        match &self.0 {
            // An error means that nobody listens.
            Way::Local(live) => drop(live.send(Arc::new(message))),
            Way::RabbitMq(sender) => {
                if sender.try_send(message).is_err() {
                    metrics::counter!("broker_news_dropped_total").increment(1);
                }
            }
        }
    }
}

async fn announce_for_ever(settings: RabbitMqSettings, mut news: mpsc::Receiver<Message>) {
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        // Jitter may double it.
        .with_max_delay(LONGEST_DELAY / 2)
        .with_jitter()
        .without_max_times();
    let mut delays = backoff.build();
    loop {
        let told = || delays = backoff.build();
        let Err(error) = announce(&settings, &mut news, told).await else { return };
        let delay = delays.next().unwrap_or(LONGEST_DELAY);
        tracing::debug!(%error, retry_in = ?delay, "news cannot be told");
        tokio::time::sleep(delay).await;
    }
}

/// Tells news until nobody has any more to tell.
async fn announce(
    settings: &RabbitMqSettings,
    news: &mut mpsc::Receiver<Message>,
    mut told: impl FnMut(),
) -> Result<(), RabbitMqError> {
    let link = Link::open(settings, "db-handler: news").await?;
    topology::declare(&link.channel, settings).await?;
    while let Some(message) = news.recv().await {
        // A blocked connection takes nothing at all.
        let told_it = timeout(PATIENCE, tell(&link.channel, settings, &message)).await;
        told_it.map_err(|_| RabbitMqError::Silent { doing: "telling news" })??;
        told();
    }
    Ok(())
}

/// Publishes passing news: not persistent, not confirmed.
pub(crate) async fn tell(
    channel: &Channel,
    settings: &RabbitMqSettings,
    message: &Message,
) -> Result<(), RabbitMqError> {
    let Ok(payload) = message.encode() else { return Ok(()) };
    let properties = BasicProperties::default().with_content_type("application/json".into());
    let place = (settings.amqp_exchange().into(), settings.routing_key(&message.topic()).into());
    let options = BasicPublishOptions::default();
    let published = channel.basic_publish(place.0, place.1, options, &payload, properties).await;
    published.map(drop).map_err(|error| RabbitMqError::new("telling news", error))
}
