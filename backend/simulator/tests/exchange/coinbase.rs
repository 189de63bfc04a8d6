//! The market as Coinbase Exchange tells it: over its WebSocket, by its REST, and under faults.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use simulator::{Fault, PublishedTrade, Refusal, Simulator};

use crate::client::{Socket, fetch, get, http, published_ids, quiet, replayed, until};

fn subscribe(channels: &[&str], products: &[&str]) -> Value {
    json!({"type": "subscribe", "product_ids": products, "channels": channels})
}

/// A client that listens to this channel of Bitcoin, and has read the answer.
async fn listening(simulator: &Simulator, channel: &str) -> Socket {
    let mut socket = Socket::open(simulator, "/coinbase").await;
    let answer = socket.ask(subscribe(&[channel], &["BTC-USDT"])).await;
    assert_eq!(answer, json!({"type": "subscriptions", "channels": [{"name": channel, "product_ids": ["BTC-USDT"]}]}));
    assert_eq!(simulator.coinbase_listeners(channel, "BTC-USDT"), 1);
    socket
}

/// The next frame that is no heartbeat.
async fn next(socket: &mut Socket) -> Value {
    loop {
        let frame = socket.json().await;
        if frame["type"] != "heartbeat" {
            return frame;
        }
    }
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

fn time(value: &Value) -> DateTime<Utc> {
    let text = value.as_str().unwrap();
    assert_eq!(text.len(), "2026-11-20T12:00:00.123000Z".len(), "{text}");
    text.parse().unwrap()
}

/// What a match and a row of trades both say.
fn is_of(row: &Value, trade: &PublishedTrade) {
    assert_eq!(row["trade_id"], trade.id);
    assert_eq!((decimal(&row["price"]), decimal(&row["size"])), (trade.price, trade.quantity));
    assert_eq!(row["side"], if trade.buyer_is_maker { "buy" } else { "sell" }, "the maker's");
    assert_eq!(time(&row["time"]), trade.time);
}

fn trade_ids(frames: &[Value]) -> Vec<i64> {
    frames.iter().map(|frame| frame["trade_id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn matches_are_every_trade_in_order() {
    let simulator = quiet().await;
    assert!(simulator.coinbase_stream_url().ends_with("/coinbase"));
    let mut socket = listening(&simulator, "matches").await;
    simulator.emit(500).await;
    let frames = socket.json_of(500).await;
    let published = simulator.published("BTCUSDT");
    let mut sequence = 0;
    for (frame, trade) in frames.iter().zip(&published) {
        assert_eq!((&frame["type"], &frame["product_id"]), (&json!("match"), &json!("BTC-USDT")));
        is_of(frame, trade);
        assert_ne!(frame["maker_order_id"], frame["taker_order_id"]);
        assert!(frame["sequence"].as_i64().unwrap() > sequence, "it rises");
        sequence = frame["sequence"].as_i64().unwrap();
    }
}

#[tokio::test]
async fn who_subscribes_is_told_what_was_last() {
    let simulator = quiet().await;
    simulator.emit(3).await;
    let mut socket = Socket::open(&simulator, "/coinbase").await;
    let own = json!({"type": "subscribe", "product_ids": ["ETH-USDT"], "channels": [
        "ticker", {"name": "matches", "product_ids": ["BTC-USDT", "ETH-USDT"]}, "heartbeat"
    ]});
    let answer = socket.ask(own).await;
    let listed = json!([
        {"name": "heartbeat", "product_ids": ["ETH-USDT"]},
        {"name": "matches", "product_ids": ["BTC-USDT", "ETH-USDT"]},
        {"name": "ticker", "product_ids": ["ETH-USDT"]},
    ]);
    assert_eq!((&answer["type"], &answer["channels"]), (&json!("subscriptions"), &listed));
    let mut frames = Vec::new();
    while frames.len() < 3 {
        frames.push(next(&mut socket).await);
    }
    let kinds: Vec<&Value> = frames.iter().map(|frame| &frame["type"]).collect();
    assert_eq!(kinds, ["ticker", "last_match", "last_match"]);
    is_of(&frames[1], &simulator.published("BTCUSDT")[2]);
    is_of(&frames[2], &simulator.published("ETHUSDT")[2]);

    // Once more is no news, and so nothing but the answer comes.
    let mut ask = async |request: Value| {
        socket.send(&request.to_string()).await;
        next(&mut socket).await
    };
    assert_eq!(ask(subscribe(&["matches"], &["BTC-USDT"])).await["channels"], listed);
    let left = ask(json!({"type": "unsubscribe", "product_ids": ["BTC-USDT"], "channels": ["matches"]})).await;
    assert_eq!(left["channels"][1], json!({"name": "matches", "product_ids": ["ETH-USDT"]}));
    assert_eq!(simulator.coinbase_listeners("matches", "BTC-USDT"), 0);
    let left = ask(json!({"type": "unsubscribe", "channels": ["heartbeat", "ticker"]})).await;
    assert_eq!(left["channels"], json!([{"name": "matches", "product_ids": ["ETH-USDT"]}]));
    simulator.emit(1).await;
    is_of(&next(&mut socket).await, &simulator.published("ETHUSDT")[3]);
}

#[tokio::test]
async fn what_cannot_be_subscribed_to_is_refused_as_a_whole() {
    let simulator = quiet().await;
    let mut socket = Socket::open(&simulator, "/coinbase").await;
    for (request, message, reason) in [
        (subscribe(&["matches"], &["BTC-USDT", "BTC-XYZ"]), "Failed to subscribe", "BTC-XYZ is not a valid product"),
        (subscribe(&["matches", "gossip"], &["BTC-USDT"]), "Failed to subscribe", "gossip is not a valid channel"),
        (subscribe(&["matches"], &[]), "Failed to subscribe", "matches needs product_ids"),
        (subscribe(&[], &["BTC-USDT"]), "Failed to subscribe", "no channels provided"),
        (json!({"type": "shout"}), "Type has to be either subscribe or unsubscribe", ""),
        (json!([]), "Malformed JSON", ""),
    ] {
        let answer = socket.ask(request).await;
        assert_eq!((&answer["type"], &answer["message"]), (&json!("error"), &json!(message)));
        assert_eq!(answer["reason"].as_str().unwrap_or_default(), reason);
    }
    assert_eq!(simulator.coinbase_listeners("matches", "BTC-USDT"), 0);
}

#[tokio::test]
async fn who_subscribes_to_nothing_in_time_is_closed() {
    let simulator = quiet().await;
    let start = Instant::now();
    let socket = Socket::open(&simulator, "/coinbase").await;
    assert_eq!(socket.end().await, Some(1_008));
    assert!(start.elapsed() >= Duration::from_secs(5));
}

#[tokio::test]
async fn heartbeats_name_the_last_trade_even_if_it_was_withheld() {
    let simulator = quiet().await;
    let mut socket = listening(&simulator, "heartbeat").await;
    let first = socket.json().await;
    assert_eq!((&first["type"], &first["product_id"]), (&json!("heartbeat"), &json!("BTC-USDT")));
    assert_eq!((&first["last_trade_id"], &first["sequence"]), (&json!(0), &json!(0)));
    simulator.inject(Fault::Gap(2));
    simulator.emit(2).await;
    let last = published_ids(&simulator, "BTCUSDT")[1];
    let mut later = socket.json().await;
    while later["last_trade_id"] != last {
        later = socket.json().await;
    }
    assert!(time(&later["time"]) > time(&first["time"]));
    assert!(later["sequence"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn tickers_come_with_each_match_and_in_batches() {
    let simulator = quiet().await;
    let (mut each, mut batch) = (listening(&simulator, "ticker").await, listening(&simulator, "ticker_batch").await);
    simulator.emit(10).await;
    let frames = each.json_of(10).await;
    let published = simulator.published("BTCUSDT");
    let last = &frames[9];
    assert_eq!(trade_ids(&frames), published_ids(&simulator, "BTCUSDT"));
    assert_eq!(decimal(&last["open_24h"]), published[0].price);
    assert_eq!(decimal(&last["high_24h"]), published.iter().map(|trade| trade.price).max().unwrap());
    assert_eq!(decimal(&last["low_24h"]), published.iter().map(|trade| trade.price).min().unwrap());
    let volume: Decimal = published.iter().map(|trade| trade.quantity).sum();
    assert_eq!((decimal(&last["volume_24h"]), decimal(&last["volume_30d"])), (volume, volume));
    assert!(decimal(&last["best_bid"]) < decimal(&last["price"]));
    assert!(decimal(&last["best_ask"]) > decimal(&last["price"]));
    assert_eq!(last["side"], if published[9].buyer_is_maker { "sell" } else { "buy" }, "the taker's");
    assert_eq!(time(&last["time"]), published[9].time);
    let mut batched = batch.json_of(1).await;
    while batched[batched.len() - 1]["trade_id"] != last["trade_id"] {
        batched.push(batch.json().await);
    }
    assert!(batched.len() <= 2, "once for all ten, or twice where the clock struck between them");
    assert_eq!(batched[batched.len() - 1], *last);
}

#[tokio::test]
async fn rest_tells_what_is_listed_and_how_it_goes() {
    let simulator = quiet().await;
    assert_eq!(simulator.coinbase_rest_url(), format!("{}/coinbase", simulator.rest_url()));
    let products = fetch(&simulator, "/coinbase/products").await;
    let bitcoin = &products.as_array().unwrap()[0];
    assert_eq!(products.as_array().unwrap().len(), 10);
    let coins = [&bitcoin["id"], &bitcoin["base_currency"], &bitcoin["quote_currency"], &bitcoin["status"]];
    assert_eq!(coins, ["BTC-USDT", "BTC", "USDT", "online"]);
    assert_eq!((&bitcoin["trading_disabled"], &bitcoin["quote_increment"]), (&json!(false), &json!("0.01")));
    assert_eq!(fetch(&simulator, "/coinbase/products/BTC-USDT").await, *bitcoin);
    let now = fetch(&simulator, "/coinbase/time").await;
    assert!((now["epoch"].as_f64().unwrap() - time(&now["iso"]).timestamp() as f64).abs() < 1.0);

    for path in ["/nothing", "/products/BTC-XYZ/trades", "/products/BTC-USDT/ticker"] {
        let answer = get(&simulator, &format!("/coinbase{path}")).await;
        assert_eq!((answer.status, &answer.body), (404, &json!({"message": "NotFound"})), "{path}");
    }
    simulator.emit(5).await;
    let published = simulator.published("BTCUSDT");
    let volume: Decimal = published.iter().map(|trade| trade.quantity).sum();
    let ticker = fetch(&simulator, "/coinbase/products/BTC-USDT/ticker").await;
    assert_eq!((&ticker["trade_id"], decimal(&ticker["price"])), (&json!(published[4].id), published[4].price));
    assert_eq!((decimal(&ticker["volume"]), time(&ticker["time"])), (volume, published[4].time));
    let stats = fetch(&simulator, "/coinbase/products/BTC-USDT/stats").await;
    let all = fetch(&simulator, "/coinbase/products/stats").await;
    let day = &all["BTC-USDT"]["stats_24hour"];
    assert!(["open", "high", "low", "last", "volume"].iter().all(|field| day[field] == stats[field]), "{all}");
    assert_eq!((decimal(&stats["open"]), decimal(&stats["last"])), (published[0].price, published[4].price));
    assert_eq!((decimal(&stats["volume"]), decimal(&stats["volume_30day"])), (volume, volume));
}

/// A page of trades with its cursors.
async fn page(simulator: &Simulator, query: &str) -> (Vec<Value>, Option<i64>, Option<i64>) {
    let url = format!("{}/products/BTC-USDT/trades?{query}", simulator.coinbase_rest_url());
    let response = http().get(url).send().await.unwrap();
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().parse().unwrap());
    let (before, after) = (header("CB-BEFORE"), header("CB-AFTER"));
    (response.json().await.unwrap(), before, after)
}

#[tokio::test]
async fn trades_are_paged_backwards_from_the_newest() {
    let simulator = quiet().await;
    simulator.emit(25).await;
    let published = simulator.published("BTCUSDT");
    let ids = published_ids(&simulator, "BTCUSDT");
    let (mut all, mut query) = (Vec::new(), "limit=10".to_owned());
    loop {
        let (rows, before, after) = page(&simulator, &query).await;
        if rows.is_empty() {
            assert_eq!((before, after), (None, None));
            break;
        }
        assert_eq!((before, after), (rows[0]["trade_id"].as_i64(), rows[rows.len() - 1]["trade_id"].as_i64()));
        query = format!("limit=10&after={}", after.unwrap());
        all.extend(rows);
    }
    assert_eq!(all.len(), 25);
    for (row, trade) in all.iter().zip(published.iter().rev()) {
        is_of(row, trade);
    }
    let newer = page(&simulator, &format!("before={}", ids[20])).await.0;
    assert_eq!(trade_ids(&newer), [ids[24], ids[23], ids[22], ids[21]]);
    let between = page(&simulator, &format!("before={}&after={}", ids[3], ids[6])).await.0;
    assert_eq!(trade_ids(&between), [ids[5], ids[4]]);
    assert_eq!(get(&simulator, "/coinbase/products/BTC-USDT/trades?limit=none").await.status, 400);
}

#[tokio::test]
async fn candles_are_the_trades_added_up_and_absent_where_there_were_none() {
    let simulator = replayed(400).await;
    let published = simulator.published("BTCUSDT");
    for width in [60, 300, 900, 3_600, 21_600, 86_400] {
        let last = published.last().unwrap().time.timestamp();
        let path = format!("/coinbase/products/BTC-USDT/candles?granularity={width}");
        let url = format!("{path}&start={}&end={last}", last - last % width - 299 * width);
        let rows = fetch(&simulator, &url).await;
        let rows = rows.as_array().unwrap();
        assert!(rows.windows(2).all(|pair| pair[0][0].as_i64() > pair[1][0].as_i64()), "newest first");
        let mut counted = 0;
        for row in rows {
            let open = row[0].as_i64().unwrap();
            let inside: Vec<&PublishedTrade> =
                published.iter().filter(|trade| (open..open + width).contains(&trade.time.timestamp())).collect();
            let price = |place: usize| Decimal::try_from(row[place].as_f64().unwrap()).unwrap();
            assert_eq!(price(1), inside.iter().map(|trade| trade.price).min().unwrap());
            assert_eq!(price(2), inside.iter().map(|trade| trade.price).max().unwrap());
            assert_eq!((price(3), price(4)), (inside[0].price, inside[inside.len() - 1].price));
            assert_eq!(price(5), inside.iter().map(|trade| trade.quantity).sum::<Decimal>());
            counted += inside.len();
        }
        let first = last - last % width - 299 * width;
        assert_eq!(counted, published.iter().filter(|trade| trade.time.timestamp() >= first).count());
    }
}

#[tokio::test]
async fn too_many_candles_are_refused_and_the_newest_are_given_by_themselves() {
    let simulator = replayed(400).await;
    let path = "/coinbase/products/BTC-USDT/candles";
    for (query, message) in [
        ("granularity=120", "Unsupported granularity"),
        ("start=2026-11-20T00:00:00Z&end=2026-11-20T05:00:00Z", "granularity too small"),
        ("start=yesterday&end=2026-11-20T05:00:00Z", "Invalid start"),
    ] {
        let answer = get(&simulator, &format!("{path}?{query}")).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body["message"].as_str().unwrap().starts_with(message), "{}", answer.body);
    }
    assert_eq!(
        fetch(&simulator, &format!("{path}?start=2000-01-01T00:00:00Z&end=2000-01-01T04:59:00Z")).await,
        json!([])
    );
    let newest = fetch(&simulator, path).await;
    let rows = newest.as_array().unwrap().len();
    assert!((250..300).contains(&rows), "three hundred minutes without every seventh: {rows}");
    assert_eq!(fetch(&simulator, &format!("{path}?start=0")).await[5], newest[5], "a start alone does not count");
}

#[tokio::test]
async fn faults_of_trades_act_on_matches() {
    let simulator = quiet().await;
    let mut socket = listening(&simulator, "matches").await;
    simulator.inject(Fault::Gap(2));
    simulator.emit(3).await;
    simulator.inject(Fault::Duplicate(1));
    simulator.emit(1).await;
    simulator.inject(Fault::Reorder(1));
    simulator.emit(2).await;
    let id = published_ids(&simulator, "BTCUSDT");
    assert_eq!(trade_ids(&socket.json_of(5).await), [id[2], id[3], id[3], id[5], id[4]]);
    let missed = page(&simulator, &format!("after={}", id[2])).await.0;
    assert_eq!(trade_ids(&missed), [id[1], id[0]], "what was not streamed is there by REST");

    simulator.inject(Fault::Silence(Duration::from_secs(600)));
    simulator.emit(1).await;
    let answer = socket.ask(subscribe(&["matches"], &["ETH-USDT"])).await;
    assert_eq!(answer["type"], "subscriptions", "requests are answered, and nothing came before");
    simulator.inject(Fault::Recover);
    simulator.inject(Fault::Garbage("not json".to_owned()));
    assert_eq!(socket.text().await.unwrap(), "not json", "and no last match came after");
}

#[tokio::test]
async fn connections_are_cut_closed_and_refused() {
    let simulator = quiet().await;
    let socket = listening(&simulator, "matches").await;
    simulator.inject(Fault::Disconnect);
    assert_eq!(socket.end().await, None);
    let socket = listening(&simulator, "matches").await;
    simulator.inject(Fault::ServerShutdown);
    assert_eq!(socket.end().await, Some(1_001));
    until("gone", || simulator.coinbase_listeners("matches", "BTC-USDT") == 0).await;

    let mut socket = Socket::open(&simulator, "/coinbase").await;
    simulator.inject(Fault::RefuseSubscriptions(1));
    let refused = socket.ask(subscribe(&["matches"], &["BTC-USDT"])).await;
    assert_eq!((&refused["type"], &refused["message"]), (&json!("error"), &json!("Failed to subscribe")));
    assert_eq!(socket.ask(subscribe(&["matches"], &["BTC-USDT"])).await["type"], "subscriptions");
}

#[tokio::test]
async fn requests_are_refused_and_late() {
    let simulator = quiet().await;
    simulator.inject(Fault::RateLimited { status: Refusal::TooManyRequests, retry_after: Duration::from_secs(600) });
    let answer = get(&simulator, "/coinbase/products").await;
    assert_eq!((answer.status, &answer.body), (429, &json!({"message": "Public rate limit exceeded"})));
    assert_eq!(answer.retry_after, None);
    simulator.inject(Fault::Recover);
    simulator.inject(Fault::Slow(Duration::from_millis(300)));
    let start = Instant::now();
    fetch(&simulator, "/coinbase/products").await;
    assert!(start.elapsed() >= Duration::from_millis(300));
}
