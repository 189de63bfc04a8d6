//! The way through a real RabbitMQ: nothing lost when connections, queues or the broker's goodwill go away.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use broker::{Consumer, Delivery, LocalQueue, LocalQueueSettings, Message, Publisher, RabbitMqSettings, Source};
use domain::{Catalogue, Exchange, FeedState, FeedStatus};
use tempfile::TempDir;
use testbed::rabbitmq::VirtualHost;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(30);

/// A tracker's side of the broker: a local queue that is forwarded.
struct Sender {
    publisher: Publisher,
    stop: CancellationToken,
    forwarding: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

impl Sender {
    async fn start(settings: &RabbitMqSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await.unwrap();
        let publisher = Publisher::new(queue);
        let stop = CancellationToken::new();
        let forwarding = tokio::spawn(broker::forward(publisher.clone(), settings.clone(), stop.clone(), |_| ()));
        Self { publisher, stop, forwarding, _folder: folder }
    }

    async fn publish(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.publisher.publish(message(number)).await.unwrap();
        }
    }

    async fn wait_until_sent(&self) {
        let sent = async {
            while !self.publisher.queue().is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, sent).await.expect("everything is confirmed");
    }
}

fn settings(host: &VirtualHost) -> RabbitMqSettings {
    RabbitMqSettings::at(&host.url()).unwrap()
}

/// Messages that can be told apart.
fn message(number: u32) -> Message {
    let country = Some(number.to_string());
    Message::Catalogue(Catalogue {
        exchange: Exchange { name: "test".into(), country },
        instruments: vec![],
        taken_at: None,
        numbers_trades: true,
    })
}

fn number(delivery: &Delivery) -> u32 {
    let Message::Catalogue(catalogue) = Message::decode(delivery.payload()).unwrap() else { panic!("not a catalogue") };
    catalogue.exchange.country.unwrap().parse().unwrap()
}

async fn consumer(settings: &RabbitMqSettings) -> Consumer {
    Source::RabbitMq(settings.clone()).consume(16).await.unwrap()
}

async fn next(consumer: &mut Consumer) -> Delivery {
    timeout(SOON, consumer.next()).await.expect("a message is due").unwrap()
}

#[tokio::test]
async fn messages_arrive_in_order_under_their_ids_and_are_gone_when_acknowledged() {
    let host = VirtualHost::create();
    let settings = settings(&host);
    let sender = Sender::start(&settings).await;
    sender.publish(0..200).await;
    let mut consumer = consumer(&settings).await;
    let mut ids = std::collections::HashSet::new();
    for expected in 0..200 {
        let delivery = next(&mut consumer).await;
        assert_eq!(number(&delivery), expected);
        assert!(!delivery.redelivered() && ids.insert(delivery.id()));
        delivery.ack().await.unwrap();
    }
    sender.wait_until_sent().await;
    host.wait_for_queue_depth("crypto-prices", 0, SOON).await;
}

#[tokio::test]
async fn what_a_lost_consumer_held_comes_again() {
    let host = VirtualHost::create();
    let settings = settings(&host);
    let sender = Sender::start(&settings).await;
    sender.publish(0..3).await;
    let mut first = consumer(&settings).await;
    let held = next(&mut first).await;
    assert_eq!(number(&held), 0);
    drop((held, first));
    let mut second = consumer(&settings).await;
    for expected in 0..3 {
        let delivery = next(&mut second).await;
        assert_eq!(number(&delivery), expected);
        assert!(expected > 0 || delivery.redelivered());
    }
}

