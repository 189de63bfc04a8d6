//! Several notifiers, slow receivers, and notifiers that die.

use std::{
    collections::{HashMap, HashSet},
    process::{Child, Command, Stdio},
    time::Instant,
};

use database::notifications::{self, Goes};
use uuid::Uuid;

use crate::{
    bench::{Bench, settings},
    http_sink::Sink,
};

#[tokio::test]
async fn a_slow_receiver_delays_no_other() {
    let (bench, slow, sink) = (Bench::new().await, Sink::start().await, Sink::start().await);
    let account_id = bench.account("ada").await;
    let slow_id = bench.webhook(account_id, &slow.url()).await;
    slow.hang();
    let waits = bench.fire(account_id, slow_id, 1).await[0];
    let _running = bench.start(settings(&[]));
    slow.until(1).await;
    let began = Instant::now();
    let quick = bench.webhook(account_id, &sink.url()).await;
    let ids = bench.fire(account_id, quick, 5).await;
    for id in &ids {
        bench.until(*id, "sent").await;
    }
    let took = began.elapsed();
    assert_eq!(bench.outcome(waits).await.error, None, "the slow one is still asked after {took:?}");
    // It does not take part in anything but its own time.
    assert_eq!(bench.until(waits, "sent").await.attempts, 2);
    assert!(slow.requests().iter().all(|request| request.id() == waits.to_string()));
}

#[tokio::test]
async fn two_notifiers_share_the_work_and_send_nothing_twice() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let account_id = bench.account("ada").await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        let channel_id = bench.webhook(account_id, &sink.url()).await;
        ids.extend(bench.fire(account_id, channel_id, 5).await);
    }
    // Both do something: neither could take all channels at once.
    let both =
        [bench.start(settings(&["--notifier-channels", "4"])), bench.start(settings(&["--notifier-channels", "4"]))];
    bench.until_number("SELECT count(*) FROM alert.notification WHERE state <> 'sent'", 0).await;
    let requests = sink.requests();
    let sent: HashSet<&str> = requests.iter().map(|request| request.id()).collect();
    assert_eq!((requests.len(), sent.len()), (ids.len(), ids.len()));
    for running in both {
        running.stop().await;
    }
    assert_eq!(bench.number("SELECT count(*) FROM alert.channel WHERE served_until IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_thousand_notifications_over_a_hundred_channels_leave_once_each() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let account_id = bench.account("ada").await;
    for _ in 0..100 {
        let channel_id = bench.webhook(account_id, &sink.url()).await;
        bench.fire(account_id, channel_id, 10).await;
    }
    let began = Instant::now();
    let _running = bench.start(settings(&[]));
    sink.until(1_000).await;
    bench.until_number("SELECT count(*) FROM alert.notification WHERE state = 'sent' AND attempts = 1", 1_000).await;
    println!("1,000 notifications over 100 channels: {:?}", began.elapsed());
    let mut times = HashMap::new();
    for request in sink.requests() {
        *times.entry(request.id().to_owned()).or_insert(0) += 1;
    }
    assert!(times.len() == 1_000 && times.values().all(|times| *times == 1));
}

#[tokio::test]
async fn a_channel_of_a_notifier_that_died_is_taken_over_when_its_lease_is_over() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    let id = bench.fire(account_id, channel_id, 1).await[0];
    let client = bench.client().await;
    let mut lease = notifications::take_channels(&client, 10).await.unwrap()[0].lease;
    assert!(notifications::take_channels(&client, 10).await.unwrap().is_empty(), "one has it for itself");
    let _running = bench.start(settings(&[]));
    let other = bench.webhook(account_id, &sink.url()).await;
    let next = bench.fire(account_id, other, 1).await[0];
    bench.until(next, "sent").await;
    assert_eq!(bench.outcome(id).await.attempts, 0, "others are served, this one is not");
    bench
        .sql(&format!("UPDATE alert.channel SET served_until = now() - interval '1 second' WHERE id = {channel_id}"))
        .await;
    bench.until(id, "sent").await;
    // Whoever had it can begin nothing any more.
    let late = bench.fire(account_id, channel_id, 1).await[0];
    let begun = notifications::begin(&client, &mut lease, Goes::Alone(late), None).await.unwrap();
    assert_eq!(begun, None);
}

