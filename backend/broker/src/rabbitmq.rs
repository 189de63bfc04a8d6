//! Connections to RabbitMQ, and taking messages from its queue.
//!
//! A connection is never mended: when anything goes wrong on it or on its channel, it is dropped whole and its owner
//! makes a new one. RabbitMQ then delivers again what was not acknowledged.

use std::time::Duration;

use chrono::Utc;
use futures_util::StreamExt as _;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer as LapinConsumer,
    options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable, ShortString},
    uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo},
};

use crate::{
    RabbitMqSettings,
    dead_letters::{REASON, ROUTING_KEY, SET_ASIDE_AT},
    topology,
};

/// How long connecting may take, and how long an answer to a single request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something went wrong between us and RabbitMQ.
#[derive(Debug, thiserror::Error)]
pub enum RabbitMqError {
    /// RabbitMQ or the connection refused.
    #[error("{doing}: {source}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// What was said.
        source: Box<lapin::Error>,
    },
    /// No answer came in time.
    #[error("{doing}: no answer in time")]
    Silent {
        /// What was being done.
        doing: &'static str,
    },
    /// The broker did not take a message.
    #[error("{0}")]
    NotTaken(String),
    /// The connection is gone.
    #[error("the connection to RabbitMQ is gone")]
    Gone,
    /// A setting cannot be used.
    #[error("{0}")]
    Settings(String),
}

impl RabbitMqError {
    pub(crate) fn new(doing: &'static str, source: lapin::Error) -> Self {
        Self::Refused { doing, source: Box::new(source) }
    }
}

/// One connection with one channel.
pub(crate) struct Link {
    // Dropping it closes the connection.
    pub(crate) connection: Connection,
    pub(crate) channel: Channel,
}

impl Link {
    /// Connects, under a name that RabbitMQ's management page shows.
    pub(crate) async fn open(settings: &RabbitMqSettings, name: &str) -> Result<Self, RabbitMqError> {
        if let Some(mistake) = settings.mistake() {
            return Err(RabbitMqError::Settings(mistake));
        }
        let uri = AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: settings.rabbitmq_user.clone(),
                    password: settings.rabbitmq_password.clone(),
                },
                host: settings.host().to_owned(),
                port: settings.rabbitmq_port,
            },
            vhost: settings.rabbitmq_vhost.clone(),
            query: AMQPQueryString { heartbeat: Some(10), ..Default::default() },
        };
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connection = answer("connecting", Connection::connect_uri(uri, properties)).await?;
        let channel = answer("opening a channel", connection.create_channel()).await?;
        Ok(Self { connection, channel })
    }

    /// Makes every published message be confirmed.
    pub(crate) async fn confirm(&self) -> Result<(), RabbitMqError> {
        answer("asking for confirms", self.channel.confirm_select(ConfirmSelectOptions::default())).await
    }
}

/// Waits for RabbitMQ's answer, but not for ever.
pub(crate) async fn answer<T>(
    doing: &'static str,
    request: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, RabbitMqError> {
    match tokio::time::timeout(PATIENCE, request).await {
        Ok(outcome) => outcome.map_err(|error| RabbitMqError::new(doing, error)),
        Err(_) => Err(RabbitMqError::Silent { doing }),
    }
}

/// Properties of a message that must not be lost.
pub(crate) fn persistent(id: &str) -> BasicProperties {
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_message_id(id.into())
}

/// Tells whether the broker took a message. One that no queue took is acknowledged too, but comes back.
pub(crate) fn check(confirmation: Confirmation) -> Result<(), RabbitMqError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) => Err(RabbitMqError::NotTaken(format!(
            "a message was returned, since no queue takes it: {}",
            returned.reply_text
        ))),
        Confirmation::Nack(_) => Err(RabbitMqError::NotTaken("the broker refused a message (queue full?)".to_owned())),
        Confirmation::NotRequested => Err(RabbitMqError::NotTaken("the channel does not confirm".to_owned())),
    }
}

/// Publishes a message (exchange, routing key) and waits until the broker has it on disk.
pub(crate) async fn publish(
    doing: &'static str,
    channel: &Channel,
    (exchange, key): (ShortString, ShortString),
    payload: &[u8],
    properties: BasicProperties,
) -> Result<(), RabbitMqError> {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let confirm = answer(doing, channel.basic_publish(exchange, key, options, payload, properties)).await?;
    check(answer(doing, confirm).await?)
}

