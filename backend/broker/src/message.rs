//! The envelope: what a message looks like on the wire.
//!
//! JSON, so that a consumer in any language can read it: `{"version":1,"kind":"ticks","body":{…}}`. A new field in a
//! body is not a new version; a changed meaning is. docs/MESSAGES.md describes every body.

use std::fmt;

use domain::{Catalogue, FeedStatus, GapReport, ListingReport, MarketReport, MinuteReport, RateReport, TickBatch};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;
use smol_str::SmolStr;

/// The version that this program writes, and the only one that it reads.
pub const VERSION: u16 = 1;

/// What can be said.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Prices.
    Ticks(TickBatch),
    /// What an exchange lists.
    Catalogue(Catalogue),
    /// Trades that are missing, and what became of them.
    Gaps(GapReport),
    /// What the exchange itself makes of minutes that are over.
    Minutes(MinuteReport),
    /// The last prices of a whole market, and what happened in 24 hours.
    Market(MarketReport),
    /// Half of a top list, as a service outside tells it.
    Listing(ListingReport),
    /// What currencies are worth, as a service outside tells it.
    Rates(RateReport),
    /// How a feed does. Passing news: never stored, lost when nobody listens.
    Feed(FeedStatus),
    /// That something was stored. Passing news too.
    Stored(Stored),
}

/// What a transaction has stored of one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Name of the exchange.
    pub exchange: SmolStr,
    /// How many ticks, pairs, gaps or candles it was given; those that were there before among them.
    pub rows: u64,
}

impl Message {
    /// The word that names its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ticks(_) => "ticks",
            Self::Catalogue(_) => "catalogue",
            Self::Gaps(_) => "gaps",
            Self::Minutes(_) => "minutes",
            Self::Market(_) => "market",
            Self::Listing(_) => "listing",
            Self::Rates(_) => "rates",
            Self::Feed(_) => "feed",
            Self::Stored(_) => "stored",
        }
    }

    /// The exchange that it is about; of a listing and of rates, who tells them.
    pub fn exchange(&self) -> &str {
        match self {
            Self::Ticks(batch) => &batch.exchange,
            Self::Catalogue(catalogue) => &catalogue.exchange.name,
            Self::Gaps(report) => &report.exchange,
            Self::Minutes(report) => &report.exchange,
            Self::Market(report) => &report.exchange,
            Self::Listing(report) => &report.source,
            Self::Rates(report) => &report.source,
            Self::Feed(status) => &status.exchange,
            Self::Stored(stored) => &stored.exchange,
        }
    }

    /// What follows the prefix in its routing key: `ticks.binance`.
    pub fn topic(&self) -> String {
        format!("{}.{}", self.kind(), self.exchange())
    }

    /// Writes it.
    ///
    /// # Errors
    /// Never in practice: every part of a message can be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        #[derive(Serialize)]
        struct Envelope<'a, T> {
            version: u16,
            kind: &'a str,
            body: &'a T,
        }
        fn write<T: Serialize>(kind: &str, body: &T, capacity: usize) -> Result<Vec<u8>, serde_json::Error> {
            let mut bytes = Vec::with_capacity(capacity);
            serde_json::to_writer(&mut bytes, &Envelope { version: VERSION, kind, body })?;
            Ok(bytes)
        }
        match self {
            Self::Ticks(body) => write(self.kind(), body, 128 + body.ticks.len() * 96),
            Self::Catalogue(body) => write(self.kind(), body, 128 + body.instruments.len() * 80),
            Self::Gaps(body) => write(self.kind(), body, 128 + body.gaps.len() * 320),
            Self::Minutes(body) => write(self.kind(), body, 192 + body.minutes.len() * 192),
            Self::Market(body) => write(self.kind(), body, 256 + body.rows.len() * 144),
            Self::Listing(body) => write(self.kind(), body, 128 + body.coins.len() * 40),
            Self::Rates(body) => write(self.kind(), body, 128 + body.rates.len() * 40),
            Self::Feed(body) => write(self.kind(), body, 512),
            Self::Stored(body) => write(self.kind(), body, 96),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the bytes are not a message of a known kind in the known version, with what is wrong and where.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(bytes).map_err(|error| DecodeError(error.to_string()))
    }
}

