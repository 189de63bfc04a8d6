//! Messages on their way from the trackers to whoever stores or shows them.
//!
//! The only crate that knows lapin. Two brokers stand behind the same few types: a RabbitMQ server, and
//! [`LocalQueue`], a durable queue on disk, which is the whole broker of a program that runs alone, and which a tracker
//! always publishes into first, so that an outage of RabbitMQ is only a longer queue.
//!
//! What always holds: a message that [`Publisher::publish`] accepted is on disk; it is delivered until somebody
//! acknowledges it, so perhaps more than once; what can never be handled is set aside with its reason, not dropped.

pub mod announce;
pub mod changes;
pub mod consumer;
pub mod dead_letters;
pub mod forward;
pub mod live;
pub mod local_queue;
pub mod message;
pub mod publisher;
pub mod rabbitmq;
pub mod settings;
pub mod topology;

pub use announce::Announcer;
pub use changes::ChangePublisher;
pub use consumer::{ConsumeError, Consumer, Delivery, Source};
pub use dead_letters::{DeadLetter, DeadLetters};
pub use forward::forward;
pub use live::{Live, LiveReceiver};
pub use local_queue::{LocalQueue, LocalQueueError, Note};
pub use message::{DecodeError, Message, Stored};
pub use publisher::Publisher;
pub use settings::{LocalQueueSettings, RabbitMqSettings};
