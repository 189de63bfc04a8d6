//! The whole market of an exchange at a glance: of each pair its last price and what happened in 24 hours.
//!
//! One meaning for every exchange: the 24 hours that end now, rolling, not a calendar day. `open_24h` is the price 24 hours
//! ago (of a pair listed since, its first), so that the change is last / open − 1; `volume_24h` is in units of the base,
//! `quote_volume_24h` in units of the quote. What an exchange does not tell is absent, never made up.
//!
//! Each row is the newest word about its pair and makes every earlier one worthless: rows may be left out, come twice, or come
//! late, and only the newest counts.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

use crate::{
    Rejection,
    columns::{self, Columns},
    decimal_text, tick,
};

/// How many pairs one report may tell of.
pub const MOST_ROWS: usize = 65_536;

/// One pair at one moment.
///
/// In JSON it is a row: its fields in the order of [`COLUMNS`], decimals as strings, null where there is nothing to say.
/// Elements behind them are ignored, so that a later version can add some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketRow {
    /// The exchange's own spelling of the pair.
    pub ticker: SmolStr,
    /// The last price: units of the quote for one unit of the base.
    pub price: Decimal,
    /// The price 24 hours ago.
    pub open_24h: Option<Decimal>,
    /// The highest price of the 24 hours.
    pub high_24h: Option<Decimal>,
    /// The lowest.
    pub low_24h: Option<Decimal>,
    /// Units of the base that changed hands in the 24 hours.
    pub volume_24h: Option<Decimal>,
    /// Units of the quote that changed hands.
    pub quote_volume_24h: Option<Decimal>,
    /// When the exchange says it was so: the end of the 24 hours; absent where it does not say. In JSON microseconds since 1970.
    pub exchange_time: Option<DateTime<Utc>>,
    /// When it reached us. In JSON microseconds since 1970.
    pub received_at: DateTime<Utc>,
}

/// The fields of a [`MarketRow`] as JSON names them, in their order.
pub const COLUMNS: [&str; 9] = [
    "ticker",
    "price",
    "open_24h",
    "high_24h",
    "low_24h",
    "volume_24h",
    "quote_volume_24h",
    "exchange_time_us",
    "received_at_us",
];

#[derive(Serialize, Deserialize)]
struct Row(
    SmolStr,
    #[serde(with = "decimal_text")] Decimal,
    #[serde(with = "decimal_text::option")] Option<Decimal>,
    #[serde(with = "decimal_text::option")] Option<Decimal>,
    #[serde(with = "decimal_text::option")] Option<Decimal>,
    #[serde(with = "decimal_text::option")] Option<Decimal>,
    #[serde(with = "decimal_text::option")] Option<Decimal>,
    #[serde(with = "chrono::serde::ts_microseconds_option")] Option<DateTime<Utc>>,
    #[serde(with = "chrono::serde::ts_microseconds")] DateTime<Utc>,
);

impl columns::Row for MarketRow {
    const COLUMNS: &'static [&'static str] = &COLUMNS;
}

impl Serialize for MarketRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Row(
            self.ticker.clone(),
            self.price,
            self.open_24h,
            self.high_24h,
            self.low_24h,
            self.volume_24h,
            self.quote_volume_24h,
            self.exchange_time,
            self.received_at,
        )
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MarketRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let row = columns::read::<Self, Row, D>(deserializer)?;
        let Row(ticker, price, open_24h, high_24h, low_24h, volume_24h, quote_volume_24h, exchange_time, received_at) =
            row;
        Ok(Self {
            ticker,
            price,
            open_24h,
            high_24h,
            low_24h,
            volume_24h,
            quote_volume_24h,
            exchange_time,
            received_at,
        })
    }
}

impl MarketRow {
    /// The moment under which the row is filed: the exchange's, or ours where it gives none.
    pub fn time(&self) -> DateTime<Utc> {
        self.exchange_time.unwrap_or(self.received_at)
    }

    /// Tells whether the row is credible.
    ///
    /// # Errors
    /// The first reason why it is not.
    pub fn check(&self) -> Result<(), Rejection> {
        let prices = [self.open_24h, self.high_24h, self.low_24h];
        let reason = if !crate::exchange::is_code(&self.ticker) {
            "ticker_malformed"
        } else if self.price <= Decimal::ZERO || prices.iter().flatten().any(|price| *price <= Decimal::ZERO) {
            "price_not_positive"
        } else if self.high_24h.zip(self.low_24h).is_some_and(|(high, low)| high < low) {
            "high_below_low"
        } else if [self.volume_24h, self.quote_volume_24h].iter().flatten().any(|volume| *volume < Decimal::ZERO) {
            "volume_negative"
        } else if let Some(reason) = tick::implausible(self.time(), self.received_at) {
            reason
        } else if self.received_at - self.time() > TimeDelta::days(1) {
            // Of 24 hours that ended long ago.
            "statistics_outdated"
        } else {
            return Ok(());
        };
        Err(Rejection { reason: Cow::Borrowed(reason) })
    }
}

/// Pairs of one exchange, each at most once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MarketReport {
    /// The exchange's name.
    pub exchange: SmolStr,
    /// Names the elements of the rows for whoever reads them; always [`COLUMNS`], perhaps with new ones behind.
    #[serde(default)]
    columns: Columns<MarketRow>,
    /// The pairs of which there is something new.
    pub rows: Vec<MarketRow>,
}

