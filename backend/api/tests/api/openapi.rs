use std::collections::BTreeSet;

use serde_json::Value;

use crate::server::start;

/// Each documented path with its documented examples in it.
fn examples(document: &Value) -> Vec<(String, String, Vec<String>)> {
    let mut all = Vec::new();
    let all_paths = document["paths"].as_object().unwrap();
    // Those that are somebody's own are asked for in accounts.rs.
    for (pattern, item) in
        all_paths.iter().filter(|(_, item)| item["get"].is_object() && item["get"]["security"].is_null())
    {
        let (mut path, mut names) = (pattern.clone(), Vec::new());
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            assert!(parameter["description"].as_str().is_some_and(|text| !text.is_empty()), "{pattern}: {name}");
            match parameter["in"].as_str() {
                Some("path") => {
                    let example = parameter["example"].as_str().unwrap_or_else(|| panic!("{pattern}: {name}"));
                    path = path.replace(&format!("{{{name}}}"), &example.replace(' ', "%20"));
                }
                Some("query") => {
                    names.push(name.to_owned());
                    if parameter["required"] == true {
                        let example = parameter["example"].to_string();
                        let mark = if path.contains('?') { '&' } else { '?' };
                        path = format!("{path}{mark}{name}={}", example.trim_matches('"'));
                    }
                }
                Some("header") => assert_eq!(name, "if-none-match", "{pattern}"),
                other => panic!("{pattern}: {other:?}"),
            }
        }
        all.push((pattern.clone(), path, names));
    }
    all
}

#[tokio::test]
async fn every_route_is_described_and_every_described_route_is_served() {
    let server = start().await;
    let (status, document) = server.get("/openapi.json").await;
    assert_eq!(status, 200);
    let described: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let served: BTreeSet<&str> = api::paths().into_iter().collect();
    assert_eq!(described, served);
    for (pattern, path, _) in examples(&document) {
        let response = server.response(&path).await;
        assert!([200, 404, 426, 503].contains(&response.status().as_u16()), "{path}: {}", response.status());
        if response.status() == 404 {
            let text = response.text().await.unwrap();
            let known = ["not_recorded", "unknown_dead_letter", "Data not found for the specified timestamp"];
            assert!(known.iter().any(|code| text.contains(code)), "{pattern}: {text}");
        }
    }
}

#[tokio::test]
async fn the_described_parameters_are_exactly_those_that_are_understood() {
    let server = start().await;
    let (_, document) = server.get("/openapi.json").await;
    for (pattern, path, names) in examples(&document) {
        // The top list ignores what it does not know, as the system did whose answers these were.
        if ["/health/live", "/health/ready", "/metrics", "/openapi.json", "/live", "/top"].contains(&pattern.as_str()) {
            continue;
        }
        let mark = if path.contains('?') { '&' } else { '?' };
        let error = server.error(&format!("{path}{mark}no_such_parameter=1"), 400).await;
        let allowed = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        assert_eq!(error["allowed"], allowed, "{pattern}");
    }
}

#[tokio::test]
async fn every_answer_has_a_schema_and_every_reference_leads_somewhere() {
    let document = serde_json::to_value(api::document()).unwrap();
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    for name in ["LiveEvent", "LivePrice", "FeedRow", "CandleRow", "Sparkline", "Problem"] {
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[tokio::test]
async fn the_documentation_can_be_read_without_the_internet() {
    let server = start().await;
    let page = server.response("/docs").await;
    assert_eq!(page.url().path(), "/docs/");
    let html = page.text().await.unwrap();
    assert!(html.contains("swagger-ui") && !html.contains("https://"), "{html}");
    assert_eq!(server.response("/docs/swagger-ui-bundle.js").await.status(), 200);
    let initializer = server.response("/docs/swagger-initializer.js").await.text().await.unwrap();
    assert!(initializer.contains("/openapi.json"), "{initializer}");
    assert!(server.data("/").await.as_array().unwrap().iter().any(|path| path == "/docs"));
}
