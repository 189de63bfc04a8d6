//! A mail server that keeps what it hears and answers as it is told.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// A mail that came, headers and all, and who it is for.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) text: String,
}

/// What was said beside mails: whether encrypted, and the line.
pub(crate) type Heard = (bool, String);

/// When it encrypts.
#[derive(Clone)]
pub(crate) enum Encryption {
    Never,
    WhenAsked(TlsAcceptor),
    FromTheBeginning(TlsAcceptor),
}

#[derive(Default)]
struct State {
    mails: Vec<Mail>,
    heard: Vec<Heard>,
    answers: VecDeque<&'static str>,
    /// It does not answer who takes leave.
    is_rude: bool,
    /// It takes addresses of English letters only.
    is_old: bool,
}

#[derive(Clone)]
pub(crate) struct MailSink {
    pub(crate) address: SocketAddr,
    encryption: Encryption,
    state: Arc<Mutex<State>>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

type Talk = BufReader<Box<dyn Stream>>;

/// `None` where the client does not like the certificate.
async fn encrypt(talk: Talk, acceptor: &TlsAcceptor) -> Option<Talk> {
    Some(BufReader::new(Box::new(acceptor.accept(talk.into_inner()).await.ok()?)))
}

impl MailSink {
    /// One that cannot encrypt.
    pub(crate) async fn start() -> Self {
        Self::encrypting(Encryption::Never).await
    }

    pub(crate) async fn encrypting(encryption: Encryption) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Self { address: listener.local_addr().unwrap(), encryption, state: Arc::default() };
        let serving = sink.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        sink
    }

    /// The answers to the next log-ins and mails, in this order; those of one that takes all behind them.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = &'static str>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// Does not answer who takes leave.
    pub(crate) fn be_rude(&self) {
        self.state.lock().unwrap().is_rude = true;
    }

    /// Takes addresses of English letters only.
    pub(crate) fn be_old(&self) {
        self.state.lock().unwrap().is_old = true;
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.state.lock().unwrap().mails.clone()
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.state.lock().unwrap().heard.clone()
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
        // Nobody waits for what we say.
        stream.set_nodelay(true).unwrap();
        let mut stream: Talk = BufReader::new(Box::new(stream));
        let mut is_encrypted = false;
        if let Encryption::FromTheBeginning(acceptor) = &self.encryption {
            let Some(encrypted) = encrypt(stream, acceptor).await else { return };
            (stream, is_encrypted) = (encrypted, true);
        }
        let mut to = String::new();
        stream.write_all(b"220 sink\r\n").await.unwrap();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            self.state.lock().unwrap().heard.push((is_encrypted, line.trim_end().to_owned()));
            let answer = match (line.split([' ', '\r']).next().unwrap().to_uppercase().as_str(), &self.encryption) {
                ("EHLO", Encryption::WhenAsked(_)) if !is_encrypted => {
                    "250-sink\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS"
                }
                ("EHLO", _) if self.state.lock().unwrap().is_old => "250-sink\r\n250 AUTH PLAIN LOGIN",
                ("EHLO", _) => "250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN LOGIN",
                ("STARTTLS", Encryption::WhenAsked(acceptor)) => {
                    stream.write_all(b"220 go on\r\n").await.unwrap();
                    let Some(encrypted) = encrypt(stream, acceptor).await else { return };
                    (stream, is_encrypted) = (encrypted, true);
                    continue;
                }
                ("STARTTLS", _) => "502 unknown",
                ("AUTH", _) => self.state.lock().unwrap().answers.pop_front().unwrap_or("235 welcome"),
                ("RCPT", _) => {
                    to = line.trim().to_owned();
                    "250 known"
                }
                ("DATA", _) => {
                    stream.write_all(b"354 go on\r\n").await.unwrap();
                    let mut text = String::new();
                    while !text.ends_with("\r\n.\r\n") {
                        stream.read_line(&mut text).await.unwrap();
                    }
                    let mut state = self.state.lock().unwrap();
                    state.mails.push(Mail { to: to.clone(), text });
                    state.answers.pop_front().unwrap_or("250 taken")
                }
                ("QUIT", _) if self.state.lock().unwrap().is_rude => continue,
                ("QUIT", _) => "221 bye",
                _ => "250 fine",
            };
            if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                return;
            }
        }
    }
}
