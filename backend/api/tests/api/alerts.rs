//! Alerts by HTTP: making, listing, changing, deleting and trying them, and what is refused.

use chrono::{TimeDelta, Utc};
use database::{
    alerts::Alerts,
    ingest::{self, NewPrice},
};
use domain::{Tick, TickSource};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accounts::{log_in, send, with},
    server::{BTCUSDT, TestServer, start},
};

const NONE: Value = Value::Null;

/// Stores trades of BTCUSDT at these prices, a second apart; those of higher numbers are later.
async fn trade(server: &TestServer, first_id: i64, prices: &[&str]) {
    let now = Utc::now() - TimeDelta::seconds(30 - first_id);
    let mut ticks = Vec::new();
    for (place, price) in prices.iter().enumerate() {
        let time = now + TimeDelta::seconds(place as i64);
        ticks.push(Tick {
            ticker: "BTCUSDT".into(),
            trade_id: Some(first_id + place as i64),
            price: price.parse().unwrap(),
            quantity: Some(1.into()),
            taker_side: None,
            exchange_time: Some(time),
            received_at: time,
        });
    }
    let prices = ticks.iter().map(|tick| NewPrice { ticker_id: BTCUSDT, source: TickSource::Stream, tick }).collect();
    let mut client = server.pool.get().await.unwrap();
    ingest::store(&mut client, prices, &[], false, &Alerts::default().turn()).await.unwrap();
}

async fn make(server: &TestServer, token: &str, alert: Value) -> Value {
    let (status, mut body) = send(server, Method::POST, "/alerts", token, alert.clone()).await;
    assert_eq!(status, 201, "{alert}: {body}");
    body["data"].take()
}

#[tokio::test]
async fn clients_of_an_earlier_system_find_what_they_know() {
    let server = with(&["ada"]).await;
    let (token, _) = log_in(&server, "ada").await;
    trade(&server, 1, &["34999"]).await;
    let (status, made) = send(&server, Method::POST, "/alerts/create/", &token, json!({"target_price": 35000.5})).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!((&made["id"], &made["target_price"]), (&json!(1), &json!(35000.5)));
    let falls = json!({"target_price": "33000", "coin": "ethusdt"});
    assert_eq!(send(&server, Method::POST, "/alerts/create/", &token, falls).await.0, 201);
    trade(&server, 2, &["35000.50"]).await;
    let (status, page) = send(&server, Method::GET, "/alerts/?status=triggered&page=1&page_size=5", &token, NONE).await;
    assert_eq!((status, &page["count"], &page["next"], &page["previous"]), (200, &json!(1), &NONE, &NONE));
    let alert = &page["results"][0];
    let told = |name: &str| alert[name].clone();
    assert_eq!((told("id"), told("coin"), told("status")), (json!(1), json!("btcusdt"), json!("triggered")));
    assert_eq!((told("kind"), told("exchange"), told("level")), (json!("reaches"), json!("binance"), json!("35000.5")));
    let (status, _) = send(&server, Method::DELETE, "/alerts/delete/2/", &token, NONE).await;
    assert_eq!(status, 204);
    let (status, gone) = send(&server, Method::DELETE, "/alerts/delete/2/", &token, NONE).await;
    assert_eq!((status, &gone["code"]), (404, &json!("unknown_alert")));
    let (_, page) = send(&server, Method::GET, "/alerts/?status=deleted", &token, NONE).await;
    assert_eq!((&page["count"], &page["results"][0]["coin"]), (&json!(1), &json!("ethusdt")));
    let (_, page) = send(&server, Method::GET, "/alerts/", &token, NONE).await;
    assert_eq!(page["count"], json!(1), "deleted ones are listed where they are asked for");
}

