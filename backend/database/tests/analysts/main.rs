//! What analysts and operators do with the database: views, the role that only reads, every query of docs/QUERIES.md, the
//! description in docs/SCHEMA.md, Grafana's panels, dumping and restoring.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod backup;
mod documents;
mod grafana;
mod queries;
mod role;
mod sample;
mod schema;
mod views;