#[tokio::test]
async fn one_consumer_at_a_time_gets_everything_in_order_and_the_next_takes_over() {
    let host = VirtualHost::create();
    let settings = settings(&host);
    let sender = Sender::start(&settings).await;
    let (mut first, mut second) = (consumer(&settings).await, consumer(&settings).await);
    sender.publish(0..40).await;
    for expected in 0..20 {
        let delivery = next(&mut first).await;
        assert_eq!(number(&delivery), expected);
        delivery.ack().await.unwrap();
    }
    // These it holds when it goes.
    let held = [next(&mut first).await, next(&mut first).await];
    assert!(timeout(Duration::from_millis(100), second.next()).await.is_err(), "the other one waits");
    drop((held, first));
    for expected in 20..40 {
        let delivery = next(&mut second).await;
        assert_eq!(number(&delivery), expected);
        delivery.ack().await.unwrap();
    }
    host.wait_for_queue_depth("crypto-prices", 0, SOON).await;
}

#[tokio::test]
async fn cut_connections_lose_nothing_on_either_side() {
    let host = VirtualHost::create();
    let settings = settings(&host);
    let sender = Sender::start(&settings).await;
    sender.publish(0..50).await;
    sender.wait_until_sent().await;
    let mut taking = consumer(&settings).await;
    drop(next(&mut taking).await);
    host.close_all_connections();
    assert!(timeout(SOON, async { while taking.next().await.is_ok() {} }).await.is_ok(), "the consumer notices");
    sender.publish(50..100).await;
    sender.wait_until_sent().await;
    let mut taking = consumer(&settings).await;
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 100 {
        let delivery = next(&mut taking).await;
        seen.insert(number(&delivery));
        delivery.ack().await.unwrap();
    }
}

#[tokio::test]
async fn a_deleted_queue_is_made_again_and_what_it_refused_is_sent_again() {
    let host = VirtualHost::create();
    let settings = settings(&host);
    let sender = Sender::start(&settings).await;
    sender.publish(0..1).await;
    sender.wait_until_sent().await;
    host.delete_queue("crypto-prices");
    // No queue takes these: the broker returns them, which is a failure, not a success.
    sender.publish(1..20).await;
    sender.wait_until_sent().await;
    let mut taking = consumer(&settings).await;
    for expected in 1..20 {
        let delivery = next(&mut taking).await;
        assert_eq!(number(&delivery), expected);
        delivery.ack().await.unwrap();
    }
}

#[tokio::test]
async fn a_full_queue_refuses_and_the_sender_keeps_until_there_is_room() {
    let host = VirtualHost::create();
    let settings = RabbitMqSettings { rabbitmq_queue_max_bytes: 2_000, ..settings(&host) };
    let sender = Sender::start(&settings).await;
    sender.publish(0..200).await;
    let refused = async {
        while host.queue_depth("crypto-prices").unwrap_or(0) < 5 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, refused).await.unwrap();
    assert!(!sender.publisher.queue().is_empty(), "it cannot all be there");
    let mut taking = consumer(&settings).await;
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 200 {
        let delivery = next(&mut taking).await;
        seen.insert(number(&delivery));
        delivery.ack().await.unwrap();
    }
    sender.wait_until_sent().await;
}

#[tokio::test]
async fn a_dead_letter_keeps_its_bytes_and_its_reason() {
    let host = VirtualHost::create();
    let settings = settings(&host);
    let sender = Sender::start(&settings).await;
    sender.publish(0..2).await;
    let mut taking = consumer(&settings).await;
    let mut bad = next(&mut taking).await;
    let (payload, id) = (bad.payload().to_vec(), bad.id());
    bad.dead_letter("no such coin").await.unwrap();
    bad.ack().await.unwrap();
    let good = next(&mut taking).await;
    assert_eq!(number(&good), 1);
    good.ack().await.unwrap();
    host.wait_for_queue_depth("crypto-prices", 0, SOON).await;

    let source = Source::RabbitMq(settings);
    let mut letters = source.dead_letters().await.unwrap();
    let (letter, _) = timeout(SOON, letters.next()).await.unwrap().unwrap();
    assert_eq!((&letter.payload[..], letter.message_id.as_deref()), (&payload[..], Some(id.as_str())));
    assert_eq!((letter.reason.as_str(), letter.topic.as_str()), ("no such coin", "market.catalogue.test"));
    assert!((chrono::Utc::now() - letter.set_aside_at).num_seconds() < 60);

    // Not acknowledged, it comes again; put back, it is set aside under its first routing key.
    drop(letters);
    let mut letters = source.dead_letters().await.unwrap();
    let (again, taken) = timeout(SOON, letters.next()).await.unwrap().unwrap();
    assert_eq!(again, letter);
    letters.put_back(&id, &letter.topic, &letter.payload).await.unwrap();
    taken.ack().await.unwrap();
    let mut bad = next(&mut taking).await;
    assert_eq!((bad.payload(), bad.id()), (&payload[..], id.clone()));
    bad.dead_letter("still no such coin").await.unwrap();
    let (again, _) = timeout(SOON, letters.next()).await.unwrap().unwrap();
    assert_eq!((again.reason.as_str(), again.topic.as_str()), ("still no such coin", "market.catalogue.test"));
}

