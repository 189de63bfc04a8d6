//! The whole market of an exchange that speaks Binance's protocol: what is told of it, and what happens when pairs come and go,
//! the stream is down, and the queue fills.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use broker::{LocalQueue, LocalQueueSettings, Message, Note, Publisher};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use clap::Parser as _;
use domain::{FeedState, MarketReport, MarketRow, MinuteReport, Purpose};
use process::{Health, Shutdown};
use rust_decimal::Decimal;
use simulator::{Fault, Simulator, Source};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};
use tracker::{Mode, Settings};

const SOON: Duration = Duration::from_secs(40);

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// A simulated exchange, a tracker that follows it, and what it has published so far.
struct Following {
    exchange: Simulator,
    queue: LocalQueue,
    publisher: Publisher,
    stop: Shutdown,
    tracking: tokio::task::JoinHandle<Result<(), tracker::Error>>,
    told: Vec<Message>,
    _folder: TempDir,
}

async fn quiet_exchange() -> Simulator {
    Simulator::start(simulator::Settings { trades_per_second: 0.0, ..Default::default() }).await.unwrap()
}

fn settings(exchange: &Simulator) -> Settings {
    process::tls::install();
    let mut settings = Arguments::parse_from(["tracker"]).settings;
    settings.tracker_symbols = vec!["BTCUSDT".into()];
    settings.addresses.binance.binance_name = "simulated".into();
    settings.addresses.binance.binance_rest_url = exchange.rest_url();
    settings.addresses.binance.binance_stream_url = exchange.stream_url();
    settings
}

impl Following {
    async fn start(exchange: Simulator, change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_with(exchange, change, &[], 1_000_000_000).await
    }

    /// With these notes in the queue, which may become so large.
    async fn start_with(
        exchange: Simulator,
        change: impl FnOnce(&mut Settings),
        notes: &[Note],
        max_bytes: u64,
    ) -> Self {
        let mut settings = settings(&exchange);
        change(&mut settings);
        let folder = tempfile::tempdir().unwrap();
        let at = LocalQueueSettings::at(folder.path().join("queue.redb"));
        let queue = LocalQueue::open(LocalQueueSettings { max_bytes, ..at }).await.unwrap();
        queue.note(notes.to_vec()).await.unwrap();
        let (publisher, stop) = (Publisher::new(queue.clone()), Shutdown::new());
        let tracking = tokio::spawn(tracker::run(settings, publisher.clone(), Health::new(), stop.clone()));
        let following = Self { exchange, queue, publisher, stop, tracking, told: Vec::new(), _folder: folder };
        following.listening().await;
        following
    }

    async fn listening(&self) {
        let listening = async {
            while self.exchange.listeners("!miniTicker@arr") == 0 && self.exchange.listeners("btcusdt@trade") == 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        // A tracker that only asks does not listen.
        let _ = timeout(Duration::from_secs(2), listening).await;
    }

    /// Takes messages from the queue until what was told so far makes something of it.
    async fn until<T>(&mut self, what: &str, found: impl Fn(&Self) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            assert!(begin.elapsed() < SOON, "{what}: {:?}", self.kinds());
            let Ok(delivery) = timeout(Duration::from_millis(100), self.queue.receive()).await else { continue };
            let delivery = delivery.unwrap();
            // What stands in for other messages is none.
            self.told.extend(Message::decode(delivery.payload()));
            delivery.ack().await.unwrap();
        }
    }

    async fn until_true(&mut self) {
        self.until("the last word is the exchange's", |following| following.is_true().then_some(())).await;
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(SOON, self.tracking).await.expect("it stops").unwrap().unwrap();
    }

    fn kinds(&self) -> Vec<&str> {
        self.told.iter().map(Message::kind).collect()
    }

    fn reports(&self) -> impl Iterator<Item = &MarketReport> {
        self.told.iter().filter_map(|told| if let Message::Market(report) = told { Some(report) } else { None })
    }

