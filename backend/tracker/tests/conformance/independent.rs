//! The same files, read by a program in another language: `reading.py`, with a file for each venue.

use std::{path::Path, process::Command};

use domain::{Side, Tick};
use rust_decimal::Decimal;

use crate::recording::Recording;

/// A trade, as both programs tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trade {
    ticker: String,
    id: Option<i64>,
    price: Decimal,
    quantity: Decimal,
    side: Side,
    time_us: i64,
}

impl Trade {
    /// What the connector read.
    pub(crate) fn of(tick: &Tick) -> Self {
        Self {
            ticker: tick.ticker.to_string(),
            id: tick.trade_id,
            price: tick.price,
            quantity: tick.quantity.unwrap(),
            side: tick.taker_side.unwrap(),
            time_us: tick.time().timestamp_micros(),
        }
    }

    /// A line of the other program: ticker, id, price, quantity, side, microseconds.
    fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        let [ticker, id, price, quantity, side, time_us] = fields[..] else { panic!("not a trade: {line:?}") };
        let decimal = |text: &str| text.parse::<Decimal>().unwrap_or_else(|error| panic!("{line:?}: {error}"));
        Self {
            ticker: ticker.to_owned(),
            id: (!id.is_empty()).then(|| id.parse().unwrap_or_else(|error| panic!("{line:?}: {error}"))),
            price: decimal(price).normalize(),
            quantity: decimal(quantity).normalize(),
            side: if side == "buy" { Side::Buy } else { Side::Sell },
            time_us: time_us.parse().unwrap(),
        }
    }
}

/// The trades of each file.
pub(crate) fn read(venue: &str, files: &[&Recording]) -> Vec<Vec<Trade>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/reading.py");
    let paths = files.iter().map(|file| file.path.as_os_str());
    let ran = Command::new("python3").arg("-B").arg(script).arg(venue).args(paths).output();
    let ran = ran.expect("python3 reads the recordings too: install it, or unset RECORDINGS_DIR");
    assert!(ran.status.success(), "{venue}: {}", String::from_utf8_lossy(&ran.stderr));
    let printed = String::from_utf8(ran.stdout).unwrap();
    let mut of_files: Vec<Vec<Trade>> = Vec::new();
    for line in printed.lines() {
        match of_files.last_mut() {
            _ if line == "file" => of_files.push(Vec::new()),
            Some(trades) => trades.push(Trade::parse(line)),
            None => panic!("a trade of no file: {line:?}"),
        }
    }
    assert_eq!(of_files.len(), files.len());
    of_files
}
