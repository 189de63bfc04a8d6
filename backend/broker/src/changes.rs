//! Publishing what accounts changed (docs/CHANGES.md): in order, each confirmed, to whoever has bound a queue. Where nobody has, RabbitMQ drops it.

use lapin::{options::BasicPublishOptions, types::ShortString};

use crate::{
    RabbitMqSettings, Source,
    rabbitmq::{Link, RabbitMqError, answer, persistent},
    topology,
};

/// Publishes changes over a connection of its own. When anything fails, drop it and open another.
pub struct ChangePublisher {
    link: Link,
    settings: RabbitMqSettings,
}

impl Source {
    /// Where changes are published: nowhere without RabbitMQ.
    pub fn change_settings(&self) -> Option<&RabbitMqSettings> {
        match self {
            Self::RabbitMq(settings) => Some(settings),
            Self::Local(_) => None,
        }
    }
}

impl ChangePublisher {
    /// Connects.
    ///
    /// # Errors
    /// When RabbitMQ cannot be reached or refuses.
    pub async fn open(settings: &RabbitMqSettings) -> Result<Self, RabbitMqError> {
        let link = Link::open(settings, "db-handler: changes").await?;
        topology::declare(&link.channel, settings).await?;
        link.confirm().await?;
        Ok(Self { link, settings: settings.clone() })
    }

    /// Publishes bodies, each with the end of its routing key and its id, one behind the other, and waits until RabbitMQ has taken
    /// responsibility for all of them.
    ///
    /// # Errors
    /// When RabbitMQ is gone or refuses; then any of them may have been published.
    pub async fn publish(&self, changes: &[(String, String, Vec<u8>)]) -> Result<(), RabbitMqError> {
        let doing = "publishing changes";
        let exchange = ShortString::from(self.settings.amqp_exchange());
        let mut confirms = Vec::with_capacity(changes.len());
        for (topic, id, body) in changes {
            let key = ShortString::from(self.settings.routing_key(&format!("change.{topic}")));
            let options = BasicPublishOptions::default();
            let published = self.link.channel.basic_publish(exchange.clone(), key, options, body, persistent(id));
            confirms.push(answer(doing, published).await?);
        }
        for confirm in confirms {
            crate::rabbitmq::check(answer(doing, confirm).await?)?;
        }
        Ok(())
    }
}
