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
    /// How many trades are missing, as far as that is known.
    pub missing: i64,
    /// Nobody knows how many are, if any.
    by_time: bool,
    /// Why, in the API's word for it.
    cause: String,
    /// Why they are not asked for any more, if so.
    given_up: Option<String>,
}

/// What is to be said of these holes together.
pub(crate) fn words(holes: &[&Hole]) -> Option<String> {
    let first = holes.first()?;
    let missing: i64 = holes.iter().map(|hole| hole.missing).sum();
    let trades = match missing {
        0 if first.by_time => "trades may be missing".to_owned(),
        1 => "1 trade is missing".to_owned(),
        many => format!("{many} trades are missing"),
    };
    let cause = match first.cause.as_str() {
        _ if holes.iter().any(|hole| hole.cause != first.cause) => "for several reasons",
        "tracker_stopped" => "the tracker did not run",
        "disconnected" => "the connection was lost",
        "skipped" => "the exchange left them out",
        "silence" => "the stream fell silent",
        "queue_full" => "the queue was full",
        other => other,
    };
    let end = match (holes.iter().all(|hole| hole.given_up.is_none()), &first.given_up) {
        (true, _) => "they are being fetched",
        (false, Some(reason)) => reason,
        (false, None) => "not all of them can be had",
    };
    Some(format!("{trades}: {cause}; {end}"))
}

impl Hole {
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
            to: row.to.unwrap_or(row.updated_at).max(row.from.unwrap_or(row.found_at)).timestamp(),
            missing: row.missing.unwrap_or(0),
            by_time: row.by_time,
            given_up: (row.state == "unfillable")
                .then(|| row.detail.unwrap_or_else(|| "the exchange does not give them".to_owned())),
            cause: row.cause,
        };
        holes.entry(TickerKey::new(&row.exchange, &row.ticker)).or_default().push(hole);
    }
    holes
}
