//! Where trades are missing.

use std::collections::BTreeMap;

use api_types::GapRow;

use super::TickerKey;

/// A span of time in which trades of one ticker are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hole {
    /// Second in which it begins.
    pub from: i64,
    /// Second in which it ends.
    pub to: i64,
    /// How many trades are missing.
    pub missing: i64,
    /// Why, in the API's word for it.
    cause: String,
    /// Whether the exchange does not give them any more.
    is_final: bool,
}

impl Hole {
    /// What is to be said of it.
    pub(crate) fn words(&self) -> String {
        let trades = if self.missing == 1 { "1 trade is".to_owned() } else { format!("{} trades are", self.missing) };
        let cause = match self.cause.as_str() {
            "tracker_stopped" => "the tracker did not run",
            "disconnected" => "the connection was lost",
            "skipped" => "the exchange left them out",
            "silence" => "the stream fell silent",
            "queue_full" => "the queue was full",
            other => other,
        };
        let end = if self.is_final { "the exchange does not give them any more" } else { "they are being fetched" };
        format!("{trades} missing: {cause}; {end}")
    }

    /// Whether it touches this span of seconds.
    pub(crate) fn touches(&self, from: f64, to: f64) -> bool {
        self.from as f64 <= to && self.to as f64 >= from
    }
}

/// By ticker, in the order of the answer.
pub(super) fn by_ticker(rows: Vec<GapRow>) -> BTreeMap<TickerKey, Vec<Hole>> {
    let mut holes: BTreeMap<TickerKey, Vec<Hole>> = BTreeMap::new();
    for row in rows {
        let hole = Hole {
            from: row.from.unwrap_or(row.found_at).timestamp(),
            to: row.to.unwrap_or(row.updated_at).timestamp(),
            missing: row.missing,
            is_final: row.state == "unfillable",
            cause: row.cause,
        };
        holes.entry(TickerKey::new(&row.exchange, &row.ticker)).or_default().push(hole);
    }
    holes
}
