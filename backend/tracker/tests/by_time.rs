//! An exchange whose numbers do not tell what is missing: trades that may have been missed are asked for by time.
//!
//! The simulated exchange, told to be asked by time only.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use broker::{LocalQueue, LocalQueueSettings, Message, Publisher};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser as _;
use domain::{Gap, GapCause, GapState, Instrument, Tick};
use futures_util::{FutureExt as _, future::BoxFuture};
use process::{Health, Shutdown};
use simulator::{Fault, Simulator};
use smol_str::SmolStr;
use tokio::time::{sleep, timeout};
use tracker::{
    exchange::{Exchange, Reader, Recent, Span, StreamRequest},
    feed::Feed,
    rest::RestError,
};

/// Generous: what is waited for comes within milliseconds, or seconds where a delay is part of it.
const SOON: Duration = Duration::from_secs(30);

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    settings: tracker::Settings,
}

/// An exchange, but for what its numbers tell.
struct Unnumbered {
    inner: Arc<dyn Exchange>,
    /// How many trades of the past it tells at most.
    most: usize,
    /// It tells nothing older than its newest trades.
    newest_only: bool,
}

impl Exchange for Unnumbered {
    fn identity(&self) -> domain::Exchange {
        self.inner.identity()
    }

    fn catalogue(&self) -> BoxFuture<'_, Result<Vec<Instrument>, RestError>> {
        self.inner.catalogue()
    }

    fn streams(&self, tickers: &[SmolStr]) -> Vec<StreamRequest> {
        self.inner.streams(tickers)
    }

    fn reader(&self) -> Box<dyn Reader> {
        self.inner.reader()
    }

    fn prices<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<Tick>, RestError>> {
        self.inner.prices(tickers)
    }

    fn clock(&self) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, RestError>> {
        self.inner.clock()
    }

    fn recent(&self) -> Option<&dyn Recent> {
        Some(self)
    }
}

impl Recent for Unnumbered {
    fn trades<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Span, RestError>> {
        async move {
            let mut ticks = self.inner.history().unwrap().trades(ticker, 0, None, 1_000).await?;
            ticks.retain(|tick| tick.time() >= from && tick.time() <= to);
            if ticks.len() <= self.most {
                return Ok(Span { ticks, covers: Some((from, to)), is_oldest: false });
            }
            // The newest; what was before the oldest of them is told the next time, if at all.
            let ticks = ticks.split_off(ticks.len() - self.most);
            let since = ticks[0].time() + TimeDelta::microseconds(1);
            Ok(Span { ticks, covers: Some((since, to)), is_oldest: self.newest_only })
        }
        .boxed()
    }
}

struct Following {
    exchange: Simulator,
    queue: LocalQueue,
    stop: Shutdown,
    work: tokio::task::JoinHandle<Result<(), tracker::Error>>,
    messages: Vec<Message>,
    _folder: tempfile::TempDir,
}

impl Following {
    async fn start(most: usize, newest_only: bool) -> Self {
        process::tls::install();
        let settings = simulator::Settings { trades_per_second: 0.0, ..Default::default() };
        let exchange = Simulator::start(settings).await.unwrap();
        let mut settings = Arguments::parse_from(["tracker"]).settings;
        settings.tracker_symbols = vec!["BTCUSDT".into()];
        settings.tracker_market = false;
        settings.tracker_silence_seconds = 1;
        settings.addresses.binance = tracker::exchanges::binance::Settings {
            binance_name: "simulated".to_owned(),
            binance_rest_url: exchange.rest_url(),
            binance_stream_url: exchange.stream_url(),
        };
        let inner = tracker::exchanges::find("simulated", &settings.addresses).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await.unwrap();
        let (publisher, stop) = (Publisher::new(queue.clone()), Shutdown::new());
        let unnumbered = Arc::new(Unnumbered { inner, most, newest_only });
        let feed = Feed::new(unnumbered, settings, publisher, Health::new().register("feed"));
        let work = tokio::spawn(feed.run(stop.clone()));
        let following = Self { exchange, queue, stop, work, messages: Vec::new(), _folder: folder };
        following.connected().await;
        following
    }

    async fn connected(&self) {
        let connected = async {
            while self.exchange.listeners("btcusdt@trade") == 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, connected).await.expect("the tracker subscribes");
    }

