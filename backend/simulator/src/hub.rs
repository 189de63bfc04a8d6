//! Who is connected, who listens to what, and the queues between the market and the sockets.
//!
//! A frame is encoded once for each way in which it is wanted (raw or combined, milliseconds or microseconds) and
//! shared by all who want it so. A client's queue is bounded: when it is full the client is cut, because the market
//! does not wait and memory is finite. Publishing never blocks.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::web::Bytes;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::frames::TimeUnit;

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
    combined: bool,
    unit: TimeUnit,
    streams: BTreeSet<String>,
}

/// The connection's end of its place in the hub.
pub(crate) struct Membership {
    pub(crate) id: u64,
    /// Frames to send.
    pub(crate) queue: mpsc::Receiver<Bytes>,
    /// Set when the connection must end at once.
    pub(crate) cut: CancellationToken,
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

    pub(crate) fn join(&self, combined: bool, unit: TimeUnit) -> Membership {
        let (sender, queue) = mpsc::channel(self.queue);
        let cut = CancellationToken::new();
        let mut state = self.state();
        state.last_client += 1;
        let id = state.last_client;
        state.clients.insert(id, Client { queue: sender, cut: cut.clone(), combined, unit, streams: BTreeSet::new() });
        Membership { id, queue, cut }
    }

    pub(crate) fn leave(&self, id: u64) {
        self.state().remove(id);
    }

    /// Listens to all of these or, when they are too many, to none of them.
    pub(crate) fn subscribe(&self, id: u64, streams: &[String]) -> Result<(), TooManyStreams> {
        let mut state = self.state();
        let State { clients, listeners, .. } = &mut *state;
        let Some(client) = clients.get_mut(&id) else {
            return Ok(());
        };
        let new: BTreeSet<&String> = streams.iter().filter(|stream| !client.streams.contains(*stream)).collect();
        if client.streams.len() + new.len() > MAX_STREAMS {
            return Err(TooManyStreams);
        }
        for stream in new {
            client.streams.insert(stream.clone());
            listeners.entry(stream.clone()).or_default().insert(id);
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
        self.state().clients.get(&id).is_some_and(|client| client.combined)
    }

    pub(crate) fn set_combined(&self, id: u64, combined: bool) {
        if let Some(client) = self.state().clients.get_mut(&id) {
            client.combined = combined;
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

    /// Sends an event to everybody, whatever they listen to.
    pub(crate) fn broadcast(&self, stream: &str, event: impl Fn(TimeUnit) -> String) {
        let mut state = self.state();
        let full = send(&state, state.clients.keys(), stream, event);
        state.cut(&full);
    }

    /// Sends this text to everybody as it is.
    pub(crate) fn broadcast_raw(&self, text: String) {
        let frame = Bytes::from(text);
        let mut state = self.state();
        let full: Vec<u64> = state
            .clients
            .iter()
            .filter(|(_, client)| client.queue.try_send(frame.clone()).is_err())
            .map(|(id, _)| *id)
            .collect();
        state.cut(&full);
    }

    /// Sends this text to one client as it is.
    pub(crate) fn reply(&self, id: u64, text: String) {
        let mut state = self.state();
        if state.clients.get(&id).is_some_and(|client| client.queue.try_send(Bytes::from(text)).is_err()) {
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
    let mut encoded: [Option<Bytes>; 4] = Default::default();
    let mut full = Vec::new();
    for id in ids {
        let Some(client) = state.clients.get(id) else { continue };
        let way = usize::from(client.combined) * 2 + usize::from(client.unit == TimeUnit::Microsecond);
        let frame = encoded[way].get_or_insert_with(|| {
            let event = event(client.unit);
            Bytes::from(if client.combined { format!(r#"{{"stream":"{stream}","data":{event}}}"#) } else { event })
        });
        if client.queue.try_send(frame.clone()).is_err() {
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
        let mut raw = hub.join(false, TimeUnit::Millisecond);
        let mut combined = hub.join(true, TimeUnit::Microsecond);
        let mut other = hub.join(false, TimeUnit::Millisecond);
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
    fn a_full_queue_cuts_that_client_alone() {
        let hub = Hub::new(2);
        let slow = hub.join(false, TimeUnit::Millisecond);
        let mut quick = hub.join(false, TimeUnit::Millisecond);
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
        let client = hub.join(false, TimeUnit::Millisecond);
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
