//! The REST API and the live feed: everything that clients see of the project.
//!
//! Reads only. Answers come from PostgreSQL, live prices from the broker; the two never wait for each other, so that
//! the live feed goes on while the database is down, and stored prices are served while nothing is live.

mod closest;
mod connection;
mod cursor;
mod error;
mod fill;
mod handlers;
mod live;
mod live_filter;
mod live_update;
mod lookup;
mod middleware;
mod openapi;
mod parameters;
mod reader;
mod readiness;
mod routes;
mod server;
mod settings;

pub use openapi::document;
pub use routes::paths;
pub use server::{Error, Server, run};
pub use settings::Settings;
