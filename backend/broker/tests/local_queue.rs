//! The queue on disk: nothing accepted is lost, order is kept, bounds hold.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{path::Path, time::Duration};

use broker::{LocalQueue, LocalQueueError, LocalQueueSettings, Source};
use bytes::Bytes;
use proptest::prelude::*;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

async fn open(folder: &Path) -> LocalQueue {
    LocalQueue::open(LocalQueueSettings::at(folder.join("queue.redb"))).await.unwrap()
}

async fn publish(queue: &LocalQueue, number: usize) {
    queue.publish("ticks.test".to_owned(), payload(number), Vec::new()).await.unwrap();
}

fn payload(number: usize) -> Bytes {
    Bytes::from(format!("message {number}"))
}

async fn receive(queue: &LocalQueue) -> broker::local_queue::LocalDelivery {
    timeout(SOON, queue.receive()).await.expect("a message is due").unwrap()
}

#[tokio::test]
async fn messages_come_in_order_and_are_gone_when_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path()).await;
    for number in 0..100 {
        publish(&queue, number).await;
    }
    for number in 0..100 {
        let delivery = receive(&queue).await;
        assert_eq!(delivery.payload(), &payload(number));
        assert_eq!(delivery.topic(), "ticks.test");
        assert!(!delivery.redelivered());
        delivery.ack().await.unwrap();
    }
    queue.close().await;
    let queue = open(folder.path()).await;
    assert!(queue.is_empty());
    assert!(timeout(Duration::from_millis(50), queue.receive()).await.is_err(), "nothing may come twice");
}

#[tokio::test]
async fn a_waiting_receiver_gets_what_is_published_later() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path()).await;
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { receive(&queue).await.payload().clone() }
    });
    publish(&queue, 7).await;
    assert_eq!(waiting.await.unwrap(), payload(7));
}

#[tokio::test]
async fn a_dropped_delivery_comes_again_before_later_ones() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path()).await;
    for number in 0..3 {
        publish(&queue, number).await;
    }
    let first = receive(&queue).await;
    let id = first.id().to_owned();
    drop(first);
    let again = receive(&queue).await;
    assert_eq!((again.payload(), again.redelivered(), again.id()), (&payload(0), true, id.as_str()));
    again.ack().await.unwrap();
    assert_eq!(receive(&queue).await.payload(), &payload(1));
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_after_a_restart_under_the_same_id() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path()).await;
    for number in 0..5 {
        publish(&queue, number).await;
    }
    let mut out = Vec::new();
    for _ in 0..4 {
        out.push(receive(&queue).await);
    }
    let ids: Vec<String> = out.iter().map(|delivery| delivery.id().to_owned()).collect();
    // Acknowledged out of order: 1 and 3. 0 and 2 are out, 4 was never delivered.
    out.remove(3).ack().await.unwrap();
    out.remove(1).ack().await.unwrap();
    queue.close().await;
    drop(out);

    let queue = open(folder.path()).await;
    assert_eq!(queue.len(), 3);
    for (number, id) in [(0, Some(&ids[0])), (2, Some(&ids[2])), (4, None)] {
        let delivery = receive(&queue).await;
        assert_eq!(delivery.payload(), &payload(number));
        assert!(delivery.redelivered(), "nobody knows whether it was delivered");
        if let Some(id) = id {
            assert_eq!(delivery.id(), id);
        }
        delivery.ack().await.unwrap();
    }
    publish(&queue, 9).await;
    let new = receive(&queue).await;
    assert!(!new.redelivered() && !ids.contains(&new.id().to_owned()), "numbers are not used twice");
}

#[tokio::test]
async fn a_backlog_larger_than_memory_comes_back_from_the_disk_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path()).await;
    let large = |number: u32| Bytes::from([number.to_be_bytes().as_slice(), &vec![7; 1 << 20]].concat());
    for number in 0..50 {
        queue.publish("ticks.test".to_owned(), large(number), Vec::new()).await.unwrap();
    }
    for number in 0..50 {
        let delivery = receive(&queue).await;
        assert!(delivery.payload() == &large(number), "message {number}");
        delivery.ack().await.unwrap();
    }
}

#[tokio::test]
async fn a_full_queue_makes_publishers_wait_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let settings = LocalQueueSettings { max_bytes: 9, ..LocalQueueSettings::at(folder.path().join("queue.redb")) };
    let queue = LocalQueue::open(settings).await.unwrap();
    publish(&queue, 0).await;
    let mut waiting = Box::pin(publish(&queue, 1));
    assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err(), "the queue is full");
    assert!(queue.fill() >= 1.0);
    assert_eq!(queue.trouble().unwrap(), "the queue on disk is full: 9 of 9 bytes wait for the broker");
    receive(&queue).await.ack().await.unwrap();
    timeout(SOON, waiting).await.expect("there is room");
    receive(&queue).await.ack().await.unwrap();
    let emptied = async {
        while queue.trouble().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, emptied).await.expect("nothing is wrong any more");
}

