//! The market as Kraken spot tells it: over version 2 of its WebSocket, by its REST, and under faults.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use simulator::{Fault, PublishedTrade, Refusal, Simulator};

use crate::client::{Socket, get, published_ids, quiet, replayed};

fn request(method: &str, channel: &str, symbols: &[&str]) -> Value {
    json!({"method": method, "params": {"channel": channel, "symbol": symbols, "snapshot": false}, "req_id": 7})
}

/// A client that was told how the exchange is.
async fn connected(simulator: &Simulator) -> Socket {
    let mut socket = Socket::open(simulator, "/kraken/v2").await;
    let status = socket.json().await;
    assert_eq!((&status["channel"], &status["type"]), (&json!("status"), &json!("update")));
    assert_eq!((&status["data"][0]["system"], &status["data"][0]["api_version"]), (&json!("online"), &json!("v2")));
    assert!(status["data"][0]["connection_id"].as_u64().unwrap() > i64::MAX as u64);
    socket
}

/// A client that listens to this channel of Bitcoin, and has read the answer.
async fn listening(simulator: &Simulator, channel: &str) -> Socket {
    let mut socket = connected(simulator).await;
    let answer = socket.ask(request("subscribe", channel, &["BTC/USDT"])).await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_eq!(simulator.kraken_listeners(channel, "BTC/USDT"), 1);
    socket
}

/// The next frame that is no heartbeat.
async fn next(socket: &mut Socket) -> Value {
    loop {
        let frame = socket.json().await;
        if frame["channel"] != "heartbeat" {
            return frame;
        }
    }
}

/// A trade with its numbers as they were written.
#[derive(Deserialize)]
struct Trade {
    symbol: String,
    side: String,
    price: Box<RawValue>,
    qty: Box<RawValue>,
    trade_id: i64,
    timestamp: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Trades {
    channel: String,
    #[serde(rename = "type")]
    kind: String,
    data: Vec<Trade>,
}

/// The trades of the next frame that is no heartbeat.
async fn trades(socket: &mut Socket, kind: &str) -> Vec<Trade> {
    loop {
        let text = socket.text().await.unwrap();
        if text == r#"{"channel":"heartbeat"}"# {
            continue;
        }
        let frame: Trades = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!((frame.channel.as_str(), frame.kind.as_str()), ("trade", kind));
        return frame.data;
    }
}

fn is_of(row: &Trade, trade: &PublishedTrade) {
    assert_eq!((row.symbol.as_str(), row.trade_id, row.timestamp), ("BTC/USDT", trade.id, trade.time));
    assert_eq!(
        (row.price.get(), row.qty.get()),
        (trade.price.to_string().as_str(), trade.quantity.to_string().as_str())
    );
    assert_eq!(row.side, if trade.buyer_is_maker { "sell" } else { "buy" }, "the taker's");
}

#[tokio::test]
async fn trades_are_every_trade_in_order_and_their_numbers_keep_their_decimals() {
    let simulator = quiet().await;
    assert!(simulator.kraken_stream_url().ends_with("/kraken/v2"));
    let mut socket = listening(&simulator, "trade").await;
    simulator.emit(500).await;
    for trade in &simulator.published("BTCUSDT") {
        let rows = trades(&mut socket, "update").await;
        is_of(&rows[0], trade);
        assert_eq!(rows.len(), 1);
    }
    assert_eq!(Socket::open(&simulator, "/kraken").await.json().await["channel"], "status", "the other path");
}