impl MarketReport {
    /// These rows of `exchange`.
    pub fn new(exchange: impl Into<SmolStr>, rows: Vec<MarketRow>) -> Self {
        Self { exchange: exchange.into(), columns: Columns::default(), rows }
    }

    /// What makes the report unfit for storing, if anything.
    pub fn mistake(&self) -> Option<String> {
        if !crate::exchange::is_name(&self.exchange) {
            return Some(format!("not the name of an exchange: {:?}", self.exchange));
        }
        if self.rows.len() > MOST_ROWS {
            return Some(format!("{} rows; a report has at most {MOST_ROWS}", self.rows.len()));
        }
        self.rows.iter().enumerate().find_map(|(index, row)| {
            let rejection = row.check().err()?;
            Some(format!("row {index} ({}): {}", row.ticker, rejection.reason))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row() -> MarketRow {
        let decimal = |text: &str| Some(text.parse().unwrap());
        MarketRow {
            ticker: "BTCUSDT".into(),
            price: "64250.01".parse().unwrap(),
            open_24h: decimal("64000"),
            high_24h: decimal("65000.5"),
            low_24h: decimal("63000"),
            volume_24h: decimal("12.5"),
            quote_volume_24h: decimal("803125.125"),
            exchange_time: Some("2026-11-20T12:00:00.123Z".parse().unwrap()),
            received_at: "2026-11-20T12:00:00.200Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_report_is_rows_under_names_and_survives_json() {
        let untold = MarketRow {
            open_24h: None,
            high_24h: None,
            low_24h: None,
            volume_24h: None,
            quote_volume_24h: None,
            exchange_time: None,
            ..row()
        };
        let report = MarketReport::new("binance", vec![row(), untold.clone()]);
        assert_eq!((report.mistake(), untold.time()), (None, untold.received_at));
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"exchange":"binance","columns":["ticker","price","open_24h","high_24h","low_24h","volume_24h","#,
                r#""quote_volume_24h","exchange_time_us","received_at_us"],"rows":["#,
                r#"["BTCUSDT","64250.01","64000","65000.5","63000","12.5","803125.125",1795176000123000,1795176000200000],"#,
                r#"["BTCUSDT","64250.01",null,null,null,null,null,null,1795176000200000]]}"#
            )
        );
        assert_eq!(serde_json::from_str::<MarketReport>(&json).unwrap(), report);
        let grown = json.replace("1795176000200000]", "1795176000200000,\"new\"]");
        assert_eq!(serde_json::from_str::<MarketReport>(&grown).unwrap(), report);
        let swapped = json.replace(r#""high_24h","low_24h""#, r#""low_24h","high_24h""#);
        let error = serde_json::from_str::<MarketReport>(&swapped).unwrap_err().to_string();
        assert!(error.contains("columns must begin with ticker, price, open_24h"), "{error}");
    }

    #[test]
    fn each_incredible_row_is_refused_with_its_reason() {
        let negative = Some(Decimal::NEGATIVE_ONE);
        let day = TimeDelta::days(1);
        for (reason, bad) in [
            ("ticker_malformed", MarketRow { ticker: "BTC USDT".into(), ..row() }),
            ("price_not_positive", MarketRow { price: Decimal::ZERO, ..row() }),
            ("price_not_positive", MarketRow { open_24h: Some(Decimal::ZERO), ..row() }),
            ("price_not_positive", MarketRow { low_24h: negative, ..row() }),
            ("high_below_low", MarketRow { high_24h: Some(Decimal::ONE), ..row() }),
            ("volume_negative", MarketRow { volume_24h: negative, ..row() }),
            ("volume_negative", MarketRow { quote_volume_24h: negative, ..row() }),
            ("time_too_early", MarketRow { exchange_time: Some(DateTime::UNIX_EPOCH), ..row() }),
            ("time_in_future", MarketRow { exchange_time: Some(row().received_at + day * 2), ..row() }),
            ("statistics_outdated", MarketRow { exchange_time: Some(row().received_at - day * 2), ..row() }),
        ] {
            assert_eq!(bad.check().unwrap_err().reason, reason);
            let mistake = MarketReport::new("binance", vec![row(), bad]).mistake().unwrap();
            assert!(mistake.contains("row 1") && mistake.contains(reason), "{mistake}");
        }
        assert!(MarketReport::new("Bin ance", Vec::new()).mistake().unwrap().contains("Bin ance"));
        assert!(MarketReport::new("binance", vec![row(); MOST_ROWS + 1]).mistake().unwrap().contains("65536"));
    }

    proptest! {
        #[test]
        fn every_credible_row_is_read_back_to_the_last_digit(
            price in 1i64..i64::MAX, scale in 0u32..19, volume in prop::option::of(0i64..i64::MAX), time_us in 0i64..86_400_000_000,
        ) {
            let exchange_time = Some(row().received_at - TimeDelta::microseconds(time_us));
            let volume_24h = volume.map(|volume| Decimal::new(volume, scale).normalize());
            let row = MarketRow { price: Decimal::new(price, scale).normalize(), volume_24h, exchange_time, ..row() };
            prop_assert_eq!(row.check(), Ok(()));
            prop_assert_eq!(serde_json::from_str::<MarketRow>(&serde_json::to_string(&row).unwrap()).unwrap(), row);
        }
    }
}
