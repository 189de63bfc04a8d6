//! Everything that is known about PostgreSQL: the schema, the connections, and every query.
//!
//! The only crate that knows tokio-postgres. One file per family of tables; each query is a free function over
//! `&impl GenericClient`, so that the caller decides what shares a transaction. Nothing here asks the pool for a second
//! connection while it holds one: the embedded database has just one.

pub mod accounts;
pub mod alerts;
mod apart;
pub mod candles;
pub mod catalogue;
pub mod changes;
pub mod channels;
pub mod comparison;
pub mod day_sums;
pub mod dead_letters;
pub mod error;
pub mod exchanges;
pub mod followed;
pub mod gaps;
pub mod ingest;
pub mod listings;
pub mod market;
pub mod migrate;
pub mod minutes;
pub mod notifications;
pub mod notified;
pub mod obstacles;
pub mod packing;
pub mod partitions;
pub mod pool;
pub mod portfolios;
pub mod prices;
pub mod question;
pub mod rates;
pub mod retention;
pub mod rollup;
pub mod schedules;
pub mod sessions;
pub mod settings;
pub mod snapshot;
pub mod sparklines;
pub mod statistics;
pub mod storage;
pub mod symbols;
pub mod tickers;
pub mod vacuum;
pub mod worth;

pub use deadpool_postgres::{GenericClient, Object as Client, Pool};

pub use error::{Context, Error, Result};
pub use migrate::{migrate, migrate_followed};
pub use pool::connect;
pub use settings::DatabaseSettings;