#[tokio::test]
async fn pages_are_numbered_and_bounded() {
    let server = with(&["ada"]).await;
    let (token, _) = log_in(&server, "ada").await;
    server
        .sql("INSERT INTO alert.rule (account_id, ticker_id, kind, level) SELECT 1, 2, 'reaches', number FROM generate_series(1, 25) AS number")
        .await;
    let mut path = "/alerts".to_owned();
    let mut levels = Vec::new();
    loop {
        let (status, page) = send(&server, Method::GET, &path, &token, NONE).await;
        assert_eq!((status, &page["count"]), (200, &json!(25)));
        levels.extend(page["results"].as_array().unwrap().iter().map(|row| row["target_price"].as_i64().unwrap()));
        match page["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => {
                assert_eq!(page["previous"], json!("/alerts?page=2&page_size=10"));
                break;
            }
        }
    }
    assert_eq!(levels, (1..=25).rev().collect::<Vec<_>>());
    for (query, status, parameter) in [
        ("page=4", 404, "page"),
        ("page=0", 400, "page"),
        ("page_size=101", 400, "page_size"),
        ("status=open", 400, "status"),
        ("sort=1", 400, "sort"),
    ] {
        let (was, body) = send(&server, Method::GET, &format!("/alerts?{query}"), &token, NONE).await;
        assert_eq!((was, &body["parameter"]), (status, &json!(parameter)), "{query}: {body}");
    }
}

