//! Messages that were set aside because they can never be handled: taking them, and putting one back.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use lapin::{
    Consumer as LapinConsumer,
    message::Delivery,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::{
    ConsumeError, LocalQueue, RabbitMqSettings, Source,
    rabbitmq::{self, Link, RabbitMqError},
    topology,
};

/// Header with the reason.
pub(crate) const REASON: &str = "x-reason";
/// Header with the routing key that the message came with at first.
pub(crate) const ROUTING_KEY: &str = "x-routing-key";
/// Header that says when it was set aside, in RFC 3339.
pub(crate) const SET_ASIDE_AT: &str = "x-set-aside-at";

/// How soon dead letters in the queue on disk are noticed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A message that can never be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Names the message, where its publisher gave it a name.
    pub message_id: Option<String>,
    /// The routing key that it came with; in the queue on disk its kind and exchange: `ticks.binance`.
    pub topic: String,
    /// Why it was set aside.
    pub reason: String,
    /// When.
    pub set_aside_at: DateTime<Utc>,
    /// The message.
    pub payload: Bytes,
}

/// Takes dead letters. When anything fails, drop it and ask the [`Source`] anew: what was not acknowledged comes again.
pub struct DeadLetters(Taking);

enum Taking {
    RabbitMq(Box<FromRabbitMq>),
    Local(LocalQueue),
}

struct FromRabbitMq {
    link: Link,
    deliveries: LapinConsumer,
    /// Where messages are put back.
    queue: ShortString,
}

/// Which dead letter was taken, to be acknowledged.
pub struct Taken(Which);

enum Which {
    RabbitMq(Box<Delivery>),
    Local(LocalQueue, u64),
}

impl Source {
    /// Begins to take dead letters.
    ///
    /// # Errors
    /// When RabbitMQ cannot be reached or refuses.
    pub async fn dead_letters(&self) -> Result<DeadLetters, ConsumeError> {
        Ok(DeadLetters(match self {
            Self::RabbitMq(settings) => Taking::RabbitMq(Box::new(FromRabbitMq::open(settings).await?)),
            Self::Local(queue) => Taking::Local(queue.clone()),
        }))
    }
}

impl FromRabbitMq {
    async fn open(settings: &RabbitMqSettings) -> Result<Self, RabbitMqError> {
        /// Dead letters can be large, and they are in no hurry.
        const PREFETCH: u16 = 4;
        let link = Link::open(settings, "db-handler: dead letters").await?;
        topology::declare(&link.channel, settings).await?;
        link.confirm().await?;
        rabbitmq::answer("setting the prefetch", link.channel.basic_qos(PREFETCH, BasicQosOptions::default())).await?;
        let consuming = link.channel.basic_consume(
            settings.dead_letters().into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let deliveries = rabbitmq::answer("subscribing to the dead letters", consuming).await?;
        Ok(Self { link, deliveries, queue: settings.rabbitmq_queue_name.as_str().into() })
    }

    async fn next(&mut self) -> Result<Delivery, RabbitMqError> {
        match self.deliveries.next().await {
            Some(Ok(delivery)) => Ok(delivery),
            Some(Err(error)) => Err(RabbitMqError::new("receiving dead letters", error)),
            None => Err(RabbitMqError::Gone),
        }
    }

    async fn put_back(&self, message_id: &str, topic: &str, payload: &[u8]) -> Result<(), RabbitMqError> {
        let mut headers = FieldTable::default();
        headers.insert(ROUTING_KEY.into(), AMQPValue::LongString(topic.into()));
        let properties = rabbitmq::persistent(message_id).with_headers(headers);
        let place = ("".into(), self.queue.clone());
        rabbitmq::publish("putting a message back", &self.link.channel, place, payload, properties).await
    }
}

impl DeadLetters {
    /// The next one. Safe to give up waiting for.
    ///
    /// # Errors
    /// When the broker is gone.
    pub async fn next(&mut self) -> Result<(DeadLetter, Taken), ConsumeError> {
        match &mut self.0 {
            Taking::RabbitMq(taking) => {
                let delivery = taking.next().await?;
                Ok((read(&delivery), Taken(Which::RabbitMq(Box::new(delivery)))))
            }
            Taking::Local(queue) => loop {
                if let Some((number, letter)) = queue.oldest_dead_letter().await? {
                    return Ok((letter, Taken(Which::Local(queue.clone(), number))));
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            },
        }
    }

    /// Whether the queue takes messages, as far as that is known.
    pub fn takes_back(&self) -> bool {
        match &self.0 {
            Taking::Local(queue) => queue.trouble().is_none(),
            Taking::RabbitMq(_) => true,
        }
    }

    /// Puts a message back in the queue from which the db-handlers take, and nowhere else: the live feed, which may have
    /// shown it long ago, does not see it. Returns when it is on disk there.
    ///
    /// # Errors
    /// When the broker is gone or does not take it.
    pub async fn put_back(&self, message_id: &str, topic: &str, payload: &[u8]) -> Result<(), ConsumeError> {
        match &self.0 {
            Taking::Local(queue) => {
                Ok(queue.publish(topic.to_owned(), Bytes::copy_from_slice(payload), Vec::new()).await?)
            }
            Taking::RabbitMq(taking) => Ok(taking.put_back(message_id, topic, payload).await?),
        }
    }
}

impl Taken {
    /// Forgets it where it was: it is kept elsewhere now.
    ///
    /// # Errors
    /// When the broker is gone; it then comes again.
    pub async fn ack(self) -> Result<(), ConsumeError> {
        match self.0 {
            Which::Local(queue, number) => Ok(queue.forget_dead_letter(number).await?),
            Which::RabbitMq(delivery) => Ok(rabbitmq::acknowledge(&delivery).await?),
        }
    }
}

/// Reads what the db-handler wrote beside the message; or what RabbitMQ did, which sets a message aside by itself after too
/// many deliveries.
fn read(delivery: &Delivery) -> DeadLetter {
    let headers = delivery.properties.headers().clone().unwrap_or_default();
    let text = |name: &str| match headers.inner().get(name) {
        Some(AMQPValue::LongString(text)) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        _ => None,
    };
    // Anybody may write there what he likes.
    let credible = |time: &DateTime<Utc>| (0..=Utc::now().timestamp() + 86_400).contains(&time.timestamp());
    let set_aside_at = text(SET_ASIDE_AT).and_then(|time| time.parse().ok()).filter(credible);
    let by_rabbitmq = || "RabbitMQ set it aside: delivered too often without being handled".to_owned();
    DeadLetter {
        message_id: delivery.properties.message_id().as_ref().map(ToString::to_string),
        topic: text(ROUTING_KEY).unwrap_or_else(|| delivery.routing_key.to_string()),
        // One that was put back and then delivered too often still has no reason of ours.
        reason: text(REASON).unwrap_or_else(by_rabbitmq),
        set_aside_at: set_aside_at.unwrap_or_else(Utc::now),
        payload: Bytes::copy_from_slice(&delivery.data),
    }
}