    /// The newest word about each pair.
    fn market(&self) -> BTreeMap<&str, &MarketRow> {
        self.reports().flat_map(|report| &report.rows).map(|row| (row.ticker.as_str(), row)).collect()
    }

    /// The minutes that were taken over.
    fn taken(&self) -> Vec<&MinuteReport> {
        let minutes =
            self.told.iter().filter_map(|told| if let Message::Minutes(report) = told { Some(report) } else { None });
        minutes.filter(|report| report.purpose == Purpose::Take).collect()
    }

    /// Whether the newest word about every pair is what the exchange's own trades say.
    fn is_true(&self) -> bool {
        let market = self.market();
        self.exchange.tickers().iter().all(|ticker| {
            let trades = self.exchange.published(ticker);
            let (Some(row), Some(last)) = (market.get(ticker.as_str()), trades.last()) else { return false };
            let prices = || trades.iter().map(|trade| trade.price);
            row.price == last.price
                && (row.open_24h, row.high_24h, row.low_24h) == (prices().next(), prices().max(), prices().min())
                && row.volume_24h == Some(trades.iter().map(|trade| trade.quantity).sum())
                && row.quote_volume_24h == Some(trades.iter().map(|trade| trade.price * trade.quantity).sum())
        })
    }
}

#[tokio::test]
async fn every_pair_is_told_of_to_the_last_digit_about_once_a_second_at_most_behind_the_catalogue() {
    let begin = Instant::now();
    let mut following = Following::start(quiet_exchange().await, |_| ()).await;
    for _ in 0..3 {
        following.exchange.emit(20).await;
        following.until_true().await;
    }
    assert_eq!(following.kinds()[0], "catalogue");
    let reports = following.reports().count();
    assert!(
        reports >= 3 && reports as u128 <= begin.elapsed().as_millis() / 950 + 1,
        "{reports} in {:?}",
        begin.elapsed()
    );
    following.stop().await;
}

#[tokio::test]
async fn while_the_stream_brings_nothing_the_market_is_asked_for() {
    let exchange = quiet_exchange().await;
    exchange.emit(5).await;
    exchange.inject(Fault::Silence(Duration::from_secs(600)));
    let mut following = Following::start(exchange, |_| ()).await;
    following.until_true().await;
    following.exchange.emit(5).await;
    following.until_true().await;
    // What the exchange has no trade of, it is silent about.
    assert!(following.reports().all(|report| report.rows.iter().all(|row| row.check().is_ok())));
    following.stop().await;
}

#[tokio::test]
async fn a_stream_that_lives_and_brings_nothing_is_found_out() {
    let change = |settings: &mut Settings| {
        settings.tracker_symbols = Vec::new();
        settings.tracker_silence_seconds = 1;
    };
    let mut following = Following::start(quiet_exchange().await, change).await;
    following.exchange.emit(5).await;
    following.until_true().await;
    let mut news = following.publisher.live().subscribe();
    following.exchange.inject(Fault::Silence(Duration::from_secs(600)));
    following.exchange.emit(5).await;
    following.until_true().await;
    let reopened = async {
        loop {
            if let Message::Feed(status) = news.recv().await.expect("the tracker runs").as_ref()
                && status.reconnects > 0
            {
                return status.detail.clone();
            }
        }
    };
    let detail = timeout(SOON, reopened).await.expect("it is opened anew").unwrap();
    assert!(detail.contains("did not bring it"), "{detail}");
    following.stop().await;
}

#[tokio::test]
async fn without_a_stream_the_market_is_asked_for_and_the_feed_says_so() {
    let exchange = quiet_exchange().await;
    exchange.emit(5).await;
    let change = |settings: &mut Settings| {
        settings.tracker_mode = Mode::Poll;
        settings.tracker_symbols = Vec::new();
    };
    let mut following = Following::start(exchange, change).await;
    let mut news = following.publisher.live().subscribe();
    following.until_true().await;
    let polling = async {
        loop {
            if let Message::Feed(status) = news.recv().await.expect("the tracker runs").as_ref()
                && status.state == FeedState::Polling
            {
                return;
            }
        }
    };
    timeout(SOON, polling).await.expect("the feed polls");
    following.stop().await;
}

