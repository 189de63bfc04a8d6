//! A mail server that keeps what it gets and answers as it is told.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// A mail that came, headers and all, and who it is for.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) text: String,
}

#[derive(Default)]
struct State {
    mails: Vec<Mail>,
    answers: VecDeque<&'static str>,
}

#[derive(Clone)]
pub(crate) struct MailSink {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl MailSink {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = sink.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        sink
    }

    /// The answers to the next mails, in this order; "250 taken" behind them.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = &'static str>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.state.lock().unwrap().mails.clone()
    }

    /// Waits until so many mails came.
    pub(crate) async fn until(&self, count: usize) -> Vec<Mail> {
        let began = Instant::now();
        loop {
            let mails = self.mails();
            if mails.len() >= count {
                return mails;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{} mails, not {count}", mails.len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut to = String::new();
        stream.write_all(b"220 sink\r\n").await.unwrap();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let answer = match line.split([' ', '\r']).next().unwrap().to_uppercase().as_str() {
                "EHLO" => "250-sink\r\n250 8BITMIME",
                "RCPT" => {
                    to = line.trim().to_owned();
                    "250 known"
                }
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await.unwrap();
                    let mut text = String::new();
                    while !text.ends_with("\r\n.\r\n") {
                        stream.read_line(&mut text).await.unwrap();
                    }
                    let mut state = self.state.lock().unwrap();
                    state.mails.push(Mail { to: to.clone(), text });
                    state.answers.pop_front().unwrap_or("250 taken")
                }
                "QUIT" => "221 bye",
                "STARTTLS" => "502 unknown",
                _ => "250 fine",
            };
            if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                return;
            }
        }
    }
}
