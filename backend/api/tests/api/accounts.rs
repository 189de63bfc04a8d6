//! Accounts by HTTP: logging in and out, tokens, keys, and what is refused.

use std::time::{Duration, Instant};

use api::Settings;
use database::accounts::{Change, Role};
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{TestServer, settings, start, start_with};

const PASSWORD: &str = "correct horse battery";

/// A server with these accounts, all of the same password.
pub(crate) async fn with(names: &[&str]) -> TestServer {
    let server = start().await;
    for name in names {
        add(&server, name).await;
    }
    server
}

pub(crate) async fn add(server: &TestServer, name: &str) {
    let password_hash = api::password::hash(PASSWORD).unwrap();
    let change = Change::Add { username: name.to_owned(), role: Role::User, email: None, password_hash };
    change.carry_out(&server.pool.get().await.unwrap()).await.unwrap();
}

/// Sends JSON, perhaps with a token. Returns the status and the JSON that came, or null.
pub(crate) async fn send(server: &TestServer, method: Method, path: &str, token: &str, body: Value) -> (u16, Value) {
    let mut headers = Vec::new();
    let bearer = format!("Bearer {token}");
    if !token.is_empty() {
        headers.push(("authorization", bearer.as_str()));
    }
    let (status, text) = server.send(method, path, &headers, (!body.is_null()).then_some(body)).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

pub(crate) async fn log_in(server: &TestServer, name: &str) -> (String, String) {
    let (status, body) =
        send(server, Method::POST, "/api/token", "", json!({"username": name, "password": PASSWORD})).await;
    assert_eq!(status, 200, "{body}");
    let text = |field: &str| body[field].as_str().unwrap().to_owned();
    (text("access"), text("refresh"))
}

async fn status_of(server: &TestServer, token: &str) -> u16 {
    send(server, Method::GET, "/account", token, Value::Null).await.0
}

#[tokio::test]
async fn who_logs_in_is_known_until_the_log_out() {
    let server = with(&["ada"]).await;
    // With the slashes of an earlier system, and the name in any case.
    let login = json!({"username": "Ada", "password": PASSWORD});
    let (status, tokens) = send(&server, Method::POST, "/api/token/", "", login).await;
    assert_eq!(status, 200);
    let access = tokens["access"].as_str().unwrap();
    let (status, account) = send(&server, Method::GET, "/account", access, Value::Null).await;
    let told = |field: &str| account["data"][field].as_str().unwrap_or("null");
    assert_eq!(
        (status, told("username"), told("role"), told("email"), told("time_zone")),
        (200, "ada", "user", "null", "UTC")
    );
    let refresh = json!({"refresh": tokens["refresh"]});
    let (status, more) = send(&server, Method::POST, "/api/token/refresh/", "", refresh.clone()).await;
    assert_eq!(status, 200);
    let again = more["access"].as_str().unwrap();
    assert!(again != access && status_of(&server, again).await == 200 && status_of(&server, access).await == 200);
    assert_eq!(send(&server, Method::POST, "/api/logout", again, Value::Null).await.0, 204);
    assert_eq!((status_of(&server, again).await, status_of(&server, access).await), (401, 401), "at once");
    assert_eq!(send(&server, Method::POST, "/api/token/refresh", "", refresh).await.0, 401);
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_are_answered_alike_and_take_as_long() {
    let server = with(&["ada"]).await;
    let mut answers = Vec::new();
    for (name, password) in
        [("ada", "wrong horse battery"), ("nobody", PASSWORD), ("no such name!", PASSWORD), ("", "")]
    {
        let started = Instant::now();
        let login = json!({"username": name, "password": password});
        let (status, body) = send(&server, Method::POST, "/api/token", "", login).await;
        assert_eq!((status, &body["code"]), (401, &json!("wrong_login")), "{name}");
        answers.push((body, started.elapsed()));
    }
    assert!(answers.iter().all(|(body, _)| *body == answers[0].0));
    let fastest = answers.iter().map(|(_, took)| *took).min().unwrap();
    assert!(fastest > Duration::from_millis(3), "a hash is compared each time: {answers:?}");
    // Who is disabled is nobody any more, with whatever was borne.
    let (access, refresh) = log_in(&server, "ada").await;
    let change = Change::Disable { username: "ada".to_owned() };
    change.carry_out(&server.pool.get().await.unwrap()).await.unwrap();
    assert_eq!(status_of(&server, &access).await, 401);
    let (status, body) = send(&server, Method::POST, "/api/token/refresh", "", json!({"refresh": refresh})).await;
    assert_eq!((status, &body["code"]), (401, &json!("invalid_token")));
    let login = json!({"username": "ada", "password": PASSWORD});
    assert_eq!(send(&server, Method::POST, "/api/token", "", login).await.0, 401);
}

#[tokio::test]
async fn nothing_that_is_no_living_token_of_the_right_kind_is_taken() {
    let server = with(&["ada"]).await;
    let (access, refresh) = log_in(&server, "ada").await;
    let cut = &access[..access.len() - 1];
    let swapped = access.replacen("cta_", "ctk_", 1);
    let tokens = [
        // Unsigned, and signed with a key that anybody knows: nothing is read from a token, so nothing can be claimed by one.
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwicm9sZSI6ImFkbWluaXN0cmF0b3IifQ.",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.3fQWqJ2N8Jm5cW0eJ8bC6o1uYq0m4s2m7m1m1m1m1m1",
        refresh.as_str(),
        cut,
        swapped.as_str(),
        "cta_",
        "ctk_",
        "x",
        "' OR true --",
    ];
    for token in tokens {
        let (status, body) = send(&server, Method::GET, "/account", token, Value::Null).await;
        assert_eq!((status, &body["code"]), (401, &json!("invalid_token")), "{token}");
    }
    for scheme in ["", "Basic YWRhOng=", "Bearer", "bearer ", "Bearer\tx"] {
        let response = server.send(Method::GET, "/account", &[("authorization", scheme)], None).await;
        assert_eq!(response.0, 401, "{scheme:?}");
    }
    let response = server.response("/account").await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["www-authenticate"]),
        (401, &"Bearer".parse().unwrap())
    );
    for text in [access.as_str(), "", "ctr_x"] {
        let answer = send(&server, Method::POST, "/api/token/refresh", "", json!({"refresh": text})).await;
        assert_eq!((answer.0, &answer.1["code"]), (401, &json!("invalid_token")), "{text}");
    }
    server.sql("UPDATE secret.access_token SET expires_at = now()").await;
    assert_eq!(status_of(&server, &access).await, 401);
    server.sql("UPDATE secret.session SET expires_at = now()").await;
    assert_eq!(send(&server, Method::POST, "/api/token/refresh", "", json!({"refresh": refresh})).await.0, 401);
    // The tables hold none of it.
    let stored = "SELECT 1 / (count(*) FILTER (WHERE row::text LIKE '%cta\\_%' OR row::text LIKE '%ctr\\_%') = 0)::int
                  FROM (SELECT a::text FROM secret.access_token AS a UNION SELECT s::text FROM secret.session AS s) AS row";
    server.sql(stored).await;
}