#[tokio::test]
async fn a_queue_in_memory_is_a_queue_until_it_is_closed() {
    let queue = LocalQueue::open(LocalQueueSettings::in_memory()).await.unwrap();
    for number in 0..1_000 {
        publish(&queue, number).await;
    }
    for number in 0..500 {
        let delivery = receive(&queue).await;
        assert_eq!(delivery.payload(), &payload(number));
        delivery.ack().await.unwrap();
    }
    queue.close().await;
    assert!(LocalQueue::open(LocalQueueSettings::in_memory()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_can_never_be_handled_is_set_aside_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path()).await;
    publish(&queue, 0).await;
    let mut delivery = receive(&queue).await;
    delivery.dead_letter("no such coin").await.unwrap();
    delivery.ack().await.unwrap();
    queue.close().await;
    let queue = open(folder.path()).await;
    assert!(queue.is_empty());
    let mut letters = Source::Local(queue.clone()).dead_letters().await.unwrap();
    let (letter, taken) = timeout(SOON, letters.next()).await.unwrap().unwrap();
    assert_eq!((letter.reason.as_str(), &letter.payload), ("no such coin", &payload(0)));
    // Not acknowledged, it comes again.
    assert_eq!(timeout(SOON, letters.next()).await.unwrap().unwrap().0, letter);
    letters.put_back(&letter.message_id.unwrap(), &letter.topic, &letter.payload).await.unwrap();
    taken.ack().await.unwrap();
    assert_eq!(receive(&queue).await.payload(), &payload(0));
    queue.close().await;
    let mut letters = Source::Local(open(folder.path()).await).dead_letters().await.unwrap();
    assert!(timeout(Duration::from_millis(100), letters.next()).await.is_err(), "it is forgotten for good");
}

#[tokio::test]
async fn a_second_process_is_told_that_the_queue_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let _queue = open(folder.path()).await;
    let second = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await;
    let Err(error @ LocalQueueError::Open { .. }) = second else { panic!("it must not open") };
    assert!(error.to_string().contains("another process uses it"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_queue_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.redb");
    std::fs::write(&path, "my diary").unwrap();
    assert!(LocalQueue::open(LocalQueueSettings::at(&path)).await.is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "my diary");
}

/// What may happen to a queue.
#[derive(Debug, Clone)]
enum Step {
    Publish,
    Receive,
    AckOldest,
    AckNewest,
    DropOldest,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Publish),
        4 => Just(Step::Receive),
        2 => Just(Step::AckOldest),
        2 => Just(Step::AckNewest),
        1 => Just(Step::DropOldest),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever happens, every published message is acknowledged exactly once or still comes, in order.
    #[test]
    fn nothing_is_lost_and_nothing_acknowledged_comes_again(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut queue = open(folder.path()).await;
            let (mut published, mut acknowledged, mut out) = (0, std::collections::BTreeSet::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Publish => {
                        publish(&queue, published).await;
                        published += 1;
                    }
                    Step::Receive if out.len() + acknowledged.len() < published => out.push(receive(&queue).await),
                    Step::AckOldest | Step::AckNewest if !out.is_empty() => {
                        let at = if matches!(step, Step::AckOldest) { 0 } else { out.len() - 1 };
                        let delivery = out.remove(at);
                        let number = number(delivery.payload());
                        delivery.ack().await.unwrap();
                        assert!(acknowledged.insert(number), "{number} came again");
                    }
                    Step::DropOldest if !out.is_empty() => drop(out.remove(0)),
                    Step::Restart => {
                        queue.close().await;
                        out.clear();
                        queue = open(folder.path()).await;
                    }
                    _ => {}
                }
            }
            out.clear();
            let mut rest = Vec::new();
            for _ in acknowledged.len()..published {
                let delivery = receive(&queue).await;
                rest.push(number(delivery.payload()));
                delivery.ack().await.unwrap();
            }
            let expected: Vec<usize> = (0..published).filter(|number| !acknowledged.contains(number)).collect();
            assert_eq!(rest, expected);
        });
    }
}

fn number(payload: &[u8]) -> usize {
    std::str::from_utf8(payload).unwrap().trim_start_matches("message ").parse().unwrap()
}
