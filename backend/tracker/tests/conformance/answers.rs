//! Recorded answers to questions by REST.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
};

use chrono::Utc;
use rust_decimal::Decimal;
use serde_json::Value;
use tracker::{
    exchange::Exchange as _,
    exchanges::{Connect as _, binance::Binance},
};

use crate::{recording, settings};

/// Answers every request with this JSON.
pub(crate) fn serve(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
            while head.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).unwrap();
        }
    });
    address
}

#[tokio::test]
async fn every_recorded_day_of_a_pair_is_read_to_the_last_digit_and_left_out_when_it_is_long_over() {
    let Some(mut files) = recording::all() else { return };
    let names = ["/ticker_24hr_response.json", "/http_futures_market_ticker_24hr.json"];
    files.retain(|file| names.iter().any(|name| file.name.ends_with(name)));
    assert!(!files.is_empty());
    let mut days: Vec<Value> = files.iter().map(|file| serde_json::from_str(&file.text()).unwrap()).collect();
    let all = async |days: &[Value]| {
        let mut settings = settings();
        settings.addresses.binance.binance_rest_url = serve(Value::from(days).to_string());
        Binance::connect(&settings.addresses.binance).unwrap().market().unwrap().all().await.unwrap()
    };
    assert_eq!(all(&days).await, [], "they were recorded long ago");
    for day in &mut days {
        day["closeTime"] = Utc::now().timestamp_millis().into();
    }
    let rows = all(&days).await;
    assert_eq!(rows.len(), days.len());
    for (row, day) in rows.iter().zip(&days) {
        let number = |field: &str| day[field].as_str().unwrap().parse::<Decimal>().unwrap();
        assert_eq!((row.ticker.as_str(), row.price), (day["symbol"].as_str().unwrap(), number("lastPrice")));
        let prices = [row.open_24h, row.high_24h, row.low_24h].map(Option::unwrap);
        assert_eq!(prices, [number("openPrice"), number("highPrice"), number("lowPrice")]);
        assert_eq!(
            [row.volume_24h, row.quote_volume_24h].map(Option::unwrap),
            [number("volume"), number("quoteVolume")]
        );
        assert_eq!(row.time().timestamp_millis(), day["closeTime"].as_i64().unwrap());
        assert_eq!(row.check(), Ok(()));
    }
}