#[tokio::test]
async fn the_market_alone_can_be_followed_and_so_can_only_what_is_chosen() {
    let mut alone = Following::start(quiet_exchange().await, |settings| settings.tracker_symbols = Vec::new()).await;
    alone.exchange.emit(5).await;
    alone.until_true().await;
    assert!(!alone.kinds().contains(&"ticks"));
    let mut news = alone.publisher.live().subscribe();
    let streaming = async {
        loop {
            if let Message::Feed(status) = news.recv().await.expect("the tracker runs").as_ref() {
                return status.state;
            }
        }
    };
    assert_eq!(timeout(SOON, streaming).await.unwrap(), FeedState::Streaming, "the feed does as the market does");
    alone.stop().await;

    let mut chosen = Following::start(quiet_exchange().await, |settings| settings.tracker_market = false).await;
    chosen.exchange.emit(5).await;
    chosen.until("the trades come", |following| following.kinds().contains(&"ticks").then_some(())).await;
    assert_eq!(chosen.exchange.listeners("!miniTicker@arr"), 0);
    chosen.stop().await;
}

#[tokio::test]
async fn a_pair_listed_anew_is_followed_at_once_behind_a_catalogue_that_lists_it() {
    let mut following = Following::start(quiet_exchange().await, |_| ()).await;
    following.exchange.emit(5).await;
    following.until_true().await;
    following.exchange.list("NEWUSDT", "NEW", "USDT", Decimal::new(125, 2)).unwrap();
    following.exchange.delist("ADAUSDT").unwrap();
    following.exchange.rename("ETHUSDT", "ETH2USDT").unwrap();
    // A new pair is left out until the catalogue lists it, so it must trade on.
    let trading = |following: &Following| {
        let new = ["NEWUSDT", "ETH2USDT"];
        new.iter().all(|ticker| following.market().contains_key(ticker)).then_some(())
    };
    let begin = Instant::now();
    while trading(&following).is_none() {
        assert!(begin.elapsed() < SOON, "{:?}", following.market().keys());
        following.exchange.emit(1).await;
        let count = following.told.len();
        following.until("something is told", |following| (following.told.len() > count).then_some(())).await;
    }
    let position = |wanted: &dyn Fn(&Message) -> bool| following.told.iter().position(wanted).unwrap();
    let listed = position(&|told| match told {
        Message::Catalogue(catalogue) => {
            let lists = |ticker: &str| catalogue.instruments.iter().any(|one| one.ticker == ticker);
            lists("NEWUSDT") && lists("ETH2USDT") && !lists("ADAUSDT") && !lists("ETHUSDT")
        }
        _ => false,
    });
    let told = position(&|told| match told {
        Message::Market(report) => report.rows.iter().any(|row| row.ticker == "NEWUSDT"),
        _ => false,
    });
    assert!(listed < told, "{listed} {told}");
    following.until_true().await;
    following.stop().await;
}

#[tokio::test]
async fn while_the_queue_is_needed_for_trades_only_the_newest_word_is_kept() {
    let alone = |settings: &mut Settings| settings.tracker_symbols = Vec::new();
    let mut following = Following::start_with(quiet_exchange().await, alone, &[], 100_000).await;
    following.until("the catalogue comes", |following| following.kinds().contains(&"catalogue").then_some(())).await;
    let filler = vec![b' '; 20_000];
    following.queue.publish("filler".to_owned(), filler.into(), Vec::new()).await.unwrap();
    for _ in 0..4 {
        following.exchange.emit(5).await;
        // Long enough for the stream to tell; were it not, less would be proved.
        sleep(Duration::from_millis(1_200)).await;
    }
    assert_eq!(following.queue.len(), 1, "no news of the market take the place of trades");
    following.until_true().await;
    assert_eq!(following.reports().count(), 1, "and of many words the last is told");
    following.stop().await;
}

