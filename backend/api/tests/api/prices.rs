use api_types::LatestPrice;
use serde_json::{Value, json};

use crate::server::{BTCUSDT, ETHUSDT, start};

const PRICES: &str = "
    INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity) VALUES
        (now() - interval '1 day', now() - interval '1 day', 1, 2, 'stream', 'buy', 90, 1),
        (now() - interval '2 seconds', now() - interval '1 second', 7, 2, 'stream', 'buy', 99.00, 1),
        (now() - interval '2 seconds', now() - interval '1 second', 8, 2, 'stream', 'sell', 110.500, 1),
        (now() - interval '9 seconds', now() - interval '9 seconds', NULL, 3, 'poll', NULL, 0.00000001, NULL)";

#[tokio::test]
async fn the_newest_price_of_every_recorded_pair() {
    let server = start().await;
    server.sql(PRICES).await;
    server
        .minutes_ago(
            BTCUSDT,
            &[(1500, "1", "1", "1", "1"), (1430, "100", "101", "99", "100.5"), (1, "3", "4", "2", "3")],
        )
        .await;
    let rows: Vec<LatestPrice> = serde_json::from_value(server.data("/prices").await).unwrap();
    let [btc, eth] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((btc.exchange.as_str(), btc.ticker.as_str(), btc.coin.as_str()), ("binance", "BTCUSDT", "bitcoin"));
    assert_eq!((btc.base.as_str(), btc.quote.as_str(), btc.source.as_str()), ("BTC", "USDT", "stream"));
    assert_eq!(btc.price.to_string(), "110.5", "of two at one time the later trade");
    assert!((2_000..10_000).contains(&btc.age_ms), "{}", btc.age_ms);
    assert!(btc.exchange_time.unwrap() < btc.received_at);
    assert_eq!(btc.open_24h.unwrap().to_string(), "100", "not the one of 25 hours ago");
    assert_eq!(btc.change_24h_percent.unwrap().to_string(), "10.5");
    assert_eq!((btc.high_24h, btc.low_24h), (Some(btc.price), Some("2".parse().unwrap())), "the newest one among them");
    assert_eq!(btc.quote_volume_24h.to_string(), "207");
    assert_eq!((eth.price.to_string().as_str(), eth.source.as_str()), ("0.00000001", "poll"));
    assert_eq!((eth.exchange_time, eth.open_24h, eth.change_24h_percent), (None, None, None));
    assert_eq!((eth.high_24h, eth.low_24h), (Some(eth.price), Some(eth.price)), "although no candle holds it");
}

#[tokio::test]
async fn the_highest_and_the_lowest_price_are_of_the_last_24_hours() {
    let server = start().await;
    server
        .sql(
            "INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity) VALUES
                (now() - interval '25 hours', now() - interval '25 hours', 1, 2, 'stream', 'buy', 90, 1),
                (now() - interval '25 hours', now() - interval '25 hours', 1, 3, 'stream', 'buy', 90, 1)",
        )
        .await;
    server.minutes_ago(BTCUSDT, &[(1500, "90", "900", "1", "90")]).await;
    let candles = [(1500, "90", "900", "1", "90"), (1400, "60", "70.50", "50", "60"), (2, "60", "70", "49.90", "50")];
    server.minutes_ago(ETHUSDT, &candles).await;
    let rows = server.data("/prices").await;
    assert_eq!((&rows[0]["high_24h"], &rows[0]["low_24h"]), (&Value::Null, &Value::Null), "nothing came since");
    assert_eq!((&rows[1]["high_24h"], &rows[1]["low_24h"]), (&json!("70.5"), &json!("49.9")));
    assert_eq!(server.data("/prices/binance/ETHUSDT").await["high_24h"], "70.5");
}

#[tokio::test]
async fn prices_can_be_filtered_and_one_can_be_asked_for() {
    let server = start().await;
    server.sql(PRICES).await;
    let tickers = async |path: &str| {
        let rows = server.data(path).await;
        rows.as_array().unwrap().iter().map(|row| row["ticker"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(tickers("/prices?tickers=ethusdt,NOPE").await, ["ETHUSDT"]);
    assert_eq!(tickers("/prices?exchange=Binance&tickers=ETHUSDT,BTCUSDT").await, ["BTCUSDT", "ETHUSDT"]);
    assert!(tickers("/prices?exchange=kraken").await.is_empty());
    let one: LatestPrice = serde_json::from_value(server.data("/prices/binance/btcusdt").await).unwrap();
    assert_eq!(one.price.to_string(), "110.5");
    assert_eq!(server.error("/prices/binance/BTCEUR", 404).await["code"], "not_recorded");
    assert_eq!(server.error("/prices/kraken/BTCUSDT", 404).await["code"], "unknown_ticker");
    assert_eq!(server.error("/prices/kraken/XBT%2FEUR", 404).await["code"], "not_recorded", "a slash in a ticker");
    assert_eq!(server.error("/prices/nyse/BTCUSDT", 404).await["code"], "unknown_exchange");
}

/// The price table has a partition a day: the newest price must not cost more with every day that is kept.
#[tokio::test]
async fn the_newest_price_is_read_from_the_newest_partition_only() {
    let server = start().await;
    server
        .sql("SELECT create_price_partition((now() AT TIME ZONE 'utc')::date - day) FROM generate_series(4, 40) AS day")
        .await;
    let fill = format!(
        "INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
         SELECT now() - ago * interval '1 hour', now(), 1000 - ago, {ETHUSDT}, 'stream', 'buy', 1, 1
         FROM generate_series(0, 900) AS ago; ANALYZE price;"
    );
    server.sql(&fill).await;
    let client = server.pool.get().await.unwrap();
    let plan = "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off)
        SELECT ticker.id, newest.price FROM ticker CROSS JOIN LATERAL (
            SELECT price FROM price WHERE price.ticker_id = ticker.id ORDER BY time DESC, trade_id DESC LIMIT 1) AS newest
        WHERE ticker.id = 3";
    let lines: Vec<String> = client.query(plan, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    let scans: Vec<&String> = lines.iter().filter(|line| line.contains(" on price_")).collect();
    assert!(scans.len() > 40 && scans.iter().all(|line| line.contains("Index Scan Backward")), "{lines:#?}");
    let touched = scans.iter().filter(|line| !line.contains("never executed")).count();
    assert!(touched <= 10, "today's, and the empty ones of the coming days: {lines:#?}");
}
