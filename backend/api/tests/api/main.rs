//! The API over real HTTP, from a real PostgreSQL; the live feed from a broker within the process.

mod candles;
mod errors;
mod exchanges;
mod feeds;
mod health;
mod live;
mod openapi;
mod outage;
mod price_history;
mod prices;
mod server;
mod shutdown;
mod symbols;
mod tickers;
mod ticks;
