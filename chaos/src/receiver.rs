//! Where notifications arrive: a webhook's receiver, which keeps the number of every message that came.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{App, HttpResponse, HttpServer, post, web};
use anyhow::Context as _;
use serde::Deserialize;
use uuid::Uuid;

/// A message, as far as it is looked at.
#[derive(Deserialize)]
struct Message {
    id: Uuid,
    count: u64,
}

/// What came: of each message how many notifications it said that it holds, and how often it came.
#[derive(Debug, Clone, Default)]
pub struct Inbox(Arc<Mutex<HashMap<Uuid, (u64, u64)>>>);

/// The receiver.
pub struct Receiver {
    address: SocketAddr,
    inbox: Inbox,
}

#[post("/hook")]
async fn take(message: web::Json<Message>, inbox: web::Data<Inbox>) -> HttpResponse {
    let mut came = inbox.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (count, times) = came.entry(message.id).or_default();
    (*count, *times) = (message.count, *times + 1);
    HttpResponse::NoContent().finish()
}

impl Receiver {
    /// Starts it, in the runtime of whoever calls.
    ///
    /// # Errors
    /// When there is no port.
    pub fn start() -> anyhow::Result<Self> {
        let inbox = Inbox::default();
        let data = web::Data::new(inbox.clone());
        let server = HttpServer::new(move || App::new().app_data(data.clone()).service(take)).workers(1);
        let server = server.disable_signals().bind(("127.0.0.1", 0))?;
        let address = server.addrs().first().copied().context("the receiver's address")?;
        tokio::spawn(server.run());
        Ok(Self { address, inbox })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Of each message how many notifications it holds, and how often it came.
    pub fn messages(&self) -> HashMap<Uuid, (u64, u64)> {
        self.inbox.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
