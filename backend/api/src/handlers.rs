//! One file per resource: read the parameters, ask, say it in the words of `api-types`. `symbols.rs` is the pattern of a
//! list, `tickers.rs` of one in pages; what follows from that is made elsewhere (`reply.rs`, `cache.rs`).
#![allow(unused_qualifications, reason = "utoipa's macros qualify what they are given")]

pub(crate) mod account;
pub(crate) mod alert_preview;
pub(crate) mod alerts;
pub(crate) mod api_keys;
pub(crate) mod balance;
pub(crate) mod candles;
pub(crate) mod channels;
pub(crate) mod consolidated;
pub(crate) mod dead_letters;
pub(crate) mod earlier_notifications;
pub(crate) mod earlier_portfolios;
pub(crate) mod earlier_prices;
pub(crate) mod exchanges;
pub(crate) mod export;
pub(crate) mod feeds;
pub(crate) mod firings;
pub(crate) mod gaps;
pub(crate) mod health;
pub(crate) mod index;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod notifications;
pub(crate) mod pairs;
pub(crate) mod performance;
pub(crate) mod portfolios;
pub(crate) mod price_history;
pub(crate) mod prices;
pub(crate) mod problems;
pub(crate) mod rates;
pub(crate) mod schedules;
pub(crate) mod sparklines;
pub(crate) mod statistics;
pub(crate) mod storage;
pub(crate) mod symbols;
pub(crate) mod tickers;
pub(crate) mod ticks;
pub(crate) mod tokens;
pub(crate) mod top;
pub(crate) mod transaction_files;
pub(crate) mod transactions;
pub(crate) mod udf;
pub(crate) mod volatility;
pub(crate) mod worth;
