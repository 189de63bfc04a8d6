//! The live feed: what is published, as it is published, for those who show it.
//!
//! It never touches the queue from which messages are stored. A listener that falls behind loses the oldest messages,
//! and newer ones make that good: it is for showing, not for keeping.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::StreamExt as _;
use lapin::{options::BasicConsumeOptions, types::FieldTable};
use tokio::sync::broadcast;

use crate::{
    Message, RabbitMqSettings,
    rabbitmq::{Link, RabbitMqError},
    topology,
};

/// Where the live feed comes from.
#[derive(Clone)]
pub struct Live(LiveSource);

#[derive(Clone)]
enum LiveSource {
    RabbitMq(RabbitMqSettings),
    Local(broadcast::Sender<Arc<Message>>),
}

/// Listens to the live feed.
pub struct LiveReceiver {
    messages: broadcast::Receiver<Arc<Message>>,
    connection: Option<tokio::task::JoinHandle<()>>,
    state: tokio::sync::watch::Receiver<Result<(), String>>,
}

/// The longest delay between two tries to connect.
const LONGEST_DELAY: Duration = Duration::from_secs(4);

/// How far a listener may fall behind before it loses the oldest.
const MESSAGES: usize = 1_024;

impl Live {
    /// The live feed that RabbitMQ carries.
    pub fn rabbitmq(settings: RabbitMqSettings) -> Self {
        Self(LiveSource::RabbitMq(settings))
    }

    /// The live feed of this process.
    pub fn local(sender: broadcast::Sender<Arc<Message>>) -> Self {
        Self(LiveSource::Local(sender))
    }

    /// Begins to listen. With RabbitMQ each listener has a connection of its own, mended for ever: one is enough for a
    /// process.
    pub fn subscribe(&self) -> LiveReceiver {
        match &self.0 {
            LiveSource::Local(sender) => LiveReceiver {
                messages: sender.subscribe(),
                connection: None,
                state: tokio::sync::watch::channel(Ok(())).1,
            },
            LiveSource::RabbitMq(settings) => {
                let (sender, messages) = broadcast::channel(MESSAGES);
                let (tell, state) = tokio::sync::watch::channel(Err("not connected yet".to_owned()));
                let connection = tokio::spawn(listen_for_ever(settings.clone(), sender, tell));
                LiveReceiver { messages, connection: Some(connection), state }
            }
        }
    }
}

impl LiveReceiver {
    /// The next message; `None` when there will be no more. Safe to give up waiting for.
    pub async fn recv(&mut self) -> Option<Arc<Message>> {
        loop {
            match self.messages.recv().await {
                Ok(message) => return Some(message),
                Err(broadcast::error::RecvError::Lagged(lost)) => {
                    metrics::counter!("live_messages_skipped_total").increment(lost);
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// Whether the feed is connected, or why not.
    ///
    /// # Errors
    /// What keeps it from being connected.
    pub fn state(&self) -> Result<(), String> {
        self.state.borrow().clone()
    }
}

impl Drop for LiveReceiver {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.abort();
        }
    }
}

type Tell = tokio::sync::watch::Sender<Result<(), String>>;

async fn listen_for_ever(settings: RabbitMqSettings, sender: broadcast::Sender<Arc<Message>>, tell: Tell) {
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        // Jitter may double it.
        .with_max_delay(LONGEST_DELAY / 2)
        .with_jitter()
        .without_max_times();
    let mut delays = backoff.build();
    loop {
        let Err(error) = listen(&settings, &sender, &tell, || delays = backoff.build()).await;
        let delay = delays.next().unwrap_or(LONGEST_DELAY);
        tracing::warn!(%error, retry_in = ?delay, "the live feed is not connected");
        drop(tell.send_replace(Err(error.to_string())));
        tokio::time::sleep(delay).await;
    }
}

async fn listen(
    settings: &RabbitMqSettings,
    sender: &broadcast::Sender<Arc<Message>>,
    tell: &Tell,
    mut connected: impl FnMut(),
) -> Result<std::convert::Infallible, RabbitMqError> {
    let link = Link::open(settings, "live feed").await?;
    let queue = topology::declare_live(&link.channel, settings).await?;
    let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..Default::default() };
    let mut deliveries = link
        .channel
        .basic_consume(queue, "".into(), options, FieldTable::default())
        .await
        .map_err(|error| RabbitMqError::new("subscribing to the live feed", error))?;
    tracing::info!("the live feed is connected");
    drop(tell.send_replace(Ok(())));
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery.map_err(|error| RabbitMqError::new("receiving the live feed", error))?;
        connected();
        match Message::decode(&delivery.data) {
            // An error means that nobody listens just now.
            Ok(message) => drop(sender.send(Arc::new(message))),
            // The db-handler sets it aside with its reason; here it is only not shown.
            Err(_) => metrics::counter!("live_messages_unreadable_total").increment(1),
        }
    }
    Err(RabbitMqError::Gone)
}
