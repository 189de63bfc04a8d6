//! An export of any length takes the same memory. A process of its own, since memory is counted for a whole process; on
//! Linux, which tells it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "api/server.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod server;

const ROWS: usize = 1_000_000;

/// What the process holds in memory, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    4_096 * statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap()
}

#[tokio::test]
async fn a_million_rows_are_streamed_in_flat_memory() {
    let server = server::start().await;
    let fill = format!(
        "INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
         SELECT date_trunc('day', now()) - n * interval '10 milliseconds', now(), n, {}, 'stream', 'sell', 100 + n % 977, 0.5
         FROM generate_series(1, {ROWS}) AS n",
        server::BTCUSDT
    );
    server.sql(&fill).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = server.url("/export/ticks/binance/BTCUSDT?format=jsonl");
    let mut response = http.get(url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let (mut lines, mut bytes, mut settled, mut most) = (0, 0, None, 0);
    while let Some(piece) = response.chunk().await.unwrap() {
        lines += piece.iter().filter(|byte| **byte == b'\n').count();
        bytes += piece.len();
        if lines > ROWS / 20 {
            let now = resident();
            settled.get_or_insert(now);
            most = most.max(now);
        }
    }
    assert_eq!(lines, ROWS);
    let grown = most.saturating_sub(settled.unwrap());
    assert!(bytes > 150_000_000 && grown < 24_000_000, "{grown} bytes more for {bytes} bytes sent");
}
