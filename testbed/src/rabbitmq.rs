//! A virtual host of its own for each test: queues and exchanges of the same names do not meet.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::address::{RabbitMqAddress, ServerAddress};
use crate::{management, random};

/// A virtual host that no other test uses; deleted, with its queues and connections, when this value is dropped.
///
/// It has a user of its own with the same name: the management lists and cuts a user's connections at once, those of a
/// virtual host only after its statistics have come round, up to five seconds later. Its calls block for some
/// milliseconds each, which a test's runtime can bear.
#[derive(Debug)]
pub struct VirtualHost {
    name: String,
    amqp: ServerAddress,
    management: ServerAddress,
}

impl VirtualHost {
    /// A new one, on which its user may do everything.
    ///
    /// # Panics
    /// When there is no server (see [`crate::rabbitmq()`]) or it refuses.
    #[must_use]
    pub fn create() -> Self {
        Self::create_on(&crate::rabbitmq()).unwrap_or_else(|error| panic!("making a virtual host: {error:#}"))
    }

    /// Like [`VirtualHost::create`], on a server of the caller's choice.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_on(server: &RabbitMqAddress) -> Result<Self> {
        let name = format!("test-{}", random::hex());
        let amqp = ServerAddress { user: name.clone(), password: random::hex(), ..server.amqp.clone() };
        let user = json!({ "password": amqp.password, "tags": "" }).to_string();
        let permissions = r#"{"configure":".*","write":".*","read":".*"}"#;
        let host = Self { name, amqp, management: server.management.clone() };
        let name = &host.name;
        host.request("PUT", &format!("/api/vhosts/{name}"), "{}")?;
        host.request("PUT", &format!("/api/users/{name}"), &user)?;
        host.request("PUT", &format!("/api/permissions/{name}/{name}"), permissions)?;
        Ok(host)
    }

    /// URL for clients, `amqp://user:password@host:port/name`.
    #[must_use]
    pub fn url(&self) -> String {
        self.amqp.url(&self.name)
    }

    /// Its name.
    #[must_use]
    pub fn vhost(&self) -> &str {
        &self.name
    }

    /// Host, port, user and password one by one.
    #[must_use]
    pub fn address(&self) -> &ServerAddress {
        &self.amqp
    }

    /// Messages in a queue, ready and unacknowledged, as of about a tenth of a second ago; `None` without such a queue.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn queue_depth(&self, queue: &str) -> Option<u64> {
        let queues = self.queues();
        let found = queues.iter().find(|entry| entry["name"] == queue)?;
        // A queue that has just been declared has no numbers yet.
        Some(found["messages"].as_u64().unwrap_or(0))
    }

    /// Waits until a queue holds so many messages.
    ///
    /// # Panics
    /// When `patience` is over first.
    pub async fn wait_for_queue_depth(&self, queue: &str, depth: u64, patience: Duration) {
        let begin = Instant::now();
        loop {
            let now = self.queue_depth(queue);
            if now == Some(depth) {
                return;
            }
            assert!(begin.elapsed() < patience, "queue {queue} holds {now:?} messages after {patience:?}, not {depth}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Names of its queues, in no order.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn queue_names(&self) -> Vec<String> {
        self.queues().iter().filter_map(|queue| Some(queue["name"].as_str()?.to_owned())).collect()
    }

    /// Open connections.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.list(&format!("/api/connections/username/{}", self.name)).len()
    }

    /// Cuts every connection to this virtual host, as an operator or a failover would.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn close_all_connections(&self) {
        let closed = self.request("DELETE", &format!("/api/connections/username/{}", self.name), "");
        closed.unwrap_or_else(|error| panic!("closing the connections of virtual host {}: {error:#}", self.name));
    }

    /// Deletes a queue with its messages, as a careless operator would.
    ///
    /// # Panics
    /// When there is no such queue.
    pub fn delete_queue(&self, queue: &str) {
        let deleted = self.request("DELETE", &format!("/api/queues/{}/{}", self.name, escape(queue)), "");
        deleted.unwrap_or_else(|error| panic!("deleting queue {queue}: {error:#}"));
    }

    fn queues(&self) -> Vec<Value> {
        // Totals as the queues report them: the management's own statistics are up to five seconds old.
        self.list(&format!("/api/queues/{}?disable_stats=true&enable_queue_totals=true", self.name))
    }

    fn list(&self, path: &str) -> Vec<Value> {
        let listed = self.request("GET", path, "");
        let parsed = listed.and_then(|body| serde_json::from_str(&body).with_context(|| format!("reading {body}")));
        parsed.unwrap_or_else(|error| panic!("asking RabbitMQ about virtual host {}: {error:#}", self.name))
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Result<String> {
        management::request(&self.management, method, path, body)
    }
}

impl Drop for VirtualHost {
    fn drop(&mut self) {
        // One left behind does not disturb the next test, and goes with the server.
        let _ = self.request("DELETE", &format!("/api/vhosts/{}", self.name), "");
        let _ = self.request("DELETE", &format!("/api/users/{}", self.name), "");
    }
}

/// Percent-encodes a name for use in a path.
fn escape(name: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
