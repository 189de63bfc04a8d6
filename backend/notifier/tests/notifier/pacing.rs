//! As often as the owner wants, and not at night.

use chrono::Utc;
use database::notifications;
use serde_json::{Value, json};

use crate::{
    bench::{Bench, settings},
    http_sink::{Answer, Sink},
};

fn ids(body: &Value) -> Vec<String> {
    body["notifications"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn beyond_the_pace_what_waits_goes_in_one_message() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    let told = bench.fire(account_id, channel_id, 15).await;
    let _running = bench.start(settings(&[]));
    bench.until_number("SELECT count(*) FROM alert.notification WHERE state = 'sent'", 15).await;
    let bodies: Vec<Value> = sink.requests().iter().map(|request| request.json()).collect();
    let (alone, together) = bodies.split_at(bodies.len() - 1);
    // A slow machine earns one or two more meanwhile.
    assert!((10..=12).contains(&alone.len()), "{}", alone.len());
    assert!(alone.iter().all(|body| body["count"] == 1 && body["kind"] == "alert"));
    let (digest, rest) = (&together[0], 15 - alone.len());
    assert_eq!((&digest["count"], &digest["kind"]), (&json!(rest), &json!("digest")));
    let subject = digest["subject"].as_str().unwrap();
    assert!(subject.starts_with(&format!("{rest} notifications, the newest: BTCUSDT")), "{subject}");
    assert_eq!(digest["text"].as_str().unwrap().lines().count(), rest);
    let mut sent: Vec<String> = bodies.iter().flat_map(ids).collect();
    sent.sort();
    let mut wanted: Vec<String> = told.iter().map(ToString::to_string).collect();
    wanted.sort();
    assert_eq!(sent, wanted);
    let messages = bench.number("SELECT count(DISTINCT message_id) FROM alert.notification").await;
    assert_eq!(messages, bodies.len() as i64);
}

#[tokio::test]
async fn a_digest_is_tried_again_with_what_was_in_it() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    bench.fire(account_id, channel_id, 60).await;
    bench.sql("UPDATE alert.notification SET is_held = true").await;
    sink.answer([Answer::status(500)]);
    let running = bench.start(settings(&[]));
    sink.until(1).await;
    bench.fire(account_id, channel_id, 1).await;
    bench.until_number("SELECT count(*) FROM alert.notification WHERE state = 'sent'", 61).await;
    let requests = sink.requests();
    let digests: Vec<_> = requests.iter().filter(|request| request.json()["kind"] == "digest").collect();
    assert_eq!(digests.len(), 2);
    assert_eq!((digests[0].id(), &digests[0].body), (digests[1].id(), &digests[1].body));
    let body = digests[0].json();
    assert_eq!((&body["count"], ids(&body).len()), (&json!(60), 50));
    assert!(body["text"].as_str().unwrap().ends_with("… and 10 more"), "{body}");
    running.stop().await;
}

#[tokio::test]
async fn nothing_but_tests_is_sent_in_quiet_hours() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    // From an hour ago to in an hour, by clocks that never jump.
    bench.sql("UPDATE secret.account SET time_zone = 'Asia/Kolkata'").await;
    bench
        .sql(
            "INSERT INTO alert.preference (account_id, quiet_from, quiet_to)
             SELECT id, (now() AT TIME ZONE time_zone - interval '1 hour')::time, (now() AT TIME ZONE time_zone + interval '1 hour')::time
             FROM secret.account",
        )
        .await;
    let told = bench.fire(account_id, channel_id, 3).await;
    let _running = bench.start(settings(&[]));
    bench.until_number("SELECT count(*) FROM alert.notification WHERE is_held", 3).await;
    let wait = (bench.outcome(told[0]).await.due_at - Utc::now()).num_minutes();
    assert!((55..=60).contains(&wait), "{wait} minutes");
    let test = bench.test_of(account_id, channel_id).await;
    bench.until(test, "sent").await;
    assert_eq!(sink.requests().len(), 1);
    bench.sql("UPDATE alert.preference SET quiet_from = NULL, quiet_to = NULL").await;
    let client = bench.client().await;
    assert_eq!(notifications::reconsider(&client, account_id).await.unwrap(), 3);
    let digest = sink.until(2).await[1].json();
    assert_eq!((&digest["kind"], &digest["count"]), (&json!("digest"), &json!(3)));
    bench.until(told[2], "sent").await;
    let test = bench.test_of(account_id, channel_id).await;
    bench.until(test, "sent").await;
}
