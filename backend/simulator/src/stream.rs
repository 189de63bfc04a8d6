//! The WebSocket routes and the life of one connection.
//!
//! Writing, reading and pinging are three futures of one task; the first that ends, ends the connection. A connection
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
    control::{answer, is_stream_name},
    frames::TimeUnit,
    hub::{MAX_STREAMS, Membership},
    venue::{Venue, now_ms},
};

/// Messages that a client may send in a second: requests, pings and pongs alike.
const MESSAGES_PER_SECOND: usize = 5;
const MAX_REQUEST_BYTES: usize = 128 * 1_024;

/// Where each route is.
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
    let (response, session, messages) = actix_ws::handle(request, body)?;
    let member = venue.hub.join(combined, unit);
    // There is room for them: the connection is new and their number is checked.
    let _ = venue.hub.subscribe(member.id, &streams);
    actix_web::rt::spawn(live(venue.clone(), session, messages.max_frame_size(MAX_REQUEST_BYTES), member));
    Ok(response)
}

async fn live(venue: Data<Venue>, session: Session, mut messages: MessageStream, member: Membership) {
    let Membership { id, mut queue, cut } = member;
    let pulse = RefCell::new(Pulse { answered: Instant::now(), waiting: VecDeque::new() });
    let farewell = tokio::select! {
        () = cut.cancelled() => None,
        () = write(session.clone(), &mut queue) => None,
        () = ping(&venue, session.clone(), &pulse) => None,
        farewell = read(&venue, id, session.clone(), &mut messages, &pulse) => farewell,
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
    id: u64,
    mut session: Session,
    messages: &mut MessageStream,
    pulse: &RefCell<Pulse>,
) -> Option<CloseReason> {
    let mut recent: VecDeque<Instant> = VecDeque::new();
    while let Some(Ok(message)) = messages.recv().await {
        let now = Instant::now();
        recent.push_back(now);
        while recent.pop_front_if(|at| now.duration_since(*at) >= Duration::from_secs(1)).is_some() {}
        if recent.len() > MESSAGES_PER_SECOND {
            return Some(CloseReason { code: CloseCode::Policy, description: Some("Too many requests".to_owned()) });
        }
        match message {
            Message::Text(text) => venue.hub.reply(id, answer(&venue.hub, id, &text)),
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
