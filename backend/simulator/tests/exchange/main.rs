//! The exchange as its clients see it: over real HTTP and real WebSockets on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at the first surprise")]

mod client;
mod coinbase;
mod faults;
mod kraken;
mod listings;
mod protocols;
mod replay;
mod rest;
mod streams;
mod trading;