/// An exchange on which each of these pairs was traded once at each of these moments.
async fn with_a_past(tickers: [&str; 3], moments: [DateTime<Utc>; 2], folder: &TempDir) -> Simulator {
    let path = folder.path().join("recording");
    let mut recording = String::new();
    for (id, moment) in moments.iter().enumerate() {
        let time = moment.timestamp_millis();
        for ticker in tickers {
            let lower = ticker.to_lowercase();
            writeln!(
                recording,
                r#"{}: {{"stream":"{lower}@trade","data":{{"e":"trade","E":{time},"s":"{ticker}","t":{id},"p":"2{id}.5","q":"0.1","T":{time},"m":true,"M":true}}}}"#,
                moment.timestamp()
            )
            .unwrap();
        }
    }
    std::fs::write(&path, recording).unwrap();
    let source = Source::Replay { path, speed: 0.0, shift_times: false };
    let exchange = Simulator::start(simulator::Settings { source, ..Default::default() }).await.unwrap();
    while !exchange.replay_ended() {
        sleep(Duration::from_millis(5)).await;
    }
    exchange
}

#[tokio::test]
async fn candles_of_the_last_day_are_taken_over_once_those_of_chosen_pairs_first_then_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let this_hour = Utc::now().duration_trunc(TimeDelta::hours(1)).unwrap();
    let moments = [20, 2].map(|hours| this_hour - TimeDelta::hours(hours) + TimeDelta::minutes(7));
    let exchange = with_a_past(["BTCUSDT", "ETHUSDT", "SOLUSDT"], moments, &folder).await;
    let mut following = Following::start(exchange, |_| ()).await;
    following.until("all is taken over", |following| (following.taken().len() == 6).then_some(())).await;
    let taken = following.taken();
    let order: Vec<(&str, DateTime<Utc>)> =
        taken.iter().map(|report| (report.ticker.as_str(), report.minutes[0].open_time)).collect();
    let [old, new] = moments;
    assert_eq!(order[..2], [("BTCUSDT", new), ("BTCUSDT", old)], "whose trades are recorded comes first");
    assert!(order[2..4].iter().all(|(_, time)| *time == new), "{order:?}");
    assert!(order[4..].iter().all(|(_, time)| *time == old), "{order:?}");
    for report in taken {
        let [minute] = &report.minutes[..] else { panic!("{report:?}") };
        assert_eq!((minute.trades, minute.volume, report.mistake()), (1, Decimal::new(1, 1), None));
        let price = Decimal::new(if minute.open_time == new { 215 } else { 205 }, 1);
        assert_eq!((minute.open, minute.quote_volume), (price, price * minute.volume));
    }
    // What was taken is noted: a tracker that starts again with these notes asks for none of it.
    let notes = following.queue.notes().await.unwrap();
    let notes: Vec<Note> = notes.into_iter().map(|(key, text)| Note { key, text: Some(text) }).collect();
    assert_eq!(notes.iter().filter(|note| note.key.starts_with("taken/simulated/")).count(), 3);
    following.stop().await;
    let exchange = with_a_past(["BTCUSDT", "ETHUSDT", "SOLUSDT"], moments, &folder).await;
    let mut again = Following::start_with(exchange, |_| (), &notes, 1_000_000_000).await;
    let told = |following: &Following| following.kinds().contains(&"market").then_some(());
    again.until("the market is told", told).await;
    sleep(Duration::from_secs(2)).await;
    again.until("nothing is left", |following| following.queue.is_empty().then_some(())).await;
    assert_eq!(again.taken(), Vec::<&MinuteReport>::new());
    again.stop().await;
}
