//! Publishing a recording again, at the pace in which it was received or another.
//!
//! A thread reads the file ahead of the clock through a bounded channel, so that a recording of any size takes the same
//! memory. A pause stops the recording's clock.

use std::{path::PathBuf, sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    recording::{Contents, Recorded, trades},
    venue::{Venue, now_ms},
};

/// Trades read ahead.
const READ_AHEAD: usize = 1_024;
/// Trades between two looks at the clients' queues when nothing else sets the pace.
const BATCH: u64 = 256;

/// Replays the recording to its end; the caller may stop it before.
pub(crate) async fn run(venue: Arc<Venue>, contents: Contents, path: PathBuf, speed: f64, shift_times: bool) {
    let mut paused = venue.paused.subscribe();
    if paused.wait_for(|paused| !paused).await.is_err() {
        return;
    }
    let shift = if shift_times { TimeDelta::milliseconds(now_ms() - contents.first_ms) } else { TimeDelta::zero() };
    let (sender, mut recorded) = mpsc::channel(READ_AHEAD);
    tokio::task::spawn_blocking(move || read_ahead(&path, &contents, &sender));
    let mut clock: Option<(Instant, i64)> = None;
    let mut count: u64 = 0;
    while let Some((index, next)) = recorded.recv().await {
        let Recorded { received_us, mut trade, .. } = next;
        loop {
            if *paused.borrow_and_update() {
                let stopped = Instant::now();
                if paused.wait_for(|paused| !paused).await.is_err() {
                    return;
                }
                clock = clock.map(|(start, first_us)| (start + stopped.elapsed(), first_us));
            }
            if speed <= 0.0 {
                break;
            }
            let (start, first_us) = *clock.get_or_insert((Instant::now(), received_us));
            let since_first = Duration::from_micros(u64::try_from(received_us - first_us).unwrap_or(0));
            tokio::select! {
                () = sleep_until(start + since_first.div_f64(speed)) => break,
                _ = paused.wait_for(|paused| *paused) => {}
            }
        }
        if speed <= 0.0 && count.is_multiple_of(BATCH) {
            venue.hub.room().await;
        }
        count += 1;
        trade.time += shift;
        venue.publish(index, &trade);
    }
    tracing::info!(trades = count, "the replay has ended");
    venue.end_replay();
}

fn read_ahead(path: &std::path::Path, contents: &Contents, sender: &mpsc::Sender<(usize, Recorded)>) {
    let trades = match trades(path) {
        Ok(trades) => trades,
        Err(error) => return tracing::error!(%error, path = %path.display(), "the recording is gone"),
    };
    for recorded in trades {
        let Some(index) = contents.index(&recorded) else {
            continue;
        };
        if sender.blocking_send((index, recorded)).is_err() {
            return;
        }
    }
}
