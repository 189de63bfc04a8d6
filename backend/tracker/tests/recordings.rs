//! What Binance really sent is read: every frame is known, every trade is read exactly.
//!
//! The recordings are not part of the project. `RECORDINGS_DIR` names the folder that holds them; without it the checks
//! are skipped, and say so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
};

use chrono::Utc;
use clap::Parser as _;
use domain::{Side, Tick};
use flate2::read::GzDecoder;
use rust_decimal::Decimal;
use serde_json::Value;
use tracker::{
    exchange::{Exchange as _, Found, Frame},
    exchanges::{Connect as _, binance::Binance},
};

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    settings: tracker::Settings,
}

fn binance() -> Binance {
    process::tls::install();
    Binance::connect(&Arguments::parse_from(["tracker"]).settings.addresses.binance).unwrap()
}

/// Recorded files whose path speaks of Binance and that `wanted` takes; `None`, with a word, without recordings.
fn recorded(wanted: impl Fn(&str) -> bool) -> Option<Vec<PathBuf>> {
    let Ok(folder) = std::env::var("RECORDINGS_DIR") else {
        eprintln!("recordings not present, 1 check skipped");
        return None;
    };
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::from(&folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if wanted(path.strip_prefix(&folder).unwrap_or(&path).to_str().unwrap_or_default()) {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no recording of Binance in {folder}");
    Some(files)
}

fn lines(path: &Path) -> impl Iterator<Item = String> {
    let file = std::fs::File::open(path).unwrap();
    let bytes: Box<dyn Read> =
        if path.extension().is_some_and(|kind| kind == "gz") { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    BufReader::new(bytes).lines().map(|line| line.unwrap())
}

/// The frame in a line of one of the three formats of recordings.
fn frame(line: &str) -> Option<String> {
    if line.starts_with("wss://") || line.starts_with("https://") || line.starts_with("configuration") {
        return None;
    }
    if line.starts_with(r#"{"file""#) {
        let raw = serde_json::from_str::<Value>(line).ok()?["raw"].as_str()?.to_owned();
        // REST answers and options, which the streams of spot and futures do not carry.
        return (!raw.contains("openInterest") && !raw.contains("_all\"")).then_some(raw);
    }
    let start = line.find(['{', '['])?;
    Some(line[start..].to_owned())
}

/// The trade in a frame, read in another way than the connector does.
fn trade(frame: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(frame).ok()?;
    let event = value.get("data").unwrap_or(&value);
    (event["e"] == "trade" && event.get("X").is_none_or(|origin| origin == "MARKET")).then(|| event.clone())
}

/// Answers every request with this JSON.
fn serve(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
            while head.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).unwrap();
        }
    });
    address
}

#[tokio::test]
async fn every_recorded_day_of_a_pair_is_read_to_the_last_digit_and_left_out_when_it_is_long_over() {
    let Some(files) =
        recorded(|name| name == "ticker_24hr_response.json" || name == "http_futures_market_ticker_24hr.json")
    else {
        return;
    };
    let mut days: Vec<Value> =
        files.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect();
    let all = async |days: &[Value]| {
        let mut settings = Arguments::parse_from(["tracker"]).settings;
        settings.addresses.binance.binance_rest_url = serve(Value::from(days).to_string());
        process::tls::install();
        Binance::connect(&settings.addresses.binance).unwrap().market().unwrap().all().await.unwrap()
    };
    assert_eq!(all(&days).await, [], "they were recorded long ago");
    for day in &mut days {
        day["closeTime"] = Utc::now().timestamp_millis().into();
    }
    let rows = all(&days).await;
    assert_eq!(rows.len(), days.len());
    for (row, day) in rows.iter().zip(&days) {
        let number = |field: &str| day[field].as_str().unwrap().parse::<Decimal>().unwrap();
        assert_eq!((row.ticker.as_str(), row.price), (day["symbol"].as_str().unwrap(), number("lastPrice")));
        let prices = [row.open_24h, row.high_24h, row.low_24h].map(Option::unwrap);
        assert_eq!(prices, [number("openPrice"), number("highPrice"), number("lowPrice")]);
        assert_eq!(
            [row.volume_24h, row.quote_volume_24h].map(Option::unwrap),
            [number("volume"), number("quoteVolume")]
        );
        assert_eq!(row.time().timestamp_millis(), day["closeTime"].as_i64().unwrap());
        assert_eq!(row.check(), Ok(()));
    }
}

#[test]
fn every_recorded_frame_of_a_stream_is_known_and_every_trade_exact() {
    let is_stream = |path: &str| {
        let name = path.to_lowercase();
        name.contains("binance") && (name.contains(".ws.") || name.ends_with(".jsonl"))
            || name.starts_with("btcusdt_") && name.ends_with(".gz")
            || name.starts_with("ethusdt_") && name.ends_with(".gz")
    };
    let Some(files) = recorded(is_stream) else { return };
    let mut reader = binance().reader();
    let (mut frames, mut trades, mut unknown) = (0_u64, 0_u64, BTreeMap::<String, u64>::new());
    let mut read = Found::default();
    for path in &files {
        for text in lines(path).filter_map(|line| frame(&line)) {
            frames += 1;
            read.ticks.clear();
            let outcome = reader.read(&text, Utc::now(), &mut read);
            let found: &[Tick] = &read.ticks;
            match outcome {
                Ok(kind) => assert_eq!(kind == Frame::Trades, !found.is_empty(), "{text}"),
                Err(error) => *unknown.entry(format!("{error}: {}", &text[..text.len().min(150)])).or_default() += 1,
            }
            let expected = trade(&text);
            assert_eq!(found.len(), usize::from(expected.is_some()), "{text}");
            if let (Some(expected), Some(tick)) = (expected, found.first()) {
                trades += 1;
                let number = |field: &str| expected[field].as_str().unwrap().parse::<Decimal>().unwrap();
                assert_eq!(tick.price, number("p"));
                assert_eq!(tick.quantity, Some(number("q")));
                assert_eq!(tick.trade_id, expected["t"].as_i64());
                assert_eq!(tick.time().timestamp_millis(), expected["T"].as_i64().unwrap());
                assert_eq!(tick.ticker, expected["s"].as_str().unwrap());
                let side = if expected["m"].as_bool().unwrap() { Side::Sell } else { Side::Buy };
                assert_eq!(tick.taker_side, Some(side));
            }
        }
    }
    eprintln!("{frames} frames of {} files, {trades} trades", files.len());
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(frames > 100_000 && trades > 10_000, "{frames} frames, {trades} trades");
}
