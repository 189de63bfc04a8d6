//! The tracker against an exchange that speaks Binance's protocol, with the faults that exchanges have.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, time::Duration};

use broker::{Live, LiveReceiver, LocalQueue, LocalQueueSettings, Message, Note, Publisher};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use clap::Parser as _;
use domain::{FeedState, FeedStatus, Gap, GapCause, GapState, TickBatch, TickSource};
use process::{Health, Shutdown};
use rust_decimal::Decimal;
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
    settings: Settings,
    folder: TempDir,
}

impl Following {
    async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let exchange = simulator::Settings { trades_per_second: 0.0, ..Default::default() };
        Self::started(exchange, change).await
    }

    async fn started(exchange: simulator::Settings, change: impl FnOnce(&mut Settings)) -> Self {
        let exchange = Simulator::start(exchange).await.unwrap();
        Self::started_in(exchange, tempfile::tempdir().unwrap(), change).await
    }

    async fn started_in(exchange: Simulator, folder: TempDir, change: impl FnOnce(&mut Settings)) -> Self {
        process::tls::install();
        let mut settings = Arguments::parse_from(["tracker"]).settings;
        settings.tracker_symbols = vec!["BTCUSDT".into(), "ethusdt".into(), "NOSUCHPAIR".into()];
        settings.addresses.binance.binance_name = "simulated".into();
        settings.addresses.binance.binance_rest_url = exchange.rest_url();
        settings.addresses.binance.binance_stream_url = exchange.stream_url();
        settings.tracker_waiting_time = 1;
        change(&mut settings);
        Self::track(exchange, settings, folder).await
    }

    async fn track(exchange: Simulator, settings: Settings, folder: TempDir) -> Self {
        let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await.unwrap();
        let publisher = Publisher::new(queue.clone());
        let (live, stop) = (publisher.live(), Shutdown::new());
        let tracking = tokio::spawn(tracker::run(settings.clone(), publisher, Health::new(), stop.clone()));
        Self { exchange, queue, live, stop, tracking, settings, folder }
    }

    /// Stops the tracker, lets the exchange go on meanwhile, and starts it again with what it left on disk.
    async fn restarted(self, meanwhile: impl AsyncFnOnce(&Simulator) -> u64) -> Self {
        self.stop.cancel();
        timeout(SOON, self.tracking).await.expect("it stops").unwrap().unwrap();
        self.queue.close().await;
        meanwhile(&self.exchange).await;
        Self::track(self.exchange, self.settings, self.folder).await
    }

    /// Waits until so many gaps are closed, and returns what was last said of each that was heard of.
    async fn closed_gaps(live: &mut LiveReceiver, count: usize) -> Vec<Gap> {
        let mut gaps: BTreeMap<(String, i64), Gap> = BTreeMap::new();
        let heard = async {
            while gaps.values().filter(|gap| gap.state.is_closed()).count() < count {
                if let Message::Gaps(report) = live.recv().await.expect("the tracker runs").as_ref() {
                    let named = |gap: &Gap| (gap.ticker.to_string(), gap.first_trade_id);
                    gaps.extend(report.gaps.iter().map(|gap| (named(gap), gap.clone())));
                }
            }
        };
        timeout(SOON, heard).await.expect("the gaps are closed");
        gaps.into_values().collect()
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
    trades(messages, ticker, &[TickSource::Stream])
}

/// Trades of one ticker that came in any way, each once, by their numbers.
fn recorded(messages: &[Message], ticker: &str) -> Vec<PublishedTrade> {
    let mut trades = trades(messages, ticker, &[TickSource::Stream, TickSource::Backfill]);
    trades.sort_by_key(|trade| trade.id);
    trades.dedup();
    trades
}

