//! What each kind of channel sends.

use std::collections::HashSet;

use hmac::{Hmac, Mac as _};
use serde_json::json;
use sha2::Sha256;

use crate::{
    bench::{Bench, settings},
    http_sink::{Answer, Sink},
};

#[tokio::test]
async fn a_webhook_gets_signed_json() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    let id = bench.fire(account_id, channel_id, 1).await[0];
    let _running = bench.start(settings(&[]));
    let request = sink.until(1).await[0].clone();
    let outcome = bench.until(id, "sent").await;
    assert_eq!((outcome.attempts, outcome.error, outcome.message_id), (1, None, Some(id)));
    let header = |name: &str| request.headers[name].as_str();
    assert_eq!([request.id(), header("x-crypto-tracker-delivery")], [id.to_string(), id.to_string()]);
    let mut mac = Hmac::<Sha256>::new_from_slice(b"0123456789abcdef").unwrap();
    mac.update(format!("{}.{}", header("x-crypto-tracker-timestamp"), request.body).as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(header("x-crypto-tracker-signature"), format!("sha256={signature}"));
    let age = chrono::Utc::now().timestamp() - header("x-crypto-tracker-timestamp").parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
    let body = request.json();
    let text = body["text"].as_str().unwrap();
    let begin = "BTCUSDT (binance) rose through 65000: 1\nSell <a> tenth & rest\n\n2026-07-01 12:00:05 CEST\nLate: it was noticed ";
    assert!(text.starts_with(begin) && text.ends_with("days after it happened."), "{text}");
    assert_eq!(
        (&body["id"], &body["kind"], &body["count"], &body["subject"]),
        (&json!(id), &json!("alert"), &json!(1), &json!("BTCUSDT (binance) rose through 65000: 1"))
    );
    let told = &body["notifications"][0];
    for (name, value) in [
        ("id", json!(id)),
        ("exchange", json!("binance")),
        ("ticker", json!("BTCUSDT")),
        ("coin", json!("bitcoin")),
        ("price", json!("65001.01")),
        ("reference", json!("64999.98")),
        ("level", json!("65000")),
        ("rule_kind", json!("crosses")),
        ("note", json!("Sell <a> tenth & rest")),
        ("happened_at", json!("2026-07-01T10:00:05Z")),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
}

#[tokio::test]
async fn messengers_get_what_they_read() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let account_id = bench.account("ada").await;
    bench
        .sql(
            "INSERT INTO alert.preference (account_id, subject, body)
               SELECT id, '@everyone {ticker}', '{price} <!channel> {note}' FROM secret.account",
        )
        .await;
    let base = sink.base();
    let key = "0123456789abcdef0123456789abcdef";
    for (kind, given) in [
        ("slack", json!({"url": format!("{base}/slack")})),
        ("discord", json!({"url": format!("{base}/discord")})),
        ("telegram", json!({"token": "42:abcdefghijklmnopqrstuvwxyz", "chat_id": "-100"})),
        ("pagerduty", json!({"routing_key": key, "severity": "critical"})),
    ] {
        let channel_id = bench.channel(account_id, kind, given).await;
        bench.fire(account_id, channel_id, 1).await;
    }
    let _running =
        bench.start(settings(&["--notifier-telegram-url", &base, "--notifier-pagerduty-url", &format!("{base}/")]));
    let requests = sink.until(4).await;
    let of = |path: &str| {
        requests.iter().find(|request| request.path == path).unwrap_or_else(|| panic!("{path}: {requests:?}"))
    };
    assert_eq!(
        of("/slack").json()["text"],
        "@everyone BTCUSDT\n65001.01 &lt;!channel&gt; Sell &lt;a&gt; tenth &amp; rest"
    );
    let discord = of("/discord").json();
    assert_eq!(discord["content"], "@everyone BTCUSDT\n65001.01 <!channel> Sell <a> tenth & rest");
    assert_eq!(discord["allowed_mentions"], json!({"parse": []}));
    let telegram = of("/bot42:abcdefghijklmnopqrstuvwxyz/sendMessage").json();
    assert_eq!((&telegram["chat_id"], telegram.get("parse_mode")), (&json!("-100"), None));
    assert!(telegram["text"].as_str().unwrap().contains("Sell <a> tenth"), "{telegram}");
    let pagerduty = of("/v2/enqueue");
    let event = pagerduty.json();
    assert_eq!(event["dedup_key"], pagerduty.id());
    assert_eq!((&event["routing_key"], &event["event_action"]), (&json!(key), &json!("trigger")));
    assert_eq!(
        (&event["payload"]["summary"], &event["payload"]["severity"], &event["payload"]["timestamp"]),
        (&json!("@everyone BTCUSDT"), &json!("critical"), &json!("2026-07-01T10:00:05Z"))
    );
    let ids: HashSet<&str> = requests.iter().map(|request| request.id()).collect();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn what_the_api_delivers_is_sent_at_once_and_the_console_takes_everything() {
    let bench = Bench::new().await;
    let account_id = bench.account("ada").await;
    let desktop = bench.channel(account_id, "desktop", json!({})).await;
    let console = bench.channel(account_id, "console", json!({})).await;
    let told = bench.fire(account_id, desktop, 40).await;
    let shown = bench.fire(account_id, console, 1).await[0];
    let _running = bench.start(settings(&[]));
    for id in told {
        assert_eq!(bench.until(id, "sent").await.message_id, Some(id));
    }
    bench.until(shown, "sent").await;
}

#[tokio::test]
async fn a_test_of_a_channel_says_that_it_is_one() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    let id = bench.test_of(account_id, channel_id).await;
    let _running = bench.start(settings(&[]));
    let body = sink.until(1).await[0].json();
    assert_eq!((&body["kind"], &body["subject"]), (&json!("test"), &json!("Test of my webhook")));
    assert!(body["text"].as_str().unwrap().contains("Nothing happened"), "{body}");
    bench.until(id, "sent").await;
    let stranger = bench.account("eve").await;
    let theirs = database::notifications::create_test(&bench.client().await, stranger, channel_id).await.unwrap();
    assert_eq!(theirs, None);
}

#[tokio::test]
async fn what_cannot_be_sent_says_why() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    let broken = bench.channel(account_id, "slack", json!({"address": "secret"})).await;
    let mail = bench.channel(account_id, "email", json!({})).await;
    let off = bench.fire(account_id, channel_id, 3).await[2];
    let (broken, mail) = (bench.fire(account_id, broken, 1).await[0], bench.fire(account_id, mail, 1).await[0]);
    bench.sql(&format!("UPDATE alert.channel SET is_active = false WHERE id = {channel_id}")).await;
    let _running = bench.start(settings(&[]));
    for (id, reason) in [(off, "switched off"), (broken, "set them anew"), (mail, "NOTIFIER_SMTP_HOST")] {
        let outcome = bench.until(id, "failed").await;
        let error = outcome.error.unwrap();
        assert!(error.contains(reason) && !error.contains("secret"), "{error}");
    }
    assert_eq!(sink.requests().len(), 0);
    let told = bench.number("SELECT count(*) FROM alert.channel WHERE last_error IS NOT NULL").await;
    assert_eq!(told, 3);
}

#[tokio::test]
async fn an_answer_of_any_length_is_a_success() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    sink.answer([Answer(200, String::new(), "x".repeat(10_000_000))]);
    let id = bench.fire(account_id, channel_id, 1).await[0];
    let _running = bench.start(settings(&[]));
    assert_eq!(bench.until(id, "sent").await.attempts, 1);
}
