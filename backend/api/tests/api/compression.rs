use std::io::Read as _;

use reqwest::header;
use serde_json::Value;

use crate::server::{BTCUSDT, TestServer, settings, start, start_with};

const CANDLES: &str = "/candles/binance/BTCUSDT?limit=200";

async fn filled() -> TestServer {
    let server = start_with(api::Settings { api_cache_ms: 60_000, ..settings() }, 4).await;
    let candles: Vec<_> = (1..60).map(|ago| (ago, "1.5", "2", "1", "1.75")).collect();
    server.minutes_ago(BTCUSDT, &candles).await;
    server
}

/// The body's length, its encoding and what it says.
async fn ask(server: &TestServer, path: &str, accept: &str) -> (usize, Option<String>, String) {
    let response = server.response_to(path, &[(header::ACCEPT_ENCODING, accept)]).await;
    assert_eq!(response.status(), 200, "{path} {accept}");
    assert!(response.headers()[header::VARY].to_str().unwrap().contains("accept-encoding"));
    let encoding = response.headers().get(header::CONTENT_ENCODING).map(|name| name.to_str().unwrap().to_owned());
    let body = response.bytes().await.unwrap();
    let text = match encoding.as_deref() {
        Some("gzip") => {
            let mut text = String::new();
            flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
            text
        }
        Some("zstd") => String::from_utf8(zstd::decode_all(&body[..]).unwrap()).unwrap(),
        _ => String::from_utf8(body.to_vec()).unwrap(),
    };
    (body.len(), encoding, text)
}

#[tokio::test]
async fn what_is_long_is_compressed_as_the_client_likes_it() {
    let server = filled().await;
    let (plain, _, expected) = ask(&server, CANDLES, "identity").await;
    assert!(plain > 5_000);
    for round in 0..2 {
        for (accept, encoding) in [
            ("gzip", Some("gzip")),
            ("zstd", Some("zstd")),
            ("gzip;q=0.5, zstd", Some("zstd")),
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("br", None),
            ("*;q=0.1, identity", None),
        ] {
            let (length, was, text) = ask(&server, CANDLES, accept).await;
            assert_eq!(was.as_deref(), encoding, "{accept}, round {round}");
            assert_eq!(text, expected, "{accept}");
            assert!(encoding.is_none() || length * 3 < plain, "{accept}: {length} of {plain}");
        }
    }
    let (_, encoding, csv) = ask(&server, &format!("{CANDLES}&format=csv"), "zstd").await;
    assert!(encoding.is_some() && csv.starts_with("open_time,"));
}

#[tokio::test]
async fn what_is_short_is_not() {
    let server = filled().await;
    assert_eq!(ask(&server, "/exchanges", "gzip, zstd").await.1, None);
}

#[tokio::test]
async fn the_description_is_compressed_too() {
    let server = start().await;
    let (length, encoding, text) = ask(&server, "/openapi.json", "gzip").await;
    assert_eq!(encoding.as_deref(), Some("gzip"));
    assert!(length * 3 < text.len() && serde_json::from_str::<Value>(&text).is_ok());
}

#[tokio::test]
async fn who_accepts_nothing_is_told() {
    let server = start().await;
    for path in ["/symbols", "/openapi.json"] {
        let response = server.response_to(path, &[(header::ACCEPT_ENCODING, "br, identity;q=0, *;q=0")]).await;
        assert_eq!(response.status(), 406, "{path}");
        let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(
            (problem["code"].as_str(), problem["allowed"].as_str()),
            (Some("not_acceptable"), Some("zstd, gzip, identity"))
        );
    }
}
