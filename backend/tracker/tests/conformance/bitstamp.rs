//! Bitstamp, version 2.

use tracker::exchanges::{Connect as _, bitstamp::Bitstamp};

use crate::Venue;

pub(crate) const VENUE: Venue = Venue {
    name: "bitstamp",
    readers: || crate::readers_of(&Bitstamp::connect(&crate::settings().addresses.bitstamp).unwrap()),
    is_recorded_in: |name| {
        let file = name.rsplit('/').next().unwrap_or(name);
        file.contains("bitstamp") && (file.contains(".ws.") || file.ends_with(".jsonl"))
    },
    is_foreign: |frame| {
        if frame.contains(r#""bts:subscribe""#) {
            return Some("what a client sends");
        }
        if frame.contains(r#""event": "data""#) && frame.contains(r#""channel": """#) {
            return Some("a test's own, without its channel");
        }
        (!frame.contains(r#""event""#)).then_some("answers of REST")
    },
    least_trades: 15,
};
