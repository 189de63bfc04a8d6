//! An exchange in a box: a server on loopback that speaks the REST and WebSocket protocols of Binance spot, of Coinbase
//! Exchange (below `/coinbase`) and of Kraken spot (version 2, below `/kraken`) at the same time, with a market of its own
//! making and faults on command.
//!
//! It exists so that `demo` runs without the internet, and so that tests and benchmarks can drive the real tracker
//! against an exchange that misbehaves when told to, and that knows afterwards exactly what it published.
//!
//! What always holds:
//! - Everything that is served comes from one ledger. Trades streamed, trades asked for, candles and day statistics
//!   agree to the last digit. Nothing before the start is made up: history is empty until trades happen.
//! - Trade numbers of an instrument are contiguous, and the first is the start time in milliseconds times a thousand
//!   (unless set), so that a restart never uses one again.
//! - The n-th trade of an instrument has the same price, quantity and side for the same seed and settings; times are
//!   the clock's. Times are whole milliseconds in every answer and frame, so a trade read by REST is the trade that
//!   was streamed.
//! - It is one market in every protocol: a trade has the same number, price and time wherever it is told, and a fault acts on
//!   all of them. Only names differ: `BTCUSDT` is `BTC-USDT` to Coinbase, `BTC/USDT` to Kraken's streams, `XBTUSDT` to
//!   Kraken's REST.
//! - Nothing grows without bound: trades and candles are retained in rings, and a client that does not read is cut.
//!
//! Limits are the real ones: Binance's request weight, five messages a second and 1,024 streams a connection, pings to be
//! answered; Coinbase's hundred messages a second, five seconds in which to subscribe, 300 candles; Kraken's 720 candles.
//!
//! Deliberately absent: the limits of Coinbase's and Kraken's REST ([`Fault::RateLimited`] stands for them), order books, accounts, candle widths that the project does not know (`3m`, `1M` and others), the
//! `X-MBX-TIME-UNIT` header, the limit of connection attempts, the end of a connection after 24 hours
//! ([`Fault::Disconnect`] stands for it).
//!
//! Someone who runs it by hand lists the faults with `GET /simulator/faults` and commands one with
//! `POST /simulator/faults`, such as `{"fault":"gap","trades":3}`. What is listed is changed in the same way at
//! `/simulator/listings`: pairs come, go, and change their names.

mod coinbase;
mod control;
mod faults;
mod frames;
mod gate;
mod hub;
mod kline;
mod kraken;
mod ledger;
mod limits;
mod listings;
mod market;
mod pace;
mod params;
mod protocol;
mod pulse;
mod recording;
mod replay;
mod rest;
mod server;
mod settings;
mod spelling;
mod stream;
mod tickers;
mod venue;

pub use faults::{Fault, Refusal};
pub use ledger::PublishedTrade;
pub use listings::ListingError;
pub use server::Simulator;
pub use settings::{Settings, SimulatedSymbol, SimulatorError, Source, default_symbols};