#[tokio::test]
async fn who_is_asked_to_stop_finishes_what_is_being_sent_and_begins_nothing() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    bench.fire(account_id, channel_id, 3).await;
    let closed = sink.gate.lock().await;
    let running = bench.start(settings(&[]));
    sink.until(1).await;
    running.cancel();
    drop(closed);
    running.stop().await;
    assert_eq!(bench.number("SELECT count(*) FROM alert.notification WHERE state = 'sent'").await, 1);
    assert_eq!(bench.number("SELECT count(*) FROM alert.channel WHERE served_until IS NOT NULL").await, 0);
    assert_eq!(sink.requests().len(), 1);
}

#[tokio::test]
async fn an_outage_of_the_database_delays_and_loses_nothing() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    let _running = bench.start(settings(&[]));
    let first = bench.fire(account_id, channel_id, 1).await[0];
    bench.until(first, "sent").await;
    let second = bench.fire(account_id, channel_id, 1).await[0];
    bench.database.take_down().await;
    bench.database.bring_up().await;
    bench.pool.close();
    let again =
        Bench { pool: database::connect(&database::DatabaseSettings::at(bench.database.url())).unwrap(), ..bench };
    again.until(second, "sent").await;
}

/// The program itself, so that it can be killed.
fn program(bench: &Bench) -> Child {
    Command::new(env!("CARGO_BIN_EXE_notifier"))
        .env("DATABASE_URL", bench.database.url())
        .env("NOTIFIER_ALLOW_NETWORKS", "127.0.0.1/32")
        .env("NOTIFIER_PROBE_BIND", "127.0.0.1:0")
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_message_that_a_killed_notifier_had_begun_is_sent_again_as_it_was() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    let ids = bench.fire(account_id, channel_id, 3).await;
    bench.sql("UPDATE alert.notification SET is_held = true").await;
    sink.hang();
    let mut killed = program(&bench);
    sink.until(1).await;
    killed.kill().unwrap();
    killed.wait().unwrap();
    bench.fire(account_id, channel_id, 1).await;
    bench.sql("UPDATE alert.channel SET served_until = now() - interval '1 second'").await;
    let mut second = program(&bench);
    let requests = sink.until(3).await;
    let message_id: Uuid = requests[0].id().parse().unwrap();
    assert_eq!((requests[1].id(), &requests[1].body), (requests[0].id(), &requests[0].body));
    assert_eq!((requests[0].json()["count"].as_i64(), requests[2].json()["count"].as_i64()), (Some(3), Some(1)));
    for id in ids {
        let outcome = bench.until(id, "sent").await;
        assert_eq!((outcome.message_id, outcome.attempts), (Some(message_id), 2));
    }
    second.kill().unwrap();
    second.wait().unwrap();
}

#[tokio::test]
async fn looking_when_nothing_is_due_is_one_look_into_an_index() {
    let bench = Bench::new().await;
    let (account_id, channel_id) = bench.with_webhook("http://127.0.0.1:9/").await;
    bench.fire(account_id, channel_id, 20_000).await;
    bench.sql("UPDATE alert.notification SET state = 'sent'; ANALYZE alert.notification").await;
    let later = bench.fire(account_id, channel_id, 2_000).await;
    bench.sql("UPDATE alert.notification SET due_at = now() + interval '1 hour' WHERE state = 'waiting'; ANALYZE alert.notification").await;
    let client = bench.client().await;
    let began = Instant::now();
    for _ in 0..100 {
        assert!(notifications::take_channels(&client, 32).await.unwrap().is_empty());
    }
    let idle = began.elapsed() / 100;
    println!("a look of nothing due, 2,000 waiting, 20,000 sent: {idle:?}");
    assert!(idle.as_millis() < 20, "{idle:?}");
    assert_eq!(later.len(), 2_000);
}
