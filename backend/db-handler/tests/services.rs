//! What services outside tell, from a real queue to a real database: every digit, and once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use broker::{LocalQueue, LocalQueueSettings, Message, Publisher, RabbitMqSettings, Source};
use chrono::{DateTime, TimeDelta, Utc};
use database::{
    DatabaseSettings, Pool,
    listings::find_listing,
    rates::{self, Import, RateFilter},
};
use domain::{Half, ListedCoin, ListingReport, Rate, RateReport};
use process::{Health, Shutdown};
use tempfile::TempDir;
use testbed::{database::TestDatabase, rabbitmq::VirtualHost};
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(60);

struct Bench {
    pool: Pool,
    publisher: Publisher,
    stop: Shutdown,
    _database: TestDatabase,
    _folder: TempDir,
}

impl Bench {
    /// With RabbitMQ in between, or with the local queue alone.
    async fn start(host: Option<&VirtualHost>) -> Self {
        let database = TestDatabase::empty().await;
        let folder = tempfile::tempdir().unwrap();
        let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await.unwrap();
        let (publisher, stop) = (Publisher::new(queue.clone()), Shutdown::new());
        let source = match host.map(|host| RabbitMqSettings::at(&host.url()).unwrap()) {
            Some(settings) => {
                tokio::spawn(broker::forward(publisher.clone(), settings.clone(), stop.clone(), |_| ()));
                Source::RabbitMq(settings)
            }
            None => Source::Local(queue),
        };
        let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
        let settings = db_handler::Settings::default();
        tokio::spawn(db_handler::run(settings, source, pool.clone(), Health::new(), stop.clone()));
        Self { pool, publisher, stop, _database: database, _folder: folder }
    }

    async fn publish(&self, report: &ListingReport) {
        self.publisher.publish(Message::Listing(report.clone())).await.unwrap();
    }

    async fn publish_rates(&self, report: &RateReport) {
        self.publisher.publish(Message::Rates(report.clone())).await.unwrap();
    }

