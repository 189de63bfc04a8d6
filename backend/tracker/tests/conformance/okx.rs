//! OKX, version 5 of its interface: spot and, since their frames have the same shape, derivatives.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::Value;
use tracker::{
    exchange::Exchange as _,
    exchanges::{Connect as _, okx::Okx},
};

use crate::{Venue, answers::serve, recording};

pub(crate) const VENUE: Venue = Venue {
    name: "okx",
    readers: || crate::readers_of(&Okx::connect(&crate::settings().addresses.okx).unwrap()),
    is_recorded_in: |name| {
        let file = name.rsplit('/').next().unwrap_or(name);
        // Older files of OKEX hold version 3, compressed frame by frame.
        (name.contains("/okx/test") && file.starts_with("ws"))
            || (file.starts_with("okx") && name.ends_with(".jsonl"))
            || name.ends_with("2021-07-22_f60e8395/okex.ws.1.0.gz")
    },
    is_foreign: |frame| {
        if frame.contains(r#""table":"#) {
            Some("version 3")
        } else if frame.trim_start().starts_with('[') {
            Some("a part of a frame")
        } else {
            frame.starts_with(r#"{"code":"0""#).then_some("REST")
        }
    },
    least_trades: 40,
};

/// OKX at an address where every question is answered with this, and what that holds.
fn that_answers(body: &str) -> (Okx, Vec<Value>) {
    let mut settings = crate::settings().addresses.okx;
    settings.okx_rest_url = serve(body.to_owned());
    let answer: Value = serde_json::from_str(body).unwrap();
    (Okx::connect(&settings).unwrap(), answer["data"].as_array().unwrap().clone())
}

fn number(value: &Value) -> Decimal {
    value.as_str().unwrap().parse::<Decimal>().unwrap().normalize()
}

fn moment(value: &Value) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(value.as_str().unwrap().parse().unwrap()).unwrap()
}

async fn check_the_catalogue(body: &str) {
    let (okx, rows) = that_answers(body);
    let listed = okx.catalogue().await.unwrap();
    let expected = rows.iter().map(|row| ["instId", "baseCcy", "quoteCcy"].map(|key| row[key].as_str().unwrap()));
    let told = listed.iter().map(|one| [&one.ticker, &one.base, &one.quote].map(|part| part.as_str()));
    assert!(told.eq(expected), "{listed:?}");
    let trading = rows.iter().map(|row| row["state"] == "live");
    assert!(listed.iter().map(|one| one.status.as_str() == "trading").eq(trading));
}

#[tokio::test]
async fn recorded_answers_of_okx_are_read_to_the_last_digit() {
    let Some(files) = recording::all() else { return };
    let ticker = "BTC-USDT".into();
    let mut checks = 0;
    for file in &files {
        let name = file.name.rsplit_once("/okx/test_data/").map_or(file.name.as_str(), |(_, name)| name);
        if file.name.ends_with("2021-07-22_f60e8395/OKEX.0.gz") {
            let text = file.text();
            let answer = text.lines().find(|line| line.contains("instType=SPOT")).unwrap();
            check_the_catalogue(&answer[answer.find('{').unwrap()..]).await;
        } else if name == "http_get_instruments_spot.json" {
            check_the_catalogue(&file.text()).await;
        } else if name == "http_get_trades.json" {
            let (okx, rows) = that_answers(&file.text());
            let (from, to) = (moment(&rows[rows.len() - 1]["ts"]), moment(&rows[0]["ts"]));
            let span = okx.recent().unwrap().trades(&ticker, from, to).await.unwrap();
            assert_eq!(span.ticks.len(), rows.len());
            for (tick, row) in span.ticks.iter().zip(rows.iter().rev()) {
                assert_eq!((tick.price, tick.quantity), (number(&row["px"]), Some(number(&row["sz"]))));
                let said = (tick.trade_id.unwrap().to_string(), tick.taker_side.unwrap().as_str());
                assert_eq!(said, (row["tradeId"].as_str().unwrap().to_owned(), row["side"].as_str().unwrap()));
                assert!(tick.time() == moment(&row["ts"]) && tick.check().is_ok(), "{tick:?}");
            }
        } else if name.starts_with("http_get_candlesticks") {
            let (okx, mut rows) = that_answers(&file.text());
            rows.sort_by_key(|row| moment(&row[0]));
            let (from, to) = (moment(&rows[0][0]), moment(&rows[rows.len() - 1][0]) + TimeDelta::minutes(1));
            let minutes = okx.minutes().unwrap().minutes(&ticker, from, to).await.unwrap();
            assert_eq!(minutes.len(), rows.len());
            for (minute, row) in minutes.iter().zip(&rows) {
                let told = [minute.open, minute.high, minute.low, minute.close, minute.volume, minute.quote_volume];
                assert_eq!(told, [1, 2, 3, 4, 5, 7].map(|place: usize| number(&row[place])));
            }
        } else {
            continue;
        }
        checks += 1;
    }
    assert_eq!(checks, 5);
}
