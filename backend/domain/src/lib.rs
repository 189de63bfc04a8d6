//! The vocabulary of the project and the rules of its trade: ticks, candles, instruments, time windows.
//!
//! Nothing here reads a clock, a file or a socket, so that every rule can be tested by calling it. Every other crate
//! speaks in these words; none of them defines a second `Tick` or a second idea of what a candle is.
//!
//! Money is [`rust_decimal::Decimal`] from the exchange's text onwards, never a float. Every moment is UTC.

pub mod alert;
pub mod candle;
mod columns;
pub mod comparison;
pub mod consolidated;
pub mod decimal_text;
pub mod exchange;
pub mod feed;
pub mod gap;
pub mod interval;
pub mod listing;
pub mod market;
pub mod notification;
pub mod portfolio;
pub mod rate;
pub mod rounding;
pub mod symbol;
pub mod tick;
pub mod top_list;
pub mod usd;
pub mod width;
pub mod window;

pub use candle::{Candle, Moment};
pub use comparison::{ExchangeMinute, MinuteReport, Purpose};
pub use exchange::{Catalogue, Exchange, Instrument, InstrumentStatus, Steps};
pub use feed::{FeedState, FeedStatus};
pub use gap::{Gap, GapCause, GapReport, GapState};
pub use interval::Interval;
pub use listing::{Half, ListedCoin, ListingReport};
pub use market::{MarketReport, MarketRow};
pub use rate::{Rate, RateReport};
pub use symbol::Symbol;
pub use tick::{Rejection, Side, Tick, TickBatch, TickSource};
pub use width::{Level, Width};
pub use window::Window;