#[tokio::test]
async fn every_symbol_is_answered_for_itself() {
    let simulator = quiet().await;
    let mut socket = connected(&simulator).await;
    let subscribe = request("subscribe", "trade", &["BTC/USDT", "XBT/USDT", "ETH/USDT"]);
    socket.send(&subscribe.to_string()).await;
    let answers = [next(&mut socket).await, next(&mut socket).await, next(&mut socket).await];
    let done = json!({"channel": "trade", "symbol": "BTC/USDT", "snapshot": false});
    assert_eq!((&answers[0]["success"], &answers[0]["result"]), (&json!(true), &done));
    assert_eq!((&answers[0]["method"], &answers[0]["req_id"]), (&json!("subscribe"), &json!(7)));
    assert!(answers[0]["time_in"].as_str().unwrap().parse::<DateTime<Utc>>().is_ok());
    assert_eq!(answers[1]["error"], "Currency pair not supported XBT/USDT", "that is the name of old");
    assert_eq!((&answers[1]["success"], &answers[1]["symbol"]), (&json!(false), &json!("XBT/USDT")));
    assert_eq!(answers[2]["result"]["symbol"], "ETH/USDT");

    let mut ask = async |request: Value| {
        socket.send(&request.to_string()).await;
        next(&mut socket).await
    };
    let again = ask(request("subscribe", "trade", &["BTC/USDT"])).await;
    assert_eq!((&again["success"], &again["error"]), (&json!(false), &json!("Already subscribed")));
    let left = ask(request("unsubscribe", "trade", &["BTC/USDT"])).await;
    assert_eq!((&left["success"], &left["method"]), (&json!(true), &json!("unsubscribe")));
    assert_eq!(simulator.kraken_listeners("trade", "BTC/USDT"), 0);
    let gone = ask(request("unsubscribe", "trade", &["BTC/USDT"])).await;
    assert_eq!(gone["error"], "Subscription Not Found");
    for (senseless, error) in [
        (request("subscribe", "gossip", &["BTC/USDT"]), "Channel not supported"),
        (request("subscribe", "trade", &[]), "Field 'symbol' must be a list of pairs"),
        (request("shout", "trade", &["BTC/USDT"]), "Unsupported method"),
        (json!([1]), "Malformed request"),
    ] {
        let answer = ask(senseless).await;
        assert_eq!((&answer["success"], &answer["error"]), (&json!(false), &json!(error)));
    }
    let pong = ask(json!({"method": "ping", "req_id": 42})).await;
    assert_eq!((&pong["method"], &pong["req_id"]), (&json!("pong"), &json!(42)));
}

#[tokio::test]
async fn a_snapshot_is_the_latest_and_comes_to_who_asks() {
    let simulator = quiet().await;
    simulator.emit(60).await;
    let published = simulator.published("BTCUSDT");
    let mut socket = connected(&simulator).await;
    let ask = json!({"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USDT"], "snapshot": true}});
    assert_eq!(socket.ask(ask).await["result"]["snapshot"], true);
    let rows = trades(&mut socket, "snapshot").await;
    assert_eq!(rows.len(), 50);
    for (row, trade) in rows.iter().zip(&published[10..]) {
        is_of(row, trade);
    }
    simulator.emit(1).await;
    is_of(&trades(&mut socket, "update").await[0], &simulator.published("BTCUSDT")[60]);

    // Tickers begin with one unless told not to.
    let ask = json!({"method": "subscribe", "params": {"channel": "ticker", "symbol": ["BTC/USDT"]}});
    socket.send(&ask.to_string()).await;
    let answer = next(&mut socket).await;
    assert_eq!((&answer["result"]["snapshot"], &answer["result"]["event_trigger"]), (&json!(true), &json!("trades")));
    let snapshot = next(&mut socket).await;
    assert_eq!((&snapshot["channel"], &snapshot["type"]), (&json!("ticker"), &json!("snapshot")));
}

