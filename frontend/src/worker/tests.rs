//! The worker against a real server on loopback that speaks just enough HTTP.

use std::{collections::VecDeque, net::SocketAddr, sync::Mutex};

use domain::Interval;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::{
    client::Secret,
    state::{
        Connection, Part, TickerKey, alert_tests,
        tests::{at, candles, feed, gap, live, minute, price, sparkline, volatility},
    },
};

/// Soon enough for a test; a refresh never comes by itself.
pub(super) const TIMING: Timing = Timing {
    batch: Duration::from_millis(5),
    refresh: Duration::from_secs(3_600),
    refresh_feeds: Duration::from_secs(3_600),
    refresh_holes: Duration::from_secs(3_600),
    refresh_sparklines: Duration::from_secs(3_600),
    refresh_volatility: Duration::from_millis(5),
    refresh_rules: Duration::from_secs(3_600),
    refresh_firings: Duration::from_millis(20),
    refresh_balance: Duration::from_secs(3_600),
    refresh_values: Duration::from_secs(3_600),
    refresh_empty: Duration::from_secs(3_600),
    backoff_min: Duration::from_millis(5),
    backoff_max: Duration::from_millis(20),
    silence: Duration::from_secs(30),
};

/// A server that answers `/live` connections with one script each; when a script ends, so does its connection.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) asked: Asked,
    _stop: tokio_util::sync::DropGuard,
}

/// What a live connection does before it ends.
pub(super) type Script = Vec<Step>;

pub(super) enum Step {
    /// Sends this text.
    Say(String),
    /// Waits until somebody has asked for candles.
    UntilCandlesAsked,
    /// Stays open until the client leaves.
    Stay,
}

/// The paths that were asked for, in order.
#[derive(Clone, Default)]
pub(super) struct Asked {
    paths: Arc<Mutex<Vec<String>>>,
    news: Arc<Notify>,
}

impl Asked {
    fn log(&self, path: &str) {
        self.paths.lock().unwrap().push(path.to_owned());
        self.news.notify_one();
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.paths.lock().unwrap().clone()
    }

    fn candles(&self) -> Vec<String> {
        self.all().into_iter().filter(|path| path.starts_with("/candles")).collect()
    }
}

impl Server {
    pub(super) fn start(address: &str, scripts: Vec<Script>) -> Self {
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Asked::default();
        let stop = CancellationToken::new();
        let (stopped, asked_here) = (stop.clone(), asked.clone());
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let scripts = Arc::new(Mutex::new(VecDeque::from(scripts)));
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let serve = async {
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        tokio::spawn(answer(stream, asked_here.clone(), Arc::clone(&scripts)));
                    }
                };
                tokio::select! { () = serve => {}, () = stopped.cancelled() => {} }
            });
        });
        Self { address, asked, _stop: stop.drop_guard() }
    }
}

async fn answer(mut stream: TcpStream, asked: Asked, scripts: Arc<Mutex<VecDeque<Script>>>) -> io::Result<()> {
    let mut start = [0; 16];
    while stream.peek(&mut start).await? < start.len() {}
    if start.starts_with(b"GET /live ") {
        let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
            return Ok(());
        };
        let script = scripts.lock().unwrap().pop_front().unwrap_or_default();
        asked.log("/live");
        for step in script {
            match step {
                Step::Say(text) => drop(socket.send(Message::text(text)).await),
                Step::UntilCandlesAsked => {
                    while asked.candles().is_empty() {
                        asked.news.notified().await;
                    }
                }
                Step::Stay => while socket.next().await.is_some() {},
            }
        }
        return Ok(());
    }
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let request = String::from_utf8_lossy(&request);
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let (head, is_own) = (request.to_lowercase(), path.starts_with("/portfolios") || path.starts_with("/api/"));
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let mut content = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut content).await?;
    let content = String::from_utf8_lossy(&content);
    let told = format!("{} {path} {content}", request.split(' ').next().unwrap_or_default());
    let (status, body) = match path.split(['?', '/']).nth(1) {
        _ if is_own => portfolio_tests::answer(&told),
        Some("prices") => ("200 OK", data(&[price("BTCUSDT", "64250.01", None, "1")])),
        Some("sparklines") => ("200 OK", data(&[sparkline("BTCUSDT")])),
        Some("gaps") => ("200 OK", data(&[gap("11:30", "11:32", "open")])),
        Some("volatility") => ("200 OK", data(&[volatility("BTCUSDT", Some("0.6"))])),
        Some("feeds") => ("200 OK", data(&[feed("binance", "streaming", "12:00:00")])),
        // One page, and what comes after it.
        Some("candles") if path.contains("from=2026-11-20T12") => ("200 OK", data::<()>(&[])),
        Some("candles") if path.contains("BTCUSDT") => ("200 OK", data(&candles("11:00", 60))),
        _ => (
            "404 Not Found",
            r#"{"type":"/problems/unknown_ticker","title":"No such pair","status":404,"detail":"binance has no such ticker","code":"unknown_ticker"}"#
                .to_owned(),
        ),
    };
    asked.log(if is_own { told.trim() } else { &path });
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n");
    stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await
}

