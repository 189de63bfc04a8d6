//! The whole way through the services: exchange → tracker → RabbitMQ → db-handler → PostgreSQL → API → dashboard. Every
//! published trade is found once, with prices equal to the last digit.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, time::Duration};

use broker::{Live, LocalQueue, LocalQueueSettings, Publisher, RabbitMqSettings, Source};
use clap::Parser as _;
use database::DatabaseSettings;
use process::{Health, Shutdown};
use rust_decimal::Decimal;
use simulator::{Fault, PublishedTrade, Simulator};
use testbed::{database::TestDatabase, rabbitmq::VirtualHost};
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(60);

#[derive(clap::Parser)]
struct Tracking {
    #[command(flatten)]
    settings: tracker::Settings,
}

/// Waits until `found` finds something.
async fn wait<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = found().await {
                return found;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("{what}"))
}

async fn get(address: &str, path: &str) -> serde_json::Value {
    let response = reqwest::get(format!("http://{address}{path}")).await.unwrap();
    assert!(response.status().is_success(), "{path}: {}", response.status());
    response.json().await.unwrap()
}

/// Every stored trade of a ticker, page by page, as the API tells it: number → price and quantity.
async fn told_by_the_api(address: &str, ticker: &str) -> BTreeMap<i64, (Decimal, Decimal)> {
    let (mut told, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = get(address, &format!("/ticks/simulated/{ticker}?limit=1000{cursor}")).await;
        for row in page["data"].as_array().unwrap() {
            let number = |field: &str| row[field].as_str().unwrap().parse::<Decimal>().unwrap();
            let twice = told.insert(row["trade_id"].as_i64().unwrap(), (number("price"), number("quantity")));
            assert!(twice.is_none(), "{row} comes twice");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return told,
        }
    }
}

