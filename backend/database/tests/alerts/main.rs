//! Alerts on a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bench;
mod clock;
mod evaluation;
mod watching;
