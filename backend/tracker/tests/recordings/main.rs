//! Recording an exchange, and a recording in the place of one: what was published comes out again, whoever wrote it down.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod formats;
mod recorded;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use broker::{LocalQueue, LocalQueueSettings, Message, Publisher};
use clap::Parser as _;
use domain::{Catalogue, Gap, MarketRow, Tick};
use process::{Health, Shutdown};
use tokio::time::timeout;
use tracker::{
    Settings,
    replay::{Replay, Report, Wanted},
};

const SOON: Duration = Duration::from_secs(30);

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

fn settings() -> Settings {
    process::tls::install();
    Arguments::parse_from(["tracker"]).settings
}

/// What a replay put into the queue.
#[derive(Debug, Default)]
struct Replayed {
    report: Report,
    catalogues: Vec<Catalogue>,
    ticks: Vec<Tick>,
    rows: Vec<MarketRow>,
    gaps: Vec<Gap>,
}

fn wanted(files: &[PathBuf]) -> Wanted {
    Wanted { exchange: "binance".to_owned(), name: None, files: files.to_vec(), speed: 0.0 }
}

/// Replays files as fast as it goes.
async fn replayed(files: &[PathBuf]) -> Replayed {
    let replay = Replay::open(&wanted(files), &settings()).unwrap();
    assert_eq!(replay.name(), "binance_replay");
    let queue = LocalQueue::open(LocalQueueSettings::in_memory()).await.unwrap();
    let running = replay.run(Publisher::new(queue.clone()), Health::new(), Shutdown::new());
    let mut replayed = Replayed { report: timeout(SOON, running).await.unwrap().unwrap(), ..Replayed::default() };
    while !queue.is_empty() {
        let Ok(delivery) = timeout(Duration::from_millis(50), queue.receive()).await else { continue };
        let delivery = delivery.unwrap();
        match Message::decode(delivery.payload()).unwrap() {
            Message::Catalogue(catalogue) => replayed.catalogues.push(catalogue),
            Message::Ticks(batch) => {
                assert_eq!(batch.exchange, "binance_replay");
                replayed.ticks.extend(batch.ticks);
            }
            Message::Market(report) => replayed.rows.extend(report.rows),
            Message::Gaps(report) => replayed.gaps.extend(report.gaps),
            _ => {}
        }
        delivery.ack().await.unwrap();
    }
    replayed
}

fn refused(change: impl FnOnce(&mut Wanted), file: &Path) -> String {
    let mut wanted = wanted(&[file.to_owned()]);
    change(&mut wanted);
    Replay::open(&wanted, &settings()).err().expect("it is refused").to_string()
}