fn trades(messages: &[Message], ticker: &str, sources: &[TickSource]) -> Vec<PublishedTrade> {
    let wanted = batches(messages).into_iter().filter(|batch| sources.contains(&batch.source));
    wanted
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
async fn the_exchange_s_clock_is_compared_with_ours() {
    let following = Following::start(|_| ()).await;
    let status = following.news(|status| status.clock_ahead_ms.is_some()).await;
    assert!(status.clock_ahead_ms.unwrap().abs() < 500, "the simulator has our clock: {status:?}");
    following.stop().await;
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
    let bitcoin: Vec<_> =
        polled.iter().flat_map(|batch| &batch.ticks).filter(|tick| tick.ticker == "BTCUSDT").collect();
    assert!(bitcoin.iter().all(|tick| (tick.trade_id, tick.exchange_time) == (None, None)));
    // It may have been asked already while the first trades were made.
    assert!(bitcoin.iter().any(|tick| tick.price == last), "{bitcoin:?}");
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
    assert_eq!(streamed(&following.stop().await, "ETHUSDT"), published, "what came before is not published again");
}

#[tokio::test]
async fn an_exchange_that_is_away_is_named_with_the_cause_and_the_next_try() {
    let following =
        Following::start(|settings| settings.addresses.binance.binance_rest_url = "http://127.0.0.1:9".into()).await;
    let waiting = following.news(|status| status.state == FeedState::Waiting).await;
    assert!(waiting.detail.as_ref().unwrap().contains("127.0.0.1: Connection refused"), "{waiting:?}");
    assert!(waiting.next_try_at.is_some());
    assert_eq!(following.stop().await, []);
}

#[tokio::test]
async fn a_planned_close_is_met_by_the_next_connection_before_it_comes() {
    let following = Following::start(|_| ()).await;
    following.connected().await;
    following.exchange.emit(5).await;
    following.news(|status| status.state == FeedState::Streaming && status.ticks >= 10).await;
    following.exchange.inject(Fault::ServerShutdown);
    let listeners = async |wanted: usize| {
        while following.exchange.listeners("btcusdt@trade") != wanted {
            following.exchange.emit(1).await;
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, listeners(2)).await.expect("the next connection is opened");
    timeout(SOON, listeners(1)).await.expect("the old one is closed");
    let published = following.exchange.published("BTCUSDT");
    let status = following.news(|status| status.ticks >= 2 * published.len() as u64).await;
    assert_eq!((status.reconnects, status.detail), (0, None), "it is no fault");
    let messages = following.stop().await;
    assert_eq!(recorded(&messages, "BTCUSDT"), published);
    assert!(!messages.iter().any(|message| matches!(message, Message::Gaps(_))), "nothing was missing");
}

#[tokio::test]
async fn connections_are_replaced_before_the_exchange_cuts_them_for_their_age() {
    let following = Following::start(|settings| settings.tracker_connection_seconds = 1).await;
    following.connected().await;
    let trading = async {
        // Each connection is one second old when the next is opened, and is read two seconds longer.
        for _ in 0..700 {
            following.exchange.emit(1).await;
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, trading).await.unwrap();
    let published = following.exchange.published("BTCUSDT");
    let status = following.news(|status| status.ticks >= 2 * published.len() as u64).await;
    assert_eq!(status.reconnects, 0);
    let messages = following.stop().await;
    assert_eq!(recorded(&messages, "BTCUSDT"), published);
    assert_eq!(streamed(&messages, "BTCUSDT"), published, "what both connections brought is published once");
    assert!(!messages.iter().any(|message| matches!(message, Message::Gaps(_))), "nothing was missing");
}

#[tokio::test]
async fn trades_that_the_stream_left_out_are_found_and_fetched() {
    let following = Following::start(|_| ()).await;
    let mut live = following.live.subscribe();
    following.connected().await;
    following.exchange.emit(10).await;
    following.exchange.inject(Fault::Gap(1_200));
    following.exchange.emit(1_220).await;
    let gaps = Following::closed_gaps(&mut live, 2).await;
    let [bitcoin, ether] = gaps.as_slice() else { panic!("one for each ticker: {gaps:?}") };
    assert_eq!((bitcoin.ticker.as_str(), ether.ticker.as_str()), ("BTCUSDT", "ETHUSDT"));
    assert_eq!(bitcoin.last_trade_id - bitcoin.first_trade_id + 1, 1_200);
    assert_eq!((bitcoin.cause, bitcoin.state, bitcoin.missing), (GapCause::Skipped, GapState::Filled, 0));
    let published = following.exchange.published("BTCUSDT");
    let messages = following.stop().await;
    assert_eq!(streamed(&messages, "BTCUSDT").len(), 30);
    assert_eq!(recorded(&messages, "BTCUSDT"), published);
}

#[tokio::test]
async fn trades_made_while_the_connection_was_lost_are_fetched() {
    let following = Following::start(|_| ()).await;
    let mut live = following.live.subscribe();
    following.connected().await;
    following.exchange.emit(10).await;
    following.news(|status| status.ticks >= 20).await;
    following.exchange.inject(Fault::Disconnect);
    following.exchange.emit(50).await;
    following.connected().await;
    following.exchange.emit(10).await;
    let gaps = Following::closed_gaps(&mut live, 2).await;
    assert!(gaps.iter().all(|gap| (gap.cause, gap.state) == (GapCause::Disconnected, GapState::Filled)), "{gaps:?}");
    let published = following.exchange.published("ETHUSDT");
    assert_eq!(recorded(&following.stop().await, "ETHUSDT"), published);
}

#[tokio::test]
async fn trades_made_while_the_tracker_was_stopped_are_fetched_even_if_none_follows() {
    let following = Following::start(|settings| settings.tracker_silence_seconds = 1).await;
    following.connected().await;
    following.exchange.emit(10).await;
    following.news(|status| status.ticks >= 20).await;
    let following = following.restarted(async |exchange| exchange.emit(30).await).await;
    let mut live = following.live.subscribe();
    let gaps = Following::closed_gaps(&mut live, 2).await;
    assert!(gaps.iter().all(|gap| gap.cause == GapCause::TrackerStopped && gap.state == GapState::Filled), "{gaps:?}");
    assert_eq!(gaps[0].last_trade_id - gaps[0].first_trade_id + 1, 30);
    let published = following.exchange.published("BTCUSDT");
    assert_eq!(recorded(&following.stop().await, "BTCUSDT"), published);
}

#[tokio::test]
async fn a_stream_that_never_brings_anything_is_found_out_too() {
    let exchange =
        Simulator::start(simulator::Settings { trades_per_second: 0.0, ..Default::default() }).await.unwrap();
    exchange.inject(Fault::Silence(Duration::from_secs(600)));
    exchange.emit(5).await;
    let change = |settings: &mut Settings| settings.tracker_silence_seconds = 1;
    let following = Following::started_in(exchange, tempfile::tempdir().unwrap(), change).await;
    let mut live = following.live.subscribe();
    following.connected().await;
    // Whenever it is first asked, what is traded after that is missed.
    let trading = async {
        loop {
            following.exchange.emit(1).await;
            sleep(Duration::from_millis(200)).await;
        }
    };
    let gaps = tokio::select! {
        gaps = Following::closed_gaps(&mut live, 2) => gaps,
        () = trading => unreachable!("it trades for ever"),
    };
    assert!(gaps.iter().all(|gap| gap.cause == GapCause::Silence), "{gaps:?}");
    let published = following.exchange.published("BTCUSDT");
    let recorded = recorded(&following.stop().await, "BTCUSDT");
    assert!(!recorded.is_empty() && published.windows(recorded.len()).any(|window| window == recorded));
}

#[tokio::test]
async fn a_stream_that_lives_and_brings_nothing_is_found_out_and_a_quiet_pair_is_left_alone() {
    let following = Following::start(|settings| settings.tracker_silence_seconds = 1).await;
    let mut live = following.live.subscribe();
    following.connected().await;
    following.exchange.emit(5).await;
    following.news(|status| status.state == FeedState::Streaming && status.ticks >= 10).await;
    // Quiet for several rounds: nothing is traded, nothing is wrong.
    sleep(Duration::from_secs(4)).await;
    assert_eq!(following.news(|_| true).await.reconnects, 0);
    following.exchange.inject(Fault::Silence(Duration::from_secs(600)));
    following.exchange.emit(20).await;
    let gaps = Following::closed_gaps(&mut live, 2).await;
    assert!(gaps.iter().all(|gap| gap.cause == GapCause::Silence && gap.state == GapState::Filled), "{gaps:?}");
    let status = following.news(|status| status.reconnects > 0).await;
    assert!(status.detail.is_some_and(|detail| detail.contains("did not bring it")));
    let published = following.exchange.published("BTCUSDT");
    assert_eq!(recorded(&following.stop().await, "BTCUSDT"), published);
}

#[tokio::test]
async fn a_gap_waits_while_the_exchange_refuses() {
    let following = Following::start(|_| ()).await;
    let mut live = following.live.subscribe();
    following.connected().await;
    following.exchange.emit(10).await;
    let retry_after = Duration::from_secs(4);
    following.exchange.inject(Fault::Gap(20));
    following.exchange.inject(Fault::RateLimited { status: Refusal::Banned, retry_after });
    following.exchange.emit(40).await;
    let gaps = Following::closed_gaps(&mut live, 2).await;
    assert!(gaps.iter().all(|gap| gap.state == GapState::Filled), "{gaps:?}");
    assert!(gaps.iter().all(|gap| gap.updated_at - gap.found_at >= TimeDelta::seconds(3)), "nobody asked: {gaps:?}");
    let published = following.exchange.published("ETHUSDT");
    assert_eq!(recorded(&following.stop().await, "ETHUSDT"), published);
}

#[tokio::test]
async fn trades_that_the_exchange_no_longer_has_are_confirmed_to_be_none() {
    let following = Following::started(
        simulator::Settings { trades_per_second: 0.0, retained_trades: 50, ..Default::default() },
        |_| (),
    )
    .await;
    let mut live = following.live.subscribe();
    following.connected().await;
    following.exchange.emit(10).await;
    following.exchange.inject(Fault::Gap(20));
    following.exchange.emit(60).await;
    let gaps = Following::closed_gaps(&mut live, 2).await;
    for gap in &gaps {
        assert_eq!((gap.state, gap.missing, gap.attempts), (GapState::ConfirmedEmpty, 10, 1), "{gap:?}");
        assert_eq!(gap.detail.as_deref(), Some("the exchange has none of 10 numbers"));
    }
    let held = following.exchange.published("BTCUSDT");
    let recorded = recorded(&following.stop().await, "BTCUSDT");
    assert_eq!(recorded[recorded.len() - held.len()..], held);
}

/// Spans that were reported, in order, of one ticker.
fn spans(messages: &[Message], ticker: &str) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let span = |message: &Message| match message {
        Message::Minutes(report) if report.ticker == ticker => Some((report.from, report.to)),
        _ => None,
    };
    messages.iter().filter_map(span).collect()
}

#[tokio::test]
async fn every_span_that_is_over_is_compared_once_however_often_the_tracker_stops() {
    let folder = tempfile::tempdir().unwrap();
    let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await.unwrap();
    let this_hour = Utc::now().duration_trunc(TimeDelta::hours(1)).unwrap();
    let noted = |ticker: &str, hours: i64| {
        let (key, to) = (format!("compared/simulated/{ticker}"), this_hour - TimeDelta::hours(hours));
        Note { key, text: Some(to.to_rfc3339()) }
    };
    queue.note(vec![noted("BTCUSDT", 20), noted("ETHUSDT", 24 * 30)]).await.unwrap();
    queue.close().await;
    let exchange = simulator::Settings { trades_per_second: 50.0, ..Default::default() };
    let exchange = Simulator::start(exchange).await.unwrap();
    let following = Following::started_in(exchange, folder, |_| ()).await;
    let mut live = following.live.subscribe();
    let heard = async {
        loop {
            if let Message::Minutes(report) = live.recv().await.expect("the tracker runs").as_ref()
                && (report.ticker.as_str(), report.to) == ("ETHUSDT", this_hour)
            {
                return;
            }
        }
    };
    timeout(SOON, heard).await.expect("the last hour is reported");
    let following = following.restarted(async |_| 0).await;
    following.connected().await;
    let messages = following.stop().await;
    // Twenty hours are more than the exchange tells at once.
    let (begin, middle) = (this_hour - TimeDelta::hours(20), this_hour - TimeDelta::hours(4));
    assert_eq!(spans(&messages, "BTCUSDT"), [(begin, middle), (middle, this_hour)]);
    let old = spans(&messages, "ETHUSDT");
    assert_eq!((old.first().unwrap().0, old.last().unwrap().1), (this_hour - TimeDelta::days(7), this_hour));
    assert!(old.windows(2).all(|pair| pair[0].1 == pair[1].0), "{old:?}");
}

#[tokio::test]
async fn the_exchange_s_own_minutes_are_read_to_the_last_digit() {
    let following = Following::start(|_| ()).await;
    following.connected().await;
    following.exchange.emit(500).await;
    let trades = following.exchange.published("BTCUSDT");
    let binance = tracker::exchanges::find("simulated", &following.settings.addresses).unwrap();
    let from = trades[0].time.duration_trunc(TimeDelta::minutes(1)).unwrap();
    let asked =
        binance.minutes().unwrap().minutes(&"BTCUSDT".into(), from, from + TimeDelta::minutes(2)).await.unwrap();
    assert_eq!(asked.iter().map(|minute| minute.trades).sum::<i64>(), trades.len() as i64);
    assert_eq!(
        asked.iter().map(|minute| minute.volume).sum::<Decimal>(),
        trades.iter().map(|trade| trade.quantity).sum()
    );
    assert_eq!(
        asked.iter().map(|minute| minute.quote_volume).sum::<Decimal>(),
        trades.iter().map(|trade| trade.price * trade.quantity).sum()
    );
    assert_eq!((asked[0].open_time, asked[0].open), (from, trades[0].price));
    assert_eq!(asked.last().unwrap().close, trades.last().unwrap().price);
}
