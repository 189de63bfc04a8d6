//! Who is connected, who listens to what, and the queues between the market and the sockets.
//!
//! A frame is encoded once for each way in which it is wanted (raw or combined, milliseconds or microseconds, in other
//! protocols than Binance's there is one) and shared by all who want it so. A client's queue is bounded: when it is full the client is cut, because the market
//! does not wait and memory is finite. Publishing never blocks.

use std::{
    cell::Cell,
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::web::Bytes;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{frames::TimeUnit, protocol::Protocol};

/// Streams that one connection may listen to.
pub(crate) const MAX_STREAMS: usize = 1_024;

pub(crate) struct Hub {
    queue: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_client: u64,
    clients: HashMap<u64, Client>,
    /// Clients by the name of the stream.
    listeners: HashMap<String, BTreeSet<u64>>,
}

struct Client {
    queue: mpsc::Sender<Bytes>,
    cut: CancellationToken,
    /// Set when the connection must end with a closing handshake.
    dismissed: CancellationToken,
    protocol: Protocol,
    /// Whether something was sent since the last look.
    spoken: Cell<bool>,
    streams: BTreeSet<String>,
}

impl Client {
    /// Whether there was room for it.
    fn send(&self, frame: Bytes) -> bool {
        self.spoken.set(true);
        self.queue.try_send(frame).is_ok()
    }
}

/// The connection's end of its place in the hub.
pub(crate) struct Membership {
    pub(crate) id: u64,
    /// Frames to send.
    pub(crate) queue: mpsc::Receiver<Bytes>,
    /// Set when the connection must end at once.
    pub(crate) cut: CancellationToken,
    /// Set when it must end with a closing handshake.
    pub(crate) dismissed: CancellationToken,
}

/// The connection listens to as many streams as it may.
#[derive(Debug)]
pub(crate) struct TooManyStreams;

impl Hub {
    pub(crate) fn new(queue: usize) -> Self {
        Self { queue, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn join(&self, protocol: Protocol) -> Membership {
        let (sender, queue) = mpsc::channel(self.queue);
        let (cut, dismissed) = (CancellationToken::new(), CancellationToken::new());
        let mut state = self.state();
        state.last_client += 1;
        let id = state.last_client;
        let client = Client {
            queue: sender,
            cut: cut.clone(),
            dismissed: dismissed.clone(),
            protocol,
            spoken: Cell::new(false),
            streams: BTreeSet::new(),
        };
        state.clients.insert(id, client);
        Membership { id, queue, cut, dismissed }
    }

    pub(crate) fn leave(&self, id: u64) {
        self.state().remove(id);
    }

    /// Listens to all of these or, when they are too many, to none of them.
    pub(crate) fn subscribe(&self, id: u64, streams: &[String]) -> Result<(), TooManyStreams> {
        self.state().listen(id, streams)
    }

    /// Listens to all of these, and is sent what is made of everything that it listens to then, before any event of them;
    /// or, when they are too many, to none of them.
    pub(crate) fn subscribe_acknowledged(
        &self,
        id: u64,
        streams: &[String],
        acknowledge: impl FnOnce(&BTreeSet<String>) -> String,
    ) -> Result<(), TooManyStreams> {
        let mut state = self.state();
        state.listen(id, streams)?;
        if state.clients.get(&id).is_some_and(|client| !client.send(Bytes::from(acknowledge(&client.streams)))) {
            state.cut(&[id]);
        }
        Ok(())
    }

    pub(crate) fn unsubscribe(&self, id: u64, streams: &[String]) {
        let mut state = self.state();
        for stream in streams {
            if state.clients.get_mut(&id).is_some_and(|client| client.streams.remove(stream)) {
                state.forget(id, stream);
            }
        }
    }

    pub(crate) fn subscriptions(&self, id: u64) -> Vec<String> {
        self.state().clients.get(&id).map(|client| client.streams.iter().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn combined(&self, id: u64) -> bool {
        let combined = |client: &Client| matches!(client.protocol, Protocol::Binance { combined: true, .. });
        self.state().clients.get(&id).is_some_and(combined)
    }

    pub(crate) fn set_combined(&self, id: u64, wanted: bool) {
        if let Some(Client { protocol: Protocol::Binance { combined, .. }, .. }) = self.state().clients.get_mut(&id) {
            *combined = wanted;
        }
    }

    /// How many connections listen to the stream.
    pub(crate) fn listeners(&self, stream: &str) -> usize {
        self.state().listeners.get(stream).map_or(0, BTreeSet::len)
    }

    /// Every stream that somebody listens to and that `wanted` picks.
    pub(crate) fn streams(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        self.state().listeners.keys().filter(|stream| wanted(stream)).cloned().collect()
    }

    /// Sends an event to all who listen to its stream.
    pub(crate) fn publish(&self, stream: &str, event: impl Fn(TimeUnit) -> String) {
        let mut state = self.state();
        let Some(ids) = state.listeners.get(stream) else { return };
        let full = send(&state, ids.iter(), stream, event);
        state.cut(&full);
    }

    /// Sends an event of Binance to all of its clients, whatever they listen to.
    pub(crate) fn broadcast(&self, stream: &str, event: impl Fn(TimeUnit) -> String) {
        let mut state = self.state();
        let binance = state.clients.iter().filter(|(_, client)| client.protocol.is_binance());
        let full = send(&state, binance.map(|(id, _)| id), stream, event);
        state.cut(&full);
    }

    /// Sends everybody of this protocol a text of its own, whatever they listen to.
    pub(crate) fn tell_all(&self, protocol: Protocol, text: impl Fn(u64) -> String) {
        self.tell_some(|client| client.protocol == protocol, text);
    }

    /// Sends this text to those of this protocol who listen to something and were sent nothing since the last time.
    pub(crate) fn break_silence(&self, protocol: Protocol, text: &str) {
        let of_protocol = |client: &Client| client.protocol == protocol;
        self.tell_some(
            |client| of_protocol(client) && !client.spoken.get() && !client.streams.is_empty(),
            |_| text.to_owned(),
        );
        for client in self.state().clients.values() {
            client.spoken.set(false);
        }
    }

    fn tell_some(&self, meant: impl Fn(&Client) -> bool, text: impl Fn(u64) -> String) {
        let mut state = self.state();
        let meant = state.clients.iter().filter(|(_, client)| meant(client));
        let full: Vec<u64> =
            meant.filter(|(id, client)| !client.send(Bytes::from(text(**id)))).map(|(id, _)| *id).collect();
        state.cut(&full);
    }

    /// Ends every connection of this protocol with a closing handshake.
    pub(crate) fn dismiss(&self, protocol: Protocol) {
        for client in self.state().clients.values().filter(|client| client.protocol == protocol) {
            client.dismissed.cancel();
        }
    }

    /// Sends this text to everybody as it is.
    pub(crate) fn broadcast_raw(&self, text: String) {
        let frame = Bytes::from(text);
        let mut state = self.state();
        let full: Vec<u64> =
            state.clients.iter().filter(|(_, client)| !client.send(frame.clone())).map(|(id, _)| *id).collect();
        state.cut(&full);
    }

    /// Sends this text to one client as it is.
    pub(crate) fn reply(&self, id: u64, text: String) {
        let mut state = self.state();
        if state.clients.get(&id).is_some_and(|client| !client.send(Bytes::from(text))) {
            state.cut(&[id]);
        }
    }

    /// Ends every connection at once.
    pub(crate) fn cut_all(&self) {
        let mut state = self.state();
        for client in state.clients.values() {
            client.cut.cancel();
        }
        state.clients.clear();
        state.listeners.clear();
    }

    /// Waits until every queue is at most half full, or a client has had time enough.
    pub(crate) async fn room(&self) {
        let patience = Instant::now() + Duration::from_secs(5);
        while !self.state().clients.values().all(|client| client.queue.capacity() * 2 >= self.queue) {
            if Instant::now() > patience {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl State {
    fn listen(&mut self, id: u64, streams: &[String]) -> Result<(), TooManyStreams> {
        let Some(client) = self.clients.get_mut(&id) else {
            return Ok(());
        };
        let new: BTreeSet<&String> = streams.iter().filter(|stream| !client.streams.contains(*stream)).collect();
        if client.streams.len() + new.len() > MAX_STREAMS {
            return Err(TooManyStreams);
        }
        for stream in new {
            client.streams.insert(stream.clone());
            self.listeners.entry(stream.clone()).or_default().insert(id);
        }
        Ok(())
    }

    fn remove(&mut self, id: u64) {
        let Some(client) = self.clients.remove(&id) else { return };
        for stream in &client.streams {
            self.forget(id, stream);
        }
    }

    fn forget(&mut self, id: u64, stream: &str) {
        if let Some(ids) = self.listeners.get_mut(stream) {
            ids.remove(&id);
            if ids.is_empty() {
                self.listeners.remove(stream);
            }
        }
    }

    /// These did not keep up, or are gone already.
    fn cut(&mut self, ids: &[u64]) {
        for id in ids {
            if let Some(client) = self.clients.get(id) {
                tracing::warn!(client = id, "a client of the simulator does not keep up and is cut");
                client.cut.cancel();
            }
            self.remove(*id);
        }
    }
}

/// Returns the clients whose queue is full.
fn send<'a>(
    state: &State,
    ids: impl Iterator<Item = &'a u64>,
    stream: &str,
    event: impl Fn(TimeUnit) -> String,
) -> Vec<u64> {
    let mut encoded: [Option<Bytes>; Protocol::WAYS] = Default::default();
    let mut full = Vec::new();
    for id in ids {
        let Some(client) = state.clients.get(id) else { continue };
        let frame = encoded[client.protocol.way()].get_or_insert_with(|| {
            Bytes::from(match client.protocol {
                Protocol::Binance { combined: true, unit } => {
                    format!(r#"{{"stream":"{stream}","data":{}}}"#, event(unit))
                }
                Protocol::Binance { unit, .. } => event(unit),
                // These have one unit of their own, and say in the event what it is about.
                Protocol::Coinbase | Protocol::Kraken => event(TimeUnit::default()),
            })
        });
        if !client.send(frame.clone()) {
            full.push(*id);
        }
    }
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn each_listener_gets_its_own_shape_and_others_get_nothing() {
        let hub = Hub::new(8);
        let mut raw = hub.join(Protocol::RAW);
        let mut combined = hub.join(Protocol::Binance { combined: true, unit: TimeUnit::Microsecond });
        let mut other = hub.join(Protocol::RAW);
        for client in [&raw, &combined] {
            hub.subscribe(client.id, &streams(&["a@trade"])).unwrap();
        }
        hub.subscribe(other.id, &streams(&["b@trade"])).unwrap();
        hub.publish("a@trade", |unit| format!("{}", if unit == TimeUnit::Microsecond { 1_000 } else { 1 }));
        assert_eq!(raw.queue.try_recv().unwrap(), "1");
        assert_eq!(combined.queue.try_recv().unwrap(), r#"{"stream":"a@trade","data":1000}"#);
        assert!(other.queue.try_recv().is_err());
    }

    #[test]
    fn an_acknowledgement_comes_before_what_it_is_about() {
        let hub = Hub::new(8);
        let mut client = hub.join(Protocol::Kraken);
        hub.subscribe_acknowledged(client.id, &streams(&["a", "b"]), |all| format!("{} streams", all.len())).unwrap();
        hub.publish("b", |_| "1".to_owned());
        assert_eq!(client.queue.try_recv().unwrap(), "2 streams");
        assert_eq!(client.queue.try_recv().unwrap(), "1");
    }

    #[test]
    fn silence_is_broken_for_those_who_listen_and_were_told_nothing() {
        let hub = Hub::new(8);
        let mut clients =
            [Protocol::Kraken, Protocol::Kraken, Protocol::Kraken, Protocol::Coinbase].map(|p| hub.join(p));
        for (client, stream) in [(0, "a"), (1, "b"), (3, "b")] {
            hub.subscribe(clients[client].id, &streams(&[stream])).unwrap();
        }
        hub.publish("a", |_| "1".to_owned());
        hub.break_silence(Protocol::Kraken, "still here");
        let told = clients.each_mut().map(|client| client.queue.try_recv().ok());
        assert_eq!(told, [Some("1".into()), Some("still here".into()), None, None]);
        hub.break_silence(Protocol::Kraken, "still here");
        let told = clients.each_mut().map(|client| client.queue.try_recv().is_ok());
        assert_eq!(told, [true, true, false, false]);
    }

    #[test]
    fn a_full_queue_cuts_that_client_alone() {
        let hub = Hub::new(2);
        let slow = hub.join(Protocol::RAW);
        let mut quick = hub.join(Protocol::RAW);
        for client in [&slow, &quick] {
            hub.subscribe(client.id, &streams(&["a@trade"])).unwrap();
        }
        for _ in 0..3 {
            hub.publish("a@trade", |_| "1".to_owned());
            assert!(quick.queue.try_recv().is_ok());
        }
        assert!(slow.cut.is_cancelled());
        assert!(!quick.cut.is_cancelled());
        assert_eq!(hub.listeners("a@trade"), 1);
    }

    #[test]
    fn a_connection_listens_to_a_bounded_number_of_streams() {
        let hub = Hub::new(2);
        let client = hub.join(Protocol::RAW);
        let many: Vec<String> = (0..MAX_STREAMS).map(|n| format!("{n}@trade")).collect();
        hub.subscribe(client.id, &many).unwrap();
        hub.subscribe(client.id, &many).unwrap();
        assert!(hub.subscribe(client.id, &streams(&["one@trade"])).is_err());
        hub.unsubscribe(client.id, &many);
        assert!(hub.subscriptions(client.id).is_empty());
        hub.subscribe(client.id, &streams(&["one@trade"])).unwrap();
        hub.leave(client.id);
        assert_eq!(hub.listeners("one@trade"), 0);
    }
}
