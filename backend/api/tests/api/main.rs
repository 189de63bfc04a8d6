//! The API over real HTTP, from a real PostgreSQL; the live feed from a broker within the process.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at the first surprise")]

mod accounts;
mod alerts;
mod caching;
mod candles;
mod compression;
mod dead_letters;
mod errors;
mod exchanges;
mod exports;
mod feeds;
mod foreign;
mod formats;
mod gaps;
mod health;
mod limits;
mod live;
mod moments;
mod notifications;
mod openapi;
mod outage;
mod pages;
mod portfolios;
mod price_history;
mod prices;
mod problems;
mod server;
mod shutdown;
mod sparklines;
mod statistics;
mod storage;
mod symbols;
mod tickers;
mod ticks;
mod top;
mod top_halves;
