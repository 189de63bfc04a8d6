//! Recordings, replayed.

use std::{
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;
use simulator::{Settings, Simulator, SimulatorError, Source};
use tempfile::NamedTempFile;

use crate::client::{Socket, fetch, ids, quiet_settings, until};

/// 2026-11-20 12:00:00 UTC.
const FIRST_MS: i64 = 1_795_176_000_000;

/// Ten trades of Bitcoin, a tenth of a second apart, of which the recorder missed the eighth, and two of Ether that were
/// recorded only as aggregates; between them what else a recording holds.
fn recording(suffix: &str) -> NamedTempFile {
    let mut text = String::from("wss://stream.binance.com:9443/ws <-> 1795176000.0\n");
    for id in (100..110).filter(|id| *id != 107) {
        let ms = FIRST_MS + (id - 100) * 100;
        text += &format!(
            "{}: {{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":{ms},\"s\":\"BTCUSDT\",\"t\":{id},\
             \"p\":\"64250.{id}\",\"q\":\"0.00100000\",\"b\":1,\"a\":2,\"T\":{ms},\"m\":false,\"M\":true}}}}\n",
            ms as f64 / 1_000.0
        );
    }
    for id in [7, 8] {
        text += &format!(
            "179517600{id}000000000 {{\"e\":\"aggTrade\",\"E\":{FIRST_MS},\"s\":\"ETHBTC\",\"a\":{id},\"p\":\"0.05\",\
             \"q\":\"2\",\"f\":50,\"l\":59,\"T\":{FIRST_MS},\"m\":true,\"M\":true}}\n"
        );
    }
    text += "1795176009000000000 {\"stream\":\"btcusdt@tra";
    let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
    if suffix == ".gz" {
        let mut gzip = flate2::write::GzEncoder::new(&mut file, flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap();
    } else {
        file.write_all(text.as_bytes()).unwrap();
    }
    file
}

async fn start(path: &Path, speed: f64, shift_times: bool) -> Simulator {
    let source = Source::Replay { path: path.to_owned(), speed, shift_times };
    Simulator::start(Settings { source, ..quiet_settings() }).await.unwrap()
}

#[tokio::test]
async fn trades_keep_their_numbers_prices_and_times() {
    for suffix in [".txt", ".gz"] {
        let file = recording(suffix);
        let simulator = start(file.path(), 0.0, false).await;
        assert_eq!(simulator.tickers(), ["BTCUSDT", "ETHBTC"]);
        let mut socket = Socket::open(&simulator, "/ws/btcusdt@trade").await;
        let mut aggregates = Socket::open(&simulator, "/ws/ethbtc@aggTrade").await;
        assert!(!simulator.replay_ended());
        simulator.resume();
        let frames = socket.json_of(9).await;
        assert_eq!(ids(&frames), [100, 101, 102, 103, 104, 105, 106, 108, 109]);
        assert_eq!((&frames[1]["p"], &frames[1]["T"]), (&json!("64250.10100000"), &json!(FIRST_MS + 100)));
        assert_eq!(aggregates.json().await["a"], 7, "an aggregate is one trade under its own number");
        until("the end", || simulator.replay_ended()).await;

        let info = fetch(&simulator, "/api/v3/exchangeInfo?symbol=ETHBTC").await;
        assert_eq!(
            (&info["symbols"][0]["baseAsset"], &info["symbols"][0]["quoteAsset"]),
            (&json!("ETH"), &json!("BTC"))
        );
        let kline = &fetch(&simulator, "/api/v3/klines?symbol=BTCUSDT&interval=1m").await[0];
        assert_eq!((&kline[0], &kline[5], &kline[8]), (&json!(FIRST_MS), &json!("0.00900000"), &json!(9)));
        assert_eq!(simulator.emit(5).await, 0, "a replay makes nothing up");
    }
}

#[tokio::test]
async fn the_pace_is_the_recordings_and_times_can_be_shifted_to_now() {
    let file = recording(".txt");
    let simulator = start(file.path(), 2.0, true).await;
    let mut socket = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    let (start, now) = (Instant::now(), chrono::Utc::now().timestamp_millis());
    simulator.resume();
    let frames = socket.json_of(9).await;
    assert!(start.elapsed() >= Duration::from_millis(450), "nine tenths of a second at twice the speed");
    let times: Vec<i64> = frames.iter().map(|frame| frame["T"].as_i64().unwrap()).collect();
    assert!((0..5_000).contains(&(times[0] - now)), "the first trade happens now");
    assert_eq!(times[8] - times[0], 900, "and the others keep their distance");
}

#[tokio::test]
async fn a_file_without_trades_is_refused() {
    let file = NamedTempFile::new().unwrap();
    for path in [file.path(), Path::new("/nowhere")] {
        let source = Source::Replay { path: path.to_owned(), speed: 1.0, shift_times: false };
        let error = Simulator::start(Settings { source, ..quiet_settings() }).await.err().unwrap();
        assert!(matches!(&error, SimulatorError::Recording { .. }), "{error}");
    }
}

/// Real recordings, where they are present: every trade frame of the file is replayed.
#[tokio::test]
async fn real_recordings_are_replayed() {
    let Some(folder) = std::env::var_os("RECORDINGS_DIR") else {
        eprintln!("recordings not present, 2 checks skipped");
        return;
    };
    // A relative folder is meant from the project's root, where the test command runs.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    for (file, tickers) in [
        ("nkaz001+hftbacktest/@2023-04-28_f5cfe1e0/examples/spot/btcusdt_20230405.dat.gz", 1),
        ("bmoscon+cryptofeed/sample_data/2021-04-17_be4e5c81/BINANCE.ws.1.0.gz", 5),
    ] {
        let simulator = start(&folder.join(file), 0.0, false).await;
        simulator.resume();
        until(file, || simulator.replay_ended()).await;
        assert!(simulator.tickers().len() >= tickers, "{file}: {:?}", simulator.tickers());
        for ticker in simulator.tickers() {
            let trades = simulator.published(&ticker);
            assert!(!trades.is_empty() && trades.windows(2).all(|pair| pair[0].id < pair[1].id), "{file}: {ticker}");
        }
    }
}
