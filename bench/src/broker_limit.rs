//! What RabbitMQ takes at most: messages made beforehand, published with a window of confirms, to a quorum queue.

use std::{collections::VecDeque, time::Instant};

use broker::Message;
use domain::{TickBatch, TickSource};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use testbed::rabbitmq::VirtualHost;

use crate::{Rate, market};

const TICKS_PER_MESSAGE: usize = 500;
const WINDOW: usize = 64;

pub(crate) async fn confirmed_publishing(frames: &[String]) -> anyhow::Result<Rate> {
    let bodies = bodies(frames)?;
    let host = VirtualHost::create();
    let connection = Connection::connect(&host.url(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("raw".into(), options, arguments).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let properties = BasicProperties::default().with_delivery_mode(2);
    let begin = Instant::now();
    let mut unconfirmed: VecDeque<lapin::PublisherConfirm> = VecDeque::with_capacity(WINDOW);
    for body in &bodies {
        if unconfirmed.len() == WINDOW
            && let Some(oldest) = unconfirmed.pop_front()
        {
            anyhow::ensure!(oldest.await?.is_ack(), "the broker refuses a message");
        }
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        unconfirmed.push_back(channel.basic_publish("".into(), "raw".into(), options, body, properties.clone()).await?);
    }
    for confirm in unconfirmed {
        anyhow::ensure!(confirm.await?.is_ack(), "the broker refuses a message");
    }
    Ok(frames.len() as f64 / begin.elapsed().as_secs_f64())
}

fn bodies(frames: &[String]) -> anyhow::Result<Vec<Vec<u8>>> {
    let ticks = market::ticks(frames)?;
    let encode = |ticks: &[domain::Tick]| {
        let batch = TickBatch::new("bench", TickSource::Stream, ticks.to_vec());
        Ok(Message::Ticks(batch).encode()?)
    };
    ticks.chunks(TICKS_PER_MESSAGE).map(encode).collect()
}