#[tokio::test]
async fn another_password_ends_the_other_sessions() {
    let server = with(&["ada"]).await;
    let ((one, _), (other, _)) = (log_in(&server, "ada").await, log_in(&server, "ada").await);
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let path = "/account/password";
    let (status, body) = send(&server, Method::POST, path, &one, change("wrong", "staple correct horse")).await;
    assert_eq!((status, &body["parameter"]), (400, &json!("current_password")));
    let (status, body) = send(&server, Method::POST, path, &one, change(PASSWORD, "too short")).await;
    assert_eq!((status, &body["parameter"]), (400, &json!("new_password")));
    assert!(!body.to_string().contains("too short"), "{body}");
    assert_eq!(send(&server, Method::POST, path, &one, change(PASSWORD, "staple correct horse")).await.0, 204);
    assert_eq!((status_of(&server, &one).await, status_of(&server, &other).await), (200, 401));
    let login = |password: &str| json!({"username": "ada", "password": password});
    // A change that was begun with the password before it comes too late, and so does a log-in.
    let old = api::password::hash(PASSWORD).unwrap();
    let client = server.pool.get().await.unwrap();
    let lasting = chrono::TimeDelta::hours(1);
    let late = database::sessions::begin(&client, (1, &old), (&[1; 32], lasting), (&[2; 32], lasting)).await;
    assert!(!late.unwrap() && !database::sessions::set_password(&client, (1, &old), "x", 1).await.unwrap());
    drop(client);
    assert_eq!(send(&server, Method::POST, "/api/token", "", login(PASSWORD)).await.0, 401);
    assert_eq!(send(&server, Method::POST, "/api/token", "", login("staple correct horse")).await.0, 200);
}

