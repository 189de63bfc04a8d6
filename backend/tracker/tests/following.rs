//! The tracker against an exchange that speaks Binance's protocol, with the faults that exchanges have.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, time::Duration};

use broker::{Live, LocalQueue, LocalQueueSettings, Message, Publisher};
use clap::Parser as _;
use domain::{FeedState, FeedStatus, TickBatch, TickSource};
use process::{Health, Shutdown};
use simulator::{Fault, PublishedTrade, Refusal, Simulator};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tracker::{Mode, Settings};

const SOON: Duration = Duration::from_secs(30);

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// A simulated exchange, a tracker that follows it, and the queue into which it publishes.
struct Following {
    exchange: Simulator,
    queue: LocalQueue,
    live: Live,
    stop: Shutdown,
    tracking: tokio::task::JoinHandle<Result<(), tracker::Error>>,
    _folder: TempDir,
}

impl Following {
    async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        process::tls::install();
        let settings = simulator::Settings { trades_per_second: 0.0, ..Default::default() };
        let exchange = Simulator::start(settings).await.unwrap();
        let mut settings = Arguments::parse_from(["tracker"]).settings;
        settings.tracker_symbols = vec!["BTCUSDT".into(), "ethusdt".into(), "NOSUCHPAIR".into()];
        settings.binance_name = "simulated".into();
        settings.binance_rest_url = exchange.rest_url();
        settings.binance_stream_url = exchange.stream_url();
        settings.tracker_waiting_time = 1;
        change(&mut settings);
        let folder = tempfile::tempdir().unwrap();
        let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await.unwrap();
        let publisher = Publisher::new(queue.clone());
        let (live, stop) = (publisher.live(), Shutdown::new());
        let tracking = tokio::spawn(tracker::run(settings, publisher, Health::new(), stop.clone()));
        Self { exchange, queue, live, stop, tracking, _folder: folder }
    }

    async fn connected(&self) {
        let connected = async {
            while self.exchange.listeners("btcusdt@trade") == 0 || self.exchange.listeners("ethusdt@trade") == 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, connected).await.expect("the tracker subscribes");
    }

    /// Stops the tracker; what it received is in the queue then.
    async fn stop(self) -> Vec<Message> {
        self.stop.cancel();
        timeout(SOON, self.tracking).await.expect("it stops").unwrap().unwrap();
        let mut messages = Vec::new();
        while !self.queue.is_empty() {
            // The queue counts a message until its removal is written: it may be the last one that is counted still.
            let Ok(delivery) = timeout(Duration::from_millis(50), self.queue.receive()).await else { continue };
            let delivery = delivery.unwrap();
            messages.push(Message::decode(delivery.payload()).unwrap());
            delivery.ack().await.unwrap();
        }
        messages
    }

    /// The next news of the feed that `wanted` takes.
    async fn news(&self, wanted: impl Fn(&FeedStatus) -> bool) -> FeedStatus {
        let mut news = self.live.subscribe();
        let heard = async {
            loop {
                if let Message::Feed(status) = news.recv().await.expect("the tracker runs").as_ref()
                    && wanted(status)
                {
                    return status.clone();
                }
            }
        };
        timeout(SOON, heard).await.expect("the feed says so")
    }
}

fn batches(messages: &[Message]) -> Vec<&TickBatch> {
    messages.iter().filter_map(|message| if let Message::Ticks(batch) = message { Some(batch) } else { None }).collect()
}

/// Trades of one ticker that came by the stream, in order.
fn streamed(messages: &[Message], ticker: &str) -> Vec<PublishedTrade> {
    let of_stream = batches(messages).into_iter().filter(|batch| batch.source == TickSource::Stream);
    of_stream
        .flat_map(|batch| &batch.ticks)
        .filter(|tick| tick.ticker == ticker)
        .map(|tick| PublishedTrade {
            id: tick.trade_id.unwrap(),
            price: tick.price,
            quantity: tick.quantity.unwrap(),
            time: tick.exchange_time.unwrap(),
            buyer_is_maker: tick.taker_side == Some(domain::Side::Sell),
        })
        .collect()
}

#[tokio::test]
async fn every_published_trade_is_in_the_queue_once_and_in_order() {
    let following = Following::start(|_| ()).await;
    following.connected().await;
    following.exchange.emit(2_000).await;
    following.news(|status| status.ticks >= 4_000).await;
    let published: BTreeMap<&str, _> =
        ["BTCUSDT", "ETHUSDT"].map(|ticker| (ticker, following.exchange.published(ticker))).into();
    let messages = following.stop().await;
    let Message::Catalogue(catalogue) = &messages[0] else { panic!("the catalogue comes first") };
    assert_eq!(catalogue.exchange.name, "simulated");
    assert!(
        catalogue.instruments.iter().any(|one| one.ticker == "SOLUSDT" && one.base == "SOL" && one.quote == "USDT")
    );
    for (ticker, published) in published {
        assert_eq!(published.len(), 2_000);
        assert_eq!(streamed(&messages, ticker), published, "{ticker}");
    }
    assert!(batches(&messages).iter().all(|batch| batch.ticks.len() <= 500 && batch.exchange == "simulated"));
}