    /// Waits until there is such a row.
    async fn until(&self, query: &str) {
        let found = async {
            loop {
                let client = self.pool.get().await.unwrap();
                // There may be no such table yet.
                if matches!(client.query_opt(query, &[]).await, Ok(Some(_))) {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, found).await.unwrap_or_else(|_| panic!("{query}"));
    }

    /// The list of a source, once there is one.
    async fn stored(&self, source: &str, half: Half, minute: DateTime<Utc>) -> ListingReport {
        let stored = async {
            loop {
                let client = self.pool.get().await.unwrap();
                // There may be no such table yet.
                if let Ok(Some(found)) = find_listing(&client, source, half, minute).await {
                    return found;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, stored).await.expect("it is stored soon")
    }
}

fn noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn prices(offset_seconds: i64, price: &str) -> ListingReport {
    let coin =
        |id, symbol: &str, price: &str| ListedCoin { id, symbol: symbol.into(), price: Some(price.parse().unwrap()) };
    let coins = vec![coin(1, "BTC", price), coin(9, "TINY", "0.0000000061234567890123456"), coin(10, "BTC", "1")];
    let at = noon() + TimeDelta::seconds(offset_seconds);
    ListingReport { source: "coinmarketcap".into(), half: Half::Prices, at, coins }
}

fn ranks(offset_seconds: i64) -> ListingReport {
    let coins = [(9, "TINY"), (1, "BTC")].map(|(id, symbol)| ListedCoin { id, symbol: symbol.into(), price: None });
    let at = noon() + TimeDelta::seconds(offset_seconds);
    ListingReport { source: "cryptocompare".into(), half: Half::Ranks, at, coins: coins.to_vec() }
}

async fn is_stored_once(bench: Bench) {
    let (first, again, next) = (prices(2, "64250.012345678901"), prices(40, "7"), prices(61, "64251"));
    for report in [&first, &first, &again, &next, &ranks(15)] {
        bench.publish(report).await;
    }
    assert_eq!(bench.stored("cryptocompare", Half::Ranks, noon()).await, ranks(15));
    let minute = |minutes| noon() + TimeDelta::minutes(minutes);
    assert_eq!(bench.stored("coinmarketcap", Half::Prices, minute(1)).await, next);
    assert_eq!(bench.stored("coinmarketcap", Half::Prices, minute(2)).await, next, "a minute old");
    assert_eq!(bench.stored("coinmarketcap", Half::Prices, noon()).await, first, "the first of its minute stays");
    let client = bench.pool.get().await.unwrap();
    for (minutes, why) in [(3, "older than a minute"), (-1, "not told yet")] {
        let found = find_listing(&client, "coinmarketcap", Half::Prices, minute(minutes)).await.unwrap();
        assert_eq!(found, None, "{why}");
    }
    let count: i64 = client.query_one("SELECT count(*) FROM listing", &[]).await.unwrap().get(0);
    assert_eq!(count, 3);
    bench.stop.cancel();
}

#[tokio::test]
async fn a_list_is_stored_once_for_each_minute_to_the_last_digit() {
    is_stored_once(Bench::start(None).await).await;
}

#[tokio::test]
async fn a_list_comes_through_rabbitmq_too() {
    let host = VirtualHost::create();
    is_stored_once(Bench::start(Some(&host)).await).await;
}

#[tokio::test]
async fn a_list_that_breaks_the_rules_is_set_aside_with_the_reason() {
    let bench = Bench::start(None).await;
    let mut bad = prices(0, "1");
    bad.coins[1].price = None;
    bench.publish(&bad).await;
    bench.publish(&prices(60, "1")).await;
    bench.stored("coinmarketcap", Half::Prices, noon() + TimeDelta::minutes(1)).await;
    let client = bench.pool.get().await.unwrap();
    bench.until("SELECT FROM dead_letter").await;
    let reason: String = client.query_one("SELECT reason FROM dead_letter", &[]).await.unwrap().get(0);
    assert_eq!(reason, "coin 1 (9 TINY): price_missing");
    bench.stop.cancel();
}

#[tokio::test]
async fn old_lists_go_where_a_setting_says_so() {
    let bench = Bench::start(None).await;
    let now = Utc::now();
    let old = ListingReport { at: now - TimeDelta::hours(25), ..ranks(0) };
    let new = ListingReport { at: now - TimeDelta::hours(23), ..ranks(0) };
    for report in [&old, &new] {
        bench.publish(report).await;
        bench.stored("cryptocompare", Half::Ranks, report.minute()).await;
    }
    for (days, left) in [(None, 2), (Some(1), 1)] {
        let settings = db_handler::KeepSettings { keep_listings_days: days, ..Default::default() };
        let mut keeper = db_handler::retention::Keeper::new(bench.pool.clone(), settings);
        keeper.round(&bench.stop).await.unwrap();
        let client = bench.pool.get().await.unwrap();
        let rows = client.query("SELECT fetched_at FROM listing ORDER BY minute DESC", &[]).await.unwrap();
        assert_eq!(rows.len(), left, "{days:?}");
        assert_eq!(rows[0].get::<_, DateTime<Utc>>(0).timestamp_micros(), new.at.timestamp_micros());
    }
    bench.stop.cancel();
}

/// PostgreSQL compresses the arrays.
#[tokio::test]
async fn a_long_list_takes_less_room_than_its_text() {
    let bench = Bench::start(None).await;
    let coin = |id: i32| {
        let digits = u64::from(id.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8;
        let price = rust_decimal::Decimal::new(i64::try_from(digits).unwrap() + 1, 14);
        ListedCoin { id: id * 7, symbol: format!("C{id:x}").into(), price: Some(price) }
    };
    let report = ListingReport { coins: (1..=5_000).map(coin).collect(), ..prices(0, "1") };
    bench.publish(&report).await;
    assert_eq!(bench.stored("coinmarketcap", Half::Prices, noon()).await, report);
    let client = bench.pool.get().await.unwrap();
    let size = "SELECT pg_column_size(ids) + pg_column_size(symbols) + pg_column_size(prices) FROM listing";
    let bytes: i32 = client.query_one(size, &[]).await.unwrap().get(0);
    let text = Message::Listing(report.clone()).encode().unwrap().len();
    assert!(usize::try_from(bytes).unwrap() < text, "{bytes} bytes, {text} as text");
    bench.stop.cancel();
}

fn rates_of(source: &str, minutes: i64, rates: &[(&str, &str, &str)]) -> RateReport {
    let rate = |(day, quote, rate): &(&str, &str, &str)| Rate {
        day: day.parse().unwrap(),
        quote: (*quote).into(),
        rate: rate.parse().unwrap(),
    };
    RateReport {
        source: source.into(),
        at: noon() + TimeDelta::minutes(minutes),
        base: "EUR".into(),
        rates: rates.iter().map(rate).collect(),
    }
}

#[tokio::test]
async fn rates_are_stored_once_the_newest_word_of_who_told_them_first_counts_and_imports_replace() {
    let host = VirtualHost::create();
    let bench = Bench::start(Some(&host)).await;
    let (friday, saturday) = ("2026-11-20", "2026-11-21");
    let first = rates_of("bank", 0, &[(friday, "USD", "1.123456789012345678"), (friday, "CHF", "0.93")]);
    let newer = rates_of("bank", 5, &[(friday, "CHF", "0.94")]);
    let other = rates_of("other", 9, &[(friday, "USD", "9"), (saturday, "USD", "1.2")]);
    for (report, wanted) in [
        (&first, "quote = 'USD' AND rate = 1.123456789012345678"),
        (&newer, "quote = 'CHF' AND rate = 0.94"),
        (&first, "quote = 'CHF' AND rate = 0.94"),
        (&other, "day = '2026-11-21'"),
    ] {
        bench.publish_rates(report).await;
        bench.until(&format!("SELECT FROM fiat_rate WHERE {wanted}")).await;
    }
    bench.publish_rates(&rates_of("bank", 10, &[(friday, "EUR", "1")])).await;
    bench.until("SELECT FROM dead_letter").await;
    let client = bench.pool.get().await.unwrap();
    let told = async |filter: RateFilter| {
        let told = rates::list(&client, &filter, 100).await.unwrap();
        told.iter().map(|one| format!("{} {} {} {}", one.day, one.quote, one.rate, one.source)).collect::<Vec<_>>()
    };
    let usd = format!("{friday} USD 1.123456789012345678 bank");
    let chf = format!("{friday} CHF 0.94 bank");
    let until = |day: &str| RateFilter { base: None, quote: None, from: None, to: day.parse().unwrap() };
    let all = RateFilter { from: Some(friday.parse().unwrap()), ..until(saturday) };
    assert_eq!(told(all.clone()).await, [format!("{saturday} USD 1.2 other"), chf.clone(), usd.clone()]);
    assert_eq!(told(until(saturday)).await, [format!("{saturday} USD 1.2 other"), chf.clone()], "the newest of each");
    assert_eq!(told(until(friday)).await, [chf, usd]);
    assert_eq!(told(until("2026-11-19")).await, [""; 0]);
    let refused: String = client.query_one("SELECT reason FROM dead_letter", &[]).await.unwrap().get(0);
    assert_eq!(refused, format!("rate 0 ({friday} EUR): quote_is_base"));

    let imported = rates_of("mine", -60, &[(friday, "USD", "1.1"), (friday, "CHF", "0.94")]);
    assert_eq!(Import(imported.clone()).carry_out(&client).await.unwrap(), 2);
    assert_eq!(Import(imported.clone()).carry_out(&client).await.unwrap(), 0, "nothing changes");
    assert_eq!(rates::store(&client, &first).await.unwrap(), 0);
    let filter = RateFilter { quote: Some("USD".to_owned()), ..all };
    assert_eq!(told(filter).await, [format!("{saturday} USD 1.2 other"), format!("{friday} USD 1.1 mine")]);
    bench.stop.cancel();
}
