use reqwest::header::{self, HeaderName};
use serde_json::Value;

use crate::server::{TestServer, settings, start, start_with};

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// One request a second, ten at once.
async fn slow(trust_proxy: bool) -> TestServer {
    start_with(api::Settings { api_rate_limit: 1, api_trust_proxy: trust_proxy, ..settings() }, 4).await
}

async fn status(server: &TestServer, path: &str, forwarded: &str) -> u16 {
    server.response_to(path, &[(FORWARDED, forwarded)]).await.status().as_u16()
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_come_again() {
    let server = slow(false).await;
    for asked in 1..=10 {
        let response = server.response("/exchanges").await;
        assert_eq!(response.status(), 200, "{asked}");
        assert_eq!(response.headers()["ratelimit-policy"], r#""address";q=10;w=10"#);
        let left = response.headers()["ratelimit"].to_str().unwrap().to_owned();
        assert!(left.starts_with(r#""address";r="#) && left.contains(";t="), "{left}");
    }
    // One comes back each second, so that a slow machine may see one or two more.
    let mut refused = server.response("/exchanges").await;
    for _ in 0..100 {
        if refused.status() == 429 {
            break;
        }
        refused = server.response("/exchanges").await;
    }
    assert_eq!(refused.status(), 429);
    let headers = refused.headers().clone();
    assert_eq!(headers[header::RETRY_AFTER], "1");
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(headers["ratelimit"], r#""address";r=0;t=10"#);
    let problem: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!((&problem["code"], &problem["status"]), (&"rate_limited".into(), &429.into()));
    let mut statuses = Vec::new();
    for path in ["/no/such/route", "/live", "/live/events", "/openapi.json", "/"] {
        statuses.push(status(&server, path, "").await);
    }
    assert!(statuses.iter().filter(|status| **status == 429).count() >= 3, "{statuses:?}");
    for path in ["/health/live", "/health/ready", "/metrics"] {
        for _ in 0..20 {
            let response = server.response(path).await;
            assert_ne!(response.status(), 429, "{path}");
            assert!(!response.headers().contains_key("ratelimit"), "{path}");
        }
    }
    let again = async {
        while status(&server, "/exchanges", "").await == 429 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), again).await.unwrap();
}

#[tokio::test]
async fn behind_a_proxy_each_of_its_clients_has_a_limit_of_its_own() {
    let server = slow(true).await;
    let exhausted = async |address: &str| {
        for _ in 0..100 {
            if status(&server, "/exchanges", address).await == 429 {
                return true;
            }
        }
        false
    };
    assert!(exhausted("203.0.113.1").await);
    assert_eq!(status(&server, "/exchanges", "203.0.113.2").await, 200);
    assert_eq!(
        status(&server, "/exchanges", "203.0.113.1, 203.0.113.3").await,
        200,
        "who names himself changes nothing"
    );
    assert!(exhausted("2001:db8::1").await);
    assert_ne!(status(&server, "/exchanges", "2001:db8:0:1::1").await, 429, "another network");
}

#[tokio::test]
async fn without_a_proxy_nobody_can_call_himself_another() {
    let server = slow(false).await;
    let mut refused = false;
    for number in 0..100 {
        refused |= status(&server, "/exchanges", &format!("203.0.113.{number}")).await == 429;
    }
    assert!(refused);
}

#[tokio::test]
async fn without_a_limit_nothing_is_counted() {
    let server = start().await;
    let response = server.response("/exchanges").await;
    assert!(!response.headers().contains_key("ratelimit-policy"));
}
