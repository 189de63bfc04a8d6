//! `crypto-tracker record`: what an exchange sends, written down by the tracker's own connections until told to stop.

#![allow(clippy::print_stdout, reason = "the output of a command line is what it prints")]

use std::{sync::atomic::Ordering, time::Duration};

use anyhow::bail;
use tokio::time::{interval, sleep};
use tracker::record::{Recording, Wanted};

use crate::{progress::Progress, settings::Record};

/// How often it is looked how far it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Does it.
pub(crate) async fn run(wanted: &Record) -> anyhow::Result<()> {
    process::telemetry::init(&wanted.log)?;
    process::tls::install();
    let shutdown = process::shutdown::on_signal();
    let what = Wanted { exchange: wanted.exchange.clone(), out: wanted.out.clone(), market: wanted.market };
    let settings = wanted.tracking();
    let recording = tokio::select! {
        recording = Recording::prepare(&what, &settings) => recording?,
        () = shutdown.cancelled() => bail!("stopped before anything was recorded"),
    };
    let (tally, board) = (recording.tally(), recording.board());
    let told = || {
        let (frames, bytes) = (tally.frames.load(Ordering::Relaxed), tally.bytes.load(Ordering::Relaxed));
        format!("{frames} messages, {}", bytesize::ByteSize(bytes))
    };
    let progress = Progress::from_now(wanted.seconds);
    if let Some(seconds) = wanted.seconds {
        let over = shutdown.clone();
        tokio::spawn(async move {
            sleep(Duration::from_secs(seconds.into())).await;
            over.cancel();
        });
    }
    let running = recording.run(shutdown);
    tokio::pin!(running);
    let mut looks = interval(LOOK_EVERY);
    let files = loop {
        tokio::select! {
            files = &mut running => break files,
            _ = looks.tick() => {
                let state = if board.is_streaming() { "" } else { ", waiting for the exchange" };
                progress.tell(&format!("{}{state}", told()));
            }
        }
    };
    progress.end();
    let files: Vec<String> = files?.iter().map(|file| file.display().to_string()).collect();
    println!("{} in {}", told(), files.join(", "));
    Ok(())
}
