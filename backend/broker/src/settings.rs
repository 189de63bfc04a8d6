//! Where the brokers are, and under which names messages travel.

use std::{fmt, path::PathBuf, time::Duration};

use clap::Args;
use lapin::uri::AMQPUri;

/// How to reach RabbitMQ, and the names used there.
#[derive(Clone, Args)]
#[command(next_help_heading = "RabbitMQ")]
pub struct RabbitMqSettings {
    /// RabbitMQ's host name; without it, a service looks on localhost, and crypto-tracker uses a queue of its own on disk
    #[arg(long, env = "RABBITMQ_HOST", value_name = "HOST")]
    pub rabbitmq_host: Option<String>,
    /// RabbitMQ's port
    #[arg(long, env = "RABBITMQ_PORT", value_name = "PORT", default_value_t = PORT)]
    pub rabbitmq_port: u16,
    /// User to connect as
    #[arg(long, env = "RABBITMQ_USER", value_name = "NAME", default_value = USER)]
    pub rabbitmq_user: String,
    /// That user's password
    #[arg(
        long,
        env = "RABBITMQ_PASSWORD",
        value_name = "PASSWORD",
        default_value = USER,
        hide_env_values = true,
        hide_default_value = true
    )]
    pub rabbitmq_password: String,
    /// Virtual host
    #[arg(long, env = "RABBITMQ_VHOST", value_name = "NAME", default_value = VHOST)]
    pub rabbitmq_vhost: String,
    /// Name of the topic exchange that trackers publish to (empty means the default)
    #[arg(long, env = "RABBITMQ_EXCHANGE_NAME", value_name = "NAME", default_value = DEFAULT_EXCHANGE)]
    pub rabbitmq_exchange_name: String,
    /// Name of the queue from which the db-handler takes messages
    #[arg(long, env = "RABBITMQ_QUEUE_NAME", value_name = "NAME", default_value = "crypto-prices")]
    pub rabbitmq_queue_name: String,
    /// First part of every routing key: KEY.ticks.binance
    #[arg(long, env = "RABBITMQ_ROUTING_KEY", value_name = "KEY", default_value = KEY)]
    pub rabbitmq_routing_key: String,
    /// How large the queue may grow before publishers must wait, in bytes
    #[arg(long, env = "RABBITMQ_QUEUE_MAX_BYTES", value_name = "BYTES", default_value_t = 10_000_000_000)]
    pub rabbitmq_queue_max_bytes: u64,
    /// How often one message is delivered before it is set aside as undeliverable
    #[arg(long, env = "RABBITMQ_DELIVERY_LIMIT", value_name = "COUNT", default_value_t = DELIVERY_LIMIT)]
    pub rabbitmq_delivery_limit: u32,
}

const DEFAULT_EXCHANGE: &str = "crypto-market";
const PORT: u16 = 5672;
/// RabbitMQ's own first user, whose password is the same word; it is let in from the same machine only.
const USER: &str = "guest";
const VHOST: &str = "/";
const QUEUE: &str = "crypto-prices";
const KEY: &str = "market";
const MAX_BYTES: u64 = 10_000_000_000;
const DELIVERY_LIMIT: u32 = 20;

impl Default for RabbitMqSettings {
    fn default() -> Self {
        Self {
            rabbitmq_host: None,
            rabbitmq_port: PORT,
            rabbitmq_user: USER.to_owned(),
            rabbitmq_password: USER.to_owned(),
            rabbitmq_vhost: VHOST.to_owned(),
            rabbitmq_exchange_name: DEFAULT_EXCHANGE.to_owned(),
            rabbitmq_queue_name: QUEUE.to_owned(),
            rabbitmq_routing_key: KEY.to_owned(),
            rabbitmq_queue_max_bytes: MAX_BYTES,
            rabbitmq_delivery_limit: DELIVERY_LIMIT,
        }
    }
}

impl RabbitMqSettings {
    /// Settings for the RabbitMQ at `amqp://user:password@host:port/virtual-host`, everything else at its default.
    ///
    /// # Errors
    /// When that is not such a URL.
    pub fn at(url: &str) -> Result<Self, String> {
        let AMQPUri { authority, vhost, .. } = url.parse()?;
        Ok(Self {
            rabbitmq_host: Some(authority.host),
            rabbitmq_port: authority.port,
            rabbitmq_user: authority.userinfo.username,
            rabbitmq_password: authority.userinfo.password,
            rabbitmq_vhost: vhost,
            ..Self::default()
        })
    }

    /// Whether a server is named at all. An empty setting names none.
    pub fn names_a_server(&self) -> bool {
        self.rabbitmq_host.as_deref().is_some_and(|host| !host.is_empty())
    }

    /// RabbitMQ's host name.
    pub fn host(&self) -> &str {
        self.rabbitmq_host.as_deref().filter(|host| !host.is_empty()).unwrap_or("localhost")
    }

    /// The topic exchange's name. The earlier system's `.env` left it empty, which names no exchange of our own.
    pub fn amqp_exchange(&self) -> &str {
        if self.rabbitmq_exchange_name.is_empty() { DEFAULT_EXCHANGE } else { &self.rabbitmq_exchange_name }
    }

    /// Name of the exchange and of the queue for messages that can never be handled.
    pub fn dead_letters(&self) -> String {
        format!("{}.dead-letters", self.rabbitmq_queue_name)
    }

    /// The routing key of messages about `topic`.
    pub fn routing_key(&self, topic: &str) -> String {
        format!("{}.{topic}", self.rabbitmq_routing_key)
    }

    /// Where it is, without the password: for logs and messages.
    pub fn location(&self) -> String {
        format!("{}:{}, virtual host {}", self.host(), self.rabbitmq_port, self.rabbitmq_vhost)
    }

    /// The first setting that cannot be used, and why.
    pub fn mistake(&self) -> Option<String> {
        // AMQP's short strings hold 255 bytes; the longest name made of these adds ".dead-letters" or a topic.
        let names = [
            ("RABBITMQ_EXCHANGE_NAME", self.amqp_exchange()),
            ("RABBITMQ_QUEUE_NAME", &self.rabbitmq_queue_name),
            ("RABBITMQ_ROUTING_KEY", &self.rabbitmq_routing_key),
        ];
        names.into_iter().find_map(|(setting, name)| {
            (name.is_empty() || name.len() > 120)
                .then(|| format!("{setting} {name:?} cannot be used: write 1 to 120 characters"))
        })
    }
}

impl fmt::Debug for RabbitMqSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RabbitMqSettings({})", self.location())
    }
}

/// The tracker's own queue.
#[derive(Debug, Clone)]
pub struct LocalQueueSettings {
    /// The file that holds it; made where it is missing. None keeps it in memory.
    pub path: Option<PathBuf>,
    /// How many bytes of messages may wait in it before publishers must wait.
    pub max_bytes: u64,
    /// How long a message may wait for company before it is written to disk.
    pub linger: Duration,
}

impl LocalQueueSettings {
    /// A queue in `path`, everything else at its default.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), max_bytes: 8_000_000_000, linger: Duration::from_millis(2) }
    }

    /// A queue that is kept nowhere, and is gone with the process.
    pub fn in_memory() -> Self {
        Self { path: None, max_bytes: 64_000_000, linger: Duration::ZERO }
    }
}
