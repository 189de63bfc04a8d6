//! What is told, where, in what is counted, and prices, in the forms of an earlier system.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accounts::{log_in, send, with},
    portfolios::{NONE, server},
    server::TestServer,
};

async fn post(server: &TestServer, token: &str, path: &str, body: Value) -> (u16, Value) {
    let (status, answer) = send(server, Method::POST, path, token, body).await;
    (status, answer)
}

async fn get(server: &TestServer, token: &str, path: &str) -> Value {
    let (status, answer) = send(server, Method::GET, path, token, NONE).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

#[tokio::test]
async fn settings_are_told_and_set() {
    let server = with(&["ada", "grace"]).await;
    let (token, _) = log_in(&server, "ada").await;
    let told = get(&server, &token, "/api/v1/user-settings/ada").await;
    assert_eq!(told["preferred_currency"], json!("USD"));
    let id = told["user_id"].clone();
    let (status, set) =
        post(&server, &token, "/api/v1/user-settings", json!({"userId": id, "preferred_currency": "eur"})).await;
    assert_eq!((status, &set["preferred_currency"]), (200, &json!("EUR")), "{set}");
    assert_eq!(get(&server, &token, &format!("/api/v1/user-settings/{id}")).await, set);
    let (status, wrong) = post(&server, &token, "/api/v1/user-settings", json!({"preferred_currency": "E U R"})).await;
    assert_eq!((status, &wrong["parameter"]), (400, &json!("preferred_currency")));
    let (grace, _) = log_in(&server, "grace").await;
    let (status, _) =
        post(&server, &grace, "/api/v1/user-settings", json!({"user_id": id, "preferred_currency": "BTC"})).await;
    assert_eq!(status, 404);
    assert_eq!(send(&server, Method::GET, "/api/v1/user-settings/ada", &grace, NONE).await.0, 404);
}

#[tokio::test]
async fn channels_are_made_and_listed_by_kind() {
    let server = with(&["ada", "grace"]).await;
    let (token, _) = log_in(&server, "ada").await;
    let path = "/api/v1/user-channel";
    let (status, wrong) = post(&server, &token, path, json!({"channel_type": "TELEGRAM", "chat_id": 5})).await;
    assert_eq!((status, &wrong["parameter"]), (400, &json!("token")), "{wrong}");
    let first = json!({"channel_type": "TELEGRAM", "chat_id": 123_456, "token": "123456:AAsecret-of-the-bot_0123456789ABCDEFG", "source_id": ""});
    let (status, made) = post(&server, &token, path, first).await;
    assert_eq!(
        (status, &made["chat_id"], &made["channel_type"]),
        (201, &json!("123456"), &json!("TELEGRAM")),
        "{made}"
    );
    // Another chat of the same bot.
    let (status, other) =
        post(&server, &token, path, json!({"channel_type": "telegram", "chat_id": "@prices", "token": ""})).await;
    assert_eq!((status, &other["chat_id"]), (201, &json!("@prices")), "{other}");
    let (status, mail) =
        post(&server, &token, path, json!({"channel_type": "EMAIL", "user_email": "ada@example.org"})).await;
    assert_eq!((status, &mail["user_email"]), (201, &json!("ada@example.org")), "{mail}");
    let listed = get(&server, &token, "/api/v1/user-channels/ada/TELEGRAM").await;
    assert_eq!(listed, json!([made, other]));
    assert!(!listed.to_string().contains("secret"));
    assert_eq!(get(&server, &token, "/api/v1/user-channels/ada/slack").await, json!([]));
    for (body, parameter) in [
        (json!({"channel_type": "PIGEON"}), "channel_type"),
        (json!({"channel_type": "TELEGRAM", "token": "1:a"}), "chat_id"),
    ] {
        let (status, wrong) = post(&server, &token, path, body).await;
        assert_eq!((status, &wrong["parameter"]), (400, &json!(parameter)), "{wrong}");
    }
    let (grace, _) = log_in(&server, "grace").await;
    assert_eq!(send(&server, Method::GET, "/api/v1/user-channels/ada/TELEGRAM", &grace, NONE).await.0, 404);
}

#[tokio::test]
async fn notifications_are_schedules_at_any_interval_or_once() {
    let server = with(&["ada", "grace"]).await;
    let (token, _) = log_in(&server, "ada").await;
    let path = "/api/v1/user-notification";
    let wanted = json!({"user_name": "Ada", "user_email": "", "notification_type": "BALANCE", "check_every": "01:30",
                        "start_date": "2100-01-01", "end_date": "2100-02-01T00:00:00Z", "is_active": true, "source_id": ""});
    let (status, made) = post(&server, &token, path, wanted.clone()).await;
    assert_eq!(status, 201, "{made}");
    let names = ["notification_type", "check_every", "start_date", "end_date", "channel_type", "threshold_value"];
    let told = |row: &Value| names.map(|name| row[name].clone());
    let expected = json!(["BALANCE", "01:30", "2100-01-01T00:00:00Z", "2100-02-01T00:00:00Z", null, null]);
    assert_eq!(json!(told(&made)), expected, "{made}");
    // It is of the first portfolio, which is made.
    let schedule = get(&server, &token, "/schedules").await["data"][0].take();
    assert_eq!((&schedule["portfolio"], &schedule["every"]), (&json!(1), &json!("01:30")));

    let telegram =
        json!({"channel_type": "TELEGRAM", "chat_id": 5, "token": "123456:AAsecret-of-the-bot_0123456789ABCDEFG"});
    let (_, channel) = post(&server, &token, "/api/v1/user-channel", telegram).await;
    let drop = json!({"notification_type": "SYMBOL_VALUE_DROP", "check_every": "00:00", "channel_type": "TELEGRAM", "threshold_value": 5});
    let (status, once) = post(&server, &token, path, drop.clone()).await;
    assert_eq!(status, 201, "{once}");
    assert_eq!(
        (&once["check_every"], &once["channel_type"], &once["threshold_value"]),
        (&json!("00:00"), &json!("TELEGRAM"), &json!(5))
    );
    let schedule = get(&server, &token, "/schedules").await["data"][1].take();
    assert_eq!((&schedule["kind"], &schedule["channels"]), (&json!("fell"), &json!([channel["id"]])));
    // It comes soon, and not again.
    let next: DateTime<Utc> = schedule["next_at"].as_str().unwrap().parse().unwrap();
    let ends: DateTime<Utc> = schedule["ends_at"].as_str().unwrap().parse().unwrap();
    assert!(next - Utc::now() < TimeDelta::seconds(90) && next < ends && ends - next <= TimeDelta::minutes(1));
    server.sql("UPDATE alert.schedule SET starts_at = now() - interval '30 seconds', ends_at = now() + interval '30 seconds', next_at = now() - interval '30 seconds' WHERE kind = 'fell'").await;
    let mut client = server.pool.get().await.unwrap();
    let none = database::schedules::PassedOver::default();
    assert!(database::schedules::compute_due(&mut client, &none).await.unwrap().is_some());
    assert_eq!(get(&server, &token, "/schedules").await["data"][1]["next_at"], NONE);

    let listed = get(&server, &token, "/api/v1/user-notifications").await;
    assert_eq!((&listed[0], listed.as_array().unwrap().len()), (&made, 2));
    for (change, parameter) in [
        (json!({"check_every": "24:60"}), "check_every"),
        (json!({"check_every": "soon"}), "check_every"),
        (json!({"notification_type": "WEATHER"}), "notification_type"),
        (json!({"notification_type": "SYMBOL_VALUE_INCREASE"}), "threshold_value"),
        (json!({"start_date": "tomorrow"}), "start_date"),
        (json!({"end_date": "1999-01-01"}), "end_date"),
        (json!({"channel_type": "SLACK"}), "channel_type"),
    ] {
        let mut body = wanted.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, answer) = post(&server, &token, path, body).await;
        assert_eq!((status, &answer["parameter"]), (400, &json!(parameter)), "{change}: {answer}");
    }
    let (grace, _) = log_in(&server, "grace").await;
    let hers = json!({"user_id": made["user_id"], "notification_type": "BALANCE", "check_every": "01:00"});
    assert_eq!(post(&server, &grace, path, hers).await.0, 404);
    assert_eq!(get(&server, &grace, "/api/v1/user-notifications").await, json!([]));
}