#[tokio::test]
async fn what_rabbitmq_sets_aside_by_itself_says_so() {
    let host = VirtualHost::create();
    let settings = RabbitMqSettings { rabbitmq_delivery_limit: 1, ..settings(&host) };
    let sender = Sender::start(&settings).await;
    sender.publish(0..1).await;
    for _ in 0..2 {
        drop(next(&mut consumer(&settings).await).await);
    }
    let mut letters = Source::RabbitMq(settings).dead_letters().await.unwrap();
    let (letter, _) = timeout(SOON, letters.next()).await.unwrap().unwrap();
    assert!(letter.reason.contains("delivered too often"), "{letter:?}");
    assert_eq!(letter.topic, "market.catalogue.test");
}

#[tokio::test]
async fn the_live_feed_gets_ticks_and_news_and_survives_a_cut_connection() {
    let host = VirtualHost::create();
    let settings = settings(&host);
    let sender = Sender::start(&settings).await;
    let mut live = broker::Live::rabbitmq(settings.clone()).subscribe();
    for round in 0..2 {
        let now = chrono::Utc::now();
        let news = Message::Feed(FeedStatus {
            exchange: "test".into(),
            state: FeedState::Streaming,
            since: now,
            reported_at: now,
            detail: Some(round.to_string()),
            next_try_at: None,
            last_tick_at: None,
            reconnects: 0,
            ticks: 0,
            ticks_last_minute: 0,
            rejected: 0,
            clock_ahead_ms: None,
            queued: None,
        });
        let heard = async {
            loop {
                sender.publisher.announce(news.clone());
                if let Ok(Some(message)) = timeout(Duration::from_millis(100), live.recv()).await
                    && *message == news
                {
                    return;
                }
            }
        };
        timeout(SOON, heard).await.expect("news are heard");
        assert!(live.state().is_ok());
        host.close_all_connections();
    }
    // News go nowhere but to listeners.
    assert_eq!(host.queue_depth("crypto-prices"), Some(0));
}

#[tokio::test]
async fn a_clean_stop_sends_what_is_left() {
    let host = VirtualHost::create();
    let settings = settings(&host);
    let sender = Sender::start(&settings).await;
    sender.publish(0..500).await;
    sender.stop.cancel();
    timeout(SOON, sender.forwarding).await.expect("it stops").unwrap();
    assert!(sender.publisher.queue().is_empty());
    host.wait_for_queue_depth("crypto-prices", 500, SOON).await;
}

#[tokio::test]
async fn a_refused_login_is_said_without_the_password() {
    let host = VirtualHost::create();
    let settings = RabbitMqSettings { rabbitmq_password: "hunter2".to_owned(), ..settings(&host) };
    let Err(error) = Source::RabbitMq(settings.clone()).consume(1).await else { panic!("it must be refused") };
    let said = format!("{error} {error:?} {settings:?}");
    assert!(said.contains("ACCESS") && !said.contains("hunter2"), "{said}");
}