#[tokio::test]
async fn a_key_is_told_once_and_does_what_its_scope_says_and_no_more() {
    let server = with(&["ada", "grace"]).await;
    let (ada, _) = log_in(&server, "ada").await;
    let (grace, _) = log_in(&server, "grace").await;
    let mut keys = Vec::new();
    for scope in ["read", "write"] {
        let (status, made) =
            send(&server, Method::POST, "/api-keys", &ada, json!({"name": "script", "scope": scope})).await;
        assert_eq!(status, 201, "{made}");
        keys.push(made["data"]["key"].as_str().unwrap().to_owned());
    }
    let (_, listed) = send(&server, Method::GET, "/api-keys", &ada, Value::Null).await;
    let listed = listed["data"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert!(
        keys.iter().zip(listed).all(|(key, row)| key.ends_with(row["hint"].as_str().unwrap()) && row["key"].is_null())
    );
    let zone = json!({"time_zone": "Europe/London"});
    for (key, changes) in keys.iter().zip([(403, "only_reading"), (200, "null")]) {
        assert_eq!(status_of(&server, key).await, 200);
        let (status, body) = send(&server, Method::PATCH, "/account", key, zone.clone()).await;
        assert_eq!((status, body["code"].as_str().unwrap_or("null")), changes);
        // A key makes no keys, and sets no password.
        let password = json!({"current_password": PASSWORD, "new_password": "staple correct horse"});
        for (method, path, body) in [
            (Method::GET, "/api-keys", Value::Null),
            (Method::POST, "/api-keys", json!({"name": "another", "scope": "write"})),
            (Method::DELETE, "/api-keys/1", Value::Null),
            (Method::POST, "/account/password", password),
            (Method::POST, "/api/logout", Value::Null),
        ] {
            let (status, answer) = send(&server, method.clone(), path, key, body).await;
            assert_eq!((status, &answer["code"]), (403, &json!("log_in_needed")), "{method} {path}");
        }
    }
    // Another's key is none.
    let path = format!("/api-keys/{}", listed[0]["id"]);
    for (token, id_path, expected) in
        [(&grace, path.as_str(), 404), (&ada, "/api-keys/x", 404), (&ada, &path, 204), (&ada, &path, 404)]
    {
        assert_eq!(send(&server, Method::DELETE, id_path, token, Value::Null).await.0, expected, "{id_path}");
    }
    assert_eq!((status_of(&server, &keys[0]).await, status_of(&server, &keys[1]).await), (401, 200));
    server.sql("UPDATE secret.api_key SET expires_at = now()").await;
    assert_eq!(status_of(&server, &keys[1]).await, 401);
    server.sql("INSERT INTO secret.api_key (account_id, name, scope, hint, key_hash)
                SELECT account.id, 'n', 'read', 'x', number::text::bytea FROM secret.account, generate_series(1, 50) AS number
                WHERE username = 'grace'").await;
    let (status, body) =
        send(&server, Method::POST, "/api-keys", &grace, json!({"name": "one more", "scope": "read"})).await;
    assert_eq!((status, &body["code"]), (409, &json!("too_many_api_keys")));
}

#[tokio::test]
async fn bodies_that_cannot_be_used_are_refused_by_name_and_never_repeated() {
    let server = with(&["ada"]).await;
    let (access, _) = log_in(&server, "ada").await;
    for (path, body, code) in [
        ("/api/token", json!({"username": "ada"}), "invalid_body"),
        ("/api/token", json!({"username": "ada", "password": 123_456_789}), "invalid_body"),
        ("/api/token", json!({"username": "ada", "password": "x", "role": "administrator"}), "invalid_body"),
        ("/api/token", json!("secret word"), "invalid_body"),
        ("/api/token", json!({"username": "ada", "password": "x".repeat(70_000)}), "body_too_large"),
        ("/api-keys", json!({"name": "", "scope": "read"}), "invalid_parameter"),
        ("/api-keys", json!({"name": "n", "scope": "admin"}), "invalid_parameter"),
        ("/api-keys", json!({"name": "n", "scope": "read", "expires_at": "2001-01-01T00:00:00Z"}), "invalid_parameter"),
    ] {
        let (status, answer) = send(&server, Method::POST, path, &access, body.clone()).await;
        assert!((400..500).contains(&status) && answer["code"] == code, "{path} {body}: {status} {answer}");
        assert!(!answer.to_string().contains("123456789") && !answer.to_string().contains("secret word"), "{answer}");
    }
    for (change, parameter) in [(json!({"email": "x"}), "email"), (json!({"time_zone": "Mars"}), "time_zone")] {
        let (status, answer) = send(&server, Method::PATCH, "/account", &access, change).await;
        assert_eq!((status, &answer["parameter"]), (400, &json!(parameter)));
    }
    let mail = |email: Value| json!({"email": email});
    for (email, told) in [(json!("ada@example.org"), json!("ada@example.org")), (Value::Null, Value::Null)] {
        let (_, answer) = send(&server, Method::PATCH, "/account", &access, mail(email)).await;
        assert_eq!(answer["data"]["email"], told);
    }
    let (status, body) =
        server.send(Method::POST, "/api/token", &[("content-type", "text/plain")], Some(json!({}))).await;
    assert!(status == 400 && body.contains("application/json"), "{body}");
    let (status, body) = send(&server, Method::PUT, "/api-keys", &access, Value::Null).await;
    assert_eq!((status, &body["allowed"]), (405, &json!("GET, HEAD, POST")));
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let server = with(&["ada"]).await;
    let login = json!({"username": "ada", "password": "guessed it perhaps"});
    let mut tries = 0;
    let refused = loop {
        let (status, body) = send(&server, Method::POST, "/api/token", "", login.clone()).await;
        if status != 401 {
            break (status, body["code"].clone());
        }
        tries += 1;
        assert!(tries < 100, "{tries} tries");
    };
    assert_eq!(refused, (429, json!("too_many_logins")));
    assert!(tries >= 20, "{tries} tries");
    assert_eq!(server.get("/symbols").await.0, 200, "prices are told all the same");
}

#[tokio::test]
async fn every_described_route_that_needs_an_account_says_so_to_strangers() {
    let server = start_with(Settings { api_rate_limit: 0, ..settings() }, 4).await;
    let (_, document) = server.get("/openapi.json").await;
    let mut guarded = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["security"].is_array() {
                guarded += 1;
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                let (status, body) =
                    send(&server, method.clone(), &path.replace("{id}", "1").replace("{number}", "1"), "", Value::Null)
                        .await;
                assert_eq!((status, &body["code"]), (401, &json!("not_logged_in")), "{method} {path}");
            }
        }
    }
    assert!(guarded >= 7, "{guarded}");
}

