use std::time::Duration;

use crate::server::start;

/// Waits until `/health/ready` answers with this status.
pub(crate) async fn wait_until(server: &crate::server::TestServer, status: u16) -> serde_json::Value {
    for _ in 0..200 {
        let (was, body) = server.get("/health/ready").await;
        if was == status {
            return body;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never {status}");
}

#[tokio::test]
async fn a_server_with_everything_it_needs_is_ready() {
    let server = start().await;
    assert_eq!(server.data("/health/live").await["status"], "live");
    let body = wait_until(&server, 200).await;
    assert_eq!(body["data"]["status"], "ready");
    let names: Vec<&str> =
        body["data"]["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["database", "live feed", "schema"]);
}

#[tokio::test]
async fn metrics_count_requests_by_route() {
    let server = start().await;
    server.data("/symbols").await;
    server.error("/candles/binance/NOPE", 404).await;
    server.error("/no/such/route", 404).await;
    let text = server.response("/metrics").await.text().await.unwrap();
    for expected in [
        r#"api_requests_total{method="GET",route="/symbols",status="200"}"#,
        r#"api_requests_total{method="GET",route="/candles/{exchange}/{ticker}",status="404"}"#,
        r#"api_requests_total{method="GET",route="none",status="404"}"#,
        "api_request_seconds_bucket",
        r#"api_database_connections{kind="open"}"#,
    ] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
}