#[tokio::test]
async fn tickers_come_with_each_trade() {
    let simulator = quiet().await;
    let mut socket = listening(&simulator, "ticker").await;
    simulator.emit(10).await;
    let mut frame = Value::Null;
    for _ in 0..10 {
        frame = next(&mut socket).await;
    }
    assert_eq!((&frame["channel"], &frame["type"]), (&json!("ticker"), &json!("update")));
    let (row, published) = (&frame["data"][0], simulator.published("BTCUSDT"));
    let number = |name: &str| Decimal::try_from(row[name].as_f64().unwrap()).unwrap();
    assert_eq!((&row["symbol"], number("last")), (&json!("BTC/USDT"), published[9].price));
    assert_eq!(number("volume"), published.iter().map(|trade| trade.quantity).sum::<Decimal>());
    assert_eq!(number("high"), published.iter().map(|trade| trade.price).max().unwrap());
    assert_eq!(number("low"), published.iter().map(|trade| trade.price).min().unwrap());
    assert_eq!(number("change"), published[9].price - published[0].price);
    assert!(number("bid") < number("last") && number("ask") > number("last"));
    assert!((number("low")..=number("high")).contains(&number("vwap")));
    assert_eq!(row["timestamp"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), published[9].time);
}

#[tokio::test]
async fn heartbeats_come_when_nothing_else_does() {
    let simulator = quiet().await;
    let mut socket = listening(&simulator, "trade").await;
    for _ in 0..2 {
        assert_eq!(socket.text().await.unwrap(), r#"{"channel":"heartbeat"}"#);
    }
}

/// The result of an answer that must be good.
async fn result(simulator: &Simulator, path: &str) -> Value {
    let answer = get(simulator, &format!("/kraken/0/public/{path}")).await;
    assert_eq!((answer.status, &answer.body["error"]), (200, &json!([])), "{path}");
    answer.body["result"].clone()
}

async fn error(simulator: &Simulator, path: &str) -> Value {
    let answer = get(simulator, &format!("/kraken/0/public/{path}")).await;
    assert_eq!((answer.status, answer.body.get("result")), (200, None), "{path}");
    answer.body["error"].clone()
}

#[tokio::test]
async fn rest_knows_pairs_by_their_names_of_old() {
    let simulator = quiet().await;
    assert_eq!(simulator.kraken_rest_url(), format!("{}/kraken", simulator.rest_url()));
    let pairs = result(&simulator, "AssetPairs").await;
    assert_eq!(pairs.as_object().unwrap().len(), 10);
    let bitcoin = &pairs["XBTUSDT"];
    let names = [&bitcoin["altname"], &bitcoin["wsname"], &bitcoin["base"], &bitcoin["quote"], &bitcoin["status"]];
    assert_eq!(names, ["XBTUSDT", "XBT/USDT", "XXBT", "USDT", "online"]);
    assert_eq!((&bitcoin["pair_decimals"], &bitcoin["lot_decimals"]), (&json!(2), &json!(5)));
    assert_eq!(pairs["XDGUSDT"]["wsname"], "XDG/USDT");
    let some = result(&simulator, "AssetPairs?pair=XBT/USDT,ETHUSDT").await;
    assert_eq!(some.as_object().unwrap().len(), 2);
    let assets = result(&simulator, "Assets").await;
    assert_eq!((&assets["XXBT"]["altname"], assets.as_object().unwrap().len()), (&json!("XBT"), 11));
    assert_eq!(result(&simulator, "SystemStatus").await["status"], "online");
    let now = result(&simulator, "Time").await["unixtime"].as_i64().unwrap();
    assert!((Utc::now().timestamp() - now).abs() < 5);

    for (path, expected) in [
        ("Nothing", "EGeneral:Unknown method"),
        ("Ticker?pair=BTCXYZ", "EQuery:Unknown asset pair"),
        ("Trades?pair=XBTUSDT,ETHUSDT", "EQuery:Unknown asset pair"),
        ("Trades", "EGeneral:Invalid arguments"),
        ("Trades?pair=XBTUSDT&since=then", "EGeneral:Invalid arguments"),
        ("Trades?pair=XBTUSDT&count=0", "EGeneral:Invalid arguments"),
        ("OHLC?pair=XBTUSDT&interval=2", "EGeneral:Invalid arguments"),
    ] {
        assert_eq!(error(&simulator, path).await, json!([expected]), "{path}");
    }
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_ticker_by_rest_is_of_one_pair_or_of_all() {
    let simulator = quiet().await;
    simulator.emit(5).await;
    let published = simulator.published("BTCUSDT");
    assert_eq!(result(&simulator, "Ticker").await.as_object().unwrap().len(), 10);
    let row = &result(&simulator, "Ticker?pair=XBTUSDT").await["XBTUSDT"];
    assert_eq!((decimal(&row["c"][0]), decimal(&row["c"][1])), (published[4].price, published[4].quantity));
    assert_eq!(decimal(&row["v"][1]), published.iter().map(|trade| trade.quantity).sum::<Decimal>());
    assert_eq!(row["t"][1], 5);
    assert_eq!(decimal(&row["h"][1]), published.iter().map(|trade| trade.price).max().unwrap());
    assert!(decimal(&row["b"][0]) < published[4].price && decimal(&row["a"][0]) > published[4].price);
    assert!(row["o"].is_string());
}

#[tokio::test]
async fn trades_are_paged_forwards_and_none_is_lost_within_a_millisecond() {
    let simulator = quiet().await;
    simulator.emit(250).await;
    let published = simulator.published("BTCUSDT");
    let same = published.windows(2).filter(|pair| pair[0].time == pair[1].time).count();
    assert!(same > 0, "many trades share a millisecond");
    let (mut all, mut since) = (Vec::new(), "0".to_owned());
    loop {
        let page = result(&simulator, &format!("Trades?pair=XBTUSDT&count=7&since={since}")).await;
        let rows = page["XBTUSDT"].as_array().unwrap();
        page["last"].as_str().unwrap().clone_into(&mut since);
        if rows.is_empty() {
            break;
        }
        all.extend(rows.clone());
    }
    assert_eq!(all.len(), 250);
    for (row, trade) in all.iter().zip(&published) {
        assert_eq!((decimal(&row[0]), decimal(&row[1])), (trade.price, trade.quantity));
        assert_eq!((row[2].as_f64().unwrap() * 1_000.0).round() as i64, trade.time.timestamp_millis());
        assert_eq!(row[3], if trade.buyer_is_maker { "s" } else { "b" });
        assert_eq!(row[6], trade.id);
    }
    // By the time of a trade alone, all of its millisecond are given.
    let middle = &published[120];
    let since = middle.time.timestamp_millis() * 1_000_000;
    let page = result(&simulator, &format!("Trades?pair=XBTUSDT&since={since}")).await;
    let first = published.iter().find(|trade| trade.time == middle.time).unwrap();
    assert_eq!(page["XBTUSDT"][0][6], first.id);
    let newest = result(&simulator, "Trades?pair=XBTUSDT&count=1").await;
    assert_eq!(newest["XBTUSDT"][0][6], published[249].id, "without a since, the newest");
}

#[tokio::test]
async fn candles_are_the_trades_added_up_and_never_more_than_the_newest() {
    let simulator = replayed(800).await;
    let published = simulator.published("BTCUSDT");
    for minutes in [1, 5, 15, 30, 60, 240, 1_440, 10_080] {
        let answer = result(&simulator, &format!("OHLC?pair=XBTUSDT&interval={minutes}&since=0")).await;
        let rows = answer["XBTUSDT"].as_array().unwrap();
        if minutes == 1 {
            assert_eq!(rows.len(), 720);
        }
        assert!(
            rows.windows(2).all(|pair| pair[1][0].as_i64().unwrap() - pair[0][0].as_i64().unwrap() == minutes * 60)
        );
        for row in rows {
            let open = row[0].as_i64().unwrap();
            let inside: Vec<&PublishedTrade> = published
                .iter()
                .filter(|trade| (open..open + minutes * 60).contains(&trade.time.timestamp()))
                .collect();
            assert_eq!(row[7], inside.len());
            assert_eq!(decimal(&row[6]), inside.iter().map(|trade| trade.quantity).sum::<Decimal>());
            let Some((first, last)) = inside.first().zip(inside.last()) else { continue };
            assert_eq!((decimal(&row[1]), decimal(&row[4])), (first.price, last.price));
            assert_eq!(decimal(&row[2]), inside.iter().map(|trade| trade.price).max().unwrap());
            assert_eq!(decimal(&row[3]), inside.iter().map(|trade| trade.price).min().unwrap());
            assert!((decimal(&row[3])..=decimal(&row[2])).contains(&decimal(&row[5])));
        }
        // The next page begins with the row that was still running.
        let last = answer["last"].as_i64().unwrap();
        let after = result(&simulator, &format!("OHLC?pair=XBTUSDT&interval={minutes}&since={last}")).await;
        let first = after["XBTUSDT"][0][0].as_i64().unwrap();
        assert!(last == 0 || first == last + minutes * 60, "{last} {first}");
    }
}

#[tokio::test]
async fn faults_of_trades_act_on_trades_and_tickers() {
    let simulator = quiet().await;
    let mut socket = listening(&simulator, "trade").await;
    simulator.inject(Fault::Gap(2));
    simulator.emit(3).await;
    simulator.inject(Fault::Duplicate(1));
    simulator.emit(1).await;
    simulator.inject(Fault::Reorder(1));
    simulator.emit(2).await;
    let id = published_ids(&simulator, "BTCUSDT");
    for expected in [id[2], id[3], id[3], id[5], id[4]] {
        assert_eq!(trades(&mut socket, "update").await[0].trade_id, expected);
    }
    let missed = result(&simulator, "Trades?pair=XBTUSDT&since=0&count=2").await;
    assert_eq!([&missed["XBTUSDT"][0][6], &missed["XBTUSDT"][1][6]], [&json!(id[0]), &json!(id[1])]);

    simulator.inject(Fault::Silence(Duration::from_secs(600)));
    simulator.emit(1).await;
    let ticker = json!({"method": "subscribe", "params": {"channel": "ticker", "symbol": ["BTC/USDT"]}});
    socket.send(&ticker.to_string()).await;
    assert_eq!(next(&mut socket).await["success"], true, "requests are answered, and no trade came before");
    simulator.inject(Fault::Garbage("not json".to_owned()));
    assert_eq!(socket.text().await.unwrap(), "not json", "and no snapshot came after");
}

#[tokio::test]
async fn connections_are_warned_cut_and_refused() {
    let simulator = quiet().await;
    let mut socket = listening(&simulator, "trade").await;
    simulator.inject(Fault::ServerShutdown);
    let status = next(&mut socket).await;
    assert_eq!((&status["channel"], &status["data"][0]["system"]), (&json!("status"), &json!("maintenance")));
    simulator.inject(Fault::Disconnect);
    assert_eq!(socket.end().await, None);

    let mut socket = connected(&simulator).await;
    simulator.inject(Fault::RefuseSubscriptions(1));
    let refused = socket.ask(request("subscribe", "trade", &["BTC/USDT", "ETH/USDT"])).await;
    assert_eq!((&refused["success"], &refused["symbol"]), (&json!(false), &json!("BTC/USDT")));
    assert_eq!(next(&mut socket).await["success"], true, "the other symbol");
    assert_eq!(simulator.kraken_listeners("trade", "BTC/USDT"), 0);
}

#[tokio::test]
async fn a_refused_request_has_status_200_all_the_same() {
    let simulator = quiet().await;
    for (status, expected) in
        [(Refusal::TooManyRequests, "EAPI:Rate limit exceeded"), (Refusal::Banned, "EGeneral:Too many requests")]
    {
        simulator.inject(Fault::RateLimited { status, retry_after: Duration::from_secs(600) });
        assert_eq!(error(&simulator, "AssetPairs").await, json!([expected]));
    }
    simulator.inject(Fault::Recover);
    result(&simulator, "AssetPairs").await;
}