fn data<T: serde::Serialize>(rows: &[T]) -> String {
    serde_json::json!({ "data": rows }).to_string()
}

fn say(event: &api_types::live::LiveEvent) -> Step {
    Step::Say(serde_json::to_string(event).unwrap())
}

fn worker(address: SocketAddr) -> Worker {
    Worker::start(address.to_string().parse().unwrap(), None, Refresh::Live, TIMING, Box::new(|_| {})).unwrap()
}

fn series(ticker: &str) -> SeriesKey {
    SeriesKey { ticker: TickerKey::new("binance", ticker), interval: Interval::OneMinute }
}

/// The next update of the kind that is looked for.
pub(super) fn next<T>(worker: &mut Worker, wanted: impl Fn(Update) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(worker.wait_for_update().expect("the worker ended")) {
            return found;
        }
    }
}

#[test]
fn it_loads_everything_and_then_tells_what_is_new() {
    let news = [
        live("BTCUSDT", "12:00:01", "64300", vec![minute("12:00", ["64300"; 4], "1")]),
        live("BTCUSDT", "12:00:02", "64310", vec![minute("12:00", ["64310"; 4], "2")]),
    ];
    let mut script: Script = vec![Step::Say("not of this version".into())];
    script.extend(news.iter().map(say));
    script.push(Step::Stay);
    let server = Server::start("127.0.0.1:0", vec![script]);
    let mut worker = worker(server.address);
    worker.follow(&[series("BTCUSDT")].into());
    let (mut prices, mut feeds, mut holes, mut rows, mut messages, mut connected) = (0, 0, 0, 0, 0, false);
    while prices == 0 || feeds == 0 || holes == 0 || rows == 0 || messages < 2 || !connected {
        match worker.wait_for_update().unwrap() {
            Update::Prices(Ok(answer)) => prices = answer.len(),
            Update::Feeds(Ok(answer)) => feeds = answer.len(),
            Update::Holes(Ok(answer)) => holes = answer.len(),
            Update::Sparklines(Ok(_)) | Update::Account(_) => {}
            Update::Candles { outcome: Ok(answer), part: Part::Newest, .. } => rows = answer.len(),
            Update::Live(batch) => messages += batch.messages,
            Update::Connection(connection) => connected = connection == Connection::Connected,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((prices, feeds, holes, rows, messages), (1, 1, 1, 60, 2));
    assert!(server.asked.all().contains(&"/gaps?missing=true&limit=1000".to_owned()));
    assert_eq!(server.asked.candles()[0], "/candles/binance/BTCUSDT?interval=1m&limit=500");
}

#[test]
fn after_an_outage_it_comes_back_and_asks_for_what_it_missed() {
    // A port where nothing listens yet.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut worker = worker(address);
    worker.follow(&[series("BTCUSDT")].into());
    let cause = next(&mut worker, |update| match update {
        Update::Connection(Connection::Away { cause, .. }) => Some(cause),
        _ => None,
    });
    assert_eq!(cause, "connection refused: nothing listens there");
    let failure = next(&mut worker, |update| match update {
        Update::Prices(outcome) => outcome.err(),
        _ => None,
    });
    assert_eq!(failure.cause, "connection refused: nothing listens there");
    // The first live connection is cut after candles came; nothing but the second one is a reason to ask again.
    let scripts = vec![vec![Step::UntilCandlesAsked], vec![Step::Stay]];
    let server = Server::start(&address.to_string(), scripts);
    let asked_after_reconnecting = || {
        let asked = server.asked.all();
        asked
            .split(|path| path == "/live")
            .nth(2)
            .is_some_and(|after| after.iter().any(|path| path.starts_with("/candles")))
    };
    while !asked_after_reconnecting() {
        next(&mut worker, |update| matches!(update, Update::Candles { outcome: Ok(_), .. }).then_some(()));
    }
}

#[test]
fn a_log_in_and_a_log_out_at_an_api_that_is_away_say_so() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let api = || address.to_string().parse().unwrap();
    let password = Secret::new("correct horse battery".to_owned());
    let mut worker = worker(address);
    assert!(worker.log(SessionOrder::LogIn { username: "ada".into(), password, stays: false }));
    let words = next(&mut worker, |update| match update {
        Update::LogInFailed(words) => Some(words),
        _ => None,
    });
    assert_eq!(words, "The API cannot be asked: connection refused: nothing listens there");
    // Who was logged in stays so until the API says otherwise, and is logged out here all the same.
    let login = Some(alert_tests::login("ada"));
    let mut worker = Worker::start(api(), login.clone(), Refresh::Live, TIMING, Box::new(|_| {})).unwrap();
    let failure = next(&mut worker, |update| match update {
        Update::Rules(outcome) => outcome.err(),
        _ => None,
    });
    assert_eq!(failure.cause, "connection refused: nothing listens there");
    assert!(worker.log(SessionOrder::LogOut));
    let mut told = Vec::new();
    while told.len() < 2 {
        match worker.wait_for_update().unwrap() {
            Update::Account(standing) if standing.login.is_none() => told.push("out"),
            Update::LogOutFailed(_) => told.push("not heard"),
            Update::Account(standing) => assert_eq!(standing.login, login),
            _ => {}
        }
    }
}

#[test]
fn older_candles_and_refusals_are_told_as_they_are() {
    let server = Server::start("127.0.0.1:0", vec![vec![Step::Stay]]);
    let mut worker = worker(server.address);
    assert!(worker.load_older(series("BTCUSDT"), at("11:00")));
    let rows = next(&mut worker, |update| match update {
        Update::Candles { part: Part::OlderThan(_), outcome, .. } => Some(outcome.unwrap().len()),
        _ => None,
    });
    assert_eq!(rows, 60);
    let asked = "/candles/binance/BTCUSDT?interval=1m&limit=1000&to=2026-11-20T11%3A00%3A00Z";
    assert_eq!(server.asked.candles(), [asked]);
    worker.follow(&[series("NOPE")].into());
    let failure = next(&mut worker, |update| match update {
        Update::Candles { part: Part::Newest, outcome, .. } => outcome.err(),
        _ => None,
    });
    assert_eq!(failure.cause, "the API says: binance has no such ticker (unknown_ticker)");
}

#[test]
fn a_window_that_does_not_look_costs_no_memory_and_can_still_close() {
    let many: Script = (0..60)
        .map(|second| say(&live("BTCUSDT", &format!("12:00:{second:02}"), "1", vec![])))
        .chain([Step::Stay])
        .collect();
    let server = Server::start("127.0.0.1:0", vec![many]);
    let mut worker = worker(server.address);
    next(&mut worker, |update| matches!(update, Update::Live(_)).then_some(()));
    // Nobody takes the rest; dropping must not wait for it.
    drop(worker);
}

#[test]
fn several_series_are_followed_at_once_and_only_those() {
    let server = Server::start("127.0.0.1:0", vec![vec![Step::Stay]]);
    let mut worker = worker(server.address);
    let five = SeriesKey { interval: Interval::FiveMinutes, ..series("BTCUSDT") };
    worker.follow(&[series("BTCUSDT"), five.clone()].into());
    let mut came = BTreeSet::new();
    while came.len() < 2 {
        came.insert(next(&mut worker, |update| match update {
            Update::Candles { series, outcome: Ok(_), .. } => Some(series),
            _ => None,
        }));
    }
    assert_eq!(came, [series("BTCUSDT"), five].into());
    worker.follow(&[series("NOPE")].into());
    worker.hurry();
    let gone = next(&mut worker, |update| match update {
        Update::Candles { series, outcome: Err(_), .. } => Some(series),
        _ => None,
    });
    assert_eq!(gone, series("NOPE"));
}

#[test]
fn how_much_prices_moved_is_asked_for_again_and_again_while_it_is_shown() {
    let server = Server::start("127.0.0.1:0", vec![vec![Step::Stay]]);
    let mut worker = worker(server.address);
    let asked = |period: Period| {
        let path = format!("/volatility?window={}&limit=1000", period.name());
        server.asked.all().into_iter().filter(|asked| *asked == path).count()
    };
    let until_asked = |period, times| {
        while asked(period) < times {
            thread::sleep(Duration::from_millis(2));
        }
    };
    next(&mut worker, |update| matches!(update, Update::Prices(Ok(_))).then_some(()));
    assert!(!server.asked.all().iter().any(|path| path.starts_with("/volatility")), "nobody looks at it");
    worker.rank(&[Period::Week].into());
    let rows = next(&mut worker, |update| match update {
        Update::Volatility { period: Period::Week, outcome } => Some(outcome.unwrap()),
        _ => None,
    });
    assert_eq!(rows, [volatility("BTCUSDT", Some("0.6"))]);
    until_asked(Period::Week, 3);
    worker.rank(&[Period::Hour].into());
    // One that was on its way may still arrive.
    until_asked(Period::Hour, 3);
    let before = asked(Period::Week);
    until_asked(Period::Hour, 10);
    assert_eq!(asked(Period::Week), before);
}

#[test]
fn without_a_live_feed_prices_are_asked_for_again_and_again() {
    let server = Server::start("127.0.0.1:0", vec![]);
    let api: ApiAddress = server.address.to_string().parse().unwrap();
    let mut worker = Worker::start(api, None, Refresh::Every(1), TIMING, Box::new(|_| {})).unwrap();
    let mut connections = Vec::new();
    let mut answers = 0;
    while answers < 2 {
        match worker.wait_for_update().unwrap() {
            Update::Connection(connection) => connections.push(connection),
            Update::Prices(outcome) => answers += outcome.unwrap().len(),
            _ => {}
        }
    }
    assert_eq!(connections, [Connection::Connected, Connection::Connected]);
    assert!(!server.asked.all().contains(&"/live".to_owned()));
    drop(server);
    let away = next(&mut worker, |update| match update {
        Update::Connection(Connection::Away { cause, .. }) => Some(cause),
        _ => None,
    });
    assert_eq!(away, "connection refused: nothing listens there");
}

#[test]
fn candles_are_written_with_the_digits_that_came() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start("127.0.0.1:0", vec![vec![Step::Stay]]);
    let mut worker = worker(server.address);
    let path = folder.path().join("new folder/candles.csv");
    let export = |series: &str| {
        let what = Wanted::Candles { series: self::series(series), from: at("11:00"), to: at("12:30") };
        Export { what, path: path.clone() }
    };
    let outcome = |worker: &mut Worker| {
        next(worker, |update| match update {
            Update::Exported { outcome, .. } => Some(outcome),
            _ => None,
        })
    };
    assert!(worker.export(export("BTCUSDT")));
    assert_eq!(outcome(&mut worker), Ok((60, crate::state::Exported::Candles)));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some(
            "exchange,ticker,interval,open_time,open,high,low,close,volume,quote_volume,trades,final,origin,untold_minutes"
        )
    );
    let first = "binance,BTCUSDT,1m,2026-11-20T11:00:00Z,64240,64260,64230,64250,1,64250,1,true,stream,0";
    assert_eq!(lines.next(), Some(first));
    assert_eq!(lines.count(), 59);
    assert!(worker.export(export("BTCUSDT")));
    assert!(outcome(&mut worker).is_err(), "what is there is not written over");
    assert!(worker.export(export("NOPE")));
    assert!(outcome(&mut worker).unwrap_err().contains("no such ticker"));
}
