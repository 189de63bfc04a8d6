//! Taking messages, from whichever broker there is.

use crate::{
    LocalQueue, LocalQueueError, RabbitMqSettings,
    local_queue::LocalDelivery,
    rabbitmq::{QueueConsumer, QueueDelivery, RabbitMqError},
};

/// Where messages are taken from.
#[derive(Clone)]
pub enum Source {
    /// The queue of a RabbitMQ server.
    RabbitMq(RabbitMqSettings),
    /// The queue on disk.
    Local(LocalQueue),
}

/// Messages cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// From RabbitMQ.
    #[error(transparent)]
    RabbitMq(#[from] RabbitMqError),
    /// From the queue on disk.
    #[error(transparent)]
    Local(#[from] LocalQueueError),
    /// The connection was given up.
    #[error("the connection to the broker was given up")]
    Closed,
}

impl ConsumeError {
    /// Whether the broker is there and said no, so that the connection can still be used.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::RabbitMq(RabbitMqError::NotTaken(_)) | Self::Local(LocalQueueError::DeadLettersFull))
    }
}

/// Takes messages. When anything fails, drop it and every delivery, and consume anew: what was not acknowledged comes
/// again.
pub struct Consumer(Taking);

enum Taking {
    RabbitMq(Box<QueueConsumer>),
    Local(LocalQueue),
}

/// A message, not yet acknowledged.
pub struct Delivery(Kind);

enum Kind {
    RabbitMq(Box<QueueDelivery>),
    Local(LocalDelivery),
}

impl Source {
    /// Begins to take messages, at most `prefetch` of them unacknowledged. With RabbitMQ each consumer has a connection
    /// of its own.
    ///
    /// # Errors
    /// When RabbitMQ cannot be reached or refuses.
    pub async fn consume(&self, prefetch: u16) -> Result<Consumer, ConsumeError> {
        Ok(Consumer(match self {
            Self::RabbitMq(settings) => Taking::RabbitMq(Box::new(QueueConsumer::open(settings, prefetch).await?)),
            Self::Local(queue) => Taking::Local(queue.clone()),
        }))
    }

    /// Where messages come from, for logs.
    pub fn location(&self) -> String {
        match self {
            Self::RabbitMq(settings) => format!("RabbitMQ at {}", settings.location()),
            Self::Local(_) => "the local queue".to_owned(),
        }
    }
}

impl RabbitMqSettings {
    /// Begins to take what accounts change from a durable queue of this name, which is made where there is none, at most `prefetch` of
    /// them unacknowledged.
    ///
    /// # Errors
    /// When RabbitMQ cannot be reached or refuses.
    pub async fn follow_changes(&self, queue: &str, prefetch: u16) -> Result<Consumer, ConsumeError> {
        Ok(Consumer(Taking::RabbitMq(Box::new(QueueConsumer::follow(self, queue, prefetch).await?))))
    }
}

impl Consumer {
    /// The next message. Safe to give up waiting for.
    ///
    /// # Errors
    /// When the broker is gone.
    pub async fn next(&mut self) -> Result<Delivery, ConsumeError> {
        Ok(Delivery(match &mut self.0 {
            Taking::RabbitMq(consumer) => Kind::RabbitMq(Box::new(consumer.next().await?)),
            Taking::Local(queue) => Kind::Local(queue.receive().await?),
        }))
    }
}

impl Delivery {
    /// The message's bytes.
    pub fn payload(&self) -> &[u8] {
        match &self.0 {
            Kind::RabbitMq(delivery) => &delivery.delivery.data,
            Kind::Local(delivery) => delivery.payload(),
        }
    }

    /// Whether it may have been delivered before.
    pub fn redelivered(&self) -> bool {
        match &self.0 {
            Kind::RabbitMq(delivery) => delivery.delivery.redelivered,
            Kind::Local(delivery) => delivery.redelivered(),
        }
    }

    /// Names the message, for logs.
    pub fn id(&self) -> String {
        match &self.0 {
            Kind::RabbitMq(delivery) => match delivery.delivery.properties.message_id() {
                Some(id) => id.to_string(),
                None => format!("delivery {}", delivery.delivery.delivery_tag),
            },
            Kind::Local(delivery) => delivery.id().to_owned(),
        }
    }

    /// Takes the message off the queue.
    ///
    /// # Errors
    /// When the broker is gone; the message then comes again.
    pub async fn ack(self) -> Result<(), ConsumeError> {
        match self.0 {
            Kind::RabbitMq(delivery) => Ok(delivery.ack().await?),
            Kind::Local(delivery) => Ok(delivery.ack().await?),
        }
    }

    /// Puts a copy of the message among the dead letters, with the reason, because it can never be handled. The message
    /// itself is then to be acknowledged.
    ///
    /// # Errors
    /// When the broker is gone, or refuses ([`ConsumeError::is_refusal`]): then it can be tried again.
    pub async fn dead_letter(&mut self, reason: &str) -> Result<(), ConsumeError> {
        match &mut self.0 {
            Kind::RabbitMq(delivery) => Ok(delivery.dead_letter(reason).await?),
            Kind::Local(delivery) => Ok(delivery.dead_letter(reason).await?),
        }
    }
}
