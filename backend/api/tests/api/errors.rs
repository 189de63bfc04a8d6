use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::server::start;

/// Nothing that a client sends may break anything: always a 4xx that says why, in JSON.
#[tokio::test]
async fn hostile_requests_are_refused_politely() {
    let server = start().await;
    let long = "A".repeat(3_000);
    let nested = "%25".repeat(200);
    let mut targets: Vec<String> = Vec::new();
    for evil in [
        "%00",
        "%0a",
        "%ff%fe",
        "%c3%28",
        "'",
        "''--",
        "%22",
        "%27%20OR%201=1--",
        "..%2f..%2fetc%2fpasswd",
        "%25s%25n",
        "%F0%9F%92%A9",
        "null",
        "-1",
        "0",
        "NaN",
        "99999999999999999999999999",
        "1e309",
        "%7B%7B7*7%7D%7D",
        "$(id)",
        "%E2%80%AE",
        "*",
        "%",
        "%zz",
        &long,
        &nested,
    ] {
        targets.extend([
            format!("/tickers/{evil}/binance"),
            format!("/tickers/bitcoin/{evil}"),
            format!("/price-history-minutes/{evil}/BTCUSDT"),
            format!("/price-history-minutes/1h/{evil}"),
            format!("/prices/{evil}/BTCUSDT"),
            format!("/prices/binance/{evil}"),
            format!("/candles/binance/{evil}"),
            format!("/ticks/{evil}/{evil}"),
            format!("/tickers?exchange={evil}"),
            format!("/tickers?recorded={evil}"),
            format!("/prices?exchange={evil}"),
            format!("/sparklines?exchange={evil}"),
            format!("/candles/binance/BTCUSDT?interval={evil}"),
            format!("/ticks/binance/BTCUSDT?cursor={evil}"),
            format!("/symbols?{evil}=1"),
            format!("/symbols?{evil}"),
            format!("/live/events?exchange=%00{evil}"),
            format!("/{evil}"),
        ]);
    }
    for (parameter, values) in [
        ("limit", &["0", "-1", "1001", "abc", "1.5", "99999999999999999999", "%00", "", "0x10", "1e3", "%2B-1"][..]),
        (
            "from",
            &[
                "",
                "abc",
                "%00",
                "-1",
                "99999999999999999999",
                "9223372036854775807",
                "2026-13-01T00:00:00Z",
                "10000-01-01T00:00:00Z",
            ],
        ),
        ("to", &["", "0", "abc", "%ff", "-62135596800", "99999999999999", "0001-01-01T00:00:00Z"]),
    ] {
        for value in values {
            for from in ["", "&from=1"] {
                let suffix = if parameter == "from" { "" } else { from };
                if parameter == "to" && *value == "0" && suffix.is_empty() {
                    continue;
                }
                targets.push(format!("/candles/binance/BTCUSDT?{parameter}={value}{suffix}"));
                targets.push(format!("/ticks/binance/BTCUSDT?{parameter}={value}{suffix}"));
            }
        }
    }
    for target in &targets {
        let (status, body) = server.raw(format!("{target} HTTP/1.1").as_bytes()).await;
        assert!((400..500).contains(&status), "{status} for {target}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{target}: {error}: {body}"));
        assert!(body["code"].is_string() && body["detail"].is_string(), "{target}: {body}");
    }
    assert!(targets.len() > 400);
}

/// What is not HTTP at all never reaches a handler; the connection says 4xx or ends.
#[tokio::test]
async fn what_is_not_http_does_no_harm() {
    let server = start().await;
    let long_header = [b"/symbols HTTP/1.1\r\nx: ".to_vec(), vec![b'x'; 200_000]].concat();
    for bytes in [
        &b"\xff\xfe\xfd"[..],
        b"/\x00 HTTP/1.1",
        b"/symbols HTTP/9.9",
        b"/symbols",
        b"//// HTTP/1.1\r\ncontent-length: -5",
        &long_header,
    ] {
        let (status, body) = server.raw(bytes).await;
        assert!(status == 0 || (400..500).contains(&status), "{status}: {body}");
    }
    assert_eq!(server.data("/exchanges").await.as_array().unwrap().len(), 3, "it still serves");
}

#[tokio::test]
async fn unknown_and_repeated_parameters_are_named() {
    let server = start().await;
    let error = server.error("/candles/binance/BTCUSDT?intervall=1h", 400).await;
    assert_eq!((&error["code"], &error["parameter"]), (&json!("unknown_parameter"), &json!("intervall")));
    assert_eq!(error["allowed"], "interval, tz, from, to, limit, fill, cursor, format");
    assert_eq!(server.error("/exchanges?page=2", 400).await["allowed"], "format");
    assert_eq!(server.error("/tickers?exchange=a&exchange=b", 400).await["code"], "repeated_parameter");
}

#[tokio::test]
async fn only_get_is_understood() {
    let server = start().await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE] {
        for path in ["/symbols", "/live", "/prices/binance/BTCUSDT", "/health/live"] {
            let response = server.request(method.clone(), path).await;
            assert_eq!(response.status(), 405, "{method} {path}");
            assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
            let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
            assert_eq!(body["code"], "method_not_allowed");
        }
    }
    let head = server.request(Method::HEAD, "/symbols").await;
    assert_eq!((head.status().as_u16(), head.text().await.unwrap()), (200, String::new()));
    assert_eq!(server.error("/symbols/", 404).await["code"], "unknown_route");
    assert_eq!(server.error("/docs/no-such-file", 404).await["code"], "unknown_route");
}

#[tokio::test]
async fn a_body_is_not_taken() {
    let server = start().await;
    for headers in ["content-length: 5", "content-length: 99999999999", "transfer-encoding: chunked"] {
        let (status, body) = server.raw(format!("/symbols HTTP/1.1\r\n{headers}").as_bytes()).await;
        assert_eq!(status, 413, "{body}");
        assert!(body.contains("body_not_allowed"), "{body}");
    }
}

#[tokio::test]
async fn browsers_of_any_origin_may_read() {
    let server = start().await;
    for path in ["/symbols", "/no/such/route", "/tickers/nothing/nowhere", "/metrics", "/docs/"] {
        let response = server.response(path).await;
        let headers = response.headers();
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*", "{path}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
    }
    let asked = server.request(Method::OPTIONS, "/prices").await;
    assert_eq!(asked.status(), 204);
    assert_eq!(asked.headers()[header::ACCESS_CONTROL_ALLOW_METHODS], "GET, HEAD, OPTIONS");
    assert_eq!(server.response("/prices").await.headers()[header::CACHE_CONTROL], "no-cache");
    assert_eq!(server.response("/health/live").await.headers()[header::CACHE_CONTROL], "no-store");
}
