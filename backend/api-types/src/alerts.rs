//! Alerts: rules, what they fired for, and what they would have.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A decimal number: a JSON string or number, read digit for digit, and written as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(pub Decimal);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get().trim_matches('"');
        let number = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text));
        number.map(Self).map_err(|_| D::Error::custom("a decimal number is expected, such as \"70000.5\""))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.normalize())
    }
}

/// What a rule is to be. Which fields a kind takes is in docs/ALERTS.md; what is left out is as it is by default, or in a change
/// stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertRequest {
    /// `crosses`, `reaches`, `channel`, `moves`, `closes`, `volume`, `volatility`, `spread`, `stale`, `exchange_down` or `gap`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "crosses")]
    pub kind: Option<String>,
    /// The exchange. Where only a ticker is given, the one that is meant is looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "binance")]
    pub exchange: Option<String>,
    /// The pair, as the exchange spells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "BTCUSDT")]
    pub ticker: Option<String>,
    /// Instead of a pair: the name or code of a coin, for its price over all markets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coin: Option<String>,
    /// The other pair of a `spread`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_exchange: Option<String>,
    /// The other pair of a `spread`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_ticker: Option<String>,
    /// `up`, `down` or `either`; of a channel `enter` or `leave`; of `closes`, `up` is above and `down` below.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "up")]
    pub direction: Option<String>,
    /// The price that is crossed, reached or closed beyond.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "70000.5")]
    pub level: Option<Amount>,
    /// The level, as an earlier system called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "70000.5")]
    pub target_price: Option<Amount>,
    /// The lower edge of a channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "70000.5")]
    pub lower: Option<Amount>,
    /// Its upper edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "70000.5")]
    pub upper: Option<Amount>,
    /// By how much it moves, or two markets differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "70000.5")]
    pub change: Option<Amount>,
    /// Of what `change` is told: `percent` or `price`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Over how many minutes it looks back: 1 to 10080.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_minutes: Option<i64>,
    /// How much volume (units of the coin) or volatility (percent).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "70000.5")]
    pub threshold: Option<Amount>,
    /// For how many seconds nothing must come: 5 to 604800.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// The candles that count: `1m` to `1w`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bar: Option<String>,
    /// Whether every price counts (`tick`) or the last of each candle (`close`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluate: Option<String>,
    /// How often it fires: `once`, `once_per_bar` or `every_time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "once")]
    pub frequency: Option<String>,
    /// How long it rests after it fired, where it fires every time: 1 to 2592000, 300 where not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown_seconds: Option<i64>,
    /// By how much what it fired for must have passed before it fires again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "70000.5")]
    pub hysteresis: Option<Amount>,
    /// Whether trades that were fetched later, and others older than a minute, fire it; true where not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<bool>,
    /// When it ends; null for never.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub expires_at: Option<Option<DateTime<Utc>>>,
    /// What you want to be reminded of; null for nothing.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub note: Option<Option<String>>,
    /// The numbers of the channels that tell it; null for all active ones.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<i64>>)]
    pub channels: Option<Option<Vec<i64>>>,
    /// In a change: `paused`, or `created` to have it at work again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// Null is something else than nothing.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertRow {
    /// Its number.
    #[schema(example = 7)]
    pub id: i64,
    /// What it is about, as an earlier system told it: the pair in lower case, or the coin.
    #[schema(example = "btcusdt")]
    pub coin: Option<String>,
    /// The level as a number, as an earlier system told it.
    #[serde(serialize_with = "number", deserialize_with = "maybe_amount")]
    #[schema(value_type = Option<f64>, example = 70000)]
    pub target_price: Option<Amount>,
    /// `created` (at work), `paused`, `triggered` (it fired, and was to fire once), `expired` or `deleted`.
    #[schema(example = "created")]
    pub status: String,
    /// What it says.
    #[serde(flatten)]
    pub says: AlertSays,
    /// Whether it fires when it is met next.
    pub armed: bool,
    /// When that happened which it last fired for.
    pub last_fired_at: Option<DateTime<Utc>>,
    /// How often it fired.
    pub fired_count: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its owner last changed it.
    pub updated_at: DateTime<Utc>,
}

/// What a rule says: the fields of [`AlertRequest`] that its kind has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AlertSays {
    /// What it waits for.
    #[schema(example = "crosses")]
    pub kind: String,
    /// The exchange.
    #[schema(example = "binance")]
    pub exchange: Option<String>,
    /// The pair.
    #[schema(example = "BTCUSDT")]
    pub ticker: Option<String>,
    /// The other pair's exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_exchange: Option<String>,
    /// The other pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_ticker: Option<String>,
    /// Which way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "up")]
    pub direction: Option<String>,
    /// The price.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "70000")]
    pub level: Option<Decimal>,
    /// The lower edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub lower: Option<Decimal>,
    /// The upper edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub upper: Option<Decimal>,
    /// By how much.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub change: Option<Decimal>,
    /// Of what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Over how many minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_minutes: Option<i64>,
    /// How much.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub threshold: Option<Decimal>,
    /// For how many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// The candles that count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bar: Option<String>,
    /// Whether every price counts, or the last of each candle.
    #[schema(example = "tick")]
    pub evaluate: String,
    /// How often it fires.
    #[schema(example = "once")]
    pub frequency: String,
    /// How long it rests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown_seconds: Option<i64>,
    /// By how much what it fired for must have passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub hysteresis: Option<Decimal>,
    /// Whether trades that were fetched later fire it.
    pub late: bool,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// What its owner wrote to it.
    pub note: Option<String>,
    /// The channels that tell it; null for all.
    pub channels: Option<Vec<i64>>,
}

