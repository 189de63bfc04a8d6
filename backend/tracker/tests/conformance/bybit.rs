//! Bybit, version 5 of its interface: spot and, since their frames have the same shape, derivatives.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::Value;
use tracker::{
    exchange::Exchange as _,
    exchanges::{Connect as _, bybit::Bybit},
};

use crate::{Venue, answers::serve, recording};

/// Topics of version 2, or that only a test knows.
const OTHER_VERSIONS: [&str; 6] = ["trade.", "orderBook", "klineV2.", "candle.", "instrument_info.", "unhandled"];

pub(crate) const VENUE: Venue = Venue {
    name: "bybit",
    readers: || crate::readers_of(&Bybit::connect(&crate::settings().addresses.bybit).unwrap()),
    is_recorded_in: |name| {
        let file = name.rsplit('/').next().unwrap_or(name);
        (name.contains("/bybit/test") && file.starts_with("ws"))
            || file.starts_with("bybit.ws.")
            || file == "bybit.jsonl"
    },
    is_foreign: |frame| {
        let topic = frame.split_once(r#""topic":"#).map_or("", |(_, rest)| rest.trim_start().trim_start_matches('"'));
        if OTHER_VERSIONS.iter().any(|other| topic.starts_with(other)) || frame.contains(r#""request":{"#) {
            Some("another version")
        } else if ["retCode", "ret_code", r#"{"list""#].iter().any(|part| frame.contains(part))
            || frame.starts_with('[')
        {
            Some("REST and orders")
        } else {
            ["pewpewpew", r#"{"reqId""#].iter().any(|part| frame.contains(part)).then_some("made up by a test")
        }
    },
    least_trades: 1,
};

/// Bybit at an address where every question is answered with a recorded answer, and what that lists.
fn that_answers(file: &recording::Recording) -> (Bybit, Vec<Value>) {
    let mut settings = crate::settings().addresses.bybit;
    settings.bybit_rest_url = serve(file.text());
    let answer: Value = serde_json::from_str(&file.text()).unwrap();
    (Bybit::connect(&settings).unwrap(), answer["result"]["list"].as_array().unwrap().clone())
}

fn number(value: &Value) -> Decimal {
    value.as_str().unwrap().parse::<Decimal>().unwrap().normalize()
}

fn moment(value: &Value) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(value.as_str().unwrap().parse().unwrap()).unwrap()
}

#[tokio::test]
async fn recorded_answers_of_bybit_are_read_to_the_last_digit() {
    let Some(files) = recording::all() else { return };
    let mut checks = 0;
    for file in files.iter().filter(|file| file.name.contains("/bybit/test_data/http_get")) {
        let name = file.name.rsplit('/').next().unwrap();
        let ticker = "BTCUSDT".into();
        if name.starts_with("http_get_instruments_spot") {
            let (bybit, rows) = that_answers(file);
            let listed = bybit.catalogue().await.unwrap();
            let expected =
                rows.iter().map(|row| ["symbol", "baseCoin", "quoteCoin"].map(|key| row[key].as_str().unwrap()));
            let told = listed.iter().map(|one| [&one.ticker, &one.base, &one.quote].map(|part| part.as_str()));
            assert!(told.eq(expected), "{listed:?}");
        } else if name == "http_get_trades_recent.json" {
            let (bybit, rows) = that_answers(file);
            let (from, to) = (moment(&rows[rows.len() - 1]["time"]), moment(&rows[0]["time"]));
            let span = bybit.recent().unwrap().trades(&ticker, from, to).await.unwrap();
            assert_eq!(span.ticks.len(), rows.len());
            for (tick, row) in span.ticks.iter().zip(rows.iter().rev()) {
                assert_eq!((tick.price, tick.quantity), (number(&row["price"]), Some(number(&row["size"]))));
                assert_eq!(tick.taker_side.unwrap().as_str(), row["side"].as_str().unwrap().to_lowercase());
                assert!(tick.time() == moment(&row["time"]) && tick.check().is_ok(), "{tick:?}");
            }
        } else if name == "http_get_klines_linear.json" {
            let (bybit, rows) = that_answers(file);
            let from = moment(&rows[rows.len() - 1][0]);
            let to = moment(&rows[0][0]) + TimeDelta::minutes(1);
            let minutes = bybit.minutes().unwrap().minutes(&ticker, from, to).await.unwrap();
            assert_eq!(minutes.len(), rows.len());
            for (minute, row) in minutes.iter().zip(rows.iter().rev()) {
                let told = [minute.open, minute.high, minute.low, minute.close, minute.volume, minute.quote_volume];
                assert_eq!(told.to_vec(), (1..7).map(|place| number(&row[place])).collect::<Vec<_>>());
            }
        } else {
            continue;
        }
        checks += 1;
    }
    assert_eq!(checks, 4);
}
