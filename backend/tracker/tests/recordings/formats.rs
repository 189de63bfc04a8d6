//! Recordings written by hand, in each format, whole and broken.

use std::{io::Write as _, path::PathBuf};

use chrono::{DateTime, Utc};
use domain::{GapState, Side, Tick};
use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use crate::{refused, replayed};

/// A trade as Binance sends it.
fn frame(ticker: &str, id: i64, price: &str) -> String {
    let lower = ticker.to_lowercase();
    format!(
        r#"{{"stream":"{lower}@trade","data":{{"e":"trade","E":1618677408500,"s":"{ticker}","t":{id},"p":"{price}","q":"0.5","T":1618677408490,"m":true,"M":true}}}}"#
    )
}

fn files(folder: &TempDir, texts: &[&str]) -> Vec<PathBuf> {
    let write = |(number, text): (usize, &&str)| {
        let path = folder.path().join(format!("{number}.txt"));
        std::fs::write(&path, text).unwrap();
        path
    };
    texts.iter().enumerate().map(write).collect()
}

fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap()
}

fn ids(ticks: &[Tick]) -> Vec<(&str, i64)> {
    ticks.iter().map(|tick| (tick.ticker.as_str(), tick.trade_id.unwrap())).collect()
}

#[tokio::test]
async fn every_format_is_read_with_the_times_that_it_has() {
    let folder = TempDir::new().unwrap();
    let (first, second) = (frame("BTCUSDT", 7, "64250.0100"), frame("BTCUSDT", 8, "64250.02"));
    let cryptofeed = format!(
        "configuration: {{\"exchange\":[\"BINANCE\"]}}\n\
         wss://x.example/stream <-> 1618677407.1\n\
         wss://x.example/stream <- 1618677407.2: {{\"method\":\"SUBSCRIBE\"}}\n\
         https://x.example/depth -> 1618677407.3: {{\"lastUpdateId\":1}}\n\
         1618677408.499744: {first}\n1618677408.49975: {second}\n"
    );
    let nanoseconds = format!("1618677408499744321 {first}\n1618677408499750001 {second}");
    let microseconds = format!("1618677408499744 {first}\n1618677408499750 {second}\n");
    for text in [&cryptofeed, &nanoseconds, &microseconds] {
        let replayed = replayed(&files(&folder, &[text])).await;
        assert_eq!(ids(&replayed.ticks), [("BTCUSDT", 7), ("BTCUSDT", 8)], "{text}");
        let tick = &replayed.ticks[0];
        assert_eq!((tick.received_at, tick.time()), (time(1_618_677_408_499_744), time(1_618_677_408_490_000)));
        assert_eq!((tick.price.to_string().as_str(), tick.taker_side), ("64250.01", Some(Side::Sell)));
        let pair = &replayed.catalogues[0].instruments[0];
        assert_eq!((pair.ticker.as_str(), pair.base.as_str(), pair.quote.as_str()), ("BTCUSDT", "BTC", "USDT"));
        let report = &replayed.report;
        assert_eq!((report.frames, report.trades, report.unreadable, report.lost), (2, 2, 0, 0), "{text}");
    }
    let bare = replayed(&files(&folder, &[&format!("{first}\n{second}\n")])).await;
    assert_eq!(ids(&bare.ticks), [("BTCUSDT", 7), ("BTCUSDT", 8)]);
    assert!((Utc::now() - bare.ticks[0].received_at).num_seconds() < 60, "frames without a time come now");
}

#[tokio::test]
async fn files_are_put_in_order_of_their_times_and_what_is_missing_is_told() {
    let folder = TempDir::new().unwrap();
    let bitcoin: String =
        [(1, 1), (2, 3), (5, 6)].map(|(id, at)| format!("161867740{at}.5: {}\n", frame("BTCUSDT", id, "1"))).concat();
    let ether: String =
        [(4, 2), (5, 4)].map(|(id, at)| format!("161867740{at}.5: {}\n", frame("ETHBTC", id, "2"))).concat();
    let replayed = replayed(&files(&folder, &[&bitcoin, &ether])).await;
    let expected = [("BTCUSDT", 1), ("ETHBTC", 4), ("BTCUSDT", 2), ("ETHBTC", 5), ("BTCUSDT", 5)];
    assert_eq!(ids(&replayed.ticks), expected);
    assert_eq!((replayed.report.lost, replayed.report.gaps), (2, 1));
    let last = replayed.gaps.last().unwrap();
    assert_eq!((last.first_trade_id, last.last_trade_id, last.state), (3, 4, GapState::Unfillable));
}

#[tokio::test]
async fn what_is_broken_costs_only_itself() {
    let folder = TempDir::new().unwrap();
    let frames: Vec<String> = (1..=3).map(|id| frame("BTCUSDT", id, "1")).collect();
    let text = format!(
        "1618677401.5: {}\nnothing of the kind\n1618677402.5: {{\"stream\":\"btcu\n1618677403.5: {}\n\n1618677404.5: {}\n1618677405.5: {}\n",
        frames[0],
        frames[1],
        frames[2],
        frame("WHATEVER", 1, "1"),
    );
    let all = replayed(&files(&folder, &[&text])).await;
    assert_eq!(ids(&all.ticks), [("BTCUSDT", 1), ("BTCUSDT", 2), ("BTCUSDT", 3)]);
    let report = &all.report;
    assert_eq!((report.frames, report.trades, report.refused, report.unreadable), (5, 3, 1, 2));
    // Gzipped, and cut off: what can be read of it is.
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    for id in 1..=20_000 {
        writeln!(packed, "1618677401.5: {}", frame("BTCUSDT", id, "1")).unwrap();
    }
    let packed = packed.finish().unwrap();
    let path = folder.path().join("cut.gz");
    std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    let half = replayed(&[path]).await;
    assert!((5_000..15_000).contains(&half.ticks.len()), "{}", half.ticks.len());
    assert!(half.report.cut[0].contains("cut.gz cannot be read behind line"), "{:?}", half.report.cut);
}

#[tokio::test]
async fn what_cannot_be_replayed_is_refused_with_what_to_do() {
    let folder = TempDir::new().unwrap();
    let ours = r#"configuration: {"recorder":"crypto-tracker","exchange":"binance_us","instruments":[]}"#;
    let [file, other] = &files(&folder, &["", ours])[..] else { panic!("two files") };
    for (said, error) in [
        ("nowhere.txt cannot be read", refused(|wanted| wanted.files = vec![folder.path().join("nowhere.txt")], file)),
        ("is a folder", refused(|wanted| wanted.files = vec![folder.path().to_owned()], file)),
        ("name 1 to 64", refused(|wanted| wanted.files.clear(), file)),
        ("--exchange: \"mtgox\" is not an exchange", refused(|wanted| wanted.exchange = "mtgox".to_owned(), file)),
        ("is the name of the live market", refused(|wanted| wanted.name = Some("binance".to_owned()), file)),
        ("write 1 to 32 of a-z", refused(|wanted| wanted.name = Some("A B".to_owned()), file)),
        ("--speed -1", refused(|wanted| wanted.speed = -1.0, file)),
        ("say --exchange binance_us", refused(|_| (), other)),
    ] {
        assert!(error.contains(said), "{said}: {error}");
    }
    assert_eq!(replayed(std::slice::from_ref(file)).await.report.frames, 0);
}
