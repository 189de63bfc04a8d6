//! Somebody who follows what accounts change, as another service would: over RabbitMQ, through everything that happens to it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use lapin::{
    Connection, ConnectionProperties, ExchangeKind,
    options::{BasicAckOptions, BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use serde::Deserialize;
use testbed::rabbitmq::VirtualHost;
use tokio::time::sleep;

const QUEUE: &str = "follower";
/// Where changes are published.
const EXCHANGE: &str = "crypto-market";

/// A change, as far as it is looked at.
#[derive(Deserialize)]
struct Change {
    operation: String,
    kind: String,
    source_id: String,
    version: i64,
}

/// What came, and what was wrong with it.
#[derive(Debug, Default)]
struct Came {
    /// The newest version of each record.
    newest: HashMap<(String, String), i64>,
    applied: HashSet<i64>,
    again: u64,
    out_of_order: u64,
}

/// The follower.
pub struct Follower(Arc<Mutex<Came>>);

impl Follower {
    /// Follows from now on, for ever.
    ///
    /// # Errors
    /// When RabbitMQ refuses.
    pub async fn start(host: &VirtualHost) -> anyhow::Result<Self> {
        let (url, came) = (host.url(), Arc::new(Mutex::new(Came::default())));
        let connection = open(&url).await?;
        let following = came.clone();
        tokio::spawn(async move {
            let mut connection = Some(connection);
            loop {
                let ended = match connection.take() {
                    Some(connection) => follow(&connection, &following).await,
                    None => open(&url).await.map(|open| connection = Some(open)),
                };
                if ended.is_err() {
                    sleep(Duration::from_millis(200)).await;
                }
            }
        });
        Ok(Self(came))
    }

    /// Whether the change of this version was applied.
    pub fn has(&self, version: i64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).applied.contains(&version)
    }

    /// How many changes were applied, how many came again and were not, and how many came behind a newer one of their record.
    pub fn counts(&self) -> (usize, u64, u64) {
        let came = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (came.applied.len(), came.again, came.out_of_order)
    }
}

async fn open(url: &str) -> anyhow::Result<Connection> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.context("connecting")?;
    let channel = connection.create_channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(QUEUE.into(), durable, arguments).await?;
    let exchange = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, exchange, FieldTable::default()).await?;
    let key = "market.change.#".into();
    channel.queue_bind(QUEUE.into(), EXCHANGE.into(), key, QueueBindOptions::default(), FieldTable::default()).await?;
    Ok(connection)
}

async fn follow(connection: &Connection, came: &Mutex<Came>) -> anyhow::Result<()> {
    let channel = connection.create_channel().await?;
    let options = BasicConsumeOptions::default();
    let mut deliveries = channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await?;
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery?;
        let change: Change = serde_json::from_slice(&delivery.data)?;
        came.lock().unwrap_or_else(PoisonError::into_inner).apply(change);
        delivery.ack(BasicAckOptions::default()).await?;
    }
    anyhow::bail!("the connection is gone")
}

impl Came {
    /// What is known is not applied again.
    fn apply(&mut self, Change { operation, kind, source_id, version }: Change) {
        if !self.applied.insert(version) {
            self.again += 1;
            return;
        }
        let newest = self.newest.insert((kind, source_id), version);
        if newest.is_some_and(|newest| newest > version || operation == "ADDED") {
            self.out_of_order += 1;
        }
    }
}