/// Takes a message off its queue.
pub(crate) async fn acknowledge(delivery: &lapin::message::Delivery) -> Result<(), RabbitMqError> {
    match delivery.acker.ack(BasicAckOptions::default()).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(RabbitMqError::Gone),
        Err(error) => Err(RabbitMqError::new("acknowledging", error)),
    }
}

/// Takes messages from a queue.
pub(crate) struct QueueConsumer {
    /// Until it is dropped.
    open: Option<(Link, LapinConsumer)>,
    dead_letters: ShortString,
}

/// A message from the queue, not yet acknowledged.
pub(crate) struct QueueDelivery {
    pub(crate) delivery: lapin::message::Delivery,
    channel: Channel,
    dead_letters: ShortString,
}

impl QueueConsumer {
    /// From the queue of what is to be stored.
    pub(crate) async fn open(settings: &RabbitMqSettings, prefetch: u16) -> Result<Self, RabbitMqError> {
        let link = Link::open(settings, "db-handler").await?;
        topology::declare(&link.channel, settings).await?;
        Self::begin(link, &settings.rabbitmq_queue_name, settings.dead_letters(), prefetch).await
    }

    /// From a queue of somebody's who follows what accounts change.
    pub(crate) async fn follow(settings: &RabbitMqSettings, queue: &str, prefetch: u16) -> Result<Self, RabbitMqError> {
        let link = Link::open(settings, "follower").await?;
        topology::declare_changes(&link.channel, settings, queue).await?;
        Self::begin(link, queue, topology::dead_letters_of(queue), prefetch).await
    }

    async fn begin(link: Link, queue: &str, dead_letters: String, prefetch: u16) -> Result<Self, RabbitMqError> {
        link.confirm().await?;
        answer("setting the prefetch", link.channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
        let deliveries = answer(
            "subscribing to the queue",
            link.channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default()),
        )
        .await?;
        Ok(Self { open: Some((link, deliveries)), dead_letters: dead_letters.into() })
    }

    /// The next message. Safe to give up waiting for.
    pub(crate) async fn next(&mut self) -> Result<QueueDelivery, RabbitMqError> {
        let (link, deliveries) = self.open.as_mut().ok_or(RabbitMqError::Gone)?;
        match deliveries.next().await {
            Some(Ok(delivery)) => {
                Ok(QueueDelivery { delivery, channel: link.channel.clone(), dead_letters: self.dead_letters.clone() })
            }
            Some(Err(error)) => Err(RabbitMqError::new("receiving", error)),
            None => Err(RabbitMqError::Gone),
        }
    }
}

impl Drop for QueueConsumer {
    /// Closes the connection as a whole. Dropped by itself, the consumer would be cancelled first, and the next one would get what comes
    /// behind the messages that this one holds before these.
    fn drop(&mut self) {
        let Some((link, deliveries)) = self.open.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // An error means that it is closed.
                let _ = link.connection.close(200, "done".into()).await;
                drop(deliveries);
            });
        }
    }
}

impl QueueDelivery {
    pub(crate) async fn ack(&self) -> Result<(), RabbitMqError> {
        acknowledge(&self.delivery).await
    }

    /// Hands a copy of the message to the dead-letter queue, with the reason.
    pub(crate) async fn dead_letter(&self, reason: &str) -> Result<(), RabbitMqError> {
        let mut headers = self.delivery.properties.headers().clone().unwrap_or_default();
        headers.insert(REASON.into(), AMQPValue::LongString(reason.into()));
        headers.insert(SET_ASIDE_AT.into(), AMQPValue::LongString(Utc::now().to_rfc3339().into()));
        if !headers.contains_key(ROUTING_KEY) {
            headers.insert(ROUTING_KEY.into(), AMQPValue::LongString(self.delivery.routing_key.as_str().into()));
        }
        let properties = self.delivery.properties.clone().with_headers(headers).with_delivery_mode(2);
        let place = (self.dead_letters.clone(), "".into());
        publish("setting a message aside", &self.channel, place, &self.delivery.data, properties).await
    }
}