#[tokio::test]
async fn where_accounts_are_required_nothing_is_told_without_one() {
    let settings = Settings { api_require_auth: true, api_cache_ms: 1_000, ..settings() };
    let server = start_with(settings, 4).await;
    add(&server, "ada").await;
    let (token, _) = log_in(&server, "ada").await;
    let (status, symbols) = send(&server, Method::GET, "/symbols", &token, Value::Null).await;
    assert_eq!(status, 200, "{symbols}");
    // What was just told to somebody is kept, and told to no stranger.
    let closed = [
        "/symbols",
        "/prices",
        "/top?limit=1",
        "/udf/config",
        "/live",
        "/live/events",
        "/export/ticks/binance/BTCUSDT",
    ];
    for path in closed {
        for token in ["", "cta_x"] {
            let (status, body) = send(&server, Method::GET, path, token, Value::Null).await;
            assert_eq!(status, 401, "{path}: {body}");
        }
    }
    for path in ["/", "/openapi.json", "/docs/", "/problems", "/problems/not_logged_in", "/metrics", "/health/live"] {
        assert_eq!(server.response(path).await.status(), 200, "{path}");
    }
    assert_eq!(send(&server, Method::GET, "/prices", &token, Value::Null).await.0, 200);
}

#[tokio::test]
async fn anybody_makes_an_account_only_where_the_operator_allows_it() {
    let new = json!({"username": "Grace", "password": PASSWORD, "email": "grace@example.org"});
    let closed = start().await;
    let (status, body) = send(&closed, Method::POST, "/account", "", new.clone()).await;
    assert_eq!((status, &body["code"]), (403, &json!("sign_up_closed")));
    let server = start_with(Settings { api_sign_up: true, ..settings() }, 4).await;
    assert_eq!(send(&server, Method::POST, "/account/", "", new.clone()).await.0, 201);
    let (status, body) = send(&server, Method::POST, "/account", "", new).await;
    assert_eq!((status, &body["code"]), (409, &json!("name_taken")));
    let (token, _) = log_in(&server, "grace").await;
    let (_, account) = send(&server, Method::GET, "/account", &token, Value::Null).await;
    assert_eq!((&account["data"]["role"], &account["data"]["email"]), (&json!("user"), &json!("grace@example.org")));
    for (new, parameter) in [
        (json!({"username": "no such", "password": PASSWORD}), "username"),
        (json!({"username": "eve", "password": "short"}), "password"),
        (json!({"username": "eve", "password": PASSWORD, "email": "x"}), "email"),
    ] {
        let (status, body) = send(&server, Method::POST, "/account", "", new).await;
        assert_eq!((status, &body["parameter"]), (400, &json!(parameter)));
    }
    let role = json!({"username": "eve", "password": PASSWORD, "role": "administrator"});
    assert_eq!(send(&server, Method::POST, "/account", "", role).await.0, 400);
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = start().await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = "POST /api/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    // The end of the connection may come as a reset.
    let _ = read.expect("the connection ends");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body_late"), "{answer}");
}

