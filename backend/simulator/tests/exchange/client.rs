//! What the tests share: a quiet exchange, an HTTP client, a WebSocket client, and waiting for a condition.

use std::{
    io::Write,
    sync::OnceLock,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use simulator::{Settings, Simulator, Source};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

const PATIENCE: Duration = Duration::from_secs(20);

/// An exchange that trades only when told to.
pub(crate) async fn quiet() -> Simulator {
    Simulator::start(quiet_settings()).await.unwrap()
}

pub(crate) fn quiet_settings() -> Settings {
    Settings { start_paused: true, ..Settings::default() }
}

/// Waits until it holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u64>,
    pub(crate) used_weight: Option<u32>,
    pub(crate) body: Value,
}

pub(crate) fn http() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // Even a client that never speaks TLS asks for a provider. It may be there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Connections are not kept: each test has a runtime of its own, and a pooled one would outlive it.
        reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().timeout(PATIENCE).build().unwrap()
    })
}

pub(crate) async fn get(simulator: &Simulator, path: &str) -> Answer {
    let response = http().get(format!("{}{path}", simulator.rest_url())).send().await.unwrap();
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().parse().unwrap());
    Answer {
        status: response.status().as_u16(),
        retry_after: header("Retry-After"),
        used_weight: header("X-MBX-USED-WEIGHT-1M").map(|used| u32::try_from(used).unwrap()),
        body: response.json().await.unwrap_or_default(),
    }
}

/// The body of an answer that must be good.
pub(crate) async fn fetch(simulator: &Simulator, path: &str) -> Value {
    let answer = get(simulator, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

pub(crate) async fn post(simulator: &Simulator, path: &str, body: &str) -> (u16, Value) {
    let request = http().post(format!("{}{path}", simulator.rest_url())).body(body.to_owned());
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Connects to a path that names its streams, and waits until they are listened to.
    pub(crate) async fn open(simulator: &Simulator, path: &str) -> Self {
        Self(connect_async(format!("{}{path}", simulator.stream_url())).await.unwrap().0)
    }

    /// The next frame, pings and all; nothing when the connection is over, however it ended.
    pub(crate) async fn frame(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.0.next()).await.expect("a frame in time")?.ok()
    }

    /// The next text as it is.
    pub(crate) async fn text(&mut self) -> Option<String> {
        let text = async {
            loop {
                match self.frame().await? {
                    Message::Text(text) => return Some(text.to_string()),
                    Message::Ping(_) | Message::Pong(_) => {}
                    _ => return None,
                }
            }
        };
        timeout(PATIENCE, text).await.expect("a text in time")
    }

    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await.expect("an open connection")).unwrap()
    }

    pub(crate) async fn json_of(&mut self, count: usize) -> Vec<Value> {
        let mut frames = Vec::with_capacity(count);
        while frames.len() < count {
            frames.push(self.json().await);
        }
        frames
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn send_frame(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// Sends a request and returns its answer.
    pub(crate) async fn ask(&mut self, request: Value) -> Value {
        self.send(&request.to_string()).await;
        self.json().await
    }

    /// Reads to the end and returns the code of the close frame, if there is one.
    pub(crate) async fn end(mut self) -> Option<u16> {
        let mut code = None;
        while let Some(message) = self.frame().await {
            if let Message::Close(Some(close)) = message {
                code = Some(close.code.into());
            }
        }
        code
    }
}

/// The numbers of the trades that a pair published.
pub(crate) fn published_ids(simulator: &Simulator, ticker: &str) -> Vec<i64> {
    simulator.published(ticker).iter().map(|trade| trade.id).collect()
}

/// An exchange that has replayed a trade of Bitcoin in each of so many minutes, the last of them now, but none in every
/// seventh; and one more of them in each that is a multiple of five.
pub(crate) async fn replayed(minutes: i64) -> Simulator {
    let now = chrono::Utc::now().timestamp_millis();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut id = 1;
    for minute in (0..minutes).filter(|minute| minute % 7 != 3) {
        for _ in 0..=i64::from(minute % 5 == 0) {
            let ms = now - (minutes - 1 - minute) * 60_000;
            writeln!(
                file,
                "{ms}000 {{\"e\":\"trade\",\"E\":{ms},\"s\":\"BTCUSDT\",\"t\":{id},\"p\":\"64250.{:02}\",\
                 \"q\":\"0.00{id}\",\"T\":{ms},\"m\":{},\"M\":true}}",
                id * 37 % 100,
                id % 2 == 0
            )
            .unwrap();
            id += 1;
        }
    }
    let source = Source::Replay { path: file.path().to_owned(), speed: 0.0, shift_times: false };
    let simulator = Simulator::start(Settings { source, ..Settings::default() }).await.unwrap();
    until("replayed", || simulator.replay_ended()).await;
    simulator
}

/// Numbers of the trades in these frames.
pub(crate) fn ids(frames: &[Value]) -> Vec<i64> {
    frames.iter().map(|frame| frame["t"].as_i64().unwrap()).collect()
}