/// The bytes are no message that this program knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unreadable message: {0}")]
pub struct DecodeError(String);

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Version,
    Kind,
    Body,
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Ticks,
    Catalogue,
    Gaps,
    Minutes,
    Market,
    Listing,
    Rates,
    Feed,
    Stored,
}

/// Reads the body straight into its type when version and kind came before it, as we write them; a body that comes
/// first is kept as text until they are known.
struct EnvelopeVisitor;

impl<'de> de::Visitor<'de> for EnvelopeVisitor {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with version, kind and body")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let (mut version, mut kind, mut early_body, mut message) = (None, None, None, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::Version => version = Some(checked_version(map.next_value()?)?),
                Field::Kind => kind = Some(map.next_value::<Kind>()?),
                Field::Body => match (version, kind) {
                    (Some(_), Some(Kind::Ticks)) => message = Some(Message::Ticks(map.next_value()?)),
                    (Some(_), Some(Kind::Catalogue)) => message = Some(Message::Catalogue(map.next_value()?)),
                    (Some(_), Some(Kind::Gaps)) => message = Some(Message::Gaps(map.next_value()?)),
                    (Some(_), Some(Kind::Minutes)) => message = Some(Message::Minutes(map.next_value()?)),
                    (Some(_), Some(Kind::Market)) => message = Some(Message::Market(map.next_value()?)),
                    (Some(_), Some(Kind::Listing)) => message = Some(Message::Listing(map.next_value()?)),
                    (Some(_), Some(Kind::Rates)) => message = Some(Message::Rates(map.next_value()?)),
                    (Some(_), Some(Kind::Feed)) => message = Some(Message::Feed(map.next_value()?)),
                    (Some(_), Some(Kind::Stored)) => message = Some(Message::Stored(map.next_value()?)),
                    _ => early_body = Some(map.next_value::<&'de RawValue>()?),
                },
                Field::Unknown => {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        version.ok_or_else(|| de::Error::missing_field("version"))?;
        let kind = kind.ok_or_else(|| de::Error::missing_field("kind"))?;
        match (message, early_body) {
            (Some(message), _) => Ok(message),
            (None, Some(body)) => read_body(kind, body.get()).map_err(de::Error::custom),
            (None, None) => Err(de::Error::missing_field("body")),
        }
    }
}

fn checked_version<E: de::Error>(version: u64) -> Result<u64, E> {
    if version == u64::from(VERSION) {
        Ok(version)
    } else {
        Err(E::custom(format_args!("version {version} is not known; this program reads version {VERSION}")))
    }
}

fn read_body(kind: Kind, body: &str) -> Result<Message, serde_json::Error> {
    Ok(match kind {
        Kind::Ticks => Message::Ticks(serde_json::from_str(body)?),
        Kind::Catalogue => Message::Catalogue(serde_json::from_str(body)?),
        Kind::Gaps => Message::Gaps(serde_json::from_str(body)?),
        Kind::Minutes => Message::Minutes(serde_json::from_str(body)?),
        Kind::Market => Message::Market(serde_json::from_str(body)?),
        Kind::Listing => Message::Listing(serde_json::from_str(body)?),
        Kind::Rates => Message::Rates(serde_json::from_str(body)?),
        Kind::Feed => Message::Feed(serde_json::from_str(body)?),
        Kind::Stored => Message::Stored(serde_json::from_str(body)?),
    })
}

#[cfg(test)]
mod tests {
    use domain::{
        Exchange, FeedState, Half, Instrument, InstrumentStatus, ListedCoin, MarketRow, Rate, Side, Tick, TickSource,
    };

    use super::*;

    fn ticks() -> Message {
        Message::Ticks(TickBatch::new(
            "binance",
            TickSource::Stream,
            vec![Tick {
                ticker: "BTCUSDT".into(),
                trade_id: Some(3),
                price: "64250.01".parse().unwrap(),
                quantity: Some("0.5".parse().unwrap()),
                taker_side: Some(Side::Buy),
                exchange_time: Some("2026-11-20T12:00:00.123Z".parse().unwrap()),
                received_at: "2026-11-20T12:00:00.200Z".parse().unwrap(),
            }],
        ))
    }