#[tokio::test]
async fn prices_are_told_in_the_currency_of_the_account_with_how_they_moved() {
    let (server, token) = server().await;
    let candles = "
        INSERT INTO candle (open_time, first_time, last_time, first_trade_id, last_trade_id, trades, ticks, ticker_id, width, open, high,
                            low, close, volume, quote_volume, price_sum, square_sum)
        SELECT at, at, at + interval '30 seconds', 1, 2, 1, 1, ticker_id, '1m', close, close, close, close, 1, close * 10, close, close
        FROM (VALUES (2, 2, 220), (2, 3, 10), (62, 2, 200)) AS told (ago, ticker_id, close),
             LATERAL (SELECT date_trunc('minute', now()) - ago * interval '1 minute' AS at) AS minutes";
    server.sql(candles).await;
    post(&server, &token, "/api/v1/user-settings", json!({"preferred_currency": "EUR"})).await;
    let prices = get(&server, &token, "/api/v1/prices").await;
    assert!(prices["status"]["timestamp"].as_i64().unwrap() > 1_700_000_000_000, "{prices}");
    let first = &prices["data"][0];
    assert_eq!((&first["symbol"], &first["name"]), (&json!("BTC"), &json!("bitcoin")), "{prices}");
    // A euro is two dollars.
    let quote = &first["quote"]["EUR"];
    assert_eq!(
        (&quote["price"], &quote["percent_change_1h"], &quote["market_cap"]),
        (&json!(110), &json!(10), &NONE),
        "{prices}"
    );
    assert_eq!(prices["data"][1]["symbol"], json!("ETH"), "less is traded of it");
    let (status, refused) = send(&server, Method::GET, "/api/v1/prices", "", NONE).await;
    assert_eq!(status, 401, "{refused}");
}
