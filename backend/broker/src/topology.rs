//! What must stand in RabbitMQ before messages can flow. Declared by everyone who needs it; again changes nothing.
//!
//! One durable topic exchange. One durable quorum queue for storing, bounded in size: when it is full the publisher is
//! refused and keeps its messages. One consumer at a time gets what is in it, so that it is stored in the order in which it was
//! published; any other waits until that one is gone. Messages that can never be stored, or were delivered too often, go to the
//! dead-letter queue.

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::{RabbitMqSettings, rabbitmq::RabbitMqError};

/// Kinds of messages that are stored.
const STORED: [&str; 7] = ["ticks", "catalogue", "gaps", "minutes", "market", "listing", "rates"];

/// Kinds of messages that the live feed carries.
const LIVE: [&str; 3] = ["ticks", "feed", "stored"];

/// How large the queue of somebody who follows changes may grow. Then RabbitMQ takes no more changes, and they wait in the database.
const CHANGES_MAX_BYTES: i64 = 1_000_000_000;
/// Deliveries that nobody needs to count: whoever takes the message sets it aside where it cannot be read.
const ANY_NUMBER: i64 = 1_000_000;

/// How large the dead-letter queue may grow.
const DEAD_LETTERS_MAX_BYTES: i64 = 1_000_000_000;

/// Declares the exchange, the queue of what is to be stored, and where dead letters go.
pub(crate) async fn declare(channel: &Channel, settings: &RabbitMqSettings) -> Result<(), RabbitMqError> {
    declare_dead_letters(channel, &settings.dead_letters()).await?;
    let amqp_exchange = declare_exchange(channel, settings).await?;
    let mut arguments = quorum(i64::try_from(settings.rabbitmq_queue_max_bytes).unwrap_or(i64::MAX));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(settings.rabbitmq_delivery_limit.into()));
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString(settings.dead_letters().into()));
    arguments.insert("x-dead-letter-strategy".into(), AMQPValue::LongString("at-least-once".into()));
    let queue = ShortString::from(settings.rabbitmq_queue_name.as_str());
    declare_queue(channel, &queue, arguments).await?;
    for kind in STORED {
        bind(channel, &queue, &amqp_exchange, &settings.routing_key(&format!("{kind}.#"))).await?;
    }
    Ok(())
}

/// Declares the exchange, the queue of somebody who follows what accounts change, and one of its own for what cannot be kept: what belongs to
/// accounts is not put among the dead letters that everybody may look through.
pub(crate) async fn declare_changes(
    channel: &Channel,
    settings: &RabbitMqSettings,
    queue: &str,
) -> Result<(), RabbitMqError> {
    declare_dead_letters(channel, &dead_letters_of(queue)).await?;
    let amqp_exchange = declare_exchange(channel, settings).await?;
    let mut arguments = quorum(CHANGES_MAX_BYTES);
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(ANY_NUMBER));
    let queue = ShortString::from(queue);
    declare_queue(channel, &queue, arguments).await?;
    bind(channel, &queue, &amqp_exchange, &settings.routing_key("change.#")).await
}

/// Name of the exchange and of the queue for what cannot be kept of a follower's queue.
pub(crate) fn dead_letters_of(queue: &str) -> String {
    format!("{queue}.dead-letters")
}

/// Declares where dead letters go.
async fn declare_dead_letters(channel: &Channel, name: &str) -> Result<(), RabbitMqError> {
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let dead_letters = ShortString::from(name);
    channel
        .exchange_declare(dead_letters.clone(), ExchangeKind::Fanout, durable, FieldTable::default())
        .await
        .map_err(|error| RabbitMqError::new("declaring the dead-letter exchange", error))?;
    let mut arguments = quorum(DEAD_LETTERS_MAX_BYTES);
    // Looking at a dead letter takes it and puts it back; RabbitMQ 4 drops what was put back twenty times.
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(ANY_NUMBER));
    declare_queue(channel, &dead_letters, arguments).await?;
    bind(channel, &dead_letters, &dead_letters, "").await
}

/// Declares the topic exchange, whose name it returns.
async fn declare_exchange(channel: &Channel, settings: &RabbitMqSettings) -> Result<ShortString, RabbitMqError> {
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let amqp_exchange = ShortString::from(settings.amqp_exchange());
    channel
        .exchange_declare(amqp_exchange.clone(), ExchangeKind::Topic, durable, FieldTable::default())
        .await
        .map_err(|error| RabbitMqError::new("declaring the topic exchange", error))?;
    Ok(amqp_exchange)
}

/// Declares a queue of one listener's own, gone when it goes. It holds little: a listener that falls behind loses the
/// oldest, which the newest make good.
pub(crate) async fn declare_live(channel: &Channel, settings: &RabbitMqSettings) -> Result<ShortString, RabbitMqError> {
    let amqp_exchange = ShortString::from(settings.amqp_exchange());
    channel
        .exchange_declare(
            amqp_exchange.clone(),
            ExchangeKind::Topic,
            ExchangeDeclareOptions { durable: true, ..Default::default() },
            FieldTable::default(),
        )
        .await
        .map_err(|error| RabbitMqError::new("declaring the topic exchange", error))?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(1_000));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let queue = channel
        .queue_declare("".into(), options, arguments)
        .await
        .map_err(|error| RabbitMqError::new("declaring a queue for the live feed", error))?;
    for kind in LIVE {
        bind(channel, queue.name(), &amqp_exchange, &settings.routing_key(&format!("{kind}.#"))).await?;
    }
    Ok(queue.name().clone())
}

fn quorum(max_bytes: i64) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(max_bytes));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    arguments
}

async fn declare_queue(channel: &Channel, name: &ShortString, arguments: FieldTable) -> Result<(), RabbitMqError> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(name.clone(), options, arguments).await.map(drop).map_err(|error| {
        RabbitMqError::new(
            "declaring a queue (where one of that name stands with other arguments, delete it when it is empty, or \
             choose another name for it)",
            error,
        )
    })
}

async fn bind(channel: &Channel, queue: &ShortString, exchange: &ShortString, key: &str) -> Result<(), RabbitMqError> {
    channel
        .queue_bind(queue.clone(), exchange.clone(), key.into(), QueueBindOptions::default(), FieldTable::default())
        .await
        .map_err(|error| RabbitMqError::new("binding a queue", error))
}