    #[test]
    fn every_kind_reads_back() {
        let catalogue = Message::Catalogue(Catalogue {
            exchange: Exchange { name: "binance".into(), country: None },
            instruments: vec![Instrument {
                ticker: "BTCUSDT".into(),
                base: "BTC".into(),
                quote: "USDT".into(),
                status: InstrumentStatus::Trading,
                steps: domain::Steps::default(),
            }],
            taken_at: Some("2026-11-20T12:00:00Z".parse().unwrap()),
            numbers_trades: true,
        });
        let market = Message::Market(MarketReport::new(
            "binance",
            vec![MarketRow {
                ticker: "BTCUSDT".into(),
                price: "64250.01".parse().unwrap(),
                open_24h: Some("64000".parse().unwrap()),
                high_24h: None,
                low_24h: None,
                volume_24h: Some("0.5".parse().unwrap()),
                quote_volume_24h: None,
                exchange_time: None,
                received_at: "2026-11-20T12:00:00.200Z".parse().unwrap(),
            }],
        ));
        let feed = Message::Feed(FeedStatus {
            exchange: "binance".into(),
            state: FeedState::Waiting,
            since: "2026-11-20T12:00:00Z".parse().unwrap(),
            reported_at: "2026-11-20T12:00:00Z".parse().unwrap(),
            detail: Some("connection refused".into()),
            next_try_at: None,
            last_tick_at: None,
            reconnects: 0,
            ticks: 0,
            ticks_last_minute: 0,
            rejected: 0,
            clock_ahead_ms: None,
            queued: Some(3),
        });
        let stored = Message::Stored(Stored { exchange: "binance".into(), rows: 3 });
        let listing = Message::Listing(ListingReport {
            source: "coinmarketcap".into(),
            half: Half::Prices,
            at: "2026-11-20T12:00:02Z".parse().unwrap(),
            coins: vec![ListedCoin { id: 1, symbol: "BTC".into(), price: Some("64250.01".parse().unwrap()) }],
        });
        assert_eq!(listing.topic(), "listing.coinmarketcap");
        let rate = Rate { day: "2026-11-20".parse().unwrap(), quote: "USD".into(), rate: "1.1592".parse().unwrap() };
        let rates = Message::Rates(RateReport {
            source: "frankfurter".into(),
            at: "2026-11-20T16:00:02Z".parse().unwrap(),
            base: "EUR".into(),
            rates: vec![rate],
        });
        assert_eq!(rates.topic(), "rates.frankfurter");
        for message in [ticks(), catalogue, market, listing, rates, feed, stored] {
            assert_eq!(Message::decode(&message.encode().unwrap()).unwrap(), message);
        }
    }

    #[test]
    fn the_wire_form_is_the_documented_one() {
        let json = String::from_utf8(ticks().encode().unwrap()).unwrap();
        assert_eq!(
            json,
            r#"{"version":1,"kind":"ticks","body":{"exchange":"binance","source":"stream","columns":["ticker","trade_id","price","quantity","taker_side","exchange_time_us","received_at_us"],"ticks":[["BTCUSDT",3,"64250.01","0.5","buy",1795176000123000,1795176000200000]]}}"#
        );
    }

    #[test]
    fn the_order_of_fields_and_new_fields_do_not_matter() {
        let Message::Ticks(batch) = ticks() else { unreachable!() };
        let body = serde_json::to_string(&batch).unwrap();
        let json = format!(r#"{{"body":{body},"trace":"x","kind":"ticks","version":1}}"#);
        assert_eq!(Message::decode(json.as_bytes()).unwrap(), ticks());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (bytes, said) in [
            (&b""[..], "EOF"),
            (b"\xff\xfe", "expected value"),
            (b"[]", "an object with version, kind and body"),
            (br#"{"version":2,"kind":"ticks","body":{}}"#, "this program reads version 1"),
            (br#"{"version":1,"kind":"gossip","body":{}}"#, "unknown variant `gossip`"),
            (br#"{"version":1,"kind":"ticks"}"#, "missing field `body`"),
            (
                br#"{"version":1,"kind":"ticks","body":{"exchange":"x","source":"stream","ticks":[{}]}}"#,
                "a row of ticker, trade_id",
            ),
        ] {
            let error = Message::decode(bytes).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