pub(crate) fn number<S: Serializer>(amount: &Option<Amount>, serializer: S) -> Result<S::Ok, S::Error> {
    let raw = amount.and_then(|Amount(amount)| RawValue::from_string(amount.normalize().to_string()).ok());
    raw.serialize(serializer)
}

pub(crate) fn maybe_amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Amount>, D::Error> {
    Option::deserialize(deserializer)
}

/// A part of an account's rules, in the form of an earlier system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertPage {
    /// How many there are.
    pub count: i64,
    /// Where the next page is.
    pub next: Option<String>,
    /// Where the page before is.
    pub previous: Option<String>,
    /// The rules of this page, newest first.
    pub results: Vec<AlertRow>,
}

/// A state that a rule came into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertState {
    /// When.
    pub at: DateTime<Utc>,
    /// Which.
    #[schema(example = "created")]
    pub status: String,
}

/// A time that a rule fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FiringRow {
    /// Its number.
    #[schema(example = 12)]
    pub id: i64,
    /// The rule's.
    #[schema(example = 7)]
    pub alert: i64,
    /// When that happened which it fired for.
    pub happened_at: DateTime<Utc>,
    /// When it was noticed.
    pub noticed_at: DateTime<Utc>,
    /// Whether it was noticed late: the trade was fetched later, or was older than a minute.
    pub late: bool,
    /// What happened.
    #[schema(example = "BTCUSDT (binance) rose through 70000: 70000.1")]
    pub said: String,
    /// The price, volume, volatility or difference that fired it.
    #[schema(value_type = Option<String>, example = "70000.1")]
    pub price: Option<Decimal>,
    /// What that was compared with.
    #[schema(value_type = Option<String>, example = "69999.9")]
    pub reference: Option<Decimal>,
    /// The number of the trade.
    pub trade_id: Option<i64>,
}

/// What a rule would have fired for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertPreview {
    /// From when on was looked.
    pub from: DateTime<Utc>,
    /// Until when.
    pub to: DateTime<Utc>,
    /// What was looked at: `tick`, every stored price; or `minute`, the four prices of each one-minute candle, in the likelier order.
    #[schema(example = "tick")]
    pub resolution: String,
    /// How many prices that were.
    pub prices: i64,
    /// How often it would have fired.
    pub count: i64,
    /// The first 100 of these.
    pub firings: Vec<PreviewedFiring>,
}

/// A time at which a rule would have fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreviewedFiring {
    /// When.
    pub happened_at: DateTime<Utc>,
    /// What would have been said.
    pub said: String,
    /// At which price.
    #[schema(value_type = String)]
    pub price: Decimal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_digit_for_digit_from_numbers_and_texts() {
        for (json, digits) in [
            (r#"{"level": 70000.10}"#, "70000.1"),
            (r#"{"level": "0.000000012345678901"}"#, "0.000000012345678901"),
            (r#"{"level": 1e3}"#, "1000"),
        ] {
            let read: AlertRequest = serde_json::from_str(json).unwrap();
            assert_eq!(read.level.unwrap().0.to_string().parse::<Decimal>().unwrap(), digits.parse().unwrap());
            assert_eq!(serde_json::to_string(&read.level).unwrap(), format!("\"{digits}\""));
        }
        for wrong in [r#"{"level": "much"}"#, r#"{"level": []}"#, r#"{"level": ""}"#, r#"{"level": "1\"2"}"#] {
            assert!(serde_json::from_str::<AlertRequest>(wrong).is_err(), "{wrong}");
        }
        let row = AlertRow {
            id: 7,
            coin: None,
            target_price: Some(Amount("70000.10".parse().unwrap())),
            status: "created".into(),
            says: AlertSays { level: Some("70000.1".parse().unwrap()), ..AlertSays::default() },
            armed: true,
            last_fired_at: None,
            fired_count: 0,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        };
        let json = serde_json::to_string(&row).unwrap();
        assert!(json.contains(r#""target_price":70000.1,"#) && json.contains(r#""level":"70000.1""#), "{json}");
        assert_eq!(serde_json::from_str::<AlertRow>(&json).unwrap(), row);
        let nothing: AlertRequest = serde_json::from_str(r#"{"note": null}"#).unwrap();
        assert_eq!((nothing.note, nothing.expires_at), (Some(None), None));
    }
}
