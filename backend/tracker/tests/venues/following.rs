//! A simulated exchange, a tracker that follows it, and what the tracker has published so far.

use std::{collections::BTreeMap, time::Duration};

use broker::{LiveReceiver, LocalQueue, LocalQueueSettings, Message, Publisher};
use clap::Parser as _;
use domain::{FeedStatus, Gap, TickSource};
use process::{Health, Shutdown};
use simulator::{PublishedTrade, Simulator};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tracker::Settings;

use crate::venue::Venue;

/// Generous: Kraken may be asked about every other second for what can wait.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The coins that are followed.
pub(crate) const COINS: [&str; 2] = ["BTC", "ETH"];

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

pub(crate) struct Following {
    pub(crate) exchange: Simulator,
    queue: LocalQueue,
    live: LiveReceiver,
    stop: Shutdown,
    tracking: tokio::task::JoinHandle<Result<(), tracker::Error>>,
    /// What came out of the queue, in order.
    pub(crate) told: Vec<Message>,
    /// What was last said of each feed.
    pub(crate) feeds: BTreeMap<String, FeedStatus>,
    settings: Settings,
    folder: TempDir,
}

/// An exchange that trades only when it is told to.
pub(crate) async fn quiet_exchange() -> Simulator {
    Simulator::start(simulator::Settings { trades_per_second: 0.0, ..Default::default() }).await.unwrap()
}

/// Settings that follow these coins by these protocols, and nothing else. No pair is silent for too long.
pub(crate) fn settings(exchange: &Simulator, venues: &[Venue]) -> Settings {
    process::tls::install();
    let mut settings = Arguments::parse_from(["tracker"]).settings;
    settings.exchanges = venues.iter().map(|venue| venue.name().to_owned()).collect();
    settings.tracker_symbols = COINS.iter().map(|coin| format!("{coin}USDT").into()).collect();
    settings.tracker_market = false;
    settings.tracker_compare_minutes = 0;
    settings.tracker_silence_seconds = 600;
    venues.iter().for_each(|venue| venue.point(&mut settings, exchange));
    settings
}

impl Following {
    /// Follows a quiet exchange by one protocol; both pairs are subscribed when this returns.
    pub(crate) async fn start(venue: Venue) -> Self {
        let exchange = quiet_exchange().await;
        let settings = settings(&exchange, &[venue]);
        let following = Self::track(exchange, settings).await;
        following.listening(&[venue]).await;
        following
    }

    pub(crate) async fn track(exchange: Simulator, settings: Settings) -> Self {
        Self::track_in(exchange, settings, tempfile::tempdir().unwrap()).await
    }

    async fn track_in(exchange: Simulator, settings: Settings, folder: TempDir) -> Self {
        let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await.unwrap();
        let publisher = Publisher::new(queue.clone());
        let (live, stop) = (publisher.live().subscribe(), Shutdown::new());
        let tracking = tokio::spawn(tracker::run(settings.clone(), publisher, Health::new(), stop.clone()));
        let (told, feeds) = (Vec::new(), BTreeMap::new());
        Self { exchange, queue, live, stop, tracking, told, feeds, settings, folder }
    }

    /// Stops the tracker, lets the exchange trade meanwhile, and starts the tracker again with what it left on disk.
    pub(crate) async fn restarted(mut self, trades: u64) -> Self {
        self.stop.cancel();
        timeout(SOON, &mut self.tracking).await.expect("it stops").unwrap().unwrap();
        self.queue.close().await;
        self.exchange.emit(trades).await;
        let told = self.told;
        Self { told, ..Self::track_in(self.exchange, self.settings, self.folder).await }
    }

    /// Waits until both coins are subscribed by these protocols.
    pub(crate) async fn listening(&self, venues: &[Venue]) {
        self.until_listening(|exchange| {
            venues.iter().all(|venue| COINS.iter().all(|coin| venue.listeners(exchange, coin) > 0))
        })
        .await;
    }

    pub(crate) async fn until_listening(&self, enough: impl Fn(&Simulator) -> bool) {
        let listening = async {
            while !enough(&self.exchange) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, listening).await.expect("the tracker subscribes");
    }

    /// Takes what the tracker publishes until it is enough.
    pub(crate) async fn until(&mut self, what: &str, enough: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + SOON;
        while !enough(self) {
            tokio::select! {
                delivery = self.queue.receive() => {
                    let delivery = delivery.unwrap();
                    self.told.push(Message::decode(delivery.payload()).unwrap());
                    delivery.ack().await.unwrap();
                }
                news = self.live.recv() => {
                    if let Message::Feed(status) = news.expect("the tracker runs").as_ref() {
                        self.feeds.insert(status.exchange.to_string(), status.clone());
                    }
                }
                () = tokio::time::sleep_until(deadline) => {
                    let counts: Vec<_> = Venue::ALL.map(|venue| (venue, COINS.map(|coin| self.trades(venue, coin).len()))).into();
                    panic!("{what}: {counts:?}, {:#?}, {:#?}", self.gaps(), self.feeds);
                }
            }
        }
    }

    /// Waits until every trade that the exchange has published is told by this protocol, and every gap is closed.
    pub(crate) async fn until_complete(&mut self, venue: Venue) {
        let complete = |following: &Self| {
            COINS.iter().all(|coin| following.recorded(venue, coin) == following.published(coin))
                && following.gaps().iter().all(|gap| gap.state.is_closed())
        };
        self.until("everything is recorded, and every gap closed", complete).await;
    }

    pub(crate) fn published(&self, coin: &str) -> Vec<PublishedTrade> {
        self.exchange.published(&Venue::Binance.ticker(coin))
    }

    /// The trades of a pair that were told, as often as they were, in order.
    pub(crate) fn trades(&self, venue: Venue, coin: &str) -> Vec<PublishedTrade> {
        let ticker = venue.ticker(coin);
        let batches =
            self.told.iter().filter_map(|message| if let Message::Ticks(batch) = message { Some(batch) } else { None });
        batches
            .filter(|batch| batch.exchange == venue.name() && batch.source != TickSource::Poll)
            .flat_map(|batch| &batch.ticks)
            .filter(|tick| tick.ticker == ticker)
            .map(|tick| PublishedTrade {
                id: tick.trade_id.unwrap(),
                price: tick.price,
                quantity: tick.quantity.unwrap(),
                time: tick.exchange_time.unwrap(),
                buyer_is_maker: tick.taker_side.unwrap() == domain::Side::Sell,
            })
            .collect()
    }

    /// The trades of a pair that were told, each once, by their numbers.
    pub(crate) fn recorded(&self, venue: Venue, coin: &str) -> Vec<PublishedTrade> {
        let mut trades = self.trades(venue, coin);
        trades.sort_by_key(|trade| trade.id);
        trades.dedup();
        trades
    }

    /// What was last said of each gap.
    pub(crate) fn gaps(&self) -> Vec<&Gap> {
        let mut gaps = BTreeMap::new();
        for message in &self.told {
            if let Message::Gaps(report) = message {
                gaps.extend(report.gaps.iter().map(|gap| ((&report.exchange, &gap.ticker, gap.first_trade_id), gap)));
            }
        }
        gaps.into_values().collect()
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        timeout(SOON, self.tracking).await.expect("it stops").unwrap().unwrap();
    }
}