#[tokio::test]
async fn a_dropped_connection_is_opened_again() {
    let following = Following::start(|_| ()).await;
    following.connected().await;
    following.exchange.emit(10).await;
    following.news(|status| status.state == FeedState::Streaming && status.ticks >= 20).await;
    following.exchange.inject(Fault::Disconnect);
    following.news(|status| status.reconnects == 1).await;
    following.connected().await;
    following.exchange.emit(10).await;
    following.news(|status| status.state == FeedState::Streaming && status.ticks >= 40).await;
    let published = following.exchange.published("BTCUSDT");
    assert_eq!(streamed(&following.stop().await, "BTCUSDT"), published);
}

#[tokio::test]
async fn prices_are_asked_for_while_the_stream_is_down_and_no_longer_than_that() {
    let following = Following::start(|settings| settings.tracker_idle_seconds = 1).await;
    following.connected().await;
    following.exchange.emit(10).await;
    following.exchange.inject(Fault::Silence(Duration::from_secs(4)));
    let is_polling = |status: &FeedStatus| status.state == FeedState::Polling && status.detail.is_some();
    let polling = following.news(is_polling).await;
    assert!(polling.detail.unwrap().contains("nothing came for 1 s"));
    let last = following.exchange.published("BTCUSDT").last().unwrap().price;
    following.exchange.inject(Fault::Recover);
    following.connected().await;
    let recovering = async {
        loop {
            following.exchange.emit(1).await;
            let status = following.news(|_| true).await;
            if status.state == FeedState::Streaming {
                return;
            }
        }
    };
    timeout(SOON, recovering).await.expect("the stream delivers again");
    let messages = following.stop().await;
    let polled: Vec<_> = batches(&messages).into_iter().filter(|batch| batch.source == TickSource::Poll).collect();
    assert!(!polled.is_empty());
    let bitcoin = polled[0].ticks.iter().find(|tick| tick.ticker == "BTCUSDT").unwrap();
    assert_eq!((bitcoin.price, bitcoin.trade_id, bitcoin.exchange_time), (last, None, None));
}

#[tokio::test]
async fn polling_as_a_mode_keeps_its_times_and_obeys_a_refusal() {
    let following = Following::start(|settings| settings.tracker_mode = Mode::Poll).await;
    following.exchange.emit(1).await;
    following.news(|status| status.state == FeedState::Polling && status.ticks >= 2).await;
    let retry_after = Duration::from_secs(3);
    following.exchange.inject(Fault::RateLimited { status: Refusal::TooManyRequests, retry_after });
    let refused_at = tokio::time::Instant::now();
    let waiting = following.news(|status| status.detail.is_some()).await;
    assert!(waiting.detail.unwrap().contains("refuses further requests"));
    let before = waiting.ticks;
    following.news(|status| status.ticks > before).await;
    assert!(refused_at.elapsed() >= Duration::from_secs(2), "nobody asks while refused");
    assert_eq!(following.exchange.listeners("btcusdt@trade"), 0, "no stream is opened");
    let messages = following.stop().await;
    assert!(batches(&messages).iter().all(|batch| batch.source == TickSource::Poll));
}

#[tokio::test]
async fn garbage_and_duplicates_harm_nobody() {
    let following = Following::start(|_| ()).await;
    following.connected().await;
    following.exchange.inject(Fault::Garbage("{\"e\":\"trade\",\"p\":".to_owned()));
    following.exchange.inject(Fault::Garbage("hello".to_owned()));
    let wrong = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"-1","q":"1","T":1795176000123,"m":true}}"#;
    following.exchange.inject(Fault::Garbage(wrong.to_owned()));
    following.exchange.inject(Fault::Garbage(wrong.replace("BTCUSDT", "XYZUSDT").replace("-1", "1")));
    following.exchange.inject(Fault::Duplicate(5));
    following.exchange.emit(10).await;
    let status = following.news(|status| status.ticks >= 30).await;
    assert_eq!((status.state, status.rejected, status.reconnects), (FeedState::Streaming, 4, 0));
    let published = following.exchange.published("ETHUSDT");
    let mut streamed = streamed(&following.stop().await, "ETHUSDT");
    streamed.dedup();
    assert_eq!(streamed, published, "twice is for the database to see");
}

#[tokio::test]
async fn an_exchange_that_is_away_is_named_with_the_cause_and_the_next_try() {
    let following = Following::start(|settings| settings.binance_rest_url = "http://127.0.0.1:9".into()).await;
    let waiting = following.news(|status| status.state == FeedState::Waiting).await;
    assert!(waiting.detail.as_ref().unwrap().contains("127.0.0.1: Connection refused"), "{waiting:?}");
    assert!(waiting.next_try_at.is_some());
    assert_eq!(following.stop().await, []);
}

#[tokio::test]
async fn a_planned_close_is_met_at_once() {
    let following = Following::start(|_| ()).await;
    following.connected().await;
    following.exchange.emit(1).await;
    following.news(|status| status.state == FeedState::Streaming).await;
    following.exchange.inject(Fault::ServerShutdown);
    let status = following.news(|status| status.reconnects == 1).await;
    assert_eq!(status.detail, None, "it is no fault");
    following.connected().await;
    following.stop().await;
}
