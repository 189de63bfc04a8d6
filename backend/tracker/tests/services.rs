//! Services outside against a server that speaks as they document it, with the failures that they have.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use broker::{LiveReceiver, LocalQueue, LocalQueueSettings, Message, Publisher};
use chrono::{Days, Utc};
use clap::Parser as _;
use domain::{FeedState, FeedStatus, Half, ListedCoin, ListingReport, RateReport};
use process::{Health, Shutdown};
use simulator::Simulator;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tracker::{Settings, services::ApiKey};

const SOON: Duration = Duration::from_secs(90);
const KEY: &str = "s3cret-key";

/// What the server answers to the request of which it is told the head; the number counts requests.
type Answers = Arc<dyn Fn(usize, &str) -> (u16, &'static str, String) + Send + Sync>;

/// Answers HTTP requests, and remembers them.
struct Service {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn start(answers: impl Fn(usize, &str) -> (u16, &'static str, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (answers, log): (Answers, _) = (Arc::new(answers), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, answers.clone(), log.clone()));
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TcpStream, answers: Answers, log: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let number = {
        let mut log = log.lock().unwrap();
        log.push(head.clone());
        log.len()
    };
    let (status, header, body) = answers(number, &head);
    let length = body.len();
    let text = format!("HTTP/1.1 {status} Said\r\n{header}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
    // Who asked may have gone.
    let _ = stream.write_all(text.as_bytes()).await;
}

/// A row of CoinMarketCap's, shortened to what is documented of it and read.
fn priced(id: &str, symbol: &str, price: &str) -> String {
    format!(
        r#"{{"id":{id},"name":"A coin","symbol":{symbol},"cmc_rank":5,"last_updated":"2026-11-20T12:00:00.000Z","quote":{{"USD":{{"price":{price},"volume_24h":4.5e9,"last_updated":"2026-11-20T12:00:00.000Z"}}}}}}"#
    )
}

fn latest(rows: &[String]) -> String {
    format!(
        r#"{{"status":{{"timestamp":"2026-11-20T12:00:00.000Z","error_code":0,"error_message":null,"credit_count":25}},"data":[{}]}}"#,
        rows.join(",")
    )
}

/// A row of CryptoCompare's.
fn ranked(symbol: &str, alternatives: &str) -> String {
    format!(r#"{{"ID":9,"SYMBOL":"{symbol}","ASSET_TYPE":"BLOCKCHAIN","ASSET_ALTERNATIVE_IDS":{alternatives}}}"#)
}

fn cmc(id: usize) -> String {
    format!(r#"[{{"NAME":"CG","ID":"a-coin"}},{{"NAME":"CMC","ID":"{id}"}}]"#)
}

fn page(rows: &[String]) -> String {
    format!(r#"{{"Data":{{"STATS":{{"PAGE":1,"PAGE_SIZE":100}},"LIST":[{}]}},"Err":{{}}}}"#, rows.join(","))
}

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// A tracker that follows a quiet exchange and asks services outside, and what it tells.
struct Tracking {
    queue: LocalQueue,
    news: LiveReceiver,
    told: Vec<Arc<Message>>,
    stop: Shutdown,
    task: tokio::task::JoinHandle<Result<(), tracker::Error>>,
    _exchange: Simulator,
    _folder: TempDir,
}

impl Tracking {
    async fn start(every_seconds: u32, change: impl FnOnce(&mut tracker::services::Settings)) -> Self {
        process::tls::install();
        let quiet = simulator::Settings { trades_per_second: 0.0, ..Default::default() };
        let exchange = Simulator::start(quiet).await.unwrap();
        let mut settings = Arguments::parse_from(["tracker"]).settings;
        settings.addresses.binance.binance_rest_url = exchange.rest_url();
        settings.addresses.binance.binance_stream_url = exchange.stream_url();
        settings.services = settings.services.nobody();
        settings.services.tracker_listing_seconds = every_seconds;
        change(&mut settings.services);
        let folder = tempfile::tempdir().unwrap();
        let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await.unwrap();
        let (publisher, stop) = (Publisher::new(queue.clone()), Shutdown::new());
        let news = publisher.live().subscribe();
        let task = tokio::spawn(tracker::run(settings, publisher, Health::new(), stop.clone()));
        Self { queue, news, told: Vec::new(), stop, task, _exchange: exchange, _folder: folder }
    }

    /// Listens until a message is told of which something can be made.
    async fn until<T>(&mut self, found: impl Fn(&Message) -> Option<T>) -> T {
        let listening = async {
            loop {
                let message = self.news.recv().await.expect("the tracker runs");
                self.told.push(message.clone());
                if let Some(found) = found(&message) {
                    return found;
                }
            }
        };
        timeout(SOON, listening).await.expect("it is told soon")
    }

    async fn list(&mut self) -> ListingReport {
        self.until(|message| if let Message::Listing(report) = message { Some(report.clone()) } else { None }).await
    }

    async fn rates(&mut self) -> RateReport {
        self.until(|message| if let Message::Rates(report) = message { Some(report.clone()) } else { None }).await
    }

    async fn status(&mut self, of: &str, fits: impl Fn(&FeedStatus) -> bool) -> FeedStatus {
        let fitting = |message: &Message| match message {
            Message::Feed(status) if status.exchange == of && fits(status) => Some(status.clone()),
            _ => None,
        };
        self.until(fitting).await
    }

    /// Stops, and makes sure that nobody was told the key.
    async fn stop(self) {
        assert!(!format!("{:?}", self.told).contains(KEY));
        self.stop.cancel();
        timeout(SOON, self.task).await.expect("it stops").unwrap().unwrap();
    }
}

fn rows(report: &ListingReport) -> Vec<String> {
    let price = |coin: &ListedCoin| coin.price.map(|price| format!(" {price}")).unwrap_or_default();
    report.coins.iter().map(|coin| format!("{} {}{}", coin.id, coin.symbol, price(coin))).collect()
}

#[tokio::test]
async fn prices_come_digit_for_digit_and_what_is_incomplete_is_left_out_and_counted() {
    let service = Service::start(|_, _| {
        let body = latest(&[
            priced("1", r#""BTC""#, "64250.012345678901"),
            priced("1027", r#""ETH""#, "3.1e3"),
            priced("9", r#""TINY""#, "6.123456789012345e-9"),
            priced("10", r#""NOPRICE""#, "null"),
            priced("11", "null", "1"),
            priced("12", r#""FREE""#, "0"),
            priced("13", r#""TOOFINE""#, "1.234567890123456e-20"),
            priced("1", r#""BTC""#, "1"),
            r#"{"id":14,"symbol":"NOQUOTE"}"#.to_owned(),
        ]);
        (200, "", body)
    });
    let service = service.await;
    let begun = Utc::now();
    let mut tracking = Tracking::start(2, |settings| {
        settings.coinmarketcap_api_key = Some(ApiKey::from(KEY));
        settings.coinmarketcap_url = service.url.clone();
    })
    .await;
    let report = tracking.list().await;
    assert_eq!((report.source.as_str(), report.half), ("coinmarketcap", Half::Prices));
    assert_eq!(rows(&report), ["1 BTC 64250.012345678901", "1027 ETH 3100", "9 TINY 0.000000006123456789012345"]);
    assert_eq!(report.mistake(), None);
    assert!(begun <= report.at && report.at <= Utc::now(), "{}", report.at);
    let status = tracking.status("coinmarketcap", |status| status.state == FeedState::Polling).await;
    assert_eq!((status.detail, status.rejected % 6), (None, 0));
    let asked = service.asked()[0].to_lowercase();
    assert!(asked.starts_with("get /v1/cryptocurrency/listings/latest?start=1&limit=5000&convert=usd "), "{asked}");
    assert!(asked.contains("\r\nx-cmc_pro_api_key: s3cret-key\r\n"), "{asked}");
    let kept = async {
        loop {
            let delivery = tracking.queue.receive().await.unwrap();
            let message = Message::decode(delivery.payload()).unwrap();
            delivery.ack().await.unwrap();
            if let Message::Listing(kept) = message {
                return kept;
            }
        }
    };
    assert_eq!(timeout(SOON, kept).await.expect("it is in the queue"), report);
    tracking.stop().await;
}

#[tokio::test]
async fn ranks_come_page_by_page_until_a_short_one_and_a_service_without_a_key_is_not_asked() {
    let service = Service::start(|_, head| {
        let wanted = |page: usize| head.contains(&format!("page={page}&"));
        let numbered = |from: usize, count: usize| (from..from + count).map(|id| ranked(&format!("C{id}"), &cmc(id)));
        let rows: Vec<String> = if wanted(1) {
            [ranked("BTC", &cmc(1)), ranked("NOID", "null"), ranked("OTHER", r#"[{"NAME":"CG","ID":"other"}]"#)]
                .into_iter()
                .chain([ranked("ETH", r#"[{"NAME":"CMC","ID":1027}]"#), ranked("BTC", &cmc(1))])
                .chain(numbered(2_000, 95))
                .collect()
        } else if wanted(2) {
            numbered(3_000, 100).collect()
        } else {
            vec![ranked("LAST", &cmc(4_000))]
        };
        (200, "", page(&rows))
    })
    .await;
    let mut tracking = Tracking::start(10, |settings| {
        settings.cryptocompare_api_key = Some(ApiKey::from(KEY));
        settings.cryptocompare_url = service.url.clone();
        settings.coinmarketcap_api_key = Some(ApiKey::from(""));
        settings.coinmarketcap_url = service.url.clone();
    })
    .await;
    let report = tracking.list().await;
    assert_eq!((report.source.as_str(), report.half), ("cryptocompare", Half::Ranks));
    let told = rows(&report);
    assert_eq!(told.len(), 2 + 95 + 100 + 1);
    assert_eq!([&told[0], &told[1], &told[2], &told[197]], ["1 BTC", "1027 ETH", "2000 C2000", "4000 LAST"]);
    let status = tracking.status("cryptocompare", |status| status.state == FeedState::Polling).await;
    assert_eq!(status.rejected, 3);
    let asked = service.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    for (number, head) in asked.iter().enumerate() {
        let begins = format!("GET /asset/v1/top/list?page={}&page_size=100&sort_by=SPOT_MOVING_24_HOUR", number + 1);
        assert!(head.starts_with(&begins) && head.contains("authorization: Apikey s3cret-key\r\n"), "{head}");
    }
    tracking.stop().await;
}

#[tokio::test]
async fn a_refused_key_is_told_without_the_key_and_not_tried_again_before_the_next_round() {
    let refusal = r#"{"status":{"error_code":1001,"error_message":"This API Key is invalid: s3cret-key"}}"#;
    let service = Service::start(move |_, _| (401, "", refusal.to_owned())).await;
    let mut tracking = Tracking::start(10, |settings| {
        settings.coinmarketcap_api_key = Some(ApiKey::from(KEY));
        settings.coinmarketcap_url = service.url.clone();
    })
    .await;
    let status = tracking.status("coinmarketcap", |status| status.state == FeedState::Waiting).await;
    assert_eq!(service.asked().len(), 1);
    let detail = status.detail.unwrap();
    assert!(detail.contains("HTTP 401") && detail.contains("is invalid: (the key)"), "{detail}");
    assert!(status.next_try_at.is_some());
    tracking.stop().await;
}

#[tokio::test]
async fn too_many_requests_broken_json_and_errors_in_good_dress_are_tried_again() {
    let service = Service::start(|number, _| match number {
        1 => (429, "retry-after: 1\r\n", String::new()),
        2 => (200, "", r#"{"Data":{"LIST":[{"SYMB"#.to_owned()),
        3 => (200, "", r#"{"Data":{},"Err":{"type":99,"message":"You are over your rate limit"}}"#.to_owned()),
        _ => (200, "", page(&[ranked("BTC", &cmc(1))])),
    })
    .await;
    let mut tracking = Tracking::start(30, |settings| {
        settings.cryptocompare_api_key = Some(ApiKey::from(KEY));
        settings.cryptocompare_url = service.url.clone();
    })
    .await;
    assert_eq!(rows(&tracking.list().await), ["1 BTC"]);
    assert_eq!(service.asked().len(), 4);
    tracking.stop().await;
}

#[tokio::test]
async fn after_five_tries_a_round_is_given_up_and_the_other_service_goes_on() {
    let service = Service::start(|_, head| {
        let is_ranks = head.starts_with("GET /asset");
        if is_ranks { (200, "", page(&[ranked("BTC", &cmc(1))])) } else { (500, "", "out of order".to_owned()) }
    })
    .await;
    let mut tracking = Tracking::start(30, |settings| {
        for key in [&mut settings.coinmarketcap_api_key, &mut settings.cryptocompare_api_key] {
            *key = Some(ApiKey::from(KEY));
        }
        settings.coinmarketcap_url = service.url.clone();
        settings.cryptocompare_url = service.url.clone();
    })
    .await;
    assert_eq!(tracking.list().await.source, "cryptocompare");
    let status = tracking.status("coinmarketcap", |status| status.detail.is_some()).await;
    let detail = status.detail.unwrap();
    assert!(detail.contains("HTTP 500: out of order"), "{detail}");
    assert_eq!(service.asked().iter().filter(|head| head.starts_with("GET /v1/")).count(), 5);
    tracking.stop().await;
}

fn told(report: &RateReport) -> Vec<String> {
    let one = |rate: &domain::Rate| format!("{} {}{} {}", rate.day, report.base, rate.quote, rate.rate);
    report.rates.iter().map(one).collect()
}

#[tokio::test]
async fn the_banks_rates_come_from_the_wanted_day_on_in_spans_that_are_told_day_by_day() {
    let today = Utc::now().date_naive();
    let (from, next) = (today - Days::new(100), today - Days::new(9));
    let first = format!("/v1/{from}..{}", today - Days::new(10));
    let path = first.clone();
    let service = Service::start(move |_, head| {
        let rates = if head.contains(&path) {
            format!(r#""{from}":{{"USD":1.0850,"JPY":163.1,"IDR":1.7e4,"EUR":1,"Euro":2,"ZERO":0}}"#)
        } else {
            format!(r#""{next}":{{"USD":1.123456789012345}},"{today}":{{"USD":1.1,"CHF":0}}"#)
        };
        (
            200,
            "",
            format!(r#"{{"amount":1.0,"base":"EUR","start_date":"{from}","end_date":"{today}","rates":{{{rates}}}}}"#),
        )
    });
    let service = service.await;
    let mut tracking = Tracking::start(60, |settings| {
        settings.tracker_ecb_rates = true;
        settings.tracker_rates_from = Some(from);
        settings.frankfurter_url = service.url.clone();
    })
    .await;
    let report = tracking.rates().await;
    assert_eq!((report.source.as_str(), report.mistake()), ("frankfurter", None));
    let usd = |day, rate| format!("{day} EURUSD {rate}");
    assert_eq!(told(&report), [format!("{from} EURIDR 17000"), format!("{from} EURJPY 163.1"), usd(from, "1.085")]);
    assert_eq!(told(&tracking.rates().await), [usd(next, "1.123456789012345"), usd(today, "1.1")]);
    let status = tracking.status("frankfurter", |status| status.state == FeedState::Polling).await;
    assert_eq!(status.rejected % 4, 0);
    let asked: Vec<String> = service.asked().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect();
    // It may be tomorrow by now.
    assert!(asked[0] == first && asked[1].starts_with(&format!("/v1/{next}..")), "{asked:?}");
    tracking.stop().await;
}

#[tokio::test]
async fn another_service_tells_todays_rates_for_a_key_and_its_refusals_are_told_without_the_key() {
    let rates = r#""USD":1.159212,"BTC":0.0000112,"XAU":0.000283"#;
    let latest = format!(r#"{{"success":true,"timestamp":1,"base":"EUR","date":"2026-11-20","rates":{{{rates}}}}}"#);
    let service = Service::start(move |_, _| (200, "", latest.clone())).await;
    let mut tracking = Tracking::start(60, |settings| {
        settings.fixer_api_key = Some(ApiKey::from(KEY));
        settings.fixer_url = format!("{}/api", service.url);
    })
    .await;
    let report = tracking.rates().await;
    assert_eq!(told(&report), ["2026-11-20 EURUSD 1.159212", "2026-11-20 EURXAU 0.000283"]);
    assert!(service.asked()[0].starts_with("GET /api/latest?access_key=s3cret-key "), "{:?}", service.asked());
    tracking.stop().await;

    let refusal = r#"{"success":false,"error":{"code":101,"type":"invalid_access_key","info":"s3cret-key is none"}}"#;
    let service = Service::start(move |_, _| (200, "", refusal.to_owned())).await;
    let mut tracking = Tracking::start(60, |settings| {
        settings.fixer_api_key = Some(ApiKey::from(KEY));
        settings.fixer_url = service.url.clone();
    })
    .await;
    let status = tracking.status("fixer", |status| status.state == FeedState::Waiting).await;
    let (detail, again) = (status.detail.unwrap(), status.next_try_at.unwrap());
    assert!(detail.contains("error 101: (the key) is none"), "{detail}");
    assert!((again - Utc::now()).num_seconds() <= 3_600, "{again}");
    tracking.stop().await;
}

#[tokio::test]
async fn what_cannot_be_used_as_key_or_address_is_said_at_the_start_without_the_key() {
    let broken = |change: fn(&mut tracker::services::Settings)| async move {
        let tracking = Tracking::start(60, change).await;
        timeout(SOON, tracking.task).await.expect("it ends").unwrap().unwrap_err().to_string()
    };
    let error = broken(|settings| settings.coinmarketcap_api_key = Some(ApiKey::from("s3cret\nkey"))).await;
    assert!(error.contains("COINMARKETCAP_API_KEY") && error.contains("copy it once more"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
    let error = broken(|settings| {
        settings.cryptocompare_api_key = Some(ApiKey::from(KEY));
        settings.cryptocompare_url = "ftp://nowhere".to_owned();
    })
    .await;
    assert!(error.contains("CRYPTOCOMPARE_URL") && error.contains("ftp://nowhere"), "{error}");
}
