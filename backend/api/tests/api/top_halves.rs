//! The top list out of halves from outside, from ours, and from both.

use api::{PricesFrom, RanksFrom, Settings};
use chrono::{DateTime, TimeDelta, Utc};
use database::listings::create_listing;
use domain::{Half, ListedCoin, ListingReport};

use crate::server::{BTCUSDT, ETHUSDT, TestServer, settings, start_with};

/// A minute that is over, so many minutes ago.
fn minutes_ago(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp((Utc::now().timestamp() / 60 - minutes) * 60, 0).unwrap()
}

async fn server(prices: PricesFrom, ranks: RanksFrom) -> TestServer {
    start_with(Settings { api_top_prices: prices, api_top_ranks: ranks, ..settings() }, 4).await
}

async fn store(server: &TestServer, source: &str, half: Half, at: DateTime<Utc>, coins: &[(i32, &str, Option<&str>)]) {
    let coin = |(id, symbol, price): &(i32, &str, Option<&str>)| {
        let price = price.map(|price| price.parse().unwrap());
        ListedCoin { id: *id, symbol: (*symbol).into(), price }
    };
    let report = ListingReport { source: source.into(), half, at, coins: coins.iter().map(coin).collect() };
    assert_eq!(report.mistake(), None);
    assert!(create_listing(&server.pool.get().await.unwrap(), &report).await.unwrap());
}

/// Prices of CoinMarketCap's: one code means two coins.
async fn prices(server: &TestServer, at: DateTime<Utc>) {
    let coins = [
        (5426, "SOL", Some("60.1")),
        (1, "BTC", Some("64250.012345678901")),
        (9, "TINY", Some("0.0000000061234567890123456")),
        (1027, "ETH", Some("2450")),
        (77, "ETH", Some("0.5")),
    ];
    store(server, "coinmarketcap", Half::Prices, at, &coins).await;
}

/// Ranks of CryptoCompare's: one coin has another code there, one has no price.
async fn ranks(server: &TestServer, at: DateTime<Utc>) {
    let coins = [
        (9, "TINY", None),
        (1027, "ETH", None),
        (1, "XBT", None),
        (8, "GONE", None),
        (5426, "SOL", None),
        (1, "BTC", None),
    ];
    store(server, "cryptocompare", Half::Ranks, at, &coins).await;
}

async fn recorded(server: &TestServer, minutes: i32) {
    server.minutes_ago(BTCUSDT, &[(minutes, "1", "1", "1", "64000.10")]).await;
    server.minutes_ago(ETHUSDT, &[(minutes, "1", "1", "1", "40000.5")]).await;
}

/// Who served prices and ranks, and the list, of a minute.
async fn told(server: &TestServer, of: DateTime<Utc>) -> Option<(String, String)> {
    let response = server.response(&format!("/top?limit=200&format=csv&datetime={}", of.timestamp() + 30)).await;
    if response.status() == 404 {
        return None;
    }
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("top-list-minute"), of.format("%Y-%m-%dT%H:%M:00Z").to_string());
    let served = format!("{} {}", header("top-list-prices"), header("top-list-ranks"));
    let text = response.text().await.unwrap();
    Some((served, text.lines().skip(1).collect::<Vec<_>>().join(" ")))
}

fn some(served: &str, list: &str) -> Option<(String, String)> {
    Some((served.to_owned(), list.to_owned()))
}

#[tokio::test]
async fn both_halves_from_outside_are_joined_by_number_and_code_and_no_digit_is_lost() {
    let server = server(PricesFrom::Auto, RanksFrom::Auto).await;
    let minute = minutes_ago(10);
    prices(&server, minute + TimeDelta::seconds(2)).await;
    ranks(&server, minute + TimeDelta::seconds(15)).await;
    let list = "1,TINY,0.0000000061234567890123456 2,ETH,2450 3,SOL,60.1 4,BTC,64250.012345678901";
    assert_eq!(told(&server, minute).await, some("coinmarketcap cryptocompare", list));
    assert_eq!(told(&server, minute + TimeDelta::minutes(1)).await, some("coinmarketcap cryptocompare", list));
    assert_eq!(told(&server, minute + TimeDelta::minutes(2)).await, None, "older than a minute");
    assert_eq!(told(&server, minute - TimeDelta::minutes(1)).await, None, "not told yet");
    let json = server.response(&format!("/top?limit=1&datetime={}", minute.timestamp())).await.text().await.unwrap();
    assert_eq!(json, r#"[{"Rank":1,"Symbol":"TINY","Price USD":0.0000000061234567890123456}]"#);
}

#[tokio::test]
async fn a_half_that_is_missing_outside_is_ours_and_codes_that_mean_several_coins_are_left_out() {
    let server = server(PricesFrom::Auto, RanksFrom::Auto).await;
    let (only_prices, only_ranks, neither) = (minutes_ago(30), minutes_ago(20), minutes_ago(10));
    for minutes in [30, 20, 10] {
        recorded(&server, minutes).await;
    }
    prices(&server, only_prices).await;
    ranks(&server, only_ranks).await;
    // Of ETH there are two at CoinMarketCap; which of them ours is, nobody can say.
    assert_eq!(told(&server, only_prices).await, some("coinmarketcap recorded", "1,BTC,64250.012345678901"));
    assert_eq!(told(&server, only_ranks).await, some("recorded cryptocompare", "1,ETH,40000.5 2,BTC,64000.1"));
    let ours = some("recorded recorded", "1,BTC,64000.1 2,ETH,40000.5");
    assert_eq!(told(&server, neither).await, ours);
}

#[tokio::test]
async fn what_is_further_than_a_minute_apart_is_not_joined() {
    let server = server(PricesFrom::CoinMarketCap, RanksFrom::CryptoCompare).await;
    recorded(&server, 10).await;
    prices(&server, minutes_ago(12) + TimeDelta::seconds(59)).await;
    ranks(&server, minutes_ago(10)).await;
    assert_eq!(told(&server, minutes_ago(11)).await, None, "no ranks yet");
    assert_eq!(
        told(&server, minutes_ago(10)).await,
        None,
        "the prices are older than a minute, and ours may not serve"
    );
    prices(&server, minutes_ago(11) + TimeDelta::seconds(59)).await;
    assert!(told(&server, minutes_ago(10)).await.is_some());
}

#[tokio::test]
async fn the_settings_decide_who_may_serve() {
    let minute = minutes_ago(10);
    for (prices_from, ranks_from, served) in [
        (PricesFrom::Recorded, RanksFrom::Recorded, "recorded recorded"),
        (PricesFrom::Recorded, RanksFrom::Auto, "recorded cryptocompare"),
        (PricesFrom::CoinMarketCap, RanksFrom::Recorded, "coinmarketcap recorded"),
        (PricesFrom::CoinMarketCap, RanksFrom::CryptoCompare, "coinmarketcap cryptocompare"),
    ] {
        let server = server(prices_from, ranks_from).await;
        recorded(&server, 10).await;
        prices(&server, minute).await;
        ranks(&server, minute).await;
        assert_eq!(told(&server, minute).await.unwrap().0, served);
    }
}

#[tokio::test]
async fn now_is_what_was_told_last() {
    let server = server(PricesFrom::Auto, RanksFrom::Auto).await;
    prices(&server, minutes_ago(1)).await;
    ranks(&server, minutes_ago(1)).await;
    // Also where the minute ends between storing and asking.
    let response = server.response("/top?limit=1").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["top-list-prices"], "coinmarketcap");
}