#[tokio::test]
async fn every_kind_is_made_told_and_changed_as_it_was_said() {
    let server = with(&["ada"]).await;
    let (token, _) = log_in(&server, "ada").await;
    let pair = json!({"exchange": "Binance", "ticker": "btcusdt"});
    let kinds = [
        json!({"kind": "crosses", "level": "70000.10", "direction": "up", "hysteresis": "50", "frequency": "every_time", "cooldown_seconds": 60}),
        json!({"kind": "reaches", "level": 1, "evaluate": "close", "bar": "1h"}),
        json!({"kind": "channel", "lower": "1", "upper": "2", "direction": "enter", "note": "two\nlines"}),
        json!({"kind": "moves", "change": "5", "window_minutes": 60, "direction": "down", "unit": "price", "late": false}),
        json!({"kind": "closes", "level": "9", "direction": "down", "bar": "1d", "frequency": "once_per_bar"}),
        json!({"kind": "volume", "threshold": "1000", "window_minutes": 5}),
        json!({"kind": "volatility", "threshold": "2.5", "window_minutes": 60}),
        json!({"kind": "stale", "seconds": 60, "frequency": "every_time"}),
        json!({"kind": "gap", "frequency": "every_time"}),
    ];
    let mut alerts: Vec<Value> = kinds
        .into_iter()
        .map(|mut alert| {
            alert.as_object_mut().unwrap().extend(pair.as_object().unwrap().clone());
            alert
        })
        .collect();
    alerts.push(json!({"kind": "crosses", "coin": "Bitcoin", "level": "5"}));
    alerts.push(json!({"kind": "moves", "coin": "Bitcoin", "change": "5", "window_minutes": 60}));
    alerts.push(json!({"kind": "exchange_down", "exchange": "kraken", "seconds": 30}));
    alerts.push(json!({"kind": "spread", "exchange": "binance", "ticker": "BTCUSDT", "other_exchange": "kraken", "other_ticker": "XBT/EUR", "change": "1"}));
    for alert in alerts {
        let made = make(&server, &token, alert.clone()).await;
        for (name, value) in alert.as_object().unwrap() {
            let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_lowercase);
            let told = text(&made[name]);
            let same = told == text(value) || told.parse::<f64>().is_ok_and(|told| text(value).parse() == Ok(told));
            assert!(same, "{name} of {alert}: {made}");
        }
        let path = format!("/alerts/{}", made["id"]);
        // The same said again changes nothing, and something else changes that alone.
        let note = json!({"note": "look at it", "status": "paused"});
        let (status, changed) = send(&server, Method::PATCH, &path, &token, note).await;
        assert_eq!(
            (status, &changed["data"]["note"], &changed["data"]["status"]),
            (200, &json!("look at it"), &json!("paused"))
        );
        let (_, found) = send(&server, Method::GET, &path, &token, NONE).await;
        let mut expected = made.clone();
        for name in ["note", "status", "updated_at"] {
            expected[name] = found["data"][name].clone();
        }
        assert_eq!(found["data"], expected);
        let (status, changed) =
            send(&server, Method::PATCH, &path, &token, json!({"note": null, "status": "created"})).await;
        assert_eq!((status, &changed["data"]["note"]), (200, &NONE));
        let (_, history) = send(&server, Method::GET, &format!("{path}/history"), &token, NONE).await;
        let states: Vec<&str> =
            history["data"].as_array().unwrap().iter().map(|row| row["status"].as_str().unwrap()).collect();
        assert_eq!(states, ["created", "paused", "created"]);
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_its_name_and_says_what_could() {
    let server = with(&["ada"]).await;
    let (token, _) = log_in(&server, "ada").await;
    let about = json!({"exchange": "binance", "ticker": "BTCUSDT"});
    for (alert, parameter) in [
        (json!({}), "kind"),
        (json!({"kind": "jumps"}), "kind"),
        (json!({"kind": "crosses"}), "level"),
        (json!({"kind": "crosses", "level": "0"}), "level"),
        (json!({"kind": "crosses", "level": "-1"}), "level"),
        (json!({"kind": "crosses", "level": "1", "direction": "sideways"}), "direction"),
        (json!({"kind": "crosses", "level": "1", "hysteresis": "1"}), "hysteresis"),
        (json!({"kind": "crosses", "level": "1", "hysteresis": "-1"}), "hysteresis"),
        (json!({"kind": "crosses", "level": "1", "upper": "2"}), "upper"),
        (json!({"kind": "crosses", "level": "1", "evaluate": "close"}), "bar"),
        (json!({"kind": "crosses", "level": "1", "evaluate": "open"}), "evaluate"),
        (json!({"kind": "crosses", "level": "1", "frequency": "often"}), "frequency"),
        (json!({"kind": "crosses", "level": "1", "frequency": "once_per_bar", "bar": "7m"}), "bar"),
        (json!({"kind": "crosses", "level": "1", "cooldown_seconds": 0}), "cooldown_seconds"),
        (json!({"kind": "crosses", "level": "1", "expires_at": "2001-01-01T00:00:00Z"}), "expires_at"),
        (json!({"kind": "crosses", "level": "1", "note": "a\u{7}b"}), "note"),
        (json!({"kind": "crosses", "level": "1", "channels": [4711]}), "channels"),
        (json!({"kind": "crosses", "level": "1", "status": "triggered"}), "status"),
        (json!({"kind": "crosses", "level": "0.0000000000000000001"}), "level"),
        (json!({"kind": "channel", "lower": "2", "upper": "1"}), "upper"),
        (json!({"kind": "moves", "change": "5"}), "window_minutes"),
        (json!({"kind": "moves", "change": "5", "window_minutes": 10_081}), "window_minutes"),
        (json!({"kind": "closes", "level": "5", "bar": "1h"}), "direction"),
        (json!({"kind": "closes", "level": "5", "direction": "up"}), "bar"),
        (json!({"kind": "stale", "seconds": 4}), "seconds"),
        (json!({"kind": "spread", "change": "1"}), "other_ticker"),
        (json!({"kind": "crosses", "level": "1", "ticker": "NOPE"}), "ticker"),
        (json!({"kind": "crosses", "level": "1", "exchange": "nowhere"}), "exchange"),
    ] {
        let mut whole = about.clone();
        whole.as_object_mut().unwrap().extend(alert.as_object().unwrap().clone());
        let (status, body) = send(&server, Method::POST, "/alerts", &token, whole).await;
        assert!(status == 400 || status == 404, "{alert}: {status} {body}");
        assert_eq!(body["parameter"], json!(parameter), "{alert}: {body}");
    }
    for alert in [
        json!({"kind": "volume", "coin": "bitcoin", "threshold": "1", "window_minutes": 5}),
        json!({"kind": "crosses", "level": "1"}),
    ] {
        assert_eq!(send(&server, Method::POST, "/alerts", &token, alert).await.0, 400);
    }
    let made = make(&server, &token, json!({"kind": "reaches", "level": "5", "ticker": "BTCUSDT"})).await;
    let path = format!("/alerts/{}", made["id"]);
    for (change, parameter) in [
        (json!({"ticker": "ETHUSDT"}), "ticker"),
        (json!({"kind": "crosses"}), "kind"),
        (json!({"status": "triggered"}), "status"),
        (json!({"level": "0"}), "level"),
        (json!({"upper": "7"}), "upper"),
    ] {
        let (status, body) = send(&server, Method::PATCH, &path, &token, change.clone()).await;
        assert_eq!((status, &body["parameter"]), (400, &json!(parameter)), "{change}: {body}");
    }
    server.sql("INSERT INTO alert.rule (account_id, ticker_id, kind, level) SELECT 1, 2, 'reaches', 1 FROM generate_series(1, 1999)").await;
    let more = json!({"kind": "reaches", "level": "5", "ticker": "BTCUSDT"});
    let (status, body) = send(&server, Method::POST, "/alerts", &token, more).await;
    assert_eq!((status, &body["code"]), (409, &json!("too_many_alerts")));
}

#[tokio::test]
async fn a_rule_is_tried_on_the_past_as_it_would_have_been_there() {
    let server = with(&["ada"]).await;
    let (token, _) = log_in(&server, "ada").await;
    trade(&server, 1, &["99", "101", "98", "102", "97", "110"]).await;
    let alert = json!({"kind": "crosses", "ticker": "BTCUSDT", "exchange": "binance", "level": "100", "direction": "up",
                       "frequency": "every_time", "cooldown_seconds": 1});
    let (status, body) = send(&server, Method::POST, "/alerts/preview", &token, alert).await;
    assert_eq!(status, 200, "{body}");
    let preview = &body["data"];
    assert_eq!((&preview["resolution"], &preview["prices"], &preview["count"]), (&json!("tick"), &json!(6), &json!(3)));
    let firing = &preview["firings"][0];
    assert_eq!((&firing["price"], &firing["said"]), (&json!("101"), &json!("BTCUSDT (binance) rose through 100: 101")));
    let (_, page) = send(&server, Method::GET, "/alerts", &token, NONE).await;
    assert_eq!(page["count"], json!(0), "nothing is kept");
    // Of minutes, too.
    for (alert, count) in [
        (json!({"kind": "volume", "threshold": "6", "window_minutes": 5}), 1),
        (json!({"kind": "volume", "threshold": "7", "window_minutes": 5}), 0),
        (json!({"kind": "moves", "change": "12", "window_minutes": 5, "direction": "up"}), 1),
    ] {
        let mut whole = json!({"ticker": "BTCUSDT", "exchange": "binance"});
        whole.as_object_mut().unwrap().extend(alert.as_object().unwrap().clone());
        let (status, body) = send(&server, Method::POST, "/alerts/preview", &token, whole).await;
        assert_eq!((status, &body["data"]["count"]), (200, &json!(count)), "{alert}: {body}");
    }
    let coin = json!({"kind": "crosses", "coin": "bitcoin", "level": "100"});
    let (status, body) = send(&server, Method::POST, "/alerts/preview", &token, coin).await;
    assert_eq!((status, &body["code"]), (400, &json!("not_previewed")));
    let (status, body) =
        send(&server, Method::POST, "/alerts/preview?from=2020-01-01T00:00:00Z", &token, json!({"kind": "gap"})).await;
    assert_eq!((status, &body["parameter"]), (400, &json!("from")));
}

#[tokio::test]
async fn firings_are_told_newest_first_page_by_page() {
    let server = with(&["ada"]).await;
    let (token, _) = log_in(&server, "ada").await;
    trade(&server, 1, &["99"]).await;
    let alert = json!({"kind": "crosses", "ticker": "BTCUSDT", "exchange": "binance", "level": "100", "frequency": "every_time", "cooldown_seconds": 1});
    let made = make(&server, &token, alert).await;
    trade(&server, 2, &["101", "99", "101"]).await;
    let path = format!("/alerts/firings?limit=2&alert={}", made["id"]);
    let (status, page) = send(&server, Method::GET, &path, &token, NONE).await;
    assert_eq!((status, page["data"].as_array().unwrap().len()), (200, 2));
    assert_eq!((&page["data"][0]["trade_id"], &page["data"][1]["trade_id"]), (&json!(4), &json!(3)));
    let path = format!("{path}&cursor={}", page["next_cursor"].as_str().unwrap());
    let (_, page) = send(&server, Method::GET, &path, &token, NONE).await;
    let first = &page["data"][0];
    assert_eq!((&first["trade_id"], &first["reference"], &page["next_cursor"]), (&json!(2), &json!("99"), &NONE));
    let (_, found) = send(&server, Method::GET, &format!("/alerts/{}", made["id"]), &token, NONE).await;
    assert_eq!((&found["data"]["fired_count"], &found["data"]["status"]), (&json!(3), &json!("created")));
}

/// Every route that the description has under somebody's rights, with a number in its path.
#[tokio::test]
async fn what_is_another_s_is_not_there_whatever_is_asked_of_it() {
    let server = with(&["ada", "grace"]).await;
    let ((ada, _), (grace, _)) = (log_in(&server, "ada").await, log_in(&server, "grace").await);
    make(&server, &ada, json!({"kind": "reaches", "level": "5", "ticker": "BTCUSDT", "exchange": "binance"})).await;
    trade(&server, 1, &["4", "5"]).await;
    send(&server, Method::POST, "/channels", &ada, json!({"name": "c", "kind": "console"})).await;
    let schedule = json!({"name": "n", "kind": "rose", "threshold_percent": 1, "every": "01:00"});
    send(&server, Method::POST, "/schedules", &ada, schedule).await;
    server.sql("INSERT INTO alert.notification (channel_id, state) SELECT id, 'failed' FROM alert.channel").await;
    send(&server, Method::POST, "/portfolios", &ada, json!({"name": "p"})).await;
    let bought = json!({"symbol": "BTC", "order_type": "BUY", "volume": 1, "value": 5});
    send(&server, Method::POST, "/portfolios/1/transactions", &ada, bought.clone()).await;
    let (_, failed) = send(&server, Method::GET, "/notifications?state=failed", &ada, NONE).await;
    let notification = failed["data"][0]["id"].as_str().unwrap().to_owned();
    let (_, document) = server.get("/openapi.json").await;
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let is_guarded = operation["security"].is_array() && path.contains("{id}");
            if !is_guarded || path == "/api-keys/{id}" {
                continue;
            }
            asked += 1;
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let body = match (method == Method::PATCH, path.starts_with("/alerts")) {
                (true, true) => json!({"note": "mine"}),
                (true, false) if path.contains("{number}") => json!({"note": "mine"}),
                (true, false) => json!({"name": "mine"}),
                (false, _) if path.ends_with("/transactions") && method == Method::POST => bought.clone(),
                (false, _) => NONE,
            };
            let id = if path.starts_with("/notifications") { notification.as_str() } else { "1" };
            let path = path.replace("{id}", id).replace("{number}", "1");
            let (status, answer) = send(&server, method.clone(), &path, &grace, body.clone()).await;
            let code = answer["code"].as_str().unwrap_or_default();
            assert!(status == 404 && code.starts_with("unknown_"), "{method} {path}: {status} {answer}");
        }
    }
    assert!(asked >= 12, "{asked}");
    for path in ["/alerts", "/alerts/firings", "/channels", "/schedules", "/notifications", "/portfolios"] {
        let (_, page) = send(&server, Method::GET, path, &grace, NONE).await;
        assert!(page["count"] == json!(0) || page["data"] == json!([]), "{page}");
    }
    let (status, found) = send(&server, Method::GET, "/alerts/1", &ada, NONE).await;
    assert_eq!((status, &found["data"]["note"], &found["data"]["status"]), (200, &NONE, &json!("triggered")));
}

#[tokio::test]
async fn a_key_that_may_only_read_changes_nothing() {
    let server = start().await;
    crate::accounts::add(&server, "ada").await;
    let (token, _) = log_in(&server, "ada").await;
    let (_, made) = send(&server, Method::POST, "/api-keys", &token, json!({"name": "n", "scope": "read"})).await;
    let key = made["data"]["key"].as_str().unwrap();
    let alert = json!({"kind": "reaches", "level": "5", "ticker": "BTCUSDT", "exchange": "binance"});
    for (method, path, body) in [
        (Method::POST, "/alerts", alert.clone()),
        (Method::POST, "/alerts/create", json!({"target_price": 1})),
        (Method::PATCH, "/alerts/1", json!({"note": "x"})),
        (Method::DELETE, "/alerts/1", NONE),
        (Method::DELETE, "/alerts/delete/1", NONE),
    ] {
        let (status, answer) = send(&server, method.clone(), path, key, body).await;
        assert_eq!((status, &answer["code"]), (403, &json!("only_reading")), "{method} {path}");
    }
    assert_eq!(send(&server, Method::GET, "/alerts", key, NONE).await.0, 200);
    assert_eq!(send(&server, Method::POST, "/alerts/preview", key, alert).await.0, 200);
}
