//! Keeps a connection to the live feed.
//!
//! It is made again whenever it ends, fails or falls silent, after a wait that the window can show. Each new
//! connection is announced, so that what was missed in between is asked for.

use std::collections::BTreeMap;

use api_types::live::LiveEvent;
use chrono::Utc;
use futures_util::{Stream, StreamExt};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        handshake::client::Request,
        http::{HeaderValue, StatusCode, header::AUTHORIZATION},
    },
};

use super::{
    Timing,
    backoff::Backoff,
    outbox::{Gone, Outbox},
};
use crate::{
    client::{Client, root_cause},
    live::LiveBatch,
    settings::ApiAddress,
    state::{Connection, Update},
};

/// Runs until the window is gone.
pub(super) async fn follow(
    client: &Client,
    api: &ApiAddress,
    outbox: &Outbox,
    timing: Timing,
    connected: &watch::Sender<()>,
    hurry: &Notify,
) {
    let mut backoff = Backoff::new(timing.backoff_min, timing.backoff_max);
    let mut lost_at = None;
    loop {
        // Where everybody needs an account, this waits until somebody has logged in.
        let token = client.live_token().await;
        let opened = async {
            let token = token.as_ref().map_err(ToString::to_string)?;
            let request = request(api, token.as_deref()).map_err(|error| words(&error))?;
            timeout(timing.silence, connect_async(request)).await.map_err(|_| "no answer in time".to_owned())
        };
        let cause = match opened.await {
            Ok(Err(Error::Http(response))) if response.status() == StatusCode::UNAUTHORIZED => {
                client.live_refused(token.ok().flatten().as_deref()).await;
                sleep(backoff.next_wait()).await;
                continue;
            }
            Ok(Ok((socket, _))) => {
                tracing::info!(%api, "live feed connected");
                lost_at = None;
                if outbox.put(Update::Connection(Connection::Connected)).await.is_err() {
                    return;
                }
                connected.send_replace(());
                let read = async {
                    tokio::select! {
                        read = read(socket, outbox, timing, &mut backoff) => read.map(Some),
                        () = client.shut_out() => Ok(None),
                    }
                };
                match read.await {
                    Ok(Some(cause)) => cause,
                    Ok(None) => continue,
                    Err(Gone) => return,
                }
            }
            Ok(Err(error)) => words(&error),
            Err(cause) => cause,
        };
        let wait = backoff.next_wait();
        tracing::info!(%api, cause, ?wait, "live feed is away");
        let now = Utc::now();
        let since = *lost_at.get_or_insert(now);
        let away = Connection::Away { cause, since, next_try_at: now + wait };
        if outbox.put(Update::Connection(away)).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = hurry.notified() => {}
        }
    }
}

fn request(api: &ApiAddress, token: Option<&str>) -> Result<Request, Error> {
    let mut request = api.live().as_str().into_client_request()?;
    if let Some(token) = token {
        let mut value =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|error| Error::HttpFormat(error.into()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    Ok(request)
}

/// Reads until the connection ends, and says why it did.
async fn read(
    mut socket: impl Stream<Item = Result<Message, Error>> + Unpin,
    outbox: &Outbox,
    timing: Timing,
    backoff: &mut Backoff,
) -> Result<String, Gone> {
    let mut batch = LiveBatch::default();
    let mut batch_due: Option<Instant> = None;
    let mut unread: u64 = 0;
    // What each feed said of itself last: that it goes on like that is no reason to draw anything.
    let mut told: BTreeMap<String, (String, Option<String>)> = BTreeMap::new();
    loop {
        tokio::select! {
            () = sleep_until(batch_due.unwrap_or_else(Instant::now)), if batch_due.is_some() => {
                outbox.put_live(&mut batch)?;
                // Without room the batch waits for another turn.
                batch_due = (!batch.is_empty()).then(|| Instant::now() + timing.batch);
            }
            message = timeout(timing.silence, socket.next()) => match message {
                Err(_) => return Ok(format!("nothing was heard for {} s", timing.silence.as_secs())),
                Ok(None) => return Ok("the server closed the connection".to_owned()),
                Ok(Some(Err(error))) => return Ok(words(&error)),
                Ok(Some(Ok(Message::Close(_)))) => return Ok("the server closed the connection".to_owned()),
                Ok(Some(Ok(Message::Text(text)))) => match serde_json::from_str::<LiveEvent>(&text) {
                    Ok(event) => {
                        backoff.reset();
                        if let LiveEvent::Feed(row) = &event {
                            let says = (row.state.clone(), row.detail.clone());
                            batch.is_news |= told.insert(row.exchange.clone(), says.clone()) != Some(says);
                        }
                        batch.add(event);
                        batch_due.get_or_insert_with(|| Instant::now() + timing.batch);
                    }
                    Err(error) => {
                        unread += 1;
                        if unread.is_power_of_two() {
                            tracing::warn!(%error, unread, "a live message cannot be read; is the server newer?");
                        }
                    }
                },
                // Pings are answered by the socket itself.
                Ok(Some(Ok(_))) => {}
            },
        }
    }
}

fn words(error: &Error) -> String {
    match error {
        Error::Http(response) => format!("the live feed was refused: HTTP {}", response.status()),
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_) => "the connection was cut".to_owned(),
        other => root_cause(other),
    }
}