#[tokio::test]
async fn an_account_has_so_many_sessions_and_a_session_so_many_tokens_and_the_oldest_end() {
    let server = with(&["ada"]).await;
    let (first, refresh) = log_in(&server, "ada").await;
    server
        .sql(
            "INSERT INTO secret.session (account_id, refresh_hash, expires_at)
             SELECT 1, number::text::bytea, now() + interval '1 day' FROM generate_series(1, 49) AS number;
             INSERT INTO secret.access_token (token_hash, session_id, expires_at)
             SELECT number::text::bytea, 1, now() + interval '1 day' FROM generate_series(1, 30) AS number",
        )
        .await;
    let more = send(&server, Method::POST, "/api/token/refresh", "", json!({"refresh": refresh})).await;
    assert_eq!((more.0, status_of(&server, &first).await), (200, 401), "its own, the first to expire, has ended");
    let count = async |table: &str| {
        let client = server.pool.get().await.unwrap();
        client.query_one(&format!("SELECT count(*) FROM secret.{table}"), &[]).await.unwrap().get::<_, i64>(0)
    };
    assert_eq!((count("access_token").await, count("session").await), (20, 50));
    let (last, _) = log_in(&server, "ada").await;
    assert_eq!((count("session").await, status_of(&server, &last).await), (50, 200));
    assert_eq!(send(&server, Method::POST, "/api/token/refresh", "", json!({"refresh": refresh})).await.0, 401);
}
