//! What the live feed sends, one JSON object a WebSocket text message or an SSE `data:` line.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::FeedRow;

/// One message of the live feed, told apart by `type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveEvent {
    /// The newest price of a pair, and what was traded since the last message about that pair.
    Price(LivePrice),
    /// News of an exchange's feed.
    Feed(FeedRow),
}

/// The newest price of a pair, with everything that was traded since the previous message to this client folded in,
/// so that a chart stays exact although single trades are not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LivePrice {
    /// The exchange.
    #[schema(example = "binance")]
    pub exchange: String,
    /// The pair.
    #[schema(example = "BTCUSDT")]
    pub ticker: String,
    /// The newest price.
    #[schema(value_type = String, example = "64250.01")]
    pub price: Decimal,
    /// When it was made: the exchange's time, or ours where it gives none.
    pub time: DateTime<Utc>,
    /// When it reached the tracker.
    pub received_at: DateTime<Utc>,
    /// How it came: `stream` or `poll`.
    #[schema(example = "stream")]
    pub source: String,
    /// Open of the one-minute candles touched since the previous message: each with the part that is new.
    pub minutes: Vec<LiveMinute>,
}

/// What one minute gained since the previous message about its pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveMinute {
    /// Where the minute begins.
    pub open_time: DateTime<Utc>,
    /// First new price.
    #[schema(value_type = String, example = "64250.01")]
    pub open: Decimal,
    /// Highest new price.
    #[schema(value_type = String, example = "64250.01")]
    pub high: Decimal,
    /// Lowest new price.
    #[schema(value_type = String, example = "64250.01")]
    pub low: Decimal,
    /// Last new price.
    #[schema(value_type = String, example = "64250.01")]
    pub close: Decimal,
    /// New units of the base that changed hands.
    #[schema(value_type = String, example = "0.25")]
    pub volume: Decimal,
    /// New units of the quote that changed hands.
    #[schema(value_type = String, example = "16062.5")]
    pub quote_volume: Decimal,
    /// New trades.
    pub trades: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_its_type_and_reads_back() {
        let time = "2026-11-20T12:00:00Z".parse().unwrap();
        let event = LiveEvent::Price(LivePrice {
            exchange: "binance".into(),
            ticker: "BTCUSDT".into(),
            price: "64250.01".parse().unwrap(),
            time,
            received_at: time,
            source: "stream".into(),
            minutes: vec![],
        });
        let json = serde_json::to_string(&event).unwrap();
        assert!(
            json.starts_with(r#"{"type":"price","exchange":"binance","ticker":"BTCUSDT","price":"64250.01""#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<LiveEvent>(&json).unwrap(), event);
    }
}
