//! The notifier against a real database and real receivers on loopback: what is due arrives, once, as its owner wants it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod authority;
mod bench;
mod channels;
mod encryption;
mod guarding;
mod http_sink;
mod mail;
mod pacing;
mod retries;
mod scheduled;
mod sharing;
mod smtp_sink;
