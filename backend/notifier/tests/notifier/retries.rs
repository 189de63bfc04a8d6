//! What does not arrive is tried again, with the same id, and given up in the end.

use database::notifications;

use crate::{
    bench::{Bench, settings},
    http_sink::{Answer, Sink},
};

#[tokio::test]
async fn a_message_is_tried_until_it_arrives_with_the_same_id() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    sink.answer([500, 503, 408].map(Answer::status));
    let id = bench.fire(account_id, channel_id, 1).await[0];
    let running = bench.start(settings(&[]));
    let outcome = bench.until(id, "sent").await;
    assert_eq!((outcome.attempts, outcome.error), (4, None));
    let requests = sink.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| request.id() == id.to_string() && request.body == requests[0].body));
    running.stop().await;
}

#[tokio::test]
async fn what_is_given_up_stays_and_can_be_resent() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    sink.answer([500, 500, 500].map(Answer::status));
    let id = bench.fire(account_id, channel_id, 1).await[0];
    let _running = bench.start(settings(&["--notifier-attempts", "3"]));
    let outcome = bench.until(id, "failed").await;
    assert_eq!(outcome.attempts, 3);
    assert_eq!(outcome.error.as_deref(), Some("the receiver answered 500; given up after 3 tries"));
    let client = bench.client().await;
    let stranger = bench.account("eve").await;
    assert!(!notifications::resend(&client, stranger, id).await.unwrap());
    assert!(notifications::resend(&client, account_id, id).await.unwrap());
    let outcome = bench.until(id, "sent").await;
    assert_eq!((outcome.attempts, outcome.error, outcome.message_id), (1, None, Some(id)));
    assert_eq!(sink.requests().len(), 4);
    assert!(!notifications::resend(&client, account_id, id).await.unwrap(), "what arrived is not sent again");
}

#[tokio::test]
async fn what_no_try_of_ends_is_given_up_and_holds_up_nothing() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    let ids = bench.fire(account_id, channel_id, 2).await;
    // More digits than can be read.
    bench.sql("UPDATE alert.firing SET price = 1e40 WHERE trade_id = 1").await;
    let _running = bench.start(settings(&["--notifier-attempts", "3"]));
    let outcome = bench.until(ids[0], "failed").await;
    assert_eq!(outcome.error.as_deref(), Some("it was tried 3 times, and no try came to an end"));
    bench.until(ids[1], "sent").await;
    assert_eq!(sink.requests().len(), 1);
}

#[tokio::test]
async fn of_several_that_were_given_up_together_one_can_be_resent_alone() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    sink.answer([Answer::status(404)]);
    let ids = bench.fire(account_id, channel_id, 3).await;
    bench.sql("UPDATE alert.notification SET is_held = true").await;
    let _running = bench.start(settings(&[]));
    let together = bench.until(ids[0], "failed").await.message_id;
    assert!(together.is_some_and(|message_id| !ids.contains(&message_id)));
    assert!(notifications::resend(&bench.client().await, account_id, ids[1]).await.unwrap());
    assert_eq!(bench.until(ids[1], "sent").await.message_id, Some(ids[1]));
    assert_eq!(bench.outcome(ids[2]).await.state, "failed");
    assert_eq!(sink.requests()[1].json()["kind"], "alert");
}

#[tokio::test]
async fn a_refusal_for_good_is_not_tried_again_and_says_nothing_of_the_next() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    sink.answer([Answer(410, String::new(), "the answer's own words".to_owned())]);
    let ids = bench.fire(account_id, channel_id, 2).await;
    let _running = bench.start(settings(&[]));
    bench.until_number("SELECT count(*) FROM alert.notification WHERE state = 'waiting'", 0).await;
    let mut outcomes = [bench.outcome(ids[0]).await, bench.outcome(ids[1]).await];
    outcomes.sort_by_key(|outcome| outcome.state.clone());
    assert_eq!((outcomes[0].attempts, outcomes[0].error.as_deref()), (1, Some("the receiver answered 410")));
    assert_eq!((outcomes[1].attempts, outcomes[1].state.as_str()), (1, "sent"));
    assert_eq!(sink.requests().len(), 2);
}

#[tokio::test]
async fn who_asks_to_be_left_alone_is() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    sink.answer([Answer(429, "retry-after: 100\r\n".to_owned(), String::new())]);
    let id = bench.fire(account_id, channel_id, 2).await;
    let before = chrono::Utc::now();
    let _running = bench.start(settings(&[]));
    bench.until_number("SELECT count(*) FROM alert.notification WHERE error IS NOT NULL", 1).await;
    for id in id {
        let rest = (bench.outcome(id).await.due_at - before).num_seconds();
        assert!((100..160).contains(&rest), "the others wait too: {rest} s");
    }
    // Telegram and Discord tell it in the answer.
    let told = r#"{"ok":false,"parameters":{"retry_after":9999}}"#.to_owned();
    sink.answer([Answer(429, String::new(), told)]);
    let other = bench.webhook(account_id, &sink.url()).await;
    let id = bench.fire(account_id, other, 1).await[0];
    bench.until_number("SELECT count(*) FROM alert.notification WHERE error IS NOT NULL", 2).await;
    let rest = (bench.outcome(id).await.due_at - before).num_seconds();
    assert!((600..660).contains(&rest), "not for ever: {rest} s");
}

#[tokio::test]
async fn nobody_listening_is_tried_again_and_tells_no_address() {
    let bench = Bench::new().await;
    let account_id = bench.account("ada").await;
    let channel_id =
        bench.channel(account_id, "slack", serde_json::json!({"url": "http://127.0.0.1:9/services/geheim"})).await;
    let id = bench.fire(account_id, channel_id, 1).await[0];
    let _running = bench.start(settings(&["--notifier-attempts", "2"]));
    let outcome = bench.until(id, "failed").await;
    let error = outcome.error.unwrap();
    assert!(
        error.contains("cannot be reached") && !error.contains("geheim") && !error.contains("127.0.0.1"),
        "{error}"
    );
    assert_eq!(outcome.attempts, 2);
}