fn expected(published: &[PublishedTrade]) -> BTreeMap<i64, (Decimal, Decimal)> {
    published.iter().map(|trade| (trade.id, (trade.price, trade.quantity))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_published_trade_is_stored_once_and_shown() {
    process::tls::install();
    let host = VirtualHost::create();
    let database = TestDatabase::empty().await;
    let folder = tempfile::tempdir().unwrap();
    let stop = Shutdown::new();
    let settings = simulator::Settings { trades_per_second: 0.0, ..Default::default() };
    let exchange = Simulator::start(settings).await.unwrap();

    let rabbitmq = RabbitMqSettings::at(&host.url()).unwrap();
    let pool = || database::connect(&DatabaseSettings::at(database.url())).unwrap();
    let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await.unwrap();
    let publisher = Publisher::new(queue);
    tokio::spawn(broker::forward(publisher.clone(), rabbitmq.clone(), stop.clone(), |_| ()));
    let handler = db_handler::Settings::default();
    let source = Source::RabbitMq(rabbitmq.clone());
    tokio::spawn(db_handler::run(handler, source, pool(), Health::new(), stop.clone()));
    let api = api::Settings { api_bind: "127.0.0.1:0".parse().unwrap(), ..Default::default() };
    let server = api::Server::bind(&api, pool(), Live::rabbitmq(rabbitmq), Health::new(), stop.clone()).unwrap();
    let address = server.address().to_string();
    tokio::spawn(server.run());
    let mut tracking = Tracking::parse_from(["tracker"]).settings;
    tracking.tracker_symbols = exchange.tickers().into_iter().map(Into::into).collect();
    tracking.addresses.binance = tracker::exchanges::binance::Settings {
        binance_name: "simulated".to_owned(),
        binance_rest_url: exchange.rest_url(),
        binance_stream_url: exchange.stream_url(),
    };
    tokio::spawn(tracker::run(tracking, publisher, Health::new(), stop.clone()));
    let tickers = exchange.tickers();
    wait("the tracker subscribes", async || {
        tickers.iter().all(|ticker| exchange.listeners(&format!("{}@trade", ticker.to_lowercase())) == 1).then_some(())
    })
    .await;

    exchange.emit(500).await;
    wait("everything is ready", async || {
        let ready = reqwest::get(format!("http://{address}/health/ready")).await.ok()?;
        ready.status().is_success().then_some(())
    })
    .await;
    let mut observer = dashboard::Observer::start(address.parse().unwrap(), "simulated", "BTCUSDT").unwrap();
    wait("the dashboard is connected", async || observer.look().connected.then_some(())).await;
    exchange.emit(500).await;

    for ticker in &tickers {
        let published = expected(&exchange.published(ticker));
        assert_eq!(published.len(), 1_000);
        let told = wait(&format!("{ticker} is stored"), async || {
            let told = told_by_the_api(&address, ticker).await;
            (told.len() >= 1_000).then_some(told)
        })
        .await;
        assert_eq!(told, published, "{ticker}");
    }

    let bitcoin = exchange.published("BTCUSDT");
    let newest = bitcoin.last().unwrap();
    wait("the dashboard shows the newest price", async || (observer.look().price == Some(newest.price)).then_some(()))
        .await;
    assert_eq!(observer.look().time, Some(newest.time));
    let latest = get(&address, "/prices/simulated/BTCUSDT").await;
    assert_eq!(latest["data"]["price"].as_str().unwrap().parse::<Decimal>().unwrap(), newest.price);

    // The candles are those of the trades, in the API and, after its next look at the API, in the chart.
    let candles = get(&address, "/candles/simulated/BTCUSDT?interval=1m").await;
    let volume = |candle: &serde_json::Value| candle["volume"].as_str().unwrap().parse::<Decimal>().unwrap();
    let total: Decimal = candles["data"].as_array().unwrap().iter().map(volume).sum();
    assert_eq!(total, bitcoin.iter().map(|trade| trade.quantity).sum::<Decimal>());
    let minute = newest.time.timestamp() / 60 * 60;
    let shown = observer.look();
    let (open_time, close, _) = *shown.candles.last().expect("the chart has candles");
    assert_eq!((open_time, close), (minute, newest.price.to_string().parse().unwrap()));

    let catalogue = get(&address, "/tickers/bitcoin/simulated").await;
    let row = serde_json::json!({
        "ticker": "BTCUSDT", "exchange": "simulated", "coin": "bitcoin", "status": "trading",
        "price_step": "0.01", "quantity_step": "0.00001"
    });
    assert_eq!(catalogue["data"], serde_json::json!([row]));
    let history = get(&address, "/price-history-minutes/120%20minute/BTCUSDT").await;
    let means: Vec<&serde_json::Value> = history["data"].as_array().unwrap().iter().collect();
    assert!(
        !means.is_empty() && means[0]["ticker"] == "BTCUSDT" && means[0]["date"].as_str().unwrap().ends_with("GMT")
    );

    // What the stream leaves out, and what is traded while it is down, is found by its numbers and fetched.
    exchange.inject(Fault::Gap(100));
    exchange.emit(200).await;
    exchange.inject(Fault::Disconnect);
    exchange.emit(50).await;
    wait("the tracker subscribes again", async || {
        (exchange.listeners("btcusdt@trade") == 1 && exchange.listeners("shibusdt@trade") == 1).then_some(())
    })
    .await;
    exchange.emit(50).await;
    for ticker in &tickers {
        let published = expected(&exchange.published(ticker));
        assert_eq!(published.len(), 1_300);
        let told = wait(&format!("{ticker} is filled"), async || {
            let told = told_by_the_api(&address, ticker).await;
            (told.len() >= 1_300).then_some(told)
        })
        .await;
        assert_eq!(told, published, "{ticker}");
    }
    let gaps = wait("the ledger says so", async || {
        let gaps = get(&address, "/gaps?limit=1000").await["data"].take();
        gaps.as_array()?.iter().all(|gap| gap["state"] == "filled").then_some(gaps)
    })
    .await;
    let causes = |cause: &str| gaps.as_array().unwrap().iter().filter(|gap| gap["cause"] == cause).count();
    assert_eq!((causes("skipped"), causes("disconnected")), (tickers.len(), tickers.len()), "{gaps}");
    let client = pool().get().await.unwrap();
    let missing: i64 = client
        .query_one("SELECT count(*) FROM missing_trades(current_date - 1, current_date + 1)", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(missing, 0, "the check agrees");
    stop.cancel();
}
