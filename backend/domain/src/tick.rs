//! Price observations, and what makes one credible.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use validator::{Validate, ValidationError};

use crate::{
    columns::{self, Columns},
    decimal_text,
};

/// Which side of a trade took the liquidity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The taker bought.
    Buy,
    /// The taker sold.
    Sell,
}

impl Side {
    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// How a tick reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TickSource {
    /// A live trade from the exchange's stream.
    Stream,
    /// A price asked for by REST: the exchange gave neither a time nor a trade.
    Poll,
    /// A trade that the stream did not bring, asked for by REST.
    Backfill,
}

impl TickSource {
    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Poll => "poll",
            Self::Backfill => "backfill",
        }
    }
}

/// One price observation: a trade, or a price that was asked for.
///
/// In JSON it is a row: its fields in the order of [`COLUMNS`], null where there is nothing to say. Elements behind them
/// are ignored, so that a later version can add some.
#[derive(Debug, Clone, PartialEq, Validate)]
#[validate(schema(function = "times_are_plausible"), schema(function = "notional_fits"))]
pub struct Tick {
    /// The exchange's own spelling of the pair.
    #[validate(custom(function = "is_ticker"))]
    pub ticker: SmolStr,
    /// The exchange's number of the trade, where it gives one.
    #[validate(range(min = 0, code = "trade_id_negative"))]
    pub trade_id: Option<i64>,
    /// Price of one unit of the base in units of the quote; in JSON a string.
    #[validate(custom(function = "is_price"))]
    pub price: Decimal,
    /// Units of the base that changed hands; absent for a polled price. In JSON a string.
    #[validate(custom(function = "is_quantity"))]
    pub quantity: Option<Decimal>,
    /// Who took the liquidity; absent for a polled price.
    pub taker_side: Option<Side>,
    /// When the exchange says it happened; absent where it does not say. In JSON microseconds since 1970.
    pub exchange_time: Option<DateTime<Utc>>,
    /// When it reached us. In JSON microseconds since 1970.
    pub received_at: DateTime<Utc>,
}

/// The fields of a [`Tick`] as JSON names them, in their order.
pub const COLUMNS: [&str; 7] =
    ["ticker", "trade_id", "price", "quantity", "taker_side", "exchange_time_us", "received_at_us"];

/// A tick as a row.
#[derive(Serialize, Deserialize)]
struct Row(
    SmolStr,
    Option<i64>,
    #[serde(with = "decimal_text")] Decimal,
    #[serde(with = "decimal_text::option")] Option<Decimal>,
    Option<Side>,
    #[serde(with = "chrono::serde::ts_microseconds_option")] Option<DateTime<Utc>>,
    #[serde(with = "chrono::serde::ts_microseconds")] DateTime<Utc>,
);

impl Serialize for Tick {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { ticker, trade_id, price, quantity, taker_side, exchange_time, received_at } = self;
        Row(ticker.clone(), *trade_id, *price, *quantity, *taker_side, *exchange_time, *received_at)
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let row = columns::read::<Self, Row, D>(deserializer)?;
        let Row(ticker, trade_id, price, quantity, taker_side, exchange_time, received_at) = row;
        Ok(Self { ticker, trade_id, price, quantity, taker_side, exchange_time, received_at })
    }
}

impl columns::Row for Tick {
    const COLUMNS: &'static [&'static str] = &COLUMNS;
}

/// Ticks of one exchange that came the same way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TickBatch {
    /// The exchange's name.
    pub exchange: SmolStr,
    /// How they reached us.
    pub source: TickSource,
    /// Names the elements of the rows for whoever reads them; always [`COLUMNS`], perhaps with new ones behind.
    #[serde(default)]
    columns: Columns<Tick>,
    /// The ticks, in the order in which they were received.
    pub ticks: Vec<Tick>,
}

impl TickBatch {
    /// Ticks of `exchange` that came by `source`.
    pub fn new(exchange: impl Into<SmolStr>, source: TickSource, ticks: Vec<Tick>) -> Self {
        Self { exchange: exchange.into(), source, columns: Columns::default(), ticks }
    }
}

impl Tick {
    /// The moment under which the tick is filed: the exchange's, or ours where it gives none.
    pub fn time(&self) -> DateTime<Utc> {
        self.exchange_time.unwrap_or(self.received_at)
    }

    /// Price times quantity, in units of the quote; zero for a polled price.
    ///
    /// A tick that passed [`check`](Self::check) has one.
    pub fn quote_volume(&self) -> Option<Decimal> {
        self.price.checked_mul(self.quantity.unwrap_or_default())
    }

    /// Tells whether the tick is credible.
    ///
    /// # Errors
    /// The first reason why it is not.
    pub fn check(&self) -> Result<(), Rejection> {
        let Err(errors) = self.validate() else { return Ok(()) };
        let codes = errors.field_errors();
        let code = codes.values().flat_map(|errors| errors.iter()).map(|error| error.code.clone()).min();
        Err(Rejection { reason: code.unwrap_or(Cow::Borrowed("invalid")) })
    }
}

/// Why a tick is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tick is refused: {reason}")]
pub struct Rejection {
    /// A short fixed word, fit for a metric's label: `price_not_positive`.
    pub reason: Cow<'static, str>,
}

fn refuse(code: &'static str) -> Result<(), ValidationError> {
    Err(ValidationError::new(code))
}

/// A ticker becomes part of URLs, routing keys and file names, so what it may hold is bounded. Exchanges do use
/// letters outside ASCII.
fn is_ticker(ticker: &SmolStr) -> Result<(), ValidationError> {
    if crate::exchange::is_code(ticker) { Ok(()) } else { refuse("ticker_malformed") }
}

