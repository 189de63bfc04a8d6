//! Eight hours of a live market, in a few seconds: what the window keeps does not grow.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use chrono::TimeDelta;
use dashboard::Rehearsal;

/// A day's work at the desk.
const HOURS: usize = 8;
/// A batch every ten seconds: a busy market has more, and they are folded together before they come here.
const BATCHES_AN_HOUR: usize = 360;
/// Growth that is no leak: a candle a minute in each chart, and what the allocator does not give back at once.
const ALLOWED_KIBIBYTES: u64 = 6 * 1_024;

#[cfg(target_os = "linux")]
fn resident_kibibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn memory_stays_flat() {
    let now = "2026-11-20T08:00:00Z".parse().unwrap();
    let mut window = Rehearsal::new([1280.0, 800.0], 200, now);
    window.open_charts(4);
    window.load_candles(1_000);
    let mut after_each_hour = Vec::new();
    let begun_with = window.candles();
    for _ in 0..HOURS {
        for batch in 0..BATCHES_AN_HOUR {
            window.trade(200, TimeDelta::seconds(10));
            if batch % 6 == 0 {
                window.point(300.0 + batch as f32, 300.0);
                window.frame();
            }
        }
        after_each_hour.push(resident_kibibytes());
    }
    let added = window.candles() - begun_with;
    assert!((HOURS * 60..=HOURS * 60 + 1).contains(&added), "{added} candles were added, one a minute");
    let (second, last) = (after_each_hour[1], after_each_hour[HOURS - 1]);
    assert!(last <= second + ALLOWED_KIBIBYTES, "KiB after each hour: {after_each_hour:?}");
}
