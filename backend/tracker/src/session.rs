//! One supervised connection to a stream: opened again for ever.
//!
//! The first try is made at once, later ones after a growing, jittered delay. The delay starts anew only after the
//! stream has delivered for a while: an exchange that accepts connections and drops them is not stormed. A connection
//! on which nothing comes is taken for dead.
//!
//! A planned end is no outage: before the exchange cuts a connection for its age, or when it says that it will, the next
//! one is opened, and the old one read until the new one is certain to deliver. What both bring is published once.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use chrono::{DateTime, SubsecRound as _, Utc};
use futures_util::{
    FutureExt as _, SinkExt as _, StreamExt as _,
    future::{BoxFuture, OptionFuture},
};
use process::Shutdown;
use smol_str::SmolStr;
use tokio::{
    net::TcpStream,
    sync::{Mutex, watch},
    time::{Instant, Interval, interval_at, sleep, sleep_until, timeout, timeout_at},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use crate::{
    Settings,
    exchange::{Exchange, Frame, Manners, StreamRequest, UnreadableFrame},
    rest::root_cause,
    status::Board,
};

/// How long connecting may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long the answer to a subscription may take.
const ACKNOWLEDGEMENT_PATIENCE: Duration = Duration::from_secs(10);
/// How long a stream must have delivered before the delay starts anew.
const SUSTAINED: Duration = Duration::from_secs(30);
/// The longest message that is read.
const LONGEST_MESSAGE: usize = 16 << 20;
/// How long the old connection is still read when the new one has subscribed.
const OVERLAP: Duration = Duration::from_secs(2);
/// What a new connection has to say about its subscriptions is read in this time, once the old one has ended.
const DOUBT: Duration = Duration::from_millis(500);
/// How long to wait before a connection that is young is replaced, or is tried to be again.
const REPLACEMENT_PACE: Duration = Duration::from_secs(5);
/// The longest delay between two tries.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// What a stream carries: how its messages are read, and where that goes.
pub trait Carried: Send {
    /// A connection begins; whether messages may be missing that came since the last one ended.
    fn begins(&mut self, after_loss: bool);

    /// Messages may be missing between those that came before and those that come now, although the connection stands.
    fn lost(&mut self) {}

    /// The connection was opened at that moment. Only who writes it down need know.
    fn opened(&mut self, _at: DateTime<Utc>) {}

    /// This was sent by it.
    fn sent(&mut self, _text: &str, _at: DateTime<Utc>) {}

    /// Reads one text message.
    ///
    /// # Errors
    /// When it is none that the exchange documents. What could be read of it is handed on all the same.
    fn read(&mut self, text: &str, received_at: DateTime<Utc>) -> Result<Frame, UnreadableFrame>;

    /// A message was unreadable.
    fn unreadable(&self, error: &UnreadableFrame, text: &str);

    /// Hands on what was read. `false` when nobody takes it any more.
    fn hand_on(&mut self) -> impl Future<Output = bool> + Send;
}

/// One connection of a feed.
pub struct Session {
    /// Its number among the feed's connections.
    pub number: usize,
    /// Name of who is connected to.
    pub exchange: SmolStr,
    /// What to open.
    pub request: StreamRequest,
    /// How the exchange wants to be connected to; `idle` as the settings have it.
    pub manners: Manners,
    /// Lets one connection to the exchange be opened at a time.
    pub door: Door,
    /// A connection is replaced when it is so old.
    pub lifetime: Duration,
    /// Who is told how it goes.
    pub board: Board,
    /// Changes when the exchange has traded and the stream did not bring it.
    pub stale: watch::Receiver<u64>,
}

/// Why a connection ended.
enum End {
    /// We are stopping.
    Stopping,
    /// The next one stands in its place.
    Replaced(Box<Opened>),
    /// It failed.
    Failed(String),
}

/// Connections to one exchange are opened one after the other, some time apart. Clones are the same door.
#[derive(Clone, Default)]
pub struct Door(Arc<Mutex<Option<Instant>>>);

impl Door {
    /// Waits until a connection may be opened, `pace` after the one before.
    async fn pass(&self, pace: Duration) {
        let mut last = self.0.lock().await;
        if let Some(last) = *last {
            sleep_until(last + pace).await;
        }
        *last = Some(Instant::now());
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection that has subscribed.
struct Opened {
    socket: Socket,
    at: DateTime<Utc>,
    /// When each of the subscriptions was sent.
    subscribed_at: Vec<DateTime<Utc>>,
}

impl Session {
    /// A connection to `exchange` as the settings want it, not yet opened.
    pub fn new(
        exchange: &dyn Exchange,
        settings: &Settings,
        (number, request): (usize, StreamRequest),
        door: &Door,
        board: Board,
        stale: watch::Receiver<u64>,
    ) -> Self {
        Self {
            number,
            exchange: exchange.identity().name,
            request,
            manners: exchange.manners().patient_for(settings.idle()),
            door: door.clone(),
            lifetime: settings.lifetime(),
            board,
            stale,
        }
    }

    /// Keeps the stream open until asked to stop.
    pub async fn run(self, mut carried: impl Carried, shutdown: Shutdown) {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(500))
            // Jitter may double it.
            .with_max_delay(LONGEST_DELAY / 2)
            .with_jitter()
            .without_max_times();
        let mut delays = backoff.build();
        let mut replacement = None;
        // Of the stream, whichever connection carries it.
        let mut delivering_since = None;
        let mut after_loss = false;
        let exchange = &self.exchange;
        loop {
            if replacement.is_none() {
                self.board.connecting(self.number);
            }
            let mut stale = self.stale.clone();
            stale.mark_unchanged();
            carried.begins(std::mem::take(&mut after_loss));
            let end = tokio::select! {
                end = self.deliver(replacement.take(), &mut carried, &mut delivering_since, &shutdown) => end,
                Ok(()) = stale.changed() => {
                    End::Failed("the exchange has traded, and the stream did not bring it".to_owned())
                }
                () = shutdown.cancelled() => End::Stopping,
            };
            let reason = match end {
                End::Stopping => return,
                End::Replaced(opened) => {
                    tracing::info!(%exchange, "the connection is replaced before its planned end");
                    metrics::counter!("feed_rotations_total", "exchange" => exchange.to_string()).increment(1);
                    replacement = Some(*opened);
                    continue;
                }
                End::Failed(reason) => reason,
            };
            after_loss = true;
            if delivering_since.is_some() {
                self.board.reconnects();
            }
            let sustained = delivering_since.take().is_some_and(|since: Instant| since.elapsed() >= SUSTAINED);
            if sustained {
                delays = backoff.build();
            }
            // At once after a stream that had delivered for a while; else it would be a storm.
            let delay = if sustained { Duration::ZERO } else { delays.next().unwrap_or(LONGEST_DELAY) };
            tracing::warn!(%exchange, %reason, retry_in = ?delay, "the stream is down");
            self.board.waiting(self.number, reason, delay);
            tokio::select! {
                () = sleep(delay) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Reads from a connection, a new one where none stands ready, until something ends it.
    async fn deliver(
        &self,
        ready: Option<Opened>,
        carried: &mut impl Carried,
        delivering_since: &mut Option<Instant>,
        shutdown: &Shutdown,
    ) -> End {
        let is_replacement = ready.is_some();
        let opened = match ready {
            Some(opened) => Ok(opened),
            None => self.open().await,
        };
        let Opened { mut socket, at, subscribed_at } = match opened {
            Ok(opened) => opened,
            Err(reason) => return End::Failed(reason),
        };
        carried.opened(at);
        for (subscription, at) in self.request.subscriptions.iter().zip(subscribed_at) {
            carried.sent(&subscription.text, at);
        }
        let end = self.read(&mut socket, is_replacement, carried, delivering_since, shutdown).await;
        // A courtesy; the exchange notices without it.
        let _ = timeout(Duration::from_millis(500), socket.close(None)).await;
        end
    }

    /// Connects and subscribes.
    async fn open(&self) -> Result<Opened, String> {
        self.door.pass(self.manners.connect_every).await;
        let mut socket = self.connect().await?;
        let at = now();
        let mut subscribed_at = Vec::with_capacity(self.request.subscriptions.len());
        for (index, subscription) in self.request.subscriptions.iter().enumerate() {
            if index > 0 {
                sleep(self.manners.send_every).await;
            }
            let sent = socket.send(Message::text(&subscription.text)).await;
            sent.map_err(|error| format!("subscribing: {}", root_cause(&error)))?;
            subscribed_at.push(now());
        }
        Ok(Opened { socket, at, subscribed_at })
    }

    /// The connection that takes the place of this one, once that need no longer be read.
    fn replace(&self, delay: Duration) -> BoxFuture<'_, Result<Opened, String>> {
        async move {
            sleep(delay).await;
            let opened = self.open().await?;
            sleep(OVERLAP).await;
            Ok(opened)
        }
        .boxed()
    }

    async fn connect(&self) -> Result<Socket, String> {
        let limits =
            WebSocketConfig::default().max_message_size(Some(LONGEST_MESSAGE)).max_frame_size(Some(LONGEST_MESSAGE));
        match timeout(CONNECT_PATIENCE, connect_async_with_config(&self.request.url, Some(limits), true)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(error)) => Err(format!("connecting to {}: {}", self.request.url, root_cause(&error))),
            Err(_) => Err(format!("connecting to {}: no answer in {} s", self.request.url, CONNECT_PATIENCE.as_secs())),
        }
    }

    async fn read(
        &self,
        socket: &mut Socket,
        is_replacement: bool,
        carried: &mut impl Carried,
        delivering_since: &mut Option<Instant>,
        shutdown: &Shutdown,
    ) -> End {
        let asked: usize = self.request.subscriptions.iter().map(|subscription| subscription.answers).sum();
        let (mut unacknowledged, mut refused) = (asked, 0);
        // What a replacement had to say is here already; an answer that comes later begins behind the end of the old connection.
        let doubtful_at = Instant::now() + DOUBT;
        let mut in_doubt = is_replacement;
        let acknowledged_by = Instant::now() + ACKNOWLEDGEMENT_PATIENCE;
        let opened_at = Instant::now();
        let mut replacement: Option<BoxFuture<'_, Result<Opened, String>>> = None;
        let idle = self.manners.idle;
        let mut idle_at = Instant::now() + idle;
        let mut keep_alive =
            self.manners.keep_alive.map(|(text, every)| (text, interval_at(Instant::now() + every, every)));
        loop {
            let deadline = if unacknowledged > 0 { idle_at.min(acknowledged_by) } else { idle_at };
            let message = tokio::select! {
                message = timeout_at(deadline, socket.next()) => message,
                opened = OptionFuture::from(replacement.as_mut()), if replacement.is_some() => match opened {
                    Some(Ok(opened)) => return End::Replaced(Box::new(opened)),
                    Some(Err(reason)) => {
                        tracing::warn!(%reason, "the connection cannot be replaced yet");
                        replacement = Some(self.replace(REPLACEMENT_PACE));
                        continue;
                    }
                    None => continue,
                },
                () = sleep_until(opened_at + self.lifetime), if replacement.is_none() => {
                    replacement = Some(self.replace(Duration::ZERO));
                    continue;
                }
                Some(text) = due(&mut keep_alive) => {
                    if let Err(error) = socket.send(Message::text(text)).await {
                        return End::Failed(format!("the stream broke: {}", root_cause(&error)));
                    }
                    carried.sent(text, now());
                    continue;
                }
                () = shutdown.cancelled() => return End::Stopping,
            };
            idle_at = Instant::now() + idle;
            let text = match message {
                Ok(Some(Ok(Message::Text(text)))) => text,
                Ok(Some(Ok(Message::Close(frame)))) => {
                    let reason = frame.map(|frame| format!(" ({} {})", frame.code, frame.reason)).unwrap_or_default();
                    return End::Failed(format!("the exchange closed the stream{reason}"));
                }
                // Pings are answered by the library; they show that the connection lives.
                Ok(Some(Ok(_))) => continue,
                Ok(Some(Err(error))) => return End::Failed(format!("the stream broke: {}", root_cause(&error))),
                Ok(None) => return End::Failed("the stream ended".to_owned()),
                Err(_) if unacknowledged > 0 && refused > 0 && unacknowledged + refused < asked => {
                    // Some exchanges answer once to a message about many pairs.
                    tracing::error!(url = %self.request.url, unacknowledged, "some subscriptions were not answered; the others live on");
                    unacknowledged = 0;
                    continue;
                }
                Err(_) if unacknowledged > 0 => {
                    return End::Failed(format!(
                        "no answer to the subscription in {} s",
                        ACKNOWLEDGEMENT_PATIENCE.as_secs()
                    ));
                }
                Err(_) => return End::Failed(format!("nothing came for {} s", idle.as_secs())),
            };
            match carried.read(&text, now()) {
                Ok(Frame::Trades | Frame::Market) => {
                    if delivering_since.is_none() {
                        *delivering_since = Some(Instant::now());
                        self.board.streaming(self.number);
                        tracing::info!(url = %self.request.url, "the stream delivers");
                    }
                }
                Ok(Frame::Acknowledged) => {
                    unacknowledged = unacknowledged.saturating_sub(1);
                    // Any of the answers may be the late one.
                    if in_doubt && Instant::now() >= doubtful_at {
                        in_doubt = false;
                        carried.lost();
                    }
                    if unacknowledged == 0 && delivering_since.is_none() {
                        self.board.acknowledged(self.number);
                    }
                }
                Ok(Frame::Refused(reason)) => {
                    unacknowledged = unacknowledged.saturating_sub(1);
                    refused += 1;
                    if refused >= asked {
                        return End::Failed(format!("the exchange refuses the subscription: {reason}"));
                    }
                    tracing::error!(url = %self.request.url, %reason, "a subscription is refused; the others live on");
                    metrics::counter!("feed_subscriptions_refused_total").increment(1);
                }
                Ok(Frame::Closing) if replacement.is_none() => {
                    let young = opened_at.elapsed() < REPLACEMENT_PACE;
                    replacement = Some(self.replace(if young { REPLACEMENT_PACE } else { Duration::ZERO }));
                }
                Ok(Frame::Closing) => {}
                Ok(Frame::Lost(reason)) => {
                    carried.hand_on().await;
                    return End::Failed(reason);
                }
                Ok(Frame::Other(_)) => {}
                Err(error) => carried.unreadable(&error, &text),
            }
            if !carried.hand_on().await {
                return End::Stopping;
            }
        }
    }
}

/// To the microsecond, as messages and the database keep it.
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// What is to be sent to keep the connection, when it is time; never where nothing is.
async fn due(keep_alive: &mut Option<(&'static str, Interval)>) -> Option<&'static str> {
    let (text, times) = keep_alive.as_mut()?;
    times.tick().await;
    Some(text)
}
