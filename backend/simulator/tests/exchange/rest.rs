//! Every REST route, and that each agrees with what was published.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use simulator::{PublishedTrade, Settings, Simulator};

use crate::client::{fetch, get, quiet, quiet_settings};

fn decimal(value: &Value) -> Decimal {
    let text = value.as_str().unwrap();
    assert_eq!(text.split_once('.').map(|(_, decimals)| decimals.len()), Some(8), "{text}");
    text.parse().unwrap()
}

#[tokio::test]
async fn ping_and_time() {
    let simulator = quiet().await;
    assert_eq!(fetch(&simulator, "/api/v3/ping").await, json!({}));
    let time = fetch(&simulator, "/api/v3/time").await["serverTime"].as_i64().unwrap();
    assert!((chrono::Utc::now().timestamp_millis() - time).abs() < 5_000);
    assert_eq!(get(&simulator, "/api/v3/nothing").await.status, 404);
}

#[tokio::test]
async fn exchange_info_lists_one_some_or_all() {
    let simulator = quiet().await;
    let all = fetch(&simulator, "/api/v3/exchangeInfo").await;
    assert_eq!(all["symbols"].as_array().unwrap().len(), 10);
    assert_eq!(all["rateLimits"][0]["limit"], 6_000);
    let some = fetch(&simulator, "/api/v3/exchangeInfo?symbols=%5B%22SHIBUSDT%22,%22BTCUSDT%22%5D").await;
    let symbols = some["symbols"].as_array().unwrap();
    assert_eq!(symbols.len(), 2);
    assert_eq!(symbols[0]["baseAsset"], "SHIB");
    assert_eq!(symbols[0]["quoteAsset"], "USDT");
    assert_eq!(symbols[0]["status"], "TRADING");
    assert_eq!(symbols[0]["filters"][0]["filterType"], "PRICE_FILTER");
    assert_eq!(symbols[0]["filters"][0]["tickSize"], "0.00000001");
    assert_eq!(symbols[1]["filters"][1]["filterType"], "LOT_SIZE");
    assert_eq!(symbols[1]["filters"][1]["stepSize"], "0.00001000");
    let one = fetch(&simulator, "/api/v3/exchangeInfo?symbol=ETHUSDT").await;
    assert_eq!(one["symbols"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn prices_are_the_last_trades() {
    let simulator = quiet().await;
    let start = fetch(&simulator, "/api/v3/ticker/price?symbol=SHIBUSDT").await;
    assert_eq!(start, json!({"symbol": "SHIBUSDT", "price": "0.00001234"}), "before the first trade, the start price");
    simulator.emit(20).await;
    let all = fetch(&simulator, "/api/v3/ticker/price").await;
    assert_eq!(all.as_array().unwrap().len(), 10);
    for row in all.as_array().unwrap() {
        let last = simulator.published(row["symbol"].as_str().unwrap()).pop().unwrap();
        assert_eq!(decimal(&row["price"]), last.price);
    }
    let two = fetch(&simulator, "/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D").await;
    assert_eq!(two.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn day_statistics_are_those_of_the_trades() {
    let simulator = quiet().await;
    let empty = fetch(&simulator, "/api/v3/ticker/24hr?symbol=BTCUSDT").await;
    assert_eq!((&empty["count"], &empty["lastPrice"]), (&json!(0), &json!("0.00000000")));
    simulator.emit(50).await;
    let day = fetch(&simulator, "/api/v3/ticker/24hr?symbol=BTCUSDT").await;
    let trades = simulator.published("BTCUSDT");
    assert_eq!(day["count"], 50);
    assert_eq!(day["firstId"], trades[0].id);
    assert_eq!(day["lastId"], trades[49].id);
    assert_eq!(decimal(&day["openPrice"]), trades[0].price);
    assert_eq!(decimal(&day["lastPrice"]), trades[49].price);
    assert_eq!(decimal(&day["highPrice"]), trades.iter().map(|trade| trade.price).max().unwrap());
    assert_eq!(decimal(&day["volume"]), trades.iter().map(|trade| trade.quantity).sum::<Decimal>());
    assert_eq!(decimal(&day["priceChange"]), trades[49].price - trades[0].price);
    assert_eq!(fetch(&simulator, "/api/v3/ticker/24hr").await.as_array().unwrap().len(), 10);
}

fn ids_of(rows: &Value, key: &str) -> Vec<i64> {
    rows.as_array().unwrap().iter().map(|row| row[key].as_i64().unwrap()).collect()
}

fn ids(trades: &[PublishedTrade]) -> Vec<i64> {
    trades.iter().map(|trade| trade.id).collect()
}

#[tokio::test]
async fn trades_read_back_exactly_as_they_were_published() {
    let simulator = quiet().await;
    simulator.emit(1_200).await;
    let trades = simulator.published("SOLUSDT");
    let latest = fetch(&simulator, "/api/v3/trades?symbol=SOLUSDT&limit=3").await;
    assert_eq!(ids_of(&latest, "id"), ids(&trades[1_197..]));
    assert_eq!(fetch(&simulator, "/api/v3/trades?symbol=SOLUSDT").await.as_array().unwrap().len(), 500);

    let from = trades[100].id;
    let rows = fetch(&simulator, &format!("/api/v3/historicalTrades?symbol=SOLUSDT&fromId={from}&limit=5000")).await;
    assert_eq!(ids_of(&rows, "id"), ids(&trades[100..1_100]), "at most a thousand");
    for (row, trade) in rows.as_array().unwrap().iter().zip(&trades[100..]) {
        assert_eq!(decimal(&row["price"]), trade.price);
        assert_eq!(decimal(&row["qty"]), trade.quantity);
        assert_eq!(decimal(&row["quoteQty"]), trade.price * trade.quantity);
        assert_eq!(row["time"], trade.time.timestamp_millis());
        assert_eq!(row["isBuyerMaker"], trade.buyer_is_maker);
    }
    assert_eq!(
        ids_of(&fetch(&simulator, "/api/v3/historicalTrades?symbol=SOLUSDT&limit=2").await, "id"),
        ids(&trades[1_198..])
    );
}

#[tokio::test]
async fn aggregates_are_found_by_number_and_by_time() {
    let simulator = quiet().await;
    simulator.emit(300).await;
    let trades = simulator.published("BTCUSDT");
    let agg =
        async |query: String| fetch(&simulator, &format!("/api/v3/aggTrades?symbol=BTCUSDT&limit=1000{query}")).await;
    let rows = agg(format!("&fromId={}", trades[10].id)).await;
    assert_eq!(ids_of(&rows, "a"), ids(&trades[10..]));
    for (row, trade) in rows.as_array().unwrap().iter().zip(&trades[10..]) {
        assert_eq!((row["f"].as_i64(), row["l"].as_i64()), (Some(trade.id), Some(trade.id)));
        assert_eq!((decimal(&row["p"]), decimal(&row["q"])), (trade.price, trade.quantity));
        assert_eq!((&row["T"], &row["m"]), (&json!(trade.time.timestamp_millis()), &json!(trade.buyer_is_maker)));
    }
    let (start, end) = (trades[50].time.timestamp_millis(), trades[150].time.timestamp_millis());
    let inside: Vec<_> = trades
        .iter()
        .filter(|trade| (start..=end).contains(&trade.time.timestamp_millis()))
        .map(|trade| trade.id)
        .collect();
    assert_eq!(ids_of(&agg(format!("&startTime={start}&endTime={end}")).await, "a"), inside);
    assert_eq!(ids_of(&agg(String::new()).await, "a"), ids(&trades));
}

#[tokio::test]
async fn candles_agree_with_the_trades() {
    let simulator = quiet().await;
    simulator.emit(700).await;
    for interval in ["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"] {
        let rows = fetch(&simulator, &format!("/api/v3/klines?symbol=DOGEUSDT&interval={interval}")).await;
        let trades = simulator.published("DOGEUSDT");
        let mut counted = 0;
        for row in rows.as_array().unwrap() {
            let (open, close) = (row[0].as_i64().unwrap(), row[6].as_i64().unwrap());
            let inside: Vec<_> =
                trades.iter().filter(|trade| (open..=close).contains(&trade.time.timestamp_millis())).collect();
            let sum = |of: fn(&PublishedTrade) -> Decimal| inside.iter().map(|trade| of(trade)).sum::<Decimal>();
            let bought = |trade: &PublishedTrade| {
                if trade.buyer_is_maker { Decimal::ZERO } else { trade.quantity }
            };
            assert_eq!(decimal(&row[1]), inside.first().unwrap().price);
            assert_eq!(decimal(&row[2]), inside.iter().map(|trade| trade.price).max().unwrap());
            assert_eq!(decimal(&row[3]), inside.iter().map(|trade| trade.price).min().unwrap());
            assert_eq!(decimal(&row[4]), inside.last().unwrap().price);
            assert_eq!(decimal(&row[5]), sum(|trade| trade.quantity));
            assert_eq!(decimal(&row[7]), sum(|trade| trade.price * trade.quantity));
            assert_eq!(row[8], inside.len());
            assert_eq!(decimal(&row[9]), inside.iter().map(|trade| bought(trade)).sum::<Decimal>());
            counted += inside.len();
        }
        assert_eq!(counted, 700, "{interval}");
    }
    let open = fetch(&simulator, "/api/v3/klines?symbol=DOGEUSDT&interval=1d").await[0][0].as_i64().unwrap();
    let beyond = fetch(&simulator, &format!("/api/v3/klines?symbol=DOGEUSDT&interval=1d&endTime={}", open - 1)).await;
    assert_eq!(beyond, json!([]), "there is no history before the start");
}

#[tokio::test]
async fn mistakes_are_answered_with_binances_codes() {
    let simulator = quiet().await;
    for (path, code) in [
        ("trades", -1102),
        ("trades?symbol=", -1102),
        ("trades?symbol=XYZUSDT", -1121),
        ("trades?symbol=btcusdt", -1100),
        ("trades?symbol=BTCUSDT&limit=many", -1100),
        ("trades?symbol=BTCUSDT&limit=0", -1130),
        ("historicalTrades?symbol=BTCUSDT&fromId=-1", -1100),
        ("aggTrades?symbol=BTCUSDT&fromId=1&startTime=2", -1128),
        ("klines?symbol=BTCUSDT", -1102),
        ("klines?symbol=BTCUSDT&interval=7m", -1120),
        ("klines?symbol=BTCUSDT&interval=1m&startTime=99999999999999999999", -1100),
        ("ticker/price?symbol=XYZUSDT", -1121),
        ("ticker/price?symbols=BTCUSDT", -1100),
        ("ticker/24hr?symbol=BTCUSDT&symbols=%5B%22BTCUSDT%22%5D", -1128),
        ("exchangeInfo?symbols=%5B%22XYZUSDT%22%5D", -1121),
    ] {
        let answer = get(&simulator, &format!("/api/v3/{path}")).await;
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!(code)), "{path}: {}", answer.body);
        assert!(answer.body["msg"].is_string());
        assert!(answer.used_weight.is_some(), "a mistake costs its weight too");
    }
}

#[tokio::test]
async fn weight_is_counted_and_what_exceeds_it_is_refused() {
    let simulator = Simulator::start(Settings { weight_limit: 53, ..quiet_settings() }).await.unwrap();
    for (path, used) in [
        ("ping", 1),
        ("time", 2),
        ("klines?symbol=BTCUSDT&interval=1m", 4),
        ("aggTrades?symbol=BTCUSDT", 8),
        ("trades?symbol=BTCUSDT", 33),
        ("exchangeInfo", 53),
    ] {
        assert_eq!(get(&simulator, &format!("/api/v3/{path}")).await.used_weight, Some(used), "{path}");
    }
    let refused = get(&simulator, "/api/v3/ping").await;
    assert_eq!((refused.status, refused.used_weight), (429, Some(53)));
    assert_eq!(refused.body["code"], -1003);
    assert!((50..=60).contains(&refused.retry_after.unwrap()));
}
