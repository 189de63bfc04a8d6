//! `/live` and `/live/events`: the same news by WebSocket and as server-sent events.
//!
//! Each client has one task. It waits for news, hands it to the connection, and gives the client up when the
//! connection does not take it in time; meanwhile its inbox merges what comes. Nothing a client sends is acted on.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, http::header, rt, web};
use actix_ws::{CloseCode, CloseReason, Message, MessageStream, ProtocolError, Session};
use bytes::Bytes;
use tokio::{
    sync::mpsc,
    time::{interval_at, sleep, timeout},
};

use crate::{
    connection::Connection,
    error::{Code, Failure},
    live::Subscription,
    live_filter::Filter,
    live_update::News,
    openapi::Failures,
    parameters::Asked,
    server::State,
    settings::LiveLimits,
};

/// The largest message that a client may send; it has nothing to say.
const LARGEST_FRAME: usize = 4 * 1024;

/// How long a browser waits before it connects anew, in milliseconds.
const RETRY_MS: u32 = 2_000;

/// Prices and feeds as they happen, over WebSocket
///
/// Every text message is one `LiveEvent`. At once come the feeds and the newest price of every wanted pair, then what
/// changes, at most ten times a second; what a slow client misses is folded into the next message about the pair.
#[utoipa::path(
    get,
    path = "/live",
    tag = "live",
    params(Filter),
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 426, description = "This is no WebSocket: `websocket_expected`", body = api_types::Problem,
            content_type = "application/problem+json"),
        Failures
    )
)]
pub(crate) async fn socket(
    request: HttpRequest,
    body: web::Payload,
    Asked(filter): Asked<Filter>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let (response, session, stream) = actix_ws::handle(&request, body).map_err(|error| {
        let message = format!("connect with WebSocket, or use /live/events ({error})");
        Failure::new(Code::WebSocketExpected, message)
    })?;
    let subscription = state.hub.subscribe(filter)?;
    let connection = Connection::of(&request);
    rt::spawn(async move {
        let limits = state.hub.limits();
        let mut client = SocketClient { session, limits };
        let end = client.talk(stream.max_frame_size(LARGEST_FRAME), &subscription, &state).await;
        drop(subscription);
        client.close(end, connection).await;
    });
    Ok(response)
}

/// Why a WebSocket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client is gone, or said goodbye.
    Gone,
    /// We stop.
    Stopping,
    /// It does not take what it is sent.
    Slow,
    /// It gives no sign of life.
    Silent,
    /// It sent more than it may.
    TooLarge,
    /// It does not speak WebSocket.
    Confused,
}

struct SocketClient {
    session: Session,
    limits: LiveLimits,
}

impl SocketClient {
    async fn talk(&mut self, mut stream: MessageStream, subscription: &Subscription, state: &State) -> End {
        let mut ping = interval_at(tokio::time::Instant::now() + self.limits.ping, self.limits.ping);
        let mut heard = Instant::now();
        loop {
            let sent = tokio::select! {
                () = state.shutdown.cancelled() => return End::Stopping,
                news = subscription.next() => tokio::select! {
                    () = state.shutdown.cancelled() => return End::Stopping,
                    sent = self.tell(&news) => sent,
                },
                _ = ping.tick() => {
                    if heard.elapsed() > self.limits.silence {
                        return End::Silent;
                    }
                    in_time(self.limits, self.session.ping(b"")).await
                }
                incoming = stream.recv() => {
                    heard = Instant::now();
                    match incoming {
                        None | Some(Ok(Message::Close(_))) => return End::Gone,
                        Some(Err(ProtocolError::Overflow)) => return End::TooLarge,
                        Some(Err(ProtocolError::Io(_))) => return End::Gone,
                        Some(Err(_)) => return End::Confused,
                        Some(Ok(Message::Ping(bytes))) => in_time(self.limits, self.session.pong(&bytes)).await,
                        Some(Ok(_)) => Ok(()),
                    }
                }
            };
            if let Err(end) = sent {
                return end;
            }
        }
    }

    async fn tell(&mut self, news: &[News]) -> Result<(), End> {
        for one in news {
            in_time(self.limits, self.session.text(one.text())).await?;
        }
        metrics::counter!("api_live_messages_total").increment(news.len() as u64);
        Ok(())
    }

    async fn close(self, end: End, connection: Option<Connection>) {
        let (code, word) = match end {
            End::Gone => (CloseCode::Normal, "gone"),
            End::Stopping => (CloseCode::Away, "the server stops"),
            End::Slow => (CloseCode::Again, "messages were not taken in time"),
            End::Silent => (CloseCode::Policy, "no sign of life"),
            End::TooLarge => (CloseCode::Size, "messages to this server are at most 4 KB"),
            End::Confused => (CloseCode::Protocol, "this is not WebSocket"),
        };
        metrics::counter!("api_live_ended_total", "reason" => word).increment(1);
        let reason = CloseReason { code, description: Some(word.to_owned()) };
        // Behind messages that are not taken there is no room for a goodbye either.
        let _ = timeout(std::time::Duration::from_secs(1), self.session.close(Some(reason))).await;
        if end != End::Gone {
            sleep(std::time::Duration::from_secs(1)).await;
            if let Some(connection) = connection {
                connection.cut();
            }
        }
    }
}

/// Waits for the connection to take a message, but not for ever.
async fn in_time<E>(limits: LiveLimits, sent: impl Future<Output = Result<(), E>>) -> Result<(), End> {
    match timeout(limits.send, sent).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Slow),
    }
}

/// Prices and feeds as they happen, as server-sent events
///
/// `event` is `price` or `feed`, `data` the same `LiveEvent` that `/live` sends.
#[utoipa::path(
    get,
    path = "/live/events",
    tag = "live",
    params(Filter),
    responses((status = 200, description = "A stream of events", content_type = "text/event-stream"), Failures)
)]
pub(crate) async fn events(
    request: HttpRequest,
    Asked(filter): Asked<Filter>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let subscription = state.hub.subscribe(filter)?;
    let connection = Connection::of(&request);
    let (sender, receiver) = mpsc::channel(1);
    rt::spawn(async move {
        if stream_events(&sender, &subscription, &state).await == End::Slow
            && let Some(connection) = connection
        {
            connection.cut();
        }
    });
    let body = futures_util::stream::unfold(receiver, async |mut receiver: mpsc::Receiver<Bytes>| {
        receiver.recv().await.map(|bytes| (Ok::<_, std::convert::Infallible>(bytes), receiver))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(body))
}

async fn stream_events(sender: &mpsc::Sender<Bytes>, subscription: &Subscription, state: &State) -> End {
    let limits = state.hub.limits();
    let mut alive = interval_at(tokio::time::Instant::now() + limits.ping, limits.ping);
    let mut text = format!("retry: {RETRY_MS}\n\n");
    loop {
        if let Err(end) = in_time(limits, sender.send(Bytes::from(std::mem::take(&mut text)))).await {
            metrics::counter!("api_live_ended_total", "reason" => if end == End::Slow { "slow" } else { "gone" })
                .increment(1);
            return end;
        }
        tokio::select! {
            () = state.shutdown.cancelled() => return End::Stopping,
            () = sender.closed() => return End::Gone,
            _ = alive.tick() => text.push_str(": alive\n\n"),
            news = subscription.next() => {
                for one in &news {
                    text.push_str(&format!("event: {}\ndata: {}\n\n", one.kind(), one.text()));
                }
                metrics::counter!("api_live_messages_total").increment(news.len() as u64);
            }
        }
    }
}
