use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{health::wait_until, server::start};

/// What RFC 9457 asks for, and our own members beside it.
#[tokio::test]
async fn every_failure_is_a_problem_that_leads_to_its_explanation() {
    let server = start().await;
    wait_until(&server, 200).await;
    for (method, path, status, code) in [
        (Method::GET, "/candles/binance/BTCUSDT?limit=0", 400, "invalid_parameter"),
        (Method::GET, "/symbols?page=1", 400, "unknown_parameter"),
        (Method::GET, "/no/such/route", 404, "unknown_route"),
        (Method::GET, "/prices/binance/NOPE", 404, "unknown_ticker"),
        (Method::POST, "/prices", 405, "method_not_allowed"),
        (Method::GET, "/live", 426, "websocket_expected"),
    ] {
        let response = server.request(method, path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json", "{path}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "{path}");
        let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)), "{path}");
        let explained = server.data(problem["type"].as_str().unwrap()).await;
        assert_eq!((&explained["code"], &explained["title"]), (&problem["code"], &problem["title"]), "{path}");
        assert_eq!(explained["status"], problem["status"], "{path}");
    }
}

#[tokio::test]
async fn every_code_is_explained() {
    let server = start().await;
    let all = server.data("/problems").await;
    assert!(all.as_array().unwrap().len() > 15);
    for row in all.as_array().unwrap() {
        let code = row["code"].as_str().unwrap();
        assert_eq!(&server.data(&format!("/problems/{code}")).await, row);
        for word in ["title", "why", "remedy"] {
            assert!(row[word].as_str().is_some_and(|text| text.len() > 10), "{code}: {word}");
        }
    }
    let unknown = server.error("/problems/unknown_tickers", 404).await;
    assert_eq!(
        (&unknown["code"], &unknown["allowed"]),
        (&json!("unknown_problem"), &json!("unknown_ticker, unknown_alert, unknown_api_key"))
    );
}

#[tokio::test]
async fn a_failure_is_json_whatever_form_was_asked_for() {
    let server = start().await;
    let problem = server.error("/prices?format=csv&exchange=nyse", 404).await;
    assert_eq!(problem["code"], "unknown_exchange");
}