    /// Takes messages out of the queue until `enough`.
    async fn take_until(&mut self, enough: impl Fn(&[Message]) -> bool) {
        let taking = async {
            while !enough(&self.messages) {
                let delivery = self.queue.receive().await.unwrap();
                self.messages.push(Message::decode(delivery.payload()).unwrap());
                delivery.ack().await.unwrap();
            }
        };
        let in_time = timeout(SOON, taking).await;
        assert!(in_time.is_ok(), "trades {:?}, gaps {:#?}", ids(&self.messages), gaps(&self.messages));
    }

    /// A lost connection, and trades meanwhile.
    async fn interrupted(&mut self, trades: u64) {
        self.emit_apart(10).await;
        self.take_until(|messages| ids(messages).len() == 10).await;
        self.exchange.inject(Fault::Disconnect);
        self.emit_apart(trades).await;
        self.connected().await;
        self.emit_apart(10).await;
    }

    /// Trades, each in a millisecond of its own, so that pages can be told apart by time.
    async fn emit_apart(&self, trades: u64) {
        for _ in 0..trades {
            self.exchange.emit(1).await;
            sleep(Duration::from_millis(2)).await;
        }
    }

    async fn stop(self) -> (Vec<i64>, Vec<i64>) {
        self.stop.cancel();
        timeout(SOON, self.work).await.expect("it stops").unwrap().unwrap();
        let published = self.exchange.published("BTCUSDT").iter().map(|trade| trade.id).collect();
        let mut ids = ids(&self.messages);
        ids.sort_unstable();
        (ids, published)
    }
}

/// The numbers of the trades, as often as they were published.
fn ids(messages: &[Message]) -> Vec<i64> {
    let batches =
        messages.iter().filter_map(|message| if let Message::Ticks(batch) = message { Some(batch) } else { None });
    batches.flat_map(|batch| batch.ticks.iter().filter_map(|tick| tick.trade_id)).collect()
}

/// What was said of gaps, in order.
fn gaps(messages: &[Message]) -> Vec<&Gap> {
    let reports =
        messages.iter().filter_map(|message| if let Message::Gaps(report) = message { Some(report) } else { None });
    reports.flat_map(|report| &report.gaps).collect()
}

fn is_closed(messages: &[Message]) -> bool {
    gaps(messages).last().is_some_and(|gap| gap.state.is_closed())
}

#[tokio::test]
async fn what_may_have_been_missed_while_the_connection_was_lost_is_asked_for_and_published_once() {
    let mut following = Following::start(7, false).await;
    following.interrupted(25).await;
    following.take_until(|messages| is_closed(messages) && ids(messages).len() >= 45).await;
    let told = gaps(&following.messages);
    let (first, last) = (told[0].clone(), told.last().copied().cloned().unwrap());
    assert_eq!((first.cause, first.state, first.by_time), (GapCause::Disconnected, GapState::Open, true));
    assert_eq!((last.state, last.missing, last.detail), (GapState::Filled, 0, None));
    assert_eq!(first.first_trade_id, first.from.unwrap().timestamp_micros());
    assert_eq!(first.last_trade_id, first.to.unwrap().timestamp_micros());
    let (ids, published) = following.stop().await;
    assert_eq!(ids, published, "every one, and none twice");
}

#[tokio::test]
async fn what_the_exchange_does_not_tell_any_more_is_given_up_and_said_so() {
    let mut following = Following::start(5, true).await;
    following.interrupted(25).await;
    following.take_until(is_closed).await;
    let last = gaps(&following.messages).last().copied().cloned().unwrap();
    assert_eq!((last.state, last.by_time, last.missing), (GapState::Unfillable, true, 0));
    assert!(last.detail.unwrap().contains("does not number trades"));
    following.stop().await;
}

#[tokio::test]
async fn a_stream_that_lives_and_brings_nothing_is_found_out_by_time() {
    let mut following = Following::start(1_000, false).await;
    following.exchange.emit(10).await;
    following.take_until(|messages| ids(messages).len() == 10).await;
    following.exchange.inject(Fault::Gap(12));
    following.exchange.emit(12).await;
    following.take_until(|messages| is_closed(messages) && ids(messages).len() >= 22).await;
    assert_eq!(gaps(&following.messages)[0].cause, GapCause::Silence);
    let (ids, published) = following.stop().await;
    assert_eq!(ids, published);
}