/// Statistics need the square of a price.
fn is_price(price: &Decimal) -> Result<(), ValidationError> {
    if *price <= Decimal::ZERO {
        return refuse("price_not_positive");
    }
    if price.checked_mul(*price).is_some() { Ok(()) } else { refuse("price_too_large") }
}

fn is_quantity(quantity: &Decimal) -> Result<(), ValidationError> {
    if *quantity > Decimal::ZERO { Ok(()) } else { refuse("quantity_not_positive") }
}

fn times_are_plausible(tick: &Tick) -> Result<(), ValidationError> {
    implausible(tick.time(), tick.received_at).map_or(Ok(()), refuse)
}

/// Why nothing can have happened at `time` and been received then, if so. No trade is older than the first coin, and none
/// happens a day ahead of us: both mean a broken clock or unit.
pub(crate) fn implausible(time: DateTime<Utc>, received_at: DateTime<Utc>) -> Option<&'static str> {
    let first_block = Utc.timestamp_opt(1_230_940_800, 0).single().unwrap_or_default();
    if received_at < first_block || time < first_block {
        return Some("time_too_early");
    }
    (time.signed_duration_since(received_at) > TimeDelta::days(1)).then_some("time_in_future")
}

fn notional_fits(tick: &Tick) -> Result<(), ValidationError> {
    if tick.quote_volume().is_some() { Ok(()) } else { refuse("notional_too_large") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick() -> Tick {
        Tick {
            ticker: "BTCUSDT".into(),
            trade_id: Some(7),
            price: "64250.01".parse().unwrap(),
            quantity: Some("0.5".parse().unwrap()),
            taker_side: Some(Side::Sell),
            exchange_time: Some("2026-11-20T12:00:00.123456Z".parse().unwrap()),
            received_at: "2026-11-20T12:00:00.200Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_credible_tick_passes_and_survives_json() {
        let tick = tick();
        assert_eq!(tick.check(), Ok(()));
        let json = serde_json::to_string(&tick).unwrap();
        assert_eq!(json, r#"["BTCUSDT",7,"64250.01","0.5","sell",1795176000123456,1795176000200000]"#);
        assert_eq!(serde_json::from_str::<Tick>(&json).unwrap(), tick);
    }

    #[test]
    fn a_polled_price_needs_neither_trade_nor_time() {
        let polled = Tick { trade_id: None, quantity: None, taker_side: None, exchange_time: None, ..tick() };
        assert_eq!(polled.check(), Ok(()));
        assert_eq!(polled.time(), polled.received_at);
        let json = serde_json::to_string(&polled).unwrap();
        assert_eq!(serde_json::from_str::<Tick>(&json).unwrap(), polled);
    }

    #[test]
    fn each_implausible_tick_is_refused_with_its_reason() {
        let day = TimeDelta::days(1);
        for (reason, bad) in [
            ("price_not_positive", Tick { price: Decimal::ZERO, ..tick() }),
            ("price_not_positive", Tick { price: Decimal::NEGATIVE_ONE, ..tick() }),
            ("quantity_not_positive", Tick { quantity: Some(Decimal::ZERO), ..tick() }),
            ("trade_id_negative", Tick { trade_id: Some(-1), ..tick() }),
            ("ticker_malformed", Tick { ticker: "".into(), ..tick() }),
            ("ticker_malformed", Tick { ticker: "BTC USDT\n".into(), ..tick() }),
            ("ticker_malformed", Tick { ticker: "X".repeat(65).into(), ..tick() }),
            ("time_too_early", Tick { exchange_time: Some(DateTime::UNIX_EPOCH), ..tick() }),
            ("time_in_future", Tick { exchange_time: Some(tick().received_at + day + day), ..tick() }),
            ("price_too_large", Tick { price: Decimal::MAX, ..tick() }),
            ("notional_too_large", Tick { quantity: Some(Decimal::MAX), ..tick() }),
        ] {
            assert_eq!(bad.check().unwrap_err().reason, reason);
        }
    }

    #[test]
    fn rows_may_grow_and_columns_may_not_change() {
        let row = r#"["BTCUSDT",7,"64250.01","0.5","sell",1795176000123456,1795176000200000,"new",[1]]"#;
        assert_eq!(serde_json::from_str::<Tick>(row).unwrap(), tick());
        let batch = TickBatch::new("binance", TickSource::Stream, vec![tick()]);
        let json = serde_json::to_string(&batch).unwrap();
        assert_eq!(serde_json::from_str::<TickBatch>(&json).unwrap(), batch);
        let grown = json.replace(r#""received_at_us"]"#, r#""received_at_us","new"]"#);
        assert_eq!(serde_json::from_str::<TickBatch>(&grown).unwrap(), batch);
        let other = json.replace(r#""price","quantity""#, r#""quantity","price""#);
        let error = serde_json::from_str::<TickBatch>(&other).unwrap_err().to_string();
        assert!(error.contains("columns must begin with ticker, trade_id, price"), "{error}");
    }

    #[test]
    fn json_that_is_not_exact_is_refused() {
        for json in [
            r#"["BTCUSDT",null,64250.01,null,null,null,1795176000200000]"#,
            r#"["BTCUSDT",null,"1e3",null,null,null,1795176000200000]"#,
            r#"["BTCUSDT",null,"1",null,null,null]"#,
            r#"{"ticker":"BTCUSDT","price":"1","received_at_us":1795176000200000}"#,
        ] {
            assert!(serde_json::from_str::<Tick>(json).is_err(), "{json}");
        }
    }
}
