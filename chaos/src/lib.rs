//! Breaks the real parts while trades flow, one at a time, and compares what the exchange published with what is stored:
//! number by number, decimal by decimal, candle by candle; and what rules fired for with what the stored prices say.
//!
//! The exchange is the simulator, which keeps its own record. It is followed by Binance's, Coinbase's and Kraken's protocol at
//! once, as three exchanges that trade alike. Tracker, db-handlers, notifiers and follower are the real programs, as processes that can be killed;
//! RabbitMQ and PostgreSQL are real servers; between all of them stand proxies that can cut, stall and half-close. Run it with
//! `cargo xtask chaos`.

pub mod disk;
pub mod effect;
pub mod fault;
pub mod follower;
pub mod opinion;
pub mod protocol;
pub mod proxy;
pub mod receiver;
pub mod record;
pub mod service;
pub mod stage;
pub mod standalone;
pub mod strike;
pub mod verdict;
pub mod watch;

pub use fault::Fault;
pub use protocol::Protocol;
pub use stage::Stage;
pub use verdict::Verdict;
