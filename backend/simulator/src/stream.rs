//! The WebSocket routes of Binance, and the life of one connection in any protocol.
//!
//! Writing, reading, pinging and waiting for a subscription are futures of one task; the first that ends, ends the connection. A connection
//! that is cut (a fault, a slow client, a client that answers no ping) gets no closing handshake; one that sends too much
//! is told so by a close frame, as on the real exchange.

use std::{
    cell::RefCell,
    collections::VecDeque,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpRequest, HttpResponse,
    web::{self, Data, Payload, Query},
};
use actix_ws::{CloseCode, CloseReason, Message, MessageStream, Session};
use futures_util::SinkExt;

use crate::{
    control::is_stream_name,
    frames::TimeUnit,
    hub::{MAX_STREAMS, Membership},
    protocol::Protocol,
    venue::{Venue, now_ms},
};

const MAX_REQUEST_BYTES: usize = 128 * 1_024;

/// Where each route of Binance is.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/ws", web::get().to(raw))
        .route("/ws/{streams:.*}", web::get().to(raw))
        .route("/stream", web::get().to(combined));
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    #[serde(default)]
    streams: String,
    #[serde(default)]
    time_unit: String,
}

async fn raw(
    venue: Data<Venue>,
    request: HttpRequest,
    body: Payload,
    options: Query<Options>,
) -> Result<HttpResponse, Error> {
    let streams = request.match_info().query("streams").to_owned();
    open(&venue, &request, body, false, &streams, &options.time_unit)
}

async fn combined(
    venue: Data<Venue>,
    request: HttpRequest,
    body: Payload,
    options: Query<Options>,
) -> Result<HttpResponse, Error> {
    open(&venue, &request, body, true, &options.streams, &options.time_unit)
}

fn open(
    venue: &Data<Venue>,
    request: &HttpRequest,
    body: Payload,
    combined: bool,
    streams: &str,
    time_unit: &str,
) -> Result<HttpResponse, Error> {
    let bad = |what: &str| Ok(HttpResponse::BadRequest().body(what.to_owned()));
    let unit = match time_unit {
        "" | "MILLISECOND" | "millisecond" => TimeUnit::Millisecond,
        "MICROSECOND" | "microsecond" => TimeUnit::Microsecond,
        _ => return bad("timeUnit must be MILLISECOND or MICROSECOND"),
    };
    let streams: Vec<String> = streams.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if streams.len() > MAX_STREAMS || !streams.iter().all(|name| is_stream_name(name)) {
        return bad("streams must be at most 1024 names of letters, digits and @ ! _ : + - .");
    }
    connect(venue, request, body, Protocol::Binance { combined, unit }, &streams)
}

/// Begins a connection that listens to these streams, of which there are no more than it may have.
pub(crate) fn connect(
    venue: &Data<Venue>,
    request: &HttpRequest,
    body: Payload,
    protocol: Protocol,
    streams: &[String],
) -> Result<HttpResponse, Error> {
    let (response, session, messages) = actix_ws::handle(request, body)?;
    let member = venue.hub.join(protocol);
    protocol.greet(venue, member.id);
    let _ = venue.hub.subscribe(member.id, streams);
    actix_web::rt::spawn(live(venue.clone(), protocol, session, messages.max_frame_size(MAX_REQUEST_BYTES), member));
    Ok(response)
}

async fn live(
    venue: Data<Venue>,
    protocol: Protocol,
    session: Session,
    mut messages: MessageStream,
    member: Membership,
) {
    let Membership { id, mut queue, cut, dismissed } = member;
    let pulse = RefCell::new(Pulse { answered: Instant::now(), waiting: VecDeque::new() });
    let farewell = tokio::select! {
        () = cut.cancelled() => None,
        () = write(session.clone(), &mut queue) => None,
        () = dismissed.cancelled() => Some(CloseCode::Away.into()),
        () = outwait(&venue, protocol, id) => Some(CloseCode::Policy.into()),
        () = ping(&venue, session.clone(), &pulse), if protocol.is_binance() => None,
        farewell = read(&venue, protocol, id, session.clone(), &mut messages, &pulse) => farewell,
    };
    venue.hub.leave(id);
    if let Some(reason) = farewell {
        // The client may have stopped reading; it is not waited for.
        let _ = actix_web::rt::time::timeout(Duration::from_secs(1), session.close(Some(reason))).await;
    }
}

async fn write(mut session: Session, queue: &mut tokio::sync::mpsc::Receiver<web::Bytes>) {
    while let Some(frame) = queue.recv().await {
        // Frames are made of strings, so this never fails.
        let Ok(text) = frame.try_into() else { continue };
        if session.send(Message::Text(text)).await.is_err() {
            return;
        }
    }
}

/// Returns when the client should have subscribed to something by now and has not; often never.
async fn outwait(venue: &Venue, protocol: Protocol, id: u64) {
    if let Some(patience) = protocol.patience() {
        actix_web::rt::time::sleep(patience).await;
        if venue.hub.subscriptions(id).is_empty() {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Which pings wait for an answer, and when one last came.
struct Pulse {
    answered: Instant,
    waiting: VecDeque<String>,
}

async fn ping(venue: &Venue, mut session: Session, pulse: &RefCell<Pulse>) {
    loop {
        actix_web::rt::time::sleep(venue.ping_interval).await;
        if venue.faults.silent() {
            // Nobody can answer what is not sent.
            pulse.borrow_mut().answered = Instant::now();
            continue;
        }
        if pulse.borrow().answered.elapsed() > venue.ping_interval * 3 {
            return;
        }
        let payload = now_ms().to_string();
        pulse.borrow_mut().waiting.push_back(payload.clone());
        if session.ping(payload.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Returns with what to close the connection with, if anything.
async fn read(
    venue: &Venue,
    protocol: Protocol,
    id: u64,
    mut session: Session,
    messages: &mut MessageStream,
    pulse: &RefCell<Pulse>,
) -> Option<CloseReason> {
    let mut recent: VecDeque<Instant> = VecDeque::new();
    while let Some(Ok(message)) = messages.recv().await {
        let now = Instant::now();
        if let Some(limit) = protocol.messages_per_second() {
            recent.push_back(now);
            while recent.pop_front_if(|at| now.duration_since(*at) >= Duration::from_secs(1)).is_some() {}
            if recent.len() > limit {
                return Some(CloseReason {
                    code: CloseCode::Policy,
                    description: Some("Too many requests".to_owned()),
                });
            }
        }
        match message {
            Message::Text(text) => protocol.answer(venue, id, &text),
            Message::Ping(payload) => session.pong(&payload).await.ok()?,
            Message::Pong(payload) => {
                let mut pulse = pulse.borrow_mut();
                // A pong that repeats no ping of ours proves nothing. One that repeats a later ping answers all before.
                if let Some(at) = pulse.waiting.iter().position(|waiting| waiting.as_bytes() == &payload[..]) {
                    pulse.waiting.drain(..=at);
                    pulse.answered = now;
                }
            }
            Message::Close(_) => return Some(CloseCode::Normal.into()),
            _ => {
                return Some(CloseReason { code: CloseCode::Unsupported, description: Some("text only".to_owned()) });
            }
        }
    }
    None
}
