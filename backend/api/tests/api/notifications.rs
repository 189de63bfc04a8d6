//! Channels, notifications, preferences and schedules by HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accounts::{log_in, send, with},
    server::TestServer,
};

const NONE: Value = Value::Null;
const SECRET: &str = "geheim-geheim-geheim";

async fn make(server: &TestServer, token: &str, path: &str, body: Value) -> Value {
    let (status, mut answer) = send(server, Method::POST, path, token, body.clone()).await;
    assert_eq!(status, 201, "{body}: {answer}");
    answer["data"].take()
}

#[tokio::test]
async fn a_channel_is_made_shown_without_its_secrets_changed_tested_and_taken_away() {
    let server = with(&["ada"]).await;
    let (token, _) = log_in(&server, "ada").await;
    let settings = json!({"url": format!("https://example.org/{SECRET}"), "secret": SECRET});
    let made =
        make(&server, &token, "/channels", json!({"name": " hook ", "kind": "webhook", "settings": settings})).await;
    assert_eq!((&made["name"], &made["active"]), (&json!("hook"), &json!(true)));
    let (_, listed) = send(&server, Method::GET, "/channels", &token, NONE).await;
    assert!(!listed.to_string().contains(SECRET) && !made.to_string().contains(SECRET), "{listed}");
    assert_eq!(listed["data"][0]["settings"]["url"], json!("https://example.org/…"));
    let path = format!("/channels/{}", made["id"]);
    let (status, changed) = send(&server, Method::PATCH, &path, &token, json!({"active": false, "name": "post"})).await;
    assert_eq!((status, &changed["data"]["active"], &changed["data"]["name"]), (200, &json!(false), &json!("post")));
    let stored = format!("SELECT 1 / (count(*) = 1)::int FROM alert.channel WHERE settings ->> 'secret' = '{SECRET}'");
    server.sql(&stored).await;
    for number in 0..11 {
        let (status, queued) = send(&server, Method::POST, &format!("{path}/test"), &token, NONE).await;
        match number {
            10 => assert_eq!((status, &queued["code"]), (409, &json!("too_many_tests"))),
            _ => assert_eq!(status, 202, "{queued}"),
        }
    }
    let alert = json!({"kind": "gap", "exchange": "binance", "ticker": "BTCUSDT", "channels": [made["id"]]});
    let alert = make(&server, &token, "/alerts", alert).await;
    let (status, refused) = send(&server, Method::DELETE, &path, &token, NONE).await;
    assert_eq!((status, &refused["code"]), (409, &json!("channel_in_use")));
    send(&server, Method::DELETE, &format!("/alerts/{}", alert["id"]), &token, NONE).await;
    assert_eq!(send(&server, Method::DELETE, &path, &token, NONE).await.0, 204);
    assert_eq!(send(&server, Method::DELETE, &path, &token, NONE).await.0, 404);
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_by_name_and_no_secret_is_repeated() {
    let server = with(&["ada"]).await;
    let (token, _) = log_in(&server, "ada").await;
    for (kind, settings, parameter) in [
        ("fax", json!({}), "kind"),
        ("webhook", json!({"url": "https://example.org"}), "settings"),
        ("webhook", json!({"url": "https://example.org", "secret": SECRET, "colour": SECRET}), "settings"),
        ("webhook", json!({"url": "https://example.org", "secret": 5}), "settings"),
        ("webhook", json!({"url": format!("ftp://{SECRET}"), "secret": SECRET}), "url"),
        ("slack", json!(SECRET), "settings"),
        ("telegram", json!({"token": SECRET, "chat_id": "5"}), "token"),
        ("pagerduty", json!({"routing_key": SECRET}), "routing_key"),
        ("email", json!({"address": "nowhere"}), "address"),
    ] {
        let body = json!({"name": "n", "kind": kind, "settings": settings});
        let (status, answer) = send(&server, Method::POST, "/channels", &token, body).await;
        assert_eq!((status, &answer["parameter"]), (400, &json!(parameter)), "{kind}: {answer}");
        assert!(!answer.to_string().contains(SECRET), "{answer}");
    }
    let (status, answer) =
        send(&server, Method::POST, "/channels", &token, json!({"name": "\n", "kind": "console"})).await;
    assert_eq!((status, &answer["parameter"]), (400, &json!("name")));
    for number in 0..20 {
        make(&server, &token, "/channels", json!({"name": format!("c{number}"), "kind": "console"})).await;
    }
    let more = json!({"name": "more", "kind": "console"});
    let (status, answer) = send(&server, Method::POST, "/channels", &token, more).await;
    assert_eq!((status, &answer["code"]), (409, &json!("too_many_channels")));
}

#[tokio::test]
async fn what_failed_is_listed_and_resent_page_by_page() {
    let server = with(&["ada"]).await;
    let (token, _) = log_in(&server, "ada").await;
    let channel = make(&server, &token, "/channels", json!({"name": "c", "kind": "console"})).await;
    server
        .sql(
            "INSERT INTO alert.notification (channel_id, state, error, attempts, created_at)
             SELECT channel.id, CASE WHEN number % 2 = 0 THEN 'failed' ELSE 'sent' END, 'no answer', 8, now() - number * interval '1 second'
             FROM alert.channel, generate_series(1, 10) AS number",
        )
        .await;
    let mut path = "/notifications?state=failed&limit=2".to_owned();
    let mut names = Vec::new();
    loop {
        let (status, page) = send(&server, Method::GET, &path, &token, NONE).await;
        assert_eq!(status, 200, "{page}");
        let rows = page["data"].as_array().unwrap();
        assert!(rows.iter().all(|row| row["state"] == "failed" && row["channel"] == channel["id"]));
        names.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/notifications?state=failed&limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(names.len(), 5);
    let again = format!("/notifications/{}/resend", names[0]);
    assert_eq!(send(&server, Method::POST, &again, &token, NONE).await.0, 202);
    assert_eq!(send(&server, Method::POST, &again, &token, NONE).await.0, 404, "it waits now");
    let (_, page) = send(&server, Method::GET, "/notifications?state=waiting", &token, NONE).await;
    assert_eq!((page["data"].as_array().unwrap().len(), &page["data"][0]["attempts"]), (1, &json!(0)));
    for (query, parameter) in [("state=lost", "state"), ("cursor=x", "cursor"), ("limit=0", "limit")] {
        let (status, body) = send(&server, Method::GET, &format!("/notifications?{query}"), &token, NONE).await;
        assert_eq!((status, &body["parameter"]), (400, &json!(parameter)));
    }
}

#[tokio::test]
async fn pace_quiet_hours_and_words_are_what_somebody_wants() {
    let server = with(&["ada"]).await;
    let (token, _) = log_in(&server, "ada").await;
    let path = "/account/notifications";
    let (_, before) = send(&server, Method::GET, path, &token, NONE).await;
    let default =
        json!({"messages_per_minute": 10, "quiet_from": null, "quiet_to": null, "subject": null, "body": null});
    assert_eq!(before["data"], default);
    let wanted =
        json!({"messages_per_minute": 3, "quiet_from": "22:00", "quiet_to": "07:30", "subject": "{ticker}: {price}"});
    let (status, now) = send(&server, Method::PATCH, path, &token, wanted).await;
    assert_eq!(
        (status, &now["data"]["quiet_to"], &now["data"]["subject"]),
        (200, &json!("07:30"), &json!("{ticker}: {price}"))
    );
    let (_, shown) =
        send(&server, Method::POST, "/account/notifications/preview", &token, json!({"body": "{what} {note}"})).await;
    assert_eq!(shown["data"]["subject"], json!("BTCUSDT: 65000.01"));
    assert!(shown["data"]["text"].as_str().unwrap().ends_with("Sell a tenth"), "{shown}");
    let (_, now) = send(&server, Method::PATCH, path, &token, json!({"quiet_from": null, "quiet_to": null})).await;
    assert_eq!(
        (&now["data"]["quiet_from"], &now["data"]["messages_per_minute"], &now["data"]["body"]),
        (&NONE, &json!(3), &NONE)
    );
    for (change, parameter) in [
        (json!({"messages_per_minute": 0}), "messages_per_minute"),
        (json!({"quiet_from": "25:00", "quiet_to": "07:00"}), "quiet_from"),
        (json!({"quiet_from": "22:00"}), "quiet_to"),
        (json!({"subject": "{colour}"}), "subject"),
        (json!({"body": "x".repeat(4_001)}), "body"),
    ] {
        let (status, body) = send(&server, Method::PATCH, path, &token, change).await;
        assert_eq!((status, &body["parameter"]), (400, &json!(parameter)), "{body}");
    }
}

#[tokio::test]
async fn a_schedule_is_made_changed_and_taken_away() {
    let server = with(&["ada"]).await;
    let (token, _) = log_in(&server, "ada").await;
    let schedule = json!({"name": "movers", "kind": "moved", "threshold_percent": 5, "every": "01:30",
                          "pairs": [{"exchange": "binance", "ticker": "BTCUSDT"}], "ends_at": "2999-01-01T00:00:00Z"});
    let made = make(&server, &token, "/schedules", schedule).await;
    assert_eq!(
        (&made["every"], &made["threshold_percent"], &made["active"]),
        (&json!("01:30"), &json!("5"), &json!(true))
    );
    assert_eq!(made["pairs"], json!([{"exchange": "binance", "ticker": "BTCUSDT"}]));
    assert!(made["next_at"].is_string());
    let path = format!("/schedules/{}", made["id"]);
    let change = json!({"active": false, "pairs": null, "every": "24:00"});
    let (status, changed) = send(&server, Method::PATCH, &path, &token, change).await;
    assert_eq!(status, 200, "{changed}");
    let changed = &changed["data"];
    assert_eq!((&changed["pairs"], &changed["every"], &changed["name"]), (&NONE, &json!("24:00"), &json!("movers")));
    let (_, results) = send(&server, Method::GET, &format!("{path}/results"), &token, NONE).await;
    assert_eq!(results["data"], json!([]));
    for (schedule, parameter) in [
        (json!({}), "name"),
        (json!({"kind": "jumped"}), "kind"),
        (json!({"threshold_percent": -1}), "threshold_percent"),
        (json!({"every": "00:00"}), "every"),
        (json!({"ends_at": "2001-01-01T00:00:00Z"}), "ends_at"),
        (json!({"pairs": []}), "pairs"),
        (json!({"pairs": [{"exchange": "binance", "ticker": "NOPE"}]}), "ticker"),
        (json!({"channels": [4711]}), "channels"),
    ] {
        let mut whole = json!({"name": "n", "kind": "rose", "threshold_percent": "1", "every": "00:05"});
        match schedule.as_object().unwrap().is_empty() {
            true => drop(whole.as_object_mut().unwrap().remove("name")),
            false => whole.as_object_mut().unwrap().extend(schedule.as_object().unwrap().clone()),
        }
        let (status, body) = send(&server, Method::POST, "/schedules", &token, whole).await;
        assert!(status == 400 || status == 404, "{schedule}: {body}");
        assert_eq!(body["parameter"], json!(parameter), "{schedule}: {body}");
    }
    assert_eq!(send(&server, Method::DELETE, &path, &token, NONE).await.0, 204);
    assert_eq!(send(&server, Method::GET, &format!("{path}/results"), &token, NONE).await.0, 404);
    server
        .sql(
            "INSERT INTO alert.schedule (account_id, starts_at, every_minutes, kind, name, threshold_percent)
              SELECT 1, now(), 5, 'rose', 'n', 1 FROM generate_series(1, 50)",
        )
        .await;
    let more = json!({"name": "n", "kind": "rose", "threshold_percent": "1", "every": "00:05"});
    let (status, body) = send(&server, Method::POST, "/schedules", &token, more).await;
    assert_eq!((status, &body["code"]), (409, &json!("too_many_schedules")));
}
