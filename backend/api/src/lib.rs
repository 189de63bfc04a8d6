//! The REST API and the live feed: everything that clients see of the project.
//!
//! Of prices it reads only. Answers come from PostgreSQL, live prices from the broker; the two never wait for each other, so that
//! the live feed goes on while the database is down, and stored prices are served while nothing is live.

mod alert_request;
mod alert_row;
mod apart;
mod attempts;
mod auth;
mod body;
mod books;
mod cache;
mod closest;
mod connection;
mod conventions;
mod cursor;
mod data_route;
mod encoding;
mod error;
mod export;
mod fill;
mod format;
mod handlers;
mod kept;
mod live;
mod live_filter;
mod live_update;
mod lookup;
mod meter;
mod middleware;
mod news;
mod openapi;
mod paging;
mod parameters;
pub mod password;
mod problems;
mod rate_limit;
mod reader;
mod readiness;
mod reply;
mod routes;
mod server;
mod settings;
mod span;
mod table;
mod token;
mod top_halves;

pub use openapi::document;
pub use routes::paths;
pub use server::{Error, Server, run};
pub use settings::{PricesFrom, RanksFrom, Settings};
