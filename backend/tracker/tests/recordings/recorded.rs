//! What the simulated exchange published is recorded, and comes out of the recording.

use std::{collections::BTreeMap, path::Path, sync::atomic::Ordering, time::Duration};

use domain::Tick;
use process::Shutdown;
use simulator::{Fault, PublishedTrade, Simulator};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tracker::{
    Settings,
    record::{Recording, Wanted},
    recording::{Line, parse},
};

use crate::{SOON, replayed, settings};

async fn quiet_exchange() -> (Simulator, Settings) {
    let exchange = simulator::Settings { trades_per_second: 0.0, ..Default::default() };
    let exchange = Simulator::start(exchange).await.unwrap();
    let mut settings = settings();
    settings.tracker_symbols = vec!["BTCUSDT".into(), "ETHUSDT".into()];
    settings.addresses.binance.binance_name = "simulated".into();
    settings.addresses.binance.binance_rest_url = exchange.rest_url();
    settings.addresses.binance.binance_stream_url = exchange.stream_url();
    (exchange, settings)
}

fn wanted(out: &Path, market: bool) -> Wanted {
    Wanted { exchange: "binance".to_owned(), out: out.to_owned(), market }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

async fn subscribed(exchange: &Simulator) {
    until("it subscribes", || exchange.listeners("btcusdt@trade") > 0 && exchange.listeners("ethusdt@trade") > 0).await;
}

fn published(tick: &Tick) -> PublishedTrade {
    PublishedTrade {
        id: tick.trade_id.unwrap(),
        price: tick.price,
        quantity: tick.quantity.unwrap(),
        time: tick.exchange_time.unwrap(),
        buyer_is_maker: tick.taker_side == Some(domain::Side::Sell),
    }
}

#[tokio::test]
async fn what_was_published_is_recorded_and_replayed_to_the_last_digit() {
    let (exchange, settings) = quiet_exchange().await;
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("frames.txt.gz");
    let recording = Recording::prepare(&wanted(&out, true), &settings).await.unwrap();
    let (tally, stop) = (recording.tally(), Shutdown::new());
    let running = tokio::spawn(recording.run(stop.clone()));
    subscribed(&exchange).await;
    until("it follows the market", || exchange.listeners("!miniTicker@arr") > 0).await;
    exchange.emit(500).await;
    until("it has them", || tally.frames.load(Ordering::Relaxed) >= 1_000).await;
    // A connection that is lost is noted, and the next one goes on in the same file.
    exchange.inject(Fault::Disconnect);
    until("the connection is gone", || exchange.listeners("btcusdt@trade") == 0).await;
    exchange.emit(5).await;
    subscribed(&exchange).await;
    let before = tally.frames.load(Ordering::Relaxed);
    exchange.emit(500).await;
    until("it has the others", || tally.frames.load(Ordering::Relaxed) >= before + 1_000).await;
    sleep(Duration::from_millis(1_500)).await;
    stop.cancel();
    let files = timeout(SOON, running).await.unwrap().unwrap().unwrap();
    assert_eq!(files, [out.clone(), folder.path().join("frames.2.txt.gz")]);

    let replayed = replayed(&files).await;
    let report = &replayed.report;
    assert_eq!((report.unreadable, report.refused, report.gaps, report.lost), (0, 0, 2, 10), "{report}");
    assert!(report.cut.is_empty());
    for ticker in ["BTCUSDT", "ETHUSDT"] {
        let trades: Vec<_> = replayed.ticks.iter().filter(|tick| tick.ticker == ticker).map(published).collect();
        let mut expected = exchange.published(ticker);
        expected.drain(500..505);
        assert_eq!(trades, expected, "{ticker}");
    }
    let listed: BTreeMap<_, _> =
        replayed.catalogues[0].instruments.iter().map(|one| (one.ticker.as_str(), one.base.as_str())).collect();
    assert_eq!(listed.get("SOLUSDT"), Some(&"SOL"), "all that is listed is known, since the market is recorded");
    assert!(replayed.rows.iter().any(|row| row.ticker == "SOLUSDT"), "{:?}", replayed.rows);
}

#[tokio::test]
async fn a_recording_holds_its_connection_and_what_was_sent() {
    let (exchange, settings) = quiet_exchange().await;
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("frames.txt");
    let recording = Recording::prepare(&wanted(&out, false), &settings).await.unwrap();
    let (stop, tally) = (Shutdown::new(), recording.tally());
    let running = tokio::spawn(recording.run(stop.clone()));
    subscribed(&exchange).await;
    exchange.emit(1).await;
    until("it has them", || tally.frames.load(Ordering::Relaxed) >= 3).await;
    stop.cancel();
    timeout(SOON, running).await.unwrap().unwrap().unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("configuration: ") && lines[0].contains(r#""ticker":"BTCUSDT""#), "{text}");
    assert!(!lines[0].contains("SOLUSDT"), "only what is recorded: {text}");
    assert!(matches!(parse(lines[1]), Line::Connected(_)), "{text}");
    assert!(lines[2].contains(" <- ") && lines[2].contains("SUBSCRIBE"), "{text}");
    assert!(lines[3..].iter().all(|line| matches!(parse(line), Line::Frame(Some(_), _))), "{text}");
    assert_eq!(lines[3..].len() as u64, tally.frames.load(Ordering::Relaxed));
    // It is not written over.
    let again = Recording::prepare(&wanted(&out, false), &settings).await.err().unwrap().to_string();
    assert!(again.contains("is there already") && again.contains("--out"), "{again}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_an_error_that_says_so() {
    let (_exchange, settings) = quiet_exchange().await;
    let error = Recording::prepare(&wanted(Path::new("/dev/full"), false), &settings).await.err().unwrap().to_string();
    assert!(error.contains("/dev/full cannot be written: No space left") && error.contains("make room"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused_with_what_to_do() {
    let (exchange, settings) = quiet_exchange().await;
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("frames.txt");
    let unknown = Wanted { exchange: "mtgox".to_owned(), ..wanted(&out, false) };
    let none = Settings { tracker_symbols: vec!["NOSUCHPAIR".into()], ..settings.clone() };
    for (said, error) in [
        ("--exchange: \"mtgox\" is not an exchange", Recording::prepare(&unknown, &settings).await),
        ("name others with --tickers", Recording::prepare(&wanted(&out, false), &none).await),
        ("nowhere/frames.txt cannot be written", {
            Recording::prepare(&wanted(&folder.path().join("nowhere/frames.txt"), false), &settings).await
        }),
    ] {
        let error = error.err().unwrap().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
    exchange.stop().await;
    let error = Recording::prepare(&wanted(&out, false), &settings).await.err().unwrap().to_string();
    assert!(error.contains("what simulated lists cannot be asked for"), "{error}");
}
