//! A receiver of requests, which answers as it is told.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn id(&self) -> &str {
        &self.headers["idempotency-key"]
    }
}

/// An answer: its status, further headers, its body.
#[derive(Debug, Clone)]
pub(crate) struct Answer(pub(crate) u16, pub(crate) String, pub(crate) String);

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self(status, String::new(), String::new())
    }
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    answers: VecDeque<Option<Answer>>,
}

#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    /// Answers are given while nobody holds it.
    pub(crate) gate: Arc<tokio::sync::Mutex<()>>,
    state: Arc<Mutex<State>>,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        Self::start_on("127.0.0.1:0").await
    }

    pub(crate) async fn start_on(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let sink = Self { address: listener.local_addr().unwrap(), gate: Arc::default(), state: Arc::default() };
        let serving = sink.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        sink
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What is answered next, in this order; 200 behind it.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().answers.extend(answers.into_iter().map(Some));
    }

    /// The next request gets no answer, ever.
    pub(crate) fn hang(&self) {
        self.state.lock().unwrap().answers.push_back(None);
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Waits until so many requests came.
    pub(crate) async fn until(&self, count: usize) -> Vec<Request> {
        let began = Instant::now();
        loop {
            let requests = self.requests();
            if requests.len() >= count {
                return requests;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{} requests, not {count}", requests.len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length: &String| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let answer = {
            let mut state = self.state.lock().unwrap();
            state.requests.push(Request { path, headers, body: String::from_utf8(body).unwrap() });
            state.answers.pop_front().unwrap_or_else(|| Some(Answer::status(200)))
        };
        drop(self.gate.lock().await);
        let Some(Answer(status, more, body)) = answer else { return std::future::pending().await };
        let head =
            format!("HTTP/1.1 {status} told\r\ncontent-length: {}\r\nconnection: close\r\n{more}\r\n", body.len());
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    }
}
